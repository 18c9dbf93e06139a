"""A month of many meters straight from the table's files: an interval to a place, a meter after the other.

:meth:`eisenergy.store.lake.Lake.read` takes every state of every reading as it comes, sorts, and keeps the newest. That most meters have
exactly one row per interval can be seen while their rows are put where they belong, and then there is nothing to sort and
nothing to choose. Of the other meters this says only that they are none of these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import polars as pl
from deltalake import DeltaTable

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.frames import MEASURED, READINGS
from eisenergy.places import SLOT_US, places
from eisenergy.spares import NO_SPARES, Spares
from eisenergy.store.columns import doubles, runs
from eisenergy.store.lake import Lake
from eisenergy.store.layout import SPANS, Layout
from eisenergy.stretches import Filled, Stretches, copied, copied_figures, copied_runs, stretches
from eisenergy.timeofuse import microseconds

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

    :param laid_out: look once where each meter's rows lie, which is worth it where most meters are read
    :raises LookupError: for a version the table does not have
    :raises OutOfScope: for a scope that is limited to customers
    """

    def __init__(self, lake: Lake, scope: Scope, version: int, *, laid_out: bool = False) -> None:
        if scope.customers is not None:
            raise OutOfScope("the files hold every customer's readings, and the scope is limited to customers")
        table = lake._table(version)
        self._address = lake.address
        self._months = {} if table is None else _by_month(table, scope.client)
        self._laid_out = laid_out
        self._layouts: dict[str, Layout | None] = {}

    def within(self, start: datetime, end: datetime) -> dict[str, list[str]]:
        """Return UTC month -> addresses of its files, of the months that ``[start, end)`` touches."""
        return {month: self._addresses(files) for month, files in self._touched(start, end).items()}

    def empty(self, start: datetime, end: datetime) -> frozenset[str]:
        """The columns of :data:`FIGURES` of which the files of ``[start, end)`` say that no row of theirs has one."""
        found = self._touched(start, end).values()
        return frozenset(name for name in FIGURES if all(_says_empty(files, name) for files in found))

    def look(self, start: datetime, end: datetime) -> None:
        """Look where rows lie in the files of the months that ``[start, end)`` touches; who reads meanwhile looks through them."""
        for month, files in self._touched(start, end).items() if self._laid_out else ():
            known = "num_records" in files.columns and not files["num_records"].null_count()
            self._layouts[month] = (
                Layout.read(self._addresses(files), files["num_records"].to_list()) if known else None
            )

    def layout(self, month: str) -> Layout | None:
        """Where rows lie in a month's files, where that was looked at."""
        return self._layouts.get(month)

    def _addresses(self, files: pl.DataFrame) -> list[str]:
        return [f"{self._address}/{unquote(path)}" for path in files["path"]]

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
    parts, read = _rows(files, serials, start, end, columns)
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


class _Part(NamedTuple):
    """Rows that lie in memory without a break.

    :param meter: number of the meter of each run of rows [one per run, like the two that follow]
    :param begin: the run's first row
    :param end: row after its last
    """

    frame: pl.DataFrame
    meter: Integers
    begin: Integers
    end: Integers


def _rows(
    files: Files,
    meters: Sequence[str],
    start: datetime,
    end: datetime,
    columns: Sequence[str],
    known: Collection[str] = (),
) -> tuple[list[_Part], frozenset[str]]:
    """Rows of some meters, and the months all of whose rows are among them.

    Those outside of the time are left out only where they are most of what there is.

    :param known: months that are left out
    """
    scans: list[pl.LazyFrame] = []
    where: list[tuple[Integers, Integers, Integers] | None] = []
    entire = set()
    for month, addresses in files.within(start, end).items():
        if month in known:
            continue
        first = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
        after = datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=first.tzinfo)
        wanted = min(end, after) - max(start, first)
        few = wanted * 2 < after - first
        layout = files.layout(month)
        spans = layout.spans(meters) if layout is not None else []
        intervals = len(meters) * int(wanted.total_seconds() * 1_000_000 // SLOT_US)
        if layout is not None and len(spans) <= SPANS and (not few or layout.rows_of(meters) <= 2 * intervals):
            entire.add(month)
            for span in spans:
                scan = pl.scan_parquet(list(span.files), glob=False, hive_partitioning=False)
                some = [name for name in columns if name != "meter"]
                scans.append(
                    scan.slice(span.first, span.rows).select(pl.col(name).cast(READINGS[name]) for name in some)
                )
                where.append((span.meter, span.begin, span.end))
            continue
        kept = [pl.col("meter").is_between(pl.lit(meters[0]), pl.lit(meters[-1]))]
        if few:
            kept.append((pl.col("start") >= start) & (pl.col("start") < end))
        else:
            entire.add(month)
        held = addresses if layout is None else layout.files_of(meters)
        if not held:
            continue
        part = pl.scan_parquet(held, glob=False, hive_partitioning=False).filter(*kept)
        scans.append(part.select(pl.col(name).cast(READINGS[name]) for name in dict.fromkeys(("meter", *columns))))
        where.append(None)
    found = zip(pl.collect_all(scans), where, strict=True)
    return [part for frame, runs_of in found for part in _parts(frame, runs_of, meters)], frozenset(entire)


def _parts(
    frame: pl.DataFrame, where: tuple[Integers, Integers, Integers] | None, meters: Sequence[str]
) -> Iterator[_Part]:
    """A frame by its parts in memory. :param where: runs of the meters, where they are known"""
    first = 0
    for rows in frame["start"].chunk_lengths():
        part = frame.slice(first, rows)
        if where is None:
            yield _Part(part, *_runs(part["meter"], meters))
        else:
            meter, begin, end = where
            here = (end > first) & (begin < first + rows)
            yield _Part(part, meter[here], np.maximum(begin[here] - first, 0), np.minimum(end[here] - first, rows))
        first += rows


def _runs(column: pl.Series, meters: Sequence[str]) -> tuple[Integers, Integers, Integers]:
    """Runs of some meters in a column of serials: number of the meter, first row, row after the last."""
    known = {meter: number for number, meter in enumerate(meters)}
    found, ends = runs(column)
    number = np.array([-1 if meter is None else known.get(meter, -1) for meter in found], dtype=np.int64)
    mine = number >= 0
    return number[mine], np.append(0, ends[:-1])[mine] if len(ends) else ends, ends[mine]


def _stretches(part: _Part, origin: int, rows: int, filled: Filled) -> Stretches:
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


def _some(part: _Part, rows: Integers) -> _Beside:
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


def _outside(part: _Part, start: int, end: int) -> _Beside:
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
    more, _ = _rows(files, meters, first, last, BESIDE, read)
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
