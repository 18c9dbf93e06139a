"""Open a desk: read one customer's month, or one client's, from the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import polars as pl

from eisenergy.accounts import Client, Contract, Scope
from eisenergy.analytics.savings import MonthCost, savings
from eisenergy.billing.model import Bill
from eisenergy.billing.slots import price_slots
from eisenergy.config import Settings
from eisenergy.desk import together
from eisenergy.desk.drafting import Facts, draft, facts, file_names, prepare
from eisenergy.desk.history import HISTORY, at_hand, estimated, max_kw, months, span
from eisenergy.desk.masters import Masters
from eisenergy.desk.model import ClientMonth, CustomerMonth, InvoiceHeadline, MonthTotals, OperatorRow
from eisenergy.desk.workspace import Workspace, opened
from eisenergy.findings import Finding, Severity
from eisenergy.frames import SLOT_MINUTES, empty_readings
from eisenergy.ledger.invoices import Invoice
from eisenergy.money import total
from eisenergy.period import BillingMonth, Period
from eisenergy.store import books, files, history, masters
from eisenergy.store.states import states
from eisenergy.timeofuse import Runs


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
        savings=savings(_costs(past)),
        invoices=tuple(_headline(entry) for entry in issued),
    )


def open_client(client: str, month: str, *, settings: Settings | None = None) -> ClientMonth:
    """Open the month of all of a client's customers, for its operators.

    :raises NotStored: when the client was never imported
    """
    chosen = BillingMonth.parse(month)
    scope = Scope.operator(client)
    with opened(settings or Settings.load(client=client)) as workspace:
        who = masters.client(workspace.database, scope)
        contracts = masters.contracts(workspace.database, scope)
        issued: dict[str, dict[BillingMonth, Invoice]] = {contract.number: {} for contract in contracts}
        for invoice in books.invoices(workspace.database, scope):
            issued.setdefault(invoice.bill.contract.number, {})[invoice.month] = invoice
        common = Masters.read(workspace, scope, file_names(workspace, scope))
        rows = operator_rows(workspace, scope, who, chosen)
        together: dict[BillingMonth, list[MonthTotals]] = {chosen.plus(n): [] for n in range(1 - HISTORY, 1)}
        kept = history.load_all(workspace.database, scope, [contract.number for contract in contracts])
        standing = states(
            workspace.lake,
            scope,
            {contract.meter.serial for contract in contracts},
            *span(who, chosen),
            version=common.lake_version,
        )
        nothing = empty_readings()
        for contract in contracts:
            mine, number = issued[contract.number], contract.number
            try:
                bare = common.facts(contract, nothing)
            except masters.NotStored:
                continue  # its row says so
            found: Iterable[MonthTotals | None] = at_hand(
                bare, chosen, issued=mine, bills={}, kept=kept.get(number, {}), standing=standing[contract.meter.serial]
            ).values()
            if None in found:  # its readings have to be read
                first = chosen.plus(1 - HISTORY)
                known = facts(
                    workspace, scope, contract, first, chosen, version=common.lake_version, names=common.names
                )
                found = months(workspace, scope, known, chosen, issued=mine, bills={})
            for entry in found:
                assert entry is not None
                together[entry.month].append(entry)
        return ClientMonth(
            client=who, month=chosen, rows=rows, history=tuple(_together(at, all_) for at, all_ in together.items())
        )


def operator_rows(workspace: Workspace, scope: Scope, client: Client, month: BillingMonth) -> tuple[OperatorRow, ...]:
    """Return one row per contract: what was billed or drafted, why it was not, and what the distributor says."""
    issued = {
        invoice.bill.contract.number: invoice for invoice in books.invoices(workspace.database, scope, month=month)
    }
    drafts = {entry.bill.contract.number: entry.bill for entry in books.drafts(workspace.database, scope, month)}
    parked = {entry.contract: entry for entry in books.parked(workspace.database, scope, month)}
    period = month.period
    reported = {row.meter: row.kwh for row in files.report_rows(workspace.database, scope, period.start, period.end)}
    rows = []
    for contract in masters.contracts(workspace.database, scope):
        number = contract.number
        invoice = issued.get(number)
        bill = invoice.bill if invoice is not None else drafts.get(number)
        waits = parked.get(number) if invoice is None else None
        rows.append(
            OperatorRow(
                contract=contract,
                number=None if invoice is None else invoice.number,
                kwh=None if bill is None else bill.kwh,
                max_kw=None if bill is None else max_kw(bill),
                total=None if bill is None else bill.total,
                estimated=0 if bill is None else estimated(bill),
                missing=month.period.slots(client.timezone) if bill is None else bill.slots_missing,
                parked=None if waits is None else _reason(waits.findings),
                distributor_kwh=reported.get(contract.meter.serial),
                findings=waits.findings if waits is not None else (() if bill is None else bill.findings),
            )
        )
    return tuple(rows)


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


def _together(month: BillingMonth, entries: list[MonthTotals]) -> MonthTotals:
    """The month of all contracts: energy and money add up, maxima of different meters do not."""
    blocks = list(dict.fromkeys(block for entry in entries for block in entry.kwh))
    billed = [entry.total for entry in entries if entry.total is not None]
    return MonthTotals(
        month=month,
        kwh={block: total(entry.kwh.get(block, Decimal(0)) for entry in entries) for block in blocks},
        max_kw=None,
        total=total(billed) if billed else None,
        issued=bool(billed) and all(entry.issued for entry in entries if entry.total is not None),
        slots=sum(entry.slots for entry in entries),
        estimated=sum(entry.estimated for entry in entries),
        missing=sum(entry.missing for entry in entries),
    )


def _costs(history: Iterable[MonthTotals]) -> list[MonthCost]:
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


def _reason(findings: tuple[Finding, ...]) -> str:
    return " ".join(finding.message for finding in findings if finding.severity is Severity.BLOCKING)
