"""Bills as forms: what the bills of a tariff and period have in common, worked out once, with places for a customer's figures.

Ten thousand bills of a month differ in some hundred figures each. The rest of their text (labels, formulas, rates and where these came
from) is taken from a bill that :func:`eisenergy.billing.engine.bill` makes of a specimen, so nothing of it is said twice; and
each figure is computed with the same functions of the same decimals as there. A form is for the plain case: every block measured in every
tariff segment, no prices in the readings, nothing estimated, nothing to correct. What is not plain has no form and goes the general way.
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
from eisenergy.billing.specimen import CHARGED, MOST_CELLS, OWN, Part, Specimen, specimen_of
from eisenergy.masters import jsontext
from eisenergy.money import decimals_of, difference, excel_round, product, products, quotient, totals
from eisenergy.tariffs.model import DemandBasis, LossBasis

if TYPE_CHECKING:
    from eisenergy.billing.batch import Terms

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
    """What the meters of a batch did, as :class:`eisenergy.usage.CellSums` has it, as lists: [meter][cell], a segment's blocks together.

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
        self._cells = len(terms.spans.segments) * len(terms.spans.blocks)
        self._plain = self._cells <= MOST_CELLS and rules.demand_basis is DemandBasis.PERIOD_MAX
        self._energy_losses = rules.loss_basis is LossBasis.ENERGY
        self._known: dict[_Kind, _Form | None] = {}

    def filled(self, plain: Sequence[Plain], found: Sums) -> dict[int, Filled]:
        """Return what the contracts' bills come to, by their places; those that the general way has to speak of are not among them."""
        result: dict[int, Filled] = {}
        mine = [one for one in plain if self._plain and self._is_plain(one, found)]
        if not mine:
            return result
        cells = [
            [decimals_of([found.sums[one.place][cell][figure] for one in mine]) for figure in range(_FIGURES)]
            for cell in range(self._cells)
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
"""Sums of a cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A form of one kind of contract."""

    terms: Terms
    specimen: Specimen

    def fill(self, plain: Sequence[Plain], cells: Sequence[Sequence[_Column]], found: Sums) -> Iterator[Filled]:
        """Compute the figures of some contracts, in the order in which the specimen has their marks, and write them.

        :param cells: [cell][figure], like every column with a value per contract
        """
        count, expected = len(plain), self.specimen.expected
        figures: list[Sequence[Any]] = []
        energies, peaks = _energies(cells, count), self._peaks(plain, found)
        highest = [max(these) for these in zip(*peaks, strict=True)]
        amounts: dict[LineCode, _Column] = {}
        bought: dict[str | None, list[_Column]] = {}
        for line in self.specimen.lines:
            own = None
            if line.own is not None:
                name, sign = line.own
                entries: list[Sourced] = [getattr(one.contract, name) for one in plain]
                own = [entry.value for entry in entries]
                own = own if sign == 1 else products(own, repeat(Decimal(sign)))
                figures += (own, [_inside(entry.origin) for entry in entries])
            if line.code in CHARGED:
                shares = [totals([energies[n] for n in part.energies], count) for part in line.parts]
                costs = [
                    products(share, repeat(part.rate) if own is None else own)
                    for part, share in zip(line.parts, shares, strict=True)
                ]
                quantity, exact = totals(shares, count), totals(costs, count)
                if line.code is LineCode.ENERGY:
                    for part, cost in zip(line.parts, costs, strict=True):
                        bought.setdefault(part.block, []).append(cost)
            elif line.code is LineCode.DEMAND:
                quantity = highest
                shares, costs = _weighted(highest, line.parts, Decimal(self.terms.period.days))
                exact = totals(costs, count)
            elif line.parts:
                quantity = _base(line.code, amounts, count)
                exact = products(quantity, repeat(line.parts[0].rate) if own is None else own)
                shares, costs = [quantity], [exact]
            else:
                shares, costs, quantity = [], [], []  # it has none
                exact = totals([amounts[code] for code in _ADDED[line.code]], count)
            amounts[line.code] = amount = list(map(excel_round, exact))
            figures += (quantity, exact, amount)
            for share, cost in zip(shares, costs, strict=True):
                figures += (share, cost)
        blocks = self.terms.spans.blocks
        for n, block in enumerate(blocks):
            mine = range(n, len(cells), len(blocks))  # the block's cells
            tops = [
                _top(*each) for each in zip(*[_tops(plain, found, cell, peaks[cell]) for cell in mine], strict=True)
            ]
            figures += (
                totals([energies[cell] for cell in mine], count),
                totals([cells[cell][1] for cell in mine], count),
                totals(bought.get(block, ()), count),
            )
            figures += zip(*tops, strict=True)
            figures.append([sum([found.counts[one.place][cell][1] for cell in mine]) for one in plain])
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


def _weighted(highest: _Column, parts: Sequence[Part], days: Decimal) -> tuple[list[_Column], list[_Column]]:
    """Quantities and costs of demand: one of each rate, weighted by its days where there are several."""
    if len(parts) == 1:
        return [highest], [products(highest, repeat(parts[0].rate))]
    return (
        [[quotient(product(kw, part.days), days) for kw in highest] for part in parts],
        [[quotient(product(kw, part.rate, part.days), days) for kw in highest] for part in parts],
    )


def _tops(plain: Sequence[Plain], found: Sums, cell: int, peaks: _Column) -> Iterator[tuple[Decimal, int, int]]:
    """The highest power of a cell, UTC microseconds of the first interval that reached it, and how many did."""
    for one, kw in zip(plain, peaks, strict=True):
        yield kw, found.peak_at[one.place][cell], found.counts[one.place][cell][0]


def _top(*tops: tuple[Decimal, int, int]) -> tuple[Decimal, str, int]:
    """The highest of several cells, see :func:`eisenergy.usage.highest`."""
    kw, at, ties = tops[0]
    for other, when, count in tops[1:]:
        if other > kw:
            kw, at, ties = other, when, count
        elif other == kw:
            at, ties = min(at, when), ties + count
    return kw, (_EPOCH + timedelta(microseconds=at)).isoformat(), ties


def _energies(cells: Sequence[Sequence[_Column]], count: int) -> list[_Column]:
    """What can be charged: energy of each cell, then what each took less than forecast, then what each took more."""
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
