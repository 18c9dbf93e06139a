"""A checked sheet's columns and days: where in it a cell stands, in the analyst's terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

from eisenergy.sheets import cell
from eisenergy.workbook.book import Book, Grid
from eisenergy.workbook.model import CheckResult

BAND: Final = 100
"""Rows that are drawn as one where a sheet has no dates."""

MANY: Final = 62
"""With more days than these, months are drawn."""


def letters(column: int) -> str:
    """Return a column's letters. :param column: from 1"""
    return cell(0, column - 1)[:-1]


def header(book: Book, sheet: str, column: int) -> str:
    """Return the text just above a column's longest run of formulas, cells typed over included; empty where there is none."""
    grid = book.grids[sheet]
    rows = sorted(row for row, one in grid.formulas if one == column)
    runs: list[list[int]] = []
    for row in rows:
        if runs and all(_typed_over(grid, runs[-1][-1], (other, column)) for other in range(runs[-1][-1] + 1, row)):
            runs[-1].append(row)
        else:
            runs.append([row])
    first = max(runs, key=len)[0] if runs else 1
    above = (grid.values.get((row, column)) for row in range(first - 1, max(0, first - 4), -1))
    return next((text.strip() for text in above if isinstance(text, str) and text.strip()), "")


def _typed_over(grid: Grid, formula: int, place: tuple[int, int]) -> bool:
    """Say whether a cell holds a value such as the formula in a row above it gives."""
    value, given = grid.values.get(place), grid.values.get((formula, place[1]))
    return value is not None and isinstance(value, str) is isinstance(given, str)


def longest_sheet(result: CheckResult) -> str | None:
    """Return the sheet with the most formulas: that of the readings; ``None`` where there are no formulas."""
    found = Counter(one.place.sheet for one in result.cells).most_common(1)
    return found[0][0] if found else None


def moments(book: Book, sheet: str, rows: Iterable[int]) -> dict[int, str]:
    """Return row -> the day it is about, or the month where there are many days, or the rows it is drawn with.

    :param rows: the rows asked for; their days stand in the leftmost column that holds one in nearly all of them
    """
    asked = sorted(set(rows))
    values = book.grids[sheet].values
    for column in range(1, book.grids[sheet].columns + 1):
        days = {row: day for row in asked if (day := _day(values.get((row, column)))) is not None}
        if len(days) * 10 >= len(asked) * 9 > 0:
            form = "%Y-%m" if len(set(days.values())) > MANY else "%Y-%m-%d"
            return {row: f"{day:{form}}" for row, day in days.items()}
    return {row: f"rows {row // BAND * BAND}+" for row in asked}


def _day(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else None
