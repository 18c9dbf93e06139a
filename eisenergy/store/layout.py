"""Where each meter's rows lie in the files of a month, so that a group of meters is read as a slice and not looked for row by row.

A writer of Parquet puts a million rows together, and whoever wants some of them unpacks the pages of all: groups of meters that begin
and end where these do are unpacked once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.store.columns import runs

Integers = npt.NDArray[np.int64]

TOGETHER: Final = 524_288
"""Half of the rows that our writer puts together: no slower than all of them, and half the memory. Where others were put together, some are
unpacked twice, and that is all."""

AT_ONCE: Final = 8 * TOGETHER
"""Rows whose meters are looked at together."""

NEAR: Final = 65_536
"""Rows of others that are rather read than left out."""

SPANS: Final = 16
"""Slices that a group of meters may have; of more, the files are looked through."""


_NOWHERE: Final = (-1,)


class Span(NamedTuple):
    """Rows that are read together.

    :param files: their addresses, one after the other
    :param first: first row, counted from the first file's first
    :param rows: how many
    :param meter: number of the meter of each run [one per run, like the two that follow]
    :param begin: the run's first row in the span
    :param end: row after its last
    """

    files: tuple[str, ...]
    first: int
    rows: int
    meter: Integers
    begin: Integers
    end: Integers


@dataclass(frozen=True, slots=True)
class Layout:
    """The runs of one meter each in a month's files, as if these were one.

    :param files: addresses
    :param ends: row after the last of each
    :param meters: serial of each run
    :param stops: row after the last of each run
    :param places: meter -> its runs
    """

    files: tuple[str, ...]
    ends: Integers
    meters: tuple[str, ...]
    stops: Integers
    places: Mapping[str, Sequence[int]]

    @classmethod
    def read(cls, files: Sequence[str], rows: Sequence[int]) -> Layout | None:
        """Look at the column of meters. :param rows: of each file by the table's log; ``None`` comes back where that is wrong"""
        ends = np.cumsum(np.array(rows, dtype=np.int64))
        meters: list[str] = []
        stops: list[Integers] = []
        before = 0
        for part in _parts(files, rows):
            found, until = runs(part)
            meters += [name or "" for name in found]
            stops.append(until + before)
            before += len(part)
        if before != (int(ends[-1]) if len(ends) else 0):
            return None
        places: dict[str, list[int]] = {}
        for number, meter in enumerate(meters):
            places.setdefault(meter, []).append(number)
        return cls(tuple(files), ends, tuple(meters), np.concatenate([np.zeros(0, dtype=np.int64), *stops]), places)

    def rows_of(self, meters: Collection[str]) -> int:
        """How many rows some meters have."""
        mine = self._runs(meters)[1]
        return int((self.stops[mine] - self._starts(mine)).sum())

    def files_of(self, meters: Collection[str]) -> list[str]:
        """The files that hold a row of some meters."""
        mine = self._runs(meters)[1]
        first = np.searchsorted(self.ends, self._starts(mine), side="right")
        last = np.searchsorted(self.ends, self.stops[mine] - 1, side="right")
        held = {n for a, b in zip(first.tolist(), last.tolist(), strict=True) for n in range(a, b + 1)}
        return [self.files[n] for n in sorted(held)]

    def spans(self, meters: Sequence[str]) -> list[Span]:
        """The rows of some meters as slices, with few rows of others between them."""
        number, mine = self._runs(meters)
        begin, end = self._starts(mine), self.stops[mine]
        cuts = [0, *(np.flatnonzero(begin[1:] - end[:-1] > NEAR) + 1).tolist(), len(mine)]
        result = []
        for a, b in pairwise(cuts):
            if a == b:
                continue
            low, high = int(begin[a]), int(end[b - 1])
            first, last = np.searchsorted(self.ends, (low, high - 1), side="right").tolist()
            origin = int(self.ends[first - 1]) if first else 0
            files = self.files[first : last + 1]
            result.append(Span(files, low - origin, high - low, number[a:b], begin[a:b] - low, end[a:b] - low))
        return result

    def packed(self, meters: Sequence[str]) -> list[tuple[int, int] | None]:
        """What each meter's first row is unpacked with: number of the file, and of the rows put together in it; ``None``: it has none."""
        first = np.array([self.places.get(meter, _NOWHERE)[0] for meter in meters], dtype=np.int64)
        begin = self._starts(np.maximum(first, 0)) if len(self.stops) else first
        file = np.searchsorted(self.ends, begin, side="right")
        together = (begin - np.append(0, self.ends)[file]) // TOGETHER
        found = zip(first.tolist(), file.tolist(), together.tolist(), strict=True)
        return [None if number < 0 else (held, part) for number, held, part in found]

    def _runs(self, meters: Collection[str]) -> tuple[Integers, Integers]:
        """The runs of some meters in their order in the files, each with the number of its meter."""
        pairs = sorted((run, n) for n, meter in enumerate(meters) for run in self.places.get(meter, ()))
        both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return both[:, 1].copy(), both[:, 0].copy()

    def _starts(self, mine: Integers) -> Integers:
        starts: Integers = np.where(mine > 0, self.stops[mine - 1], 0)
        return starts


def _parts(files: Sequence[str], rows: Sequence[int]) -> Iterator[pl.Series]:
    """The column of meters, a part after the other as they lie in memory: of large files some, of small ones several."""
    small: list[str] = []
    held = 0
    for file, many in zip(files, rows, strict=True):
        if many > AT_ONCE:
            yield from _read(small)
            small, held = [], 0
            for first in range(0, many, AT_ONCE):
                yield from _read([file], (first, AT_ONCE))
            continue
        small, held = [*small, file], held + many
        if held > AT_ONCE:
            yield from _read(small)
            small, held = [], 0
    yield from _read(small)


def _read(files: list[str], part: tuple[int, int] | None = None) -> list[pl.Series]:
    if not files:
        return []
    rows = pl.scan_parquet(files, glob=False, hive_partitioning=False).select(pl.col("meter").cast(pl.String))
    return (rows if part is None else rows.slice(*part)).collect().to_series().get_chunks()
