"""One job from beginning to end: taken, allowed, done; and what becomes of it when something is in the way.

A refusal is final: the same job would be refused again, so it is not tried again. What may heal by itself, a database that is gone or a
disk that is full, is tried again after a while, longer each time. Everything else is a mistake in the program: the job is dead, and its
number stands in the log.
"""

from __future__ import annotations

import logging
import secrets
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import sqlalchemy.exc

from eisenergy.accounts import OutOfScope
from eisenergy.desk.workspace import Workspace
from eisenergy.run.intake import WorkerDied
from eisenergy.run.scheduler import ClusterUnusable
from eisenergy.store import attempts
from eisenergy.store.attempts import Superseded
from eisenergy.store.database import DatabaseUnusable
from eisenergy.store.jobs import DONE, FAILED, REFUSED, Job
from eisenergy.store.lake import LakeBusy
from eisenergy.store.server import ServerFailed
from eisenergy.work.kinds import Kind, Work
from eisenergy.work.progress import Progress, Stopped

HEALING: Final = (
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    psycopg.OperationalError,
    ClusterUnusable,
    DatabaseUnusable,
    LakeBusy,
    OSError,
    ServerFailed,
    WorkerDied,
)
"""What may be over by itself."""
WAITS: Final = (5, 15, 60, 300)
"""Seconds before a job is tried again, the first time, the second ...; after the last it is dead."""
_log: Final = logging.getLogger(__name__)


class Again(RuntimeError):
    """The job is to be tried again.

    :param seconds: from now
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Does jobs in one workspace.

    :param kinds: name -> what does it
    :param explains: says whether an error's message says what was found, where, what was expected and what to do
    :param stopping: set when the worker ends
    """

    workspace: Workspace
    kinds: Mapping[str, Kind]
    explains: Callable[[Exception], bool]
    stopping: threading.Event
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def run(self, client: str, id: uuid.UUID, tries: int) -> str:
        """Do a job.

        :param tries: how often it was tried before
        :returns: its state afterwards, empty where there was nothing to do
        :raises Again: when it is to be tried again
        """
        database = self.workspace.database
        job = attempts.begin(database, client, id, self.now())
        if job is None:
            return ""
        try:
            return self._ended(job, tries)
        except Stopped:
            self._put_back(job, None)
            raise Again(0) from None
        except Superseded:
            return ""

    def _ended(self, job: Job, tries: int) -> str:
        kind = self.kinds.get(job.kind)
        if kind is None:
            return self._end(job, FAILED, problem=_problem("unknown", f"No worker here knows jobs of kind {job.kind}."))
        try:
            if not attempts.still_allowed(self.workspace.database, job):
                return self._end(job, REFUSED, problem=_problem("rights", f"{job.asked_by} may no longer do this."))
            progress = Progress(self.workspace.database, job, now=self.now, stopping=self.stopping)
            result = kind(Work(workspace=self.workspace, job=job, progress=progress, at=self.now()))
            return self._end(job, DONE, result=dict(result))
        except (Stopped, Superseded):
            raise
        except OutOfScope as problem:
            return self._end(job, REFUSED, problem=_problem("rights", str(problem)))
        except HEALING as problem:
            return self._later(job, tries, problem)
        except Exception as problem:
            if self.explains(problem):
                return self._end(job, REFUSED, problem=_problem("refused", str(problem)))
            number = secrets.token_hex(4)
            _log.error("error %s in job %s %s", number, job.kind, job.id, exc_info=problem)
            return self._end(job, FAILED, problem=_problem("internal", number))

    def _later(self, job: Job, tries: int, why: BaseException) -> str:
        _log.warning("job %s %s: %s: %s", job.kind, job.id, type(why).__name__, why)
        said = str(getattr(why, "orig", why)).strip().splitlines()
        problem = _problem("later", said[0] if said else type(why).__name__)
        if tries >= len(WAITS):
            return self._end(job, FAILED, problem={**problem, "code": "gave-up"})
        self._put_back(job, problem)
        raise Again(WAITS[tries]) from why

    def _put_back(self, job: Job, problem: Mapping[str, Any] | None) -> None:
        try:
            attempts.put_back(self.workspace.database, job, self.now(), problem)
        except HEALING:
            _log.warning("job %s %s is tried again, and the database cannot be told", job.kind, job.id)

    def _end(self, job: Job, state: str, **told: Any) -> str:
        attempts.end(self.workspace.database, job, self.now(), state, **told)
        return state


def _problem(code: str, text: str) -> dict[str, str]:
    return {"code": code, "text": text[:2000].replace("\x00", "")}
