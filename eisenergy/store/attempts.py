"""Jobs as workers take them on, tell of them and end them; and what dead workers leave behind.

Several workers may come to work on one job: one was thought dead and is not. Each takes it with a higher ``attempt``, and what an earlier
attempt still has to say is not heard.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select, text, update

from eisenergy.accounts import Role, Scope
from eisenergy.store import api_tokens, audit, tables
from eisenergy.store.database import Database
from eisenergy.store.grants import read_grants
from eisenergy.store.jobs import FAILED, OPEN, QUEUE, RUNNING, WAITING, Job, of_id, to_job

DEATHS: Final = 3
"""So often a worker may die over a job before it is left alone."""
_TOLD: Final = 4000
"""Characters of a result that the audit log holds, too."""
_OPERATORS: Final = (Role.SYSTEM_ADMIN, Role.CLIENT_ADMIN)


class Superseded(RuntimeError):
    """Another worker has taken the job over: this one stops."""


def begin(database: Database, client: str, job: uuid.UUID, at: datetime) -> Job | None:
    """Take a job on; ``None`` when there is nothing left to do.

    Over whatever a worker has died :data:`DEATHS` times is dead itself: it ends as failed.
    """
    scope, table = Scope.operator(client), tables.jobs
    with database.session(scope) as connection:
        row = connection.execute(
            of_id(select(table), client, job).where(table.c.state.in_(OPEN)).with_for_update()
        ).first()
        if row is None:
            return None
        died = row.state == RUNNING
        values: dict[str, Any] = {
            "state": RUNNING,
            "attempt": row.attempt + 1,
            "deaths": row.deaths + died,
            "started_at": at,
            "seen_at": at,
            "counted_at": None,
            "done": 0,
            "total": None,
            "doing": "",
            "problem": None,
        }
        if row.deaths + died >= DEATHS:
            problem = {"code": "died", "text": f"A worker died {row.deaths + died} times while it was at this job."}
            values |= {"state": FAILED, "ended_at": at, "problem": problem}
        taken = to_job(connection.execute(of_id(update(table), client, job).values(values).returning(*table.c)).one())
        if taken.state == FAILED:
            _write_end(connection, taken, at)
            return None
    return taken


def still_allowed(database: Database, job: Job) -> bool:
    """Whether who asked for a job may still do so: the account is open, and has a right at the client that is no less.

    What a token asked for ends with the token, when somebody ends it before its time.
    """
    if job.user is None:
        return True
    people = tables.users
    with database.signing_in() as connection:
        if job.token is not None and api_tokens.revoked(connection, job.token):
            return False
        open_ = connection.execute(
            select(people.c.id).where(people.c.id == job.user, people.c.disabled_at.is_(None))
        ).first()
        grants = read_grants(connection, [job.user]).get(job.user, []) if open_ else []
    enough = _OPERATORS[: _OPERATORS.index(job.role) + 1]
    scopes = [scope for grant in grants if (scope := grant.scope(job.client)) is not None]
    return any(scope.role in enough and scope.customers is None for scope in scopes)


def tell(
    database: Database, job: Job, at: datetime, *, done: int, total: int | None, doing: str, counted_at: datetime
) -> None:
    """Say how far a job is. :raises Superseded: when another worker has it"""
    values = {
        "done": done,
        "total": total,
        "doing": doing[:200].replace("\x00", ""),
        "counted_at": counted_at,
        "seen_at": at,
    }
    with database.session(job.scope) as connection:
        _own(connection, job, values)


def keep(connection: Connection, job: Job, result: Mapping[str, Any]) -> None:
    """Keep what came of a job in the transaction of its effect: should the worker die now, the next one finds it, and does nothing twice.

    :raises Superseded: when another worker has it
    """
    _own(connection, job, {"result": dict(result)})


def put_back(database: Database, job: Job, at: datetime, problem: Mapping[str, Any] | None) -> None:
    """Leave a job for later: its worker ends, or what it needs is not there now. :raises Superseded: when another worker has it"""
    with database.session(job.scope) as connection:
        _own(connection, job, {"state": WAITING, "seen_at": at, "problem": None if problem is None else dict(problem)})


def end(
    database: Database,
    job: Job,
    at: datetime,
    state: str,
    *,
    result: Any = None,
    problem: Mapping[str, Any] | None = None,
) -> None:
    """Say what came of a job, here and in the audit log.

    :param state: ``done``, ``refused`` or ``failed``
    :raises Superseded: when another worker has it
    """
    values = {
        "state": state,
        "ended_at": at,
        "seen_at": at,
        "result": result,
        "problem": None if problem is None else dict(problem),
    }
    with database.session(job.scope) as connection:
        ended = to_job(_own(connection, job, values))
        _write_end(connection, ended, at)


def _write_end(connection: Connection, job: Job, at: datetime) -> None:
    new: dict[str, Any] = {"job": str(job.id), "state": job.state}
    if job.problem is not None:
        new["problem"] = job.problem.get("code", "")
    if job.result is not None and len(json.dumps(job.result)) <= _TOLD:
        new["result"] = job.result
    audit.write(connection, job.client, job.actor, at, "JOB_END", f"{job.kind} {job.subject}".strip(), new=new)


def rescue(database: Database, silent: float) -> int:
    """Put back into the queue what dead workers were at, and forget these workers.

    :param silent: seconds without a sign of life after which a worker is dead
    :returns: how many jobs there were
    """
    dead = f"SELECT id FROM {QUEUE}.procrastinate_workers WHERE last_heartbeat < now() - make_interval(secs => :silent)"
    with database.engine.begin() as connection:
        # One statement: of two workers that look at once, one finds the job already put back.
        count = connection.execute(
            text(
                f"UPDATE {QUEUE}.procrastinate_jobs SET status = 'todo', attempts = attempts + 1, scheduled_at = NULL "
                f"WHERE status = 'doing' AND (worker_id IS NULL OR worker_id IN ({dead}))"
            ),
            {"silent": silent},
        ).rowcount
        connection.execute(text(f"DELETE FROM {QUEUE}.procrastinate_workers WHERE id IN ({dead})"), {"silent": silent})
    return int(count)


def _own(connection: Connection, job: Job, values: dict[str, Any]) -> Row[Any]:
    table = tables.jobs
    row: Row[Any] | None = connection.execute(
        of_id(update(table), job.client, job.id)
        .where(table.c.attempt == job.attempt, table.c.state == RUNNING)
        .values(values)
        .returning(*table.c)
    ).first()
    if row is None:
        raise Superseded(f"job {job.id} was taken over by another worker")
    return row
