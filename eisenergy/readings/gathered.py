"""The readings of regular tables, and many of them in one frame: a frame for each would cost more than the reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.findings import Finding
from eisenergy.frames import MEASURED, READINGS
from eisenergy.readings.model import TableMeta
from eisenergy.readings.scan import Texts

_FEW: Final = 4
"""Rows per text from which on a column's texts are few: a writer of Parquet gives each of them a number then, coded or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regular:
    """A regular table's readings, before they are put into a frame: many together go into one faster than each.

    :param start: UTC start of each interval [us], ascending
    :param rows: row of the file each reading stands in
    :param figures: column of ``frames.READINGS`` -> figures
    :param texts: column of ``frames.READINGS`` -> texts
    """

    client: str
    meter: str
    source: str
    start: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]
    figures: dict[str, npt.NDArray[np.float64]]
    texts: dict[str, Texts]
    meta: TableMeta
    findings: tuple[Finding, ...]


def by_month(tables: Sequence[Regular]) -> dict[str, list[Regular]]:
    """Cut readings at the UTC months, without copying any: month -> the tables' readings in it, in the order of the tables."""
    found: dict[str, list[Regular]] = {}
    for table in tables:
        months, cuts = _months(int(table.start[0]), int(table.start[-1]))
        places = table.start.searchsorted(cuts).tolist()
        for month, first, last in zip(months, places[:-1], places[1:], strict=True):
            if first < last:
                found.setdefault(month, []).append(_slice(table, slice(first, last)))
    return found


@lru_cache(maxsize=64)
def _months(first: int, last: int) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """The UTC months from one instant to another, and where each begins and the last one ends [us]."""
    ends = np.array([first, last]).astype("datetime64[us]").astype("datetime64[M]")
    months = np.arange(ends[0], ends[1] + 2)
    return tuple(str(month) for month in months[:-1]), months.astype("datetime64[us]").astype(np.int64)


def _slice(table: Regular, part: slice) -> Regular:
    return replace(
        table,
        start=table.start[part],
        rows=table.rows[part],
        figures={name: values[part] for name, values in table.figures.items()},
        texts={name: Texts(texts.codes[part], texts.different) for name, texts in table.texts.items()},
    )


def frame(tables: Sequence[Regular], *, coded: bool = False) -> pl.DataFrame:
    """Put readings into one frame with the columns of ``frames.READINGS``, in the order of the tables.

    :param coded: whether columns of few texts are of ``pl.Categorical``, each different text once: for whoever writes such, see
        :mod:`eisenergy.store.coded`
    """
    sizes = [len(table.start) for table in tables]
    total = sum(sizes)
    made: list[pl.Series] = []
    which = pl.Series(np.repeat(np.arange(len(tables), dtype=np.uint32), sizes)) if len(tables) > 1 else None
    few = pl.Categorical(pl.Categories.random()) if coded and _FEW * len(tables) <= total else pl.String()
    for name, dtype in READINGS.items():
        if name == "start":
            stamps = pl.Series(name, np.concatenate([table.start for table in tables]))
            made.append(stamps.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
        elif name == "source_row":
            made.append(pl.Series(name, np.concatenate([table.rows for table in tables])))
        elif name in ("client", "meter", "source"):
            own = pl.Series(name, [getattr(table, name) for table in tables], dtype=few)
            made.append(own.new_from_index(0, total) if which is None or name == "client" else own.gather(which))
        elif name == "quality":
            made.append(pl.Series(name, [MEASURED], dtype=few).new_from_index(0, total))
        elif any(name in table.figures for table in tables):
            columns_ = [
                table.figures[name] if name in table.figures else np.full(n, np.nan)
                for table, n in zip(tables, sizes, strict=True)
            ]
            made.append(pl.Series(name, np.concatenate(columns_), nan_to_null=True))
        elif any(name in table.texts for table in tables):
            made.append(_texts(name, tables, sizes, few))
        else:
            made.append(pl.Series(name, [None], dtype=few if dtype == pl.String else dtype).new_from_index(0, total))
    return pl.DataFrame(made)


def _texts(name: str, tables: Sequence[Regular], sizes: Sequence[int], few: pl.Categorical | pl.String) -> pl.Series:
    """A column of texts, each different one once in memory. :param few: its type where there are few"""
    known: dict[str | None, int] = {None: 0}
    codes = []
    for table, size in zip(tables, sizes, strict=True):
        if name not in table.texts:
            codes.append(np.zeros(size, np.uint32))
            continue
        texts = table.texts[name]
        places = [known.setdefault(text, len(known)) for text in texts.different]
        codes.append(np.array([*places, 0], np.uint32)[texts.codes])  # -1, an empty cell, takes the last: null
    dtype = few if _FEW * len(known) <= sum(sizes) else pl.String()
    return pl.Series(name, list(known), dtype=dtype).gather(pl.Series(np.concatenate(codes)))
