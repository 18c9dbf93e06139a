"""Shapes of consumption: by block and day, by weekday and hour, by duration. For charts; nothing here is billed.

Every function takes the frame of slots of ``desk.CustomerMonth``: one row per interval of 15 minutes with ``local`` (local time
without zone), ``day``, ``hour`` (0 to 23), ``weekday`` (1 is Monday), ``block``, ``kwh`` and ``kw``. Intervals without a reading
may be absent or null; they are in no mean.

Sums and means are rounded to six places: what adds up to the same must look the same, in whichever order it was added.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

SATURDAY = 6
_HOURS = 24
_KEYS = 8 * _HOURS  # weekdays count from 1


class Daily(NamedTuple):
    """Energy of days by block.

    :param days: in order
    :param blocks: in order of first appearance
    :param kwh: energy [kWh, one row per day, one column per block]; zero where a day took nothing
    """

    days: list[Any]
    blocks: list[str]
    kwh: list[list[float]]


def daily(slots: pl.DataFrame) -> Daily:
    """Return the energy of every day and block."""
    days, day = _numbered(slots["day"])
    blocks, block = _numbered(slots["block"])
    sums = _sums(day * len(blocks) + block, slots["kwh"], len(days) * len(blocks))
    found = {at: sums[n * len(blocks) : (n + 1) * len(blocks)] for n, at in enumerate(days)}
    return Daily(sorted(found), blocks, [found[at] for at in sorted(found)])


def by_block(slots: pl.DataFrame) -> dict[str, float]:
    """Return block -> energy [kWh], in order of first appearance."""
    blocks, block = _numbered(slots["block"])
    return dict(zip(blocks, _sums(block, slots["kwh"], len(blocks)), strict=True))


def peaks(slots: pl.DataFrame) -> dict[str, float | None]:
    """Return block -> highest power [kW], in order of first appearance; ``None`` where no interval has a power."""
    blocks, block = _numbered(slots["block"])
    found = np.full(len(blocks), -np.inf)
    kw = (slots["kw"].fill_null(-np.inf) if slots["kw"].null_count() else slots["kw"]).to_numpy()
    np.maximum.at(found, block, kw)
    return {name: None if kw == -np.inf else float(kw) for name, kw in zip(blocks, found, strict=True)}


def daily_by_block(slots: pl.DataFrame) -> pl.DataFrame:
    """Return the energy of every day and block.

    :returns: ``day``, ``block``, ``kwh`` [kWh], in order of days, and of first appearance of the blocks in the month. Every day
        has a row per block, zero where it took nothing, so that areas stack without holes.
    """
    days, blocks, kwh = daily(slots)
    return pl.DataFrame(
        {
            "day": [day for day in days for _ in blocks],
            "block": blocks * len(days),
            "kwh": [amount for row in kwh for amount in row],
        },
        schema={"day": slots.schema["day"], "block": slots.schema["block"], "kwh": pl.Float64},
    )


def heat_map(slots: pl.DataFrame) -> pl.DataFrame:
    """Return the mean power by weekday and hour.

    :returns: ``weekday`` (1 is Monday), ``hour``, ``kw`` [kW], ``slots`` (intervals behind the mean), sorted
    """
    means = mean_power(slots)
    return pl.DataFrame(
        [(weekday, hour, kw, count) for (weekday, hour), (kw, count) in means.items()],
        schema={"weekday": slots.schema["weekday"], "hour": slots.schema["hour"], "kw": pl.Float64, "slots": pl.Int64},
        orient="row",
    )


def mean_power(slots: pl.DataFrame) -> dict[tuple[int, int], tuple[float, int]]:
    """Return (weekday, hour) -> mean power [kW] and the intervals behind it, in order."""
    kw = slots["kw"]
    taken = slots.select("weekday", "hour", "kw").filter(kw.is_not_null()) if kw.null_count() else slots
    key = taken["weekday"].to_numpy().astype(np.int64) * _HOURS + taken["hour"].to_numpy()
    count = np.bincount(key, minlength=_KEYS)
    sums = np.bincount(key, weights=taken["kw"].to_numpy(), minlength=_KEYS)
    return {
        divmod(at, _HOURS): (round(float(sums[at]) / int(count[at]), 6), int(count[at]))
        for at in np.flatnonzero(count).tolist()
    }


def _numbered(column: pl.Series) -> tuple[list[Any], npt.NDArray[np.int64]]:
    """Return the values of a column in order of first appearance, and each row's number among them.

    Days and blocks last for hours: only where they change is a value looked at.
    """
    changed = (column[1:] != column[:-1]).to_numpy()
    first = np.concatenate(([0], np.flatnonzero(changed) + 1))[: len(column)]
    numbers: dict[Any, int] = {}
    number = [numbers.setdefault(value, len(numbers)) for value in column[first].to_list()]
    rows = np.diff(np.append(first, len(column)))
    return list(numbers), np.repeat(np.array(number, dtype=np.int64), rows)


def _sums(group: npt.NDArray[np.int64], kwh: pl.Series, groups: int) -> list[float]:
    """Sum energy by group; an interval without a reading is in no sum."""
    taken = (kwh.fill_null(0.0) if kwh.null_count() else kwh).to_numpy()
    return [round(amount, 6) for amount in np.bincount(group, weights=taken, minlength=groups).tolist()]


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
    ordered = slots.lazy().select("kw").drop_nulls().sort("kw", descending=True)
    share = (pl.int_range(1, pl.len() + 1) / pl.len()).alias("share")
    return ordered.select(share, "kw").collect()
