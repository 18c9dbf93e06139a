"""The kernel's peers: the same sums by Polars and by DuckDB, over rows that already carry their cell."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl

from eisenergy import kernels
from eisenergy.blockruns import Runs


def label(frame: pl.DataFrame, runs: Runs) -> pl.DataFrame:
    """Give every row its cell, as the peers need it."""
    cells = pl.DataFrame(
        {"start": runs.start_us, "cell": runs.segment.astype(np.int64) * len(runs.blocks) + runs.block}
    ).sort("start")
    return frame.sort("start").join_asof(cells, on="start").sort("meter", "start")


def all_by_polars(frame: pl.DataFrame) -> pl.DataFrame:
    """Everything that the pass over rows finds, but ties and compensation."""
    short, over = pl.col("forecast") > pl.col("kwh"), pl.col("forecast") < pl.col("kwh")
    return frame.group_by("meter", "cell").agg(
        pl.col("kwh").sum(),
        pl.col("kwh_export").sum(),
        pl.col("kvarh").sum(),
        forecast_short=pl.col("forecast").filter(short).sum(),
        kwh_short=pl.col("kwh").filter(short).sum().alias("kwh_short"),
        forecast_over=pl.col("forecast").filter(over).sum(),
        kwh_over=pl.col("kwh").filter(over).sum().alias("kwh_over"),
        kw=pl.col("kw").max(),
        at=pl.col("start").get(pl.col("kw").arg_max()),
        slots=pl.len(),
        estimated=pl.col("estimated").sum(),
    )


def two_by_polars(frame: pl.DataFrame, *, when: bool = True) -> pl.DataFrame:
    """Energy and maximum per cell. :param when: also when the maximum was."""
    at = {"at": pl.col("start").get(pl.col("kw").arg_max())} if when else {}
    return frame.group_by("meter", "cell").agg(pl.col("kwh").sum(), kw=pl.col("kw").max(), **at)


class Duck:
    """A table in DuckDB's own memory, as it likes it best.

    :param frame: labelled
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self._connection = duckdb.connect()
        plain = pd.DataFrame({name: frame[name].to_numpy() for name in frame.columns}, copy=False)
        self._connection.register("plain", plain)
        self._connection.execute("CREATE TABLE readings AS SELECT * FROM plain")
        self._connection.unregister("plain")

    def two(self, *, when: bool = True) -> dict[str, np.ndarray]:
        """Energy and maximum per cell. :param when: also when the maximum was (``arg_max``)."""
        at = ", arg_max(start, kw) AS at" if when else ""
        query = f"SELECT meter, cell, sum(kwh) AS kwh, max(kw) AS kw{at} FROM readings GROUP BY meter, cell"
        return self._connection.execute(query).fetchnumpy()

    def all(self) -> dict[str, np.ndarray]:
        """What :func:`all_by_polars` finds."""
        return self._connection.execute(
            "SELECT meter, cell, sum(kwh) AS kwh, sum(kwh_export) AS kwh_export, sum(kvarh) AS kvarh, "
            "sum(forecast) FILTER (forecast > kwh) AS forecast_short, sum(kwh) FILTER (forecast > kwh) AS kwh_short, "
            "sum(forecast) FILTER (forecast < kwh) AS forecast_over, sum(kwh) FILTER (forecast < kwh) AS kwh_over, "
            "max(kw) AS kw, arg_max(start, kw) AS at, count(*) AS slots, sum(estimated::INT) AS estimated "
            "FROM readings GROUP BY meter, cell"
        ).fetchnumpy()

    def close(self) -> None:
        """Free the memory."""
        self._connection.close()


def agree(ours: kernels.Cells, theirs: dict[str, np.ndarray], *, first: bool = True) -> int:
    """Stop when the pass over rows and a peer compute different things.

    :param first: whether the peer promises the first time of the maximum; DuckDB's ``arg_max`` does not
    :returns: cells compared
    """
    at = (theirs["meter"], theirs["cell"])
    names = ("kwh", "kwh_export", "kvarh", "forecast_short", "kwh_short", "forecast_over", "kwh_over")
    for number, name in enumerate(names):
        np.testing.assert_allclose(ours.sums[*at, number], np.nan_to_num(theirs[name].astype(float)), rtol=1e-9)
    np.testing.assert_array_equal(ours.peak[at], theirs["kw"])
    alone = slice(None) if first else ours.counts[*at, kernels.TIES] == 1
    np.testing.assert_array_equal(ours.peak_at[at][alone], theirs["at"][alone])
    np.testing.assert_array_equal(ours.counts[*at, kernels.SLOTS], theirs["slots"])
    np.testing.assert_array_equal(ours.counts[*at, kernels.SLOTS_ESTIMATED], theirs["estimated"].astype(np.int64))
    return len(at[0])
