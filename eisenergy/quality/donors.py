"""What the intervals that arrived say about one that did not: similar days, and the register around the gap."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator, Set
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from eisenergy import money
from eisenergy.quality.registers import Bracket, Register
from eisenergy.quality.rows import DAY_US, EPOCH_DAY, MINUTE_US, SLOT_US, Floats, Integers, Rows, local
from eisenergy.timeofuse import DAY_MINUTES, DayType, day_type

NEAREST: Final = 4
"""Similar days an estimate is the mean of."""

PLACES: Final = 3
"""Estimates are whole watt-hours, as meters give them."""

_LONGEST_BRACKET: Final = 35 * DAY_US
_FEW: Final = 1 << 16
_EXACT: Final = 1e12
"""Figures in watt-hours whose sums and means are exact as integers, and are what their 15 digits say."""


class Method(StrEnum):
    """How an estimate was made; the name stands on the reading and on the invoice."""

    SIMILAR_DAYS = "similar-days"  # mean of the same interval on the nearest days of the same type
    SIMILAR_DAYS_REGISTER = "similar-days-register"  # the same, scaled to the register
    OTHER_DAYS = "other-days"  # mean of the same interval on the nearest days of any type
    OTHER_DAYS_REGISTER = "other-days-register"
    MEAN = "mean"  # mean of all measured intervals
    MEAN_REGISTER = "mean-register"
    REGISTER = "register"  # the register alone, evenly over the gap
    METER = "meter"  # it came marked as an estimate in the file, which does not say how it was made


_SCALED: Final = {
    Method.SIMILAR_DAYS: Method.SIMILAR_DAYS_REGISTER,
    Method.OTHER_DAYS: Method.OTHER_DAYS_REGISTER,
    Method.MEAN: Method.MEAN_REGISTER,
}


METHODS: Final = (Method.SIMILAR_DAYS, Method.OTHER_DAYS, Method.MEAN)
"""What an estimate from other days is made by, by its number in :class:`Shapes`."""

_KINDS: Final = tuple(DayType)


class Estimates(NamedTuple):
    """Estimates of intervals, in order of time.

    :param start: UTC microseconds
    :param kwh: energy [kWh]
    :param export: energy fed in [kWh]; NaN: none, as at a meter that never fed in
    """

    start: Integers
    kwh: Floats
    export: Floats
    method: list[Method]


class Shapes(NamedTuple):
    """What other days say of intervals.

    :param kwh: energy [kWh]; NaN where nothing is known
    :param export: energy fed in [kWh]; NaN likewise, and at a meter that never fed in
    :param method: number in :data:`METHODS`
    """

    kwh: Floats
    export: Floats
    method: Integers


class Donors:
    """What is known about a meter, to estimate from. :param rows: in order of time"""

    def __init__(self, rows: Rows, timezone: str, holidays: Set[date]) -> None:
        self._rows, self._zone, self._holidays = rows, timezone, frozenset(holidays)
        self._register = Register(rows)
        self._kwh = rows.column("kwh_import")
        self._measured = np.flatnonzero(rows.measured & np.isfinite(self._kwh))
        days, after = np.divmod(rows.local(timezone)[self._measured], DAY_US)
        self._days, self._minutes = days, after // MINUTE_US
        export = rows.figures("kwh_export")
        self._exports = export is not None and bool((np.isfinite(export) & (export != 0)).any())

    @functools.cached_property
    def _mean(self) -> float | None:
        mean = pl.Series(self._kwh[self._measured]).mean()
        return mean if isinstance(mean, float) else None

    @functools.cached_property
    def _fed_in(self) -> Floats:
        """Energy fed in, zero where none is known."""
        export = self._rows.column("kwh_export")
        return np.where(np.isnan(export), 0.0, export)

    def of(self, missing: Integers) -> Estimates:
        """Estimate intervals [UTC microseconds, in order]; one that nothing is known about is left out."""
        shapes = self._shapes(missing)
        kwh, export = shapes.kwh.copy(), shapes.export.copy()
        method = [METHODS[number] for number in shapes.method.tolist()]
        for bracket, places in self._brackets(missing).items():
            scaled = self._scaled(bracket)
            for place in places:
                found = scaled.get(int(missing[place]))
                if found is not None:
                    kwh[place], export[place], method[place] = found
        known = np.flatnonzero(~np.isnan(kwh))
        return Estimates(missing[known], kwh[known], export[known], [method[place] for place in known.tolist()])

    def _brackets(self, missing: Integers) -> dict[Bracket, list[int]]:
        """The register values around intervals, and the places of these; nothing where there are none, or they are too far away."""
        result: dict[Bracket, list[int]] = defaultdict(list)
        for place, slot in enumerate(missing.tolist() if len(self._register) else ()):
            bracket = self._register.bracket(slot)
            if bracket is not None and bracket.upto - bracket.after <= _LONGEST_BRACKET:
                result[bracket].append(place)
        return result

    def _scaled(self, bracket: Bracket) -> dict[int, tuple[float, float, Method]]:
        """Share what the register says among all intervals missing between its two values: start -> energy, energy fed in, method."""
        first, last = np.searchsorted(self._rows.start, (bracket.after, bracket.upto), side="right").tolist()
        start, kwh = self._rows.start[first:last], self._kwh[first:last]
        there = np.isfinite(kwh) & ((start - bracket.after) % SLOT_US == 0)
        energy = dict(zip(start[there].tolist(), kwh[there].tolist(), strict=True))
        rest = money.difference(bracket.kwh, money.total(money.decimals_of(list(energy.values()))))
        if rest < 0:
            return {}  # reset, replaced or wrong: the check of the register says so
        slots = [slot for slot in bracket.slots() if slot not in energy]
        shapes = self._shapes(np.array(slots, dtype=np.int64))
        unknown = np.isnan(shapes.kwh)
        weights = money.decimals_of(np.where(unknown, 0.0, shapes.kwh).tolist())
        even = len(slots) == 1 or bool(unknown.any()) or money.total(weights) == 0
        parts = apportion(rest, [Decimal(1)] * len(slots) if even else weights)
        methods = [Method.REGISTER if even else _SCALED[METHODS[number]] for number in shapes.method.tolist()]
        found = zip(map(float, parts), shapes.export.tolist(), methods, strict=True)
        return dict(zip(slots, found, strict=True))

    def _shapes(self, slots: Integers) -> Shapes:
        """Return the mean of the nearest similar days, else of the nearest days, else of everything measured."""
        kwh, export = np.full(len(slots), np.nan), np.full(len(slots), np.nan)
        method = np.full(len(slots), METHODS.index(Method.MEAN), dtype=np.int64)
        days, after = np.divmod(local(slots, self._zone), DAY_US)
        minutes = after // MINUTE_US
        for day in np.unique(days).tolist():
            here = np.flatnonzero(days == day)
            for places, rows, count, number in self._nearest(day, here, minutes[here]):
                kwh[places] = means(self._kwh[rows], count)
                if self._exports:
                    export[places] = means(self._fed_in[rows], count)
                method[places] = number
        left = method == METHODS.index(Method.MEAN)
        if left.any() and self._mean is not None:
            kwh[left] = float(money.excel_round(self._mean, PLACES))
            if self._exports:
                export[left] = 0.0
        return Shapes(kwh, export, method)

    def _nearest(
        self, day: int, places: Integers, minutes: Integers
    ) -> Iterator[tuple[Integers, Integers, Integers, int]]:
        """The intervals of a local day that have donors: their places, the rows to take the mean of, how many of these count, and the method.

        :param places: of intervals of that day
        :param minutes: of the local day at which they start
        """
        wanted, column = np.unique(minutes, return_inverse=True)
        number = np.full(DAY_MINUTES, -1, dtype=np.int64)
        number[wanted] = np.arange(len(wanted))
        mine = np.flatnonzero(number[self._minutes] >= 0)
        apart = self._days[mine] - day
        # By the minute, then the distance, the earlier of two days of one distance first; of two rows of a day the earlier, too.
        rank = np.abs(apart) * 2 + (apart > 0)
        span = int(rank.max(initial=0)) + 1
        key = number[self._minutes[mine]] * span + rank
        similar = self._kind(day) == self._kinds[self._days[mine] - self._first]
        for some, method in ((similar, 0), (~similar, 1)):
            keys, rows = key[some], mine[some]
            # Small numbers are put in order by their digits, in a tenth of the time.
            order = np.argsort(keys.astype(np.uint16) if len(wanted) * span < _FEW else keys, kind="stable")
            begin = np.searchsorted(keys[order], np.arange(len(wanted) + 1) * span)
            count = np.minimum(np.diff(begin), NEAREST)
            at = np.flatnonzero(count[column])
            if len(at):
                yes = column[at]
                taken = np.minimum(begin[yes, None] + np.arange(NEAREST), len(rows) - 1)
                yield places[at], self._measured[rows[order[taken]]], count[yes], method
            rest = np.flatnonzero(count[column] == 0)
            if not len(rest):
                return
            places, column = places[rest], column[rest]

    @functools.cached_property
    def _first(self) -> int:
        return int(self._days.min()) if len(self._days) else 0

    @functools.cached_property
    def _kinds(self) -> Integers:
        """Number of each day's kind, from the first measured day to the last."""
        if not len(self._days):
            return self._days
        return kinds(self._first, int(self._days.max()) + 1, self._holidays)

    def _kind(self, day: int) -> int:
        return int(kinds(day, day + 1, self._holidays)[0])


@functools.lru_cache(64)
def kinds(first: int, end: int, holidays: frozenset[date]) -> Integers:
    """Number of each day's kind; a holiday is like a Sunday. :param first: days since 1970"""
    found = [day_type(date.fromordinal(EPOCH_DAY + day), holidays) for day in range(first, end)]
    return np.array(
        [_KINDS.index(DayType.SUNDAY if kind is DayType.HOLIDAY else kind) for kind in found], dtype=np.int64
    )


def apportion(amount: Decimal, weights: list[Decimal]) -> list[Decimal]:
    """Share an amount in proportion to weights, in whole watt-hours (finer where the amount is), with an exact sum.

    :param amount: not negative [kWh]
    :param weights: not negative, not all zero
    """
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int)
    unit = Decimal(1).scaleb(min(-PLACES, exponent))
    whole = money.total(weights)
    exact = [money.quotient(money.product(amount, weight), whole) for weight in weights]
    floors = [part.quantize(unit, rounding=ROUND_FLOOR, context=money.EXACT) for part in exact]
    left = int(money.quotient(money.difference(amount, money.total(floors)), unit))
    by_remainder = sorted(range(len(exact)), key=lambda i: (money.difference(floors[i], exact[i]), i))
    for position in by_remainder[:left]:
        floors[position] = money.total((floors[position], unit))
    return floors


def means(figures: Floats, count: Integers) -> Floats:
    """Return the mean of the first figures of each row, rounded to watt-hours as :func:`eisenergy.money.excel_round` does.

    :param figures: finite [rows, NEAREST]
    :param count: how many count [rows]
    """
    there = np.arange(figures.shape[1]) < count[:, None]
    whole = np.rint(figures * 1000)
    exact = (whole / 1000 == figures) & (np.abs(whole) < _EXACT)
    if not (exact | ~there).all():  # a meter that is finer, or a figure that was reckoned
        return np.array([_mean(row[:n]) for row, n in zip(figures.tolist(), count.tolist(), strict=True)])
    total = np.where(there, whole, 0.0).sum(axis=1).astype(np.int64)
    rounded = (2 * np.abs(total) + count) // (2 * count)  # half away from zero
    result: Floats = np.where(total < 0, -rounded, rounded) / 1000
    return result


def _mean(values: list[float]) -> float:
    exact = money.quotient(money.total(money.decimals_of(values)), Decimal(len(values)))
    return float(money.excel_round(exact, PLACES))
