"""A month of many customers, killed with ``kill -9`` somewhere, somehow: a plain re-run ends with each document exactly once.

``KILLS``, ``CUSTOMERS``, ``VICTIMS`` and ``SEED`` say how often, how many, whom and when; a person with an hour sets them lower.
Every kill has a number and a moment of its own: ``FIRST=11 KILLS=10`` goes on where ``KILLS=10`` ended. ``KEPT`` names a folder
for what all pieces begin with, so that it is made once. With ``-s`` every kill says what it came to, and what its steps took.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import crowd
import pytest
from machines import within

from eisenergy.run.orders import can_fork

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("KILLS", "50"))
FIRST = int(os.environ.get("FIRST", "1"))
CUSTOMERS = int(os.environ.get("CUSTOMERS", "500"))
SEED = int(os.environ.get("SEED", "2021"))
RUN = ("run", "2021-09", "--issued-on", "2021-10-05", "--json")
VICTIMS = tuple(os.environ.get("VICTIMS", "parent nursery child database").split())
MAIN = "from eisenergy.cli import main; main()"

Files = dict[str, tuple[int, str]]
"""Path -> when it was put into place [ns], and the hash of its bytes."""


@dataclass(frozen=True, kw_only=True)
class Undisturbed:
    """What a run that nobody kills gives, and when it does what [s]."""

    invoices: list[dict[str, Any]]
    documents: dict[str, str]
    publishing: float
    ended: float


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EISENERGY_")}
    chosen = {"EISENERGY_HOME": str(home), "EISENERGY_BATCH": "5", "EISENERGY_RENDERER": "embedded"}
    return {**kept, **chosen, "EISENERGY_WORKERS": "2", "PYTHONPATH": str(ROOT)}


def start(home: Path, errors: Path) -> subprocess.Popen[bytes]:
    with errors.open("wb") as told:
        return subprocess.Popen(
            [sys.executable, "-c", MAIN, *RUN], cwd=ROOT, env=environment(home), stdout=subprocess.DEVNULL, stderr=told
        )


def command(home: Path, *words: str) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        cwd=ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=300 + 30 * CUSTOMERS,
    )
    assert ended.returncode == 0, f"{words}: {ended.stdout[-3000:]}{ended.stderr[-3000:]}"
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


def children(parent: int) -> list[int]:
    """Processes that a process started, as the system lists them."""
    found = []
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            found += [int(number) for number in task.read_text().split()]
        except OSError:
            continue
    return found


def cwd(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def nursery(of: int) -> list[int]:
    found = []
    for pid in children(of):
        try:
            if b"eisenergy.run.nursery" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


def database(home: Path) -> list[int]:
    """The server and what serves a connection: ``kill -9`` of either throws everybody out."""
    try:
        data = home / "pg" / (home / "pg" / "current").read_text(encoding="utf-8").strip()
        pid = int((data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return []
    return [pid, *children(pid)] if cwd(pid) == str(data) else []


def find(victim: str, pid: int, home: Path) -> list[int]:
    if victim == "parent":
        return [pid]
    if victim == "database":
        return database(home)
    parents = nursery(pid)
    return parents if victim == "nursery" else [child for one in parents for child in children(one)]


def left_running(home: Path) -> Iterator[str]:
    """Processes of ours that still work for a workspace."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            ours = f"EISENERGY_HOME={home}\0".encode() in (path / "environ").read_bytes()
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if ours and words:
            yield words


def tree(home: Path) -> Files:
    found = {}
    for folder in ("runs", "sites"):
        for path in sorted((home / folder).rglob("*")):
            if path.is_file() and path.suffix != ".lock" and path.name != ".lock":
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[path.relative_to(home).as_posix()] = (path.stat().st_mtime_ns, digest)
    return found


def complete(home: Path) -> set[str]:
    """Folders of the sites whose stamp says that everything is there."""
    return {path.parent.name for path in (home / "runs" / "EIS" / "2021-09").glob("*/stamp.json")}


def papers(files: Files) -> dict[str, str]:
    """What customers get: everything in the sites. Executed notebooks hold times, so their bytes differ."""
    return {name: digest for name, (_, digest) in files.items() if name.startswith("sites/")}


def watched(process: subprocess.Popen[bytes], pause: Callable[[], None]) -> tuple[float, float]:
    """Wait for a run, and return when it began to publish and when it ended."""
    began = time.monotonic()
    publishing = 0.0
    while process.poll() is None:
        if not publishing and nursery(process.pid):
            publishing = time.monotonic() - began
        pause()
    return publishing, time.monotonic() - began


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of many customers with their readings, nothing billed; its server is stopped, so it can be copied."""
    folder = Path(os.environ["KEPT"]) if "KEPT" in os.environ else tmp_path_factory.mktemp("crowd")
    home = folder / f"home-{CUSTOMERS}"
    made = folder / f"made-{CUSTOMERS}"
    if not made.exists():
        shutil.rmtree(home, ignore_errors=True)
        crowd.make(home, CUSTOMERS)
        made.touch()
    return home


@pytest.fixture(scope="module")
def undisturbed(prepared: Path) -> Undisturbed:
    kept = prepared.with_name(f"undisturbed-{CUSTOMERS}.json")
    if kept.exists():
        return Undisturbed(**json.loads(kept.read_text(encoding="utf-8")))
    home = copied(prepared, prepared.with_name("undisturbed"))
    process = start(home, home / "errors")
    publishing, ended = watched(process, lambda: time.sleep(0.05))
    assert process.returncode == 0, (home / "errors").read_text()
    found = Undisturbed(
        invoices=command(home, "invoices", "list", "--json")["invoices"],
        documents=papers(tree(home)),
        publishing=publishing,
        ended=ended,
    )
    shutil.rmtree(home)
    kept.write_text(json.dumps(asdict(found)), encoding="utf-8")
    print(f"undisturbed: {ended:.1f} s, documents from {publishing:.1f} s on", flush=True)
    return found


def copied(prepared: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    subprocess.run(["cp", "-a", str(prepared), str(to)], check=True)
    return to


@pytest.mark.long
@pytest.mark.skipif(not can_fork(), reason="this system does not fork")
def test_whatever_is_killed_a_plain_re_run_completes_the_month(prepared: Path, undisturbed: Undisturbed) -> None:
    assert [one["number"] for one in undisturbed.invoices] == [f"FAC-{n:06d}" for n in range(1, CUSTOMERS + 1)]
    for moment in range(FIRST - 1, FIRST - 1 + KILLS):
        chance = random.Random(f"{SEED} {moment}")
        victim = VICTIMS[moment % len(VICTIMS)]
        # Every second kill of the command or the database falls into drafts and invoices; the others exist later only.
        early = victim in ("parent", "database") and moment // len(VICTIMS) % 2 == 0
        low, high = (0.0, undisturbed.publishing) if early else (undisturbed.publishing, 0.95 * undisturbed.ended)
        wait = chance.uniform(low, high)
        while True:
            home = copied(prepared, prepared.with_name(f"killed-{os.getpid()}"))
            began = time.monotonic()
            killed = kill_one(home, victim, wait, chance, limit=120 + 4 * undisturbed.ended)
            if killed is not None:
                break
            wait *= 0.8  # the run was faster than the undisturbed one, and had ended
        took = time.monotonic() - began
        what = f"{moment + 1}: {victim} killed after {wait:.1f} of {undisturbed.ended:.1f} s"
        print(f"{what}: {killed} after {took:.1f} s", end="", flush=True)
        print(f"; {check_completed(home, undisturbed, f'{what} ({killed})')}, complete", flush=True)
        shutil.rmtree(home)


def kill_one(home: Path, victim: str, wait: float, chance: random.Random, *, limit: float) -> str | None:
    """Start a run, kill a process of it at a moment, and return how the run ended; ``None`` when it ended before."""
    errors = home / "errors"
    process = start(home, errors)
    time.sleep(wait)
    hit = False
    while process.poll() is None and not hit:
        if found := find(victim, process.pid, home):
            try:
                os.kill(chance.choice(found), signal.SIGKILL)
            except ProcessLookupError:
                continue
            hit = True
        else:
            time.sleep(0.01)
    process.wait(limit)  # what is killed may cost documents, never the end of the command
    said = errors.read_text(encoding="utf-8", errors="replace")
    if victim != "parent":
        assert process.returncode in (0, 1, 3), said
        assert "Traceback" not in said, said
    assert within(30, lambda: not list(left_running(home))), list(left_running(home))
    return f"exit {process.returncode}" if hit else None


def check_completed(home: Path, undisturbed: Undisturbed, what: str) -> str:
    """Run the same command again, and look at everything. :returns: what there was to do, and how long it took"""
    there, before = complete(home), tree(home)
    began = time.monotonic()
    report = command(home, *RUN)
    took = time.monotonic() - began
    after = tree(home)
    kept = {site["subject"] for site in report["sites"] if not site["made"]}
    # The operator's page may be made again: it links sites that were not there yet.
    assert kept - {"operator"} == there - {"_operator"}, what
    for name, seen in before.items():
        parts = Path(name).parts
        owner = parts[3] if parts[0] == "runs" else parts[2]
        if owner in kept:
            assert after[name] == seen, f"{what}: {name} was there and was made again"
    invoices = command(home, "invoices", "list", "--json")["invoices"]
    assert invoices == undisturbed.invoices, what
    assert papers(after) == undisturbed.documents, what
    left = [name for name in after if ".part" in name or Path(name).match(".*.ipynb") or ".staging" in name]
    assert left == [], what
    staged = [p for p in (home / "sites").rglob(".staging/*") if p.is_dir()]
    assert staged == [], what
    assert not [site for site in command(home, "publish", "2021-09", "--json")["sites"] if site["made"]], what
    return f"{len(there)} of {len(report['sites'])} sites were there; the re-run took {took:.1f} s"
