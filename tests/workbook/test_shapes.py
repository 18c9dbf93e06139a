"""Moved, renamed, reordered or written otherwise, a workbook whose amounts are right has nothing different in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from books import METER, Workbook, reference
from shapes import IN_TURN, SHAPES, Shape, at_total
from test_mutants import as_read, flagged, reads_as, recalculated_otherwise, said

from eisenergy.workbook import check
from eisenergy.workbook.model import Verdict


def nothing_wrong(book: Workbook, name: str, extra: int = 0) -> None:
    result = check.check_book(as_read(book, f"{name}.xlsx"))
    found = flagged(result)
    formulas = sum(len(sheet.cached) for sheet in book.sheets.values())
    assert sum(result.counts.values()) == formulas
    assert result.counts[Verdict.DIFFERENT] == 0, said(result, found)
    assert result.counts[Verdict.NOT_UNDERSTOOD] == 0, said(result, found)
    # what is the bill's may not be called somebody else's
    assert result.counts[Verdict.NOT_OURS] <= extra, said(result, found)
    assert result.counts[Verdict.EQUAL] >= formulas - extra
    assert result.passed, said(result, found)


def test_there_are_enough_of_them() -> None:
    assert len(SHAPES) >= 70
    assert len({shape.name for shape in SHAPES}) == len(SHAPES)


@pytest.mark.long
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_nothing_is_different(shape: Shape) -> None:
    book, plain = shape.make(), shape.base()
    assert book.another_than(plain) or shape.base is not reference, "it is the reference workbook and proves nothing"
    if shape.total is not None:
        assert at_total(book) == pytest.approx(shape.total, abs=1e-9)
    nothing_wrong(book, shape.name, shape.extra)


@pytest.mark.long
@pytest.mark.parametrize("cell", IN_TURN)
def test_one_header_renamed(cell: str) -> None:
    book = reference()
    book.put(METER, cell, IN_TURN[cell])
    nothing_wrong(book, cell)


@pytest.mark.long
def test_what_is_checked_is_what_every_file_holds(tmp_path: Path) -> None:
    assert [one.name for one in SHAPES if not reads_as(one.make(), tmp_path / "book.xlsx")] == []


@pytest.mark.long
def test_libreoffice_shows_the_same(tmp_path: Path, require: Callable[[str], None]) -> None:
    require("soffice")
    assert recalculated_otherwise({shape.name: shape.make() for shape in SHAPES}, tmp_path) == {}
