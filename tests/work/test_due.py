"""What is due: cron lines in the time of the seller, each time once whoever looks at the clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from store_cases import make_client
from work_cases import EIS, LUZ

from eisenergy.config import Settings, WorkSettings
from eisenergy.store import jobs, masters
from eisenergy.store.database import Database
from eisenergy.variables import BadSetting
from eisenergy.work.due import defer_due, lines

SIX = datetime(2021, 10, 2, 12, 0, tzinfo=UTC)
"""Six in the morning of October's second day in El Salvador; two in the afternoon in Madrid."""


@pytest.fixture(scope="module", autouse=True)
def _sellers(database: Database) -> None:
    masters.save_client(database, EIS, make_client("EIS"))
    masters.save_client(database, LUZ, make_client("LUZ", timezone="Europe/Madrid"))


def chosen(settings: Settings, monthly: str = "", daily: str = "") -> tuple[object, ...]:
    return lines(replace(settings, work=WorkSettings(monthly=monthly, daily=daily)))


def deferred(database: Database, given: tuple[object, ...], at: datetime) -> set[tuple[str, str, str]]:
    """Client, kind and subject of the jobs there are after a look at the clock."""
    list(defer_due(database, given, "EIS", at))
    return {(job.client, job.kind, job.subject) for scope in (EIS, LUZ) for job in jobs.listed(database, scope)}


def test_the_month_before_is_run_where_the_seller_is(settings: Settings, database: Database) -> None:
    given = chosen(settings, "0 6 2 * *")
    assert deferred(database, given, SIX - timedelta(hours=9)) == set()
    luz = ("LUZ", "month", "2021-09")
    assert deferred(database, given, SIX - timedelta(seconds=1)) == {luz}  # six in Madrid was eight hours ago
    assert deferred(database, given, SIX) == {luz, ("EIS", "month", "2021-09")}
    for later in (0, 1, 3600, 80_000):  # every worker looks, and looks again
        list(defer_due(database, given, "EIS", SIX + timedelta(seconds=later)))
    found = [*jobs.listed(database, EIS), *jobs.listed(database, LUZ)]
    assert len(found) == 2
    assert {tuple(job.arguments.items()) for job in found} == {(("month", "2021-09"),)}
    assert {job.asked_by for job in found} == {"EISENERGY_MONTHLY"}


def test_what_was_missed_long_ago_is_left(settings: Settings, database: Database) -> None:
    given = chosen(settings, "0 6 2 * * EIS")
    before = len(jobs.listed(database, EIS))
    november = datetime(2021, 11, 2, 12, 0, tzinfo=UTC)
    list(defer_due(database, given, "EIS", november + timedelta(hours=25)))
    assert len(jobs.listed(database, EIS)) == before
    list(defer_due(database, given, "EIS", november + timedelta(hours=23)))  # a worker that begins late that day
    assert len(jobs.listed(database, EIS)) == before + 1
    assert len(jobs.listed(database, LUZ)) == 1


def test_the_daily_check(settings: Settings, database: Database) -> None:
    given = chosen(settings, "", "30 5 * * * LUZ; 0 7 * * * LUZ")
    list(defer_due(database, given, "EIS", datetime(2021, 12, 1, 8, 0, tzinfo=UTC)))
    assert [job.subject for job in jobs.listed(database, LUZ) if job.kind == "check"] == ["2021-12-01"] * 2


@pytest.mark.parametrize("line", ["nonsense", "0 6 2 *", "99 6 2 * *", "0 6 2 * * EIS more", "@monthly"])
def test_a_line_that_cannot_be_read_is_refused(settings: Settings, line: str) -> None:
    with pytest.raises(BadSetting, match="EISENERGY_MONTHLY"):
        chosen(settings, line)


def test_settings_of_work() -> None:
    environ = {"EISENERGY_MONTHLY": "0 6 2 * *", "EISENERGY_WATCH": "/srv/inbox", "EISENERGY_UPLOAD_MEGABYTES": "7"}
    work = Settings.load(environ).work
    assert (work.monthly, str(work.watch), work.upload_bytes, work.upload_files) == (
        "0 6 2 * *",
        "/srv/inbox",
        7 << 20,
        50,
    )
    assert Settings.load(work.environment()).work == work
