"""Where a sheet's tables and labelled cells are, whatever their place: a header row above rows of data, a label beside its value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from typing import Final

from eisenergy.workbook import roles
from eisenergy.workbook.book import Grid
from eisenergy.workbook.model import Value

_LONG: Final = 8
"""Rows from which a run of texts above columns of one type is a header, whatever its words."""
_RATES: Final = 400
"""Rows more than which no table of rates has."""
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
            if table is not None:
                tables.append(table)
                taken |= {(r, c) for r in (table.header, *table.rows) for c in table.columns}
    return tables, list(_labels(grid, texts, taken))


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
    kind, hits = _kind(words, len(rows))
    if not rows or not any(_is_data(grid, (row, column)) for row in rows[:2] for column in columns):
        return None
    known = hits >= 2 or (hits >= 1 and len(rows) >= 3 and not _is_label_list(grid, rows, columns))
    uniform = len(rows) >= _LONG and len(columns) >= 2 and _uniform(grid, rows, columns)
    if not known and not uniform:
        return None
    return Table(sheet=grid.name, kind=kind if known else "", header=header, rows=tuple(rows), columns=words)


def _rows(grid: Grid, header: int, columns: list[int]) -> Iterator[int]:
    """The rows of data below a header; a long table may have an empty row."""
    first_kind = ""
    empty = 0
    count = 0
    for row in range(header + 1, grid.rows + 1):
        filled = [
            column for column in columns if grid.values.get((row, column)) is not None or (row, column) in grid.formulas
        ]
        if not filled:
            empty += 1
            if count < _LONG or empty > 2:
                return
            continue
        kind = _type(grid, (row, columns[0]))
        if empty and kind != first_kind:
            return
        empty = 0
        first_kind = first_kind or kind
        count += 1
        yield row


def _kind(words: dict[int, str], rows: int) -> tuple[str, int]:
    """The kind of table whose words these are, and how many of them it knows."""
    best, most = "", 0
    for kind in roles.HEADERS:
        named = {role for text in words.values() if (role := roles.header_role(kind, text))}
        hits = len(named) if kind != roles.DAYS else sum(bool(roles.header_role(kind, text)) for text in words.values())
        if kind == roles.SLOT and (rows < _LONG or hits < 3):
            continue
        if kind == roles.MATRIX and (
            rows > 60 or not named & {"max_kw", "max_kw_at", "kwh", "energy_cost", "loss_amount"}
        ):
            continue
        if kind == roles.RATES and (rows > _RATES or hits < 2 or not named & {"from", "energy", "demand"}):
            continue
        if kind == roles.DAYS and "demand" not in named and not (rows in range(27, 33) and "day" in named):
            continue
        if kind == roles.HOURS and (rows > 60 or not named & {"first", "last"}):
            continue
        if kind == roles.HOUR and (len(words) > 4 or rows not in range(20, 27)):
            continue
        if hits > most or (hits == most and kind == roles.HOUR):
            best, most = kind, hits
    return best, most


def _is_data(grid: Grid, place: tuple[int, int]) -> bool:
    return place in grid.formulas or (grid.values.get(place) is not None and not isinstance(grid.values[place], str))


def _is_label_list(grid: Grid, rows: list[int], columns: list[int]) -> bool:
    """Whether the first column below is a list of labels, each with a value of its own type beside it."""
    labels = [grid.values.get((row, columns[0])) for row in rows]
    known = sum(isinstance(one, str) and bool(roles.parameter_role(one) or roles.line_role(one)) for one in labels)
    return known >= 2


def _uniform(grid: Grid, rows: list[int], columns: list[int]) -> bool:
    sample = rows[:: max(1, len(rows) // 20)]
    same = sum(len({_type(grid, (row, column)) for row in sample} - {"none"}) <= 1 for column in columns)
    return same * 2 > len(columns)


def _type(grid: Grid, place: tuple[int, int]) -> str:
    return type_of(grid.values.get(place))


def type_of(value: Value) -> str:
    """Return ``none``, ``text``, ``date`` or ``number``."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return "text"
    return "date" if isinstance(value, date | time) else "number"


def _labels(grid: Grid, texts: dict[tuple[int, int], str], taken: set[tuple[int, int]]) -> Iterator[Label]:
    for (row, column), text in sorted(texts.items()):
        if (row, column) in taken:
            continue
        for step in range(1, _REACH + 1):
            there = (row, column + step)
            if there in taken:
                break
            if grid.values.get(there) is not None or there in grid.formulas:
                yield Label(sheet=grid.name, text=text, place=(row, column), value=there)
                break
        else:
            below = (row + 1, column)
            if below not in taken and _is_data(grid, below):
                yield Label(sheet=grid.name, text=text, place=(row, column), value=below)
