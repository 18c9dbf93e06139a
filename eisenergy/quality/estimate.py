"""Estimates for intervals that never arrived, so that a bill can be made.

A missing interval gets the mean of the same interval on the nearest similar days. Where the meter's register stands on both sides
of the gap, the estimates are scaled so that their sum is what the register says, to the last digit.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from eisenergy import money
from eisenergy.blockruns import microseconds
from eisenergy.findings import Finding, blocking, warning
from eisenergy.frames import ESTIMATED, READINGS
from eisenergy.period import Period
from eisenergy.quality.donors import Donors, Estimates
from eisenergy.quality.donors import Method as Method
from eisenergy.quality.registers import SLOT, absent
from eisenergy.quality.rows import SLOT_US, Booleans, Floats, Integers, Rows, instant
from eisenergy.quality.rows import SOURCE as SOURCE
from eisenergy.usage import EstimatedRange

FIGURES: Final = tuple(name for name, dtype in READINGS.items() if dtype == pl.Float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A month's readings with estimates in its gaps.

    :param rows: the meter's rows of the period in order of time
    :param ranges: every estimated stretch, those that came estimated in a file included
    :param findings: what was estimated, or why it was not
    """

    rows: Rows
    ranges: tuple[EstimatedRange, ...]
    findings: tuple[Finding, ...]

    @property
    def frame(self) -> pl.DataFrame:
        """The rows, columns of ``frames.READINGS``."""
        return self.rows.frame


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
    rows = pl.concat([history.filter(~inside).select(*READINGS), readings.filter(inside).select(*READINGS)])
    return fill_rows(
        Rows.of(rows, meter),
        meter=meter,
        period=period,
        timezone=timezone,
        max_missing_share=max_missing_share,
        holidays=holidays,
    )


def fill_rows(
    rows: Rows,
    *,
    meter: str,
    period: Period,
    timezone: str,
    max_missing_share: float,
    holidays: Set[date] = frozenset(),
) -> Filled:
    """Estimate the intervals of a month that are missing, as :func:`fill` does.

    :param rows: the meter's rows of the period, and before and after it, in order of time
    """
    first, last = map(microseconds, period.utc(timezone))
    mine = rows.within(first, last)
    if mine.made_here.any():
        begins = pl.Series(rows.start)
        rows = Rows(rows.frame.filter(~pl.Series(rows.made_here) | (begins < first) | (begins >= last)))
        mine = rows.within(first, last)
    kwh = mine.column("kwh_import")
    there = np.isfinite(kwh)
    slots = period.slots(timezone)
    missing = absent(mine.start[there], first, slots)
    came = np.flatnonzero(mine.estimated & there)
    mine = _named(mine)
    ranges = _ranges(mine.start[came], kwh[came], _methods(mine, came))
    share = (len(missing) + len(came)) / slots
    if share > max_missing_share:
        findings: tuple[Finding, ...] = (
            _too_many(meter, period, len(missing) + len(came), slots, share, max_missing_share),
        )
        return Filled(rows=mine, ranges=ranges, findings=findings)
    if not len(missing):
        return Filled(rows=mine, ranges=ranges, findings=_report(meter, period, timezone, ranges, slots))
    estimates = Donors(rows, timezone, holidays).of(missing)
    if len(estimates.start) < len(missing):
        lacking = np.setdiff1d(missing, estimates.start, assume_unique=True)
        return Filled(rows=mine, ranges=ranges, findings=(_cannot(meter, period, lacking, timezone),))
    if len(came):
        order = np.argsort(np.concatenate((mine.start[came], estimates.start)), kind="stable")
        methods = [*_methods(mine, came), *estimates.method]
        ranges = _ranges(
            np.concatenate((mine.start[came], estimates.start))[order],
            np.concatenate((kwh[came], estimates.kwh))[order],
            [methods[place] for place in order.tolist()],
        )
    else:
        ranges = _ranges(estimates.start, estimates.kwh, estimates.method)
    client: str = (mine if len(mine) else rows).frame["client"][0]
    frame = _insert(mine, client, meter, estimates)
    return Filled(rows=frame, ranges=ranges, findings=_report(meter, period, timezone, ranges, slots))


def estimated_ranges(frame: pl.DataFrame) -> tuple[EstimatedRange, ...]:
    """Return the stretches of neighbouring estimated rows of one method.

    :param frame: one meter's rows in order of time, columns of ``frames.READINGS``
    """
    rows = Rows(frame if frame["start"].is_sorted() else frame.sort("start"))
    kwh = rows.column("kwh_import")
    places = np.flatnonzero(rows.estimated & np.isfinite(kwh))
    return _ranges(rows.start[places], kwh[places], _methods(rows, places))


def _methods(rows: Rows, places: Integers) -> list[str]:
    """How some estimated rows were made."""
    return rows.frame["method"].gather(places).fill_null(Method.METER.value).to_list() if len(places) else []


def _named(mine: Rows) -> Rows:
    """Name the method of estimates that came without one."""
    if not mine.estimated.any():
        return mine
    unnamed = (pl.col("quality") == ESTIMATED) & pl.col("method").is_null()
    return Rows(mine.frame.with_columns(method=pl.when(unnamed).then(pl.lit(Method.METER.value)).otherwise("method")))


def _ranges(start: Integers, kwh: Floats, methods: Sequence[str]) -> tuple[EstimatedRange, ...]:
    """The stretches of neighbouring estimates of one method, in order of time."""
    if not len(start):
        return ()
    ways = np.unique(np.array(methods, dtype=np.str_), return_inverse=True)[1]
    begins = np.flatnonzero((np.diff(start, prepend=0) != SLOT_US) | (np.diff(ways, prepend=-1) != 0)).tolist()
    energies = money.decimals_of(kwh.tolist())
    return tuple(
        EstimatedRange(
            start=instant(int(start[a])),
            end=instant(int(start[b - 1])) + SLOT,
            slots=b - a,
            kwh=money.total(energies[a:b]),
            method=str(methods[a]),
        )
        for a, b in itertools.pairwise([*begins, len(start)])
    )


def _insert(mine: Rows, client: str, meter: str, estimates: Estimates) -> Rows:
    """Put the estimates into rows that have no energy, and make rows for the others."""
    if not np.diff(mine.start).all():  # an interval is there twice: whoever sums will say so
        return Rows(_frame(mine, client, meter, estimates))
    fresh = estimates.start[~_among(estimates.start, mine.start)]
    added = np.searchsorted(mine.start, fresh) + np.arange(len(fresh))
    own = np.ones(len(mine) + len(fresh), dtype=np.bool_)
    own[added] = False
    there = np.flatnonzero(own)
    start = np.empty(len(own), dtype=np.int64)
    start[there], start[added] = mine.start, fresh
    made = np.searchsorted(start, estimates.start)
    estimated = np.zeros(len(start), dtype=np.bool_)
    estimated[there], estimated[made] = mine.estimated, True
    figures: dict[str, Floats | None] = {}
    for name in FIGURES:
        values = mine.figures(name)
        column = None if values is None else np.full(len(start), np.nan)
        if column is not None and values is not None:
            column[there] = values
        figures[name] = column
    kwh, export = figures["kwh_import"], figures["kwh_export"]
    if kwh is None:
        kwh = figures["kwh_import"] = np.full(len(start), np.nan)
    kwh[made] = estimates.kwh
    if not np.isnan(estimates.export).all():
        if export is None:
            export = figures["kwh_export"] = np.full(len(start), np.nan)
        export[made] = np.where(np.isnan(export[made]), estimates.export, export[made])
    known = {"start": start, "estimated": estimated}
    return Rows(lambda: _frame(mine, client, meter, estimates), figures=figures, known=known, size=len(start))


def _among(some: Integers, all_: Integers) -> Booleans:
    """Which of some instants are among others. :param all_: in order"""
    place = np.searchsorted(all_, some)
    result: Booleans = np.append(all_, -1)[place] == some
    return result


def _frame(mine: Rows, client: str, meter: str, estimates: Estimates) -> pl.DataFrame:
    """The rows of :func:`_insert` as a frame."""
    made = pl.DataFrame(
        {
            "start": pl.Series(estimates.start).cast(READINGS["start"]),
            "_kwh": pl.Series(estimates.kwh, dtype=pl.Float64),
            "_export": pl.Series(estimates.export, dtype=pl.Float64).fill_nan(None),
            "_method": pl.Series([method.value for method in estimates.method], dtype=pl.String),
        }
    )
    arrived = pl.Series(_among(estimates.start, mine.start))
    updated = mine.frame.with_columns(pl.col("kwh_export").fill_nan(None))
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


def _cannot(meter: str, period: Period, lacking: Integers, timezone: str) -> Finding:
    first = instant(int(lacking[0])).astimezone(ZoneInfo(timezone))
    return blocking(
        "cannot-estimate",
        meter,
        f"meter {meter}: {len(lacking)} intervals of {period}, from {first:%Y-%m-%d %H:%M}, cannot be estimated: the meter has no "
        "measured interval and no register on both sides of the gap. Deliver readings of this meter.",
        slots=len(lacking),
    )
