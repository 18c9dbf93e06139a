"""Fan-out over any ``concurrent.futures.Executor``: local processes by default.

Processes are spawned, never forked: a process that ran a Polars query or compiled a document must not fork.
"""

from __future__ import annotations

import itertools
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from typing import Any, Final, TypeVar

from eisenergy.run.orders import ONE_THREAD

AHEAD: Final = 256
LOOK_SECONDS: Final = 5.0

Task = TypeVar("Task")
Result = TypeVar("Result")


def local(workers: int, environment: Mapping[str, str]) -> Executor:
    """Return an executor of local processes.

    :param workers: how many
    :param environment: variables every worker starts with: the settings, and one thread per numeric library, since the
        processes themselves already fill the machine
    """
    return ProcessPoolExecutor(
        max_workers=workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=enter,
        initargs=({**ONE_THREAD, **environment},),
    )


def enter(environment: Mapping[str, str]) -> None:
    """Begin a process that works for another: its variables, and an end with the one it works for."""
    os.environ.update(environment)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone: a worker of a killed run would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def each(
    executor: Executor,
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    ahead: int = AHEAD,
    lost: Callable[[], str | None] = lambda: None,
    look: float = LOOK_SECONDS,
) -> Iterator[tuple[Task, Result | BaseException]]:
    """Run every task and yield ``(task, result)`` as each ends; an exception takes the place of its task's result.

    :param executor: any: processes here, a cluster's
    :param ahead: tasks handed over at a time; the others are not made into anything yet
    :param lost: asked while nothing ends: why nothing will end any more, a sentence, or ``None``; what is left then fails
        with it
    :param look: seconds between two such questions
    """
    coming = iter(tasks)
    running: dict[Future[Result], Task] = {}
    try:
        while True:
            for task in itertools.islice(coming, ahead - len(running)):
                running[_submitted(executor, work, task)] = task
            if not running:
                return
            ended, _ = wait(running, timeout=look, return_when=FIRST_COMPLETED)
            for future in ended:
                task = running.pop(future)
                yield task, _outcome(future)
            if not ended and (why := lost()) is not None:
                for task in itertools.chain(list(running.values()), coming):
                    yield task, RuntimeError(why)
                return
    finally:
        for future in running:
            future.cancel()


def _submitted(executor: Executor, work: Callable[[Task], Result], task: Task) -> Future[Result]:
    try:
        return executor.submit(work, task)
    except BrokenExecutor as problem:  # what an earlier task broke takes no more
        failed: Future[Result] = Future()
        failed.set_exception(problem)
        return failed


def _outcome(future: Future[Any]) -> Any:
    try:
        failure = future.exception()
    except CancelledError:
        return RuntimeError("it was given up before it ended; run the same command again to do what is left")
    return future.result() if failure is None else _told(failure)


def _told(failure: BaseException) -> BaseException:
    if isinstance(failure, BrokenExecutor):
        return RuntimeError("the worker process died; run the same command again to do what is left")
    return failure
