"""Which files of the table hold what, by the table's log: read once for a state of the table, and looked up for each request.

A state has a number and never changes, so what is kept here is never wrong. The log of ten thousand customers' months is read in some
milliseconds, and a page asks for three different ranges of one customer's.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable

from eisenergy.store.remembered import Remembered

FEW: Final = 50
"""Meters that are looked for file by file; of more, most files hold some."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One file.

    :param path: below the table's folder
    :param month: UTC month, for example ``2021-09``
    :param first: first and last meter in it; ``None`` where the log does not tell
    """

    path: str
    month: str
    first: str | None
    last: str | None


class Catalogue:
    """The files of one state of the table.

    :param table: it is read now, and not kept
    """

    def __init__(self, table: DeltaTable) -> None:
        actions = pl.DataFrame(table.get_add_actions(flatten=True))
        for name in ("min.meter", "max.meter"):  # a table without files, or one written without statistics
            if name not in actions.columns:
                actions = actions.with_columns(pl.lit(None, pl.String).alias(name))
        columns = ("partition.client", "path", "partition.month", "min.meter", "max.meter")
        found: dict[str, list[Listed]] = {}
        for client, path, *rest in actions.select(columns).iter_rows():
            found.setdefault(client, []).append(Listed(unquote(path), *rest))
        # In order of meters within a month: so a meter's rows come in order of time, and need no sorting.
        self._files = {
            client: tuple(sorted(files, key=lambda file: (file.month, file.first or "", file.path)))
            for client, files in found.items()
        }
        self._months = {client: [file.month for file in files] for client, files in self._files.items()}

    def holding(self, client: str, first: str = "", last: str = "9", meters: Collection[str] = ()) -> list[str]:
        """Return the paths of a client's files of a range of months, in order of months and meters.

        :param first: UTC month, as ``last``, which is in the range
        :param meters: files without any of these may be left out; a file of which the log does not tell is in
        """
        months = self._months.get(client, [])
        files = self._files.get(client, ())[bisect_left(months, first) : bisect_right(months, last)]
        if not 0 < len(meters) <= FEW:
            return [file.path for file in files]
        return [file.path for file in files if _may_hold(file, meters)]


def _may_hold(file: Listed, meters: Collection[str]) -> bool:
    if file.first is None or file.last is None:
        return True
    return any(file.first <= meter <= file.last for meter in meters)


_KEPT: Final = Remembered[Catalogue](8)


def of(table: DeltaTable, place: Hashable) -> Catalogue:
    """Return a table's catalogue.

    :param place: names the table, for another may lie in the same folder later; ``None``: it cannot be told, and nothing is kept
    """
    if place is None:
        return Catalogue(table)
    return _KEPT.get((place, table.version()), lambda: Catalogue(table))
