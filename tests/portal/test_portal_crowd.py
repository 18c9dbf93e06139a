"""Many customers at once: everybody gets an answer, and nobody another's. Nothing is timed here; durations belong to the benchmark."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from portal_cases import CLIENTS, CODES, Running, mark, person

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import crowd
from benchmarks.crowd import Visitor
from eisenergy.accounts import Role
from eisenergy.portal.workshop import MOST, Workshop
from eisenergy.store.grants import Grant


@pytest.fixture(scope="module")
def customers(portal: Running) -> list[tuple[str, str, str]]:
    """Client, code and name in ``portal.people`` of an account for each customer."""
    found = []
    for client in CLIENTS:
        for code in CODES:
            name = f"crowd-{client}-{code}"
            right = Grant(client=client, role=Role.CUSTOMER_USER, customers=frozenset({code}))
            portal.people[name] = person(portal.database, f"{name.lower()}@crowd.example", right, password=None)
            found.append((client, code, name))
    return found


def visitors(portal: Running, customers: list[tuple[str, str, str]], count: int) -> list[Visitor]:
    """Sessions of their own, over all customers of both sellers in turn."""
    found = []
    for n in range(count):
        client, code, name = customers[n % len(customers)]
        home = f"/c/{client}/clientes/{code}"
        paths = {"": "", "/consumo": "/consumo", "/facturas": "/facturas", "PDF": f"/facturas/FAC-00000{code[-1]}.pdf"}
        pages = {page: home + path for page, path in paths.items()}
        files = {pages["PDF"]: hashlib.sha256(b"%PDF-1.7 " + mark(client, code).encode()).hexdigest()}
        found.append(Visitor(portal.session_of(name), pages, r"Mark-[A-Z]{3}-EIS-\d{4}", mark(client, code), files))
    return found


def test_twenty_customers_at_once_get_their_own(portal: Running, customers: list[tuple[str, str, str]]) -> None:
    found = crowd.visit(portal.url, visitors(portal, customers, 20), 2.0, rounds=4)
    assert found.errors == {}
    assert {page: len(taken) >= 20 for page, taken in found.seconds.items()} == dict.fromkeys(
        ("", "/consumo", "/facturas", "PDF"), True
    )


def test_the_crowd_would_notice(portal: Running, customers: list[tuple[str, str, str]]) -> None:
    own, other = visitors(portal, customers, 2)
    wrong = replace(own, own=other.own, files={own.pages["PDF"]: "0" * 64})
    assert set(crowd.visit(portal.url, [wrong], 0.0, rounds=4).errors) == {
        "another's page",
        "another file than its own",
    }
    stranger = replace(own, token=other.token)
    assert set(crowd.visit(portal.url, [stranger], 0.0, rounds=1).errors) == {"status 403"}


@pytest.mark.long
def test_two_hundred_customers_at_once_get_their_own(portal: Running, customers: list[tuple[str, str, str]]) -> None:
    found = crowd.visit(portal.url, visitors(portal, customers, 200), 20.0, rounds=4)
    assert found.errors == {}
    assert found.answers >= 800
    assert portal.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_file_is_made_once_beside_the_requests(tmp_path: Path) -> None:
    shop, go, made = Workshop(), threading.Event(), []

    def make(path: Path) -> None:
        go.wait(10)
        made.append(path.name)
        path.write_text("x")

    first, second = tmp_path / "a", tmp_path / "b"
    assert [shop.has(first, make), shop.has(second, make), shop.has(first, make)] == [False, False, False]
    go.set()
    _until(lambda: shop.has(second, make))
    assert shop.has(first, make)
    assert made == ["a", "b"]


def test_nobodys_many_files_stand_before_everybody_elses(tmp_path: Path) -> None:
    """A customer has a hundred invoices in two languages: as many as may wait at all."""
    shop, go, made = Workshop(), threading.Event(), []

    def make(path: Path) -> None:
        go.wait(10)
        made.append(path.name)
        path.write_text("x")

    for number in range(MOST + 10):
        assert not shop.has(tmp_path / f"a{number}", make, ("EIS", "EIS-0001"))
    other = tmp_path / "b"
    assert not shop.has(other, make, ("EIS", "EIS-0002"))
    go.set()
    _until(lambda: shop.has(other, make, ("EIS", "EIS-0002")))
    assert made == ["a0", "a1", "a2", "a3", "a4", "b"]
    _until(lambda: shop.has(tmp_path / "a9", make, ("EIS", "EIS-0001")))


def test_what_could_not_be_made_is_told_once_and_tried_again(tmp_path: Path) -> None:
    shop, tries = Workshop(), []

    def make(path: Path) -> None:
        tries.append(path)
        if len(tries) == 1:
            raise LookupError("no readings")
        path.write_text("x")

    path = tmp_path / "a"
    assert not shop.has(path, make)
    _until(lambda: shop._asked[path].done())
    with pytest.raises(LookupError, match="no readings"):
        shop.has(path, make)
    _until(lambda: shop.has(path, make))
    assert len(tries) == 2


KILLED = """
import os
from eisenergy.portal.workshop import NotMade, Workshop

if __name__ == "__main__":
    shop = Workshop()
    try:
        shop.apart(os.getenv, "HOME")  # a function that gives reasons
    except NotMade as problem:
        print(problem)
    print(next(iter(shop._process._processes)), flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.long
def test_the_process_that_makes_files_ends_with_a_portal_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED, encoding="utf-8")
    environment = {**os.environ, "HOME": "no readings"}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=60)
    why, child = done.stdout.splitlines()
    assert (done.returncode, why) == (-9, "no readings")
    _until(lambda: not _lives(int(child)))


def _lives(process: int) -> bool:
    """Whether a process runs; one that ended and that nobody asked after does not."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def _until(done: object) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if done():  # type: ignore[operator]
            return
        pause.wait(0.01)
    raise AssertionError("it did not come")
