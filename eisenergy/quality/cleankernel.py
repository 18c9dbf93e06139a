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
        a = first[meter]
        good = contracted_kw[meter] > 0
        ceiling = contracted_kw[meter] * highest_share
        high, total = 0.0, 0.0
        both, apart, unlike = 0, 0, 0
        equal, positive, registers = 0, 0, 0
        for n in range(rows):
            row = a + n
            energy, power, export = kwh[row], kw[row], kwh_export[row]
            good &= start[row] == begin[meter] + n * slot
            good &= ordered[row] and energy >= 0 and energy / hours <= ceiling  # false for NaN, and for infinity
            good &= not (
                export < 0 or np.isinf(export) or np.isinf(kvar[row]) or np.isinf(kvarh[row]) or np.isinf(forecast[row])
            )
            good &= not power > ceiling and not np.isinf(power)
            if energy > 0:
                positive += 1
                if power == power:
                    both += 1
                    worth = power * hours
                    apart += abs(worth - energy) > max(tolerance_kwh, tolerance * energy)
                    unlike += not energy <= worth * scale * 0.999 or not worth <= energy * scale * 0.999
            equal = equal + 1 if n > 0 and energy == kwh[row - 1] else 1
            good &= equal < (stuck_slots if energy != 0 else zero_slots)
            high = max(high, energy)
            total += energy
            if register[row] == register[row]:
                registers += 1
                if n > 0:
                    good &= abs(register[row] - register[row - 1] - energy) < register_kwh * 0.99
        if not good:
            result[meter] = False
            continue
        good &= registers == 0 or registers == rows
        good &= apart <= share * both and 2 * unlike < max(both, 1)
        # The 99th percentile is at least a third of the highest when more than one in a hundred are.
        reaching = 0
        for n in range(rows):
            reaching += kwh[a + n] * spike > high
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
        a = meter * rows
        result[a] = measured[a] and source[a] != without
        count = 1
        for row in range(a + 1, a + rows):
            turn = source[row] != source[row - 1]
            count += turn
            result[row] = measured[row] and source[row] != without and (turn or source_row[row] > source_row[row - 1])
        turns[meter] = count
