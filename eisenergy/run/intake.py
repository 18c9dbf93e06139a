"""Take files in: archive the original, read it, write its readings, register what became of it.

In this order a kill at any moment leaves the old state or the new one, and the same command completes it. A file that is refused leaves
nothing behind but its original and the reason.

A folder is one load. Its files are hashed and looked up in one query; those that are new go in batches to whoever keeps the originals,
reads, and writes the readings beside the table (:mod:`eisenergy.run.taking`): this process, or several; then one commit names all of these. Files that
meet readings which are there already, or each other, are compared with them row by row, in order of their names.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Final

from eisenergy.accounts import Scope
from eisenergy.desk.workspace import Workspace
from eisenergy.run import forked, taking
from eisenergy.run.load import IngestReport, Load
from eisenergy.run.orders import can_fork
from eisenergy.run.taking import Batch, Taken
from eisenergy.store import sweeping

BATCH_FILES: Final = 256
"""Files that one worker takes at a time."""

LOAD_ROWS: Final = 60_000_000
"""Readings of one commit; what a longer load has so far is committed and registered."""

FIRST: Final = (16, 64)
"""Files of the first batches, which this process reads itself and thereby learns what the others will take."""

WORTH_SECONDS: Final = 2.0
"""Reading [CPU s] that a process is started for: to start some takes one to two."""

SURE_SECONDS: Final = 10.0
"""Reading [CPU s] that others are started for at once, as files usually are: what is learned first costs this process the same start."""

SPARE_SECONDS: Final = 2.0
"""Reading [CPU s], as files usually are, from which on a command forks a process before it does anything else."""

SPARED_SECONDS: Final = 1.0
"""Reading [CPU s] that a process is worth where one is spare: until it reads at its pace, another one takes 0.15 s."""

USUAL: Final = {".csv": 2.0e-8, ".txt": 2.0e-8, ".tsv": 2.0e-8, ".xlsx": 8.5e-8, ".xlsm": 8.5e-8}
"""What reading cost [CPU s per byte] on the machine this was written on."""

IMPORTS: Final = (taking.__name__, "eisenergy.readings.scankernel", "eisenergy.readings.gridkernel", "numpy.ma")
"""What a process that reads loads before it begins; the last is what Numba loads when it is given its first array."""

SUFFIXES: Final = {".csv", ".tsv", ".txt", ".xls", ".xlsx", ".xlsm"}


class NothingToIngest(LookupError):
    """No file at the paths given."""


class WorkerDied(RuntimeError):
    """A process that read files died, and the load ended early."""


def gather(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the files to take in: those named, and below folders every file that may hold readings, in order of names.

    :raises NothingToIngest: when a path does not exist or a folder holds no such file
    """
    result: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                entry
                for entry in path.rglob("*")
                if entry.is_file()
                and entry.suffix.lower() in SUFFIXES
                and not any(part.startswith((".", "~$")) for part in entry.relative_to(path).parts)
            )
            if not inside:
                raise NothingToIngest(
                    f"{path}: no file ending in {', '.join(sorted(SUFFIXES))}. Name the folder of the downloads."
                )
            result += inside
        elif path.is_file():
            result.append(path)
        else:
            raise NothingToIngest(f"{path}: no such file or folder")
    return tuple(dict.fromkeys(result))


def promise(paths: Iterable[Path], costs: Mapping[str, float] = USUAL) -> float:
    """Return what reading files would take, as files usually are [CPU s].

    :param costs: of reading [CPU s per byte], by the ending of a file's name
    """
    most = max(costs.values())
    return sum(costs.get(path.suffix.lower(), most) * path.stat().st_size for path in paths)


@contextmanager
def spared(paths: Sequence[Path], workers: int) -> Iterator[forked.Spare | None]:
    """Fork a process that others will be forked from, where files promise work for several; ``None`` where they do not.

    :param workers: the most there may be
    """
    if workers < 2 or not can_fork() or promise(paths) < SPARE_SECONDS:
        yield None
        return
    with forked.spared(workers) as spare:
        yield spare


def ingest(
    workspace: Workspace,
    scope: Scope,
    paths: Sequence[Path],
    *,
    step: Callable[[str], None] = lambda _: None,
    executor: Executor | None = None,
    spare: forked.Spare | None = None,
) -> IngestReport:
    """Take files in. One that is refused does not stop the others.

    :param paths: files, see :func:`gather`
    :param step: called with each file's name when it was read
    :param spare: from :func:`spared`
    :param executor: who reads the batches; by default this process, and others beside it where that pays, as many as the settings say
    :raises BadMapping: when the mappings under ``params/mappings`` cannot be read
    :raises WorkerDied: when a process that reads died
    """
    with tempfile.TemporaryDirectory(prefix=sweeping.waiting(scope), dir=workspace.settings.home) as folder:
        load = Load(workspace, scope, Path(folder))
        new = load.known(paths, step)
        with _readers(workspace, new, executor, spare) as (readers, count):
            batches = load.batches(new, BATCH_FILES, FIRST if readers is None else (), count)
            with closing(_read(workspace, batches, readers)) as results:
                for taken in results:
                    load.add(taken)
                    for arrival in taken.arrivals:
                        step(arrival.path.name)
                    if load.rows >= LOAD_ROWS:
                        load.finish()
        load.finish()
        return load.report(paths)


@contextmanager
def _readers(
    workspace: Workspace, new: Sequence[Path], executor: Executor | None, spare: forked.Spare | None
) -> Iterator[tuple[Executor | None, int]]:
    """Who reads, and how many there may be: the one that was given, or those that a spare process forks; ``None`` where this process begins
    by itself."""
    if executor is not None or spare is None or (seconds := promise(new)) < SPARE_SECONDS:
        yield executor, workspace.settings.workers
        return
    count = max(1, min(workspace.settings.workers, int(seconds / SPARED_SECONDS)))
    begun = spare.begin(count, workspace.environment(), IMPORTS)
    try:
        yield begun, count
    finally:
        begun.shutdown(cancel_futures=True)


class _Pace:
    """What reading costs here [CPU s per byte], by the ending of a file's name: the usual, then what the newest batch of each showed."""

    def __init__(self) -> None:
        self._costs = dict(USUAL)

    def take(self, batch: Batch) -> Taken:
        """Read a batch, and learn."""
        if (
            batch.quick
        ):  # to load what is compiled takes as long as reading a hundred files, and says nothing of the next ones
            for name in IMPORTS:
                import_module(name)
        began = time.process_time()
        taken = taking.take(batch)
        spent = (time.process_time() - began) / max(1, sum(arrival.bytes for arrival in taken.arrivals))
        self._costs |= {path.suffix.lower(): spent for path in batch.paths}
        return taken

    def seconds(self, batches: Iterable[Batch]) -> float:
        """What reading batches would take."""
        return promise((path for one in batches for path in one.paths), self._costs)


def _read(workspace: Workspace, batches: Sequence[Batch], executor: Executor | None) -> Generator[Taken]:
    """What comes of the batches, in their order: this process begins, and others are started when it would take long."""
    if executor is not None:
        yield from _results(executor, batches)
        return
    pace, left = _Pace(), list(batches)
    while left:
        ahead = pace.seconds(left)
        others = min(workspace.settings.workers, len(left), int(ahead / WORTH_SECONDS))
        if others > 1 and (len(batches) - len(left) >= len(FIRST) or ahead >= SURE_SECONDS):
            workers = forked.workers(others, workspace.environment(), IMPORTS)
            try:
                yield from _results(workers, left)
            finally:
                workers.shutdown(cancel_futures=True)
            return
        yield pace.take(left.pop(0))


def _results(workers: Executor, batches: Sequence[Batch]) -> Iterator[Taken]:
    """What comes of the batches, in their order: a correction counts after what it corrects, also in a load of several commits."""
    for future in [workers.submit(taking.take, batch) for batch in batches]:
        try:
            yield future.result()
        except BrokenProcessPool as death:
            raise WorkerDied(
                "A process that reads files died, as it does when memory runs out. What was committed is kept: run the same "
                "command again to do what is left, with fewer EISENERGY_WORKERS if it happens again."
            ) from death
