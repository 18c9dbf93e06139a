"""The log of runs: which command worked when, for which month, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select

from eisenergy.accounts import Scope
from eisenergy.store import tables
from eisenergy.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run of a command.

    :param started_at: UTC
    :param ended_at: UTC
    :param status: ``done`` or ``failed``
    :param report: what it did (JSON types only)
    """

    command: str
    month: str | None
    started_at: datetime
    ended_at: datetime
    status: str
    report: dict[str, Any]


def record(database: Database, scope: Scope, run: RunRecord) -> None:
    """Write down a run. :raises OutOfScope: for a role that only reads."""
    scope.check_writes()
    values = {
        "client": scope.client,
        "command": run.command,
        "month": run.month,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "status": run.status,
        "report": run.report,
    }
    with database.session(scope) as connection:
        connection.execute(insert(tables.runs).values(values))


def runs(database: Database, scope: Scope, *, limit: int = 50) -> tuple[RunRecord, ...]:
    """Return the newest runs, newest first; nothing for a scope limited to customers."""
    table = tables.runs
    query = select(table).where(table.c.client == scope.client).order_by(table.c.id.desc()).limit(limit)
    with database.session(scope) as connection:
        rows = connection.execute(query).all()
    return tuple(
        RunRecord(
            command=row.command,
            month=row.month,
            started_at=row.started_at.astimezone(UTC),
            ended_at=row.ended_at.astimezone(UTC),
            status=row.status,
            report=row.report,
        )
        for row in rows
    )
