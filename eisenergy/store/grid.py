"""A month of many meters straight from the table's files: an interval to a place, a meter after the other.

:meth:`eisenergy.store.lake.Lake.read` takes every state of every reading as it comes, sorts, and keeps the newest. That most meters have
exactly one row per interval can be seen while their rows are put where they belong, and then there is nothing to sort and
nothing to choose. Of the other meters this says only that they are none of these.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.blockruns import microseconds
from eisenergy.frames import MEASURED
from eisenergy.places import SLOT_US, places
from eisenergy.spares import NO_SPARES, Spares
from eisenergy.store.columns import doubles, runs
from eisenergy.store.monthrows import FIGURES, Files, Part, rows_of
from eisenergy.stretches import Filled, Stretches, copied, copied_figures, copied_runs, stretches

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

BESIDE: Final = ("meter", "start", "kwh_import", "quality")
"""Columns that are looked at around the period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A month of many meters, each with ``rows`` places one after the other.

    :param meters: serials, in the order of their places
    :param rows: intervals of the period
    :param whole: meters with exactly one row per interval; the places of others hold nothing that may be used
    :param figures: column of :data:`FIGURES` -> values, ``numpy.nan`` for none; ``None`` where no meter has any
    :param has: column of :data:`FIGURES` -> whether the meter has any [one per meter]
    :param measured: whether the row is measured [one per place, like the three that follow]
    :param source: number of the row's file in ``sources``
    :param source_row: row in that file
    :param named: number of the block that the file names in ``names``; -1: none
    :param beside: mean energy of the measured intervals around the period; NaN without any [kWh, one per meter]
    """

    meters: tuple[str, ...]
    rows: int
    whole: Booleans
    figures: Mapping[str, Floats | None]
    has: Mapping[str, Booleans]
    measured: Booleans
    source: npt.NDArray[np.int32]
    source_row: npt.NDArray[np.int32]
    named: npt.NDArray[np.int16] | None
    sources: tuple[str, ...]
    names: tuple[str, ...]
    beside: Floats


def grid(
    files: Files,
    meters: Collection[str],
    start: datetime,
    end: datetime,
    *,
    around: tuple[datetime, datetime],
    spares: Spares = NO_SPARES,
) -> Grid:
    """Read a period of some meters.

    :param start: UTC instant of the first interval, like ``end`` a multiple of 15 minutes
    :param around: UTC instants from and up to which energy is compared
    :param spares: where the grid's arrays are from; see :func:`give_back`
    """
    serials = tuple(sorted(meters))
    origin, rows = microseconds(start), int((microseconds(end) - microseconds(start)) // SLOT_US)
    some = [name for name in FIGURES if name == "kwh_import" or name not in files.empty(start, end)]
    columns = ["meter", "start", *some, "quality", "source", "source_row", "block_in_file"]
    parts, read = rows_of(files, serials, start, end, columns)
    size = len(serials) * rows
    filled = Filled.nothing(len(serials), rows, spares)
    placed = [(part.frame, _stretches(part, origin, rows, filled)) for part in parts]
    spares.give(filled.taken)
    entire = int(filled.present.sum()) == size
    at_hand = [_some(part, found.outside) for part, (_, found) in zip(parts, placed, strict=True)]
    beside, apart = _beside(files, serials, (start, end), around, at_hand, read)
    nobody = np.zeros(len(serials), dtype=np.bool_)
    figures = {
        name: _figures(name, placed, spares, size, rows, entire) if name in some else (None, nobody) for name in FIGURES
    }
    sources, source = _numbered("source", placed, spares.full(size, 0, np.int32))
    names, named = _numbered("block_in_file", placed, spares.full(size, -1, np.int32))
    source_row = spares.full(size, 0, np.int32)
    measured = spares.full(size, 0, np.bool_)
    for frame, found in placed:
        copied(frame["source_row"].to_numpy(), found, source_row)
        qualities, ends = runs(frame["quality"])
        copied_runs(
            np.array([each == MEASURED for each in qualities], dtype=np.bool_), ends, len(frame), found, measured
        )
    blocks = named.astype(np.int16) if names else None
    spares.give(named)
    return Grid(
        meters=serials,
        rows=rows,
        whole=(filled.present == rows) & ~filled.stray & ~apart,
        figures={name: values for name, (values, _) in figures.items()},
        has={name: has for name, (_, has) in figures.items()},
        measured=measured,
        source=source,
        source_row=source_row,
        named=blocks,
        sources=sources,
        names=names,
        beside=beside,
    )


def give_back(found: Grid, spares: Spares) -> None:
    """Let the next grid use a grid's arrays; nothing of them may be in use."""
    spares.give(*found.figures.values(), found.measured, found.source, found.source_row)


def _stretches(part: Part, origin: int, rows: int, filled: Filled) -> Stretches:
    start = part.frame["start"].to_physical().to_numpy()
    return stretches(part.meter, part.begin, part.end, start, origin=origin, rows=rows, filled=filled)


_Placed = Sequence[tuple[pl.DataFrame, Stretches]]


def _figures(
    name: str, placed: _Placed, spares: Spares, size: int, rows: int, entire: bool
) -> tuple[Floats | None, Booleans]:
    """A column's figures in their places, ``None`` without any, and the meters that have one.

    :param entire: every place has a row
    """
    count = np.zeros(size // rows, dtype=np.int64)
    if all(frame[name].null_count() == len(frame) for frame, _ in placed):
        return None, count > 0
    result = spares.empty(size, np.float64) if entire else spares.full(size, np.nan, np.float64)
    for frame, found in placed:
        column = doubles(frame[name])
        copied_figures(column.values, found, rows, result, count, valid=column.valid, bit=column.first)
    if not count.any():
        spares.give(result)
        return None, count > 0
    return result, count > 0


def _numbered(
    name: str, placed: _Placed, result: npt.NDArray[np.int32]
) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """The distinct texts of a column, and the number among them of each place's row; -1 for none."""
    numbers: dict[str, int] = {}
    for frame, found in placed:
        each, ends = runs(frame[name])
        known = [-1 if text is None else numbers.setdefault(text, len(numbers)) for text in each]
        copied_runs(np.array(known, dtype=np.int32), ends, len(frame), found, result)
    return tuple(numbers), result


class _Beside(NamedTuple):
    """Rows outside of a period: number of the meter, UTC microseconds, energy, whether it is measured [one per row]."""

    meter: Integers
    start: Integers
    kwh: Floats
    measured: Booleans


_NO_INTEGERS: Final = np.zeros(0, dtype=np.int64)
_NONE: Final = _Beside(_NO_INTEGERS, _NO_INTEGERS, np.zeros(0), np.zeros(0, dtype=np.bool_))


def _some(part: Part, rows: Integers) -> _Beside:
    """Some rows of a part, all of them in its runs."""
    if not len(rows):  # mostly
        return _NONE
    taken = part.frame.select("start", "kwh_import", "quality")[rows]
    kwh = taken["kwh_import"]
    return _Beside(
        part.meter[np.searchsorted(part.begin, rows, side="right") - 1],
        taken["start"].to_physical().to_numpy(),
        (kwh.fill_null(float("nan")) if kwh.null_count() else kwh).to_numpy(),
        (taken["quality"] == MEASURED).to_numpy(),
    )


def _outside(part: Part, start: int, end: int) -> _Beside:
    """The rows of a part's runs that are not in ``[start, end)``, in UTC microseconds."""
    rows = np.concatenate([_NO_INTEGERS, *(np.arange(a, b) for a, b in zip(part.begin, part.end, strict=True))])
    at = part.frame["start"].to_physical().to_numpy()[rows]
    return _some(part, rows[(at < start) | (at >= end)])


def _beside(
    files: Files,
    meters: Sequence[str],
    period: tuple[datetime, datetime],
    around: tuple[datetime, datetime],
    at_hand: Sequence[_Beside],
    read: Collection[str],
) -> tuple[Floats, Booleans]:
    """Mean energy beside the period, and the meters of which some interval there has two rows, or one is off the grid.

    :param at_hand: the rows outside of the period that were read for it
    :param read: months all of whose rows are among them
    """
    start, end = (microseconds(instant) for instant in period)
    first, last = around
    rows = int((microseconds(last) - microseconds(first)) // SLOT_US)
    more, _ = rows_of(files, meters, first, last, BESIDE, read)
    all_of_them = [_NONE, *at_hand, *(_outside(part, start, end) for part in more)]
    meter, start_us, kwh, measured = (np.concatenate(column) for column in zip(*all_of_them, strict=True))
    begin = np.flatnonzero(np.diff(meter, prepend=-1))
    ends = np.append(begin[1:], len(meter)) if len(begin) else begin
    found = places(meter[begin], begin, ends, start_us, meters=len(meters), origin=microseconds(first), rows=rows)
    usable = (found.place >= 0) & measured & np.isfinite(kwh)
    number = found.place[usable] // rows
    count = np.bincount(number, minlength=len(meters))
    total = np.bincount(number, weights=kwh[usable], minlength=len(meters))
    with np.errstate(invalid="ignore"):
        return total / count, found.stray
