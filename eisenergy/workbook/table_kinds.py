"""What kind of table a run of rows is: by the words of its header, and by what stands in its columns."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Final

from eisenergy.workbook import roles
from eisenergy.workbook.book import Grid
from eisenergy.workbook.model import Value

LONG: Final = 8
"""Rows from which a run of texts above columns of one type is a header, whatever its words."""
_RATES: Final = 400
"""Rows more than which no table of rates has."""
_CLEAR: Final = 6
"""Known headers from which readings of a few intervals only are readings."""
_STEPS: Final = (1, 2, 4, 12, 60)
"""Rows per hour that a table of the blocks of a day may have."""
_DAYS: Final = 31
"""Rows in which readings of less than a day name one day twice."""


def shape_of(grid: Grid, rows: list[int], columns: list[int]) -> str:
    """The kind of table that the types of its columns say; empty where they say none."""
    sample = rows[:: max(1, len(rows) // 40)]
    types: dict[int, str] = {}
    for column in columns:
        seen = [
            "formula" if (row, column) in grid.formulas else type_at(grid, (row, column))
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


def _is_hour(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 24 and value == int(value)


def _whole_day(grid: Grid, rows: list[int], column: int) -> bool:
    """Whether a column holds every hour of a day once, or every half hour, quarter ..."""
    values = sorted(float(value) for row in rows if isinstance(value := grid.values.get((row, column)), int | float))
    wanted = (number * 24 / len(rows) for number in range(len(rows)))
    return len(values) == len(rows) and all(abs(a - b) < 1e-9 for a, b in zip(values, wanted, strict=True))


def kind_of(words: dict[int, str], rows: int) -> tuple[str, int]:
    """The kind of table whose words these are, and how many of them it knows."""
    best, most = "", 0
    for kind in roles.HEADERS:
        named = {role for text in words.values() if (role := roles.header_role(kind, text))}
        hits = len(named) if kind != roles.DAYS else sum(bool(roles.header_role(kind, text)) for text in words.values())
        if kind == roles.SLOT and (hits < 3 or (rows < LONG and not _readings(named))):
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


def is_data(grid: Grid, place: tuple[int, int]) -> bool:
    """Say whether a cell holds a formula, or a value that is no text."""
    return place in grid.formulas or (grid.values.get(place) is not None and not isinstance(grid.values[place], str))


def daily(grid: Grid, rows: list[int], columns: list[int]) -> bool:
    """Say whether every row is about another day, and none says a time: sums per day, and no readings."""
    seen = {column: [grid.values.get((row, column)) for row in rows[:_DAYS]] for column in columns}
    if any(isinstance(value, time) for values in seen.values() for value in values):
        return False
    return any(
        len({value.date() for value in values if isinstance(value, datetime) and value.time() == time()}) == len(values)
        for values in seen.values()
    )


def is_line(grid: Grid, row: int, words: dict[int, str]) -> bool:
    """Whether a row below a matrix is a line of the invoice: a label, and one amount where the matrix has several."""
    filled = [
        column
        for column in sorted(words)
        if (row, column) in grid.formulas or grid.values.get((row, column)) is not None
    ]
    label = grid.values.get((row, filled[0])) if filled else None
    return 2 * len(filled) <= len(words) and isinstance(label, str) and bool(roles.line_role(label))


def is_label_list(grid: Grid, rows: list[int], columns: list[int]) -> bool:
    """Whether the first column below is a list of labels, each with a value of its own type beside it."""
    labels = [grid.values.get((row, columns[0])) for row in rows]
    known = sum(isinstance(one, str) and bool(roles.parameter_role(one) or roles.line_role(one)) for one in labels)
    return known >= 2


def is_uniform(grid: Grid, rows: list[int], columns: list[int]) -> bool:
    """Say whether most columns hold values of one type."""
    sample = rows[:: max(1, len(rows) // 20)]
    same = sum(len({type_at(grid, (row, column)) for row in sample} - {"none"}) <= 1 for column in columns)
    return same * 2 > len(columns)


def type_at(grid: Grid, place: tuple[int, int]) -> str:
    """Return the type of a cell's value, see :func:`type_of`."""
    return type_of(grid.values.get(place))


def type_of(value: Value) -> str:
    """Return ``none``, ``text``, ``date`` or ``number``."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return "text"
    return "date" if isinstance(value, date | time) else "number"
