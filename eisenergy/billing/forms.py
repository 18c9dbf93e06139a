"""Bills as forms: what the bills of a tariff and period have in common, worked out once, with places for a customer's figures.

Ten thousand bills of a month differ in some hundred figures each. The rest of their text (labels, formulas, rates and where these came
from) is taken from a bill that :func:`eisenergy.billing.engine.bill` makes of a specimen, so nothing of it is said twice; and
each figure is computed with the same functions of the same decimals as there. A form is for the plain case: one tariff segment, every
block measured, no prices in the readings, nothing estimated, nothing to correct. What is not plain has no form and goes the general way.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from json.encoder import encode_basestring_ascii as _quoted
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from eisenergy.accounts import Contract, Sourced
from eisenergy.billing import codec
from eisenergy.billing.engine import NotBillable, bill, hours, in_force, ratios
from eisenergy.billing.model import BillLine, BlockSummary, Indicators, LineCode
from eisenergy.masters import jsontext
from eisenergy.money import ZERO, decimal_of, difference, excel_round, product, total
from eisenergy.period import NotInForce
from eisenergy.tariffs.model import DemandBasis, LossBasis
from eisenergy.usage import Peak, SlotPrices, Usage, UsageCell

if TYPE_CHECKING:
    from eisenergy.billing.batch import Terms

_OWN: Final = {
    LineCode.LOSSES: ("loss_factor", 1),
    LineCode.DISCOUNT: ("discount_rate", -1),
    LineCode.RETENTION: ("retention_rate", -1),
    LineCode.MUNICIPAL_FEE: ("municipal_fee", 1),
}
"""Lines whose price a contract may have of its own: its field, and the sign with which it is charged."""

_CHARGED: Final = (LineCode.ENERGY, LineCode.LOSSES, LineCode.FTPMS, LineCode.DEVIATION)
"""Lines that price energy block by block."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)


class Sums(NamedTuple):
    """A meter's sums as :class:`eisenergy.usage.CellSums` has them of one segment, as lists with an element per block.

    :param sums: kWh, fed in, kVArh, forecast and taken where less was taken, forecast and taken where more was
    :param peak: highest kW
    :param peak_at: UTC microseconds of the first interval that reached it
    :param counts: ties, intervals, estimated ones
    """

    sums: Sequence[Sequence[float]]
    peak: Sequence[float]
    peak_at: Sequence[int]
    counts: Sequence[Sequence[int]]


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

    :ivar prices: ``codec.prices_in_force`` of the tariff and the period
    """

    def __init__(self, terms: Terms) -> None:
        self._terms, self.prices = terms, codec.prices_in_force(terms.tariff, terms.period)
        rules = terms.tariff.rules
        self._plain = len(terms.runs.segments) == 1 and rules.demand_basis is DemandBasis.PERIOD_MAX
        self._energy_losses = rules.loss_basis is LossBasis.ENERGY
        self._known: dict[tuple[object, ...], _Form | None] = {}

    def fit(self, terms: Terms) -> bool:
        """Whether these are the forms of some terms."""
        mine, runs = self._terms, terms.runs
        return (
            (mine.tariff, mine.period, mine.timezone, mine.calendar, mine.calendar_version, mine.code_version, mine.lake_version)
            == (terms.tariff, terms.period, terms.timezone, terms.calendar, terms.calendar_version, terms.code_version, terms.lake_version)
            and (mine.runs.segments, mine.runs.blocks, mine.runs.expected, mine.runs.timezone)
            == (runs.segments, runs.blocks, runs.expected, runs.timezone)
        )  # fmt: skip

    def filled(
        self, contract: Contract, found: Sums, sources: Mapping[str, str], readings_hash: str, *, has_forecast: bool
    ) -> Filled | None:
        """Return what a contract's bill comes to, ``None`` where that is for the general way to say.

        :param found: of the contract's meter, without prices of its own
        :param sources: see :class:`eisenergy.billing.model.Provenance`, like ``readings_hash``
        """
        period = self._terms.period
        if not self._plain or in_force(contract, period) != period:
            return None
        if any(slots == 0 or estimated for _, slots, estimated in found.counts):
            return None
        if self._energy_losses and contract.loss_factor is not None:
            return None  # a price of two, with words of both
        cells = [tuple(map(decimal_of, cell)) for cell in found.sums]
        # Only what deviates has a part of its own.
        deviates = tuple([(a != b, c != d) for *_, a, b, c, d in cells]) if has_forecast else ()
        own = tuple([name for name, _ in _OWN.values() if getattr(contract, name) is not None])
        kind = (own, has_forecast, deviates)
        if kind not in self._known:
            self._known[kind] = _form(self._terms, self.prices, contract, deviates, has_forecast=has_forecast)
        form = self._known[kind]
        return None if form is None else form.fill(contract, cells, found, sources, readings_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template:
    """A text with ``%s`` for each figure, and how to take these out of all figures in the order of the text."""

    text: str
    taken: Callable[[Sequence[Any]], tuple[Any, ...]]

    def fill(self, figures: Sequence[Any]) -> str:
        """Put the figures in their places."""
        return self.text % self.taken(figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """How a line is computed.

    :param own: field of the contract with a price of its own, and the sign of the charge; ``None``: the price is the tariff's
    :param parts: which of the energies, and the tariff's rate, of each part
    """

    code: LineCode
    own: tuple[str, int] | None
    parts: tuple[tuple[int, Decimal], ...]


_Pairs = list[tuple[Decimal, Decimal]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A form of one kind of contract.

    :param expected: intervals of the period
    :param lines: in print order
    :param facts: what determines the amounts, see ``codec.facts``
    """

    terms: Terms
    expected: int
    lines: tuple[_Line, ...]
    document: _Template
    made: _Template
    facts: _Template

    def fill(
        self,
        contract: Contract,
        cells: Sequence[tuple[Decimal, ...]],
        found: Sums,
        sources: Mapping[str, str],
        readings_hash: str,
    ) -> Filled:
        """Compute the figures, in the order in which :func:`_form` has put their marks, and write them."""
        energies = _energies(cells)
        peaks = [decimal_of(kw) for kw in found.peak]
        amounts: dict[LineCode, Decimal] = {}
        figures: list[Any] = []
        bought: _Pairs = []
        for line in self.lines:
            price = None
            if line.own is not None:
                name, sign = line.own
                entry: Sourced = getattr(contract, name)
                price = entry.value if sign == 1 else product(Decimal(sign), entry.value)
                figures += (price, _inside(entry.origin))
            if line.code in _CHARGED:
                pairs = [
                    (energies[n], product(energies[n], rate if price is None else price)) for n, rate in line.parts
                ]
                quantity, exact = total([kwh for kwh, _ in pairs]), total([cost for _, cost in pairs])
            elif line.parts:
                quantity = _base(line.code, amounts, peaks)
                exact = product(quantity, line.parts[0][1] if price is None else price)
                pairs = [(quantity, exact)]
                if line.code is LineCode.DEMAND:
                    exact = total((exact,))
            else:
                pairs, quantity = [], ZERO  # it has none
                exact = total([amounts[code] for code in _ADDED[line.code]])
            bought = bought or pairs  # energy is the first
            amounts[line.code] = amount = excel_round(exact)
            figures += (quantity, exact, amount)
            for pair in pairs:
                figures += pair
        slots = 0
        for n, (ties, many, _) in enumerate(found.counts):
            slots += many
            at = (_EPOCH + timedelta(microseconds=found.peak_at[n])).isoformat()
            figures += (energies[n], total((cells[n][1],)), total((bought[n][1],)), peaks[n], at, ties, many)
        length = hours(self.terms.period, self.terms.timezone, slots, self.expected)
        kwh, kvarh, payable = total(energies[: len(cells)]), total([cell[2] for cell in cells]), amounts[LineCode.TOTAL]
        figures += [_ratio(ratio) for ratio in ratios(kwh, kvarh, max(peaks), length, payable)]
        figures += (
            self.expected - slots,
            jsontext.text(contract),
            ", ".join([f"[{_quoted(sha)}, {_quoted(name)}]" for sha, name in sources.items()]),
            readings_hash,
            _inside(contract.number),
            _inside(contract.customer.name),
            _inside(contract.meter.serial),
        )
        for line in self.lines:
            if line.own is not None:
                figures.append(codec.digits(getattr(contract, line.own[0]).value))
        return Filled(
            kwh=total(energies[: len(cells)]),
            total=payable,
            max_kw=max(peaks),
            document=self.document.fill(figures),
            made=self.made.fill(figures),
            input_hash=hashlib.sha256(self.facts.fill(figures).encode("ascii")).hexdigest(),
        )


def _energies(cells: Sequence[tuple[Decimal, ...]]) -> list[Decimal]:
    """What can be charged: energy of each block, then what each took less than forecast, then what each took more."""
    result = [total((cell[0],)) for cell in cells]
    result += [total((difference(cell[3], cell[4]),)) for cell in cells]
    result += [total((difference(cell[6], cell[5]),)) for cell in cells]
    return result


def _base(code: LineCode, amounts: Mapping[LineCode, Decimal], peaks: Sequence[Decimal]) -> Decimal:
    """What the rate of a line of one part is multiplied with."""
    if code is LineCode.DEMAND:
        return max(peaks)
    if code is LineCode.DISCOUNT:
        return total(amounts.values())
    return Decimal(1) if code is LineCode.MUNICIPAL_FEE else amounts[LineCode.SUBTOTAL]


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


class _Marks:
    """Numbers that stand in a specimen for figures to come: the first mark for the first figure, and so on."""

    def __init__(self) -> None:
        self._next = 0

    def one(self) -> Decimal:
        """The next mark."""
        self._next += 1
        return Decimal(f"{'7' * 24}{self._next - 1:05o}7")

    def texts(self, count: int) -> list[str]:
        """The next marks, as texts."""
        return [str(self.one()) for _ in range(count)]


_MARK: Final = re.compile(r"7{24}([0-7]{5})7")


def _template(text: str) -> _Template:
    """Make a template of a specimen's text."""
    places = [int(place, 8) for place in _MARK.findall(text)]
    return _Template(text=_MARK.sub("%s", text.replace("%", "%%")), taken=itemgetter(*places))


def _form(
    terms: Terms, prices: str, contract: Contract, deviates: Sequence[tuple[bool, bool]], *, has_forecast: bool
) -> _Form | None:
    """Make the form of contracts like one; ``None`` where something stands against its bill.

    :param deviates: of each block, whether less and whether more was taken than forecast
    """
    marks = _Marks()
    usage = _usage(terms, contract, deviates, has_forecast=has_forecast)
    try:
        made = bill(contract, terms.period, usage, terms.tariff, timezone=terms.timezone, calendar_name=terms.calendar)
    except (NotInForce, NotBillable):
        return None
    computed, shown = zip(*[_marked(line, contract, marks, terms.runs.blocks) for line in made.lines], strict=True)
    blocks: list[BlockSummary] = []
    moments: dict[str, str] = {}
    for block in made.blocks:
        kwh, export, cost, peak, at, ties, slots = (marks.one() for _ in range(7))
        moment = _LONG_AGO + timedelta(seconds=len(blocks))
        moments[moment.isoformat()] = str(at)
        blocks.append(
            replace(
                block, kwh=kwh, kwh_export=export, energy_amount=cost, max_kw=peak, max_kw_at=moment,
                max_kw_ties=int(ties), slots=int(slots),
            )
        )  # fmt: skip
    ratio_marks = [marks.one() for _ in range(3)]
    missing, whole, sources, readings_hash, number, name, serial = marks.texts(7)
    own = {line.own[0]: Sourced(marks.one(), "") for line in computed if line.own is not None}
    specimen = replace(
        contract,
        number=number,
        customer=replace(contract.customer, name=name),
        meter=replace(contract.meter, serial=serial),
        **own,  # type: ignore[arg-type]
    )
    made = replace(
        made,
        contract=specimen,
        lines=shown,
        blocks=tuple(blocks),
        indicators=Indicators(load_factor=ratio_marks[0], power_factor=ratio_marks[1], price_per_kwh=ratio_marks[2]),
        slots_missing=int(missing),
        provenance=terms.provenance({}, readings_hash),
    )
    text = jsontext.text(made).replace(jsontext.text(specimen), whole)
    text = text.replace('"sources": []', f'"sources": [{sources}]')
    for mark in ratio_marks:
        text = text.replace(f'"{mark}"', str(mark))
    for at_first, when in moments.items():
        text = text.replace(at_first, when)
    facts = codec.facts(
        specimen, terms.period, readings_hash, terms.tariff, timezone=terms.timezone,
        calendar_version=terms.calendar_version, code_version=terms.code_version, prices=prices,
    )  # fmt: skip
    return _Form(
        terms=terms,
        expected=made.slots_expected,
        lines=computed,
        document=_template(text),
        made=_template(json.dumps(codec.asked(made))),
        facts=_template(facts),
    )


def _marked(line: BillLine, contract: Contract, marks: _Marks, blocks: Sequence[str]) -> tuple[_Line, BillLine]:
    """Return how a line is computed, and the line with marks for what is."""
    field = _OWN.get(line.code)
    own = field if field is not None and getattr(contract, field[0]) is not None else None
    price: dict[str, Any] = {}
    if own is not None:
        price = {"rate": marks.one(), "origin": str(marks.one())}
    quantity, exact, amount = (marks.one() for _ in range(3))
    first = {"below forecast": len(blocks), "above forecast": 2 * len(blocks)}
    parts, computed = [], []
    for part in line.parts:
        computed.append((first.get(part.label, 0) + (0 if part.block is None else blocks.index(part.block)), part.rate))
        parts.append(replace(part, quantity=marks.one(), exact=marks.one(), **price))
    shown = replace(
        line,
        quantity=None if line.quantity is None else quantity,
        rate=price.get("rate", line.rate),
        exact=exact,
        amount=amount,
        parts=tuple(parts),
    )
    return _Line(code=line.code, own=own, parts=tuple(computed)), shown


def _usage(terms: Terms, contract: Contract, deviates: Sequence[tuple[bool, bool]], *, has_forecast: bool) -> Usage:
    """What a meter did that took one kWh in each block, and one more or less than forecast where that is to be."""
    one, two = Decimal(1), Decimal(2)
    runs = terms.runs
    cells = []
    for number, block in enumerate(runs.blocks):
        less, more = deviates[number] if has_forecast else (False, False)
        cells.append(
            UsageCell(
                segment=0,
                block=block,
                prices=SlotPrices(),
                kwh=one,
                kwh_export=ZERO,
                kvarh=ZERO,
                peak=Peak(kw=one, at=_EPOCH, ties=1),
                forecast_short=two if less else ZERO,
                kwh_short=one if less else ZERO,
                forecast_over=one if more else ZERO,
                kwh_over=two if more else ZERO,
                slots=1,
                estimated=0,
            )
        )
    return Usage(
        meter=contract.meter.serial,
        period=terms.period,
        timezone=runs.timezone,
        segments=runs.segments,
        blocks=runs.blocks,
        cells=tuple(cells),
        expected=dict(runs.expected),
        has_forecast=has_forecast,
    )
