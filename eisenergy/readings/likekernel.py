"""The compiled pass over a worksheet's row that is written like the one before it, for :mod:`eisenergy.readings.gridkernel`.

Programs write every row of a table in the same words: but for its number and its values, a row repeats the last one byte for byte. What
repeats is compared eight bytes at a time, and need not be understood again.

The compiled code of :mod:`~eisenergy.readings.gridkernel` holds this one's, and Numba does not see a change here: change the date of that file, too.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from eisenergy.compiled import numba, types
from eisenergy.readings.gridscan import EMPTY, NUMBER
from eisenergy.readings.scankernel import BYTES, entered

WORDS = types.Array(types.uint64, 1, "A", readonly=True, aligned=False)
"""The same bytes as words of eight, one beginning at every byte; the first byte is the lowest."""

SHAPE: Final = 6
"""What is kept of a cell that was read, or of the row's own tag: where the text before the row's number begins and how long it is, the same
of the text after it, up to the value; the column, and the kind of cell."""

_SPARE: Final = 64
"""Bytes left behind a value, at the least: what is looked at ahead lies within them."""
EXACT: Final = 1 << 53
"""Up to here every whole number is a double, and so is every power of ten to the 22nd: their quotient is the nearest one."""
_MOST_DIGITS: Final = 18

_ONES: Final = np.uint64(0x0101010101010101)
_HIGH: Final = np.uint64(0x8080808080808080)
_TAGS: Final = np.uint64(0x3C3C3C3C3C3C3C3C)  # <
_POINTS: Final = np.uint64(0x2E2E2E2E2E2E2E2E)
_ZEROS: Final = np.uint64(0x3030303030303030)
_UPPER: Final = np.uint64(0xF0F0F0F0F0F0F0F0)
_SIXES: Final = np.uint64(0x0606060606060606)
_PAIRS: Final = np.uint64(0x00FF00FF00FF00FF)
_FOURS: Final = np.uint64(0x0000FFFF0000FFFF)
_LOW: Final = np.uint64(0x00000000FFFFFFFF)
_WORD: Final = np.uint64(64)
_BYTE: Final = np.uint64(8)


@numba.njit(cache=True)
def same(words: Any, one: Any, other: Any, size: Any) -> Any:  # pragma: no cover
    """Say whether ``size`` bytes, one at the least, are the same at two places."""
    while size > 8:
        if words[np.uint64(one)] != words[np.uint64(other)]:
            return False
        one, other, size = one + 8, other + 8, size - 8
    return (words[np.uint64(one)] ^ words[np.uint64(other)]) << (_WORD - _BYTE * np.uint64(size)) == 0


@numba.njit(cache=True)
def found(word: Any, letters: Any) -> Any:  # pragma: no cover
    """The first place of a letter among a word's eight; 8 where it is not among them."""
    differ = word ^ letters
    there = (differ - _ONES) & ~differ & _HIGH
    if there == 0:
        return 8
    below = (there & (~there + np.uint64(1))) - np.uint64(1)  # ones up to the letter's place: how many bytes of them?
    return np.int64(((below & _ONES) * _ONES) >> np.uint64(56)) - 1


@numba.njit(cache=True)
def decimal(data: Any, first: Any, last: Any) -> Any:  # pragma: no cover
    """A number's digits as a whole number, and how many of them stand behind the point; -1 of them where nobody can say it so."""
    value, digits, after = np.int64(0), 0, -1
    for step in range(first, last):
        letter = data[step]
        if 48 <= letter <= 57:
            if digits < _MOST_DIGITS:
                value = value * 10 + (letter - 48)
            if value:
                digits += 1
            if after >= 0:
                after += 1
        elif letter == 46 and after < 0:
            after = 0
        else:
            return value, np.int64(-1)
    if digits > _MOST_DIGITS or after > 22:
        return value, np.int64(-1)
    return value, np.int64(max(after, 0))


@numba.njit(cache=True, error_model="numpy")
def short_figure(word: Any, size: Any, powers: Any) -> Any:  # pragma: no cover
    """A number of one to seven letters, the first eight bytes of ``word``; NaN where it is written in another way than with digits and a point."""
    letters = word << (_WORD - _BYTE * np.uint64(size))
    point = found(letters, _POINTS)
    after = 0
    if point < 8:
        if point == 7:
            return np.nan
        after = 7 - point
        below = (np.uint64(1) << (_BYTE * np.uint64(point))) - np.uint64(1)
        above = (letters >> (_BYTE * np.uint64(point + 1))) << (_BYTE * np.uint64(point + 1))
        letters = above | ((letters & below) << _BYTE)
        size -= 1
    letters |= _ZEROS >> (_BYTE * np.uint64(size))
    if (letters & _UPPER) != _ZEROS or ((letters + _SIXES) & _UPPER) != _ZEROS:
        return np.nan
    value = letters & ~_UPPER
    value = (value * np.uint64(10) + (value >> np.uint64(8))) & _PAIRS
    value = (value * np.uint64(100) + (value >> np.uint64(16))) & _FOURS
    value = (value * np.uint64(10_000) + (value >> np.uint64(32))) & _LOW
    return np.float64(np.int64(value)) / powers[after]


_ROWS = types.UniTuple(types.int64, 2)(  # type: ignore[no-untyped-call]  # Numba has no types
    BYTES,
    WORDS,
    types.int64,
    types.int64,
    types.int64[:, ::1],
    types.int64,
    types.int64,
    types.int64,
    types.float64[:, ::1],
    types.float64[::1],
    types.int64[:, ::1],
    types.int64[::1],
    types.int32[:, ::1],
    types.int64[:, :, ::1],
    types.int64[::1],
    types.int32[:, ::1],
)


@numba.njit(_ROWS, cache=True, error_model="numpy")
def rows(
    data: Any,
    words: Any,
    at: Any,
    first_row: Any,
    shape: Any,
    cells: Any,
    row: Any,
    most: Any,
    figures: Any,
    powers: Any,
    long: Any,
    long_count: Any,
    codes: Any,
    places: Any,
    counts: Any,
    slots: Any,
) -> Any:  # pragma: no cover
    """Read the rows from byte ``at`` on while they are written as ``shape`` says; where the first other one begins, and which it is.

    :param first_row: number of row 0
    :param shape: the row's tag, its cells in their order, and what ends the row; see :data:`SHAPE`
    :param cells: how many
    :param long: as for :func:`eisenergy.readings.gridkernel.rows`
    """
    end = len(data) - _SPARE
    noted = long_count[0]
    while row < most:
        begin, step = at, 0
        own, length = at, np.int64(0)
        while step <= cells:
            size, rest = shape[step, 1], shape[step, 3]
            if at + size + rest >= end or not same(words, at, shape[step, 0], size):
                break
            at += size
            if step == 0:
                own, length, number = at, np.int64(0), np.int64(0)
                while length < 8 and 48 <= data[at] <= 57:
                    number = number * 10 + (data[at] - 48)
                    at, length = at + 1, length + 1
                if number != first_row + row:
                    break
            else:
                if not same(words, at, own, length):
                    break
                at += length
            if not same(words, at, shape[step, 2], rest):
                break
            at += rest
            column, kind = shape[step, 4], shape[step, 5]
            if kind == NUMBER:
                word = words[np.uint64(at)]
                size = found(word, _TAGS)
                if size == 0:
                    break
                value = short_figure(word, size, powers) if size < 8 else np.nan
                first, at = at, at + size
                if value != value:
                    while at < end and data[at] != 60:
                        at += 1
                    whole, after = decimal(data, first, at)
                    if after >= 0:
                        value = whole / powers[after]
                    if after < 0 or whole > EXACT:
                        if at >= end or noted >= len(long):
                            break
                        long[noted, 0], long[noted, 1] = column, row
                        long[noted, 2], long[noted, 3] = first, at
                        noted += 1
                figures[column, row] = value
            elif kind != EMPTY:
                code = np.int64(codes[column, row - 1])
                first = places[column, code, 0]
                size = places[column, code, 1] - first
                if at + size < end and data[at + size] == 60 and same(words, at, first, size):
                    at += size
                else:
                    first = at
                    while at < end and data[at] != 60 and data[at] != 38:  # an entity
                        at += 1
                    if first == at or data[at] != 60:
                        break
                    code = entered(data, first, at, places[column], slots[column], counts[column])
                    if code < 0:
                        break
                    if code == counts[column]:
                        counts[column] += 1
                codes[column, row] = code
            step += 1
        size = shape[cells + 1, 1]
        if step <= cells or at + size >= end or not same(words, at, shape[cells + 1, 0], size):
            return begin, row
        at += size
        row += 1
        long_count[0] = noted
    return at, row
