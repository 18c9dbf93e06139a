"""The pass over a meter's readings: sums, maxima and counts per (tariff segment, block, price group).

The readings are contiguous columns sorted by time; the calendar is a list of runs (:class:`eisenergy.blockruns.Runs`). One pointer
walks over the rows and one over the runs, so no row looks up its block. Sums are compensated (Neumaier): what one addition loses
is kept and added at the end, so a sum does not depend on the order of its terms. Each meter is summed by one thread, so it does
not depend on the number of threads either.

Not a number stands for null. A row without kWh is no reading: it is passed over and counted.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from eisenergy.compiled import numba, types

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

KWH: Final = 0
KWH_EXPORT: Final = 1
KVARH: Final = 2
FORECAST_SHORT: Final = 3
KWH_SHORT: Final = 4
FORECAST_OVER: Final = 5
KWH_OVER: Final = 6
SUMS: Final = 7
"""Columns of the sums."""

TIES: Final = 0
SLOTS: Final = 1
SLOTS_ESTIMATED: Final = 2
COUNTS: Final = 3
"""Columns of the counts per cell."""

OUTSIDE: Final = 0
WITHOUT_KWH: Final = 1
REPEATED: Final = 2
FORECASTS: Final = 3
TALLIES: Final = 4
"""Columns of the tallies per meter: rows outside the runs, without kWh, with the instant of the row before, with a forecast."""


def _column(dtype: Any) -> Any:
    return types.Array(dtype, 1, "C", readonly=True)


_FLOATS = _column(types.float64)
_COLUMNS = (
    _column(types.int64),  # start
    *(_FLOATS,) * 6,  # kwh, kwh_export, kvarh, kvar, kw, forecast
    _column(types.boolean),  # estimated
    _column(types.int32),  # group
)
_RUNS = (_column(types.int64), _column(types.int64), _column(types.int64))  # start, end, cell
_SUM = types.void(
    *_COLUMNS,
    *_RUNS,
    types.float64,
    types.float64[:, ::1],
    types.float64[::1],
    types.int64[::1],
    types.int64[:, ::1],
    types.int64[::1],
)
_SUM_ALL = types.void(
    _column(types.int64),
    *_COLUMNS,
    *_RUNS,
    types.float64,
    types.float64[:, :, ::1],
    types.float64[:, ::1],
    types.int64[:, ::1],
    types.int64[:, :, ::1],
    types.int64[:, ::1],
)


@numba.njit("UniTuple(f8, 2)(f8, f8, f8)", cache=True)
def _add(total: float, lost: float, term: float) -> tuple[float, float]:
    """Add a term to a sum and what it loses to the compensation (exact, without a branch: Knuth's two-sum)."""
    result = total + term
    kept = result - total
    return result, lost + ((total - (result - kept)) + (term - kept))


@numba.njit(_SUM, cache=True, nogil=True, error_model="numpy")
def sum_meter(
    start: Integers,
    kwh: Floats,
    kwh_export: Floats,
    kvarh: Floats,
    kvar: Floats,
    kw: Floats,
    forecast: Floats,
    estimated: npt.NDArray[np.bool_],
    group: npt.NDArray[np.int32],
    run_start: Integers,
    run_end: Integers,
    run_cell: Integers,
    hours: float,
    sums: Floats,
    peak: Floats,
    peak_at: Integers,
    counts: Integers,
    tallies: Integers,
) -> None:
    """Sum one meter's rows, sorted by time, into the cells.

    :param start: UTC microseconds of the start of the interval [one per row, ascending]
    :param kwh: energy [kWh]; NaN: the row is no reading
    :param kwh_export: energy fed in [kWh]; NaN: none
    :param kvarh: reactive energy [kVArh]; NaN: ``kvar`` times ``hours``, or none
    :param kw: mean power [kW]; NaN: ``kwh`` per hour
    :param forecast: energy forecast [kWh]; NaN: no deviation in this interval
    :param group: number of the row's set of per-slot prices, added to the run's cell
    :param run_cell: first cell of the run's (segment, block)
    :param hours: length of an interval [h]
    :param sums: result [one row per cell, columns KWH to KWH_OVER]; overwritten, like the other results
    :param peak: highest kW per cell; NaN where the cell has no interval
    :param peak_at: ``start`` of the first interval that reached it
    :param counts: per cell, columns TIES, SLOTS, SLOTS_ESTIMATED
    :param tallies: per meter, columns OUTSIDE, WITHOUT_KWH, REPEATED, FORECASTS
    """
    rows = start.shape[0]
    lost = np.zeros(sums.shape)
    sums[:] = 0.0
    peak[:] = np.nan
    peak_at[:] = 0
    counts[:] = 0
    tallies[:] = 0
    per_hour = 1.0 / hours
    row = 0
    for run in range(run_start.shape[0]):
        while row < rows and start[row] < run_start[run]:
            tallies[OUTSIDE] += 1
            row += 1
        end = run_end[run]
        while row < rows and start[row] < end:
            # A stretch of rows of one cell is summed in local variables; most often it is the whole run.
            price = group[row]
            cell = run_cell[run] + price
            s_kwh, c_kwh = sums[cell, KWH], lost[cell, KWH]
            s_export, c_export = sums[cell, KWH_EXPORT], lost[cell, KWH_EXPORT]
            s_kvarh, c_kvarh = sums[cell, KVARH], lost[cell, KVARH]
            s_fs, c_fs = sums[cell, FORECAST_SHORT], lost[cell, FORECAST_SHORT]
            s_ks, c_ks = sums[cell, KWH_SHORT], lost[cell, KWH_SHORT]
            s_fo, c_fo = sums[cell, FORECAST_OVER], lost[cell, FORECAST_OVER]
            s_ko, c_ko = sums[cell, KWH_OVER], lost[cell, KWH_OVER]
            high, high_at = peak[cell], peak_at[cell]
            ties, slots, guesses = counts[cell, TIES], counts[cell, SLOTS], counts[cell, SLOTS_ESTIMATED]
            without, repeated, forecasts = 0, 0, 0
            while row < rows and start[row] < end and group[row] == price:
                energy = kwh[row]
                if np.isnan(energy):
                    without += 1
                    row += 1
                    continue
                if row > 0 and start[row] == start[row - 1]:
                    repeated += 1
                export = kwh_export[row]
                reactive = kvarh[row]
                if np.isnan(reactive):
                    reactive = kvar[row] * hours
                power = kw[row]
                if np.isnan(power):
                    power = energy * per_hour
                expected = forecast[row]
                short = expected > energy  # false for NaN, and so is the next
                over = expected < energy
                s_kwh, c_kwh = _add(s_kwh, c_kwh, energy)
                s_export, c_export = _add(s_export, c_export, 0.0 if np.isnan(export) else export)
                s_kvarh, c_kvarh = _add(s_kvarh, c_kvarh, 0.0 if np.isnan(reactive) else reactive)
                s_fs, c_fs = _add(s_fs, c_fs, expected if short else 0.0)
                s_ks, c_ks = _add(s_ks, c_ks, energy if short else 0.0)
                s_fo, c_fo = _add(s_fo, c_fo, expected if over else 0.0)
                s_ko, c_ko = _add(s_ko, c_ko, energy if over else 0.0)
                if slots == 0 or power > high:
                    high, high_at, ties = power, start[row], 1
                elif power == high:
                    ties += 1
                slots += 1
                guesses += estimated[row]
                forecasts += not np.isnan(expected)
                row += 1
            sums[cell, KWH], lost[cell, KWH] = s_kwh, c_kwh
            sums[cell, KWH_EXPORT], lost[cell, KWH_EXPORT] = s_export, c_export
            sums[cell, KVARH], lost[cell, KVARH] = s_kvarh, c_kvarh
            sums[cell, FORECAST_SHORT], lost[cell, FORECAST_SHORT] = s_fs, c_fs
            sums[cell, KWH_SHORT], lost[cell, KWH_SHORT] = s_ks, c_ks
            sums[cell, FORECAST_OVER], lost[cell, FORECAST_OVER] = s_fo, c_fo
            sums[cell, KWH_OVER], lost[cell, KWH_OVER] = s_ko, c_ko
            peak[cell], peak_at[cell] = high, high_at
            counts[cell, TIES], counts[cell, SLOTS], counts[cell, SLOTS_ESTIMATED] = ties, slots, guesses
            tallies[WITHOUT_KWH] += without
            tallies[REPEATED] += repeated
            tallies[FORECASTS] += forecasts
    tallies[OUTSIDE] += rows - row
    sums += lost


@numba.njit(_SUM_ALL, cache=True, nogil=True, parallel=True)
def _sum_meters(
    offsets: Integers,
    start: Integers,
    kwh: Floats,
    kwh_export: Floats,
    kvarh: Floats,
    kvar: Floats,
    kw: Floats,
    forecast: Floats,
    estimated: npt.NDArray[np.bool_],
    group: npt.NDArray[np.int32],
    run_start: Integers,
    run_end: Integers,
    run_cell: Integers,
    hours: float,
    sums: Floats,
    peak: Floats,
    peak_at: Integers,
    counts: Integers,
    tallies: Integers,
) -> None:
    """Sum every meter, meters shared among the threads. Rows of meter ``m`` are ``offsets[m]`` to ``offsets[m + 1]``."""
    for meter in numba.prange(offsets.shape[0] - 1):
        a, b = offsets[meter], offsets[meter + 1]
        sum_meter(
            start[a:b],
            kwh[a:b],
            kwh_export[a:b],
            kvarh[a:b],
            kvar[a:b],
            kw[a:b],
            forecast[a:b],
            estimated[a:b],
            group[a:b],
            run_start,
            run_end,
            run_cell,
            hours,
            sums[meter],
            peak[meter],
            peak_at[meter],
            counts[meter],
            tallies[meter],
        )


class Columns(NamedTuple):
    """Readings as contiguous arrays, one element per row; see :func:`sum_meter`."""

    start: Integers
    kwh: Floats
    kwh_export: Floats
    kvarh: Floats
    kvar: Floats
    kw: Floats
    forecast: Floats
    estimated: npt.NDArray[np.bool_]
    group: npt.NDArray[np.int32]


class Calendar(NamedTuple):
    """Runs as contiguous arrays, one element per run; see :func:`sum_meter`."""

    start: Integers
    end: Integers
    cell: Integers


class Cells(NamedTuple):
    """Results; the batch form has one more leading axis, the meter. See :func:`sum_meter`."""

    sums: Floats
    peak: Floats
    peak_at: Integers
    counts: Integers
    tallies: Integers


def sum_cells(columns: Columns, calendar: Calendar, cells: int, hours: float) -> Cells:
    """Sum the rows of one meter.

    :param columns: sorted by ``start``
    :param cells: number of (segment, block, price group)
    :param hours: length of an interval [h]
    """
    result = _empty((), cells)
    sum_meter(*columns, *calendar, hours, result.sums, result.peak, result.peak_at, result.counts, result.tallies)
    return result


def sum_cells_of_meters(offsets: Integers, columns: Columns, calendar: Calendar, cells: int, hours: float) -> Cells:
    """Sum the rows of many meters at once, on all of numba's threads.

    :param offsets: where each meter's rows start, and where the last one's end [meters + 1]
    :param columns: the meters one after the other, each sorted by ``start``
    :returns: the same as :func:`sum_cells` of each meter, to the bit
    """
    result = _empty((len(offsets) - 1,), cells)
    _sum_meters(
        offsets, *columns, *calendar, hours, result.sums, result.peak, result.peak_at, result.counts, result.tallies
    )
    return result


def warm_up() -> None:
    """Compile the kernels, or load them from the cache on disk, before processes are started that need them."""
    no_time, nothing = np.empty(0, dtype=np.int64), np.empty(0)
    columns = Columns(no_time, *(nothing,) * 6, np.empty(0, dtype=np.bool_), np.empty(0, dtype=np.int32))
    calendar = Calendar(no_time, no_time, no_time)
    sum_cells(columns, calendar, 1, 1.0)


def _empty(leading: tuple[int, ...], cells: int) -> Cells:
    return Cells(
        sums=np.empty((*leading, cells, SUMS)),
        peak=np.empty((*leading, cells)),
        peak_at=np.empty((*leading, cells), dtype=np.int64),
        counts=np.empty((*leading, cells, COUNTS), dtype=np.int64),
        tallies=np.empty((*leading, TALLIES), dtype=np.int64),
    )
