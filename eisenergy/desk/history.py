"""The months before: what each came to, from its invoice, from what was kept, or billed now for comparison."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import eisenergy
from eisenergy.accounts import Client, Contract, Scope
from eisenergy.billing.engine import in_force
from eisenergy.billing.model import Bill
from eisenergy.desk.drafting import NEIGHBOURS, Drafted, Facts, draft
from eisenergy.desk.masters import Masters
from eisenergy.desk.model import MonthTotals
from eisenergy.desk.workspace import Workspace
from eisenergy.ledger.invoices import Invoice
from eisenergy.masters import codec
from eisenergy.period import BillingMonth
from eisenergy.store import history
from eisenergy.store.states import States, states, touched

HISTORY: Final = 13
"""Months a dashboard looks at: the same month last year is the first of them."""


def months(
    workspace: Workspace,
    scope: Scope,
    known: Facts,
    last: BillingMonth,
    *,
    issued: Mapping[BillingMonth, Invoice],
    bills: Mapping[BillingMonth, Bill],
) -> tuple[MonthTotals, ...]:
    """Return the :data:`HISTORY` months that end with one, oldest first.

    :param known: facts over all of them
    :param issued: the contract's invoices; they come before everything else
    :param bills: bills that are at hand
    """
    kept = history.load(workspace.database, scope, known.contract.number)
    serial = known.contract.meter.serial
    standing = states(workspace.lake, scope, [serial], *span(known.client, last), version=known.lake_version)[serial]
    found = at_hand(known, last, issued=issued, bills=bills, kept=kept, standing=standing)
    return tuple(entry or compared(known, month) for month, entry in found.items())


def at_hand(
    known: Facts,
    last: BillingMonth,
    *,
    issued: Mapping[BillingMonth, Invoice],
    bills: Mapping[BillingMonth, Bill],
    kept: Mapping[str, history.Entry],
    standing: States,
) -> dict[BillingMonth, MonthTotals | None]:
    """Return the months of :func:`months`, oldest first; ``None`` for one that neither a bill nor what was kept tells.

    :param known: facts; the readings are not looked at
    :param kept: month -> what was kept of the contract
    :param standing: how the meter's readings stand
    """
    terms = terms_of(known)
    result: dict[BillingMonth, MonthTotals | None] = {}
    for month in (last.plus(n) for n in range(1 - HISTORY, 1)):
        invoice = issued.get(month)
        bill = invoice.bill if invoice is not None else bills.get(month)
        entry = kept.get(str(month))
        if bill is not None:
            result[month] = totals(month, bill, issued=invoice is not None)
        elif entry is not None and entry.key == key(terms, known.client, standing, month):
            result[month] = codec.load(MonthTotals, entry.document)
        else:
            result[month] = None
    return result


def span(client: Client, last: BillingMonth) -> tuple[datetime, datetime]:
    """The time in which readings bear on any of the months that end with one."""
    start, _ = last.plus(1 - HISTORY).period.utc(client.timezone)
    _, end = last.period.utc(client.timezone)
    return start - NEIGHBOURS, end + NEIGHBOURS


def terms_of(known: Facts) -> str:
    """Everything that bears on a contract's months, but its readings."""
    return json.dumps(
        [
            eisenergy.__version__,
            known.tariff.version,
            known.calendar.version,
            known.client.timezone,
            str(known.client.max_missing_share),
            codec.dump(known.contract),
        ],
        sort_keys=True,
    )


def key(terms: str, client: Client, standing: States, month: BillingMonth) -> str:
    """Return the hash of everything a month's totals are derived from: the terms, and how its and its neighbours' readings stand."""
    start, end = month.period.utc(client.timezone)
    readings = touched(standing, start - NEIGHBOURS, end + NEIGHBOURS)
    return hashlib.sha256(f"{terms}\0{json.dumps(readings)}".encode()).hexdigest()


def compared(known: Facts, month: BillingMonth, drafted: Drafted | None = None) -> MonthTotals:
    """Bill a month for comparison; one that cannot be billed has no total.

    :param drafted: the draft, where it is at hand
    """
    if drafted is None:
        if known.readings.is_empty():
            period = in_force(known.contract, month.period)
            return _nothing(month, 0 if period is None else period.slots(known.client.timezone))
        drafted = draft(known, month)
    if drafted.bill is not None:
        return totals(month, drafted.bill, issued=False)
    return _nothing(month, max(drafted.expected - len(drafted.filled), 0))


def drafts_of(common: Masters, contracts: Sequence[Contract], month: BillingMonth) -> dict[str, Drafted]:
    """Bill a month of many contracts for comparison; contract -> its draft. Where there are none, nothing that bills is loaded."""
    if not contracts:
        return {}
    from eisenergy.desk.batch import draft_all

    return {contract.number: made for contract, made in draft_all(common, contracts, month, lambda _: ())}


def _nothing(month: BillingMonth, missing: int) -> MonthTotals:
    nothing: dict[str, Decimal] = {}
    return MonthTotals(
        month=month, kwh=nothing, max_kw=None, total=None, issued=False, slots=0, estimated=0, missing=missing
    )


def totals(month: BillingMonth, bill: Bill, *, issued: bool) -> MonthTotals:
    """Return what a bill came to."""
    return MonthTotals(
        month=month,
        kwh={block.block: block.kwh for block in bill.blocks},
        max_kw=max_kw(bill),
        total=bill.total,
        issued=issued,
        slots=sum(block.slots for block in bill.blocks),
        estimated=estimated(bill),
        missing=bill.slots_missing,
    )


def max_kw(bill: Bill) -> Decimal | None:
    """Return the highest power of a bill's blocks [kW]."""
    return max((block.max_kw for block in bill.blocks if block.slots), default=None)


def estimated(bill: Bill) -> int:
    """Return how many of a bill's intervals are estimates."""
    return sum(block.estimated for block in bill.blocks)
