"""Late readings: the next bill carries what they would have cost, less what was billed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from billing_builders import ZONE, Slot, make_contract, make_tariff, usage_of

from eisenergy.billing.corrections import Correction, NotComparable, correction
from eisenergy.billing.engine import bill
from eisenergy.billing.model import Bill, LineCode
from eisenergy.period import BillingMonth, Period
from eisenergy.tariffs.model import RateKind, ScalarKind

D = Decimal
AUGUST, SEPTEMBER = BillingMonth(2021, 8).period, BillingMonth(2021, 9).period
TARIFF = make_tariff(
    {
        RateKind.ENERGY: {"RESTO": {date(2021, 1, 1): "0.1", date(2021, 9, 1): "0.2"}},
        RateKind.DEMAND: {"RESTO": {date(2021, 1, 1): "1"}},
    },
    {ScalarKind.VAT_RATE: {date(2021, 1, 1): "0.10", date(2021, 9, 1): "0.20"}},
)
CONTRACT = make_contract(loss_factor=None)


def month(period: Period, kwh: object, corrections: tuple[Correction, ...] = ()) -> Bill:
    start = datetime(period.start.year, period.start.month, 2, 18, tzinfo=UTC)
    slots = [Slot(start=start, block="RESTO", kwh=D(str(kwh)), kw=D(10))]
    usage = usage_of(slots, period, TARIFF.segments(period), blocks=("RESTO",))
    return bill(CONTRACT, period, usage, TARIFF, timezone=ZONE, calendar_name="EIS", corrections=corrections)


def test_the_difference_is_taxed_but_not_discounted_again() -> None:
    found = correction(month(AUGUST, 1000), month(AUGUST, 1300), "FAC-000007")
    assert found is not None
    # 300 kWh more at August's 0.1 less August's 2 % discount
    assert found.difference == D("29.40")
    assert (found.month, found.invoice, found.period) == ("2021-08", "FAC-000007", AUGUST)
    plain, with_it = month(SEPTEMBER, 500), month(SEPTEMBER, 500, (found,))
    assert with_it.line(LineCode.DISCOUNT) == plain.line(LineCode.DISCOUNT)
    assert with_it.line(LineCode.CORRECTION).amount == D("29.40")
    subtotal = plain.line(LineCode.SUBTOTAL).amount + D("29.40")
    assert with_it.line(LineCode.SUBTOTAL).amount == subtotal
    # at September's rate, the period in which it is invoiced
    assert with_it.line(LineCode.VAT).exact == subtotal * D("0.20")
    codes = [line.code for line in with_it.lines]
    assert codes.index(LineCode.CORRECTION) == codes.index(LineCode.SUBTOTAL) - 1
    assert len(plain.lines) == 11
    assert len(with_it.lines) == 12
    part = with_it.line(LineCode.CORRECTION).parts[0]
    assert (part.label, part.period) == ("2021-08, invoice FAC-000007", AUGUST)


def test_less_energy_than_estimated_is_given_back() -> None:
    found = correction(month(AUGUST, 1000), month(AUGUST, 700), "FAC-000007")
    assert found is not None
    assert found.difference == D("-29.40")
    made = month(SEPTEMBER, 0, (found,))
    assert made.line(LineCode.CORRECTION).amount == D("-29.40")
    assert made.line(LineCode.SUBTOTAL).amount == D("9.80") - D("29.40")
    assert made.total == D("-19.60") + D("-3.92") + D("0.20") + D("12.50")


def test_nothing_to_correct() -> None:
    assert correction(month(AUGUST, 1000), month(AUGUST, 1000), "FAC-000007") is None


def test_a_second_correction_counts_the_first() -> None:
    original, first, second = month(AUGUST, 1000), month(AUGUST, 1300), month(AUGUST, 1400)
    one = correction(original, first, "FAC-000007")
    assert one is not None
    two = correction(original, second, "FAC-000007", already=one.difference)
    assert two is not None
    assert two.difference == D("9.80")
    assert two.origin.endswith("billed by FAC-000007, less 29.40 corrected since")
    assert correction(original, first, "FAC-000007", already=one.difference) is None


def test_corrections_of_others_on_the_original_do_not_count() -> None:
    july = Correction(
        period=Period(date(2021, 7, 1), date(2021, 8, 1)),
        month="2021-07",
        invoice="FAC-000001",
        difference=D(5),
        origin="x",
    )
    found = correction(month(AUGUST, 1000, (july,)), month(AUGUST, 1300), "FAC-000007")
    assert found is not None
    assert found.difference == D("29.40")


def test_several_corrections_are_one_line_with_a_part_each() -> None:
    one = Correction(
        period=AUGUST, month="2021-08", invoice="FAC-000007", difference=D("1.005"), origin="late readings"
    )
    line = month(SEPTEMBER, 1, (one, replace(one, invoice="FAC-000003"))).line(LineCode.CORRECTION)
    assert (line.exact, line.amount, len(line.parts)) == (D("2.010"), D("2.01"), 2)


def test_another_period_or_contract_is_not_comparable() -> None:
    with pytest.raises(NotComparable, match=r"invoice FAC-000007 bills contract EIS-0001 for \[2021-08-01"):
        correction(month(AUGUST, 1), month(SEPTEMBER, 1), "FAC-000007")
