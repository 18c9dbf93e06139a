"""Bill and issue September 2021 from the shipped files: the workbook's eleven lines, whoever else waits, and corrections."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import openpyxl
import pytest

from eisenergy.accounts import Scope
from eisenergy.billing.model import LineCode
from eisenergy.desk.overview import operator_rows
from eisenergy.desk.workspace import Workspace
from eisenergy.period import BillingMonth
from eisenergy.run import intake, month
from eisenergy.store import books, masters

SEPTEMBER, OCTOBER = BillingMonth(2021, 9), BillingMonth(2021, 10)
ISSUED_ON, AT = date(2021, 10, 5), datetime(2021, 10, 5, 14, tzinfo=UTC)
STEEL, RESTAURANT = "EIS-0001", "EIS-0002"
WORKBOOK = "Ejemplo de procesamiento de descargas de medidores.xlsx"


@pytest.fixture(scope="module")
def billed(workspace: Workspace, scope: Scope, september: intake.IngestReport) -> month.BillReport:
    return month.bill_month(workspace, scope, SEPTEMBER)


@pytest.fixture(scope="module")
def issued(workspace: Workspace, scope: Scope, billed: month.BillReport) -> month.IssueReport:
    return month.issue_month(workspace, scope, SEPTEMBER, issued_on=ISSUED_ON, at=AT)


def test_the_readings_are_in(september: intake.IngestReport) -> None:
    assert [file.status for file in september.files] == ["loaded", "loaded", "reported"]
    assert september.added == 2880 + 2862  # the log lacks 18 of 2,880


def test_the_same_files_again_change_nothing(
    workspace: Workspace, scope: Scope, september: intake.IngestReport
) -> None:
    again = intake.ingest(workspace, scope, [file.path for file in september.files])
    assert {file.status for file in again.files} == {"known"}
    assert (again.added, again.superseded, again.version) == (0, 0, september.version)


def test_the_same_bytes_under_another_name_are_the_same_file(
    workspace: Workspace, scope: Scope, september: intake.IngestReport, tmp_path: Path
) -> None:
    copy = tmp_path / "5741444 (2).csv"
    copy.write_bytes((workspace.settings.samples / "5741444.csv").read_bytes())
    again = intake.ingest(workspace, scope, [copy])
    assert (again.files[0].status, again.version) == ("known", september.version)


def test_whoever_has_no_readings_waits_and_the_others_are_billed(billed: month.BillReport) -> None:
    assert [draft.bill.contract.number for draft in billed.drafted] == [STEEL, RESTAURANT]
    assert [entry.contract for entry in billed.parked] == [f"EIS-000{n}" for n in range(3, 9)]
    for entry in billed.parked:
        assert [finding.code for finding in entry.findings] == ["no-readings"]


def test_the_eleven_lines_equal_the_workbook(billed: month.BillReport, workspace: Workspace) -> None:
    book = openpyxl.load_workbook(workspace.settings.samples / WORKBOOK, data_only=True, read_only=True)
    cells = [row[0].value for row in book["Nodo Ateos 5614086"]["B16:B26"]]
    book.close()
    lines = billed.drafted[0].bill.lines
    expected = [Decimal(repr(cell)).quantize(Decimal("0.01"), ROUND_HALF_UP) for cell in cells]
    assert [line.amount for line in lines] == expected
    assert expected[-1] == Decimal("12989.48")


def test_the_gap_of_the_log_is_estimated_to_its_register(billed: month.BillReport) -> None:
    bill = billed.drafted[1].bill
    assert bill.kwh == Decimal("20958.991")  # last register less the first one
    assert [(entry.slots, entry.kwh) for entry in bill.estimated] == [(18, Decimal("95.365"))]
    assert bill.slots_missing == 0


def test_numbers_start_at_one_and_follow_the_contracts(issued: month.IssueReport) -> None:
    assert [(invoice.number, invoice.bill.contract.number) for invoice in issued.issued] == [
        ("FAC-000001", STEEL),
        ("FAC-000002", RESTAURANT),
    ]
    assert issued.issued[0].due_on == date(2021, 10, 20)


def test_again_nothing_is_billed_or_numbered(workspace: Workspace, scope: Scope, issued: month.IssueReport) -> None:
    again = month.bill_month(workspace, scope, SEPTEMBER)
    assert again.issued == (STEEL, RESTAURANT)
    assert again.drafted == ()
    posted = month.issue_month(workspace, scope, SEPTEMBER, issued_on=ISSUED_ON, at=AT)
    assert posted.issued == ()
    assert [invoice.number for invoice in posted.already] == ["FAC-000001", "FAC-000002"]


def test_the_distributors_kwh_are_compared(workspace: Workspace, scope: Scope, issued: month.IssueReport) -> None:
    rows = {
        row.contract.number: row
        for row in operator_rows(workspace, scope, masters.client(workspace.database, scope), SEPTEMBER)
    }
    steel, restaurant = rows[STEEL], rows[RESTAURANT]
    assert (steel.kwh, steel.distributor_kwh) == (Decimal("57883.07"), Decimal("57883.07"))
    assert restaurant.kwh is not None
    assert restaurant.distributor_kwh is not None
    assert restaurant.kwh - restaurant.distributor_kwh == Decimal("-14.199")  # 20,958.991 against 20,973.19
    assert rows["EIS-0003"].distributor_kwh is None


def test_unknown_customers_are_named(workspace: Workspace, scope: Scope) -> None:
    with pytest.raises(month.UnknownCustomer, match="no customer EIS-0099"):
        month.bill_month(workspace, scope, SEPTEMBER, customers=["EIS-0099"])


def log(path: Path, first: datetime, days: int, kwh: str = "7,25") -> Path:
    """A log in the restaurant's shape: end stamps, decimal comma, no register."""
    rows = [
        f"{day:%d/%m/%Y};{slot // 4:02d}:{slot % 4 * 15:02d};{kwh};OK"
        for day in (first + timedelta(days=n) for n in range(days))
        for slot in range(1, 97)
    ]
    path.write_text("\r\n".join(["Fecha;Hora;kWh del int;Estado", *rows]) + "\r\n", encoding="utf-8")
    return path


def late_log(path: Path, original: Path) -> Path:
    """The 18 intervals that never arrived, 6.000 kWh each, with the whole of 13 September as it was: it proves the day's order."""
    lines = original.read_text(encoding="utf-8-sig").splitlines()
    first = datetime(2021, 9, 12, 3, 15)  # noqa: DTZ001  the gap's first end stamp
    ends = [first + timedelta(minutes=15 * n) for n in range(18)]
    gap = [f"{end:%d/%m/%Y};{end:%H:%M};6,000;0,000;1,500;;OK" for end in ends]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "\r\n".join([*lines[:3], *gap, *(line for line in lines if line.startswith("13/09"))]), encoding="utf-8"
    )
    return path


def measured_by_block(original: Path) -> dict[str, Decimal]:
    """Plain sums of the log's distinct readings per block, by its end stamps."""
    seen = {}
    for line in original.read_text(encoding="utf-8-sig").splitlines()[3:]:
        day, hour, kwh = line.split(";")[:3]
        seen[day, hour[:5]] = Decimal(kwh.replace(",", "."))
    sums = {"VALLE": Decimal(0), "RESTO": Decimal(0), "PUNTA": Decimal(0)}
    for (_, clock), kwh in seen.items():
        minute = int(clock[:2]) * 60 + int(clock[3:]) - 15
        hour = minute // 60
        sums["VALLE" if hour <= 4 or hour == 23 else "PUNTA" if hour >= 18 else "RESTO"] += kwh
    return sums


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_late_readings_are_charged_on_the_next_bill_and_the_invoice_stays(
    workspace: Workspace, scope: Scope, issued: month.IssueReport, tmp_path: Path
) -> None:
    before = books.invoice(workspace.database, scope, "FAC-000002")
    original = workspace.settings.samples / "5741444.csv"
    october = intake.ingest(workspace, scope, [log(tmp_path / "5741444.csv", datetime(2021, 10, 1), 31)])  # noqa: DTZ001
    assert october.added == 31 * 96
    drafted = month.bill_month(workspace, scope, OCTOBER, customers=[RESTAURANT]).drafted[0].bill
    assert LineCode.CORRECTION not in {line.code for line in drafted.lines}

    late = intake.ingest(workspace, scope, [late_log(tmp_path / "late" / "5741444.csv", original)])
    assert (late.files[0].status, late.added, late.superseded) == ("loaded", 18, 0)
    drafted = month.bill_month(workspace, scope, OCTOBER, customers=[RESTAURANT]).drafted[0].bill

    # By hand: 8 of the 18 intervals (03:00 to 04:45) lie in VALLE, 10 (05:00 to 07:15) in RESTO. The customer has no discount, and
    # nothing of it touches the maximum, PUNTA or a forecast: energy and losses change, each rounded on its own bill.
    kwh = measured_by_block(original)
    rates = {"VALLE": Decimal("0.098321"), "RESTO": Decimal("0.109874"), "PUNTA": Decimal("0.121456")}
    real = {**kwh, "VALLE": kwh["VALLE"] + 8 * 6, "RESTO": kwh["RESTO"] + 10 * 6}
    energy = cents(sum((real[block] * rates[block] for block in rates), Decimal(0)))
    losses = cents(sum(real.values(), Decimal(0)) * Decimal("0.0153"))
    then = before.bill
    expected = energy - then.line(LineCode.ENERGY).amount + losses - then.line(LineCode.LOSSES).amount
    assert drafted.line(LineCode.CORRECTION).amount == expected
    assert expected > 0
    charges = [line.amount for line in drafted.lines[: drafted.lines.index(drafted.line(LineCode.SUBTOTAL))]]
    assert drafted.line(LineCode.SUBTOTAL).amount == sum(charges)
    assert books.invoice(workspace.database, scope, "FAC-000002") == before


def test_two_operators_issue_at_once(workspace: Workspace, scope: Scope, issued: month.IssueReport) -> None:
    month.bill_month(workspace, scope, OCTOBER, customers=[RESTAURANT])
    results: list[month.IssueReport] = []

    def press() -> None:
        results.append(month.issue_month(workspace, scope, OCTOBER, issued_on=ISSUED_ON, at=AT))

    threads = [threading.Thread(target=press) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(invoice.number for report in results for invoice in report.issued) == ["FAC-000003"]


def test_a_draft_that_is_no_longer_true_is_held_back(
    workspace: Workspace, scope: Scope, issued: month.IssueReport, tmp_path: Path
) -> None:
    november = BillingMonth(2021, 11)
    intake.ingest(workspace, scope, [log(tmp_path / "5741444.csv", datetime(2021, 11, 1), 30)])  # noqa: DTZ001
    month.bill_month(workspace, scope, november, customers=[RESTAURANT])
    corrected = tmp_path / "corrected" / "5741444.csv"
    corrected.parent.mkdir()
    report = intake.ingest(workspace, scope, [log(corrected, datetime(2021, 11, 1), 30, "7,30")])  # noqa: DTZ001
    assert report.superseded == 30 * 96
    posted = month.issue_month(workspace, scope, november, issued_on=ISSUED_ON, at=AT)
    assert posted.issued == ()
    assert [finding.code for finding in posted.stale] == ["stale-draft"]
    month.bill_month(workspace, scope, november, customers=[RESTAURANT])
    posted = month.issue_month(workspace, scope, november, issued_on=ISSUED_ON, at=AT)
    assert [invoice.bill.kwh for invoice in posted.issued] == [Decimal("7.3") * 96 * 30]


def test_an_unknown_client_is_named(workspace: Workspace) -> None:
    with pytest.raises(masters.NotStored, match="client NADA"):
        month.bill_month(workspace, Scope.operator("NADA"), SEPTEMBER)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (
            "Datos de clientes para facturación.xlsx",
            "a customer list, not a meter's readings. Import it with `eisenergy customers import",
        ),
        ("Tarifas EIS-TOU.xlsx", "a price sheet, not a meter's readings. Import it with `eisenergy tariffs import"),
        (
            "Bloques horarios.xlsx",
            "a calendar of blocks, not a meter's readings. Import it with `eisenergy calendar import",
        ),
    ],
)
def test_master_data_among_the_readings_is_recognised(
    workspace: Workspace, scope: Scope, september: intake.IngestReport, name: str, what: str
) -> None:
    report = intake.ingest(workspace, scope, [workspace.settings.samples / name])
    assert report.files[0].status == "refused"
    assert what in report.files[0].findings[0].message


def test_a_folder_is_walked_for_every_kind_of_table(tmp_path: Path) -> None:
    for name in ("a.csv", "b.TSV", "c/d.xls", ".hidden.csv", "manifest.json", "~$open.xlsx"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in intake.gather([tmp_path])] == ["a.csv", "b.TSV", "d.xls"]
    with pytest.raises(intake.NothingToIngest, match="no such file or folder"):
        intake.gather([tmp_path / "nowhere"])
