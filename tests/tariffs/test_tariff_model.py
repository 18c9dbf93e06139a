"""The tariff's look-ups, on a tariff small enough to check by eye."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from eisenergy.accounts import Sourced
from eisenergy.period import Dated, NotInForce, Period
from eisenergy.tariffs.model import UNITS, BillingRules, DemandBasis, RateKind, ScalarKind, Tariff

A, B, VAT = (Sourced(Decimal(text), "by hand") for text in ("0.10", "0.12", "0.13"))
TARIFF = Tariff(
    name="T",
    currency="USD",
    calendar="C",
    rates={
        RateKind.ENERGY: {
            "PUNTA": Dated.of("punta", {date(2021, 1, 1): A, date(2021, 9, 16): B}),
            "VALLE": Dated.of("valle", {date(2021, 1, 1): A, date(2021, 9, 21): None}),
        }
    },
    scalars={ScalarKind.VAT_RATE: Dated.of("vat", {date(2021, 9, 11): VAT})},
)


def test_the_rate_in_force_and_since_when():
    assert TARIFF.rate(RateKind.ENERGY, "PUNTA", date(2021, 9, 15)) == (date(2021, 1, 1), A)
    assert TARIFF.rate(RateKind.ENERGY, "PUNTA", date(2021, 9, 16)) == (date(2021, 9, 16), B)


def test_what_is_not_in_force_is_an_error_with_name_and_date():
    with pytest.raises(NotInForce, match="valle: no value in force on 2021-09-21"):
        TARIFF.rate(RateKind.ENERGY, "VALLE", date(2021, 9, 21))
    with pytest.raises(NotInForce, match="tariff T, energy rate of block RESTO: no value in force on 2021-09-01"):
        TARIFF.rate(RateKind.ENERGY, "RESTO", date(2021, 9, 1))
    with pytest.raises(NotInForce, match="tariff T, demand rate of block PUNTA"):
        TARIFF.rate(RateKind.DEMAND, "PUNTA", date(2021, 9, 1))


def test_a_value_the_tariff_does_not_carry_is_none_but_a_gap_is_an_error():
    assert TARIFF.scalar(ScalarKind.LOSS_FACTOR, date(2021, 9, 1)) is None
    assert TARIFF.scalar(ScalarKind.VAT_RATE, date(2021, 9, 11)) == (date(2021, 9, 11), VAT)
    with pytest.raises(NotInForce, match="vat: no value in force on 2021-09-10"):
        TARIFF.scalar(ScalarKind.VAT_RATE, date(2021, 9, 10))


def test_segments_are_cut_where_a_rate_or_a_value_changes():
    parts = TARIFF.segments(Period(date(2021, 9, 1), date(2021, 10, 1)))
    assert [part.start.day for part in parts] == [1, 11, 16, 21]
    assert sum(part.days for part in parts) == 30


def test_blocks_and_kinds():
    assert TARIFF.blocks == ("PUNTA", "VALLE")
    assert TARIFF.has(RateKind.ENERGY, "VALLE")
    assert not TARIFF.has(RateKind.ENERGY, "RESTO")
    assert not TARIFF.has(RateKind.FTPMS, "VALLE")
    empty = Tariff(name="E", currency="USD", calendar="C", rates={}, scalars={})
    assert empty.blocks == ()
    assert empty.segments(Period(date(2021, 9, 1), date(2021, 9, 2))) == (Period(date(2021, 9, 1), date(2021, 9, 2)),)
    assert empty.rules == BillingRules()
    assert empty.rules.demand_basis is DemandBasis.PERIOD_MAX


def test_every_kind_has_a_unit():
    assert set(UNITS) == {*RateKind, *ScalarKind}
