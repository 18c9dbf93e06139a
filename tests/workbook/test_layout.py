"""Formulas that are taken as they are, against what XlsxWriter itself makes of them."""

from __future__ import annotations

import io

import pytest
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from eisenergy.workbook import layout


@pytest.mark.parametrize(
    "formula",
    [
        "=D12*E12",
        "=ROUND(SUM(A1:A9),2)",
        '=IF(OR(H12="PUNTA",H12="MAP("),D12*\'Tarifas\'!$C$2,0)',
        '=IF(A1="SORT(",1,2)',
        "=LOOKUP(A1,B:B)",
        "=XLOOKUP(A1,B:B,C:C)",
        "=MAX(0,UNIQUE(A1:A3))",
        "=SUMIFS('Hoja 1'!$D$12:$D$2891,B:B,\"x\")",
        "{=SUM(A1:A3*B1:B3)}",
        "=A1}",
        "SUM(A1:A2)",
        "=_xlfn.STDEV.S(A1:A3)",
        "=SINGLE(A1)",
        "=IF(A1>0,FILTER(A:A,B:B),0)",
        "=1+1",
    ],
)
def test_formulas_are_prepared_as_xlsxwriter_prepares_them(formula: str) -> None:
    book = xlsxwriter.Workbook(io.BytesIO())
    plain, ours = book.add_worksheet("plain"), book.add_worksheet("ours", worksheet_class=layout.Sheet)
    for expand in (False, True):
        assert ours._prepare_formula(formula, expand) == Worksheet._prepare_formula(plain, formula, expand)


def test_a_sheet_of_ours_has_the_same_bytes() -> None:
    written = []
    for kind in (Worksheet, layout.Sheet):
        out = io.BytesIO()
        with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
            sheet = book.add_worksheet("a", worksheet_class=kind)
            for row in range(50):
                sheet.write_formula(row, 0, f'=IF(B{row + 1}="",0,MAX(0,B{row + 1}-C{row + 1})*D$1)', None, 1.5)
                sheet.write_formula(row, 1, f"=XLOOKUP(B{row + 1},C:C,D:D)", None, 2)
        written.append(out.getvalue())
    assert written[0] == written[1]
