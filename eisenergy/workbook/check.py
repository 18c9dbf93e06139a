"""Check a workbook cell by cell: what each formula is, what the library computes from the same inputs, and whether they agree."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from eisenergy.findings import Finding, blocking, warning
from eisenergy.tariffs.load import read_spreadsheet, read_yaml
from eisenergy.tariffs.model import Tariff
from eisenergy.workbook import evaluate, library, roles, tables
from eisenergy.workbook.book import ERRORS, Book, Key, open_book
from eisenergy.workbook.causes import followed
from eisenergy.workbook.evaluators import Evaluated
from eisenergy.workbook.expected import Expected
from eisenergy.workbook.formula import copied, references
from eisenergy.workbook.input_cells import at, origin
from eisenergy.workbook.input_model import Inputs
from eisenergy.workbook.inputs import collect
from eisenergy.workbook.local_times import zone_of
from eisenergy.workbook.meaning import understand
from eisenergy.workbook.model import CellCheck, CheckResult, Place, SheetExtent, Value, Verdict
from eisenergy.workbook.plausibility import implausible, typed
from eisenergy.workbook.slips import slips
from eisenergy.workbook.statement import Statement, read_statement
from eisenergy.workbook.steps import steps, vindicated
from eisenergy.workbook.subjects import SUBJECTS, subject_of
from eisenergy.workbook.suspects import suspects
from eisenergy.workbook.things import Thing, Understanding

STEPS: Final = (
    "reading the workbook",
    "computing every formula again",
    "understanding the cells",
    "computing the bill",
    "comparing",
)

Progress = Callable[[str], None]


def check(
    path: Path,
    *,
    tariff: Path | None = None,
    statement: Path | None = None,
    timezone: str | None = None,
    progress: Progress | None = None,
) -> CheckResult:
    """Judge every formula cell of a workbook.

    :param tariff: a price sheet or a YAML tariff to bill by; the workbook's own rates are compared with it
    :param statement: what cannot be inferred, see :mod:`eisenergy.workbook.statement`; by default the file of the workbook's name
        under ``params/workbooks``
    :param timezone: IANA name of the sheet's local times; by default what the workbook states, else El Salvador's
    :param progress: told each of :data:`STEPS` as it begins
    :raises UnreadableFile: when the workbook, the tariff or the statement cannot be read
    """
    return opened(path, tariff=tariff, statement=statement, timezone=timezone, progress=progress)[1]


def opened(
    path: Path,
    *,
    tariff: Path | None = None,
    statement: Path | None = None,
    timezone: str | None = None,
    progress: Progress | None = None,
) -> tuple[Book, CheckResult]:
    """Judge every formula cell of a workbook, and return it as it was read, for who shows it: to read it takes seconds; see :func:`check`."""
    if progress is not None:
        progress(STEPS[0])
    begun = time.monotonic()
    book = open_book(path)
    result = check_book(book, tariff=tariff, statement=statement, timezone=timezone, progress=progress)
    return book, replace(result, seconds=time.monotonic() - begun)


def check_book(
    book: Book,
    *,
    tariff: Path | None = None,
    statement: Path | None = None,
    timezone: str | None = None,
    progress: Progress | None = None,
) -> CheckResult:
    """Judge every formula cell of a workbook that is read already; see :func:`check`."""
    begun = time.monotonic()
    tell = progress or (lambda _: None)
    given = None if tariff is None else _tariff(tariff)
    stated = read_statement(book, statement)
    tell(STEPS[1])
    full, calculator = evaluate.calculated(book)
    local = evaluate.locally(book)
    judged: dict[Key, CellCheck] = {}
    zone = zone_of(book, timezone)
    findings: list[Finding] = list(slips(book, zone))
    amounts: set[Key] = set()
    for number, part in enumerate(_bills(book)):
        tell(STEPS[2])
        whole = full.only(part)
        found = understand(whole, stated.roles)
        tell(STEPS[3])
        inputs = collect(whole, found, zone, given)
        expected = library.compute(inputs)
        tell(STEPS[4])
        judge = _Judge(book.only(part), whole, found, inputs, expected, local, stated)
        for one in judge.cells():
            key = (one.place.sheet, one.place.row, one.place.column)
            if (
                number == 0
                or key not in judged
                or (judged[key].verdict, one.verdict) == (Verdict.NOT_OURS, Verdict.EQUAL)
            ):
                judged[key] = one
        findings += [
            *inputs.findings,
            *expected.findings,
            *implausible(whole, found),
            *suspects(whole, found, inputs),
        ]
        findings += judge.typed_over()
        amounts |= {(thing.sheet, *place) for thing in found.of("line.correction") for place in thing.cells}
    order = {name: number for number, name in enumerate(book.grids)}
    cells = followed(judged[key] for key in sorted(judged, key=lambda key: (order[key[0]], key[1:])))
    odd = vindicated(cells, findings, amounts)
    findings = [one for one in findings if one not in odd]
    return CheckResult(
        file=book.file,
        sha256=book.sha256,
        sheets=tuple(
            SheetExtent(name=grid.name, rows=grid.rows, columns=grid.columns, formulas=len(grid.formulas))
            for grid in book.grids.values()
        ),
        cells=tuple(followed(cells, findings)),
        findings=_unique(findings),
        evaluators=local.by,
        seconds=time.monotonic() - begun,
        notes={"calculated_by": calculator} if calculator else {},
    )


def _bills(book: Book) -> list[frozenset[str]]:
    """The sheets of each bill: a meter's own sheet with those that no meter has for itself; one bill where no sheet has readings."""
    meters = [
        name for name, grid in book.grids.items() if any(table.kind == roles.SLOT for table in tables.find(grid)[0])
    ]
    shared = frozenset(book.grids) - frozenset(meters)
    return [shared | {meter} for meter in meters] or [frozenset(book.grids)]


def _tariff(path: Path) -> Tariff:
    if path.suffix.casefold() in (".yaml", ".yml"):
        return read_yaml(path)
    return read_spreadsheet(path)


def _unique(findings: list[Finding]) -> tuple[Finding, ...]:
    """Every finding once; of two of one kind at one cell the first."""
    unique: dict[tuple[object, ...], Finding] = {}
    for one in findings:
        unique.setdefault((one.code, one.data.get("sheet"), one.data.get("cell")), one)
    return tuple(unique.values())


@dataclass(slots=True)
class _Judge:
    book: Book
    full: Book
    found: Understanding
    inputs: Inputs
    expected: Expected
    local: Evaluated
    stated: Statement

    def cells(self) -> Iterator[CellCheck]:
        """Every formula cell, in order of sheet, row and column."""
        judged = [
            self._judged(name, place, formula)
            for name, grid in self.book.grids.items()
            for place, formula in sorted(grid.formulas.items())
        ]
        proven = steps(self.found, {(one.place.sheet, one.place.row, one.place.column): one for one in judged})
        for one in judged:
            proof = proven.get((one.place.sheet, one.place.row, one.place.column))
            if proof is None:
                yield one
            else:
                told = f"no part of the bill by itself, but a step to {Place(*proof)}, which is equal"
                yield replace(one, verdict=Verdict.NOT_OURS, derivation=told)

    def typed_over(self) -> Iterator[Finding]:
        """Values where the bill's formulas are expected, with what the library computes; a run of them once."""
        told: dict[tuple[int, bool], tuple[int, int]] = {}
        for thing, place in typed(self.full, self.found):
            _, ours, role = self._ours(thing, place)
            value = self.full.value((thing.sheet, *place))
            equal = ours is not None and self._same(value, ours, role)
            if not role or (ours is None and role.startswith("slot.")):
                continue
            # A whole column is told once, and once more where its values begin to differ.
            if len(thing.formulas) * 2 < len(thing.cells) and (id(thing), equal) in told:
                continue
            told[id(thing), equal] = place
            say = warning if equal else blocking
            yield say(
                "overwritten-formula",
                thing.sheet,
                f"{origin(thing, place)}: found the typed value {value!r} for {role}, expected a formula"
                + ("; the value is right today" if equal else f" that gives {ours!r}")
                + ". Copy the formula of a neighbour into the cell.",
                **at(thing, place),
            )

    def _judged(self, sheet: str, place: tuple[int, int], formula: str) -> CellCheck:
        key: Key = (sheet, *place)
        thing = self.found.by_cell.get(key)
        cached, value = self.book.value(key), self.full.value(key)
        subject, ours, role = self._ours(thing, place)
        evaluated = self.local.values.get(key)
        if cached is None:
            verdict = Verdict.NO_VALUE
        elif isinstance(cached, str) and cached in ERRORS:
            verdict = Verdict.ERROR
        elif not role:
            verdict = self._unknown(thing)
        elif ours is None:
            verdict = Verdict.NOT_OURS if self._beside(thing, place) else Verdict.NOT_UNDERSTOOD
        else:
            verdict = Verdict.EQUAL if self._same(value, ours, role) else Verdict.DIFFERENT
        known = verdict not in (Verdict.NOT_OURS, Verdict.NOT_UNDERSTOOD)
        if thing is not None and not thing.role:
            role = ""  # what repeats another cell is none of the bill's own
        return CellCheck(
            place=Place(sheet, *place),
            formula=formula,
            verdict=verdict,
            role=role if known else "",
            block=subject if isinstance(subject, str) and known and not role.startswith("line.") else None,
            found=cached,
            ours=ours if known else None,
            evaluated=evaluated,
            calculated=value if cached is None else None,
            agrees=None if cached is not None or value is None or ours is None else self._same(value, ours, role),
            stale=cached is not None and key in self.local.values and not evaluate.same(cached, evaluated),
            derivation=self._derivation(verdict, role, subject, ours),
            inputs=tuple(dict.fromkeys(area.text for area in references(formula, sheet))),
            feeds_total=thing is not None and thing in self.found.feeding,
        )

    def _same(self, value: Value, ours: Value, role: str) -> bool:
        if isinstance(value, str) and isinstance(ours, str) and role.endswith((".block", ".day_kind")):
            return value.strip() == ours
        if value == "" and ours == 0.0 and role == "block.max_kw_at":
            return True  # the moment of a maximum that never was
        return evaluate.same(value, ours)

    def _ours(self, thing: Thing | None, place: tuple[int, int]) -> tuple[Hashable, Value, str]:
        """What the cell is about, what the library computes for it, and its role."""
        if thing is not None and not thing.role and (source := self._source(thing, place)) is not None:
            return self._ours(self.found.by_cell.get(source), source[1:])
        if thing is None or not thing.role or thing.role == "-":
            return None, None, ""
        kind = thing.role.partition(".")[0]
        if kind not in SUBJECTS:
            return None, None, ""
        subject = subject_of(self.book, self.full, self.found, thing, place)
        ours = self.expected.values.get((thing.role, subject))
        return subject, self._signed(thing.role, ours), thing.role

    def _source(self, thing: Thing, place: tuple[int, int]) -> Key | None:
        """The cell whose value a formula repeats without computing anything."""
        formula = self.book.grids[thing.sheet].formulas.get(place)
        area = None if formula is None else copied(formula, thing.sheet)
        key = None if area is None else (area.sheet, *area.first)
        return key if key is not None and self.book.value(key) is not None and key != (thing.sheet, *place) else None

    def _signed(self, role: str, ours: Value) -> Value:
        """What is taken off may be shown positive where the sum subtracts it."""
        sums = {"line.discount": "line.subtotal", "line.retention": "line.total"}
        if role not in sums:
            return ours
        thing, total = self.found.one(role), self.found.one(sums[role])
        if thing is None or total is None or not total.formulas or not isinstance(ours, float):
            return ours
        formula = self.book.grids[total.sheet].formulas[total.formulas[0]].replace("$", "").replace(" ", "")
        name = Place(thing.sheet, *thing.cells[0]).name
        return -ours if re.search(rf"-{name}(?!\d)", formula) else ours

    def _beside(self, thing: Thing | None, place: tuple[int, int]) -> bool:
        """Whether a cell of a column of ours stands in a row that holds no reading."""
        if thing is None or not thing.role.startswith("slot."):
            return False
        row = place[0]
        kwh = self.found.one("slot.kwh")
        empty = kwh is None or self.full.grids[kwh.sheet].values.get((row, kwh.column)) is None
        return row not in self.inputs.rows and empty

    def _unknown(self, thing: Thing | None) -> Verdict:
        """None of ours where nothing of the bill depends on it, and no word says that it is of the bill."""
        if thing is not None and thing.role == "-":
            return Verdict.NOT_OURS
        if thing is None or thing in self.found.feeding:
            return Verdict.NOT_UNDERSTOOD
        if self.found.one("line.total") is None:
            return Verdict.NOT_OURS
        if thing.table is not None:
            return Verdict.NOT_UNDERSTOOD if roles.header_role(thing.table.kind, thing.header) else Verdict.NOT_OURS
        role = roles.parameter_role(thing.header) or roles.line_role(thing.header)
        # What another cell is already is not this one: the total of a table of days is no amount to pay.
        return Verdict.NOT_UNDERSTOOD if role and self.found.one(role) is None else Verdict.NOT_OURS

    def _derivation(self, verdict: Verdict, role: str, subject: Hashable, ours: Value) -> str:
        if verdict is Verdict.NOT_UNDERSTOOD:
            if not role:
                return "neither the header or label nor what the formula reads says what this is; a statement may, see `params/workbooks`"
            return f"understood as {role}, but the inputs of this row do not allow to compute it"
        if ours is None:
            return ""
        return self.expected.derivation(role, subject)
