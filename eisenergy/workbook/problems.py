"""A list of what to look at in a checked workbook: what blocks, then neighbours that are wrong in one way together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eisenergy.findings import Finding, Severity
from eisenergy.workbook.causes import SYMPTOMS
from eisenergy.workbook.model import CellCheck, CheckResult, Place
from eisenergy.workbook.overview import State, gravest_first, span, state, wrong
from eisenergy.workbook.wording import difference, sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Cells of one column that are wrong in one way, one below the other.

    :param first: the uppermost; ``None`` where a finding is about the whole file
    :param cells: how many
    :param where: cell, or cells, or file
    :param what: in a few words
    :param largest: the largest difference and where it is; empty where there is none
    :param text: what was found and what to do
    """

    first: Place | None
    last: Place | None
    cells: int
    state: State
    where: str
    what: str
    largest: str
    text: str

    @property
    def title(self) -> str:
        """Where and what, for a list."""
        return f"{self.where}: {self.what}"


def problems(result: CheckResult) -> tuple[Problem, ...]:
    """Return what to look at: what somebody did first, then what only shows it.

    Findings that block; wrong cells with their neighbours below that are wrong in the same way, those that follow from no other first;
    then the other findings.
    """
    findings = gravest_first(result.findings)
    first = [one for one in findings if one.severity is Severity.BLOCKING and one.code not in SYMPTOMS]
    last = [one for one in findings if one not in first]
    return (*map(_found, first), *_runs(wrong(result)), *map(_found, last))


def _runs(cells: Sequence[CellCheck]) -> list[Problem]:
    runs: list[list[CellCheck]] = []
    by_column = sorted(
        cells, key=lambda cell: (bool(cell.follows), cell.place.sheet, cell.place.column, cell.place.row)
    )
    for cell in by_column:
        above = runs[-1][-1] if runs else None
        if above is not None and _alike(above, cell):
            runs[-1].append(cell)
        else:
            runs.append([cell])
    order = {cell.place: number for number, cell in enumerate(cells)}
    return [_run(run) for run in sorted(runs, key=lambda run: order[run[0].place])]


def _alike(above: CellCheck, cell: CellCheck) -> bool:
    below = Place(above.place.sheet, above.place.row + 1, above.place.column)
    kinds = [(state(one), one.agrees, one.role, bool(one.follows)) for one in (above, cell)]
    return cell.place == below and kinds[0] == kinds[1]


def _run(run: Sequence[CellCheck]) -> Problem:
    first, last = run[0], run[-1]
    kind = state(first)
    many = "" if len(run) == 1 else f"{len(run):,} cells: "
    text = sentence(first)
    far = max(run, key=lambda cell: abs(cell.difference or 0.0))
    largest = f"{difference(far.difference)} in {far.place.name}" if far.difference and state(far) is kind else ""
    if len(run) > 1:
        text = f"The first of them: {text}"
        if largest:
            text += f" Largest difference: {largest}."
    return Problem(
        first=first.place,
        last=last.place,
        cells=len(run),
        state=kind,
        where=_named(first.place, last.place),
        what=f"{many}{kind.value}" + (f" ({first.role})" if first.role else ""),
        largest=largest,
        text=text,
    )


def _found(finding: Finding) -> Problem:
    area = span(finding)
    first = None if area is None else Place(area.sheet, *area.first)
    last = None if area is None else Place(area.sheet, *area.last)
    return Problem(
        first=first,
        last=last,
        cells=0 if area is None else (area.last[0] - area.first[0] + 1) * (area.last[1] - area.first[1] + 1),
        state=State.FINDING,
        where=finding.subject if first is None or last is None else _named(first, last),
        what=finding.code.replace("-", " "),
        largest="",
        text=finding.message,
    )


def _named(first: Place, last: Place) -> str:
    return str(first) if first == last else f"{first}:{last.name}"
