"""Results of a check, made by hand: what shows them is tested without what finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from small import book

from eisenergy.findings import Finding, Severity
from eisenergy.workbook.book import Book
from eisenergy.workbook.model import CellCheck, CheckResult, Place, SheetExtent, Verdict

ROLES = {"G": "slot.hour", "H": "slot.block", "J": "slot.energy_rate", "K": "slot.energy_cost", "R": "slot.deviation"}


def result(
    checked: Book,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    findings: Sequence[Finding] = (),
    total: str = "",
) -> CheckResult:
    """Everything equal but the ``changes``: ``{"Hoja1!B2": {"verdict": Verdict.DIFFERENT, "ours": 2.0}}``."""
    cells = []
    for (sheet, row, column), formula in checked.formulas():
        place = Place(sheet, row, column)
        found = checked.value((sheet, row, column))
        cell = CellCheck(
            place=place,
            formula=formula,
            verdict=Verdict.EQUAL,
            role="line.total" if str(place) == total else ROLES.get(place.name.rstrip("0123456789"), ""),
            found=found,
            ours=found,
            evaluated=found,
            derivation=f"{place.name} is {found}, computed from 2.95 kWh of 2021-09-01 at 0.098321 USD/kWh.",
            feeds_total=True,
        )
        cells.append(replace(cell, **(changes or {}).get(str(place), {})))
    return CheckResult(
        file=checked.file,
        sha256=checked.sha256 or "0" * 64,
        sheets=tuple(
            SheetExtent(name=grid.name, rows=grid.rows, columns=grid.columns, formulas=len(grid.formulas))
            for grid in checked.grids.values()
        ),
        cells=tuple(cells),
        findings=tuple(findings),
        evaluators=("formualizer 0.13.0",),
        seconds=1.25,
    )


def finding(sheet: str, cell: str, message: str, code: str = "text-number") -> Finding:
    return Finding(
        code=code, severity=Severity.WARNING, subject="libro.xlsx", message=message, data={"sheet": sheet, "cell": cell}
    )


def all_states() -> tuple[Book, CheckResult]:
    """A small workbook with a cell in every state."""
    small = book(
        {
            "Hoja 1": {
                "A1": "Cliente",
                "B1": "<script>alert(1)</script> & Cía",
                "A2": 2.5,
                "B2": ("=A2*2", 5.0),
                "B3": ("=A2*3", 9.0),
                "B4": ("=A2*4", 11.0),
                "B5": ("=A2*5", None),
                "B6": ("=1/0", "#DIV/0!"),
                "B7": ("=NOW()", 44440.5),
                "B8": ("=A2^2", 6.25),
                "A9": "12.5",
                "B9": ("=SUM(B2:B8)", 33.75),
            },
            "Tasa's": {"A1": ("='Hoja 1'!B9", 33.75)},
        }
    )
    changes: dict[str, dict[str, Any]] = {
        "Hoja 1!B3": {"verdict": Verdict.DIFFERENT, "ours": 7.5, "inputs": ("A2",)},
        "Hoja 1!B4": {"evaluated": 10.0, "stale": True},
        "Hoja 1!B5": {"verdict": Verdict.NO_VALUE, "ours": 12.5},
        "Hoja 1!B6": {"verdict": Verdict.ERROR, "ours": None},
        "Hoja 1!B7": {"verdict": Verdict.NOT_OURS, "ours": None},
        "Hoja 1!B8": {"verdict": Verdict.NOT_UNDERSTOOD, "ours": None, "feeds_total": False},
        "Hoja 1!B9": {"verdict": Verdict.DIFFERENT, "ours": 32.25, "follows": (Place("Hoja 1", 3, 2),)},
    }
    found = finding("Hoja 1", "A9", 'Found the text "12.5" in Hoja 1!A9 where a number is expected. Type the number.')
    return small, result(small, changes, [found], total="Tasa's!A1")


REFERENCE = Path(__file__).parents[2] / "data" / "samples" / "Ejemplo de procesamiento de descargas de medidores.xlsx"
