"""The cells of a text table that is as regular as most are, in one pass over its bytes.

A figure is read as digits with at most one decimal sign; with no more than 15 digits the quotient of two exact doubles is the
double nearest to what is written. Every other column is coded: each different text once, and per row which one it is. Whatever
is not of this kind ends the pass, and the reader that takes its time reads the file from its beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt
from numba import types

FIGURE: Final = 0
TEXT: Final = 1
STAMP: Final = 2
"""Kinds of columns; a stamp is two texts, parted at its first space or ``T``."""

DIFFERENT: Final = 4096
"""Texts that a column may have; one with more is read the careful way."""

SLOTS: Final = 16_384
_DIGITS: Final = 15
_NEVER: Final = np.iinfo(np.int64).max

BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_TABLE = types.int64(
    BYTES,
    types.int64,
    types.uint8,
    types.uint8,
    types.Array(types.uint8, 1, "C", readonly=True),
    types.float64[:, ::1],
    types.int64[::1],
    types.boolean[::1],
    types.int32[:, ::1],
    types.int64[:, :, ::1],
    types.int64[::1],
    types.int32[:, ::1],
)


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of texts: ``different[code]`` per row; -1 where the cell is empty."""

    codes: npt.NDArray[np.int32]
    different: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cells:
    """What a table holds.

    :param rows: how many
    :param figures: column -> its figures
    :param texts: column -> its texts; a stamp's days
    :param clocks: column of stamps -> what follows the day
    :param loose: column of figures -> first row whose figure cannot be one with a thousands sign, ``None`` where there is none
    :param signed: whether any figure has a decimal sign
    :param written: gives the cell of a column and row as it is written
    """

    rows: int
    figures: dict[int, npt.NDArray[np.float64]]
    texts: dict[int, Texts]
    clocks: dict[int, Texts]
    loose: dict[int, int | None]
    signed: bool
    written: Callable[[int, int], str] | None = None


@numba.njit(
    types.int64(BYTES, types.int64, types.int64, types.int64[:, ::1], types.int32[::1], types.int64), cache=True
)
def entered(data: Any, first: Any, last: Any, places: Any, slots: Any, count: Any) -> Any:  # pragma: no cover
    """The code of a text; ``count`` when it is new, and then it is entered."""
    value = np.uint64(1469598103934665603)
    for at in range(first, last):
        value = (value ^ np.uint64(data[at])) * np.uint64(1099511628211)
    slot = np.int64((value ^ (value >> np.uint64(29))) & np.uint64(SLOTS - 1))
    size = last - first
    while slots[slot] >= 0:
        code = slots[slot]
        if places[code, 1] - places[code, 0] == size:
            begin = places[code, 0]
            same = True
            for at in range(size):
                if data[begin + at] != data[first + at]:
                    same = False
                    break
            if same:
                return np.int64(code)
        slot = (slot + 1) & (SLOTS - 1)
    if count >= DIFFERENT:
        return -2
    slots[slot] = count
    places[count, 0] = first
    places[count, 1] = last
    return count


@numba.njit(_TABLE, cache=True, error_model="numpy")
def _table(
    data: Any,
    at: Any,
    separator: Any,
    decimal: Any,
    kinds: Any,
    figures: Any,
    loose: Any,
    signed: Any,
    codes: Any,
    places: Any,
    counts: Any,
    slots: Any,
) -> Any:  # pragma: no cover
    """Read the rows from byte ``at`` on; how many, or -1 where the table is not regular."""
    size, width = len(data), len(kinds)
    powers = np.array([10.0**n for n in range(_DIGITS + 1)])
    row = 0
    while at < size:
        figure = text = 0
        for column in range(width):
            kind = kinds[column]
            if kind == FIGURE:
                value, digits, places_after, leading = np.int64(0), 0, -1, at
                while at < size:
                    letter = data[at]
                    if 48 <= letter <= 57:
                        value = value * 10 + (letter - 48)
                        digits += 1
                        if places_after >= 0:
                            places_after += 1
                    elif letter == decimal and places_after < 0 and digits:
                        places_after = 0
                    else:
                        break
                    at += 1
                if not digits or digits > _DIGITS or places_after == 0:
                    return -1
                if places_after > 0:
                    figures[figure, row] = value / powers[places_after]
                    before = digits - places_after
                    signed[0] = True
                    if (places_after != 3 or before > 3 or data[leading] == 48) and row < loose[figure]:
                        loose[figure] = row
                else:
                    figures[figure, row] = value
                figure += 1
            else:
                first = at
                while True:
                    while at < size:
                        letter = data[at]
                        if letter == separator or letter == 10 or letter == 13:
                            break
                        if kind == STAMP and (letter == 32 or letter == 84):
                            break
                        if letter == 34 or letter == 59 or letter == 44 or letter == 9 or letter == 124:
                            return -1  # a quote, or what parts fields in some other table
                        at += 1
                    if first == at:
                        codes[text, row] = -1
                    else:
                        code = -1
                        if row and codes[text, row - 1] >= 0:
                            known = codes[text, row - 1]
                            begin = places[text, known, 0]
                            if places[text, known, 1] - begin == at - first:
                                code = known
                                for step in range(at - first):
                                    if data[begin + step] != data[first + step]:
                                        code = -1
                                        break
                        if code < 0:
                            code = entered(data, first, at, places[text], slots[text], counts[text])
                            if code == -2:
                                return -1
                            if code == counts[text]:
                                counts[text] += 1
                        codes[text, row] = code
                    text += 1
                    if kind != STAMP:
                        break
                    if at >= size or (data[at] != 32 and data[at] != 84):
                        return -1
                    at += 1
                    kind = TEXT
                    first = at
            if column < width - 1:
                if at >= size or data[at] != separator:
                    return -1
                at += 1
        if at < size and data[at] == 13:
            at += 1
            if at >= size:
                return -1
        if at < size:
            if data[at] != 10:
                return -1
            at += 1
        row += 1
    return row


def table(data: bytes, at: int, separator: str, decimal: str, kinds: npt.NDArray[np.uint8]) -> Cells | None:
    """Read a regular table.

    :param data: UTF-8 text
    :param at: where its first row begins [byte]
    :param kinds: per column :data:`FIGURE`, :data:`TEXT` or :data:`STAMP`
    :returns: ``None`` for a table with a quote, an empty figure, a sign, a row of another length or too many different texts
    """
    most = data.count(b"\n", at) + 1
    of_figures = [column for column, kind in enumerate(kinds) if kind == FIGURE]
    of_texts = [(column, part) for column, kind in enumerate(kinds) if kind != FIGURE for part in range(kind)]
    figures = np.empty((max(1, len(of_figures)), most))
    loose = np.full(max(1, len(of_figures)), _NEVER)
    signed = np.zeros(1, np.bool_)
    codes = np.empty((max(1, len(of_texts)), most), np.int32)
    places = np.empty((max(1, len(of_texts)), DIFFERENT, 2), np.int64)
    counts = np.zeros(max(1, len(of_texts)), np.int64)
    slots = np.full((max(1, len(of_texts)), SLOTS), -1, np.int32)
    buffer = np.frombuffer(data, np.uint8)
    rows = _table(buffer, at, ord(separator), ord(decimal), kinds, figures, loose, signed, codes, places, counts, slots)
    if rows <= 0:
        return None
    texts: dict[int, Texts] = {}
    clocks: dict[int, Texts] = {}
    for number, (column, part) in enumerate(of_texts):
        spans = places[number, : counts[number]].tolist()
        (clocks if part else texts)[column] = Texts(
            codes[number, :rows], tuple(data[first:last].decode() for first, last in spans)
        )
    return Cells(
        rows=rows,
        figures={column: figures[number, :rows] for number, column in enumerate(of_figures)},
        texts=texts,
        clocks=clocks,
        loose={
            column: None if loose[number] == _NEVER else int(loose[number]) for number, column in enumerate(of_figures)
        },
        signed=bool(signed[0]),
        written=lambda column, row: _cell(data, at, separator, column, row),
    )


def _cell(data: bytes, at: int, separator: str, column: int, row: int) -> str:
    for _ in range(row):
        at = data.index(b"\n", at) + 1
    line = data[at : data.find(b"\n", at)] if data.find(b"\n", at) >= 0 else data[at:]
    return line.decode().removesuffix("\r").split(separator)[column]
