"""Formulas as texts: copied elsewhere they read what a spreadsheet program would make them read."""

from __future__ import annotations

import openpyxl
import pytest
from openpyxl.formula.translate import Translator

from eisenergy.workbook.formula import pattern, shifted

COPIED = [
    "=C499*J499",
    "=$C499*J$499+$B$7",
    "=SUM(C31:C2910)",
    "=VLOOKUP(G599,'Hora-Bloque'!$A$2:$B$25,2,FALSE)",
    '=IF(H500="A1",$B$8,Tarifas!C5)',
    "=SUMIFS(K$31:K499,$H$31:$H499,A11)",
]


@pytest.mark.parametrize("formula", COPIED)
@pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, 1), (100, 3)])
def test_a_copy_reads_what_openpyxl_says(formula: str, rows: int, columns: int) -> None:
    there = f"{openpyxl.utils.get_column_letter(12 + columns)}{500 + rows}"
    assert shifted(formula, "M", rows, columns) == Translator(formula, "L500").translate_formula(there)


@pytest.mark.parametrize("formula", COPIED)
def test_a_copy_has_the_same_pattern(formula: str) -> None:
    assert pattern(shifted(formula, "M", 7), "M", 507, 12) == pattern(formula, "M", 500, 12)


def test_a_copy_beyond_the_sheet() -> None:
    assert shifted("=A1+$A$1", "M", -1) == "=#REF!+$A$1"
