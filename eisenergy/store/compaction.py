"""A month put in order: its many parts become few, sorted by meter and time, and no row and no earlier version is lost.

Loads add files and never rewrite one. After many small late files a month lies in many pieces, and a read opens them all. Compaction writes
the same rows, superseded ones included, in order of meter and time, and names the new files instead of the old ones; those stay where
they are, so that every earlier version reads as before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from eisenergy.accounts import Scope
from eisenergy.frames import READINGS
from eisenergy.store import loading
from eisenergy.store.lake import ATTEMPTS, Lake, LakeBusy

PART_ROWS: Final = 2_000_000
"""Rows of a file after compaction, and of what is held in memory at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """What a compaction did to a month.

    :param month: UTC month
    :param before: files it lay in
    :param after: files it lies in now
    """

    month: str
    rows: int
    before: int
    after: int


def scattered(lake: Lake, scope: Scope) -> dict[str, int]:
    """Return UTC month -> files, of the months that are not in order."""
    table = lake.table()
    if table is None:
        return {}
    return {month: files.height for month, files in _months(table, scope) if not _ordered(files)}


def compact(lake: Lake, scope: Scope) -> tuple[Compacted, ...]:
    """Put a client's months in order; a month that is in order is left as it is.

    :raises OutOfScope: for a scope that may not write for the whole client
    :raises LakeBusy: when another compaction was faster
    """
    loading.check_client(scope)
    done = []
    for month in scattered(lake, scope):
        # Listed and replaced in one state of the table: what another compaction replaced meanwhile is a conflict then.
        table = lake.made()
        files = dict(_months(table, scope)).get(month)
        if files is not None and not _ordered(files):
            done.append(_compact(lake, scope, table, month, files))
    return tuple(done)


def _months(table: DeltaTable, scope: Scope) -> Iterator[tuple[str, pl.DataFrame]]:
    """The client's files by month."""
    actions = pl.DataFrame(table.get_add_actions(flatten=True)).filter(pl.col("partition.client") == scope.client)
    for (month,), files in actions.sort("partition.month", "path").group_by("partition.month", maintain_order=True):
        yield str(month), files


def _ordered(files: pl.DataFrame) -> bool:
    """Say whether a month's files follow one another by meter, and are not smaller than they need be."""
    if files.height == 1:
        return True
    rows = files["num_records"]
    if rows.null_count() or files.height > 2 * -(-int(rows.sum()) // PART_ROWS):
        return False
    ends = files.sort("min.meter")
    return not (ends["min.meter"] <= ends["max.meter"].shift(1)).any()


def _compact(lake: Lake, scope: Scope, table: DeltaTable, month: str, files: pl.DataFrame) -> Compacted:
    scan = pl.scan_parquet(
        [f"{lake.address}/{unquote(path)}" for path in files["path"]], glob=False, hive_partitioning=False
    ).select(
        *(pl.col(name).cast(dtype) for name, dtype in READINGS.items() if name != "client"),
        pl.col("loaded").cast(pl.Int64),
    )
    if not loading.can_stage(lake, scope):  # on object storage: fewer files, in the order they have
        metrics = table.optimize.compact(partition_filters=[("client", "=", scope.client), ("month", "=", month)])
        before, after = int(metrics["numFilesRemoved"]), int(metrics["numFilesAdded"])
        return Compacted(month=month, rows=int(files["num_records"].sum()), before=before, after=after)
    counts = scan.group_by("meter").len().sort("meter").collect()
    parts = []
    for first, last in _ranges(counts):
        rows = scan.filter(pl.col("meter").is_between(pl.lit(first), pl.lit(last))).collect()
        parts.append(loading.write(lake, scope, month, rows.sort("meter", "start", "loaded")))
    now = int(time.time() * 1000)
    removed = [
        RemoveAction(
            path=path,
            data_change=False,
            deletion_timestamp=now,
            size=size,
            partition_values={"client": scope.client, "month": month},
        )
        for path, size in files.select("path", "size_bytes").iter_rows()
    ]
    actions: list[AddAction | RemoveAction] = [*(part.action(change=False) for part in parts), *removed]
    _replace(lake, scope, table, month, set(files["path"]), actions, parts)
    return Compacted(month=month, rows=int(counts["len"].sum()), before=files.height, after=len(parts))


def _replace(
    lake: Lake,
    scope: Scope,
    table: DeltaTable,
    month: str,
    old: set[str],
    actions: list[AddAction | RemoveAction],
    parts: list[loading.Part],
) -> None:
    """Name new files instead of old ones, in a state of the table that has the old ones.

    Delta's own second try would take an append for what it is not, and name the new files beside those of another compaction.
    """
    once = CommitProperties(max_commit_retries=0)
    for attempt in range(ATTEMPTS):
        if attempt:  # a load may have been faster, which changes nothing; or another compaction, which does
            time.sleep(0.02 * attempt)
            table = lake.made()
            there = dict(_months(table, scope)).get(month)
            if there is None or not old <= set(there["path"]):
                break
        with suppress(CommitFailedError):
            table.create_write_transaction(
                actions, "append", table.schema(), ["client", "month"], commit_properties=once
            )
            return
    loading.discard(lake, parts)
    raise LakeBusy(
        f"{lake.address}: month {month} was put in order by another process meanwhile, or loads were faster {ATTEMPTS} times. "
        "Nothing is lost; look with `eisenergy lake compact` whether anything is left to do."
    )


def _ranges(counts: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Cut the meters into ranges of some rows each."""
    first: str | None = None
    last, rows = "", 0
    for meter, count in counts.iter_rows():
        if first is not None and rows + count > PART_ROWS:
            yield first, last
            first, rows = None, 0
        first = meter if first is None else first
        last, rows = meter, rows + count
    if first is not None:
        yield first, last
