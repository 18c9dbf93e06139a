"""Fifty kinds of a month: what may lie in a meter's readings, clean or with a blemish."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from eisenergy import frames
from eisenergy.desk.drafting import Drafted
from eisenergy.period import BillingMonth

ROOT = Path(__file__).parents[2]
SEPTEMBER = BillingMonth(2021, 9)
ZONE = "America/El_Salvador"
FIRST, LAST = SEPTEMBER.period.utc(ZONE)
SLOT = timedelta(minutes=15)
BEFORE = 8 * 96  # rows of August, and so many of October
N = pl.int_range(pl.len())
INSIDE = N >= BEFORE


def at(*numbers: int) -> pl.Expr:
    """Those intervals of the month."""
    return (N - BEFORE).is_in(list(numbers))


def put(where: pl.Expr, **columns: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(rows: pl.DataFrame) -> pl.DataFrame:
        values = {name: value if isinstance(value, pl.Expr) else pl.lit(value) for name, value in columns.items()}
        return rows.with_columns(
            pl.when(where).then(value.cast(frames.READINGS[name])).otherwise(name).alias(name)
            for name, value in values.items()
        )

    return change


def drop(where: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: rows.filter(~where)


def registers(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(register_kwh=(1000 + pl.col("kwh_import").cum_sum()).round(3))


def blocks(wrong: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    hour = pl.col("start").dt.convert_time_zone(ZONE).dt.hour()
    name = pl.when(hour.is_in([23, 0, 1, 2, 3, 4])).then(pl.lit("Valle"))
    name = name.when(hour >= 18).then(pl.lit("Punta")).otherwise(pl.lit("Resto"))
    return lambda rows: rows.with_columns(block_in_file=pl.when(at(wrong)).then(pl.lit("Resto")).otherwise(name))


KWH = pl.col("kwh_import")
CLEAN: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "sound": lambda rows: rows,
    "export": put(N % 2 == 0, kwh_export=KWH * 0.5),
    "kvarh": put(N % 3 != 0, kvarh=KWH * 0.3),
    "kvar": put(N % 3 == 0, kvar=KWH, kvarh=math.nan),
    "no kw": put(pl.lit(True), kw=None),
    "not a number": put(N % 7 == 0, kw=math.nan, kwh_export=math.nan, forecast_kwh=math.nan),
    "no forecast": put(pl.lit(True), forecast_kwh=None),
    "register": registers,
    "prices": put(pl.lit(True), ftpms=0.01, cost_pos=pl.when(N > 2000).then(0.2).otherwise(0.3), cost_neg=0.1),
    "blocks as in the calendar": blocks(-99_999),
    "two files": put(N >= BEFORE + 1000, source="b" * 64, source_row=N - BEFORE),
    "23 equal": put(at(*range(300, 323)), kwh_import=7.0, kw=28.0),
    "zeros of six days": put(at(*range(300, 900)), kwh_import=0.0, kw=0.0),
    "only the month": lambda rows: rows.filter((pl.col("start") >= FIRST) & (pl.col("start") < LAST)),
    "ties": put(at(5, 700, 2500), kwh_import=19.0, kw=76.0),
}
BLEMISHED: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "gap": drop(at(*range(100, 120))),
    "gap and register": lambda rows: drop(at(*range(100, 120)))(registers(rows)),
    "gap and export": lambda rows: drop(at(*range(100, 300)))(put(N % 2 == 0, kwh_export=KWH * 0.5)(rows)),
    "gap and prices": lambda rows: drop(at(*range(1400, 1500)))(
        put(pl.lit(value=True), ftpms=0.01, cost_pos=pl.when(N > 2000).then(0.2).otherwise(0.3))(rows)
    ),
    "gap and names": lambda rows: drop(at(*range(100, 120)))(blocks(-99_999)(rows)),
    "gaps": drop(at(3, *range(700, 710), *range(900, 1000), 2000)),
    "gap and spike": lambda rows: put(at(40), kwh_import=62.0, kw=248.0)(drop(at(*range(100, 120)))(rows)),
    "gap and estimates": lambda rows: put(at(*range(98, 125)), quality="estimated")(drop(at(*range(100, 120)))(rows)),
    "nothing beside a gap": lambda rows: drop(at(*range(100, 120)))(CLEAN["only the month"](rows)),
    "first missing": drop(at(0)),
    "last missing": drop(at(2879)),
    "half missing": drop(at(*range(100, 1600))),
    "nothing": lambda rows: rows.clear(),
    "nothing in the month": drop(at(*range(2880))),
    "null": put(at(40), kwh_import=None),
    "nan": put(at(40), kwh_import=math.nan),
    "negative": put(at(40), kwh_import=-0.001),
    "negative export": put(at(40), kwh_export=-1.0),
    "infinite": put(at(40), kwh_import=math.inf),
    "infinite kw": put(at(40), kw=math.inf),
    "infinite kvar": put(at(40), kvar=-math.inf),
    "infinite kvarh": put(at(40), kvarh=math.inf),
    "infinite forecast": put(at(40), forecast_kwh=math.inf),
    "infinite export": put(at(40), kwh_export=math.inf),
    "beyond the contract": put(at(40), kw=1000.0),
    "kWh beyond the contract": put(at(40), kwh_import=250.0),
    "far beyond the contract": put(at(40), kwh_import=25_000.0),
    "kW of another unit": put(INSIDE, kw=KWH),
    "kW a little apart": put(at(*range(100, 140)), kw=KWH * 4.5),
    "register goes back": lambda rows: put(N >= BEFORE + 50, register_kwh=pl.col("register_kwh") - 900)(registers(rows)),
    "register apart": lambda rows: put(at(50), register_kwh=pl.col("register_kwh") + 0.5)(registers(rows)),
    "register now and then": lambda rows: put(N % 4 != 0, register_kwh=None)(registers(rows)),
    "spike": put(at(40), kwh_import=62.0, kw=248.0),
    "another level": put(INSIDE, kwh_import=KWH / 32, kw=KWH / 8),
    "24 equal": put(at(*range(300, 324)), kwh_import=7.0, kw=28.0),
    "zeros of a week": put(at(*range(300, 972)), kwh_import=0.0, kw=0.0),
    "off the grid": put(at(40), start=pl.col("start") + timedelta(seconds=7)),
    "moved by a minute": put(pl.lit(True), start=pl.col("start") + timedelta(minutes=1)),
    "clock back": put(at(40), source_row=9_000),
    "files that alternate": put(N % 2 == 0, source="b" * 64, source_row=9_000 - N),
    "estimated in the file": put(at(40), quality="estimated"),
    "our own estimates": put(at(40), source="estimate"),
    "another block": blocks(2),
}  # fmt: skip
READINGS = {**CLEAN, **BLEMISHED}


def sound(meter: str, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = BEFORE + 2880 + BEFORE
    kwh = rng.uniform(1, 18, rows).round(3)
    frame = pl.DataFrame(
        {"kwh_import": kwh, "kw": (kwh * 4).round(3), "forecast_kwh": rng.uniform(1, 18, rows).round(2)}
    )
    return frames.conform(
        frame.with_columns(
            start=pl.lit(FIRST - BEFORE * SLOT).cast(frames.READINGS["start"]) + N * SLOT,
            client=pl.lit("EIS"),
            meter=pl.lit(meter),
            quality=pl.lit("measured"),
            source=pl.lit("a" * 64),
            source_row=N + 2,
        )
    )


def figures(result: Drafted) -> tuple[object, ...]:
    return (result.bill, result.input_hash, result.findings, result.period, result.expected)
