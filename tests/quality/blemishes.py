"""Random months of a meter with something in them that is not as it should be: gaps above all, in time zones with and without clock changes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from eisenergy import frames
from eisenergy.masters import calendars
from eisenergy.period import BillingMonth, Period
from eisenergy.timeofuse import DayCalendar

ZONES = (
    *("America/El_Salvador",) * 4, "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
    "Asia/Kathmandu", "America/St_Johns",
)  # fmt: skip
MONTHS = (BillingMonth(2021, 9), BillingMonth(2021, 10), BillingMonth(2021, 11), BillingMonth(2022, 3))
SLOT = timedelta(minutes=15)
CALENDAR = calendars.read_spreadsheet(
    Path(__file__).parents[2] / "data" / "samples" / "Bloques horarios.xlsx", "eis-bloques"
)


@dataclass(frozen=True, slots=True)
class Case:
    """A meter ``m``, its rows around a period, and what they are judged by."""

    rows: pl.DataFrame
    period: Period
    zone: str
    calendar: DayCalendar
    contracted_kw: float | None
    max_missing_share: float


def case(seed: int) -> Case:
    """The month of a seed; the same each time."""
    rng = np.random.default_rng(seed)

    def sometimes(share: float) -> bool:
        return bool(rng.random() < share)

    zone, month = ZONES[rng.integers(len(ZONES))], MONTHS[rng.integers(len(MONTHS))]
    period = month.period
    if sometimes(0.1):
        period = Period(period.start + timedelta(days=int(rng.integers(1, 25))), period.end)
    first, last = month.period.utc(zone)
    before, after = timedelta(days=int(rng.choice([0, 3, 10, 42]))), timedelta(days=int(rng.choice([0, 1, 10, 42])))
    size, at = int((last + after - first + before) / SLOT), int(before / SLOT)
    inside = int((last - first) / SLOT)
    step = rng.choice([0.001, 0.05, 0.25, 1e-7])
    kwh = np.round(np.round(rng.uniform(1, 18, size) / step) * step, 9)
    row = pl.int_range(pl.len())
    columns: dict[str, pl.Expr] = {}
    if sometimes(0.4):
        columns["kwh_export"] = pl.when(row % int(rng.integers(1, 5)) == 0).then(pl.col("kwh_import") * 0.5)
    if sometimes(0.3):
        columns["kvarh"] = pl.col("kwh_import") * 0.3
    if sometimes(0.2):
        columns["kw"] = pl.lit(None, dtype=pl.Float64)
    if sometimes(0.15):
        columns |= {"ftpms": pl.lit(0.01), "cost_pos": pl.when(row > size // 2).then(0.2).otherwise(0.3)}
    if sometimes(0.35):
        every = int(rng.choice([1, 1, 4, 96]))
        columns["register_kwh"] = pl.when(row % every == 0).then((1000 + pl.col("kwh_import").cum_sum()).round(3))
    if sometimes(0.2):
        hour = pl.col("start").dt.convert_time_zone(zone).dt.hour()
        name = pl.when(hour.is_in([23, 0, 1, 2, 3, 4])).then(pl.lit("Valle"))
        name = name.when(hour >= 18).then(pl.lit("Punta")).otherwise(pl.lit("Resto "))
        columns["block_in_file"] = pl.when(row % 7 != 3).then(name)
    made = pl.DataFrame(
        {"kwh_import": kwh, "kw": (kwh * 4).round(6), "forecast_kwh": rng.uniform(1, 18, size).round(2)}
    )
    made = made.with_columns(
        start=pl.lit(first - before).cast(frames.READINGS["start"]) + row * SLOT,
        client=pl.lit("EIS"),
        meter=pl.lit("m"),
        quality=pl.lit("measured"),
        source=pl.lit("a" * 64),
        source_row=row + 2,
    )
    made = frames.conform(made.with_columns(**columns)).with_columns(_n=row)
    if sometimes(0.2):
        cut = at + int(rng.integers(inside))
        second = pl.col("_n") >= cut
        made = made.with_columns(
            source=pl.when(second).then(pl.lit("b" * 64)).otherwise("source"),
            source_row=pl.when(second).then(pl.col("_n") - cut + 1).otherwise("source_row").cast(pl.Int32),
        )

    def some(count: int) -> list[int]:
        return (at + rng.integers(0, inside, count)).tolist()

    def stretch(least: int, most: int) -> list[int]:
        begin = some(1)[0]
        return list(range(begin, begin + int(rng.integers(least, most))))

    def put(where: list[int] | range, **values: object) -> None:
        nonlocal made
        here = pl.col("_n").is_in(list(where))
        made = made.with_columns(
            pl.when(here)
            .then(value if isinstance(value, pl.Expr) else pl.lit(value))
            .otherwise(name)
            .cast(frames.READINGS[name])
            .alias(name)
            for name, value in values.items()
        )

    energy, kw, register = pl.col("kwh_import"), pl.col("kw"), pl.col("register_kwh")
    month_rows, earlier, everything = range(at, at + inside), range(at), range(size)
    changes: list[tuple[float, object, dict[str, object]]] = [
        (0.10, lambda: some(12), {"kwh_import": None}),
        (0.07, lambda: some(12), {"kwh_import": math.nan}),
        (0.03, lambda: some(3), {"kwh_export": math.nan}),
        (0.02, lambda: some(2), {"kwh_import": math.inf}),
        (0.02, lambda: some(2), {"kw": -math.inf}),
        (0.03, lambda: some(2), {"kwh_import": -1.0}),
        (0.02, lambda: some(2), {"kwh_export": -1.0}),
        (0.04, lambda: some(2), {"kwh_import": 62.0, "kw": 248.0}),
        (0.02, lambda: some(2), {"kw": 1000.0}),
        (0.02, lambda: some(2), {"kwh_import": 2500.0}),
        (0.04, lambda: some(60), {"kw": 3.0}),
        (0.02, lambda: month_rows, {"kw": energy}),
        (0.04, lambda: stretch(20, 40), {"kwh_import": 7.0, "kw": 28.0}),
        (0.04, lambda: stretch(660, 800), {"kwh_import": 0.0, "kw": 0.0}),
        (0.04, lambda: month_rows, {"kwh_import": energy / 32, "kw": kw / 32}),
        (0.10, lambda: some(20), {"quality": "estimated"}),
        (0.05, lambda: some(5), {"quality": "estimated", "method": "similar-days"}),
        (0.05, lambda: some(5), {"source": "estimate", "quality": "estimated", "method": "mean"}),
        (0.03, lambda: earlier, {"source": "estimate", "quality": "estimated"}),
        (0.02, lambda: everything, {"quality": "estimated"}),
        (0.05, lambda: some(2), {"source_row": 9000}),
        (0.03, lambda: everything[::2], {"source": "c" * 64}),
        (0.06, lambda: range(some(1)[0], size), {"register_kwh": register - 900}),
        (0.06, lambda: some(2), {"register_kwh": register + 0.5}),
        (0.06, lambda: some(2), {"register_kwh": register + 0.009}),
        (0.05, lambda: some(4), {"register_kwh": math.nan}),
        (0.05, lambda: some(3), {"start": pl.col("start") + timedelta(seconds=7)}),
        (0.02, lambda: everything, {"start": pl.col("start") + timedelta(minutes=1)}),
        (0.06, lambda: everything, {"block_in_file": "PUNTA"}),
    ]
    gone = np.zeros(size, dtype=np.bool_)
    for _ in range(int(rng.integers(0, 4))):
        end = at + inside
        gaps = (
            some(1),
            stretch(2, 60),
            range(at, at + int(rng.integers(1, 200))),
            range(end - int(rng.integers(1, 200)), end + int(rng.choice([0, 500]))),
            some(int(rng.integers(5, 60))),
            stretch(60, 290),
        )
        chosen = np.array(gaps[rng.integers(len(gaps))])
        gone[chosen[chosen < size]] = True
    if sometimes(0.04):
        gone[at + 50 : at + inside - 30] = True
    if sometimes(0.03):
        gone[at : at + inside] = True
    if sometimes(0.05):  # no day has that interval
        gone[np.arange(size) % 96 == 17] = True
    if sometimes(0.3):  # perhaps no Saturday has it, or no Sunday
        gone[(np.arange(size) // 96 % 7 == rng.integers(7)) & (np.arange(size) % 96 // 4 == 13)] = True
    for share, where, values in changes:
        if sometimes(share):
            put(where(), **values)  # type: ignore[operator]
    calendar = CALENDAR
    if sometimes(0.5):
        days = frozenset(period.start + timedelta(days=int(day)) for day in rng.integers(-40, 70, 6))
        calendar = _with_holidays(days)
    return Case(
        rows=made.filter(pl.Series(~gone)).drop("_n").sort("start", maintain_order=True),
        period=period,
        zone=zone,
        calendar=calendar,
        contracted_kw=None if sometimes(0.1) else 100.0,
        max_missing_share=float(rng.choice([0.1, 0.1, 0.5, 1.0])),
    )


def _with_holidays(days: frozenset[date]) -> DayCalendar:
    return DayCalendar(
        **{name: getattr(CALENDAR, name) for name in ("name", "rows", "seasons", "version")},
        holidays=CALENDAR.holidays | days,
    )
