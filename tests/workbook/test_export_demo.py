"""Every invoice of the demonstration as a workbook: calculated by LibreOffice, and as issued whatever changed since."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import exported
import openpyxl
import polars as pl
import pytest

from eisenergy import samples
from eisenergy.accounts import Scope, Sourced
from eisenergy.billing.model import LineCode
from eisenergy.config import Settings
from eisenergy.desk import exporting
from eisenergy.desk.workspace import Workspace
from eisenergy.frames import READINGS
from eisenergy.ledger.invoices import Invoice
from eisenergy.masters import calendars, clients, customers
from eisenergy.period import BillingMonth, Dated
from eisenergy.run import intake, month
from eisenergy.store import books, masters
from eisenergy.store.database import Database
from eisenergy.store.lake import Lake
from eisenergy.tariffs import load as tariffs
from eisenergy.tariffs.model import RateKind
from eisenergy.timeofuse import BlockHours, DayCalendar

SCOPE = Scope.operator("EIS")
SEPTEMBER = BillingMonth(2021, 9)
SHIPPED = ("Ejemplo de procesamiento de descargas de medidores.xlsx", "5741444.csv", "CAESS_EISPOWER (10).xls")
NUMBERS = [f"FAC-00000{number}" for number in range(1, 9)]
LABELS = {label: LineCode(name) for label, name in exported.LABELS.items()}


@pytest.fixture(scope="module")
def workspace(
    settings: Settings, database: Database, lake: Lake, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """The demonstration's September, billed and issued; without its pages."""
    opened = Workspace(settings=settings, database=database, lake=lake)
    masters.save_client(database, SCOPE, clients.load(settings.params / "clients" / "EIS.yaml"))
    hours = calendars.read_spreadsheet(settings.samples / "Bloques horarios.xlsx", "eis-bloques")
    masters.save_calendar(database, SCOPE, hours)
    rules = tariffs.read_yaml(settings.params / "tariffs" / "EIS-TOU.yaml")
    masters.save_tariff(
        database, SCOPE, tariffs.combine(rules, tariffs.read_spreadsheet(settings.samples / "Tarifas EIS-TOU.xlsx"))
    )
    listed = customers.read(settings.samples / "Datos de clientes para facturación.xlsx")
    masters.save_contracts(database, SCOPE, listed.contracts)
    made = samples.write(
        tmp_path_factory.mktemp("files"), masters=settings.samples, months=("2021-07", "2021-08", "2021-09")
    )
    intake.ingest(opened, SCOPE, [*made, *(settings.samples / name for name in SHIPPED)])
    month.bill_month(opened, SCOPE, SEPTEMBER)
    at = datetime(2021, 10, 5, 15, tzinfo=UTC)
    report = month.issue_month(opened, SCOPE, SEPTEMBER, issued_on=date(2021, 10, 5), at=at, verify=False)
    assert [invoice.number for invoice in report.issued] == NUMBERS
    return opened


@pytest.fixture(scope="module")
def workbooks(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("workbooks")
    return {number: exporting.export_invoice(workspace, SCOPE, number, folder / f"{number}.xlsx") for number in NUMBERS}


def amounts(invoice: Invoice) -> dict[str, Decimal]:
    return {line.code.value: line.amount for line in invoice.bill.lines}


@pytest.mark.long
def test_libreoffice_shows_every_invoice_to_the_cent(
    require: Callable[[str], None], workspace: Workspace, workbooks: dict[str, Path], tmp_path: Path
) -> None:
    require("soffice")
    calculated = exported.recalculated(workbooks.values(), tmp_path / "office")
    for number in NUMBERS:
        invoice = books.invoice(workspace.database, SCOPE, number)
        assert exported.lines(calculated[f"{number}.xlsx"]) == amounts(invoice), number
    reference = openpyxl.load_workbook(exported.REFERENCE, data_only=True)
    assert exported.lines(calculated["FAC-000001.xlsx"]) == exported.lines(reference)


@pytest.mark.long
def test_programs_that_do_not_calculate_show_the_invoice(workspace: Workspace, workbooks: dict[str, Path]) -> None:
    for number, path in workbooks.items():
        invoice = books.invoice(workspace.database, SCOPE, number)
        book = openpyxl.load_workbook(path, data_only=True)
        assert exported.lines(book) == amounts(invoice)
        assert book.worksheets[0]["E2"].value == number
        assert book.worksheets[0]["H8"].value == invoice.input_hash
        contract = invoice.bill.contract
        assert book.sheetnames[0] == f"Nodo {contract.meter.site.node} {contract.meter.serial}"


@pytest.mark.long
def test_the_steel_works_have_the_analysts_own_cells(workbooks: dict[str, Path]) -> None:
    """Every interval, block and line of the reference workbook, cell by cell in the same place."""
    ours = openpyxl.load_workbook(workbooks["FAC-000001"], data_only=True).worksheets[0]
    theirs = openpyxl.load_workbook(exported.REFERENCE, data_only=True).worksheets[0]
    compared = 0
    for row in theirs.iter_rows(min_row=10, max_row=2910, max_col=18):
        for cell in row:
            if cell.value is None or cell.row in (27, 28, 29):
                continue
            found = ours[cell.coordinate].value
            if isinstance(cell.value, int | float):
                assert found == pytest.approx(cell.value, rel=1e-9), cell.coordinate
            else:
                assert found == cell.value, cell.coordinate
            compared += 1
    assert compared > 2880 * 18


@pytest.mark.long
def test_the_check_understands_every_export(workbooks: dict[str, Path]) -> None:
    from eisenergy.workbook.check import check
    from eisenergy.workbook.model import Verdict

    for number, path in workbooks.items():
        result = check(path)
        counts = result.counts
        assert result.passed, (number, counts)
        assert (counts[Verdict.DIFFERENT], counts[Verdict.NOT_UNDERSTOOD], result.stale) == (0, 0, 0)
        assert counts[Verdict.EQUAL] > 9 * 2880
        # the explanation repeats the eleven amounts
        assert counts[Verdict.NOT_OURS] <= 11


@pytest.mark.long
def test_estimates_are_marked(workspace: Workspace, workbooks: dict[str, Path]) -> None:
    for number, path in workbooks.items():
        invoice = books.invoice(workspace.database, SCOPE, number)
        sheet = openpyxl.load_workbook(path).worksheets[0]
        found = [value for (value,) in sheet.iter_rows(min_row=31, min_col=19, max_col=19, values_only=True)]
        assert found.count("estimada") == sum(run.slots for run in invoice.bill.estimated)
        assert len(found) == 2880
    assert sum(run.slots for run in books.invoice(workspace.database, SCOPE, NUMBERS[1]).bill.estimated) == 18


@pytest.mark.long
def test_only_the_scopes_own_invoices_are_exported(workspace: Workspace, tmp_path: Path) -> None:
    mine = Scope.customer("EIS", "EIS-0002")
    with pytest.raises(books.NoInvoice, match="FAC-000001"):
        exporting.export_invoice(workspace, mine, "FAC-000001", tmp_path / "out.xlsx")
    assert list(tmp_path.iterdir()) == []
    exporting.export_invoice(workspace, mine, "FAC-000002", tmp_path / "out.xlsx")
    assert (tmp_path / "out.xlsx").is_file()


@pytest.mark.long
def test_an_export_is_the_invoice_as_issued(workspace: Workspace, workbooks: dict[str, Path], tmp_path: Path) -> None:
    """Another client, tariff, calendar, contract and other readings since: the workbook stays the same bytes."""
    database = workspace.database
    before = {number: hashlib.sha256(path.read_bytes()).hexdigest() for number, path in workbooks.items()}
    client = masters.client(database, SCOPE)
    masters.save_client(database, SCOPE, dataclasses.replace(client, name="Otro nombre", max_missing_share=0.0))
    tariff = masters.tariff(database, SCOPE, "EIS-TOU")
    dearer = {
        block: Dated.of(dated.name, tuple((day, one and Sourced(one.value * 2, "otro")) for day, one in dated.values))
        for block, dated in tariff.rates[RateKind.ENERGY].items()
    }
    changed = dataclasses.replace(tariff, rates={**tariff.rates, RateKind.ENERGY: dearer}, version="changed")
    masters.save_tariff(database, SCOPE, changed)
    hours = tuple(
        BlockHours(start_minute=start, end_minute=end, block=block)
        for start, end, block in ((0, 600, "VALLE"), (600, 1200, "RESTO"), (1200, 1440, "PUNTA"))
    )
    masters.save_calendar(database, SCOPE, DayCalendar(name="eis-bloques", rows=hours, version="changed"))
    contracts = masters.contracts(database, SCOPE)
    poorer = [dataclasses.replace(one, discount_rate=Sourced(Decimal("0.5"), "otro")) for one in contracts]
    masters.save_contracts(database, SCOPE, poorer)
    start, end = SEPTEMBER.period.utc("America/El_Salvador")
    meters = [one.meter.serial for one in contracts]
    now = workspace.lake.read(SCOPE, meters, start, end)
    doubled = now.with_columns(pl.col("kwh_import") * 2, pl.lit("f" * 64).alias("source")).select(list(READINGS))
    workspace.lake.append(SCOPE, doubled)
    assert workspace.lake.read(SCOPE, meters, start, end)["kwh_import"].sum() > 1.9 * now["kwh_import"].sum()
    for number in ("FAC-000001", "FAC-000002", "FAC-000006"):
        path = exporting.export_invoice(workspace, SCOPE, number, tmp_path / f"{number}.xlsx")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == before[number], number


@pytest.mark.long
def test_what_no_longer_gives_the_invoice_is_refused(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = exporting.prepare

    def other(*of: Any) -> Any:
        ready = prepare(*of)
        return dataclasses.replace(ready, filled=ready.filled.with_columns(pl.col("kwh_import") * 1.01))

    monkeypatch.setattr(exporting, "prepare", other)
    with pytest.raises(
        exporting.NotReproducible, match=r"invoice FAC-000003: .* give energy 11342.16 instead of 11229.86"
    ):
        exporting.export_invoice(workspace, SCOPE, "FAC-000003", tmp_path / "out.xlsx")
    assert list(tmp_path.iterdir()) == []
