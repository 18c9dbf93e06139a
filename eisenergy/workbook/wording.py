"""How a check's outcome is put into words, and how a cell's value is written."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Final

from eisenergy.findings import Severity
from eisenergy.workbook.model import CellCheck, CheckResult, Value, Verdict
from eisenergy.workbook.overview import MEANING, State, state

_WRONG: Final = {
    Verdict.DIFFERENT: "different",
    Verdict.NO_VALUE: "without a cached value",
    Verdict.ERROR: "with an Excel error value",
    Verdict.NOT_UNDERSTOOD: "not understood",
}


def headline(result: CheckResult) -> str:
    """Return the outcome in one sentence."""
    formulas, equal = len(result.cells), result.counts[Verdict.EQUAL]
    if result.passed and equal == formulas:
        return f"Passed: all {formulas:,} formula cells are equal."
    if result.passed:
        others = {verdict: count for verdict, count in result.counts.items() if count and verdict is not Verdict.EQUAL}
        rest = ", ".join(f"{count:,} {verdict.value}" for verdict, count in others.items())
        return f"Passed: {equal:,} of {formulas:,} formula cells are equal, {rest}."
    said = [f"{count:,} {words}" for verdict, words in _WRONG.items() if (count := result.counts[verdict])]
    if result.stale:
        said.append(f"{result.stale:,} stale")
    blocking = sum(finding.severity is Severity.BLOCKING for finding in result.findings)
    if blocking:
        said.append(f"{blocking:,} blocking finding{'s' if blocking > 1 else ''}")
    return f"Not passed: {', '.join(said)}; {equal:,} of {formulas:,} formula cells are equal."


def evaluation(result: CheckResult) -> str:
    """Say how many formulas were computed again, by whom, and how many saved values are not what came out."""
    done = sum(cell.evaluated is not None for cell in result.cells)
    by = ", ".join(result.evaluators) or "nobody"
    said = f"{done:,} of {len(result.cells):,} formulas computed again by {by}: {result.stale:,} stale."
    if calculator := result.notes.get("calculated_by"):
        agree, differ = (sum(cell.agrees is one for cell in result.cells) for one in (True, False))
        said += f" What had no value was calculated by {calculator}: {agree:,} as the library computes, {differ:,} different."
    return said


def amount(value: Value) -> str:
    """Write money with two places, or with all it has where it has more."""
    if value is None:
        return "nothing"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return plain(value)
    return f"{value:,.2f}" if abs(value - round(value, 2)) < 1e-9 else f"{value:,.12g}"


def sentence(cell: CellCheck) -> str:
    """Say what is wrong with a formula cell, or that nothing is."""
    kind = state(cell)
    if kind is State.DIFFERENT:
        apart = "" if cell.difference is None else f" (difference {difference(cell.difference)})"
        said = f"It holds {shown(cell.found)}; the library computes {shown(cell.ours)}{apart}."
    elif kind is State.STALE:
        said = (
            f"It holds {shown(cell.found)}; its formula gives {shown(cell.evaluated)}. "
            "Calculate the workbook in the spreadsheet program and save it."
        )
    elif kind is State.NO_VALUE:
        said = f"It was never calculated. {_calculated(cell)}Open the workbook in a spreadsheet program and save it."
    elif kind is State.ERROR:
        said = f"It gives {shown(cell.found)}."
    elif kind is State.NOT_UNDERSTOOD:
        said = "What it is for could not be inferred from headers, labels and formulas; a file in params/workbooks can state it."
    else:
        said = f"{kind.value.capitalize()}: {MEANING[kind]}."
    if cell.stale and kind is not State.STALE:
        said += f" Its saved value is stale, too: its formula gives {shown(cell.evaluated)}."
    if cell.follows:
        said += f" It may only follow from {', '.join(str(one) for one in cell.follows[:3])}."
    return said


def _calculated(cell: CellCheck) -> str:
    if cell.calculated is None:
        return ""
    given = f"Calculated here it gives {shown(cell.calculated)}"
    if cell.agrees is None:
        return f"{given}. "
    if cell.agrees:
        return f"{given}, as the library computes. "
    apart = "" if cell.difference is None else f" (difference {difference(cell.difference)})"
    return f"{given}; the library computes {shown(cell.ours)}{apart}. "


def difference(value: float) -> str:
    """Write found less ours, with its sign."""
    return "0" if value == 0 else f"{value:+,.6g}".replace("-", "−")


def shown(value: Value) -> str:
    """Write a value for a sentence; a text in quotation marks, so that ``"12.5"`` is not taken for 12.5."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return value if value.startswith("#") else f'"{value}"'
    return plain(value)


def plain(value: Value) -> str:
    """Write a value with the 15 digits a sheet can show; dates as ``2021-09-01 00:15``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        if value.time() == time():
            return f"{value:%Y-%m-%d}"
        return f"{value:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return f"{value:%H:%M:%S}".removesuffix(":00")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    return str(value)
