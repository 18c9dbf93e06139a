"""Shapes of consumption against a plain Python twin."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any

import polars as pl
import pytest

from eisenergy.analytics import profile, shapes
from eisenergy.analytics.profile import daily_by_block, heat_map, load_duration, load_profile


def block(hour: int) -> str:
    return "PUNTA" if 18 <= hour <= 22 else "RESTO" if 5 <= hour <= 17 else "VALLE"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    dice = random.Random(5)
    found = []
    for n in range(96 * 17):
        if 200 < n < 330:
            continue  # a gap longer than a day
        local = datetime(2021, 9, 1) + timedelta(minutes=15 * n)  # noqa: DTZ001 - a local wall-clock time
        kwh = None if n % 97 == 0 else round(dice.uniform(0, 30), 2)
        found.append(
            {
                "start": (local + timedelta(hours=6)).replace(tzinfo=UTC),
                "local": local,
                "day": local.date(),
                "hour": local.hour,
                "weekday": local.isoweekday(),
                "block": block(local.hour),
                "kwh": kwh,
                "kw": None if kwh is None else kwh * 4,
            }
        )
    return found


@pytest.fixture(scope="module")
def slots(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows)


def test_daily_by_block(rows: list[dict[str, Any]], slots: pl.DataFrame) -> None:
    found = daily_by_block(slots)
    assert found.columns == ["day", "block", "kwh"]
    days = list(dict.fromkeys(row["day"] for row in rows))
    assert found.select("day", "block").rows() == [(day, name) for day in days for name in ("VALLE", "RESTO", "PUNTA")]
    for day, name, kwh in found.iter_rows():
        wanted = sum(row["kwh"] or 0 for row in rows if (row["day"], row["block"]) == (day, name))
        assert kwh == pytest.approx(wanted)
    assert 0.0 in found["kwh"].to_list()


def test_heat_map(rows: list[dict[str, Any]], slots: pl.DataFrame) -> None:
    found = heat_map(slots)
    assert found.columns == ["weekday", "hour", "kw", "slots"]
    assert found.select("weekday", "hour").rows() == [(day, hour) for day in range(1, 8) for hour in range(24)]
    for weekday, hour, kw, count in found.iter_rows():
        wanted = [r["kw"] for r in rows if (r["weekday"], r["hour"]) == (weekday, hour) and r["kw"] is not None]
        assert (kw, count) == (pytest.approx(fmean(wanted)), len(wanted))


def test_load_profile(rows: list[dict[str, Any]], slots: pl.DataFrame) -> None:
    found = load_profile(slots)
    assert found.columns == ["days", "hour", "mean_kw", "min_kw", "max_kw"]
    assert found.select("days", "hour").rows() == [
        (days, hour) for days in ("weekday", "weekend") for hour in range(24)
    ]
    for days, hour, mean, low, high in found.iter_rows():
        wanted = [
            r["kw"]
            for r in rows
            if r["hour"] == hour and r["kw"] is not None and (r["day"].weekday() >= 5) == (days == "weekend")
        ]
        assert (mean, low, high) == (pytest.approx(fmean(wanted)), min(wanted), max(wanted))


def test_load_duration(rows: list[dict[str, Any]], slots: pl.DataFrame) -> None:
    found = load_duration(slots)
    wanted = sorted((row["kw"] for row in rows if row["kw"] is not None), reverse=True)
    assert found["kw"].to_list() == wanted
    assert found["share"].to_list() == pytest.approx([(n + 1) / len(wanted) for n in range(len(wanted))])


def test_a_month_without_readings() -> None:
    schema = {
        "day": pl.Date,
        "hour": pl.Int64,
        "weekday": pl.Int64,
        "block": pl.String,
        "kwh": pl.Float64,
        "kw": pl.Float64,
    }
    empty = pl.DataFrame(schema=schema)
    for function in (daily_by_block, heat_map, load_profile, load_duration):
        assert function(empty).is_empty()


def test_polars_gives_the_same_to_the_last_digit(rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(rows).with_columns(quality=pl.when(pl.col("hour") == 3).then(pl.lit("estimated")))
    blocks = sorted({row["block"] for row in rows})
    days = frame.drop_nulls("kwh").group_by("day", "block").agg(pl.col("kwh").sum().round(6)).rows()
    assert shapes.energy_of_days(frame, blocks) == {(day, name): kwh for day, name, kwh in days}
    power = frame.drop_nulls("kw").group_by("weekday", "hour").agg(pl.col("kw").mean().round(6)).sort("weekday", "hour")
    assert [(at, kw) for at, (kw, _) in profile.mean_power(frame).items()] == [
        ((day, hour), kw) for day, hour, kw in power.rows()
    ]
    weekend = (pl.col("weekday") >= 6).alias("weekend")
    means = frame.drop_nulls("kwh").group_by(weekend, "hour").agg((pl.col("kwh").mean() * 4).round(6)).rows()
    assert shapes.mean_energy(frame, 4) == {(end, hour): kwh for end, hour, kwh in means}
    counts = {(name, hour): count for hour, name, count in frame.group_by("hour", "block").len().rows()}
    assert shapes.hours_of_blocks(frame, blocks) == shapes.hours_of_blocks(frame, blocks[:1]) == counts
    quality = frame.group_by("day").agg(pl.len(), (pl.col("quality") == "estimated").sum()).rows()
    assert shapes.slots_of_days(frame, "estimated") == {day: (count, some) for day, count, some in quality}
    falling = frame.select("kw").drop_nulls().sort("kw", descending=True)
    assert shapes.falling_power(frame).tolist() == falling["kw"].to_list()
    share = falling.select((pl.int_range(1, pl.len() + 1) / pl.len()).alias("share"), "kw")
    assert load_duration(frame).equals(share)


def test_a_month_without_intervals_has_no_shapes(rows: list[dict[str, Any]]) -> None:
    nothing = pl.DataFrame(rows).with_columns(quality=pl.lit("measured")).clear()
    assert shapes.energy_of_days(nothing, ["RESTO"]) == profile.mean_power(nothing) == {}
    assert shapes.mean_energy(nothing, 4) == shapes.hours_of_blocks(nothing, ["RESTO"]) == {}
    assert shapes.slots_of_days(nothing, "estimated") == {}
    assert shapes.falling_power(nothing).tolist() == []
