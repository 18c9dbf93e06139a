"""The compiled pass over a worksheet's XML, for :mod:`eisenergy.readings.gridscan`; to load it takes a second."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from eisenergy.compiled import numba, types
from eisenergy.readings.gridscan import EMPTY, INLINE, NUMBER, SHARED
from eisenergy.readings.likekernel import EXACT, SHAPE, WORDS, decimal
from eisenergy.readings.likekernel import rows as rows_like
from eisenergy.readings.scankernel import BYTES, entered

_IN_VAIN: Final = 64
"""Rows that may differ from the one before them, beside every fourth, until it is not tried any more."""

_ROWS = types.int64(
    BYTES,
    WORDS,
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
def rows(
    data: Any,
    words: Any,
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
    :param slots: of any content; those of columns of texts are freed here
    :param long: column, row and bytes of the numbers that are to be read by somebody who rounds them right
    """
    powers = np.array([10.0**n for n in range(23)])
    width = signature.shape[0]
    seen = np.zeros((width, 2), np.int64)
    shape = np.zeros((width + 2, SHAPE), np.int64)
    alike, cells, in_vain = False, 0, 0
    row = 0
    while True:
        if alike and in_vain < _IN_VAIN + row // 4:
            at, row = rows_like(
                data, words, at, first_row, shape, cells, row, most,
                figures, powers, long, long_count, codes, places, counts, slots,
            )  # fmt: skip
            in_vain += 1
        alike, past, cells = True, at, 0
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
                shape[0, 0], shape[0, 1] = past, at - past
                while 48 <= data[at] <= 57:
                    number = number * 10 + (data[at] - 48)
                    at += 1
                shape[0, 2] = at
            at += 1
            if at >= len(data) - 2:
                return -1
        if number != first_row + row or data[at - 1] == 47:
            return -1
        at += 1
        shape[0, 3] = at - shape[0, 2]
        past = at
        seen[:] = 0
        while True:
            while at < len(data) and data[at] <= 32:
                at += 1
            if _at(data, at, _ROW_END):
                at += 6
                if alike:
                    shape[cells + 1, 0], shape[cells + 1, 1] = past, at - past
                break
            if not _at(data, at, _CELL):
                return -1
            at += 3
            cells += 1
            column, style, kind, before, after = -1, 0, NUMBER, at, at
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
                        own, before = 0, at
                        while 48 <= data[at] <= 57:
                            own = own * 10 + (data[at] - 48)
                            at += 1
                        after = at
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
            if cells > width:  # some are empty and there twice
                alike = False
            if alike:
                shape[cells, 0], shape[cells, 1] = past, before - past
                shape[cells, 2], shape[cells, 3] = after, at - after
                shape[cells, 4], shape[cells, 5] = column, EMPTY
            if closed:
                past = at
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
            if alike:
                shape[cells, 3], shape[cells, 5] = at - after, kind
            while data[at] != 60:  # <
                if data[at] == 38:  # an entity
                    return -1
                at += 1
                if at >= len(data) - 9:
                    return -1
            last = past = at
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
                whole, after = decimal(data, first, last)
                value = whole / powers[after] if after >= 0 else np.nan
                if after < 0 or whole > EXACT:
                    if long_count[0] >= len(long):
                        return -1
                    long[long_count[0], 0], long[long_count[0], 1] = column, row
                    long[long_count[0], 2], long[long_count[0], 3] = first, last
                    long_count[0] += 1
                figures[column, row] = value
            else:
                if row == 0:
                    slots[column] = -1
                elif signature[column, 0] != kind:  # what lies in the slots is another sheet's
                    return -1
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
