"""What readers hand on: raw tables, what was decided about them, and the canonical result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import polars as pl

from eisenergy.findings import Finding
from eisenergy.sheets import cell


class Format(StrEnum):
    """What a file holds, and in which form."""

    SPREADSHEET = "spreadsheet"
    DELIMITED = "delimited"
    DISTRIBUTOR = "distributor-report"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTable:
    """A table of readings as a reader found it, before anything is interpreted.

    :param sheet: the sheet's name, ``None`` for a text file
    :param header_row: the header's row, from 0
    :param headers: header per column as in the file, ``None`` where a column has none
    :param frame: the rows below the header; column ``str(i)`` is the file's column i, text or (spreadsheets) number
    :param rows: the row of the file each frame row stands in, from 1
    :param above: the cells above the header
    :param text: gives a column as text, for cells that did not come out as a number
    :param hidden: gives what cells hold that came out empty (formulas never calculated), by (file row from 0, column)
    """

    file: str
    sheet: str | None
    header_row: int
    headers: tuple[str | None, ...]
    frame: pl.DataFrame
    rows: pl.Series
    above: list[list[object]]
    text: Callable[[int], pl.Series]
    hidden: Callable[[Sequence[tuple[int, int]]], list[tuple[int, int, str]]]
    encoding: str | None = None
    separator: str | None = None

    def label(self, column: int) -> str:
        """Return a column's header, or its letter where it has none."""
        header = self.headers[column] if column < len(self.headers) else None
        return header or f"column {cell(0, column)[:-1]}"

    def where(self, index: int, column: int | None = None) -> str:
        """Say where frame row ``index`` is: file, sheet, row or cell, and column."""
        row = int(self.rows[index])
        place = self.file if self.sheet is None else f"{self.file}, sheet {self.sheet}"
        if column is None:
            return f"{place}, row {row}"
        if self.sheet is None:
            return f"{place}, row {row}, column {self.label(column)}"
        return f"{place}, cell {cell(row - 1, column)} (row {row}, column {self.label(column)})"

    @property
    def place(self) -> str:
        """The file, and the sheet where there is one."""
        return self.file if self.sheet is None else f"{self.file}, sheet {self.sheet}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Something that was decided about a file, and why.

    :param value: what was decided, for example ``end``
    :param why: what in the file, the mapping or the defaults decided it
    """

    value: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMeta:
    """What was decided about one table of a file.

    :param sheet: the sheet's name, ``None`` for a text file
    :param header_row: row of the headers, from 1
    :param columns: canonical field -> header as in the file
    :param reasons: header as in the file -> why it was taken for that field
    :param unknown: headers that no field goes by; their cells are kept as JSON
    :param stamp: whether a stamp names the ``start`` or the ``end`` of its interval
    :param interval: minutes between stamps in the file
    """

    sheet: str | None
    header_row: int
    meter: str
    meter_from: str
    node: str | None
    columns: dict[str, str]
    reasons: dict[str, str]
    unknown: tuple[str, ...]
    encoding: str | None
    separator: str | None
    decimal: Choice
    date_order: Choice
    stamp: Choice
    interval: Choice
    timezone: Choice
    mapping: str | None
    rows_read: int
    rows_used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMeta:
    """Where readings came from, and how they were read.

    :param sha256: of the file's bytes
    :param tables: one per table of readings, in the file's order
    """

    format: Format
    sha256: str
    file: str
    timezone: str
    tables: tuple[TableMeta, ...]

    @property
    def meters(self) -> tuple[str, ...]:
        """Serials, in the file's order, each once."""
        return tuple(dict.fromkeys(table.meter for table in self.tables))

    @property
    def rows_read(self) -> int:
        """Rows below the headers of all tables."""
        return sum(table.rows_read for table in self.tables)

    @property
    def rows_used(self) -> int:
        """Readings that came of them."""
        return sum(table.rows_used for table in self.tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """A file's readings.

    :param frame: one row per meter and 15-minute interval, in the columns of ``frames.READINGS``
    """

    frame: pl.DataFrame
    meta: ReadMeta
    findings: tuple[Finding, ...] = field(default=())
