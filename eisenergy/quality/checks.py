"""Checks of a meter's month before it is billed.

What would make a wrong bill is blocking and parks the customer: values that cannot be, a clock that jumped, power in another unit than
energy. What a person should look at and the bill survives is a warning. Missing intervals are a warning here; whether they
are too many is decided where they are estimated.
"""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from eisenergy.blockruns import microseconds
from eisenergy.findings import Finding, Severity, blocking
from eisenergy.period import Period
from eisenergy.quality import course, values
from eisenergy.quality.month import Limits, Month
from eisenergy.quality.rows import Rows
from eisenergy.timeofuse import DayCalendar

DEFAULTS: Final = Limits()
CHECKS: Final = (
    course.off_grid,
    values.not_finite,
    values.negative,
    values.too_large,
    values.power_scale,
    course.clock_forward,
    course.register,
    course.missing,
    course.clock_back,
    values.spikes,
    values.level,
    values.stuck,
    values.idle,
)


def check(
    readings: pl.DataFrame,
    *,
    meter: str,
    period: Period,
    timezone: str,
    contracted_kw: float | None = None,
    history: pl.DataFrame | None = None,
    calendar: DayCalendar | None = None,
    limits: Limits = DEFAULTS,
) -> tuple[Finding, ...]:
    """Look for what is wrong with a meter's readings of a period.

    :param readings: columns of ``frames.READINGS``; rows of other meters and outside the period are passed over
    :param contracted_kw: contracted power [kW]; the best measure of what a meter can show
    :param history: the meter's rows of other months, to compare with
    :param calendar: to compare the file's own block names with
    :returns: findings, blocking ones first; data carries the figures, ``source`` and ``source_row`` of the first row concerned
    """
    rows = Rows.of(readings, meter).within(*map(microseconds, period.utc(timezone)))
    return examine(
        rows,
        rows if history is None else Rows.of(history, meter),
        meter=meter,
        period=period,
        timezone=timezone,
        contracted_kw=contracted_kw,
        calendar=calendar,
        limits=limits,
    )


def examine(
    rows: Rows,
    beside: Rows,
    *,
    meter: str,
    period: Period,
    timezone: str,
    contracted_kw: float | None = None,
    calendar: DayCalendar | None = None,
    limits: Limits = DEFAULTS,
) -> tuple[Finding, ...]:
    """Look for what is wrong with a meter's readings of a period, as :func:`check` does.

    :param rows: the meter's rows of the period, in order of time
    :param beside: the meter's rows to compare with; those of the period are passed over
    """
    if not len(rows):
        return (
            blocking(
                "no-readings",
                meter,
                f"meter {meter}: no reading in {period}. Ingest the meter's file of that month.",
                expected=period.slots(timezone),
            ),
        )
    month = Month(
        all=rows,
        beside=beside,
        meter=meter,
        period=period,
        zone=ZoneInfo(timezone),
        contracted_kw=contracted_kw,
        limits=limits,
    )
    found = [finding for one in CHECKS for finding in one(month)]
    if calendar is not None:
        found += course.blocks(month, calendar)
    return tuple(sorted(found, key=lambda finding: finding.severity is not Severity.BLOCKING))
