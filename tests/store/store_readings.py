"""Frames of readings for the tests of the store; apart, because Polars takes long to load."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import polars as pl
from store_cases import QUARTER, START

from eisenergy.frames import READINGS


def readings(
    meter: str, values: dict[int, float | None], *, source: str = "", client: str = "EIS", start: datetime = START
) -> pl.DataFrame:
    """One row per (number of the quarter hour, kWh); from a file of its own unless one is named."""
    source = source or uuid4().hex * 2
    rows = {
        "client": [client] * len(values),
        "meter": [meter] * len(values),
        "start": [start + slot * QUARTER for slot in values],
        "kwh_import": list(values.values()),
        "quality": ["measured"] * len(values),
        "source": [source] * len(values),
        "source_row": list(range(1, len(values) + 1)),
    }
    known = {name: dtype for name, dtype in READINGS.items() if name in rows}
    missing = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in READINGS.items() if name not in rows]
    return pl.DataFrame(rows, schema=known).with_columns(missing).select(list(READINGS))


def kwh(frame: pl.DataFrame) -> list[float | None]:
    return frame["kwh_import"].to_list()
