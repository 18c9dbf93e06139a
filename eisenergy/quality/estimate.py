"""Estimates for intervals that never arrived, so that a bill can be made.

A missing interval gets the mean of the same interval on the nearest similar days. Where the meter's register stands on both sides
of the gap, the estimates are scaled so that their sum is what the register says, to the last digit.
"""

from __future__ import annotations

import itertools
from collections.abc import Set
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from eisenergy import money
from eisenergy.findings import Finding, blocking, warning
from eisenergy.frames import ESTIMATED, READINGS
from eisenergy.period import Period
from eisenergy.quality.donors import KNOWN, Donors, Estimate, finite
from eisenergy.quality.donors import Method as Method
from eisenergy.quality.registers import SLOT, absent
from eisenergy.usage import EstimatedRange

SOURCE: Final = "estimate"
"""``source`` of the rows made here; such rows are made anew whenever a month is filled again."""


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
    unnamed = (pl.col("quality") == ESTIMATED) & pl.col("method").is_null()
    mine = mine.with_columns(method=pl.when(unnamed).then(pl.lit(Method.METER.value)).otherwise("method"))
    past = history.select("client", "meter", *KNOWN).filter((pl.col("meter") == meter) & ~inside)
    slots = period.slots(timezone)
    missing = absent(mine.filter(finite("kwh_import"))["start"], first, slots)
    guessed = len(mine.filter((pl.col("quality") == ESTIMATED) & finite("kwh_import")))
    share = (len(missing) + guessed) / slots
    if share > max_missing_share:
        return Filled(
            frame=mine,
            ranges=estimated_ranges(mine),
            findings=(_too_many(meter, period, len(missing) + guessed, slots, share, max_missing_share),),
        )
    if not missing:
        ranges = estimated_ranges(mine)
        return Filled(frame=mine, ranges=ranges, findings=_report(meter, period, timezone, ranges, slots))

    estimates = Donors(pl.concat([past.select(KNOWN), mine.select(KNOWN)]), timezone, holidays).of(missing)
    lacking = [slot for slot in missing if slot not in estimates]
    if lacking:
        return Filled(frame=mine, ranges=estimated_ranges(mine), findings=(_cannot(meter, period, lacking, timezone),))
    client: str = (past if mine.is_empty() else mine)["client"][0]
    frame = _insert(mine, client, meter, estimates)
    ranges = estimated_ranges(frame)
    return Filled(frame=frame, ranges=ranges, findings=_report(meter, period, timezone, ranges, slots))


def estimated_ranges(frame: pl.DataFrame) -> tuple[EstimatedRange, ...]:
    """Return the stretches of neighbouring estimated rows of one method.

    :param frame: one meter's rows in order of time, columns of ``frames.READINGS``
    """
    rows = frame.filter((pl.col("quality") == ESTIMATED) & finite("kwh_import"))
    ordered = rows.select("start", "kwh_import", pl.col("method").fill_null(Method.METER.value)).sort("start").rows()
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


def _insert(mine: pl.DataFrame, client: str, meter: str, estimates: dict[datetime, Estimate]) -> pl.DataFrame:
    """Put the estimates into rows that have no energy, and make rows for the others."""
    exports = [None if one.export is None else float(one.export) for one in estimates.values()]
    made = pl.DataFrame(
        {
            "start": pl.Series(list(estimates), dtype=READINGS["start"]),
            "_kwh": pl.Series([float(one.kwh) for one in estimates.values()], dtype=pl.Float64),
            "_export": pl.Series(exports, dtype=pl.Float64),
            "_method": pl.Series([one.method.value for one in estimates.values()], dtype=pl.String),
        }
    )
    arrived = made["start"].is_in(mine["start"].implode())
    updated = mine.with_columns(pl.col("kwh_export").fill_nan(None))
    if arrived.any():
        updated = updated.join(made.filter(arrived), on="start", how="left", validate="1:1").with_columns(
            kwh_import=pl.coalesce("_kwh", "kwh_import"),
            kwh_export=pl.coalesce("kwh_export", "_export"),
            quality=pl.when(pl.col("_kwh").is_not_null()).then(pl.lit(ESTIMATED)).otherwise("quality"),
            method=pl.coalesce("_method", "method"),
        )
    added = made.filter(~arrived).select(
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
    return pl.concat([updated.select(*READINGS), added], how="diagonal").sort("start")


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
