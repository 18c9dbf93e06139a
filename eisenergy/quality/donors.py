"""What the intervals that arrived say about one that did not: similar days, and the register around the gap."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from eisenergy import money
from eisenergy.frames import MEASURED
from eisenergy.quality.registers import Bracket, Register
from eisenergy.timeofuse import DayType, day_type

NEAREST: Final = 4
"""Similar days an estimate is the mean of."""

PLACES: Final = 3
"""Estimates are whole watt-hours, as meters give them."""

KNOWN: Final = ("start", "kwh_import", "kwh_export", "quality", "register_kwh")
"""Columns that tell of a meter."""

_LONGEST_BRACKET: Final = timedelta(days=35)
_EPOCH: Final = date(1970, 1, 1).toordinal()
_DAY, _MINUTE = 86_400_000_000, 60_000_000
"""Microseconds."""


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


@dataclass(frozen=True, slots=True)
class Estimate:
    """One interval's estimate [kWh]; ``export`` is ``None`` at a meter that never fed in."""

    kwh: Decimal
    export: Decimal | None
    method: Method


class Donors:
    """What is known about a meter, to estimate from. :param rows: :data:`KNOWN`, in any order"""

    def __init__(self, rows: pl.DataFrame, timezone: str, holidays: Set[date]) -> None:
        self._zone = ZoneInfo(timezone)
        self._holidays = holidays
        self._rows = rows.sort("start")
        self._register = Register(self._rows)
        export = self._rows["kwh_export"].fill_nan(None).fill_null(0.0)
        self._exports = bool((np.isfinite(export.to_numpy()) & (export.to_numpy() != 0)).any())
        measured = (self._rows["quality"] == MEASURED) & self._rows["kwh_import"].is_finite().fill_null(value=False)
        kwh = self._rows["kwh_import"].filter(measured)
        self._mean: float | None = kwh.mean()  # type: ignore[assignment]  # mean of floats
        local = self._rows["start"].filter(measured).dt.convert_time_zone(timezone).dt.replace_time_zone(None)
        days, self._after = np.divmod(local.to_physical().to_numpy(), _DAY)
        self._day_numbers = days + _EPOCH
        self._measured_kwh, self._measured_export = kwh.to_numpy(), export.filter(measured).to_numpy()
        self._days: dict[int, list[tuple[date, DayType, float, float]]] = {}
        self._day_types: dict[date, DayType] = {}

    @functools.cached_property
    def _kwh(self) -> dict[datetime, float]:
        return dict(self._rows.filter(finite("kwh_import")).select("start", "kwh_import").iter_rows())

    def _days_at(self, minute: int) -> list[tuple[date, DayType, float, float]]:
        """What was measured at a local minute of the day; a gap asks for a few of them."""
        if minute not in self._days:
            rows = np.flatnonzero(self._after // _MINUTE == minute)
            days = map(date.fromordinal, self._day_numbers[rows].tolist())
            kwh, export = self._measured_kwh[rows].tolist(), self._measured_export[rows].tolist()
            self._days[minute] = [
                (day, self._day_type(day), *both) for day, *both in zip(days, kwh, export, strict=True)
            ]
        return self._days[minute]

    def of(self, missing: Iterable[datetime]) -> dict[datetime, Estimate]:
        """Estimate intervals; one that nothing is known about is left out."""
        by_bracket: dict[Bracket | None, list[datetime]] = defaultdict(list)
        for slot in missing:
            bracket = self._register.bracket(slot)
            usable = bracket is not None and bracket.upto - bracket.after <= _LONGEST_BRACKET
            by_bracket[bracket if usable else None].append(slot)
        result: dict[datetime, Estimate] = {}
        for bracket, slots in by_bracket.items():
            scaled = self._scaled(bracket) if bracket else {}
            for slot in slots:
                estimate = scaled.get(slot) or self._unscaled(slot)
                if estimate:
                    result[slot] = estimate
        return result

    def _scaled(self, bracket: Bracket) -> dict[datetime, Estimate]:
        """Share what the register says among all intervals missing between its two values."""
        inside = bracket.slots()
        known = money.total(money.decimal_of(self._kwh[slot]) for slot in inside if slot in self._kwh)
        rest = money.difference(bracket.kwh, known)
        if rest < 0:
            return {}  # reset, replaced or wrong: the check of the register says so
        slots = [slot for slot in inside if slot not in self._kwh]
        shapes = [self._unscaled(slot) for slot in slots]
        weights = [shape.kwh if shape else money.ZERO for shape in shapes]
        even = len(slots) == 1 or not all(shapes) or money.total(weights) == 0
        parts = apportion(rest, [Decimal(1)] * len(slots) if even else weights)
        return {
            slot: Estimate(
                part, shape.export if shape else None, Method.REGISTER if even or not shape else _SCALED[shape.method]
            )
            for slot, shape, part in zip(slots, shapes, parts, strict=True)
        }

    def _unscaled(self, slot: datetime) -> Estimate | None:
        """Return the mean of the nearest similar days, else of the nearest days, else of everything measured."""
        local = slot.astimezone(self._zone)
        day, kind = local.date(), self._day_type(local.date())
        days = self._days_at(local.hour * 60 + local.minute)
        similar = [entry for entry in days if entry[1] is kind]
        donors = sorted(similar or days, key=lambda entry: (abs((entry[0] - day).days), entry[0]))[:NEAREST]
        if donors:
            method = Method.SIMILAR_DAYS if similar else Method.OTHER_DAYS
            kwh = [money.decimal_of(entry[2]) for entry in donors]
            exported = [money.decimal_of(entry[3]) for entry in donors]
            return Estimate(_mean(kwh), _mean(exported) if self._exports else None, method)
        if self._mean is None:
            return None
        return Estimate(money.excel_round(self._mean, PLACES), money.ZERO if self._exports else None, Method.MEAN)

    def _day_type(self, day: date) -> DayType:
        if day not in self._day_types:
            kind = day_type(day, self._holidays)
            self._day_types[day] = DayType.SUNDAY if kind is DayType.HOLIDAY else kind
        return self._day_types[day]


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


def _mean(values: list[Decimal]) -> Decimal:
    return money.excel_round(money.quotient(money.total(values), Decimal(len(values))), PLACES)


def finite(name: str) -> pl.Expr:
    """Return the condition that a column holds a number."""
    return pl.col(name).is_finite().fill_null(value=False)
