"""Savings against past months.

A month's saving against a reference month is what its energy would have cost at the reference's all-in price per kWh,
less what it did cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from eisenergy.period import BillingMonth


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
