"""From the sums of many meters to bills: what a process that prices needs to know, and what it says.

Nothing here reads; a batch carries all of it, so that it can be priced wherever it is sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from eisenergy.accounts import Contract
from eisenergy.billing import codec
from eisenergy.billing.corrections import Correction
from eisenergy.billing.engine import NotBillable, bill
from eisenergy.billing.forms import Filled, Forms, Plain, Sums
from eisenergy.billing.model import Bill, Provenance
from eisenergy.findings import Finding, blocking
from eisenergy.masters import codec as records
from eisenergy.masters import jsontext
from eisenergy.money import ZERO
from eisenergy.period import NotInForce, Period, Spans
from eisenergy.tariffs.model import Tariff
from eisenergy.usage import CellSums, EstimatedRange, SlotPrices, Usage, usage_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the bills of one tariff and period have in common.

    :param spans: of the calendar compiled over the period
    :param lake_version: version of the readings table
    """

    period: Period
    timezone: str
    tariff: Tariff
    calendar: str
    calendar_version: str
    code_version: str
    lake_version: int
    spans: Spans

    def provenance(self, sources: Mapping[str, str], readings_hash: str) -> Provenance:
        """Return the versions of a bill. :param readings_hash: of the measured readings; both see ``Provenance``"""
        return Provenance(
            lake_version=self.lake_version,
            sources=sources,
            tariff_version=self.tariff.version,
            calendar_version=self.calendar_version,
            code_version=self.code_version,
            readings_hash=readings_hash,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One contract of a batch.

    :param document: the contract as JSON text
    :param readings_hash: hash of its measured readings
    :param sources: sha256 of the files its readings are from -> their names
    :param prices: sets of prices that came with its readings
    :param basis: hash of everything besides the readings that its draft depends on
    :param filled_hash: hash of its readings with estimates; empty: all are measured
    :param estimated: stretches of estimates
    :param findings: what was noticed about its readings
    """

    number: str
    document: str
    readings_hash: str
    sources: Mapping[str, str]
    has_forecast: bool
    prices: tuple[SlotPrices, ...]
    corrections: tuple[Correction, ...]
    basis: str
    filled_hash: str = ""
    estimated: tuple[EstimatedRange, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def unremarkable(self) -> bool:
        """Whether its readings are all measured and nothing was noticed about them."""
        return not self.filled_hash and not self.estimated and not self.findings


@dataclass(frozen=True, slots=True)
class Packed:
    """An array as its bytes: whoever prices needs no arrays, and whoever sends it makes no lists of ten thousand meters' figures.

    :param data: in order of the last axis
    :param kind: doubles or whole numbers of 64 bits, as this machine has them
    """

    data: bytes
    kind: Literal["d", "q"]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, array: Any) -> Packed:
        """Pack a NumPy array of doubles, or of whole numbers of 64 bits."""
        return cls(array.tobytes(), "d" if array.dtype.kind == "f" else "q", array.shape)

    def tolist(self) -> list[Any]:
        """Return the array as lists in lists."""
        plain = memoryview(self.data)
        return (plain.cast("d", self.shape) if self.kind == "d" else plain.cast("q", self.shape)).tolist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Contracts of one tariff with what their meters did.

    :param cells: sums, :class:`Packed` or as lists: [member][cell]; ``groups`` cells per (segment, block)
    """

    terms: Terms
    members: tuple[Member, ...]
    cells: CellSums
    groups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A draft as it is stored, with what a list shows of it.

    :param name: the customer's
    :param document: the bill as JSON text, as ``billing.codec.dump`` has it
    :param basis: hash of everything besides the readings that the draft depends on; empty: not known
    :param lake_version: version of the readings table that it was made from
    :param made: what is asked of a bill without reading it, as JSON text
    """

    contract: str
    customer: str
    name: str
    kwh: Decimal
    total: Decimal
    max_kw: Decimal
    estimated: int
    input_hash: str
    document: str
    basis: str = ""
    lake_version: int | None = None
    made: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A contract of a batch that cannot be billed, and why.

    :param noticed: what was noticed about its readings before
    """

    contract: str
    customer: str
    finding: Finding
    noticed: tuple[Finding, ...] = ()


def entry(made: Bill, input_hash: str, basis: str = "") -> Entry:
    """Return a bill as it is stored."""
    contract = made.contract
    return Entry(
        contract=contract.number,
        customer=contract.customer.code,
        name=contract.customer.name,
        kwh=made.kwh,
        total=made.total,
        max_kw=max((block.max_kw for block in made.blocks), default=ZERO),
        estimated=sum(block.estimated for block in made.blocks),
        input_hash=input_hash,
        document=jsontext.text(made),
        basis=basis,
        lake_version=None if made.provenance is None else made.provenance.lake_version,
        made=json.dumps(codec.asked(made)),
    )


def price(batch: Batch) -> Iterator[Entry | Refused]:
    """Yield what becomes of each member, in their order."""
    terms = batch.terms
    latest = _LATEST.get("forms")
    forms = latest if latest is not None and latest.terms == terms else Forms(terms)
    _LATEST["forms"] = forms
    cells = CellSums(*(one.tolist() if isinstance(one, Packed) else one for one in batch.cells))
    contracts: list[Contract] = [records.load(Contract, json.loads(member.document)) for member in batch.members]
    plain = [
        Plain(number, contracts[number], member.sources, member.readings_hash, member.has_forecast)
        for number, member in enumerate(batch.members)
        if batch.groups == 1 and member.prices == _NO_PRICES and not member.corrections and member.unremarkable
    ]
    filled = forms.filled(plain, Sums(*cells)) if plain else {}
    for number, member in enumerate(batch.members):
        contract = contracts[number]
        if number in filled:
            yield _filled_entry(terms, member, contract, filled[number])
            continue
        mine = CellSums(*(column[number] for column in cells))
        usage = usage_of(
            contract.meter.serial,
            terms.spans,
            mine,
            member.prices,
            period=terms.period,
            groups=batch.groups,
            has_forecast=member.has_forecast,
        )
        try:
            made, digest = billed(
                terms,
                contract,
                usage,
                sources=member.sources,
                readings_hash=member.readings_hash,
                filled_hash=member.filled_hash,
                estimated=member.estimated,
                findings=member.findings,
                corrections=member.corrections,
                prices=forms.prices,
            )
        except (NotInForce, NotBillable) as problem:
            finding = blocking("cannot-bill", contract.number, str(problem))
            yield Refused(
                contract=contract.number, customer=contract.customer.code, finding=finding, noticed=member.findings
            )
            continue
        yield entry(made, digest, member.basis)


_NO_PRICES: Final = (SlotPrices(),)
_LATEST: Final[dict[str, Forms]] = {}
"""Those of the last batch: the batches of a month mostly have the same terms."""


def _filled_entry(terms: Terms, member: Member, contract: Contract, filled: Filled) -> Entry:
    return Entry(
        contract=contract.number,
        customer=contract.customer.code,
        name=contract.customer.name,
        kwh=filled.kwh,
        total=filled.total,
        max_kw=filled.max_kw,
        estimated=0,
        input_hash=filled.input_hash,
        document=filled.document,
        basis=member.basis,
        lake_version=terms.lake_version,
        made=filled.made,
    )


def billed(
    terms: Terms,
    contract: Contract,
    usage: Usage,
    *,
    sources: Mapping[str, str],
    readings_hash: str,
    filled_hash: str = "",
    estimated: Sequence[EstimatedRange] = (),
    findings: Sequence[Finding] = (),
    corrections: Sequence[Correction] = (),
    prices: str | None = None,
) -> tuple[Bill, str]:
    """Return a contract's bill and the hash of what determines its amounts.

    :param readings_hash: hash of the measured readings
    :param filled_hash: hash of the readings with estimates; empty: there are none
    :param prices: ``codec.prices_in_force``, where it is at hand
    :raises NotInForce: when a price is missing on a day
    :raises NotBillable: see :func:`eisenergy.billing.engine.bill`
    """
    made = bill(
        contract,
        terms.period,
        usage,
        terms.tariff,
        timezone=terms.timezone,
        calendar_name=terms.calendar,
        estimated=estimated,
        findings=findings,
        corrections=corrections,
        provenance=terms.provenance(sources, readings_hash),
    )
    digest = codec.input_hash(
        contract,
        terms.period,
        filled_hash or readings_hash,
        terms.tariff,
        timezone=terms.timezone,
        calendar_version=terms.calendar_version,
        code_version=terms.code_version,
        corrections=corrections,
        prices=prices,
    )
    return made, digest
