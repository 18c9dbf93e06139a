"""The parent that forks: imports everything once, then gives every batch of tasks a child of its own.

``python -m eisenergy.run.start eisenergy.run.nursery DESCRIPTOR`` is started by :mod:`eisenergy.run.batches`, which talks to it through that
descriptor. It is a process of its own because it must stay what a command that has read anything no longer is: one that
may fork. A process that ran a Polars query, a Typst or Vega compilation or a parallel kernel has locks and threads that a
child inherits half; the child hangs. This one imports, rehearses a notebook that only imports and shows, freezes what is
there for the garbage collector, and forks. It never queries.

A child works through its batch, task by task, and says what it is at. When it hangs, the time runs out here and it is
killed; when it dies, the task it was at is lost and the others of its batch get another child.
"""

from __future__ import annotations

import gc
import importlib
import json
import mmap
import os
import resource
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, BinaryIO, Final, NoReturn

from eisenergy.run import engine, isolation, rehearsal, shell, shells
from eisenergy.run.notebook import Job, RunRecord, execute
from eisenergy.run.orders import Death, MayNotFork, Numbered, Order

WORDS: Final = 2000
"""Bytes of a dead child's last words that are kept."""

MOST_SHELLS: Final = 100
"""Shells that are made before forking; half a megabyte each, shared by all children until they are used."""

GARBAGE: Final = 50_000
"""Objects after which a child looks for garbage; Python's own 700 would be every other cell."""

LONGEST: Final = 60.0
"""Seconds to listen before the clock is looked at again."""

Execute = Callable[[Job], RunRecord]


class Note:
    """A page of memory that a child shares with its parent: which cell it is at. A message for each would wake the parent."""

    SIZE: Final = 1 << 16

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self.SIZE)

    def clear(self) -> None:
        """Say that it is at no cell."""
        self._memory[:4] = bytes(4)

    def write(self, cell: int, source: str) -> None:
        """Say which cell is about to run."""
        self.clear()
        text = b"[%d,%b]" % (cell, _json(source[: self.SIZE // 16]))
        self._memory[4 : 4 + len(text)] = text
        self._memory[:4] = len(text).to_bytes(4, "big")  # last: what is half written counts as nothing

    def read(self) -> tuple[int | None, str]:
        """Return the cell and its source, as its child left them."""
        size = int.from_bytes(self._memory[:4], "big")
        if not size:
            return None, ""
        cell, source = json.loads(self._memory[4 : 4 + size])
        return int(cell), str(source)


@dataclass(slots=True)
class _Child:
    pid: int
    messages: Connection
    errors: BinaryIO
    left: deque[Numbered]
    deadline: float
    note: Note
    at: Death = field(default_factory=lambda: Death(why=""))
    at_work: bool = True
    overdue: bool = False


class Nursery:
    """Children at work for one order.

    :param boss: where orders come from and results go to
    """

    def __init__(self, boss: Connection, order: Order) -> None:
        self.boss = boss
        self.order = order
        self.waiting = deque(deque(batch) for batch in order.batches)
        self.then = deque(deque(batch) for batch in order.then)
        self.children: dict[Connection, _Child] = {}
        self.work: Callable[[Any, Execute], Any] = _named(order.work)
        self.begin: Callable[[Sequence[Any]], None] | None = _named(order.begin) if order.begin else None
        rehearsal.rehearse(order.notebooks)
        if order.warm:
            _named(order.warm)(order.notebooks)
        longest = max((len(batch) for batch in (*order.batches, *order.then)), default=0)
        shells.stock(min(MOST_SHELLS, longest * len(order.notebooks)))
        self.baseline = isolation.Baseline.take()
        gc.freeze()  # what little garbage there is stays, too: to look for it takes a tenth of a second

    def run(self) -> None:
        """Do the order; ends early, and its children with it, when nobody listens any more."""
        try:
            while self.waiting or self.children or self.then:
                if not self.waiting and not self.children:
                    self.waiting, self.then = self.then, deque()
                while self.waiting and len(self.children) < self.order.workers:
                    self._fork(self.waiting.popleft())
                soonest = min(child.deadline for child in self.children.values())
                ready = wait([self.boss, *self.children], timeout=min(LONGEST, max(0.0, soonest - time.monotonic())))
                if self.boss in ready:
                    return  # it has nothing more to say: it is gone, or wants no more
                for connection in ready:
                    self._listen(self.children[connection])  # type: ignore[index]
                for child in self.children.values():
                    if time.monotonic() > child.deadline and not child.overdue:
                        child.overdue = True
                        _kill(child.pid)  # its connection ends, and what it was at is told then
                        child.deadline = float("inf")
            self.boss.send(("end", 0, None))
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            for child in self.children.values():
                _kill(child.pid)

    def _listen(self, child: _Child) -> None:
        try:
            while child.messages.poll():
                self._heard(child, *child.messages.recv())
        except (EOFError, OSError):
            self._buried(child)

    def _heard(self, child: _Child, kind: str, number: int, content: Any) -> None:
        if kind in ("notebook", "between"):
            child.deadline = time.monotonic() + self.order.seconds
        if kind == "notebook":
            child.at = Death(why="", notebook=content)
        if kind == "between":
            child.at = Death(why="")
            child.at_work = True
        if kind in ("done", "raised"):
            child.left.popleft()
            child.at_work = False
            self.boss.send((kind, number, content))

    def _buried(self, child: _Child) -> None:
        """A child's connection ended: it is done, or it died, and the task it was at with it."""
        del self.children[child.messages]
        child.messages.close()
        status = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)  # programs it had started
        with child.errors as errors:
            size = errors.seek(0, os.SEEK_END)
            errors.seek(max(0, size - WORDS))
            said = errors.read().decode("utf-8", errors="replace")
        if child.left and child.at_work:  # whatever its status: what it was at would end the next child, too
            number, _ = child.left.popleft()
            at = child.at
            if at.notebook is not None:
                cell, source = child.note.read()
                at = replace(at, cell=cell, source=source)
            why = self._why(status, overdue=child.overdue)
            death = Death(why=why, notebook=at.notebook, cell=at.cell, source=at.source, said=said.strip())
            self.boss.send(("died", number, death))
        if child.left:
            self.waiting.appendleft(child.left)

    def _why(self, status: int, *, overdue: bool) -> str:
        if overdue:
            return f"it took longer than {self.order.seconds:g} s and was ended"
        if status == -signal.SIGKILL:
            return "its process was killed from outside (SIGKILL), as the system does when memory runs out"
        if status < 0:
            limit = f"{self.order.memory >> 20:,} MB of memory was its limit"
            return f"its process died ({signal.Signals(-status).name}); {limit}"
        return f"its process ended itself with status {status}"

    def _fork(self, batch: deque[Numbered]) -> None:
        reader, writer = Pipe(duplex=False)
        errors = tempfile.TemporaryFile("a+b", buffering=0)  # noqa: SIM115  closed when the child is buried
        parent, note = os.getpid(), Note()
        pid = os.fork()
        if pid == 0:
            self._be_child(batch, writer, errors, parent, note)
        writer.close()
        deadline = time.monotonic() + self.order.seconds
        self.children[reader] = _Child(pid, reader, errors, deque(batch), deadline, note)

    def _be_child(
        self, batch: deque[Numbered], messages: Connection, errors: BinaryIO, parent: int, note: Note
    ) -> NoReturn:
        status = 1
        try:
            _settle(self.order.memory, errors, parent)
            self.boss.close()
            for other in self.children:
                other.close()
            gc.enable()
            gc.set_threshold(GARBAGE)
            isolation.reseed()
            self._work_through(batch, messages, note)
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)  # nothing that the parent registered for its end is to run here

    def _work_through(self, batch: deque[Numbered], messages: Connection, note: Note) -> None:
        if self.begin is not None:
            self.begin([task for _, task in batch])
            self.baseline = self.baseline.grown()  # what it loaded is not a notebook's doing
        for number, task in batch:
            messages.send(("between", number, None))
            try:
                result = self.work(task, _executor(messages, note, number, self.baseline))
            except Exception as problem:
                messages.send(("raised", number, f"{type(problem).__name__}: {problem}"))
            else:
                messages.send(("done", number, result))
            if self.baseline.restore():
                return  # what the next customer would find is not what it should: a fresh child goes on


@lru_cache(maxsize=256)
def _json(source: str) -> bytes:
    """A cell's source as JSON; every customer's notebook has the same cells."""
    return json.dumps(source).encode("ascii")


def _named(function: str) -> Any:
    """The function that ``module:function`` names."""
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def _executor(messages: Connection, note: Note, number: int, baseline: isolation.Baseline) -> Execute:
    """What executes a notebook in a child: says what it is at, and puts the process back afterwards."""

    def execute_here(job: Job) -> RunRecord:
        note.clear()
        messages.send(("notebook", number, job.notebook.name))
        record = execute(job, watch=note.write)
        baseline.put_back()
        messages.send(("between", number, None))
        return record

    return execute_here


def _settle(memory: int, errors: BinaryIO, parent: int) -> None:
    """Make a forked process a child: it ends with its parent, has a group of its own, files for 1 and 2, and a limit."""
    rehearsal.end_with(parent)
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    shell.write_to(os.memfd_create("stdout", os.MFD_CLOEXEC), 1)
    shell.write_to(errors.fileno(), 2)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  for the rest of the process's life
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    limit = rehearsal.data_size() + memory
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _kill(pid: int) -> None:
    for end in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def main(arguments: Sequence[str]) -> int:
    """Take orders and do them, one after the other, until nobody gives any."""
    threading.current_thread().name = "nursery"
    boss = Connection(int(arguments[0]))
    try:
        while True:
            order: Order = boss.recv()
            engine.register()
            Nursery(boss, order).run()
    except (EOFError, ConnectionError):
        return 0
    except MayNotFork as problem:
        boss.send(("unfit", 0, str(problem)))
        return 1
