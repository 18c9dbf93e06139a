"""Open a desk: read one customer's month from the store. A client's is opened in :mod:`eisenergy.desk.overview`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from eisenergy.accounts import Contract, Scope
from eisenergy.analytics.savings import MonthCost, savings
from eisenergy.billing.model import Bill
from eisenergy.billing.slots import price_slots
from eisenergy.blockruns import Runs
from eisenergy.config import Settings
from eisenergy.desk import together
from eisenergy.desk.drafting import Facts, draft, facts, prepare
from eisenergy.desk.history import HISTORY, months
from eisenergy.desk.model import CustomerMonth, InvoiceHeadline, MonthTotals
from eisenergy.desk.workspace import Workspace, opened
from eisenergy.findings import Severity
from eisenergy.frames import SLOT_MINUTES
from eisenergy.ledger.invoices import Invoice
from eisenergy.money import total
from eisenergy.period import BillingMonth, Period
from eisenergy.store import books, masters


class NotBilled(LookupError):
    """The month has no bill. Says what stands against it."""


class NoSuchCustomer(LookupError):
    """The client has no such customer, or not exactly one contract of it."""


def open_customer(client: str, customer: str, month: str, *, settings: Settings | None = None) -> CustomerMonth:
    """Open one customer's month, with nothing of any other customer in reach.

    :param client: the tenant's code, for example ``EIS``
    :param customer: the customer's code, for example ``EIS-0001``
    :param month: for example ``2021-09``
    :param settings: defaults to what the environment says
    :raises NoSuchCustomer: when there is no such customer
    :raises NotBilled: when a blocking finding stands against the month's bill; the message lists them
    """
    chosen = BillingMonth.parse(month)
    scope = Scope.customer(client, customer)
    where = settings or Settings.load(client=client)
    if (found := together.desk(where, client, customer, str(chosen))) is not None:
        return found
    with opened(where) as workspace:
        contract = _contract(workspace, scope, customer)
        issued = books.invoices(workspace.database, scope, customer=customer)
        by_month = {invoice.month: invoice for invoice in issued if invoice.bill.contract.number == contract.number}
        known = facts(workspace, scope, contract, chosen.plus(1 - HISTORY), chosen)
        invoice = by_month.get(chosen)
        if invoice is not None:
            known = as_billed(workspace, scope, known, invoice)
        if invoice is not None:
            bill, filled = invoice.bill, prepare(known, chosen).filled
        else:
            bill, filled = _draft(workspace, scope, known, chosen)
        past = months(workspace, scope, known, chosen, issued=by_month, bills={chosen: bill})
        return desk_of(known, chosen, bill, invoice, filled, past, issued)


def desk_of(
    known: Facts,
    month: BillingMonth,
    bill: Bill,
    invoice: Invoice | None,
    filled: pl.DataFrame,
    past: tuple[MonthTotals, ...],
    issued: Iterable[Invoice],
    *,
    runs: Runs | None = None,
) -> CustomerMonth:
    """Return a customer's month, all of which is at hand.

    :param known: what the bill was made from
    :param filled: the month's readings with estimates in the gaps
    :param past: the months up to this one
    :param issued: the customer's invoices
    :param runs: the calendar compiled over the bill's period, where it is at hand
    """
    return CustomerMonth(
        client=known.client if invoice is None else invoice.issuer,
        contract=bill.contract,
        month=month,
        bill=bill,
        invoice=invoice,
        slots=_slots(known, filled, bill.period, runs),
        history=past,
        savings=savings(costs(past)),
        invoices=tuple(_headline(entry) for entry in issued),
    )


def as_billed(workspace: Workspace, scope: Scope, known: Facts, invoice: Invoice) -> Facts:
    """Return the facts an invoice was made from: its contract, and readings and calendar as they stood then."""
    provenance = invoice.bill.provenance
    if provenance is None:
        return replace(known, contract=invoice.bill.contract)
    then = facts(
        workspace,
        scope,
        invoice.bill.contract,
        invoice.month.plus(1 - HISTORY),
        invoice.month,
        version=provenance.lake_version,
        names=known.names,
    )
    tariff = masters.tariff(workspace.database, scope, invoice.bill.tariff, version=provenance.tariff_version)
    calendar = masters.calendar(workspace.database, scope, invoice.bill.calendar, version=provenance.calendar_version)
    return replace(then, tariff=tariff, calendar=calendar)


def _contract(workspace: Workspace, scope: Scope, customer: str) -> Contract:
    found = masters.contracts(workspace.database, scope, customer=customer)
    if len(found) != 1:
        raise NoSuchCustomer(
            f"client {scope.client} has {len(found)} contracts of customer {customer}: expected one. "
            "`eisenergy customers list` shows them all."
        )
    return found[0]


def costs(history: Iterable[MonthTotals]) -> list[MonthCost]:
    """Return what savings are reckoned from: the months that have a total."""
    return [
        MonthCost(month=entry.month, kwh=total(entry.kwh.values()), total=entry.total)
        for entry in history
        if entry.total is not None
    ]


def _draft(workspace: Workspace, scope: Scope, known: Facts, month: BillingMonth) -> tuple[Bill, pl.DataFrame]:
    """The draft that is kept, or one made now; with the readings it is of."""
    drafted = draft(known, month)
    kept = books.draft(workspace.database, scope, known.contract.number, month)
    bill = drafted.bill if kept is None else kept.bill
    if bill is None:
        reasons = "; ".join(finding.message for finding in drafted.findings if finding.severity is Severity.BLOCKING)
        raise NotBilled(f"customer {known.contract.customer.code}, {month}: {reasons}")
    return bill, drafted.filled


def _slots(known: Facts, filled: pl.DataFrame, period: Period, runs: Runs | None) -> pl.DataFrame:
    priced = price_slots(
        filled,
        known.contract,
        known.tariff,
        known.calendar,
        period=period,
        timezone=known.client.timezone,
        runs=runs,
    )
    beside = filled.select(
        "start",
        pl.col("kwh_export").fill_null(0.0),
        pl.coalesce("kw", pl.col("kwh_import") * 60 / SLOT_MINUTES).alias("kw"),
        "quality",
        "method",
    )
    if priced["start"].equals(beside["start"]):
        joined = priced.hstack(beside.get_columns()[1:])
    else:
        joined = priced.join(beside, on="start", how="left", validate="1:1", maintain_order="left")
    return joined.with_columns(weekday=pl.col("day").dt.weekday())


def _headline(invoice: Invoice) -> InvoiceHeadline:
    return InvoiceHeadline(
        number=invoice.number,
        month=invoice.month,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        kwh=invoice.bill.kwh,
        total=invoice.bill.total,
    )
