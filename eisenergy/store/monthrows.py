"""The rows of some meters in a month's files: as slices where it is known where they lie, and looked for where it is not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import polars as pl
from deltalake import DeltaTable

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.frames import READINGS
from eisenergy.places import SLOT_US
from eisenergy.store.columns import runs
from eisenergy.store.lake import Lake
from eisenergy.store.layout import SPANS, Layout

Integers = npt.NDArray[np.int64]

FIGURES: Final = (
    "kwh_import", "kwh_export", "kw", "kvar", "kvarh", "register_kwh", "forecast_kwh",
    "loss_factor", "ftpms", "cost_pos", "cost_neg",
)  # fmt: skip
"""Columns that a check or a bill looks at."""


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


class Part(NamedTuple):
    """Rows that lie in memory without a break.

    :param meter: number of the meter of each run of rows [one per run, like the two that follow]
    :param begin: the run's first row
    :param end: row after its last
    """

    frame: pl.DataFrame
    meter: Integers
    begin: Integers
    end: Integers


def rows_of(
    files: Files,
    meters: Sequence[str],
    start: datetime,
    end: datetime,
    columns: Sequence[str],
    known: Collection[str] = (),
) -> tuple[list[Part], frozenset[str]]:
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
) -> Iterator[Part]:
    """A frame by its parts in memory. :param where: runs of the meters, where they are known"""
    first = 0
    for rows in frame["start"].chunk_lengths():
        part = frame.slice(first, rows)
        if where is None:
            yield Part(part, *_runs(part["meter"], meters))
        else:
            meter, begin, end = where
            here = (end > first) & (begin < first + rows)
            yield Part(part, meter[here], np.maximum(begin[here] - first, 0), np.minimum(end[here] - first, rows))
        first += rows


def _runs(column: pl.Series, meters: Sequence[str]) -> tuple[Integers, Integers, Integers]:
    """Runs of some meters in a column of serials: number of the meter, first row, row after the last."""
    known = {meter: number for number, meter in enumerate(meters)}
    found, ends = runs(column)
    number = np.array([-1 if meter is None else known.get(meter, -1) for meter in found], dtype=np.int64)
    mine = number >= 0
    return number[mine], np.append(0, ends[:-1])[mine] if len(ends) else ends, ends[mine]
