"""How often a token may ask: a bucket each that fills evenly. It is this process's own; with several, each allows as much."""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Callable
from typing import Final

KEPT: Final = 10_000
"""Buckets; the longest unused go first, and an unused one is full anyway."""


class Buckets:
    """One bucket a token.

    :param rate: requests a minute; as many may come at once
    :param clock: seconds
    """

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.clock = clock
        self._held: dict[uuid.UUID, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, token: uuid.UUID) -> int:
        """Take one request from a token's bucket.

        :returns: 0, or the seconds after which there is one again
        """
        now = self.clock()
        with self._lock:
            left, since = self._held.pop(token, (float(self.rate), now))
            left = min(left + (now - since) * self.rate / 60, float(self.rate))
            taken = left >= 1
            self._held[token] = (left - taken, now)
            if len(self._held) > KEPT:
                del self._held[next(iter(self._held))]
        return 0 if taken else max(math.ceil(round((1 - left) * 60 / self.rate, 3)), 1)
