"""The desks of many customers, read together: for processes that open one after the other.

Opening a desk alone takes some sixty queries and three looks into the readings, 150 ms; most of them read what the customers of a
batch have in common, or the same table once per customer. :func:`announce` says whose desks will be opened; the first that is
opened reads for all of them, under a scope of just these customers, and cuts what it read. What is said of one customer is what
:func:`eisenergy.desk.opening.open_customer` finds alone: whoever is special (a meter that changed hands, a month that was never
kept, a draft of older readings) is left to it.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from eisenergy.accounts import Client, Contract, OutOfScope, Role, Scope
from eisenergy.billing.model import Bill
from eisenergy.blockruns import Runs, compile_runs
from eisenergy.config import Settings
from eisenergy.desk import history
from eisenergy.desk.drafting import NEIGHBOURS, Facts, prepare
from eisenergy.desk.model import CustomerMonth, MonthTotals
from eisenergy.desk.workspace import Workspace, opened
from eisenergy.frames import starts_within
from eisenergy.ledger.invoices import Invoice
from eisenergy.period import BillingMonth, Period
from eisenergy.quality.estimate import SOURCE
from eisenergy.store import books, masters
from eisenergy.store import history as kept
from eisenergy.store.states import States, states
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import DayCalendar


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A customer's month, as far as it is known before any reading."""

    known: Facts
    bill: Bill
    invoice: Invoice | None
    issued: tuple[Invoice, ...]

    @property
    def whole(self) -> bool:
        """Whether every interval was measured: then there is nothing to fill."""
        return not self.bill.estimated and not self.bill.slots_missing


@dataclass(slots=True, kw_only=True)
class _Batch:
    """What the desks of a batch are made from.

    :param scope: these customers, and no others
    :param rows: contract -> its readings
    """

    settings: Settings
    workspace: Workspace
    scope: Scope
    month: BillingMonth
    client: Client
    cases: dict[str, _Case] = field(default_factory=dict)
    rows: dict[str, pl.DataFrame] = field(default_factory=dict)
    standing: dict[str, States] = field(default_factory=dict)
    past: dict[str, dict[str, kept.Entry]] = field(default_factory=dict)
    at_hand: tuple[str, CustomerMonth] | None = None
    _tariffs: dict[tuple[str, str | None], Tariff] = field(default_factory=dict)
    _calendars: dict[tuple[str, str | None], DayCalendar] = field(default_factory=dict)
    _runs: dict[tuple[str, str, str, str, Period], Runs] = field(default_factory=dict)

    def tariff(self, name: str, version: str | None) -> Tariff:
        if (name, version) not in self._tariffs:
            self._tariffs[name, version] = masters.tariff(self.workspace.database, self.scope, name, version=version)
        return self._tariffs[name, version]

    def calendar(self, name: str, version: str | None) -> DayCalendar:
        if (name, version) not in self._calendars:
            found = masters.calendar(self.workspace.database, self.scope, name, version=version)
            self._calendars[name, version] = found
        return self._calendars[name, version]

    def runs(self, case: _Case) -> Runs:
        """The calendar compiled over a bill's period; most bills of a month share it."""
        tariff, calendar, period = case.known.tariff, case.known.calendar, case.bill.period
        key = (tariff.name, tariff.version, calendar.name, calendar.version, period)
        if key not in self._runs:
            self._runs[key] = compile_runs(calendar, tariff.segments(period), self.client.timezone)
        return self._runs[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Announced:
    client: str
    customers: frozenset[str]
    month: str
    process: int


_ANNOUNCED: Final[list[_Announced]] = []
_READ: Final[list[_Batch]] = []
_OPEN: Final = ExitStack()


def announce(client: str, customers: Collection[str], month: str) -> None:
    """Say whose desks this process will open; nothing is read yet.

    :param month: for example ``2021-09``
    """
    forget()
    _ANNOUNCED.append(_Announced(client=client, customers=frozenset(customers), month=month, process=os.getpid()))


def forget() -> None:
    """Let go of everything that was announced and read."""
    _ANNOUNCED.clear()
    _READ.clear()
    _OPEN.close()


def desk(settings: Settings, client: str, customer: str, month: str) -> CustomerMonth | None:
    """Return an announced customer's desk; ``None``: open it alone."""
    if not _ANNOUNCED:
        return None
    announced = _ANNOUNCED[0]
    if (client, month, os.getpid()) != (announced.client, announced.month, announced.process):
        return None
    if customer not in announced.customers:
        return None
    if not _READ:
        _READ.append(_read(settings, announced))
    batch = _READ[0]
    if settings != batch.settings:
        return None  # a notebook changed what the environment says
    if batch.at_hand is None or batch.at_hand[0] != customer:
        made = _made(batch, customer)
        if made is None:
            return None
        batch.at_hand = (customer, made)
    found = batch.at_hand[1]
    # What can be changed in place is the caller's own.
    own = tuple(replace(entry, kwh=dict(entry.kwh)) for entry in found.history)
    return replace(found, slots=found.slots.clone(), history=own)


def _read(settings: Settings, announced: _Announced) -> _Batch:
    """Read what the store has about all of them; the workspace stays open until they are forgotten."""
    with ExitStack() as stack:
        batch = _read_in(stack.enter_context(opened(settings)), settings, announced)
        _OPEN.enter_context(stack.pop_all())
    return batch


def _read_in(workspace: Workspace, settings: Settings, announced: _Announced) -> _Batch:
    database = workspace.database
    scope = Scope(client=announced.client, role=Role.CUSTOMER_USER, customers=announced.customers)
    batch = _Batch(
        settings=settings,
        workspace=workspace,
        scope=scope,
        month=BillingMonth.parse(announced.month),
        client=masters.client(database, scope),
    )
    contracts = masters.contracts(database, scope)
    issued: dict[str, list[Invoice]] = defaultdict(list)
    for invoice in books.invoices(database, scope):
        issued[invoice.bill.contract.customer.code].append(invoice)
    drafts = {draft.bill.contract.number: draft.bill for draft in books.drafts(database, scope, batch.month)}
    newest = workspace.lake.version()
    for contract in _plain(contracts):
        code = contract.customer.code
        case = _case(batch, contract, tuple(issued[code]), drafts.get(contract.number), newest)
        if case is not None:
            batch.cases[code] = case
    _read_rows(batch)
    batch.past = kept.load_all(database, scope, [case.known.contract.number for case in batch.cases.values()])
    return batch


def _plain(contracts: Iterable[Contract]) -> list[Contract]:
    """Contracts that are their customer's only one, and whose meter was never anybody else's of the batch."""
    all_ = list(contracts)
    people = Counter(contract.customer.code for contract in all_)
    meters = Counter(contract.meter.serial for contract in all_)
    return [c for c in all_ if people[c.customer.code] == 1 and meters[c.meter.serial] == 1]


def _case(
    batch: _Batch, contract: Contract, issued: tuple[Invoice, ...], draft: Bill | None, newest: int
) -> _Case | None:
    invoice = next(
        (one for one in issued if one.month == batch.month and one.bill.contract.number == contract.number), None
    )
    bill = draft if invoice is None else invoice.bill
    if bill is None or bill.provenance is None or bill.contract.meter.serial != contract.meter.serial:
        return None
    made_from = bill.provenance
    if invoice is None and (made_from.lake_version != newest or bill.contract != contract):
        return None
    try:
        if invoice is None:
            tariff = batch.tariff(contract.tariff, None)
            calendar = batch.calendar(tariff.calendar, None)
        else:
            tariff = batch.tariff(bill.tariff, made_from.tariff_version)
            calendar = batch.calendar(bill.calendar, made_from.calendar_version)
    except masters.NotStored:
        return None  # alone, to say which
    known = Facts(
        client=batch.client,
        contract=bill.contract,
        tariff=tariff,
        calendar=calendar,
        readings=pl.DataFrame(),
        lake_version=made_from.lake_version,
        names={},
    )
    return _Case(known=known, bill=bill, invoice=invoice, issued=issued)


def _read_rows(batch: _Batch) -> None:
    """Read all months of one state of the readings at once; those with estimates need their neighbours, too."""
    start, end = batch.month.period.utc(batch.client.timezone)
    together: dict[tuple[int, bool], list[_Case]] = defaultdict(list)
    for case in batch.cases.values():
        together[case.known.lake_version, case.whole].append(case)
    lake, span = batch.workspace.lake, history.span(batch.client, batch.month)
    for (version, whole), cases in together.items():
        serials = {case.known.contract.meter.serial: case.known.contract.number for case in cases}
        first, last = (start, end) if whole else (start - NEIGHBOURS, end + NEIGHBOURS)
        try:
            rows = lake.read(batch.scope, list(serials), first, last, version=version)
            standing = states(lake, batch.scope, list(serials), *span, version=version)
        except (LookupError, OutOfScope):
            continue  # each alone, to say which and why
        for (meter,), mine in rows.partition_by("meter", as_dict=True, maintain_order=True).items():
            batch.rows[serials[str(meter)]] = mine
        batch.standing.update({serials[meter]: found for meter, found in standing.items()})


def _made(batch: _Batch, customer: str) -> CustomerMonth | None:
    """One customer's desk from what was read, ``None`` where something of it was not."""
    from eisenergy.desk import opening

    case = batch.cases.get(customer)
    if case is None or case.known.contract.number not in batch.rows:
        return None
    known = replace(case.known, readings=batch.rows[case.known.contract.number])
    past = _months(batch, case)
    if past is None:
        return None
    if case.whole:
        start, end = case.bill.period.utc(batch.client.timezone)
        filled = known.readings.filter(starts_within(start, end), pl.col("source") != SOURCE)
        if not filled["start"].is_sorted():
            filled = filled.sort("start")
    elif case.invoice is not None:
        filled = prepare(known, batch.month).filled
    else:
        return None
    return opening.desk_of(
        known, batch.month, case.bill, case.invoice, filled, past, case.issued, runs=batch.runs(case)
    )


def _months(batch: _Batch, case: _Case) -> tuple[MonthTotals, ...] | None:
    """The months a dashboard looks at, from invoices and what is kept; ``None`` where one has to be derived."""
    number = case.known.contract.number
    found = history.at_hand(
        case.known,
        batch.month,
        issued={invoice.month: invoice for invoice in case.issued if invoice.bill.contract.number == number},
        bills={batch.month: case.bill},
        kept=batch.past.get(number, {}),
        standing=batch.standing[number],
    )
    whole = tuple(entry for entry in found.values() if entry is not None)
    return whole if len(whole) == len(found) else None
