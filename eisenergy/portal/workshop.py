"""Files that take a second or more to make: one after the other beside the requests, which never wait for them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Final

MOST: Final = 200
"""Files that may wait; whoever asks for another is asked to come back."""


class Workshop:
    """Makes files in a thread of its own. One at a time: two would not be faster, and pages would feel it."""

    def __init__(self) -> None:
        self._asked: OrderedDict[Path, Future[None]] = OrderedDict()
        self._queue: SimpleQueue[tuple[Path, Callable[[Path], object]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def has(self, path: Path, make: Callable[[Path], object]) -> bool:
        """Say whether a file is there; where it is not, have it made.

        :param path: where it belongs; its name tells everything that it depends on
        :param make: writes it, whole or not at all
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
            if len(self._asked) < MOST:
                self._asked[path] = Future()
                self._queue.put((path, make))
                if self._thread is None:
                    # a daemon: a portal that ends does not wait for what can be made again
                    self._thread = threading.Thread(target=self._work, name="workshop", daemon=True)
                    self._thread.start()
        return False

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
