"""Where a sheet's tables and labelled cells are, whatever their place: a header row above rows of data, a label beside its value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import takewhile
from typing import Final

from eisenergy.workbook import roles
from eisenergy.workbook.book import Grid
from eisenergy.workbook.formula import references
from eisenergy.workbook.model import Value

_LONG: Final = 8
"""Rows from which a run of texts above columns of one type is a header, whatever its words."""
_RATES: Final = 400
"""Rows more than which no table of rates has."""
_SURE: Final = {roles.RATES: 3, roles.KINDS: 2, roles.LOSSES: 2, roles.CORRECTIONS: 2}
"""Known headers from which a table is of a kind whatever the types of its columns."""
_CLEAR: Final = 6
"""The same for readings of a few intervals only."""
_STEPS: Final = (1, 2, 4, 12, 60)
"""Rows per hour that a table of the blocks of a day may have."""
_DAYS: Final = 31
"""Rows in which readings of less than a day name one day twice."""
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
    return _kind(below, rows)[1] > _kind({c: text for c, text in table.columns.items() if text}, rows)[1]


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
    if not rows and _kind(words, _LONG)[1] >= 3:
        rows = list(_rows(grid, header + 1, columns))  # an empty row below a header that is one by its words
    if not rows or not any(_is_data(grid, (row, column)) for row in rows[:2] for column in columns):
        return None
    words |= _without_header(grid, header, rows, columns)
    kind, hits = _kind(words, len(rows))
    if kind == roles.SLOT and _daily(grid, rows, list(words)):
        kind, hits = "", 0
    if kind == roles.MATRIX:
        rows = list(takewhile(lambda row: not _is_line(grid, row, words), rows))
    shape = _shape(grid, rows, list(words))
    known = hits >= 2 or (hits >= 1 and len(rows) >= 3 and not _is_label_list(grid, rows, columns))
    uniform = len(rows) >= _LONG and len(columns) >= 2 and _uniform(grid, rows, columns)
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
    if len(rows) < _LONG:
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


def _shape(grid: Grid, rows: list[int], columns: list[int]) -> str:
    """The kind of table that the types of its columns say; empty where they say none."""
    sample = rows[:: max(1, len(rows) // 40)]
    types: dict[int, str] = {}
    for column in columns:
        seen = [
            "formula" if (row, column) in grid.formulas else _type(grid, (row, column))
            for row in sample
            if (row, column) in grid.formulas or grid.values.get((row, column)) is not None
        ]
        types[column] = max(set(seen), key=seen.count) if seen else "none"
    by_type = {name: [c for c, t in types.items() if t == name] for name in ("text", "date", "number", "formula")}
    text, dates, numbers, formulas = (by_type[name] for name in ("text", "date", "number", "formula"))
    hours = [c for c in numbers if all(_is_hour(grid.values.get((row, c))) for row in rows)]
    if len(rows) % 24 == 0 and len(rows) // 24 in _STEPS and any(_whole_day(grid, rows, c) for c in numbers):
        return roles.HOUR
    if len(text) == 1 and len(hours) == 2 and len(columns) == 3 and len(rows) <= 48:
        return roles.HOURS
    if text and len(dates) == 1 and numbers and not formulas and len(rows) <= _RATES:
        return roles.RATES
    if len(rows) in range(27, 32) and len(dates) == 1 and formulas and not text and not numbers:
        return roles.DAYS
    if len(text) == 1 and len(formulas) >= 2 and not dates and not numbers and 2 <= len(rows) <= 60:
        return roles.MATRIX
    return ""


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


def _is_hour(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 24 and value == int(value)


def _whole_day(grid: Grid, rows: list[int], column: int) -> bool:
    """Whether a column holds every hour of a day once, or every half hour, quarter ..."""
    values = sorted(float(value) for row in rows if isinstance(value := grid.values.get((row, column)), int | float))
    wanted = (number * 24 / len(rows) for number in range(len(rows)))
    return len(values) == len(rows) and all(abs(a - b) < 1e-9 for a, b in zip(values, wanted, strict=True))


def _rows(grid: Grid, header: int, columns: list[int]) -> Iterator[int]:
    """The rows of data below a header. An empty row ends the table, unless the next one looks as its first."""
    shape: dict[int, str] = {}
    empty = 0
    for row in range(header + 1, grid.rows + 1):
        filled = {
            column: _type(grid, (row, column))
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


def _kind(words: dict[int, str], rows: int) -> tuple[str, int]:
    """The kind of table whose words these are, and how many of them it knows."""
    best, most = "", 0
    for kind in roles.HEADERS:
        named = {role for text in words.values() if (role := roles.header_role(kind, text))}
        hits = len(named) if kind != roles.DAYS else sum(bool(roles.header_role(kind, text)) for text in words.values())
        if kind == roles.SLOT and (hits < 3 or (rows < _LONG and not _readings(named))):
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
        if kind == roles.KINDS and not ("day" in named and len(named) > 1):
            continue
        if kind == roles.LOSSES and named != {"from", "factor"}:
            continue
        if kind == roles.CORRECTIONS and not {"period", "amount"} <= named:
            continue
        if hits > most or (hits == most and hits and kind == roles.HOUR):
            best, most = kind, hits
    return best, most


def _readings(named: set[str]) -> bool:
    """Whether headers alone say that these are readings, however few."""
    return len(named) >= _CLEAR and "kwh" in named and bool(named & {"date", "stamp"})


def _is_data(grid: Grid, place: tuple[int, int]) -> bool:
    return place in grid.formulas or (grid.values.get(place) is not None and not isinstance(grid.values[place], str))


def _daily(grid: Grid, rows: list[int], columns: list[int]) -> bool:
    """Whether every row is about another day, and none says a time: sums per day, and no readings."""
    seen = {column: [grid.values.get((row, column)) for row in rows[:_DAYS]] for column in columns}
    if any(isinstance(value, time) for values in seen.values() for value in values):
        return False
    return any(
        len({value.date() for value in values if isinstance(value, datetime) and value.time() == time()}) == len(values)
        for values in seen.values()
    )


def _is_line(grid: Grid, row: int, words: dict[int, str]) -> bool:
    """Whether a row below a matrix is a line of the invoice: a label, and one amount where the matrix has several."""
    filled = [
        column
        for column in sorted(words)
        if (row, column) in grid.formulas or grid.values.get((row, column)) is not None
    ]
    label = grid.values.get((row, filled[0])) if filled else None
    return 2 * len(filled) <= len(words) and isinstance(label, str) and bool(roles.line_role(label))


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
            if below not in taken and _is_data(grid, below):
                yield Label(sheet=grid.name, text=text, place=(row, column), value=below)
