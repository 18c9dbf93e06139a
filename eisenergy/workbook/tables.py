"""Where a sheet's tables and labelled cells are, whatever their place: a header row above rows of data, a label beside its value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from eisenergy.workbook import roles
from eisenergy.workbook.book import Grid
from eisenergy.workbook.formula import references
from eisenergy.workbook.table_kinds import (
    LONG,
    daily,
    is_data,
    is_label_list,
    is_line,
    is_uniform,
    kind_of,
    shape_of,
    type_at,
)

_SURE: Final = {roles.RATES: 3, roles.KINDS: 2, roles.LOSSES: 2, roles.CORRECTIONS: 2}
"""Known headers from which a table is of a kind whatever the types of its columns."""
_WIDE: Final = 16  # columns beside a table's headers that are looked at for more of it
_ENDS: Final = 3  # rows at either end of a table that may be about all of its rows
_REACH: Final = 3  # columns a value may stand to the right of its label


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table on a sheet.

    :param kind: one of the kinds of :data:`roles.HEADERS`; empty where the words say none
    :param header: row of the headers, from 1
    :param rows: rows of the data
    :param columns: column, from 1 -> header's text
    """

    sheet: str
    kind: str
    header: int
    rows: tuple[int, ...]
    columns: dict[int, str]

    def __hash__(self) -> int:
        return hash((self.sheet, self.header, min(self.columns)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A text with its value, to the right or below.

    :param place: (row, column) of the text
    :param value: (row, column) of the value
    """

    sheet: str
    text: str
    place: tuple[int, int]
    value: tuple[int, int]


def find(grid: Grid) -> tuple[list[Table], list[Label]]:
    """Find a sheet's tables and, outside of them, its labelled cells."""
    if "tables" not in grid.known:
        grid.known["tables"] = _find(grid)
    found: tuple[list[Table], list[Label]] = grid.known["tables"]
    return found


def _find(grid: Grid) -> tuple[list[Table], list[Label]]:
    tables: list[Table] = []
    taken: set[tuple[int, int]] = set()
    texts = {
        place: value
        for place, value in grid.values.items()
        if isinstance(value, str) and place not in grid.formulas and value.strip()
    }
    by_row: dict[int, list[int]] = {}
    for row, column in texts:
        by_row.setdefault(row, []).append(column)
    for row in sorted(by_row):
        for segment in _segments(sorted(by_row[row])):
            if (row, segment[0]) in taken:
                continue
            table = _table(grid, row, segment, texts)
            if table is not None and not _named_below(table, texts):
                tables.append(table)
                taken |= {(r, c) for r in (table.header, *table.rows) for c in table.columns}
    return _merged(tables), list(_labels(grid, texts, taken))


def _named_below(table: Table, texts: dict[tuple[int, int], str]) -> bool:
    """Say whether the row below a header is the header, and this one only has units or titles above it."""
    below = {column: texts[table.header + 1, column] for column in table.columns if (table.header + 1, column) in texts}
    if 2 * len(below) <= len(table.columns):
        return False
    rows = len(table.rows) - 1
    return kind_of(below, rows)[1] > kind_of({c: text for c, text in table.columns.items() if text}, rows)[1]


def _merged(tables: list[Table]) -> list[Table]:
    """Join parts of one table that a column without a header parts."""
    result: list[Table] = []
    for table in tables:
        before = next(
            (
                one
                for one in result
                if (one.header, one.kind) == (table.header, table.kind)
                and one.kind in (roles.SLOT, roles.MATRIX, "")
                and set(one.rows) & set(table.rows)
            ),
            None,
        )
        if before is None:
            result.append(table)
            continue
        result[result.index(before)] = Table(
            sheet=table.sheet,
            kind=table.kind,
            header=table.header,
            rows=tuple(sorted({*before.rows, *table.rows})),
            columns={**before.columns, **table.columns},
        )
    return result


def _segments(columns: list[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for column in columns:
        if run and column != run[-1] + 1:
            if len(run) > 1:
                yield run
            run = []
        run.append(column)
    if len(run) > 1:
        yield run


def _table(grid: Grid, header: int, columns: list[int], texts: dict[tuple[int, int], str]) -> Table | None:
    words = {column: texts[header, column] for column in columns}
    rows = list(_rows(grid, header, columns))
    if not rows and kind_of(words, LONG)[1] >= 3:
        rows = list(_rows(grid, header + 1, columns))  # an empty row below a header that is one by its words
    if not rows or not any(is_data(grid, (row, column)) for row in rows[:2] for column in columns):
        return None
    words |= _without_header(grid, header, rows, columns)
    kind, hits = kind_of(words, len(rows))
    if kind == roles.SLOT and daily(grid, rows, list(words)):
        kind, hits = "", 0
    if kind == roles.MATRIX:
        rows = list(takewhile(lambda row: not is_line(grid, row, words), rows))
    shape = shape_of(grid, rows, list(words))
    known = hits >= 2 or (hits >= 1 and len(rows) >= 3 and not is_label_list(grid, rows, columns))
    uniform = len(rows) >= LONG and len(columns) >= 2 and is_uniform(grid, rows, columns)
    if not known and not uniform and not shape:
        return None
    # What stands in the columns says more than words, which may be anybody's; but a long table needs words to be the readings.
    if shape and shape == kind:
        known = True
    elif shape and not (
        kind == roles.SLOT
        or (known and kind in _SURE and hits >= _SURE[kind] and (kind != roles.RATES or _priced(words, shape)))
    ):
        kind, known = shape, True
    return Table(sheet=grid.name, kind=kind if known else "", header=header, rows=tuple(rows), columns=words)


def _priced(words: dict[int, str], shape: str) -> bool:
    """Whether words of rates are more than those that rows of hours have too: from, until, block."""
    named = {roles.header_role(roles.RATES, text) for text in words.values()}
    return shape != roles.HOURS or bool(named - {"from", "until", "block", ""})


def _without_header(grid: Grid, header: int, rows: list[int], columns: list[int]) -> dict[int, str]:
    """Columns beside a long table's headers that hold data in its rows, mostly without a header of their own."""
    if len(rows) < LONG:
        return {}
    found: dict[int, str] = {}
    sample = rows[:: max(1, len(rows) // 20)]
    for column in range(max(1, columns[0] - _WIDE), columns[-1] + _WIDE):
        if column in columns:
            continue
        filled = sum((row, column) in grid.formulas or grid.values.get((row, column)) is not None for row in sample)
        if filled >= 0.9 * len(sample):
            text = grid.values.get((header, column))
            found[column] = text if isinstance(text, str) else ""
    # Only what touches the table, directly or by others: what stands apart is another table, unless it is one column by itself.
    alone = {c for c in found if found[c] and not {c - 1, c + 1} & (set(found) | set(columns))}
    touching: dict[int, str] = {}
    edge = set(columns)
    while more := {
        c
        for c in found
        if c not in touching and (c - 1 in edge or c + 1 in edge or (c in alone and (c - 2 in edge or c + 2 in edge)))
    }:
        touching |= {c: found[c] for c in more}
        edge |= more
    return touching


def summing_rows(grid: Grid, table: Table) -> list[int]:
    """Return the rows at a table's ends whose formulas read most of the column that they stand in, such as a row of totals."""
    found = []
    for row in (*table.rows[:_ENDS], *table.rows[-_ENDS:]):
        for column in table.columns:
            formula = grid.formulas.get((row, column))
            if formula is None:
                continue
            read = (area for area in references(formula, grid.name) if area.sheet == grid.name)
            if any(
                area.first[1] <= column <= area.last[1]
                and 2 * sum(r in range(area.first[0], area.last[0] + 1) for r in table.rows) > len(table.rows)
                for area in read
                if not area.single
            ):
                found.append(row)
                break
    return sorted(set(found))


def _rows(grid: Grid, header: int, columns: list[int]) -> Iterator[int]:
    """The rows of data below a header. An empty row ends the table, unless the next one looks as its first."""
    shape: dict[int, str] = {}
    empty = 0
    for row in range(header + 1, grid.rows + 1):
        filled = {
            column: type_at(grid, (row, column))
            for column in columns
            if grid.values.get((row, column)) is not None or (row, column) in grid.formulas
        }
        # a title between two tables parts them as an empty row does
        titled = len(shape) > 2 and len(filled) == 1 and set(filled.values()) == {"text"}
        if not filled or titled:
            empty += 1
            if empty > 2:
                return
            continue
        if empty and (not shape or filled != shape):
            return
        empty = 0
        shape = shape or filled
        yield row


def _labels(grid: Grid, texts: dict[tuple[int, int], str], taken: set[tuple[int, int]]) -> Iterator[Label]:
    values: set[tuple[int, int]] = set()  # a text beside a label is its value, and no label itself
    for (row, column), text in sorted(texts.items()):
        if (row, column) in taken or (row, column) in values:
            continue
        for step in range(1, _REACH + 1):
            there = (row, column + step)
            if there in taken:
                break
            if grid.values.get(there) is not None or there in grid.formulas:
                if there in texts and roles.bill_word(texts[there]):
                    break  # the next label, and not the value of this one
                values.add(there)
                yield Label(sheet=grid.name, text=text, place=(row, column), value=there)
                break
        else:
            below = (row + 1, column)
            if below not in taken and is_data(grid, below):
                yield Label(sheet=grid.name, text=text, place=(row, column), value=below)
