"""The nomenclature: canonical column names, types and units of every frame that crosses a package's border.

``READINGS`` is one row per meter and interval. Instants are UTC and name the **start** of their interval.
"""

from __future__ import annotations

import functools
from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import polars as pl

if TYPE_CHECKING:
    import pandera.polars as pa

SLOT_MINUTES: Final = 15

READINGS: Final[dict[str, pl.DataType]] = {
    "client": pl.String(),  # tenant's code
    "meter": pl.String(),  # serial
    "start": pl.Datetime("us", "UTC"),  # start of the interval
    "kwh_import": pl.Float64(),  # energy taken in the interval [kWh]
    "kwh_export": pl.Float64(),  # energy fed in [kWh]
    "kw": pl.Float64(),  # mean active power as the meter gives it [kW]
    "kva": pl.Float64(),  # [kVA]
    "kvar": pl.Float64(),  # mean reactive power [kVAr]
    "kvarh": pl.Float64(),  # reactive energy of the interval [kVArh]
    "register_kwh": pl.Float64(),  # cumulative import register at the END of the interval [kWh]
    "forecast_kwh": pl.Float64(),  # energy forecast for the interval [kWh]
    "loss_factor": pl.Float64(),  # per-slot price or factor of losses, where the file carries one
    "ftpms": pl.Float64(),  # per-slot FTPMS [currency/kWh], where the file carries one
    "cost_pos": pl.Float64(),  # cost of taking more than forecast [currency/kWh]
    "cost_neg": pl.Float64(),  # cost of taking less than forecast [currency/kWh]
    "block_in_file": pl.String(),  # block as the file names it; for comparison only
    "quality": pl.String(),  # measured | estimated
    "method": pl.String(),  # how an estimated slot was filled; null when measured
    "source": pl.String(),  # sha256 of the file
    "source_row": pl.Int32(),  # row in that file, counted from 1
    "extra": pl.String(),  # columns the reader does not know, as a JSON object
}
"""Column -> type, in the order of the lake."""


@functools.lru_cache(maxsize=16)
def starts_within(first: datetime, last: datetime) -> pl.Expr:
    """Return which intervals start in a half-open span of UTC instants.

    Remembered: Polars makes a series of every aware instant, which takes longer than comparing a month with it.
    """
    return pl.col("start").is_between(first, last, closed="left")


def stamps_of(rows: pl.DataFrame) -> npt.NDArray[np.int64]:
    """Return the starts of intervals [UTC microseconds, one per row]; as a cast, for ``to_physical`` is a query of its own."""
    stamps: npt.NDArray[np.int64] = rows["start"].cast(pl.Int64).to_numpy()
    return stamps


KEY: Final = ("client", "meter", "start")
MEASURED: Final = "measured"
ESTIMATED: Final = "estimated"

_REQUIRED: Final = {"client", "meter", "start", "quality", "source", "source_row"}


@functools.cache
def readings_schema() -> pa.DataFrameSchema:
    """Return what checks a frame of readings: exactly these columns, in this order, one row per key."""
    import pandera.polars as pa  # it brings pandas: most commands take nothing in, and start half a second sooner without

    return pa.DataFrameSchema(
        {
            name: pa.Column(
                dtype,
                nullable=name not in _REQUIRED,
                checks=pa.Check.isin([MEASURED, ESTIMATED]) if name == "quality" else None,
            )
            for name, dtype in READINGS.items()
        },
        strict=True,
        ordered=True,
        unique=list(KEY),
    )


def empty_readings() -> pl.DataFrame:
    """Return a frame of readings without rows."""
    return pl.DataFrame(schema=READINGS)


def conform(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the columns a reader did not fill (as null), order them, cast them, and check the result.

    :raises pandera.errors.SchemaError: when a required value is missing or a key repeats
    """
    missing = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in READINGS.items() if name not in frame.columns]
    full = frame.with_columns(missing).select([pl.col(name).cast(dtype) for name, dtype in READINGS.items()])
    return full if _fits(full) else readings_schema().validate(full)


def _fits(frame: pl.DataFrame) -> bool:
    """Say whether there is nothing to object to, without loading pandera, which says what there is: columns and types are in order here."""
    return (
        not any(frame[name].null_count() for name in _REQUIRED)
        and frame["quality"].is_in([MEASURED, ESTIMATED]).all()
        and not frame.select(KEY).is_duplicated().any()
    )
