"""Where rows belong when the months of many meters lie one after the other, an interval to a place: row by row.

Whole months are put there by the stretch, see :mod:`eisenergy.stretches`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from eisenergy.compiled import numba, types

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

SLOT_US: Final = 900_000_000
"""Microseconds of an interval."""

_INTEGERS = types.Array(types.int64, 1, "C", readonly=True)


@numba.njit(
    types.void(
        *(_INTEGERS,) * 4, types.int64, types.int64, types.int64,
        types.boolean[::1], types.int64[::1], types.int64[::1], types.boolean[::1],
    ),
    cache=True, nogil=True,
)  # fmt: skip
def _places(
    run_meter: Integers,
    run_begin: Integers,
    run_end: Integers,
    start: Integers,
    origin: int,
    slot: int,
    rows: int,
    taken: Booleans,
    place: Integers,
    present: Integers,
    stray: Booleans,
) -> None:
    for run in range(run_begin.shape[0]):
        meter = run_meter[run]
        due, number = 0, -1
        for row in range(run_begin[run], run_end[run]):
            if start[row] == due and number >= 0:
                number += 1
            else:  # a division, and rare: rows mostly follow one another
                number = int((start[row] - origin) // slot)
                if number * slot != start[row] - origin:
                    stray[meter] = True
                    number = -1
            due = int(start[row]) + slot
            if number < 0 or number >= rows:
                number = -1
                continue
            at = meter * rows + number
            if taken[at]:
                stray[meter] = True
                continue
            taken[at] = True
            place[row] = at
            present[meter] += 1


class Places(NamedTuple):
    """Where each row of a frame belongs when months lie one after the other, an interval to a place.

    :param place: -1 for a row outside of the period, off the grid, or of an interval that has a row already
    :param present: intervals that have a row [one per meter]
    :param stray: meters with a row off the grid, or with two rows of one interval
    """

    place: Integers
    present: Integers
    stray: Booleans


def places(
    run_meter: Integers, run_begin: Integers, run_end: Integers, start: Integers, *, meters: int, origin: int, rows: int
) -> Places:
    """Find the place of each row; the rows are in runs of one meter each.

    :param run_meter: number of the run's meter [one per run, like the two that follow]
    :param run_begin: its first row
    :param run_end: row after its last
    :param start: UTC microseconds of each row's interval
    :param origin: UTC microseconds of the first interval
    :param rows: intervals of the period
    """
    if len(run_meter) and not (
        0 <= int(run_meter.min()) <= int(run_meter.max()) < meters
        and int(run_begin.min()) >= 0
        and int(run_end.max()) <= len(start)
    ):
        raise ValueError(f"runs must lie within {len(start)} rows and name one of {meters} meters")
    result = Places(
        place=np.full(len(start), -1, dtype=np.int64),
        present=np.zeros(meters, dtype=np.int64),
        stray=np.zeros(meters, dtype=np.bool_),
    )
    taken = np.zeros(meters * rows, dtype=np.bool_)
    _places(run_meter, run_begin, run_end, start, origin, SLOT_US, rows, taken, *result)
    return result
