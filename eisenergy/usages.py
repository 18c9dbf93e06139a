"""Usage of many meters at once, from months in which every interval is there, measured and without prices of its own.

The result is that of :func:`eisenergy.usage.measure` for each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eisenergy.blockruns import Runs
from eisenergy.period import Period
from eisenergy.usage import CellSums, SlotPrices, Usage, usage_of

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Months:
    """Readings of many meters' months.

    :param first: row of each meter's first interval of the period [int64, one per meter]
    :param kwh: energy [kWh]; no NaN within the months, like ``kw``
    :param kw: mean power [kW]
    :param kwh_export: energy fed in [kWh]; ``None``: by nobody. NaN: none
    :param kvarh: reactive energy [kVArh]; ``None``: nobody's is known. NaN: unknown
    :param forecast: energy forecast [kWh]; ``None``: nobody's. NaN: none
    :param exports: which meters have a figure of energy fed in; ``None``: any may [bool, one per meter]
    :param reactive: likewise of reactive energy
    """

    first: npt.NDArray[np.int64]
    kwh: Floats
    kw: Floats
    kwh_export: Floats | None = None
    kvarh: Floats | None = None
    forecast: Floats | None = None
    exports: npt.NDArray[np.bool_] | None = None
    reactive: npt.NDArray[np.bool_] | None = None


def measure_all(meters: Sequence[str], months: Months, runs: Runs) -> Iterator[Usage]:
    """Sum the months of many meters per tariff segment and block, and yield each meter's usage in their order.

    :param meters: serials, one per element of ``months.first``
    :param runs: the compiled calendar over the tariff segments; together they are the period
    """
    cells = sum_all(months, runs)
    period = Period(runs.segments[0].start, runs.segments[-1].end)
    rows = int((runs.end_us[-1] - runs.start_us[0]) // (runs.minutes * 60_000_000))
    for number, meter in enumerate(meters):
        first = int(months.first[number])
        known = months.forecast is not None and not bool(np.isnan(months.forecast[first : first + rows]).all())
        mine = CellSums(*(column[number] for column in cells))
        yield usage_of(meter, runs, mine, (SlotPrices(),), period=period, groups=1, has_forecast=known)


def sum_all(months: Months, runs: Runs) -> CellSums:
    """Return the sums of :func:`measure_all`, not yet decimals.

    :returns: with a leading axis, the meter; one cell per (segment, block)
    """
    from eisenergy import complete, kernels  # here: to load what is compiled takes half a second

    slot = runs.minutes * 60_000_000
    origin = int(runs.start_us[0])
    blocks = len(runs.blocks)
    slices = complete.Slices(
        start=(runs.start_us - origin) // slot,
        end=(runs.end_us - origin) // slot,
        cell=runs.segment.astype(np.int64) * blocks + runs.block,
    )
    cells = len(runs.segments) * blocks
    energy = complete.energies(months.first, months.kwh, months.kw, slices, cells)
    sums = np.zeros((len(months.first), cells, kernels.SUMS))
    sums[:, :, kernels.KWH] = energy.kwh
    for column, values, having in (
        (kernels.KWH_EXPORT, months.kwh_export, months.exports),
        (kernels.KVARH, months.kvarh, months.reactive),
    ):
        if values is None:
            continue
        if having is None:
            sums[:, :, column] = complete.sums(months.first, _zeros_for_nan(values), slices, cells)
        elif having.any():  # the months of the others need not be gone through
            some, rows = np.flatnonzero(having), int(slices.end.max(initial=0))
            found = np.concatenate([values[first : first + rows] for first in months.first[some].tolist()])
            firsts = np.arange(len(some), dtype=np.int64) * rows
            sums[some, :, column] = complete.sums(firsts, _zeros_for_nan(found), slices, cells)
    if months.forecast is not None:
        apart = complete.deviations(months.first, months.kwh, months.forecast, slices, cells)
        sums[:, :, kernels.FORECAST_SHORT : kernels.KWH_OVER + 1] = apart
    counts = np.zeros((len(months.first), cells, kernels.COUNTS), dtype=np.int64)
    counts[:, :, kernels.TIES] = energy.ties
    counts[:, :, kernels.SLOTS] = [
        runs.expected.get((cell // blocks, runs.blocks[cell % blocks]), 0) for cell in range(cells)
    ]
    return CellSums(sums, energy.peak, origin + slot * energy.peak_row, counts)


def _zeros_for_nan(values: Floats) -> Floats:
    return np.where(np.isnan(values), 0.0, values)
