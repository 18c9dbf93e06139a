"""Usage of many meters at once, from months in which every interval is there, measured and without prices of its own.

The result is that of :func:`eisenergy.usage.measure` for each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from eisenergy import complete
from eisenergy.money import ZERO, decimal_of
from eisenergy.period import Period
from eisenergy.timeofuse import Runs
from eisenergy.usage import Peak, SlotPrices, Usage, UsageCell

Floats = npt.NDArray[np.float64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Months:
    """Readings of many meters' months.

    :param first: row of each meter's first interval of the period [int64, one per meter]
    :param kwh: energy [kWh]; no NaN within the months, like ``kw``
    :param kw: mean power [kW]
    :param kwh_export: energy fed in [kWh]; ``None``: by nobody. NaN: none
    :param kvarh: reactive energy [kVArh]; ``None``: nobody's is known. NaN: unknown
    :param forecast: energy forecast [kWh]; ``None``: nobody's. NaN: none
    """

    first: npt.NDArray[np.int64]
    kwh: Floats
    kw: Floats
    kwh_export: Floats | None = None
    kvarh: Floats | None = None
    forecast: Floats | None = None


def measure_all(meters: Sequence[str], months: Months, runs: Runs) -> Iterator[Usage]:
    """Sum the months of many meters per tariff segment and block, and yield each meter's usage in their order.

    :param meters: serials, one per element of ``months.first``
    :param runs: the compiled calendar over the tariff segments; together they are the period
    """
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
    export, kvarh = (
        None if column is None else complete.sums(months.first, np.nan_to_num(column, nan=0.0), slices, cells)
        for column in (months.kwh_export, months.kvarh)
    )
    apart = None
    if months.forecast is not None:
        apart = complete.deviations(months.first, months.kwh, months.forecast, slices, cells)
    period = Period(runs.segments[0].start, runs.segments[-1].end)
    rows = int(slices.end[-1])
    for number, meter in enumerate(meters):
        first = int(months.first[number])
        found = []
        for cell in range(cells):
            segment, block = divmod(cell, blocks)
            slots = runs.expected.get((segment, runs.blocks[block]), 0)
            if not slots:
                continue
            at = (number, cell)
            deviation = [ZERO] * complete.DEVIATIONS if apart is None else [decimal_of(float(x)) for x in apart[at]]
            found.append(
                UsageCell(
                    segment=segment,
                    block=runs.blocks[block],
                    prices=_NO_PRICES,
                    kwh=decimal_of(float(energy.kwh[at])),
                    kwh_export=ZERO if export is None else decimal_of(float(export[at])),
                    kvarh=ZERO if kvarh is None else decimal_of(float(kvarh[at])),
                    peak=Peak(
                        kw=decimal_of(float(energy.peak[at])),
                        at=_EPOCH + timedelta(microseconds=origin + slot * int(energy.peak_row[at])),
                        ties=int(energy.ties[at]),
                    ),
                    forecast_short=deviation[complete.FORECAST_SHORT],
                    kwh_short=deviation[complete.KWH_SHORT],
                    forecast_over=deviation[complete.FORECAST_OVER],
                    kwh_over=deviation[complete.KWH_OVER],
                    slots=slots,
                    estimated=0,
                )
            )
        yield Usage(
            meter=meter,
            period=period,
            timezone=runs.timezone,
            segments=runs.segments,
            blocks=runs.blocks,
            cells=tuple(found),
            expected=dict(runs.expected),
            has_forecast=months.forecast is not None
            and not bool(np.isnan(months.forecast[first : first + rows]).all()),
        )


_NO_PRICES = SlotPrices()
