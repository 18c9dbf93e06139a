"""Which rows of a load change the state: as a walk over the rows says, one after the other."""

from __future__ import annotations

import math
import random
from typing import Any

import polars as pl
import pytest
from store_cases import QUARTER, START
from store_readings import readings

from eisenergy.frames import KEY, READINGS
from eisenergy.store.superseding import LAYOUT, Commit, checked, current, differences

BESIDE = ("source", "source_row")


def load(chance: random.Random, rows: int) -> pl.DataFrame:
    """Rows of two meters in any order, many of them twice and more, with figures that are missing or no numbers."""
    frame = readings("M1", dict.fromkeys(range(rows), 1.0))
    columns = {
        "meter": [chance.choice(("M1", "M2")) for _ in range(rows)],
        "start": [START + chance.randrange(12) * QUARTER for _ in range(rows)],
        "kwh_import": [chance.choice((None, 1.0, 2.0, math.nan)) for _ in range(rows)],
        "quality": [chance.choice(("measured", "estimated")) for _ in range(rows)],
    }
    return checked(
        frame.with_columns(pl.Series(name, values, dtype=READINGS[name]) for name, values in columns.items())
    )


def plain(row: dict[str, Any]) -> tuple[Any, ...]:
    """A reading's figures; ``nan`` is equal to itself."""
    return tuple(
        "nan" if isinstance(value, float) and math.isnan(value) else value
        for name, value in row.items()
        if name in READINGS and name not in BESIDE
    )


def walked(state: pl.DataFrame, rows: pl.DataFrame, ordinal: int) -> tuple[list[tuple[Any, ...]], Commit]:
    """The twin: a dictionary, and one row after the other."""
    known = {tuple(row[name] for name in KEY): plain(row) for row in state.iter_rows(named=True)}
    seen: dict[tuple[Any, ...], int] = {}
    fresh, added, unchanged = [], 0, 0
    for row in rows.iter_rows(named=True):
        key = tuple(row[name] for name in KEY)
        seen[key] = seen.get(key, 0) + 1
        if known.get(key) == plain(row):
            unchanged += 1
        else:
            added += key not in known
            fresh.append((*plain(row), *(row[name] for name in BESIDE), ordinal + seen[key], f"{row['start']:%Y-%m}"))
        known[key] = plain(row)
    return fresh, Commit(version=3, added=added, superseded=len(fresh) - added, unchanged=unchanged)


@pytest.mark.parametrize("seed", range(20))
def test_the_rows_that_change_the_state_are_those_of_a_walk_over_the_rows(seed: int) -> None:
    chance = random.Random(seed)
    nothing = pl.DataFrame(schema=LAYOUT)
    state = current(differences(nothing, load(chance, 30), 0, 0)[0]) if seed % 4 else nothing
    ordinal = 7 + seed
    rows = load(chance, chance.randrange(60))
    fresh, commit = differences(state, rows, ordinal, 3)
    expected, counts = walked(state, rows, ordinal)
    assert commit == counts
    assert list(fresh.schema.items()) == list(LAYOUT.items())
    found = [
        (*plain(row), *(row[name] for name in BESIDE), row["loaded"], row["month"])
        for row in fresh.iter_rows(named=True)
    ]
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    assert fresh.equals(fresh.sort(*KEY, "loaded"))
