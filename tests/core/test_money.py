"""Money against a calculation with fractions, and against results known from Excel."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisenergy import money

# What a spreadsheet program shows for =ROUND(value, places).
EXCEL = [
    (1.005, 2, "1.01"),  # binary 1.00499999999999989...
    (2.675, 2, "2.68"),  # binary 2.67499999999999982...
    (-1.005, 2, "-1.01"),
    (-2.675, 2, "-2.68"),
    (0.125, 2, "0.13"),  # half away from zero, not to even
    (-0.125, 2, "-0.13"),
    (2.5, 0, "3"),
    (-2.5, 0, "-3"),
    (1.45, 1, "1.5"),
    (0.285, 2, "0.29"),  # binary 0.28499999999999998
    (1234.5, -2, "1200"),
    (1250, -2, "1300"),
    (-1250, -2, "-1300"),
    (49, -2, "0"),
    (-0.004, 2, "0.00"),  # no negative zero
    (0.1 + 0.2, 17, "0.30000000000000000"),
    (12989.475, 2, "12989.48"),
    (12989.4749999999, 2, "12989.47"),  # fifteen digits, none of them a half
    (12989.474999999999, 2, "12989.48"),  # its fifteen-digit form is 12989.4750000000
]


@pytest.mark.parametrize(("value", "places", "expected"), EXCEL)
def test_round_is_excels(value, places, expected):
    rounded = money.excel_round(value, places)
    assert rounded == Decimal(expected)
    assert not (rounded.is_zero() and rounded.is_signed())


def by_fractions(value: Fraction, places: int) -> Fraction:
    """Round half away from zero, first to fifteen significant digits, then to places: integers only."""
    if value == 0:
        return value
    magnitude, sign = abs(value), 1 if value > 0 else -1
    digits = 15 - len(str(int(magnitude))) if magnitude >= 1 else 15
    while magnitude < 1 and magnitude * 10**digits < 10**14:
        digits += 1
    shown = half_up(magnitude, digits)
    return sign * half_up(shown, places)


def half_up(value: Fraction, digits: int) -> Fraction:
    scale = Fraction(10) ** digits
    return math.floor(value * scale + Fraction(1, 2)) / scale


@pytest.mark.untraced
@settings(max_examples=500, deadline=None)
@given(st.floats(min_value=-1e9, max_value=1e9, allow_subnormal=False), st.integers(-4, 8))
def test_round_equals_fractions_for_any_float(value, places):
    assert Fraction(money.excel_round(value, places)) == by_fractions(Fraction(value), places)


@pytest.mark.untraced
@settings(max_examples=500, deadline=None)
@given(st.integers(-(10**7), 10**7), st.integers(0, 6))  # at most fifteen digits in all
def test_round_of_typed_halves(units, places):
    """The binary neighbour of any typed number with one digit 5 too many rounds away from zero."""
    typed = f"{units}." + "0" * places + "5"
    expected = half_up(abs(Fraction(typed)), places) * (-1 if typed.startswith("-") else 1)
    assert Fraction(money.excel_round(float(typed), places)) == expected


@pytest.mark.untraced
@settings(max_examples=300, deadline=None)
@given(st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, places=9), st.integers(0, 4))
def test_round_of_decimals_equals_fractions(value, places):
    rounded = money.excel_round(value, places)
    assert Fraction(rounded) == by_fractions(Fraction(value), places)
    assert -rounded.as_tuple().exponent == places


def test_decimal_of_is_what_a_person_typed():
    assert money.decimal_of(0.1 + 0.2) == Decimal("0.3")
    assert money.decimal_of(0.121456) == Decimal("0.121456")
    assert money.decimal_of(-90.0) == Decimal("-90")
    assert str(money.decimal_of(-0.0)) == "0"
    assert money.decimal_of(123456789012345678.0) == Decimal("123456789012346000")
    assert money.decimal_of(650) == Decimal(650)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_no_amount(value):
    with pytest.raises(money.NotFinite, match="expected a finite number"):
        money.decimal_of(value)
    with pytest.raises(money.NotFinite):
        money.excel_round(value)
    with pytest.raises(money.NotFinite):
        money.fifteen_digits(Decimal(value))


AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False, places=6)


@pytest.mark.untraced
@settings(max_examples=200, deadline=None)
@given(st.lists(AMOUNTS, max_size=20))
def test_total_is_exact_in_any_order(amounts):
    expected = sum((Fraction(amount) for amount in amounts), Fraction(0))
    assert Fraction(money.total(amounts)) == expected
    assert Fraction(money.total(reversed(amounts))) == expected


@pytest.mark.untraced
@settings(max_examples=200, deadline=None)
@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_product_and_difference_are_exact(a, b, c):
    assert Fraction(money.product(a, b, c)) == Fraction(a) * Fraction(b) * Fraction(c)
    assert Fraction(money.difference(a, b)) == Fraction(a) - Fraction(b)


def test_empty_total_and_product():
    assert money.total([]) == 0
    assert money.product() == 1


def test_quotient_to_sixty_digits():
    assert str(money.quotient(Decimal(1), Decimal(3))) == "0." + "3" * 60
    assert money.quotient(Decimal("1.5"), Decimal(100)) == Decimal("0.015")
    with pytest.raises(ZeroDivisionError):
        money.quotient(Decimal(1), Decimal(0))


@pytest.fixture
def hostile():
    """A thread's context as a notebook might leave it: three digits, other rounding, every signal trapped."""
    context = decimal.Context(prec=3, rounding=decimal.ROUND_UP, Emin=-1, Emax=1, traps=[])
    for signal in (decimal.Inexact, decimal.Rounded, decimal.Subnormal, decimal.Underflow, decimal.FloatOperation):
        context.traps[signal] = True
    with decimal.localcontext(context):
        yield


@pytest.mark.usefixtures("hostile")
def test_the_threads_context_does_not_matter():
    a, b = Decimal("12345.678901"), Decimal("0.121456")
    assert Fraction(money.product(a, b)) == Fraction("12345.678901") * Fraction("0.121456")
    assert Fraction(money.total([a, b, a])) == 2 * Fraction("12345.678901") + Fraction("0.121456")
    assert Fraction(money.difference(a, b)) == Fraction("12345.678901") - Fraction("0.121456")
    assert len(money.quotient(Decimal(2), Decimal(3)).as_tuple().digits) == 60
    assert str(money.excel_round(12989.475)) == "12989.48"
    assert str(money.excel_round(a, 4)) == "12345.6789"
    assert str(money.excel_round(-0.001)) == "0.00"
    assert str(money.excel_round(12345.678, -2)) == "1.23E+4"
    assert str(money.decimal_of(12345.678901)) == "12345.678901"


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.untraced
@given(st.lists(FLOATS | st.sampled_from([0.0, -0.0, 0.5, 1e15 + 0.5, 1000000000000.125, 1e22])))
def test_many_decimals_are_those_of_each(values: list[float]) -> None:
    assert [str(one) for one in money.decimals_of(values)] == [str(money.decimal_of(value)) for value in values]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_many_decimals_refuse_what_each_refuses(value: float) -> None:
    with pytest.raises(money.NotFinite):
        money.decimals_of([1.0, value])


def test_columns_are_added_and_multiplied_like_their_members_whatever_the_context() -> None:
    first, second = [Decimal("1.10"), Decimal("-3")], [Decimal("1E+2"), Decimal("0.001")]
    with decimal.localcontext(decimal.Context(prec=2)):
        assert [str(one) for one in money.totals([first, second], 2)] == [
            str(money.total(pair)) for pair in zip(first, second, strict=True)
        ]
        assert [str(one) for one in money.products(first, second)] == [
            str(money.product(*pair)) for pair in zip(first, second, strict=True)
        ]
        assert money.totals([], 2) == [Decimal(0), Decimal(0)]
