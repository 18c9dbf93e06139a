"""What a meter did in a period, from its rows laid out as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from eisenergy import kernels
from eisenergy.blockruns import Runs
from eisenergy.period import Period
from eisenergy.quality.rows import Rows
from eisenergy.usage import SlotPrices, Usage, cells_of, price_groups, usage_of

PRICES: Final = ("loss_factor", "ftpms", "cost_pos", "cost_neg")


class Sums(NamedTuple):
    """What a meter did, before it is decimals.

    :param prices: sets of prices that came with the readings; so many cells per (segment, block)
    """

    cells: kernels.Cells
    prices: Sequence[SlotPrices]
    has_forecast: bool


def summed(meter: str, rows: Rows, runs: Runs, *, period: Period, timezone: str) -> Sums:
    """Sum a meter's rows, which are in order of time. :raises RepeatedReadings: see :func:`eisenergy.usage.measure`"""
    if any(rows.figures(name) is not None for name in PRICES):
        prices, group = price_groups(rows.frame)
    else:
        prices, group = [SlotPrices()], np.zeros(len(rows), dtype=np.int32)
    columns = kernels.Columns(
        start=np.ascontiguousarray(rows.start),
        kwh=rows.column("kwh_import"),
        kwh_export=rows.column("kwh_export"),
        kvarh=rows.column("kvarh"),
        kvar=rows.column("kvar"),
        kw=rows.column("kw"),
        forecast=rows.column("forecast_kwh"),
        estimated=rows.estimated,
        group=group,
    )
    cells = cells_of(meter, columns, len(prices), runs, period=period, timezone=timezone)
    return Sums(cells, prices, bool(cells.tallies[kernels.FORECASTS]))


def metered(meter: str, rows: Rows, runs: Runs, *, period: Period, timezone: str) -> Usage:
    """Return :func:`eisenergy.usage.measure` of a meter's rows, which are in order of time."""
    cells, prices, has_forecast = summed(meter, rows, runs, period=period, timezone=timezone)
    return usage_of(meter, runs, cells, prices, period=period, groups=len(prices), has_forecast=has_forecast)
