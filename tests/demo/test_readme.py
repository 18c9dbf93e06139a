"""Every command in the README runs, in the order in which it stands there, in a workspace after the demonstration."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

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
COMMANDS = [line for line in LINES if line.startswith("eisenergy ")]
TARGETS = [line for line in LINES if line.startswith("make ")]


def test_the_readme_has_nothing_but_commands_that_are_run_here() -> None:
    assert sorted([*COMMANDS, *TARGETS]) == sorted(LINES)
    assert len(COMMANDS) >= 15


@pytest.mark.parametrize("line", COMMANDS)
def test_command(line: str, demo: Demo) -> None:
    ended = demo.run(*shlex.split(line)[1:])
    assert ended.returncode == 0, f"{line}\n{ended.stdout}{ended.stderr}"
    assert ended.stdout.strip()


def test_after_all_of_them_the_invoices_are_the_same(demo: Demo) -> None:
    ended = demo.run("invoices", "list", "--json")
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
