"""The readings in a workbook: its slot table, row by row."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from eisenergy.findings import blocking, warning
from eisenergy.period import Period
from eisenergy.workbook.book import Book
from eisenergy.workbook.input_cells import at, day_of, minutes_of, number_of, origin, values_of
from eisenergy.workbook.input_model import METER, Inputs
from eisenergy.workbook.local_times import instants, skipped
from eisenergy.workbook.model import Value
from eisenergy.workbook.things import Thing, Understanding


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
    for place in kwh.cells:
        row = place[0]
        energy = number_of(columns["kwh_import"].get(row, (place, None))[1])
        start = _start(dates.get(row), times.get(row), stamps.get(row))
        if start is None:
            if energy is not None:
                thing = found.one("slot.date") or found.one("slot.stamp") or kwh
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
    repeated = frame.filter(~pl.col("start").is_first_distinct())
    for row in repeated["source_row"].to_list():
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
