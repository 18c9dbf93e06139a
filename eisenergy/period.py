"""Half-open periods of local dates, billing months, and values that are in force from a date.

Every period is ``[start, end)``. Dates are local to the client; :meth:`Period.utc` turns a period into the instants that bound it.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

T = TypeVar("T")


class NotInForce(LookupError):
    """No value is in force on a date. Names the value and the date."""

    def __init__(self, name: str, day: date) -> None:
        super().__init__(
            f"{name}: no value in force on {day:%Y-%m-%d}. Add one whose validity starts on or before that date."
        )
        self.name = name
        self.day = day


class Overlap(ValueError):
    """Two values claim the same first day."""


class BadMonth(ValueError):
    """A billing month that cannot be read."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Local dates from ``start`` up to, and without, ``end``.

    :raises ValueError: when ``end`` is not after ``start``
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"a period ends after it starts: got [{self.start}, {self.end})")

    @property
    def days(self) -> int:
        """Number of local days."""
        return (self.end - self.start).days

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and not isinstance(day, datetime) and self.start <= day < self.end

    def __iter__(self) -> Iterator[date]:
        return (self.start + timedelta(days=n) for n in range(self.days))

    def __str__(self) -> str:
        return f"[{self.start}, {self.end})"

    def utc(self, timezone: str) -> tuple[datetime, datetime]:
        """Return the UTC instants of local midnight at start and end.

        :param timezone: IANA name, for example ``America/El_Salvador``
        """
        return midnight(self.start, timezone), midnight(self.end, timezone)

    def slots(self, timezone: str, minutes: int = 15) -> int:
        """Number of intervals of ``minutes`` in the period; a day of a clock change has more or fewer."""
        start, end = self.utc(timezone)
        return int((end - start) / timedelta(minutes=minutes))

    def split(self, dates: tuple[date, ...]) -> tuple[Period, ...]:
        """Cut the period at every given date that lies inside it."""
        cuts = sorted({self.start, self.end, *(day for day in dates if self.start < day < self.end)})
        return tuple(Period(a, b) for a, b in itertools.pairwise(cuts))


@functools.lru_cache(maxsize=1024)
def midnight(day: date, timezone: str) -> datetime:
    """Return the UTC instant at which the local day starts (the first one, where a clock change makes two)."""
    return datetime.combine(day, time(), tzinfo=ZoneInfo(timezone)).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """What a compiled calendar says of a period, besides which interval lies where; see :class:`eisenergy.blockruns.Runs`.

    :param segments: the period cut at every change of the tariff, in order
    :param blocks: blocks in the order of the calendar
    :param expected: (segment, block) -> number of intervals
    """

    segments: tuple[Period, ...]
    blocks: tuple[str, ...]
    expected: dict[tuple[int, str], int]
    timezone: str


@dataclass(frozen=True, slots=True, order=True)
class BillingMonth:
    """The billing month that starts on ``anchor`` of a month and ends before the anchor of the next.

    :raises BadMonth: for a month outside 1 to 12 or an anchor outside 1 to 28
    """

    year: int
    month: int
    anchor: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.month <= 12:
            raise BadMonth(f"month {self.month}: expected 1 to 12")
        if not 1 <= self.anchor <= 28:
            raise BadMonth(f"anchor day {self.anchor}: expected 1 to 28, a day that every month has")

    @classmethod
    def parse(cls, text: str, anchor: int = 1) -> BillingMonth:
        """Read ``2021-09``. :raises BadMonth: saying what was found and what is expected."""
        match = re.fullmatch(r"(\d{4})-(\d{2})", text.strip())
        if match is None:
            raise BadMonth(f"{text!r} is not a month: expected YYYY-MM, for example 2021-09")
        return cls(int(match[1]), int(match[2]), anchor)

    def plus(self, months: int) -> BillingMonth:
        """Return the billing month that many months later (earlier, when negative)."""
        index = self.year * 12 + self.month - 1 + months
        return BillingMonth(index // 12, index % 12 + 1, self.anchor)

    @property
    def period(self) -> Period:
        """The month's half-open period of local dates."""
        after = self.plus(1)
        return Period(date(self.year, self.month, self.anchor), date(after.year, after.month, self.anchor))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True, slots=True)
class Dated(Generic[T]):
    """Values keyed by the first day on which each is in force; ``None`` ends the one before.

    :param name: what the value is, for error messages
    """

    name: str
    values: tuple[tuple[date, T | None], ...]

    @classmethod
    def of(cls, name: str, values: Mapping[date, T | None] | tuple[tuple[date, T | None], ...]) -> Dated[T]:
        """Sort and check the keys. :raises Overlap: when two values start on the same day."""
        pairs = tuple(values.items()) if isinstance(values, Mapping) else values
        ordered = tuple(sorted(pairs, key=lambda pair: pair[0]))
        for (first, _), (second, _) in itertools.pairwise(ordered):
            if first == second:
                raise Overlap(
                    f"{name}: two values start on {first:%Y-%m-%d}; validity must not overlap. Remove one of them."
                )
        return cls(name, ordered)

    def entry(self, day: date) -> tuple[date, T]:
        """Return ``(first day of validity, value)`` of what is in force on a day. :raises NotInForce: when nothing is."""
        found: tuple[date, T | None] | None = None
        for start, value in self.values:
            if start > day:
                break
            found = (start, value)
        if found is None or found[1] is None:
            raise NotInForce(self.name, day)
        return found[0], found[1]

    def at(self, day: date) -> T:
        """Return the value in force on a day. :raises NotInForce: when nothing is."""
        return self.entry(day)[1]

    @property
    def starts(self) -> tuple[date, ...]:
        """The days on which a value begins or ends."""
        return tuple(start for start, _ in self.values)
