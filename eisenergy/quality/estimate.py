"""Estimates for intervals that never arrived, so that a bill can be made.

A missing interval gets the mean of the same interval on the nearest similar days. Where the meter's register stands on both sides
of the gap, the estimates are scaled so that their sum is what the register says, to the last digit.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from eisenergy import money
from eisenergy.findings import Finding, blocking, warning
from eisenergy.frames import ESTIMATED, MEASURED, READINGS
from eisenergy.period import Period
from eisenergy.quality.registers import SLOT, Bracket, Register
from eisenergy.timeofuse import DayType, day_type
from eisenergy.usage import EstimatedRange

SOURCE: Final = "estimate"
"""``source`` of the rows made here; such rows are made anew whenever a month is filled again."""

NEAREST: Final = 4
"""Similar days an estimate is the mean of."""

PLACES: Final = 3
"""Estimates are whole watt-hours, as meters give them."""

_LONGEST_BRACKET: Final = timedelta(days=35)


class Method(StrEnum):
    """How an estimate was made; the name stands on the reading and on the invoice."""

    SIMILAR_DAYS = "similar-days"  # mean of the same interval on the nearest days of the same type
    SIMILAR_DAYS_REGISTER = "similar-days-register"  # the same, scaled to the register
    OTHER_DAYS = "other-days"  # mean of the same interval on the nearest days of any type
    OTHER_DAYS_REGISTER = "other-days-register"
    MEAN = "mean"  # mean of all measured intervals
    MEAN_REGISTER = "mean-register"
    REGISTER = "register"  # the register alone, evenly over the gap


_SCALED: Final = {
    Method.SIMILAR_DAYS: Method.SIMILAR_DAYS_REGISTER,
    Method.OTHER_DAYS: Method.OTHER_DAYS_REGISTER,
    Method.MEAN: Method.MEAN_REGISTER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A month's readings with estimates in its gaps.

    :param frame: the meter's rows of the period in order of time, columns of ``frames.READINGS``
    :param ranges: every estimated stretch, those that came estimated in a file included
    :param findings: what was estimated, or why it was not
    """

    frame: pl.DataFrame
    ranges: tuple[EstimatedRange, ...]
    findings: tuple[Finding, ...]


def fill(
    readings: pl.DataFrame,
    history: pl.DataFrame,
    *,
    meter: str,
    period: Period,
    timezone: str,
    max_missing_share: float,
    holidays: Set[date] = frozenset(),
) -> Filled:
    """Estimate the intervals of a month that are missing.

    An estimated row has ``kwh_import`` (and ``kwh_export``, where the meter ever fed in), ``quality`` estimated and its ``method``.
    Its power is null, so that a maximum it sets is its energy per hour; its forecast is null, so that no deviation is charged on a
    guess; its per-slot prices are null, so that tariff or customer master price it; its reactive energy is null and counts as none.
    A row that arrived without ``kwh_import`` keeps its other columns.

    :param readings: rows of the period (others are passed over), columns of ``frames.READINGS``
    :param history: rows of the same meter before and after the period; may be empty
    :param max_missing_share: share of the period's intervals that may be estimated, 0 to 1; above it nothing is estimated
    :param holidays: local dates that are estimated from Sundays and holidays, and weekdays never from them
    :returns: frame, ranges, and a blocking finding ``too-many-missing`` or ``cannot-estimate``, or a warning ``slots-estimated``

    Notes: scaled to a register, ``kwh[i] = w[i] / sum(w) * (R[after] - R[before] - sum of the intervals that are there)``,
    rounded to watt-hours by largest remainders so that the sum is exact.
    """
    first, last = period.utc(timezone)
    inside = (pl.col("start") >= first) & (pl.col("start") < last)
    mine = readings.filter((pl.col("meter") == meter) & (pl.col("source") != SOURCE) & inside).sort("start")
    past = history.filter((pl.col("meter") == meter) & ~inside)
    slots = [first + SLOT * n for n in range(period.slots(timezone))]
    present = set(mine.filter(_finite("kwh_import"))["start"].to_list())
    missing = [slot for slot in slots if slot not in present]
    guessed = len(mine.filter((pl.col("quality") == ESTIMATED) & _finite("kwh_import")))
    share = (len(missing) + guessed) / len(slots)
    if share > max_missing_share:
        return Filled(
            frame=mine,
            ranges=estimated_ranges(mine),
            findings=(_too_many(meter, period, len(missing) + guessed, len(slots), share, max_missing_share),),
        )
    if not missing:
        ranges = estimated_ranges(mine)
        return Filled(frame=mine, ranges=ranges, findings=_report(meter, period, timezone, ranges, len(slots)))

    estimates = _Estimates(pl.concat([past, mine]), timezone, holidays).of(missing)
    lacking = [slot for slot in missing if slot not in estimates]
    if lacking:
        return Filled(frame=mine, ranges=estimated_ranges(mine), findings=(_cannot(meter, period, lacking, timezone),))
    frame = _insert(mine, past, meter, estimates)
    ranges = estimated_ranges(frame)
    return Filled(frame=frame, ranges=ranges, findings=_report(meter, period, timezone, ranges, len(slots)))


def estimated_ranges(frame: pl.DataFrame) -> tuple[EstimatedRange, ...]:
    """Return the stretches of neighbouring estimated rows of one method.

    :param frame: one meter's rows in order of time, columns of ``frames.READINGS``
    """
    rows = frame.filter((pl.col("quality") == ESTIMATED) & _finite("kwh_import"))
    ordered = rows.select("start", "kwh_import", pl.col("method").fill_null("meter")).sort("start").rows()
    # Neighbours have the same distance to their own position in the list, counted in intervals.
    stretches = itertools.groupby(enumerate(ordered), key=lambda item: (item[1][0] - SLOT * item[0], item[1][2]))
    result = []
    for (_, method), items in stretches:
        members = [row for _, row in items]
        result.append(
            EstimatedRange(
                start=members[0][0],
                end=members[-1][0] + SLOT,
                slots=len(members),
                kwh=money.total(money.decimal_of(row[1]) for row in members),
                method=method,
            )
        )
    return tuple(result)


@dataclass(frozen=True, slots=True)
class _Estimate:
    kwh: Decimal
    export: Decimal | None
    method: Method


class _Estimates:
    """What is known about a meter, to estimate from."""

    def __init__(self, rows: pl.DataFrame, timezone: str, holidays: Set[date]) -> None:
        self._zone = ZoneInfo(timezone)
        self._holidays = holidays
        self._register = Register(rows)
        known = rows.filter(_finite("kwh_import"))
        self._kwh: dict[datetime, float] = dict(known.select("start", "kwh_import").iter_rows())
        measured = known.filter(pl.col("quality") == MEASURED).sort("start")
        self._exports = rows.filter(_finite("kwh_export") & (pl.col("kwh_export") != 0)).height > 0
        self._mean: float | None = measured["kwh_import"].mean()  # type: ignore[assignment]  # mean of floats
        self._days: dict[int, list[tuple[date, DayType, float, float]]] = defaultdict(list)
        for start, kwh, export in measured.select(
            "start", "kwh_import", pl.col("kwh_export").fill_nan(None).fill_null(0.0)
        ).iter_rows():
            local = start.astimezone(self._zone)
            self._days[local.hour * 60 + local.minute].append((local.date(), self._day_type(local.date()), kwh, export))

    def of(self, missing: Iterable[datetime]) -> dict[datetime, _Estimate]:
        """Estimate intervals; one that nothing is known about is left out."""
        by_bracket: dict[Bracket | None, list[datetime]] = defaultdict(list)
        for slot in missing:
            bracket = self._register.bracket(slot)
            usable = bracket is not None and bracket.upto - bracket.after <= _LONGEST_BRACKET
            by_bracket[bracket if usable else None].append(slot)
        result: dict[datetime, _Estimate] = {}
        for bracket, slots in by_bracket.items():
            scaled = self._scaled(bracket) if bracket else {}
            for slot in slots:
                estimate = scaled.get(slot) or self._unscaled(slot)
                if estimate:
                    result[slot] = estimate
        return result

    def _scaled(self, bracket: Bracket) -> dict[datetime, _Estimate]:
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
            slot: _Estimate(
                part, shape.export if shape else None, Method.REGISTER if even or not shape else _SCALED[shape.method]
            )
            for slot, shape, part in zip(slots, shapes, parts, strict=True)
        }

    def _unscaled(self, slot: datetime) -> _Estimate | None:
        """Return the mean of the nearest similar days, else of the nearest days, else of everything measured."""
        local = slot.astimezone(self._zone)
        day, kind = local.date(), self._day_type(local.date())
        days = self._days[local.hour * 60 + local.minute]
        similar = [entry for entry in days if entry[1] is kind]
        donors = sorted(similar or days, key=lambda entry: (abs((entry[0] - day).days), entry[0]))[:NEAREST]
        if donors:
            method = Method.SIMILAR_DAYS if similar else Method.OTHER_DAYS
            kwh = [money.decimal_of(entry[2]) for entry in donors]
            exported = [money.decimal_of(entry[3]) for entry in donors]
            return _Estimate(_mean(kwh), _mean(exported) if self._exports else None, method)
        if self._mean is None:
            return None
        return _Estimate(money.excel_round(self._mean, PLACES), money.ZERO if self._exports else None, Method.MEAN)

    def _day_type(self, day: date) -> DayType:
        kind = day_type(day, self._holidays)
        return DayType.SUNDAY if kind is DayType.HOLIDAY else kind


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
    by_remainder = sorted(range(len(exact)), key=lambda i: (floors[i] - exact[i], i))
    for position in by_remainder[:left]:
        floors[position] = money.total((floors[position], unit))
    return floors


def _mean(values: list[Decimal]) -> Decimal:
    return money.excel_round(money.quotient(money.total(values), Decimal(len(values))), PLACES)


def _finite(name: str) -> pl.Expr:
    return pl.col(name).is_finite().fill_null(value=False)


def _insert(mine: pl.DataFrame, past: pl.DataFrame, meter: str, estimates: dict[datetime, _Estimate]) -> pl.DataFrame:
    """Put the estimates into rows that have no energy, and make rows for the others."""
    made = pl.DataFrame(
        [
            (slot, float(e.kwh), None if e.export is None else float(e.export), e.method)
            for slot, e in estimates.items()
        ],
        schema={"start": READINGS["start"], "_kwh": pl.Float64, "_export": pl.Float64, "_method": pl.String},
        orient="row",
    )
    updated = mine.join(made, on="start", how="left", validate="1:1").with_columns(
        kwh_import=pl.coalesce("_kwh", "kwh_import"),
        kwh_export=pl.coalesce(pl.col("kwh_export").fill_nan(None), "_export"),
        quality=pl.when(pl.col("_kwh").is_not_null()).then(pl.lit(ESTIMATED)).otherwise("quality"),
        method=pl.coalesce("_method", "method"),
    )
    client = pl.concat([mine, past])["client"].first()
    added = made.join(mine, on="start", how="anti").select(
        *(pl.lit(None, dtype=dtype).alias(name) for name, dtype in READINGS.items() if name not in _MADE),
        "start",
        client=pl.lit(client),
        meter=pl.lit(meter),
        kwh_import="_kwh",
        kwh_export="_export",
        quality=pl.lit(ESTIMATED),
        method="_method",
        source=pl.lit(SOURCE),
        source_row=pl.lit(0, dtype=pl.Int32),
    )
    return pl.concat([updated.select(*READINGS), added.select(*READINGS)]).sort("start")


_MADE: Final = {"client", "meter", "start", "kwh_import", "kwh_export", "quality", "method", "source", "source_row"}


def _report(
    meter: str, period: Period, timezone: str, ranges: tuple[EstimatedRange, ...], slots: int
) -> tuple[Finding, ...]:
    if not ranges:
        return ()
    zone = ZoneInfo(timezone)
    count = sum(item.slots for item in ranges)
    listed: list[dict[str, Any]] = [
        {
            "start": f"{item.start.astimezone(zone):%Y-%m-%d %H:%M}",
            "end": f"{item.end.astimezone(zone):%Y-%m-%d %H:%M}",
            "slots": item.slots,
            "kwh": str(item.kwh),
            "method": item.method,
        }
        for item in ranges
    ]
    shown = "; ".join(f"{r['start']} to {r['end']}: {r['kwh']} kWh ({r['method']})" for r in listed[:5])
    more = f"; and {len(listed) - 5} more" if len(listed) > 5 else ""
    return (
        warning(
            "slots-estimated",
            meter,
            f"meter {meter}: {count} of {slots} intervals of {period} are estimates: {shown}{more}. No deviation is charged on them "
            "and they are priced by tariff and customer master. When the readings arrive, ingest them: the difference is corrected.",
            slots=count,
            share=count / slots,
            kwh=str(money.total(item.kwh for item in ranges)),
            ranges=listed,
        ),
    )


def _too_many(meter: str, period: Period, count: int, slots: int, share: float, limit: float) -> Finding:
    return blocking(
        "too-many-missing",
        meter,
        f"meter {meter}: {count} of {slots} intervals of {period} are missing or estimated, {share:.1%}; at most {limit:.1%} may be. "
        "Deliver the missing readings, or raise max_missing_share in the client's parameters.",
        slots=count,
        share=share,
        limit=limit,
    )


def _cannot(meter: str, period: Period, lacking: list[datetime], timezone: str) -> Finding:
    first = lacking[0].astimezone(ZoneInfo(timezone))
    return blocking(
        "cannot-estimate",
        meter,
        f"meter {meter}: {len(lacking)} intervals of {period}, from {first:%Y-%m-%d %H:%M}, cannot be estimated: the meter has no "
        "measured interval and no register on both sides of the gap. Deliver readings of this meter.",
        slots=len(lacking),
    )
