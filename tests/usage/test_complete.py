"""The pass over complete months against a slow twin: ``math.fsum`` and a walk over the rows, one at a time."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import pairwise

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisenergy import complete, kernels
from eisenergy.money import decimal_of

CELLS = 5
RUNS = ((0, 20, 0), (20, 72, 1), (72, 73, 0), (73, 300, 2), (300, 365, 1), (365, 390, 4))  # a run longer than the lanes
SLICES = complete.Slices(*(np.array(column, dtype=np.int64) for column in zip(*RUNS, strict=True)))
ROWS = RUNS[-1][1]


def random_months(customers: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """First rows, kWh, kW and forecasts; between the customers lie rows that belong to no period."""
    rng = np.random.default_rng(seed)
    gaps = rng.integers(0, 9, customers + 1)
    first = np.cumsum(gaps[:-1]) + np.arange(customers) * ROWS
    rows = int(first[-1]) + ROWS + int(gaps[-1])
    kwh = rng.lognormal(0, 4, rows).round(3)
    forecast = np.where(rng.random(rows) < 0.3, kwh, (kwh * rng.normal(1, 0.2, rows)).round(2))
    forecast[rng.random(rows) < 0.2] = math.nan
    kw = rng.integers(0, 40, rows) * 0.25  # so coarse that maxima tie
    return first.astype(np.int64), kwh, kw, forecast


def twin(
    first: int, kwh: np.ndarray, kw: np.ndarray, forecast: np.ndarray, runs: tuple[tuple[int, int, int], ...] = RUNS
) -> dict[int, dict[str, float]]:
    cells: dict[int, list[int]] = {}
    for start, end, cell in runs:
        cells.setdefault(cell, []).extend(range(start, end))
    result = {}
    for cell, rows in cells.items():
        energy, power, expected = ([float(column[first + row]) for row in rows] for column in (kwh, kw, forecast))
        short = [(e, f) for e, f in zip(energy, expected, strict=True) if f > e]
        over = [(e, f) for e, f in zip(energy, expected, strict=True) if f < e]
        result[cell] = {
            "kwh": math.fsum(energy),
            "peak": max(power),
            "row": rows[power.index(max(power))],
            "ties": power.count(max(power)),
            "forecast_short": math.fsum(f for _, f in short),
            "kwh_short": math.fsum(e for e, _ in short),
            "forecast_over": math.fsum(f for _, f in over),
            "kwh_over": math.fsum(e for e, _ in over),
        }
    return result


def same(found: float, expected: float) -> bool:
    """Equal as a bill has it, and within the last bit."""
    return decimal_of(found) == decimal_of(expected) and abs(found - expected) <= math.ulp(expected)


@pytest.mark.parametrize("seed", range(4))
def test_sums_maxima_and_deviations_are_the_twins(seed: int) -> None:
    first, kwh, kw, forecast = random_months(7, seed)
    energy = complete.energies(first, kwh, kw, SLICES, CELLS)
    sums = complete.sums(first, kwh, SLICES, CELLS)
    apart = complete.deviations(first, kwh, forecast, SLICES, CELLS)
    assert sums.tobytes() == energy.kwh.tobytes()
    for customer, row in enumerate(first.tolist()):
        expected = twin(row, kwh, kw, forecast)
        for cell, figures in expected.items():
            at = (customer, cell)
            assert same(float(energy.kwh[at]), figures["kwh"])
            assert (energy.peak[at], energy.peak_row[at], energy.ties[at]) == (
                figures["peak"], figures["row"], figures["ties"],
            )  # fmt: skip
            for column, name in enumerate(("forecast_short", "kwh_short", "forecast_over", "kwh_over")):
                assert same(float(apart[*at, column]), figures[name])
        empty = (customer, 3)
        assert (energy.kwh[empty], energy.peak[empty], energy.peak_row[empty], energy.ties[empty]) == (
            0.0, -math.inf, -1, 0,
        )  # fmt: skip


def month_of(days: list[int]) -> tuple[tuple[int, int, int], ...]:
    """Runs of days with as many rows each: workdays of three blocks, every third day of one, a second tariff half-way."""
    runs, row = [], 0
    for day, rows in enumerate(days):
        tariff = 0 if day < len(days) // 2 else 3
        cuts = (0, rows) if day % 3 == 2 else (0, 20, 72, rows)
        blocks = (0,) if day % 3 == 2 else (0, 1, 2)
        runs += [(row + a, row + b, tariff + block) for (a, b), block in zip(pairwise(cuts), blocks, strict=True)]
        row += rows
    return tuple(runs)


@pytest.mark.parametrize(
    "days",
    [[96] * 31, [96] * 9 + [92] + [96] * 20, [96] * 9 + [100] + [96] * 20, [97] * 8],
    ids=["", "short", "long", "odd"],
)
def test_days_that_share_their_lanes_are_the_twins(days: list[int]) -> None:
    """Of a day of 92 or 100 rows the lanes of all days after it are others; maxima tie within days and between them."""
    runs, customers, rows = month_of(days), 19, sum(days)
    rng = np.random.default_rng(rows)
    kwh, kw = rng.lognormal(0, 4, customers * rows).round(3), rng.integers(0, 40, customers * rows) * 0.25
    forecast = (kwh * rng.normal(1, 0.2, len(kwh))).round(2)
    slices = complete.Slices(*(np.array(column, dtype=np.int64) for column in zip(*runs, strict=True)))
    first = np.arange(customers, dtype=np.int64) * rows
    energy = complete.energies(first, kwh, kw, slices, 6)
    apart = complete.deviations(first, kwh, forecast, slices, 6)
    for customer in range(customers):
        for cell, figures in twin(customer * rows, kwh, kw, forecast, runs).items():
            at = (customer, cell)
            assert same(float(energy.kwh[at]), figures["kwh"])
            assert (energy.peak[at], energy.peak_row[at], energy.ties[at]) == (
                figures["peak"], figures["row"], figures["ties"],
            )  # fmt: skip
            for column, name in enumerate(("forecast_short", "kwh_short", "forecast_over", "kwh_over")):
                assert same(float(apart[*at, column]), figures[name])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.floats(-1e15, 1e15), min_size=1, max_size=400))
def test_a_sum_is_the_exact_one_where_plain_addition_is_not(values: list[float]) -> None:
    column = np.array(values)
    slices = complete.Slices(*(np.array([n], dtype=np.int64) for n in (0, len(values), 0)))
    found = complete.sums(np.zeros(1, dtype=np.int64), column, slices, 1)[0, 0]
    # Neumaier's bound: the last bit of the result, and of the sum of magnitudes what two roundings leave.
    bound = math.ulp(math.fsum(values)) + len(values) ** 2 * 2**-106 * math.fsum(map(abs, values))
    assert abs(found - math.fsum(values)) <= bound


@pytest.mark.parametrize("values", [(1e16, 1.0, -1e16, 1.0), (1.0, 1e16, 1.0, -1e16)])
@pytest.mark.parametrize("rows", [(0, 64, 128, 192), (0, 2, 1, 3), (0, 64, 1, 65)], ids=["one lane", "four", "two"])
def test_small_terms_survive_beside_large_ones(rows: tuple[int, ...], values: tuple[float, ...]) -> None:
    column = np.zeros(300)
    column[list(rows)] = values
    slices = complete.Slices(*(np.array([n], dtype=np.int64) for n in (0, 300, 0)))
    assert complete.sums(np.zeros(1, dtype=np.int64), column, slices, 1)[0, 0] == 2.0


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_neither_threads_nor_the_order_of_customers_change_a_bit(threads: int) -> None:
    if threads > numba.config.NUMBA_NUM_THREADS:
        pytest.skip(f"{numba.config.NUMBA_NUM_THREADS} threads here")
    first, kwh, kw, forecast = random_months(41, 9)
    order = np.random.default_rng(threads).permutation(len(first))
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        alone = (
            *complete.energies(first, kwh, kw, SLICES, CELLS),
            complete.deviations(first, kwh, forecast, SLICES, CELLS),
        )
        numba.set_num_threads(threads)
        shuffled = (
            *complete.energies(first[order], kwh, kw, SLICES, CELLS),
            complete.deviations(first[order], kwh, forecast, SLICES, CELLS),
        )
    finally:
        numba.set_num_threads(before)
    for ours, theirs in zip(alone, shuffled, strict=True):
        assert ours[order].tobytes() == theirs.tobytes()


def test_the_pass_over_rows_as_they_come_gives_the_same_figures() -> None:
    first, kwh, kw, forecast = random_months(3, 5)
    energy = complete.energies(first, kwh, kw, SLICES, CELLS)
    apart = complete.deviations(first, kwh, forecast, SLICES, CELLS)
    nothing = np.full(ROWS, math.nan)
    for customer, row in enumerate(first.tolist()):
        rows = slice(row, row + ROWS)
        columns = kernels.Columns(
            np.arange(ROWS, dtype=np.int64), kwh[rows], nothing, nothing, nothing, kw[rows], forecast[rows],
            np.zeros(ROWS, dtype=np.bool_), np.zeros(ROWS, dtype=np.int32),
        )  # fmt: skip
        cells = kernels.sum_cells(columns, kernels.Calendar(*SLICES), CELLS, 0.25)
        for cell in (0, 1, 2, 4):
            assert cells.peak_at[cell] == energy.peak_row[customer, cell]
            assert (cells.peak[cell], cells.counts[cell, kernels.TIES]) == (
                energy.peak[customer, cell],
                energy.ties[customer, cell],
            )
            assert same(float(energy.kwh[customer, cell]), float(cells.sums[cell, kernels.KWH]))
            for column in range(complete.DEVIATIONS):
                assert same(
                    float(apart[customer, cell, column]), float(cells.sums[cell, kernels.FORECAST_SHORT + column])
                )


@pytest.mark.parametrize("first", [[-1], [1], [0, 1]])
def test_rows_that_are_not_there_are_refused(first: list[int]) -> None:
    column = np.zeros(ROWS)
    with pytest.raises(ValueError, match="expected complete months"):
        complete.energies(np.array(first, dtype=np.int64), column, column, SLICES, CELLS)


@pytest.mark.parametrize("run", [(-1, 4, 0), (4, 4, 0), (0, 4, CELLS), (0, 4, -1)])
def test_slices_that_cannot_be_are_refused(run: tuple[int, int, int]) -> None:
    slices = complete.Slices(*(np.array([n], dtype=np.int64) for n in run))
    with pytest.raises(ValueError, match="slices must hold"):
        complete.sums(np.zeros(1, dtype=np.int64), np.zeros(ROWS), slices, CELLS)


def test_no_customer_and_no_run_give_nothing() -> None:
    nobody = np.empty(0, dtype=np.int64)
    assert complete.energies(nobody, np.empty(0), np.empty(0), SLICES, CELLS).kwh.shape == (0, CELLS)
    never = complete.Slices(*(nobody,) * 3)
    assert complete.sums(np.zeros(2, dtype=np.int64), np.zeros(1), never, CELLS).tolist() == [[0.0] * CELLS] * 2


_TO_THE_BORDER = """
import ctypes, mmap, numpy as np
from eisenergy import complete
page, rows = mmap.PAGESIZE, 512 - 7  # five days of quarter-hours and a piece of a sixth
def at_the_border():
    memory = mmap.mmap(-1, 2 * page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    values = np.frombuffer(memory, dtype=np.float64)[512 - rows : 512]
    values[:] = 1.0
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + page), ctypes.c_size_t(page), 0) == 0
    return values
kwh, kw = at_the_border(), at_the_border()
runs = complete.Slices(*(np.array([value], dtype=np.int64) for value in (0, rows, 0)))
first = np.zeros(1, dtype=np.int64)
print(complete.energies(first, kwh, kw, runs, 1).kwh[0, 0] == rows == complete.sums(first, kwh, runs, 1)[0, 0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="protects a page of memory as Linux does")
def test_no_row_beyond_the_last_is_read() -> None:
    """Behind the rows lies a page that must not be read: the system ends who does."""
    ran = subprocess.run([sys.executable, "-c", _TO_THE_BORDER], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "True\n"), ran.stderr
