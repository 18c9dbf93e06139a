"""Inputs and typed results that can be read, and are likely wrong: signs, units, shares, and values where formulas are expected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from eisenergy.findings import Finding, blocking
from eisenergy.workbook.book import Book
from eisenergy.workbook.input_cells import at, number_of, origin, values_of
from eisenergy.workbook.signatures import READS
from eisenergy.workbook.things import Thing, Understanding

_AGREE: Final = 0.9
"""Share of rows in which kWh and kW must fit each other before the others are findings."""
_SHARES: Final = ("param.vat", "param.discount", "param.retention")
_INPUT_TOO: Final = (
    "slot.loss_factor",
    "slot.ftpms",
    "slot.cost_pos",
    "slot.cost_neg",
    "slot.day_kind",
    "hour.block",
    "kinds.column",
    "line.correction",
)
"""Computed roles that may be inputs as well."""


def implausible(book: Book, found: Understanding) -> Iterator[Finding]:
    """Find readings below zero, kWh and kW that do not fit each other, and shares above one."""
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
        if kw is not None:
            power = {row: number_of(value) for row, (_, value) in values_of(book, kw).items()}
            yield from _unlike(kwh, energy, power)
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


def _unlike(
    kwh: Thing, energy: dict[int, tuple[tuple[int, int], float | None]], power: dict[int, float | None]
) -> Iterator[Finding]:
    """Rows whose kW are not four times their kWh, where they are in almost all others."""
    pairs = [
        (place, number, power[row])
        for row, (place, number) in energy.items()
        if number is not None and power.get(row) is not None
    ]
    apart = [(place, a, b) for place, a, b in pairs if b is not None and abs(4 * a - b) > 0.03 * max(abs(b), 1)]
    if not pairs or len(apart) > (1 - _AGREE) * len(pairs):
        return
    for place, a, b in apart:
        yield blocking(
            "kwh-unlike-kw",
            kwh.sheet,
            f"{origin(kwh, place)}: found {a:g} kWh beside {b:g} kW; in {len(pairs) - len(apart)} of {len(pairs)} rows the kW are four times the "
            f"kWh, which would be {(b or 0) / 4:g}. Look up the reading.",
            **at(kwh, place),
        )


def typed(book: Book, found: Understanding) -> Iterator[tuple[Thing, tuple[int, int]]]:
    """Cells of a computed role that hold a value, where others of the workbook's bill are formulas."""
    for thing in found.things:
        if thing.role not in READS and not thing.role.startswith("line."):
            continue
        listed = thing.role == "line.correction" and found.one("corrections.amount") is not None
        if thing.role in _INPUT_TOO and not thing.formulas and not listed:
            continue
        formulas = set(thing.formulas)
        values = book.grids[thing.sheet].values
        for place in thing.cells:
            if place not in formulas and values.get(place) is not None:
                yield thing, place
