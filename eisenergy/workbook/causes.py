"""Which wrong cells may only follow from others: the ones they read that are wrong themselves, or that a finding blames."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from eisenergy.findings import Finding, Severity
from eisenergy.workbook.formula import Reference, references
from eisenergy.workbook.model import CellCheck, Place, Verdict
from eisenergy.workbook.overview import places

SYMPTOMS: Final = frozenset({"error-value", "no-cached-value"})
"""Codes of findings that say what a cell shows, and not what somebody did."""


class Causes:
    """Places that are wrong, by sheet and column, so that those within a range are found at once."""

    def __init__(self, places: Iterable[tuple[str, int, int]]) -> None:
        self._rows: dict[tuple[str, int], list[int]] = {}
        for sheet, row, column in sorted(set(places)):
            self._rows.setdefault((sheet, column), []).append(row)
        self._columns: dict[str, list[int]] = {}
        for sheet, column in sorted(self._rows):
            self._columns.setdefault(sheet, []).append(column)

    def within(self, area: Reference) -> Iterator[Place]:
        """Yield the wrong places of an area, column by column."""
        (top, left), (bottom, right) = area.first, area.last
        columns = self._columns.get(area.sheet, [])
        for column in columns[bisect_left(columns, left) : bisect_right(columns, right)]:
            rows = self._rows[area.sheet, column]
            for row in rows[bisect_left(rows, top) : bisect_right(rows, bottom)]:
                yield Place(area.sheet, row, column)


def followed(cells: Iterable[CellCheck], findings: Iterable[Finding] = ()) -> list[CellCheck]:
    """Say of every cell that is different, or an error, from which of the cells it reads that may follow.

    :param findings: a blocking one makes the cells it names causes as well
    """
    judged = list(cells)
    wrong = {
        (one.place.sheet, one.place.row, one.place.column)
        for one in judged
        if one.verdict in (Verdict.DIFFERENT, Verdict.ERROR)
    }
    causes = Causes(wrong | set(blamed(findings)))
    return [_followed(one, causes) if one.verdict in (Verdict.DIFFERENT, Verdict.ERROR) else one for one in judged]


def blamed(findings: Iterable[Finding]) -> Iterator[tuple[str, int, int]]:
    """Yield the cells that blocking findings name as causes."""
    for finding in findings:
        if finding.severity is not Severity.BLOCKING or finding.code in SYMPTOMS:
            continue
        yield from ((place.sheet, place.row, place.column) for place in places(finding))


def _followed(one: CellCheck, causes: Causes) -> CellCheck:
    found = (place for area in references(one.formula, one.place.sheet) for place in causes.within(area))
    return replace(one, follows=tuple(dict.fromkeys(place for place in found if place != one.place)))
