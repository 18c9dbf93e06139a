"""Runs of calendars, against a twin that asks the zone for the local time of every interval."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisenergy.blockruns import OffGrid, Runs, compile_runs, microseconds, transitions
from eisenergy.period import Period
from eisenergy.timeofuse import BlockHours, DayCalendar, DayType, Season

ZONES = ("America/El_Salvador", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
SLOT = timedelta(minutes=15)


def hours(start: int, end: int, block: str, **more: object) -> BlockHours:
    return BlockHours(start_minute=start * 60, end_minute=end * 60, block=block, **more)  # type: ignore[arg-type]


EIS = DayCalendar(name="EIS", rows=(hours(23, 5, "VALLE"), hours(5, 18, "RESTO"), hours(18, 23, "PUNTA")))


def slow_day_type(day: date, holidays: frozenset[date]) -> str:
    if day in holidays:
        return "holiday"
    name = f"{day:%A}".lower()
    return name if name in ("saturday", "sunday") else "weekday"


@cache
def slow_season(day: date, seasons: tuple[Season, ...]) -> str | None:
    """Walk back day by day until one on which a season starts."""
    starts = {(season.start_month, season.start_day): season.name for season in seasons}
    for back in range(1500 if starts else 0):
        earlier = day - timedelta(days=back)
        if (earlier.month, earlier.day) in starts:
            return starts[earlier.month, earlier.day]
    return None


def slow_block(calendar: DayCalendar, local: datetime) -> str:
    """The block of a local time, straight from the rows."""
    minute = local.hour * 60 + local.minute
    day = local.date()
    found = []
    for row in calendar.rows:
        wraps = row.start_minute >= row.end_minute
        early, late = minute < row.end_minute, minute >= row.start_minute
        if (
            slow_day_type(day, calendar.holidays) in row.day_types
            and row.season in (None, slow_season(day, calendar.seasons))
            and ((early or late) if wraps else (early and late))
        ):
            found.append(row.block)
    (block,) = found
    return block


def slow_labels(calendar: DayCalendar, segments: tuple[Period, ...], zone: str) -> dict[datetime, tuple[int, str]]:
    """UTC start of every interval -> (segment, block)."""
    result = {}
    instant, last = segments[0].utc(zone)[0], segments[-1].utc(zone)[1]
    while instant < last:
        local = instant.astimezone(ZoneInfo(zone))
        inside = [n for n, segment in enumerate(segments) if local.date() in segment]
        if inside:
            result[instant] = (inside[0], slow_block(calendar, local))
        instant += SLOT
    return result


def labels_of(runs: Runs) -> dict[datetime, tuple[int, str]]:
    result = {}
    for start, end, block, segment in zip(runs.start_us, runs.end_us, runs.block, runs.segment, strict=True):
        for us in range(int(start), int(end), SLOT // timedelta(microseconds=1)):
            instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
            assert instant not in result
            result[instant] = (int(segment), runs.blocks[block])
    return result


@st.composite
def calendars(draw: st.DrawFn) -> DayCalendar:
    """Random cuts of the day per season and group of day types; one row may wrap midnight."""
    starts = draw(st.lists(st.dates(date(2000, 1, 1), date(2000, 12, 31)), max_size=3, unique=True))
    seasons = tuple(
        Season(name=f"s{number}", start_month=start.month, start_day=start.day) for number, start in enumerate(starts)
    )
    order = draw(st.permutations(list(DayType)))
    cut = draw(st.integers(0, 4))
    rows = []
    for season in [s.name for s in seasons] or [None]:
        for group in (order[:cut], order[cut:]):
            cuts = sorted(draw(st.lists(st.integers(0, 95), min_size=1, max_size=5, unique=True)))
            for start, end in zip(cuts, cuts[1:] + cuts[:1], strict=True):
                rows.append(
                    BlockHours(
                        start_minute=start * 15,
                        end_minute=end * 15,
                        block=draw(st.sampled_from(["VALLE", "RESTO", "PUNTA", "X"])),
                        day_types=frozenset(group),
                        season=season,
                    )
                )
    holidays = frozenset(draw(st.lists(st.dates(date(2021, 1, 1), date(2021, 12, 31)), max_size=9)))
    return DayCalendar(name="random", rows=tuple(rows), seasons=seasons, holidays=holidays)


@pytest.mark.untraced
@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    calendars(),
    st.sampled_from(ZONES),
    st.sampled_from([date(2021, 3, 10), date(2021, 3, 25), date(2021, 4, 1), date(2021, 10, 1), date(2021, 10, 28)]),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
)
def test_runs_label_every_interval_as_the_twin_does(
    calendar: DayCalendar, zone: str, first: date, lengths: list[int]
) -> None:
    days = [first]
    for length in lengths:
        days.append(days[-1] + timedelta(days=length))
    segments = tuple(Period(a, b) for a, b in pairwise(days))
    runs = compile_runs(calendar, segments, zone)
    expected = slow_labels(calendar, segments, zone)
    assert labels_of(runs) == expected
    assert runs.expected == Counter(expected.values())
    assert sum(runs.expected.values()) == Period(days[0], days[-1]).slots(zone)
    assert len(runs) == len(runs.start_us)
    neighbours = zip(pairwise(runs.start_us), pairwise(zip(runs.segment, runs.block, strict=True)), strict=True)
    assert all(a < b and left != right for (a, b), (left, right) in neighbours)


def test_the_month_of_the_reference_has_91_runs() -> None:
    runs = compile_runs(EIS, (Period(date(2021, 9, 1), date(2021, 10, 1)),), "America/El_Salvador")
    assert len(runs) == 91
    assert runs.expected == {(0, "VALLE"): 720, (0, "RESTO"): 1560, (0, "PUNTA"): 600}
    assert runs.start_us[0] == microseconds(datetime(2021, 9, 1, 6, tzinfo=UTC))
    assert (runs.spans.segments, runs.spans.blocks, runs.spans.expected, runs.spans.timezone) == (
        (Period(date(2021, 9, 1), date(2021, 10, 1)),),
        ("VALLE", "RESTO", "PUNTA"),
        {(0, "VALLE"): 720, (0, "RESTO"): 1560, (0, "PUNTA"): 600},
        "America/El_Salvador",
    )


@pytest.mark.parametrize(
    ("zone", "day", "valle"),
    [
        ("Europe/Berlin", date(2021, 3, 28), 20),  # 02:00 to 03:00 never was: six hours of VALLE less one
        ("Europe/Berlin", date(2021, 10, 31), 28),  # and here it was twice
        ("Australia/Lord_Howe", date(2021, 10, 3), 22),  # half an hour less
        ("Australia/Lord_Howe", date(2021, 4, 4), 26),
        ("America/El_Salvador", date(2021, 10, 31), 24),
    ],
)
def test_days_of_a_clock_change(zone: str, day: date, valle: int) -> None:
    runs = compile_runs(EIS, (Period(day, day + timedelta(days=1)),), zone)
    assert runs.expected == {(0, "VALLE"): valle, (0, "RESTO"): 52, (0, "PUNTA"): 20}


def test_a_midnight_that_is_skipped_starts_the_day_an_hour_later() -> None:
    day = Period(date(2018, 11, 4), date(2018, 11, 5))  # Brazil's clocks went from 00:00 to 01:00
    runs = compile_runs(EIS, (day,), "America/Sao_Paulo")
    assert runs.expected[0, "VALLE"] == 20
    assert labels_of(runs) == slow_labels(EIS, (day,), "America/Sao_Paulo")


def test_a_change_in_the_last_hour_before_the_end_is_seen() -> None:
    start, change = datetime(2021, 10, 31, 0, tzinfo=UTC), datetime(2021, 10, 31, 1, tzinfo=UTC)
    parts = list(transitions(start, change + timedelta(minutes=30), "Europe/Berlin"))
    assert parts == [
        (start, change, timedelta(hours=2)),
        (change, change + timedelta(minutes=30), timedelta(hours=1)),
    ]
    assert list(transitions(start, change, "Europe/Berlin")) == [(start, change, timedelta(hours=2))]


def test_segments_may_leave_a_gap_but_not_overlap_or_be_absent() -> None:
    a, b = Period(date(2021, 9, 1), date(2021, 9, 3)), Period(date(2021, 9, 5), date(2021, 9, 6))
    assert labels_of(compile_runs(EIS, (a, b), "Europe/Berlin")) == slow_labels(EIS, (a, b), "Europe/Berlin")
    with pytest.raises(ValueError, match=r"must not overlap: got \[2021-09-05, 2021-09-06\), \[2021-09-01"):
        compile_runs(EIS, (b, a), "Europe/Berlin")
    with pytest.raises(ValueError, match="got none"):
        compile_runs(EIS, (), "Europe/Berlin")


def test_a_border_inside_an_interval_is_refused() -> None:
    calendar = DayCalendar(
        name="odd",
        rows=(
            BlockHours(start_minute=0, end_minute=367, block="A"),
            BlockHours(start_minute=367, end_minute=1440, block="B"),
        ),
    )
    day = Period(date(2021, 9, 1), date(2021, 9, 2))
    with pytest.raises(
        OffGrid, match=r"block A has a border at 2021-09-01 06:07:00 \(Europe/Berlin\), inside an interval of 15"
    ):
        compile_runs(calendar, (day,), "Europe/Berlin")
    assert compile_runs(calendar, (day,), "Europe/Berlin", minutes=1).expected == {(0, "A"): 367, (0, "B"): 1073}


def test_a_clock_change_inside_an_interval_is_refused() -> None:
    with pytest.raises(OffGrid, match="has a border at 2021-10-03"):
        compile_runs(EIS, (Period(date(2021, 10, 1), date(2021, 10, 8)),), "Australia/Lord_Howe", minutes=60)


def test_a_segment_that_starts_inside_an_interval_is_refused() -> None:
    before, after = Period(date(2021, 9, 1), date(2021, 10, 3)), Period(date(2021, 10, 4), date(2021, 10, 5))
    with pytest.raises(OffGrid, match="2021-10-04 00:00:00"):
        compile_runs(EIS, (before, after), "Australia/Lord_Howe", minutes=60)
