"""The table's files as Polars reads them: only the columns that are wanted, and what names a folder put back as one.

The files are taken from the table's log by hand: Polars' own reader of Delta tables does not find a local folder whose path has a space or an
accent. Expressions are made once and kept: to make those of twenty columns takes a third of the time of reading a month of one meter.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from eisenergy.blockruns import microseconds
from eisenergy.frames import READINGS, stamps_of
from eisenergy.store.superseding import LAYOUT

if TYPE_CHECKING:
    from eisenergy.store.masters import Supply

_COLUMNS: Final = {
    **{name: pl.col(name).cast(dtype) for name, dtype in READINGS.items() if name != "client"},
    "loaded": pl.col("loaded"),
    "month": pl.col("start").dt.strftime("%Y-%m").alias("month"),
}


@lru_cache(maxsize=64)
def _selected(client: str, columns: tuple[str, ...]) -> tuple[pl.Expr, ...]:
    return tuple(pl.lit(client).alias("client") if name == "client" else _COLUMNS[name] for name in columns)


def nothing(columns: Collection[str]) -> pl.DataFrame:
    """Return no rows. :param columns: of :data:`LAYOUT`"""
    return pl.DataFrame(schema={name: LAYOUT[name] for name in columns})


def scanned(files: Sequence[str], client: str, columns: Collection[str] = tuple(LAYOUT)) -> pl.LazyFrame:
    """Return the rows of a client's files.

    :param files: addresses
    :param columns: of :data:`LAYOUT`
    """
    if not files:
        return nothing(columns).lazy()
    return pl.scan_parquet(list(files), glob=False, hive_partitioning=False).select(*_selected(client, tuple(columns)))


def between(rows: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    """Return the rows that begin in ``[start, end)``, in the order they are in; of whole months there is little to leave out.

    :param start: UTC instant
    :param end: UTC instant
    """
    stamps = stamps_of(rows)
    inside = (stamps >= microseconds(start)) & (stamps < microseconds(end))
    count = int(inside.sum())
    first = int(inside.argmax()) if count else 0
    if inside[first : first + count].all():  # one stretch of rows: nothing is copied
        return rows if count == rows.height else rows.slice(first, count)
    return rows.filter(pl.Series(inside))


def supplied(rows: pl.DataFrame, supplies: Collection[Supply]) -> pl.DataFrame:
    """Return the rows of the times in which a scope's contracts took energy through their meters.

    :param rows: of meters of these supplies, and no others
    """
    if len(supplies) == 1:
        (supply,) = supplies
        stamps = stamps_of(rows)
        inside = stamps >= microseconds(supply.start)
        if supply.end is not None:
            inside &= stamps < microseconds(supply.end)
        return rows if np.all(inside) else rows.filter(pl.Series(inside))
    times = [
        (pl.col("meter") == supply.meter)
        & (pl.col("start") >= supply.start)
        & (pl.lit(True) if supply.end is None else pl.col("start") < supply.end)
        for supply in supplies
    ]
    return rows.filter(pl.any_horizontal(times))
