"""Bills as forms: what the bills of a tariff and period have in common, worked out once, with places for a customer's figures.

Ten thousand bills of a month differ in some hundred figures each. The rest of their text (labels, formulas, rates and where these came
from) is taken from a bill that :func:`eisenergy.billing.engine.bill` makes of a specimen, so nothing of it is said twice; and
each figure is computed with the same functions of the same decimals as there. A form is for the plain case: one tariff segment, every
block measured, no prices in the readings, nothing estimated, nothing to correct. What is not plain has no form and goes the general way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import repeat
from json.encoder import encode_basestring_ascii as _quoted
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from eisenergy.accounts import Contract, Sourced
from eisenergy.billing import codec
from eisenergy.billing.engine import hours, in_force, ratios
from eisenergy.billing.model import LineCode
from eisenergy.billing.specimen import OWN, Specimen, specimen_of
from eisenergy.masters import jsontext
from eisenergy.money import decimals_of, difference, excel_round, products, totals
from eisenergy.tariffs.model import DemandBasis, LossBasis

if TYPE_CHECKING:
    from eisenergy.billing.batch import Terms

_CHARGED: Final = (LineCode.ENERGY, LineCode.LOSSES, LineCode.FTPMS, LineCode.DEVIATION)
"""Lines that price energy block by block."""

_Column = list[Decimal]
_Kind = tuple[tuple[bool, ...], bool, tuple[tuple[bool, bool], ...]]
"""Which prices a contract has of its own, whether anything was forecast, and what deviates from it, see ``specimen``."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Plain(NamedTuple):
    """What a form is filled with.

    :param place: of the contract in what :class:`Sums` has of its batch
    :param sources: see :class:`eisenergy.billing.model.Provenance`, like ``readings_hash``
    """

    place: int
    contract: Contract
    sources: Mapping[str, str]
    readings_hash: str
    has_forecast: bool


class Sums(NamedTuple):
    """What the meters of a batch did, as :class:`eisenergy.usage.CellSums` has it, as lists: [meter][block of the one segment].

    :param sums: kWh, fed in, kVArh, forecast and taken where less was taken, forecast and taken where more was
    :param peak: highest kW
    :param peak_at: UTC microseconds of the first interval that reached it
    :param counts: ties, intervals, estimated ones
    """

    sums: Sequence[Sequence[Sequence[float]]]
    peak: Sequence[Sequence[float]]
    peak_at: Sequence[Sequence[int]]
    counts: Sequence[Sequence[Sequence[int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What is stored of a bill, see :class:`eisenergy.billing.batch.Entry`."""

    kwh: Decimal
    total: Decimal
    max_kw: Decimal
    document: str
    made: str
    input_hash: str


class Forms:
    """The forms of one tariff and period; each is made when the first contract of its kind comes.

    :ivar terms: what they have in common
    :ivar prices: ``codec.prices_in_force`` of the tariff and the period
    """

    def __init__(self, terms: Terms) -> None:
        self.terms, self.prices = terms, codec.prices_in_force(terms.tariff, terms.period)
        rules = terms.tariff.rules
        self._plain = len(terms.spans.segments) == 1 and rules.demand_basis is DemandBasis.PERIOD_MAX
        self._energy_losses = rules.loss_basis is LossBasis.ENERGY
        self._known: dict[_Kind, _Form | None] = {}

    def filled(self, plain: Sequence[Plain], found: Sums) -> dict[int, Filled]:
        """Return what the contracts' bills come to, by their places; those that the general way has to speak of are not among them."""
        result: dict[int, Filled] = {}
        mine = [one for one in plain if self._plain and self._is_plain(one, found)]
        if not mine:
            return result
        blocks = range(len(self.terms.spans.blocks))
        cells = [
            [decimals_of([found.sums[one.place][block][figure] for one in mine]) for figure in range(_FIGURES)]
            for block in blocks
        ]
        kinds: dict[_Kind, list[int]] = {}
        for n, one in enumerate(mine):
            # Only what deviates has a part of its own.
            less_more = (
                [(cell[3][n] != cell[4][n], cell[5][n] != cell[6][n]) for cell in cells] if one.has_forecast else ()
            )
            own = tuple([getattr(one.contract, name) is not None for name, _ in OWN.values()])
            kinds.setdefault((own, one.has_forecast, tuple(less_more)), []).append(n)
        for kind, members in kinds.items():
            theirs = [mine[n] for n in members]
            if kind not in self._known:
                _, has_forecast, deviates = kind
                made = specimen_of(self.terms, self.prices, theirs[0].contract, deviates, has_forecast=has_forecast)
                self._known[kind] = None if made is None else _Form(terms=self.terms, specimen=made)
            form = self._known[kind]
            if form is not None:
                some = [[[column[n] for n in members] for column in cell] for cell in cells]
                result.update(zip([one.place for one in theirs], form.fill(theirs, some, found), strict=True))
        return result

    def _is_plain(self, one: Plain, found: Sums) -> bool:
        period = self.terms.period
        return (
            in_force(one.contract, period) == period
            and all(slots and not estimated for _, slots, estimated in found.counts[one.place])
            # A price of two is told with words of both.
            and not (self._energy_losses and one.contract.loss_factor is not None)
        )


_FIGURES: Final = 7
"""Sums of a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A form of one kind of contract."""

    terms: Terms
    specimen: Specimen

    def fill(self, plain: Sequence[Plain], cells: Sequence[Sequence[_Column]], found: Sums) -> Iterator[Filled]:
        """Compute the figures of some contracts, in the order in which the specimen has their marks, and write them.

        :param cells: [block][figure], like every column with a value per contract
        """
        count, expected = len(plain), self.specimen.expected
        figures: list[Sequence[Any]] = []
        energies, peaks = _energies(cells, count), self._peaks(plain, found)
        highest = [max(these) for these in zip(*peaks, strict=True)]
        amounts: dict[LineCode, _Column] = {}
        bought: list[_Column] = []
        for line in self.specimen.lines:
            own = None
            if line.own is not None:
                name, sign = line.own
                entries: list[Sourced] = [getattr(one.contract, name) for one in plain]
                own = [entry.value for entry in entries]
                own = own if sign == 1 else products(own, repeat(Decimal(sign)))
                figures += (own, [_inside(entry.origin) for entry in entries])
            if line.code in _CHARGED:
                shares = [energies[n] for n, _ in line.parts]
                costs = [products(energies[n], repeat(rate) if own is None else own) for n, rate in line.parts]
                quantity, exact = totals(shares, count), totals(costs, count)
                bought = bought or costs  # energy is the first
            elif line.parts:
                quantity = highest if line.code is LineCode.DEMAND else _base(line.code, amounts, count)
                exact = products(quantity, repeat(line.parts[0][1]) if own is None else own)
                shares, costs = [quantity], [exact]
                if line.code is LineCode.DEMAND:
                    exact = totals(costs, count)
            else:
                shares, costs, quantity = [], [], []  # it has none
                exact = totals([amounts[code] for code in _ADDED[line.code]], count)
            amounts[line.code] = amount = list(map(excel_round, exact))
            figures += (quantity, exact, amount)
            for share, cost in zip(shares, costs, strict=True):
                figures += (share, cost)
        for n, cell in enumerate(cells):
            counts = [found.counts[one.place][n] for one in plain]
            at = [(_EPOCH + timedelta(microseconds=found.peak_at[one.place][n])).isoformat() for one in plain]
            figures += (energies[n], totals([cell[1]], count), totals([bought[n]], count), peaks[n], at)
            figures += ([ties for ties, _, _ in counts], [slots for _, slots, _ in counts])
        kwh, kvarh = totals(energies[: len(cells)], count), totals([cell[2] for cell in cells], count)
        present = [sum([slots for _, slots, _ in found.counts[one.place]]) for one in plain]
        period, zone = self.terms.period, self.terms.timezone
        lengths = [hours(period, zone, slots, expected) for slots in present]
        payable = amounts[LineCode.TOTAL]
        told = [map(_ratio, ratios(*each)) for each in zip(kwh, kvarh, highest, lengths, payable, strict=True)]
        figures += zip(*told, strict=True)
        figures += (
            [expected - slots for slots in present],
            [jsontext.text(one.contract) for one in plain],
            [", ".join([f"[{_quoted(sha)}, {_quoted(name)}]" for sha, name in one.sources.items()]) for one in plain],
            [one.readings_hash for one in plain],
            [_inside(one.contract.number) for one in plain],
            [_inside(one.contract.customer.name) for one in plain],
            [_inside(one.contract.meter.serial) for one in plain],
        )
        for line in self.specimen.lines:
            if line.own is not None:
                figures.append([codec.digits(getattr(one.contract, line.own[0]).value) for one in plain])
        texts = (
            self.specimen.document.fill(figures),
            self.specimen.made.fill(figures),
            self.specimen.facts.fill(figures),
        )
        for kwh_, total_, kw, document, made, facts in zip(kwh, payable, highest, *texts, strict=True):
            yield Filled(
                kwh=kwh_,
                total=total_,
                max_kw=kw,
                document=document,
                made=made,
                input_hash=hashlib.sha256(facts.encode("ascii")).hexdigest(),
            )

    @staticmethod
    def _peaks(plain: Sequence[Plain], found: Sums) -> list[_Column]:
        return [decimals_of(peaks) for peaks in zip(*[found.peak[one.place] for one in plain], strict=True)]


def _energies(cells: Sequence[Sequence[_Column]], count: int) -> list[_Column]:
    """What can be charged: energy of each block, then what each took less than forecast, then what each took more."""
    result = [totals([cell[0]], count) for cell in cells]
    for a, b in ((3, 4), (6, 5)):
        result += [totals([list(map(difference, cell[a], cell[b]))], count) for cell in cells]
    return result


def _base(code: LineCode, amounts: Mapping[LineCode, _Column], count: int) -> _Column:
    """What the rate of a line of one part is multiplied with."""
    if code is LineCode.DISCOUNT:
        return totals(amounts.values(), count)
    return [Decimal(1)] * count if code is LineCode.MUNICIPAL_FEE else amounts[LineCode.SUBTOTAL]


_ADDED: Final = {
    LineCode.SUBTOTAL: (
        LineCode.ENERGY, LineCode.DEMAND, LineCode.LOSSES, LineCode.FTPMS, LineCode.DEVIATION, LineCode.DISCOUNT,
    ),
    LineCode.TOTAL: (LineCode.SUBTOTAL, LineCode.VAT, LineCode.RETENTION, LineCode.MUNICIPAL_FEE),
}  # fmt: skip
"""Lines that add up others."""


def _inside(text: str) -> str:
    """A text as JSON has it between quotes."""
    return _quoted(text)[1:-1]


def _ratio(value: Decimal | None) -> str:
    return "null" if value is None else f'"{value}"'
