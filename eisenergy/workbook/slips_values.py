"""Slips in values: numbers and dates typed as text, rows out of their order, hours with two blocks or none."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from eisenergy.findings import Finding
from eisenergy.sheets import cell, fold
from eisenergy.workbook import roles, tables
from eisenergy.workbook.book import Grid, Key
from eisenergy.workbook.formula import references
from eisenergy.workbook.input_cells import day_of, minutes_of, number_of
from eisenergy.workbook.local_times import instants
from eisenergy.workbook.slips_structure import Block, Structure, runs, slip, span
from eisenergy.workbook.tables import Table
from eisenergy.workbook.values import serial

_MOST: Final = 0.6
"""Share of a column's cells that are of one kind before a text among them is a slip."""
_SHORTEST: Final = 4
_IDENTIFIER: Final = re.compile(
    r"(?!.*\b(kwh|kw|kva|kvar|usd|lectura|reading|energia|energy|potencia|power|monto|importe|amount|total)\b)"
    r"(((no|num|numero|number) (de |of )?)?(id|codigo|code|clave|nit|dui|nrc|ncr|telefono|tel|phone|cuenta|account|factura|invoice|"
    r"medidor|meter|serie|serial|contrato|contract)\b.*|(.* )?(id|no|num|numero|number))"
)
"""Headers of columns whose numbers are names."""
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
            # what stands at the end in rows of another shape is a total's label or a remark
            ends = next(
                at for at in range(len(kinds), 0, -1) if kinds[at - 1] != "text" or _goes_on(structure, block, at - 1)
            )
            for row, one in block.rows():
                key = (block.sheet, row, block.column)
                if one != "text" or row - block.first <= begun or _identifies(structure, block, key):
                    continue
                if _labels_totals(structure, key) or _titles(structure, key):
                    continue
                if row - block.first < ends or _readable(structure, key, kind):
                    yield _text(structure, key, kind, what)


def _goes_on(structure: Structure, block: Block, at: int) -> bool:
    """Say whether the row of a block's cell is filled as the row above it: the same columns with the same kinds."""

    def shape(row: int) -> list[str]:
        first, last = structure.band((block.sheet, row, block.column))
        return [
            structure.kind((block.sheet, row, column)) for column in range(first, last + 1) if column != block.column
        ]

    row = block.first + at
    return bool(shape(row)) and shape(row) == shape(row - 1)


def _identifies(structure: Structure, block: Block, key: Key) -> bool:
    """Say whether a text of digits is a name: in a column of such, or one with leading zeros that nothing totals."""
    header = structure.book.value((block.sheet, block.first, block.column))
    name = isinstance(header, str) and bool(_IDENTIFIER.fullmatch(fold(header)))
    zeros = re.fullmatch(r"0\d+", str(structure.book.value(key)).strip())
    return bool(name or zeros) and not structure.totalled(key)


def _readable(structure: Structure, key: Key, kind: str) -> bool:
    value = structure.book.value(key)
    return (number_of(value) is not None) if kind == "number" else (day_of(value) or minutes_of(value)) is not None


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
    readable = _readable(structure, key, kind)
    if kind == "number":
        code = "number-as-text" if readable else "text-among-numbers"
    else:
        code = "date-as-text" if readable else "text-among-dates"
    return slip(
        code,
        structure.totalled(key),
        key,
        f"{key[0]}!{cell(key[1] - 1, key[2] - 1)}: found the text {value!r} in a column where every other cell is {what}. Sums leave it "
        f"out, and comparisons sort it last. Type it as {what}.",
    )


def rows_out_of_order(structure: Structure) -> Iterator[Finding]:
    """Find rows of a series of times that stand before an earlier one or repeat one, and times missing between two rows."""
    for grid in structure.book.grids.values():
        for table in tables.find(grid)[0]:
            if len(table.rows) >= _SERIES:
                yield from _series(grid, table, structure.timezone)


def _series(grid: Grid, table: Table, timezone: str | None) -> Iterator[Finding]:
    dates = _column_of(grid, table, "date")
    if dates is None or any((row, dates) in grid.formulas for row in table.rows[:3]):
        return
    stamps = list(_stamps(grid, table, dates))
    unreadable = [row for row, stamp in stamps if stamp is None]  # a finding of its own, and no gap in the series
    readable = [(row, stamp) for row, stamp in stamps if stamp is not None]
    shown = dict(readable)
    if timezone is not None and _column_of(grid, table, "time") is not None:
        readable = _on_the_clock(readable, ZoneInfo(timezone))
    known: dict[int, int] = {}  # stamp -> the first row that has it
    repeated: dict[int, int] = {}
    for row, stamp in readable:
        if stamp in known:
            repeated[row] = stamp
        else:
            known[stamp] = row
    kept = _rising(list(known))
    if len(known) < _SERIES or len(kept) < _MOST * (len(known) + len(repeated)):
        return
    steps = sorted(after - before for before, after in itertools.pairwise(kept))
    step = steps[len(steps) // 2]
    # a list of payments has days without one, and days with two
    regular = steps.count(step) >= _MOST * len(steps)
    # a row of the readings that is there twice is told where the readings are read
    for row, stamp in repeated.items() if regular and table.kind != roles.SLOT else ():
        yield slip(
            "row-repeated",
            False,
            (grid.name, row, dates),
            f"{grid.name}!{cell(row - 1, dates - 1)}: {_shown(shown[row])} stands in row {known[stamp]} already. Expected every time once. Correct "
            "it, or remove one of the rows.",
        )
    inside = set(kept)
    astray = sorted(row for stamp, row in known.items() if stamp not in inside)
    rows = [known[stamp] for stamp in kept]  # rising as the times are
    for first, last, count in runs([(grid.name, row, dates) for row in astray]):
        above, below = bisect.bisect_left(rows, first[1]) - 1, bisect.bisect_right(rows, last[1])
        between = above >= 0 and below < len(rows) and step > 0
        gap = range(kept[above] + step, kept[below], step) if between else range(0)
        # a row that stands for one that is nowhere else has a wrong time; one that is only moved changes no sum
        mistyped = bool(gap) and not any(stamp in known for stamp in gap)
        yield slip(
            "row-out-of-order",
            mistyped,
            first,
            f"{grid.name}!{cell(first[1] - 1, dates - 1)}: the row of {_shown(shown[first[1]])} stands after a later one. Expected the times in order. "
            "Sort the whole table by date and time.",
            count=count,
            cells=span(first, last),
        )
    # told already, or under another time; one of them is the row that seems to be missing
    elsewhere = sorted([*unreadable, *repeated, *astray])
    for before, after in itertools.pairwise(kept) if regular else ():
        row = known[after]
        there = bisect.bisect_left(elsewhere, row) - bisect.bisect_right(elsewhere, known[before])
        lacking = (after - before) // step - 1 - there
        if lacking > 0 and not any(moment in known for moment in range(before + step, after, step)):
            yield slip(
                "rows-missing",
                True,
                (grid.name, row, dates),
                f"{grid.name}!{cell(row - 1, dates - 1)}: between {_shown(shown[known[before]])} and {_shown(shown[row])} {lacking} "
                f"{'row is' if lacking == 1 else 'rows are'} missing. Insert {'it' if lacking == 1 else 'them'}.",
                count=lacking,
            )


def _stamps(grid: Grid, table: Table, dates: int) -> Iterator[tuple[int, int | None]]:
    """Row and local minutes since 1899-12-30 of every row with a date or something in its place; ``None`` where it cannot be read."""
    times = _column_of(grid, table, "time")
    for row in table.rows:
        day = grid.values.get((row, dates))
        moment = day_of(day)
        clock = None if times is None else grid.values.get((row, times))
        minutes = 0 if times is None else minutes_of(clock)
        if moment is not None and minutes is not None:
            yield row, round(serial(moment) * 1440) + minutes
        elif day is not None or clock is not None:
            yield row, None


def _column_of(grid: Grid, table: Table, what: str) -> int | None:
    """The first column with a date, or a time, in one of the first rows."""
    wanted = datetime if what == "date" else time
    for column in sorted(table.columns):
        if any(isinstance(grid.values.get((row, column)), wanted) for row in table.rows[:_SHORTEST]):
            return column
    return None


def _on_the_clock(stamps: list[tuple[int, int]], zone: ZoneInfo) -> list[tuple[int, int]]:
    """Minutes that pass, in place of minutes that a clock shows which is set forward and back."""
    local = [_EPOCH + timedelta(minutes=stamp) for _, stamp in stamps]
    passed = (instant - _EPOCH.replace(tzinfo=UTC) for instant in instants(local, zone))
    return [(row, round(since / timedelta(minutes=1))) for (row, _), since in zip(stamps, passed, strict=True)]


def _rising(values: list[int]) -> list[int]:
    """The longest rising part of a series without repetitions: what is not in it stands out of order."""
    tails: list[int] = []
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
        kept.append(values[number])
        number = before[number]
    return kept[::-1]


def _shown(minutes: int) -> str:
    days, rest = divmod(minutes, 1440)
    moment = day_of(days)
    return f"{moment:%Y-%m-%d} {rest // 60:02d}:{rest % 60:02d}" if moment is not None else str(minutes)


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
