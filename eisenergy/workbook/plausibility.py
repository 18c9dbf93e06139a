"""Inputs and typed results that can be read, and are likely wrong: signs, units, shares, and values where formulas are expected."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import Final

from eisenergy.findings import Finding, blocking
from eisenergy.workbook.book import Book
from eisenergy.workbook.input_cells import at, number_of, origin, values_of
from eisenergy.workbook.input_model import Inputs
from eisenergy.workbook.signatures import READS
from eisenergy.workbook.things import Thing, Understanding

_AGREE: Final = 0.9
"""Share of rows in which kWh and kW must fit each other before the others are findings."""
_RUN: Final = 24
"""Rows from which a difference is one of a column, or of a run of its rows."""
_SHARES: Final = ("param.vat", "param.discount", "param.retention")
_INPUT_TOO: Final = (
    "slot.loss_factor",
    "slot.ftpms",
    "slot.cost_pos",
    "slot.cost_neg",
    "hour.block",
    "line.correction",
)
"""Computed roles that may be inputs as well."""


def implausible(book: Book, found: Understanding, inputs: Inputs) -> Iterator[Finding]:
    """Find readings below zero, kWh and kW that do not fit each other, and shares above one."""
    times = _per_hour(inputs)
    kwh, kw = found.one("slot.kwh"), found.one("slot.kw")
    if kwh is not None:
        energy = {row: (place, number_of(value)) for row, (place, value) in values_of(book, kwh).items()}
        for place, number in energy.values():
            if number is not None and number < 0:
                yield blocking(
                    "negative-kwh",
                    kwh.sheet,
                    f"{origin(kwh, place)}: found {number:g} kWh, expected zero or more. Correct the reading.",
                    **at(kwh, place),
                )
        yield from _outliers(kwh, energy)
        yield from _empty(book, found, kwh)
        if kw is not None:
            power = {row: number_of(value) for row, (_, value) in values_of(book, kw).items()}
            yield from _unlike(kwh, energy, power, times)
    for role in _SHARES:
        thing = found.one(role)
        value = None if thing is None else number_of(book.value((thing.sheet, *thing.cells[0])))
        if thing is not None and value is not None and not 0 <= value <= 1:
            yield blocking(
                "share-above-one",
                thing.sheet,
                f"{origin(thing, thing.cells[0])}: found {value:g} for {thing.header!r}, expected a share from 0 to 1. Type 0.13 for 13 %.",
                **at(thing, thing.cells[0]),
            )


def _per_hour(inputs: Inputs) -> float:
    """How many of the intervals make an hour."""
    starts = sorted(inputs.rows.values())
    steps = [(b - a).total_seconds() for a, b in pairwise(starts) if b > a]
    return 3600 / median(steps) if steps else 4.0


def _unlike(
    kwh: Thing,
    energy: dict[int, tuple[tuple[int, int], float | None]],
    power: dict[int, float | None],
    times: float,
) -> Iterator[Finding]:
    """Rows whose kW are not what their kWh make in an hour, where they are in almost all others."""
    pairs = [
        (place, number, power[row])
        for row, (place, number) in energy.items()
        if number is not None and power.get(row) is not None
    ]
    apart = [(place, a, b) for place, a, b in pairs if b is not None and abs(times * a - b) > 0.03 * max(abs(b), 1)]
    if not pairs or len(apart) > (1 - _AGREE) * len(pairs):
        yield from _throughout(kwh, energy, power, times)
        return
    for place, a, b in apart:
        yield blocking(
            "kwh-unlike-kw",
            kwh.sheet,
            f"{origin(kwh, place)}: found {a:g} kWh beside {b:g} kW; in {len(pairs) - len(apart)} of {len(pairs)} rows the kW are {times:g} times the "
            f"kWh, which would be {(b or 0) / times:g}. Look up the reading.",
            **at(kwh, place),
        )


def _throughout(
    kwh: Thing,
    energy: dict[int, tuple[tuple[int, int], float | None]],
    power: dict[int, float | None],
    times: float,
) -> Iterator[Finding]:
    """A whole run of kWh that stand beside another row's kW, or in another unit."""
    rows = [row for row in sorted(energy) if energy[row][1] and power.get(row)]

    def fits(row: int, step: int, factor: float) -> bool:
        a, b = energy[row][1], power.get(row + step)
        return a is not None and b is not None and abs(factor * a - b) <= 0.03 * max(abs(b), 1)

    apart = [row for row in rows if not fits(row, 0, times)]
    if len(apart) < _RUN:
        return
    for step, where in ((-1, "above"), (1, "below")):
        if sum(fits(row, step, times) for row in apart) >= _AGREE * len(apart):
            first = apart[0]
            while first - 1 in energy and fits(first - 1, step, times):
                first -= 1  # where the load hardly changes, a row fits both
            place = energy[first][0]
            yield blocking(
                "rows-shifted",
                kwh.sheet,
                f"{origin(kwh, place)}: from this row on the kWh of {len(apart)} rows belong to the kW in the row {where}, not to those "
                "beside them. Was one of the columns moved by a row? Put it back.",
                **at(kwh, place),
            )
            return
    place = energy[apart[0]][0]
    ratio = median(float(power[row] or 0) / float(energy[row][1] or 1) for row in apart)
    if sum(fits(row, 0, ratio) for row in apart) >= _AGREE * len(apart):
        yield blocking(
            "kwh-unlike-kw",
            kwh.sheet,
            f"{origin(kwh, place)}: in {len(apart)} of {len(rows)} rows the kW are {ratio:.4g} times the kWh, expected {times:g} times, as of {60 / times:g} minutes. "
            "Is one column in the other's unit, or a meter's factor missing in one of them?",
            **at(kwh, place),
        )


def _empty(book: Book, found: Understanding, kwh: Thing) -> Iterator[Finding]:
    """Rows among the readings that have a power and no energy."""
    values = book.grids[kwh.sheet].values
    kw = found.one("slot.kw")
    if kw is None or kw.sheet != kwh.sheet or kwh.formulas:
        return
    for row in range(kwh.cells[0][0], kwh.cells[-1][0]):
        place = (row, kwh.column)
        if values.get(place) is None and (power := number_of(values.get((row, kw.column)))) is not None:
            yield blocking(
                "reading-missing",
                kwh.sheet,
                f"{origin(kwh, place)}: found no kWh beside {power:g} kW, expected a reading. Look it up; type 0 where nothing was taken.",
                **at(kwh, place),
            )


def _outliers(kwh: Thing, energy: dict[int, tuple[tuple[int, int], float | None]]) -> Iterator[Finding]:
    """One reading that is a hundred times what is usual, and ten times every other one."""
    known = sorted((number, place) for place, number in energy.values() if number is not None)
    if len(known) < _RUN:
        return
    (second, _), (highest, place) = known[-2:]
    usual = median(number for number, _ in known)
    if second > 0 and highest >= 10 * second and highest >= 100 * usual:
        yield blocking(
            "reading-out-of-scale",
            kwh.sheet,
            f"{origin(kwh, place)}: found {highest:g} kWh; the next highest reading is {second:g}. Expected one of their size. Look up the reading.",
            **at(kwh, place),
        )


def typed(book: Book, found: Understanding) -> Iterator[tuple[Thing, tuple[int, int]]]:
    """Cells of a computed role that hold a value, where others of the workbook's bill are formulas."""
    for thing in found.things:
        if thing.role not in READS and not thing.role.startswith("line."):
            continue
        if thing.role in _INPUT_TOO and not thing.formulas:
            continue
        formulas = set(thing.formulas)
        values = book.grids[thing.sheet].values
        for place in thing.cells:
            if place not in formulas and values.get(place) is not None:
                yield thing, place
