"""Estimates: the shipped log with its gap of 18 intervals, and small meters whose answer can be worked out by hand."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisenergy import frames
from eisenergy.findings import Severity
from eisenergy.money import decimal_of
from eisenergy.period import Period
from eisenergy.quality.donors import NEAREST, Method, apportion
from eisenergy.quality.estimate import Filled, estimated_ranges, fill

ZONE = "America/El_Salvador"
LOG = Path(__file__).parents[2] / "data" / "samples" / "5741444.csv"
SEPTEMBER = Period(date(2021, 9, 1), date(2021, 10, 1))
SLOT = timedelta(minutes=15)


def rows_of(values: dict[datetime, dict[str, object]], meter: str = "m") -> pl.DataFrame:
    """Readings of one meter from {UTC start: columns}."""
    filled = [
        {"client": "EIS", "meter": meter, "start": start, "quality": "measured", "source": "f", "source_row": 1}
        | columns
        for start, columns in values.items()
    ]
    if not filled:
        return frames.empty_readings()
    return frames.conform(pl.DataFrame(filled, schema_overrides=_used(filled), infer_schema_length=None))


def _used(rows: list[dict[str, object]]) -> dict[str, pl.DataType]:
    return {name: frames.READINGS[name] for row in rows for name in row}


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0, zone: str = ZONE) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.fixture(scope="module")
def log() -> pl.DataFrame:
    """The shipped log, read here by hand: end stamps, decimal comma, repeats agree."""
    values: dict[datetime, dict[str, object]] = {}
    with LOG.open(encoding="utf-8-sig", newline="") as handle:
        for number, row in enumerate(csv.reader(handle, delimiter=";"), start=1):
            if number <= 3:
                continue
            day, month, year = map(int, row[0].split("/"))
            hour, minute = map(int, row[1].split(":")[:2])
            end = local(year, month, day) + timedelta(hours=hour, minutes=minute // 15 * 15)
            kwh, export, kvarh, register = (float(cell.replace(",", ".")) for cell in row[2:6])
            values[end - SLOT] = {"kwh_import": kwh, "kwh_export": export, "kvarh": kvarh, "register_kwh": register}
    return rows_of(values, "5741444")


def fill_september(readings: pl.DataFrame, history: pl.DataFrame | None = None, **options: object) -> Filled:
    return fill(
        readings,
        frames.empty_readings() if history is None else history,
        **{"meter": "m", "period": SEPTEMBER, "timezone": ZONE, "max_missing_share": 0.1} | options,  # type: ignore[arg-type]
    )


def test_the_gap_of_the_shipped_log_is_what_its_register_says(log: pl.DataFrame) -> None:
    assert len(log) == 2880 - 18
    filled = fill_september(log, meter="5741444")
    (gap,) = filled.ranges
    assert (gap.start, gap.end, gap.slots) == (local(2021, 9, 12, 3), local(2021, 9, 12, 7, 30), 18)
    assert gap.kwh == Decimal("95.365")
    assert gap.method == "similar-days-register"
    assert sum((decimal_of(kwh) for kwh in filled.frame["kwh_import"]), Decimal(0)) == Decimal("20958.991")
    frames.readings_schema().validate(filled.frame)
    made = filled.frame.filter(pl.col("quality") == "estimated")
    assert made["method"].to_list() == ["similar-days-register"] * 18
    assert made["kwh_import"].to_list() == made["kwh_import"].round(3).to_list()
    for column in ("kw", "forecast_kwh", "loss_factor", "ftpms", "cost_pos", "cost_neg", "kvarh"):
        assert made[column].null_count() == 18
    (finding,) = filled.findings
    assert (finding.code, finding.severity, finding.data["slots"]) == ("slots-estimated", Severity.WARNING, 18)
    assert "2021-09-12 03:00 to 2021-09-12 07:30: 95.365 kWh" in finding.message


def test_the_shape_of_the_gap_is_that_of_the_nearest_sundays(log: pl.DataFrame) -> None:
    filled = fill_september(log, meter="5741444").frame
    by_start = dict(log.select("start", "kwh_import").iter_rows())
    slots = [local(2021, 9, 12, 3) + SLOT * n for n in range(18)]
    # 12 September 2021 is a Sunday; the nearest four are the other Sundays of the month.
    means = [sum(Fraction(str(by_start[slot + timedelta(days=days)])) for days in (-7, 7, 14)) / 3 for slot in slots]
    scale = Fraction("95.365") / sum(means)
    estimates = filled.filter(pl.col("quality") == "estimated")["kwh_import"].to_list()
    for estimate, mean in zip(estimates, means, strict=True):
        # The mean is kept in watt-hours before it is scaled, and the result is rounded to watt-hours again.
        assert abs(Fraction(str(estimate)) - mean * scale) < Fraction("0.002")


def test_a_notebooks_decimal_context_changes_nothing(log: pl.DataFrame) -> None:
    expected = fill_september(log, meter="5741444")
    with localcontext() as context:
        context.prec = 3
        assert fill_september(log, meter="5741444").frame.equals(expected.frame)


def test_filling_twice_gives_the_same(log: pl.DataFrame) -> None:
    once = fill_september(log, meter="5741444")
    twice = fill_september(once.frame, meter="5741444")
    assert twice.frame.equals(once.frame)
    assert twice.ranges == once.ranges


def test_earlier_estimates_are_made_anew_from_what_is_known_now() -> None:
    gap = local(2021, 9, 15, 10)
    once = fill_september(rows_of(month(1.0, without={gap}))).frame
    corrected = once.with_columns(kwh_import=pl.when(pl.col("quality") == "measured").then(2.0).otherwise("kwh_import"))
    again = fill_september(corrected).frame
    assert again.filter(pl.col("start") == gap)["kwh_import"].item() == 2.0


def month(kwh: object = 1.0, *, without: set[datetime] = frozenset(), **columns: object) -> dict:  # type: ignore[assignment]
    """September 2021 with the same energy in every interval, or ``kwh(local start)``."""
    first, _ = SEPTEMBER.utc(ZONE)
    slots = [first + SLOT * n for n in range(2880)]
    value = kwh if callable(kwh) else lambda _: kwh
    return {
        slot: {"kwh_import": value(slot.astimezone(ZoneInfo(ZONE)))} | columns for slot in slots if slot not in without
    }


def test_without_a_register_the_mean_of_the_four_nearest_similar_days() -> None:
    gap = local(2021, 9, 15, 10)  # a Wednesday; nearest weekdays: 14, 16 (1 day off), 13, 17 (2 days off)
    filled = fill_september(rows_of(month(lambda at: float(at.day), without={gap})))
    row = filled.frame.filter(pl.col("start") == gap).row(0, named=True)
    assert row["kwh_import"] == (14 + 16 + 13 + 17) / NEAREST
    assert (row["method"], row["quality"], row["client"], row["kwh_export"]) == (
        "similar-days",
        "estimated",
        "EIS",
        None,
    )


def test_holidays_are_estimated_from_sundays_and_never_lend_to_weekdays() -> None:
    holiday, neighbour = local(2021, 9, 15, 10), local(2021, 9, 14, 10)
    readings = rows_of(month(lambda at: float(at.day), without={holiday, neighbour}))
    filled = fill_september(readings, holidays=frozenset({date(2021, 9, 15)})).frame
    by_start = dict(filled.select("start", "kwh_import").iter_rows())
    assert by_start[holiday] == (12 + 19 + 5 + 26) / 4
    assert by_start[neighbour] == (13 + 16 + 10 + 17) / 4


def test_a_solar_meters_export_is_estimated_too() -> None:
    gap = local(2021, 9, 15, 10)
    values = month(2.0, without={gap}, kwh_export=0.5)
    row = fill_september(rows_of(values)).frame.filter(pl.col("start") == gap).row(0, named=True)
    assert (row["kwh_import"], row["kwh_export"]) == (2.0, 0.5)


def test_no_similar_day_falls_back_to_other_days_then_to_the_mean_then_to_the_register() -> None:
    week = Period(date(2021, 9, 13), date(2021, 9, 19))  # Monday to Saturday
    at = local(2021, 9, 18, 10)  # the only Saturday
    first, last = week.utc(ZONE)
    full = {slot: row for slot, row in month(lambda at: float(at.day)).items() if first <= slot < last}
    options = {"period": week, "max_missing_share": 1.0}

    other = fill_september(rows_of({s: r for s, r in full.items() if s != at}), **options)
    assert other.frame.filter(pl.col("start") == at)["kwh_import"].item() == (17 + 16 + 15 + 14) / 4
    assert [item.method for item in other.ranges] == [Method.OTHER_DAYS]

    at_ten = {s for s in full if s.astimezone(ZoneInfo(ZONE)).strftime("%H:%M") == "10:00"}
    mean = fill_september(rows_of({s: r for s, r in full.items() if s not in at_ten}), **options)
    assert {item.method for item in mean.ranges} == {Method.MEAN}
    assert mean.ranges[0].kwh == Decimal("15.5")

    registers = {
        first - SLOT: {"register_kwh": 100.0},
        last - SLOT: {"register_kwh": 157.6},
    }
    alone = fill_september(
        rows_of({last - SLOT: registers[last - SLOT]}), rows_of({first - SLOT: registers[first - SLOT]}), **options
    )
    assert [item.method for item in alone.ranges] == [Method.REGISTER]
    assert alone.ranges[0].kwh == Decimal("57.6")
    assert set(alone.frame["kwh_import"]) == {0.1}
    assert alone.frame["register_kwh"].drop_nulls().to_list() == [157.6]

    nothing = fill_september(rows_of({last - SLOT: {"kw": 3.0}}), **options)
    assert [(f.code, f.severity) for f in nothing.findings] == [("cannot-estimate", Severity.BLOCKING)]
    assert nothing.ranges == ()


def test_register_jumps_back_and_the_estimate_is_not_scaled() -> None:
    gap = local(2021, 9, 15, 10)
    values = month(1.0, without={gap})
    values[gap - SLOT]["register_kwh"] = 900.0
    values[gap + SLOT]["register_kwh"] = 2.0
    (item,) = fill_september(rows_of(values)).ranges
    assert (item.method, item.kwh) == (Method.SIMILAR_DAYS, Decimal(1))


def test_register_of_the_month_before_brackets_a_gap_at_the_start() -> None:
    first, _ = SEPTEMBER.utc(ZONE)
    gap = {first, first + SLOT}
    values = month(1.0, without=gap)
    values[first + 2 * SLOT]["register_kwh"] = 1005.0
    history = rows_of({first - SLOT: {"kwh_import": 1.0, "register_kwh": 1000.0}})
    (item,) = fill_september(rows_of(values), history).ranges
    assert (item.method, item.kwh) == (Method.SIMILAR_DAYS_REGISTER, Decimal(4))


def test_a_register_too_far_away_does_not_scale() -> None:
    gap = local(2021, 9, 15, 10)
    values = month(1.0, without={gap})
    values[gap + SLOT]["register_kwh"] = 1005.0
    history = rows_of({local(2021, 7, 1): {"kwh_import": 1.0, "register_kwh": 1.0}})
    (item,) = fill_september(rows_of(values), history).ranges
    assert item.method == Method.SIMILAR_DAYS


def test_one_interval_between_registers_is_their_difference() -> None:
    gap = local(2021, 9, 15, 10)
    values = month(1.0)
    values[gap - SLOT]["register_kwh"] = 1000.0
    values[gap] = {"kwh_import": None, "register_kwh": 1000.123456, "kw": 0.5}
    filled = fill_september(rows_of(values))
    row = filled.frame.filter(pl.col("start") == gap).row(0, named=True)
    assert (row["kwh_import"], row["method"], row["kw"], row["source"]) == (0.123456, "register", 0.5, "f")


def test_idle_similar_days_share_the_register_evenly() -> None:
    gap = {local(2021, 9, 15, 10), local(2021, 9, 15, 10, 15), local(2021, 9, 15, 10, 30)}
    values = month(0.0, without=gap)
    values[min(gap) - SLOT]["register_kwh"] = 10.0
    values[max(gap) + SLOT]["register_kwh"] = 11.0
    filled = fill_september(rows_of(values))
    assert filled.frame.filter(pl.col("quality") == "estimated")["kwh_import"].to_list() == [0.334, 0.333, 0.333]
    assert {item.method for item in filled.ranges} == {Method.REGISTER}


def test_more_than_the_limit_missing_parks_the_customer() -> None:
    first, _ = SEPTEMBER.utc(ZONE)
    values = month(1.0, without={first + SLOT * n for n in range(289)})  # one more than a tenth
    filled = fill_september(rows_of(values))
    (finding,) = filled.findings
    assert (finding.code, finding.severity) == ("too-many-missing", Severity.BLOCKING)
    assert "289 of 2880" in finding.message
    assert "10.0%" in finding.message
    assert "max_missing_share" in finding.message
    assert len(filled.frame) == 2880 - 289
    exactly = fill_september(rows_of(month(1.0, without={first + SLOT * n for n in range(288)})))
    assert len(exactly.frame) == 2880
    assert not any(finding.severity is Severity.BLOCKING for finding in exactly.findings)


def test_estimates_that_came_in_a_file_count_and_are_named() -> None:
    values = month(1.0)
    flagged = [local(2021, 9, 15, 10) + SLOT * n for n in range(3)]
    for slot in flagged:
        values[slot] = {"kwh_import": 7.0, "quality": "estimated"}
    filled = fill_september(rows_of(values))
    (item,) = filled.ranges
    assert (item.method, item.slots, item.kwh) == ("meter", 3, Decimal(21))
    assert filled.frame.filter(pl.col("quality") == "estimated")["method"].to_list() == ["meter"] * 3
    assert filled.findings[0].code == "slots-estimated"
    assert fill_september(rows_of(values), max_missing_share=2 / 2880).findings[0].code == "too-many-missing"


def test_a_full_month_needs_nothing() -> None:
    readings = rows_of(month(1.0))
    filled = fill_september(readings)
    assert filled.frame.equals(readings)
    assert (filled.ranges, filled.findings) == ((), ())


def test_more_than_five_ranges_are_counted_not_listed() -> None:
    gaps = {local(2021, 9, day, 10) for day in range(1, 8)}
    (finding,) = fill_september(rows_of(month(1.0, without=gaps))).findings
    assert "and 2 more" in finding.message
    assert len(finding.data["ranges"]) == 7


def test_clock_changes_are_walked_in_utc() -> None:
    october = Period(date(2021, 10, 1), date(2021, 11, 1))
    first, _ = october.utc("Europe/Berlin")
    slots = [first + SLOT * n for n in range(31 * 96 + 4)]
    repeated = [local(2021, 10, 31, 0, 0, zone="Europe/Berlin") + SLOT * n for n in range(8, 16)]  # 02:00 twice
    readings = rows_of({slot: {"kwh_import": 1.0} for slot in slots if slot not in repeated})
    filled = fill_september(readings, period=october, timezone="Europe/Berlin")
    assert filled.frame["start"].to_list() == slots
    (item,) = filled.ranges
    assert (item.slots, item.kwh) == (8, Decimal(8))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 670), st.integers(1, 60)), min_size=1, max_size=6),
    st.sets(st.integers(0, 670), max_size=200),
    st.randoms(use_true_random=False),
)
def test_whatever_is_missing_the_month_sums_to_its_register(gaps, without_register, shuffler) -> None:  # type: ignore[no-untyped-def]
    """Gaps anywhere but at the ends, the register missing here and there: the sum is what the register moved."""
    week = Period(date(2021, 9, 6), date(2021, 9, 13))
    first, _ = week.utc(ZONE)
    absent = {n for start, length in gaps for n in range(start, start + length) if 0 < n < 671}
    energy = [Decimal(shuffler.randrange(0, 9000)).scaleb(-3) for _ in range(672)]
    values: dict[datetime, dict[str, object]] = {}
    register = Decimal(1000)
    for n, kwh in enumerate(energy):
        register += kwh
        if n not in absent:
            shown = None if n in without_register and 0 < n < 671 else float(register)
            values[first + SLOT * n] = {"kwh_import": float(kwh), "register_kwh": shown}
    readings = rows_of(values)
    filled = fill_september(readings.sample(fraction=1, shuffle=True, seed=1), period=week, max_missing_share=1.0)
    assert sum((decimal_of(kwh) for kwh in filled.frame["kwh_import"]), Decimal(0)) == sum(energy)
    assert filled.frame["start"].to_list() == [first + SLOT * n for n in range(672)]
    assert sum(item.slots for item in filled.ranges) == len(absent)
    assert sum((item.kwh for item in filled.ranges), Decimal(0)) == sum((energy[n] for n in absent), Decimal(0))
    measured = filled.frame.filter(pl.col("quality") == "measured")
    assert measured.equals(readings)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**9),
    st.integers(3, 5),
    st.lists(st.integers(0, 10**5), min_size=1, max_size=30).filter(any),
)
def test_apportioned_parts_sum_exactly_and_stay_within_a_unit(units: int, places: int, weights: list[int]) -> None:
    amount = Decimal(units).scaleb(-places)
    parts = apportion(amount, [Decimal(weight).scaleb(-3) for weight in weights])
    assert sum(map(Fraction, parts)) == Fraction(amount)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(Fraction(part) - Fraction(amount) * weight / sum(weights)) < Fraction(1, 10**places)


def test_ranges_split_where_the_method_changes() -> None:
    start = local(2021, 9, 15, 10)
    methods = ["mean", "mean", "register", "mean"]
    frame = rows_of(
        {start + SLOT * n: {"kwh_import": 1.0, "quality": "estimated", "method": m} for n, m in enumerate(methods)}
    )
    assert [(item.slots, item.method) for item in estimated_ranges(frame)] == [
        (2, "mean"),
        (1, "register"),
        (1, "mean"),
    ]
