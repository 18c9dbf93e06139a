"""Jobs at a time: cron lines in the settings, in the time of the seller they are for.

Each time a line names is one job with an id made of line, client and time, so several workers that look at the same clock make one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from croniter import croniter

from eisenergy.accounts import Client, Role, Scope
from eisenergy.config import Settings
from eisenergy.period import BillingMonth
from eisenergy.store import jobs, masters
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database
from eisenergy.variables import BadSetting

LATE: Final = timedelta(hours=24)
"""What was missed while no worker ran is made up for so long."""
_SPACE: Final = uuid.UUID("6b1f2f5e-6d0e-4f0e-9a55-2f6f3b7d9c11")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A cron line.

    :param setting: its name in the environment
    :param kind: of the job
    :param cron: five fields: minute, hour, day of the month, month, day of the week
    :param client: whom it is for; ``None``: all
    """

    setting: str
    kind: str
    cron: str
    client: str | None

    def __str__(self) -> str:
        return f"{self.cron} ({self.client or 'every client'}): {self.kind}"

    def due(self, client: Client, at: datetime) -> datetime:
        """Return the newest time the line names that is not after ``at``, UTC."""
        local = at.astimezone(ZoneInfo(client.timezone))
        # croniter looks for times before, and ``at`` itself counts
        found: datetime = croniter(self.cron, local + timedelta(seconds=1)).get_prev(datetime)
        return found.astimezone(UTC)


def lines(settings: Settings) -> tuple[Line, ...]:
    """Return the cron lines of the settings. :raises BadSetting: for one that cannot be read"""
    given = (("EISENERGY_MONTHLY", "month", settings.work.monthly), ("EISENERGY_DAILY", "check", settings.work.daily))
    return tuple(
        _line(setting, kind, part.strip())
        for setting, kind, value in given
        for part in value.split(";")
        if part.strip()
    )


def _line(setting: str, kind: str, given: str) -> Line:
    fields = given.split()
    cron, client = " ".join(fields[:5]), fields[5] if len(fields) == 6 else None
    if len(fields) not in (5, 6) or not croniter.is_valid(cron):
        raise BadSetting(
            f"{setting}={given!r}: expected minute, hour, day, month and weekday, such as `0 6 2 * *` for six in the morning of "
            "each month's second day, and a client's code behind them where it is for one client alone"
        )
    return Line(setting=setting, kind=kind, cron=cron, client=client)


def arguments(line: Line, client: Client, due: datetime) -> Mapping[str, Any]:
    """Return what a job of a line is asked for with: the month run is for the month before, where the seller is."""
    if line.kind != "month":
        return {}
    local = due.astimezone(ZoneInfo(client.timezone))
    return {"month": str(BillingMonth(local.year, local.month).plus(-1))}


def defer_due(database: Database, chosen: tuple[Line, ...], home: str, at: datetime) -> Iterator[uuid.UUID]:
    """Make the jobs that are due, and yield their ids; those made before stay as they are.

    :param home: code of any client, to look for the others with
    """
    if not chosen:
        return
    for client in masters.clients(database, Scope(client=home, role=Role.SYSTEM_ADMIN)):
        for line in chosen:
            if line.client not in (None, client.code):
                continue
            due = line.due(client, at)
            if at - due > LATE:
                continue
            told = arguments(line, client, due)
            scope = Scope.operator(client.code)
            with database.session(scope) as connection:
                yield jobs.defer(
                    connection,
                    scope,
                    line.kind,
                    str(told.get("month", "")) or f"{due.astimezone(ZoneInfo(client.timezone)):%Y-%m-%d}",
                    told,
                    by=Actor(name=line.setting, address="cron line"),
                    user=None,
                    at=at,
                    id=uuid.uuid5(_SPACE, f"{client.code} {line.kind} {due.isoformat()}"),
                )
