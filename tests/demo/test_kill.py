"""A run killed at any moment: the same command completes it, with the same invoices, no gap, no double number, nothing half written."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data" / "samples"
PROGRAM = str(Path(sys.executable).parent / "eisenergy")
RUN = ("run", "2021-09", "--issued-on", "2021-10-05", "--json")
MOMENTS = int(os.environ.get("KILLS", "50"))


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EISENERGY_")}
    return {**kept, "EISENERGY_HOME": str(home)}


def command(home: Path, *words: str) -> str:
    ended = subprocess.run(
        [PROGRAM, *words], cwd=ROOT, env=environment(home), capture_output=True, text=True, timeout=900, check=False
    )
    assert ended.returncode == 0, f"{words}: {ended.stdout[-3000:]}{ended.stderr[-3000:]}"
    return ended.stdout


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with masters and readings, nothing billed; its server is stopped, so it can be copied."""
    home = tmp_path_factory.mktemp("prepared")
    command(home, "client", "import", "params/clients/EIS.yaml")
    command(home, "calendar", "import", str(SAMPLES / "Bloques horarios.xlsx"))
    command(home, "tariffs", "import", str(SAMPLES / "Tarifas EIS-TOU.xlsx"))
    command(home, "customers", "import", str(SAMPLES / "Datos de clientes para facturación.xlsx"))
    command(home, "samples", str(home / "demo-files"))
    shipped = ("Ejemplo de procesamiento de descargas de medidores.xlsx", "5741444.csv", "CAESS_EISPOWER (10).xls")
    command(home, "ingest", str(home / "demo-files"), *(str(SAMPLES / name) for name in shipped))
    shutil.rmtree(home / "demo-files")
    return home


def copied(prepared: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    subprocess.run(["cp", "-a", str(prepared), str(to)], check=True)
    return to


def state(home: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(command(home, "invoices", "list", "--json"))["invoices"]
    return found


def check_papers(home: Path, invoices: list[dict[str, Any]]) -> None:
    for invoice in invoices:
        site = home / "sites" / "EIS" / invoice["contract"]
        text = "".join(page.extract_text() for page in PdfReader(site / "2021-09" / "invoice.pdf").pages)
        assert invoice["number"] in text
        assert len(PdfReader(site / "2021-09" / "dashboard.pdf").pages) >= 1
        for page in (site / "index.html", site / "2021-09" / "invoice.html", site / "2021-09" / "dashboard.html"):
            assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")
    left = [
        path
        for folder in ("runs", "sites", "inbox")
        for path in (home / folder).rglob("*")
        if path.is_file() and (path.name.startswith(".part-") or path.suffix == ".part" or path.match(".*.ipynb"))
    ]
    assert left == []
    staged = [
        path
        for path in (home / "sites").rglob("*")
        if ".staging" in path.parts and path.is_dir() and path.name != ".staging"
    ]
    assert staged == []


@pytest.mark.long
def test_a_run_killed_at_any_moment_is_completed_by_the_same_command(prepared: Path, tmp_path: Path) -> None:
    home = copied(prepared, tmp_path / "undisturbed")
    started = time.monotonic()
    command(home, *RUN)
    duration = time.monotonic() - started
    expected = state(home)
    assert [invoice["number"] for invoice in expected] == [f"FAC-00000{n}" for n in range(1, 9)]
    check_papers(home, expected)

    chance = random.Random(2021)
    for moment in range(MOMENTS):
        home = copied(prepared, tmp_path / "killed")
        process = subprocess.Popen(
            [PROGRAM, *RUN],
            cwd=ROOT,
            env=environment(home),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # Every second kill falls into the first quarter: that is where drafts, numbers and invoices are written.
        wait = chance.uniform(0, duration if moment % 2 else duration / 4)
        time.sleep(wait)
        if moment % 3:
            process.kill()  # the parent alone
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        command(home, *RUN)
        assert state(home) == expected, f"killed after {wait:.2f} s"
        check_papers(home, expected)
        print(f"{moment + 1}: killed after {wait:.1f} of {duration:.1f} s, complete", flush=True)
