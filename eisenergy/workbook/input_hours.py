"""The block calendar in a workbook: rows of hours, or a table of all hours of a day; of every day, or of each kind of day."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Final

from eisenergy.findings import blocking
from eisenergy.sheets import cell as name_of
from eisenergy.timeofuse import DAY_MINUTES, BlockHours, CalendarError, DayCalendar, Season
from eisenergy.workbook.book import Book
from eisenergy.workbook.input_cells import at, number_of, origin, values_of
from eisenergy.workbook.input_days import column_of_kind, kinds_of_days
from eisenergy.workbook.input_model import Inputs
from eisenergy.workbook.slips_hours import half_open, not_covered_once, step_of
from eisenergy.workbook.things import Thing, Understanding, exactly

_HOURS: Final = 24
_HOUR: Final = 60


def calendar_of(book: Book, found: Understanding, inputs: Inputs) -> None:
    """Read the calendar; of hours with two blocks the first row has them, and a finding says so."""
    inputs.step = _step(book, found)
    rows = _hour_rows(book, found, inputs) or _single_hours(book, found, inputs.step)
    if not rows:
        return
    kinds = {exactly(kind): kind for kind, _ in rows if kind}
    for kind in kinds.values() or ("",):
        own = [row for name, row in rows if not name or exactly(name) == exactly(kind)]
        if (calendar := _of_one_kind(book, found, inputs, own)) is not None:
            inputs.kinds[kind] = calendar
    if not kinds:
        inputs.calendar = inputs.kinds.get("")
        return
    inputs.of_day = kinds_of_days(book, found, inputs, kinds)
    inputs.columns = {kind: column for kind in kinds.values() if (column := column_of_kind(found, kind)) is not None}
    inputs.calendar = _of_all_days(inputs.kinds, inputs.of_day)


def _step(book: Book, found: Understanding) -> int:
    def numbers(role: str) -> list[float]:
        values = (number_of(value) for _, value in values_of(book, found.one(role)).values())
        return [value for value in values if value is not None]

    return step_of(numbers("hour.hour"), numbers("hours.first") + numbers("hours.last"))


def _of_one_kind(book: Book, found: Understanding, inputs: Inputs, rows: list[BlockHours]) -> DayCalendar | None:
    try:
        return DayCalendar(name="workbook", rows=tuple(rows))
    except CalendarError as problem:
        thing = found.one("hours.first") or found.one("hour.hour")
        assert thing is not None
        # Where the table itself shows it, it is a slip and told as one.
        if thing.table is None or not any(not_covered_once(book.grids[thing.sheet], thing.table)):
            inputs.findings.append(
                blocking(
                    "bad-hours",
                    thing.sheet,
                    f"{book.file}: {problem} Correct the table of hours.",
                    sheet=thing.sheet,
                    cell=_named_in(str(problem)) or name_of(thing.cells[0][0] - 1, thing.cells[0][1] - 1),
                )
            )
        return _first_wins(rows, inputs.step)


def _of_all_days(kinds: dict[str, DayCalendar], of_day: dict[date, str]) -> DayCalendar | None:
    """The calendar of days of several kinds: a season begins where the kind of day changes."""
    seasons: list[Season] = []
    for day, kind in of_day.items():
        if kind in kinds and (not seasons or seasons[-1].name != kind):
            seasons.append(Season(name=kind, start_month=day.month, start_day=day.day))
    used = {season.name for season in seasons}
    rows = tuple(replace(row, season=kind) for kind, calendar in kinds.items() if kind in used for row in calendar.rows)
    return DayCalendar(name="workbook", rows=rows, seasons=tuple(seasons)) if seasons else None


def _hour_rows(book: Book, found: Understanding, inputs: Inputs) -> list[tuple[str, BlockHours]]:
    """(kind of day, hours of a block) of each row; an empty kind for all days."""
    first, last, block, kind = (
        values_of(book, found.one(f"hours.{name}")) for name in ("first", "last", "block", "day_kind")
    )
    thing = found.one("hours.first")
    if thing is None or not last or not block:
        return []
    rows = []
    ends = {row: number_of(last.get(row, (place, None))[1]) for row, (place, _) in first.items()}
    beyond = 0 if half_open([(number_of(value), ends[row]) for row, (_, value) in first.items()]) else inputs.step
    for row, (place, value) in first.items():
        start, end = number_of(value), number_of(last.get(row, (place, None))[1])
        name = block.get(row, (place, None))[1]
        if start is None or end is None or name is None or not (0 <= start < _HOURS and 0 <= end <= _HOURS):
            inputs.findings.append(
                blocking(
                    "bad-hours",
                    thing.sheet,
                    f"{origin(thing, place)}: found {value!r} to {last.get(row, (place, None))[1]!r} for {name!r}, expected the first and "
                    "the last hour (0 to 23) of a block. Correct the row.",
                    **at(thing, place),
                )
            )
            continue
        days = kind.get(row, (place, None))[1]
        hours = BlockHours(
            start_minute=int(start * _HOUR),
            end_minute=min(DAY_MINUTES, int(end * _HOUR) + beyond),
            block=found.block_of(name) or str(name).strip(),
            origin=origin(thing, place),
        )
        rows.append(("" if days is None else str(days).strip(), hours))
    return rows


def _single_hours(book: Book, found: Understanding, step: int) -> list[tuple[str, BlockHours]]:
    """The table of all hours, where it is an input itself; a column for each kind of day."""
    hour = found.one("hour.hour")
    columns = [thing for thing in found.of("hour.block") if not thing.formulas]
    return [] if hour is None else [pair for thing in columns for pair in _column(book, found, hour, thing, step)]


def _column(book: Book, found: Understanding, hour: Thing, block: Thing, step: int) -> Iterable[tuple[str, BlockHours]]:
    names = values_of(book, block)
    for row, (place, value) in values_of(book, hour).items():
        number, name = number_of(value), names.get(row, (place, None))[1]
        if number is not None and name is not None and 0 <= number < _HOURS:
            start = round(number * _HOUR)
            yield (
                block.day_kind,
                BlockHours(
                    start_minute=start,
                    end_minute=start + step,
                    block=found.block_of(name) or str(name).strip(),
                    origin=origin(hour, place),
                ),
            )


def _first_wins(rows: list[BlockHours], step: int) -> DayCalendar | None:
    """A calendar in which the first row that claims an hour has it, as a look-up in a spreadsheet finds it.

    An hour that no row claims goes with the hour before it, so that everything else can be compared.
    """
    places = DAY_MINUTES // step
    owners: dict[int, str] = {}
    for row in rows:
        for part in row.minutes():
            for minute in range(part.start, part.stop, step):
                owners.setdefault(minute // step, row.block)
    if not owners:
        return None
    for place in (*range(places), *range(places)):
        if place not in owners and (place - 1) % places in owners:
            owners[place] = owners[(place - 1) % places]
    return DayCalendar(
        name="workbook",
        rows=tuple(
            BlockHours(start_minute=n * step, end_minute=(n + 1) * step, block=owners[n]) for n in sorted(owners)
        ),
    )


def _named_in(message: str) -> str:
    """The last cell that a message about the calendar names: of two rows the one that comes second."""
    found: list[str] = re.findall(r"!([A-Z]{1,3}\d+)", message)
    return found[-1] if found else ""
