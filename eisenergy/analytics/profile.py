"""Shapes of consumption: by block and day, by weekday and hour, by duration. For charts; nothing here is billed.

Every function takes the frame of slots of ``desk.CustomerMonth``: one row per interval of 15 minutes with ``local`` (local time
without zone), ``day``, ``hour`` (0 to 23), ``weekday`` (1 is Monday), ``block``, ``kwh`` and ``kw``. Intervals without a reading
may be absent or null; they are in no mean.

Sums and means are rounded to six places: Polars adds a group in the order of its threads, and pages must come out the same twice.
"""

from __future__ import annotations

import polars as pl

SATURDAY = 6


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
    ordered = slots.lazy().select("kw").drop_nulls().sort("kw", descending=True)
    share = (pl.int_range(1, pl.len() + 1) / pl.len()).alias("share")
    return ordered.select(share, "kw").collect()
