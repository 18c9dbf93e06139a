"""Intervals with local time and block, and the months cut out of a year, against plain Python over the readings."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from eisenergy.analytics import profile
from eisenergy.desk import consumption
from eisenergy.desk.fingerprint import BILLED, readings_hash
from eisenergy.desk.metered import Metered
from eisenergy.frames import READINGS
from eisenergy.period import BillingMonth, Period
from eisenergy.timeofuse import BlockHours, DayCalendar, DayType

ZONE = "America/New_York"  # clocks are changed there: an hour is missing in March, and one is there twice in November
FIRST = BillingMonth(2021, 2)
MONTHS = [FIRST.plus(n) for n in range(11)]
CALENDAR = DayCalendar(
    name="hours",
    version="1",
    rows=(
        BlockHours(start_minute=0, end_minute=300, block="VALLE"),
        BlockHours(start_minute=300, end_minute=1080, block="RESTO"),
        BlockHours(start_minute=1080, end_minute=1440, block="PUNTA", day_types=frozenset({DayType.WEEKDAY})),
        BlockHours(start_minute=1080, end_minute=1440, block="RESTO", day_types=frozenset(DayType) - {DayType.WEEKDAY}),
    ),
)


@pytest.fixture(scope="module")
def year() -> pl.DataFrame:
    """Eleven months of a meter, some intervals absent, some without energy or power, some estimated."""
    draw = random.Random(11)
    start, end = Period(MONTHS[0].period.start, MONTHS[-1].period.end).utc(ZONE)
    at = [start + n * timedelta(minutes=15) for n in range(int((end - start) / timedelta(minutes=15)))]
    at = [one for one in at if draw.random() > 0.01]
    kwh = [None if draw.random() < 0.01 else round(draw.uniform(0, 130), draw.choice((0, 2, 3))) for _ in at]
    rows = {
        "start": at,
        "kwh_import": kwh,
        "kw": [None if one is None or draw.random() < 0.2 else round(one * 4 + draw.random(), 2) for one in kwh],
        "kvarh": [None if one.month < 6 else draw.choice((1.5, float("nan"), None)) for one in at],
        "quality": ["estimated" if one.month == 9 and draw.random() < 0.1 else "measured" for one in at],
    }
    frame = pl.DataFrame(rows, schema_overrides={name: READINGS[name] for name in rows})
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in READINGS.items() if name not in rows]
    return frame.with_columns(missing).with_columns(meter=pl.lit("M")).select(list(READINGS))


@pytest.mark.parametrize("order", ["as read", "shuffled"])
def test_intervals_are_where_the_clock_and_the_calendar_put_them(year: pl.DataFrame, order: str) -> None:
    rows = year if order == "as read" else year.sample(fraction=1.0, shuffle=True, seed=3)
    found = consumption.located(rows, CALENDAR, MONTHS, ZONE)
    assert dict(found.schema) == consumption.SLOTS
    wanted, power = [], []
    for row in year.iter_rows(named=True):
        if row["kwh_import"] is None:
            continue
        local = row["start"].astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)
        kw = row["kwh_import"] * 60 / 15 if row["kw"] is None else row["kw"]
        wanted.append((row["start"], local, local.date(), local.hour, local.isoweekday(), CALENDAR.block_at(local), row["kwh_import"], row["quality"]))  # fmt: skip
        power.append(kw)
    assert found.drop("kw").rows() == wanted
    assert found["kw"].to_list() == pytest.approx(power, rel=1e-14)
    clock = [row[1] for row in wanted]
    assert len(set(clock)) < len(clock)  # the hour that is there twice


def test_sums_and_means_of_a_year_are_those_of_plain_arithmetic(year: pl.DataFrame) -> None:
    slots = consumption.located(year, CALENDAR, MONTHS, ZONE)
    energy: dict[str, Decimal] = defaultdict(Decimal)
    days: dict[tuple[object, str], Decimal] = defaultdict(Decimal)
    peaks: dict[str, float] = defaultdict(float)
    power: dict[tuple[int, int], list[Fraction]] = defaultdict(list)
    for row in slots.iter_rows(named=True):
        kwh = Decimal(repr(row["kwh"]))
        energy[row["block"]] += kwh
        days[row["day"], row["block"]] += kwh
        peaks[row["block"]] = max(peaks[row["block"]], row["kw"])
        power[row["weekday"], row["hour"]].append(Fraction(row["kw"]))
    assert consumption.by_block(slots) == dict(energy)
    assert list(consumption.by_block(slots)) == ["VALLE", "RESTO", "PUNTA"]
    assert profile.peaks(slots) == dict(peaks)
    found = profile.daily(slots)
    assert found.days == sorted({day for day, _ in days})
    for day, amounts in zip(found.days, found.kwh, strict=True):
        assert amounts == [float(days.get((day, block), 0)) for block in found.blocks]
    means = profile.mean_power(slots)
    assert list(means) == sorted(power)
    for at, values in power.items():
        assert means[at] == (pytest.approx(float(sum(values) / len(values)), abs=1e-6), len(values))
    assert consumption.estimated(slots) == sum(row == "estimated" for row in slots["quality"])


def test_a_year_without_power_or_readings_has_sums_too() -> None:
    nothing = pl.DataFrame(schema=consumption.SLOTS)
    assert (consumption.by_block(nothing), profile.peaks(nothing), profile.mean_power(nothing)) == ({}, {}, {})
    assert profile.daily(nothing) == ([], [], [])
    row = (datetime(2021, 2, 1, 5, tzinfo=UTC), datetime(2021, 2, 1), datetime(2021, 2, 1).date(), 0, 1, "VALLE", 1.5, None, "measured")  # fmt: skip  # noqa: DTZ001
    one = pl.DataFrame([row], schema=consumption.SLOTS, orient="row")
    assert (profile.peaks(one), profile.mean_power(one)) == ({"VALLE": None}, {})


def test_months_cut_out_of_a_year_have_the_hashes_of_their_rows(year: pl.DataFrame) -> None:
    """As a bill takes it: the hash of the rows that are measured, which are chosen here by a query of their own."""
    for rows in (year, year.filter(pl.col("quality") == "measured")):
        metered = Metered(rows)
        for month in (FIRST.plus(-1), *MONTHS):
            start, end = month.period.utc(ZONE)
            mine = rows.filter(pl.col("start") >= start, pl.col("start") < end)
            first, last = metered.between(start, end)
            assert rows.slice(first, last - first).equals(mine)
            measured = mine.filter(pl.col("quality") == "measured")
            for like in ("2:", "0" * 64):
                wanted = readings_hash(measured, like=like) if measured.height else None
                assert metered.measured_hash(first, last, like) == wanted
    assert year.select(pl.col(BILLED).null_count()).row(0)[4] > 0  # some columns have holes, some nothing at all
