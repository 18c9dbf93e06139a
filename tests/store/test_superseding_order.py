"""Which rows count, and in which order: by stretches of files as by sorting all rows."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from eisenergy.frames import KEY
from eisenergy.store import superseding

BEGIN = datetime(2021, 9, 30, 6, tzinfo=UTC)


def piece(meter: str, first: int, count: int, loaded: int) -> pl.DataFrame:
    """Intervals of a meter, as they lie in a file of one load."""
    start = [BEGIN + timedelta(minutes=15 * (first + at)) for at in range(count)]
    frame = pl.DataFrame({"meter": [meter] * count, "start": start, "loaded": [loaded] * count})
    return frame.with_columns(client=pl.lit("EIS"), kwh=pl.int_range(pl.len()) + 1000.0 * loaded)


def by_sorting(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort("meter", "start", "loaded").unique(subset=KEY, keep="last", maintain_order=True)


MONTHS = [*(piece(f"9{n:02d}", 0, 96, 1) for n in range(20)), *(piece(f"9{n:02d}", 96, 24, 1) for n in range(20))]
CASES = {
    "two folders": MONTHS,
    "two folders, the later first": [*MONTHS[20:], *MONTHS[:20]],
    "meters in another order": [MONTHS[3], MONTHS[0], MONTHS[2]],
    "a later load within an earlier one": [*MONTHS, piece("903", 40, 8, 2)],
    "a later load that goes on where the earlier ends": [
        piece("9", 0, 96, 1),
        piece("8", 0, 96, 1),
        piece("9", 96, 96, 2),
    ],
    "a later load that begins with the earlier's last": [
        piece("9", 0, 96, 1),
        piece("8", 0, 96, 1),
        piece("9", 95, 96, 2),
    ],
    "the same twice": [piece("9", 0, 96, 1), piece("8", 0, 96, 1), piece("9", 0, 96, 2)],
    "one row each": [piece("9", at, 1, 1) for at in (5, 3, 4)],
    "nothing": [piece("9", 0, 0, 1)],
}


@pytest.mark.parametrize("pieces", CASES.values(), ids=CASES.keys())
def test_stretches_and_sorting_come_to_the_same(pieces: list[pl.DataFrame]) -> None:
    rows = pl.concat(pieces)
    found = superseding.current(rows)
    assert found.equals(by_sorting(rows))
    assert superseding.in_order(found)


def test_files_of_any_kind_come_to_the_same_as_sorting() -> None:
    draw = random.Random(20211001)
    taken = 0
    for _ in range(150):
        pieces = [
            piece(draw.choice("789"), draw.randrange(0, 200, 8), draw.randrange(1, 60), load)
            for load in range(1, draw.randrange(2, 8))
        ]
        rows = pl.concat(pieces)
        assert superseding.current(rows).equals(by_sorting(rows))
        taken += superseding._merged(rows) is not None
    assert taken > 20  # and not every one of them was sorted
