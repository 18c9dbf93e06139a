"""Columns as they lie in memory, and rows as they lie in files, against slow twins."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisenergy.places import SLOT_US
from eisenergy.store import columns, layout
from eisenergy.store.layout import Layout
from eisenergy.stretches import Filled, Stretches, copied_figures, copied_runs, stretches

TEXT = st.one_of(st.none(), st.sampled_from(["", "a", "measured", "x" * 64, "x" * 63 + "y", "ñandú " * 9]))
RUNS = st.lists(st.tuples(TEXT, st.integers(1, 150)), max_size=12)


@given(RUNS, st.integers(0, 40), st.integers(0, 40))
@settings(max_examples=100, deadline=None)
def test_runs_of_a_text_are_those_of_a_walk_over_the_rows(
    drawn: list[tuple[str | None, int]], skipped: int, cut: int
) -> None:
    rows = [text for text, many in drawn for _ in range(many)]
    column = pl.Series("source", rows, dtype=pl.String)
    column = pl.concat([column[:cut], column[cut:]], rechunk=False)[skipped:]
    texts, ends = columns.runs(column)
    many = np.diff(ends, prepend=0)
    assert (many > 0).all()
    assert np.repeat(np.array(texts, dtype=object), many).tolist() == rows[skipped:]


def test_texts_in_places_of_their_own_are_compared_and_those_of_a_dictionary_need_not_be(tmp_path: Path) -> None:
    column = pl.Series("source", [f"{n // 500:064d}" for n in range(2_000)])
    column.to_frame().write_parquet(tmp_path / "file.parquet")
    stored = pl.read_parquet(tmp_path / "file.parquet")["source"]
    for one in (column, stored):
        texts, ends = columns.runs(one)
        assert (texts, ends.tolist()) == ([f"{n:064d}" for n in range(4)], [500, 1000, 1500, 2000])


FIGURE = st.one_of(st.none(), st.floats(width=32), st.just(float("nan")))


@given(st.lists(st.tuples(FIGURE, st.integers(1, 30)), max_size=8), st.integers(0, 20), st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_figures_are_copied_where_their_bits_say_that_there_are_some(
    drawn: list[tuple[float | None, int]], skipped: int, far: int
) -> None:
    rows = [value for value, many in drawn for _ in range(many)]
    column = pl.Series("kw", rows, dtype=pl.Float64)[skipped:]
    rows = rows[skipped:]
    memory = columns.doubles(column)
    del column  # the memory stays as long as it is looked at
    size = len(rows) + far
    whole = (np.array([far]), np.array([0]), np.array([len(rows)]))
    cuts = np.unique([0, len(rows) // 3, len(rows) // 2, len(rows)])
    found = Stretches(cuts[:-1], cuts[:-1] + whole[0], np.diff(cuts), np.zeros(0, dtype=np.int64))
    result, count = np.full(max(size, 1), 7.0), np.zeros(1, dtype=np.int64)
    copied_figures(memory.values, found, len(result), result, count, valid=memory.valid, bit=memory.first)
    expected = np.array([7.0] * far + [np.nan if value is None or value != value else value for value in rows])
    assert result[:size].tobytes() == expected.tobytes(), "and there is one NaN, so that figures can be hashed"
    assert count[0] == np.isfinite(expected[far:]).sum() + np.isinf(expected[far:]).sum()


def test_a_column_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="of type String lies in memory as b'vu': expected b'g'"):
        columns.doubles(pl.Series("source", ["a"]))
    with pytest.raises(TypeError, match="of type Float32"):
        columns.doubles(pl.Series("kw", [1.0], dtype=pl.Float32))


def test_runs_and_bits_that_are_not_the_rows_are_refused() -> None:
    one = np.ones(1, dtype=np.int64)
    found = Stretches(one * 0, one * 0, one * 3, one[:0])
    result = np.zeros(3, dtype=np.int32)
    for ends in ([2], [1, 1, 3], [3, 3]):
        with pytest.raises(ValueError, match="are not 3 rows"):
            copied_runs(np.zeros(len(ends), dtype=np.int32), np.array(ends), 3, found, result)
    with pytest.raises(ValueError, match="are not 3 rows"):
        copied_runs(np.zeros(2, dtype=np.int32), np.array([3]), 3, found, result)
    with pytest.raises(ValueError, match="beyond 2 values"):
        copied_runs(np.zeros(1, dtype=np.int32), np.array([2]), 2, found, result)
    bits = np.zeros(1, dtype=np.uint8)
    with pytest.raises(ValueError, match="1 bytes have no bit for each of 8 rows"):
        copied_figures(np.zeros(8), found, 3, np.zeros(3), one, valid=bits, bit=1)


METERS = st.lists(st.tuples(st.sampled_from("ABCDEF"), st.integers(1, 9)), max_size=8)


@given(
    st.lists(METERS, min_size=1, max_size=4),
    st.lists(st.sampled_from("ABCDEFG"), min_size=1, unique=True),
    st.integers(0, 12),
    st.integers(1, 12),
)
@settings(max_examples=50, deadline=None)
def test_slices_hold_every_row_of_the_meters_and_say_whose_it_is(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[list[tuple[str, int]]],
    meters: list[str],
    near: int,
    together: int,
) -> None:
    folder, number, names, wanted = tmp_path_factory.mktemp("files"), 0, [], []
    holding = set()
    for n, runs_of in enumerate(drawn):
        rows = [meter for meter, many in runs_of for _ in range(many)]
        frame = pl.DataFrame(
            {"meter": rows, "row": range(number, number + len(rows))}, schema={"meter": pl.String, "row": pl.Int64}
        )
        names.append(str(folder / f"{n}.parquet"))
        frame.write_parquet(names[-1])
        wanted += [(meter, number + k) for k, meter in enumerate(rows) if meter in meters]
        holding |= {names[-1]} if set(rows) & set(meters) else set()
        number += len(rows)
    counts = [sum(many for _, many in runs_of) for runs_of in drawn]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "NEAR", near)
        patch.setattr(layout, "AT_ONCE", together)
        found = Layout.read(names, counts)
        assert found is not None
        spans = found.spans(meters)
        assert Layout.read(names, [*counts[:-1], counts[-1] + 1]) is None, "the log tells of a row that is not there"
    got = []
    for span in spans:
        rows = pl.scan_parquet(list(span.files)).slice(span.first, span.rows).collect()["row"].to_list()
        assert len(rows) == span.rows
        got += [
            (meters[meter], row)
            for meter, a, b in zip(span.meter, span.begin, span.end, strict=True)
            for row in rows[a:b]
        ]
    assert got == wanted
    assert found.rows_of(meters) == len(wanted)
    assert set(found.files_of(meters)) == holding
    assert all(b.rows and (a.files, a.first) != (b.files, b.first) for a, b in pairwise(spans))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "TOGETHER", together)
        packed = found.packed(meters)
    file_of = [n for n, many in enumerate(counts) for _ in range(many)]
    row_in = [row for many in counts for row in range(many)]
    firsts = [next((row for other, row in wanted if other == meter), None) for meter in meters]
    assert packed == [None if row is None else (file_of[row], row_in[row] // together) for row in firsts]


def test_a_whole_group_that_lies_in_order_is_one_slice(tmp_path: Path) -> None:
    rows = [f"{n:03d}" for n in range(30) for _ in range(4)]
    for n in range(2):
        pl.DataFrame({"meter": rows[60 * n : 60 * n + 60]}).write_parquet(tmp_path / f"{n}.parquet")
    found = Layout.read([str(tmp_path / f"{n}.parquet") for n in range(2)], [60, 60])
    assert found is not None
    (span,) = found.spans([f"{n:03d}" for n in range(13, 17)])
    assert (len(span.files), span.first, span.rows, span.meter.tolist()) == (2, 52, 16, [0, 1, 2, 3])
    filled = Filled.nothing(4, 4)
    at = stretches(
        span.meter, span.begin, span.end, SLOT_US * np.tile(np.arange(4), 4), origin=0, rows=4, filled=filled
    )
    assert at.to.tolist() == [0, 4, 8, 12]
