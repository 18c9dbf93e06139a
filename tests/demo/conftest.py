"""The demonstration, run once for all tests of this folder, in a workspace of its own."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from eisenergy.cli import app
from eisenergy.store import server

ROOT = Path(__file__).parents[2]

# what runs notebooks is a plain module beside their tests
sys.path.insert(0, str(ROOT / "tests" / "notebooks"))


@dataclass(frozen=True)
class Demo:
    """A workspace after ``eisenergy demo``, and what the command said."""

    home: Path
    report: dict[str, Any]
    run: Callable[..., subprocess.CompletedProcess[str]]
    call: Callable[..., Result]
    """The same without a process of its own, which takes longer to start than most commands to do their work."""


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    home = tmp_path_factory.mktemp("demo")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EISENERGY_")}
    environment |= {"EISENERGY_HOME": str(home), "PYTHONWARNINGS": "default"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        program = str(Path(sys.executable).parent / "eisenergy")
        return subprocess.run(
            [program, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
        )

    ended = run("demo", "--json")
    assert ended.returncode == 0, ended.stderr + ended.stdout
    _give_files(home / "demo-files", tmp_path_factory)
    held = server.acquire(home / "pg")  # the commands below find it running, and leave it so
    hidden: dict[str, str | None] = {name: None for name in os.environ if name.startswith("EISENERGY_")}

    def call(*words: str) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(ROOT)
            return CliRunner().invoke(app, words, env=hidden | {"EISENERGY_HOME": str(home)})

    yield Demo(home=home, report=json.loads(ended.stdout), run=run, call=call)
    held.release()


def _give_files(made: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Leave a copy of the demonstration's files to the tests of ``samples``, which read them and would make them once more."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        common = tmp_path_factory.getbasetemp().parent
        with (common / "samples.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (common / "samples").exists():
                shutil.copytree(made, common / "samples")
