"""Notebooks run again show what is committed; those that need a workspace are run in ``tests/demo``, in the demonstration's."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import nbformat
import nbval_runs
import pytest

RULES = Path(__file__).with_name("sanitize.cfg")


def rules() -> list[tuple[re.Pattern[str], str]]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(RULES, encoding="utf-8")
    return [(re.compile(parser[name]["regex"]), parser[name]["replace"]) for name in parser.sections()]


def test_the_excel_check_shows_what_is_committed(tmp_path: Path) -> None:
    cells, bad = nbval_runs.failed([nbval_runs.FOLDER / "excel_check.ipynb"], tmp_path)
    assert bad == {}
    assert cells >= 8


@pytest.mark.parametrize("path", sorted(nbval_runs.FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_only_versions_may_differ(path: Path) -> None:
    """What the rules take out of the notebooks' outputs is never an amount, a date or a name."""
    taken = []
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", ()):
            for text in [output.get("text", ""), *(str(part) for part in output.get("data", {}).values())]:
                taken += [match[0] for rule, _ in rules() for match in rule.finditer(text)]
    assert [text for text in taken if not re.fullmatch(r"[A-Za-z]+:? \d+(\.\d+)+", text)] == []


def test_the_rules_are_part_of_the_project_s_settings() -> None:
    text = (nbval_runs.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "--nbval-sanitize-with=tests/notebooks/sanitize.cfg" in text
    assert rules()
