"""The months before: what each came to, from its invoice, from what was kept, or billed now for comparison."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import polars as pl

import eisenergy
from eisenergy.accounts import Contract, Scope
from eisenergy.billing.model import Bill
from eisenergy.desk.drafting import NEIGHBOURS, Facts, draft, facts, readings_hash
from eisenergy.desk.model import MonthTotals
from eisenergy.desk.workspace import Workspace
from eisenergy.ledger.invoices import Invoice
from eisenergy.masters import codec
from eisenergy.period import BillingMonth
from eisenergy.store import history

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
    result = []
    for month in (last.plus(n) for n in range(1 - HISTORY, 1)):
        invoice = issued.get(month)
        bill = invoice.bill if invoice is not None else bills.get(month)
        if bill is not None:
            result.append(totals(month, bill, issued=invoice is not None))
            continue
        entry = kept.get(str(month))
        if entry is not None and entry.key == key(known, month):
            result.append(codec.load(MonthTotals, entry.document))
        else:
            result.append(compared(known, month))
    return tuple(result)


def remember(workspace: Workspace, scope: Scope, known: Facts, last: BillingMonth) -> None:
    """Keep what the months up to one came to, so that a page need not bill a year to show it.

    :param known: facts over :data:`HISTORY` months
    :raises OutOfScope: for a role that only reads
    """
    number = known.contract.number
    kept = history.load(workspace.database, scope, number)
    entries = []
    for month in (last.plus(n) for n in range(1 - HISTORY, 0)):
        stands, wanted = kept.get(str(month)), key(known, month)
        if stands is None or stands.key != wanted:
            document = codec.dump(compared(known, month))
            entries.append(
                history.Entry(
                    contract=number,
                    customer=known.contract.customer.code,
                    month=str(month),
                    key=wanted,
                    document=document,
                )
            )
    history.save(workspace.database, scope, entries)


def facts_of_history(
    workspace: Workspace, scope: Scope, contract: Contract, last: BillingMonth, names: Mapping[str, str]
) -> Facts:
    """Return a contract's facts over the :data:`HISTORY` months that end with one."""
    return facts(workspace, scope, contract, last.plus(1 - HISTORY), last, names=names)


def key(known: Facts, month: BillingMonth) -> str:
    """Return the hash of everything a month's totals are derived from, its neighbours' readings included."""
    start, end = month.period.utc(known.client.timezone)
    around = (pl.col("start") >= start - NEIGHBOURS) & (pl.col("start") < end + NEIGHBOURS)
    parts = (
        eisenergy.__version__,
        known.tariff.version,
        known.calendar.version,
        known.client.timezone,
        str(known.client.max_missing_share),
        json.dumps(codec.dump(known.contract), sort_keys=True),
        readings_hash(known.readings.filter(around)),
    )
    return hashlib.sha256("\0".join(parts).encode("utf-8")).hexdigest()


def compared(known: Facts, month: BillingMonth) -> MonthTotals:
    """Bill a month for comparison; one that cannot be billed has no total."""
    drafted = draft(known, month)
    if drafted.bill is not None:
        return totals(month, drafted.bill, issued=False)
    nothing: dict[str, Decimal] = {}
    return MonthTotals(
        month=month,
        kwh=nothing,
        max_kw=None,
        total=None,
        issued=False,
        slots=0,
        estimated=0,
        missing=max(drafted.expected - len(drafted.filled), 0),
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
