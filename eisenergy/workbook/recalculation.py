"""A whole workbook computed again from its input cells, with what the engine gets wrong put right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eisenergy.workbook.book import Book, Key
from eisenergy.workbook.engine import CIRCULAR, UNKNOWN, Engine, loaded
from eisenergy.workbook.evaluators import Evaluated, absence, library
from eisenergy.workbook.formula import calls, pattern, references
from eisenergy.workbook.model import Value
from eisenergy.workbook.opinion import Opinion
from eisenergy.workbook.values import same

ROUNDS: Final = 12
"""How often the engine computes again at most: one formula that is put right may read another."""

_CRITERIA: Final = {
    "SUMIF": (1, 99),
    "COUNTIF": (1, 99),
    "AVERAGEIF": (1, 99),
    "COUNTIFS": (1, 2),
    "SUMIFS": (2, 2),
    "AVERAGEIFS": (2, 2),
    "MAXIFS": (2, 2),
    "MINIFS": (2, 2),
}
"""Function -> where its first criterion is among its arguments, and how far the next is from it."""


def recalculate(book: Book, written: Mapping[Key, str], absent: Mapping[Key, str], local: Evaluated) -> Evaluated:
    """Compute formulas from the cells that hold none.

    :param written: cell -> formula as the translator wrote it
    :param absent: cell -> why it is not computed; its cached value is an input to the rest
    :param local: what the formulas give on cached inputs, as far as that is known
    """
    engine, refused = loaded(book, written, apart=False, inputs_only=True)
    for key in absent:
        engine.put_value(key, book.value(key))
    if absent:
        engine.run()
    doubtful = set(refused)
    groups: dict[tuple[str, str], bool] = {}
    for key, formula in written.items():
        group = (key[0], pattern(book.grids[key[0]].formulas[key[1:]], *key))
        if group not in groups:
            groups[group] = group in local.distrusted or criteria_of_many(formula, key[0])
        if groups[group]:
            doubtful.add(key)
    corrected = _correct(book, engine, written, doubtful, absent, local)
    values: dict[Key, Value] = {}
    missing = dict(absent)
    for key in written:
        value = engine.read(key, apart=False)
        if corrected.get(key, value) is None:
            missing[key] = absence(key, f"no evaluator can compute {book.grids[key[0]].formulas[key[1:]]}")
        elif value in (CIRCULAR, UNKNOWN):
            missing[key] = absence(key, "it is part of a circular reference, or reads one")
        else:
            values[key] = value
    by = (library("formualizer"), *((library("formulas"),) if corrected else ()))
    return Evaluated(values=values, by=by, absent=missing, distrusted=local.distrusted)


def criteria_of_many(formula: str, sheet: str) -> bool:
    """Say whether a formula gives a conditional sum or count several criteria at once, as ``SUMPRODUCT(SUMIF(A:A,B1:B9,C:C))``.

    The engine computes these as 0.
    """
    if "IF(" not in formula.upper() and "IFS(" not in formula.upper():
        return False
    for call in calls(formula, sheet):
        first, step = _CRITERIA.get(call.name, (0, 0))
        if step and any(
            token.reference is not None and not token.reference.single
            for number in range(first, len(call.arguments), step)
            for token in call.direct(number)
        ):
            return True
    return False


def _correct(
    book: Book,
    engine: Engine,
    written: Mapping[Key, str],
    doubtful: set[Key],
    absent: Mapping[Key, str],
    local: Evaluated,
) -> dict[Key, Value]:
    """Put the second opinion in the place of what the engine computes wrongly, and have it compute what follows from that.

    :returns: cell -> its second opinion, ``None`` where there is none
    """
    opinion = Opinion(book, lambda key: engine.read(key, apart=False))
    given: dict[Key, Value] = {}
    changed: set[Key] = set()
    for _ in range(ROUNDS):
        fresh: dict[Key, Value] = {}
        for key in sorted(doubtful | given.keys() | _roots(engine, written, absent)):
            if key in given and not changed - {key}:
                continue  # nothing it may read is other than before
            if key in local.values and _unmoved(book, engine, written[key], key[0]):
                able, value = True, local.values[key]
            else:
                able, value = opinion.of(written[key], *key)
            if key not in given or not same(given[key], value if able else None):
                fresh[key] = value if able else None
        if not fresh:
            break
        given |= fresh
        changed = set(fresh)
        for key, value in fresh.items():
            # without any opinion the cached value is an input to the rest; without that too, the rest must not look computed
            stand_in = book.value(key) if value is None else value
            engine.put_value(key, "#N/A" if stand_in is None else stand_in)
        engine.run()
    return given


def _unmoved(book: Book, engine: Engine, formula: str, sheet: str) -> bool:
    """Say whether what a formula reads was computed as it is cached, so that what it gives on cached inputs holds."""
    for area in references(formula, sheet):
        grid = book.grids.get(area.sheet)
        if grid is None:
            return False
        for row in range(area.first[0], min(area.last[0], grid.rows) + 1):
            for column in range(area.first[1], min(area.last[1], grid.columns) + 1):
                key = (area.sheet, row, column)
                if (row, column) in grid.formulas and not same(engine.read(key, apart=False), book.value(key)):
                    return False
    return True


def _roots(engine: Engine, written: Mapping[Key, str], absent: Mapping[Key, str]) -> set[Key]:
    """Return the cells the engine cannot compute, less those that only read one of them."""
    bad = {key for key in written if key not in absent and engine.read(key, apart=False) in (UNKNOWN, "#NAME?")}
    return {
        key
        for key in bad
        if not any(
            other[0] == area.sheet and other[1:] in area
            for area in references(written[key], key[0])
            for other in bad - {key}
        )
    }
