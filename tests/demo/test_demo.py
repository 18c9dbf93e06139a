"""The demonstration, its README and its notebooks: what a newcomer sees first. One file, so that one process runs it once."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbval_runs
import pytest
from pypdf import PdfReader

if TYPE_CHECKING:
    from conftest import Demo

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [
    line.split("  #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]
MACHINES = [line for line in LINES if line.startswith("dask ") or "--scheduler" in line]
SETTINGS = [line for line in LINES if line.startswith("export ")]
SERVICES = [line for line in LINES if line.split()[:2] in (["eisenergy", "serve"], ["eisenergy", "worker"])]
COMMANDS = [line for line in LINES if line.startswith("eisenergy ") and line not in MACHINES + SERVICES]
TARGETS = [line for line in LINES if line.startswith("make ")]
CALLS = [line for line in LINES if line.startswith("curl ")]


CUSTOMERS = [f"EIS-000{n}" for n in range(1, 9)]


def test_eight_invoices_without_a_gap(demo: Demo) -> None:
    invoices = demo.report["invoices"]
    assert [invoice["number"] for invoice in invoices] == [f"FAC-00000{n}" for n in range(1, 9)]
    assert [invoice["contract"] for invoice in invoices] == CUSTOMERS
    assert demo.report["parked"] == []
    assert demo.report["refused"] == []


def test_the_steel_works_owe_what_the_workbook_says(demo: Demo) -> None:
    assert demo.report["invoices"][0]["total"] == "12989.48"


def test_the_kwh_are_those_of_the_files(demo: Demo) -> None:
    """The manifest of the samples says what was written, meter by meter; gaps are billed on top of it."""
    manifest = json.loads((demo.home / "demo-files" / "manifest.json").read_text(encoding="utf-8"))
    written = {
        entry["meter"]: Decimal(entry["kwh_import"]) for entry in manifest["readings"] if entry["month"] == "2021-09"
    }
    billed = {"574150" + str(n - 2): Decimal(demo.report["invoices"][n - 1]["kwh"]) for n in range(3, 9)}
    for meter, kwh in billed.items():
        assert written[meter] <= kwh <= written[meter] * Decimal("1.01")
    assert sum(billed[meter] == written[meter] for meter in billed) >= 4


def test_every_customer_has_a_site_with_pages_and_pdfs(demo: Demo) -> None:
    for customer in CUSTOMERS:
        site = demo.home / "sites" / "EIS" / customer
        names = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
        wanted = {
            "index.html",
            *(f"2021-09/{name}.{kind}" for name in ("invoice", "dashboard") for kind in ("html", "pdf")),
        }
        assert wanted <= names
    assert (demo.home / "sites" / "EIS" / "_operator" / "index.html").is_file()


def test_the_pdfs_say_the_totals_of_the_table(demo: Demo) -> None:
    for invoice in demo.report["invoices"]:
        path = demo.home / "sites" / "EIS" / invoice["contract"] / "2021-09" / "invoice.pdf"
        reader = PdfReader(path)
        text = "".join(page.extract_text() for page in reader.pages)
        assert f"{Decimal(invoice['total']):,.2f}" in text
        assert invoice["number"] in text
        assert len(reader.pages) <= 2


def test_no_site_holds_another_customers_name(demo: Demo) -> None:
    names = {invoice["contract"]: invoice["customer"] for invoice in demo.report["invoices"]}
    for customer in CUSTOMERS:
        pages = "".join(
            path.read_text(encoding="utf-8") for path in (demo.home / "sites" / "EIS" / customer).rglob("*.html")
        )
        assert names[customer] in pages
        assert [other for other in CUSTOMERS if other != customer and (names[other] in pages or other in pages)] == []


def test_again_nothing_changes(demo: Demo) -> None:
    ended = demo.run("demo", "--json")
    assert ended.returncode == 0, ended.stderr
    again = json.loads(ended.stdout)
    assert again["invoices"] == demo.report["invoices"]
    assert again["new"] == []
    assert [site["made"] for site in again["sites"]] == [False] * 9


def test_nothing_half_written_is_left(demo: Demo) -> None:
    left = [
        path
        for path in demo.home.rglob("*")
        if "pg" not in path.relative_to(demo.home).parts
        and (path.name.startswith(".part-") or path.suffix in (".part", ".tmp") or path.name.startswith(".~"))
    ]
    assert left == []


def test_piped_output_has_no_colours(demo: Demo) -> None:
    ended = demo.run("invoices", "list")
    assert "12,989.48" in ended.stdout
    assert "\x1b[" not in ended.stdout + ended.stderr


def test_the_readme_has_nothing_but_commands_that_are_run_here() -> None:
    assert sorted([*COMMANDS, *TARGETS, *MACHINES, *SETTINGS, *SERVICES, *CALLS]) == sorted(LINES)
    assert len(COMMANDS) >= 15
    assert SETTINGS
    assert SERVICES


def test_more_machines(demo: Demo) -> None:
    """The three lines as they stand, but for the address: scheduler, worker and command are on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    lines = [
        line.replace("--nthreads 16", "--nthreads 2").replace("10.0.0.5", "127.0.0.1").replace("8786", port)
        for line in MACHINES
    ]
    assert [line.split()[:2] for line in lines] == [["dask", "scheduler"], ["dask", "worker"], ["eisenergy", "publish"]]
    with ExitStack() as stack:
        for line in lines[:2]:
            words = [str(Path(sys.executable).parent / "dask"), *shlex.split(line)[1:], "--host", "127.0.0.1"]
            machine = stack.enter_context(
                subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            stack.callback(machine.terminate)
        ended = demo.run(*shlex.split(lines[2])[1:], "--customer", "EIS-0001", "--force", "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"tcp://127.0.0.1:{port}: 2 threads of workers" in ended.stderr
    assert [site["made"] for site in json.loads(ended.stdout)["sites"]] == [True, True]


@pytest.mark.parametrize("line", SERVICES)
def test_what_goes_on_until_it_is_ended(line: str, demo: Demo, tmp_path: Path) -> None:
    """With the settings as they stand, but for the folder and the port, which another test may have."""
    told = dict(shlex.split(setting)[1].split("=", 1) for setting in SETTINGS)
    assert told["EISENERGY_WATCH"] == "/srv/inbox"
    with serving(demo, line, told | {"EISENERGY_WATCH": str(tmp_path)}):
        pass


@contextmanager
def serving(demo: Demo, line: str, settings: dict[str, str]) -> Iterator[str]:
    """Start what goes on until it is ended, wait until it can work, and end it as Ctrl+C does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EISENERGY_")}
    environment |= settings | {"EISENERGY_HOME": str(demo.home)}
    words = [str(Path(sys.executable).parent / "eisenergy"), *shlex.split(line)[1:], "--port", "0"]
    with subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as service:
        try:
            assert service.stdout is not None
            first = service.stdout.readline().decode()
            url = re.match(r"(http://127\.0\.0\.1:\d+)   \(end with Ctrl\+C\)", first)
            assert url is not None, first
            until = time.monotonic() + 30
            while (answer := ask(f"{url[1]}/readyz")) is None and time.monotonic() < until:
                time.sleep(0.1)
            assert answer == {"status": "ok", "database": "ok"}
            yield url[1]
        finally:
            service.send_signal(signal.SIGINT)
        _, said = service.communicate(timeout=90)
    assert service.returncode in (0, 130), said.decode()
    assert b"Traceback" not in said


def ask(url: str) -> object:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return None


@pytest.mark.parametrize("line", COMMANDS)
def test_command(line: str, demo: Demo) -> None:
    ended = demo.call(*shlex.split(line)[1:])
    assert ended.exit_code == 0, f"{line}\n{ended.output}{ended.exception!r}"
    assert ended.stdout.strip()


def test_after_all_of_them_the_invoices_are_the_same(demo: Demo) -> None:
    ended = demo.call("invoices", "list", "--json")
    for invoice in demo.report["invoices"]:
        assert f'"{invoice["number"]}"' in ended.stdout
        assert invoice["input_hash"] in ended.stdout


@pytest.mark.parametrize("line", [*TARGETS, *(f"make {name}" for name in re.findall(r"`make ([a-z-]+)`", TEXT))])
def test_target_exists(line: str) -> None:
    ended = subprocess.run(
        ["make", "-n", *shlex.split(line)[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_the_files_it_names_exist() -> None:
    named = re.findall(r"\]\(([^)#]+)\)|`((?:params|notebooks|data/samples|reports)/[^`]*)`", TEXT)
    paths = [first or second for first, second in named]
    assert [path for path in paths if not path.startswith("http") and not (ROOT / path).exists()] == []


@pytest.fixture(scope="module")
def notebooks(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every notebook that opens a desk, and a copy with one number changed, under ``pytest --nbval`` -> the cells that failed."""
    folder = tmp_path_factory.mktemp("notebooks")
    paths = sorted(path for path in (ROOT / "notebooks").glob("*.ipynb") if path.stem != "excel_check")
    assert len(paths) == 5
    altered = nbval_runs.changed(ROOT / "notebooks" / "home.ipynb", folder, "12,989.48", "12,989.49")
    cells, bad = nbval_runs.failed([*paths, altered], folder, demo.home)
    assert cells > 50
    return bad


def test_the_notebooks_show_what_is_committed(notebooks: dict[str, str]) -> None:
    assert {cell: said for cell, said in notebooks.items() if not cell.startswith("changed_")} == {}


def test_a_changed_number_in_a_notebook_is_found(notebooks: dict[str, str]) -> None:
    found = [said for cell, said in notebooks.items() if cell.startswith("changed_")]
    assert len(found) == 1
    assert "12,989.48" in found[0]
    assert "12,989.49" in found[0]


def test_calls_of_the_interface(demo: Demo, require: Callable[[str], None]) -> None:
    """Each as it stands, against a portal of its own; the last test here, because it adds a customer and a seller."""
    require("curl")
    demo.call("users", "invite", "operador@eispower.example", "--role", "CLIENT_ADMIN")
    demo.call("users", "invite", "admin@eisenergy.example", "--role", "SYSTEM_ADMIN")
    known = {}
    for name, email in (("TOKEN", "operador@eispower.example"), ("ADMIN", "admin@eisenergy.example")):
        made = demo.call("users", "token", "create", email, "--name", "calls", "--json")
        known[name] = json.loads(made.stdout)["token"]
    told: dict[str, Any] = {}
    with serving(demo, "eisenergy serve --no-worker", {}) as url:
        for line in CALLS:
            ended = subprocess.run(
                ["bash", "-c", f"{line} -sS -w '\n%{{http_code}}'"], cwd=ROOT, env={**os.environ, **known, "URL": url},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            body, _, status = ended.stdout.rpartition("\n")
            assert (ended.returncode, status[:1]) == (0, "2"), f"{line}\n{ended.stdout}{ended.stderr}"
            told[line.partition("$URL")[2].split('"')[0]] = json.loads(body or "null")
            if status == "202":
                known["JOB"] = json.loads(body)["job"]
        described = ask(f"{url}/v1/openapi.json")
    assert isinstance(described, dict)
    patterns = [
        path.replace("{", "(?P<").replace("}", ">[^/?]+)") for path in described["paths"] if "openapi" not in path
    ]
    asked = [path.partition("?")[0].replace("$JOB", "1") for path in told]
    assert [one for one in patterns if not any(re.fullmatch(one, path) for path in asked)] == []
    invoice = told["/v1/invoices/FAC-000001"]
    assert invoice["total"] == "12989.48" == demo.report["invoices"][0]["total"]
    shown = json.loads(demo.call("invoices", "show", "FAC-000001", "--json").stdout)
    assert [(line["code"], line["amount"], line["exact"]) for line in invoice["lines"]] == [
        (line["code"], line["amount"], line["exact"]) for line in shown["lines"]
    ]
    text = "".join(page.extract_text() for page in PdfReader(ROOT / "data" / "FAC-000001.pdf").pages)
    assert "12,989.48" in text
    assert len(told["/v1/customers/EIS-0001/readings?from=2021-09-01&to=2021-09-02"]["items"]) == 96
    usage = told["/v1/customers/EIS-0001/usage?from=2021-09-01&to=2021-10-01&resolution=day"]["items"]
    assert sum(Decimal(str(day["kwh"])) for day in usage) == Decimal(str(invoice["kwh"]))
