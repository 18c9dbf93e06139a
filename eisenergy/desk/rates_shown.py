"""The rates inside a line of a bill, each once, with what it was multiplied by and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from eisenergy.billing.model import BillLine, BillPart
from eisenergy.money import total


@dataclass(frozen=True, slots=True, kw_only=True)
class RateShown:
    """One rate of a line.

    :param block: block concerned, ``None`` for all
    :param quantity: of everything it was multiplied by
    :param since: first day on which it is in force, ``None`` for an undated one
    :param origin: file and cell, or parameter file and line
    :param exact: unrounded amount
    """

    label: str
    block: str | None
    quantity: Decimal
    unit: str
    rate: Decimal
    rate_unit: str
    since: date | None
    origin: str
    exact: Decimal


def rates(line: BillLine) -> tuple[RateShown, ...]:
    """Return the rates of a line in the order of its parts; parts of one rate and one origin are added up, exactly."""
    groups: dict[tuple[object, ...], list[BillPart]] = {}
    for part in line.parts:
        key = (part.label, part.block, part.rate, part.rate_unit, part.rate_from, part.origin)
        groups.setdefault(key, []).append(part)
    return tuple(
        RateShown(
            label=parts[0].label,
            block=parts[0].block,
            quantity=total(part.quantity for part in parts),
            unit=parts[0].unit,
            rate=parts[0].rate,
            rate_unit=parts[0].rate_unit,
            since=parts[0].rate_from,
            origin=parts[0].origin,
            exact=total(part.exact for part in parts),
        )
        for parts in groups.values()
    )
