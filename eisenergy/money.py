"""Decimal amounts and Excel's ``ROUND``.

Money is :class:`decimal.Decimal`. An amount is kept exact until it is printed; it is rounded once, by name, with
:func:`excel_round`. Nothing here depends on the thread's decimal context, so a notebook that changes it cannot change a bill.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from typing import Final

EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""Context for exact intermediate amounts; 60 digits hold every product of a meter's kWh and a rate without loss."""

_FIFTEEN: Final = Context(prec=15, rounding=ROUND_HALF_UP)
_add, _multiply, _fifteen, _shown = (
    EXACT.add,
    EXACT.multiply,
    _FIFTEEN.normalize,
    _FIFTEEN.plus,
)  # a month's bills call them a million times
ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)
_CENT: Final = Decimal("0.01")


class NotFinite(ValueError):
    """An amount that is not a number, or infinite."""


def decimal_of(value: float) -> Decimal:
    """Return the 15-significant-digit decimal form of a binary number: what Excel shows, and what a person typed.

    :param value: any finite float, for example a compensated sum of kWh
    :returns: the decimal, so that ``decimal_of(0.1 + 0.2) == Decimal("0.3")``
    :raises NotFinite: for NaN and infinity
    """
    if value == 0:  # nothing fed in, no forecast: half of what a meter did
        return ZERO
    exact = Decimal.from_float(value)
    if not exact.is_finite():
        raise NotFinite(f"{exact} is not an amount: expected a finite number")
    return _add(_fifteen(exact), ZERO)


def decimals_of(values: Sequence[float]) -> list[Decimal]:
    """Return :func:`decimal_of` of each; of many in less time. :raises NotFinite: for NaN and infinity"""
    if not any(values):
        return [ZERO] * len(values)
    if not all(map(math.isfinite, values)):
        return [decimal_of(value) for value in values]
    return list(map(_add, map(_fifteen, map(Decimal.from_float, values)), itertools.repeat(ZERO)))


def fifteen_digits(value: Decimal) -> Decimal:
    """Return the value's 15-significant-digit decimal form, half away from zero.

    :raises NotFinite: for NaN and infinity
    """
    if not value.is_finite():
        raise NotFinite(f"{value} is not an amount: expected a finite number")
    return _add(_fifteen(value), ZERO)


def excel_round(value: Decimal | float, places: int = 2) -> Decimal:
    """Round as Excel's ``ROUND`` does: half away from zero on the 15-significant-digit decimal form.

    :param value: the exact amount
    :param places: digits after the decimal point; may be negative
    :returns: a Decimal with exactly ``places`` digits after the point, so ``excel_round(1.005) == Decimal("1.01")``
    :raises NotFinite: for NaN and infinity

    Source: requirements of EIS Power, "The bill (must equal the workbook)".
    """
    exact = value if type(value) is Decimal else _exact(value)
    if not exact.is_finite():
        raise NotFinite(f"{exact} is not an amount: expected a finite number")
    shown = _shown(exact)  # fifteen_digits without its canonical form, which the places below give anyway
    step = _CENT if places == 2 else Decimal((0, (1,), -places))
    rounded = shown.quantize(step, ROUND_HALF_UP, EXACT)
    return rounded.copy_abs() if rounded.is_zero() else rounded


def _exact(value: Decimal | float) -> Decimal:
    """Convert without asking the thread's context, which may forbid mixing floats and decimals."""
    return Decimal.from_float(value) if isinstance(value, float) else Decimal(value)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum of decimals, whatever the thread's context."""
    return functools.reduce(_add, amounts, ZERO)


def product(*factors: Decimal) -> Decimal:
    """Return the exact product of decimals, whatever the thread's context."""
    if len(factors) == 2:
        return _multiply(*factors)
    return functools.reduce(_multiply, factors, _ONE)


def totals(columns: Iterable[Sequence[Decimal]], count: int) -> list[Decimal]:
    """Return :func:`total` of the first of each column, of the second, and so on.

    :param count: how many each has
    """
    result = [ZERO] * count
    for column in columns:
        result = list(map(_add, result, column))
    return result


def products(first: Iterable[Decimal], second: Iterable[Decimal]) -> list[Decimal]:
    """Return the exact product of each pair, up to the end of the shorter column."""
    return list(map(_multiply, first, second))


def quotient(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Return the quotient to 60 digits. :raises ZeroDivisionError: when the divisor is zero."""
    return EXACT.divide(dividend, divisor)


def difference(minuend: Decimal, subtrahend: Decimal) -> Decimal:
    """Return the exact difference of two decimals, whatever the thread's context."""
    return EXACT.subtract(minuend, subtrahend)
