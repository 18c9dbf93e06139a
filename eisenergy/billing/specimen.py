"""A specimen of a bill: what the bills of one kind have in common, as texts with places for figures.

The general way makes it, :func:`eisenergy.billing.engine.bill`, of a meter that took one kWh in the first cell, two in the second, four
in the third: what a line charges then says of which cells it is. A mark stands wherever a figure comes. A cell is a block in a segment of
the tariff, see :class:`eisenergy.usage.UsageCell`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from eisenergy.accounts import Contract, Sourced
from eisenergy.billing import codec
from eisenergy.billing.engine import NotBillable, bill
from eisenergy.billing.model import BillLine, BlockSummary, Indicators, LineCode
from eisenergy.masters import jsontext
from eisenergy.money import ZERO
from eisenergy.period import NotInForce, Period
from eisenergy.usage import Peak, SlotPrices, Usage, UsageCell

if TYPE_CHECKING:
    from eisenergy.billing.batch import Terms

OWN: Final = {
    LineCode.LOSSES: ("loss_factor", 1),
    LineCode.DISCOUNT: ("discount_rate", -1),
    LineCode.RETENTION: ("retention_rate", -1),
    LineCode.MUNICIPAL_FEE: ("municipal_fee", 1),
}
"""Lines whose price a contract may have of its own: its field, and the sign with which it is charged."""

CHARGED: Final = (LineCode.ENERGY, LineCode.LOSSES, LineCode.FTPMS, LineCode.DEVIATION)
"""Lines that price energy cell by cell."""

MOST_CELLS: Final = 150
"""Of more, the kWh of a specimen that took all of them would not be exact, see :data:`eisenergy.money.EXACT`."""

_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text with ``%s`` for each figure, and the figures' numbers in the order of the text."""

    text: str
    places: tuple[int, ...]

    def fill(self, figures: Sequence[Sequence[Any]]) -> list[str]:
        """Put figures in their places. :param figures: of each figure a value per text"""
        text = self.text
        return [text % values for values in zip(*[figures[place] for place in self.places], strict=True)]


class Part(NamedTuple):
    """How a part of a line is computed.

    :param energies: which energies it charges: taken in a cell, then what each took less than forecast, then what each took more
    :param rate: the tariff's
    :param days: for which its rate is in force
    """

    energies: tuple[int, ...]
    rate: Decimal
    block: str | None
    days: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How a line is computed.

    :param own: field of the contract with a price of its own, and the sign of the charge; ``None``: the price is the tariff's
    """

    code: LineCode
    own: tuple[str, int] | None
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """What the bills of one kind have in common. The figures of its texts are numbered line by line, then come those of the blocks, then the rest.

    :param expected: intervals of the period
    :param lines: in print order
    :param facts: what determines the amounts, see ``codec.facts``
    """

    expected: int
    lines: tuple[Line, ...]
    document: Template
    made: Template
    facts: Template


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


def _template(text: str) -> Template:
    """Make a template of a specimen's text."""
    places = [int(place, 8) for place in _MARK.findall(text)]
    return Template(text=_MARK.sub("%s", text.replace("%", "%%")), places=tuple(places))


def specimen_of(
    terms: Terms, prices: str, contract: Contract, deviates: Sequence[tuple[bool, bool]], *, has_forecast: bool
) -> Specimen | None:
    """Make the specimen of contracts like one; ``None`` where something stands against its bill.

    :param prices: ``codec.prices_in_force`` of the tariff and the period
    :param deviates: of each cell, whether less and whether more was taken than forecast; nothing without a forecast
    """
    marks = _Marks()
    usage = _usage(terms, contract, deviates, has_forecast=has_forecast)
    try:
        made = bill(contract, terms.period, usage, terms.tariff, timezone=terms.timezone, calendar_name=terms.calendar)
    except (NotInForce, NotBillable):
        return None
    count = len(terms.spans.segments) * len(terms.spans.blocks)
    computed, shown = zip(*[_marked(line, contract, marks, count, terms.period) for line in made.lines], strict=True)
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
    return Specimen(
        expected=made.slots_expected,
        lines=computed,
        document=_template(text),
        made=_template(json.dumps(codec.asked(made))),
        facts=_template(facts),
    )


def _marked(line: BillLine, contract: Contract, marks: _Marks, cells: int, period: Period) -> tuple[Line, BillLine]:
    """Return how a line is computed, and the line with marks for what is. :param cells: how many there are"""
    field = OWN.get(line.code)
    own = field if field is not None and getattr(contract, field[0]) is not None else None
    price: dict[str, Any] = {}
    if own is not None:
        price = {"rate": marks.one(), "origin": str(marks.one())}
    quantity, exact, amount = (marks.one() for _ in range(3))
    first = {"below forecast": cells, "above forecast": 2 * cells}
    parts, computed = [], []
    for part in line.parts:
        charged = int(part.quantity) if line.code in CHARGED else 0
        energies = tuple([first.get(part.label, 0) + n for n in range(cells) if charged >> n & 1])
        computed.append(Part(energies, part.rate, part.block, Decimal((part.period or period).days)))
        parts.append(replace(part, quantity=marks.one(), exact=marks.one(), **price))
    shown = replace(
        line,
        quantity=None if line.quantity is None else quantity,
        rate=price.get("rate", line.rate),
        exact=exact,
        amount=amount,
        parts=tuple(parts),
    )
    return Line(code=line.code, own=own, parts=tuple(computed)), shown


def _usage(terms: Terms, contract: Contract, deviates: Sequence[tuple[bool, bool]], *, has_forecast: bool) -> Usage:
    """What a meter did that took as many kWh in a cell as say which it is, and as many more or less than forecast where that is to be."""
    spans = terms.spans
    cells = []
    for number in range(len(spans.segments) * len(spans.blocks)):
        segment, block = divmod(number, len(spans.blocks))
        less, more = deviates[number] if has_forecast else (False, False)
        once, twice = Decimal(1 << number), Decimal(2 << number)
        cells.append(
            UsageCell(
                segment=segment,
                block=spans.blocks[block],
                prices=SlotPrices(),
                kwh=once,
                kwh_export=ZERO,
                kvarh=ZERO,
                peak=Peak(kw=Decimal(1), at=_LONG_AGO, ties=1),
                forecast_short=twice if less else ZERO,
                kwh_short=once if less else ZERO,
                forecast_over=once if more else ZERO,
                kwh_over=twice if more else ZERO,
                slots=1,
                estimated=0,
            )
        )
    return Usage(
        meter=contract.meter.serial,
        period=terms.period,
        timezone=spans.timezone,
        segments=spans.segments,
        blocks=spans.blocks,
        cells=tuple(cells),
        expected=dict(spans.expected),
        has_forecast=has_forecast,
    )
