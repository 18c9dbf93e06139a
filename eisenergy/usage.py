"""Usage: what a meter did in a period, per tariff segment and block.

The quantities are exact decimals: a kernel sums binary kWh with compensation, and the 15-significant-digit form of such a
sum is the sum a person gets from the figures on paper (``money.decimal_of``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from eisenergy.money import decimal_of, difference, total
from eisenergy.period import Period, Spans

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SLOTS: Final = 1  # kernels.SLOTS; whoever turns sums into usage need not load the kernels

if TYPE_CHECKING:  # billing imports the types above the line; it must not load polars, numpy or numba
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from eisenergy import kernels
    from eisenergy.blockruns import Runs


class CellSums(NamedTuple):
    """Sums of one meter, or with one more leading axis of many, as :class:`eisenergy.kernels.Cells` has them; arrays or lists.

    :param sums: [cells, columns KWH to KWH_OVER]
    :param peak: highest kW [cells]
    :param peak_at: UTC microseconds of the first interval that reached it
    :param counts: [cells, columns TIES, SLOTS, SLOTS_ESTIMATED]
    """

    sums: Any
    peak: Any
    peak_at: Any
    counts: Any


class RepeatedReadings(ValueError):
    """Readings that hold an interval twice, so that its energy would be billed twice."""


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
    return difference(cell.forecast_short, cell.kwh_short)


def excess(cell: UsageCell) -> Decimal:
    """Energy taken beyond the forecast [kWh]: sum of ``max(0, kWh - forecast)``."""
    return difference(cell.kwh_over, cell.forecast_over)


def measure(meter: str, readings: pl.DataFrame, runs: Runs, *, period: Period, timezone: str) -> Usage:
    """Sum a meter's readings per tariff segment, block and per-slot prices.

    Rows of other meters, rows outside the period and rows without ``kwh_import`` are passed over; power missing from a row is
    ``kwh_import`` per hour, reactive energy missing is ``kvar`` times the hours, deviation needs a forecast.

    :param meter: serial
    :param readings: one row per interval, columns of ``frames.READINGS``, in any order of time
    :param runs: the compiled calendar over the period's tariff segments
    :returns: exact decimals; a sum is the sum of the figures on paper while it has 15 digits at most
    :raises RepeatedReadings: when an interval is there twice
    :raises ValueError: when ``runs`` were compiled for another period or zone
    :raises NotFinite: when a figure is infinite

    Notes: per cell ``kwh = sum kWh[i]``, ``peak = max kW[i]``, ``forecast_short - kwh_short = sum max(0, forecast[i] - kWh[i])``,
    ``kwh_over - forecast_over = sum max(0, kWh[i] - forecast[i])``.

    Source: requirements of EIS Power, "The bill"; workbook cells B11:H14.
    """
    import polars as pl

    from eisenergy import kernels

    rows = readings.filter(pl.col("meter") == meter).sort("start")
    prices, group = price_groups(rows)
    columns = kernels.Columns(
        start=rows["start"].to_physical().to_numpy(),
        kwh=_floats(rows["kwh_import"]),
        kwh_export=_floats(rows["kwh_export"]),
        kvarh=_floats(rows["kvarh"]),
        kvar=_floats(rows["kvar"]),
        kw=_floats(rows["kw"]),
        forecast=_floats(rows["forecast_kwh"]),
        estimated=(rows["quality"] == "estimated").to_numpy(),
        group=group,
    )
    cells = cells_of(meter, columns, len(prices), runs, period=period, timezone=timezone)
    return usage_of(
        meter,
        runs,
        cells,
        prices,
        period=period,
        groups=len(prices),
        has_forecast=bool(cells.tallies[kernels.FORECASTS]),
    )


def cells_of(
    meter: str, columns: kernels.Columns, groups: int, runs: Runs, *, period: Period, timezone: str
) -> kernels.Cells:
    """Sum a meter's readings as :func:`measure` does, up to the usage.

    :param columns: the meter's rows, sorted by ``start``
    :param groups: how many sets of per-slot prices ``columns.group`` numbers
    """
    import numpy as np

    from eisenergy import kernels

    span = Period(runs.segments[0].start, runs.segments[-1].end)
    if (span, runs.timezone) != (period, timezone):
        raise ValueError(
            f"meter {meter}: the calendar was compiled for {span} in {runs.timezone}, the usage is asked for {period} in "
            f"{timezone}. Compile it with compile_runs for that period."
        )
    cells = kernels.sum_cells(
        columns,
        kernels.Calendar(
            start=runs.start_us,
            end=runs.end_us,
            cell=(runs.segment.astype(np.int64) * len(runs.blocks) + runs.block) * groups,
        ),
        cells=len(runs.segments) * len(runs.blocks) * groups,
        hours=runs.minutes / 60,
    )
    if cells.tallies[kernels.REPEATED]:
        raise RepeatedReadings(
            f"meter {meter}: {cells.tallies[kernels.REPEATED]} intervals of {period} are there twice. Each interval has one row; "
            "drop the repeats before measuring."
        )
    return cells


def usage_of(
    meter: str,
    runs: Runs | Spans,
    cells: kernels.Cells | CellSums,
    prices: Sequence[SlotPrices],
    *,
    period: Period,
    groups: int,
    has_forecast: bool,
) -> Usage:
    """Return what a kernel summed as a meter's usage.

    :param cells: of one meter, ``groups`` per (segment, block)
    :param prices: the meter's sets of per-slot prices, ``groups`` at most
    """
    sums, peak, peak_at, counts = map(_listed, (cells.sums, cells.peak, cells.peak_at, cells.counts))
    return Usage(
        meter=meter,
        period=period,
        timezone=runs.timezone,
        segments=runs.segments,
        blocks=runs.blocks,
        cells=tuple(
            [
                _cell(number, sums[number], peak[number], peak_at[number], count, runs.blocks, prices, groups)
                for number, count in enumerate(counts)
                if count[_SLOTS]
            ]
        ),
        expected=dict(runs.expected),
        has_forecast=has_forecast,
    )


def _listed(column: Any) -> list[Any]:
    result: list[Any] = column if isinstance(column, list) else column.tolist()
    return result


def _cell(
    number: int,
    sums: Sequence[float],
    peak: float,
    peak_at: int,
    counts: Sequence[int],
    blocks: tuple[str, ...],
    prices: Sequence[SlotPrices],
    groups: int,
) -> UsageCell:
    rest, group = divmod(number, groups)
    segment, block = divmod(rest, len(blocks))
    kwh, export, kvarh, forecast_short, kwh_short, forecast_over, kwh_over = map(decimal_of, sums)
    ties, slots, estimated = counts
    return UsageCell(
        segment=segment,
        block=blocks[block],
        prices=prices[group],
        kwh=kwh,
        kwh_export=export,
        kvarh=kvarh,
        peak=Peak(
            kw=decimal_of(peak),
            at=_EPOCH + timedelta(microseconds=peak_at),
            ties=ties,
        ),
        forecast_short=forecast_short,
        kwh_short=kwh_short,
        forecast_over=forecast_over,
        kwh_over=kwh_over,
        slots=slots,
        estimated=estimated,
    )


def _floats(column: pl.Series) -> npt.NDArray[np.float64]:
    """Return a column as floats, NaN for null."""
    return column.fill_null(float("nan")).to_numpy()


def price_groups(rows: pl.DataFrame) -> tuple[list[SlotPrices], npt.NDArray[np.int32]]:
    """Number the distinct sets of per-slot prices in order of time; prices are the same when 15 digits of them are."""
    import numpy as np

    columns = rows.select("loss_factor", "ftpms", "cost_pos", "cost_neg").fill_nan(None)
    group = np.zeros(len(rows), dtype=np.int32)
    if all(column.null_count() == len(column) for column in columns):
        return [SlotPrices()], group
    numbers: dict[tuple[Decimal | None, ...], int] = {}
    seen: dict[tuple[float | None, ...], int] = {}
    for position, row in enumerate(columns.iter_rows()):
        number = seen.get(row)
        if number is None:
            key = tuple(None if price is None else decimal_of(price) for price in row)
            number = seen[row] = numbers.setdefault(key, len(numbers))
        group[position] = number
    prices = [SlotPrices(loss_factor=a, ftpms=b, cost_pos=c, cost_neg=d) for a, b, c, d in numbers]
    return prices or [SlotPrices()], group
