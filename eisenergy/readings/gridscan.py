"""The rows of a worksheet that is as regular as most are, in one pass over its XML.

Every row has the same columns, and each column one kind of cell and one style throughout. Whatever else an ``.xlsx`` may hold (a cell
without its address, rich text, a truth value, an error, a formula that was never calculated) ends the pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from eisenergy.readings.scan import Texts, room

EMPTY: Final = 0
NUMBER: Final = 1
SHARED: Final = 2
INLINE: Final = 3
"""Kinds of cells; a shared text is written as its number in the workbook's list."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of a worksheet's rows.

    :param kinds: per column
    :param figures: per column of numbers
    :param texts: per column of texts; of shared ones, their numbers as texts
    """

    rows: int
    kinds: tuple[int, ...]
    figures: dict[int, npt.NDArray[np.float64]]
    texts: dict[int, Texts]


_NUMBER: Final = re.compile(rb'<row [^>]*?\br="(\d{1,7})"')


def _most_rows(data: bytes, at: int, first_row: int) -> int:
    """How many rows there may be, as the last one's number says; the scan refuses rows that are not numbered one after the other."""
    last = data.rfind(b"<row ", at)
    match = _NUMBER.match(data, last) if last >= 0 else None
    return 0 if match is None else min(int(match[1]) - first_row + 1, (len(data) - at) // len(b"<row r></row>"))


def rows(data: bytes, at: int, first_row: int, width: int, rough: set[int]) -> Grid | None:
    """Read a worksheet's regular rows, up to its end.

    :param data: the worksheet's XML
    :param at: where the first of them begins [byte]
    :param first_row: its number, from 1
    :param width: columns there may be
    :param rough: columns whose numbers need not be exact to the last bit: those of stamps
    """
    from eisenergy.readings import gridkernel  # loaded where it pays, see taking.QUICK_BYTES

    most = _most_rows(data, at, first_row)
    if most < 1:
        return None
    figures = np.empty((width, most))
    signature = np.zeros((width, 2), np.int64)
    long_count = np.zeros(1, np.int64)
    codes = np.empty((width, most), np.int32)
    counts = np.zeros(width, np.int64)
    places, slots, _ = room(width, free=False)
    long = np.empty((most * width, 4), np.int64)
    buffer = np.frombuffer(data, np.uint8)
    words = np.ndarray((len(data) - 7,), np.uint64, data, strides=(1,))
    count = gridkernel.rows(
        buffer, words, at, first_row, most, figures, signature, long_count, codes, places, counts, slots, long
    )
    if count <= 0:
        return None
    try:
        left = long[: long_count[0]]
        coarse = np.zeros(width, np.bool_)
        coarse[list(rough)] = True
        near = coarse[left[:, 0]] & ~np.isnan(figures[left[:, 0], left[:, 1]])
        for column, row, first, last in left[~near].tolist():
            figures[column, row] = float(data[first:last])
    except ValueError:
        return None
    kinds = tuple(int(kind) for kind in signature[:, 0])
    return Grid(
        rows=count,
        kinds=kinds,
        figures={column: figures[column, :count] for column, kind in enumerate(kinds) if kind == NUMBER},
        texts={
            column: Texts(
                codes[column, :count],
                tuple(data[first:last].decode() for first, last in places[column, : counts[column]].tolist()),
            )
            for column, kind in enumerate(kinds)
            if kind in (SHARED, INLINE)
        },
    )
