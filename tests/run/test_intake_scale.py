"""A folder of many files in one go: what comes of it is what one file after the other comes to."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from intake_folders import fill, know, put
from polars.testing import assert_frame_equal

from eisenergy.accounts import Scope
from eisenergy.contents import UnreadableFile
from eisenergy.desk.workspace import Workspace
from eisenergy.findings import blocked
from eisenergy.readings import read_any
from eisenergy.run import forked, intake, taking
from eisenergy.run import load as load_of_files
from eisenergy.store import compaction, files, sweeping
from eisenergy.store.lake import Lake

START, END = datetime(2021, 8, 1, tzinfo=UTC), datetime(2021, 11, 1, tzinfo=UTC)
METERS = 15
"""Three of every kind of file."""
MANY = 40
"""For a load that takes long enough to be killed."""


@pytest.fixture
def meters(workspace: Workspace, scope: Scope) -> list[str]:
    return know(workspace, scope, METERS)


@pytest.fixture
def fresh(workspace: Workspace, tmp_path: Path) -> Workspace:
    """The workspace's masters with a lake, an inbox and a register of the test's own."""
    from eisenergy.store import tables

    with workspace.database.session(Scope.operator("EIS")) as connection:
        had = {row.sha256 for row in connection.execute(tables.source_files.select())}
    assert not had, "each test has files of its own"
    return _aside(workspace, tmp_path)


def _aside(workspace: Workspace, tmp_path: Path) -> Workspace:
    home = tmp_path / "home"
    home.mkdir()
    settings = replace(workspace.settings, home=home, lake=str(home / "lake"), workers=2)
    return replace(workspace, settings=settings, lake=Lake.open(settings, workspace.database))


def one_by_one(folder: Path, paths: tuple[Path, ...], known: list[str]) -> pl.DataFrame:
    """The slow twin: every file read the slow way and appended by itself, in order of names."""
    lake, scope = Lake(str(folder), lambda scope: ()), Scope.operator("EIS")
    for path in paths:
        try:
            result = read_any(path, client="EIS")
        except UnreadableFile:
            continue
        if not blocked(result.findings) and set(result.meta.meters) <= set(known):
            lake.append(scope, result.frame)
    return lake.read(scope, known, START, END)


def test_a_folder_is_what_its_files_are_one_by_one(
    fresh: Workspace, scope: Scope, meters: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "BATCH_FILES", 9)
    monkeypatch.setattr(intake, "FIRST", (9, 9))
    monkeypatch.setattr(intake, "WORTH_SECONDS", 1e-9)
    monkeypatch.setattr(taking, "QUICK_BYTES", 0)
    monkeypatch.setattr(load_of_files, "SIZES_FROM", 0)
    processes: list[int] = []
    workers = forked.workers
    monkeypatch.setattr(forked, "workers", lambda count, *rest: processes.append(count) or workers(count, *rest))
    fill(tmp_path / "in", meters)
    paths = intake.gather([tmp_path / "in"])
    steps: list[str] = []
    report = intake.ingest(fresh, scope, paths, step=steps.append)
    assert processes == [2], "processes read what follows the first batches"
    assert sorted(steps) == sorted(path.name for path in paths)
    assert [file.path for file in report.files] == list(paths)
    refused = {file.path.parent.name: file.findings[-1].code for file in report.files if file.status == "refused"}
    assert refused == {"damaged": "unreadable-file", "unknown": "unknown-meter", "gap": "unreadable-file"}
    found = fresh.lake.read(scope, meters, START, END)
    assert_frame_equal(found, one_by_one(tmp_path / "twin", paths, meters), check_exact=True)
    assert (report.added, report.superseded) == (found.height, 2 * 96 + 96)
    # One commit for all that meets nothing, one for what had to be compared; the rest is known.
    assert report.version == 2
    again = intake.ingest(fresh, scope, paths)
    assert {file.status for file in again.files} == {"known", "refused"}
    assert (again.added, again.superseded, again.version) == (0, 0, 2)
    loaded = [entry for entry in files.sources(fresh.database, scope) if entry.status == "loaded"]
    assert {files.sha256_of(files.original(fresh.settings, scope, entry.sha256)) for entry in loaded} == {
        entry.sha256 for entry in loaded
    }
    # A late file is one small part, and putting the months in order changes no reading.
    before = {path: path.stat().st_mtime_ns for path in Path(fresh.lake.address).rglob("*.parquet")}
    late = intake.ingest(fresh, scope, [put(tmp_path / "late", meters[3], "log", date(2021, 10, 1), 2)])
    after = {path: path.stat().st_mtime_ns for path in Path(fresh.lake.address).rglob("*.parquet")}
    assert (late.added, len(after)) == (192, len(before) + 1)
    assert before.items() <= after.items()
    compaction.compact(fresh.lake, scope)
    assert_frame_equal(fresh.lake.read(scope, meters, START, datetime(2021, 10, 1, tzinfo=UTC)), found)
    assert not list(fresh.settings.home.glob(".intake-*"))


def test_files_are_hashed_beforehand_where_one_of_their_size_is_known(
    workspace: Workspace, scope: Scope, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, meters = _aside(workspace, tmp_path), know(workspace, scope, METERS + 9)[-3:]
    monkeypatch.setattr(load_of_files, "SIZES_FROM", 0)
    hashed: list[str] = []
    sha256_of = files.sha256_of
    monkeypatch.setattr(files, "sha256_of", lambda path: hashed.append(path.parent.name) or sha256_of(path))

    def outcome(*paths: Path) -> tuple[list[str], list[str], int]:
        hashed.clear()
        report = intake.ingest(fresh, scope, paths)
        return [file.status for file in report.files], sorted(hashed), report.added

    # Longer than the files of other tests, which are in the register, too.
    one = put(tmp_path / "one", meters[0], "log", date(2021, 9, 1), 5)
    other = put(tmp_path / "other", meters[1], "iso", date(2021, 9, 1), 6)
    again = put(tmp_path / "again", meters[0], "log", date(2021, 9, 1), 5)
    late = put(tmp_path / "late", meters[2], "iso", date(2021, 9, 1), 7)
    assert again.read_bytes() == one.read_bytes()
    assert len({path.stat().st_size for path in (one, other, late)}) == 3
    assert outcome(other) == (["loaded"], [], 6 * 96)
    assert outcome(one, again, late) == (["loaded"] * 3, ["again", "one"], 12 * 96)
    assert outcome(again, late, other) == (["known"] * 3, ["again", "late", "other"], 0)
    changed = one.read_bytes().replace(b",", b".", 1)
    one.write_bytes(changed)
    assert outcome(one)[1] == ["one"]


SPARED = """
import sys
from eisenergy.cli import main
from eisenergy.run import forked, intake, taking
if __name__ == "__main__":
    intake.SPARE_SECONDS, intake.SPARED_SECONDS, intake.BATCH_FILES, taking.QUICK_BYTES = 0.0, 1e-9, 4, 0
    begin = forked.Spare.begin
    forked.Spare.begin = lambda own, count, *rest: print("spare", count, file=sys.stderr) or begin(own, count, *rest)
    main()
"""


def test_the_command_has_files_read_by_processes_it_forks_before_anything_else(
    workspace: Workspace, scope: Scope, tmp_path: Path
) -> None:
    fresh, meters = _aside(workspace, tmp_path), know(workspace, scope, METERS + 6)[METERS:]
    script = tmp_path / "command.py"
    script.write_text(SPARED, encoding="utf-8")
    fill(tmp_path / "in", meters)
    paths = intake.gather([tmp_path / "in"])
    done = subprocess.run(
        [sys.executable, str(script), "ingest", str(tmp_path / "in"), "--json"],
        env={**os.environ, **fresh.environment()},
        capture_output=True,
        text=True,
    )
    assert "spare 2" in done.stderr, done.stderr
    assert [file["file"] for file in json.loads(done.stdout)["files"]] == list(map(str, paths))
    found = fresh.lake.read(scope, meters, START, END)
    assert_frame_equal(found, one_by_one(tmp_path / "twin", paths, meters), check_exact=True)


KILLED = """
import sys
from pathlib import Path
from dataclasses import replace
from eisenergy.accounts import Scope
from eisenergy.config import Settings
from eisenergy.desk.workspace import opened
from eisenergy.run import intake, taking
if __name__ == "__main__":
    intake.BATCH_FILES = 9
    intake.LOAD_ROWS = 5_000
    intake.FIRST = (4, 4)
    intake.WORTH_SECONDS = 1e-9
    taking.QUICK_BYTES = 0
    with opened(replace(Settings.load(), workers=2)) as workspace:
        print("ready", flush=True)
        intake.ingest(workspace, Scope.operator("EIS"), intake.gather([Path(sys.argv[1])]))
        print("done", flush=True)
"""


BESIDE = """
import sys
from pathlib import Path
from eisenergy.accounts import Scope
from eisenergy.config import Settings
from eisenergy.desk.workspace import opened
from eisenergy.run import intake
intake.LOAD_ROWS, intake.FIRST = 100, (2,) * 20
with opened(Settings.load()) as workspace:
    print("ready", flush=True)
    sys.stdin.readline()
    intake.ingest(workspace, Scope.operator("EIS"), intake.gather(map(Path, sys.argv[1:])))
"""


@pytest.mark.long
def test_two_loads_at_the_same_time_lose_and_double_nothing(workspace: Workspace, scope: Scope, tmp_path: Path) -> None:
    meters = know(workspace, scope, MANY)
    fresh = _aside(workspace, tmp_path)
    for side, seed in (("a", 1), ("b", 2)):
        for n, meter in enumerate(meters[:12]):
            if n % 3 == 0:  # both sides have the file
                put(tmp_path / side, meter, "log", date(2021, 9, 20), 1, seed=0)
            elif n % 3 == 1:  # both sides have the time, with other figures
                put(tmp_path / side, meter, "iso", date(2021, 9, 20), 1, seed=seed)
            else:
                put(tmp_path / side, meters[n + 12 * seed], "log", date(2021, 9, 20), 1)
    loads = [
        subprocess.Popen(
            [sys.executable, "-c", BESIDE, str(tmp_path / side)],
            env={**os.environ, **fresh.environment()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for side in ("a", "b")
    ]
    for load in loads:
        assert load.stdout is not None
        assert load.stdout.readline() == "ready\n"
    for load in loads:
        assert load.stdin is not None
        load.stdin.write("go\n")
        load.stdin.flush()
    for load in loads:
        load.communicate()
        assert load.returncode == 0
    table = fresh.lake.made()
    named = [Path(fresh.lake.address) / path for path in pl.DataFrame(table.get_add_actions(flatten=True))["path"]]
    columns = ["meter", "start", "source", "kwh_import", "loaded"]
    rows = pl.concat([pl.read_parquet(path, hive_partitioning=False).select(columns) for path in named])
    assert len(named) > 6, "both committed several times"
    assert rows.select("meter", "start", "source").is_unique().all(), "no file's reading is there twice"
    states = rows.group_by("meter", "start").len()
    twice = set(states.filter(pl.col("len") == 2)["meter"])
    assert twice == {meters[n] for n in range(12) if n % 3 == 1}, "two figures, two states; one file, one state"
    assert states["len"].max() == 2
    for path in (*(tmp_path / "a").iterdir(), *(tmp_path / "b").iterdir()):
        own = read_any(path, client="EIS").frame
        stored = rows.filter(pl.col("source") == files.sha256_of(path)).sort("start")
        assert_frame_equal(stored.select("meter", "start", "kwh_import"), own.select("meter", "start", "kwh_import"))
    # Of two states one was loaded later, for every interval of the file the same one, and that one stands.
    later = rows.sort("loaded").group_by("meter", "start").last().sort("meter", "start")
    assert rows.select("meter", "start", "loaded").is_unique().all()
    assert later.group_by("meter").agg(pl.col("source").n_unique())["source"].max() == 1
    found = fresh.lake.read(scope, meters, START, END)
    assert_frame_equal(found.select("meter", "start", "kwh_import"), later.select("meter", "start", "kwh_import"))
    status = {entry.sha256: entry.status for entry in files.sources(fresh.database, scope)}
    assert {status[source] for source in rows["source"].unique()} == {"loaded"}


@pytest.mark.long
def test_a_load_that_is_killed_is_completed_by_the_same_command(
    workspace: Workspace, scope: Scope, tmp_path: Path
) -> None:
    meters = know(workspace, scope, MANY)
    folder = tmp_path / "in"
    fill(folder, meters, days=3)
    paths = intake.gather([folder])
    script = tmp_path / "load.py"
    script.write_text(KILLED, encoding="utf-8")
    environment = {**os.environ, **workspace.environment()}
    twin = one_by_one(tmp_path / "twin", paths, meters)
    rng = random.Random(5)
    done = False
    for turn in range(12):
        child = subprocess.Popen(
            [sys.executable, str(script), str(folder)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        if turn < 11:
            time.sleep(rng.uniform(0.05, 3.5))
            os.killpg(child.pid, signal.SIGKILL)
        done = child.stdout.read() == "done\n"
        child.wait()
        child.stdout.close()
        # At any moment: a reading that is there is the one it will be, or the one before its correction.
        now = workspace.lake.read(scope, meters, START, END)
        assert now.select("meter", "start").join(twin, on=["meter", "start"], how="anti").is_empty()
    assert done
    assert_frame_equal(workspace.lake.read(scope, meters, START, END), twin, check_exact=True)
    again = intake.ingest(workspace, scope, paths)
    assert (again.added, again.superseded) == (0, 0)
    assert {file.status for file in again.files} == {"known", "refused"}
    left = [*workspace.settings.home.glob(".intake-*"), *workspace.settings.inbox.glob("*/.part-*")]
    assert left
    assert sweeping.sweep_beside(workspace.settings, scope).files == 0
    sweeping.sweep_beside(workspace.settings, scope, age=timedelta(0))
    assert not [path for path in left if path.exists()]
