"""What a process loads before it begins: no more than it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from eisenergy.cli import commands, loading

pytestmark = pytest.mark.untraced

HEAVY = "{'numba', 'papermill', 'nbformat', 'typst', 'altair', 'pandera', 'jsonschema'}"


def _said(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("module", "loaded"),
    [
        ("eisenergy.cli.months", "[]"),  # a command that finds everything published
        ("eisenergy.cli.invoices", "[]"),
        (
            "eisenergy.cli.making",
            "['jsonschema', 'nbformat', 'papermill', 'typst']",
        ),  # what makes sites, and bills nothing
    ],
)
def test_what_is_not_needed_is_not_loaded(module: str, loaded: str) -> None:
    assert _said(f"import sys, {module}; print(sorted({HEAVY} & set(sys.modules)))") == loaded


def test_a_command_looks_for_garbage_when_it_runs_and_not_while_it_is_loaded() -> None:
    code = (
        "import gc, sys\n"
        "from eisenergy import cli\n"
        "from eisenergy.cli import loading\n"
        "made = loading._made\n"
        "def look(command):\n"
        "    print(gc.isenabled())\n"
        "    found = made(command)\n"
        "    found.callback = lambda **_: print(gc.isenabled(), gc.get_freeze_count() > 0)\n"
        "    return found\n"
        "loading._made = look\n"
        "sys.argv = ['eisenergy', 'samples', 'nowhere']\n"
        "cli.main()\n"
    )
    assert _said(code).splitlines() == ["False", "True True"]


def test_the_help_says_what_the_commands_say_and_loads_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer is the help with all commands loaded."""
    code = (
        "import sys\n"
        "from eisenergy.cli.commands import app\n"
        "sys.argv = ['eisenergy', '--help']\n"
        "try:\n    app()\n"
        "except SystemExit:\n    print({'polars', 'sqlalchemy'} & set(sys.modules))"
    )
    said, loaded = _said(code).rsplit("\n", 1)
    assert loaded == "set()"
    monkeypatch.setattr(loading, "_described", loading._made)
    monkeypatch.setenv("COLUMNS", "80")
    expected = CliRunner().invoke(commands.app, ["--help"], prog_name="eisenergy").stdout
    assert _trimmed(said) == _trimmed(expected)


def _trimmed(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]
