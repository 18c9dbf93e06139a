"""Blemished months at random: what is looked at as arrays is what queries and a person's own reckoning say."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import plain_fill
import polars as pl
import pytest
from blemishes import CALENDAR, Case, case
from polars.testing import assert_frame_equal

from eisenergy.blockruns import microseconds
from eisenergy.findings import Finding
from eisenergy.frames import READINGS, conform
from eisenergy.quality import course
from eisenergy.quality.checks import CHECKS, DEFAULTS, check
from eisenergy.quality.donors import Donors, Method, means
from eisenergy.quality.estimate import fill, fill_rows
from eisenergy.quality.month import Look, Month
from eisenergy.quality.registers import disagreements
from eisenergy.quality.rows import Rows, local

MONTHS = 160
"""Of which about a hundred are billed; each takes some 30 ms, mostly the slow way."""


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [case(seed) for seed in range(MONTHS)]


def month_of(one: Case) -> Month:
    rows = Rows.of(one.rows, "m")
    return Month(
        all=rows.within(*map(microseconds, one.period.utc(one.zone))),
        beside=rows,
        meter="m",
        period=one.period,
        zone=ZoneInfo(one.zone),
        contracted_kw=one.contracted_kw,
        limits=DEFAULTS,
    )


def test_a_look_never_hides_a_finding(cases: list[Case]) -> None:
    found: Counter[str] = Counter()
    spared: Counter[str] = Counter()
    for seed, one in enumerate(cases):
        month = month_of(one)
        if not len(month.all):
            continue
        for each in CHECKS:
            if isinstance(each, Look):
                closely = list(each.closely(month_of(one)))
                assert repr(list(each(month))) == repr(closely), (seed, each)
                found[each.__name__] += len(closely)
                spared[each.__name__] += each.nothing(month)
    looks = [each.__name__ for each in CHECKS if isinstance(each, Look)]
    assert {name for name in looks if found[name]} == set(looks), "each finds something in some month"
    assert all(spared[name] > MONTHS // 3 for name in looks), "and most months are spared"


def plainly_named(one: Case) -> list[tuple[str, str]]:
    """Rows whose file names another block: the file's, and the calendar's."""
    first, last = one.period.utc(one.zone)
    named = one.rows.filter(pl.col("block_in_file").is_not_null(), pl.col("start") >= first, pl.col("start") < last)
    both = [
        (name, one.calendar.block_at(start.astimezone(ZoneInfo(one.zone))))
        for name, start in named.select("block_in_file", "start").iter_rows()
    ]
    return [(name, block) for name, block in both if name.strip().lower() != block.casefold()]


def test_blocks_that_differ_are_those_of_a_walk(cases: list[Case]) -> None:
    seen = 0
    for seed, one in enumerate(cases):
        expected, found = plainly_named(one), list(course.blocks(month_of(one), one.calendar))
        assert [(f.data["count"], f.data["in_file"], f.data["in_calendar"]) for f in found] == [
            (len(expected), *expected[0]) for _ in range(bool(expected))
        ], seed
        seen += bool(expected)
    assert seen > 3


def test_missing_intervals_are_those_of_a_walk(cases: list[Case]) -> None:
    for seed, one in enumerate(cases):
        first, last = one.period.utc(one.zone)
        month = month_of(one)
        there = {
            start
            for start, kwh in one.rows.select("start", "kwh_import").iter_rows()
            if plain_fill.finite(kwh) or kwh == float("inf")
        }
        grid = [first + plain_fill.SLOT * n for n in range(one.period.slots(one.zone))]
        if len([start for start in there if first <= start < last]) == len(grid):
            assert month.gaps == []
            continue
        lacking = [n for n, slot in enumerate(grid) if slot not in there]
        walked = [
            [n for _, n in group] for _, group in itertools.groupby(enumerate(lacking), lambda item: item[1] - item[0])
        ]
        assert month.gaps == [(microseconds(grid[some[0]]), len(some)) for some in walked], seed


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


def test_estimates_are_those_made_one_by_one(cases: list[Case]) -> None:
    seen: Counter[str] = Counter()
    for seed, one in enumerate(cases):
        rows = Rows.of(one.rows, "m")
        share, holidays = one.max_missing_share, one.calendar.holidays
        made = fill_rows(
            rows, meter="m", period=one.period, timezone=one.zone, max_missing_share=share, holidays=holidays
        )
        frame, code, stretches = plain_fill.filled(rows.frame, one.period, one.zone, holidays, share)
        assert codes(made.findings) == [code] * bool(code), seed
        assert [(r.start, r.slots, r.kwh, r.method) for r in made.ranges] == stretches, seed
        assert all(r.end == r.start + plain_fill.SLOT * r.slots for r in made.ranges)
        assert_frame_equal(made.frame, frame, check_exact=True)
        seen[code] += 1
        seen.update(method for *_, method in stretches)
        # What the arrays say is what the frame says.
        again = Rows(made.frame)
        assert (made.rows.start == again.start).all()
        assert (made.rows.estimated == again.estimated).all()
        for name, dtype in made.frame.schema.items():
            if dtype == pl.Float64:
                figures = made.rows.column(name)
                assert np.array_equal(figures, again.column(name), equal_nan=True), (seed, name)
        split = pl.col("start").is_between(*one.period.utc(one.zone), closed="left")
        apart = fill(
            one.rows.filter(split), one.rows.filter(~split), meter="m", period=one.period, timezone=one.zone,
            max_missing_share=share, holidays=holidays,
        )  # fmt: skip
        assert (apart.ranges, apart.findings) == (made.ranges, made.findings)
        assert_frame_equal(apart.frame, made.frame, check_exact=True)
    assert {
        "",
        "slots-estimated",
        "too-many-missing",
        "meter",
        "similar-days",
        "similar-days-register",
        "register",
        "mean",
    } <= set(seen)
    assert {"other-days", "other-days-register"} & set(seen)


def test_a_check_of_frames_is_that_of_arrays_and_order_does_not_matter(cases: list[Case]) -> None:
    for one in cases[:40]:
        options = {
            "meter": "m",
            "period": one.period,
            "timezone": one.zone,
            "contracted_kw": one.contracted_kw,
            "calendar": CALENDAR,
        }
        others = one.rows.with_columns(meter=pl.lit("n"))
        found = check(one.rows, history=one.rows, **options)  # type: ignore[arg-type]
        mixed = pl.concat([others, one.rows.sample(fraction=1, shuffle=True, seed=1)])
        assert repr(check(mixed, history=mixed, **options)) == repr(found)  # type: ignore[arg-type]


def test_the_register_agrees_only_where_no_comparison_disagrees(cases: list[Case]) -> None:
    from eisenergy.quality.registers import agrees

    seen = {True: 0, False: 0}
    for seed, one in enumerate(cases):
        rows = Rows.of(one.rows, "m")
        compared = disagreements(one.rows)
        gap = (compared["register_kwh"] - compared["interval_kwh"]).abs()
        fine = not ((gap > 0.01) | (compared["register_kwh"] < -0.01)).any()
        said = agrees(rows, 0.01)
        assert fine or not said, seed
        if len(compared):
            seen[said] += 1
    assert min(seen.values()) > 5


@pytest.mark.parametrize(
    "zone", ["America/El_Salvador", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"]
)
def test_the_local_clock_is_that_of_the_zone(zone: str) -> None:
    rng = np.random.default_rng(7)
    start = 1_600_000_000_000_000 // 900_000_000 * 900_000_000
    grid = start + 900_000_000 * np.sort(rng.integers(0, 3 * 365 * 96, 500))
    for instants in (grid, grid[:40], grid + 7, grid[:0]):
        shown = [
            pl.Series([int(at)])
            .cast(pl.Datetime("us", "UTC"))
            .dt.convert_time_zone(zone)
            .dt.replace_time_zone(None)
            .to_physical()[0]
            for at in instants
        ]
        assert local(instants, zone).tolist() == shown


def test_means_are_exact_and_rounded_half_away_from_zero() -> None:
    rng = np.random.default_rng(3)
    for step in (0.001, 0.25, 1e-5, 1e-7, 1e7):
        figures = np.round(np.round(rng.uniform(-20, 20, (300, 4)) / min(step, 1)) * step, 9)
        count = rng.integers(1, 5, 300)
        expected = [float(plain_fill.mean(row[:n].tolist())) for row, n in zip(figures, count.tolist(), strict=True)]
        assert means(figures, count).tolist() == expected
    assert means(
        np.array([[0.0005, 0.0, 0.0, 0.0], [0.001, 0.002, 9.0, 9.0], [-0.001, -0.002, 9.0, 9.0]]), np.array([1, 2, 2])
    ).tolist() == [0.001, 0.002, -0.002]


def test_figures_too_large_for_whole_numbers_are_reckoned_as_decimals() -> None:
    figures = np.array([[3e16, 1e16, 2e16, 2e16], [0.001, 0.002, 0.003, 0.005]])
    assert means(figures, np.array([4, 4])).tolist() == [2e16, 0.003]


def test_of_an_hour_that_a_clock_change_repeats_the_first_is_the_nearer() -> None:
    """Four donors: two holidays, two Sundays, and of the Sunday on which the clock was set back the first of two intervals only."""
    zone = ZoneInfo("Europe/Berlin")
    day = datetime(2021, 11, 10, 2, 15, tzinfo=zone)
    holidays = frozenset({day.date(), date(2021, 11, 11)})
    values = {date(2021, 11, 11): 1.0, date(2021, 11, 7): 2.0, date(2021, 11, 14): 3.0, date(2021, 10, 31): 6.0}
    rows = {datetime(d.year, d.month, d.day, 2, 15, tzinfo=zone).astimezone(UTC): kwh for d, kwh in values.items()}
    rows |= {datetime(2021, 10, 31, 1, 15, tzinfo=UTC): 600.0}
    frame = pl.DataFrame(
        {
            "start": pl.Series(sorted(rows), dtype=READINGS["start"]),
            "kwh_import": [rows[start] for start in sorted(rows)],
        }
    ).with_columns(
        client=pl.lit("EIS"), meter=pl.lit("m"), quality=pl.lit("measured"), source=pl.lit("f"), source_row=pl.lit(1)
    )
    donors = Donors(Rows.of(conform(frame), "m"), zone.key, holidays)
    found = donors.of(np.array([microseconds(day.astimezone(UTC))]))
    assert (found.kwh.tolist(), found.method) == ([3.0], [Method.SIMILAR_DAYS])


def test_parts_of_rows_are_cut_where_the_whole_is_laid_out(cases: list[Case]) -> None:
    one = next(each for each in cases if each.rows["source"].n_unique() > 1)
    whole = Rows(one.rows)
    part = whole.part(10, 700).part(5, 100)
    alone = Rows(one.rows.slice(15, 95))
    assert len(part) == 95
    assert_frame_equal(part.frame, alone.frame)
    for name in ("start", "measured", "estimated", "made_here", "source_row", "names_block"):
        assert (getattr(part, name) == getattr(alone, name)).all(), name
    assert part.sources() == alone.sources()
    assert whole.sources()[0] == one.rows["source"][0]
    assert len(whole.sources()) == 1 + int((one.rows["source"][1:] != one.rows["source"][:-1]).sum())
    assert whole.part(0, len(whole)) is whole
    nothing = whole.part(3, 3)
    assert (len(nothing), nothing.sources(), len(nothing.frame)) == (0, [], 0)
