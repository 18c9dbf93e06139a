"""The month as a use case: bill every contract, then issue what was billed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from eisenergy.accounts import Contract, Scope
from eisenergy.billing.corrections import Correction
from eisenergy.desk.batch import draft_all
from eisenergy.desk.drafting import file_names
from eisenergy.desk.masters import Masters
from eisenergy.desk.remembering import remember
from eisenergy.desk.workspace import Workspace
from eisenergy.findings import Finding, blocking
from eisenergy.ledger.invoices import Invoice
from eisenergy.period import BillingMonth
from eisenergy.run.corrections import Standing, corrections
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
    earlier = _by_contract(issued)
    common = Masters.read(workspace, scope, names)
    drafts: list[books.Draft] = []
    waiting: list[books.Parked] = []
    idle: list[str] = []
    billed: list[Contract] = []

    standing = Standing(common, issued)

    def carried(contract: Contract) -> tuple[Correction, ...]:
        return corrections(common, month, earlier.get(contract.number, ()), standing)

    by_number = {contract.number: contract for contract in contracts}
    for number in done:
        if number in by_number:
            step(number)
    for contract, result in draft_all(common, [c for c in contracts if c.number not in done], month, carried):
        number = contract.number
        if result.bill is not None:
            drafts.append(books.Draft(bill=result.bill, input_hash=result.input_hash))
            billed.append(contract)
        elif any(finding.code == "not-in-force" for finding in result.findings):
            idle.append(number)
        else:
            waiting.append(
                books.Parked(contract=number, customer=contract.customer.code, month=month, findings=result.findings)
            )
        step(number)
    books.park_all(workspace.database, scope, month, [(by_number[entry.contract], entry.findings) for entry in waiting])
    books.save_drafts(workspace.database, scope, month, drafts)
    remember(common, billed, month)
    return BillReport(
        month=month,
        drafted=tuple(drafts),
        parked=tuple(waiting),
        issued=tuple(contract.number for contract in contracts if contract.number in done),
        not_in_force=tuple(idle),
    )


def _by_contract(issued: Sequence[Invoice]) -> dict[str, list[Invoice]]:
    result: dict[str, list[Invoice]] = {}
    for invoice in issued:
        result.setdefault(invoice.bill.contract.number, []).append(invoice)
    return result


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
        earlier = _by_contract(issued)
        common = Masters.read(workspace, scope, names)
        before = {entry.bill.contract.number: entry for entry in books.drafts(workspace.database, scope, month)}

        standing = Standing(common, issued)

        def carried(contract: Contract) -> tuple[Correction, ...]:
            return corrections(common, month, earlier.get(contract.number, ()), standing)

        again = [contract for number, contract in contracts.items() if number in before]
        for contract, result in draft_all(common, again, month, carried):
            number = contract.number
            if result.input_hash != before[number].input_hash:
                fit.discard(number)
                stale.append(
                    blocking(
                        "stale-draft",
                        number,
                        f"contract {number}: readings, tariff or master data changed since the draft of {month} was made. "
                        f"Run `eisenergy bill {month}` again, look at the draft, then issue.",
                    )
                )
    posted = books.issue(
        workspace.database,
        scope,
        month,
        client=masters.client(workspace.database, scope),
        issued_on=issued_on,
        at=at,
        contracts=fit,
    )
    return IssueReport(month=month, issued=posted.issued, already=posted.already, stale=tuple(stale))
