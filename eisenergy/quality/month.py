"""A meter's month as the checks see it, and the limits they hold it against."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.blockruns import microseconds
from eisenergy.findings import Finding
from eisenergy.frames import SLOT_MINUTES
from eisenergy.period import Period
from eisenergy.quality.registers import absent
from eisenergy.quality.rows import SLOT_US, Booleans, Floats, Integers, Rows

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
    """One meter's rows of the period, in order of time, and what they are compared with.

    Most months have nothing of what a check looks for. So a check first looks at the figures as arrays, which takes microseconds, and
    asks a query, which takes a millisecond, only where that does not say that there is nothing; see :func:`unless`.

    :param all: the period's rows
    :param beside: the meter's rows to compare with; those of the period are passed over
    """

    all: Rows
    beside: Rows
    meter: str
    period: Period
    zone: ZoneInfo
    contracted_kw: float | None
    limits: Limits

    @functools.cached_property
    def everything(self) -> pl.DataFrame:
        """The period's rows as a frame, null where there is no figure."""
        frame = self.all.frame
        numbers = [name for name, dtype in frame.schema.items() if dtype == pl.Float64]
        return frame.with_columns(pl.col(numbers).fill_nan(None))

    @functools.cached_property
    def rows(self) -> pl.DataFrame:
        """Those of them that have energy."""
        everything = self.everything
        lacking = everything["kwh_import"].null_count()
        return everything.filter(pl.col("kwh_import").is_not_null()) if lacking else everything

    @functools.cached_property
    def history(self) -> pl.DataFrame:
        """The measured rows beside the period."""
        return self.beside.frame.filter(pl.Series(self._usable, dtype=pl.Boolean))

    @functools.cached_property
    def _usable(self) -> Booleans:
        start, end = map(microseconds, self.period.utc(self.zone.key))
        first, last = np.searchsorted(self.beside.start, (start, end)).tolist()
        usable = self.beside.measured & np.isfinite(self.beside.column("kwh_import"))
        usable[first:last] = False
        return usable

    @functools.cached_property
    def energy_before(self) -> Floats:
        """Energy of ``history`` [kWh]."""
        return self.beside.column("kwh_import")[self._usable]

    @functools.cached_property
    def _having(self) -> Booleans | None:
        having = ~np.isnan(self.all.column("kwh_import"))
        return None if having.all() else having

    def with_energy(self, column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a column of ``all``, of the rows that have energy."""
        return column if self._having is None else column[self._having]

    def figures(self, name: str) -> Floats:
        """Return a column of ``rows``, NaN where there is no figure."""
        return self.with_energy(self.all.column(name))

    @functools.cached_property
    def kwh(self) -> Floats:
        """Energy of ``rows`` [kWh]."""
        return self.figures("kwh_import")

    @functools.cached_property
    def start(self) -> Integers:
        """Starts of ``rows`` [UTC microseconds]."""
        return self.with_energy(self.all.start)

    @functools.cached_property
    def power(self) -> Floats:
        """Power of ``rows`` [kW], the higher of what the meter gives and what its energy means."""
        return np.fmax(self.figures("kw"), self.kwh / HOURS)

    @functools.cached_property
    def longest(self) -> int:
        """Intervals of the longest stretch of neighbouring measured ones with equal energy."""
        measured = self.with_energy(self.all.measured)
        kwh, start = (self.kwh, self.start) if measured.all() else (self.kwh[measured], self.start[measured])
        ends = np.flatnonzero((kwh[1:] != kwh[:-1]) | (np.diff(start) != SLOT_US))
        return int(np.diff(np.concatenate(([-1], ends, [len(kwh) - 1]))).max()) if len(kwh) else 0

    @functools.cached_property
    def gaps(self) -> list[tuple[int, int]]:
        """The stretches without energy: UTC microseconds of the first interval, and how many they are."""
        first, slots = microseconds(self.period.utc(self.zone.key)[0]), self.period.slots(self.zone.key)
        if np.count_nonzero(np.diff(self.start, prepend=-1)) == slots:
            return []
        lacking = absent(self.start, first, slots)
        begins = np.flatnonzero(np.diff(lacking, prepend=0) != SLOT_US)
        lengths = np.diff(begins, append=len(lacking))
        return list(zip(lacking[begins].tolist(), lengths.tolist(), strict=True))

    @functools.cached_property
    def registered(self) -> bool:
        """Whether any row has a register value."""
        register = self.all.figures("register_kwh")
        return register is not None and not np.isnan(register).all()

    def clock(self, instant: datetime) -> str:
        """Return an instant as the local clock showed it."""
        return f"{instant.astimezone(self.zone):%Y-%m-%d %H:%M}"

    def where(self, row: dict[str, Any]) -> str:
        """Say where a row stands, in words a person can follow."""
        return f"{self.clock(row['start'])} (row {row['source_row']} of file {row['source'][:12]})"

    def place(self, row: dict[str, Any]) -> dict[str, Any]:
        """The same as figures."""
        return {"start": row["start"].isoformat(), "source": row["source"], "source_row": row["source_row"]}


Check = Callable[[Month], Iterator[Finding]]


class Look:
    """A check that looks at arrays before it asks a query.

    :param nothing: says of a month, from arrays, that the check finds nothing; where it does not know, it says no
    :param closely: the check itself
    """

    def __init__(self, nothing: Callable[[Month], bool], closely: Check) -> None:
        self.nothing, self.closely = nothing, closely
        functools.update_wrapper(self, closely)

    def __call__(self, month: Month) -> Iterator[Finding]:
        """Yield what the check finds."""
        return iter(()) if self.nothing(month) else self.closely(month)


def unless(nothing: Callable[[Month], bool]) -> Callable[[Check], Look]:
    """Make a check that is asked only where ``nothing`` does not say that it finds nothing."""
    return functools.partial(Look, nothing)
