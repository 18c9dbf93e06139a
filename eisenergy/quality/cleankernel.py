"""The compiled passes over readings for :mod:`eisenergy.quality.clean`; to load them takes half a second."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eisenergy.compiled import numba, types
from eisenergy.quality.clean import Booleans, Floats, Integers


def _column(dtype: Any) -> Any:
    return types.Array(dtype, 1, "C", readonly=True)


_FLOATS, _INTEGERS = _column(types.float64), _column(types.int64)


@numba.njit(
    types.void(
        _INTEGERS, _INTEGERS, types.int64, _INTEGERS, *(_FLOATS,) * 7, _column(types.boolean),
        _FLOATS, _FLOATS, _FLOATS, types.boolean[::1],
    ),
    cache=True, nogil=True, parallel=True, error_model="numpy",
)  # fmt: skip
def look(
    first: Integers,
    begin: Integers,
    rows: int,
    start: Integers,
    kwh: Floats,
    kwh_export: Floats,
    kw: Floats,
    kvar: Floats,
    kvarh: Floats,
    forecast: Floats,
    register: Floats,
    ordered: Booleans,
    contracted_kw: Floats,
    before: Floats,
    limits: Floats,
    result: Booleans,
) -> None:
    """Say of each meter's month whether nothing can stand against it; see :func:`eisenergy.quality.clean.clean`."""
    slot, hours, highest_share, spike, level = 900_000_000, limits[0], limits[1], limits[2], limits[3]
    stuck_slots, zero_slots, tolerance, tolerance_kwh = limits[4], limits[5], limits[6], limits[7]
    share, scale, register_kwh = limits[8], limits[9], limits[10]
    for meter in numba.prange(first.shape[0]):
        a, z = first[meter], first[meter] + rows
        ceiling = contracted_kw[meter] * highest_share
        # Counted over slices and without a branch, which Numba takes by whole vectors.
        time, in_order, energy, power, export = start[a:z], ordered[a:z], kwh[a:z], kw[a:z], kwh_export[a:z]
        bad = 0
        for n in range(rows):
            bad += time[n] != begin[meter] + n * slot
            bad += not in_order[n]
        for n in range(rows):  # false for NaN, and for infinity
            bad += not ((energy[n] >= 0) & (energy[n] / hours <= ceiling))
        for n in range(rows):
            bad += (power[n] > ceiling) | (abs(power[n]) == np.inf)
            bad += (export[n] < 0) | (abs(export[n]) == np.inf)
        for column in (kvar, kvarh, forecast):
            others = column[a:z]
            for n in range(rows):
                bad += abs(others[n]) == np.inf
        if bad > 0 or not contracted_kw[meter] > 0:
            result[meter] = False
            continue
        both, apart, unlike, positive, equal, registers = 0, 0, 0, 0, 0, 0
        for n in range(rows):
            worth, some = power[n] * hours, energy[n] > 0
            measured = some & (worth == worth)
            positive += some
            both += measured
            allowed = tolerance * energy[n]
            apart += measured & (abs(worth - energy[n]) > (allowed if allowed > tolerance_kwh else tolerance_kwh))
            alike = (energy[n] <= worth * scale * 0.999) & (worth <= energy[n] * scale * 0.999)
            unlike += measured & (not alike)
        for n in range(rows - 1):
            equal += energy[n + 1] == energy[n]
        column = register[a:z]
        for n in range(rows):
            registers += column[n] == column[n]
        good = registers in (0, rows)
        if equal + 1 >= min(stuck_slots, zero_slots):  # fewer cannot make a stretch that is too long
            equal = 0
            for n in range(rows):
                equal = equal + 1 if n > 0 and energy[n] == energy[n - 1] else 1
                good &= equal < (stuck_slots if energy[n] != 0 else zero_slots)
        if registers > 0:
            for n in range(1, rows):
                good &= abs(column[n] - column[n - 1] - energy[n]) < register_kwh * 0.99
        high, total = 0.0, 0.0
        for n in range(rows):
            high = max(high, energy[n])
            total += energy[n]
        good &= apart <= share * both and 2 * unlike < max(both, 1)
        # The 99th percentile is at least a third of the highest when more than one in a hundred are.
        reaching = 0
        for n in range(rows):
            reaching += energy[n] * spike > high
        good &= high == 0 or reaching > 0.011 * positive + 1
        mean = total / rows
        past = before[meter]
        if past > 0 and mean > 0:
            good &= mean < past * level * 0.999 and past < mean * level * 0.999
        result[meter] = good


@numba.njit(
    types.void(
        _column(types.boolean), _column(types.int32), _column(types.int32), types.int64, types.int64,
        types.boolean[::1], types.int64[::1],
    ),
    cache=True, nogil=True,
)  # fmt: skip
def put_in_order(
    measured: Booleans,
    source: npt.NDArray[np.int32],
    source_row: npt.NDArray[np.int32],
    rows: int,
    without: int,
    result: Booleans,
    turns: Integers,
) -> None:
    """Say which rows are in order; see :func:`eisenergy.quality.clean.ordered`."""
    for meter in range(turns.shape[0]):
        a, z = meter * rows, (meter + 1) * rows
        counts, files, lines, fine = measured[a:z], source[a:z], source_row[a:z], result[a:z]
        fine[0] = counts[0] & (files[0] != without)
        count = 1
        for n in range(1, rows):
            turn = files[n] != files[n - 1]
            count += turn
            fine[n] = counts[n] & (files[n] != without) & (turn | (lines[n] > lines[n - 1]))
        turns[meter] = count
