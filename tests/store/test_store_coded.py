"""Texts that are coded already are written, put in order and described as the texts that they are: to the byte."""

from __future__ import annotations

import io
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from store_cases import EIS
from store_readings import readings

from eisenergy.accounts import OutOfScope
from eisenergy.frames import READINGS
from eisenergy.store import coded, loading, superseding
from eisenergy.store.lake import Lake

START = datetime(2021, 9, 1, 6, tzinfo=UTC)
WORDS = ("", "a", "OK", "niño", "x" * 64, "y" * 64, "ARROW:schema", "\x18\x0cARROW:schema\x18", "9000001", "9000002")


def as_codes(rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows with their texts coded."""
    dtype = pl.Categorical(pl.Categories.random())
    return rows.with_columns(pl.col(pl.String).cast(dtype))


def written(rows: pl.DataFrame, group: int) -> bytes:
    file = io.BytesIO()
    coded.write(file, rows, compression="zstd", compression_level=1, row_group_size=group, data_page_size=1024)
    return file.getvalue()


def by_polars(rows: pl.DataFrame, group: int) -> bytes:
    file = io.BytesIO()
    rows.write_parquet(file, compression="zstd", compression_level=1, row_group_size=group, data_page_size=1024)
    return file.getvalue()


def drawn(rng: random.Random) -> pl.DataFrame:
    """Rows of texts in stretches or in turn, some columns with nothing in them, beside figures and stamps."""
    count = rng.choice([0, 1, 7, 999, 1000, 1001, 4096])
    columns: dict[str, pl.Series] = {"start": pl.Series([START] * count, dtype=pl.Datetime("us", "UTC"))}
    for name in ("meter", "source", "extra"):
        words = rng.sample(WORDS, rng.randrange(1, len(WORDS)))
        nothing = rng.choice([0, 0, 0.2, 1])
        values: list[str | None] = [None if rng.random() < nothing else rng.choice(words) for _ in range(count)]
        if rng.random() < 0.5:
            values.sort(key=lambda text: text or "")
        columns[name] = pl.Series(values, dtype=pl.String)
    columns["kwh"] = pl.Series([rng.randrange(5000) / 1000 for _ in range(count)], dtype=pl.Float64)
    return pl.DataFrame(columns)


@pytest.mark.parametrize("seed", range(40))
def test_a_file_of_codes_is_the_file_of_the_texts(seed: int) -> None:
    rng = random.Random(seed)
    rows, group = drawn(rng), rng.choice([64, 1000, 122_880])
    codes = as_codes(rows)
    assert coded.is_coded(codes)
    assert not coded.is_coded(rows)
    assert_frame_equal(coded.decoded(codes), rows, check_exact=True)
    found = written(codes, group)
    assert_frame_equal(pl.read_parquet(io.BytesIO(found)), rows, check_exact=True)
    if rows.height >= 4 * len(WORDS):  # a writer may put fewer texts down as they are
        assert found == by_polars(rows, group)
    assert written(rows, group) == by_polars(rows, group)


def test_where_a_footer_says_it_otherwise_the_texts_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = drawn(random.Random(3))
    monkeypatch.setattr(coded, "_NAMED", b"ARROW:layout")
    assert written(as_codes(rows), 1000) == by_polars(rows, 1000)


def month(meter: str, source: str, slots: range, extra: str | None = None) -> pl.DataFrame:
    rows = readings(meter, dict.fromkeys(slots, 1.5), source=source, start=START)
    return rows.with_columns(extra=pl.lit(extra, dtype=pl.String))


FOLDERS = {
    "in order": ([month("M1", "a" * 64, range(300)), month("M2", "b" * 64, range(300), "{}")],),
    "one meter in two files": ([month("M1", "b" * 64, range(300)), month("M1", "a" * 64, range(300, 600))],),
    "out of order": ([month("M2", "a" * 64, range(300)), month("M1", "b" * 64, range(300))],),
    "one meter backwards": ([month("M1", "b" * 64, range(300, 600)), month("M1", "a" * 64, range(300))],),
    "over the end of a month": ([month("M1", "a" * 64, range(3000)), month("Mñ", "b" * 64, range(3000))],),
    "in several frames": ([month("M1", "a" * 64, range(300))], [month("M0", "b" * 64, range(300))]),
    "one row": ([month("M1", "a" * 64, range(1))],),
}


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS.keys())
def test_parts_of_codes_are_the_parts_of_the_texts(tmp_path: Path, folder: tuple[list[pl.DataFrame], ...]) -> None:
    frames = [pl.concat(members) for members in folder]
    parts = {}
    for name, given in {"texts": frames, "codes": [as_codes(frame) for frame in frames]}.items():
        lake = Lake(str(tmp_path / name), lambda _: ())
        parts[name] = [
            (part.month, part.rows, part.size, json.loads(part.statistics), Path(lake.address, part.path).read_bytes())
            for part in loading.stage(lake, EIS, given, 7)
        ]
    assert parts["codes"] == parts["texts"]
    mixed = loading.stage(Lake(str(tmp_path / "mixed"), lambda _: ()), EIS, [as_codes(frames[0]), *frames[1:]], 7)
    assert [part.statistics for part in mixed] == [json.dumps(part[3]) for part in parts["texts"]]


def test_codes_of_another_client_are_refused(tmp_path: Path) -> None:
    frame = as_codes(readings("M1", {0: 1.0}, client="LUZ"))
    with pytest.raises(OutOfScope):
        loading.stage(Lake(str(tmp_path / "lake"), lambda _: ()), EIS, [frame], 1)
    with pytest.raises(ValueError, match="without source"):
        superseding.checked(as_codes(readings("M1", {0: 1.0}).with_columns(source=pl.lit(None, dtype=pl.String))))


def test_checked_codes_stay_codes_and_all_else_is_cast() -> None:
    rows = as_codes(readings("M1", {0: 1.0})).with_columns(kwh_import=pl.lit(1, dtype=pl.Int32))
    found = superseding.checked(rows)
    assert coded.is_coded(found)
    assert_frame_equal(coded.decoded(found), coded.decoded(rows).cast(dict(READINGS)), check_exact=True)


def test_codes_are_in_order_where_the_texts_are() -> None:
    rng = random.Random(20211122)
    seen = set()
    for _ in range(300):
        meters = [rng.choice(["9", "10", "ñ", "a"]) for _ in range(rng.randrange(1, 4))]
        starts, names = [], []
        for meter in sorted(meters) if rng.random() < 0.7 else meters:
            first, count = rng.randrange(6), rng.randrange(1, 4)
            starts += [START + timedelta(minutes=15 * (first + n)) for n in range(count)]
            names += [meter] * count
        rows = pl.DataFrame({"meter": names, "start": starts})
        expected = list(zip(names, starts, strict=True)) == sorted(set(zip(names, starts, strict=True)))
        assert superseding.in_order(rows) is expected
        assert superseding.in_order(as_codes(rows)) is expected
        seen.add(expected)
    assert seen == {True, False}
