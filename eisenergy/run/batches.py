"""Fan-out over forked children: a batch of one tenant's customers each, from a parent that has imported everything.

The counterpart of :mod:`eisenergy.run.pool` for machines that fork. The parent is :mod:`eisenergy.run.nursery`, a process
of its own, since this one has long read from the lake.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, TypeVar

from eisenergy.run.orders import ONE_THREAD, Death, MayNotFork, Order

Task = TypeVar("Task")

END_SECONDS: Final = 10
NURSERY: Final = "eisenergy.run.nursery"
START: Final = "eisenergy.run.start"


class Raised(RuntimeError):
    """What a task raised in its child; its text is the exception's name and message."""


class Died(RuntimeError):
    """A task's child was killed or died.

    :param death: how, and at which cell
    """

    def __init__(self, death: Death) -> None:
        at = "" if death.cell is None else f", cell {death.cell}"
        where = "" if death.notebook is None else f"{death.notebook}{at}: "
        said = f". It said: {' / '.join(death.said.splitlines()[-3:])}" if death.said else ""
        super().__init__(f"{where}{death.why}{said}")
        self.death = death


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much at a time.

    :param workers: children at a time
    :param size: tasks per child; 1: a process per customer
    :param seconds: for one notebook
    :param memory: bytes a child may take beyond what it starts with
    """

    workers: int
    size: int
    seconds: float
    memory: int


def cut(
    tasks: Sequence[Task], group: Callable[[Task], Hashable], limits: Limits, *, first: int = 0
) -> tuple[tuple[tuple[int, Task], ...], ...]:
    """Cut tasks into batches of one tenant each, in their order.

    Few tasks make small batches: every worker has something to do.

    :param group: what tasks of one batch must share: the tenant
    :param first: number of the first task
    :returns: per batch, tasks with their numbers
    """
    numbered = sorted(enumerate(tasks, first), key=lambda pair: (repr(group(pair[1])), pair[0]))
    size = max(1, min(limits.size, -(-len(tasks) // limits.workers)))
    result = []
    for _, members in itertools.groupby(numbered, key=lambda pair: group(pair[1])):
        mine = tuple(members)
        result += [mine[at : at + size] for at in range(0, len(mine), size)]
    return tuple(result)


def each(
    work: str,
    tasks: Sequence[Task],
    *,
    limits: Limits,
    notebooks: Sequence[Path],
    environment: Mapping[str, str],
    group: Callable[[Task], Hashable],
    then: Sequence[Task] = (),
    begin: str = "",
    warm: str = "",
) -> Iterator[tuple[Task, Any]]:
    """Run every task in a child and yield ``(task, result)`` as each ends; :class:`Raised` or :class:`Died` take a result's place.

    :param work: ``module:function``, called with a task and with what executes a notebook
        (:data:`eisenergy.run.nursery.Execute`)
    :param notebooks: those the work executes
    :param environment: the settings, which every child starts with
    :param group: see :func:`cut`
    :param then: tasks that need what the others make: they are begun when all of ``tasks`` have ended
    :param begin: ``module:function``, called in every new child with the tasks it is about to do
    :param warm: ``module:function``, called in the parent with the notebooks; see :class:`Order`
    :raises MayNotFork: before anything is run, when the parent has threads that its children would lack
    """
    everything = [*tasks, *then]
    if not everything:
        return
    order = Order(
        work=work,
        notebooks=tuple(notebooks),
        batches=cut(tasks, group, limits),
        then=cut(then, group, limits, first=len(tasks)),
        workers=limits.workers,
        seconds=limits.seconds,
        memory=limits.memory,
        begin=begin,
        warm=warm,
    )
    parent = Parent(environment)
    try:
        for kind, number, content in parent.do(order):
            yield everything[number], outcome(kind, content)
    finally:
        parent.end()


def outcome(kind: str, content: Any) -> Any:
    """Return what stands for a task that ended: its result, :class:`Raised` or :class:`Died`."""
    return Raised(content) if kind == "raised" else Died(content) if kind == "died" else content


class Parent:
    """A process that takes orders, one after the other, and ends when this one does.

    :param environment: the settings it and its children start with
    :param module: which process: the one that forks, or another that takes orders as it does
    """

    def __init__(self, environment: Mapping[str, str], module: str = NURSERY) -> None:
        ours, theirs = socket.socketpair()
        self._connection = Connection(ours.detach())
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", START, module, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **ONE_THREAD, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us; when we end, it ends
            )

    def do(self, order: Order) -> Iterator[tuple[str, int, Any]]:
        """Have an order done and yield ``(kind, number, content)`` of every task as it ends, also when the process dies.

        :raises MayNotFork: before anything is run
        """
        waiting = {number for batch in (*order.batches, *order.then) for number, _ in batch}
        with suppress(EOFError, ConnectionError):
            self._connection.send(order)
            while True:
                kind, number, content = self._connection.recv()
                if kind == "unfit":
                    raise MayNotFork(content)
                if kind == "end":
                    break
                waiting.discard(number)
                yield kind, number, content
        for number in sorted(waiting):
            why = "the process that starts the children died; run the same command again to do what is left"
            yield "died", number, Death(why=why)

    def lives(self) -> bool:
        """Whether it can take another order."""
        return self._process.poll() is None

    def end(self) -> None:
        """Have it end, and what it started."""
        self._connection.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
