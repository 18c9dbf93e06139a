"""A meter's cumulative register against its intervals.

The register stands at the end of its interval. Between two register values lies the energy of every interval after the first one's
up to and with the second one's, so a register tells what a gap between them holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import numpy as np
import polars as pl

from eisenergy.frames import SLOT_MINUTES
from eisenergy.money import decimal_of, difference
from eisenergy.quality.rows import SLOT_US, Integers, Rows

SLOT = timedelta(minutes=SLOT_MINUTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """Two neighbouring register values.

    :param after: start of the interval at whose end the first value stood [UTC microseconds]
    :param upto: start of the interval at whose end the second one stood
    :param kwh: second value less first [kWh]; negative when the register was reset or the meter replaced
    """

    after: int
    upto: int
    kwh: Decimal

    def slots(self) -> list[int]:
        """Starts of the intervals between the two values, the second one's included [UTC microseconds]."""
        return list(range(self.after + SLOT_US, self.upto + 1, SLOT_US))


def absent(starts: Integers, first: int, slots: int) -> Integers:
    """Return the intervals that are not among some, in order [UTC microseconds].

    :param starts: UTC microseconds; those off the grid, or outside of it, are passed over
    :param first: start of the first interval [UTC microseconds]
    :param slots: intervals from there on
    """
    number, off = np.divmod(starts - first, SLOT_US)
    there = np.zeros(slots, dtype=np.bool_)
    there[number[(off == 0) & (number >= 0) & (number < slots)]] = True
    return first + SLOT_US * np.flatnonzero(~there)


class Register:
    """The register values of a meter. :param rows: in order of time"""

    def __init__(self, rows: Rows) -> None:
        values = rows.column("register_kwh")
        there = ~np.isnan(values)
        self._starts, self._values = rows.start[there], values[there]

    def __len__(self) -> int:
        return len(self._starts)

    def bracket(self, start: int) -> Bracket | None:
        """Return the two register values around the interval that starts at an instant [UTC microseconds]; ``None`` where one is missing."""
        upper = int(np.searchsorted(self._starts, start))
        if upper in (0, len(self._starts)):
            return None
        return Bracket(
            after=int(self._starts[upper - 1]),
            upto=int(self._starts[upper]),
            kwh=difference(decimal_of(float(self._values[upper])), decimal_of(float(self._values[upper - 1]))),
        )


def agrees(rows: Rows, tolerance: float) -> bool:
    """Say that :func:`disagreements` has nothing beyond a tolerance, for certain.

    :param tolerance: of the difference between register and intervals, and of a register that goes back [kWh]
    """
    kwh, register = rows.column("kwh_import"), rows.column("register_kwh")
    there = ~np.isnan(kwh)
    at = np.flatnonzero(~np.isnan(register))
    if not np.isfinite(kwh[there]).all() or not np.isfinite(register[at]).all():
        return False
    every = np.diff(np.cumsum(there)[at]) == np.diff(rows.start[at]) // SLOT_US
    moved = np.diff(register[at])[every]
    # Polars may sum in another order; what is near the tolerance is left to it.
    apart = np.abs(moved - np.diff(np.cumsum(np.where(there, kwh, 0.0))[at])[every])
    return bool((moved >= -0.99 * tolerance).all() and (apart <= 0.99 * tolerance).all())


def disagreements(rows: pl.DataFrame) -> pl.DataFrame:
    """Compare neighbouring register values with the intervals between them, where all of these are there.

    :param rows: columns ``start``, ``kwh_import``, ``register_kwh``
    :returns: ``start`` (of the interval at whose end the second value stood), ``register_kwh`` (their difference),
        ``interval_kwh`` (sum of the intervals)
    """
    known = rows.sort("start").with_columns(pl.col("kwh_import", "register_kwh").fill_nan(None))
    sums = known.with_columns(
        count=pl.col("kwh_import").is_not_null().cum_sum(), energy=pl.col("kwh_import").fill_null(0.0).cum_sum()
    ).filter(pl.col("register_kwh").is_not_null())
    return (
        sums.select(
            "start",
            pl.col("register_kwh").diff(),
            interval_kwh=pl.col("energy").diff(),
            count=pl.col("count").cast(pl.Int64).diff(),
            expected=pl.col("start").diff().dt.total_minutes() // SLOT_MINUTES,
        )
        .filter(pl.col("count") == pl.col("expected"))
        .select("start", "register_kwh", "interval_kwh")
    )
