"""The compiled pass over a text table's bytes, for :mod:`eisenergy.readings.scan`; to load it takes a second."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from eisenergy.compiled import numba, types
from eisenergy.readings.scan import DIFFERENT, FIGURE, STAMP, TEXT

SLOTS: Final = 16_384
_DIGITS: Final = 15

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
    types.int32[:, ::1],
)


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
def table(
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
    after: Any,
) -> Any:  # pragma: no cover
    """Read the rows from byte ``at`` on; how many, or -1 where the table is not regular.

    :param after: per column of texts and code, which code followed it the last time it stood there: what is looked for first
    """
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
                    before = codes[text, row - 1] if row else -1
                    code = after[text, before] if before >= 0 else -1
                    if code >= 0:
                        begin = places[text, code, 0]
                        end = first + places[text, code, 1] - begin
                        if end > size:
                            code = -1
                        else:
                            while at < end and data[begin] == data[at]:
                                at += 1
                                begin += 1
                            # It is that text if it ends there, too.
                            if at < end or not (
                                at == size
                                or data[at] == separator
                                or data[at] == 10
                                or data[at] == 13
                                or (kind == STAMP and (data[at] == 32 or data[at] == 84))
                            ):
                                code, at = -1, first
                    if code < 0:
                        while at < size:
                            letter = data[at]
                            if letter == separator or letter == 10 or letter == 13:
                                break
                            if kind == STAMP and (letter == 32 or letter == 84):
                                break
                            if letter == 34 or letter == 59 or letter == 44 or letter == 9 or letter == 124:
                                return -1  # a quote, or what parts fields in some other table
                            at += 1
                        if first < at:
                            code = entered(data, first, at, places[text], slots[text], counts[text])
                            if code == -2:
                                return -1
                            if code == counts[text]:
                                after[text, code] = -1
                                counts[text] += 1
                            if before >= 0:
                                after[text, before] = code
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
