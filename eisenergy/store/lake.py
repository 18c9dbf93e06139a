"""Readings in a Delta Lake table: only ever added to, newest state first.

A row is never rewritten. Each load adds the rows that differ from the current state, marked with the load's ordinal (``loaded``);
reading keeps the row of the highest ordinal per key. So a load of many files is one write, one small file rewrites no month, and
every earlier state stays readable by the table's version. Folders are per client and UTC month, so a read opens only those.

Writers do not wait for each other: each commit names the client's next ordinal as a Delta transaction, of two commits of one
ordinal the table refuses the second, and that writer compares with the new state and tries again.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable, Field, Schema, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.schema import PrimitiveType

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.config import BadSetting, Settings
from eisenergy.frames import KEY, READINGS, empty_readings
from eisenergy.store.remembered import Remembered

if (
    TYPE_CHECKING
):  # who only writes parts beside the table needs no database: half a second of every process that reads files
    from eisenergy.store.database import Database
    from eisenergy.store.masters import Supply

ATTEMPTS: Final = 30
NOTHING: Final = -1
"""The version of a table that was never written."""

_BESIDE: Final = ("source", "source_row")  # where a reading came from is no part of its state
_COMMIT: Final = re.compile(r"\d{20}\.json")
_FEW: Final = 50
"""Meters that are looked for file by file; of more, most files hold some."""
_OPENED: Final = Remembered[DeltaTable | None](8)
_TYPES: Final = {
    pl.String(): PrimitiveType("string"),
    pl.Float64(): PrimitiveType("double"),
    pl.Int32(): PrimitiveType("integer"),
    pl.Int64(): PrimitiveType("long"),
    pl.Datetime("us", "UTC"): PrimitiveType("timestamp"),
}
_LAYOUT: Final[dict[str, pl.DataType]] = {**READINGS, "loaded": pl.Int64(), "month": pl.String()}
_CONFIGURATION: Final = {
    "delta.appendOnly": "true",
    "delta.enableExpiredLogCleanup": "false",  # otherwise versions older than 30 days could not be read any more
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.dataSkippingStatsColumns": "meter,start,source,loaded",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
}


def loads_of(scope: Scope) -> str:
    """Name of a client's loads among the table's transactions, whose version counts them."""
    return f"eisenergy.load.{scope.client}"


class LakeBusy(RuntimeError):
    """Other writers were faster every time. Nothing was written."""


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


class Lake:
    """The table of readings, ``frames.READINGS`` per client, meter and interval.

    :param address: folder or object-store address
    :param supplies: resolves which meters, and when, belong to a scope that is limited to customers
    :raises BadSetting: for a folder whose path the table's format cannot name
    """

    def __init__(self, address: str, supplies: Callable[[Scope], Collection[Supply]]) -> None:
        local = "://" not in address
        self.address = address.rstrip("/") if local else address
        if local and (found := set(re.findall(r"[][\\^|%\x00-\x1f]", address))):
            raise BadSetting(
                f"the readings cannot be kept in {address!r}: the table's format has no name for {sorted(found)} in a path. "
                "Choose another EISENERGY_HOME or EISENERGY_LAKE."
            )
        self._supplies = supplies

    @classmethod
    def open(cls, settings: Settings, database: Database) -> Lake:
        """Return the workspace's lake; the contracts in the database say whose meter is whose."""
        from eisenergy.store import masters

        return cls(settings.lake, partial(masters.supplies, database))

    def table(self) -> DeltaTable | None:
        """Return the table as it stands, ``None`` while there is none."""
        return self._table()

    def version(self) -> int:
        """Return the table's newest version, :data:`NOTHING` while there is none."""
        if "://" not in self.address:  # the newest commit names it: the log need not be read for that
            commits = (entry.name for entry in _entries(f"{self.address}/_delta_log") if _COMMIT.fullmatch(entry.name))
            newest = max(commits, default="")
            return int(newest[:20]) if newest else NOTHING
        table = self._table()
        return NOTHING if table is None else table.version()

    def read(
        self, scope: Scope, meters: Collection[str], start: datetime, end: datetime, *, version: int | None = None
    ) -> pl.DataFrame:
        """Return the readings of some meters in ``[start, end)``, in order of meter and time.

        A scope limited to customers gets the time in which its contracts took energy through a meter, and nothing else.

        :param start: UTC instant
        :param end: UTC instant
        :param version: as the table stood then; ``None``: as it stands
        :returns: ``frames.READINGS``
        :raises OutOfScope: for a meter that is none of the scope's customers'
        :raises LookupError: for a version the table does not have
        """
        supplies = self._allowed(scope, meters)
        table = self._state(version)
        if table is None:
            return empty_readings()
        frame = _newest(self._rows(table, scope, meters, start, end))
        if supplies is not None:
            inside = [
                (pl.col("meter") == supply.meter)
                & (pl.col("start") >= supply.start)
                & (pl.lit(True) if supply.end is None else pl.col("start") < supply.end)
                for supply in supplies
            ]
            frame = frame.filter(pl.any_horizontal(inside))
        return frame.select(list(READINGS))

    def append(self, scope: Scope, frame: pl.DataFrame) -> Commit:
        """Load readings in one write: all of them or none.

        A file is written once: rows whose ``source`` is in the table already are left out, so that a load repeated after a
        kill changes nothing, even where a later file corrected its readings.

        :param frame: the columns of ``frames.READINGS``; of rows with one key the later counts as loaded later
        :returns: what changed; a load that changes nothing makes no version
        :raises OutOfScope: for rows of another client, of a meter outside the scope, or a role that only reads
        :raises LakeBusy: when other writers won every time
        """
        scope.check_writes()
        rows = checked(frame)
        if rows.filter(pl.col("client") != scope.client).height:
            raise OutOfScope(f"the readings are not all of client {scope.client}")
        if rows.is_empty():
            return Commit(version=self.version(), added=0, superseded=0, unchanged=0)
        meters = rows["meter"].unique().to_list()
        first, last = _span(rows)
        self._allowed(scope, meters)
        application = loads_of(scope)
        for attempt in range(ATTEMPTS):
            table = self.made()
            ordinal = table.transaction_version(application) or 0
            state = _newest(self._rows(table, scope, meters, first, last, closed=True))
            known = self._known(table, scope, rows["source"].unique().to_list(), first, last)
            fresh, commit = _differences(state, rows.filter(~pl.col("source").is_in(known)), ordinal, table.version())
            commit = replace(commit, unchanged=rows.height - fresh.height)
            if fresh.is_empty():
                return commit
            newest = int(fresh["loaded"].to_numpy().max())
            try:
                write_deltalake(
                    table,
                    fresh,
                    mode="append",
                    writer_properties=WriterProperties(compression="ZSTD"),
                    commit_properties=CommitProperties(app_transactions=[Transaction(application, newest)]),
                )
            except CommitFailedError:
                time.sleep(random.uniform(0.01, 0.05) * (attempt + 1))
                continue
            return Commit(
                version=table.version(),
                added=commit.added,
                superseded=commit.superseded,
                unchanged=commit.unchanged,
            )
        raise LakeBusy(f"{self.address}: other writers were faster {ATTEMPTS} times; nothing was written. Try again.")

    def source_loaded(self, scope: Scope, sha256: str) -> bool:
        """Say whether any reading of a file was ever written, superseded since or not.

        :raises OutOfScope: for a scope that is limited to customers
        """
        if scope.customers is not None:
            raise OutOfScope("a file may hold several customers' readings, and the scope is limited to customers")
        table = self._table()
        if table is None:
            return False
        found = self._scan(table, scope).filter(pl.col("source") == sha256)
        return not found.select("source").head(1).collect().is_empty()

    def _known(
        self, table: DeltaTable, scope: Scope, sources: Collection[str], start: datetime, end: datetime
    ) -> list[str]:
        """Those of some files whose readings of these months were written before."""
        rows = self._scan(table, scope, f"{start:%Y-%m}", f"{end:%Y-%m}").filter(
            pl.col("source").is_in(sorted(sources))
        )
        return rows.select("source").unique().collect()["source"].to_list()

    def compact(self, scope: Scope) -> int:
        """Put a client's many small files together; no row and no earlier version is lost.

        :returns: how many files were replaced
        :raises OutOfScope: for a scope that may not write for the whole client
        """
        from eisenergy.store import compaction  # it needs this class

        return sum(month.before for month in compaction.compact(self, scope))

    def _allowed(self, scope: Scope, meters: Collection[str]) -> Collection[Supply] | None:
        """Return the supplies of a limited scope, ``None`` for an unlimited one; refuse a meter of somebody else's."""
        if scope.customers is None:
            return None
        supplies = [supply for supply in self._supplies(scope) if supply.meter in meters]
        for meter in sorted(set(meters) - {supply.meter for supply in supplies}):
            raise OutOfScope(f"meter {meter} is outside the scope of this call")
        return supplies

    def _table(self, version: int | None = None) -> DeltaTable | None:
        if not DeltaTable.is_deltatable(self.address):
            if version is not None and version != NOTHING:
                raise LookupError(f"{self.address} has no version {version}: nothing was loaded yet")
            return None
        if version == NOTHING:
            return None
        try:
            return DeltaTable(self.address, version=version)
        except DeltaError as error:
            if version is None:
                raise
            raise LookupError(f"{self.address} has no version {version} that can be read: {error}") from error

    def _state(self, version: int | None) -> DeltaTable | None:
        """As :meth:`_table`; a version is opened once, for it never changes. What comes from here is read and never written to."""
        if version is None or version == NOTHING or "://" in self.address:
            return self._table(version)
        try:
            first = Path(self.address, "_delta_log", f"{0:020d}.json").stat()
        except OSError:
            return self._table(version)
        # another table may lie in the same folder later, as in tests
        return _OPENED.get((self.address, first.st_ino, first.st_mtime_ns, version), lambda: self._table(version))

    def made(self) -> DeltaTable:
        """Return the table, made where there is none."""
        table = self._table()
        if table is not None:
            return table
        fields = [Field(name, _TYPES[dtype], nullable=name not in KEY) for name, dtype in _LAYOUT.items()]
        try:
            return DeltaTable.create(
                self.address,
                Schema(fields),
                mode="ignore",
                partition_by=["client", "month"],
                configuration=dict(_CONFIGURATION),
                commit_properties=CommitProperties(max_commit_retries=0),  # a second try would be a second first commit
            )
        except DeltaError:
            table = self._table()  # another process made it at the same moment
            if table is None:
                raise
            return table

    def _rows(
        self,
        table: DeltaTable,
        scope: Scope,
        meters: Collection[str],
        start: datetime,
        end: datetime,
        *,
        closed: bool = False,
    ) -> pl.DataFrame:
        """Every state of the intervals, from the folders of the client and the months concerned."""
        return (
            self._scan(table, scope, f"{start:%Y-%m}", f"{end:%Y-%m}", meters)
            .filter(
                pl.col("meter").is_in(sorted(meters)),
                pl.col("start") >= start,
                (pl.col("start") <= end) if closed else (pl.col("start") < end),
            )
            .collect()
        )

    def _scan(
        self, table: DeltaTable, scope: Scope, first: str = "", last: str = "9", meters: Collection[str] = ()
    ) -> pl.LazyFrame:
        """The client's files of a range of months; what names a folder is put back as columns.

        :param meters: files without any of these may be left out; of a few meters the log tells which files hold them

        The files are taken from the table's log by hand: Polars' own reader of Delta tables does not find a local folder
        whose path has a space or an accent.
        """
        actions = pl.DataFrame(table.get_add_actions(flatten=True))
        chosen = actions.filter(
            pl.col("partition.client") == scope.client,
            pl.col("partition.month").is_between(pl.lit(first), pl.lit(last)),
        )
        if 0 < len(meters) <= _FEW and {"min.meter", "max.meter"} <= set(chosen.columns):
            # A file of which the log does not tell is read; a null in a condition would leave it out.
            within = [(pl.col("min.meter") <= meter) & (pl.col("max.meter") >= meter) for meter in meters]
            chosen = chosen.filter(pl.any_horizontal(within).fill_null(True))
        if chosen.is_empty():
            return pl.LazyFrame(schema=_LAYOUT)
        files = [f"{self.address}/{unquote(path)}" for path in chosen["path"]]
        return pl.scan_parquet(files, glob=False, hive_partitioning=False).select(
            client=pl.lit(scope.client),
            **{name: pl.col(name).cast(dtype) for name, dtype in READINGS.items() if name != "client"},
            loaded=pl.col("loaded"),
            month=pl.col("start").dt.strftime("%Y-%m"),
        )


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:
        return []


def checked(frame: pl.DataFrame) -> pl.DataFrame:
    """The canonical columns in their order, with nothing missing that names a reading."""
    rows = frame.select([pl.col(name).cast(dtype) for name, dtype in READINGS.items()])
    for name in (*KEY, "quality", "source"):
        if rows[name].null_count():
            raise ValueError(f"readings without {name}: every reading needs client, meter, start, quality and source")
    return rows


def _span(rows: pl.DataFrame) -> tuple[datetime, datetime]:
    """First and last instant of a frame that has rows."""
    first, last = rows["start"].min(), rows["start"].max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    return first, last


def _newest(rows: pl.DataFrame) -> pl.DataFrame:
    """Per key the row that was loaded last, in order of meter and time."""
    ordered = rows.sort("meter", "start", "loaded")
    twice = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in KEY).any()
    rare = ordered.select(twice).item()  # looked for first: unique() costs as much as sorting
    return ordered.unique(subset=KEY, keep="last", maintain_order=True) if rare else ordered


def _differences(state: pl.DataFrame, rows: pl.DataFrame, ordinal: int, version: int) -> tuple[pl.DataFrame, Commit]:
    """The rows that change the state, with their ordinals, and the counts.

    Rows of one key within the load follow one another: the first is compared with the state, the next with the first.
    """
    arriving = rows.with_columns(
        loaded=pl.int_range(pl.len()).over(KEY).cast(pl.Int64) + ordinal + 1,
        month=pl.col("start").dt.strftime("%Y-%m"),
    )
    both = pl.concat([state.select(list(_LAYOUT)), arriving.select(list(_LAYOUT))]).sort(*KEY, "loaded")
    values = [name for name in READINGS if name not in (*KEY, *_BESIDE)]
    same = pl.all_horizontal([pl.col(name).eq_missing(pl.col(name).shift(1).over(KEY)) for name in values])
    first = pl.int_range(pl.len()).over(KEY) == 0
    compared = both.with_columns(first.alias("first"), (same & ~first).alias("same")).filter(pl.col("loaded") > ordinal)
    fresh = compared.filter(~pl.col("same"))
    added = fresh.filter("first").height
    superseded, unchanged = fresh.height - added, compared.height - fresh.height
    counts = Commit(version=version, added=added, superseded=superseded, unchanged=unchanged)
    return fresh.select(list(_LAYOUT)), counts
