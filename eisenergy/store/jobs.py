"""Jobs as people see them: who asked for what, how far it is, what came of it. The queue itself is procrastinate's.

A job's row and its place in the queue are made in one transaction, the caller's own, so that neither is there without the other or
without what it is about. The queue holds the ids of client and job and nothing else (see migration 0006).

What a worker does with a job is in :mod:`eisenergy.store.attempts`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.store import audit, tables
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database

QUEUE: Final = "eisenergy_jobs"
"""Schema of procrastinate's tables."""
TASK: Final = "job"
"""The task of everything that people see: do the job of this id."""
EVENTS, TELL = "events", "tell"
"""Queue and task of events: send what is due to a subscription; it has no job of ours."""
WAITING, RUNNING, DONE, REFUSED, FAILED = "waiting", "running", "done", "refused", "failed"
OPEN: Final = (WAITING, RUNNING)


class NoJob(LookupError):
    """No such job at this client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job.

    :param subject: what it is about, for people: a file's name, a month
    :param state: ``waiting``, ``running``, ``done``, ``refused`` (trying again as it is changes nothing) or ``failed`` (dead)
    :param arguments: what it was asked for with, JSON types
    :param user: whose right it works with; ``None``: the command line, a cron line or a watched folder asked
    :param deaths: how many workers died over it
    :param counted_at: when the pieces began to be counted; UTC, like all times here
    :param done: pieces done, of ``total`` where that is known
    :param doing: the piece that was done last
    :param result: what came of it, JSON types
    :param problem: why it came to nothing: ``code`` and ``text``
    :param token: the interface's token it was asked for with, where it was
    """

    client: str
    id: uuid.UUID
    kind: str
    subject: str
    state: str
    arguments: Mapping[str, Any]
    user: uuid.UUID | None
    role: Role
    asked_by: str
    address: str
    asked_at: datetime
    attempt: int
    deaths: int
    started_at: datetime | None
    counted_at: datetime | None
    seen_at: datetime | None
    ended_at: datetime | None
    done: int
    total: int | None
    doing: str
    result: Any
    problem: Mapping[str, Any] | None
    token: uuid.UUID | None = None

    @property
    def open(self) -> bool:
        """Whether it is still to be done."""
        return self.state in OPEN

    @property
    def scope(self) -> Scope:
        """The scope it works in: that of who asked."""
        return Scope(client=self.client, role=self.role)

    @property
    def actor(self) -> Actor:
        """Who asked, for the audit log."""
        return Actor(name=self.asked_by, address=self.address)

    @property
    def rate(self) -> float | None:
        """Pieces a second since they are counted."""
        if self.counted_at is None or self.seen_at is None or not self.done:
            return None
        seconds = (self.seen_at - self.counted_at).total_seconds()
        return self.done / seconds if seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds that it will take at this rate."""
        rate = self.rate
        return None if rate is None or self.total is None else max(self.total - self.done, 0) / rate


def defer(
    connection: Connection,
    scope: Scope,
    kind: str,
    subject: str,
    arguments: Mapping[str, Any],
    *,
    by: Actor,
    user: uuid.UUID | None,
    at: datetime,
    id: uuid.UUID | None = None,
    alone: bool = True,
    priority: int = 0,
) -> uuid.UUID:
    """Ask for something to be done in the background, and return the job's id; a worker begins when the transaction has ended.

    The job works in ``scope``, and what ``user`` may do is looked at again when it begins. Its line in the audit log is written here.
    A page that asks for one does it with whatever else it writes, and shows ``/c/CLIENT/trabajos/ID``::

        with visit.context.database.session(scope) as connection:
            job = jobs.defer(connection, scope, "bill", "2021-09", {"month": "2021-09"}, by=visit.actor, user=visit.session.user, at=visit.at)

    :param connection: a transaction of ``database.session(scope)``
    :param scope: of who asks: an operator's, of the whole client
    :param kind: one of those the worker knows, see ``eisenergy.work.kinds`` and ``eisenergy.cli.working``: ``parse``, ``ingest``, ``bill``,
        ``issue``, ``publish``, ``month`` (these three, one after the other), ``check``; small letters and hyphens
    :param subject: what it is about, for people: a file's name, a month
    :param arguments: JSON types, as the kind's function takes them
    :param by: for the audit log
    :param user: the account whose right it works with; ``None`` for what no account asks for
    :param id: the caller's own; a second call with the same id changes nothing
    :param alone: whether it takes its turn with the client's other jobs: they are done in the order in which they were asked for, and wait
        for one that is to be tried again. Only what merely reads needs not
    :param priority: what is higher comes first; among what a client has waiting each later job is a step lower
    :raises OutOfScope: for a scope that only reads, or of some customers only
    """
    scope.check_writes()
    if scope.customers is not None:
        raise OutOfScope("jobs concern the whole client, and the scope is limited to customers")
    if not re.fullmatch(r"[a-z][a-z-]{1,39}", kind):
        raise ValueError(f"{kind!r} is no kind of job: expected small letters and hyphens")
    job = id or uuid.uuid4()
    values = {
        "client": scope.client,
        "id": job,
        "kind": kind,
        "subject": subject[: audit.LONGEST].replace("\x00", ""),
        "state": WAITING,
        "arguments": dict(arguments),
        "alone": alone,
        "user_id": user,
        "role": scope.role.value,
        "asked_by": by.name[: audit.LONGEST],
        "address": by.address[: audit.LONGEST],
        "asked_at": at,
        "attempt": 0,
        "deaths": 0,
        "done": 0,
        "doing": "",
    }
    put = upsert(tables.jobs).values(values).on_conflict_do_nothing(index_elements=["client", "id"])
    made = connection.execute(put.returning(tables.jobs.c.id)).first() is not None
    if made:
        audit.write(connection, scope.client, by, at, "JOB", f"{kind} {subject}".strip(), new=_told(job, arguments))
        _enqueue(connection, scope.client, job, alone, priority)
    return job


def _told(job: uuid.UUID, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"job": str(job), **arguments}


def _enqueue(connection: Connection, client: str, job: uuid.UUID, alone: bool, priority: int) -> None:
    """Put a job into the queue as procrastinate does it, in a transaction of ours.

    Clients share the workers: each job that a client has in the queue puts its next one behind those of clients with fewer. Those that
    take their turn keep their order.
    """
    connection.execute(
        _ENQUEUE,
        {
            "task": TASK,
            "priority": priority,
            "lock": client if alone else None,
            "client": client,
            "args": json.dumps({"client": client, "job": str(job)}),
        },
    )


# Counted up to 200: a folder of ten thousand files asks for as many jobs, and each would count those before it.
_ENQUEUE: Final = text(f"""
    WITH place AS (
        SELECT CASE WHEN CAST(:lock AS text) IS NULL THEN CAST(:priority AS integer) - (
            SELECT count(*) FROM (
                SELECT FROM {QUEUE}.procrastinate_jobs
                WHERE status IN ('todo', 'doing') AND lock IS NULL AND queue_name = 'default' AND args ->> 'client' = :client LIMIT 200
            ) AS open
        ) ELSE least(CAST(:priority AS integer), (
            SELECT min(priority) - 1 FROM {QUEUE}.procrastinate_jobs WHERE status IN ('todo', 'doing') AND lock = :lock
        )) END AS priority
    )
    SELECT {QUEUE}.procrastinate_defer_jobs_v1(ARRAY[
        ROW('default', :task, place.priority, CAST(:lock AS text), NULL, CAST(:args AS jsonb), NULL)::{QUEUE}.procrastinate_job_to_defer_v1])
    FROM place
""")


def again(database: Database, scope: Scope, job: uuid.UUID, *, by: Actor, user: uuid.UUID | None, at: datetime) -> bool:
    """Try a job that was refused or is dead once more, now by the right of who says so.

    :returns: whether there was anything to do: ``False`` when it is done, waiting or running already
    :raises NoJob: when the scope has none of this id
    """
    table = tables.jobs
    with database.session(scope) as connection:
        row = _row(connection, scope, job, lock=True)
        found = to_job(row)
        if found.state not in (REFUSED, FAILED):
            return False
        values = {
            "state": WAITING,
            "deaths": 0,
            "problem": None,
            "ended_at": None,
            "done": 0,
            "total": None,
            "counted_at": None,
            "doing": "",
            "user_id": user,
            "role": scope.role.value,
            "asked_by": by.name[: audit.LONGEST],
            "address": by.address[: audit.LONGEST],
            "token": None,
        }
        connection.execute(of_id(update(table), scope.client, job).values(values))
        audit.write(
            connection,
            scope.client,
            by,
            at,
            "JOB_AGAIN",
            f"{found.kind} {found.subject}".strip(),
            new={"job": str(job)},
        )
        _enqueue(connection, scope.client, job, row.alone, 0)
    return True


def find(database: Database, scope: Scope, job: uuid.UUID) -> Job:
    """Return a job. :raises NoJob: when the scope has none of this id"""
    with database.session(scope) as connection:
        return to_job(_row(connection, scope, job))


def listed(
    database: Database, scope: Scope, *, limit: int = 50, after: int = 0, state: str | None = None
) -> tuple[Job, ...]:
    """Return jobs of the scope's client, the newest first; nothing for a scope limited to customers.

    :param after: how many to pass over
    :param state: only those
    """
    table = tables.jobs
    query = select(table).where(table.c.client == scope.client)
    if state is not None:
        query = query.where(table.c.state == state)
    query = query.order_by(table.c.asked_at.desc(), table.c.id).limit(limit).offset(after)
    with database.session(scope) as connection:
        return tuple(to_job(row) for row in connection.execute(query))


def counts(database: Database, scope: Scope) -> dict[str, int]:
    """Return state -> how many jobs of the scope's client are in it."""
    table = tables.jobs
    query = select(table.c.state, func.count()).where(table.c.client == scope.client).group_by(table.c.state)
    with database.session(scope) as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def of_id(statement: Any, client: str, job: uuid.UUID) -> Any:
    """Narrow a statement about jobs to one of them."""
    return statement.where(tables.jobs.c.client == client, tables.jobs.c.id == job)


def _row(connection: Connection, scope: Scope, job: uuid.UUID, *, lock: bool = False) -> Row[Any]:
    query = of_id(select(tables.jobs), scope.client, job)
    row: Row[Any] | None = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NoJob(f"client {scope.client} has no job {job}")
    return row


def to_job(row: Row[Any]) -> Job:
    """Return a row of the table as what it tells of."""

    def utc(at: datetime | None) -> datetime | None:
        return None if at is None else at.astimezone(UTC)

    return Job(
        client=row.client,
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        state=row.state,
        arguments=row.arguments,
        user=row.user_id,
        role=Role(row.role),
        asked_by=row.asked_by,
        address=row.address,
        asked_at=row.asked_at.astimezone(UTC),
        attempt=row.attempt,
        deaths=row.deaths,
        started_at=utc(row.started_at),
        counted_at=utc(row.counted_at),
        seen_at=utc(row.seen_at),
        ended_at=utc(row.ended_at),
        done=row.done,
        total=row.total,
        doing=row.doing,
        result=row.result,
        problem=row.problem,
        token=row.token,
    )
