"""The month as a use case: bill every contract, then issue what was billed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl

from eisenergy.accounts import Contract, Scope
from eisenergy.billing.corrections import Correction, correction
from eisenergy.billing.model import LineCode
from eisenergy.desk.drafting import Drafted, draft, facts, file_names, readings_hash
from eisenergy.desk.history import facts_of_history, remember
from eisenergy.desk.opening import as_billed
from eisenergy.desk.workspace import Workspace
from eisenergy.findings import Finding, blocking
from eisenergy.frames import MEASURED
from eisenergy.ledger.invoices import Invoice
from eisenergy.money import total
from eisenergy.period import BillingMonth
from eisenergy.store import books, masters


class UnknownCustomer(LookupError):
    """A customer that the client does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillReport:
    """What billing a month came to.

    :param drafted: drafts made by this run, in order of contract numbers
    :param parked: contracts that wait, with the findings that say why
    :param issued: contracts whose invoice of the month is issued already; nothing of them was touched
    :param not_in_force: contracts that take no energy in the month
    """

    month: BillingMonth
    drafted: tuple[books.Draft, ...]
    parked: tuple[books.Parked, ...]
    issued: tuple[str, ...]
    not_in_force: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueReport:
    """What issuing a month came to.

    :param stale: contracts whose draft no longer is what the readings and masters give; they were not issued
    """

    month: BillingMonth
    issued: tuple[Invoice, ...]
    already: tuple[Invoice, ...]
    stale: tuple[Finding, ...]


def chosen_contracts(workspace: Workspace, scope: Scope, customers: Collection[str] | None) -> tuple[Contract, ...]:
    """Return the contracts of some customers, or of all.

    :raises UnknownCustomer: naming those there are not
    :raises NotStored: when the client was never imported
    """
    masters.client(workspace.database, scope)  # an unknown client is another mistake than one without contracts
    contracts = masters.contracts(workspace.database, scope)
    if not contracts:
        raise UnknownCustomer(
            f"client {scope.client} has no contracts: import its customer list with `eisenergy customers import FILE`"
        )
    if customers is None:
        return contracts
    known = {name for contract in contracts for name in (contract.number, contract.customer.code)}
    if unknown := sorted(set(customers) - known):
        raise UnknownCustomer(
            f"client {scope.client} has no customer {', '.join(unknown)}; `eisenergy customers list` shows those it has"
        )
    return tuple(
        contract for contract in contracts if contract.number in customers or contract.customer.code in customers
    )


def bill_month(
    workspace: Workspace,
    scope: Scope,
    month: BillingMonth,
    *,
    customers: Collection[str] | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> BillReport:
    """Draft the bill of every contract for a month; whoever cannot be billed is parked, and the others go on.

    :param customers: codes or contract numbers; ``None``: all
    :param step: called with each contract's number when it is done
    :raises UnknownCustomer: for a customer the client does not have
    """
    contracts = chosen_contracts(workspace, scope, customers)
    issued = books.invoices(workspace.database, scope)
    done = {invoice.bill.contract.number for invoice in issued if invoice.month == month}
    names = file_names(workspace, scope)
    drafts: list[books.Draft] = []
    waiting: list[books.Parked] = []
    idle: list[str] = []
    for contract in contracts:
        number = contract.number
        if number not in done:
            mine = [invoice for invoice in issued if invoice.bill.contract.number == number]
            result = draft_contract(workspace, scope, contract, month, mine, names)
            if result.bill is not None:
                drafts.append(books.Draft(bill=result.bill, input_hash=result.input_hash))
                remember(workspace, scope, facts_of_history(workspace, scope, contract, month, names), month)
            elif any(finding.code == "not-in-force" for finding in result.findings):
                idle.append(number)
            else:
                books.park(workspace.database, scope, month, contract, result.findings)
                waiting.append(
                    books.Parked(
                        contract=number, customer=contract.customer.code, month=month, findings=result.findings
                    )
                )
        step(number)
    books.save_drafts(workspace.database, scope, month, drafts)
    return BillReport(
        month=month,
        drafted=tuple(drafts),
        parked=tuple(waiting),
        issued=tuple(contract.number for contract in contracts if contract.number in done),
        not_in_force=tuple(idle),
    )


def draft_contract(
    workspace: Workspace,
    scope: Scope,
    contract: Contract,
    month: BillingMonth,
    issued: Sequence[Invoice],
    names: dict[str, str],
) -> Drafted:
    """Draft one contract's bill, with the corrections of its earlier invoices.

    :param issued: the contract's invoices
    """
    try:
        known = facts(workspace, scope, contract, month, month, names=names)
    except masters.NotStored as problem:
        finding = blocking("no-tariff", contract.number, f"contract {contract.number}: {problem}")
        return Drafted(bill=None, input_hash="", findings=(finding,), filled=pl.DataFrame(), period=None, expected=0)
    return draft(known, month, corrections(workspace, scope, month, issued, names))


def corrections(
    workspace: Workspace, scope: Scope, month: BillingMonth, issued: Sequence[Invoice], names: dict[str, str]
) -> tuple[Correction, ...]:
    """Return what earlier invoices of a contract billed too much or too little, given what is known now.

    An invoice is looked at again when the readings that arrived for its period, its tariff or its calendar are others than those it
    was made from. It is billed again on the terms of its own contract; where only the tariff changed, on its own readings
    and estimates.

    :param issued: the contract's invoices
    """
    found = []
    for invoice in sorted(issued, key=lambda entry: entry.month):
        provenance = invoice.bill.provenance
        if invoice.month >= month or provenance is None:
            continue
        now = facts(workspace, scope, invoice.bill.contract, invoice.month, invoice.month, names=names)
        start, end = invoice.bill.period.utc(invoice.bill.timezone)
        inside = (pl.col("start") >= start) & (pl.col("start") < end) & (pl.col("quality") == MEASURED)
        same_readings = readings_hash(now.readings.filter(inside)) == provenance.readings_hash
        same_rules = (now.tariff.version, now.calendar.version) == (
            provenance.tariff_version,
            provenance.calendar_version,
        )
        if same_readings and same_rules:
            continue
        if same_readings:
            then = as_billed(workspace, scope, now, invoice)
            now = replace(then, tariff=now.tariff, calendar=now.calendar)
        again = draft(now, invoice.month)
        if again.bill is None:
            continue  # what stands against it parks nobody: the invoice stays as it was billed until it can be billed again
        already = total(
            part.exact
            for later in issued
            for line in later.bill.lines
            if line.code is LineCode.CORRECTION
            for part in line.parts
            if part.period == invoice.bill.period
        )
        difference = correction(invoice.bill, again.bill, invoice.number, already)
        if difference is not None:
            found.append(difference)
    return tuple(found)


def issue_month(
    workspace: Workspace,
    scope: Scope,
    month: BillingMonth,
    *,
    issued_on: date,
    at: datetime,
    customers: Collection[str] | None = None,
    verify: bool = True,
) -> IssueReport:
    """Number and post a month's drafts.

    :param issued_on: local date of issue
    :param at: UTC instant of posting
    :param verify: draft again and hold back whatever is no longer what was drafted; a run that has just drafted need not
    """
    contracts = {contract.number: contract for contract in chosen_contracts(workspace, scope, customers)}
    stale: list[Finding] = []
    fit = set(contracts)
    if verify:
        issued = books.invoices(workspace.database, scope)
        names = file_names(workspace, scope)
        for entry in books.drafts(workspace.database, scope, month):
            number = entry.bill.contract.number
            if number not in contracts:
                continue
            mine = [invoice for invoice in issued if invoice.bill.contract.number == number]
            again = draft_contract(workspace, scope, contracts[number], month, mine, names)
            if again.input_hash != entry.input_hash:
                fit.discard(number)
                stale.append(
                    blocking(
                        "stale-draft",
                        number,
                        f"contract {number}: readings, tariff or master data changed since the draft of {month} was made. "
                        f"Run `eisenergy bill {month}` again, look at the draft, then issue.",
                    )
                )
    result = books.issue(
        workspace.database,
        scope,
        month,
        client=masters.client(workspace.database, scope),
        issued_on=issued_on,
        at=at,
        contracts=fit,
    )
    return IssueReport(month=month, issued=result.issued, already=result.already, stale=tuple(stale))
