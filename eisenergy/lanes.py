"""The lanes in which complete months are summed: a lane for every row of a day, for days whose rows fall to the same cells.

A day's rows are added to their lanes in whole vectors, whatever runs the calendar has; what belongs to one cell is folded together
once a month. Sums carry their compensation (Neumaier) through all of it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from eisenergy.compiled import numba, types
from eisenergy.vectors import adder, folder, raiser, sweeper

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ROWS: Final = 96
"""Rows of a chunk: a day of quarter-hours. Any other number gives the same sums; with this one the days of a calendar look alike."""
WIDE: Final = 16
"""Lanes of a cell while it is folded: the widest vector."""

_FLOATS = types.Array(types.float64, 1, "C", readonly=True)
_INTEGERS = types.Array(types.int64, 1, "C", readonly=True)
_LANE = types.float64[::1]

_add_16, _add_4, _add_1 = adder(16), adder(4), adder(1)
_fold_16, _fold_8, _fold_4, _fold_1 = folder(16), folder(8), folder(4), folder(1)
_sweep_both, _sweep_sums = sweeper(16, ROWS, peaks=True), sweeper(16, ROWS, peaks=False)
_raise_16, _raise_8, _raise_4, _raise_1 = raiser(16), raiser(8), raiser(4), raiser(1)


class Plan(NamedTuple):
    """Where the rows of every customer go, all int64.

    :param size: lanes, and rows of a customer [2]
    :param lane: first lane of each chunk of rows [one per chunk]
    :param chunk: numbers of the chunks, those of the same lanes together [one per chunk]
    :param chunk_from: where in ``chunk`` those of each pattern of lanes begin [patterns + 1]
    :param stretch_from: first lane of each stretch of lanes of one cell [one per stretch]
    :param stretch_to: lane after the last
    :param stretch_cell: the cell
    """

    size: Integers
    lane: Integers
    chunk: Integers
    chunk_from: Integers
    stretch_from: Integers
    stretch_to: Integers
    stretch_cell: Integers


PLAN = types.NamedUniTuple(_INTEGERS, len(Plan._fields), Plan)  # type: ignore[no-untyped-call]


def plan_of(start: Integers, end: Integers, cell: Integers) -> Plan:
    """Plan runs of rows, each of one cell. :param start: first row of each run :param end: row after its last"""
    rows = int(end.max()) if len(end) else 0
    chunks = max(1, -(-rows // ROWS))
    cells = np.full(chunks * ROWS, -1, dtype=np.int64)
    for a, b, number in zip(start.tolist(), end.tolist(), cell.tolist(), strict=True):
        cells[a:b] = number
    # A dictionary is ten times faster here than numpy's search for rows that are the same.
    seen: dict[bytes, int] = {}
    days = cells.reshape(chunks, ROWS)
    pattern = np.array([seen.setdefault(day.tobytes(), len(seen)) for day in days], dtype=np.int64)
    lanes = np.concatenate([np.frombuffer(day, dtype=np.int64) for day in seen])
    edge = np.ones(len(lanes), dtype=np.bool_)
    edge[1:] = lanes[1:] != lanes[:-1]
    edge[::ROWS] = True
    begin = np.flatnonzero(edge)
    after = np.append(begin[1:], len(lanes))
    used = lanes[begin] >= 0
    plan = Plan(
        size=np.array([len(lanes), rows]),
        lane=pattern * ROWS,
        chunk=np.argsort(pattern, kind="stable"),
        chunk_from=np.append(0, np.bincount(pattern, minlength=len(seen)).cumsum()),
        stretch_from=begin[used],
        stretch_to=after[used],
        stretch_cell=lanes[begin[used]],
    )
    for array in plan:
        array.setflags(write=False)  # as the compiled loops expect them
    return plan


@numba.njit(types.void(_FLOATS, types.int64, types.int64, _LANE, _LANE, types.int64), cache=True, nogil=True)
def add(values: Floats, row: int, end: int, total: Floats, lost: Floats, lane: int) -> None:
    """Add rows ``row`` to ``end``, one to each lane from ``lane`` on."""
    while row + 16 <= end:
        _add_16(values, row, total, lost, lane)
        row, lane = row + 16, lane + 16
    while row + 4 <= end:
        _add_4(values, row, total, lost, lane)
        row, lane = row + 4, lane + 4
    while row < end:
        _add_1(values, row, total, lost, lane)
        row, lane = row + 1, lane + 1


@numba.njit(types.void(_FLOATS, types.int64, types.int64, _LANE, types.int64), cache=True, nogil=True)
def raise_to(values: Floats, row: int, end: int, highest: Floats, lane: int) -> None:
    """Raise each lane's maximum to its row's value."""
    while row + 16 <= end:
        _raise_16(values, row, highest, lane)
        row, lane = row + 16, lane + 16
    while row + 4 <= end:
        _raise_4(values, row, highest, lane)
        row, lane = row + 4, lane + 4
    while row < end:
        _raise_1(values, row, highest, lane)
        row, lane = row + 1, lane + 1


@numba.njit(
    types.void(_FLOATS, _FLOATS, types.int64, types.int64, PLAN, _LANE, _LANE, _LANE, types.boolean), cache=True, nogil=True
)  # fmt: skip
def sweep(
    kwh: Floats,
    kw: Floats,
    origin: int,
    following: int,
    plan: Plan,
    total: Floats,
    lost: Floats,
    highest: Floats,
    peaks: bool,
) -> None:
    """Add a customer's rows to their lanes, which begin with nothing, and raise the lanes' maxima to them.

    :param origin: its first row
    :param following: first row of the customer that comes next, whose rows are called from the memory meanwhile
    :param peaks: whether maxima are wanted; without them ``kw`` and ``highest`` are passed over
    """
    rows, ahead = plan.size[1], following
    whole = rows // ROWS
    for pattern in range(plan.chunk_from.shape[0] - 1):
        begin, end, lane = plan.chunk_from[pattern], plan.chunk_from[pattern + 1], pattern * ROWS
        ragged = plan.chunk[end - 1] == whole
        if ragged:  # the last chunk has fewer rows than the others, and none beyond them is to be read
            end -= 1
        for row in range(0, ROWS, 16):
            if peaks:
                _sweep_both(kwh, kw, origin + row, ahead, plan.chunk, begin, end, total, lost, highest, lane + row)
            else:
                _sweep_sums(kwh, kw, origin + row, ahead, plan.chunk, begin, end, total, lost, highest, lane + row)
            ahead += (end - begin) * 16
        if ragged:
            add(kwh, origin + whole * ROWS, origin + rows, total, lost, lane)
            if peaks:
                raise_to(kw, origin + whole * ROWS, origin + rows, highest, lane)


@numba.njit(types.void(_LANE, _LANE, types.int64, PLAN, _LANE, _LANE, _LANE), cache=True, nogil=True)
def fold(total: Floats, lost: Floats, first: int, plan: Plan, sums: Floats, losses: Floats, result: Floats) -> None:
    """The sums of the cells over their lanes, always folded in the same order; ``sums`` and ``losses`` are for use within."""
    sums[:] = 0.0
    losses[:] = 0.0
    for stretch in range(plan.stretch_cell.shape[0]):
        lane, end = first + plan.stretch_from[stretch], first + plan.stretch_to[stretch]
        place = plan.stretch_cell[stretch] * WIDE
        while lane + 16 <= end:
            _fold_16(total, lost, lane, sums, losses, place)
            lane += 16
        while lane + 4 <= end:
            _fold_4(total, lost, lane, sums, losses, place)
            lane += 4
        while lane < end:
            _fold_1(total, lost, lane, sums, losses, place)
            lane += 1
    for cell in range(result.shape[0]):
        place = cell * WIDE
        _fold_8(sums, losses, place + 8, sums, losses, place)
        _fold_4(sums, losses, place + 4, sums, losses, place)
        for lane in range(place + 1, place + 4):
            _fold_1(sums, losses, lane, sums, losses, place)
        result[cell] = sums[place] + losses[place]


@numba.njit(types.void(_LANE, PLAN, _LANE, _LANE), cache=True, nogil=True)
def top(highest: Floats, plan: Plan, tops: Floats, result: Floats) -> None:
    """The maxima of the cells over their lanes; ``tops`` is for use within."""
    tops[:] = -np.inf
    for stretch in range(plan.stretch_cell.shape[0]):
        lane, end, place = plan.stretch_from[stretch], plan.stretch_to[stretch], plan.stretch_cell[stretch] * WIDE
        while lane + 16 <= end:
            _raise_16(highest, lane, tops, place)
            lane += 16
        while lane + 4 <= end:
            _raise_4(highest, lane, tops, place)
            lane += 4
        while lane < end:
            _raise_1(highest, lane, tops, place)
            lane += 1
    for cell in range(result.shape[0]):
        place = cell * WIDE
        _raise_8(tops, place + 8, tops, place)
        _raise_4(tops, place + 4, tops, place)
        for lane in range(place + 1, place + 4):
            _raise_1(tops, lane, tops, place)
        result[cell] = tops[place]
