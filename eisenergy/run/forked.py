"""Processes that share one start: a process imports what all need, and is then forked for each.

A process that reads files costs one to two seconds of CPU to start, nearly all of it imports. The one that imports does nothing else: it
neither queries nor starts a thread, so its children inherit nothing half done. Where the system does not fork, each process starts by itself.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final, ParamSpec, TypeAlias, TypeVar

from eisenergy.run import heap, pool
from eisenergy.run.orders import ONE_THREAD, can_fork

P = ParamSpec("P")
R = TypeVar("R")

JOIN_SECONDS: Final = 10.0


def workers(count: int, environment: Mapping[str, str], imports: Sequence[str]) -> Executor:
    """Return an executor of processes that all have imported some modules.

    :param environment: variables every process has, beside those that give each library one thread
    :param imports: modules; importing them may start no thread
    """
    return _spawned(count, environment, imports) if can_fork() else pool.local(count, environment)


Ends: TypeAlias = "Sequence[Connection[Any, Any]]"


class Spare:
    """A process forked off a command that has only imported so far: it has what the command has, without importing it again.

    It waits, and ends with the command when nothing is asked of it.
    """

    def __init__(self, most: int) -> None:
        """Fork. :param most: processes that may be wanted"""
        context = multiprocessing.get_context("fork")
        pairs = [context.Pipe() for _ in range(most + 1)]
        (self._word, theirs), *rest = pairs
        self._mine = [mine for mine, _ in rest]
        self.process = context.Process(
            target=_spare, args=(theirs, [other for _, other in rest], [mine for mine, _ in pairs]), daemon=False
        )
        self.process.start()
        for _, other in pairs:
            other.close()

    def begin(self, count: int, environment: Mapping[str, str], imports: Sequence[str]) -> Executor:
        """Return an executor of processes, see :func:`workers`. Once."""
        count = min(count, len(self._mine))
        own, self._mine = self._mine[:count], self._mine[count:]
        self._word.send((count, dict(environment), list(imports)))
        return Forked(own, self.process)

    def end(self) -> None:
        """Let it end, if it was never asked."""
        for connection in (self._word, *self._mine):
            connection.close()
        _joined(self.process)


@contextmanager
def spared(most: int) -> Iterator[Spare]:
    """Fork a spare process. Only where nothing has run yet: no query, no thread, no connection (and where :func:`can_fork`)."""
    spare = Spare(most)
    try:
        yield spare
    finally:
        spare.end()


def _spawned(count: int, environment: Mapping[str, str], imports: Sequence[str]) -> Forked:
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(count)]
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(
        ONE_THREAD
    )  # inherited, so that it stands before anything is imported there; nothing reads it here
    try:
        parent = context.Process(
            target=_parent, args=([other for _, other in pairs], dict(environment), list(imports)), daemon=False
        )
        parent.start()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    for _, other in pairs:
        other.close()
    return Forked([mine for mine, _ in pairs], parent)


def _joined(process: BaseProcess) -> None:
    process.join(JOIN_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()


class Forked(Executor):
    """Forked processes, each at the other end of a pipe. What one of them died of ends the work of all.

    :param connections: to the processes
    :param parent: the process that forked them
    """

    def __init__(self, connections: Ends, parent: BaseProcess) -> None:
        self._threads = ThreadPoolExecutor(len(connections))
        self._idle: queue.SimpleQueue[Connection[Any, Any] | None] = queue.SimpleQueue()
        for connection in connections:
            self._idle.put(connection)
        self._parent = parent

    def submit(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Have a process call a function of a module.

        The future's exception is :class:`BrokenProcessPool` when the process died.
        """
        return self._threads.submit(self._ask, work, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002  it always waits
        """End the processes when they have done what they were given."""
        self._threads.shutdown(wait=True, cancel_futures=cancel_futures)
        while not self._idle.empty():
            if (connection := self._idle.get()) is not None:
                connection.close()
        _joined(self._parent)

    def _ask(self, work: Callable[..., R], args: Sequence[Any], kwargs: Mapping[str, Any]) -> R:
        connection = self._idle.get()
        try:
            if connection is None:
                raise EOFError
            connection.send((work, args, kwargs))
            good, result = connection.recv()
        except (EOFError, OSError) as problem:
            self._idle.put(None)  # one that died answers nobody else either
            raise BrokenProcessPool("a process died while it worked") from problem
        except BaseException:  # what cannot be pickled was not sent: the process waits as before
            self._idle.put(connection)
            raise
        self._idle.put(connection)
        if not good:
            raise result
        answer: R = result
        return answer


def _spare(word: Connection[Any, Any], connections: Ends, not_mine: Ends) -> None:
    """Be the process that waits until it is told to begin."""
    for other in not_mine:  # held here, they would hide that the command is gone
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever is asked to stop is the command; this ends with it
    os.environ.update(ONE_THREAD)  # its libraries are loaded, and have started nothing: they look when they first do
    try:
        count, environment, imports = word.recv()
    except EOFError:
        return
    for unused in connections[count:]:
        unused.close()
    _parent(connections[:count], environment, imports)


def _parent(connections: Ends, environment: Mapping[str, str], imports: Sequence[str]) -> None:
    """Be the process that imports: fork one child per connection, and wait for them, so that their CPU time is counted here."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    heap.keep()
    gc.disable()  # what is imported stays: looking for cycles in it takes a tenth of the time
    for name in imports:
        import_module(name)
    gc.freeze()
    gc.enable()
    children = []
    for own in connections:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                for other in connections:
                    if other is not own:  # held here, it would hide that its process died
                        other.close()
                pool.enter(environment)
                _serve(own)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    for own in connections:
        own.close()
    for child in children:
        os.waitpid(child, 0)


def _serve(connection: Connection[Any, Any]) -> None:
    """Do what is asked until nobody asks any more."""
    while True:
        try:
            work, args, kwargs = connection.recv()
        except EOFError:
            return
        answer: tuple[bool, Any]
        try:
            answer = True, work(*args, **kwargs)
        except Exception as problem:
            answer = False, problem
        connection.send(answer)
