"""A part of a month's contracts, from their readings to drafts as they are stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from eisenergy.desk.blemished import Blemished, batches
from eisenergy.desk.whole import whole_months
from eisenergy.findings import Finding
from eisenergy.run.beside import Beside
from eisenergy.run.past import Past
from eisenergy.run.pricers import Answer, Pricers
from eisenergy.store.roster import Listed


class Done(NamedTuple):
    """What became of some contracts.

    :param answers: those that were priced
    :param unbilled: number of a contract that is not billed -> the findings that say why
    """

    answers: tuple[Answer, ...] = ()
    unbilled: tuple[tuple[str, tuple[Finding, ...]], ...] = ()


def drafted(past: Past, contracts: Sequence[Listed], pricers: Pricers) -> Iterator[Done]:
    """Draft the bills of some contracts: clean months all together, the others with a closer look, beside."""
    seen: set[str] = set()

    def others(group: Sequence[Listed]) -> None:
        left = [one for one in group if one.number not in seen]
        seen.update(one.number for one in left)
        beside.put(left)

    def taken(looked: Sequence[tuple[Listed, Blemished]]) -> Iterator[Done]:
        yield Done(unbilled=tuple((one.number, found.findings) for one, found in looked if found.measured is None))
        for batch in batches(looked, past.corrections, past.basis):
            yield Done(tuple(pricers.put(batch)))

    with Beside(past.common, past.month) as beside:
        for batch in whole_months(past.common, contracts, past.month, past.corrections, past.basis, others):
            seen.update(member.number for member in batch.members)
            yield Done(tuple(pricers.put(batch)))
            for lot in beside.done():
                yield from taken(lot)
        others(contracts)
        for lot in beside.rest():
            yield from taken(lot)
    for answer in pricers.rest():
        yield Done((answer,))
