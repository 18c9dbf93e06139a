"""A range's readings as files: CSV piece by piece, and a workbook. Names come from customers, and none becomes a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
import xlsxwriter

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a text begins with that a spreadsheet program takes for a formula. Source: OWASP, "CSV Injection"."""

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
    texts = sheet.slots.select(
        pl.col("local").dt.strftime("%Y-%m-%d %H:%M"), pl.col("start").dt.strftime("%Y-%m-%dT%H:%MZ"), "kwh", "kw", "block", "quality"
    )  # fmt: skip
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
    """Write the workbook, row by row: it never stands in memory as a whole."""
    with xlsxwriter.Workbook(
        str(path),
        {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
    ) as book:
        page = book.add_worksheet("Lecturas")
        bold = book.add_format({"bold": True})
        page.set_column(0, 1, 18)
        page.set_column(2, 8, 14)
        page.freeze_panes(1, 0)
        page.write_row(0, 0, sheet.headings, bold)
        for at, row in enumerate(sheet.rows(), 1):
            page.write_row(at, 0, row)
