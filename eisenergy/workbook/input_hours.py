"""The block calendar in a workbook: rows of hours, or the 24 hours one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from eisenergy.findings import blocking
from eisenergy.sheets import cell as name_of
from eisenergy.timeofuse import BlockHours, CalendarError, DayCalendar
from eisenergy.workbook.book import Book
from eisenergy.workbook.input_cells import at, number_of, origin, values_of
from eisenergy.workbook.input_model import Inputs
from eisenergy.workbook.things import Thing, Understanding

_HOURS: Final = 24


def calendar_of(book: Book, found: Understanding, inputs: Inputs) -> None:
    """Read the calendar; of hours with two blocks the first row has them, and a finding says so."""
    rows = _hour_rows(book, found, inputs) or _single_hours(book, found)
    if not rows:
        return
    try:
        inputs.calendar = DayCalendar(name="workbook", rows=tuple(rows))
    except CalendarError as problem:
        thing = found.one("hours.first") or found.one("hour.hour")
        assert thing is not None
        gap = _before_a_gap(rows, found.one("hours.last"))
        inputs.findings.append(
            blocking(
                "bad-hours",
                thing.sheet,
                f"{book.file}: {problem} Correct the table of hours.",
                sheet=thing.sheet,
                cell=gap or _named_in(str(problem)) or name_of(thing.cells[0][0] - 1, thing.cells[0][1] - 1),
            )
        )
        inputs.calendar = _first_wins(rows)


def _hour_rows(book: Book, found: Understanding, inputs: Inputs) -> list[BlockHours]:
    first, last, block = (values_of(book, found.one(f"hours.{name}")) for name in ("first", "last", "block"))
    thing = found.one("hours.first")
    if thing is None or not last or not block:
        return []
    rows = []
    ends = {row: number_of(last.get(row, (place, None))[1]) for row, (place, _) in first.items()}
    beyond = 0 if half_open([(number_of(value), ends[row]) for row, (_, value) in first.items()]) else 60
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
        rows.append(
            BlockHours(
                start_minute=int(start * 60),
                end_minute=min(1440, int(end * 60) + beyond),
                block=found.block_of(name) or str(name).strip(),
                origin=origin(thing, place),
            )
        )
    return rows


def half_open(hours: Iterable[tuple[float | None, float | None]]) -> bool:
    """Say whether the last hour of every row is the first of the next one: it is then the end, and not an hour of the row."""
    pairs = sorted((start, end) for start, end in hours if start is not None and end is not None)
    return len(pairs) > 1 and all(
        end % _HOURS == start % _HOURS for (_, end), (start, _) in zip(pairs, [*pairs[1:], pairs[0]], strict=True)
    )


def _single_hours(book: Book, found: Understanding) -> list[BlockHours]:
    """The table of 24 hours, where it is an input itself."""
    hour, block = found.one("hour.hour"), found.one("hour.block")
    if hour is None or block is None or block.formulas:
        return []
    names = values_of(book, block)
    rows = []
    for row, (place, value) in values_of(book, hour).items():
        number, name = number_of(value), names.get(row, (place, None))[1]
        if number is not None and name is not None and 0 <= number < _HOURS:
            rows.append(
                BlockHours(
                    start_minute=int(number) * 60,
                    end_minute=int(number) * 60 + 60,
                    block=found.block_of(name) or str(name).strip(),
                    origin=origin(hour, place),
                )
            )
    return rows


def _first_wins(rows: list[BlockHours]) -> DayCalendar | None:
    """A calendar in which the first row that claims an hour has it, as a look-up in a spreadsheet finds it.

    An hour that no row claims goes with the hour before it, so that everything else can be compared.
    """
    hours: dict[int, str] = {}
    for row in rows:
        for part in row.minutes():
            for minute in range(part.start, part.stop, 60):
                hours.setdefault(minute // 60, row.block)
    if not hours:
        return None
    for hour in (*range(_HOURS), *range(_HOURS)):
        if hour not in hours and (hour - 1) % _HOURS in hours:
            hours[hour] = hours[(hour - 1) % _HOURS]
    return DayCalendar(
        name="workbook",
        rows=tuple(BlockHours(start_minute=h * 60, end_minute=h * 60 + 60, block=hours[h]) for h in sorted(hours)),
    )


def _before_a_gap(rows: list[BlockHours], last: Thing | None) -> str:
    """The cell of the last hour before one that no row covers; empty where every hour is covered."""
    covered = {minute for row in rows for part in row.minutes() for minute in part}
    ends = {row.end_minute % (60 * _HOURS): row.origin for row in rows}
    for minute in range(0, 60 * _HOURS, 60):
        if minute not in covered and minute in ends and last is not None:
            return re.sub(r"^[A-Z]+", name_of(0, last.column - 1).rstrip("1"), ends[minute].rpartition("!")[2])
    return ""


def _named_in(message: str) -> str:
    """The last cell that a message about the calendar names: of two rows the one that comes second."""
    found: list[str] = re.findall(r"!([A-Z]{1,3}\d+)", message)
    return found[-1] if found else ""
