"""Which price applies: the most specific one wins.

A column of the readings beats the contract (the customer master), and the contract beats the tariff. A price that one of
them carries for some cases but not for this one is an error, never zero; a price that nobody carries at all means that the
charge is not part of the bill.

Source: requirements of EIS Power, "The bill (must equal the workbook)".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from eisenergy.accounts import Contract, Sourced
from eisenergy.period import NotInForce, Period
from eisenergy.tariffs.model import RateKind, ScalarKind, Tariff
from eisenergy.usage import Usage, UsageCell


class NotBillable(ValueError):
    """Usage, contract, tariff and rules that do not fit each other. Says what was found and what to do."""


class AmbiguousDemandRate(NotBillable):
    """The blocks' demand rates differ and the rules do not say which one prices the period's maximum."""


class UnknownBlock(NotBillable):
    """The rules name a block that the calendar does not have."""


@dataclass(frozen=True, slots=True)
class Price:
    """A price, where it came from, and since when it is in force (``None`` for an undated one)."""

    value: Decimal
    origin: str
    since: date | None


def last_day(period: Period) -> date:
    """Return the last local day of a period: the date of the taxable event, at which taxes are looked up."""
    return period.end - timedelta(days=1)


def of_contract(entry: Sourced) -> Price:
    """Return a value of the customer master as an undated price."""
    return Price(entry.value, entry.origin, None)


def of_contract_or_tariff(own: Sourced | None, tariff: Tariff, kind: ScalarKind, period: Period) -> Price:
    """Return the contract's own value, else the tariff's on the last day of the period, else zero.

    :raises NotInForce: when the contract has none and the tariff carries one, but none on that day
    """
    if own is not None:
        return of_contract(own)
    entry = tariff.scalar(kind, last_day(period))
    if entry is None:
        return Price(Decimal(0), f"none in the customer master, none in tariff {tariff.name}", None)
    return Price(entry[1].value, entry[1].origin, entry[0])


def of_block(tariff: Tariff, kind: RateKind, block: str, day: date) -> Price:
    """Return the tariff's price for a block on a local date. :raises NotInForce: when there is none."""
    since, rate = tariff.rate(kind, block, day)
    return Price(rate.value, rate.origin, since)


def per_slot(usage: Usage, cell: UsageCell, column: str) -> Price | None:
    """Return the price that came with the readings themselves, ``None`` where they carry none.

    :param column: canonical name: ``loss_factor``, ``ftpms``, ``cost_pos`` or ``cost_neg``
    """
    value: Decimal | None = getattr(cell.prices, column)
    return None if value is None else Price(value, f"column {column} of the readings of meter {usage.meter}", None)


def of_slot_or_block(usage: Usage, cell: UsageCell, tariff: Tariff, kind: RateKind) -> Price:
    """Return the readings' own price, else the tariff's for the cell's block and first day.

    :raises NotInForce: when neither has one
    """
    own = per_slot(usage, cell, kind.value)
    return own or of_block(tariff, kind, cell.block, usage.segments[cell.segment].start)


def carried(usage: Usage, tariff: Tariff, kind: RateKind) -> bool:
    """Say whether anybody carries such a price at all: the tariff for any block, or the readings for any interval."""
    return bool(tariff.rates.get(kind)) or any(getattr(cell.prices, kind.value) is not None for cell in usage.cells)


def loss_factor(usage: Usage, cell: UsageCell, contract: Contract, tariff: Tariff) -> Price | None:
    """Return the loss factor of a cell, ``None`` when neither readings nor contract nor tariff carry one.

    :raises NotInForce: when the tariff carries one, but none on the cell's first day
    """
    own = per_slot(usage, cell, "loss_factor")
    if own is not None:
        return own
    if contract.loss_factor is not None:
        return of_contract(contract.loss_factor)
    entry = tariff.scalar(ScalarKind.LOSS_FACTOR, usage.segments[cell.segment].start)
    return None if entry is None else Price(entry[1].value, entry[1].origin, entry[0])


def vat(tariff: Tariff, period: Period) -> Price:
    """Return the VAT rate in force on the last day of the period.

    A supply that goes on over time is taxed when its period ends, so a rate that changes inside the month applies to the
    whole bill of that month.

    :raises NotInForce: when the tariff has no VAT rate on that day, or none at all
    """
    day = last_day(period)
    entry = tariff.scalar(ScalarKind.VAT_RATE, day)
    if entry is None:
        raise NotInForce(f"tariff {tariff.name}, {ScalarKind.VAT_RATE}", day)
    return Price(entry[1].value, entry[1].origin, entry[0])


def demand_of_period(tariff: Tariff, day: date) -> Price:
    """Return the one demand rate that prices the period's maximum on a local date.

    :raises NotInForce: when the tariff has no demand rate, or none on that date
    :raises AmbiguousDemandRate: when the blocks' rates differ and ``demand_rate_block`` names none of them
    """
    chosen = tariff.rules.demand_rate_block
    if chosen is not None:
        return of_block(tariff, RateKind.DEMAND, chosen, day)
    blocks = tuple(tariff.rates.get(RateKind.DEMAND, {}))
    if not blocks:
        raise NotInForce(f"tariff {tariff.name}, {RateKind.DEMAND} rate", day)
    prices = {block: of_block(tariff, RateKind.DEMAND, block, day) for block in blocks}
    if len({price.value for price in prices.values()}) > 1:
        found = ", ".join(f"{block} {price.value} ({price.origin})" for block, price in prices.items())
        raise AmbiguousDemandRate(
            f"tariff {tariff.name}: the demand rates of the blocks differ on {day:%Y-%m-%d}: {found}. The demand basis "
            f"period_max prices one maximum and needs one rate: set the rule demand_rate_block to one of "
            f"{', '.join(blocks)}, or the rule demand_basis to block_max."
        )
    return prices[blocks[0]]
