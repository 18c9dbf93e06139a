"""Raw cells, header rows and folded names."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from eisenergy.sheets import Header, Sheet, Workbook, cell, find_header, fold, open_sheets, uncalculated

DAY = dt.datetime.fromisoformat("2021-09-01")
AT = dt.datetime.fromisoformat("2021-09-01 00:15")


@pytest.mark.parametrize(
    ("row", "column", "name"), [(0, 0, "A1"), (15, 1, "B16"), (9, 25, "Z10"), (0, 26, "AA1"), (99, 702, "AAA100")]
)
def test_cells_are_named_as_in_a_spreadsheet(row: int, column: int, name: str) -> None:
    assert cell(row, column) == name


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("  Factor de pérdidas ", "factor de perdidas"),
        ("Retención %", "retencion"),
        ("PotenciaContratada (kW)", "potenciacontratada kw"),
        ("kVARh_del--int", "kvarh del int"),
        ("AÑO", "ano"),
        ("Fecha/Hora", "fecha hora"),
        ("", ""),
    ],
)
def test_names_are_folded(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_cells_keep_their_types_and_places(files: Any) -> None:
    path = files.sheet(
        [
            [],
            [None, "5614086", 5614086, 5.5, True, "true", "2021-09-01"],
            [None, dt.date(2021, 9, 1), AT, dt.time(0, 15), 0.1 + 0.2, 44440.010416666664],
            [None, None, 1 / 3],
        ],
        sheet="Hoja",
    )  # fmt: skip
    (sheet,) = open_sheets(path)
    assert sheet.rows[0] == [None] * 7
    assert sheet.rows[1] == [None, "5614086", 5614086.0, 5.5, True, "true", "2021-09-01"]
    assert sheet.rows[2][1:4] == [DAY, AT, dt.time(0, 15)]
    assert sheet.rows[3][2] == pytest.approx(1 / 3, rel=1e-15)
    assert isinstance(sheet.rows[1][4], bool)
    assert not isinstance(sheet.rows[1][2], bool)
    assert sheet.at(2, 1) == "carga.xlsx, sheet Hoja, cell B3"


def test_legacy_workbook(files: Any) -> None:
    (sheet,) = open_sheets(files.report)
    assert sheet.rows[5][:4] == ["2003311", "Aceros de Ateos, S.A. de C.V.", "5614086", 1204411.2]
    assert sheet.rows[8][13] == pytest.approx(3793.40)


def test_header_is_found_below_titles() -> None:
    sheet = Sheet(
        "f.xlsx", "s", [["Tarifas"], [None, "Bloque"], ["Vigente desde", None, "BLOQUE", "Cargo", "Bloque", " Nota "]]
    )
    wanted = {"block": ("bloque",), "start": ("vigente desde",), "rate": ("cargo", "rate")}
    header = find_header(sheet, wanted, ("block", "start"))
    assert header == Header(2, {"start": 0, "block": 2, "rate": 3}, {"Bloque": 4, "Nota": 5})
    assert find_header(sheet, wanted, ("block", "demand")) is None


def test_formulas_without_value_are_seen(files: Any) -> None:
    path = files.sheet([["a", "b"], [1.0, "=A2*2"], [None, 3.0]], sheet="Hoja")
    book = Workbook(path)
    assert book.sheet("Hoja").rows[1] == [1.0, None]
    assert list(book.empty_cell("Hoja", [(1, 1), (2, 0)])) == [(1, 1, "=A2*2")]
    assert uncalculated("f.xlsx, sheet s, cell B2") == (
        "f.xlsx, sheet s, cell B2 has a formula that was never calculated: expected a value. "
        "Open it in a spreadsheet program, save, and load it again."
    )
