"""What a desk shows: one customer's month, or one client's, as the library computed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import polars as pl

from eisenergy.accounts import Client, Contract
from eisenergy.analytics.savings import Saving
from eisenergy.billing.model import Bill
from eisenergy.findings import Finding
from eisenergy.ledger.invoices import Invoice
from eisenergy.period import BillingMonth


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthTotals:
    """One month of a contract in the history.

    :param kwh: block -> energy [kWh]
    :param total: amount to pay, issued or computed; ``None`` where the month could not be billed
    :param issued: whether an invoice stands behind ``total``
    """

    month: BillingMonth
    kwh: dict[str, Decimal]
    max_kw: Decimal | None
    total: Decimal | None
    issued: bool
    slots: int
    estimated: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceHeadline:
    """One line of a customer's list of invoices."""

    number: str
    month: BillingMonth
    issued_on: date
    due_on: date
    kwh: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerMonth:
    """Everything the notebooks show of one customer's month.

    :param bill: the issued invoice's bill, or the draft where none is issued
    :param invoice: the issued invoice, ``None`` while there is none
    :param slots: one row per interval of the month: ``start`` (UTC), ``local`` (naive local time), ``day``, ``hour``,
        ``weekday`` (1 = Monday), ``block``, ``kwh``, ``kwh_export``, ``kw``, ``forecast_kwh``, ``quality``, ``method``
    :param history: 13 months that end with this one, oldest first
    """

    client: Client
    contract: Contract
    month: BillingMonth
    bill: Bill
    invoice: Invoice | None
    slots: pl.DataFrame
    history: tuple[MonthTotals, ...]
    savings: tuple[Saving, ...]
    invoices: tuple[InvoiceHeadline, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRow:
    """One contract in the operator's overview.

    :param parked: why it was not billed, ``None`` when it was
    :param distributor_kwh: what the distributor's report says, ``None`` where it says nothing
    """

    contract: Contract
    number: str | None
    kwh: Decimal | None
    max_kw: Decimal | None
    total: Decimal | None
    estimated: int
    missing: int
    parked: str | None
    distributor_kwh: Decimal | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMonth:
    """Everything the operator's notebook shows of one month."""

    client: Client
    month: BillingMonth
    rows: tuple[OperatorRow, ...]
    history: tuple[MonthTotals, ...]
