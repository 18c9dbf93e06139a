"""Savings against past months.

A month's saving against a reference month is what its energy would have cost at the reference's all-in price per kWh,
less what it did cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from eisenergy.money import ZERO, difference, excel_round, fifteen_digits, product, quotient, total
from eisenergy.period import BillingMonth


class NotAHistory(ValueError):
    """Months that are not in order, or that repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthCost:
    """What one month took and cost.

    :param kwh: energy taken [kWh]
    :param total: amount to pay [currency]
    """

    month: BillingMonth
    kwh: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """One month against its references.

    :param against_previous: against the month before [currency]; ``None`` without one
    :param against_last_year: against the same month last year [currency]; ``None`` without one
    :param cumulative: sum of this and all earlier months' savings against the oldest month's price [currency]
    """

    month: BillingMonth
    kwh: Decimal
    total: Decimal
    price_per_kwh: Decimal
    against_previous: Decimal | None
    against_last_year: Decimal | None
    cumulative: Decimal


def savings(history: Iterable[MonthCost]) -> tuple[Saving, ...]:
    """Return the saving of every month that took energy, against the months before it.

    ``saving = kWh * total_ref / kWh_ref - total``, rounded to cents; positive when the month was cheaper than its reference. A
    month without energy has no price per kWh: it is left out, and is nobody's reference.

    :param history: months in order, oldest first; months may be missing, and then are nobody's reference
    :raises NotAHistory: when the months are not in ascending order
    """
    months: dict[BillingMonth, MonthCost] = {}
    newest: BillingMonth | None = None
    for entry in history:
        if newest is not None and entry.month <= newest:
            raise NotAHistory(f"{entry.month} follows {newest}: expected each month once, oldest first")
        newest = entry.month
        if entry.kwh > 0:
            months[entry.month] = entry
    result = []
    so_far = ZERO
    for entry in months.values():
        so_far = total((so_far, _saving(entry, next(iter(months.values())))))
        before, last_year = months.get(entry.month.plus(-1)), months.get(entry.month.plus(-12))
        result.append(
            Saving(
                month=entry.month,
                kwh=entry.kwh,
                total=entry.total,
                price_per_kwh=fifteen_digits(quotient(entry.total, entry.kwh)),
                against_previous=None if before is None else _saving(entry, before),
                against_last_year=None if last_year is None else _saving(entry, last_year),
                cumulative=so_far,
            )
        )
    return tuple(result)


def _saving(entry: MonthCost, reference: MonthCost) -> Decimal:
    at_reference = quotient(product(entry.kwh, reference.total), reference.kwh)
    return excel_round(difference(at_reference, entry.total))
