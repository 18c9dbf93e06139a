"""The rows of a worksheet that is as regular as most are, in one pass over its XML.

Every row has the same columns, and each column one kind of cell and one style throughout. Whatever else an ``.xlsx`` may hold (a cell
without its address, rich text, a truth value, an error, a formula that was never calculated) ends the pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from eisenergy.readings.scan import BYTES, DIFFERENT, SLOTS, Texts, entered

EMPTY: Final = 0
NUMBER: Final = 1
SHARED: Final = 2
INLINE: Final = 3
"""Kinds of cells; a shared text is written as its number in the workbook's list."""

_EXACT_DIGITS: Final = 15
_MOST_DIGITS: Final = 18

_ROWS = types.int64(
    BYTES,
    types.int64,
    types.int64,
    types.int64,
    types.float64[:, ::1],
    types.int64[:, ::1],
    types.int64[::1],
    types.int32[:, ::1],
    types.int64[:, :, ::1],
    types.int64[::1],
    types.int32[:, ::1],
    types.int64[:, ::1],
)


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


@numba.njit(types.boolean(BYTES, types.int64, BYTES), cache=True)
def _at(data: Any, at: Any, word: Any) -> Any:  # pragma: no cover
    if at + len(word) > len(data):
        return False
    for step in range(len(word)):  # noqa: SIM110  compiled
        if data[at + step] != word[step]:
            return False
    return True


_ROW: Final = np.frombuffer(b"<row ", np.uint8)
_ROW_END: Final = np.frombuffer(b"</row>", np.uint8)
_CELL: Final = np.frombuffer(b"<c ", np.uint8)
_CELL_END: Final = np.frombuffer(b"</c>", np.uint8)
_VALUE: Final = np.frombuffer(b"<v>", np.uint8)
_VALUE_END: Final = np.frombuffer(b"</v>", np.uint8)
_FORMULA: Final = np.frombuffer(b"<f", np.uint8)
_FORMULA_END: Final = np.frombuffer(b"</f>", np.uint8)
_TEXT: Final = np.frombuffer(b"<is><t>", np.uint8)
_TEXT_END: Final = np.frombuffer(b"</t></is>", np.uint8)
_END: Final = np.frombuffer(b"</sheetData>", np.uint8)
_SHARED: Final = np.frombuffer(b"s", np.uint8)
_N: Final = np.frombuffer(b"n", np.uint8)
_STR: Final = np.frombuffer(b"str", np.uint8)
_INLINE: Final = np.frombuffer(b"inlineStr", np.uint8)


@numba.njit(_ROWS, cache=True, error_model="numpy")
def _rows(
    data: Any,
    at: Any,
    first_row: Any,
    most: Any,
    figures: Any,
    signature: Any,
    long_count: Any,
    codes: Any,
    places: Any,
    counts: Any,
    slots: Any,
    long: Any,
) -> Any:  # pragma: no cover
    """Read the rows from byte ``at`` on; how many, or -1 where the sheet is not regular.

    :param signature: kind and style per column, written by the first row
    :param long: column, row and bytes of the numbers that are to be read by somebody who rounds them right
    """
    powers = np.array([10.0**n for n in range(23)])
    width = signature.shape[0]
    seen = np.zeros((width, 2), np.int64)
    row = 0
    while True:
        while at < len(data) and data[at] <= 32:
            at += 1
        if _at(data, at, _END):
            return row
        if not _at(data, at, _ROW) or row >= most:
            return -1
        number = -1
        at += 5
        while data[at] != 62:  # >
            if data[at] == 114 and data[at + 1] == 61 and data[at - 1] == 32:  # r=
                at += 3
                number = 0
                while 48 <= data[at] <= 57:
                    number = number * 10 + (data[at] - 48)
                    at += 1
            at += 1
            if at >= len(data) - 2:
                return -1
        if number != first_row + row or data[at - 1] == 47:
            return -1
        at += 1
        seen[:] = 0
        while True:
            while at < len(data) and data[at] <= 32:
                at += 1
            if _at(data, at, _ROW_END):
                at += 6
                break
            if not _at(data, at, _CELL):
                return -1
            at += 3
            column, style, kind = -1, 0, NUMBER
            while data[at] != 62:  # >
                name = data[at]
                if data[at + 1] == 61 and data[at + 2] == 34 and (data[at - 1] == 32):
                    at += 3
                    if name == 114:  # r
                        column = 0
                        while 65 <= data[at] <= 90:
                            column = column * 26 + (data[at] - 64)
                            at += 1
                        column -= 1
                        own = 0
                        while 48 <= data[at] <= 57:
                            own = own * 10 + (data[at] - 48)
                            at += 1
                        if own != number:
                            return -1
                    elif name == 115:  # s
                        while 48 <= data[at] <= 57:
                            style = style * 10 + (data[at] - 48)
                            at += 1
                    elif name == 116:  # t
                        first = at
                        while data[at] != 34:
                            at += 1
                            if at >= len(data) - 2:
                                return -1
                        size = at - first
                        if size == 1 and _at(data, first, _SHARED):
                            kind = SHARED
                        elif (size == 3 and _at(data, first, _STR)) or (size == 9 and _at(data, first, _INLINE)):
                            kind = INLINE
                        elif not (size == 1 and _at(data, first, _N)):
                            return -1
                    else:
                        return -1
                    if data[at] != 34:
                        return -1
                at += 1
                if at >= len(data) - 3:
                    return -1
            if column < 0 or column >= width:
                return -1
            closed = data[at - 1] == 47
            at += 1
            if closed:
                continue
            if _at(data, at, _FORMULA):
                while data[at] != 62:
                    at += 1
                    if at >= len(data) - 3:
                        return -1
                if data[at - 1] != 47:
                    while not _at(data, at, _FORMULA_END):
                        at += 1
                        if at >= len(data) - 3:
                            return -1
                    at += 4
                else:
                    at += 1
            inline = _at(data, at, _TEXT)
            if inline:
                if kind != INLINE:
                    return -1
                at += 7
            elif _at(data, at, _VALUE):
                at += 3
            else:
                return -1
            first = at
            while data[at] != 60:  # <
                if data[at] == 38:  # an entity
                    return -1
                at += 1
                if at >= len(data) - 9:
                    return -1
            last = at
            if inline:
                if not _at(data, at, _TEXT_END):
                    return -1
                at += 9
            else:
                if not _at(data, at, _VALUE_END):
                    return -1
                at += 4
            if not _at(data, at, _CELL_END) or first == last or seen[column, 0]:
                return -1
            at += 4
            seen[column, 0] = kind
            seen[column, 1] = style
            if kind == NUMBER:
                value, digits, after, plain = np.int64(0), 0, -1, True
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
                        plain = False
                        break
                after = max(after, 0)
                if plain and digits <= _EXACT_DIGITS and after <= 22:
                    figures[column, row] = value / powers[after]
                else:
                    if long_count[0] >= long.shape[0]:
                        return -1
                    if plain and digits <= _MOST_DIGITS and after <= 22:
                        figures[column, row] = value / powers[after]
                    else:
                        figures[column, row] = np.nan
                    long[long_count[0], 0] = column
                    long[long_count[0], 1] = row
                    long[long_count[0], 2] = first
                    long[long_count[0], 3] = last
                    long_count[0] += 1
            else:
                known = np.int64(-1)
                if row and codes[column, row - 1] >= 0:
                    before = np.int64(codes[column, row - 1])
                    begin = places[column, before, 0]
                    if places[column, before, 1] - begin == last - first:
                        known = before
                        for step in range(last - first):
                            if data[begin + step] != data[first + step]:
                                known = np.int64(-1)
                                break
                if known < 0:
                    known = entered(data, first, last, places[column], slots[column], counts[column])
                    if known == -2:
                        return -1
                    if known == counts[column]:
                        counts[column] += 1
                codes[column, row] = known
        for column in range(width):
            if row == 0:
                signature[column, 0] = seen[column, 0]
                signature[column, 1] = seen[column, 1]
            elif signature[column, 0] != seen[column, 0] or (
                seen[column, 0] == NUMBER and signature[column, 1] != seen[column, 1]
            ):
                return -1
        row += 1


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
    most = _most_rows(data, at, first_row)
    if most < 1:
        return None
    figures = np.empty((width, most))
    signature = np.zeros((width, 2), np.int64)
    long_count = np.zeros(1, np.int64)
    codes = np.full((width, most), -1, np.int32)
    places = np.empty((width, DIFFERENT, 2), np.int64)
    counts = np.zeros(width, np.int64)
    slots = np.full((width, SLOTS), -1, np.int32)
    long = np.empty((most * width, 4), np.int64)
    buffer = np.frombuffer(data, np.uint8)
    count = _rows(buffer, at, first_row, most, figures, signature, long_count, codes, places, counts, slots, long)
    if count <= 0:
        return None
    try:
        left = long[: long_count[0]]
        near = np.isin(left[:, 0], list(rough)) & ~np.isnan(figures[left[:, 0], left[:, 1]])
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
