"""Block calendars: which block (``VALLE``, ``RESTO``, ``PUNTA`` ...) a local minute belongs to, by day type and season.

What they come to over a period, a time zone and its clock changes is compiled in :mod:`eisenergy.blockruns`.
"""

from __future__ import annotations

import itertools
from collections.abc import Set
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

DAY_MINUTES: Final = 1440


class CalendarError(ValueError):
    """A calendar that leaves a minute of a day without a block or gives it two, or that cannot be read.

    :param code: kebab-case name of the fault, for pages in other languages; empty where the message is all
    :param data: what the message tells, by name
    """

    def __init__(self, message: str, code: str = "", **data: object) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


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
        """Return the block of a local time (slow; the kernel uses :func:`eisenergy.blockruns.compile_runs`)."""
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


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _at(row: BlockHours) -> str:
    return f" ({row.origin})" if row.origin else ""


def _sources(rows: tuple[BlockHours, ...]) -> str:
    origins = [row.origin for row in rows if row.origin]
    return f" (rows read: {', '.join(origins)})" if origins else ""
