"""Tables in spreadsheets: raw cells, the row that holds the headers, and errors that name the cell.

Whether a file is a workbook at all is said by :mod:`eisenergy.contents`. Values come from calamine (through fastexcel), which reads what
spreadsheet programs write; formulas are looked at with openpyxl, and only when a value that matters is missing.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from eisenergy.contents import Content, UnreadableFile, check_parts, content, damaged, first_line, protected

_MOMENT: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet's raw cells.

    :param file: the file's name, for messages
    :param rows: ``rows[row][column]``, both from 0 at cell A1; all rows of the same length
    """

    file: str
    name: str
    rows: list[list[object]]

    def at(self, row: int, column: int) -> str:
        """Say where a cell is: ``Tarifas.xlsx, sheet Tarifas, cell B2``."""
        return f"{self.file}, sheet {self.name}, cell {cell(row, column)}"


@dataclass(frozen=True, slots=True)
class Header:
    """Where a table's headers are.

    :param row: the header row, from 0
    :param columns: canonical field -> column, from 0
    :param unknown: header as in the file -> column, for the headers nobody asked for
    """

    row: int
    columns: dict[str, int]
    unknown: dict[str, int] = field(default_factory=dict)


def cell(row: int, column: int) -> str:
    """Name a cell as a spreadsheet does: ``cell(15, 1) == "B16"``."""
    letters = ""
    rest = column + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return f"{letters}{row + 1}"


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """Fold a header for comparison: lower case, no accents, punctuation as a space, single spaces."""
    plain = unicodedata.normalize("NFKD", text)
    letters = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    return " ".join(re.sub(r"[\W_]+", " ", letters).split())


@contextmanager
def _calamine(what: str) -> Iterator[None]:
    """Turn whatever calamine says of a broken workbook into an error a person can read."""
    try:
        yield
    except BaseException as error:
        # A panic of the Rust library is no Exception: some cut .xls files make calamine slice beyond their end.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        if "password" in str(error).lower() or "encrypt" in str(error).lower():
            raise UnreadableFile(protected(what)) from error
        raise UnreadableFile(damaged(what, first_line(error))) from error


class Workbook:
    """A workbook opened for its values.

    :param path: an ``.xlsx`` or ``.xls`` file
    :raises UnreadableFile: when it is no readable workbook
    """

    def __init__(self, path: Path) -> None:
        import fastexcel

        kind = content(path)
        if kind is Content.TEXT:
            raise UnreadableFile(
                f"{path.name} is text, not a workbook, whatever its name says: expected .xlsx or .xls. "
                "If it is a table with separators, rename it to .csv and load it again."
            )
        if kind is Content.XLSX:
            check_parts(path)
        self.path = path
        self.file = path.name
        self.kind = kind
        with _calamine(path.name):
            self._reader = fastexcel.read_excel(str(path))

    @property
    def names(self) -> list[str]:
        """Names of the sheets, in order."""
        return list(self._reader.sheet_names)

    def frame(self, name: str, dtypes: Any = "string", rows: int | None = None) -> tuple[Any, int]:
        """Load a sheet's cells into a Polars frame, every leading empty row kept.

        :param dtypes: fastexcel's type, or column (from 0 at A) -> type. A text that is no number is null in a float column
        :param rows: load only so many rows
        :returns: the frame, and how many empty columns lie left of its first one
        """
        with _calamine(f"{self.file}, sheet {name},"):
            sheet = self._reader.load_sheet(name, header_row=None, skip_rows=0, n_rows=rows, dtypes=dtypes)
            frame = sheet.to_polars()
        columns = sheet.available_columns()
        return frame, (columns[0].absolute_index if columns else 0)

    def sheet(self, name: str, rows: int | None = None) -> Sheet:
        """Read a sheet's cells with the type each has in the file; ``rows`` limits how many rows."""
        text, left = self.frame(name, "string", rows)
        number, truth, moment = (self.frame(name, dtype, rows)[0] for dtype in ("float", "boolean", "datetime"))
        columns: list[list[object]] = [[None] * text.height for _ in range(left)]
        for index in range(text.width):
            shown = text.to_series(index).to_list()
            columns.append(
                [
                    None if value is None else _typed(value, *others)
                    for value, *others in zip(
                        shown,
                        number.to_series(index).to_list(),
                        truth.to_series(index).to_list(),
                        moment.to_series(index).is_not_null().to_list(),
                        strict=True,
                    )
                ]
            )
        return Sheet(self.file, name, [list(row) for row in zip(*columns, strict=True)])

    def empty_cell(self, name: str, cells: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, str]]:
        """Say of cells that came out empty which hold a formula or an error all the same.

        :param cells: (row, column) from 0
        :returns: (row, column, what the cell holds) for those that are not really empty

        An ``.xls`` keeps a value beside every formula, so nothing is looked up there.
        """
        if self.kind is not Content.XLSX or not cells:
            return
        import openpyxl

        wanted = set(cells)
        top, bottom = min(row for row, _ in wanted), max(row for row, _ in wanted)
        held: list[tuple[int, int, str]] = []
        # openpyxl fails on some files that calamine reads, at once or in the middle: then nothing more can be said
        with suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with closing(openpyxl.load_workbook(self.path, read_only=True, data_only=False)) as book:
                for line in book[name].iter_rows(min_row=top + 1, max_row=bottom + 1):
                    for found in line:
                        value = getattr(found, "value", None)
                        if value is None:
                            continue
                        place = (found.row - 1, found.column - 1)
                        if place in wanted:
                            held.append((*place, str(getattr(value, "text", value))))
        yield from held


def open_sheets(path: Path) -> list[Sheet]:
    """Read every sheet of a workbook.

    :raises UnreadableFile: when it is missing, empty, damaged, protected or no workbook
    """
    book = Workbook(path)
    return [book.sheet(name) for name in book.names]


def uncalculated(where: str) -> str:
    """Say that a formula has no value. :param where: file, sheet and cell."""
    return (
        f"{where} has a formula that was never calculated: expected a value. "
        "Open it in a spreadsheet program, save, and load it again."
    )


def find_header(sheet: Sheet, wanted: Mapping[str, Collection[str]], required: Collection[str]) -> Header | None:
    """Find the first row that names every required field.

    :param wanted: canonical field -> the folded headers it goes by; of two columns with one field the left one counts
    :param required: the fields without which a row is no header row
    :returns: ``None`` when no row has them all
    """
    meaning = {name: canonical for canonical, names in wanted.items() for name in names}
    needed = set(required)
    for index, row in enumerate(sheet.rows):
        columns: dict[str, int] = {}
        unknown: dict[str, int] = {}
        for column, value in enumerate(row):
            if not isinstance(value, str) or not value.strip():
                continue
            canonical = meaning.get(fold(value))
            if canonical is not None and canonical not in columns:
                columns[canonical] = column
            else:
                unknown.setdefault(value.strip(), column)
        if needed <= columns.keys():
            return Header(index, columns, unknown)
    return None


def _typed(shown: str, number: float | None, truth: bool | None, is_moment: bool) -> object:
    match = _MOMENT.fullmatch(shown) if is_moment and truth is None else None
    if match:
        moment = datetime(*(int(part) for part in match.groups()[:6]))  # type: ignore[arg-type]  # noqa: DTZ001
        return moment.time() if moment.year == 1899 else moment
    if truth is not None and number is not None:
        return truth if shown in ("true", "false") else number
    return shown
