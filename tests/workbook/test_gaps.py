"""Where a rate is not in force, what needs no such rate is computed all the same, and nothing else."""
# ruff: noqa: DTZ001  a spreadsheet's dates have no zone

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import bills
import pytest
from bills import Sheets
from small import book

from eisenergy.accounts import Sourced
from eisenergy.period import Dated, Period
from eisenergy.tariffs.model import BillingRules, RateKind, ScalarKind, Tariff
from eisenergy.workbook import gaps
from eisenergy.workbook.check import check_book
from eisenergy.workbook.model import CheckResult, Verdict

pytestmark = pytest.mark.usefixtures("without_office")

SEPTEMBER = Period(date(2021, 9, 1), date(2021, 10, 1))
ONE = Decimal(1)


@pytest.fixture
def sheets() -> Sheets:
    return bills.bill()


def unknown(result: CheckResult, sheet: str = "Medidor") -> set[str]:
    return {
        one.place.name for one in result.cells if one.verdict is Verdict.NOT_UNDERSTOOD and one.place.sheet == sheet
    }


def refused(result: CheckResult) -> str:
    (one,) = (one for one in result.findings if one.code == "not-billable")
    assert not result.passed
    return one.message


def test_without_the_rate_of_one_block_only_what_needs_it_is_unknown(sheets: Sheets) -> None:
    sheets["Tarifas"]["B4"] = datetime(2021, 10, 15)
    result = check_book(book(sheets))
    assert "energy rate of PUNTA: no value in force on 2021-09-01. Add one" in refused(result)
    assert ".." not in refused(result)
    punta = {f"{column}{row}" for column in "GH" for row in range(49, 54)}
    # the energy line, and discount, subtotal, VAT, retention and total, which follow from it
    assert unknown(result) == punta | {"C13", "C14", "B16", "B20", "B21", "B22", "B23", "B25"}


def test_without_a_demand_rate_the_energy_is_known(sheets: Sheets) -> None:
    sheets["Tarifas"]["D2"] = None
    sheets["Tarifas"]["D3"] = None
    sheets["Tarifas"]["D4"] = None
    result = check_book(book(sheets))
    assert "demand" in refused(result)
    assert unknown(result) == {"B17", "B20", "B21", "B22", "B23", "B25"}


def test_with_every_rate_nothing_is_unknown(sheets: Sheets) -> None:
    assert unknown(check_book(book(sheets))) == set()


def test_invented_rates_are_never_shown(sheets: Sheets) -> None:
    sheets["Tarifas"]["B4"] = datetime(2021, 10, 15)
    result = check_book(book(sheets))
    assert not any("no rate is in force" in one.derivation for one in result.cells)


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
