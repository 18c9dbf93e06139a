"""The readings in a workbook: its slot table, row by row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from eisenergy.findings import blocking, warning
from eisenergy.period import Period
from eisenergy.workbook.book import Book
from eisenergy.workbook.input_cells import at, day_of, minutes_of, number_of, origin, values_of
from eisenergy.workbook.input_model import METER, Inputs
from eisenergy.workbook.local_times import instants, skipped
from eisenergy.workbook.model import Value
from eisenergy.workbook.things import Thing, Understanding

_NEAR: Final = timedelta(days=5)
"""Farther than that from nine in ten of the readings, or than a tenth of their time, a date is mistyped."""


def slots_of(book: Book, found: Understanding, inputs: Inputs) -> None:
    """Read the intervals: each row with a date, a time and an energy."""
    import polars as pl

    from eisenergy.frames import conform

    dates, times, stamps = (
        values_of(book, found.one(f"slot.{name}"), typed=True) for name in ("date", "time", "stamp")
    )
    kwh = found.one("slot.kwh")
    columns = {
        name: values_of(book, found.one(f"slot.{role}"))
        for name, role in (
            ("kwh_import", "kwh"),
            ("kw", "kw"),
            ("kva", "kva"),
            ("kvar", "kvar"),
            ("forecast_kwh", "forecast"),
            ("loss_factor", "loss_factor"),
            ("ftpms", "ftpms"),
            ("cost_pos", "cost_pos"),
            ("cost_neg", "cost_neg"),
        )
    }
    if kwh is None or not (dates or stamps):
        return
    zone = ZoneInfo(inputs.timezone)
    rows = []
    before: datetime | None = None
    starts = {row: _start(dates.get(row), times.get(row), stamps.get(row)) for row, _ in kwh.cells}
    earliest, latest = _most(start for start in starts.values() if start is not None)
    claimed = frozenset(start for start in starts.values() if start is not None)
    astray = 0
    for place in kwh.cells:
        row = place[0]
        energy = number_of(columns["kwh_import"].get(row, (place, None))[1])
        start = starts[row]
        thing = found.one("slot.date") or found.one("slot.stamp") or kwh
        meant = _meant(starts, row, claimed)
        if start is not None and (meant is not None or not earliest <= start <= latest):
            if astray != row - 1:
                wanted = (
                    f"{meant:%Y-%m-%d %H:%M}, as between the rows above and below"
                    if meant is not None
                    else f"a day between {earliest:%Y-%m-%d} and {latest:%Y-%m-%d}, around which nine in ten readings are"
                )
                inputs.findings.append(
                    blocking(
                        "date-out-of-place",
                        thing.sheet,
                        f"{origin(thing, (row, thing.column))}: found {start:%Y-%m-%d %H:%M}, expected {wanted}. Correct the date or the time, "
                        "and those of the rows below it.",
                        **at(thing, (row, thing.column)),
                    )
                )
            start, astray = None, row
        if start is None:
            if energy is not None and astray != row:
                inputs.findings.append(
                    blocking(
                        "row-without-time",
                        thing.sheet,
                        f"{origin(thing, (row, thing.column))}: the row has {energy:g} kWh, but no date and time that can be read. "
                        "Type them as a date and a time.",
                        **at(thing, (row, thing.column)),
                    )
                )
            # A row whose time cannot be read is the next interval after the row above, so that its energy is not lost.
            start = before + timedelta(minutes=15) if before is not None and energy is not None else None
            if start is None:
                continue
        before = start
        inputs.rows[row] = start
        if energy is None:
            continue
        figures = {name: number_of(column[row][1]) for name, column in columns.items() if row in column}
        rows.append(
            {
                "client": "workbook",
                "meter": METER,
                **figures,
                "quality": "measured",
                "source": book.file,
                "source_row": row,
            }
        )
    if not rows:
        return
    frame = pl.DataFrame(rows, infer_schema_length=None)
    own = [inputs.rows[row] for row in frame["source_row"].to_list()]
    frame = frame.with_columns(pl.Series("start", instants(own, zone), dtype=pl.Datetime("us", "UTC")))
    _refuse_skipped(found, inputs, kwh, zone)
    # Of two rows of one interval, the one that the rows beside it lead to has it.
    follows = [row for row in inputs.rows if _near(inputs.rows, row)]
    frame = frame.sort(~pl.col("source_row").is_in(follows), maintain_order=True)
    repeated = frame.filter(~pl.col("start").is_first_distinct())
    again = set(repeated["source_row"].to_list())
    for row in sorted(row for row in again if row - 1 not in again):
        inputs.findings.append(
            blocking(
                "slot-repeated",
                kwh.sheet,
                f"{origin(kwh, (row, kwh.column))}: the interval {inputs.rows[row]:%Y-%m-%d %H:%M} stands in another row already. Expected "
                "one row per interval. Remove one of them.",
                **at(kwh, (row, kwh.column)),
            )
        )
    inputs.readings = conform(frame.filter(pl.col("start").is_first_distinct()))
    while not repeated.is_empty():
        inputs.repeats.append(conform(repeated.filter(pl.col("start").is_first_distinct())))
        repeated = repeated.filter(~pl.col("start").is_first_distinct())
    days = sorted({moment.date() for moment in inputs.rows.values()})
    inputs.period = Period(days[0], days[-1] + timedelta(days=1))
    stated = _stated_period(book, found)
    if stated is not None and days[0] in stated and days[-1] in stated:
        inputs.period = stated  # the readings of its first or last day may be missing
    expected = inputs.period.slots(inputs.timezone)
    first, last = inputs.period.start, inputs.period.end - timedelta(days=1)
    if inputs.readings.height != expected:
        inputs.findings.append(
            warning(
                "slots-missing",
                kwh.sheet,
                f"{kwh.sheet}: {inputs.readings.height} intervals from {first} to {last}, expected {expected} of 15 minutes. Fill the "
                "missing ones, or say why they are missing.",
                sheet=kwh.sheet,
            )
        )


def _stated_period(book: Book, found: Understanding) -> Period | None:
    """The first and the last day beside the label of the period; ``None`` where two days are not stated."""
    thing = found.one("param.period")
    if thing is None:
        return None
    row, column = thing.cells[0]
    values = book.grids[thing.sheet].values
    first, last = day_of(values.get((row, column))), day_of(values.get((row, column + 1)))
    if first is None or last is None or last < first:
        return None
    return Period(first.date(), last.date() + timedelta(days=1))


def _refuse_skipped(found: Understanding, inputs: Inputs, kwh: Thing, zone: ZoneInfo) -> None:
    """Tell times that the clock skips: the first of each day."""
    thing = found.one("slot.time") or found.one("slot.stamp") or kwh
    told = set()
    for row, start in inputs.rows.items():
        if start.date() not in told and skipped(start, zone):
            told.add(start.date())
            inputs.findings.append(
                blocking(
                    "no-such-time",
                    thing.sheet,
                    f"{origin(thing, (row, thing.column))}: found {start:%Y-%m-%d %H:%M}, which no clock shows in {inputs.timezone}: that day "
                    "it is set forward. Correct the times, or the time zone.",
                    **at(thing, (row, thing.column)),
                )
            )


def _most(starts: Iterable[datetime]) -> tuple[datetime, datetime]:
    """The first and the last moment at which a reading may be, by where nine in ten of them are."""
    known = sorted(starts)
    if not known:
        return datetime.min, datetime.max  # noqa: DTZ901
    first, last = known[len(known) // 20], known[-1 - len(known) // 20]
    near = max(_NEAR, (last - first) / 10)
    return first - near, last + near


def _meant(starts: Mapping[int, datetime | None], row: int, claimed: Collection[datetime]) -> datetime | None:
    """The interval between the rows above and below, where a row has another one and none has this."""
    above, below = starts.get(row - 1), starts.get(row + 1)
    step = timedelta(minutes=15)
    if above is None or below is None or below - above != 2 * step or above + step in claimed:
        return None
    return above + step


def _near(rows: Mapping[int, datetime], row: int) -> bool:
    """Whether a row's interval is the one after the row above, or before the row below."""
    above, below = rows.get(row - 1), rows.get(row + 1)
    step = timedelta(minutes=15)
    return (above is not None and rows[row] - above == step) or (below is not None and below - rows[row] == step)


def _start(
    day: tuple[tuple[int, int], Value] | None,
    clock: tuple[tuple[int, int], Value] | None,
    stamp: tuple[tuple[int, int], Value] | None,
) -> datetime | None:
    if stamp is not None:
        return day_of(stamp[1])
    moment = day_of(day[1]) if day is not None else None
    if moment is None:
        return None
    if clock is None:
        return moment
    minutes = minutes_of(clock[1])
    return None if minutes is None else datetime(moment.year, moment.month, moment.day) + timedelta(minutes=minutes)  # noqa: DTZ001
