"""What a check says: a verdict for every formula cell, findings about the rest, and counts that leave nothing out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from functools import cached_property
from typing import Any

from eisenergy.findings import Finding, Severity
from eisenergy.sheets import cell

Value = str | int | float | bool | datetime | date | time | None
"""A cell's value as openpyxl reads it; an error value is its text, for example ``#DIV/0!``."""


class Verdict(StrEnum):
    """How a formula cell ends. There is no seventh way."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NO_VALUE = "no cached value"
    ERROR = "an Excel error value"
    NOT_OURS = "not ours"
    NOT_UNDERSTOOD = "not understood"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One cell of one sheet.

    :param row: from 1, as the spreadsheet counts
    :param column: from 1
    """

    sheet: str
    row: int
    column: int

    @property
    def name(self) -> str:
        """The cell as the spreadsheet names it, for example ``B17``."""
        return cell(self.row - 1, self.column - 1)

    def __str__(self) -> str:
        return f"{self.sheet}!{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCheck:
    """One formula cell, judged.

    :param formula: as it stands in the cell, with ``=``
    :param role: what the cell is, for example ``slot.energy_cost``, ``block.kwh``, ``line.vat``, ``day.demand_rate``; empty
        where that is not known
    :param block: the block the cell is about, ``None`` for all
    :param found: the cached value
    :param ours: what the library computes from the sheet's input cells; ``None`` where the cell is not ours
    :param evaluated: what an independent evaluator computes from the cell's own inputs, as they stand in the file
    :param calculated: what the formula gives when the workbook is calculated here; only where it has no cached value
    :param agrees: whether that is ours; ``None`` where either is missing
    :param stale: the cached value is not what the formula gives on its own inputs
    :param derivation: how ours came about, in one sentence with numbers
    :param inputs: the references the formula reads, as written
    :param follows: cells it reads, directly, that are themselves different, errors or blamed by a finding: this one may only follow from
        them
    :param feeds_total: the amount to pay depends on it
    """

    place: Place
    formula: str
    verdict: Verdict
    role: str = ""
    block: str | None = None
    found: Value = None
    ours: Value = None
    evaluated: Value = None
    calculated: Value = None
    agrees: bool | None = None
    stale: bool = False
    derivation: str = ""
    inputs: tuple[str, ...] = ()
    follows: tuple[Place, ...] = ()
    feeds_total: bool = False

    @property
    def difference(self) -> float | None:
        """Found less ours, where both are numbers; of a cell without a value what is calculated for it, where that is not ours."""
        found = self.calculated if self.agrees is False else self.found
        if isinstance(found, bool) or isinstance(self.ours, bool):
            return None
        if isinstance(found, int | float) and isinstance(self.ours, int | float):
            return float(found) - float(self.ours)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetExtent:
    """The used part of a sheet, and how many of its cells are formulas."""

    name: str
    rows: int
    columns: int
    formulas: int


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """A checked workbook.

    :param file: the file's name
    :param sha256: of its bytes
    :param cells: every formula cell of every sheet, in order of sheet, row and column
    :param findings: an analyst's slips and the workbook's shape; ``data`` holds ``sheet`` and ``cell`` (a name such as ``C100``)
    :param evaluators: who computed the formulas again, with versions
    :param seconds: how long it took
    :param notes: ``calculated_by``: who calculated what had no cached value, with versions
    """

    file: str
    sha256: str
    sheets: tuple[SheetExtent, ...]
    cells: tuple[CellCheck, ...]
    findings: tuple[Finding, ...]
    evaluators: tuple[str, ...] = ()
    seconds: float = 0.0
    notes: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def counts(self) -> dict[Verdict, int]:
        """How many cells ended in each of the six verdicts; all six, also where none did."""
        counted = Counter(one.verdict for one in self.cells)
        return {verdict: counted[verdict] for verdict in Verdict}

    @cached_property
    def stale(self) -> int:
        """How many cached values are not what their formulas give."""
        return sum(one.stale for one in self.cells)

    @property
    def passed(self) -> bool:
        """Nothing is different, stale, without a value or an error, nothing that feeds the total is not understood, and nothing blocks."""
        counts = self.counts
        wrong = counts[Verdict.DIFFERENT] + counts[Verdict.ERROR] + counts[Verdict.NO_VALUE] + self.stale
        unclear = any(one.verdict is Verdict.NOT_UNDERSTOOD and one.feeds_total for one in self.cells)
        blocks = any(finding.severity is Severity.BLOCKING for finding in self.findings)
        return not wrong and not unclear and not blocks
