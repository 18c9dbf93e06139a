"""A meter's cumulative register against its intervals.

The register stands at the end of its interval. Between two register values lies the energy of every interval after the first one's
up to and with the second one's, so a register tells what a gap between them holds.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl

from eisenergy.blockruns import microseconds
from eisenergy.frames import SLOT_MINUTES
from eisenergy.money import decimal_of, difference

SLOT = timedelta(minutes=SLOT_MINUTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """Two neighbouring register values.

    :param after: UTC start of the interval at whose end the first value stood
    :param upto: UTC start of the interval at whose end the second one stood
    :param kwh: second value less first [kWh]; negative when the register was reset or the meter replaced
    """

    after: datetime
    upto: datetime
    kwh: Decimal

    def slots(self) -> list[datetime]:
        """UTC starts of the intervals between the two values, the second one's included."""
        return [self.after + SLOT * n for n in range(1, (self.upto - self.after) // SLOT + 1)]


def absent(starts: pl.Series, first: datetime, slots: int) -> list[datetime]:
    """Return the intervals that are not among some, in order.

    :param starts: UTC instants; those off the grid, or outside of it, are passed over
    :param first: UTC start of the first interval
    :param slots: intervals from there on
    """
    after = starts.dt.epoch("us").to_numpy() - microseconds(first)
    number, off = np.divmod(after, SLOT // timedelta(microseconds=1))
    there = np.zeros(slots, dtype=np.bool_)
    there[number[(off == 0) & (number >= 0) & (number < slots)]] = True
    return [first + SLOT * n for n in np.flatnonzero(~there).tolist()]


class Register:
    """The register values of a meter, in order of time.

    :param rows: columns ``start``, ``register_kwh``
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        values = rows.select("start", pl.col("register_kwh").fill_nan(None)).drop_nulls().sort("start")
        self._starts: list[datetime] = values["start"].to_list()
        self._values: list[float] = values["register_kwh"].to_list()

    def bracket(self, start: datetime) -> Bracket | None:
        """Return the two register values around the interval that starts at ``start``; ``None`` where one is missing."""
        upper = bisect_left(self._starts, start)
        if upper in (0, len(self._starts)):
            return None
        return Bracket(
            after=self._starts[upper - 1],
            upto=self._starts[upper],
            kwh=difference(decimal_of(self._values[upper]), decimal_of(self._values[upper - 1])),
        )


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
