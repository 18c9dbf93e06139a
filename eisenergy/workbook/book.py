"""A workbook with its formulas and its cached values side by side."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import openpyxl
from openpyxl.reader.excel import SUPPORTED_FORMATS
from openpyxl.worksheet.formula import ArrayFormula, DataTableFormula

from eisenergy import unpacked
from eisenergy.contents import UnreadableFile
from eisenergy.workbook.model import Value

Key = tuple[str, int, int]
"""A cell: sheet, row and column, both from 1."""

ERRORS: Final = frozenset(("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#SPILL!", "#CALC!"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One sheet.

    :param values: (row, column), both from 1 -> value; for a formula cell its cached value, absent or ``None`` where there is none
    :param formulas: (row, column) -> formula with ``=``
    :param hidden_rows: rows that are not shown, filtered ones included
    :param hidden_columns: columns that are not shown, from 1
    :param merged: first and last cell of every merged area
    """

    name: str
    rows: int
    columns: int
    values: dict[tuple[int, int], Value]
    formulas: dict[tuple[int, int], str]
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()
    merged: tuple[tuple[tuple[int, int], tuple[int, int]], ...] = ()
    known: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """What was found out about the sheet, so that it is found out once; a changed copy starts without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A workbook.

    :param grids: its sheets by name, in their order
    :param names: defined names -> what they refer to, for example ``{"Tasa": "Hoja1!$B$5"}``; a name of one sheet only stands
        with its sheet, ``{"Hoja1!Tasa": ...}``
    """

    path: Path
    sha256: str
    grids: dict[str, Grid]
    names: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The file's name."""
        return self.path.name

    def formulas(self) -> Iterator[tuple[Key, str]]:
        """Yield every formula, in order of sheet, row and column."""
        for grid in self.grids.values():
            for (row, column), formula in sorted(grid.formulas.items()):
                yield (grid.name, row, column), formula

    def value(self, key: Key) -> Value:
        """Return a cell's value; ``None`` for an empty one, a formula nobody calculated, and a sheet that is not there."""
        grid = self.grids.get(key[0])
        return None if grid is None else grid.values.get(key[1:])

    def filled(self, values: Mapping[Key, Value]) -> Book:
        """Return the book with values for the formulas that have none; a cached value that is there stays."""
        grids = {}
        for name, grid in self.grids.items():
            own = {place: values.get((name, *place)) for place in grid.formulas if grid.values.get(place) is None}
            grids[name] = replace(grid, values=grid.values | own) if own else grid
        return replace(self, grids=grids)

    def only(self, sheets: Collection[str]) -> Book:
        """Return the book with some of its sheets."""
        return replace(self, grids={name: grid for name, grid in self.grids.items() if name in sheets})

    @property
    def calculated(self) -> bool:
        """Whether any formula has a cached value at all, or there is none to calculate."""
        with_formulas = [grid for grid in self.grids.values() if grid.formulas]
        return not with_formulas or any(
            grid.values.get(place) is not None for grid in with_formulas for place in grid.formulas
        )


def open_book(path: Path) -> Book:
    """Read a workbook's formulas and cached values.

    :raises UnreadableFile: when it is no ``.xlsx`` or ``.xlsm`` that can be read
    """
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise UnreadableFile(f"{path}: cannot be read ({problem.strerror}). Give the path of a workbook.") from problem
    if content[:4] != b"PK\x03\x04":
        what = "a legacy or password-protected workbook" if content[:4] == b"\xd0\xcf\x11\xe0" else "no workbook"
        raise UnreadableFile(
            f"{path.name}: found {what}, expected an .xlsx or .xlsm file. Save it from the spreadsheet program as .xlsx, "
            "without a password."
        )
    if path.suffix.lower() not in SUPPORTED_FORMATS:
        raise UnreadableFile(
            f"{path.name}: found the ending {path.suffix!r}, expected .xlsx or .xlsm. Save it from the spreadsheet program as .xlsx."
        )
    try:
        with warnings.catch_warnings(), path.open("rb") as read:  # openpyxl would leave it open where it cannot read it
            warnings.simplefilter("ignore")
            with zipfile.ZipFile(read) as archive:
                unpacked.check_size(archive)
                unpacked.check(archive, unpacked.Declarations())
            formulas = openpyxl.load_workbook(read)
            values = openpyxl.load_workbook(read, data_only=True)
    except unpacked.TooLarge as problem:
        raise UnreadableFile(f"{path.name} is not read: {problem}.") from None
    except (*unpacked.REFUSED, KeyError, TypeError, IndexError, SyntaxError) as problem:  # the last: XML that is none
        said = str(problem).replace(str(path), path.name)  # who reads it may not know where files lie here
        raise UnreadableFile(
            f"{path.name}: found a damaged workbook ({said}), expected an .xlsx file. Open it in the spreadsheet program and "
            "save it again."
        ) from problem
    grids = {sheet.title: _grid(sheet, values[sheet.title]) for sheet in formulas.worksheets}
    names = {name: str(defined.attr_text) for name, defined in formulas.defined_names.items()}
    for sheet in formulas.worksheets:
        names |= {f"{sheet.title}!{name}": str(defined.attr_text) for name, defined in sheet.defined_names.items()}
    return Book(path=path, sha256=hashlib.sha256(content).hexdigest(), grids=grids, names=names)


def _grid(formulas: Any, values: Any) -> Grid:
    found: dict[tuple[int, int], Value] = {}
    texts: dict[tuple[int, int], str] = {}
    for place, one in formulas._cells.items():
        content = one.value
        if content is None:
            continue
        if isinstance(content, DataTableFormula):
            texts[place] = f"=TABLE({content.ref})"
        elif isinstance(content, ArrayFormula):
            texts[place] = str(content.text)
        elif one.data_type == "f":
            texts[place] = str(content)
        else:
            found[place] = content
    for place in texts:
        cached = values._cells.get(place)
        found[place] = None if cached is None else cached.value
        # a formula that gave an empty text is kept without a value, and only its type tells it from one nobody calculated
        if cached is not None and cached.value is None and cached.data_type == "str":
            found[place] = ""
    dimensions = formulas.row_dimensions
    return Grid(
        name=formulas.title,
        rows=formulas.max_row,
        columns=formulas.max_column,
        values=found,
        formulas=texts,
        hidden_rows=frozenset(row for row, dimension in dimensions.items() if dimension.hidden),
        hidden_columns=frozenset(
            column
            for dimension in formulas.column_dimensions.values()
            if dimension.hidden
            for column in range(dimension.min or 0, (dimension.max or 0) + 1)
        ),
        merged=tuple(
            ((area.min_row, area.min_col), (area.max_row, area.max_col)) for area in formulas.merged_cells.ranges
        ),
    )
