"""The pass over complete months of many customers at once: sums and maxima per cell, at the speed of the memory.

Where every interval of a period is there, a calendar run is a slice of the rows, and the same slice for every customer: no row
is looked at for its time, and only the columns that hold something are read, each once. A month with a gap, an estimate or
prices of its own goes through :mod:`eisenergy.kernels`, which takes rows as they come.

Sums are compensated (Neumaier) in lanes, which the processor adds side by side, and the lanes are folded in a fixed order; each
customer is summed by one thread alone. So neither the number of threads nor the order of the customers changes a bit of a result.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FORECAST_SHORT: Final = 0
KWH_SHORT: Final = 1
FORECAST_OVER: Final = 2
KWH_OVER: Final = 3
DEVIATIONS: Final = 4
"""Columns of the deviations."""

_LANES: Final = 64  # a power of two; a run of a day has about as many rows, and additions side by side wait for none
_FLOATS = types.Array(types.float64, 1, "C", readonly=True)
_INTEGERS = types.Array(types.int64, 1, "C", readonly=True)
_LANE = types.float64[::1]
_RUNS = (_INTEGERS, _INTEGERS, _INTEGERS)  # first row, row after the last, cell


class Slices(NamedTuple):
    """Runs as slices of a customer's rows, one element per run, in order and without a row between them.

    :param start: first row, counted from the first interval of the period
    :param end: row after the last
    :param cell: number of the run's (segment, block)
    """

    start: Integers
    end: Integers
    cell: Integers


class Energies(NamedTuple):
    """Energy and power per customer and cell; see :func:`energies`.

    :param kwh: [customers, cells]
    :param peak: highest kW; minus infinity where the cell has no interval [customers, cells]
    :param peak_row: first row that reached it, counted from the first interval of the period; -1 without one
    :param ties: how many rows reached it
    """

    kwh: Floats
    peak: Floats
    peak_row: Integers
    ties: Integers


@numba.njit(types.void(_FLOATS, types.int64, types.int64, _LANE, _LANE), cache=True, nogil=True)
def _add(values: Floats, a: int, b: int, total: Floats, lost: Floats) -> None:
    """Add rows ``a`` to ``b``, one to each lane, and to its compensation what the addition lost (Knuth's two-sum)."""
    terms = values[a:b]
    for lane in range(b - a):
        term, before = terms[lane], total[lane]
        after = before + term
        kept = after - before
        lost[lane] += (before - (after - kept)) + (term - kept)
        total[lane] = after


@numba.njit(types.void(_FLOATS, types.int64, types.int64, _LANE), cache=True, nogil=True)
def _raise(values: Floats, a: int, b: int, highest: Floats) -> None:
    """Raise each lane's maximum to its row's value."""
    found = values[a:b]
    for lane in range(b - a):
        value, best = found[lane], highest[lane]
        # The zero keeps the compiler from storing only where the value is higher, which is four times slower than storing always.
        highest[lane] = (value if value > best else best) + 0.0


@numba.njit(types.float64(_LANE, _LANE), cache=True, nogil=True)
def _fold(total: Floats, lost: Floats) -> float:
    """The sum over the lanes, always folded in the same order; the lanes are used up."""
    half = total.shape[0] // 2
    while half:
        for lane in range(half):
            before, term = total[lane], total[lane + half]
            after = before + term
            kept = after - before
            lost[lane] += lost[lane + half] + ((before - (after - kept)) + (term - kept))
            total[lane] = after
        half //= 2
    return float(total[0] + lost[0])


@numba.njit(
    types.void(
        _INTEGERS, _FLOATS, _FLOATS, *_RUNS,
        types.float64[:, ::1], types.float64[:, ::1], types.int64[:, ::1], types.int64[:, ::1],
    ),
    cache=True, nogil=True, parallel=True,
)  # fmt: skip
def _energies(
    first: Integers,
    kwh: Floats,
    kw: Floats,
    run_start: Integers,
    run_end: Integers,
    run_cell: Integers,
    sums: Floats,
    peak: Floats,
    peak_row: Integers,
    ties: Integers,
) -> None:
    for customer in numba.prange(first.shape[0]):
        origin, cells = first[customer], sums.shape[1]
        total, lost = np.zeros((cells, _LANES)), np.zeros((cells, _LANES))
        highest = np.full((cells, _LANES), -np.inf)
        reached, lanes = np.zeros((cells, _LANES), dtype=np.int64), np.zeros(cells, dtype=np.int64)
        for run in range(run_start.shape[0]):
            cell, end = run_cell[run], origin + run_end[run]
            for a in range(origin + run_start[run], end, _LANES):
                b = min(a + _LANES, end)
                _add(kwh, a, b, total[cell], lost[cell])
                _raise(kw, a, b, highest[cell])
        for cell in range(cells):
            sums[customer, cell] = _fold(total[cell], lost[cell])
            high = highest[cell].max()
            peak[customer, cell] = high
            for lane in range(_LANES):
                if highest[cell, lane] == high:
                    reached[cell, lanes[cell]] = lane
                    lanes[cell] += 1
        # Only the lanes that reached the maximum are gone over again, to find where.
        for run in range(run_start.shape[0]):
            cell, end = run_cell[run], origin + run_end[run]
            for a in range(origin + run_start[run], end, _LANES):
                for number in range(lanes[cell]):
                    row = a + reached[cell, number]
                    if row < end and kw[row] == peak[customer, cell]:
                        if ties[customer, cell] == 0:
                            peak_row[customer, cell] = row - origin
                        ties[customer, cell] += 1


@numba.njit(types.void(_INTEGERS, _FLOATS, *_RUNS, types.float64[:, ::1]), cache=True, nogil=True, parallel=True)
def _sums(
    first: Integers, values: Floats, run_start: Integers, run_end: Integers, run_cell: Integers, sums: Floats
) -> None:
    for customer in numba.prange(first.shape[0]):
        origin, cells = first[customer], sums.shape[1]
        total, lost = np.zeros((cells, _LANES)), np.zeros((cells, _LANES))
        for run in range(run_start.shape[0]):
            cell, end = run_cell[run], origin + run_end[run]
            for a in range(origin + run_start[run], end, _LANES):
                _add(values, a, min(a + _LANES, end), total[cell], lost[cell])
        for cell in range(cells):
            sums[customer, cell] = _fold(total[cell], lost[cell])


@numba.njit(
    types.void(_INTEGERS, _FLOATS, _FLOATS, *_RUNS, types.float64[:, :, ::1]), cache=True, nogil=True, parallel=True
)
def _deviations(
    first: Integers,
    kwh: Floats,
    forecast: Floats,
    run_start: Integers,
    run_end: Integers,
    run_cell: Integers,
    sums: Floats,
) -> None:
    for customer in numba.prange(first.shape[0]):
        origin, cells = first[customer], sums.shape[1]
        total, lost = np.zeros((cells, DEVIATIONS, _LANES)), np.zeros((cells, DEVIATIONS, _LANES))
        terms = np.zeros((DEVIATIONS, _LANES))
        for run in range(run_start.shape[0]):
            cell, end = run_cell[run], origin + run_end[run]
            for a in range(origin + run_start[run], end, _LANES):
                length = min(_LANES, end - a)
                for lane in range(length):
                    energy, expected = kwh[a + lane], forecast[a + lane]
                    short, over = expected > energy, expected < energy  # both false for NaN: no forecast, no deviation
                    terms[FORECAST_SHORT, lane] = expected if short else 0.0
                    terms[KWH_SHORT, lane] = energy if short else 0.0
                    terms[FORECAST_OVER, lane] = expected if over else 0.0
                    terms[KWH_OVER, lane] = energy if over else 0.0
                for column in range(DEVIATIONS):
                    _add(terms[column], 0, length, total[cell, column], lost[cell, column])
        for cell in range(cells):
            for column in range(DEVIATIONS):
                sums[customer, cell, column] = _fold(total[cell, column], lost[cell, column])


def energies(first: Integers, kwh: Floats, kw: Floats, slices: Slices, cells: int) -> Energies:
    """Sum energy and find the highest power of many complete months, on all of numba's threads.

    :param first: row of each customer's first interval of the period [one per customer]
    :param kwh: energy [kWh], customers one after the other, each sorted by time and without a gap; no NaN
    :param kw: mean power [kW], likewise
    :param cells: number of (segment, block)
    :raises ValueError: when a slice would reach beyond the rows

    Notes: ``kwh[c] = sum of kWh[i]``, ``peak[c] = max of kW[i]`` over the rows of the cell's runs.
    """
    _check(first, (kwh, kw), slices, cells)
    shape = (len(first), cells)
    result = Energies(
        kwh=np.zeros(shape),
        peak=np.full(shape, -np.inf),
        peak_row=np.full(shape, -1, dtype=np.int64),
        ties=np.zeros(shape, dtype=np.int64),
    )
    _energies(first, kwh, kw, *slices, result.kwh, result.peak, result.peak_row, result.ties)
    return result


def sums(first: Integers, values: Floats, slices: Slices, cells: int) -> Floats:
    """Sum one more quantity of the same months; see :func:`energies`. No NaN: what is not there is zero.

    :returns: [customers, cells]
    """
    _check(first, (values,), slices, cells)
    result = np.zeros((len(first), cells))
    _sums(first, values, *slices, result)
    return result


def deviations(first: Integers, kwh: Floats, forecast: Floats, slices: Slices, cells: int) -> Floats:
    """Sum forecast and energy where less was taken than forecast, and where more was; see :func:`energies`.

    :param forecast: [kWh]; NaN: no forecast
    :returns: [customers, cells, columns FORECAST_SHORT to KWH_OVER]
    """
    _check(first, (kwh, forecast), slices, cells)
    result = np.zeros((len(first), cells, DEVIATIONS))
    _deviations(first, kwh, forecast, *slices, result)
    return result


def _check(first: Integers, columns: tuple[Floats, ...], slices: Slices, cells: int) -> None:
    """The compiled passes look at no border: a wrong one here would be a figure from somewhere else in memory."""
    rows = min(len(column) for column in columns)
    if len(slices.start) and (
        int(slices.start.min()) < 0
        or bool((slices.end <= slices.start).any())
        or not 0 <= int(slices.cell.min()) <= int(slices.cell.max()) < cells
    ):
        raise ValueError("slices must hold at least one row each and name a cell that is there")
    last = int(slices.end.max()) if len(slices.end) else 0
    if len(first) and (int(first.min()) < 0 or int(first.max()) + last > rows):
        raise ValueError(
            f"a customer's rows reach from {first.min()} to {first.max() + last}, and there are {rows}: expected complete months"
        )
