"""A range's readings as files: CSV piece by piece, and a workbook. Names come from customers, and none becomes a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a text begins with that a spreadsheet program takes for a formula. Source: OWASP, "CSV Injection"."""

LONGEST: Final = 32_767
"""Signs a cell can hold."""
_PIECE: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a file holds.

    :param headings: local time, UTC, kWh, kW, block, quality, contract, meter, customer
    :param slots: ``desk.consumption.SLOTS``
    :param qualities: ``measured`` and ``estimated`` as readers see them
    """

    headings: tuple[str, ...]
    slots: pl.DataFrame
    qualities: dict[str, str]
    contract: str
    meter: str
    customer: str

    def rows(self) -> Iterator[tuple[str, str, float, float | None, str, str, str, str, str]]:
        """Give the rows, one at a time."""
        names = tuple(safe(name) for name in (self.contract, self.meter, self.customer))
        for start, local, kwh, kw, block, quality in self.slots.select(
            "start", "local", "kwh", "kw", "block", "quality"
        ).iter_rows():
            said = self.qualities.get(quality, quality)
            yield (f"{local:%Y-%m-%d %H:%M}", f"{start:%Y-%m-%dT%H:%MZ}", kwh, kw, safe(block), said, *names)


def safe(text: str) -> str:
    """Return a text that no spreadsheet program takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def csv_pieces(sheet: Sheet) -> Iterator[bytes]:
    """Give the file in pieces, UTF-8 with a mark that spreadsheet programs know it by."""
    yield ("\ufeff" + _line(sheet.headings)).encode("utf-8")
    kinds = {}  # the rest of a line is the same for many: who, and of which block and quality
    names = tuple(safe(name) for name in (sheet.contract, sheet.meter, sheet.customer))
    for block, quality in sheet.slots.select("block", "quality").unique().iter_rows():
        kinds[block, quality] = _line((safe(block), sheet.qualities.get(quality, quality), *names))
    texts = _texts(sheet.slots)
    for piece in texts.iter_slices(_PIECE):
        lines = [
            f"{local},{start},{kwh!r},{'' if kw is None else repr(kw)},{kinds[block, quality]}"
            for local, start, kwh, kw, block, quality in piece.iter_rows()
        ]
        yield "".join(lines).encode("utf-8")


def _line(values: Sequence[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(values)
    return out.getvalue()


def write_xlsx(sheet: Sheet, path: Path) -> None:
    """Write the workbook, piece by piece: it never stands in memory as a whole.

    Rows are put into XlsxWriter's file of rows as it writes them itself, without its look at each cell, which takes ten times as long.
    """
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        page = book.add_worksheet("Lecturas")
        bold = book.add_format({"bold": True})
        page.set_column(0, 1, 18)
        page.set_column(2, 8, 14)
        page.freeze_panes(1, 0)
        for column, heading in enumerate(sheet.headings):
            page.write_string(0, column, heading, bold)
        if sheet.slots.height:
            page._write_single_row(1)
            page._check_dimensions(sheet.slots.height, len(sheet.headings) - 1)
            for rows in _xml_rows(sheet, page):
                page.row_data_fh.write(rows)


def _xml_rows(sheet: Sheet, page: Worksheet) -> Iterator[str]:
    """Give the rows below the headings, as a sheet's file has them. :param page: knows what texts have to be written as"""

    def text(value: str) -> str:
        shown = page._escape_data(page._escape_control_characters(value[:LONGEST]))
        kept = ' xml:space="preserve"' if re.search(r"^\s|\s$", shown) else ""
        return f' t="inlineStr"><is><t{kept}>{shown}</t></is></c>'

    names = tuple(safe(name) for name in (sheet.contract, sheet.meter, sheet.customer))
    kinds = {}
    for block, quality in sheet.slots.select("block", "quality").unique().iter_rows():
        told = (safe(block), sheet.qualities.get(quality, quality), *names)
        kinds[block, quality] = [(column, text(value)) for column, value in zip("EFGHI", told, strict=True) if value]
    number = 1
    for local, start, kwh, kw, block, quality in _texts(sheet.slots).iter_rows():
        number += 1
        power = "" if kw is None else f'<c r="D{number}"><v>{kw:.16G}</v></c>'
        rest = "".join([f'<c r="{column}{number}"{value}' for column, value in kinds[block, quality]])
        yield (
            f'<row r="{number}"><c r="A{number}" t="inlineStr"><is><t>{local}</t></is></c>'
            f'<c r="B{number}" t="inlineStr"><is><t>{start}</t></is></c><c r="C{number}"><v>{kwh:.16G}</v></c>{power}{rest}</row>'
        )


def _texts(slots: pl.DataFrame) -> pl.DataFrame:
    """The columns of a file, times as texts."""
    local, start = pl.col("local").dt.strftime("%Y-%m-%d %H:%M"), pl.col("start").dt.strftime("%Y-%m-%dT%H:%MZ")
    return slots.select(local, start, "kwh", "kw", "block", "quality")
