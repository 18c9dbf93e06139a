"""Checks of the course of time: the grid, gaps, the meter's clock, its register, and the blocks the file names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

import numpy as np
import polars as pl

from eisenergy.findings import Finding, blocking, warning
from eisenergy.frames import SLOT_MINUTES
from eisenergy.quality.month import Month, unless
from eisenergy.quality.registers import SLOT, Register, agrees, disagreements
from eisenergy.quality.rows import EPOCH_DAY, MINUTE_US, SLOT_US, Integers, instant
from eisenergy.timeofuse import DAY_MINUTES, DayCalendar


def _on_grid(month: Month) -> bool:
    return not (month.all.start % SLOT_US).any()


@unless(_on_grid)
def off_grid(month: Month) -> Iterator[Finding]:
    """Readings that do not start where an interval starts."""
    starts = month.everything["start"]
    off = month.everything.filter(starts.dt.truncate(f"{SLOT_MINUTES}m") != starts)
    if len(off):
        row = off.row(0, named=True)
        yield blocking(
            "off-grid",
            month.meter,
            f"meter {month.meter}: {len(off)} readings do not start on a multiple of {SLOT_MINUTES} minutes, the first at "
            f"{month.where(row)}. Read the file again with its interval length set.",
            count=len(off),
            **month.place(row),
        )


def _gaps(month: Month) -> list[tuple[datetime, datetime, int]]:
    """Return (UTC start, UTC end, intervals) of the stretches without energy."""
    found = ((instant(start), slots) for start, slots in month.gaps)
    return [(start, start + SLOT * slots, slots) for start, slots in found]


def missing(month: Month) -> Iterator[Finding]:
    """Intervals that are not there."""
    gaps = _gaps(month)
    if gaps:
        count = sum(slots for _, _, slots in gaps)
        expected = month.period.slots(month.zone.key)
        listed = [f"{month.clock(start)} to {month.clock(end)} ({slots})" for start, end, slots in gaps]
        more = f", and {len(gaps) - 5} more" if len(gaps) > 5 else ""
        yield warning(
            "missing-slots",
            month.meter,
            f"meter {month.meter}: {count} of {expected} intervals of {month.period} are missing: {', '.join(listed[:5])}{more}. "
            "They are billed on estimates until the readings are delivered.",
            count=count,
            expected=expected,
            ranges=[{"start": start.isoformat(), "end": end.isoformat(), "slots": slots} for start, end, slots in gaps],
        )


def clock_forward(month: Month) -> Iterator[Finding]:
    """A gap over which the register did not move, at a meter that takes energy before and after: no time passed in it."""
    if not month.gaps or not month.registered:
        return
    register = Register(month.all)

    def energy(at: int) -> float:
        upper = int(np.searchsorted(month.start, at, side="right"))
        return float(month.kwh[upper - 1]) if upper and month.start[upper - 1] == at else 0.0

    for first, slots in month.gaps:
        last = first + SLOT_US * slots
        bracket = register.bracket(first)
        if bracket is None or (bracket.after, bracket.upto) != (first - SLOT_US, last):
            continue
        before, after = energy(first - SLOT_US), energy(last)
        if min(before, after) <= 0:
            continue
        inside = float(bracket.kwh) - after
        start, end = instant(first), instant(last)
        if slots > 1 and 0 <= inside + month.limits.register_tolerance_kwh < 0.01 * slots * min(before, after):
            yield blocking(
                "clock-jump",
                month.meter,
                f"meter {month.meter}: no reading from {month.clock(start)} to {month.clock(end)}, and the register moved {inside:g} kWh "
                f"over these {slots} intervals beside {before:g} kWh in the one before: the meter's clock was set forward, and what follows "
                "or went before lies in the wrong hours. Correct the meter's clock and deliver a corrected file.",
                start=start.isoformat(),
                end=end.isoformat(),
                slots=slots,
                register_kwh=inside,
            )


def _forward(month: Month) -> bool:
    """Whether every file is one stretch of rows that follow one another."""
    rows = month.all
    if not ((np.diff(rows.source_row) > 0) | rows.turns[1:]).all():
        return False
    sources = rows.sources()
    return len(set(sources)) == len(sources)


@unless(_forward)
def clock_back(month: Month) -> Iterator[Finding]:
    """Rows of one file that follow each other and go back in time, in a file that otherwise goes forward."""
    ordered = month.everything.sort("source", "source_row").with_columns(
        back=(pl.col("start").diff() < pl.duration(minutes=0)) & (pl.col("source") == pl.col("source").shift())
    )
    for (_,), rows in ordered.group_by("source", maintain_order=True):
        back = rows.filter(pl.col("back"))
        if 0 < len(back) <= max(1, len(rows) // 100):
            row = back.row(0, named=True)
            yield warning(
                "clock-back",
                month.meter,
                f"meter {month.meter}: the file goes back in time {len(back)} times, first to {month.where(row)}. Either rows were "
                "appended late, or the meter's clock was set back: check its event log.",
                count=len(back),
                **month.place(row),
            )


def _register_agrees(month: Month) -> bool:
    return not month.registered or agrees(month.all, month.limits.register_tolerance_kwh)


@unless(_register_agrees)
def register(month: Month) -> Iterator[Finding]:
    """Intervals whose sum is not what the register moved."""
    compared = disagreements(month.everything)
    reset = compared.filter(pl.col("register_kwh") < -month.limits.register_tolerance_kwh)
    if len(reset):
        at = month.clock(reset["start"][0])
        yield warning(
            "register-reset",
            month.meter,
            f"meter {month.meter}: the register goes back by {-reset['register_kwh'][0]:g} kWh at {at}. Check whether the meter was "
            "replaced or its register reset; intervals are billed.",
            count=len(reset),
            start=reset["start"][0].isoformat(),
        )
    forward = compared.filter(pl.col("register_kwh") >= -month.limits.register_tolerance_kwh)
    gap = (pl.col("register_kwh") - pl.col("interval_kwh")).abs()
    apart = forward.filter(gap > month.limits.register_tolerance_kwh)
    if apart.is_empty():
        return
    registered, summed = float(forward["register_kwh"].sum()), float(forward["interval_kwh"].sum())
    difference = float(apart.select(gap.sum()).item())
    make = blocking if difference > month.limits.register_share * max(registered, summed) else warning
    yield make(
        "register-disagrees",
        month.meter,
        f"meter {month.meter}: the register moved {registered:,.3f} kWh where the intervals sum to {summed:,.3f} kWh; {len(apart)} of "
        f"{len(forward)} comparisons disagree, by {difference:,.3f} kWh together, the first at {month.clock(apart['start'][0])}. Expected the same: check the "
        "columns' units and the transformer ratio, or deliver a corrected file.",
        register_kwh=registered,
        interval_kwh=summed,
        difference_kwh=difference,
        count=len(apart),
        start=apart["start"][0].isoformat(),
    )


def _blocks_at(local: Integers, calendar: DayCalendar) -> Integers:
    """Number among the calendar's blocks of the one at each local time [microseconds without a zone]."""
    number = {block: n for n, block in enumerate(calendar.blocks)}
    days, minutes = np.divmod(local // MINUTE_US, DAY_MINUTES)
    begins: list[int] = []
    numbers: list[int] = []
    for day in np.unique(days).tolist():
        for start, _, block in calendar.day_blocks(date.fromordinal(EPOCH_DAY + day)):
            begins.append(day * DAY_MINUTES + start)
            numbers.append(number[block])
    place = np.searchsorted(np.array(begins, dtype=np.int64), days * DAY_MINUTES + minutes, side="right") - 1
    return np.array(numbers, dtype=np.int64)[place]


def blocks(month: Month, calendar: DayCalendar) -> Iterator[Finding]:
    """Rows whose file names another block than the calendar."""
    naming = np.flatnonzero(month.all.names_block)
    if not len(naming):
        return
    in_file = month.all.frame["block_in_file"]
    spelled = (in_file if len(naming) == len(in_file) else in_file.gather(naming)).str.strip_chars().str.to_lowercase()
    found = _blocks_at(month.all.local(month.zone.key)[naming], calendar)
    folded = pl.Series([block.casefold() for block in calendar.blocks], dtype=pl.String)
    apart = (folded.gather(found) != spelled).arg_true()
    if len(apart):
        at = int(apart[0])
        row, block = month.everything.row(int(naming[at]), named=True), calendar.blocks[int(found[at])]
        yield warning(
            "block-differs",
            month.meter,
            f"meter {month.meter}: {len(apart)} of {len(naming)} rows name another block than calendar {calendar.name}, the first "
            f"{row['block_in_file']} where the calendar says {block}, at {month.where(row)}. The calendar is billed; correct the "
            "calendar if the file is right.",
            count=len(apart),
            of=len(naming),
            in_file=row["block_in_file"],
            in_calendar=block,
            **month.place(row),
        )
