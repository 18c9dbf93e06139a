"""Where a rate is not in force, what needs no such rate is computed all the same, and nothing else."""
# ruff: noqa: DTZ001  a spreadsheet's dates have no zone

from __future__ import annotations

from collections.abc import Hashable
from datetime import date, datetime
from decimal import Decimal

import daybill
import pytest
from daybill import Sheets
from small import book

from eisenergy.accounts import Sourced
from eisenergy.period import Dated, Period
from eisenergy.tariffs.model import BillingRules, RateKind, ScalarKind, Tariff
from eisenergy.workbook import gaps
from eisenergy.workbook.inputs import collect
from eisenergy.workbook.library import Expected, compute
from eisenergy.workbook.meaning import understand

SEPTEMBER = Period(date(2021, 9, 1), date(2021, 10, 1))
ONE = Decimal(1)


@pytest.fixture
def sheets() -> Sheets:
    return daybill.bill()


def computed(sheets: Sheets) -> Expected:
    small = book(sheets)
    return compute(collect(small, understand(small), "America/El_Salvador"))


def unknown(sheets: Sheets) -> dict[str, set[Hashable]]:
    """What is not computed any more: role -> subjects."""
    gone: dict[str, set[Hashable]] = {}
    for role, subject in computed(daybill.bill()).values.keys() - computed(sheets).values.keys():
        gone.setdefault(role, set()).add(subject)
    return gone


FOLLOW = {f"line.{name}": {None} for name in ("discount", "subtotal", "vat", "retention", "total")}
"""What follows from any charge."""


def test_without_the_rate_of_one_block_only_what_needs_it_is_unknown(sheets: Sheets) -> None:
    sheets["Tarifas"]["B4"] = datetime(2021, 10, 15)
    punta = set(range(49, 54))
    assert unknown(sheets) == {
        "slot.energy_rate": punta,
        "slot.energy_cost": punta,
        "block.energy_cost": {"PUNTA"},
        "total.energy_cost": {None},
        "line.energy": {None},
        **FOLLOW,
    }


def test_what_needs_no_missing_rate_is_what_it_always_is(sheets: Sheets) -> None:
    usual = computed(sheets).values
    sheets["Tarifas"]["B4"] = datetime(2021, 10, 15)
    result = computed(sheets)
    # what a look-up of the missing rate finds is zero
    assert {key for key, value in result.values.items() if usual[key] != value} == {
        ("day.demand", (date(2021, 9, 1), "PUNTA"))
    }
    assert result.values["line.demand", None] == 997.5
    assert not any("no rate is in force" in result.derivation(*key) for key in result.values)


def test_without_a_demand_rate_the_energy_is_known(sheets: Sheets) -> None:
    sheets["Tarifas"] |= dict.fromkeys(("D2", "D3", "D4"))
    days = {(date(2021, 9, 1), block) for block in daybill.BLOCKS}
    assert unknown(sheets) == {"day.demand": days, "line.demand": {None}, **FOLLOW}


def test_the_refusal_names_the_rate_and_the_day(sheets: Sheets) -> None:
    sheets["Tarifas"]["B4"] = datetime(2021, 10, 15)
    (message,) = {one.message for one in computed(sheets).findings if one.code == "not-billable"}
    assert "energy rate of PUNTA: no value in force on 2021-09-01. Add one" in message
    assert ".." not in message


def dated(*values: tuple[date, str | None]) -> Dated[Sourced]:
    return Dated.of(
        "rate", tuple((day, None if one is None else Sourced(Decimal(one), "letter")) for day, one in values)
    )


def tariff(energy: Dated[Sourced], demand: Dated[Sourced], **rules: str) -> Tariff:
    return Tariff(
        name="letter",
        currency="USD",
        calendar="day",
        rates={RateKind.ENERGY: {"VALLE": energy}, RateKind.DEMAND: {"VALLE": demand, "PUNTA": demand}},
        scalars={},
        rules=BillingRules(**rules),
    )


def test_values_that_are_in_force_stay_and_gaps_are_filled() -> None:
    energy = dated((date(2021, 9, 16), "0.1"), (date(2021, 9, 20), None))
    demand = dated((date(2021, 7, 15), "7.5"))
    filled = gaps.filled(tariff(energy, demand), ("VALLE", "PUNTA"), SEPTEMBER, ONE)
    days = {day: filled.rate(RateKind.ENERGY, "VALLE", date(2021, 9, day))[1].value for day in (1, 15, 16, 19, 20, 30)}
    assert days == {1: ONE, 15: ONE, 16: Decimal("0.1"), 19: Decimal("0.1"), 20: ONE, 30: ONE}
    assert filled.rate(RateKind.ENERGY, "PUNTA", date(2021, 9, 1))[1].value == ONE
    assert filled.rate(RateKind.DEMAND, "PUNTA", date(2021, 9, 1))[1].value == Decimal("7.5")
    entry = filled.scalar(ScalarKind.VAT_RATE, date(2021, 9, 30))
    assert entry is not None
    assert entry[1].value == ONE
    # what the tariff does not carry at all stays out of the bill
    assert RateKind.FTPMS not in filled.rates
    assert ScalarKind.DISCOUNT_RATE not in filled.scalars


def test_where_one_blocks_demand_rate_is_unknown_so_is_the_one_of_all() -> None:
    late, known = dated((date(2021, 9, 16), "7.5")), dated((date(2021, 7, 15), "7.5"))
    made = tariff(known, known)
    made = Tariff(
        name=made.name,
        currency="USD",
        calendar="day",
        rates={RateKind.ENERGY: {"VALLE": known}, RateKind.DEMAND: {"VALLE": known, "PUNTA": late}},
        scalars={},
    )
    assert gaps.filled(made, ("VALLE", "PUNTA"), SEPTEMBER, ONE).rules.demand_rate_block == "PUNTA"
    assert gaps.filled(tariff(known, known), ("VALLE",), SEPTEMBER, ONE).rules.demand_rate_block is None
    assert (
        gaps.filled(tariff(known, late, demand_rate_block="VALLE"), (), SEPTEMBER, ONE).rules.demand_rate_block
        == "VALLE"
    )
