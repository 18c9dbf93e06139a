"""How far a job is, told to the database now and then; and the places at which it may be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from eisenergy.store import attempts
from eisenergy.store.database import Database
from eisenergy.store.jobs import Job


class Stopped(RuntimeError):
    """The worker ends: the job is left where it is, for the next one."""


class Progress:
    """Counts the pieces of a job.

    :param now: the clock, UTC
    :param stopping: set when the worker ends
    :param every: seconds between two times that it is told
    """

    def __init__(
        self,
        database: Database,
        job: Job,
        *,
        now: Callable[[], datetime],
        stopping: threading.Event,
        every: float = 1.0,
    ) -> None:
        self._database, self._job, self._now, self._stopping, self._every = database, job, now, stopping, every
        self._told = self._since = now()
        self._done, self._total = 0, 0

    def begin(self, total: int) -> None:
        """Begin to count.

        :param total: how many pieces there are
        :raises Stopped: when the worker ends
        """
        self._done, self._total, self._since = 0, total, self._now()
        self._tell("")

    def step(self, what: str = "") -> None:
        """Note that a piece is done.

        :raises Stopped: when the worker ends
        :raises Superseded: when another worker has the job
        """
        self._done += 1
        last = self._done == self._total
        if self._stopping.is_set() or last or (self._now() - self._told).total_seconds() >= self._every:
            self._tell(what)

    def _tell(self, what: str) -> None:
        if self._stopping.is_set():
            raise Stopped
        self._told = self._now()
        attempts.tell(
            self._database,
            self._job,
            self._told,
            done=self._done,
            total=self._total,
            doing=what,
            counted_at=self._since,
        )
