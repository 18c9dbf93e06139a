"""What a worker of a cluster does: a batch of one tenant's customers, found by address.

A share says where things are (the settings: the lake's address, the database's, the shared folder), which month and which
customers; the readings and the invoices the worker reads itself. It runs the batch in the children of a parent that forks
(:mod:`eisenergy.run.nursery`), which it keeps for the next share, or with kernels where nothing forks.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import eisenergy
from eisenergy.config import Settings
from eisenergy.run.batches import NURSERY, Parent
from eisenergy.run.orders import MayNotFork, Numbered, Order, forks
from eisenergy.variables import BadSetting

SERIAL: Final = "eisenergy.run.serial"
IDLE_SECONDS: Final = 60.0
"""How long a parent without work is kept."""

REFUSAL_SECONDS: Final = 10.0
"""How long a worker that joined later and may not do the work keeps a share, lest it be the quickest to take the next."""

WITNESS_SECONDS: Final = 45.0
"""How long a worker may take to say what it sees."""

Ended = tuple[int, str, Any]
"""A task's number, how it ended (``done``, ``raised`` or ``died``) and what came of it."""


class OtherCode(RuntimeError):
    """A worker whose code, notebooks or templates are not those of whoever gives the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A batch for a worker.

    :param work: ``module:function``, as for :func:`eisenergy.run.batches.each`
    :param tasks: with their numbers; all of one tenant
    :param notebooks: those the work executes, as paths in the project
    :param environment: the settings to work with; the address of the database is a secret, so they are never shown
    :param code: see :func:`fingerprint`
    :param begin: ``module:function``, as for :func:`eisenergy.run.batches.each`
    :param warm: likewise
    """

    work: str
    tasks: tuple[Numbered, ...]
    notebooks: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    code: str
    begin: str = ""
    warm: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a worker is asked before it gets work.

    :param token: a file in the workspace's folder that was written just now
    :param database: see :func:`which_database`
    :param lake: version of the table of readings
    :param programs: that have to be on its PATH
    """

    environment: Mapping[str, str] = field(repr=False)
    code: str
    token: str
    database: str
    lake: int
    programs: tuple[str, ...]


def do(share: Share) -> tuple[Ended, ...]:
    """Do a share; whatever befalls one of its tasks is that task's result.

    :raises OtherCode: when this worker would make other documents
    """
    settings = Settings.load(share.environment)
    try:
        check_code(settings.root, share.code)
    except OtherCode:
        time.sleep(REFUSAL_SECONDS)
        raise
    order = Order(
        work=share.work,
        notebooks=tuple(settings.root / name for name in share.notebooks),
        batches=(share.tasks,),
        then=(),
        workers=1,  # the worker has as many threads as it may use cores, and each of them does a share
        seconds=settings.notebook_timeout,
        memory=settings.child_memory << 20,
        begin=share.begin,
        warm=share.warm,
    )
    if forks(settings.notebook_engine):
        try:
            return _done(order, share, NURSERY)
        except MayNotFork:
            pass  # as on one machine: kernels then
    return _done(order, share, SERIAL)


def fingerprint(root: Path) -> str:
    """Return the hash of the code, the notebooks and the templates that make documents here.

    :param root: the project
    """
    package = Path(eisenergy.__file__).parent
    kinds = ((package, "**/*.py"), (root, "notebooks/*.ipynb"), (root, "reports/**/*"), (root, "_quarto.yml"))
    digest = hashlib.sha256()
    for folder, kind in kinds:
        for path in sorted(path for path in folder.glob(kind) if path.is_file() and path.parent.name != "pictures"):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def check_code(root: Path, code: str) -> None:
    """Compare this process's project with another's fingerprint. :raises OtherCode: saying what to do."""
    if not (root / "_quarto.yml").is_file():
        raise OtherCode(
            f"it works in {root}, where no project of eisenergy is: start the worker in the project's folder"
        )
    if fingerprint(root) != code:
        raise OtherCode(
            f"its eisenergy, notebooks or templates ({Path(eisenergy.__file__).parent}, {root}) are not the same as here: "
            "bring both to the same commit and start the worker again"
        )


async def witness(question: Question) -> tuple[str, ...]:
    """Say why this worker cannot work for whoever asks; nothing when it can. Does not hold up the worker's own loop."""
    try:
        async with asyncio.timeout(WITNESS_SECONDS):
            return await asyncio.to_thread(_obstacles, question)
    except TimeoutError:
        return (f"it did not reach the workspace, the database and the lake within {WITNESS_SECONDS:g} s",)


def which_database(database: Any) -> str:
    """Return what tells one running database from another."""
    from sqlalchemy import text

    with database.engine.connect() as connection:
        found = connection.execute(text("SELECT current_database(), pg_postmaster_start_time()")).one()
    return " ".join(str(part) for part in found)


def _obstacles(question: Question) -> tuple[str, ...]:
    from eisenergy.store.database import Database
    from eisenergy.store.lake import Lake

    found = []
    try:
        settings = Settings.load(question.environment)
        check_code(settings.root, question.code)
    except (OtherCode, BadSetting) as problem:
        return (str(problem),)
    if not (settings.home / question.token).is_file():
        found.append(
            f"it does not see the workspace {settings.home}: mount the shared folder there, or name one that all "
            "machines share (EISENERGY_HOME)"
        )
    try:
        with Database.open(settings) as database:
            if which_database(database) != question.database:
                found.append(
                    "EISENERGY_DATABASE_URL leads it to another database: name the server as all machines reach it"
                )
            elif (version := Lake.open(settings, database).version()) != question.lake:
                found.append(
                    f"it sees version {version} of the readings in {settings.lake}, expected {question.lake}: name an object "
                    "store or a folder that all machines share (EISENERGY_LAKE)"
                )
    except Exception as problem:  # whatever it is, it is this worker's to say
        found.append(f"{type(problem).__name__}: {problem}")
    found += [
        f"{name} is not on its PATH, and the pages are made with it: install it there" for name in question.programs
        if shutil.which(name) is None
    ]  # fmt: skip
    return tuple(found)


def _done(order: Order, share: Share, module: str) -> tuple[Ended, ...]:
    with _kept_parent(share, module) as parent:
        return tuple((number, kind, content) for kind, number, content in parent.do(order))


_idle: dict[str, list[Parent]] = {}
_guard: Final = threading.Lock()


@contextmanager
def _kept_parent(share: Share, module: str) -> Iterator[Parent]:
    """A parent for these settings and this code: one that waits for work, or a new one; it waits afterwards, for a while."""
    parts = (module, share.code, *(f"{name}={value}" for name, value in sorted(share.environment.items())))
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    with _guard:
        waiting = _idle.get(key, [])
        parent = waiting.pop() if waiting else None
    if parent is not None and not parent.lives():
        parent.end()
        parent = None
    if parent is None:
        parent = Parent(share.environment, module)
    try:
        yield parent
    except BaseException:
        parent.end()
        raise
    with _guard:
        _idle.setdefault(key, []).append(parent)
    timer = threading.Timer(IDLE_SECONDS, _end_idle, (key, parent))
    timer.daemon = True
    timer.start()


def _end_idle(key: str, parent: Parent) -> None:
    with _guard:
        if parent not in _idle.get(key, []):
            return  # at work, or ended
        _idle[key].remove(parent)
    parent.end()
