"""The hash of readings: over the figures alone, in canonical order, and in the older form where it is compared with one."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import polars as pl
import pytest
from month_kinds import sound

from eisenergy.desk.fingerprint import BILLED, of_months, of_regular, readings_hash

ROWS = sound("M", 3).head(200)


def old_form(rows: pl.DataFrame) -> str:
    """As it was written until figures were hashed: lines of text."""
    lines = [",".join(["start", *BILLED, "quality"])]
    for row in rows.sort("start").iter_rows(named=True):
        texts = ["" if row[name] is None else str(row[name]) for name in BILLED]
        lines.append(",".join([str(int(row["start"].timestamp() * 1_000_000)), *texts, row["quality"]]))
    return hashlib.sha256(("\n".join(lines) + "\n").encode()).hexdigest()


def test_the_older_form_is_made_where_it_is_compared_with() -> None:
    assert readings_hash(ROWS, like="0" * 64) == old_form(ROWS)
    assert len(readings_hash(ROWS, like="0" * 64)) == 64
    assert readings_hash(ROWS).startswith("2:")
    assert readings_hash(ROWS, like=readings_hash(ROWS)) == readings_hash(ROWS)


@pytest.mark.parametrize(
    "same",
    [
        lambda rows: rows.reverse(),
        lambda rows: rows.with_columns(source=pl.lit("f" * 64), source_row=pl.lit(1, pl.Int32), extra=pl.lit("{}")),
        lambda rows: rows.with_columns(kva=pl.lit(1.0), register_kwh=pl.lit(2.0), method=pl.lit("x")),
        lambda rows: rows.with_columns(kvar=pl.lit(math.nan)),
        lambda rows: rows.with_columns(kvar=pl.lit(-math.nan)),
    ],
)
def test_what_no_bill_depends_on_does_not_change_it(same: object) -> None:
    assert readings_hash(same(ROWS)) == readings_hash(ROWS)  # type: ignore[operator]


def test_one_nan_is_like_another_and_like_null() -> None:
    here = pl.int_range(pl.len()) == 5
    texts = [ROWS.with_columns(kw=pl.when(here).then(pl.lit(x, pl.Float64)).otherwise("kw")) for x in (None, math.nan)]
    assert readings_hash(texts[0]) == readings_hash(texts[1]) != readings_hash(ROWS)


@pytest.mark.parametrize("name", [*BILLED, "start", "quality", "count", "moved", "swapped columns"])
def test_whatever_a_bill_depends_on_changes_it(name: str) -> None:
    here = pl.int_range(pl.len()) == 5
    full = ROWS.with_columns(pl.lit(0.25).alias(column) for column in BILLED)
    if name == "start":
        other = full.with_columns(pl.when(here).then(pl.col("start") + pl.duration(minutes=5)).otherwise("start"))
    elif name == "quality":
        other = full.with_columns(pl.when(here).then(pl.lit("estimated")).otherwise("quality").alias("quality"))
    elif name == "count":
        other = full.head(199)
    elif name == "moved":
        other = full.with_columns(pl.col("start") + pl.duration(days=1))
    elif name == "swapped columns":
        full = full.with_columns(kvar=pl.lit(None, pl.Float64), kvarh=pl.lit(0.5))
        other = full.with_columns(kvar="kvarh", kvarh="kvar")
    else:
        other = full.with_columns(pl.when(here).then(0.125).otherwise(name).alias(name))
    assert readings_hash(other) != readings_hash(full)
    assert readings_hash(other, like="0") != readings_hash(full, like="0")


def test_few_rows_have_a_hash_too() -> None:
    assert len({readings_hash(ROWS.head(n)) for n in range(4)}) == 4


@pytest.mark.parametrize("meters", [1, 16, 45])
def test_many_meters_together_have_the_hash_of_each_alone(meters: int) -> None:
    """More than are laid out together, with different columns, and some that nobody wants."""
    draw, rows, times = np.random.default_rng(meters), 7, b"times"
    names = ("kwh_import", "kw", "cost_neg")
    columns = {name: (draw.random((meters, rows)), draw.random(meters) < 0.7) for name in names}
    wanted = draw.random(meters) < 0.9
    alone = [
        of_regular(times, {name: values[meter] for name, (values, has) in columns.items() if has[meter]})
        if wanted[meter]
        else ""
        for meter in range(meters)
    ]
    assert of_months(times, columns, wanted) == alone
    assert of_months(times, {}, wanted) == [of_regular(times, {}) if want else "" for want in wanted]
