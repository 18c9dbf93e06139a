"""A bill: lines with quantity, rate, exact and rounded amount, and where every number came from.

The order of the lines is the workbook's: energy, demand, losses, ftpms, deviation, discount, subtotal, vat, retention,
municipal_fee, total. Amounts are signed as printed (discount and retention are negative or zero). A correction of earlier
periods adds a line ``correction`` between ``discount``, which does not apply to it, and ``subtotal``, which holds it: see
``billing.corrections``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from eisenergy.accounts import Contract
from eisenergy.findings import Finding
from eisenergy.period import Period
from eisenergy.usage import EstimatedRange


class LineCode(StrEnum):
    """The lines of a bill, in print order."""

    ENERGY = "energy"
    DEMAND = "demand"
    LOSSES = "losses"
    FTPMS = "ftpms"
    DEVIATION = "deviation"
    DISCOUNT = "discount"
    CORRECTION = "correction"
    SUBTOTAL = "subtotal"
    VAT = "vat"
    RETENTION = "retention"
    MUNICIPAL_FEE = "municipal_fee"
    TOTAL = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillPart:
    """One product inside a line: quantity times rate.

    :param block: block concerned, ``None`` for all
    :param period: days concerned, ``None`` for the whole period
    :param rate_from: first day on which the rate is in force, ``None`` for an undated one
    :param origin: where the rate came from: file and cell, or parameter file and line
    :param exact: unrounded amount
    """

    label: str
    block: str | None
    period: Period | None
    quantity: Decimal
    unit: str
    rate: Decimal
    rate_unit: str
    rate_from: date | None
    origin: str
    exact: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One printed line.

    :param quantity: what is multiplied; ``None`` for sums
    :param rate: the one rate of the line, ``None`` where the parts differ
    :param exact: unrounded amount, signed as printed
    :param amount: ``exact`` rounded once to cents
    :param formula: how the line is computed, in one English sentence
    """

    code: LineCode
    quantity: Decimal | None
    unit: str
    rate: Decimal | None
    exact: Decimal
    amount: Decimal
    formula: str
    parts: tuple[BillPart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSummary:
    """What the invoice prints per block.

    :param energy_rate: the block's rate, ``None`` when it changed inside the period
    :param energy_amount: exact energy charge of the block
    :param max_kw_at: UTC start of the interval of the maximum
    """

    block: str
    kwh: Decimal
    kwh_export: Decimal
    energy_rate: Decimal | None
    energy_amount: Decimal
    max_kw: Decimal
    max_kw_at: datetime | None
    max_kw_ties: int
    slots: int
    estimated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicators:
    """Figures that help to read the bill; none of them is billed.

    :param load_factor: mean power over maximum power
    :param power_factor: kWh over the root of kWh squared plus kVArh squared; ``None`` without reactive energy
    :param price_per_kwh: total over kWh [currency/kWh]
    """

    load_factor: Decimal | None
    power_factor: Decimal | None
    price_per_kwh: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The versions that made a bill; hashed into the invoice.

    :param lake_version: version of the readings table
    :param sources: sha256 of every file whose readings were used -> its name
    :param tariff_version: hash of the tariff
    :param calendar_version: hash of the block calendar
    :param code_version: version of eisenergy
    :param readings_hash: hash of the readings used
    """

    lake_version: int
    sources: Mapping[str, str]
    tariff_version: str
    calendar_version: str
    code_version: str
    readings_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a contract owes for a period, not yet numbered."""

    contract: Contract
    period: Period
    timezone: str
    currency: str
    tariff: str
    calendar: str
    lines: tuple[BillLine, ...]
    blocks: tuple[BlockSummary, ...]
    indicators: Indicators
    slots_expected: int
    slots_missing: int
    estimated: tuple[EstimatedRange, ...] = ()
    findings: tuple[Finding, ...] = ()
    provenance: Provenance | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)

    def line(self, code: LineCode) -> BillLine:
        """Return the line of a code. :raises KeyError: when the bill has none."""
        for line in self.lines:
            if line.code is code:
                return line
        raise KeyError(code)

    @property
    def total(self) -> Decimal:
        """What is to be paid."""
        return self.line(LineCode.TOTAL).amount

    @property
    def kwh(self) -> Decimal:
        """Energy billed [kWh]."""
        quantity = self.line(LineCode.ENERGY).quantity
        assert quantity is not None
        return quantity
