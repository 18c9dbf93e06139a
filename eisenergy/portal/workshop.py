"""Files that take a second or more to make: one after the other in a process beside the portal's. Requests never wait for them."""

from __future__ import annotations

import os
import signal
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from queue import SimpleQueue
from typing import Final

MOST: Final = 200
"""Files that may wait; whoever asks for another is asked to come back."""
EACH: Final = 5
"""Files that one customer may have waiting: nobody's hundred invoices stand before everybody else's."""


class NotMade(RuntimeError):
    """A file that cannot be made. Says why."""


class Workshop:
    """Makes files one at a time, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._asked: OrderedDict[Path, Future[None]] = OrderedDict()
        self._whose: dict[Path, Hashable] = {}
        self._queue: SimpleQueue[tuple[Path, Callable[[Path], object]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process: ProcessPoolExecutor | None = None

    def has(self, path: Path, make: Callable[[Path], object], whose: Hashable = None) -> bool:
        """Say whether a file is there; where it is not, have it made.

        :param path: where it belongs; its name tells everything that it depends on
        :param make: writes it, whole or not at all
        :param whose: client and customer that it is for
        :raises Exception: what ``make`` raised, once; whoever asks again has it tried again
        """
        with self._lock:
            future = self._asked.get(path)
            if future is not None and future.done():
                del self._asked[path]
                future.result()
            if path.is_file():
                return True
            if path in self._asked:
                return False
            for old in [one for one, its in self._asked.items() if its.done()][: max(len(self._asked) - MOST + 1, 0)]:
                del self._asked[old]  # a fault that nobody came back for
            self._whose = {one: its for one, its in self._whose.items() if one in self._asked}
            mine = sum(its == whose and not self._asked[one].done() for one, its in self._whose.items())
            if len(self._asked) < MOST and mine < EACH:
                self._asked[path] = Future()
                self._whose[path] = whose
                self._queue.put((path, make))
                if self._thread is None:
                    # a daemon: a portal that ends does not wait for what can be made again
                    self._thread = threading.Thread(target=self._work, name="workshop", daemon=True)
                    self._thread.start()
        return False

    def apart(self, work: Callable[..., str | None], *arguments: object) -> None:
        """Have a function called in a process that is kept for it: in a thread of this one, pages took ten times as long meanwhile.

        To be called by what :meth:`has` was given.

        :param work: of a module; it returns why there can be no file, or ``None``
        :raises NotMade: with its words
        """
        if self._process is None:
            self._process = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin)
        try:
            why = self._process.submit(work, *arguments).result()
        except BrokenProcessPool:
            self._process = None  # somebody ended it; the next file gets another
            raise
        if why is not None:
            raise NotMade(why)

    def _work(self) -> None:
        while True:
            path, make = self._queue.get()
            future = self._asked[path]
            try:
                make(path)
            except BaseException as problem:  # it is told to whoever asked
                future.set_exception(problem)
            else:
                future.set_result(None)
                with self._lock:
                    self._asked.pop(path, None)


def _begin() -> None:
    """In the new process: end when the portal does, however that ends, and leave Ctrl+C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    portal = parent_process()
    assert portal is not None

    def watch() -> None:
        portal.join()
        os._exit(1)

    threading.Thread(target=watch, name="portal", daemon=True).start()
