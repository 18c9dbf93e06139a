"""Tables of masters and rates in spreadsheets: columns by name, typed cells, and errors that name the cell.

A header such as ``Cargo por energía (USD/kWh)`` is a name and a unit. Numbers typed as text are refused, not guessed: ``1.500`` is
fifteen hundred in one country and one and a half in another.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from eisenergy.contents import UnreadableFile
from eisenergy.money import decimal_of
from eisenergy.sheets import Header, Sheet, Workbook, cell, find_header, fold, uncalculated

_UNIT: Final = re.compile(r"(?P<name>.*?)\s*[\(\[](?P<unit>[^)\]]*)[\)\]]\s*", re.DOTALL)


class BadTable(UnreadableFile):
    """A spreadsheet whose table cannot be found or is ambiguous; names file, sheet and what was expected."""


class BadCell(ValueError):
    """A cell that does not hold what its column needs.

    :param code: kebab-case name of the fault
    :param where: file, sheet and cell
    """

    def __init__(self, code: str, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.code = code
        self.where = where


@dataclass(frozen=True, slots=True)
class Table:
    """A table found in a sheet.

    :param wanted: field -> the headers it goes by, for messages
    :param uncalculated: cells that came out empty although they hold a formula
    """

    sheet: Sheet
    header: Header
    wanted: Mapping[str, Collection[str]]
    uncalculated: frozenset[tuple[int, int]]

    @property
    def rows(self) -> list[int]:
        """Rows below the header that hold anything."""
        first = self.header.row + 1
        lines = enumerate(self.sheet.rows[first:], first)
        return [index for index, line in lines if any(_filled(value) for value in line)]

    @property
    def titles(self) -> list[str]:
        """Texts above the header."""
        return [
            value.strip()
            for line in self.sheet.rows[: self.header.row]
            for value in line
            if isinstance(value, str) and value.strip()
        ]

    def has(self, field: str) -> bool:
        """Say whether the table has a column for a field."""
        return field in self.header.columns

    def heading(self, field: str) -> str:
        """Return a field's header as the file spells it."""
        return str(self.sheet.rows[self.header.row][self.header.columns[field]]).strip()

    def unit(self, field: str) -> str | None:
        """Return the unit in a field's header, ``None`` where it names none."""
        match = _UNIT.fullmatch(self.heading(field))
        return match["unit"].strip() if match else None

    def at(self, row: int, field: str) -> str:
        """Say where a cell is, for messages: ``Tarifas.xlsx, sheet EIS-TOU, cell B4``."""
        return self.sheet.at(row, self.header.columns[field])

    def at_header(self, field: str) -> str:
        """Say where a field's header is."""
        return self.at(self.header.row, field)

    def origin(self, row: int, field: str) -> str:
        """Say where a number came from, short enough to print: ``Tarifas.xlsx, EIS-TOU!B4``."""
        return f"{self.sheet.file}, {self.sheet.name}!{cell(row, self.header.columns[field])}"

    def value(self, row: int, field: str) -> object:
        """Return a raw cell, ``None`` where it is empty. :raises BadCell: for a formula without a value."""
        column = self.header.columns[field]
        if (row, column) in self.uncalculated:
            where = self.at(row, field)
            raise BadCell("uncalculated-formula", where, uncalculated(where).removeprefix(where).strip())
        value = self.sheet.rows[row][column]
        return value if _filled(value) else None

    def text(self, row: int, field: str) -> str:
        """Return a cell as text, empty where the cell or the column is. A number typed for a text keeps its digits."""
        return text_of(self.value(row, field)) if self.has(field) else ""

    def needed(self, row: int, field: str, example: str) -> str:
        """Return a cell as text. :raises BadCell: when it is empty."""
        text = self.text(row, field)
        if not text:
            raise BadCell(
                "missing-cell",
                self.at(row, field),
                f"the cell is empty, expected {self.heading(field)!r}, for example {example}. Fill it in.",
            )
        return text

    def number(self, row: int, field: str) -> Decimal | None:
        """Return a cell's number, ``None`` where it is empty. :raises BadCell: for text, a date or an infinite number."""
        value = self.value(row, field)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadCell(
                "text-for-number",
                self.at(row, field),
                f"found {text_of(value)!r}, which is not a number, expected the number of {self.heading(field)!r}. "
                "Type it as a number, without unit.",
            )
        return decimal_of(value)

    def positive(self, row: int, field: str) -> Decimal | None:
        """Return a cell's number. :raises BadCell: for a negative one too."""
        number = self.number(row, field)
        if number is not None and number < 0:
            raise BadCell(
                "negative-number",
                self.at(row, field),
                f"found {number}, expected zero or a positive number for {self.heading(field)!r}. Correct the sign.",
            )
        return number

    def day(self, row: int, field: str) -> date | None:
        """Return a cell's date, ``None`` where it is empty.

        :raises BadCell: for anything that is no date, and for a text whose day and month could be taken for each other
        """
        value = self.value(row, field)
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.date()
        day = _date_in(value) if isinstance(value, str) else None
        if day is None:
            raise BadCell(
                "unreadable-date",
                self.at(row, field),
                f"found {text_of(value)!r}, expected a date for {self.heading(field)!r}. "
                "Type it as a date, or as text in the form 2021-07-15.",
            )
        return day


def open_table(
    path: Path, wanted: Mapping[str, Collection[str]], required: Collection[str], *, sheet: str | None = None
) -> Table:
    """Find the one table of a workbook that has the required columns.

    :param wanted: field -> headers it goes by, in any language, without unit
    :param sheet: name of the sheet; by default the only one that has the table
    :raises BadTable: when no sheet has it, or several do
    :raises UnreadableFile: when the file is no readable workbook
    """
    names = {field: {key for name in known for key in _keys(name)} for field, known in wanted.items()}
    book = Workbook(path)
    if sheet is not None and sheet not in book.names:
        raise BadTable(f"{path.name} has no sheet {sheet!r}. Its sheets are: {', '.join(book.names)}.")
    sheets = [book.sheet(name) for name in book.names if sheet in (None, name)]
    found = [(one, header) for one in sheets if (header := find_header(_without_units(one), names, required))]
    if len(found) > 1:
        raise BadTable(
            f"{path.name} has the table in the sheets {', '.join(one.name for one, _ in found)}: expected one. "
            "Name the sheet, or remove the others."
        )
    if not found:
        raise BadTable(_missing(path.name, sheets, names, wanted, required))
    one, header = found[0]
    empty = [
        (row, column)
        for row in range(header.row + 1, len(one.rows))
        for column in header.columns.values()
        if not _filled(one.rows[row][column])
    ]
    formulas = frozenset(
        (row, column) for row, column, text in book.empty_cell(one.name, empty) if text.startswith(("=", "#"))
    )
    return Table(one, header, wanted, formulas)


def split_unit(heading: str) -> str:
    """Return a header without its unit in parentheses."""
    match = _UNIT.fullmatch(heading)
    return match["name"] if match and match["name"] else heading


def text_of(value: object) -> str:
    """Return a raw cell as the text a person would type."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float):
        return f"{decimal_of(value):f}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == value.time().min else value.isoformat(sep=" ")
    return " ".join(str(value).split())


def block_name(text: str) -> str:
    """Return a block's name in its one spelling: capitals, single spaces."""
    return " ".join(text.split()).upper()


def _filled(value: object) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


def _keys(name: str) -> tuple[str, str]:
    folded = fold(name)
    return folded, folded.replace(" ", "")


def _without_units(sheet: Sheet) -> Sheet:
    rows = [[split_unit(value) if isinstance(value, str) else value for value in line] for line in sheet.rows]
    return Sheet(sheet.file, sheet.name, rows)


def _missing(
    file: str,
    sheets: list[Sheet],
    names: Mapping[str, Collection[str]],
    wanted: Mapping[str, Collection[str]],
    required: Collection[str],
) -> str:
    """Say which required columns the row that comes nearest to a header lacks."""
    meaning = {key: field for field, keys in names.items() for key in keys}
    best: tuple[set[str], str] = (set(), "")
    for sheet in sheets:
        for index, line in enumerate(sheet.rows):
            here = {meaning[key] for v in line if isinstance(v, str) and (key := fold(split_unit(v))) in meaning}
            if len(here) > len(best[0]):
                best = (here, f", sheet {sheet.name}, row {index + 1}")
    lacking = [field for field in wanted if field in required and field not in best[0]]
    columns = ", ".join(repr(next(iter(wanted[field]))) for field in lacking)
    return f"{file}{best[1]}: no column {columns} in the header. Add it; its name may be Spanish or English."


def _date_in(text: str) -> date | None:
    """Read ``2021-07-15``, and ``15/07/2021`` where only one reading of it is a date."""
    plain = text.strip()
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", plain):
        return _date(int(plain[:4]), int(plain[5:7]), int(plain[8:]))
    match = re.fullmatch(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", plain)
    if match is None:
        return None
    first, second, year = (int(part) for part in match.groups())
    readings = {day for day in (_date(year, second, first), _date(year, first, second)) if day}
    return readings.pop() if len(readings) == 1 else None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
