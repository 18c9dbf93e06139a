"""The cells of a text table that is as regular as most are, in one pass over its bytes.

A figure is read as digits with at most one decimal sign; with no more than 15 digits the quotient of two exact doubles is the
double nearest to what is written. Every other column is coded: each different text once, and per row which one it is. Whatever
is not of this kind ends the pass, and the reader that takes its time reads the file from its beginning.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

FIGURE: Final = 0
TEXT: Final = 1
STAMP: Final = 2
"""Kinds of columns; a stamp is two texts, parted at its first space or ``T``."""

DIFFERENT: Final = 4096
"""Texts that a column may have; one with more is read the careful way."""

_NEVER: Final = np.iinfo(np.int64).max
_NEWLINE: Final = 10

_USUAL: Final = 64
"""Columns up to which the room for their texts is kept for the next file: 12 MB."""

_USUAL_BYTES: Final = 4 << 20
"""Bytes of a file up to which the room for marks is kept."""

_rooms = threading.local()


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


def table(data: bytes, at: int, separator: str, decimal: str, kinds: npt.NDArray[np.uint8]) -> Cells | None:
    """Read a regular table.

    :param data: UTF-8 text
    :param at: where its first row begins [byte]
    :param kinds: per column :data:`FIGURE`, :data:`TEXT` or :data:`STAMP`
    :returns: ``None`` for a table with a quote, an empty figure, a sign, a row of another length or too many different texts
    """
    from eisenergy.readings import scankernel  # loaded where it pays, see taking.QUICK_BYTES

    buffer = np.frombuffer(data, np.uint8)
    most = int(np.count_nonzero(np.equal(buffer[at:], _NEWLINE, out=_marks(len(data) - at)))) + 1
    of_figures = [column for column, kind in enumerate(kinds) if kind == FIGURE]
    of_texts = [(column, part) for column, kind in enumerate(kinds) if kind != FIGURE for part in range(kind)]
    figures = np.empty((max(1, len(of_figures)), most))
    loose = np.full(max(1, len(of_figures)), _NEVER)
    signed = np.zeros(1, np.bool_)
    codes = np.empty((max(1, len(of_texts)), most), np.int32)
    counts = np.zeros(max(1, len(of_texts)), np.int64)
    places, slots, after = room(max(1, len(of_texts)))
    rows = scankernel.table(
        buffer, at, ord(separator), ord(decimal), kinds, figures, loose, signed, codes, places, counts, slots, after
    )
    if rows <= 0:
        return None
    texts: dict[int, Texts] = {}
    clocks: dict[int, Texts] = {}
    for number, (column, part) in enumerate(of_texts):
        spans = places[number, : counts[number]].tolist()
        (clocks if part else texts)[column] = Texts(
            codes[number, :rows], decoded(tuple([data[first:last] for first, last in spans]))
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


@lru_cache(maxsize=64)
def decoded(texts: tuple[bytes, ...]) -> tuple[str, ...]:
    """Decode texts; the days of a month and the times of a day are those of the file before."""
    return tuple([text.decode() for text in texts])


_Room = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32]]


def room(columns: int, *, free: bool = True) -> _Room:
    """Return where texts lie, hash slots that are all free, and what follows which, for some columns of texts.

    They are this thread's until it asks again: to get them anew for each file takes longer than to read its texts.

    :param free: whether the slots are to be freed; of a table with few texts that is most of the work
    """
    from eisenergy.readings import scankernel

    kept: _Room | None = getattr(_rooms, "kept", None)
    if kept is None or len(kept[0]) < columns:
        kept = (
            np.empty((columns, DIFFERENT, 2), np.int64),
            np.empty((columns, scankernel.SLOTS), np.int32),
            np.empty((columns, DIFFERENT), np.int32),
        )
        if columns <= _USUAL:
            _rooms.kept = kept
    if free:
        kept[1][:columns].fill(-1)
    return kept[0][:columns], kept[1][:columns], kept[2][:columns]


def _marks(size: int) -> npt.NDArray[np.bool_]:
    """Room for one mark per byte, this thread's until it asks again."""
    kept: npt.NDArray[np.bool_] | None = getattr(_rooms, "marks", None)
    if kept is None or len(kept) < size:
        if size > _USUAL_BYTES:
            return np.empty(size, np.bool_)
        _rooms.marks = kept = np.empty(2 * size, np.bool_)
    return kept[:size]


def _cell(data: bytes, at: int, separator: str, column: int, row: int) -> str:
    for _ in range(row):
        at = data.index(b"\n", at) + 1
    line = data[at : data.find(b"\n", at)] if data.find(b"\n", at) >= 0 else data[at:]
    return line.decode().removesuffix("\r").split(separator)[column]
