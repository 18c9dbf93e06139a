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
from eisenergy.frames import MEASURED, READINGS
from eisenergy.places import SLOT_US, Places, places, put
from eisenergy.store.lake import Lake
from eisenergy.timeofuse import microseconds

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

FIGURES: Final = (
    "kwh_import", "kwh_export", "kw", "kvar", "kvarh", "register_kwh", "forecast_kwh",
    "loss_factor", "ftpms", "cost_pos", "cost_neg",
)  # fmt: skip
"""Columns that a check or a bill looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A month of many meters, each with ``rows`` places one after the other.

    :param meters: serials, in the order of their places
    :param rows: intervals of the period
    :param whole: meters with exactly one row per interval; the places of others hold nothing that may be used
    :param figures: column of :data:`FIGURES` -> values, NaN for none; ``None`` where no meter has any
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
        self._months = {} if table is None else _by_month(table, lake.address, scope.client)

    def within(self, start: datetime, end: datetime) -> dict[str, list[str]]:
        """Return UTC month -> addresses of its files, of the months that ``[start, end)`` touches."""
        return {m: files for m, files in self._months.items() if f"{start:%Y-%m}" <= m <= f"{end:%Y-%m}"}


def _by_month(table: DeltaTable, address: str, client: str) -> dict[str, list[str]]:
    actions = pl.DataFrame(table.get_add_actions(flatten=True)).filter(pl.col("partition.client") == client)
    months: dict[str, list[str]] = {}
    for month, path in actions.sort("path").select("partition.month", "path").iter_rows():
        months.setdefault(month, []).append(f"{address}/{unquote(path)}")
    return months


def grid(
    files: Files, meters: Collection[str], start: datetime, end: datetime, *, around: tuple[datetime, datetime]
) -> Grid:
    """Read a period of some meters.

    :param start: UTC instant of the first interval, like ``end`` a multiple of 15 minutes
    :param around: UTC instants from and up to which energy is compared
    """
    serials = tuple(sorted(meters))
    origin, rows = microseconds(start), int((microseconds(end) - microseconds(start)) // SLOT_US)
    frame = _rows(
        files, serials, start, end, ["meter", "start", *FIGURES, "quality", "source", "source_row", "block_in_file"]
    )
    found, size = _placed(frame, serials, origin, rows), len(serials) * rows
    whole = (found.present == rows) & ~found.stray
    place = found.place
    sources, source = _numbered(frame["source"])
    names, named = _numbered(frame["block_in_file"])
    beside, apart = _beside(files, serials, (start, end), around)
    return Grid(
        meters=serials,
        rows=rows,
        whole=whole & ~apart,
        figures={name: _figures(frame[name], place, size) for name in FIGURES},
        measured=put((frame["quality"] == MEASURED).to_numpy(), place, np.zeros(size, dtype=np.bool_)),
        source=put(source, place, np.zeros(size, dtype=np.int32)),
        source_row=put(frame["source_row"].to_numpy(), place, np.zeros(size, dtype=np.int32)),
        named=put(named.astype(np.int16), place, np.full(size, -1, dtype=np.int16)) if names else None,
        sources=sources,
        names=names,
        beside=beside,
    )


def _rows(
    files: Files, meters: Sequence[str], start: datetime, end: datetime, columns: Sequence[str], without: Any = None
) -> pl.DataFrame:
    """Rows of some meters; those outside of the time are left out only where they are most of a file."""
    parts = []
    for month, addresses in files.within(start, end).items():
        first = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
        after = datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=first.tzinfo)
        kept = [pl.col("meter").is_between(pl.lit(meters[0]), pl.lit(meters[-1]))]
        if (min(end, after) - max(start, first)) * 2 < after - first:
            kept.append((pl.col("start") >= start) & (pl.col("start") < end))
        if without is not None:
            kept.append(without)
        part = pl.scan_parquet(addresses, glob=False, hive_partitioning=False).filter(*kept)
        parts.append(
            part.select(
                pl.col(name).cast(READINGS[name]).fill_null(float("nan"))
                if name in FIGURES and name != "kwh_import"
                else pl.col(name).cast(READINGS[name])
                for name in columns
            )
        )
    if not parts:
        return pl.DataFrame(schema={name: READINGS[name] for name in columns})
    return pl.concat(parts).collect()


def _placed(frame: pl.DataFrame, meters: Sequence[str], origin: int, rows: int) -> Places:
    known = {meter: number for number, meter in enumerate(meters)}
    runs = frame["meter"].rle().struct.unnest()
    ends = runs["len"].cast(pl.Int64).cum_sum().to_numpy()
    number = np.array([known.get(meter, -1) for meter in runs["value"]], dtype=np.int64)
    mine = number >= 0
    begins = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]]) if len(ends) else ends
    start = frame["start"].to_physical().to_numpy()
    return places(number[mine], begins[mine], ends[mine], start, meters=len(meters), origin=origin, rows=rows)


def _figures(column: pl.Series, place: Integers, size: int) -> Floats | None:
    values = column.fill_null(float("nan")).to_numpy() if column.null_count() else column.to_numpy()
    if bool(np.isnan(values[:1]).all()) and bool(np.isnan(values).all()):
        return None
    return put(values, place, np.full(size, np.nan))


def _numbered(column: pl.Series) -> tuple[tuple[str, ...], npt.NDArray[np.int32]]:
    """The distinct texts of a column, and each row's number among them; -1 for none."""
    runs = column.rle().struct.unnest()
    numbers: dict[str, int] = {}
    each = [-1 if text is None else numbers.setdefault(text, len(numbers)) for text in runs["value"]]
    return tuple(numbers), np.repeat(np.array(each, dtype=np.int32), runs["len"].to_numpy())


def _beside(
    files: Files, meters: Sequence[str], period: tuple[datetime, datetime], around: tuple[datetime, datetime]
) -> tuple[Floats, Booleans]:
    """Mean energy beside the period, and the meters of which some interval there has two rows, or one is off the grid."""
    start, end = period
    first, last = around
    rows = int((microseconds(last) - microseconds(first)) // SLOT_US)
    outside = (pl.col("start") < start) | (pl.col("start") >= end)
    frame = _rows(files, meters, first, last, ["meter", "start", "kwh_import", "quality"], outside)
    found = _placed(frame, meters, microseconds(first), rows)
    kwh = frame["kwh_import"].fill_null(float("nan")).to_numpy()
    usable = (found.place >= 0) & (frame["quality"] == MEASURED).to_numpy() & np.isfinite(kwh)
    meter = found.place[usable] // rows
    count = np.bincount(meter, minlength=len(meters))
    total = np.bincount(meter, weights=kwh[usable], minlength=len(meters))
    with np.errstate(invalid="ignore"):
        return total / count, found.stray
