"""A tariff: rates per block and scalar values, each dated and each with its source, and the rules of the bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from eisenergy.accounts import Sourced
from eisenergy.period import Dated, NotInForce, Period


class RateKind(StrEnum):
    """What a rate per block prices. Units are in :data:`UNITS`."""

    ENERGY = "energy"
    DEMAND = "demand"
    FTPMS = "ftpms"
    COST_POS = "cost_pos"
    COST_NEG = "cost_neg"


class ScalarKind(StrEnum):
    """A dated value that does not depend on the block."""

    VAT_RATE = "vat_rate"
    RETENTION_RATE = "retention_rate"
    LOSS_FACTOR = "loss_factor"
    DISCOUNT_RATE = "discount_rate"
    MUNICIPAL_FEE = "municipal_fee"


UNITS: dict[str, str] = {
    RateKind.ENERGY: "USD/kWh",
    RateKind.DEMAND: "USD/kW",
    RateKind.FTPMS: "USD/kWh",
    RateKind.COST_POS: "USD/kWh",
    RateKind.COST_NEG: "USD/kWh",
    ScalarKind.VAT_RATE: "1",
    ScalarKind.RETENTION_RATE: "1",
    ScalarKind.LOSS_FACTOR: "USD/kWh",
    ScalarKind.DISCOUNT_RATE: "1",
    ScalarKind.MUNICIPAL_FEE: "USD",
}


class DemandBasis(StrEnum):
    """What the demand charge is measured on."""

    PERIOD_MAX = "period_max"  # one maximum over the whole period
    BLOCK_MAX = "block_max"  # a maximum per block, each at its block's rate


class LossBasis(StrEnum):
    """What the loss factor multiplies."""

    CHARGE_PER_KWH = "charge_per_kwh"  # sum kWh * factor: the workbook's reading
    ENERGY = "energy"  # sum kWh * factor * energy rate


class DeviationMode(StrEnum):
    """Which deviations from the forecast are charged."""

    SHORTFALL = "shortfall"  # less taken than forecast, at cost_neg
    BOTH = "both"  # more taken too, at cost_pos


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingRules:
    """The options of the bill.

    :param demand_rate_block: block whose demand rate prices the period's maximum (basis ``period_max``);
        ``None``: all blocks must have the same rate on every day, otherwise the bill is refused
    :param ftpms_blocks: blocks in which FTPMS applies
    """

    demand_basis: DemandBasis = DemandBasis.PERIOD_MAX
    demand_rate_block: str | None = None
    loss_basis: LossBasis = LossBasis.CHARGE_PER_KWH
    ftpms_blocks: tuple[str, ...] = ("PUNTA",)
    deviation_mode: DeviationMode = DeviationMode.SHORTFALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Dated rates and values under one name.

    :param calendar: name of the block calendar
    :param rates: kind -> block -> dated rate
    :param scalars: kind -> dated value
    :param version: hash of everything above, see ``tariffs.load``
    """

    name: str
    currency: str
    calendar: str
    rates: Mapping[RateKind, Mapping[str, Dated[Sourced]]]
    scalars: Mapping[ScalarKind, Dated[Sourced]]
    rules: BillingRules = field(default_factory=BillingRules)
    version: str = ""
    _cuts: dict[Period, tuple[Period, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def blocks(self) -> tuple[str, ...]:
        """Blocks that have an energy rate, in the order of the tariff."""
        return tuple(self.rates.get(RateKind.ENERGY, {}))

    def rate(self, kind: RateKind, block: str, day: date) -> tuple[date, Sourced]:
        """Return ``(valid from, rate)`` in force for a block on a local date.

        :raises NotInForce: when the tariff has no such rate for the block, or none on that date
        """
        dated = self.rates.get(kind, {}).get(block)
        if dated is None:
            raise NotInForce(f"tariff {self.name}, {kind} rate of block {block}", day)
        return dated.entry(day)

    def has(self, kind: RateKind, block: str) -> bool:
        """Say whether the tariff knows such a rate for the block at all."""
        return block in self.rates.get(kind, {})

    def scalar(self, kind: ScalarKind, day: date) -> tuple[date, Sourced] | None:
        """Return ``(valid from, value)`` in force, ``None`` when the tariff does not carry the value at all.

        :raises NotInForce: when the tariff carries the value, but none on that date
        """
        dated = self.scalars.get(kind)
        return None if dated is None else dated.entry(day)

    def segments(self, period: Period) -> tuple[Period, ...]:
        """Cut a period at every date on which any rate or value changes."""
        if period in self._cuts:
            return self._cuts[period]
        starts = [start for by_block in self.rates.values() for dated in by_block.values() for start in dated.starts]
        starts += [start for dated in self.scalars.values() for start in dated.starts]
        self._cuts[period] = found = period.split(tuple(starts))
        return found
