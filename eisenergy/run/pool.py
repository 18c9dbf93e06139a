"""Fan-out over any ``concurrent.futures.Executor``: local processes by default.

Processes are spawned, never forked: a process that ran a Polars query or compiled a document must not fork.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def local(workers: int, environment: Mapping[str, str]) -> Executor:
    """Return an executor of local processes.

    :param workers: how many
    :param environment: variables every worker starts with: the settings, and one thread per numeric library, since the
        processes themselves already fill the machine
    """
    single = {"POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return ProcessPoolExecutor(
        max_workers=workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_enter,
        initargs=({**single, **environment},),
    )


def _enter(environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: a worker of a killed run would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def each(
    executor: Executor, work: Callable[[Task], Result], tasks: Iterable[Task]
) -> Iterator[tuple[Task, Result | BaseException]]:
    """Run every task and yield ``(task, result)`` as each ends; an exception takes the place of its task's result."""
    futures = {executor.submit(work, task): task for task in tasks}
    for future in as_completed(futures):
        failure = future.exception()
        if isinstance(failure, BrokenProcessPool):
            failure = RuntimeError("the worker process died; run the same command again to do what is left")
        yield futures[future], future.result() if failure is None else failure
