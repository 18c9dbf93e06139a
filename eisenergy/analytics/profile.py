"""Shapes of consumption: by block and day, by weekday and hour, by duration. For charts; nothing here is billed.

Every function takes the frame of slots of ``desk.CustomerMonth``: one row per interval of 15 minutes with ``local`` (local time
without zone), ``day``, ``hour`` (0 to 23), ``weekday`` (1 is Monday), ``block``, ``kwh`` and ``kw``. Intervals without a reading
may be absent or null; they are in no mean.

Sums and means are rounded to six places: Polars adds a group in the order of its threads, and pages must come out the same twice.

What a customer's page shows of a month's 2,880 intervals is summed with NumPy: a query of Polars for the same takes five times as long,
most of it its planning.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

SATURDAY = 6
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


def mean_power(slots: pl.DataFrame) -> dict[tuple[int, int], float]:
    """Return (weekday, hour) -> mean power [kW], sorted; weekday 1 is Monday."""
    return _means(slots["weekday"], slots["hour"], slots["kw"], 1)


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


def daily_by_block(slots: pl.DataFrame) -> pl.DataFrame:
    """Return the energy of every day and block.

    :returns: ``day``, ``block``, ``kwh`` [kWh], in order of days, and of first appearance of the blocks in the month. Every day
        has a row per block, zero where it took nothing, so that areas stack without holes.
    """
    sums = slots.group_by("day", "block").agg(pl.col("kwh").sum().round(6))
    taken = {(day, block): kwh for day, block, kwh in sums.iter_rows()}
    blocks = slots["block"].unique(maintain_order=True).to_list()
    rows = [(day, block) for day in slots["day"].unique().sort() for block in blocks]
    return pl.DataFrame(
        {
            "day": [day for day, _ in rows],
            "block": [block for _, block in rows],
            "kwh": [taken.get(row, 0.0) for row in rows],
        },
        schema={"day": slots.schema["day"], "block": slots.schema["block"], "kwh": pl.Float64},
    )


def heat_map(slots: pl.DataFrame) -> pl.DataFrame:
    """Return the mean power by weekday and hour.

    :returns: ``weekday`` (1 is Monday), ``hour``, ``kw`` [kW], ``slots`` (intervals behind the mean), sorted
    """
    return (
        slots.lazy()
        .drop_nulls("kw")
        .group_by("weekday", "hour")
        .agg(pl.col("kw").mean().round(6), pl.len().cast(pl.Int64).alias("slots"))
        .sort("weekday", "hour")
        .collect()
    )


def load_profile(slots: pl.DataFrame) -> pl.DataFrame:
    """Return mean, lowest and highest power per hour of the day, for weekdays and for weekends.

    :returns: ``days`` (``weekday`` or ``weekend``), ``hour``, ``mean_kw``, ``min_kw``, ``max_kw`` [kW], sorted
    """
    days = pl.when(pl.col("weekday") < SATURDAY).then(pl.lit("weekday")).otherwise(pl.lit("weekend")).alias("days")
    kw = pl.col("kw")
    return (
        slots.drop_nulls("kw")
        .group_by(days, "hour")
        .agg(kw.mean().round(6).alias("mean_kw"), kw.min().alias("min_kw"), kw.max().alias("max_kw"))
        .sort("days", "hour")
    )


def load_duration(slots: pl.DataFrame) -> pl.DataFrame:
    """Return the power in falling order: how much of the time the load was at least that high.

    :returns: ``share`` (share of the intervals up to and with this one, above 0 and up to 1), ``kw`` [kW]
    """
    kw = falling_power(slots)
    return pl.DataFrame({"share": np.arange(1, kw.size + 1) * (1 / max(kw.size, 1)), "kw": kw})
