"""Parts that one commit makes readings, and months that are put in order."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal
from store_cases import EIS, OTHER, QUARTER, START
from store_readings import kwh, readings

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.config import Settings
from eisenergy.store import compaction, loading, sweeping
from eisenergy.store.lake import NOTHING, Lake, LakeBusy
from eisenergy.store.loading import Span

END = START + 6000 * QUARTER
A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "un lago ñ"), lambda scope: ())


def paths_of(lake: Lake, table: DeltaTable) -> list[Path]:
    return [Path(lake.address) / path for path in pl.DataFrame(table.get_add_actions(flatten=True))["path"]]


def span(meter: str, first: int, last: int, source: str = A) -> Span:
    return Span(source=source, meter=meter, first=START + first * QUARTER, last=START + last * QUARTER)


def read(lake: Lake, *meters: str, version: int | None = None) -> pl.DataFrame:
    return lake.read(EIS, meters, START, END, version=version)


def test_parts_are_readings_once_they_are_committed(lake: Lake) -> None:
    first = readings("M2", dict.fromkeys(range(3000), 1.5), source=A)  # from September into October
    second = readings("M1", {0: 2.5, 1: None}, source=B)
    parts = loading.stage(lake, EIS, [first, second], loading.next_ordinal(lake, EIS))
    assert sorted(part.month for part in parts) == ["2021-09", "2021-10"]
    assert lake.version() == NOTHING
    version, met = loading.commit(lake, EIS, parts, [span("M2", 0, 2999), span("M1", 0, 1, B)])
    assert (version, met) == (1, set())
    assert_frame_equal(read(lake, "M1", "M2"), pl.concat([second, first]), check_exact=True)
    table = lake.made()
    assert table.metadata().configuration["delta.appendOnly"] == "true"
    assert loading.next_ordinal(lake, EIS) == 2
    # The older way goes on from there, and knows what the parts brought.
    assert lake.append(EIS, first).unchanged == 3000
    assert lake.append(EIS, readings("M1", {0: 9.0})).superseded == 1
    assert kwh(read(lake, "M1")) == [9.0, None]
    assert kwh(read(lake, "M1", version=1)) == [2.5, None]


def test_one_customers_month_is_found_by_statistics(lake: Lake) -> None:
    frames = [readings(f"M{n:03d}", dict.fromkeys(range(2880), 1.0)) for n in reversed(range(90))]
    (part, *_) = loading.stage(lake, EIS, frames, 1)
    said = json.loads(part.statistics)
    assert (said["minValues"]["meter"], said["maxValues"]["meter"]) == ("M000", "M089")
    rows = pl.read_parquet(f"{lake.address}/{part.path}", glob=False)
    assert rows["meter"].is_sorted()
    assert rows.height > loading.ROW_GROUP


def test_what_meets_is_found_and_what_only_touches_is_not(lake: Lake) -> None:
    assert loading.there(lake, EIS, [span("M1", 0, 10)]) == set()
    lake.append(EIS, readings("M1", dict.fromkeys(range(100, 200), 1.0)))
    lake.append(EIS, readings("M3", dict.fromkeys(range(200, 300), 1.0)))
    spans = [
        span("M1", 0, 99, A),  # ends where the readings begin
        span("M1", 199, 400, B),
        span("M2", 100, 200, C),  # another meter
        span("M3", 100, 199, "d" * 64),  # the interval before the first one
    ]
    assert loading.there(lake, EIS, spans) == {B}
    assert loading.there(lake, OTHER, spans) == set()
    lake.append(EIS, readings("M1", {-20: 1.0}))
    assert loading.there(lake, EIS, [span("M1", -10, 99)]) == set()  # between readings, where none is


def test_files_of_one_load_meet_where_they_bring_the_same_time() -> None:
    spans = [span("M1", 0, 100, A), span("M1", 101, 200, B), span("M2", 0, 100, C)]
    assert loading.meeting(spans) == set()
    assert loading.meeting([*spans, span("M1", 200, 300, "d" * 64)]) == {B, "d" * 64}
    inside = [span("M1", 0, 100, A), span("M1", 10, 20, B), span("M1", 30, 40, C)]
    assert loading.meeting(inside) == {A, B, C}


def test_a_load_that_was_overtaken_commits_nothing_that_is_there(lake: Lake) -> None:
    mine = readings("M1", {0: 1.0, 1: 2.0}, source=A)
    parts = loading.stage(lake, EIS, [mine], loading.next_ordinal(lake, EIS))
    lake.append(EIS, readings("M2", {0: 5.0}))
    lake.append(EIS, readings("M1", {1: 7.0}))
    version, met = loading.commit(lake, EIS, parts, [span("M1", 0, 1)])
    assert (version, met) == (2, {A})
    assert kwh(read(lake, "M1")) == [7.0]
    kept, rows = loading.without(lake, EIS, parts, met)
    assert kept == ()
    assert_frame_equal(rows, mine, check_exact=True)
    other = readings("M4", {0: 1.0}, source=C)
    parts = loading.stage(lake, EIS, [other], 1)  # an ordinal that is taken
    assert loading.commit(lake, EIS, parts, [span("M4", 0, 0, C)]) == (3, set())
    assert lake.append(EIS, readings("M4", {0: 8.0})).superseded == 1
    assert kwh(read(lake, "M4")) == [8.0]


def test_some_files_are_taken_out_of_parts(lake: Lake) -> None:
    one, two = readings("M1", {0: 1.0}, source=A), readings("M2", {0: 2.0, 3000: 3.0}, source=B)
    parts = loading.stage(lake, EIS, [one, two], 1)
    kept, rows = loading.without(lake, EIS, parts, {A})
    assert_frame_equal(rows, one, check_exact=True)
    assert sum(part.rows for part in kept) == 2
    loading.commit(lake, EIS, kept, [span("M2", 0, 3000, B)])
    assert_frame_equal(read(lake, "M1", "M2"), two, check_exact=True)
    loading.discard(lake, kept)
    assert not list(Path(lake.address).rglob("*.parquet"))


def test_parts_are_of_the_scopes_client(lake: Lake) -> None:
    frame = readings("M1", {0: 1.0})
    with pytest.raises(OutOfScope, match="client LUZ"):
        loading.stage(lake, OTHER, [frame], 1)
    for scope in (Scope.customer("EIS", "EIS-0001"),):
        with pytest.raises(OutOfScope):
            loading.stage(lake, scope, [frame], 1)
        with pytest.raises(OutOfScope):
            loading.commit(lake, scope, [], [])
        with pytest.raises(OutOfScope):
            compaction.compact(lake, scope)
    assert not loading.can_stage(lake, Scope.operator("Añil"))
    assert not loading.can_stage(Lake("s3://bucket/lake", lambda scope: ()), EIS)


def test_a_month_is_put_in_order(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "PART_ROWS", 500)
    lake.append(OTHER, readings("M1", {0: 1.0}, client="LUZ"))
    for n in (3, 1, 2, 0):
        frame = readings(f"M{n}", dict.fromkeys(range(200), float(n)))
        parts = loading.stage(lake, EIS, [frame], loading.next_ordinal(lake, EIS))
        loading.commit(lake, EIS, parts, [span(f"M{n}", 0, 199)])
    lake.append(EIS, readings("M2", {5: 50.0}))
    lake.append(EIS, readings("M2", {3000: 1.0}))
    old, before = lake.version(), read(lake, "M0", "M1", "M2", "M3")
    ahead = lake.made()  # somebody who opened it before
    assert compaction.scattered(lake, EIS) == {"2021-09": 5}
    (done,) = compaction.compact(lake, EIS)
    assert (done.month, done.rows, done.before, done.after) == ("2021-09", 801, 5, 2)
    assert_frame_equal(read(lake, "M0", "M1", "M2", "M3"), before, check_exact=True)
    assert_frame_equal(read(lake, "M0", "M1", "M2", "M3", version=old), before, check_exact=True)
    assert kwh(read(lake, "M2", version=old - 2))[5] == 2.0  # superseded since, and still on record
    assert all(path.is_file() for path in paths_of(lake, ahead))
    assert compaction.compact(lake, EIS) == ()
    assert compaction.scattered(lake, EIS) == {}
    assert lake.version() == old + 1
    new = [pl.read_parquet(path, glob=False) for path in paths_of(lake, lake.made()) if "2021-09" in str(path)]
    assert all(rows["meter"].is_sorted() for rows in new)
    assert sum(rows.height for rows in new) == 801 + 1  # the superseded one too, and the other client's
    assert lake.append(EIS, readings("M2", {6: 60.0})).superseded == 1
    assert lake.read(OTHER, ["M1"], START, END).height == 1
    assert lake.made().metadata().configuration["delta.appendOnly"] == "true"


def test_two_compactions_at_once_double_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in (1, 0):
        lake.append(EIS, readings(f"M{n}", dict.fromkeys(range(50), float(n))))
    lake.append(EIS, readings("M1", dict.fromkeys(range(50, 60), 1.0)))
    before = read(lake, "M0", "M1")
    write = loading.write
    asked: list[str] = []

    def late(*given: object) -> loading.Part:
        """The other compaction is done whole when this one has listed its files and begins to write."""
        asked.append("")
        if len(asked) == 1:
            assert len(compaction.compact(Lake(lake.address, lambda scope: ()), EIS)) == 1
        return write(*given)

    monkeypatch.setattr(loading, "write", late)
    with pytest.raises(LakeBusy, match="by another process"):
        compaction.compact(lake, EIS)
    assert_frame_equal(read(lake, "M0", "M1"), before, check_exact=True)
    assert sum(pl.read_parquet(path, glob=False).height for path in paths_of(lake, lake.made())) == 110


def test_a_late_file_opens_no_file_of_another_time(lake: Lake) -> None:
    lake.append(EIS, readings("M1", dict.fromkeys(range(100), 1.0)))
    for path in Path(lake.address).rglob("*.parquet"):
        path.unlink()  # whoever opened it would fail
    assert loading.there(lake, EIS, [span("M1", 200, 300)]) == set()
    frame = readings("M1", {200: 1.0}, source=A)
    parts = loading.stage(lake, EIS, [frame], 2)
    assert loading.commit(lake, EIS, parts, [span("M1", 200, 200)])[1] == set()


def test_a_load_opens_no_file_of_other_meters_only(lake: Lake) -> None:
    """The files that are not to be opened are gone: who looked into one would fail."""
    long = "M" * 40
    for meters in (("M1", "M2"), ("M5", "M6"), (long,)):
        frames = [readings(meter, dict.fromkeys(range(50), 1.0)) for meter in meters]
        parts = loading.stage(lake, EIS, frames, loading.next_ordinal(lake, EIS))
        loading.commit(lake, EIS, parts, [span(meter, 0, 49) for meter in meters])
    lake.append(EIS, readings("M8", dict.fromkeys(range(50), 1.0)))
    for meter, there in (
        ("M0", set()),
        ("M2", {A}),
        ("M3", set()),
        ("M6", {A}),
        ("M8", {A}),
        (long, {A}),
        ("M9", set()),
    ):
        assert loading.there(lake, EIS, [span(meter, 0, 10)]) == there
    assert loading.there(lake, EIS, [span("M3", 0, 10), span("M7", 0, 10, B)]) == set()
    assert loading.there(lake, EIS, [span("M4", 0, 10), span("M5", 0, 10, B)]) == {B}
    for path in paths_of(lake, lake.made()):
        if pl.read_parquet(path, hive_partitioning=False)["meter"].max() != long:
            path.unlink()
    assert loading.there(lake, EIS, [span("M0", 0, 10), span("M00", 0, 10)]) == set()
    with pytest.raises(FileNotFoundError):
        loading.there(lake, EIS, [span("M2", 0, 10)])


def test_what_killed_loads_left_is_removed_and_nothing_else(lake: Lake) -> None:
    first = loading.stage(lake, EIS, [readings("M1", {0: 1.0})], 1)
    loading.commit(lake, EIS, first, [span("M1", 0, 0)])
    lake.append(EIS, readings("M0", {0: 2.0, 1: 3.0}, source=B))
    lake.append(EIS, readings("M1", {1: 4.0}, source=C))
    compaction.compact(lake, EIS)  # replaces files that version 1 still reads
    version = lake.version()
    killed = loading.stage(lake, EIS, [readings("M7", {0: 7.0})], 2)
    others = Path(lake.address) / "client=OTHER" / "month=2021-09" / "part-0.parquet"
    others.parent.mkdir(parents=True)
    others.write_bytes(b"another client's")
    for path in Path(lake.address).rglob("*.parquet"):
        os.utime(path, (0, time.time() - 2 * 86_400))
    going_on = loading.stage(lake, EIS, [readings("M8", {0: 8.0})], 2)
    before = set(Path(lake.address).rglob("*.parquet"))
    swept = sweeping.sweep(lake, EIS)
    assert before - set(Path(lake.address).rglob("*.parquet")) == {Path(lake.address) / killed[0].path}
    assert (swept.files, swept.bytes) == (1, killed[0].size)
    assert sweeping.sweep(lake, EIS).files == 0
    assert kwh(read(lake, "M1", version=1)) == [1.0]
    assert kwh(read(lake, "M0", "M1", version=version)) == [2.0, 3.0, 1.0, 4.0]
    # The load that goes on commits; one whose part somebody removed does not.
    loading.commit(lake, EIS, going_on, [span("M8", 0, 0)])
    assert kwh(read(lake, "M8")) == [8.0]
    with pytest.raises(LookupError, match="is gone; nothing was committed"):
        loading.commit(lake, EIS, killed, [span("M7", 0, 0)])
    assert kwh(read(lake, "M0", "M1", "M7", "M8")) == [2.0, 3.0, 1.0, 4.0, 8.0]


def test_what_killed_loads_left_beside_the_table_is_removed(tmp_path: Path) -> None:
    settings = Settings.load({}, home=tmp_path)
    other = Scope.operator("EIS-B")
    inbox = settings.inbox / "EIS"
    inbox.mkdir(parents=True)

    def killed(scope: Scope) -> Path:
        folder = Path(tempfile.mkdtemp(prefix=sweeping.waiting(scope), dir=tmp_path))
        (folder / "3.parquet").write_bytes(b"12345")
        return folder

    old, going_on, others = killed(EIS), killed(EIS), killed(other)
    half, kept = inbox / ".part-0123456789abcdef", inbox / "ab"
    half.write_bytes(b"1234567")
    kept.mkdir()
    for path in (old / "3.parquet", going_on, old, others / "3.parquet", others, half, kept):
        os.utime(path, (0, time.time() - 2 * 86_400))  # of the load that goes on, what it wrote last is new
    swept = sweeping.sweep_beside(settings, EIS)
    assert (swept.files, swept.bytes) == (2, 12)
    assert [path.exists() for path in (old, half, going_on, others, kept)] == [False, False, True, True, True]
    assert sweeping.sweep_beside(settings, EIS).files == 0
    with pytest.raises(OutOfScope):
        sweeping.sweep_beside(settings, Scope.customer("EIS", "C1"))


def test_nothing_is_removed_where_the_log_does_not_begin_at_its_beginning(lake: Lake) -> None:
    parts = loading.stage(lake, EIS, [readings("M1", {0: 1.0})], 1)
    loading.commit(lake, EIS, parts, [span("M1", 0, 0)])
    os.utime(Path(lake.address) / parts[0].path, (0, 0))
    (Path(lake.address) / "_delta_log" / f"{0:020}.json").rename(Path(lake.address) / "kept")
    assert sweeping.sweep(lake, EIS).files == 0
    assert (Path(lake.address) / parts[0].path).is_file()
