"""Formulas computed again, against what LibreOffice calculated and against arithmetic done by hand."""
# ruff: noqa: DTZ001  a spreadsheet's dates have no zone

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import openpyxl
import pytest
from small import METER, NET_METERING, REFERENCE, book, spot

from eisenergy.workbook import dispute
from eisenergy.workbook.book import Book, Grid, Key, open_book
from eisenergy.workbook.evaluate import Evaluated, afresh, calculated, evaluators, locally, same


def at(name: str, sheet: str = "Hoja1") -> Key:
    return (sheet, *spot(name))


@pytest.mark.parametrize(
    ("path", "formulas"),
    [
        # in `make test` the whole check says so of it: 26,073 equal, none stale (test_check)
        pytest.param(REFERENCE, 26_073, id="bill", marks=pytest.mark.long),
        pytest.param(NET_METERING, 10_533, id="net", marks=pytest.mark.long),
    ],
)
def test_every_formula_of_the_reference_workbooks(path: Path, formulas: int) -> None:
    opened = open_book(path)
    local = locally(opened)
    fresh = afresh(opened, local)
    keys = [key for key, _ in opened.formulas()]
    assert len(keys) == formulas
    for found in (local, fresh):
        assert found.absent == {}
        assert [key for key in keys if not same(found.values[key], opened.value(key))] == []
    # the values came from outside: none of these sheets shows only zeros or blanks
    assert sum(isinstance(opened.value(key), int | float) and opened.value(key) != 0 for key in keys) > formulas / 5


@pytest.mark.long
def test_what_the_engine_computes_wrongly_is_put_right_and_flows_on() -> None:
    """B17 gives a SUMIF an array of criteria; the engine says 0, and so everything below it would be wrong."""
    opened = open_book(REFERENCE)
    grids = {name: _without_values(grid) for name, grid in opened.grids.items()}
    emptied = Book(path=Path("nobody.xlsx"), sha256="", grids=grids)
    fresh = afresh(emptied, Evaluated(values={}))
    assert same(fresh.values[at("B17", METER)], 3798.58)
    assert same(fresh.values[at("B26", METER)], 12989.48)


def _without_values(grid: Grid) -> Grid:
    return replace(grid, values={place: v for place, v in grid.values.items() if place not in grid.formulas})


def test_a_stale_value_is_found_at_its_cell_and_does_not_spread() -> None:
    stale = book({"Hoja1": {"A1": 2, "B1": ("=A1*10", 21), "C1": ("=B1+1", 22), "D1": ("=C1*2", 44)}})
    local = locally(stale)
    assert [local.values[at(cell)] for cell in ("B1", "C1", "D1")] == [20, 22, 44]
    fresh = afresh(stale, local)
    assert [fresh.values[at(cell)] for cell in ("B1", "C1", "D1")] == [20, 21, 42]


def test_other_sheets_and_their_names() -> None:
    cells = {
        "Año 2021's": {"A1": 3, "B1": ("='Hora-Bloque'!A1+A1", 8)},
        "Hora-Bloque": {"A1": 5, "B1": ("='Año 2021''s'!B1*2", 16), "C1": ("=año_total", 16)},
    }
    found = locally(book(cells, {"Año_Total": "'Hora-Bloque'!$B$1"}))
    assert found.values == {at("B1", "Año 2021's"): 8, at("B1", "Hora-Bloque"): 16, at("C1", "Hora-Bloque"): 16}


def test_names_mean_the_cached_cells() -> None:
    named = book(
        {
            "Hoja1": {
                "A1": ("=1+1", 7),
                "A2": 4,
                "B1": ("=Tasa*10", 70),
                "B2": ("=SUM(Todo)", 11),
                "B3": ("=IVA+1", 1.13),
            }
        },
        {"Tasa": "Hoja1!$A$1", "Todo": "Hoja1!$A$1:$A$2", "IVA": "0.13"},
    )
    assert [locally(named).values[at(cell)] for cell in ("A1", "B1", "B2", "B3")] == [2, 70, 11, 1.13]
    assert [afresh(named).values[at(cell)] for cell in ("A1", "B1", "B2", "B3")] == [2, 20, 6, 1.13]


def test_a_name_of_one_sheet_goes_before_the_books() -> None:
    cells = {"Hoja1": {"A1": 1, "B1": ("=Tasa", 1)}, "Hoja2": {"A1": 2, "B1": ("=Tasa", 2)}}
    names = {"Tasa": "Hoja1!$A$1", "Hoja2!Tasa": "Hoja2!$A$1"}
    found = locally(book(cells, names))
    assert found.values == {at("B1"): 1, at("B1", "Hoja2"): 2}


def test_a_text_that_looks_like_a_number_is_a_text() -> None:
    texts = book(
        {
            "Hoja1": {
                "A1": "5",
                "A2": 7,
                "B1": ("=SUM(A1:A2)", 7),
                "B2": ("=ISTEXT(A1)", True),
                "B3": ("=A1+1", 6),
                "B4": ("=A1&A2", "57"),
                "B5": ("=COUNT(A1:A2)", 1),
            }
        }
    )
    assert locally(texts).values == {at("B1"): 7, at("B2"): True, at("B3"): 6, at("B4"): "57", at("B5"): 1}


@pytest.mark.long
def test_a_stale_sum_over_a_number_typed_as_text_is_not_excused() -> None:
    """The second library would count the text, and so confirm the stale 12."""
    texts = book({"Hoja1": {"A1": "5", "A2": 7, "B1": ("=SUM(A1:A2)", 12)}})
    assert locally(texts).values[at("B1")] == 7


def test_blanks_logical_values_and_texts_that_begin_like_formulas() -> None:
    found = locally(
        book(
            {
                "Hoja1": {
                    "A1": "=no fórmula",
                    "A2": True,
                    "B1": ('=A1&"."', "=no fórmula."),
                    "B2": ("=A3", 0),
                    "B3": ("=ISBLANK(A3)", True),
                    "B4": ("=COUNTA(A1:A9)", 2),
                    "B5": ("=IF(A2,1,2)", 1),
                    "B6": ('=IF(A3="","",1)', ""),
                }
            }
        )
    )
    assert [found.values[at(f"B{row}")] for row in range(1, 7)] == ["=no fórmula.", 0, True, 2, 1, ""]


def test_errors_are_values() -> None:
    wrong = book(
        {
            "Hoja1": {
                "A1": 0,
                "B1": ("=1/A1", "#DIV/0!"),
                "B2": ("=B1+1", "#DIV/0!"),
                "B3": ("=IFERROR(B1,9)", 9),
                "B4": ('=MATCH("x",A1:A1,0)', "#N/A"),
            }
        }
    )
    expected = ["#DIV/0!", "#DIV/0!", 9, "#N/A"]
    assert [locally(wrong).values[at(f"B{row}")] for row in range(1, 5)] == expected
    assert [afresh(wrong).values[at(f"B{row}")] for row in range(1, 5)] == expected


def test_dates_and_times_are_serial_numbers() -> None:
    days = book(
        {
            "Hoja1": {
                "A1": datetime(2021, 9, 7),
                "B1": time(23, 45),
                "C1": ("=A1+B1", datetime(2021, 9, 7, 23, 45)),
                "C2": ("=HOUR(B1)", 23),
                "C3": ("=DATE(2021,9,7)", date(2021, 9, 7)),
                "C4": ("=MONTH(A1)", 9),
                "C5": ('=TEXT(A1,"yyyy-mm-dd")', "2021-09-07"),
            }
        }
    )
    found = locally(days)
    assert all(same(found.values[key], days.value(key)) for key, _ in days.formulas())
    assert found.by[1:] == ()  # nobody else had to be asked


def test_whole_columns_and_far_cells() -> None:
    far = book(
        {
            "Datos": {"A1": 1, "A1048576": 2, "XFD3": 4},
            "Hoja1": {"B1": ("=SUM(Datos!A:A)", 3), "B2": ("=SUM(Datos!3:3)", 4)},
        }
    )
    assert locally(far).values == {at("B1"): 3, at("B2"): 4}
    assert afresh(far).values == {at("B1"): 3, at("B2"): 4}


def test_circles_are_said_and_do_not_hang() -> None:
    circle = book({"Hoja1": {"A1": ("=B1+1", 1), "B1": ("=A1+1", 2), "C1": ("=SUM(C1:C3)", 0), "D1": ("=2*3", 6)}})
    fresh = afresh(circle)
    assert fresh.values == {at("D1"): 6}
    assert "circular" in fresh.absent[at("A1")]
    assert "Hoja1!B1" in fresh.absent[at("B1")]
    local = locally(circle)
    assert "refers to itself" in local.absent[at("C1")]
    assert local.values[at("B1")] == 2


def test_another_workbook_and_todays_date_are_not_evaluated() -> None:
    open_ended = book(
        {"Hoja1": {"A1": ("=[1]Tarifas!$B$2*2", 8), "A2": ("=TODAY()", datetime(2021, 9, 1)), "A3": ("=A1+1", 9)}}
    )
    for found in (locally(open_ended), afresh(open_ended)):
        assert found.values == {at("A3"): 9}
        assert "another workbook" in found.absent[at("A1")]
        assert "TODAY" in found.absent[at("A2")]


def test_an_address_in_a_text_means_the_formulas_sheet() -> None:
    by_text = book({"Hoja1": {"A1": 5, "B1": ('=INDIRECT("A"&1)*2', 10), "B2": ('=INDIRECT("A1")+1', 99)}})
    assert locally(by_text).values == {at("B1"): 10, at("B2"): 6}


@pytest.mark.usefixtures("without_office")
def test_a_formula_nobody_knows_is_absent_and_says_so() -> None:
    unknown = book({"Hoja1": {"A1": ("=TARIFA.NACIONAL(7)", 4), "A2": ("=A1*2", 8)}})
    local = locally(unknown)
    assert local.values[at("A2")] == 8
    assert local.values.get(at("A1"), "#NAME?") == "#NAME?"


def test_the_engine_is_believed_once_the_second_opinion_backs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Key] = []
    ask = dispute.Opinion.of

    def counted(self: dispute.Opinion, formula: str, *key: object) -> object:
        asked.append(key)  # type: ignore[arg-type]
        return ask(self, formula, *key)  # type: ignore[arg-type]

    monkeypatch.setattr(dispute.Opinion, "of", counted)
    cells: dict[str, object] = {}
    for row in range(1, 101):
        cells |= {f"A{row}": row, f"B{row}": (f"=A{row}*2", row * 3)}
    found = locally(book({"Hoja1": cells}))
    assert all(found.values[at(f"B{row}")] == row * 2 for row in range(1, 101))
    assert len(asked) == dispute.BACKING


def test_what_cancels_is_no_difference() -> None:
    cells = {"Hoja1": {"A1": 1e7 + 0.1, "A2": 1e7, "B1": ("=A1-A2-0.1", 0), "B2": ("=A1-A2", 0.1)}}
    found = locally(book(cells))
    assert found.by[1:] == ()
    stale = book({"Hoja1": {"A1": 3, "A2": 2, "B1": ("=A1-A2-1", 0.0001)}})
    assert locally(stale).values[at("B1")] == 0


def test_an_input_without_a_value_counts_with_its_recalculation() -> None:
    partly = book({"Hoja1": {"A1": 2, "B1": ("=A1*3", None), "C1": ("=B1+1", 7)}})
    assert locally(partly).values == {at("B1"): 6, at("C1"): 7}


@pytest.mark.usefixtures("without_office")
def test_calculated_fills_what_is_missing_and_keeps_what_is_there() -> None:
    partly = book({"Hoja1": {"A1": 2, "B1": ("=A1*3", None), "C1": ("=B1+1", 99)}})
    filled, by = calculated(partly)
    assert by.startswith("formualizer")
    assert filled.value(at("B1")) == 6
    assert filled.value(at("C1")) == 99
    assert partly.value(at("B1")) is None


def test_calculated_by_libreoffice(tmp_path: Path, require: object) -> None:
    require("soffice")  # type: ignore[operator]
    path = tmp_path / "libro.xlsx"
    written = openpyxl.Workbook()
    sheet = written.active
    sheet["A1"], sheet["A2"], sheet["A3"] = 2, "=A1*3", '=IF(A1=2,"","no")'
    written.save(path)
    opened = open_book(path)
    assert not opened.calculated
    filled, by = calculated(opened)
    assert by.startswith("LibreOffice")
    assert calculated(filled) == (filled, "")
    assert filled.value(at("A2", "Sheet")) == 6
    assert filled.value(at("A3", "Sheet")) == ""


def test_libreoffice_settles_what_the_two_libraries_cannot(require: object) -> None:
    require("soffice")  # type: ignore[operator]
    cells = {
        "A1": 5,
        "A2": 9,
        "B1": ("=_xlfn.AGGREGATE(14,6,A1:A2,1)", 9),
        "B2": ("=_xlfn.AGGREGATE(14,6,A1:A2,2)", 7),
        "A3": "=x",
    }
    found = locally(book({"Hoja1": cells}))
    assert found.values == {at("B1"): 9, at("B2"): 5}
    assert found.by[-1].startswith("LibreOffice")


def test_evaluators_have_versions() -> None:
    names = evaluators()
    assert names[0].split()[0] == "formualizer"
    assert names[1].split()[0] == "formulas"
    assert all(name.split()[1][0].isdigit() for name in names)


@pytest.mark.parametrize(
    ("found", "other", "cents", "expected"),
    [
        (1.0, 1.0 + 5e-10, False, True),
        (1.0, 1.0 + 2e-9, False, False),
        (1e12, 1e12 + 500, False, True),
        (0, 5e-13, False, True),
        (0, 5e-12, False, False),
        (0.0, 1e-5, False, False),
        (12.35, 12.354, True, True),
        (12.35, 12.36, True, False),
        (12.35, 12.354, False, False),
        (True, 1, False, False),
        (True, True, False, True),
        ("VALLE", "VALLE", False, True),
        ("VALLE", "Valle", False, False),
        ("5", 5, False, False),
        ("#N/A", "#N/A", False, True),
        ("#N/A", "#DIV/0!", False, False),
        (None, None, False, True),
        (None, 0, False, False),
        (None, "", False, False),
        (datetime(2021, 9, 7, 23, 45), 44446.989583333336, False, True),
        (datetime(2021, 9, 7, 23, 45), 44446.98959, False, False),
        (date(2021, 9, 7), datetime(2021, 9, 7), False, True),
        (date(2021, 9, 7), date(2021, 9, 8), False, False),
        (time(0, 15), 0.25 / 24, False, True),
        (time(0, 15), time(0, 30), False, False),
        (timedelta(hours=36), 1.5, False, True),
        (date(1900, 1, 1), 1, False, True),
    ],
)
def test_same(found: object, other: object, cents: bool, expected: bool) -> None:
    assert same(found, other, cents=cents) is expected  # type: ignore[arg-type]
    assert same(other, found, cents=cents) is expected  # type: ignore[arg-type]
