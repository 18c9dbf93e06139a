"""Every error an analyst makes is found at its cell, and nothing is blamed that does not depend on it.

On the whole month, for ``make test-long``; ``make test`` has ``test_analyst``, on a week of the same workbook.
"""

from __future__ import annotations

import math
import os
import subprocess
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import books
import pytest
from books import Formula, Place, Workbook, cells_of, serial, spot
from mutants import ERRORS, TOTAL, Mutant, where
from openpyxl.styles.numbers import is_date_format
from openpyxl.utils.datetime import from_excel

from eisenergy.findings import Severity
from eisenergy.workbook import check
from eisenergy.workbook.book import Book, Grid, open_book
from eisenergy.workbook.model import CheckResult, Verdict

WAYS = {Verdict.DIFFERENT: "different", Verdict.ERROR: "error", Verdict.NO_VALUE: "no value"}


def as_read(book: Workbook, file: str) -> Book:
    """What ``open_book`` reads of the file it would be saved as; saving and reading takes longer than the check."""

    def shown(value: Any, form: str) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool) and is_date_format(form):
            return from_excel(value)
        return serial(value) if isinstance(value, datetime | date | time) and not is_date_format(form) else value

    grids = {}
    for title, sheet in book.sheets.items():
        values = {}
        for place, content in sheet.contents.items():
            value = sheet.cached.get(place) if isinstance(content, Formula) else content
            values[place] = shown(serial(value), sheet.formats.get(place, "General"))
        grids[title] = Grid(
            name=title,
            rows=max((row for row, _ in values), default=1),
            columns=max((column for _, column in values), default=1),
            values=values,
            formulas={place: str(one) for place, one in sheet.contents.items() if isinstance(one, Formula)},
            hidden_rows=frozenset(sheet.hidden),
        )
    names = {name: refers.removeprefix("=") for name, refers in book.names.items()}
    return Book(path=Path(file), sha256="", grids=grids, names=names)


def flagged(result: CheckResult) -> dict[Place, set[str]]:
    """The cells the check points at, and the ways it does; a finding also by its code."""
    found: dict[Place, set[str]] = defaultdict(set)
    for one in result.cells:
        place = (one.place.sheet, one.place.row, one.place.column)
        if one.verdict in WAYS:
            found[place].add(WAYS[one.verdict])
        if one.stale:
            found[place].add("stale")
        if one.verdict is Verdict.NOT_UNDERSTOOD and one.feeds_total:
            found[place].add("unclear")
    for finding in result.findings:
        if finding.severity is not Severity.INFO and finding.data.get("sheet") and finding.data.get("cell"):
            for place in cells_of(finding.data.get("cells") or finding.data["cell"]):
                found[(finding.data["sheet"], *place)] |= {"finding", finding.code}
    return found


def place_of(cell: str) -> Place:
    sheet, local = where(cell)
    return sheet, *spot(local)


def differs(one: object, other: object) -> bool:
    one, other = serial(one), serial(other)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return not math.isclose(one, other, rel_tol=1e-11)
    return one != other


def said(result: CheckResult, found: dict[Place, set[str]]) -> str:
    cells = [
        f"{sheet}!{books.name(row, column)} {sorted(ways)}" for (sheet, row, column), ways in list(found.items())[:12]
    ]
    findings = [
        f"{one.code} {one.data.get('sheet')}!{one.data.get('cell')}: {one.message}" for one in result.findings[:12]
    ]
    return "\n".join([f"counts {result.counts}, stale {result.stale}, passed {result.passed}", *cells, *findings])


def test_there_are_enough_of_them() -> None:
    assert len(ERRORS) >= 100
    assert len({mutant.name for mutant in ERRORS}) == len(ERRORS)


@pytest.mark.long
def test_the_unchanged_workbook_passes(tmp_path: Path) -> None:
    result = check.check(books.reference().save(tmp_path / "unchanged.xlsx"))
    assert not flagged(result), said(result, flagged(result))
    assert result.passed
    assert result.counts[Verdict.EQUAL] == 26_073


def is_real(mutant: Mutant, book: Workbook) -> None:
    """The error changes the cell said, or, where it is said to change none, not the total."""
    before, after = mutant.base(), book
    if not mutant.calculated:
        before, after = book, book.copy()
        after.calculate()
    sheet, cell = where(mutant.shows or TOTAL)
    assert differs(before.value(sheet, cell), after.value(sheet, cell)) is (mutant.shows is not None)
    assert book.touched


@pytest.mark.long
@pytest.mark.parametrize("mutant", ERRORS, ids=lambda mutant: mutant.name)
def test_error_is_found_at_its_cell(mutant: Mutant) -> None:
    book = mutant.make()
    is_real(mutant, book)
    result = check.check_book(as_read(book, f"{mutant.name}.xlsx"), tariff=mutant.tariff)
    found = flagged(result)
    for alternatives in mutant.at:
        ways = set().union(*(found.get(place_of(cell), set()) for cell in alternatives.split("|")))
        assert ways & set(mutant.how), f"{mutant.story}: not found at {alternatives}\n{said(result, found)}"
    if mutant.passes is not None:
        assert result.passed is mutant.passes, said(result, found)
    # of two rows that do not fit each other either may be told
    named = {place_of(cell) for alternatives in mutant.at for cell in alternatives.split("|")}
    beside = set(found) - named - book.touched - book.dependents(book.touched)
    assert not beside, f"blamed beside it: {sorted(beside)[:9]}\n{said(result, found)}"


def reads_as(book: Workbook, path: Path) -> bool:
    made, read = as_read(book, path.name), open_book(book.save(path))
    return (
        list(made.grids) == list(read.grids)
        and made.names == read.names
        and all(map(alike, made.grids.values(), read.grids.values()))
    )


def alike(one: Grid, other: Grid) -> bool:
    same = one.values.keys() == other.values.keys() and all(
        not differs(value, other.values[place]) and isinstance(value, type(other.values[place]) | int | float)
        for place, value in one.values.items()
    )
    return same and replace(one, values={}) == replace(other, values={})


@pytest.mark.long
def test_what_is_checked_is_what_every_file_holds(tmp_path: Path) -> None:
    assert [one.name for one in ERRORS if not reads_as(one.make(), tmp_path / "book.xlsx")] == []


@pytest.mark.long
def test_libreoffice_shows_the_same(tmp_path: Path, require: Callable[[str], None]) -> None:
    """The mutants' values come from ``formualizer``, or were given by hand: a spreadsheet program confirms them."""
    require("soffice")
    made = {mutant.name: mutant.make() for mutant in ERRORS if mutant.calculated and mutant.office}
    assert recalculated_otherwise(made, tmp_path) == {}


def recalculated_otherwise(made: dict[str, Workbook], folder: Path) -> dict[str, list[str]]:
    """Cells for which LibreOffice shows something else, by workbook."""
    (folder / "in").mkdir()
    files = []
    for key, book in made.items():
        blank = book.copy()
        blank.forget()
        files.append(blank.save(folder / "in" / f"{key}.xlsx"))
    profile = f"-env:UserInstallation=file://{folder / 'profile'}"
    command = [
        "soffice",
        profile,
        "--headless",
        "--convert-to",
        "xlsx",
        "--outdir",
        str(folder / "out"),
        *map(str, files),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=1200, env=os.environ | {"HOME": str(folder)})
    others = {}
    for key, book in made.items():
        office = books.read(folder / "out" / f"{key}.xlsx")
        differ = [
            f"{title}!{books.name(*place)}: {value!r}, LibreOffice {office.sheets[title].cached.get(place)!r}"
            for title, sheet in book.sheets.items()
            for place, value in sheet.cached.items()
            if differs(value or None, office.sheets[title].cached.get(place) or None)
        ]
        if differ:
            others[key] = differ
    return others
