"""Block calendars, and their compilation into runs of UTC microseconds.

A calendar says which block (``VALLE``, ``RESTO``, ``PUNTA`` ...) a local minute belongs to, by day type and season. A *run* is a
stretch of time in which block and tariff segment are constant; a month has about five a day. Compiled runs carry calendar, tariff
dates, time zone and clock changes as integers, so that one pass over the readings needs no look-up per row.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from eisenergy.period import Period, Spans

DAY_MINUTES: Final = 1440
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_HOUR: Final = timedelta(hours=1)


class CalendarError(ValueError):
    """A calendar that leaves a minute of a day without a block or gives it two, or that cannot be read.

    :param code: kebab-case name of the fault, for pages in other languages; empty where the message is all
    :param data: what the message tells, by name
    """

    def __init__(self, message: str, code: str = "", **data: object) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class OffGrid(ValueError):
    """A block, segment or clock change that does not fall on the border of an interval."""


class DayType(StrEnum):
    """What kind of day a local date is; a holiday is a holiday whatever its weekday."""

    WEEKDAY = "weekday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"
    HOLIDAY = "holiday"


ALL_DAYS: Final = frozenset(DayType)


def day_type(day: date, holidays: Set[date] = frozenset()) -> DayType:
    """Return what kind of day a local date is."""
    if day in holidays:
        return DayType.HOLIDAY
    return {5: DayType.SATURDAY, 6: DayType.SUNDAY}.get(day.weekday(), DayType.WEEKDAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """A part of the year that starts every year on the same day and lasts until the next season starts."""

    name: str
    start_month: int
    start_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockHours:
    """Local minutes of the day that belong to a block.

    :param start_minute: first minute, 0 to 1439
    :param end_minute: minute after the last, 0 to 1440. ``start_minute >= end_minute`` wraps midnight: the row then covers the late
        and the early minutes of the *same* local day (equal ends: all 24 hours)
    :param day_types: days the row holds on
    :param season: season the row holds in, ``None`` for all
    :param origin: file and cell the row came from, for messages
    """

    start_minute: int
    end_minute: int
    block: str
    day_types: frozenset[DayType] = ALL_DAYS
    season: str | None = None
    origin: str = ""

    def minutes(self) -> tuple[range, ...]:
        """Return the half-open ranges of local minutes, without the wrap."""
        if self.start_minute < self.end_minute:
            return (range(self.start_minute, self.end_minute),)
        return tuple(part for part in (range(self.end_minute), range(self.start_minute, DAY_MINUTES)) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCalendar:
    """Which block every local minute belongs to.

    :param rows: together they cover the 24 hours of every (season, day type) exactly once
    :param seasons: empty: the year has one season
    :param holidays: local dates of day type holiday
    :param version: hash of the calendar's content, see ``masters``
    :raises CalendarError: naming the hour and the origin of the rows concerned
    """

    name: str
    rows: tuple[BlockHours, ...]
    seasons: tuple[Season, ...] = ()
    holidays: frozenset[date] = frozenset()
    version: str = ""
    _days: dict[tuple[str | None, DayType], tuple[tuple[int, int, str], ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        self._check_seasons()
        self._check_rows()
        names: list[str | None] = list(dict.fromkeys(season.name for season in self.seasons)) or [None]
        for season, day_type in itertools.product(names, DayType):
            self._days[season, day_type] = self._cover(season, day_type)

    @property
    def blocks(self) -> tuple[str, ...]:
        """Blocks in order of first appearance."""
        return tuple(dict.fromkeys(row.block for row in self.rows))

    def day_type(self, day: date) -> DayType:
        """Return what kind of day a local date is."""
        return day_type(day, self.holidays)

    def season(self, day: date) -> str | None:
        """Return the name of the season of a local date; ``None`` where the calendar has none."""
        ordered = sorted(self.seasons, key=lambda season: (season.start_month, season.start_day))
        begun = [s.name for s in ordered if (s.start_month, s.start_day) <= (day.month, day.day)]
        if begun:
            return begun[-1]
        return ordered[-1].name if ordered else None

    def day_blocks(self, day: date) -> tuple[tuple[int, int, str], ...]:
        """Return ``(first minute, minute after the last, block)`` of a local date, in order, covering 0 to 1440."""
        return self._days[self.season(day), self.day_type(day)]

    def block_at(self, local: datetime) -> str:
        """Return the block of a local time (slow; the kernel uses :func:`compile_runs`)."""
        minute = local.hour * 60 + local.minute
        return next(block for start, end, block in self.day_blocks(local.date()) if start <= minute < end)

    def _check_seasons(self) -> None:
        starts: dict[tuple[int, int], str] = {}
        for season in self.seasons:
            key = (season.start_month, season.start_day)
            try:
                date(2000, *key)  # a leap year: 29 February is a day a season may start on
            except ValueError:
                raise CalendarError(
                    f"calendar {self.name}: season {season.name} starts on month {key[0]}, day {key[1]}, "
                    "which is not a day of the year. Correct it.",
                    "no-day", season=season.name,
                ) from None  # fmt: skip
            if key in starts:
                raise CalendarError(
                    f"calendar {self.name}: seasons {starts[key]} and {season.name} both start on month {key[0]}, "
                    f"day {key[1]}. Remove one of them.",
                    "same-start", season=season.name, other=starts[key],
                )  # fmt: skip
            starts[key] = season.name

    def _check_rows(self) -> None:
        known = {None, *(season.name for season in self.seasons)}
        for row in self.rows:
            if not (0 <= row.start_minute < DAY_MINUTES and 0 <= row.end_minute <= DAY_MINUTES):
                raise CalendarError(
                    f"calendar {self.name}{_at(row)}: block {row.block} from minute {row.start_minute} to "
                    f"{row.end_minute}: expected a start of 0 to 1439 and an end of 0 to 1440"
                )
            if not row.block.strip():
                raise CalendarError(f"calendar {self.name}{_at(row)}: a row without a block's name. Name it.")
            if row.season not in known:
                raise CalendarError(
                    f"calendar {self.name}{_at(row)}: season {row.season!r} is not defined. "
                    f"Known are: {', '.join(sorted(name for name in known if name)) or 'none'}.",
                    "unknown-season", season=row.season,
                )  # fmt: skip

    def _cover(self, season: str | None, day_type: DayType) -> tuple[tuple[int, int, str], ...]:
        owner: list[BlockHours | None] = [None] * DAY_MINUTES
        days = f"{day_type} days" + (f" of season {season}" if season else "")
        for row in self.rows:
            if day_type not in row.day_types or row.season not in (None, season):
                continue
            for minute in itertools.chain(*row.minutes()):
                other = owner[minute]
                if other is not None:
                    raise CalendarError(
                        f"calendar {self.name}: {_clock(minute)} on {days} is given twice, to {other.block}{_at(other)} and to "
                        f"{row.block}{_at(row)}. Every hour belongs to exactly one block: shorten one of the rows.",
                        "twice", at=_clock(minute), day_type=day_type, season=season, first=other.block, second=row.block,
                    )  # fmt: skip
                owner[minute] = row
        result: list[tuple[int, int, str]] = []
        start = 0
        for block, minutes in itertools.groupby(owner, key=lambda row: row.block if row else None):
            end = start + sum(1 for _ in minutes)
            if block is None:
                raise CalendarError(
                    f"calendar {self.name}: no block from {_clock(start)} to {_clock(end)} on {days}{_sources(self.rows)}. "
                    "Every hour belongs to exactly one block: add a row for it.",
                    "gap", start=_clock(start), end=_clock(end), day_type=day_type, season=season,
                )  # fmt: skip
            result.append((start, end, block))
            start = end
        return tuple(result)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """A calendar over a period, compiled: stretches of constant block and segment, in order.

    :param start_us: UTC microseconds since 1970 at which each run starts [int64, one per run]
    :param end_us: and ends, exclusive
    :param block: index into ``blocks`` [int16]
    :param segment: index into ``segments`` [int16]
    :param expected: (segment, block) -> number of intervals
    :param minutes: length of an interval
    """

    start_us: npt.NDArray[np.int64]
    end_us: npt.NDArray[np.int64]
    block: npt.NDArray[np.int16]
    segment: npt.NDArray[np.int16]
    blocks: tuple[str, ...]
    segments: tuple[Period, ...]
    expected: dict[tuple[int, str], int]
    timezone: str
    minutes: int

    def __len__(self) -> int:
        return len(self.start_us)

    @property
    def spans(self) -> Spans:
        """The same without its runs."""
        return Spans(segments=self.segments, blocks=self.blocks, expected=self.expected, timezone=self.timezone)


def compile_runs(calendar: DayCalendar, segments: tuple[Period, ...], timezone: str, minutes: int = 15) -> Runs:
    """Compile a calendar over tariff segments and a time zone into runs.

    A local hour that a clock change repeats is there twice, one that it skips is not there.

    :param segments: half-open periods of local dates, in order and without overlap
    :param timezone: IANA name
    :param minutes: length of an interval
    :raises OffGrid: when a run would begin or end inside an interval
    :raises ValueError: when there is no segment, or they overlap or are out of order
    """
    if not segments or any(a.end > b.start for a, b in itertools.pairwise(segments)):
        found = ", ".join(str(segment) for segment in segments) or "none"
        raise ValueError(f"segments must be in order and must not overlap: got {found}")
    index = {block: number for number, block in enumerate(calendar.blocks)}
    slot = timedelta(minutes=minutes)
    origin = segments[0].utc(timezone)[0]
    found_runs: list[tuple[datetime, datetime, int, str]] = []
    for number, segment in enumerate(segments):
        for start, end, block in _stretches(calendar, *segment.utc(timezone), timezone):
            if (start - origin) % slot or (end - origin) % slot:
                local = (start if (start - origin) % slot else end).astimezone(ZoneInfo(timezone))
                raise OffGrid(
                    f"calendar {calendar.name}: block {block} has a border at {local:%Y-%m-%d %H:%M:%S} ({timezone}), inside an "
                    f"interval of {minutes} minutes. Blocks must change where an interval ends: move the border."
                )
            if found_runs and found_runs[-1][1:] == (start, number, block):
                found_runs[-1] = (found_runs[-1][0], end, number, block)
            else:
                found_runs.append((start, end, number, block))
    expected: dict[tuple[int, str], int] = {}
    for start, end, number, block in found_runs:
        expected[number, block] = expected.get((number, block), 0) + (end - start) // slot
    return Runs(
        start_us=np.array([microseconds(run[0]) for run in found_runs], dtype=np.int64),
        end_us=np.array([microseconds(run[1]) for run in found_runs], dtype=np.int64),
        block=np.array([index[run[3]] for run in found_runs], dtype=np.int16),
        segment=np.array([run[2] for run in found_runs], dtype=np.int16),
        blocks=calendar.blocks,
        segments=segments,
        expected=expected,
        timezone=timezone,
        minutes=minutes,
    )


def microseconds(instant: datetime) -> int:
    """Return an instant as microseconds since 1970, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def transitions(start: datetime, end: datetime, timezone: str) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Cut ``[start, end)`` where the zone's offset changes: yield (UTC start, UTC end, offset from UTC)."""
    zone = ZoneInfo(timezone)

    def offset(instant: datetime) -> timedelta:
        value = instant.astimezone(zone).utcoffset()
        assert value is not None
        return value

    since, here = start, start
    while here < end:
        step = min(here + _HOUR, end)
        if offset(here) != offset(step):
            before, after = here, step
            while after - before > timedelta(seconds=1):
                middle = before + (after - before) // 2
                before, after = (middle, after) if offset(middle) == offset(here) else (before, middle)
            change = after.replace(microsecond=0)  # zones change on whole seconds
            yield since, change, offset(here)
            since = here = change
        else:
            here = step
    if since < end:
        yield since, end, offset(since)


def _stretches(
    calendar: DayCalendar, start: datetime, end: datetime, timezone: str
) -> Iterator[tuple[datetime, datetime, str]]:
    """Yield (UTC start, UTC end, block) in order, covering ``[start, end)``."""
    for since, until, offset in transitions(start, end, timezone):
        first, last = ((instant + offset).replace(tzinfo=None) for instant in (since, until))
        day = first.date()
        while (midnight := datetime(day.year, day.month, day.day)) < last:  # noqa: DTZ001 - a local wall-clock time
            for start_minute, end_minute, block in calendar.day_blocks(day):
                begin = max(first, midnight + timedelta(minutes=start_minute))
                finish = min(last, midnight + timedelta(minutes=end_minute))
                if begin < finish:
                    yield since + (begin - first), since + (finish - first), block
            day += timedelta(days=1)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _at(row: BlockHours) -> str:
    return f" ({row.origin})" if row.origin else ""


def _sources(rows: tuple[BlockHours, ...]) -> str:
    origins = [row.origin for row in rows if row.origin]
    return f" (rows read: {', '.join(origins)})" if origins else ""
