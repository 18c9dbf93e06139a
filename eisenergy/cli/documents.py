"""One customer's documents: execute its notebooks, publish its site. A task for the pool.

A task is skipped when its stamp says that the same inputs made the files that are there.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import eisenergy
from eisenergy.config import Settings
from eisenergy.desk import together
from eisenergy.period import BillingMonth
from eisenergy.publish import embedded, site
from eisenergy.publish.folders import QUARTO
from eisenergy.publish.navigation import front_matter, read_site, remember
from eisenergy.publish.place import locked
from eisenergy.publish.renderer import Renderer
from eisenergy.run import engine
from eisenergy.run.batches import Died
from eisenergy.run.notebook import Failure, Job, RunRecord, alone, execute

NOTEBOOKS: Final = ("home", "dashboard", "invoice")
OPERATOR: Final = "operator"
STAMP: Final = "stamp.json"
LOCK: Final = ".lock"
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
    :param beside: see :func:`_beside`
    """

    stamp: str
    sizes: Mapping[Path, int]
    beside: str

    def whole(self) -> bool:
        """Whether the files are there as they were left; a site's first page may have become another month's since."""
        return all(
            found > 0 and (found == size or path.name == FIRST_PAGE)
            for path, size in self.sizes.items()
            for found in (_size(path),)
        )


def kept(settings: Settings, task: Task) -> Made | None:
    """Return a task's documents where they are there and not stale; ``None`` where they have to be made."""
    done = _read(folder_of(settings, task) / STAMP)
    if task.force or done is None or done.stamp != stamp_of(task) or not done.whole():
        return None
    if done.beside != _beside(settings, task):
        return None
    return Made(task=task, failure=None, fresh=False, paths=tuple(done.sizes), seconds=0.0)


def warm(notebooks: Iterable[Path]) -> None:
    """Read what every child would read again: the notebooks, the page's template, the site's description."""
    embedded.warm()
    read_site(QUARTO)
    for notebook in notebooks:
        engine.warm(notebook)
        front_matter(notebook)


def begin(tasks: Sequence[Task]) -> None:
    """Say whose documents this process will make: their desks are read together.

    :param tasks: of one client
    """
    together.forget()
    customers = [task.customer for task in tasks if task.customer is not None]
    if len(customers) > 1:
        together.announce(tasks[0].client, customers, tasks[0].month)


def make(task: Task, run: Callable[[Job], RunRecord] = execute) -> Made:
    """Execute the notebooks of a task and publish its site; an error is its result, and stops nobody else.

    :param run: what executes a notebook: in a kernel of its own, or in a forked child
    """
    started = time.monotonic()
    settings = Settings.load()
    with locked(folder_of(settings, task) / LOCK):  # another worker may be at it, one that was thought dead
        return kept(settings, task) or _made(settings, task, run, started)


def _made(settings: Settings, task: Task, run: Callable[[Job], RunRecord], started: float) -> Made:
    folder = folder_of(settings, task)
    stamp = folder / STAMP
    stamp.unlink(missing_ok=True)
    for left in folder.glob(".*.ipynb"):  # a killed run's
        left.unlink(missing_ok=True)
    executed: dict[str, Path] = {}
    for job in jobs(settings, task):
        record = run(job)
        if record.failure is not None:
            return _failed(task, record.failure, started)
        executed[job.output.stem] = job.output
        if record.document is not None:
            remember(job.output, record.document)
    beside = _beside(settings, task)
    try:
        month = BillingMonth.parse(task.month)
        if task.customer is None:
            published = site.publish_operator(settings, executed, task.client, month, task.renderer, locale=task.locale)
        else:
            published = site.publish_customer(
                settings, executed, task.client, task.customer, month, task.renderer, locale=task.locale
            )
    except site.PublishFailed as problem:
        return _failed(task, _between(task, str(problem)), started)
    partial = stamp.with_suffix(".part")
    partial.write_text(
        json.dumps(
            {"stamp": stamp_of(task), "sizes": {str(path): _size(path) for path in published.paths}, "beside": beside}
        ),
        encoding="utf-8",
    )
    partial.replace(stamp)
    return Made(task=task, failure=None, fresh=True, paths=published.paths, seconds=time.monotonic() - started)


def lost(settings: Settings, task: Task, problem: BaseException) -> Made:
    """Return what is told of a task whose process died or raised."""
    if not isinstance(problem, Died):
        return _failed(task, _between(task, str(problem)))
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
    return _failed(task, failure)


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
    return settings.runs / task.client / task.month / (task.customer or site.OPERATOR)


def stamp_of(task: Task) -> str:
    """Return the hash of everything that decides what the documents look like."""
    digest = hashlib.sha256()
    decisive = (task.client, task.subject, task.month, task.facts, task.sources, task.renderer, task.locale)
    for text in (eisenergy.__version__, *decisive):
        digest.update(text.encode("utf-8") + b"\0")
    return digest.hexdigest()


def _beside(settings: Settings, task: Task) -> str:
    """Return the hash of which customers have a site, for the operator's page, which links those; nothing for a customer's."""
    if task.customer is not None:
        return ""
    found = sorted(page.parent.name for page in (settings.sites / task.client).glob("*/index.html"))
    return hashlib.sha256("\n".join(name for name in found if name != site.OPERATOR).encode()).hexdigest()


def sources_of(root: Path) -> str:
    """Return the hash of the notebooks, the templates and the code that shows; worked out once for all customers.

    :param root: the project
    """
    digest = hashlib.sha256()
    for path in _sources(root):
        digest.update(path.relative_to(root).as_posix().encode("utf-8") + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _failed(task: Task, failure: Failure, started: float | None = None) -> Made:
    seconds = 0.0 if started is None else time.monotonic() - started
    return Made(task=task, failure=failure, fresh=True, paths=(), seconds=seconds)


def _between(task: Task, why: str) -> Failure:
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


def _size(path: Path) -> int:
    """Bytes of a file; -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
