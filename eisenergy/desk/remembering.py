"""Keeping what earlier months came to, for many contracts at once, so that a page need not bill a year to show it."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from eisenergy.accounts import Contract
from eisenergy.desk import history
from eisenergy.desk.masters import TOGETHER, Masters
from eisenergy.frames import empty_readings
from eisenergy.masters import codec
from eisenergy.period import BillingMonth
from eisenergy.store import books
from eisenergy.store import history as kept
from eisenergy.store.states import states, touched


def remember(common: Masters, contracts: Sequence[Contract], last: BillingMonth) -> None:
    """Keep what the months up to one came to; those that stand are not looked at again, nor those with an invoice, which says it.

    :param contracts: with a tariff that is stored
    :raises OutOfScope: for a role that only reads
    """
    database, scope = common.workspace.database, common.scope
    keys = kept.keys(database, scope)
    issued = {(head.contract, str(head.month)) for head in books.heads(database, scope)}
    before = {str(last.plus(n)) for n in range(1 - history.HISTORY, 0)}
    left = [c for c in contracts if not all((c.number, month) in issued for month in before)]
    for begin in range(0, len(left), TOGETHER):
        kept.save(database, scope, _stale(common, left[begin : begin + TOGETHER], last, keys, issued))


def _stale(
    common: Masters,
    contracts: Sequence[Contract],
    last: BillingMonth,
    keys: dict[tuple[str, str], str],
    issued: AbstractSet[tuple[str, str]],
) -> list[kept.Entry]:
    """Derive the months without an invoice that are not kept, or not as they stand now."""
    client = common.client
    serials = sorted({contract.meter.serial for contract in contracts})
    standing = states(
        common.workspace.lake, common.scope, serials, *history.span(client, last), version=common.lake_version
    )
    nothing = empty_readings()
    bare = {contract.number: common.facts(contract, nothing) for contract in contracts}
    terms = {number: history.terms_of(known) for number, known in bare.items()}
    entries = []
    for month in (last.plus(n) for n in range(1 - history.HISTORY, 0)):
        wanted = {
            contract.number: history.key(terms[contract.number], client, standing[contract.meter.serial], month)
            for contract in contracts
        }
        stale = [
            c
            for c in contracts
            if (c.number, str(month)) not in issued and keys.get((c.number, str(month))) != wanted[c.number]
        ]
        span = month.period.utc(client.timezone)
        read = [contract for contract in stale if touched(standing[contract.meter.serial], *span)]
        drafted = history.drafts_of(common, read, month)
        entries += [
            kept.Entry(
                contract=contract.number,
                customer=contract.customer.code,
                month=str(month),
                key=wanted[contract.number],
                document=codec.dump(history.compared(bare[contract.number], month, drafted.get(contract.number))),
            )
            for contract in stale
        ]
    return entries
