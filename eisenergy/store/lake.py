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
from collections.abc import Callable, Collection, Hashable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl
from deltalake import CommitProperties, DeltaTable, Field, Schema, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.schema import PrimitiveType

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.config import Settings
from eisenergy.frames import KEY, READINGS
from eisenergy.store import catalogue, standing
from eisenergy.store.remembered import Remembered
from eisenergy.store.scanned import between, nothing, scanned, supplied
from eisenergy.store.superseding import LAYOUT, checked, current, differences, span
from eisenergy.store.superseding import Commit as Commit
from eisenergy.variables import BadSetting

if (
    TYPE_CHECKING
):  # who only writes parts beside the table needs no database: half a second of every process that reads files
    from eisenergy.store.database import Database
    from eisenergy.store.masters import Supply

ATTEMPTS: Final = 30
NOTHING: Final = -1
"""The version of a table that was never written."""

_COMMIT: Final = re.compile(r"\d{20}\.json")
_OPENED: Final = Remembered[DeltaTable | None](8)
_TYPES: Final = {
    pl.String(): PrimitiveType("string"),
    pl.Float64(): PrimitiveType("double"),
    pl.Int32(): PrimitiveType("integer"),
    pl.Int64(): PrimitiveType("long"),
    pl.Datetime("us", "UTC"): PrimitiveType("timestamp"),
}
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
        self,
        scope: Scope,
        meters: Collection[str],
        start: datetime,
        end: datetime,
        *,
        version: int | None = None,
        columns: Collection[str] = tuple(READINGS),
    ) -> pl.DataFrame:
        """Return the readings of some meters in ``[start, end)``, in order of meter and time.

        A scope limited to customers gets the time in which its contracts took energy through a meter, and nothing else.

        :param start: UTC instant
        :param end: UTC instant
        :param version: as the table stood then; ``None``: as it stands
        :param columns: those of ``frames.READINGS`` that are wanted; reading twelve months of a meter is mostly reading columns
        :returns: ``frames.READINGS``, of which ``columns``
        :raises OutOfScope: for a meter that is none of the scope's customers'
        :raises LookupError: for a version the table does not have
        """
        supplies = self._allowed(scope, meters)
        table = self._state(version)
        if table is None:
            return nothing(columns)
        rows = self._rows(table, scope, meters, start, end, columns=columns)
        if rows.is_empty():  # of this month, before any came
            return nothing(columns)
        frame = current(rows)
        if supplies is not None:
            frame = supplied(frame, supplies)
        return pl.DataFrame([frame[name] for name in columns])

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
        first, last = span(rows)
        self._allowed(scope, meters)
        application = loads_of(scope)
        for attempt in range(ATTEMPTS):
            table = self.made()
            ordinal = table.transaction_version(application) or 0
            state = current(self._rows(table, scope, meters, first, last, closed=True))
            known = self._known(table, scope, rows["source"].unique().to_list(), first, last)
            fresh, commit = differences(state, rows.filter(~pl.col("source").is_in(known)), ordinal, table.version())
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
        if version is None or version == NOTHING:
            return self._table(version)
        place = self._place()
        if place is None:
            return self._table(version)
        return _OPENED.get((place, version), lambda: self._table(version))

    def _place(self) -> Hashable:
        """Names the table that lies here now, for another may later, as in tests; ``None`` where that cannot be told."""
        if "://" in self.address:
            return None
        try:
            first = os.stat(f"{self.address}/_delta_log/{0:020d}.json")
        except OSError:
            return None
        return self.address, first.st_ino, first.st_mtime_ns

    def _named(self, table: DeltaTable) -> Hashable:
        """Names the table that lies here and its state; ``None`` where that cannot be told."""
        place = self._place()
        return None if place is None else (place, table.version())

    def made(self) -> DeltaTable:
        """Return the table, made where there is none."""
        table = self._table()
        if table is not None:
            return table
        fields = [Field(name, _TYPES[dtype], nullable=name not in KEY) for name, dtype in LAYOUT.items()]
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
        columns: Collection[str] = tuple(LAYOUT),
    ) -> pl.DataFrame:
        """Every state of the intervals, from the folders of the client and the months concerned."""
        wanted = list(dict.fromkeys((*KEY, *columns, "loaded")))
        paths = self._paths(table, scope, f"{start:%Y-%m}", f"{end:%Y-%m}", meters)
        if not paths:
            return nothing(wanted)
        rows = self._opened(scope, paths, wanted)
        if len(meters) > catalogue.FEW:
            within = pl.col("start").is_between(start, end, closed="both" if closed else "left")
            return rows.filter(pl.col("meter").is_in(sorted(meters)), within).collect()
        # The folders are the months, so little is beyond the ends: cut off here, it costs a third less than a condition in each file.
        mine = pl.any_horizontal([pl.col("meter") == meter for meter in sorted(meters)] or [pl.lit(value=False)])
        found = rows.filter(mine).collect().rechunk()
        standing.note(self._named(table), scope.client, meters, (f"{start:%Y-%m}", f"{end:%Y-%m}"), found)
        return between(found, start, end + timedelta(microseconds=1) if closed else end)

    def _scan(
        self,
        table: DeltaTable,
        scope: Scope,
        first: str = "",
        last: str = "9",
        meters: Collection[str] = (),
        columns: Collection[str] = tuple(LAYOUT),
    ) -> pl.LazyFrame:
        """The rows of :meth:`_paths`."""
        return self._opened(scope, self._paths(table, scope, first, last, meters), columns)

    def _paths(self, table: DeltaTable, scope: Scope, first: str, last: str, meters: Collection[str]) -> list[str]:
        """The client's files of a range of months.

        :param meters: files without any of these may be left out; of a few meters the log tells which files hold them
        """
        return catalogue.of(table, self._place()).holding(scope.client, first, last, meters)

    def _opened(self, scope: Scope, paths: list[str], columns: Collection[str]) -> pl.LazyFrame:
        return scanned([f"{self.address}/{path}" for path in paths], scope.client, columns)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:
        return []
