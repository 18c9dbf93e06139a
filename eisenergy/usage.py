"""Usage: what a meter did in a period, per tariff segment and block.

The quantities are exact decimals: a kernel sums binary kWh with compensation, and the 15-significant-digit form of such a
sum is the sum a person gets from the figures on paper (``money.decimal_of``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from eisenergy.money import total
from eisenergy.period import Period


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotPrices:
    """Prices that came with the readings themselves; ``None`` where the file carries none.

    Units: ``loss_factor``, ``ftpms``, ``cost_pos``, ``cost_neg`` in currency per kWh.
    """

    loss_factor: Decimal | None = None
    ftpms: Decimal | None = None
    cost_pos: Decimal | None = None
    cost_neg: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """A maximum of power.

    :param kw: the maximum [kW]
    :param at: UTC start of the first interval that reached it
    :param ties: how many intervals reached it (1: no tie)
    """

    kw: Decimal
    at: datetime
    ties: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCell:
    """Sums over the intervals of one tariff segment, one block and one set of per-slot prices.

    :param segment: index into ``Usage.segments``
    :param kwh: energy taken [kWh]
    :param kwh_export: energy fed in [kWh]
    :param kvarh: reactive energy [kVArh]; zero where the meter gives none
    :param peak: maximum power of the cell
    :param forecast_short: forecast over the intervals that took less than forecast [kWh]
    :param kwh_short: energy taken in those intervals [kWh]; shortfall = forecast_short - kwh_short
    :param forecast_over: forecast over the intervals that took more than forecast [kWh]
    :param kwh_over: energy taken in those intervals [kWh]; excess = kwh_over - forecast_over
    :param slots: intervals present, estimated ones included
    :param estimated: intervals that are estimates
    """

    segment: int
    block: str
    prices: SlotPrices
    kwh: Decimal
    kwh_export: Decimal
    kvarh: Decimal
    peak: Peak
    forecast_short: Decimal
    kwh_short: Decimal
    forecast_over: Decimal
    kwh_over: Decimal
    slots: int
    estimated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatedRange:
    """A run of estimated intervals.

    :param start: UTC start of the first interval
    :param end: UTC end of the last one
    :param method: how they were filled
    """

    start: datetime
    end: datetime
    slots: int
    kwh: Decimal
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one meter did in one period.

    :param segments: the period cut at every change of the tariff, in order
    :param blocks: blocks in the order of the calendar
    :param cells: one per (segment, block, per-slot prices) that has any interval, in that order
    :param expected: (segment, block) -> intervals that the calendar and the clock expect
    :param has_forecast: whether any interval carries a forecast
    """

    meter: str
    period: Period
    timezone: str
    segments: tuple[Period, ...]
    blocks: tuple[str, ...]
    cells: tuple[UsageCell, ...]
    expected: dict[tuple[int, str], int]
    has_forecast: bool

    def select(self, *, block: str | None = None, segment: int | None = None) -> tuple[UsageCell, ...]:
        """Return the cells of a block and / or a segment."""
        return tuple(
            cell
            for cell in self.cells
            if (block is None or cell.block == block) and (segment is None or cell.segment == segment)
        )

    def sum(self, quantity: Callable[[UsageCell], Decimal], *, block: str | None = None) -> Decimal:
        """Return the exact sum of one quantity over the cells of a block, or of all."""
        return total(quantity(cell) for cell in self.select(block=block))

    def kwh(self, block: str | None = None) -> Decimal:
        """Energy taken [kWh]."""
        return self.sum(lambda cell: cell.kwh, block=block)

    def peak(self, block: str | None = None) -> Peak | None:
        """Maximum power of a block, or of all; the first interval of a tie. ``None`` without intervals."""
        return highest(cell.peak for cell in self.select(block=block))

    @property
    def slots(self) -> int:
        """Intervals present, estimated ones included."""
        return sum(cell.slots for cell in self.cells)

    @property
    def estimated(self) -> int:
        """Intervals that are estimates."""
        return sum(cell.estimated for cell in self.cells)

    @property
    def missing(self) -> int:
        """Intervals expected and not present."""
        return sum(self.expected.values()) - self.slots


def highest(peaks: Iterable[Peak]) -> Peak | None:
    """Return the highest of several peaks: the earliest one of a tie, with the number of all that tie."""
    best: Peak | None = None
    for peak in peaks:
        if best is None or peak.kw > best.kw:
            best = peak
        elif peak.kw == best.kw:
            best = Peak(kw=best.kw, at=min(best.at, peak.at), ties=best.ties + peak.ties)
    return best


def shortfall(cell: UsageCell) -> Decimal:
    """Energy forecast and not taken [kWh]: sum of ``max(0, forecast - kWh)``."""
    return total((cell.forecast_short, -cell.kwh_short))


def excess(cell: UsageCell) -> Decimal:
    """Energy taken beyond the forecast [kWh]: sum of ``max(0, kWh - forecast)``."""
    return total((cell.kwh_over, -cell.forecast_over))
