"""The month as a use case: bill every contract, then issue what was billed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, TypeVar, overload

from eisenergy.accounts import Scope
from eisenergy.billing.batch import Entry
from eisenergy.desk.batch import draft_all
from eisenergy.desk.workspace import Workspace
from eisenergy.findings import Finding, blocking
from eisenergy.ledger.invoices import Invoice
from eisenergy.period import BillingMonth
from eisenergy.run.apart import Apart
from eisenergy.run.chosen import UnknownCustomer as UnknownCustomer
from eisenergy.run.chosen import chosen_contracts as chosen_contracts
from eisenergy.run.part import Done, drafted
from eisenergy.run.past import Past
from eisenergy.run.pricers import Pricers
from eisenergy.run.sparing import seldom_collected
from eisenergy.store import books, masters
from eisenergy.store.drafts import Basis, bases
from eisenergy.store.roster import Listed
from eisenergy.store.selection import Reviewed

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class BillReport:
    """What billing a month came to.

    :param entries: drafts made by this run, in order of contract numbers, without their documents
    :param drafted: the same with their bills; read from the books when they are looked at
    :param parked: contracts that wait, with the findings that say why
    :param issued: contracts whose invoice of the month is issued already; nothing of them was touched
    :param not_in_force: contracts that take no energy in the month
    """

    month: BillingMonth
    entries: tuple[Entry, ...]
    drafted: Sequence[books.Draft]
    parked: tuple[books.Parked, ...]
    issued: tuple[str, ...]
    not_in_force: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueReport:
    """What issuing a month came to.

    :param heads: what a list shows of the invoices made, in order of their numbers
    :param heads_before: the same of invoices of the month that were there before
    :param issued: the invoices made; read from the books when they are looked at, like ``already``
    :param already: those that were there before
    :param stale: contracts whose draft no longer is what the readings and masters give; they were not issued
    """

    month: BillingMonth
    heads: tuple[books.Head, ...]
    heads_before: tuple[books.Head, ...]
    issued: Sequence[Invoice]
    already: Sequence[Invoice]
    stale: tuple[Finding, ...]


class Unread(Sequence[T]):
    """Records that are read, all of them, when the first is looked at.

    :param count: how many there are
    """

    def __init__(self, count: int, read: Callable[[], Sequence[T]]) -> None:
        self._count, self._read = count, read
        self._found: Sequence[T] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if self._found is None:
            self._found = self._read() if self._count else ()
        return self._found[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # like any sequence that may be long


@seldom_collected()
def bill_month(
    workspace: Workspace,
    scope: Scope,
    month: BillingMonth,
    *,
    customers: Collection[str] | None = None,
    contracts: Sequence[Listed] | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> BillReport:
    """Draft the bill of every contract for a month; whoever cannot be billed is parked, and the others go on.

    :param customers: codes or contract numbers; ``None``: all
    :param contracts: :func:`chosen_contracts`, where they are at hand
    :param step: called with each contract's number when it is done
    :raises UnknownCustomer: for a customer the client does not have
    """
    scope.check_writes()
    if contracts is None:
        contracts = chosen_contracts(workspace, scope, customers)
    with Pricers.fitting(len(contracts)) as pricers, Apart.fitting(workspace, len(contracts)) as apart:
        past = Past.read(workspace, scope, month)
        done = past.issued
        for contract in contracts:
            if contract.number in done:
                step(contract.number)
        open_ = [contract for contract in contracts if contract.number not in done]
        entries: list[Entry] = []
        waiting: dict[str, tuple[Finding, ...]] = {}
        idle: set[str] = set()
        with books.drafting(workspace.database, scope, month) as desk:

            def keep(found: Done) -> None:
                for answer in found.answers:
                    desk.put(answer.drafts, answer.rows)
                    entries.extend(answer.drafts)
                    waiting.update(
                        (refused.contract, (*refused.noticed, refused.finding)) for refused in answer.refused
                    )
                    for number in (*(e.contract for e in answer.drafts), *(r.contract for r in answer.refused)):
                        step(number)
                for number, findings in found.unbilled:
                    if any(finding.code == "not-in-force" for finding in findings):
                        idle.add(number)
                    else:
                        waiting[number] = findings
                    step(number)

            for found in drafted(past, apart.given(past, scope, open_), pricers):
                keep(found)
                for other in apart.done():
                    keep(other)
            for other in apart.rest():
                keep(other)
    parked = tuple(
        books.Parked(contract=one.number, customer=one.customer, month=month, findings=waiting[one.number])
        for one in open_
        if one.number in waiting
    )
    books.park_all(workspace.database, scope, month, parked)
    order = {contract.number: place for place, contract in enumerate(contracts)}
    entries.sort(key=lambda one: order[one.contract])
    return BillReport(
        month=month,
        entries=tuple(entries),
        drafted=Unread(len(entries), lambda: _drafts_of(workspace, scope, month, entries)),
        parked=parked,
        issued=tuple(contract.number for contract in contracts if contract.number in done),
        not_in_force=tuple(one.number for one in open_ if one.number in idle),
    )


def _past_and_bases(workspace: Workspace, scope: Scope, month: BillingMonth) -> tuple[Past, dict[str, Basis]]:
    return Past.read(workspace, scope, month), bases(workspace.database, scope, month)


def _drafts_of(
    workspace: Workspace, scope: Scope, month: BillingMonth, entries: Sequence[Entry]
) -> tuple[books.Draft, ...]:
    """The drafts that a run made and that stand in the books."""
    found = {draft.bill.contract.number: draft for draft in books.drafts(workspace.database, scope, month)}
    return tuple(found[one.contract] for one in entries if one.contract in found)


@seldom_collected()
def issue_month(
    workspace: Workspace,
    scope: Scope,
    month: BillingMonth,
    *,
    issued_on: date,
    at: datetime,
    customers: Collection[str] | None = None,
    verify: bool = True,
    reviewed: Reviewed | None = None,
    noted: Callable[[Connection, Sequence[books.Head]], None] | None = None,
) -> IssueReport:
    """Number and post a month's drafts.

    :param issued_on: local date of issue
    :param at: UTC instant of posting
    :param verify: hold back whatever is no longer what was drafted; a run that has just drafted need not. A draft none of whose inputs
        changed is known to stand; every other is drafted again and compared
    :param reviewed: only what somebody looked at, and only as it was seen; see :func:`eisenergy.store.books.post`
    :param noted: see there
    :raises DraftsChanged: where the drafts are not those that were reviewed; nothing is issued
    """
    with ThreadPoolExecutor(1) as beside:  # the roster is read at the same time
        known = beside.submit(_past_and_bases, workspace, scope, month) if verify else None
        contracts = {contract.number: contract for contract in chosen_contracts(workspace, scope, customers)}
    stale: list[Finding] = []
    fit = set(contracts)
    if reviewed is not None:
        fit &= reviewed.contracts
    if known is not None:
        past, before = known.result()
        doubtful = past.doubtful([(contracts[number], made) for number, made in before.items() if number in fit])
        again = [listed.contract() for listed in doubtful]
        for contract, result in draft_all(past.common, again, month, lambda c: past.corrections(c.number)):
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
    client = masters.client(workspace.database, scope)
    posted, already = books.post(
        workspace.database,
        scope,
        month,
        client=client,
        issued_on=issued_on,
        at=at,
        contracts=fit,
        reviewed=reviewed,
        noted=noted,
    )

    def invoices(heads: Sequence[books.Head]) -> Sequence[Invoice]:
        def read() -> tuple[Invoice, ...]:
            found = {one.number: one for one in books.invoices(workspace.database, scope, month=month)}
            return tuple(found[head.number] for head in heads)

        return Unread(len(heads), read)

    return IssueReport(
        month=month,
        heads=posted,
        heads_before=already,
        issued=invoices(posted),
        already=invoices(already),
        stale=tuple(stale),
    )
