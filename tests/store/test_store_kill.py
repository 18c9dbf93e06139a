"""A process that takes files in and issues invoices is killed at random moments; run again, it ends as if nothing had been."""

from __future__ import annotations

import random
import subprocess
import time
from collections import deque
from pathlib import Path

import pytest
from store_cases import EIS, SEPTEMBER, START, finish, make_client, make_contract, start_child
from store_readings import kwh

from eisenergy.config import Settings
from eisenergy.store import books, files, masters
from eisenergy.store.database import Database
from eisenergy.store.lake import Lake

KILLS = 6
CONTRACTS = 3
SLOTS = 200

WORK = """
import sys
from datetime import timedelta
from pathlib import Path
from store_cases import *
from store_readings import readings
from eisenergy.store import books, files
from eisenergy.store.database import Database
from eisenergy.store.files import SourceFile
from eisenergy.store.lake import Lake

folder = Path(sys.argv[1])
settings = Settings.load()
print("ready", flush=True)
rounds = int(sys.stdin.readline())

def ingest(database, lake, path):
    sha256 = files.archive(settings, EIS, path)
    if files.registered(database, EIS, sha256) is not None:
        return
    version = None
    if not lake.source_loaded(EIS, sha256):
        value = float(path.read_text())
        version = lake.append(EIS, readings("M1", dict.fromkeys(range(200), value), source=sha256)).version
    files.register(database, EIS, SourceFile(sha256=sha256, name=path.name, bytes=path.stat().st_size, kind="readings",
        status="loaded", received_at=AT, lake_version=version, meters=("M1",), rows=200))

with Database.open(settings) as database:
    lake = Lake.open(settings, database)
    for turn in range(rounds):
        for path in sorted(folder.glob(f"{turn:02d}-*.csv")):
            ingest(database, lake, path)
        month = SEPTEMBER.plus(turn)
        books.save_drafts(database, EIS, month, [make_draft(make_contract(n), month) for n in range(1, 4)])
        books.issue(database, EIS, month, client=make_client(), issued_on=AT.date(), at=AT)
"""


def check(database: Database, lake: Lake, settings: Settings) -> None:
    """What must hold at any moment: everything is as before a step or as after it."""
    invoices = books.invoices(database, EIS)
    assert [invoice.sequence for invoice in invoices] == list(range(1, len(invoices) + 1))
    assert len(invoices) % CONTRACTS == 0
    assert len({(invoice.bill.contract.number, invoice.month) for invoice in invoices}) == len(invoices)
    values = kwh(lake.read(EIS, ["M1"], START, START + SPAN))
    assert len(values) in (0, SLOTS)
    assert len(set(values)) <= 1  # a file is in the lake whole or not at all
    for path in (settings.inbox / "EIS").glob("*/*"):
        assert files.sha256_of(path) == path.name  # no half copy bears a name


SPAN = 40 * (SEPTEMBER.period.end - SEPTEMBER.period.start)


def begin(child: subprocess.Popen[str], rounds: int) -> None:
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "ready\n", child.communicate()[1]
    child.stdin.write(f"{rounds}\n")
    child.stdin.flush()


def run_through(child: subprocess.Popen[str]) -> None:
    begin(child, KILLS)
    finish(child)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    for turn in range(KILLS):
        for part in range(2):
            (tmp_path / f"{turn:02d}-{part}.csv").write_text(f"{turn}.{part}5\n", encoding="utf-8")
    return tmp_path


@pytest.mark.long
def test_a_kill_at_any_moment_is_made_good_by_running_again(
    settings: Settings, database: Database, lake: Lake, inbox: Path
) -> None:
    masters.save_client(database, EIS, make_client())
    masters.save_contracts(database, EIS, [make_contract(n) for n in range(1, CONTRACTS + 1)])
    dice = random.Random(20211001)
    inside = 0
    children = deque(start_child(WORK, settings, str(inbox)) for _ in range(3))  # they load while others work
    for turn in range(1, KILLS + 1):
        child = children.popleft()
        children.append(start_child(WORK, settings, str(inbox)))
        begin(child, turn)
        time.sleep(dice.uniform(0.02, 0.5))
        inside += child.poll() is None
        child.kill()
        child.communicate()
        check(database, lake, settings)
    assert inside >= KILLS // 2, "the kills came too late to prove anything"
    run_through(children.popleft())
    check(database, lake, settings)
    first = books.invoices(database, EIS)
    version = lake.version()
    registered = files.sources(database, EIS)
    assert [str(invoice.month) for invoice in first][::CONTRACTS] == [str(SEPTEMBER.plus(n)) for n in range(KILLS)]
    assert {file.name for file in registered} == {path.name for path in inbox.iterdir()}
    assert version == 2 * KILLS  # every file was written once
    assert kwh(lake.read(EIS, ["M1"], START, START + SPAN)) == [KILLS - 1 + 0.15] * SLOTS
    run_through(children.popleft())
    assert (books.invoices(database, EIS), lake.version(), files.sources(database, EIS)) == (first, version, registered)
    spare = children.popleft()
    spare.kill()
    spare.communicate()
