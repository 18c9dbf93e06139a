"""How a meter's readings stand, month by month, without reading them.

The table of readings is only ever added to, and each load has an ordinal. So the number of a month's rows and the ordinal of its last
load name its state: when both are the same, so are the readings.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from itertools import groupby
from typing import Final

import polars as pl

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.store import standing
from eisenergy.store.lake import Lake, loads_of

States = Mapping[str, tuple[int, int]]
"""UTC month, for example ``2021-09`` -> (rows, ordinal of the last load); a month without rows is not in it."""

_MONTH: Final = (pl.col("start").dt.year().cast(pl.Int32) * 12 + pl.col("start").dt.month() - 1).alias("month")
_COUNT: Final = pl.len().alias("rows")
_LAST: Final = pl.col("loaded").max().alias("last")


def states(
    lake: Lake, scope: Scope, meters: Collection[str], start: datetime, end: datetime, *, version: int | None = None
) -> dict[str, dict[str, tuple[int, int]]]:
    """Return meter -> :data:`States` of the months that ``[start, end)`` touches.

    :param start: UTC instant
    :param end: UTC instant
    :param version: as the table stood then; ``None``: as it stands
    :raises OutOfScope: for a meter that is none of the scope's customers'
    """
    result: dict[str, dict[str, tuple[int, int]]] = {meter: {} for meter in meters}
    lake._allowed(scope, meters)
    table = lake._state(version)
    if table is None:
        return result
    first, last = f"{start:%Y-%m}", f"{end:%Y-%m}"
    known = standing.known(lake._named(table), scope.client, meters)
    for meter in meters if known else ():
        result[meter] = {month: stand for month, stand in known.items() if stand is not None and first <= month <= last}
    paths = lake._paths(table, scope, first, last, meters)
    if known:
        paths = [
            path
            for unknown, run in groupby(standing.months(first, last), key=lambda month: month not in known)
            if unknown and (months := list(run))
            for path in lake._paths(table, scope, months[0], months[-1], meters)
        ]
    if not paths:
        return result
    rows = lake._opened(scope, paths, ("meter", "start", "loaded"))
    mine = pl.col("meter") == next(iter(meters)) if len(meters) == 1 else pl.col("meter").is_in(sorted(meters))
    found = rows.filter(mine).select("meter", "loaded", _MONTH).group_by("meter", "month").agg(_COUNT, _LAST).collect()
    for meter, number, count, ordinal in found.iter_rows():
        year, index = divmod(number, 12)
        result[meter][f"{year:04d}-{index + 1:02d}"] = (count, ordinal)
    return result


def loaded_since(
    lake: Lake, scope: Scope, then: int, now: int, span: tuple[datetime, datetime] | None = None
) -> frozenset[str]:
    """Return the meters that readings were loaded for between two versions of the table.

    Each load has an ordinal, and the table keeps the last one: what was loaded since has a higher one, wherever compaction put it.
    Files without such a row are not opened.

    :param span: UTC instants of the first interval and after the last that is asked about; ``None``: of any time
    :raises OutOfScope: for a scope that is limited to customers
    :raises LookupError: for a version the table does not have
    """
    if scope.customers is not None:
        raise OutOfScope("the readings of a whole client are asked about, and the scope is limited to customers")
    if then == now:
        return frozenset()
    before, table = lake._table(then), lake._table(now)
    if table is None:
        return frozenset()
    application = loads_of(scope)
    last = 0 if before is None else before.transaction_version(application) or 0
    if last == (table.transaction_version(application) or 0):
        return frozenset()
    months = ("", "9") if span is None else (f"{span[0]:%Y-%m}", f"{span[1]:%Y-%m}")
    rows = lake._scan(table, scope, *months).filter(pl.col("loaded") > last)
    if span is not None:
        rows = rows.filter(pl.col("start") >= span[0], pl.col("start") < span[1])
    return frozenset(rows.select("meter").unique().collect()["meter"])


def touched(known: States, start: datetime, end: datetime) -> list[tuple[str, int, int]]:
    """Return the states of the UTC months that ``[start, end)`` touches, in order."""
    return [(month, *known[month]) for month in sorted(known) if f"{start:%Y-%m}" <= month <= f"{end:%Y-%m}"]
