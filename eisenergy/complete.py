"""The pass over complete months of many customers at once: sums and maxima per cell, at the speed of the memory.

Where every interval of a period is there, a calendar run is a slice of the rows, and the same slice for every customer: no row
is looked at for its time, and only the columns that hold something are read, each once. A month with a gap, an estimate or
prices of its own goes through :mod:`eisenergy.kernels`, which takes rows as they come.

Each row of a day has a lane of its own: days whose rows fall to the same cells share their lanes, whole vectors are added side by
side, in the processor's registers (:mod:`eisenergy.vectors`), and only at the end are the lanes folded into the cells. Meanwhile the
next customer's rows come from the memory.

Sums are compensated (Neumaier), and the lanes are folded in a fixed order; each customer is summed by one thread alone. So neither
the number of threads nor the order of the customers changes a bit of a result. The threads take the customers by the handful, so
one that the machine holds up leaves more to the others.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from eisenergy import lanes
from eisenergy.compiled import numba, types
from eisenergy.lanes import PLAN, ROWS, WIDE, fold, sweep, top
from eisenergy.vectors import deviator, next_number

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FORECAST_SHORT: Final = 0
KWH_SHORT: Final = 1
FORECAST_OVER: Final = 2
KWH_OVER: Final = 3
DEVIATIONS: Final = 4
"""Columns of the deviations."""

_deviate_4, _deviate_1 = deviator(4), deviator(1)
_HANDFUL: Final = 8  # customers that a thread takes at a time
_FLOATS = types.Array(types.float64, 1, "C", readonly=True)
_INTEGERS = types.Array(types.int64, 1, "C", readonly=True)
_LANE = types.float64[::1]
_TABLE = types.float64[:, ::1]


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


@numba.njit(
    types.void(_FLOATS, types.int64, _LANE, PLAN, _LANE, types.int64[::1], types.int64[::1]), cache=True, nogil=True
)
def _locate(
    kw: Floats, origin: int, highest: Floats, plan: lanes.Plan, peak: Floats, peak_row: Integers, ties: Integers
) -> None:
    """Find the rows that reached the maximum, looking only at those of lanes that reached it."""
    rows = plan.size[1]
    peak_row[:] = -1
    ties[:] = 0
    for stretch in range(plan.stretch_cell.shape[0]):
        cell = plan.stretch_cell[stretch]
        high = peak[cell]
        for lane in range(plan.stretch_from[stretch], plan.stretch_to[stretch]):
            if highest[lane] == high:
                pattern = lane // ROWS
                for number in range(plan.chunk_from[pattern], plan.chunk_from[pattern + 1]):
                    row = (plan.chunk[number] - pattern) * ROWS + lane
                    if row < rows and kw[origin + row] == high:
                        ties[cell] += 1
                        if peak_row[cell] < 0 or row < peak_row[cell]:
                            peak_row[cell] = row


@numba.njit(types.int64(_INTEGERS, types.int64, types.int64, types.int64), cache=True, nogil=True)
def _following(first: Integers, customer: int, begin: int, after: int) -> int:
    """First row of the customer that a thread takes next; of this one, if there is no other. :param after: begin of its next handful"""
    following = customer + 1 if customer + 1 < begin + _HANDFUL else after
    return int(first[following] if following < first.shape[0] else first[customer])


@numba.njit(
    types.void(types.int64, types.int64[::1], _INTEGERS, _FLOATS, _FLOATS, PLAN, _TABLE, _TABLE, types.int64[:, ::1], types.int64[:, ::1]),
    cache=True, nogil=True, parallel=True,
)  # fmt: skip
def _energies(
    threads: int,
    turn: Integers,
    first: Integers,
    kwh: Floats,
    kw: Floats,
    plan: lanes.Plan,
    sums: Floats,
    peak: Floats,
    peak_row: Integers,
    ties: Integers,
) -> None:
    for _ in numba.prange(threads):
        size, wide = plan.size[0], sums.shape[1] * WIDE
        total, lost, highest = np.empty(size), np.empty(size), np.empty(size)
        folded, losses, tops = np.empty(wide), np.empty(wide), np.empty(wide)
        begin = next_number(turn) * _HANDFUL
        while begin < first.shape[0]:
            after = next_number(turn) * _HANDFUL
            for customer in range(begin, min(begin + _HANDFUL, first.shape[0])):
                origin, following = first[customer], _following(first, customer, begin, after)
                sweep(kwh, kw, origin, following, plan, total, lost, highest, True)
                fold(total, lost, 0, plan, folded, losses, sums[customer])
                top(highest, plan, tops, peak[customer])
                _locate(kw, origin, highest, plan, peak[customer], peak_row[customer], ties[customer])
            begin = after


@numba.njit(
    types.void(types.int64, types.int64[::1], _INTEGERS, _FLOATS, PLAN, _TABLE), cache=True, nogil=True, parallel=True
)
def _sums(threads: int, turn: Integers, first: Integers, values: Floats, plan: lanes.Plan, sums: Floats) -> None:
    for _ in numba.prange(threads):
        size, wide = plan.size[0], sums.shape[1] * WIDE
        total, lost, folded, losses = np.empty(size), np.empty(size), np.empty(wide), np.empty(wide)
        begin = next_number(turn) * _HANDFUL
        while begin < first.shape[0]:
            after = next_number(turn) * _HANDFUL
            for customer in range(begin, min(begin + _HANDFUL, first.shape[0])):
                following = _following(first, customer, begin, after)
                sweep(values, values, first[customer], following, plan, total, lost, total, False)
                fold(total, lost, 0, plan, folded, losses, sums[customer])
            begin = after


@numba.njit(
    types.void(types.int64, types.int64[::1], _INTEGERS, _FLOATS, _FLOATS, PLAN, types.float64[:, :, ::1]),
    cache=True, nogil=True, parallel=True,
)  # fmt: skip
def _deviations(
    threads: int, turn: Integers, first: Integers, kwh: Floats, forecast: Floats, plan: lanes.Plan, sums: Floats
) -> None:
    for _ in numba.prange(threads):
        size, rows, cells = plan.size[0], plan.size[1], sums.shape[1]
        total, lost = np.empty(DEVIATIONS * size), np.empty(DEVIATIONS * size)
        folded, losses, result = np.empty(cells * WIDE), np.empty(cells * WIDE), np.empty(cells)
        begin = next_number(turn) * _HANDFUL
        while begin < first.shape[0]:
            for customer in range(begin, min(begin + _HANDFUL, first.shape[0])):
                origin = first[customer]
                total[:] = 0.0
                lost[:] = 0.0
                for chunk in range(plan.lane.shape[0]):
                    a, b = origin + chunk * ROWS, origin + min((chunk + 1) * ROWS, rows)
                    lane = plan.lane[chunk]
                    while a + 4 <= b:
                        _deviate_4(kwh, forecast, a, total, lost, lane, size)
                        a, lane = a + 4, lane + 4
                    while a < b:
                        _deviate_1(kwh, forecast, a, total, lost, lane, size)
                        a, lane = a + 1, lane + 1
                for column in range(DEVIATIONS):
                    fold(total, lost, column * size, plan, folded, losses, result)
                    sums[customer, :, column] = result
            begin = next_number(turn) * _HANDFUL


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
        kwh=np.empty(shape),
        peak=np.empty(shape),
        peak_row=np.empty(shape, dtype=np.int64),
        ties=np.empty(shape, dtype=np.int64),
    )
    _energies(*_turns(), first, kwh, kw, lanes.plan_of(*slices), result.kwh, result.peak, result.peak_row, result.ties)
    return result


def sums(first: Integers, values: Floats, slices: Slices, cells: int) -> Floats:
    """Sum one more quantity of the same months; see :func:`energies`. No NaN: what is not there is zero.

    :returns: [customers, cells]
    """
    _check(first, (values,), slices, cells)
    result = np.zeros((len(first), cells))
    _sums(*_turns(), first, values, lanes.plan_of(*slices), result)
    return result


def deviations(first: Integers, kwh: Floats, forecast: Floats, slices: Slices, cells: int) -> Floats:
    """Sum forecast and energy where less was taken than forecast, and where more was; see :func:`energies`.

    :param forecast: [kWh]; NaN: no forecast
    :returns: [customers, cells, columns FORECAST_SHORT to KWH_OVER]
    """
    _check(first, (kwh, forecast), slices, cells)
    result = np.zeros((len(first), cells, DEVIATIONS))
    _deviations(*_turns(), first, kwh, forecast, lanes.plan_of(*slices), result)
    return result


def _turns() -> tuple[int, Integers]:
    """The threads to use, and the counter from which they take their turns."""
    return int(numba.get_num_threads()), np.zeros(1, dtype=np.int64)


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
