"""Slips in values: numbers and dates typed as text, rows out of their order, hours with two blocks or none."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from eisenergy.findings import Finding
from eisenergy.sheets import cell
from eisenergy.workbook import roles, tables
from eisenergy.workbook.book import Grid, Key
from eisenergy.workbook.input_cells import day_of, minutes_of, number_of
from eisenergy.workbook.input_hours import step_of
from eisenergy.workbook.local_times import instants
from eisenergy.workbook.slips_structure import Block, Structure, slip
from eisenergy.workbook.tables import Table
from eisenergy.workbook.values import serial

_MOST: Final = 0.6
"""Share of a column's cells that are of one kind before a text among them is a slip."""
_SHORTEST: Final = 4
_SERIES: Final = 24
"""Rows from which a column of rising times is a series."""
_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - what a spreadsheet counts days from


def texts_among_values(structure: Structure) -> Iterator[Finding]:
    """Find texts in a column of numbers, dates or times, below its header."""
    for block in structure.blocks:
        kinds = block.kinds
        if len(kinds) < _SHORTEST:
            continue
        for kind, what in (("number", "a number"), ("moment", "a date or time")):
            if kinds.count(kind) < _MOST * len(kinds):
                continue
            begun = kinds.index(kind)
            for row, one in block.rows():
                if one == "text" and row - block.first > begun:
                    yield _text(structure, (block.sheet, row, block.column), kind, what)


def _text(structure: Structure, key: Key, kind: str, what: str) -> Finding:
    value = structure.book.value(key)
    if kind == "number":
        code = "number-as-text" if number_of(value) is not None else "text-among-numbers"
    else:
        code = "date-as-text" if day_of(value) is not None or minutes_of(value) is not None else "text-among-dates"
    return slip(
        code,
        structure.totalled(key),
        key,
        f"{key[0]}!{cell(key[1] - 1, key[2] - 1)}: found the text {value!r} in a column where every other cell is {what}. Sums leave it "
        f"out, and comparisons sort it last. Type it as {what}.",
    )


def rows_out_of_order(structure: Structure) -> Iterator[Finding]:
    """Find rows of a series of times that stand before an earlier one, and times that are missing between two rows."""
    for grid in structure.book.grids.values():
        for table in tables.find(grid)[0]:
            if len(table.rows) >= _SERIES:
                yield from _series(grid, table, structure.timezone)


def _series(grid: Grid, table: Table, timezone: str | None) -> Iterator[Finding]:
    dates = _column_of(grid, table, "date")
    times = _column_of(grid, table, "time")
    if dates is None or any((row, dates) in grid.formulas for row in table.rows[:3]):
        return
    stamps: list[tuple[int, int]] = []
    for row in table.rows:
        day = grid.values.get((row, dates))
        clock = grid.values.get((row, times)) if times is not None else 0
        if isinstance(day, datetime) and isinstance(clock, time | int | float):
            stamps.append((row, round((serial(day) + (serial(clock) if isinstance(clock, time) else clock)) * 1440)))
    if len(stamps) < _SERIES:
        return
    shown = dict(stamps)
    if times is not None and timezone is not None:
        stamps = _on_the_clock(stamps, ZoneInfo(timezone))
    kept = _rising([stamp for _, stamp in stamps])
    if len(kept) < _MOST * len(stamps):
        return
    steps = sorted(b - a for a, b in zip(_at(stamps, kept), _at(stamps, kept)[1:], strict=False))
    step = steps[len(steps) // 2]
    if steps.count(step) < _MOST * len(steps):
        return  # dates of validity, for example: no series
    known = {stamp for _, stamp in stamps}
    inside = set(kept)
    column = dates
    for number, (row, _) in enumerate(stamps):
        if number not in inside:
            yield slip(
                "row-out-of-order",
                False,
                (grid.name, row, column),
                f"{grid.name}!{cell(row - 1, column - 1)}: the row of {_shown(shown[row])} stands after a later one, or twice. Expected the times in "
                "order. Sort the whole table by date and time, or remove the repeated row.",
            )
    for a, b in itertools.pairwise(kept):
        before, after = stamps[a][1], stamps[b][1]
        lacking = int((after - before) // step) - 1 if step > 0 else 0
        if lacking > 0 and not any(before + n * step in known for n in range(1, lacking + 1)):
            row = stamps[b][0]
            yield slip(
                "rows-missing",
                True,
                (grid.name, row, column),
                f"{grid.name}!{cell(row - 1, column - 1)}: between {_shown(shown[stamps[a][0]])} and {_shown(shown[row])} {lacking} row(s) are missing. Insert them.",
                count=lacking,
            )


def _column_of(grid: Grid, table: Table, what: str) -> int | None:
    row = table.rows[0]
    for column in sorted(table.columns):
        value = grid.values.get((row, column))
        if what == "date" and isinstance(value, datetime):
            return column
        if what == "time" and isinstance(value, time):
            return column
    return None


def _on_the_clock(stamps: list[tuple[int, int]], zone: ZoneInfo) -> list[tuple[int, int]]:
    """Minutes that pass, in place of minutes that a clock shows which is set forward and back."""
    local = [_EPOCH + timedelta(minutes=stamp) for _, stamp in stamps]
    passed = (instant - _EPOCH.replace(tzinfo=UTC) for instant in instants(local, zone))
    return [(row, round(since / timedelta(minutes=1))) for (row, _), since in zip(stamps, passed, strict=True)]


def _at(stamps: list[tuple[int, int]], kept: list[int]) -> list[int]:
    return [stamps[number][1] for number in kept]


def _rising(values: list[float]) -> list[int]:
    """The longest rising part of a series: what is not in it stands out of order."""
    tails: list[float] = []
    ends: list[int] = []
    before: list[int] = []
    for number, value in enumerate(values):
        place = bisect.bisect_left(tails, value)
        before.append(ends[place - 1] if place else -1)
        if place == len(tails):
            tails.append(value)
            ends.append(number)
        else:
            tails[place], ends[place] = value, number
    kept, number = [], ends[-1] if ends else -1
    while number >= 0:
        kept.append(number)
        number = before[number]
    return kept[::-1]


def _shown(minutes: float) -> str:
    days, rest = divmod(int(minutes), 1440)
    moment = day_of(days)
    return f"{moment:%Y-%m-%d} {rest // 60:02d}:{rest % 60:02d}" if moment is not None else str(minutes)


def hours_covered_once(structure: Structure) -> Iterator[Finding]:
    """Find hours that a table of blocks gives to two rows, or to none."""
    found = [(grid, table) for grid in structure.book.grids.values() for table in tables.find(grid)[0]]
    steps = [hour for grid, table in found if table.kind == roles.HOUR for hour in _listed(grid, table)]
    for grid, table in found:
        if table.kind == roles.HOURS:
            yield from _hours(grid, table, steps)


def _listed(grid: Grid, table: Table) -> list[float]:
    """The hours, or parts of them, that a table has one row for."""
    columns = [[number_of(grid.values.get((row, column))) for row in table.rows] for column in sorted(table.columns)]
    return next(([value for value in column if value is not None] for column in columns if None not in column), [])


def _hours(grid: Grid, table: Table, steps: list[float]) -> Iterator[Finding]:
    numbers = [
        column for column in sorted(table.columns) if number_of(grid.values.get((table.rows[0], column))) is not None
    ]
    if len(numbers) != 2:
        return
    named = next((c for c, text in table.columns.items() if roles.header_role(roles.HOURS, text) == "day_kind"), None)
    ranges: dict[int, tuple[float, float]] = {}
    kinds: dict[int, str] = {}
    for row in table.rows:
        first, last = (number_of(grid.values.get((row, column))) for column in numbers)
        if first is not None and last is not None:
            ranges[row] = (first, last)
            kinds[row] = "" if named is None else str(grid.values.get((row, named)) or "").strip()
    step = step_of(steps, itertools.chain(*ranges.values()))
    for kind in sorted(set(kinds.values()) - {""}) or [""]:
        own = {row: ends for row, ends in ranges.items() if kinds[row] in ("", kind)}
        yield from _covered_once(grid, (table.rows[-1], numbers[0], numbers[1]), own, step, kind)


def _covered_once(
    grid: Grid, at_end: tuple[int, int, int], ranges: dict[int, tuple[float, float]], step: int, kind: str
) -> Iterator[Finding]:
    """Find hours of one kind of day with two rows, or none.

    :param at_end: last row of the table, columns of the first and the last hours
    :param step: minutes
    """
    row, first_column, last_column = at_end
    on = f" on a day {kind!r}" if kind else ""
    owners: dict[int, int] = {}
    for own, (first, last) in ranges.items():
        start, end = int(first * 60) // step, int(last * 60) // step
        day = 1440 // step
        for place in range(start, end + 1) if start <= end else [*range(start, day), *range(end + 1)]:
            if place in owners:
                yield slip(
                    "hour-in-two-blocks",
                    True,
                    (grid.name, own, first_column),
                    f"{grid.name}!{cell(own - 1, first_column - 1)}: {_hour(place, step)}{on} belongs to this row and to row {owners[place]} already. "
                    "Expected every hour once; a look-up takes the first. Correct the hours.",
                    hour=place * step / 60 if step < 60 else place,
                )
            owners.setdefault(place, own)
    if lacking := sorted(set(range(1440 // step)) - set(owners)):
        yield slip(
            "hour-in-no-block",
            True,
            (grid.name, row, last_column),
            f"{grid.name}!{cell(row - 1, last_column - 1)}: no row of the table covers {', '.join(_hour(place, step) for place in lacking)}{on}. "
            "Expected every hour once. Correct the hours.",
            hours=[place * step / 60 if step < 60 else place for place in lacking],
        )


def _hour(place: int, step: int) -> str:
    return f"hour {place}" if step == 60 else f"{place * step // 60:02d}:{place * step % 60:02d}"


def spaces_in_labels(structure: Structure) -> Iterator[Finding]:
    """Find labels with spaces at an end among others without: no look-up finds them."""
    for block in structure.blocks:
        yield from _spaces(structure, block)


def _spaces(structure: Structure, block: Block) -> Iterator[Finding]:
    for row, kind in block.rows():
        key = (block.sheet, row, block.column)
        value = structure.book.value(key)
        if kind == "text" and isinstance(value, str) and value != value.strip() and value.strip():
            alike = _labels_of(structure)
            if value.strip() in alike:
                yield slip(
                    "space-in-label",
                    True,
                    key,
                    f"{block.sheet}!{cell(row - 1, block.column - 1)}: found {value!r}, elsewhere {value.strip()!r}. A look-up takes them for two. "
                    "Remove the space.",
                )


def _labels_of(structure: Structure) -> set[str]:
    """Every text of the workbook."""
    return {value for grid in structure.book.grids.values() for value in grid.values.values() if isinstance(value, str)}
