"""The portal's pages, each asked for alone, and two hundred customers at once; the portal is the command, on loopback.

Server time is the portal's own: what its log says of each request, which is known by the number it was sent with. Every page of the route
table is measured, and a new one is measured without a word here (:mod:`benchmarks.portal_pages`). Beside it, on the same cores and by the same
measure, an application with an empty route and one with a page of text run in a process of their own.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import math
import os
import queue
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks import alone, crowd, machine, portal_home, portal_pages, portfolio
from benchmarks.bills import workspace
from benchmarks.portal_pages import CUSTOMER, NOBODY, OPERATOR, Page
from benchmarks.report import OURS, PEER, Aim, Cost, Group, Result, equal

MOST: Final = 100.0
"""Milliseconds of the server that a page may take."""
TIMES: Final = 20
CROWD: Final = 200
SECONDS: Final = 30.0
MIXED: Final = {"Inicio": "", "Consumo": "/consumo", "Facturas": "/facturas", "PDF": "/facturas/{number}.pdf"}
"""What a customer of the crowd asks for, in turn."""
FEW: Final = 3
"""Times that files are asked for which take seconds."""


def run(customers: int = 10_000, *, quick: bool = False, home: Path | None = None) -> Result:
    """Measure.

    :param home: a workspace of the portfolio with readings; by default one is made for this
    """
    many, some, times, seconds = (portal_home.INVOICES, CROWD, TIMES, SECONDS) if not quick else (3, 5, 2, 1.0)
    result = Result(
        case="portal",
        question="how long does the server take for each page, and do two hundred customers at once get theirs?",
        size={"customers": customers, "invoices_of_one": many, "at_once": some, "times_each": times},
        quick=quick,
    )
    with workspace(customers, home) as place:
        filled = alone.run(
            "benchmarks.portal_home:furnish", home=str(place), customers=customers, crowd=some, invoices=many,
            lines_of_log=10 * customers, files=max(customers // 10, 2),
        )  # fmt: skip
        measure(result, place, filled["result"], times, seconds)
    result.figures["furnish"] = filled["phases"]
    return result


def measure(result: Result, home: Path, filled: Mapping[str, Any], times: int, seconds: float) -> None:
    """Serve a furnished workspace, ask for everything, and put what was found into a result."""
    with served(_command(home)) as portal:
        found, cpu = _alone(portal, home, filled, times)
        first = _first_views(portal, filled, times)
    with served([sys.executable, "-m", "benchmarks.portal_peer"]) as peer:
        plain = {path: _times(peer, path, None, times) for path in ("/empty", "/page")}
    with served(_command(home)) as portal:
        crowded = crowd.visit(portal.url, _visitors(home, filled), seconds, rounds=len(MIXED))
    _report(result, found, first, plain, cpu)
    _report_crowd(result, crowded)


class Portal:
    """A server that was started, and what it says of its requests."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.url = ""
        self._told: dict[str, float] = {}
        self._news = threading.Condition()
        self._said: list[str] = []
        addresses: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, args=(addresses,), daemon=True).start()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.url = addresses.get(timeout=120)
        except queue.Empty:
            raise alone.Failed("the server did not say its address:\n" + "\n".join(self._said[-25:])) from None
        parts = urlsplit(self.url)
        for _ in range(600):  # it says so a moment before it listens
            try:
                socket.create_connection((str(parts.hostname), parts.port)).close()
                return
            except OSError:
                time.sleep(0.1)
        raise alone.Failed(f"nobody answers at {self.url}:\n" + "\n".join(self._said[-25:]))

    def _listen(self, addresses: queue.Queue[str]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("http://"):
                addresses.put(line.split()[0])

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._said = [*self._said[-99:], line.rstrip()]
            if '"milliseconds"' not in line:
                continue
            told = json.loads(line)
            with self._news:
                self._told[told["request"]] = told["milliseconds"]
                self._news.notify_all()

    def cpu(self) -> float:
        """CPU time of the process so far [s]."""
        stat = alone._stat(self.process.pid) or ["0"] * 20
        return sum(map(int, stat[11:13])) / os.sysconf("SC_CLK_TCK")

    def took(self, number: str) -> float:
        """Return what the server says a request took [ms]."""
        with self._news:
            if not self._news.wait_for(lambda: number in self._told, timeout=30):
                raise alone.Failed(f"the server said nothing of a request {number}:\n" + "\n".join(self._said[-25:]))
            return self._told.pop(number)


def _command(home: Path) -> list[str]:
    script = "from eisenergy.cli import main; main()"
    return [sys.executable, "-c", script, "--home", str(home), "serve", "--port", "0", "--no-worker"]


@contextmanager
def served(command: Sequence[str]) -> Iterator[Portal]:
    """A server on loopback, in a process of its own. :param command: it prints its address, and logs requests as JSON"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EISENERGY_")}
    environment |= {"EISENERGY_LOG": "json", "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(alone.ROOT), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        command, cwd=alone.ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield Portal(process)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _values(filled: Mapping[str, Any]) -> dict[str, str]:
    """What stands for the names in addresses."""
    number = next(one["number"] for one in filled["crowd"] if one["code"] == filled["long"])
    return {
        "client": portfolio.CLIENT,
        "customer": filled["long"],
        "number": number,
        "upload": filled["upload"],
        "job": filled["job"],
        "month": str(portfolio.MONTH),
        "contract": filled["long"],
        "tariff": filled["tariff"],
        "calendar": filled["calendar"],
        "proposal": filled["proposal"],
        "subscription": filled["subscription"],
        "token": "0" * 43,
        "folder": "page",
        "name": "house.css",
        "path": f"{portfolio.MONTH}.html",
        "path@customer": f"{portfolio.MONTH}/invoice.html",
    }


def _tokens(filled: Mapping[str, Any]) -> dict[str, str | None]:
    long = next(one["token"] for one in filled["crowd"] if one["code"] == filled["long"])
    return {NOBODY: None, CUSTOMER: long, OPERATOR: filled["operator"]}


Taken = list[tuple[float, float]]
"""Of each answer: time of the server by its own word, and until all of it was here [ms]."""


def _alone(
    portal: Portal, home: Path, filled: Mapping[str, Any], times: int
) -> tuple[dict[Page, Taken], dict[Page, float]]:
    """Ask for every page several times, one after the other; what a process does once was done before.

    :returns: answers, and CPU time of the portal and PostgreSQL for each [ms]
    """
    values, tokens = _values(filled), _tokens(filled)
    everything = portal_pages.pages(values)
    other = filled["crowd"][-1]
    for (
        page
    ) in everything:  # compiles templates, loads modules: of another customer, so that nothing of this one is known
        path = portal_pages.of_customer(page, values, other) if page.customers else page.path
        _ask(portal, path, other["token"] if page.customers else tokens[page.who])
    found, cpu = {}, {}
    postgres = _postgres(home)
    for page in everything:
        _made(portal, page.path, tokens[page.who])
        before = portal.cpu() + alone.server_cpu(postgres)
        often = min(times, FEW) if page.route in portal_pages.BEYOND else times
        found[page] = _times(portal, page.path, tokens[page.who], often)
        cpu[page] = (portal.cpu() + alone.server_cpu(postgres) - before) * 1000 / often
    return found, cpu


def _made(portal: Portal, path: str, token: str | None) -> None:
    """Wait for a file that is made beside the requests: the pages before it was there are not what is measured."""
    if path.endswith(".xlsx"):
        for _ in range(600):
            if _status(portal, path, token) != 202:
                return
            time.sleep(0.1)
        raise alone.Failed(f"GET {path}: still being made after a minute")


def _postgres(home: Path) -> int | None:
    """Process id of the workspace's own server."""
    found = [int(path.read_text().split()[0]) for path in (home / "pg").rglob("postmaster.pid")]
    return found[0] if found else None


def _first_views(portal: Portal, filled: Mapping[str, Any], times: int) -> dict[Page, Taken]:
    """Ask for customers' pages, each once, of several customers who were not seen before."""
    values = _values(filled)
    found: dict[Page, Taken] = {}
    fresh = [one for one in filled["crowd"][:-1] if one["code"] != filled["long"]][:times]
    for page in portal_pages.pages(values):
        # A file that is made beside the requests is nothing that a first view waits for, and would disturb the others'.
        if page.customers and page.route not in portal_pages.BEYOND and not page.path.endswith(".xlsx"):
            found[page] = [_ask(portal, portal_pages.of_customer(page, values, one), one["token"]) for one in fresh]
            # the next page of a customer may be quick for what this one read: each page has customers of its own
            fresh = fresh[1:] + fresh[:1]
    return found


def _times(portal: Portal, path: str, token: str | None, times: int) -> Taken:
    return [_ask(portal, path, token) for _ in range(times)]


_COUNT = iter(range(10**9))


def _ask(portal: Portal, path: str, token: str | None) -> tuple[float, float]:
    """Ask for a page. :returns: time of the server, by its own word, and until all of it was here [ms]"""
    began = time.perf_counter()
    number = f"bench{next(_COUNT):08d}"
    status = _status(portal, path, token, number)
    wall = (time.perf_counter() - began) * 1000
    # To somebody unknown a page may say that there is nothing: a link that is used up, a provider that is not set.
    if status >= (500 if token is None else 400):
        raise alone.Failed(f"GET {path}: status {status}")
    return (wall if path in ("/healthz", "/readyz") else portal.took(number)), wall


def _status(portal: Portal, path: str, token: str | None, number: str = "benchmark") -> int:
    parts = urlsplit(portal.url)
    headers = {"X-Request-ID": number} | ({} if token is None else {"Cookie": f"eisenergy={token}"})
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _visitors(home: Path, filled: Mapping[str, Any]) -> list[crowd.Visitor]:
    found = []
    for one in filled["crowd"]:
        base = f"/c/{portfolio.CLIENT}/clientes/{one['code']}"
        pages = {name: base + part.format(number=one["number"]) for name, part in MIXED.items()}
        pdf = home / "sites" / portfolio.CLIENT / one["code"] / str(portfolio.MONTH) / "invoice.pdf"
        files = {pages["PDF"]: hashlib.sha256(pdf.read_bytes()).hexdigest()}
        found.append(crowd.Visitor(one["token"], pages, r"EIS-\d{6}", one["code"], files))
    return found


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Of nearest rank: at least that share of the values is no greater."""
    ordered = sorted(values)
    place = [ordered[math.ceil(len(ordered) * share) - 1] for share in (0.95, 0.99)]
    return {"median": statistics.median(ordered), "p95": place[0], "p99": place[1], "most": ordered[-1]}


def _report(
    result: Result,
    found: Mapping[Page, Taken],
    first: Mapping[Page, Taken],
    plain: Mapping[str, Taken],
    cpu: Mapping[Page, float],
) -> None:
    """Put what single requests took into a result."""
    tables = {"pages": found, "first_views": first}
    for name, table in tables.items():
        result.figures[name] = {
            page.name: {
                "who": page.who,
                "server_ms": _spread([one[0] for one in taken]),
                "wall_ms": _spread([one[1] for one in taken]),
                **({"cpu_ms": cpu[page]} if name == "pages" else {}),
            }
            for page, taken in table.items()
        }
    result.figures["plain"] = {path: _spread([one[0] for one in taken]) for path, taken in plain.items()}
    empty, text = (result.figures["plain"][path]["median"] for path in ("/empty", "/page"))
    judged = [page for page in found if page.route not in portal_pages.BEYOND]
    medians = {page: statistics.median(one[0] for one in taken) for page, taken in found.items()}
    slowest = sorted(medians, key=lambda page: -medians[page])
    result.groups.append(
        Group(
            "server time of a page, the median of all pages first",
            "ms",
            (
                Cost(OURS, "the median page", statistics.median(medians.values())),
                Cost(PEER, "FastAPI, an empty route", empty),
                Cost(PEER, "FastAPI, a page of 50 rows by Jinja", text),
                *(Cost(OURS, page.name, medians[page], page.who) for page in slowest[:12]),
            ),
        )
    )
    dearest = sorted(cpu, key=lambda page: -cpu[page])
    result.groups.append(
        Group(
            "CPU time of a page, the portal's and PostgreSQL's, the median of all pages first",
            "CPU ms",
            (
                Cost(OURS, "the median page", statistics.median(cpu.values())),
                *(Cost(OURS, page.name, cpu[page], page.who) for page in dearest[:12]),
            ),
        )
    )
    worst = next(page for page in dearest if page in judged)
    result.aims.append(Aim(f"CPU time of the dearest page ({worst.name})", MOST, cpu[worst], "<=", "CPU ms"))
    for what, table in (("a page", found), ("a customer's page seen for the first time", first)):
        times = {page: _spread([one[0] for one in taken]) for page, taken in table.items() if page in judged}
        for figure in ("median", "p95"):
            worst = max(times, key=lambda page: times[page][figure])
            result.aims.append(
                Aim(f"{figure} of server time of the slowest, {what} ({worst.name})", MOST, times[worst][figure], "<=", "ms")
            )  # fmt: skip
    for route, why in portal_pages.BEYOND.items():
        result.notes.append(f"not judged: {route}: {why}")
    result.checks.append(f"pages of the route table that were measured: all {len({page.route for page in found})}")


def _report_crowd(result: Result, crowded: crowd.Crowd) -> None:
    everything = [one * 1000 for taken in crowded.seconds.values() for one in taken]
    spread = _spread(everything)
    result.figures["crowd"] = {
        "answers": crowded.answers,
        "seconds": crowded.took,
        "per_second": crowded.answers / crowded.took,
        "wall_ms": spread,
        "pages": {page: _spread([one * 1000 for one in taken]) for page, taken in crowded.seconds.items()},
        "errors": crowded.errors,
        "cores": machine.cores(),
    }
    result.checks.append(equal("errors of the crowd", [("errors", dict(crowded.errors), {})]))
    result.notes.append(
        f"{result.size['at_once']} customers without pause on {machine.cores()} cores, which the askers share: {crowded.answers:,} answers in "
        f"{crowded.took:.0f} s, {crowded.answers / crowded.took:,.0f} a second; until all of it was here: median {spread['median']:,.0f}, "
        f"95th of a hundred {spread['p95']:,.0f}, 99th {spread['p99']:,.0f} ms"
    )
