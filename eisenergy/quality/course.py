"""Checks of the course of time: the grid, gaps, the meter's clock, its register, and the blocks the file names."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from eisenergy.findings import Finding, blocking, warning
from eisenergy.frames import SLOT_MINUTES
from eisenergy.quality.month import Month
from eisenergy.quality.registers import SLOT, Register, absent, disagreements
from eisenergy.timeofuse import DayCalendar


def off_grid(month: Month) -> Iterator[Finding]:
    """Readings that do not start where an interval starts."""
    starts = month.everything["start"]
    if (starts.to_physical().to_numpy() % (SLOT // timedelta(microseconds=1))).any():
        off = month.everything.filter(starts.dt.truncate(f"{SLOT_MINUTES}m") != starts)
        row = off.row(0, named=True)
        yield blocking(
            "off-grid",
            month.meter,
            f"meter {month.meter}: {len(off)} readings do not start on a multiple of {SLOT_MINUTES} minutes, the first at "
            f"{month.where(row)}. Read the file again with its interval length set.",
            count=len(off),
            **month.place(row),
        )


def _registered(month: Month) -> bool:
    """Whether any row has a register value."""
    return month.everything["register_kwh"].null_count() < len(month.everything)


def _gaps(month: Month) -> list[tuple[datetime, datetime, int]]:
    """Return (UTC start, UTC end, intervals) of the stretches without energy."""
    first, _ = month.period.utc(month.zone.key)
    expected = month.period.slots(month.zone.key)
    starts = month.rows["start"]
    if starts.n_unique() == expected:
        return []
    result = []
    # Neighbours have the same distance to their own position in the list, counted in intervals.
    for _, group in itertools.groupby(
        enumerate(absent(starts, first, expected)), key=lambda item: item[1] - SLOT * item[0]
    ):
        members = [slot for _, slot in group]
        result.append((members[0], members[-1] + SLOT, len(members)))
    return result


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
    gaps = _gaps(month)
    if not gaps or not _registered(month):
        return
    register = Register(month.everything)
    energy: dict[datetime, float] = {}
    for start, end, slots in gaps:
        bracket = register.bracket(start)
        if bracket is None or (bracket.after, bracket.upto) != (start - SLOT, end):
            continue
        energy = energy or dict(month.rows.select("start", "kwh_import").iter_rows())
        before, after = energy.get(start - SLOT, 0.0), energy.get(end, 0.0)
        if min(before, after) <= 0:
            continue
        inside = float(bracket.kwh) - after
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


def clock_back(month: Month) -> Iterator[Finding]:
    """Rows of one file that follow each other and go back in time, in a file that otherwise goes forward."""
    source = month.everything["source"]
    if (source == source[0]).all() and (np.diff(month.everything["source_row"].to_numpy()) > 0).all():
        return
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


def register(month: Month) -> Iterator[Finding]:
    """Intervals whose sum is not what the register moved."""
    if not _registered(month):
        return
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


def _blocks_at(hours: pl.DataFrame, days: dict[date, tuple[tuple[int, int, str], ...]]) -> list[str]:
    """The calendar's block of each row's local day and minute."""
    starts = [(day, start, block) for day, spans in days.items() for start, _, block in spans]
    known = pl.DataFrame(starts, schema={"day": pl.Date, "start": pl.Int32, "block": pl.String}, orient="row")
    found = hours.with_row_index("place").sort("day", "minute").join_asof(
        known.sort("day", "start"), by="day", left_on="minute", right_on="start", check_sortedness=False
    )  # fmt: skip
    return found.sort("place")["block"].to_list()


def blocks(month: Month, calendar: DayCalendar) -> Iterator[Finding]:
    """Rows whose file names another block than the calendar."""
    named = month.everything.filter(pl.col("block_in_file").is_not_null())
    if named.is_empty():
        return
    local = named["start"].dt.convert_time_zone(month.zone.key)
    days = {day: calendar.day_blocks(day) for day in local.dt.date().unique()}
    hours = pl.DataFrame({"day": local.dt.date(), "minute": local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()})
    in_calendar = _blocks_at(hours, days)
    spelled = named["block_in_file"].str.strip_chars().str.to_lowercase()
    apart = pl.Series("apart", [block.casefold() for block in in_calendar], dtype=pl.String) != spelled
    differing = named.filter(apart)
    if len(differing):
        row, block = differing.row(0, named=True), in_calendar[int(apart.arg_true()[0])]
        yield warning(
            "block-differs",
            month.meter,
            f"meter {month.meter}: {len(differing)} of {len(named)} rows name another block than calendar {calendar.name}, the first "
            f"{row['block_in_file']} where the calendar says {block}, at {month.where(row)}. The calendar is billed; correct the "
            "calendar if the file is right.",
            count=len(differing),
            of=len(named),
            in_file=row["block_in_file"],
            in_calendar=block,
            **month.place(row),
        )
