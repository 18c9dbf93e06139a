"""Columns of a Polars frame as NumPy arrays over the column's own memory, by Arrow's C stream interface.

Polars gives NumPy a copy of a column that has a null, and of a text, which it makes into objects besides. What is looked at here is what
lies in memory: values with a bit per row that says whether there is one, and of a text 16 bytes per row (its length, its beginning,
and where the rest of it is). Two rows of the same 16 bytes are of the same text; a text that begins anew in another page of the file may
have others.

Layouts: https://arrow.apache.org/docs/format/CStreamInterface.html, CDataInterface.html and Columnar.html (variable-size binary view).
"""

from __future__ import annotations

import ctypes
import weakref
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.compiled import numba, types

Integers = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint8]


class _Array(ctypes.Structure):
    """A part of a column, without a break."""


_ARRAY_RELEASED: Final = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Array))
_Array._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", _ARRAY_RELEASED),
    ("private_data", ctypes.c_void_p),
]


class _Schema(ctypes.Structure):
    """What a column is."""


_SCHEMA_RELEASED: Final = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Schema))
_Schema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", _SCHEMA_RELEASED),
    ("private_data", ctypes.c_void_p),
]


class _Stream(ctypes.Structure):
    """A column."""


_Stream._fields_ = [
    ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Schema))),
    ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Stream), ctypes.POINTER(_Array))),
    ("get_last_error", ctypes.c_void_p),
    ("release", ctypes.c_void_p),  # the capsule calls it
    ("private_data", ctypes.c_void_p),
]

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]

_DOUBLES: Final = b"g"
_VIEWS: Final = b"vu"
_OFTEN: Final = 8
_BLOCK: Final = 64
_FEW: Final = 256
_ALL: Final = np.zeros(0, dtype=np.uint8)
_ALL.flags.writeable = False


class Column(NamedTuple):
    """A column's memory; it is there as long as the arrays are.

    :param values: doubles [one per row], or a text's 16 bytes as two whole numbers [two per row]; of a null, anything
    :param valid: a bit per row, from the lowest of the first byte on; empty: every row has a value
    :param first: bit of the first row
    """

    values: npt.NDArray[Any]
    valid: Bits
    first: int


def doubles(column: pl.Series) -> Column:
    """Return the memory of a column of doubles."""
    return _memory(column, _DOUBLES, 1, ctypes.c_double)


def texts(column: pl.Series) -> Column:
    """Return the memory of a column of texts."""
    return _memory(column, _VIEWS, 2, ctypes.c_int64)


def _memory(column: pl.Series, layout: bytes, each: int, kind: type[ctypes.c_double | ctypes.c_int64]) -> Column:
    if not len(column):
        return Column(np.zeros(0, dtype=np.dtype(kind)), _ALL, 0)
    capsule = (column.rechunk() if column.n_chunks() > 1 else column).__arrow_c_stream__()
    stream = _Stream.from_address(_pointer(capsule, b"arrow_array_stream"))
    schema, array = _Schema(), _Array()
    if stream.get_schema(ctypes.byref(stream), ctypes.byref(schema)):
        raise TypeError(f"column {column.name!r} of type {column.dtype} does not say what it is in memory")
    found = schema.format
    schema.release(ctypes.byref(schema))
    if found != layout:
        raise TypeError(
            f"column {column.name!r} of type {column.dtype} lies in memory as {found!r}: expected {layout!r}"
        )
    if stream.get_next(ctypes.byref(stream), ctypes.byref(array)) or array.length != len(column):
        raise TypeError(f"column {column.name!r} gave {array.length} rows of {len(column)}")
    rows, first = array.length, array.offset
    at = (array.buffers[1] or 0) + each * ctypes.sizeof(kind) * first
    held = (kind * (each * rows)).from_address(at)
    held._column = array  # the array below holds this, and this the memory
    weakref.finalize(held, _release, array)
    values = np.frombuffer(held, dtype=kind)
    valid = _ALL
    if array.null_count and (bits := array.buffers[0]):
        masks = (ctypes.c_uint8 * ((first % 8 + rows + 7) // 8)).from_address(bits + first // 8)
        masks._column = held
        valid = np.frombuffer(masks, dtype=np.uint8)
        valid.flags.writeable = False
    values.flags.writeable = False
    return Column(values, valid, first % 8)


def _release(array: _Array) -> None:
    array.release(ctypes.byref(array))


def _column(dtype: Any) -> Any:
    return types.Array(dtype, 1, "C", readonly=True)


@numba.njit(
    types.int64(_column(types.int64), _column(types.uint8), types.int64, types.int64[::1]), cache=True, nogil=True
)
def _changes(views: Integers, valid: Bits, first: int, begin: Integers) -> int:
    rows = views.shape[0] // 2
    count, row = 1, 1
    begin[0] = 0
    while row < rows:
        end = min(row + _BLOCK, rows)
        these, before = views[2 * row : 2 * end], views[2 * row - 2 : 2 * end - 2]
        differs = 0
        for n in range(these.shape[0]):  # over slices, which Numba takes by whole vectors
            differs |= these[n] ^ before[n]
        if valid.shape[0] > 0:
            bit = first + row - 1
            full = 255 if (valid[bit >> 3] >> (bit & 7)) & 1 else 0
            for byte in valid[bit >> 3 : ((first + end - 1) >> 3) + 1]:
                differs |= byte ^ full
        if differs:
            for n in range(row, end):
                some = known = True
                if valid.shape[0] > 0:
                    bit = first + n
                    some = (valid[bit >> 3] >> (bit & 7)) & 1 != 0
                    known = (valid[(bit - 1) >> 3] >> ((bit - 1) & 7)) & 1 != 0
                same = (views[2 * n] == views[2 * n - 2]) & (views[2 * n + 1] == views[2 * n - 1])
                if some != known or (some and not same):
                    begin[count] = n
                    count += 1
        row = end
    return count


def runs(column: pl.Series) -> tuple[list[str | None], Integers]:
    """Return the runs of one text in a column: the texts, and the row after the last of each. Two that follow may be of one text."""
    if not len(column):
        return [], np.zeros(0, dtype=np.int64)
    memory = texts(column)
    begin = np.empty(len(column), dtype=np.int64)  # mostly never touched
    count = _changes(memory.values, memory.valid, memory.first, begin)
    if count * _OFTEN > len(column):  # each row may have bytes of its own: then the texts are compared
        rle = column.rle().struct.unnest()
        return rle["value"].to_list(), rle["len"].cast(pl.Int64).cum_sum().to_numpy()
    begin = begin[:count].copy()
    # Each call of Polars' own is a query that is planned and run.
    found = [column[row] for row in begin.tolist()] if count < _FEW else column.gather(begin).to_list()
    return found, np.append(begin[1:], len(column))
