"""Readings as arrays: a column is laid out when it is first asked for, and parts of the rows share what is laid out.

A query of Polars takes a tenth of a millisecond and more, however few the rows; a look at an array of a month takes a few microseconds. A
month that has a gap is looked at some fifty times.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.frames import ESTIMATED, MEASURED, SLOT_MINUTES, stamps_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

SOURCE: Final = "estimate"
"""``source`` of the rows made by :mod:`eisenergy.quality.estimate`; such rows are made anew whenever a month is filled again."""

SLOT_US: Final = SLOT_MINUTES * 60_000_000
DAY_US: Final = 86_400_000_000
MINUTE_US: Final = 60_000_000
EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT: Final = 128 * DAY_US
"""Time whose local clock is worked out together and kept; what reaches beyond several is asked for row by row."""


class Rows:
    """Rows of readings, ``frames.READINGS``.

    :param frame: the rows, or what makes them when a frame is asked for
    :param figures: columns of figures that are known, see :meth:`figures`
    :param known: the other columns that are known, by the names of the properties
    :param size: number of rows, where ``frame`` is yet to be made
    """

    __slots__ = ("_begin", "_columns", "_frame", "_size", "_whole")

    def __init__(
        self,
        frame: pl.DataFrame | Callable[[], pl.DataFrame],
        *,
        figures: Mapping[str, Floats | None] | None = None,
        known: Mapping[str, npt.NDArray[Any]] | None = None,
        size: int | None = None,
    ) -> None:
        self._frame = frame
        self._columns: dict[str, npt.NDArray[Any] | None] = {**(figures or {}), **(known or {})}
        self._size = size if size is not None else self.frame.height
        self._whole: Rows | None = None
        self._begin = 0

    @classmethod
    def of(cls, readings: pl.DataFrame, meter: str) -> Rows:
        """Return a meter's rows, in order of time."""
        mine = readings if (readings["meter"] == meter).all() else readings.filter(pl.col("meter") == meter)
        stamps = stamps_of(mine)
        return cls(mine if bool((stamps[1:] >= stamps[:-1]).all()) else mine.sort("start", maintain_order=True))

    def part(self, first: int, last: int) -> Rows:
        """Return the rows from one up to, and without, another."""
        if first <= 0 and last >= self._size:
            return self
        result = Rows.__new__(Rows)
        result._whole, result._begin = (self, first) if self._whole is None else (self._whole, self._begin + first)
        result._size = max(min(last, self._size) - first, 0)
        result._columns = {}
        whole, begin, size = result._whole, result._begin, result._size
        result._frame = lambda: whole.frame.slice(begin, size)
        return result

    def within(self, start: int, end: int) -> Rows:
        """Return the rows that begin in ``[start, end)`` [UTC microseconds]; the rows must be in order of time."""
        first, last = np.searchsorted(self.start, (start, end)).tolist()
        return self.part(first, last)

    def __len__(self) -> int:
        return self._size

    @property
    def frame(self) -> pl.DataFrame:
        """The rows as a frame."""
        if not isinstance(self._frame, pl.DataFrame):
            self._frame = self._frame()
        return self._frame

    @property
    def start(self) -> Integers:
        """Starts of the intervals [UTC microseconds]."""
        return self._kept("start", lambda: stamps_of(self.frame))

    @property
    def measured(self) -> Booleans:
        """Which rows are measured."""
        return self._kept("measured", lambda: (self.frame["quality"] == MEASURED).to_numpy())

    @property
    def estimated(self) -> Booleans:
        """Which rows are estimates."""
        return self._kept("estimated", lambda: (self.frame["quality"] == ESTIMATED).to_numpy())

    @property
    def made_here(self) -> Booleans:
        """Which rows are estimates of this library's."""
        return self._kept("made_here", lambda: (self.frame["source"] == SOURCE).to_numpy())

    @property
    def turns(self) -> Booleans:
        """Which rows are from another file than the row before; the first row's is not to be used."""
        return self._kept("turns", lambda: _turns(self.frame["source"]))

    @property
    def source_row(self) -> npt.NDArray[np.int32]:
        """Row in the file."""
        return self._kept("source_row", lambda: self.frame["source_row"].to_numpy())

    @property
    def names_block(self) -> Booleans:
        """Which rows name a block."""
        return self._kept("names_block", lambda: self.frame["block_in_file"].is_not_null().to_numpy())

    def figures(self, name: str) -> Floats | None:
        """Return a column of figures, NaN where there is none; ``None`` where the column has none at all, and sometimes then."""
        if name in self._columns:
            return self._columns[name]
        if self._whole is not None:
            found = self._whole.figures(name)
            result = None if found is None else found[self._begin : self._begin + self._size]
        else:
            column = self.frame[name]
            result = None if column.null_count() == len(column) else column.to_numpy()
        self._columns[name] = result
        return result

    def column(self, name: str) -> Floats:
        """Return a column of figures, NaN where there is none."""
        found = self.figures(name)
        return nothing(self._size) if found is None else found

    def sources(self) -> list[str]:
        """Return the files of stretches of rows, in their order; one that comes again is named again."""
        if not self._size:
            return []
        begins = np.flatnonzero(self.turns[1:]) + 1
        column = self.frame["source"]
        return [column[0], *(column.gather(begins).to_list() if len(begins) else ())]

    def local(self, timezone: str) -> Integers:
        """Return what the local clock showed at the starts, as microseconds since 1970 without a zone."""
        return local(self.start, timezone)

    def _kept(self, name: str, make: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """What ``make`` makes of the frame, or the part of what the whole has."""
        found = self._columns.get(name)
        if found is None:
            whole, end = self._whole, self._begin + self._size
            found = self._columns[name] = make() if whole is None else getattr(whole, name)[self._begin : end]
        return found


def instant(microseconds: int) -> datetime:
    """Return UTC microseconds since 1970 as an instant."""
    return _EPOCH + timedelta(microseconds=microseconds)


def _turns(source: pl.Series) -> Booleans:
    result = np.zeros(len(source), dtype=np.bool_)
    if len(source) > 1:
        result[1:] = (source[1:] != source[:-1]).to_numpy()
    return result


def nothing(size: int) -> Floats:
    """Return a column without a figure, to be read only."""
    return _no_figures(1 << max(size - 1, 0).bit_length())[:size]


@functools.lru_cache(16)
def _no_figures(size: int) -> Floats:
    result = np.full(size, np.nan)
    result.flags.writeable = False
    return result


def local(start: Integers, timezone: str) -> Integers:
    """Return what a local clock showed at some instants, as microseconds since 1970 without a zone.

    :param start: UTC microseconds
    """
    if not len(start):
        return start
    first, last = int(start.min()), int(start.max())
    first, last = first // _KEPT * _KEPT, last // _KEPT * _KEPT + _KEPT
    number, off = np.divmod(start - first, SLOT_US)
    if last - first > 4 * _KEPT or off.any():
        return _shown(start, timezone)
    return _clock(first, last, timezone)[number]


@functools.lru_cache(16)
def _clock(first: int, last: int, timezone: str) -> Integers:
    """What a local clock shows at each interval's start; meters of a month share it."""
    return _shown(np.arange(first, last, SLOT_US, dtype=np.int64), timezone)


def _shown(start: Integers, timezone: str) -> Integers:
    stamps = pl.Series(start).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(ZoneInfo(timezone).key)
    result: Integers = stamps.dt.replace_time_zone(None).to_physical().to_numpy()
    return result
