"""Which rows of the table count: of each interval the one that was loaded last; and which of a load's rows change anything.

Frames in, frames out; nothing here reads or writes the table.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from eisenergy.frames import KEY, READINGS, stamps_of

LAYOUT: Final[dict[str, pl.DataType]] = {**READINGS, "loaded": pl.Int64(), "month": pl.String()}
"""Columns of the table, and the month that names a folder."""

_STRETCH: Final = 16
"""Rows of which one meter's stretch has to consist on the average, for stretches to be worth while."""

_BESIDE: Final = ("source", "source_row")  # where a reading came from is no part of its state


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What a load did to the table.

    :param version: version of the table after it; :data:`NOTHING` while there is no table
    :param added: intervals that were not there
    :param superseded: intervals that were there with other values; the earlier ones stay on record
    :param unchanged: intervals that were there with the same values, and were not written
    """

    version: int
    added: int
    superseded: int
    unchanged: int


def checked(frame: pl.DataFrame) -> pl.DataFrame:
    """The canonical columns in their order, with nothing missing that names a reading; texts that are coded stay so."""
    coded = {
        name
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Categorical) and READINGS.get(name) == pl.String
    }
    rows = frame.select(
        [pl.col(name) if name in coded else pl.col(name).cast(dtype) for name, dtype in READINGS.items()]
    )
    for name in (*KEY, "quality", "source"):
        if rows[name].null_count():
            raise ValueError(f"readings without {name}: every reading needs client, meter, start, quality and source")
    return rows


def span(rows: pl.DataFrame) -> tuple[datetime, datetime]:
    """First and last instant of a frame that has rows."""
    first, last = rows["start"].min(), rows["start"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    return first, last


def current(rows: pl.DataFrame) -> pl.DataFrame:
    """Per key the row that was loaded last, in order of meter and time."""
    if in_order(rows):  # files are, and most readings were loaded once: looking costs a twentieth of sorting
        return rows
    if (merged := _merged(rows)) is not None:
        return merged
    ordered = rows.sort("meter", "start", "loaded")
    twice = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in KEY).any()
    rare = ordered.select(twice).item()  # looked for first: unique() costs as much as sorting
    return ordered.unique(subset=KEY, keep="last", maintain_order=True) if rare else ordered


def _merged(rows: pl.DataFrame) -> pl.DataFrame | None:
    """Rows of several files, each in order, put in order by stretches of one meter; ``None`` where stretches of a meter overlap.

    A month reaches into two folders, for folders are months of UTC. Sorting all rows takes five times as long as this.
    """
    stamps, meter = rows["start"].to_physical().to_numpy(), rows["meter"]
    breaks = (meter[1:] != meter[:-1]).to_numpy() | (stamps[1:] <= stamps[:-1])
    starts = np.concatenate(([0], np.flatnonzero(breaks) + 1))
    if len(starts) > rows.height // _STRETCH:
        return None
    ends = np.append(starts[1:], rows.height)
    stretches = sorted(
        zip(meter.gather(starts), stamps[starts].tolist(), stamps[ends - 1].tolist(), starts.tolist(), strict=True)
    )
    for (name, _, last, _), (other, first, _, _) in itertools.pairwise(stretches):
        if name == other and first <= last:
            return None
    lengths = dict(zip(starts.tolist(), (ends - starts).tolist(), strict=True))
    return pl.concat([rows.slice(start, lengths[start]) for *_, start in stretches], rechunk=True)


def in_order(rows: pl.DataFrame) -> bool:
    """Whether rows follow one another by meter and time, each interval once. :param rows: of one client"""
    stamps = stamps_of(rows)
    later = stamps[1:] > stamps[:-1]
    if isinstance(rows.schema["meter"], pl.Categorical):
        codes = rows["meter"].to_physical().to_numpy()
        other = np.flatnonzero(codes[1:] != codes[:-1])
        names = rows["meter"].gather(np.append(other, len(codes) - 1)).cast(pl.String).to_list()
        later[other] = True
        return bool(later.all()) and all(one < next_ for one, next_ in itertools.pairwise(names))
    meter, before = rows["meter"][1:], rows["meter"][:-1]
    same = meter == before
    return bool((same & pl.Series(later)).all()) or bool(((meter > before) | (same & pl.Series(later))).all())


def differences(state: pl.DataFrame, rows: pl.DataFrame, ordinal: int, version: int) -> tuple[pl.DataFrame, Commit]:
    """The rows that change the state, with their ordinals, and the counts.

    Rows of one key within the load follow one another: the first is compared with the state, the next with the first. Rows are put in
    order and compared with their neighbours: groups of one row each would take fifty times as long.
    """
    first = pl.any_horizontal([pl.col(name) != pl.col(name).shift(1) for name in KEY]).fill_null(True)  # of its key
    row = pl.int_range(pl.len(), dtype=pl.Int64)
    arriving = rows.sort(*KEY, maintain_order=True).with_columns(
        loaded=row - pl.when(first).then(row).forward_fill() + ordinal + 1,
        month=pl.col("start").dt.strftime("%Y-%m"),
    )
    both = pl.concat([state.select(list(LAYOUT)), arriving.select(list(LAYOUT))]).sort(*KEY, "loaded")
    values = [name for name in READINGS if name not in (*KEY, *_BESIDE)]
    same = pl.all_horizontal([pl.col(name).eq_missing(pl.col(name).shift(1)) for name in values])
    compared = both.with_columns(first.alias("first"), (same & ~first).alias("same")).filter(pl.col("loaded") > ordinal)
    fresh = compared.filter(~pl.col("same"))
    added = fresh.filter("first").height
    superseded, unchanged = fresh.height - added, compared.height - fresh.height
    counts = Commit(version=version, added=added, superseded=superseded, unchanged=unchanged)
    return fresh.select(list(LAYOUT)), counts
