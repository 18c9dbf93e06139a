"""Roles from structure alone, role by role."""

from __future__ import annotations

import pytest

from eisenergy.workbook.inference import by_structure
from eisenergy.workbook.signatures import OPTIONAL, READS
from eisenergy.workbook.tables import Table
from eisenergy.workbook.things import Thing, Understanding


def thing(role: str, *, computed: bool = False, reads: tuple[Thing, ...] = ()) -> Thing:
    """A column of the role's table, or a cell for what stands in none."""
    place = role.partition(".")[0]
    kind = "block" if place == "total" else place
    table = (
        Table(sheet="Hoja", kind=kind, header=1, rows=(2,), columns={1: "x"})
        if place not in ("param", "line")
        else None
    )
    cells = ((2, 1),)
    return Thing(
        sheet="Hoja",
        header="x",
        context="label" if table is None else place,
        cells=cells,
        formulas=cells if computed else (),
        table=table,
        reads=frozenset(reads),
        main=frozenset(reads),
    )


def understood(things: list[Thing]) -> None:
    by_structure(Understanding(things=things, tables=[], labels=[]))


SIGNATURES = [
    pytest.param(role, needed, id=f"{role}-{number}")
    for role, alternatives in READS.items()
    for number, needed in enumerate(alternatives)
]


@pytest.mark.parametrize(("role", "needed"), SIGNATURES)
def test_a_formula_that_reads_just_what_a_role_reads_has_it(role: str, needed: frozenset[str]) -> None:
    inputs = []
    for name in sorted(needed):
        one = thing(name)
        one.role = name
        inputs.append(one)
    formula = thing(role, computed=True, reads=tuple(inputs))
    understood([*inputs, formula])
    assert formula.role == role


@pytest.mark.parametrize(("role", "needed"), SIGNATURES)
def test_a_formula_that_reads_one_thing_more_does_not_have_it(role: str, needed: frozenset[str]) -> None:
    inputs = []
    for name in (*sorted(needed), "param.customer"):
        one = thing(name)
        one.role = name
        inputs.append(one)
    formula = thing(role, computed=True, reads=tuple(inputs))
    understood([*inputs, formula])
    assert formula.role == ""


def test_an_optional_role_may_be_left_out() -> None:
    assert frozenset({"block.label"}) == OPTIONAL
    inputs = [thing("slot.kwh"), thing("slot.block")]
    for one, name in zip(inputs, ("slot.kwh", "slot.block"), strict=True):
        one.role = name
    formula = thing("block.kwh", computed=True, reads=tuple(inputs))
    understood([*inputs, formula])
    assert formula.role == "block.kwh"
