"""The tests' own workbook: edits move references as a spreadsheet program does, and values are those of LibreOffice."""

from __future__ import annotations

import math
from pathlib import Path

import books
import openpyxl
import pytest
from books import HOURS, METER, RATES, Formula, Workbook, filled, name, serial, spot


def shown(book: Workbook) -> dict[tuple[str, int, int], object]:
    return {
        (title, *place): serial(value) for title, sheet in book.sheets.items() for place, value in sheet.cached.items()
    }


def same(one: object, other: object) -> bool:
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return math.isclose(one, other, rel_tol=1e-12) if numbers else one == other  # type: ignore[arg-type]


def small(**cells: object) -> Workbook:
    book = Workbook({"One": books.Sheet(), "Other one": books.Sheet()})
    for cell, content in cells.items():
        book.put("One", cell, content)  # type: ignore[arg-type]
    return book


def test_names_of_cells() -> None:
    assert [spot(cell) for cell in ("A1", "Z9", "AA10", "AZ1", "BA1")] == [(1, 1), (9, 26), (10, 27), (1, 52), (1, 53)]
    assert [name(*spot(cell)) for cell in ("A1", "Z9", "AA10", "AZ1", "BA1")] == ["A1", "Z9", "AA10", "AZ1", "BA1"]


def test_filling_down_moves_what_is_relative() -> None:
    assert filled("=C31*$B$7+B$7+$B31&\"A1\"&'A2 B3'!A1+SUM(A1:$B$2)", 2, 1) == (
        "=D33*$B$7+C$7+$B33&\"A1\"&'A2 B3'!B3+SUM(B3:$B$2)"
    )


def test_inserting_rows_moves_references_and_stretches_ranges() -> None:
    book = small(A1=1, A2=2, A3="=SUM(A1:A2)+A1+LOG10(A2)", B3='="A1"&A$2')
    book.put("Other one", "A1", "=One!A3+SUM(One!A1:A3)+A1")
    book.insert("One", row=2, count=3)
    assert book["One", "A6"] == "=SUM(A1:A5)+A1+LOG10(A5)"
    assert book["One", "B6"] == '="A1"&A$5'
    assert book["Other one", "A1"] == "=One!A6+SUM(One!A1:A6)+A1"


def test_deleting_rows_shrinks_ranges_and_breaks_references() -> None:
    book = small(A1=1, A2=2, A3=3, A4="=SUM(A1:A3)+A2", A5="=SUM(A2:A3)+A1", A6="=SUM(A1:A2)", A7="=A3")
    book.delete_rows("One", 2)
    assert [book["One", f"A{row}"] for row in (3, 4, 5, 6)] == [
        "=SUM(A1:A2)+#REF!",
        "=SUM(A2:A2)+A1",
        "=SUM(A1:A1)",
        "=A2",
    ]


def test_moving_a_table_onto_another_sheet() -> None:
    book = small(A1=1, A2="=A1+B1", B1=5, C1="=SUM(A1:A2)")
    book.move("One", "A1:A2", rows=2, columns=1, onto="Other one")
    assert book["Other one", "B4"] == "=B3+One!B1"
    assert book["One", "C1"] == "=SUM('Other one'!B3:B4)"


def test_renaming_and_removing_a_sheet() -> None:
    book = small(A1=1)
    book.put("Other one", "B2", "=One!A1*SUM(One!A1:A3)")
    book.rename("One", "Hoja 1")
    assert book["Other one", "B2"] == "='Hoja 1'!A1*SUM('Hoja 1'!A1:A3)"
    book.remove("Hoja 1")
    assert book["Other one", "B2"] == "=#REF!*SUM(#REF!)"
    assert list(book.sheets) == ["Other one"]


def test_columns_in_another_order() -> None:
    book = small(A1=1, B1="=A1*2", C1="=B1+SUM(A1:A9)")
    book.arrange_columns("One", "C A B")
    assert {cell: book["One", cell] for cell in ("A1", "B1", "C1")} == {"A1": "=C1+SUM(B1:B9)", "B1": 1, "C1": "=B1*2"}


def test_sorting_moves_contents_and_leaves_others_references() -> None:
    book = small(A1=3, B1="=A1*2", A2=1, B2="=A2*3", C1="=A1")
    book.sort("One", "A1:B2", key=lambda row: row[0])
    assert [book["One", cell] for cell in ("A1", "B1", "A2", "B2", "C1")] == [1, "=A1*3", 3, "=A2*2", "=A1"]
    assert ("One", 1, 1) in book.touched


def test_the_reference_workbook_calculated_again_shows_what_it_showed() -> None:
    book = books.reference()
    before = shown(book)
    book.calculate()
    after = shown(book)
    assert len(before) == 26_073
    assert [place for place in before if not same(before[place], after[place])] == []


@pytest.mark.long
def test_calculation_takes_up_a_change() -> None:
    book = books.reference()
    book.put(METER, "C100", 35.02)
    book.calculate()
    assert book.value(METER, "K100") == pytest.approx(35.02 * 0.109874, rel=1e-12)
    assert book.value(METER, "B14") == pytest.approx(57893.07, rel=1e-12)
    book.put(RATES, "D5", 8.0)
    book.calculate()
    assert book.value(METER, "B17") == 4083.84
    book.change(METER, "B17", '"VALLE")*SUMIF', '"NINGUNO")*SUMIF')
    book.calculate()
    assert book.value(METER, "B17") == 0


@pytest.mark.long
def test_a_saved_workbook_reads_as_it_was(tmp_path: Path) -> None:
    book = books.reference()
    book.put(METER, "C100", "2,95")
    book.hide(METER, range(200, 203))
    book.sheets[METER].cached[spot("K50")] = None
    book.sheets[METER].cached[spot("K51")] = "#N/A"
    again = books.read(book.save(tmp_path / "book.xlsx"))
    for title, sheet in book.sheets.items():
        assert again.sheets[title].contents == sheet.contents
        assert again.sheets[title].hidden == sheet.hidden
    before, after = shown(book), shown(again)
    assert before.keys() == after.keys()
    assert [place for place in before if not same(before[place], after[place])] == []
    assert again.value(METER, "K50") is None
    cells = openpyxl.load_workbook(tmp_path / "book.xlsx", data_only=True)[METER]
    assert cells["E12"].value == books._reference().value(METER, "E12")


def test_dependents_are_followed_to_the_end() -> None:
    book = books.reference()
    found = {f"{title}!{name(row, column)}" for title, row, column in book.dependents([(METER, *spot("K50"))])}
    block = book.value(METER, "H50")
    assert block == "VALLE"
    cells = ("C11", "C12", "C13", "C14", "B16", "B21", "B22", "B23", "B24", "B26")
    assert found == {f"{METER}!{cell}" for cell in cells}
    assert (METER, *spot("B26")) in book.dependents([(HOURS, *spot("B20"))])
    assert not isinstance(book[METER, "C50"], Formula)
