from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from store_cases import EIS, OTHER, QUARTER, START, finish, make_client, make_contract, start_child
from store_readings import kwh, readings

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.config import Settings
from eisenergy.frames import readings_schema
from eisenergy.store import masters
from eisenergy.store.database import Database
from eisenergy.store.lake import NOTHING, Commit, Lake
from eisenergy.variables import BadSetting

END = START + 1000 * QUARTER
A, B = "a" * 64, "b" * 64


def unlimited(address: Path | str) -> Lake:
    return Lake(str(address), lambda scope: ())


def read(lake: Lake, *meters: str, version: int | None = None, scope: Scope = EIS) -> pl.DataFrame:
    return lake.read(scope, meters, START, END, version=version)


def test_an_empty_lake_answers(tmp_path: Path) -> None:
    lake = unlimited(tmp_path / "lake")
    assert lake.version() == NOTHING
    assert read(lake, "M1").is_empty()
    assert not lake.source_loaded(EIS, A)
    assert lake.compact(EIS) == 0
    with pytest.raises(LookupError, match="no version 3"):
        read(lake, "M1", version=3)


def test_what_is_written_comes_back_as_the_canonical_frame(tmp_path: Path) -> None:
    lake = unlimited(tmp_path / "lake")
    frame = readings("M1", {1: 2.5, 0: 0.1 + 0.2, 2: None})
    assert lake.append(EIS, frame) == Commit(version=1, added=3, superseded=0, unchanged=0)
    assert readings_schema().validate(read(lake, "M1")).equals(frame.sort("start"))
    assert read(lake, "M2").is_empty()
    assert read(lake, "M1", scope=OTHER).is_empty()


def test_files_without_a_meter_are_not_opened_and_nothing_is_missed(tmp_path: Path) -> None:
    lake = unlimited(tmp_path / "lake")
    loads = [("M1", "M5"), ("M2", "M3"), ("M4", "M6"), ("M3", "M3")]
    for n, meters in enumerate(loads):
        rows = [
            readings(meter, {2 * n: 1.0 + n, 2 * n + 1: None}, source=f"{n}" * 64) for meter in dict.fromkeys(meters)
        ]
        lake.append(EIS, pl.concat(rows))
    everything = read(
        lake, *(f"M{n}" for n in range(1, 8)), *(f"X{n}" for n in range(60))
    )  # too many to look for file by file
    assert everything.height == 14
    for meters in (["M1"], ["M2"], ["M3"], ["M6", "M1"], ["M0"], ["M7"], ["M35", "M4"]):
        for version in (None, lake.version()):
            assert read(lake, *meters, version=version).equals(everything.filter(pl.col("meter").is_in(meters)))
    table = lake.table()
    assert table is not None
    months = (f"{START:%Y-%m}", f"{END:%Y-%m}")
    opened = {
        meter: lake._scan(table, EIS, *months, [meter]).select(pl.len()).collect().item()
        for meter in ("M2", "M6", "M7")
    }
    assert opened == {"M2": 8, "M6": 4, "M7": 0}  # rows of the files whose meters go from one below to one above


def test_the_newest_version_is_the_tables_own(tmp_path: Path) -> None:
    lake = unlimited(tmp_path / "lake")
    for n in range(3):
        lake.append(EIS, readings("M1", {n: 1.0}, source=f"{n}" * 64))
        table = lake.table()
        assert table is not None
        assert lake.version() == table.version() == n + 1


def test_another_table_in_the_same_folder_is_another(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        lake = unlimited(tmp_path / "lake")
        lake.append(EIS, readings("M1", {0: value}))
        assert kwh(read(lake, "M1", version=1)) == kwh(read(lake, "M1", version=1)) == [value]
        (tmp_path / "lake").rename(tmp_path / f"before-{value}")


def test_the_same_file_twice_makes_no_version(tmp_path: Path) -> None:
    lake = unlimited(tmp_path / "lake")
    lake.append(EIS, readings("M1", {0: 1.0, 1: None}))
    files = sorted(tmp_path.rglob("*"))
    assert lake.append(EIS, readings("M1", {0: 1.0, 1: None}, source=B)) == Commit(
        version=1, added=0, superseded=0, unchanged=2
    )
    assert lake.version() == 1
    assert sorted(tmp_path.rglob("*")) == files


def test_a_file_that_was_corrected_since_is_not_written_again(tmp_path: Path) -> None:
    lake = unlimited(tmp_path / "lake")
    first, correction = readings("M1", {0: 1.0, 1: 2.0}, source=A), readings("M1", {1: 3.0}, source=B)
    lake.append(EIS, first)
    lake.append(EIS, correction)
    for load in (first, correction, pl.concat([first, correction]), pl.concat([correction, first])):
        assert lake.append(EIS, load) == Commit(version=2, added=0, superseded=0, unchanged=load.height)
    assert kwh(read(lake, "M1")) == [1.0, 3.0]
    third = lake.append(EIS, pl.concat([first, readings("M1", {0: 7.0})]))
    assert (third.superseded, third.unchanged) == (1, 2)
    assert kwh(read(lake, "M1")) == [7.0, 3.0]


def test_a_correction_supersedes_and_the_earlier_state_stays(tmp_path: Path) -> None:
    lake = unlimited(tmp_path / "lake")
    lake.append(EIS, readings("M1", {0: 1.0, 1: 2.0, 2: None}, source=A))
    second = lake.append(EIS, readings("M1", {1: 7.0, 2: 3.0, 0: 1.0, 3: 4.0}, source=B))
    assert second == Commit(version=2, added=1, superseded=2, unchanged=1)
    assert kwh(read(lake, "M1")) == [1.0, 7.0, 3.0, 4.0]
    assert read(lake, "M1")["source"].to_list() == [A, B, B, B]
    assert kwh(read(lake, "M1", version=1)) == [1.0, 2.0, None]
    assert lake.source_loaded(EIS, A)
    assert lake.source_loaded(EIS, B)
    assert not lake.source_loaded(OTHER, A)


def test_many_files_are_one_write_and_the_later_one_wins(tmp_path: Path) -> None:
    lake = unlimited(tmp_path / "lake")
    load = pl.concat([readings("M1", {0: 1.0, 1: 2.0}), readings("M1", {1: 9.0, 0: 1.0}, source=B)])
    assert lake.append(EIS, load) == Commit(version=1, added=2, superseded=1, unchanged=1)
    assert kwh(read(lake, "M1")) == [1.0, 9.0]
    assert lake.append(EIS, readings("M1", {1: 2.0})).superseded == 1
    assert kwh(read(lake, "M1")) == [1.0, 2.0]


def test_one_small_file_rewrites_nothing_and_a_read_opens_its_month_alone(tmp_path: Path) -> None:
    lake = unlimited(tmp_path / "lake")
    lake.append(EIS, readings("M1", dict.fromkeys(range(96 * 60), 1.0)))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    lake.append(EIS, readings("M1", {5: 2.0}))
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    assert len(after) == len(before) + 1
    assert before.items() <= after.items()
    for path in tmp_path.rglob("client=EIS/month=2021-10/*.parquet"):
        path.unlink()  # a read of September must not miss it
    september = lake.read(EIS, ["M1"], START, datetime(2021, 9, 30, tzinfo=UTC))
    assert september.height == (datetime(2021, 9, 30, tzinfo=UTC) - START) // QUARTER


def test_compacting_loses_no_row_and_no_version(tmp_path: Path) -> None:
    lake = unlimited(tmp_path / "lake")
    for slot in range(12):  # beyond the point where Delta writes a checkpoint
        lake.append(EIS, readings("M1", {slot: 1.0, 0: float(slot)}))
    now, then = read(lake, "M1"), read(lake, "M1", version=4)
    assert lake.compact(EIS) == 12
    assert read(lake, "M1").equals(now)
    assert read(lake, "M1", version=4).equals(then)
    assert lake.append(EIS, readings("M1", {0: 50.0})).superseded == 1
    assert kwh(read(lake, "M1"))[0] == 50.0
    assert kwh(read(lake, "M1", version=1)) == [0.0]


slots = st.dictionaries(st.integers(0, 5), st.sampled_from([None, 0.0, 1.0, 2.5]), min_size=1)
loads = st.lists(st.lists(st.tuples(st.sampled_from(["M1", "M2"]), slots), min_size=1, max_size=3), max_size=5)


@examples(max_examples=15, deadline=None, derandomize=True)
@given(loads)
def test_any_sequence_of_loads_reads_as_a_plain_dictionary(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[list[tuple[str, dict[int, float | None]]]]
) -> None:
    lake = unlimited(tmp_path_factory.mktemp("lake") / "t")
    state: dict[tuple[str, int], float | None] = {}
    states = {NOTHING: dict(state)}
    for load in sequence:
        added = superseded = unchanged = 0
        for meter, values in load:
            for slot, value in values.items():
                key = (meter, slot)
                if key not in state:
                    added += 1
                elif state[key] != value:
                    superseded += 1
                else:
                    unchanged += 1
                state[key] = value
        commit = lake.append(EIS, pl.concat([readings(meter, values) for meter, values in load]))
        assert (commit.added, commit.superseded, commit.unchanged) == (added, superseded, unchanged)
        assert commit.version == lake.version()
        states[commit.version] = dict(state)
    for version, expected in states.items():
        frame = read(lake, "M1", "M2", version=version)
        found = {
            (meter, int((start - START) / QUARTER)): value
            for meter, start, value in frame.select("meter", "start", "kwh_import").iter_rows()
        }
        assert found == expected


def test_a_load_belongs_to_the_scopes_client(tmp_path: Path) -> None:
    lake = unlimited(tmp_path / "lake")
    with pytest.raises(OutOfScope, match="client EIS"):
        lake.append(EIS, readings("M1", {0: 1.0}, client="LUZ"))
    with pytest.raises(OutOfScope, match="reads only"):
        lake.append(Scope.customer("EIS", "EIS-0001"), readings("M1", {0: 1.0}))
    with pytest.raises(ValueError, match="readings without meter"):
        lake.append(EIS, readings("M1", {0: 1.0}).with_columns(meter=pl.lit(None, pl.String)))
    assert lake.version() == NOTHING


def test_a_customer_reads_its_own_meters_in_its_own_time(lake: Lake, database: Database) -> None:
    masters.save_client(database, EIS, make_client())
    moved = make_contract(3).meter
    contracts = [
        make_contract(1),
        make_contract(2),
        make_contract(3, end=date(2021, 9, 2)),
        make_contract(4, meter=moved, start=date(2021, 9, 2)),
    ]
    masters.save_contracts(database, EIS, contracts)
    for meter in ("M1", "M2", "M3"):
        lake.append(EIS, readings(meter, dict.fromkeys(range(192), 1.0)))
    own = Scope.customer("EIS", "EIS-0001")
    assert lake.read(own, ["M1"], START, END).height == 192
    with pytest.raises(OutOfScope, match="M2"):
        lake.read(own, ["M1", "M2"], START, END)
    with pytest.raises(OutOfScope, match="M9"):
        lake.read(own, ["M9"], START, END)
    with pytest.raises(OutOfScope, match="M1"):
        lake.read(Scope.customer("LUZ", "EIS-0001"), ["M1"], START, END)
    with pytest.raises(OutOfScope, match="several customers"):
        lake.source_loaded(own, A)
    day = START + 96 * QUARTER
    before = lake.read(Scope.customer("EIS", "EIS-0003"), ["M3"], START, END)
    after = lake.read(Scope.customer("EIS", "EIS-0004"), ["M3"], START, END)
    assert (before.height, before["start"].max()) == (96, day - QUARTER)
    assert (after.height, after["start"].min()) == (96, day)
    both = Scope(client="EIS", role=Role.CUSTOMER_MANAGER, customers=frozenset({"EIS-0003", "EIS-0004"}))
    assert lake.read(both, ["M3"], START, END).height == 192


WRITER = """
import sys
from store_cases import EIS
from store_readings import readings
from eisenergy.store.lake import Lake
lake = Lake(sys.argv[1], lambda scope: ())
mine = float(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for turn in range(8):
    lake.append(EIS, readings("M1", {0: mine + turn, int(mine) + turn: 1.0}))
"""


def let_go(children: list[subprocess.Popen[str]]) -> None:
    """When all are ready, let them work, and wait for their ends."""
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    for child in children:
        finish(child)


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path, settings: Settings) -> None:
    address = tmp_path / "un lago #1 ñ"
    children = [start_child(WRITER, settings, str(address), str(writer * 100)) for writer in (1, 2, 3)]
    let_go(children)  # all at once: they make the table, too
    lake = unlimited(address)
    assert lake.version() == 24
    frame = read(lake, "M1")
    assert frame.height == 25
    history = pl.concat([read(lake, "M1", version=version).head(1) for version in range(1, 25)])
    assert history["kwh_import"].n_unique() == 24  # no load hid another's
    assert {value % 100 for value in kwh(frame)[:1] if value} == {7.0}


def test_another_layout_of_the_same_columns_is_the_same_reading(tmp_path: Path) -> None:
    lake = unlimited(tmp_path / "lake")
    frame = readings("M1", {0: 1.0})
    lake.append(EIS, frame)
    assert lake.append(EIS, frame.select(sorted(frame.columns))).unchanged == 1
    kept = frame.with_columns(extra=pl.lit('{"alarma": "1"}'), source=pl.lit(B))
    assert lake.append(EIS, kept).superseded == 1  # what a file says beside the reading is kept


@pytest.mark.parametrize("name", ["Mis documentos", "año #1", "a?b*c", "o'hara", "x:y"])
def test_any_usual_folder_name_holds_a_lake(tmp_path: Path, name: str) -> None:
    lake = unlimited(tmp_path / name)
    lake.append(EIS, readings("M1", {0: 1.0}))
    lake.append(EIS, readings("M1", {1: 2.0}))
    assert kwh(read(lake, "M1")) == [1.0, 2.0]
    assert (tmp_path / name / "_delta_log").is_dir()


@pytest.mark.parametrize("name", ["a[1]", "100%20", "a|b", "a^b", "a\\b"])
def test_a_folder_name_the_format_cannot_hold_is_refused_in_words(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSetting, match="Choose another EISENERGY_HOME"):
        unlimited(tmp_path / name)


def test_settings_name_the_lake(settings: Settings, database: Database, tmp_path: Path) -> None:
    elsewhere = replace(settings, lake=str(tmp_path / "elsewhere"))
    Lake.open(elsewhere, database).append(EIS, readings("M1", {0: 1.0}))
    assert (tmp_path / "elsewhere" / "_delta_log").is_dir()


MAKER = """
import sys
from store_cases import EIS
from store_readings import readings
from eisenergy.store.lake import Lake
frame = readings("M1", {int(sys.argv[2]): 1.0})
print("ready", flush=True)
sys.stdin.readline()
Lake(sys.argv[1], lambda scope: ()).append(EIS, frame)
"""


@pytest.mark.long  # three make one, and go on writing, in test_writers_at_the_same_time_lose_nothing
def test_a_table_that_several_make_at_once_is_made_once(tmp_path: Path, settings: Settings) -> None:
    children = [start_child(MAKER, settings, str(tmp_path / "lake"), str(slot)) for slot in range(4)]
    let_go(children)
    lake = unlimited(tmp_path / "lake")
    assert lake.version() == 4
    assert kwh(read(lake, "M1")) == [1.0] * 4


def test_some_columns_are_those_of_all(lake: Lake, database: Database) -> None:
    masters.save_client(database, EIS, make_client())
    masters.save_contracts(database, EIS, [make_contract(5, end=date(2021, 9, 2)), make_contract(6)])
    assert lake.read(EIS, ["M5"], START, END, columns=("kwh_import",)).columns == ["kwh_import"]
    for late in (0.0, 1.0):  # the second load corrects some of the first, and comes from an earlier month, too
        for meter in ("M5", "M6"):
            lake.append(EIS, readings(meter, {n: n + late for n in range(-int(3000 * late), 200, 2 + int(late))}))
    wide = START - 3000 * QUARTER
    for meters in (["M5"], ["M6", "M5"], [*(f"X{n}" for n in range(60)), "M5", "M6"], []):
        whole = lake.read(EIS, meters, wide, END)
        assert whole.select("meter", "start").rows() == sorted(set(whole.select("meter", "start").rows()))
        assert whole.height == 1133 * len({"M5", "M6"} & set(meters))
        for columns in (("kwh_import", "quality"), ("start",), ("source", "meter")):
            assert lake.read(EIS, meters, wide, END, columns=columns).equals(whole.select(columns))
    own = Scope.customer("EIS", "EIS-0005")
    mine = lake.read(own, ["M5"], START, END)
    assert 0 < mine.height < lake.read(EIS, ["M5"], START, END).height
    assert lake.read(own, ["M5"], START, END, columns=("kwh_import",)).equals(mine.select("kwh_import"))
    with pytest.raises(OutOfScope):
        lake.read(own, ["M6"], START, END, columns=("kwh_import",))
