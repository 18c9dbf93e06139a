"""One customer's documents: execute its notebooks, publish its site. A task for the pool.

A task is skipped when its stamp says that the same inputs made the files that are there.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import eisenergy
from eisenergy.config import Settings
from eisenergy.period import BillingMonth
from eisenergy.publish import site
from eisenergy.publish.renderer import Renderer
from eisenergy.run.notebook import Job, execute

NOTEBOOKS: Final = ("home", "dashboard", "invoice")
OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One site to make.

    :param customer: the customer's code, ``None`` for the operator's site
    :param facts: hash of what the documents show; with the notebooks and templates it decides whether they are stale
    :param locale: language of what is read
    """

    client: str
    customer: str | None
    month: str
    facts: str
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

    :param error: ``None`` when the site is in its place
    :param fresh: whether anything had to be made
    :param paths: the files of the month
    """

    task: Task
    error: str | None
    fresh: bool
    paths: tuple[Path, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What made the files that are there.

    :param stamp: see :func:`stamp_of`
    """

    stamp: str
    paths: tuple[Path, ...]


def make(task: Task) -> Made:
    """Execute the notebooks of a task and publish its site; an error is its result, and stops nobody else."""
    started = time.monotonic()
    settings = Settings.load()
    folder = settings.runs / task.client / task.month / (task.customer or site.OPERATOR)
    stamp = folder / "stamp.json"
    wanted = stamp_of(settings, task)
    done = _read(stamp)
    if not task.force and done is not None and done.stamp == wanted and all(path.is_file() for path in done.paths):
        return Made(task=task, error=None, fresh=False, paths=done.paths, seconds=time.monotonic() - started)
    stamp.unlink(missing_ok=True)
    for left in folder.glob(".*.ipynb"):  # a killed run's
        left.unlink(missing_ok=True)
    executed: dict[str, Path] = {}
    given = {"client": task.client, "month": task.month}
    for name in (OPERATOR,) if task.customer is None else NOTEBOOKS:
        job = Job(
            notebook=settings.root / "notebooks" / f"{name}.ipynb",
            output=folder / f"{name}.ipynb",
            parameters=given if task.customer is None else {**given, "customer": task.customer},
            subject=task.subject,
            timeout=settings.notebook_timeout,
        )
        record = execute(job)
        if record.error is not None:
            return Made(task=task, error=record.error, fresh=True, paths=(), seconds=time.monotonic() - started)
        executed[name] = job.output
    try:
        month = BillingMonth.parse(task.month)
        if task.customer is None:
            published = site.publish_operator(settings, executed, task.client, month, task.renderer, locale=task.locale)
        else:
            published = site.publish_customer(
                settings, executed, task.client, task.customer, month, task.renderer, locale=task.locale
            )
    except site.PublishFailed as problem:
        return Made(task=task, error=str(problem), fresh=True, paths=(), seconds=time.monotonic() - started)
    partial = stamp.with_suffix(".part")
    partial.write_text(
        json.dumps({"stamp": wanted, "paths": [str(path) for path in published.paths]}), encoding="utf-8"
    )
    partial.replace(stamp)
    return Made(task=task, error=None, fresh=True, paths=published.paths, seconds=time.monotonic() - started)


def stamp_of(settings: Settings, task: Task) -> str:
    """Return the hash of everything that decides what the documents look like."""
    digest = hashlib.sha256()
    for text in (eisenergy.__version__, task.client, task.subject, task.month, task.facts, task.renderer, task.locale):
        digest.update(text.encode("utf-8") + b"\0")
    for path in _sources(settings.root):
        digest.update(path.relative_to(settings.root).as_posix().encode("utf-8") + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _sources(root: Path) -> Iterable[Path]:
    kinds = ("_quarto.yml", "notebooks/*.ipynb", "reports/**/*", "eisenergy/publish/*.py", "eisenergy/desk/*.py")
    found = {path for kind in kinds for path in root.glob(kind) if path.is_file()}
    return sorted(path for path in found if path.parent.name != "pictures")


def _read(stamp: Path) -> Stamp | None:
    try:
        content = json.loads(stamp.read_text(encoding="utf-8"))
        return Stamp(stamp=str(content["stamp"]), paths=tuple(Path(path) for path in content["paths"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
