"""What a customer's documents show of a month's 2,880 intervals, summed with NumPy.

The frame is the one that :mod:`eisenergy.analytics.profile` describes. A query of Polars for the same takes five times as long, most of it its
planning. Sums and means are rounded to six places.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.analytics.profile import SATURDAY

_EPOCH: Final = date(1970, 1, 1).toordinal()
_PLACES: Final = 6
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def energy_of_days(slots: pl.DataFrame, blocks: Iterable[str]) -> dict[tuple[date, str], float]:
    """Return (day, block) -> energy [kWh], for the days on which there are intervals of the block."""
    days, kwh = _days(slots), slots["kwh"]
    result: dict[tuple[date, str], float] = {}
    for block in blocks:
        chosen = _marks(slots["block"], block)
        if kwh.null_count():
            chosen = chosen & kwh.is_not_null().to_numpy()
        if chosen.any():
            first, counts, sums = _grouped(days[chosen], kwh.to_numpy()[chosen])
            result |= {
                (date.fromordinal(_EPOCH + first + at), block): total
                for at, (count, total) in enumerate(zip(counts.tolist(), _rounded(sums), strict=True))
                if count
            }
    return result


def slots_of_days(slots: pl.DataFrame, quality: str) -> dict[date, tuple[int, int]]:
    """Return day -> how many intervals it has, and how many of them are of a quality."""
    if not slots.height:
        return {}
    first, counts, marked = _grouped(_days(slots), _marks(slots["quality"], quality).astype(np.float64))
    return {
        date.fromordinal(_EPOCH + first + at): (count, round(of_quality))
        for at, (count, of_quality) in enumerate(zip(counts.tolist(), marked.tolist(), strict=True))
        if count
    }


def mean_energy(slots: pl.DataFrame, times: int) -> dict[tuple[bool, int], float]:
    """Return (whether it is a weekend, hour) -> mean energy of an interval [kWh], taken ``times``."""
    found = _means(slots["weekday"] >= SATURDAY, slots["hour"], slots["kwh"], times)
    return {(bool(weekend), hour): mean for (weekend, hour), mean in found.items()}


def hours_of_blocks(slots: pl.DataFrame, blocks: Iterable[str]) -> dict[tuple[str, int], int]:
    """Return (block, hour) -> how many intervals lie there, of all blocks.

    :param blocks: those that are expected; one more look is taken where there are others
    """
    hours = slots["hour"].to_numpy()
    result: dict[tuple[str, int], int] = {}
    for expected in (list(blocks), None):
        for block in expected if expected is not None else slots["block"].drop_nulls().unique().to_list():
            counts = np.bincount(hours[_marks(slots["block"], block)], minlength=24)
            result |= {(block, hour): count for hour, count in enumerate(counts.tolist()) if count}
        if sum(result.values()) == len(hours):
            break
    return result


def falling_power(slots: pl.DataFrame) -> Floats:
    """Return the power of all intervals that have one, the highest first [kW]."""
    kw = slots["kw"]
    return np.sort((kw.drop_nulls() if kw.null_count() else kw).to_numpy())[::-1]


def _means(group: pl.Series, hour: pl.Series, values: pl.Series, times: int) -> dict[tuple[int, int], float]:
    known = values.is_not_null().to_numpy() if values.null_count() else slice(None)
    codes = group.to_numpy().astype(np.int64)[known] * 24 + hour.to_numpy()[known]
    if not codes.size:
        return {}
    first, counts, sums = _grouped(codes, values.to_numpy()[known])
    with np.errstate(invalid="ignore"):
        means = _rounded(sums / counts * times)
    return {
        divmod(first + at, 24): mean
        for at, (count, mean) in enumerate(zip(counts.tolist(), means, strict=True))
        if count
    }


def _grouped(codes: Integers, values: Floats) -> tuple[int, Integers, Floats]:
    """Return the lowest code, and from it on how many values each code has and their sums."""
    first = int(codes.min())
    sums: Floats = np.bincount(codes - first, weights=values).astype(np.float64, copy=False)
    return first, np.bincount(codes - first).astype(np.int64, copy=False), sums


def _days(slots: pl.DataFrame) -> Integers:
    return slots["day"].to_physical().to_numpy().astype(np.int64)


def _marks(texts: pl.Series, text: str) -> npt.NDArray[np.bool_]:
    """Where a text is another."""
    marks = texts == text
    return (marks.fill_null(False) if marks.null_count() else marks).to_numpy()


def _rounded(values: Floats) -> list[float]:
    """To six places, as Polars rounds: the value times a million, a half to the even neighbour."""
    return [float(value) for value in np.round(values, _PLACES)]
