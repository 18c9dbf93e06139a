"""The check as a whole: every formula cell of the reference workbooks, what a tariff or a statement adds, and what cannot be checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import books
import pytest

from eisenergy.contents import UnreadableFile
from eisenergy.tariffs.document import BadDocument
from eisenergy.workbook import check
from eisenergy.workbook.book import Book
from eisenergy.workbook.model import CheckResult, Verdict
from eisenergy.workbook.wording import evaluation, sentence

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
REFERENCE = SAMPLES / "Ejemplo de procesamiento de descargas de medidores.xlsx"
NETTING = Path(__file__).parent / "data" / "Medicion neta.xlsx"
TARIFF = SAMPLES / "Tarifas EIS-TOU.xlsx"


@pytest.fixture(scope="module")
def opened() -> tuple[Book, CheckResult]:
    return check.opened(REFERENCE)


@pytest.fixture(scope="module")
def book(opened: tuple[Book, CheckResult]) -> Book:
    return opened[0]


@pytest.fixture(scope="module")
def reference(opened: tuple[Book, CheckResult]) -> CheckResult:
    return opened[1]


def test_every_formula_cell_of_the_reference_workbook_is_equal(reference: CheckResult) -> None:
    per_sheet = Counter((one.place.sheet, one.verdict) for one in reference.cells)
    assert per_sheet == {
        ("Nodo Ateos 5614086", Verdict.EQUAL): 25_959,
        ("Hora-Bloque", Verdict.EQUAL): 24,
        ("Tarifas", Verdict.EQUAL): 90,
    }
    assert list(reference.counts) == list(Verdict)
    assert reference.passed
    assert reference.stale == 0
    assert reference.findings == ()


def test_what_a_cell_is_and_where_its_value_came_from(reference: CheckResult) -> None:
    by_name = {one.place.name: one for one in reference.cells if one.place.sheet == "Nodo Ateos 5614086"}
    roles = {name: by_name[name].role for name in ("G31", "H31", "J31", "K31", "B12", "D14", "B16", "B26")}
    assert roles == {
        "G31": "slot.hour",
        "H31": "slot.block",
        "J31": "slot.energy_rate",
        "K31": "slot.energy_cost",
        "B12": "block.kwh",
        "D14": "total.max_kw",
        "B16": "line.energy",
        "B26": "line.total",
    }
    assert by_name["K31"].derivation == "2.95 kWh x 0.098321 = 0.29004695"
    assert by_name["K31"].inputs == ("C31", "J31")
    assert by_name["B12"].block == "RESTO"
    assert by_name["B26"].ours == 12_989.48
    # Nothing of the bill depends on the time of the maximum; everything depends on the block of an interval.
    assert (by_name["E11"].feeds_total, by_name["H31"].feeds_total) == (False, True)


@pytest.mark.long
def test_rates_are_compared_with_a_tariff(tmp_path: Path) -> None:
    book = books.reference().copy()
    sheet = book.sheets["Tarifas"]
    sheet.contents[5, 3] = 0.0984
    book.calculate()
    result = check.check(book.save(tmp_path / "tarifa.xlsx"), tariff=TARIFF)
    (finding,) = (one for one in result.findings if one.code == "rate-differs")
    assert (finding.data["sheet"], finding.data["cell"]) == ("Tarifas", "C5")
    assert "0.0984" in finding.message
    assert "0.098321" in finding.message
    assert not result.passed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name: x\nsource: y\nsheets: {Otra: {headers: {kWh: slot.kwh}}}\n", "no sheet 'Otra'"),
        ("name: x\nsource: y\nsheets: {Tarifas: {headers: {Nada: slot.kwh}}}\n", "no header 'Nada'"),
        ("name: x\nsource: y\nsheets: {Tarifas: {headers: {Dia: slot.nothing}}}\n", "'slot.nothing' is no role"),
        ("name: x\nsheets: {Tarifas: {}}\n", "source"),
    ],
)
def test_a_statement_that_cannot_be_used(book: Book, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadDocument, match=r"s\.yaml") as caught:
        check.check_book(book, statement=path)
    assert message in str(caught.value)


def test_what_is_no_workbook(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04 nothing")
    for name, message in (("a.xlsx", "damaged"), ("none.xlsx", "cannot be read")):
        with pytest.raises(UnreadableFile, match=message):
            check.check(tmp_path / name)
    (tmp_path / "c.zip").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(UnreadableFile, match=r"c\.zip: found the ending '\.zip', expected \.xlsx or \.xlsm"):
        check.check(tmp_path / "c.zip")
    (tmp_path / "b.xls").write_bytes(b"\xd0\xcf\x11\xe0 legacy")
    with pytest.raises(UnreadableFile, match=r"Save it from the spreadsheet program as \.xlsx"):
        check.check(tmp_path / "b.xls")


@pytest.mark.long
def test_what_has_no_value_is_calculated_and_compared_all_the_same(book: Book) -> None:
    meter = book.grids[books.METER]
    lines = {place for place in meter.formulas if place[0] in range(16, 27)}
    values = {place: None if place in lines else value for place, value in meter.values.items()}
    formulas = meter.formulas | {(23, 2): "=ROUND(B22*0.15,2)"}
    wrong = replace(
        book, path=Path("otro.xlsx"), grids={**book.grids, meter.name: replace(meter, values=values, formulas=formulas)}
    )
    result = check.check_book(wrong)
    by_name = {
        one.place.name: one for one in result.cells if one.place.sheet == meter.name and one.place.row in range(16, 27)
    }
    assert {one.verdict for one in by_name.values()} == {Verdict.NO_VALUE}
    assert [name for name, one in by_name.items() if one.agrees is False] == ["B23", "B26"]
    assert by_name["B23"].difference == pytest.approx(1737.99 - 1506.26)
    assert by_name["B22"].calculated == pytest.approx(11_586.59)
    assert "Calculated here it gives 1737.99; the library computes 1506.26" in sentence(by_name["B23"])
    assert "as the library computes" in sentence(by_name["B22"])
    assert "9 as the library computes, 2 different" in evaluation(result)
    assert not result.passed
