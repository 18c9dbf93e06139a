"""A second opinion on single formulas, by the library ``formulas``: slower, and from another hand."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from eisenergy.sheets import cell
from eisenergy.workbook.book import ERRORS, Book, Key
from eisenergy.workbook.formula import Reference, pattern, tokens
from eisenergy.workbook.model import Value
from eisenergy.workbook.values import plain

LARGEST: Final = 200_000
"""Cells one formula may read; more are not worth a second opinion."""

_OUT_OF_PLACE: Final = re.compile(
    r"(?<![\w.])(ROW|COLUMN|ROWS|COLUMNS|OFFSET|INDIRECT|CELL|SHEET|ADDRESS|ISFORMULA|FORMULATEXT|SUBTOTAL|AGGREGATE)\(",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"\s*[-+]?(\d+[.,]?\d*|[.,]\d+)([eE][-+]?\d+)?\s*%?\s*")


class Opinion:
    """Computes one formula at a time from its direct inputs.

    :param read: returns the value of a cell; the inputs are read with it
    """

    def __init__(self, book: Book, read: Callable[[Key], Value]) -> None:
        self._read = read
        self._extents = {grid.name: (grid.rows, grid.columns) for grid in book.grids.values()}
        self._compiled: dict[tuple[str, str, tuple[tuple[int, int], ...]], Any] = {}

    def of(self, formula: str, sheet: str, row: int, column: int) -> tuple[bool, Value]:
        """Compute a formula as it would be in its cell.

        :param formula: with every reference naming its sheet and no defined name in it
        :returns: whether it could be computed, and its value
        """
        if _OUT_OF_PLACE.search(formula):
            return False, None
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                return self._compute(formula, sheet, row, column)
        except Exception:  # whatever a formula makes the library do: then it has no opinion
            return False, None

    def _compute(self, formula: str, sheet: str, row: int, column: int) -> tuple[bool, Value]:
        cut = tokens(formula, sheet)
        ranges = [one.reference for one in cut if one.reference is not None]
        areas = [self._clipped(one) for one in ranges]
        if sum((b[0] - a[0] + 1) * (b[1] - a[1] + 1) for a, b in areas) > LARGEST:
            return False, None
        shapes = tuple((b[0] - a[0] + 1, b[1] - a[1] + 1) for a, b in areas)
        key = (pattern(formula, sheet, row, column), sheet, shapes)
        if key not in self._compiled:
            self._compiled[key] = self._compile(cut, shapes)
        compiled, order = self._compiled[key]
        arrays = [self._array(one.sheet, *area) for one, area in zip(ranges, areas, strict=True)]
        if any(array.size > 1 and any(map(_numeric_text, array.flat)) for array in arrays):
            return (
                False,
                None,
            )  # the library counts a text that reads as a number in a range as one; a spreadsheet does not
        found = compiled(*(arrays[number] for number in order))
        return _value(found)

    def _compile(self, cut: Any, shapes: tuple[tuple[int, int], ...]) -> tuple[Any, tuple[int, ...]]:
        # Every operand gets a sheet of its own, so that a filled-down formula compiles once whatever its addresses are.
        written, number = [], 0
        for one in cut:
            if one.reference is None:
                written.append(one.text)
                continue
            rows, columns = shapes[number]
            last = "" if rows == columns == 1 else f":{cell(rows - 1, columns - 1)}"
            written.append(f"S{number}!A1{last}")
            number += 1
        parser = importlib.import_module("formulas").Parser()
        compiled = parser.ast("=" + "".join(written))[1].compile()
        order = tuple(int(name.partition("!")[0].strip("'")[1:]) for name in (compiled.inputs or ()))
        return compiled, order

    def _clipped(self, one: Reference) -> tuple[tuple[int, int], tuple[int, int]]:
        rows, columns = self._extents[one.sheet]
        last = (max(one.first[0], min(one.last[0], rows)), max(one.first[1], min(one.last[1], columns)))
        return one.first, last

    def _array(self, sheet: str, first: tuple[int, int], last: tuple[int, int]) -> Any:
        rows, columns = last[0] - first[0] + 1, last[1] - first[1] + 1
        found = np.empty((rows, columns), dtype=object)
        for row in range(rows):
            for column in range(columns):
                found[row, column] = _operand(self._read((sheet, first[0] + row, first[1] + column)))
        return found


def _numeric_text(value: object) -> bool:
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None


def _operand(value: Value) -> Any:
    if value is None:
        return importlib.import_module("schedula").EMPTY
    if isinstance(value, str) and value in ERRORS:
        return importlib.import_module("formulas.functions").XlError(value)
    return plain(value)


def _value(found: Any) -> tuple[bool, Value]:
    while isinstance(found, np.ndarray | list | tuple):
        if np.size(found) == 0:
            return False, None
        found = found.ravel()[0] if isinstance(found, np.ndarray) else found[0]
    if isinstance(found, np.generic):
        found = found.item()
    if found is importlib.import_module("schedula").EMPTY:
        return True, 0  # a formula that gives an empty cell shows 0
    if isinstance(found, bool):
        return True, found
    if isinstance(found, str):
        return True, str(found)
    if isinstance(found, int | float):
        return (True, found) if np.isfinite(found) else (False, None)
    text = str(found)
    return (True, text) if text in ERRORS else (False, None)
