"""A worker: takes jobs from procrastinate's queue and does them, takes up what dead workers left, and minds clock and watched folders.

Several may run, on any number of machines that share the workspace. A worker that is told to end stops its jobs at their next piece
and puts them back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job as Queued
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from psycopg_pool import PoolTimeout

from eisenergy.store import attempts, jobs
from eisenergy.work import telling
from eisenergy.work.running import HEALING, Again, Runner

_log: Final = logging.getLogger(__name__)
GONE: Final = (*HEALING, ConnectorException, PoolTimeout)
"""What says that the database cannot be reached."""
LATER: Final = 5
"""Seconds before it is tried to reach it again."""


LONGEST: Final = 10
"""Seconds to wait for a connection."""
TOLD_AT_ONCE: Final = 4
"""Subscriptions that are told of events side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a worker does what.

    :param heartbeat: seconds between two signs of life; after three times that long without one a worker is dead
    :param poll: seconds between two looks at the queue; new jobs are announced, those that wait for a time or for their turn are not
    :param mind: seconds between two looks at clock, folders and dead workers
    :param grace: seconds a job has to come to its next piece when the worker ends
    """

    heartbeat: float = 10.0
    poll: float = 0.5
    mind: float = 5.0
    grace: float = 20.0

    @property
    def silent(self) -> float:
        """Seconds after which a worker is dead."""
        return 3 * self.heartbeat


class _Retry(BaseRetryStrategy):
    def get_retry_decision(self, *, exception: BaseException, job: Queued) -> RetryDecision | None:  # noqa: ARG002
        return RetryDecision(retry_in={"seconds": exception.seconds}) if isinstance(exception, Again) else None


def run(
    runner: Runner, *, at_once: int = 2, pace: Pace | None = None, minding: Callable[[datetime], object] | None = None
) -> None:
    """Work until ``runner.stopping`` is set. A database that goes away is waited for.

    :param at_once: jobs done side by side; those of one client that change something come one after the other
    :param minding: called now and then with the time, UTC: what is due, what has arrived
    """
    chosen = pace or Pace()
    watch = threading.Thread(target=_mind, args=(runner, chosen, minding), name="minding", daemon=True)
    watch.start()
    while not runner.stopping.is_set():
        try:
            asyncio.run(_work(runner, at_once, chosen))
        except GONE as problem:
            _log.warning("the database cannot be reached, tried again in %s s: %s", LATER, problem)
        if not runner.stopping.is_set():
            runner.stopping.wait(LATER)
    watch.join(timeout=chosen.grace)


def application(runner: Runner) -> procrastinate.App:
    """Return procrastinate's application, with its two tasks: a job, and events for a subscription."""
    engine = runner.workspace.database.engine
    _, given = engine.dialect.create_connect_args(engine.url)
    # procrastinate names its tables without a schema
    given["options"] = f"{given.get('options', '')} -c search_path={jobs.QUEUE}".strip()
    connector = procrastinate.PsycopgConnector(kwargs=given, min_size=1, max_size=10, timeout=LONGEST)
    app = procrastinate.App(connector=connector)

    @app.task(name=jobs.TASK, retry=_Retry(), pass_context=True)
    def job(context: procrastinate.JobContext, /, **given: Any) -> str:
        tries = context.job.attempts
        try:
            return runner.run(str(given["client"]), uuid.UUID(str(given["job"])), tries)
        except HEALING as problem:  # not even what came of it could be written down
            _log.warning("job %s: %s", given, problem)
            raise Again(LATER) from problem

    @app.task(name=jobs.TELL)
    def tell(**given: Any) -> str:
        workspace, subscription = runner.workspace, uuid.UUID(str(given["subscription"]))
        try:
            told = telling.tell(
                workspace.database, workspace.settings, str(given["client"]), subscription, stopping=runner.stopping
            )
        except HEALING as problem:  # whoever minds the events asks again
            _log.warning("events of %s: %s", given["client"], problem)
            return ""
        return str(told)

    return app


async def _work(runner: Runner, at_once: int, pace: Pace) -> None:
    app = application(runner)
    async with app.open_async():
        workers = {
            asyncio.create_task(
                app.run_worker_async(
                    queues=[queue],
                    concurrency=concurrency,
                    fetch_job_polling_interval=pace.poll,
                    update_heartbeat_interval=pace.heartbeat,
                    stalled_worker_timeout=pace.silent,
                    shutdown_graceful_timeout=pace.grace,
                    install_signal_handlers=False,
                    delete_jobs="always",  # what came of them stands in eisenergy.jobs
                )
            )
            # A receiver of events that answers slowly must not hold up a month's bills.
            for queue, concurrency in (("default", at_once), (jobs.EVENTS, TOLD_AT_ONCE))
        }
        ending = asyncio.create_task(_stopped(runner.stopping))
        await asyncio.wait({*workers, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        for worker in workers:
            worker.cancel()
        ends = await asyncio.gather(*workers, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end


async def _stopped(stopping: threading.Event) -> None:
    while not stopping.is_set():
        await asyncio.sleep(0.1)


def _mind(runner: Runner, pace: Pace, minding: Callable[[datetime], object] | None) -> None:
    """Look after everything that nobody asks for, until the worker ends."""
    while not runner.stopping.is_set():
        with _waiting_for_the_database():
            if count := attempts.rescue(runner.workspace.database, pace.silent):
                _log.warning("%s jobs of workers that died are taken up again", count)
            if minding is not None:
                minding(datetime.now(UTC))
        runner.stopping.wait(pace.mind)


@contextlib.contextmanager
def _waiting_for_the_database() -> Iterator[None]:
    try:
        yield
    except GONE as problem:
        _log.warning("minding: %s", problem)
    except psycopg.Error:
        _log.exception("minding")
    except Exception:  # a mistake in one folder must not end the others' jobs
        _log.exception("minding")
