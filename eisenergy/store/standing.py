"""How a meter's months stand, of those whose rows were read a moment ago: who shows a year's readings asks next how its months stand.

A state of the table has a number and never changes, so what is kept here is never wrong, it is only put out.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Final

import numpy as np
import polars as pl

from eisenergy.frames import stamps_of
from eisenergy.store.remembered import Remembered

Stand = tuple[int, int] | None
"""Rows of a month and the ordinal of the last load among them, see :mod:`eisenergy.store.states`; ``None`` without rows."""

_KNOWN: Final = Remembered[Mapping[str, Stand]](1024)


def months(first: str, last: str) -> list[str]:
    """Return the months from one up to and with another. :param first: for example ``2021-09``"""
    begin, end = (12 * int(month[:4]) + int(month[5:]) - 1 for month in (first, last))
    return [_name(number) for number in range(begin, end + 1)]


def note(table: Hashable, client: str, meters: Collection[str], span: tuple[str, str], rows: pl.DataFrame) -> None:
    """Keep how the months of one meter stand.

    :param table: names the table and its state; ``None``: it cannot be told, and nothing is kept
    :param span: first and last UTC month
    :param rows: every row of the meter in these months, superseded ones too; ``start``, ``loaded``
    """
    if table is None or len(meters) != 1:
        return
    number = stamps_of(rows).view("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    if (number[1:] < number[:-1]).any():  # files come in order of months
        return
    begins = np.flatnonzero(np.diff(number, prepend=-1))
    counts = np.diff(begins, append=len(number)).tolist()
    last = np.maximum.reduceat(rows["loaded"].to_numpy(), begins).tolist() if len(begins) else []
    found = {_name(12 * 1970 + at): stand for at, *stand in zip(number[begins].tolist(), counts, last, strict=True)}
    key = (table, client, *meters)
    told = {month: (stand[0], stand[1]) if (stand := found.get(month)) else None for month in months(*span)}
    _KNOWN.keep(key, {**(_KNOWN.find(key) or {}), **told})


def known(table: Hashable, client: str, meters: Collection[str]) -> Mapping[str, Stand]:
    """Return UTC month -> how it stands, of the months of one meter that were noted. :param table: as for :func:`note`"""
    return (_KNOWN.find((table, client, *meters)) or {}) if table is not None and len(meters) == 1 else {}


def _name(number: int) -> str:
    year, index = divmod(number, 12)
    return f"{year:04d}-{index + 1:02d}"
