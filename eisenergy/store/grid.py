"""A month of many meters straight from the table's files: an interval to a place, a meter after the other.

:meth:`eisenergy.store.lake.Lake.read` takes every state of every reading as it comes, sorts, and keeps the newest. That most meters have
exactly one row per interval can be seen while their rows are put where they belong, and then there is nothing to sort and
nothing to choose. Of the other meters this says only that they are none of these.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import polars as pl
from deltalake import DeltaTable

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.blockruns import microseconds
from eisenergy.frames import MEASURED, READINGS
from eisenergy.places import SLOT_US, places
from eisenergy.spares import NO_SPARES, Spares
from eisenergy.store.lake import Lake
from eisenergy.stretches import Filled, Stretches, copied, copied_figures, stretches

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

FIGURES: Final = (
    "kwh_import", "kwh_export", "kw", "kvar", "kvarh", "register_kwh", "forecast_kwh",
    "loss_factor", "ftpms", "cost_pos", "cost_neg",
)  # fmt: skip
"""Columns that a check or a bill looks at."""

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


class Files:
    """The files of a client, at one version of the table, asked for once.

    :raises LookupError: for a version the table does not have
    :raises OutOfScope: for a scope that is limited to customers
    """

    def __init__(self, lake: Lake, scope: Scope, version: int) -> None:
        if scope.customers is not None:
            raise OutOfScope("the files hold every customer's readings, and the scope is limited to customers")
        table = lake._table(version)
        self._address = lake.address
        self._months = {} if table is None else _by_month(table, scope.client)

    def within(self, start: datetime, end: datetime) -> dict[str, list[str]]:
        """Return UTC month -> addresses of its files, of the months that ``[start, end)`` touches."""
        return {
            month: [f"{self._address}/{unquote(path)}" for path in files["path"]]
            for month, files in self._touched(start, end).items()
        }

    def empty(self, start: datetime, end: datetime) -> frozenset[str]:
        """The columns of :data:`FIGURES` of which the files of ``[start, end)`` say that no row of theirs has one."""
        found = self._touched(start, end).values()
        return frozenset(name for name in FIGURES if all(_says_empty(files, name) for files in found))

    def _touched(self, start: datetime, end: datetime) -> dict[str, pl.DataFrame]:
        return {m: files for m, files in self._months.items() if f"{start:%Y-%m}" <= m <= f"{end:%Y-%m}"}


def _by_month(table: DeltaTable, client: str) -> dict[str, pl.DataFrame]:
    actions = pl.DataFrame(table.get_add_actions(flatten=True)).filter(pl.col("partition.client") == client)
    return {str(month): files for (month,), files in actions.sort("path").group_by("partition.month")}


def _says_empty(files: pl.DataFrame, name: str) -> bool:
    """Whether a column has no value by what the table's log counts; what is not counted may have some."""
    nulls = f"null_count.{name}"
    return nulls in files.columns and bool((files[nulls] == files["num_records"]).fill_null(value=False).all())


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
    frames, read = _rows(files, serials, start, end, columns)
    size = len(serials) * rows
    filled = Filled.nothing(len(serials), rows, spares)
    parts = [(frame, _stretches(frame, serials, origin, rows, filled)) for frame in frames]
    spares.give(filled.taken)
    entire = int(filled.present.sum()) == size
    at_hand = [frame.select(BESIDE)[found.outside] for frame, found in parts]
    beside, apart = _beside(files, serials, (start, end), around, at_hand, read)
    nobody = np.zeros(len(serials), dtype=np.bool_)
    figures = {
        name: _figures(name, parts, spares, size, rows, entire) if name in some else (None, nobody) for name in FIGURES
    }
    sources, source = _numbered("source", parts, spares.full(size, 0, np.int32))
    names, named = _numbered("block_in_file", parts, spares.full(size, -1, np.int32))
    source_row = spares.full(size, 0, np.int32)
    measured = spares.full(size, 0, np.bool_)
    for frame, found in parts:
        copied(frame["source_row"].to_numpy(), found, source_row)
        copied((frame["quality"] == MEASURED).to_numpy(), found, measured)
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


def _rows(
    files: Files,
    meters: Sequence[str],
    start: datetime,
    end: datetime,
    columns: Sequence[str],
    without: Any = None,
    known: Collection[str] = (),
) -> tuple[list[pl.DataFrame], frozenset[str]]:
    """Rows of some meters, a frame per month, and the months all of whose rows are among them.

    Those outside of the time are left out only where they are most of a file.

    :param without: condition on the rows that are wanted
    :param known: months that are left out
    """
    parts, entire = [], set()
    for month, addresses in files.within(start, end).items():
        if month in known:
            continue
        first = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
        after = datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=first.tzinfo)
        kept = [pl.col("meter").is_between(pl.lit(meters[0]), pl.lit(meters[-1]))]
        if (min(end, after) - max(start, first)) * 2 < after - first:
            kept.append((pl.col("start") >= start) & (pl.col("start") < end))
        else:
            entire.add(month)
        if without is not None:
            kept.append(without)
        part = pl.scan_parquet(addresses, glob=False, hive_partitioning=False).filter(*kept)
        parts.append(part.select(pl.col(name).cast(READINGS[name]) for name in columns))
    return pl.collect_all(parts), frozenset(entire)


def _runs(column: pl.Series, meters: Sequence[str]) -> tuple[Integers, Integers, Integers]:
    """Runs of some meters in a column of serials: number of the meter, first row, row after the last."""
    known = {meter: number for number, meter in enumerate(meters)}
    runs = column.rle().struct.unnest()
    ends = runs["len"].cast(pl.Int64).cum_sum().to_numpy()
    number = np.array([known.get(meter, -1) for meter in runs["value"]], dtype=np.int64)
    mine = number >= 0
    begins = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]]) if len(ends) else ends
    return number[mine], begins[mine], ends[mine]


def _stretches(frame: pl.DataFrame, meters: Sequence[str], origin: int, rows: int, filled: Filled) -> Stretches:
    start = frame["start"].to_physical().to_numpy()
    return stretches(*_runs(frame["meter"], meters), start, origin=origin, rows=rows, filled=filled)


_Parts = Sequence[tuple[pl.DataFrame, Stretches]]


def _figures(
    name: str, parts: _Parts, spares: Spares, size: int, rows: int, entire: bool
) -> tuple[Floats | None, Booleans]:
    """A column's figures in their places, ``None`` without any, and the meters that have one.

    :param entire: every place has a row
    """
    count = np.zeros(size // rows, dtype=np.int64)
    if all(frame[name].null_count() == len(frame) for frame, _ in parts):
        return None, count > 0
    result = spares.empty(size, np.float64) if entire else spares.full(size, np.nan, np.float64)
    for frame, found in parts:
        copied_figures(_floats(frame[name]), found, rows, result, count)
    if not count.any():
        spares.give(result)
        return None, count > 0
    return result, count > 0


def _floats(column: pl.Series) -> Floats:
    """A column as doubles, NaN for null."""
    return (column.fill_null(float("nan")) if column.null_count() else column).to_numpy()


def _numbered(name: str, parts: _Parts, result: npt.NDArray[np.int32]) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """The distinct texts of a column, and the number among them of each place's row; -1 for none."""
    numbers: dict[str, int] = {}
    for frame, found in parts:
        runs = frame[name].rle().struct.unnest()
        each = [-1 if text is None else numbers.setdefault(text, len(numbers)) for text in runs["value"]]
        copied(np.repeat(np.array(each, dtype=np.int32), runs["len"].to_numpy()), found, result)
    return tuple(numbers), result


def _beside(
    files: Files,
    meters: Sequence[str],
    period: tuple[datetime, datetime],
    around: tuple[datetime, datetime],
    at_hand: Sequence[pl.DataFrame],
    read: Collection[str],
) -> tuple[Floats, Booleans]:
    """Mean energy beside the period, and the meters of which some interval there has two rows, or one is off the grid.

    :param at_hand: the rows outside of the period that were read for it
    :param read: months all of whose rows are among them
    """
    start, end = period
    first, last = around
    rows = int((microseconds(last) - microseconds(first)) // SLOT_US)
    outside = (pl.col("start") < start) | (pl.col("start") >= end)
    more, _ = _rows(files, meters, first, last, BESIDE, outside, read)
    frame = pl.concat([pl.DataFrame(schema={name: READINGS[name] for name in BESIDE}), *at_hand, *more])
    begin = microseconds(first)
    start_us = frame["start"].to_physical().to_numpy()
    found = places(*_runs(frame["meter"], meters), start_us, meters=len(meters), origin=begin, rows=rows)
    kwh = _floats(frame["kwh_import"])
    usable = (found.place >= 0) & (frame["quality"] == MEASURED).to_numpy() & np.isfinite(kwh)
    meter = found.place[usable] // rows
    count = np.bincount(meter, minlength=len(meters))
    total = np.bincount(meter, weights=kwh[usable], minlength=len(meters))
    with np.errstate(invalid="ignore"):
        return total / count, found.stray
