"""A wrong cell names the cells it may only follow from: wrong ones that it reads, and cells that a finding blames."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small import book

from eisenergy.findings import blocking, warning
from eisenergy.workbook import causes
from eisenergy.workbook.model import CellCheck, Place, Verdict

FORMULAS = {"A1": "=B1+B2", "B1": "=C1*2", "B2": "=SUM(C:C)", "B3": "=SUM(Otra!A1:C9)", "B4": "=C1"}


def cells(**verdicts: Verdict) -> list[CellCheck]:
    made = book({"Uno": {name: (formula, 1.0) for name, formula in FORMULAS.items()}, "Otra": {"A1": 1}})
    judged = []
    for (sheet, row, column), formula in made.formulas():
        place = Place(sheet, row, column)
        judged.append(CellCheck(place=place, formula=formula, verdict=verdicts.get(place.name, Verdict.EQUAL)))
    return judged


def follows(judged: list[CellCheck]) -> dict[str, list[str]]:
    return {one.place.name: [str(place) for place in one.follows] for one in judged if one.follows}


def test_what_reads_a_wrong_cell_may_follow_from_it() -> None:
    judged = causes.followed(cells(A1=Verdict.DIFFERENT, B1=Verdict.ERROR))
    assert follows(judged) == {"A1": ["Uno!B1"]}


def test_what_is_equal_follows_from_nothing() -> None:
    assert follows(causes.followed(cells(B1=Verdict.DIFFERENT))) == {}


def test_a_cell_that_a_blocking_finding_names_is_a_cause() -> None:
    typed = blocking("overwritten-formula", "Uno", "typed over", sheet="Uno", cell="C7", cells="C7:C8")
    judged = causes.followed(cells(B2=Verdict.DIFFERENT, B1=Verdict.DIFFERENT), [typed])
    assert follows(judged) == {"B2": ["Uno!C7", "Uno!C8"]}


@pytest.mark.parametrize(
    "finding",
    [
        warning("overwritten-formula", "Uno", "right today", sheet="Uno", cell="C7"),
        blocking("error-value", "Uno", "what it shows is no cause", sheet="Uno", cell="C7"),
        blocking("overwritten-formula", "Uno", "another sheet", sheet="Dos", cell="C7"),
        blocking("not-billable", "Uno", "no cell"),
    ],
)
def test_what_is_no_cause(finding: object) -> None:
    assert follows(causes.followed(cells(B2=Verdict.DIFFERENT), [finding])) == {}  # type: ignore[list-item]


def test_another_sheet_and_itself() -> None:
    there = blocking("text-number", "Otra", "a text", sheet="Otra", cell="B2")
    itself = blocking("short-range", "Uno", "its range", sheet="Uno", cell="B3")
    judged = causes.followed(cells(B3=Verdict.DIFFERENT), [there, itself])
    assert follows(judged) == {"B3": ["Otra!B2"]}
    assert follows([replace(one, follows=()) for one in judged]) == {}


def test_ten_thousand_wrong_cells_take_no_quadratic_time() -> None:
    """Every cell reads the one above and the whole column; only counts are looked at."""
    rows = 10_000
    judged = [
        CellCheck(place=Place("Uno", row, 2), formula=f"=B{row - 1}+$A$1", verdict=Verdict.DIFFERENT)
        for row in range(2, rows + 2)
    ]
    found = causes.followed(judged)
    assert sum(len(one.follows) for one in found) == rows - 1
