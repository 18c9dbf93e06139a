"""Rows put in their places, and sums per set of prices, against slow twins."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisenergy import frames, kernels, usage
from eisenergy.blockruns import compile_runs
from eisenergy.masters import calendars
from eisenergy.period import Period
from eisenergy.places import SLOT_US, places
from eisenergy.pricesets import MOST, sum_priced
from eisenergy.stretches import Filled, Stretches, copied, copied_figures, stretches
from eisenergy.usage import CellSums, measure, usage_of

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
ORIGIN = 1_630_476_000_000_000
ROWS = 12
RUN = st.tuples(st.integers(0, 2), st.lists(st.one_of(st.integers(-3, ROWS + 2), st.just(4.5)), max_size=20))


@pytest.mark.untraced
@given(st.lists(RUN, max_size=8))
@settings(max_examples=300, deadline=None)
def test_places_are_those_of_a_walk_over_the_rows(runs: list[tuple[int, list[float]]]) -> None:
    meter = np.array([number for number, _ in runs], dtype=np.int64)
    ends = np.cumsum([len(slots) for _, slots in runs], dtype=np.int64)
    begins = ends - np.array([len(slots) for _, slots in runs], dtype=np.int64)
    start = np.array([ORIGIN + int(slot * SLOT_US) for _, slots in runs for slot in slots], dtype=np.int64)
    found = places(meter, begins, ends, start, meters=3, origin=ORIGIN, rows=ROWS)

    seen: set[tuple[int, float]] = set()
    stray = {0: False, 1: False, 2: False}
    expected = []
    for number, slots in runs:
        for slot in slots:
            if slot == 4.5 or (number, slot) in seen:
                stray[number] = True
            if slot == 4.5 or (number, slot) in seen or not 0 <= slot < ROWS:
                expected.append(-1)
                continue
            seen.add((number, slot))
            expected.append(number * ROWS + int(slot))
    assert found.place.tolist() == expected
    assert found.stray.tolist() == [stray[n] for n in range(3)]
    assert found.present.tolist() == [sum(number == n for number, _ in seen) for n in range(3)]


@pytest.mark.untraced
@given(st.lists(RUN, max_size=8), st.integers(0, 8))
@settings(max_examples=300, deadline=None)
def test_stretches_put_the_rows_of_two_frames_where_their_places_are(
    runs: list[tuple[int, list[float]]], cut: int
) -> None:
    """The walk over the rows says where they belong and which meters may be used; rows are copied by the stretch."""
    filled = Filled.nothing(3, ROWS)
    laid, numbers, count = np.full(3 * ROWS, np.nan), np.full(3 * ROWS, -1, dtype=np.int32), np.zeros(3, dtype=np.int64)
    expected, strays = np.full(3 * ROWS, np.nan), np.zeros(3, dtype=np.bool_)
    seen: set[tuple[int, float]] = set()
    for part in (runs[:cut], runs[cut:]):
        meter = np.array([number for number, _ in part], dtype=np.int64)
        ends = np.cumsum([len(slots) for _, slots in part], dtype=np.int64)
        begins = ends - np.array([len(slots) for _, slots in part], dtype=np.int64)
        start = np.array([ORIGIN + int(slot * SLOT_US) for _, slots in part for slot in slots], dtype=np.int64)
        values = np.arange(len(start)) + 0.5
        values[::3] = np.array([0x7FF8_0000_DEAD_BEEF], dtype=np.uint64).view(np.float64)[0]
        found = stretches(meter, begins, ends, start, origin=ORIGIN, rows=ROWS, filled=filled)
        copied_figures(values, found, ROWS, laid, count)
        copied(np.arange(len(start), dtype=np.int32), found, numbers)
        outside = []
        for row, (number, slot) in enumerate((number, slot) for number, slots in part for slot in slots):
            if slot == 4.5 or (0 <= slot < ROWS and (number, slot) in seen):
                strays[number] = True
            elif 0 <= slot < ROWS:
                seen.add((number, slot))
                expected[number * ROWS + int(slot)] = np.nan if row % 3 == 0 else row + 0.5
            else:
                outside.append(row)
        assert found.outside.tolist() == outside
    assert filled.stray.tolist() == strays.tolist()
    for number in np.flatnonzero(~strays):  # what lies in the places of the others may not be used
        mine = slice(number * ROWS, (number + 1) * ROWS)
        assert filled.present[number] == sum(n == number for n, _ in seen)
        assert laid[mine].tobytes() == expected[mine].tobytes(), "and there is one NaN, so that figures can be hashed"
        assert count[number] == np.isfinite(expected[mine]).sum()
        assert ((numbers[mine] >= 0) == [(number, n) in seen for n in range(ROWS)]).all()


def test_what_lies_outside_is_refused() -> None:
    one = np.zeros(1, dtype=np.int64)
    with pytest.raises(ValueError, match="runs must lie within 1 rows"):
        places(one, one, one + 2, one, meters=1, origin=0, rows=1)
    with pytest.raises(ValueError, match="runs must lie within 1 rows"):
        places(one + 1, one, one + 1, one, meters=1, origin=0, rows=1)
    with pytest.raises(ValueError, match="runs must lie within 1 rows"):
        stretches(one, one, one + 2, one, origin=0, rows=1, filled=Filled.nothing(1, 1))
    found = Stretches(begin=one, to=one, length=one + 2, outside=one[:0])
    with pytest.raises(ValueError, match="beyond 1 values"):
        copied_figures(np.zeros(1), found, 1, np.zeros(2), one.repeat(2))
    with pytest.raises(ValueError, match="or 1 places"):
        copied(np.zeros(2, dtype=np.int32), found, np.zeros(1, dtype=np.int32))
    with pytest.raises(ValueError, match="1 meters of 1 rows are not 2 places"):
        copied_figures(np.zeros(2), found, 1, np.zeros(2), one)


def test_the_column_of_slots_is_the_kernels() -> None:
    assert usage._SLOTS == kernels.SLOTS


def months(meters: int, sets: int) -> pl.DataFrame:
    """Two days per meter, with up to so many sets of prices, some of them null and some the same to 15 digits."""
    rng = np.random.default_rng(sets)
    rows = 192
    drawn = rng.integers(0, sets, (meters, rows))
    prices = {
        name: np.where(drawn % (n + 3) == 0, np.nan, (drawn // (n + 1)) * 0.01 + (drawn % 2) * 1e-18)
        for n, name in enumerate(("loss_factor", "ftpms", "cost_pos", "cost_neg"))
    }
    kwh = rng.integers(1, 9000, (meters, rows)) / 1000
    frame = pl.DataFrame(
        {
            "meter": np.repeat([f"M{n}" for n in range(meters)], rows),
            "start": np.tile(ORIGIN + SLOT_US * np.arange(rows), meters),
            "kwh_import": kwh.ravel(),
            "kw": np.where(rng.random(meters * rows) < 0.2, np.nan, kwh.ravel() * 4),
            "forecast_kwh": np.where(rng.random(meters * rows) < 0.2, np.nan, 4.0),
            **{name: values.ravel() for name, values in prices.items()},
        }
    )
    return frames.conform(
        frame.with_columns(
            pl.col("start").cast(frames.READINGS["start"]),
            client=pl.lit("EIS"),
            quality=pl.lit("measured"),
            source=pl.lit("a" * 64),
            source_row=pl.int_range(pl.len()),
        )
    )


@pytest.mark.parametrize("sets", [1, 5, 40, MOST + 60])
def test_sums_per_set_of_prices_are_each_meters_own(sets: int) -> None:
    calendar = calendars.read_spreadsheet(SAMPLES / "Bloques horarios.xlsx", "eis-bloques")
    period, zone = Period(date(2021, 9, 1), date(2021, 9, 3)), "America/El_Salvador"
    runs = compile_runs(calendar, (period,), zone)
    meters = 4
    frame = months(meters, sets)
    nothing = np.full(len(frame), np.nan)

    def column(name: str) -> np.ndarray:
        return frame[name].fill_null(float("nan")).to_numpy()

    found = sum_priced(
        kernels.Columns(
            start=frame["start"].to_physical().to_numpy(),
            kwh=column("kwh_import"),
            kwh_export=nothing,
            kvarh=nothing,
            kvar=nothing,
            kw=column("kw"),
            forecast=column("forecast_kwh"),
            estimated=np.zeros(len(frame), dtype=np.bool_),
            group=np.zeros(len(frame), dtype=np.int32),
        ),
        [column(name) for name in ("loss_factor", "ftpms", "cost_pos", "cost_neg")],
        192,
        runs,
    )
    kept = 0
    for number in range(meters):
        expected = measure(f"M{number}", frame, runs, period=period, timezone=zone)
        if not found.prices[number]:
            rows = frame.filter(pl.col("meter") == f"M{number}")
            assert len(rows.unique(["loss_factor", "ftpms", "cost_pos", "cost_neg"])) > MOST
            continue
        kept += 1
        mine = CellSums(*(part[number] for part in found.cells))
        prices = found.prices[number]
        made = usage_of(
            f"M{number}", runs, mine, prices, period=period, groups=found.groups, has_forecast=expected.has_forecast
        )
        assert made == expected
    assert kept == (0 if sets > MOST else meters)
