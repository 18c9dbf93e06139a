"""The kernel against a twin in plain Python: fractions, local times from the zone, one row at a time."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from zoneinfo import ZoneInfo

import numba
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisenergy import frames, kernels
from eisenergy.blockruns import Runs, compile_runs
from eisenergy.money import NotFinite
from eisenergy.period import Period
from eisenergy.timeofuse import BlockHours, DayCalendar, DayType
from eisenergy.usage import RepeatedReadings, SlotPrices, Usage, excess, measure, shortfall

SLOT = timedelta(minutes=15)
WORKDAYS = frozenset({DayType.WEEKDAY})
CALENDAR = DayCalendar(
    name="test",
    rows=(
        BlockHours(start_minute=1380, end_minute=300, block="VALLE", day_types=WORKDAYS),
        BlockHours(start_minute=300, end_minute=1380, block="RESTO", day_types=WORKDAYS),
        BlockHours(start_minute=0, end_minute=0, block="VALLE", day_types=frozenset(DayType) - WORKDAYS),
    ),
    holidays=frozenset({date(2021, 10, 29)}),
)
# Each around a clock change of the zone.
PERIODS = {
    "Europe/Berlin": Period(date(2021, 10, 29), date(2021, 11, 2)),
    "America/New_York": Period(date(2021, 3, 13), date(2021, 3, 16)),
    "Australia/Lord_Howe": Period(date(2021, 10, 2), date(2021, 10, 5)),
    "America/El_Salvador": Period(date(2021, 10, 28), date(2021, 10, 31)),
}
FIGURE = st.integers(0, 40_000).map(lambda n: n / 1000)
MAYBE = st.none() | FIGURE
PRICE = st.sampled_from([None, 0.0042, 0.0153])


def frame_of(rows: list[dict[str, object]]) -> pl.DataFrame:
    base = {"client": "EIS", "meter": "m", "quality": "measured", "source": "f", "source_row": 1}
    full = [base | row for row in rows]
    names = {name: frames.READINGS[name] for row in full for name in row}
    return frames.conform(pl.DataFrame(full, schema=names)) if full else frames.empty_readings()


@st.composite
def months(draw: st.DrawFn) -> tuple[str, tuple[Period, ...], pl.DataFrame]:
    zone = draw(st.sampled_from(sorted(PERIODS)))
    period = PERIODS[zone]
    cut = draw(st.integers(0, period.days - 1))
    segments = period.split((period.start + timedelta(days=cut),))
    first, last = period.utc(zone)
    # Rows before and after the period are there to be passed over.
    slots = [first + SLOT * n for n in range(-4, (last - first) // SLOT + 4)]
    few = draw(st.lists(st.tuples(*[MAYBE] * 6, PRICE, PRICE, st.booleans()), min_size=1, max_size=25))
    chosen = draw(st.randoms(use_true_random=False))
    rows = []
    for slot in chosen.sample(slots, draw(st.integers(0, len(slots)))):
        kwh, export, kvarh, kvar, kw, forecast, loss, cost, guess = chosen.choice(few)
        rows.append(
            {
                "start": slot, "kwh_import": kwh, "kwh_export": export, "kvarh": kvarh, "kvar": kvar, "kw": kw,
                "forecast_kwh": forecast, "loss_factor": loss, "cost_neg": cost,
                "quality": "estimated" if guess else "measured",
            }
        )  # fmt: skip
    return zone, segments, frame_of(rows)


def exact(value: float | None) -> Fraction:
    return Fraction(str(value or 0))


def slow(frame: pl.DataFrame, segments: tuple[Period, ...], zone: str) -> dict[tuple, dict[str, object]]:
    """One dictionary of sums per (segment, block, per-slot prices)."""
    cells: dict[tuple, dict[str, object]] = {}
    for row in frame.sort("start").iter_rows(named=True):
        local = row["start"].astimezone(ZoneInfo(zone))
        inside = [n for n, segment in enumerate(segments) if local.date() in segment]
        if not inside or row["kwh_import"] is None:
            continue
        key = (inside[0], CALENDAR.block_at(local), row["loss_factor"], row["cost_neg"])
        cell = cells.setdefault(key, defaultdict(Fraction) | {"kw": None})
        kwh, forecast = exact(row["kwh_import"]), row["forecast_kwh"]
        cell["kwh"] += kwh
        cell["kwh_export"] += exact(row["kwh_export"])
        cell["kvarh"] += exact(row["kvar"]) / 4 if row["kvarh"] is None else exact(row["kvarh"])
        cell["short"] += 0 if forecast is None else max(Fraction(0), exact(forecast) - kwh)
        cell["over"] += 0 if forecast is None else max(Fraction(0), kwh - exact(forecast))
        kw = kwh * 4 if row["kw"] is None else exact(row["kw"])
        if cell["kw"] is None or kw > cell["kw"]:
            cell |= {"kw": kw, "at": row["start"], "ties": 1}
        elif kw == cell["kw"]:
            cell["ties"] += 1
        cell["slots"] += 1
        cell["estimated"] += row["quality"] == "estimated"
    return cells


def as_floats(usage: Usage) -> dict[tuple, dict[str, object]]:
    result = {}
    for cell in usage.cells:
        prices = tuple(None if p is None else float(p) for p in (cell.prices.loss_factor, cell.prices.cost_neg))
        result[cell.segment, cell.block, *prices] = {
            "kw": Fraction(cell.peak.kw), "at": cell.peak.at, "ties": cell.peak.ties, "kwh": Fraction(cell.kwh),
            "kwh_export": Fraction(cell.kwh_export), "kvarh": Fraction(cell.kvarh), "short": Fraction(shortfall(cell)),
            "over": Fraction(excess(cell)), "slots": cell.slots, "estimated": cell.estimated,
        }  # fmt: skip
    return result


@pytest.mark.untraced
@settings(max_examples=40, deadline=None, derandomize=True)
@given(months(), st.randoms(use_true_random=False))
def test_measure_equals_the_twin_exactly_whatever_the_order(
    month: tuple[str, tuple[Period, ...], pl.DataFrame], shuffler
) -> None:
    zone, segments, frame = month
    period = PERIODS[zone]
    runs = compile_runs(CALENDAR, segments, zone)
    usage = measure("m", frame, runs, period=period, timezone=zone)
    expected = slow(frame, segments, zone)
    assert as_floats(usage) == {key: dict(cell) for key, cell in expected.items()}
    order = list(range(len(frame)))
    shuffler.shuffle(order)
    assert measure("m", frame[order], runs, period=period, timezone=zone) == usage
    keys = [(cell.segment, usage.blocks.index(cell.block)) for cell in usage.cells]
    assert keys == sorted(keys)
    assert usage.missing == period.slots(zone) - sum(cell["slots"] for cell in expected.values())


def random_columns(meters: int, rows: int, seed: int = 1) -> tuple[kernels.Columns, np.ndarray]:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, rows, meters)
    offsets = np.concatenate([[0], counts.cumsum()]).astype(np.int64)
    start = np.concatenate([np.sort(rng.choice(rows, n, replace=False)) for n in counts]) * 900_000_000

    def figures() -> np.ndarray:
        values = rng.lognormal(0, 4, len(start)).round(3)
        values[rng.random(len(start)) < 0.1] = math.nan
        return values

    columns = kernels.Columns(
        start.astype(np.int64), *(figures() for _ in range(6)), rng.random(len(start)) < 0.1,
        rng.integers(0, 3, len(start)).astype(np.int32),
    )  # fmt: skip
    return columns, offsets


CALENDAR_OF_RUNS = kernels.Calendar(
    np.array([0, 900, 2700], dtype=np.int64) * 900_000_000 // 9,
    np.array([900, 1800, 4500], dtype=np.int64) * 900_000_000 // 9,
    np.array([0, 3, 0], dtype=np.int64),
)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_many_meters_give_each_meters_bits_on_any_number_of_threads(threads: int) -> None:
    columns, offsets = random_columns(37, 600)
    before = numba.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    try:
        batch = kernels.sum_cells_of_meters(offsets, columns, CALENDAR_OF_RUNS, 6, 0.25)
    finally:
        numba.set_num_threads(before)
    for meter, (a, b) in enumerate(itertools.pairwise(offsets)):
        alone = kernels.sum_cells(kernels.Columns(*(c[a:b] for c in columns)), CALENDAR_OF_RUNS, 6, 0.25)
        for ours, theirs in zip(alone, batch, strict=True):
            assert ours.tobytes() == theirs[meter].tobytes()


def test_the_compiled_pass_is_the_python_it_was_written_in() -> None:
    columns, _ = random_columns(1, 600, seed=5)
    compiled = kernels.sum_cells(columns, CALENDAR_OF_RUNS, 6, 0.25)
    plain = kernels.Cells(*(np.full_like(array, 7) for array in compiled))
    kernels.sum_meter.py_func(*columns, *CALENDAR_OF_RUNS, 0.25, *plain)
    for ours, theirs in zip(compiled, plain, strict=True):
        assert ours.tobytes() == theirs.tobytes()
    assert (
        compiled.tallies[kernels.OUTSIDE]
        == ((columns.start // 10**8 >= 900 * 2) & (columns.start // 10**8 < 2700)).sum()
        + (columns.start // 10**8 >= 4500).sum()
    )
    assert compiled.counts[:, kernels.SLOTS].sum() + compiled.tallies[kernels.OUTSIDE] + compiled.tallies[
        kernels.WITHOUT_KWH
    ] == len(columns.start)


def test_small_terms_survive_between_large_ones() -> None:
    values = np.array([1e16, 1.0, -1e16, 1.0])
    empty = np.full(4, math.nan)
    columns = kernels.Columns(
        np.arange(4, dtype=np.int64), values, *(empty,) * 5, np.zeros(4, dtype=np.bool_), np.zeros(4, dtype=np.int32)
    )
    run = kernels.Calendar(*(np.array([n], dtype=np.int64) for n in (0, 4, 0)))
    assert float(values.sum()) != 2.0
    assert kernels.sum_cells(columns, run, 1, 0.25).sums[0, kernels.KWH] == 2.0


def test_warm_up_runs_on_nothing() -> None:
    kernels.warm_up()
    assert len(kernels.sum_meter.signatures) == 1


DAY = Period(date(2021, 10, 28), date(2021, 10, 29))
ZONE = "America/El_Salvador"
FIRST = DAY.utc(ZONE)[0]


def day_runs() -> Runs:
    return compile_runs(CALENDAR, (DAY,), ZONE)


def test_an_empty_month_and_another_meters_rows_give_no_cells() -> None:
    for frame in (frames.empty_readings(), frame_of([{"start": FIRST, "kwh_import": 1.0, "meter": "other"}])):
        usage = measure("m", frame, day_runs(), period=DAY, timezone=ZONE)
        assert (usage.cells, usage.missing, usage.has_forecast, usage.peak()) == ((), 96, False, None)


def test_prices_that_print_the_same_are_the_same() -> None:
    rows = [
        {"start": FIRST + SLOT * n, "kwh_import": 1.0, "ftpms": price} for n, price in enumerate([0.3, 0.1 + 0.2, None])
    ]
    usage = measure("m", frame_of(rows), day_runs(), period=DAY, timezone=ZONE)
    assert [(cell.prices, cell.slots) for cell in usage.cells] == [
        (SlotPrices(ftpms=Decimal("0.3")), 2),
        (SlotPrices(), 1),
    ]


def test_ties_across_cells_and_the_selection_of_cells() -> None:
    rows = [
        {"start": FIRST + SLOT * n, "kwh_import": 2.0, "kw": kw}
        for n, kw in [(0, 5.0), (1, 7.0), (40, 7.0), (41, 7.0), (42, 1.0)]
    ]
    usage = measure("m", frame_of(rows), day_runs(), period=DAY, timezone=ZONE)
    peak = usage.peak()
    assert peak is not None
    assert (peak.kw, peak.at, peak.ties) == (Decimal(7), FIRST + SLOT, 3)
    assert usage.peak("RESTO").at == FIRST + SLOT * 40  # type: ignore[union-attr]
    assert usage.select(segment=1) == ()
    assert (usage.slots, usage.estimated, usage.kwh("VALLE"), usage.kwh()) == (5, 0, Decimal(4), Decimal(10))
    assert usage.sum(lambda cell: cell.kwh_export) == 0


def test_a_notebooks_decimal_context_changes_nothing() -> None:
    rows = [
        {"start": FIRST, "kwh_import": 12.345678, "forecast_kwh": 20.0},
        {"start": FIRST + SLOT, "kwh_import": 20.0, "forecast_kwh": 1.234567},
    ]
    with localcontext() as context:
        context.prec = 3
        usage = measure("m", frame_of(rows), day_runs(), period=DAY, timezone=ZONE)
        (cell,) = usage.cells
        figures = (usage.kwh(), shortfall(cell), excess(cell))
    assert figures == (Decimal("32.345678"), Decimal("7.654322"), Decimal("18.765433"))


def test_an_interval_twice_is_refused() -> None:
    rows = frame_of([{"start": FIRST, "kwh_import": 1.0}])
    with pytest.raises(RepeatedReadings, match=r"meter m: 1 intervals of \[2021-10-28, 2021-10-29\) are there twice"):
        measure("m", pl.concat([rows, rows]), day_runs(), period=DAY, timezone=ZONE)


def test_a_calendar_of_another_period_or_zone_is_refused() -> None:
    for period, zone in ((Period(DAY.start, date(2021, 10, 30)), ZONE), (DAY, "Europe/Berlin")):
        with pytest.raises(ValueError, match="the calendar was compiled for"):
            measure("m", frames.empty_readings(), day_runs(), period=period, timezone=zone)


def test_an_infinite_figure_is_refused() -> None:
    with pytest.raises(NotFinite):
        measure("m", frame_of([{"start": FIRST, "kwh_import": math.inf}]), day_runs(), period=DAY, timezone=ZONE)


def test_the_types_load_no_arrays() -> None:
    loaded = "import sys, eisenergy.usage; print(sorted({'numpy', 'numba', 'polars', 'pandas'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.untraced
def test_compiled_functions_are_loaded_without_linear_algebra_that_nobody_needs() -> None:
    """Numba looks for it in SciPy; whoever needs SciPy's finds it afterwards. Who only reads files loads no database either."""
    loaded = (
        "import sys; measured = 'coverage' in sys.modules; import eisenergy.run.taking, eisenergy.readings.gridkernel; "
        "print(sorted({'numba.np.arraymath', 'scipy.linalg', 'sqlalchemy'} & set(sys.modules))); "
        "print(('coverage' in sys.modules) == measured); "
        "import coverage, scipy.linalg; print(scipy.linalg.det([[2.0]]))"
    )
    result = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert result.stdout.split("\n")[:3] == ["['numba.np.arraymath']", "True", "2.0"]
