"""A checked workbook at a glance: how each cell is shown, counts per sheet, and the cells to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from eisenergy.findings import Finding, Severity
from eisenergy.workbook.formula import Reference, reference
from eisenergy.workbook.model import CellCheck, CheckResult, Place, Verdict

TOTAL: Final = "line.total"
"""Role of the cell that holds the amount to pay."""


class State(StrEnum):
    """How a cell is shown: its verdict, unless something else about it matters more."""

    EQUAL = "equal"
    DIFFERENT = "different"
    STALE = "stale"
    FINDING = "finding"
    NO_VALUE = "no cached value"
    ERROR = "an Excel error value"
    NOT_OURS = "not ours"
    NOT_UNDERSTOOD = "not understood"


SYMBOLS: Final = {
    State.EQUAL: "=",
    State.DIFFERENT: "≠",
    State.STALE: "↻",
    State.FINDING: "▲",
    State.NO_VALUE: "∅",
    State.ERROR: "!",
    State.NOT_OURS: "·",
    State.NOT_UNDERSTOOD: "?",
}
"""What tells the states apart for who sees no colours."""

MEANING: Final = {
    State.EQUAL: "the library computes the same",
    State.DIFFERENT: "the library computes something else",
    State.STALE: "the saved value is not what the formula gives",
    State.FINDING: "a finding names this cell",
    State.NO_VALUE: "the workbook was saved without calculating this formula",
    State.ERROR: "the formula gives an error value",
    State.NOT_OURS: "understood, and no part of the bill",
    State.NOT_UNDERSTOOD: "what it is for could not be inferred",
}

MOST: Final = 20_000
"""Cells of one finding that are marked one by one at most."""

_GRAVEST: Final = (Severity.BLOCKING, Severity.WARNING, Severity.INFO)
_WRONG: Final = (State.DIFFERENT, State.STALE, State.ERROR, State.NO_VALUE, State.NOT_UNDERSTOOD)


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetCounts:
    """One sheet's counts.

    :param counts: all six verdicts, also where no cell ended so
    :param stale: cached values that are not what their formulas give; such a cell stands among the verdicts too
    :param findings: findings that name one of its cells
    """

    name: str
    formulas: int
    counts: dict[Verdict, int]
    stale: int
    findings: int


def state(cell: CellCheck) -> State:
    """Return how a formula cell is shown."""
    if cell.stale and cell.verdict in (Verdict.EQUAL, Verdict.NOT_OURS, Verdict.NOT_UNDERSTOOD):
        return State.STALE
    return State(cell.verdict.value)


def states(result: CheckResult) -> dict[Place, State]:
    """Return how every formula cell, and every cell a finding names, is shown."""
    found = {cell.place: state(cell) for cell in result.cells}
    quiet = (State.EQUAL, State.NOT_OURS, None)
    for finding in result.findings:
        if finding.severity is not Severity.INFO:
            found |= {where: State.FINDING for where in places(finding) if found.get(where) in quiet}
    return found


def place(finding: Finding) -> Place | None:
    """Return the cell a finding is about; the upper left one where it names a range, ``None`` where it names none."""
    area = span(finding)
    return None if area is None else Place(area.sheet, *area.first)


def span(finding: Finding) -> Reference | None:
    """Return the cells a finding is about; ``None`` where it names none."""
    sheet, name = finding.data.get("sheet"), finding.data.get("cells") or finding.data.get("cell")
    return reference(name, sheet) if isinstance(sheet, str) and isinstance(name, str) else None


def places(finding: Finding) -> Iterator[Place]:
    """Yield the cells a finding is about, the first of them only where there are more than can be looked at."""
    area = span(finding)
    if area is None:
        return
    rows, columns = (range(area.first[n], area.last[n] + 1) for n in (0, 1))
    if len(rows) * len(columns) > MOST:
        yield Place(area.sheet, *area.first)
        return
    yield from (Place(area.sheet, row, column) for row in rows for column in columns)


def by_sheet(result: CheckResult) -> tuple[SheetCounts, ...]:
    """Return the counts of every sheet, in the workbook's order."""
    verdicts = Counter((cell.place.sheet, cell.verdict) for cell in result.cells)
    stale = Counter(cell.place.sheet for cell in result.cells if cell.stale)
    findings = Counter(finding.data.get("sheet") for finding in result.findings)
    return tuple(
        SheetCounts(
            name=sheet.name,
            formulas=sheet.formulas,
            counts={verdict: verdicts[sheet.name, verdict] for verdict in Verdict},
            stale=stale[sheet.name],
            findings=findings[sheet.name],
        )
        for sheet in result.sheets
    )


def wrong(result: CheckResult) -> tuple[CellCheck, ...]:
    """Return the formula cells to look at: those that follow from no other first, and last those that only lack a value."""

    def weight(cell: CellCheck) -> tuple[bool, bool]:
        return state(cell) is State.NO_VALUE and cell.agrees is not False, bool(cell.follows)

    return tuple(sorted((cell for cell in result.cells if state(cell) in _WRONG), key=weight))


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in order of weight."""
    return tuple(sorted(findings, key=lambda finding: _GRAVEST.index(finding.severity)))


def amount_to_pay(result: CheckResult) -> CellCheck | None:
    """Return the cell that holds what is to be paid; ``None`` where the workbook has none, or more than one."""
    found = [cell for cell in result.cells if cell.role == TOTAL]
    return found[0] if len(found) == 1 else None
