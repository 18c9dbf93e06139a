"""Rows as stretches that follow one another in time, and putting them where they belong when months lie one after the other.

A meter's rows mostly come interval after interval, so a month is one stretch, or two where it is in two files: what is said of it is
said once, and its columns are copied instead of being sent to their places row by row.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from eisenergy.compiled import numba, types
from eisenergy.places import SLOT_US
from eisenergy.spares import NO_SPARES, Spares

Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

_INTEGERS = types.Array(types.int64, 1, "C", readonly=True)
_BITS = types.Array(types.uint8, 1, "C", readonly=True)
_KINDS: Final = (types.int32, types.int16, types.boolean)
_ALL: Final = np.zeros(0, dtype=np.uint8)


def _column(dtype: Any) -> Any:
    return types.Array(dtype, 1, "C", readonly=True)


class Stretches(NamedTuple):
    """Where the rows of a frame belong when months of ``rows`` places lie one after the other.

    :param begin: first row of each stretch
    :param to: place of that row
    :param length: how many rows
    :param outside: rows outside of the period, by time
    """

    begin: Integers
    to: Integers
    length: Integers
    outside: Integers


class Filled(NamedTuple):
    """What is known of the places of several frames together.

    :param taken: whether a place has a row [one per place]
    :param present: places that have a row [one per meter]
    :param stray: meters with a row off the grid, or with two rows of one interval; what lies in their places may not be used
    """

    taken: Booleans
    present: Integers
    stray: Booleans

    @classmethod
    def nothing(cls, meters: int, rows: int, spares: Spares = NO_SPARES) -> Filled:
        """No place has a row yet. :param spares: where ``taken`` is from"""
        return cls(
            spares.full(meters * rows, 0, np.bool_), np.zeros(meters, dtype=np.int64), np.zeros(meters, dtype=np.bool_)
        )


@numba.njit(
    types.void(
        *(_INTEGERS,) * 4, types.int64, types.int64, types.int64,
        types.boolean[::1], types.int64[::1], types.boolean[::1],
        *(types.int64[::1],) * 5,
    ),
    cache=True, nogil=True,
)  # fmt: skip
def _stretches(
    run_meter: Integers,
    run_begin: Integers,
    run_end: Integers,
    start: Integers,
    origin: int,
    slot: int,
    rows: int,
    taken: Booleans,
    present: Integers,
    stray: Booleans,
    begin: Integers,
    to: Integers,
    length: Integers,
    outside: Integers,
    counts: Integers,
) -> None:
    for run in range(run_begin.shape[0]):
        meter, row = run_meter[run], run_begin[run]
        while row < run_end[run]:
            # Most runs are one stretch: counting what does not follow takes whole vectors, looking for the first does not.
            times = start[row : run_end[run]]
            apart = 0
            for n in range(times.shape[0] - 1):
                apart += times[n + 1] - times[n] != slot
            after = row + times.shape[0]
            if apart > 0:
                after = row + 1
                while after < run_end[run] and start[after] == start[after - 1] + slot:
                    after += 1
            number = int((start[row] - origin) // slot)
            if number * slot != start[row] - origin:
                stray[meter] = True
                row = after
                continue
            first, last = max(row, row - number), min(after, row - number + rows)  # those within the period
            for other in range(row, min(first, after)):
                outside[counts[1]] = other
                counts[1] += 1
            for other in range(max(last, row), after):
                outside[counts[1]] = other
                counts[1] += 1
            if first < last:
                place = meter * rows + number + first - row
                here = taken[place : place + last - first]
                held = 0
                for n in range(here.shape[0]):
                    held += here[n]
                    here[n] = True
                if held == 0:
                    begin[counts[0]], to[counts[0]], length[counts[0]] = first, place, last - first
                    counts[0] += 1
                    present[meter] += last - first
                else:
                    stray[meter] = True
            row = after


def stretches(
    run_meter: Integers,
    run_begin: Integers,
    run_end: Integers,
    start: Integers,
    *,
    origin: int,
    rows: int,
    filled: Filled,
) -> Stretches:
    """Find where the rows of a frame belong; they are in runs of one meter each.

    :param run_meter: number of the run's meter [one per run, like the two that follow]
    :param run_begin: its first row
    :param run_end: row after its last
    :param start: UTC microseconds of each row's interval
    :param origin: UTC microseconds of the first interval
    :param rows: intervals of the period
    :param filled: what frames before this one have filled; noted there
    """
    meters = len(filled.present)
    if len(run_meter) and not (
        0 <= int(run_meter.min()) <= int(run_meter.max()) < meters
        and int(run_begin.min()) >= 0
        and int(run_end.max()) <= len(start)
    ):
        raise ValueError(f"runs must lie within {len(start)} rows and name one of {meters} meters")
    begin, to, length, outside = (np.empty(len(start), dtype=np.int64) for _ in range(4))  # mostly never touched
    counts = np.zeros(2, dtype=np.int64)
    _stretches(run_meter, run_begin, run_end, start, origin, SLOT_US, rows, *filled, begin, to, length, outside, counts)
    many, apart = counts.tolist()
    return Stretches(begin[:many].copy(), to[:many].copy(), length[:many].copy(), outside[:apart].copy())


@numba.njit(
    [types.void(_column(kind), _INTEGERS, _INTEGERS, _INTEGERS, kind[::1]) for kind in _KINDS], cache=True, nogil=True
)
def _copy(values: Any, begin: Integers, to: Integers, length: Integers, result: Any) -> None:
    for n in range(begin.shape[0]):
        there, here = values[begin[n] : begin[n] + length[n]], result[to[n] : to[n] + length[n]]
        for row in range(there.shape[0]):  # over slices, which Numba takes by whole vectors
            here[row] = there[row]


@numba.njit(
    [
        types.void(_column(kind), _INTEGERS, _INTEGERS, _INTEGERS, _INTEGERS, _INTEGERS, kind[::1])
        for kind in (types.int32, types.boolean)
    ],
    cache=True,
    nogil=True,
)
def _copy_runs(
    values: Any, ends: Integers, run: Integers, begin: Integers, to: Integers, length: Integers, result: Any
) -> None:
    for n in range(begin.shape[0]):
        row, last, number = begin[n], begin[n] + length[n], run[n]
        while row < last:
            stop = min(last, ends[number])
            here = result[to[n] + row - begin[n] : to[n] + stop - begin[n]]
            for place in range(here.shape[0]):
                here[place] = values[number]
            row, number = stop, number + 1


@numba.njit(types.int64(_BITS, types.int64, types.int64), cache=True, nogil=True)
def _set(valid: npt.NDArray[np.uint8], first: int, rows: int) -> int:
    """Whether all of some bits are set (1), or none (0), or some (-1)."""
    row, all_of_them, any_of_them = first, True, False
    while row < first + rows and row % 8:
        bit = (valid[row >> 3] >> (row & 7)) & 1
        all_of_them &= bit == 1
        any_of_them |= bit == 1
        row += 1
    whole = valid[row >> 3 : max(row, first + rows) >> 3]
    low, high = 255, 0
    for n in range(whole.shape[0]):
        low &= whole[n]
        high |= whole[n]
    all_of_them &= low == 255
    any_of_them |= high != 0
    for last in range(max(row, (first + rows) & ~7), first + rows):
        bit = (valid[last >> 3] >> (last & 7)) & 1
        all_of_them &= bit == 1
        any_of_them |= bit == 1
    if all_of_them:
        return 1
    return -1 if any_of_them else 0


@numba.njit(
    types.void(
        _column(types.float64), _BITS, types.int64, _INTEGERS, _INTEGERS, _INTEGERS, types.int64,
        types.float64[::1], types.int64[::1],
    ),
    cache=True, nogil=True,
)  # fmt: skip
def _copy_figures(
    values: Any,
    valid: Any,
    bit: int,
    begin: Integers,
    to: Integers,
    length: Integers,
    rows: int,
    result: Any,
    count: Integers,
) -> None:
    for n in range(begin.shape[0]):
        there, here = values[begin[n] : begin[n] + length[n]], result[to[n] : to[n] + length[n]]
        found = 0
        if valid.shape[0] > 0:
            known = _set(valid, bit + begin[n], length[n])
            if known == 0:
                here[:] = np.nan
                continue
            if known < 0:
                for row in range(there.shape[0]):
                    at = bit + begin[n] + row
                    some = ((valid[at >> 3] >> (at & 7)) & 1 == 1) & (there[row] == there[row])
                    here[row] = there[row] if some else np.nan
                    found += some
                count[to[n] // rows] += found
                continue
        for row in range(there.shape[0]):
            value = there[row]
            some = value == value
            here[row] = value if some else np.nan
            found += some
        count[to[n] // rows] += found


def copied(values: npt.NDArray[Any], found: Stretches, result: npt.NDArray[Any]) -> None:
    """Copy a column to its places.

    :param values: 32-bit or 16-bit whole numbers, or booleans [one per row of the frame]
    :param result: of the same type; overwritten where a row has a place
    """
    _check(len(values), found, result)
    _copy(values, found.begin, found.to, found.length, result)


def copied_runs(
    values: npt.NDArray[Any], ends: Integers, rows: int, found: Stretches, result: npt.NDArray[Any]
) -> None:
    """Copy a column that is known by its runs to its places.

    :param values: 32-bit whole numbers, or booleans [one per run]
    :param ends: row after the last of each run
    :param rows: rows of the frame
    :param result: of the same type; overwritten where a row has a place
    """
    _check(rows, found, result)
    if (
        (int(ends[-1]) if len(ends) else 0) != rows
        or len(values) != len(ends)
        or bool((np.diff(ends, prepend=0) <= 0).any())
    ):
        raise ValueError(f"{len(values)} values and {len(ends)} runs are not {rows} rows")
    run = np.searchsorted(ends, found.begin, side="right")
    _copy_runs(values, ends, run, found.begin, found.to, found.length, result)


def copied_figures(
    values: npt.NDArray[np.float64],
    found: Stretches,
    rows: int,
    result: npt.NDArray[np.float64],
    count: Integers,
    *,
    valid: npt.NDArray[np.uint8] = _ALL,
    bit: int = 0,
) -> None:
    """Copy a column of doubles to its places, with ``numpy.nan`` for any NaN, so that figures can be hashed.

    :param rows: intervals of the period
    :param count: how many figures each meter has; those copied are added
    :param valid: a bit per row, set where there is a figure; empty: wherever it is none of the NaN
    :param bit: that of the first row
    """
    _check(len(values), found, result)
    if len(count) * rows != len(result):
        raise ValueError(f"{len(count)} meters of {rows} rows are not {len(result)} places")
    if len(valid) and len(valid) * 8 < bit + len(values):
        raise ValueError(f"{len(valid)} bytes have no bit for each of {len(values)} rows")
    _copy_figures(values, valid, bit, found.begin, found.to, found.length, rows, result, count)


def _check(rows: int, found: Stretches, result: npt.NDArray[Any]) -> None:
    """The compiled passes look at no border."""
    if len(found.begin) and (
        int((found.begin + found.length).max()) > rows or int((found.to + found.length).max()) > len(result)
    ):
        raise ValueError(f"stretches reach beyond {rows} values or {len(result)} places")
