"""Slips in values: numbers and dates typed as text, rows out of their order, hours with two blocks or none."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator
from datetime import datetime, time
from typing import Final

from eisenergy.findings import Finding
from eisenergy.sheets import cell
from eisenergy.workbook import roles, tables
from eisenergy.workbook.book import Grid, Key
from eisenergy.workbook.formula import references
from eisenergy.workbook.input_cells import day_of, minutes_of, number_of
from eisenergy.workbook.input_hours import half_open
from eisenergy.workbook.slips_structure import Block, Structure, slip, span
from eisenergy.workbook.tables import Table
from eisenergy.workbook.values import serial

_MOST: Final = 0.6
"""Share of a column's cells that are of one kind before a text among them is a slip."""
_SHORTEST: Final = 4
_SERIES: Final = 24
"""Rows from which a column of rising times is a series."""


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
                key = (block.sheet, row, block.column)
                if (
                    one == "text"
                    and row - block.first > begun
                    and not (_labels_totals(structure, key) or _titles(structure, key))
                ):
                    yield _text(structure, key, kind, what)


def _titles(structure: Structure, key: Key) -> bool:
    """Say whether a text stands alone in its row, between rows of several cells: a title above some of them."""
    sheet, row, column = key
    return structure.band(key) == (column, column) and structure.band((sheet, row - 1, column)) != (column, column)


def _labels_totals(structure: Structure, key: Key) -> bool:
    """Say whether a text stands in a row of totals: a formula beside it reads the column that it stands in."""
    sheet, row, _ = key
    first, last = structure.band(key)
    return any(
        area.sheet == sheet and not area.single and area.first[1] <= column <= area.last[1] and area.last[0] == row - 1
        for column in range(first, last + 1)
        if structure.is_formula((sheet, row, column))
        for area in references(structure.formula((sheet, row, column)), sheet)
    )


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
                yield from _series(grid, table)


def _series(grid: Grid, table: Table) -> Iterator[Finding]:
    dates = _column_of(grid, table, "date")
    times = _column_of(grid, table, "time")
    if dates is None or any((row, dates) in grid.formulas for row in table.rows[:3]):
        return
    stamps: list[tuple[int, float]] = []
    for row in table.rows:
        day = day_of(grid.values.get((row, dates)))
        clock = grid.values.get((row, times)) if times is not None else 0
        minutes = minutes_of(clock) if isinstance(clock, str) else None
        if day is not None and minutes is not None:
            stamps.append((row, round(serial(day) * 1440) + minutes))
        elif day is not None and isinstance(clock, time | int | float):
            stamps.append((row, round((serial(day) + (serial(clock) if isinstance(clock, time) else clock)) * 1440)))
    if len(stamps) < _SERIES:
        return
    kept = _rising([stamp for _, stamp in stamps])
    if len(kept) < _MOST * len(stamps):
        return
    steps = sorted(b - a for a, b in zip(_at(stamps, kept), _at(stamps, kept)[1:], strict=False))
    step = steps[len(steps) // 2]
    known = {stamp for _, stamp in stamps}
    inside = set(kept)
    column = dates
    for number, (row, stamp) in enumerate(stamps):
        if number not in inside and (number == 0 or number - 1 in inside):
            end = next((n for n in range(number, len(stamps)) if n + 1 in inside or n + 1 == len(stamps)), number)
            above, below = number - 1, end + 1
            gap = range(0)
            if above >= 0 and below < len(stamps) and step > 0:
                gap = range(1, int((stamps[below][1] - stamps[above][1]) // step))
            # a row that stands for one that is nowhere else has a wrong time; one that is only moved changes no sum
            mistyped = bool(gap) and not any(stamps[above][1] + n * step in known for n in gap)
            yield slip(
                "row-out-of-order",
                mistyped,
                (grid.name, row, column),
                f"{grid.name}!{cell(row - 1, column - 1)}: the row of {_shown(stamp)} stands after a later one, or twice. Expected the times in "
                "order. Sort the whole table by date and time, or remove the repeated row.",
                count=end - number + 1,
                cells=span((grid.name, row, column), (grid.name, stamps[end][0], column)),
            )
    for a, b in itertools.pairwise(kept):
        before, after = stamps[a][1], stamps[b][1]
        lacking = int((after - before) // step) - 1 if step > 0 else 0
        between = sum(number not in inside for number in range(a + 1, b))  # rows that stand there under another time
        if lacking > between and not any(before + n * step in known for n in range(1, lacking + 1)):
            row = stamps[b][0]
            yield slip(
                "rows-missing",
                True,
                (grid.name, row, column),
                f"{grid.name}!{cell(row - 1, column - 1)}: between {_shown(before)} and {_shown(after)} {lacking} row(s) are missing. Insert them.",
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


def _at(stamps: list[tuple[int, float]], kept: list[int]) -> list[float]:
    return [stamps[number][1] for number in kept]


def _rising(values: list[float]) -> list[int]:
    """The longest rising part of a series: what is not in it stands out of order."""
    tails: list[float] = []
    ends: list[int] = []
    before: list[int] = []
    for number, value in enumerate(values):
        place = bisect.bisect_left(tails, value)
        before.append(ends[place - 1] if place else -1)
        if place < len(tails) and tails[place] == value:
            continue  # of two rows of one time the first one stands in order
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
    for grid in structure.book.grids.values():
        for table in tables.find(grid)[0]:
            if table.kind == roles.HOURS:
                yield from _hours(grid, table)


def _hours(grid: Grid, table: Table) -> Iterator[Finding]:
    numbers = [
        column for column in sorted(table.columns) if number_of(grid.values.get((table.rows[0], column))) is not None
    ]
    if len(numbers) != 2:
        return
    owners: dict[int, int] = {}
    read = {row: [number_of(grid.values.get((row, column))) for column in numbers] for row in table.rows}
    beyond = 1 if half_open((first, last) for first, last in read.values()) else 0
    for row, (first, last) in read.items():
        if first is None or last is None:
            continue
        last -= beyond
        hours = range(int(first), int(last) + 1) if first <= last else [*range(int(first), 24), *range(int(last) + 1)]
        for hour in hours:
            if hour in owners:
                yield slip(
                    "hour-in-two-blocks",
                    True,
                    (grid.name, row, numbers[0]),
                    f"{grid.name}!{cell(row - 1, numbers[0] - 1)}: hour {hour} belongs to this row and to row {owners[hour]} already. Expected every "
                    "hour once; a look-up takes the first. Correct the hours.",
                    hour=hour,
                )
            owners.setdefault(hour, row)
    if lacking := sorted(set(range(24)) - set(owners)):
        row = next(
            (row for row in table.rows if lacking[0] - 1 in owners and owners[lacking[0] - 1] == row), table.rows[-1]
        )
        yield slip(
            "hour-in-no-block",
            True,
            (grid.name, row, numbers[1]),
            f"{grid.name}!{cell(row - 1, numbers[1] - 1)}: no row of the table covers hour {', '.join(map(str, lacking))}. Expected every hour once. "
            "Correct the hours.",
            hours=lacking,
        )


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
