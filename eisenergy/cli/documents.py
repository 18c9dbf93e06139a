"""One customer's documents: what is to be made, and whether it is there already. :mod:`eisenergy.cli.making` makes it.

A task is skipped when its stamp says that the same inputs made the files that are there. Nothing that executes or draws is loaded here:
a command that finds everything up to date, or has it made by other processes, need not wait for that.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import eisenergy
from eisenergy.config import Settings
from eisenergy.publish.folders import OPERATOR as OPERATORS_FOLDER
from eisenergy.publish.renderer import Renderer
from eisenergy.run.batches import Died
from eisenergy.run.notebook import Failure, Job, alone

NOTEBOOKS: Final = ("home", "dashboard", "invoice")
OPERATOR: Final = "operator"
STAMP: Final = "stamp.json"
FIRST_PAGE: Final = "index.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One site to make.

    :param customer: the customer's code, ``None`` for the operator's site
    :param facts: hash of what the documents show; with ``sources`` it decides whether they are stale
    :param sources: see :func:`sources_of`
    :param locale: language of what is read
    """

    client: str
    customer: str | None
    month: str
    facts: str
    sources: str
    renderer: Renderer
    locale: str
    force: bool = False

    @property
    def subject(self) -> str:
        """Whom it is about."""
        return self.customer or "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What came of a task.

    :param failure: ``None`` when the site is in its place
    :param fresh: whether anything had to be made
    :param paths: the files of the month
    :param page: where the failure is told in full
    """

    task: Task
    failure: Failure | None
    fresh: bool
    paths: tuple[Path, ...]
    seconds: float
    page: Path | None = None

    @property
    def error(self) -> str | None:
        """Why the site is not in its place, and how to try again; ``None`` when it is."""
        return None if self.failure is None else str(self.failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What made the files that are there.

    :param stamp: see :func:`stamp_of`
    :param sizes: the files, with the bytes each had [bytes]: files are not synced to the disk, and a power cut may leave one
        empty that was whole when the stamp was written
    :param beside: see :func:`beside`
    """

    stamp: str
    sizes: Mapping[Path, int]
    beside: str

    def whole(self) -> bool:
        """Whether the files are there as they were left; a site's first page may have become another month's since."""
        return all(
            found > 0 and (found == size or path.name == FIRST_PAGE)
            for path, size in self.sizes.items()
            for found in (size_of(path),)
        )


def kept(settings: Settings, task: Task) -> Made | None:
    """Return a task's documents where they are there and not stale; ``None`` where they have to be made."""
    done = _read(folder_of(settings, task) / STAMP)
    if task.force or done is None or done.stamp != stamp_of(task) or not done.whole():
        return None
    if done.beside != beside(settings, task):
        return None
    return Made(task=task, failure=None, fresh=False, paths=tuple(done.sizes), seconds=0.0)


def lost(settings: Settings, task: Task, problem: BaseException) -> Made:
    """Return what is told of a task whose process died or raised."""
    if not isinstance(problem, Died):
        return failed(task, between(task, str(problem)))
    death = problem.death
    failure = Failure(
        notebook=death.notebook,
        cell=death.cell,
        source=death.source,
        why=death.why,
        details=death.said,
        alone=next(
            (alone(job) for job in jobs(settings, task) if job.notebook.name == death.notebook), _command_of(task)
        ),
    )
    return failed(task, failure)


def jobs(settings: Settings, task: Task) -> tuple[Job, ...]:
    """Return the notebooks to execute for a task."""
    folder = folder_of(settings, task)
    given = {"client": task.client, "month": task.month}
    return tuple(
        Job(
            notebook=path,
            output=folder / path.name,
            parameters=given if task.customer is None else {**given, "customer": task.customer},
            subject=task.subject,
            timeout=settings.notebook_timeout,
        )
        for path in notebooks(settings, task)
    )


def notebooks(settings: Settings, task: Task) -> tuple[Path, ...]:
    """Return the notebooks a task executes, as they stand in the project."""
    names = (OPERATOR,) if task.customer is None else NOTEBOOKS
    return tuple(settings.root / "notebooks" / f"{name}.ipynb" for name in names)


def folder_of(settings: Settings, task: Task) -> Path:
    """Return where the executed notebooks of a task lie."""
    return settings.runs / task.client / task.month / (task.customer or OPERATORS_FOLDER)


def stamp_of(task: Task) -> str:
    """Return the hash of everything that decides what the documents look like."""
    digest = hashlib.sha256()
    decisive = (task.client, task.subject, task.month, task.facts, task.sources, task.renderer, task.locale)
    for text in (eisenergy.__version__, *decisive):
        digest.update(text.encode("utf-8") + b"\0")
    return digest.hexdigest()


def beside(settings: Settings, task: Task) -> str:
    """Return the hash of which customers have a site, for the operator's page, which links those; nothing for a customer's."""
    if task.customer is not None:
        return ""
    found = sorted(page.parent.name for page in (settings.sites / task.client).glob("*/index.html"))
    return hashlib.sha256("\n".join(name for name in found if name != OPERATORS_FOLDER).encode()).hexdigest()


def sources_of(root: Path) -> str:
    """Return the hash of the notebooks, the templates and the code that shows; worked out once for all customers.

    :param root: the project
    """
    digest = hashlib.sha256()
    for path in _sources(root):
        digest.update(path.relative_to(root).as_posix().encode("utf-8") + b"\0" + path.read_bytes())
    return digest.hexdigest()


def failed(task: Task, failure: Failure, started: float | None = None) -> Made:
    """Return what is told of a task that failed. :param started: ``time.monotonic`` when it was begun"""
    seconds = 0.0 if started is None else time.monotonic() - started
    return Made(task=task, failure=failure, fresh=True, paths=(), seconds=seconds)


def between(task: Task, why: str) -> Failure:
    """A failure that no cell is to blame for."""
    return Failure(notebook=None, cell=None, source="", why=why, details="", alone=_command_of(task))


def _command_of(task: Task) -> str:
    customer = "" if task.customer is None else f" --customer {shlex.quote(task.customer)}"
    return f"eisenergy --client {shlex.quote(task.client)} publish {task.month}{customer}"


def _sources(root: Path) -> Iterable[Path]:
    kinds = ("_quarto.yml", "notebooks/*.ipynb", "reports/**/*", "eisenergy/publish/*.py", "eisenergy/desk/*.py")
    found = {path for kind in kinds for path in root.glob(kind) if path.is_file()}
    return sorted(path for path in found if path.parent.name != "pictures")


def _read(stamp: Path) -> Stamp | None:
    try:
        content = json.loads(stamp.read_text(encoding="utf-8"))
        sizes = {Path(path): int(size) for path, size in content["sizes"].items()}
        return Stamp(stamp=str(content["stamp"]), sizes=sizes, beside=str(content["beside"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def size_of(path: Path) -> int:
    """Bytes of a file; -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
