"""A meter's month as the checks see it, and the limits they hold it against."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.frames import MEASURED, SLOT_MINUTES
from eisenergy.period import Period

HOURS: Final = SLOT_MINUTES / 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on a figure is remarkable, and from where on it parks the customer.

    :param contracted_warning: power over contracted power that is a warning
    :param contracted_blocking: power over contracted power that cannot be
    :param history_blocking: power over the highest power of the history that cannot be, where no power is contracted
    :param median_blocking: energy over the month's median that cannot be, where neither contracted power nor history is known
    :param spike_warning: energy over the 99th percentile of the month that is a spike
    :param level_warning: factor between this month's mean and the history's, either way
    :param stuck_slots: intervals in a row with the same energy, not zero (24: six hours)
    :param zero_slots: intervals in a row without energy (672: a week)
    :param power_tolerance: difference between kW times hours and kWh, relative to kWh
    :param power_tolerance_kwh: the same, absolute [kWh]; the coarser of the two holds
    :param power_share: share of intervals beyond that tolerance that is a warning
    :param power_scale: median of kW times hours over kWh, or its inverse, beyond which the two have different units
    :param register_tolerance_kwh: difference between register and intervals that rounding explains, per comparison [kWh]
    :param register_share: difference over the month, relative to its energy, that parks the customer
    """

    contracted_warning: float = 1.5
    contracted_blocking: float = 5.0
    history_blocking: float = 20.0
    median_blocking: float = 300.0
    spike_warning: float = 3.0
    level_warning: float = 5.0
    stuck_slots: int = 24
    zero_slots: int = 672
    power_tolerance: float = 0.02
    power_tolerance_kwh: float = 0.02
    power_share: float = 0.01
    power_scale: float = 2.0
    register_tolerance_kwh: float = 0.01
    register_share: float = 0.01


@dataclass(frozen=True, kw_only=True)
class Month:
    """One meter's rows of the period that have energy, in order of time, and what they are compared with.

    Most months have nothing of what a check looks for. So a check first looks at the figures as an array, which takes microseconds, and
    asks a query, which takes a millisecond, only where that does not say that there is nothing.
    """

    rows: pl.DataFrame
    everything: pl.DataFrame  # rows without energy too
    history: pl.DataFrame
    meter: str
    period: Period
    zone: ZoneInfo
    contracted_kw: float | None
    limits: Limits

    @functools.cached_property
    def kwh(self) -> npt.NDArray[np.float64]:
        """Energy of ``rows`` [kWh]."""
        return figures(self.rows, "kwh_import")

    @functools.cached_property
    def power(self) -> npt.NDArray[np.float64]:
        """Power of ``rows`` [kW], the higher of what the meter gives and what its energy means."""
        return np.fmax(figures(self.rows, "kw"), self.kwh / HOURS)

    @functools.cached_property
    def longest(self) -> int:
        """Intervals of the longest stretch of neighbouring measured ones with equal energy."""
        measured = (self.rows["quality"] == MEASURED).to_numpy()
        kwh, start = self.kwh[measured], self.rows["start"].to_physical().to_numpy()[measured]
        ends = np.flatnonzero((kwh[1:] != kwh[:-1]) | (np.diff(start) != SLOT_MINUTES * 60_000_000))
        return int(np.diff(np.concatenate(([-1], ends, [len(kwh) - 1]))).max()) if len(kwh) else 0

    def clock(self, instant: datetime) -> str:
        """Return an instant as the local clock showed it."""
        return f"{instant.astimezone(self.zone):%Y-%m-%d %H:%M}"

    def where(self, row: dict[str, Any]) -> str:
        """Say where a row stands, in words a person can follow."""
        return f"{self.clock(row['start'])} (row {row['source_row']} of file {row['source'][:12]})"

    def place(self, row: dict[str, Any]) -> dict[str, Any]:
        """The same as figures."""
        return {"start": row["start"].isoformat(), "source": row["source"], "source_row": row["source_row"]}


def figures(rows: pl.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """Return a column as an array, NaN where there is no figure."""
    return rows[name].to_numpy()
