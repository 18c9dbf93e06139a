"""Bills turned into what an export needs, and exports calculated by LibreOffice: nothing of ``eisenergy.workbook`` is used here.

The truth of the random bills is ``tests/billing/oracle.py``: exact fractions, interval by interval.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl

sys.path.insert(0, str(Path(__file__).parents[1] / "billing"))

from billing_builders import make_contract
from billing_cases import BASE, bill_of, calendar_of, measured_usage, reading_frame, tariff_of
from oracle import Case, settle

from eisenergy.accounts import Client, Contract
from eisenergy.billing.engine import bill
from eisenergy.billing.model import Bill
from eisenergy.blockruns import compile_runs
from eisenergy.ledger.invoices import Invoice
from eisenergy.period import BillingMonth, Period
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import DayCalendar
from eisenergy.usage import measure
from eisenergy.workbook.export import Source

__all__ = ["BASE", "Source", "make_contract"]

REFERENCE = Path(__file__).parents[2] / "data" / "samples" / "Ejemplo de procesamiento de descargas de medidores.xlsx"
FUNCTION = re.compile(r"([A-Z][A-Z.]*)\(")
LABELS = {
    "Costo de energia": "energy",
    "Cargo por demanda": "demand",
    "Ajuste por perdidas": "losses",
    "Recargo FTPMS": "ftpms",
    "Cargo por desviacion": "deviation",
    "Descuento": "discount",
    "Correccion de periodos anteriores": "correction",
    "Subtotal gravado": "subtotal",
    "IVA": "vat",
    "Retencion IVA": "retention",
    "Tasa municipal": "municipal_fee",
    "TOTAL A PAGAR": "total",
}
"""What the analyst calls a line -> what the oracle calls it."""

_ALWAYS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>"""
"""LibreOffice's setting: calculate every formula of a workbook that is opened."""


def client(locale: str = "es-SV", name: str = "EIS POWER, S.A. DE C.V.") -> Client:
    return Client(
        code="EIS",
        name=name,
        nit="0614-010110-110-1",
        ncr="200100-1",
        activity="Comercialización de energía eléctrica",
        address="San Salvador",
        phone="2200-0000",
        email="facturacion@eispower.example",
        website="www.eispower.example",
        timezone="America/El_Salvador",
        currency="USD",
        locale=locale,
        series="FAC",
        due_days=15,
        max_missing_share=0.05,
    )


def invoice_of(made: Bill, number: str = "FAC-000001", issuer: Client | None = None) -> Invoice:
    return Invoice(
        number=number,
        series="FAC",
        sequence=1,
        month=BillingMonth(made.period.start.year, made.period.start.month),
        issuer=issuer or client(),
        bill=made,
        issued_at=datetime(2021, 10, 5, 15, tzinfo=UTC),
        issued_on=date(2021, 10, 5),
        due_on=date(2021, 10, 20),
        input_hash="8b1a9953c4611296a827abf8c47804d7e6c49c6b97d6f4a1b6e2b3f9e1a0c5d2",
    )


def source_of_case(case: Case, number: str = "FAC-000001") -> Source:
    """A random case of the oracle as an issued invoice."""
    return Source(
        invoice=invoice_of(bill_of(case, measured_usage), number),
        tariff=tariff_of(case),
        calendar=calendar_of(case),
        readings=reading_frame(case),
    )


def source_of(
    contract: Contract,
    period: Period,
    tariff: Tariff,
    calendar: DayCalendar,
    readings: Any,
    *,
    zone: str,
    issuer: Client | None = None,
) -> Source:
    """An invoice made by the library from readings."""
    runs = compile_runs(calendar, tariff.segments(period), zone)
    usage = measure(contract.meter.serial, readings, runs, period=period, timezone=zone)
    made = bill(contract, period, usage, tariff, timezone=zone, calendar_name=calendar.name)
    return Source(invoice=invoice_of(made, issuer=issuer), tariff=tariff, calendar=calendar, readings=readings)


def truth(case: Case) -> dict[str, Decimal]:
    return {name: Decimal(int(value * 100)).scaleb(-2) for name, value in settle(case).items()}


def issued(source: Source) -> dict[str, Decimal]:
    return {line.code.value: line.amount for line in source.invoice.bill.lines}


def uncalculated(path: Path, out: Path) -> Path:
    """Write a copy without any formula's value: whatever it shows afterwards was calculated."""
    with zipfile.ZipFile(path) as book, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as copy:
        for entry in book.infolist():
            content = book.read(entry)
            if entry.filename.startswith("xl/worksheets/sheet"):
                content, removed = re.subn(rb"(</f>)<v>[^<]*</v>", rb"\1", content)
                assert removed == content.count(b"</f>")
            copy.writestr(entry, content)
    return out


def recalculated(paths: Iterable[Path], folder: Path) -> dict[str, Any]:
    """Let LibreOffice calculate workbooks whose values were taken out; name -> the workbook's values."""
    inputs, profile = folder / "in", folder / "profile"
    inputs.mkdir(parents=True)
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(_ALWAYS, encoding="utf-8")
    bare = [uncalculated(path, inputs / path.name) for path in paths]
    command = [
        "soffice",
        f"-env:UserInstallation={profile.as_uri()}",
        "--headless",
        "--norestore",
        "--convert-to",
        "xlsx",
    ]
    subprocess.run(
        [*command, "--outdir", str(folder / "out"), *map(str, bare)], check=True, capture_output=True, timeout=600
    )
    return {path.name: openpyxl.load_workbook(folder / "out" / path.name, data_only=True) for path in bare}


def lines(book: Any) -> dict[str, Decimal]:
    """The invoice's lines as a workbook shows them, to the cent."""
    found: dict[str, Decimal] = {}
    for label, amount in book.worksheets[0].iter_rows(min_row=9, max_row=60, max_col=2, values_only=True):
        if label in LABELS and amount is not None:
            found[LABELS[label]] = Decimal(repr(round(float(amount), 6))).quantize(Decimal("0.01")) + 0
            assert abs(float(found[LABELS[label]]) - float(amount)) < 1e-9, (label, amount)
    return found


def formula_cells(path: Path) -> Mapping[tuple[str, str], str]:
    book = openpyxl.load_workbook(path)
    return {
        (sheet.title, cell.coordinate): cell.value
        for sheet in book
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "f"
    }
