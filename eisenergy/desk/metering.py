"""What a meter did in a period, from its rows laid out as arrays."""

from __future__ import annotations

import numpy as np

from eisenergy import kernels
from eisenergy.blockruns import Runs
from eisenergy.period import Period
from eisenergy.quality.rows import Rows
from eisenergy.usage import SlotPrices, Usage, price_groups, summed

PRICES = ("loss_factor", "ftpms", "cost_pos", "cost_neg")


def metered(meter: str, rows: Rows, runs: Runs, *, period: Period, timezone: str) -> Usage:
    """Return :func:`eisenergy.usage.measure` of a meter's rows, which are in order of time."""
    size = len(rows)
    if any(rows.figures(name) is not None for name in PRICES):
        prices, group = price_groups(rows.frame)
    else:
        prices, group = [SlotPrices()], np.zeros(size, dtype=np.int32)
    columns = kernels.Columns(
        start=np.ascontiguousarray(rows.start),
        kwh=rows.figures_or_none("kwh_import"),
        kwh_export=rows.figures_or_none("kwh_export"),
        kvarh=rows.figures_or_none("kvarh"),
        kvar=rows.figures_or_none("kvar"),
        kw=rows.figures_or_none("kw"),
        forecast=rows.figures_or_none("forecast_kwh"),
        estimated=rows.estimated,
        group=group,
    )
    return summed(meter, columns, prices, runs, period=period, timezone=timezone)
