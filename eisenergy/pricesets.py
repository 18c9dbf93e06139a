"""Usage of many meters at once whose readings carry prices of their own, summed per set of prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
import numpy.typing as npt

from eisenergy import kernels
from eisenergy.blockruns import Runs
from eisenergy.compiled import numba, types
from eisenergy.money import decimal_of
from eisenergy.usage import CellSums, SlotPrices

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MOST: Final = 64
"""Sets of prices that a month may have here; a price of its own in every interval is another way's business."""

_PRICE = types.Array(types.float64, 1, "C", readonly=True)


@numba.njit(types.boolean(types.float64, types.float64), cache=True, nogil=True)
def _alike(left: float, right: float) -> bool:
    return left == right or (np.isnan(left) and np.isnan(right))


@numba.njit(
    types.void(types.int64, *(_PRICE,) * 4, types.int32[::1], types.int32[:, ::1], types.int64[::1]),
    cache=True, nogil=True, parallel=True,
)  # fmt: skip
def _number(
    rows: int,
    loss_factor: Floats,
    ftpms: Floats,
    cost_pos: Floats,
    cost_neg: Floats,
    group: npt.NDArray[np.int32],
    firsts: npt.NDArray[np.int32],
    count: Integers,
) -> None:
    """Number each meter's distinct sets of prices in order of time; NaN is like NaN.

    :param rows: intervals of each meter, one meter after the other
    :param group: result: number of the row's set
    :param firsts: result: row of the meter that first had each set [meters, the most sets there may be]
    :param count: result: number of sets; 0: more than that [one per meter]
    """
    for meter in numba.prange(count.shape[0]):
        begin, known, last = meter * rows, 0, 0
        for n in range(rows):
            row = begin + n
            number = -1
            for candidate in range(-1, known):  # the set of the row before is the likeliest
                tried = last if candidate < 0 else candidate
                if tried >= known:
                    continue
                other = begin + firsts[meter, tried]
                if (
                    _alike(loss_factor[row], loss_factor[other])
                    and _alike(ftpms[row], ftpms[other])
                    and _alike(cost_pos[row], cost_pos[other])
                    and _alike(cost_neg[row], cost_neg[other])
                ):
                    number = tried
                    break
            if number < 0 and known == firsts.shape[1]:
                known = 0  # more than there is room for: nothing of this meter is used
                group[begin : begin + rows] = 0
                break
            if number < 0:
                number = known
                firsts[meter, known] = n
                known += 1
            group[row] = number
            last = number
        count[meter] = known


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """Months of meters whose readings carry prices of their own.

    :param cells: sums with a leading axis, the meter; ``groups`` cells per (segment, block)
    :param prices: each meter's sets of prices
    """

    cells: CellSums
    prices: tuple[tuple[SlotPrices, ...], ...]
    groups: int


def sum_priced(columns: kernels.Columns, prices: Sequence[Floats | None], rows: int, runs: Runs) -> Priced:
    """Sum months that lie one after the other, each of ``rows`` intervals, per set of per-slot prices.

    :param columns: ``group`` is not looked at
    :param prices: loss factor, FTPMS, cost_pos, cost_neg, NaN for none; ``None``: nobody has any
    :returns: what :func:`eisenergy.usage.measure` finds for each meter; no set of prices for one that has more than :data:`MOST`
    """
    meters = len(columns.start) // rows
    nothing = np.full(len(columns.start), np.nan)
    group = np.zeros(len(columns.start), dtype=np.int32)
    firsts = np.zeros((meters, MOST), dtype=np.int32)
    count = np.zeros(meters, dtype=np.int64)
    a, b, c, d = (nothing if column is None else column for column in prices)
    _number(rows, a, b, c, d, group, firsts, count)
    sets: list[tuple[SlotPrices, ...]] = []
    for meter in range(meters):
        first = meter * rows + firsts[meter, : count[meter]]
        texts = list(zip(*(_decimals(column[first]) for column in (a, b, c, d)), strict=True))
        numbers: dict[tuple[Decimal | None, ...], int] = {}
        same = [numbers.setdefault(key, len(numbers)) for key in texts]
        if len(numbers) < len(same):  # doubles that differ beyond the 15th digit are one price
            mine = slice(meter * rows, (meter + 1) * rows)
            group[mine] = np.array(same, dtype=np.int32)[group[mine]]
        sets.append(
            tuple(
                SlotPrices(loss_factor=loss, ftpms=fee, cost_pos=more, cost_neg=less)
                for loss, fee, more, less in numbers
            )
        )
    groups = max(1, *map(len, sets))
    calendar = kernels.Calendar(
        start=runs.start_us,
        end=runs.end_us,
        cell=(runs.segment.astype(np.int64) * len(runs.blocks) + runs.block) * groups,
    )
    found = kernels.sum_cells_of_meters(
        np.arange(meters + 1, dtype=np.int64) * rows,
        columns._replace(group=group),
        calendar,
        len(runs.segments) * len(runs.blocks) * groups,
        runs.minutes / 60,
    )
    return Priced(
        cells=CellSums(found.sums, found.peak, found.peak_at, found.counts), prices=tuple(sets), groups=groups
    )


def _decimals(values: Floats) -> list[Decimal | None]:
    return [None if value != value else decimal_of(value) for value in values.tolist()]
