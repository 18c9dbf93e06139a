"""A load of many files in one commit: parts are written by whoever parsed them, and become readings when the table's log names them.

A part is sorted by meter and time, so that its statistics find one customer's month. It holds only intervals that the table had
no row for; files that meet readings which are there already (corrections, a file under another name) go through
:meth:`eisenergy.store.lake.Lake.append`, which compares. A part that no commit names is no reading: a kill leaves nothing behind but bytes.
"""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.frames import KEY, READINGS
from eisenergy.store import coded, superseding
from eisenergy.store.lake import ATTEMPTS, Lake, LakeBusy, loads_of
from eisenergy.store.superseding import checked, in_order

ROW_GROUP: Final = 122_880
"""Rows of a row group: some forty customers' months."""
PAGE: Final = 131_072
"""Bytes of a page before it is packed: a customer's month lies on two or three, and its forty neighbours' need not be unpacked."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]+")
_CUT: Final = 32
"""Bytes from which on whoever wrote a file may have cut the greatest text that its log names."""
_STATISTICS: Final = ("meter", "start", "source", "loaded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file of readings that lies in the table's folder, and that the table's log may name.

    :param path: below the table's address
    :param month: UTC month of its readings, for example ``2021-09``
    :param size: of the file [bytes]
    :param statistics: as the log wants them, JSON
    """

    path: str
    client: str
    month: str
    rows: int
    size: int
    statistics: str

    def action(self, *, change: bool) -> AddAction:
        """Return what the log says of the file.

        :param change: whether its readings are new; those of a compaction are not
        """
        return AddAction(
            path=self.path,
            size=self.size,
            partition_values={"client": self.client, "month": self.month},
            modification_time=int(time.time() * 1000),
            data_change=change,
            stats=self.statistics,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time that a file has readings of a meter for.

    :param source: sha256 of the file
    :param first: UTC start of the first interval
    :param last: UTC start of the last one
    """

    source: str
    meter: str
    first: datetime
    last: datetime


def can_stage(lake: Lake, scope: Scope) -> bool:
    """Say whether parts can be written beside the table: in a folder, for a client whose code the log spells as the folder does."""
    return "://" not in lake.address and _PLAIN.fullmatch(scope.client) is not None


def stage(lake: Lake, scope: Scope, frames: Iterable[pl.DataFrame], ordinal: int) -> tuple[Part, ...]:
    """Write readings below the table's folder, one part per UTC month; nothing reads them until :func:`commit`.

    :param frames: the columns of ``frames.READINGS``, one row per key in all of them together; texts may be coded
    :param ordinal: the load's, see :func:`next_ordinal`
    :raises OutOfScope: for rows of another client or a scope that may not write for the whole client
    """
    check_client(scope)
    by_month: dict[datetime, list[pl.DataFrame]] = {}
    for frame in frames:
        rows = checked(frame)
        if coded.different(rows["client"]) not in ([], [scope.client]):
            raise OutOfScope(f"the readings are not all of client {scope.client}")
        rows = rows.drop("client")
        if rows.is_empty():
            continue
        months = pl.Series(superseding.span(rows)).dt.truncate("1mo")
        if months[0] == months[1]:  # looked at first: to truncate every stamp takes a tenth as long as writing it
            by_month.setdefault(months[0], []).append(rows)
            continue
        months = rows["start"].dt.truncate("1mo")
        for month in months.unique():
            by_month.setdefault(month, []).append(rows.filter(months == month))
    parts = []
    for month, members in sorted(by_month.items()):
        rows = members[0] if len(members) == 1 else pl.concat([coded.decoded(member) for member in members])
        rows = rows.with_columns(loaded=pl.lit(ordinal, pl.Int64))
        if not in_order(rows):  # a load in order of names usually is in order of meters
            rows = coded.decoded(rows).sort("meter", "start")
        parts.append(write(lake, scope, f"{month:%Y-%m}", rows))
    return tuple(parts)


def write(lake: Lake, scope: Scope, month: str, rows: pl.DataFrame) -> Part:
    """Write one part, see :func:`can_stage`.

    :param rows: columns of ``frames.READINGS`` but ``client``, and ``loaded``, in order of meter and time; texts may be coded
    """
    path = f"client={scope.client}/month={month}/part-{uuid.uuid4()}.parquet"
    target = Path(lake.address) / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w+b") as file:
        coded.write(file, rows, compression="zstd", compression_level=1, row_group_size=ROW_GROUP, data_page_size=PAGE)
        file.flush()
        os.fsync(file.fileno())
    return Part(
        path=path,
        client=scope.client,
        month=month,
        rows=rows.height,
        size=target.stat().st_size,
        statistics=_statistics(rows),
    )


def _statistics(rows: pl.DataFrame) -> str:
    ends = {name: _ends(rows, name) for name in _STATISTICS}

    def plain(value: object) -> object:
        # The log keeps milliseconds, and cuts: readings begin on whole minutes.
        return f"{value:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z" if isinstance(value, datetime) else value

    return json.dumps(
        {
            "numRecords": rows.height,
            "minValues": {name: plain(ends[name][0]) for name in _STATISTICS},
            "maxValues": {name: plain(ends[name][1]) for name in _STATISTICS},
            "nullCount": dict.fromkeys(_STATISTICS, 0),
        }
    )


def _ends(rows: pl.DataFrame, name: str) -> tuple[object, object]:
    """The least and the greatest value of a column; of texts by their bytes."""
    dtype = rows.schema[name]
    if dtype.is_numeric() or dtype.is_temporal():  # selected: a column of one value stays one value
        least, greatest = rows.select(pl.col(name).min().alias("least"), pl.col(name).max().alias("greatest")).row(0)
        return least, greatest
    texts = coded.different(rows[name])  # Python's order of texts is that of their bytes in UTF-8
    return min(texts), max(texts)


def next_ordinal(lake: Lake, scope: Scope) -> int:
    """Return the ordinal that a load begun now would get."""
    table = lake.table()
    return 1 if table is None else (table.transaction_version(loads_of(scope)) or 0) + 1


def meeting(spans: Iterable[Span]) -> set[str]:
    """Sources of one load that bring the same time of a meter as another of them."""
    found: set[str] = set()
    before: Span | None = None
    for span in sorted(spans, key=lambda span: (span.meter, span.first)):
        if before is not None and before.meter == span.meter and before.last >= span.first:
            found |= {before.source, span.source}
        if before is None or before.meter != span.meter or span.last > before.last:
            before = span
    return found


def there(lake: Lake, scope: Scope, spans: Sequence[Span]) -> set[str]:
    """Sources that bring a time of a meter for which the table has readings."""
    table = lake.table()
    if table is None or not spans:
        return set()
    return _there(lake, table, scope, spans)


def _there(lake: Lake, table: DeltaTable, scope: Scope, spans: Sequence[Span]) -> set[str]:
    first, last = min(span.first for span in spans), max(span.last for span in spans)
    actions = pl.DataFrame(table.get_add_actions(flatten=True))
    chosen = actions.filter(
        pl.col("partition.client") == scope.client,
        pl.col("partition.month").is_between(pl.lit(f"{first:%Y-%m}"), pl.lit(f"{last:%Y-%m}")),
    )
    if "max.start" in chosen.columns:  # what the log says of a file spares opening it
        at = pl.col("min.start").cast(pl.Datetime("us", "UTC")), pl.col("max.start").cast(pl.Datetime("us", "UTC"))
        chosen = chosen.filter((at[0] <= last).fill_null(True), (at[1] >= first).fill_null(True))
    if "max.meter" in chosen.columns:
        lowest, highest = min(span.meter for span in spans), max(span.meter for span in spans)
        ends = pl.col("min.meter"), pl.col("max.meter")
        chosen = chosen.filter(
            (ends[0] <= highest).fill_null(True),
            ((ends[1] >= lowest) | (ends[1].str.len_bytes() >= _CUT)).fill_null(True),
        )
    if chosen.is_empty():
        return set()
    wanted = pl.DataFrame(
        {
            "source": [span.source for span in spans],
            "meter": [span.meter for span in spans],
            "first": pl.Series([span.first for span in spans], dtype=pl.Datetime("us", "UTC")),
            "last": pl.Series([span.last for span in spans], dtype=pl.Datetime("us", "UTC")),
        }
    )
    meters = wanted["meter"].unique().sort()
    rows = (
        pl.scan_parquet(
            [f"{lake.address}/{unquote(path)}" for path in chosen["path"]], glob=False, hive_partitioning=False
        )
        .select(pl.col("meter").cast(pl.String), pl.col("start").cast(pl.Datetime("us", "UTC")))
        .filter(
            pl.col("meter").is_between(pl.lit(meters[0]), pl.lit(meters[-1])),
            pl.col("start").is_between(pl.lit(first), pl.lit(last)),
            pl.col("meter").is_in(meters.to_list()),
        )
        .collect()
    )
    if rows.is_empty():
        return set()
    met = (
        rows.lazy()
        .join(wanted.lazy(), on="meter")
        .filter(pl.col("start").is_between("first", "last"))
        .select(pl.col("source").unique())
        .collect()
    )
    return set(met["source"])


def commit(lake: Lake, scope: Scope, parts: Sequence[Part], spans: Sequence[Span]) -> tuple[int, set[str]]:
    """Make parts readings, all of them in one commit or none.

    :param spans: what the parts hold; looked for in the table again when somebody wrote to it meanwhile
    :returns: the table's version, and the sources that have meanwhile met readings; where there are any, nothing was committed
    :raises LakeBusy: when other writers were faster every time
    :raises LookupError: when a part is not there any more
    """
    check_client(scope)
    checked_at: int | None = None
    for attempt in range(ATTEMPTS):
        table = lake.made()
        now = table.transaction_version(loads_of(scope)) or 0
        if now != checked_at and (met := _there(lake, table, scope, spans)):
            return table.version(), met
        checked_at = now
        if gone := [part.path for part in parts if not Path(f"{lake.address}/{part.path}").is_file()]:
            raise LookupError(
                f"{lake.address}: {gone[0]} was written by this load and is gone; nothing was committed. Find what removed it, and run "
                "the same command again."
            )
        try:
            table.create_write_transaction(
                [part.action(change=True) for part in parts],
                "append",
                table.schema(),
                ["client", "month"],
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(loads_of(scope), now + 1)], max_commit_retries=0
                ),
            )
        except CommitFailedError:
            time.sleep(0.02 * (attempt + 1))
            continue
        return lake.version(), set()
    raise LakeBusy(f"{lake.address}: other writers were faster {ATTEMPTS} times; nothing was written. Try again.")


def without(
    lake: Lake, scope: Scope, parts: Sequence[Part], sources: Collection[str]
) -> tuple[tuple[Part, ...], pl.DataFrame]:
    """Take the readings of some sources out of parts that are not committed.

    :returns: the parts that remain, and the readings taken out in the columns of ``frames.READINGS``
    """
    kept: list[Part] = []
    taken: list[pl.DataFrame] = []
    for part in parts:
        rows = pl.read_parquet(f"{lake.address}/{part.path}", glob=False, hive_partitioning=False)
        mine = pl.col("source").is_in(sorted(sources))
        out = rows.filter(mine)
        if out.is_empty():
            kept.append(part)
            continue
        rest = rows.filter(~mine)
        if rest.height:
            kept.append(write(lake, scope, part.month, rest))
        discard(lake, [part])
        taken.append(out.with_columns(client=pl.lit(scope.client)).select(list(READINGS)))
    rows = pl.concat(taken) if taken else pl.DataFrame(schema=READINGS)
    return tuple(kept), rows.sort(*KEY)


def discard(lake: Lake, parts: Iterable[Part]) -> None:
    """Remove parts that were never given to a commit; of one that was interrupted nobody can say so, and its parts stay."""
    for part in parts:
        Path(f"{lake.address}/{part.path}").unlink(missing_ok=True)


def check_client(scope: Scope) -> None:
    """Refuse a scope that may not write for the whole client. :raises OutOfScope:"""
    scope.check_writes()
    if scope.customers is not None:
        raise OutOfScope("this call concerns the whole client, and the scope is limited to customers")
