"""The operator's desk: the month of all of a client's customers, read in a few queries for all of them together.

What is shown of a contract is what :func:`eisenergy.desk.history.months` finds for it alone: its invoices, then what was kept of a month and
still stands, then the month billed for comparison. Of this month a draft counts as it lies in the books.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from eisenergy.accounts import Client, Contract, Scope
from eisenergy.billing.engine import in_force
from eisenergy.config import Settings
from eisenergy.desk import history
from eisenergy.desk.drafting import file_names
from eisenergy.desk.history import HISTORY
from eisenergy.desk.masters import TOGETHER, Masters
from eisenergy.desk.model import ClientMonth, MonthTotals, OperatorRow
from eisenergy.desk.workspace import Workspace, opened
from eisenergy.findings import Finding, Severity
from eisenergy.frames import empty_readings
from eisenergy.masters import codec
from eisenergy.money import total
from eisenergy.period import BillingMonth, Period
from eisenergy.store import books, files, masters, portfolio
from eisenergy.store import history as kept
from eisenergy.store.masters import NotStored
from eisenergy.store.portfolio import Billed
from eisenergy.store.states import states, touched

Totals = dict[tuple[str, BillingMonth], MonthTotals]
"""(contract, month) -> what it came to."""


def open_client(client: str, month: str, *, settings: Settings | None = None) -> ClientMonth:
    """Open the month of all of a client's customers, for its operators.

    :raises NotStored: when the client was never imported
    """
    chosen = BillingMonth.parse(month)
    scope = Scope.operator(client)
    with opened(settings or Settings.load(client=client)) as workspace:
        common = Masters.read(workspace, scope, file_names(workspace, scope))
        contracts = masters.contracts(workspace.database, scope)
        this: dict[str, Billed] = {}
        found: Totals = {}
        for one in portfolio.billed(workspace.database, scope, chosen.plus(1 - HISTORY), chosen):
            found[one.contract, one.month] = _totals(one)
            if one.month == chosen:
                this[one.contract] = one
        rows = _rows(workspace, scope, common.client, chosen, contracts, this)
        past = _history(common, contracts, chosen, found)
        return ClientMonth(client=common.client, month=chosen, rows=rows, history=past)


def operator_rows(workspace: Workspace, scope: Scope, client: Client, month: BillingMonth) -> tuple[OperatorRow, ...]:
    """Return one row per contract: what was billed or drafted, why it was not, and what the distributor says."""
    this = {one.contract: one for one in portfolio.billed(workspace.database, scope, month, month)}
    return _rows(workspace, scope, client, month, masters.contracts(workspace.database, scope), this)


def _rows(
    workspace: Workspace,
    scope: Scope,
    client: Client,
    month: BillingMonth,
    contracts: Iterable[Contract],
    this: Mapping[str, Billed],
) -> tuple[OperatorRow, ...]:
    parked = {entry.contract: entry for entry in books.parked(workspace.database, scope, month)}
    period = month.period
    reported = {row.meter: row.kwh for row in files.report_rows(workspace.database, scope, period.start, period.end)}
    rows = []
    for contract in contracts:
        bill = this.get(contract.number)
        issued = bill is not None and bill.number is not None
        waits = None if issued else parked.get(contract.number)
        rows.append(
            OperatorRow(
                contract=contract,
                number=None if bill is None else bill.number,
                kwh=None if bill is None else bill.kwh,
                max_kw=None if bill is None else _max_kw(bill),
                total=None if bill is None else bill.total,
                estimated=0 if bill is None else _estimated(bill),
                missing=_expected(contract, period, client) if bill is None else bill.missing,
                parked=None if waits is None else _reason(waits.findings),
                distributor_kwh=reported.get(contract.meter.serial),
                findings=waits.findings if waits is not None else (() if bill is None else bill.findings),
            )
        )
    return tuple(rows)


def _history(
    common: Masters, contracts: Sequence[Contract], last: BillingMonth, found: Totals
) -> tuple[MonthTotals, ...]:
    """The months of all contracts that end with one.

    :param found: those with an invoice or a draft; what is missing is put in
    """
    known = [contract for contract in contracts if _has_tariff(common, contract)]  # the others' rows say so
    months = [last.plus(n) for n in range(1 - HISTORY, 1)]
    open_ = [contract for contract in known if any((contract.number, month) not in found for month in months)]
    for begin in range(0, len(open_), TOGETHER):
        found.update(_compared(common, open_[begin : begin + TOGETHER], months, found))
    return tuple(_together(month, [found[contract.number, month] for contract in known]) for month in months)


def _compared(common: Masters, contracts: Sequence[Contract], months: Sequence[BillingMonth], found: Totals) -> Totals:
    """What months without an invoice came to: as kept where that still stands, else billed for comparison, together."""
    database, lake, scope, client = common.workspace.database, common.workspace.lake, common.scope, common.client
    serials = sorted({contract.meter.serial for contract in contracts})
    standing = states(lake, scope, serials, *history.span(client, months[-1]), version=common.lake_version)
    stored = kept.load_all(database, scope, [contract.number for contract in contracts])
    nothing = empty_readings()
    bare = {contract.number: common.facts(contract, nothing) for contract in contracts}
    terms = {number: history.terms_of(known) for number, known in bare.items()}
    result: Totals = {}
    for month in months:
        stale = []
        for contract in contracts:
            number = contract.number
            if (number, month) in found:
                continue
            entry = stored.get(number, {}).get(str(month))
            if entry is not None and entry.key == history.key(
                terms[number], client, standing[contract.meter.serial], month
            ):
                result[number, month] = codec.load(MonthTotals, entry.document)
            else:
                stale.append(contract)
        span = month.period.utc(client.timezone)
        read = [contract for contract in stale if touched(standing[contract.meter.serial], *span)]
        drafted = history.drafts_of(common, read, month)
        for contract in stale:
            number = contract.number
            result[number, month] = history.compared(bare[number], month, drafted.get(number))
    return result


def _expected(contract: Contract, period: Period, client: Client) -> int:
    """Intervals of a month that a contract takes energy in."""
    supplied = in_force(contract, period)
    return 0 if supplied is None else supplied.slots(client.timezone)


def _has_tariff(common: Masters, contract: Contract) -> bool:
    try:
        common.tariff(contract.tariff)
    except NotStored:
        return False
    return True


def _together(month: BillingMonth, entries: Sequence[MonthTotals]) -> MonthTotals:
    """The month of all contracts: energy and money add up, maxima of different meters do not."""
    blocks: dict[str, list[Decimal]] = {}
    for entry in entries:
        for block, kwh in entry.kwh.items():
            blocks.setdefault(block, []).append(kwh)
    amounts = [entry.total for entry in entries if entry.total is not None]
    return MonthTotals(
        month=month,
        kwh={block: total(parts) for block, parts in blocks.items()},
        max_kw=None,
        total=total(amounts) if amounts else None,
        issued=bool(amounts) and all(entry.issued for entry in entries if entry.total is not None),
        slots=sum(entry.slots for entry in entries),
        estimated=sum(entry.estimated for entry in entries),
        missing=sum(entry.missing for entry in entries),
    )


def _totals(bill: Billed) -> MonthTotals:
    return MonthTotals(
        month=bill.month,
        kwh={block.block: block.kwh for block in bill.blocks},
        max_kw=_max_kw(bill),
        total=bill.total,
        issued=bill.number is not None,
        slots=sum(block.slots for block in bill.blocks),
        estimated=_estimated(bill),
        missing=bill.missing,
    )


def _max_kw(bill: Billed) -> Decimal | None:
    return max((block.max_kw for block in bill.blocks if block.slots), default=None)


def _estimated(bill: Billed) -> int:
    return sum(block.estimated for block in bill.blocks)


def _reason(findings: Iterable[Finding]) -> str:
    return " ".join(finding.message for finding in findings if finding.severity is Severity.BLOCKING)
