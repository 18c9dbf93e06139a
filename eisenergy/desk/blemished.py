"""Months that are not clean, of many contracts: read together, checked, filled and summed, up to the batch that is priced.

What comes of each is what :func:`eisenergy.desk.drafting.draft` makes of it. No kernel with threads of its own is called: this may run
beside :mod:`eisenergy.desk.whole`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from eisenergy.accounts import Contract
from eisenergy.billing.batch import Batch, Member, Terms
from eisenergy.billing.corrections import Correction
from eisenergy.billing.engine import NotBillable
from eisenergy.blockruns import OffGrid
from eisenergy.desk.batch import read_together
from eisenergy.desk.drafting import Facts, Prepared, sources_of, terms_of
from eisenergy.desk.fingerprint import rows_hash
from eisenergy.desk.masters import TOGETHER, Masters
from eisenergy.desk.metering import Sums, summed
from eisenergy.findings import Finding, blocked, blocking
from eisenergy.period import BillingMonth, NotInForce
from eisenergy.store.roster import Listed
from eisenergy.usage import CellSums, EstimatedRange

Corrections = Callable[[str], tuple[Correction, ...]]


class Measured(NamedTuple):
    """What a bill is made from; see :class:`eisenergy.billing.batch.Member`."""

    terms: Terms
    sums: Sums
    readings_hash: str
    filled_hash: str
    sources: dict[str, str]
    estimated: tuple[EstimatedRange, ...]


class Blemished(NamedTuple):
    """A month of a contract that had a closer look.

    :param measured: ``None``: it is not billed, and a finding says why
    """

    number: str
    findings: tuple[Finding, ...]
    measured: Measured | None


def blemished_months(common: Masters, contracts: Sequence[Contract], month: BillingMonth) -> Iterator[Blemished]:
    """Look closely at a month of some contracts, in their order."""
    for begin in range(0, len(contracts), TOGETHER):
        some = contracts[begin : begin + TOGETHER]
        read = read_together(common, some, month)
        for contract in some:
            number = contract.number
            if number in read.refused:
                yield Blemished(number, read.refused[number].findings, None)
            else:
                yield _looked_at(common, read.known[number], read.prepared(number, month))


def _looked_at(common: Masters, known: Facts, ready: Prepared) -> Blemished:
    contract, period = known.contract, ready.period
    if period is None or blocked(ready.findings):
        return Blemished(contract.number, ready.findings, None)
    try:
        runs = common.runs(contract.tariff, period)
    except (NotInForce, NotBillable, OffGrid) as problem:
        finding = blocking("cannot-bill", contract.number, str(problem))
        return Blemished(contract.number, (*ready.findings, finding), None)
    sums = summed(contract.meter.serial, ready.rows, runs, period=period, timezone=known.client.timezone)
    measured = Measured(
        terms=terms_of(known, period, runs),
        sums=sums,
        readings_hash=rows_hash(ready.arrived, ready.arrived.measured),
        filled_hash=rows_hash(ready.rows),
        sources=sources_of(known, ready.arrived),
        estimated=ready.ranges,
    )
    return Blemished(contract.number, ready.findings, measured)


def batches(
    found: Iterable[tuple[Listed, Blemished]], corrections: Corrections, basis: Callable[[Listed], str]
) -> Iterator[Batch]:
    """Yield those that are billed in batches that can be priced; see :func:`eisenergy.desk.whole.whole_months`."""
    alike: dict[tuple[object, ...], list[tuple[Listed, Blemished, Measured]]] = defaultdict(list)
    for entry, one in found:
        if one.measured is not None:
            terms = one.measured.terms
            alike[terms.tariff.name, terms.period, len(one.measured.sums.prices)].append((entry, one, one.measured))
    for members in alike.values():
        first = members[0][2]
        cells = [measured.sums.cells for _, _, measured in members]
        yield Batch(
            terms=first.terms,
            members=tuple(
                Member(
                    number=entry.number,
                    document=entry.document,
                    readings_hash=measured.readings_hash,
                    sources=measured.sources,
                    has_forecast=measured.sums.has_forecast,
                    prices=tuple(measured.sums.prices),
                    corrections=corrections(entry.number),
                    basis=basis(entry),
                    filled_hash=measured.filled_hash,
                    estimated=measured.estimated,
                    findings=one.findings,
                )
                for entry, one, measured in members
            ),
            cells=CellSums(
                [each.sums.tolist() for each in cells],
                [each.peak.tolist() for each in cells],
                [each.peak_at.tolist() for each in cells],
                [each.counts.tolist() for each in cells],
            ),
            groups=len(first.sums.prices),
        )
