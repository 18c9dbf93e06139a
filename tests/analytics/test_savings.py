"""Savings on figures that can be checked by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from eisenergy.analytics.savings import MonthCost, NotAHistory, savings
from eisenergy.period import BillingMonth

D = Decimal


def month(text: str, kwh: object, total: object) -> MonthCost:
    return MonthCost(month=BillingMonth.parse(text), kwh=D(str(kwh)), total=D(str(total)))


def test_against_the_month_before_last_year_and_the_first() -> None:
    history = [month("2020-09", 1000, 200), month("2021-08", 500, "90"), month("2021-09", 800, "150.00")]
    first, august, september = savings(history)
    assert (first.against_previous, first.against_last_year, first.cumulative) == (None, None, D(0))
    assert (august.against_previous, august.against_last_year) == (None, None)  # July is not known, nor August 2020
    assert august.price_per_kwh == D("0.18")
    assert august.cumulative == D("10.00")  # 500 kWh at 0.20 less 90
    assert september.against_previous == D("-6.00")  # 800 kWh at 0.18 less 150
    assert september.against_last_year == D("10.00")  # 800 kWh at 0.20 less 150
    assert september.cumulative == D("20.00")


def test_rounds_to_cents_half_away_from_zero() -> None:
    one, two = savings([month("2021-08", 8, 1), month("2021-09", 1, "0.04")])
    assert one.cumulative == D(0)
    assert two.against_previous == D("0.09")  # 0.125 less 0.04 is 0.085
    assert two.price_per_kwh == D("0.04")


def test_a_month_without_energy_is_left_out_and_is_no_reference() -> None:
    found = savings(
        [month("2021-07", 0, 12), month("2021-08", 10, 2), month("2021-09", 0, 12), month("2021-10", 10, 1)]
    )
    assert [str(entry.month) for entry in found] == ["2021-08", "2021-10"]
    assert found[1].against_previous is None
    assert found[1].cumulative == D(1)


def test_nothing() -> None:
    assert savings([]) == ()


@pytest.mark.parametrize("second", ["2021-08", "2021-07"])
def test_months_out_of_order_are_refused(second: str) -> None:
    with pytest.raises(NotAHistory, match=f"{second} follows 2021-08: expected each month once, oldest first"):
        savings([month("2021-08", 1, 1), month(second, 1, 1)])
