"""A tariff without gaps: what a bill needs no missing rate for can then be computed all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from eisenergy.accounts import Sourced
from eisenergy.period import Dated, Period
from eisenergy.tariffs.model import RateKind, ScalarKind, Tariff

if TYPE_CHECKING:
    from eisenergy.workbook.expected import Expected
    from eisenergy.workbook.input_model import Inputs

_NEEDED: Final = (RateKind.ENERGY, RateKind.DEMAND)
"""Rates without which there is no bill; the others are needed where the tariff has them for any block."""


def complete(inputs: Inputs, expected: Expected, compute: Callable[[Inputs], Expected]) -> None:
    """Add to what was computed everything that needs none of the rates that are not in force.

    :param compute: computes everything from inputs
    """
    tariff, calendar, period = inputs.tariff, inputs.calendar, inputs.period
    if tariff is None or calendar is None or period is None:
        return
    one, other = (
        compute(replace(inputs, tariff=filled(tariff, calendar.blocks, period, Decimal(rate)))) for rate in (1, 2)
    )
    for key, value in one.values.items():
        if key not in expected.values and other.values.get(key) == value:
            expected.values[key] = value
            expected.words.setdefault(key[0], one.words.get(key[0], lambda _: ""))


def filled(tariff: Tariff, blocks: Iterable[str], period: Period, value: Decimal) -> Tariff:
    """Return the tariff with an invented value wherever a rate or value that a bill needs is not in force.

    What comes out the same with two different values needs none of them.

    :param blocks: the calendar's
    :param period: from whose first day on everything is to be in force
    :param value: the invented rate [currency per unit, or a share]
    """
    invented = Sourced(value, "no rate is in force")
    names = tuple(blocks)
    rates: dict[RateKind, dict[str, Dated[Sourced]]] = {}
    demand = tariff.rules.demand_rate_block
    for kind in dict.fromkeys((*_NEEDED, *tariff.rates)):
        known = tariff.rates.get(kind, {})
        rates[kind] = {
            name: _throughout(period, known.get(name) or Dated(f"{kind} rate of {name}", ()), invented)
            for name in dict.fromkeys((*known, *names))
        }
        lacking = [name for name, dated in rates[kind].items() if dated != known.get(name)]
        if kind is RateKind.DEMAND and demand is None and lacking:
            demand = lacking[0]  # no block's rate is everybody's where one of them is unknown
    never: Dated[Sourced] = Dated(str(ScalarKind.VAT_RATE), ())
    return replace(
        tariff,
        rates=rates,
        scalars={
            kind: _throughout(period, dated, invented)
            for kind, dated in ({ScalarKind.VAT_RATE: never} | dict(tariff.scalars)).items()
        },
        rules=replace(tariff.rules, demand_rate_block=demand),
    )


def _throughout(period: Period, dated: Dated[Sourced], invented: Sourced) -> Dated[Sourced]:
    values = tuple((start, invented if value is None else value) for start, value in dated.values)
    if not values or values[0][0] > period.start:
        values = ((period.start, invented), *values)
    return Dated(dated.name, values)
