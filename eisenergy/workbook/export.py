"""An issued invoice as a live workbook, in the analyst's own layout.

Its readings, rates, calendar and customer data are inputs; the columns per interval, the matrix of blocks and the invoice's lines are
formulas, each with the value the library computed beside it. A spreadsheet program that calculates it again shows the invoice to
the cent. The same invoice gives the same bytes.

The sheets, and what :mod:`eisenergy.workbook.check` finds in them:

* the meter's, named like ``Nodo Ateos 5614086``: customer, parameters and options as labelled cells (rows 2 to 8), the matrix of blocks
  (from row 10), the lines, the intervals. With three blocks and no correction every cell stands where the analyst's stands.
* ``Cómo se calcula``: every line in words, with its products and where each number came from.
* ``Bloques horarios``, ``Hora-Bloque`` and, where the hours depend on the day, ``Dias``.
* ``Tarifas``: rates by block and date, and the demand rate of every day.
* ``Correcciones``, where the invoice has a line for earlier periods.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import xlsxwriter

from eisenergy.billing.model import Bill, BillPart, LineCode
from eisenergy.ledger.invoices import Invoice
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import DayCalendar
from eisenergy.workbook import explain_sheet, sheet_calendar, sheet_meter, sheet_tariffs
from eisenergy.workbook.explain_words import explain_title
from eisenergy.workbook.layout import Ink, Page, Sheet, sheet_name
from eisenergy.workbook.sheet_slots import From, Slots, slots_of

if TYPE_CHECKING:
    import polars as pl

SHEETS: Final = ("Bloques horarios", "Hora-Bloque", "Tarifas", "Dias", "Correcciones")


class NotExportable(ValueError):
    """An invoice that a workbook cannot show. Says why."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """What an invoice was made from, as it stood then.

    :param tariff: the version the invoice was billed with
    :param calendar: the version the invoice was billed with
    :param readings: the meter's intervals with the estimates that were billed, ``frames.READINGS``
    """

    invoice: Invoice
    tariff: Tariff
    calendar: DayCalendar
    readings: pl.DataFrame

    @property
    def bill(self) -> Bill:
        """The invoice's bill."""
        return self.invoice.bill

    @property
    def zone(self) -> ZoneInfo:
        """Where the bill's days and hours are counted."""
        return ZoneInfo(self.bill.timezone)

    def parts(self, code: LineCode) -> Sequence[BillPart]:
        """Return the products of a line; nothing where the bill has no such line."""
        return [part for line in self.bill.lines if line.code is code for part in line.parts]


def write(source: Source, out: Path, *, locale: str | None = None) -> Path:
    """Write an invoice's workbook.

    :param out: the file; it appears whole or not at all, and replaces one that is there
    :param locale: language of the explanation; by default the issuer's
    :returns: ``out``
    :raises NotExportable: when two of the bill's blocks differ in nothing that a spreadsheet's comparison sees
    """
    _check_blocks(source)
    slots = slots_of(source.bill, source.tariff, source.calendar, source.readings)
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{out.stem}-", suffix=".part", dir=out.parent)
    os.close(handle)
    partial = Path(name)
    try:
        _write(source, slots, partial, locale or source.invoice.issuer.locale)
        partial.chmod(0o644)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return out


def _write(source: Source, slots: Slots, path: Path, locale: str) -> None:
    invoice = source.invoice
    book = xlsxwriter.Workbook(str(path))
    book.set_properties(
        {
            "title": f"{invoice.number} - {source.bill.contract.customer.name}"[:255],
            "author": invoice.issuer.name[:255],
            "comments": f"input {invoice.input_hash}",
            "created": datetime.combine(invoice.issued_on, time()),  # the invoice's date: never the clock's
        }
    )
    ink = Ink(book)
    site = source.bill.contract.meter.site
    explained = explain_title(locale)
    own = sheet_name(site.node, source.bill.contract.meter.serial, (*SHEETS, explained))
    names = [own, explained, "Bloques horarios", "Hora-Bloque"]
    days = sheet_calendar.days(source.calendar, source.bill.period)
    names += ["Dias"] if days.kinds else []
    names += ["Tarifas"]
    names += ["Correcciones"] if source.parts(LineCode.CORRECTION) else []
    pages = {name: Page(book.add_worksheet(name, worksheet_class=Sheet), ink) for name in names}
    hours = sheet_calendar.write(pages, days)
    rates = sheet_tariffs.write(
        pages["Tarifas"], source.tariff, source.bill, dated_losses=slots.loss.source is From.DATED
    )
    meter = sheet_meter.write(pages[own], source, slots, hours, rates, pages.get("Correcciones"))
    explain_sheet.write(pages[explained], source, slots, meter, locale)
    for page in pages.values():
        page.paper(invoice.number)
    for name, place in meter.names.items():
        book.define_name(name, f"={place}")
    pages[own].sheet.activate()
    book.close()


def _check_blocks(source: Source) -> None:
    seen: dict[str, str] = {}
    for block in (*source.calendar.blocks, *source.tariff.blocks):
        other = seen.setdefault(block.casefold(), block)
        if other != block:
            raise NotExportable(
                f"invoice {source.invoice.number}: the blocks {other!r} and {block!r} differ only in capitals, which a spreadsheet "
                "takes for the same. Such a bill cannot be shown as formulas."
            )
