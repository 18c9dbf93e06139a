"""A workbook in the formualizer engine: all its values at once, and formulas in their own cells or on sheets beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import formualizer

from eisenergy.workbook.book import Book, Grid, Key
from eisenergy.workbook.formula import Token, pattern, tokens
from eisenergy.workbook.model import Value
from eisenergy.workbook.values import plain

_KINDS: Final = {
    "Null": "#NULL!",
    "Div": "#DIV/0!",
    "Value": "#VALUE!",
    "Ref": "#REF!",
    "Name": "#NAME?",
    "Num": "#NUM!",
    "Na": "#N/A",
    "Spill": "#SPILL!",
    "Calc": "#CALC!",
}
_ERRORS: Final = {text: kind for kind, text in _KINDS.items()}
CIRCULAR: Final = "#CIRCULAR!"
UNKNOWN: Final = "#UNKNOWN!"
"""Not a spreadsheet's error: the engine cannot compute the formula."""

_PREFIX: Final = re.compile(r"_xl(?:fn|ws|udf)\.(?:_xlws\.)?", re.IGNORECASE)
BY_TEXT: Final = re.compile(r"(?<![\w.])INDIRECT\(", re.IGNORECASE)
"""Formulas that can only be computed in their own cell: an address in a text means the sheet it stands on."""

_PLAIN_NAME: Final = re.compile(r"[^\W\d][\w.\\?]*")


class Translator:
    """Writes a book's formulas so that an engine without its defined names can compute them, wherever they stand.

    :param prefixes: keep the ``_xlfn.`` that files put before newer functions; the engine does not know it
    """

    def __init__(self, book: Book, *, prefixes: bool = False) -> None:
        self._prefixes = prefixes
        self._known: dict[tuple[str, str, str], str] = {}
        self._sheets = {name.casefold(): name for name in book.grids}
        self._names = {name.casefold(): text.removeprefix("=") for name, text in book.names.items()}

    def obstacle(self, formula: str, sheet: str) -> str:
        """Say why a formula cannot be computed at all; empty where it can be tried."""
        if formula.upper().startswith("=TABLE("):
            return "it is a what-if data table"
        try:
            cut = tokens(formula, sheet)
        except ValueError:
            return "it cannot be read as a formula"
        for one in cut:
            if one.kind == "Operand Range" and one.reference is None:
                if "[" in one.text and ("!" in one.text or one.text.startswith("[")):
                    return f"it refers to another workbook ({one.text})"
                if "[" in one.text:
                    return f"it refers to a table by name ({one.text})"
        return ""

    def write(self, formula: str, sheet: str) -> str:
        """Return the formula with every reference naming its sheet and every defined name replaced by what it stands for."""
        known = self._known
        parts = []
        for one in tokens(formula, sheet):
            text = known.get((one.text, one.kind, sheet))
            if text is None:
                text = known[one.text, one.kind, sheet] = self._token(one, sheet)
            parts.append(text)
        return "=" + "".join(parts)

    def _token(self, one: Token, sheet: str, depth: int = 0) -> str:
        if one.reference is not None:
            local = one.text.rpartition("!")[2]
            owner = self._sheets.get(one.reference.sheet.casefold())
            return f"{quoted(owner)}!{local}" if owner else one.text
        if one.kind == "Operand Range":
            return self._name(one.text, sheet, depth)
        if one.kind.startswith("Func") and not self._prefixes:
            return _PREFIX.sub("", one.text)
        return one.text

    def _name(self, text: str, sheet: str, depth: int) -> str:
        local = text.rpartition("!")[2]
        meaning = self._names.get(f"{sheet}!{local}".casefold(), self._names.get(local.casefold()))
        if meaning is None or depth > 8 or not _PLAIN_NAME.fullmatch(local):
            return text
        try:
            inner = tokens(f"={meaning}", sheet)
        except ValueError:
            return text
        written = "".join(self._token(one, sheet, depth + 1) for one in inner)
        return written if len(inner) == 1 else f"({written})"


def quoted(sheet: str) -> str:
    """Return a sheet's name as a reference writes it."""
    return "'" + sheet.replace("'", "''") + "'"


def loaded(
    book: Book, written: Mapping[Key, str], *, apart: bool, inputs_only: bool = False
) -> tuple[Engine, frozenset[Key]]:
    """Load formulas into an engine and compute them.

    :param written: cell -> formula as :class:`Translator` wrote it
    :returns: the engine, and the cells whose formula it refuses; one of those would stop the calculation of all
    """
    engine = Engine(book, inputs_only=inputs_only)
    engine.put(written.items(), apart=apart)
    with suppress(ValueError):
        engine.run()
        return engine, frozenset()
    refused = _refused(book, written)
    engine = Engine(book, inputs_only=inputs_only)
    engine.put(((key, formula) for key, formula in written.items() if key not in refused), apart=apart)
    engine.run()
    return engine, refused


def _refused(book: Book, written: Mapping[Key, str]) -> frozenset[Key]:
    bare = replace(book, grids={name: replace(grid, values={}, formulas={}) for name, grid in book.grids.items()})
    verdicts: dict[tuple[str, str], bool] = {}
    found = set()
    for key, formula in written.items():
        group = (key[0], pattern(formula, *key))
        if group not in verdicts:
            engine = Engine(bare)
            engine.put([(key, formula)], apart=True)
            try:
                engine.run()
                verdicts[group] = False
            except ValueError:
                verdicts[group] = True
        if verdicts[group]:
            found.add(key)
    return frozenset(found)


class Engine:
    """The formualizer engine with a book's values.

    :param inputs_only: leave the formulas' cells empty
    """

    def __init__(self, book: Book, *, inputs_only: bool = False) -> None:
        self._engine = formualizer.Workbook()
        self._engine.set_temporal_egress("serial")
        self._beside = beside(book)
        for grid in book.grids.values():
            self._engine.add_sheet(grid.name)
            self._fill(grid, inputs_only)
        for name in self._beside.values():
            self._engine.add_sheet(name)

    def _fill(self, grid: Grid, inputs_only: bool) -> None:
        left = grid.formulas if inputs_only else {}
        values = {place: value for place, value in grid.values.items() if value is not None and place not in left}
        # only what holds a value is written: a formula set later where an empty cell was written keeps showing that
        for (row, column), length in _runs(values):
            self._engine.set_values_batch(
                grid.name, row, column, [[_literal(values[at, column])] for at in range(row, row + length)]
            )

    def put(self, formulas: Iterable[tuple[Key, str]], *, apart: bool) -> None:
        """Set formulas, as :class:`Translator` wrote them, in cells that are empty.

        :param apart: not in their own cells but at the same addresses of a sheet beside theirs, where nothing reads them
        """
        sheets: dict[str, dict[tuple[int, int], str]] = {}
        for (sheet, row, column), formula in formulas:
            sheets.setdefault(sheet, {})[row, column] = formula
        for sheet, written in sheets.items():
            for (row, column), length in _runs(written):
                self._engine.set_formulas_batch(
                    self._beside[sheet] if apart else sheet,
                    row,
                    column,
                    [[written[at, column]] for at in range(row, row + length)],
                )

    def put_value(self, key: Key, value: Value) -> None:
        """Set a value in place of whatever the cell holds."""
        self._engine.set_value(*key, None if value is None else _literal(value))

    def run(self) -> None:
        """Compute what is not computed yet.

        :raises ValueError: when the engine refuses one of the formulas, and with it all
        """
        try:
            self._engine.evaluate_all()
        except Exception as problem:  # the engine's own error types
            raise ValueError(str(problem)) from problem

    def read(self, key: Key, *, apart: bool) -> Value:
        """Return a computed value; :data:`CIRCULAR` and :data:`UNKNOWN` besides a spreadsheet's own errors."""
        sheet, row, column = key
        return _value(self._engine.get_value(self._beside[sheet] if apart else sheet, row, column))

    def once(self, key: Key, formula: str) -> Value:
        """Compute one formula in its own cell among the values, and put back what was there."""
        before = self._engine.get_value(*key)
        try:
            self._engine.set_formula(*key, formula)
            return _value(self._engine.evaluate_cell(*key))
        except Exception:  # the engine's own error types: it cannot compute this one
            return UNKNOWN
        finally:
            self._engine.set_value(*key, before if not isinstance(before, dict) else _literal(_value(before)))


def beside(book: Book) -> Mapping[str, str]:
    """Name a sheet beside each of a book's sheets."""
    taken = {name.casefold() for name in book.grids}
    found: dict[str, str] = {}
    for number, name in enumerate(book.grids):
        own = f"~{number}"
        while own in taken:
            own += "~"
        found[name] = own
    return found


def _runs(places: Iterable[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield the cells in runs down a column: the first, and how many."""
    first, last = (0, 0), (0, 0)
    for place in sorted(places, key=lambda place: (place[1], place[0])):
        if place[1] == last[1] and place[0] == last[0] + 1:
            last = place
            continue
        if last[1]:
            yield first, last[0] - first[0] + 1
        first = last = place
    if last[1]:
        yield first, last[0] - first[0] + 1


def _literal(value: Value) -> object:
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        if value in _ERRORS:
            return formualizer.LiteralValue.error(_ERRORS[value], None)
        return value
    return plain(value)


def _value(found: Any) -> Value:
    while isinstance(found, list):
        found = found[0] if found else None
    if isinstance(found, dict):
        kind = str(found.get("kind"))
        return CIRCULAR if kind == "Circ" else _KINDS.get(kind, UNKNOWN)
    return found  # type: ignore[no-any-return]
