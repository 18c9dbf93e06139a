"""Jobs about a month: the newest ones, and asking for one unless it, or one that must not run beside it, is under way."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select, text

from eisenergy.accounts import Scope
from eisenergy.period import BillingMonth
from eisenergy.store import jobs, tables
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database
from eisenergy.store.jobs import Job

BILL, ISSUE, PUBLISH, MONTH = "bill", "issue", "publish", "month"
KINDS: Final = (BILL, ISSUE, PUBLISH, MONTH)
BESIDE: Final[Mapping[str, tuple[str, ...]]] = {
    BILL: (BILL, ISSUE, MONTH),
    ISSUE: (BILL, ISSUE, MONTH),
    PUBLISH: (PUBLISH, MONTH),
}
"""Kind -> those that it does not stand in the queue beside, for the same month."""


def ask(
    connection: Connection,
    scope: Scope,
    kind: str,
    month: BillingMonth,
    arguments: Mapping[str, Any],
    *,
    by: Actor,
    user: uuid.UUID | None,
    at: datetime,
) -> tuple[Job, bool]:
    """Ask for a job about a month; of two that ask at once one is given the other's.

    :param connection: a transaction of ``database.session(scope)``
    :param kind: of :data:`BESIDE`
    :param arguments: besides the month
    :returns: the job that there is now, and whether it was made here
    :raises OutOfScope: see :func:`eisenergy.store.jobs.defer`
    """
    scope.check_writes()
    connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"{scope.client} {month}"}
    )
    table = tables.jobs
    query = _of(scope, month).where(table.c.kind.in_(BESIDE[kind]), table.c.state.in_(jobs.OPEN))
    row = connection.execute(query.limit(1)).first()
    if row is not None:
        return jobs.to_job(row), False
    told = {"month": str(month), **arguments}
    id = jobs.defer(connection, scope, kind, str(month), told, by=by, user=user, at=at)
    return jobs.to_job(connection.execute(jobs.of_id(select(table), scope.client, id)).one()), True


def newest(
    database: Database, scope: Scope, month: BillingMonth, kinds: Collection[str] = KINDS, *, limit: int = 1
) -> tuple[Job, ...]:
    """Return the newest jobs about a month, newest first; nothing for a scope limited to customers."""
    query = _of(scope, month).where(tables.jobs.c.kind.in_(list(kinds))).limit(limit)
    with database.session(scope) as connection:
        return tuple(jobs.to_job(row) for row in connection.execute(query))


def listed(database: Database, scope: Scope, kind: str, *, limit: int = 20) -> tuple[Job, ...]:
    """Return the newest jobs of a kind, newest first; nothing for a scope limited to customers."""
    table = tables.jobs
    query = select(table).where(table.c.client == scope.client, table.c.kind == kind)
    with database.session(scope) as connection:
        rows = connection.execute(query.order_by(table.c.asked_at.desc(), table.c.id).limit(limit))
        return tuple(jobs.to_job(row) for row in rows)


def _of(scope: Scope, month: BillingMonth) -> Any:
    table = tables.jobs
    return (
        select(table)
        .where(
            table.c.client == scope.client,
            text("arguments ? 'month'"),
            text("arguments ->> 'month' = :of_month").bindparams(of_month=str(month)),
        )
        .order_by(table.c.asked_at.desc(), table.c.id)
    )
