"""An invoice: a bill with a number, dates and the hash of its inputs. Issued ones never change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from eisenergy.accounts import Client
from eisenergy.billing.model import Bill
from eisenergy.period import BillingMonth


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """A numbered bill as it was issued.

    :param number: gapless within client and series, for example ``FAC-000001``
    :param issuer: the client as it stood when the invoice was issued
    :param issued_at: UTC instant of posting
    :param issued_on: local date of issue
    :param input_hash: sha256 over everything that determines the amounts
    """

    number: str
    series: str
    sequence: int
    month: BillingMonth
    issuer: Client
    bill: Bill
    issued_at: datetime
    issued_on: date
    due_on: date
    input_hash: str
