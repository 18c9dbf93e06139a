"""Estimates as a person would make them: interval by interval, with exact decimals, from tables of what was measured."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Set
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from eisenergy import money
from eisenergy.frames import ESTIMATED, MEASURED, READINGS
from eisenergy.period import Period
from eisenergy.quality.donors import NEAREST, Method, apportion
from eisenergy.timeofuse import DayType, day_type

SLOT = timedelta(minutes=15)
SCALED = {
    Method.SIMILAR_DAYS: Method.SIMILAR_DAYS_REGISTER,
    Method.OTHER_DAYS: Method.OTHER_DAYS_REGISTER,
    Method.MEAN: Method.MEAN_REGISTER,
}
Row = dict[str, object]


class Guess(NamedTuple):
    """One interval's estimate [kWh]."""

    kwh: Decimal
    export: Decimal | None
    method: Method


def finite(value: object) -> bool:
    return isinstance(value, float) and abs(value) < float("inf")


class Known:
    """What is known of a meter."""

    def __init__(self, rows: list[Row], zone: str, holidays: Set[date]) -> None:
        self.zone, self.holidays = ZoneInfo(zone), holidays
        self.kwh = {row["start"]: row["kwh_import"] for row in rows if finite(row["kwh_import"])}
        self.register = [
            (r["start"], r["register_kwh"]) for r in rows if r["register_kwh"] == r["register_kwh"] is not None
        ]
        self.register = [(start, value) for start, value in self.register if value is not None]
        self.exports = any(finite(row["kwh_export"]) and row["kwh_export"] != 0 for row in rows)
        self.measured = [row for row in rows if row["quality"] == MEASURED and finite(row["kwh_import"])]
        self.mean = pl.Series([row["kwh_import"] for row in self.measured], dtype=pl.Float64).mean()
        self.days: dict[int, list[tuple[date, float, float]]] = {}
        for row in self.measured:
            local = row["start"].astimezone(self.zone)  # type: ignore[attr-defined]
            export = row["kwh_export"]
            fed = export if export is not None and export == export else 0.0
            self.days.setdefault(local.hour * 60 + local.minute, []).append((local.date(), row["kwh_import"], fed))  # type: ignore[arg-type]

    def kind(self, day: date) -> DayType:
        found = day_type(day, self.holidays)
        return DayType.SUNDAY if found is DayType.HOLIDAY else found

    def shape(self, slot: datetime) -> Guess | None:
        """From the nearest similar days, else from the nearest, else from all."""
        local = slot.astimezone(self.zone)
        day = local.date()
        there = self.days.get(local.hour * 60 + local.minute, [])
        similar = [one for one in there if self.kind(one[0]) is self.kind(day)]
        donors = sorted(similar or there, key=lambda one: (abs((one[0] - day).days), one[0]))[:NEAREST]
        if donors:
            method = Method.SIMILAR_DAYS if similar else Method.OTHER_DAYS
            return Guess(mean([d[1] for d in donors]), mean([d[2] for d in donors]) if self.exports else None, method)
        if self.mean is None:
            return None
        return Guess(money.excel_round(self.mean, 3), money.ZERO if self.exports else None, Method.MEAN)  # type: ignore[arg-type]

    @functools.cache  # noqa: B019 - lives as long as a test's month
    def bracket(self, slot: datetime) -> tuple[datetime, datetime, Decimal] | None:
        """The register values around an interval, at most 35 days apart, and what the register moved."""
        upper = bisect.bisect_left(self.register, slot, key=lambda one: one[0])  # type: ignore[arg-type, return-value]
        if upper in (0, len(self.register)):
            return None
        (after, first), (upto, second) = self.register[upper - 1 : upper + 1]
        if upto - after > timedelta(days=35):  # type: ignore[operator]
            return None
        return after, upto, money.difference(money.decimal_of(second), money.decimal_of(first))  # type: ignore[arg-type, return-value]

    @functools.cache  # noqa: B019
    def shares(self, after: datetime, upto: datetime, moved: Decimal) -> dict[datetime, Guess]:
        """What the register says of all intervals between two of its values that are missing."""
        inside = [after + SLOT * n for n in range(1, (upto - after) // SLOT + 1)]
        rest = money.difference(moved, money.total(money.decimal_of(self.kwh[s]) for s in inside if s in self.kwh))  # type: ignore[arg-type]
        slots = [s for s in inside if s not in self.kwh]
        if rest < 0:
            return {}
        shapes = [self.shape(s) for s in slots]
        weights = [one.kwh if one else money.ZERO for one in shapes]
        even = len(slots) == 1 or not all(shapes) or money.total(weights) == 0
        parts = apportion(rest, [Decimal(1)] * len(slots) if even else weights)
        return {
            slot: Guess(
                part, one.export if one else None, Method.REGISTER if even or one is None else SCALED[one.method]
            )
            for slot, part, one in zip(slots, parts, shapes, strict=True)
        }

    def scaled(self, slot: datetime) -> Guess | None:
        found = self.bracket(slot)
        return None if found is None else self.shares(*found).get(slot)

    def guess(self, slot: datetime) -> Guess | None:
        return self.scaled(slot) or self.shape(slot)


def mean(values: list[float]) -> Decimal:
    return money.excel_round(money.quotient(money.total(map(money.decimal_of, values)), Decimal(len(values))), 3)


def filled(
    rows: pl.DataFrame, period: Period, zone: str, holidays: Set[date], max_missing_share: float
) -> tuple[pl.DataFrame, str, list[tuple[datetime, int, Decimal, str]]]:
    """Return the month with estimates, the code of the finding, and the stretches of estimates: start, intervals, energy, method.

    :param rows: of one meter, in order of time
    """
    first, last = period.utc(zone)
    known = [
        row for row in rows.iter_rows(named=True) if row["source"] != "estimate" or not first <= row["start"] < last
    ]
    month = {row["start"]: dict(row) for row in known if first <= row["start"] < last}
    for row in month.values():
        if row["quality"] == ESTIMATED and row["method"] is None:
            row["method"] = "meter"
    slots = period.slots(zone)
    grid = [first + SLOT * n for n in range(slots)]
    missing = [slot for slot in grid if slot not in month or not finite(month[slot]["kwh_import"])]
    estimates = [row for row in month.values() if row["quality"] == ESTIMATED and finite(row["kwh_import"])]
    code = "slots-estimated"
    if (len(missing) + len(estimates)) / slots > max_missing_share:
        code = "too-many-missing"
    elif missing:
        meter = Known(known, zone, holidays)
        guesses = {slot: meter.guess(slot) for slot in missing}
        if any(guess is None for guess in guesses.values()):
            code = "cannot-estimate"
        else:
            for row in month.values():
                row["kwh_export"] = row["kwh_export"] if row["kwh_export"] == row["kwh_export"] else None
            for slot, guess in guesses.items():
                assert guess is not None
                row = month.setdefault(slot, _new(known[0], slot))
                row |= {"kwh_import": float(guess.kwh), "quality": ESTIMATED, "method": guess.method.value}
                if row["kwh_export"] is None and guess.export is not None:
                    row["kwh_export"] = float(guess.export)
    ordered = [month[start] for start in sorted(month)]
    stretches: list[tuple[datetime, int, Decimal, str]] = []
    for row in ordered:
        if row["quality"] != ESTIMATED or not finite(row["kwh_import"]):
            continue
        kwh = money.decimal_of(row["kwh_import"])
        start, count, total, method = stretches[-1] if stretches else (None, 0, money.ZERO, "")
        if start is not None and row["start"] == start + SLOT * count and row["method"] == method:
            stretches[-1] = (start, count + 1, money.total((total, kwh)), method)
        else:
            stretches.append((row["start"], 1, kwh, row["method"]))
    if code == "slots-estimated" and not stretches:
        code = ""
    return pl.DataFrame(ordered, schema=READINGS, orient="row"), code, stretches


def _new(like: Row, slot: datetime) -> Row:
    row: Row = dict.fromkeys(READINGS)
    return row | {
        "client": like["client"],
        "meter": like["meter"],
        "start": slot,
        "source": "estimate",
        "source_row": 0,
    }
