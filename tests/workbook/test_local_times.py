"""Local times as instants, where the clock is set back or forward; the truth is written out in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from eisenergy.workbook.local_times import instants, known, skipped

MADRID = ZoneInfo("Europe/Madrid")


def local(*clock: str) -> list[datetime]:
    return [datetime.fromisoformat(f"2021-10-31T{one}") for one in clock]


def shown(*clock: str) -> list[str]:
    """On 31 October 2021 the clock of Madrid goes from 3:00 back to 2:00, at 1:00 UTC."""
    return [f"{one.astimezone(UTC):%d %H:%M}" for one in instants(local(*clock), MADRID)]


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        (
            ("01:45", "02:00", "02:45", "02:00", "02:45", "03:00"),
            "30 23:45,31 00:00,31 00:45,31 01:00,31 01:45,31 02:00",
        ),
        # the first 2:15 is missing: 2:15 after 2:45 is the second one
        (("02:00", "02:45", "02:15", "03:00"), "31 00:00,31 00:45,31 01:15,31 02:00"),
        # newest first
        (
            ("03:00", "02:30", "02:00", "02:30", "02:00", "01:30"),
            "31 02:00,31 01:30,31 01:00,31 00:30,31 00:00,30 23:30",
        ),
        # a third time is one of the two again
        (("02:00", "02:00", "02:00"), "31 00:00,31 01:00,31 00:00"),
    ],
)
def test_a_repeated_hour(clock: tuple[str, ...], expected: str) -> None:
    assert shown(*clock) == expected.split(",")


def test_a_skipped_hour() -> None:
    moments = [datetime.fromisoformat(f"2021-03-28T{one}") for one in ("01:45", "02:15", "03:00")]
    assert [skipped(one, MADRID) for one in moments] == [False, True, False]
    assert [f"{one:%H:%M}" for one in instants(moments, MADRID)] == ["00:45", "01:15", "01:00"]


@pytest.mark.parametrize("name", ["Europe/Madrid", " America/New_York "])
def test_names_of_zones(name: str) -> None:
    assert known(name)


@pytest.mark.parametrize("name", ["", "Marte", "../etc/passwd", "America", "GMT-6 horas"])
def test_no_names_of_zones(name: str) -> None:
    assert not known(name)
