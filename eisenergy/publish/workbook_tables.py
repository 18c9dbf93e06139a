"""A checked workbook as frames, for analysts: counts, lines, what to look at, and the differences by column."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

import polars as pl

from eisenergy.desk.checking import CheckedWorkbook
from eisenergy.publish.workbook_columns import header, letters
from eisenergy.workbook.model import CellCheck, Verdict
from eisenergy.workbook.overview import State, by_sheet, gravest_first, place, state
from eisenergy.workbook.problems import problems as listed
from eisenergy.workbook.wording import amount, difference, evaluation, headline, plain

LINES: Final = "line."
"""Roles of an invoice's lines begin so."""


def outcome(checked: CheckedWorkbook) -> str:
    """Return the outcome in a sentence, and who computed the formulas again in another."""
    return f"{checked.result.file}. {headline(checked.result)} {evaluation(checked.result)}"


def counts(checked: CheckedWorkbook) -> pl.DataFrame:
    """Return one row per sheet, and one for all.

    :returns: ``sheet``, ``formulas``, a column per verdict, ``stale``, ``findings``
    """
    result = checked.result
    rows = [
        {
            "sheet": sheet.name,
            "formulas": sheet.formulas,
            **{verdict.value: count for verdict, count in sheet.counts.items()},
            "stale": sheet.stale,
            "findings": sheet.findings,
        }
        for sheet in by_sheet(result)
    ]
    rows.append(
        {
            "sheet": "all",
            "formulas": len(result.cells),
            **{verdict.value: count for verdict, count in result.counts.items()},
            "stale": result.stale,
            "findings": len(result.findings),
        }
    )
    return pl.DataFrame(rows)


def lines(checked: CheckedWorkbook) -> pl.DataFrame:
    """Return the invoice's lines as the workbook has them beside ours, in the workbook's order.

    :returns: ``cell``, ``line``, ``in the file``, ``ours``, ``difference``, all as text
    """
    found = [cell for cell in checked.result.cells if cell.role.startswith(LINES)]
    return pl.DataFrame(
        {
            "cell": [str(cell.place) for cell in found],
            "line": [cell.role.removeprefix(LINES) for cell in found],
            "in the file": [amount(cell.found) for cell in found],
            "ours": [amount(cell.ours) for cell in found],
            "difference": [_apart(cell) for cell in found],
        },
        schema=dict.fromkeys(("cell", "line", "in the file", "ours", "difference"), pl.String),
    )


def _apart(cell: CellCheck) -> str:
    if cell.verdict is Verdict.EQUAL:
        return "0"
    return "" if cell.difference is None else difference(cell.difference)


def problems(checked: CheckedWorkbook) -> pl.DataFrame:
    """Return what to look at, the causes first: neighbours that are wrong in one way are one row.

    :returns: ``where``, ``cells``, ``what``, ``why``
    """
    found = listed(checked.result)
    return pl.DataFrame(
        {
            "where": [problem.where for problem in found],
            "cells": [problem.cells for problem in found],
            "what": [problem.what for problem in found],
            "why": [problem.text for problem in found],
        },
        schema={"where": pl.String, "cells": pl.Int64, "what": pl.String, "why": pl.String},
    )


def findings(checked: CheckedWorkbook) -> pl.DataFrame:
    """Return an analyst's slips and the workbook's shape, the gravest first.

    :returns: ``severity``, ``where``, ``code``, ``message``
    """
    found = gravest_first(checked.result.findings)
    return pl.DataFrame(
        {
            "severity": [finding.severity.value for finding in found],
            "where": [str(place(finding) or finding.subject) for finding in found],
            "code": [finding.code for finding in found],
            "message": [finding.message for finding in found],
        },
        schema=dict.fromkeys(("severity", "where", "code", "message"), pl.String),
    )


def columns(checked: CheckedWorkbook) -> pl.DataFrame:
    """Return one row per column with formulas: how many cells differ, and where by most.

    :returns: ``column``, ``header``, ``role``, ``formulas``, ``equal``, ``different``, ``largest difference``, ``at``
    """
    cells = defaultdict(list)
    for cell in checked.result.cells:
        cells[cell.place.sheet, cell.place.column].append(cell)
    rows = []
    for (sheet, column), own in cells.items():
        verdicts = Counter(cell.verdict for cell in own)
        largest = max(own, key=lambda cell: abs(cell.difference or 0.0))
        apart = largest.verdict is Verdict.DIFFERENT and largest.difference is not None
        rows.append(
            {
                "column": f"{sheet}!{letters(column)}",
                "header": header(checked.book, sheet, column),
                "role": Counter(cell.role for cell in own).most_common(1)[0][0],
                "formulas": len(own),
                "equal": verdicts[Verdict.EQUAL],
                "different": verdicts[Verdict.DIFFERENT],
                "largest difference": difference(largest.difference or 0.0) if apart else "",
                "at": largest.place.name if apart else "",
            }
        )
    return pl.DataFrame(rows)


def different(checked: CheckedWorkbook) -> pl.DataFrame:
    """Return every cell that is not as it should be, with both values and how ours came about.

    :returns: ``cell``, ``state``, ``in the file``, ``ours``, ``difference``, ``derivation``
    """
    found = [cell for cell in checked.result.cells if state(cell) not in (State.EQUAL, State.NOT_OURS)]
    return pl.DataFrame(
        {
            "cell": [str(cell.place) for cell in found],
            "state": [state(cell).value for cell in found],
            "in the file": [plain(cell.found) for cell in found],
            "ours": [plain(cell.ours) for cell in found],
            "difference": ["" if cell.difference is None else difference(cell.difference) for cell in found],
            "derivation": [cell.derivation for cell in found],
        },
        schema=dict.fromkeys(("cell", "state", "in the file", "ours", "difference", "derivation"), pl.String),
    )
