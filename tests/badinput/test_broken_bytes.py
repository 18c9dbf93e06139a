"""Broken bytes: whatever a file holds, a reader answers with readings or with a refusal that a person can read.

The mutations are drawn from named seeds, so that a failure names the file that shows it.
"""

from __future__ import annotations

import io
import random
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import bad_files as bad
import pytest

from eisenergy import readings
from eisenergy.contents import UnreadableFile
from eisenergy.masters import calendars, customers
from eisenergy.sheets import open_sheets
from eisenergy.tariffs import load
from eisenergy.timeofuse import CalendarError

Answer = Callable[[Path], object]


def mutated(data: bytes, draw: random.Random) -> bytes:
    """A file after a broken download, a disk's fault, or an editor's slip."""
    if draw.random() < 0.2:
        return data[: draw.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(draw.choice([1, 3, 10, 60])):
        at = draw.randrange(len(changed))
        kind = draw.random()
        if kind < 0.35:
            changed[at] = draw.randrange(256)
        elif kind < 0.6:
            changed[at] = draw.choice(b';,.:-/ 0123456789\r\n"\0\tkWh<>')
        elif kind < 0.75:
            del changed[at : at + draw.randrange(1, 30)]
        elif kind < 0.85:
            changed[at:at] = draw.randbytes(draw.randrange(1, 8))
        else:
            other = draw.randrange(len(changed))
            changed[at:at] = changed[other : other + draw.randrange(1, 200)]
        if not changed:
            break
    return bytes(changed)


def repacked(data: bytes, draw: random.Random) -> bytes:
    """A workbook with one broken member in a whole archive, so that its checksums are right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw.choice(sorted(members))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each, content in members.items():
            archive.writestr(each, mutated(content, draw) if each == name else content)
    return buffer.getvalue()


def answers(path: Path, answer: Answer, seed: str, tally: Counter[str]) -> None:
    """Ask for an answer: a result or a documented refusal that says enough."""
    try:
        answer(path)
    except (UnreadableFile, CalendarError) as error:
        message = str(error)
        assert len(message) > 30, f"{seed}: {message!r}"
        assert path.name in message, f"{seed}: {message!r} names no file"
        assert "Traceback" not in message, seed
        tally["refused"] += 1
    except BaseException as error:
        raise AssertionError(f"{seed}: {type(error).__name__}: {error}") from error
    else:
        tally["answered"] += 1


def lines(path: Path, count: int) -> bytes:
    return b"\n".join(path.read_bytes().split(b"\n")[:count]) + b"\n"


@pytest.mark.parametrize("look", [False, True], ids=["read", "preview"])
def test_a_broken_log(tmp_path: Path, masters: Path, look: bool) -> None:
    original = lines(masters / bad.LOG, 200)
    ask: Answer = lambda path: (readings.preview if look else readings.read)(path, client="EIS")  # noqa: E731
    path = tmp_path / bad.LOG
    path.write_bytes(original + b"13/09/2021;00:15;4,500;0,000;1,000;190000,000;OK\r\n")
    ask(path)
    tally: Counter[str] = Counter()
    for number in range(120):
        seed = f"log/{number}"
        draw = random.Random(seed)
        path.write_bytes(mutated(original, draw) if number % 20 else draw.randbytes(draw.choice([1, 60, 3000])))
        answers(path, ask, seed, tally)
    assert tally["refused"] > 10
    assert tally["answered"] > 10 or look


def test_a_broken_table_with_carriage_returns(tmp_path: Path) -> None:
    tally: Counter[str] = Counter()
    path = bad.table(tmp_path / "5741504.csv", bad.september(200))
    original = path.read_bytes()
    for number in range(120):
        seed = f"table/{number}"
        draw = random.Random(seed)
        broken = bytearray(mutated(original, draw))
        for _ in range(3):
            at = draw.randrange(len(broken) + 1)
            broken[at:at] = draw.choice([b"\r", b"\n", b'"', b"\r\r\n", b",", b"\0"])
        path.write_bytes(bytes(broken))
        answers(path, lambda path: readings.read(path, client="EIS"), seed, tally)
    assert tally["refused"] > 10
    assert tally["answered"] > 3


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        (bad.CUSTOMERS, customers.read),
        (bad.TARIFF, load.read_spreadsheet),
        (bad.BLOCKS, lambda path: calendars.read_spreadsheet(path, "eis")),
        (bad.BLOCKS, lambda path: readings.preview(path, client="EIS")),
    ],
    ids=["customers", "tariff", "blocks", "preview"],
)
def test_a_broken_workbook(tmp_path: Path, masters: Path, name: str, answer: Answer) -> None:
    original = (masters / name).read_bytes()
    path = tmp_path / name
    tally: Counter[str] = Counter()
    for number in range(100):
        seed = f"{name}/{number}"
        draw = random.Random(seed)
        path.write_bytes(repacked(original, draw) if number % 3 else mutated(original, draw))
        answers(path, answer, seed, tally)
    assert tally["refused"] > 10


def test_a_broken_legacy_workbook(tmp_path: Path, masters: Path) -> None:
    original = (masters / bad.REPORT).read_bytes()
    path = tmp_path / bad.REPORT
    tally: Counter[str] = Counter()
    for number in range(120):
        seed = f"report/{number}"
        path.write_bytes(mutated(original, random.Random(seed)))
        answers(path, open_sheets, seed, tally)
        answers(path, readings.read_report, seed, tally)
    assert tally["refused"] > 10


def test_a_broken_readings_workbook(tmp_path: Path, masters: Path) -> None:
    original = (masters / bad.STEEL).read_bytes()
    path = tmp_path / bad.STEEL
    tally: Counter[str] = Counter()
    for number in range(6):
        seed = f"steel/{number}"
        draw = random.Random(seed)
        path.write_bytes(repacked(original, draw) if number % 3 else mutated(original, draw))
        answers(path, lambda path: readings.read(path, client="EIS"), seed, tally)
    assert tally["refused"] > 0
