"""What was read a moment ago, in memory, bounded; each under everything it was read with, the scope first of all.

The readings table is only ever added to, so its version names a state for good, and invoices never change: nothing
here grows stale, it is only put out.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """The results of the last calls. Threads may use one together.

    :param most: results that are kept; the one unused for longest goes first
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the result of a key, made now where it is not kept.

        :param key: everything the result depends on
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        self.keep(key, made)
        return made

    def find(self, key: Hashable) -> T | None:
        """Return what is kept under a key, ``None`` for nothing: of several, those that are not kept can be read together."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def keep(self, key: Hashable, made: T) -> None:
        """Keep a result under a key, see :meth:`get`."""
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)
