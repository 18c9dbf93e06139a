"""What an analyst states about a workbook is believed: cells that nothing else says are then computed, or are none of the bill's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import daybill
import pytest
from daybill import Sheets
from small import book

from eisenergy.tariffs.document import BadDocument
from eisenergy.workbook import statement
from eisenergy.workbook.check import check_book
from eisenergy.workbook.model import CheckResult, Verdict
from eisenergy.workbook.statement import ROLES, Statement, read_statement

pytestmark = pytest.mark.usefixtures("without_office")

HEAD = "name: libro\nsource: the analyst, 2021-10-02\nsheets:\n"


def stated(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "stated.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def verdicts(result: CheckResult, *cells: str) -> dict[str, Verdict]:
    return {one.place.name: one.verdict for one in result.cells if one.place.name in cells}


@pytest.fixture
def sheets() -> Sheets:
    return daybill.bill()


def test_a_stated_header_makes_what_was_not_understood_equal(tmp_path: Path, sheets: Sheets) -> None:
    sheets["Tarifas"]["D1"] = "Potencia 2021 B"
    before = check_book(book(sheets))
    assert before.counts[Verdict.NOT_UNDERSTOOD] == 6
    demand = next(one for one in before.cells if one.place.name == "B17")
    assert demand.derivation == "understood as line.demand, but the inputs of this row do not allow to compute it"
    assert not before.passed
    after = check_book(
        book(sheets), statement=stated(tmp_path, '  Tarifas: {headers: {" potencia 2021 B ": rates.demand}}\n')
    )
    assert after.counts[Verdict.EQUAL] == len(after.cells) == 222
    assert after.passed


def test_a_stated_label_makes_what_was_not_understood_equal(tmp_path: Path, sheets: Sheets) -> None:
    sheets["Medidor"] |= {"A17": "Concepto 2", "A20": "Concepto 5"}
    before = check_book(book(sheets))
    assert set(verdicts(before, "B17", "B20").values()) == {Verdict.NOT_UNDERSTOOD}
    assert not before.passed
    path = stated(tmp_path, "  Medidor:\n    labels:\n      Concepto 2: line.demand\n      Concepto 5: line.discount\n")
    after = check_book(book(sheets), statement=path)
    assert after.counts[Verdict.EQUAL] == len(after.cells)
    assert after.passed


def test_stated_cells_make_what_was_not_understood_equal(tmp_path: Path, sheets: Sheets) -> None:
    sheets["Tarifas"]["D1"] = "Potencia 2021 B"
    after = check_book(book(sheets), statement=stated(tmp_path, "  Tarifas: {cells: {'D2:D4': rates.demand}}\n"))
    assert after.passed
    assert after.counts[Verdict.EQUAL] == 222


def with_a_second_cost(sheets: Sheets) -> None:
    """A column with a word of the bill that is the analyst's own."""
    sheets["Medidor"]["M30"] = "Costo energía"
    sheets["Medidor"] |= {f"M{row}": (f"=C{row}*0.5", (10.25 + row - 31) * 0.5) for row in range(31, 55)}


def test_a_dash_makes_cells_none_of_the_bill(tmp_path: Path, sheets: Sheets) -> None:
    with_a_second_cost(sheets)
    before = check_book(book(sheets))
    assert set(verdicts(before, *(f"M{row}" for row in range(31, 55))).values()) == {Verdict.NOT_UNDERSTOOD}
    after = check_book(book(sheets), statement=stated(tmp_path, '  Medidor: {cells: {"M31:M54": "-"}}\n'))
    assert set(verdicts(after, *(f"M{row}" for row in range(31, 55))).values()) == {Verdict.NOT_OURS}
    assert after.counts[Verdict.EQUAL] == 222


def test_a_dash_is_no_way_to_pass_a_wrong_amount(tmp_path: Path, sheets: Sheets) -> None:
    """What is stated to be none of the bill is not compared, but the total that reads it is."""
    cells = sheets["Medidor"]
    subtotal = cells["B21"][1] + 49  # 50 more, less the discount of 2 % on it
    vat, retention = daybill.cents(subtotal * daybill.VAT), -daybill.cents(subtotal * daybill.RETENTION)
    cells["B19"] = ("=ROUND(E14,2)+50", cells["B19"][1] + 50)
    shown = {"B20": cells["B20"][1] - 1, "B21": subtotal, "B22": vat, "B23": retention}
    shown["B25"] = subtotal + vat + retention + daybill.FEE
    cells |= {cell: (cells[cell][0], value) for cell, value in shown.items()}
    after = check_book(book(sheets), statement=stated(tmp_path, '  Medidor: {labels: {Recargo FTPMS: "-"}}\n'))
    assert verdicts(after, "B19", "B21") == {"B19": Verdict.NOT_OURS, "B21": Verdict.DIFFERENT}
    assert not after.passed


def test_the_statement_of_the_workbooks_name_is_read_by_itself(
    tmp_path: Path, sheets: Sheets, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_a_second_cost(sheets)
    monkeypatch.setattr(statement, "FOLDER", tmp_path)
    assert read_statement(book(sheets)) == Statement()
    (tmp_path / "libro.yaml").write_text(HEAD + '  Medidor: {cells: {"M31:M54": "-"}}\n', encoding="utf-8")
    read = read_statement(book(sheets))
    assert read.file == "libro.yaml"
    assert read.roles == {("Medidor", row, 13): "-" for row in range(31, 55)}


def test_a_stated_text_may_stand_several_times(sheets: Sheets, tmp_path: Path) -> None:
    """The word ``kWh`` heads the matrix and the intervals; both columns get what is stated."""
    read = read_statement(book(sheets), stated(tmp_path, "  Medidor: {headers: {KWH: slot.kwh}}\n"))
    assert read.roles == {("Medidor", 11, 2): "slot.kwh", ("Medidor", 31, 3): "slot.kwh"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("  Medidas: {headers: {kWh: slot.kwh}}\n", "has no sheet 'Medidas'; it has Medidor, Horas, Tarifas"),
        ("  Medidor: {headers: {kWh neto: slot.kwh}}\n", "has no header 'kWh neto'"),
        ("  Medidor: {labels: {Coeficiente: param.vat}}\n", "has no label 'Coeficiente'"),
        ("  Medidor: {headers: {Total a pagar: line.total}}\n", "has no header 'Total a pagar'"),  # nothing below it
        ("  Medidor: {cells: {'Z1:Z9': '-'}}\n", "has no cell 'Z1:Z9'"),
        ("  Medidor: {cells: {'la primera': '-'}}\n", "has no cell 'la primera'"),
        ("  Medidor: {headers: {kWh: slot.watts}}\n", "'slot.watts' is no role. Known are"),
    ],
)
def test_what_cannot_be_found_is_refused_with_its_line(sheets: Sheets, tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadDocument, match=r"stated\.yaml") as caught:
        read_statement(book(sheets), stated(tmp_path, text))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "content", ["name: x\nsheets: {}\n", "nombre: x\n", "name: x\nsource: y\nsheets: {A: {rows: {}}}\n"]
)
def test_what_the_schema_does_not_know_is_refused(sheets: Sheets, tmp_path: Path, content: str) -> None:
    path = tmp_path / "stated.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadDocument, match=r"stated\.yaml"):
        read_statement(book(sheets), path)


def test_the_shipped_example_names_only_roles_that_exist() -> None:
    example: Any = statement.document.read(
        statement.FOLDER / "Ejemplo-con-nombres-propios.yaml", "workbook.schema.json"
    ).data
    named = {role for parts in example["sheets"].values() for part in parts.values() for role in part.values()}
    assert named <= ROLES
    assert "-" in named
