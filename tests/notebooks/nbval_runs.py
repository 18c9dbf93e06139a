"""Notebooks run under ``pytest --nbval``, as a person runs them, with what came of every cell."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"


def failed(notebooks: Sequence[Path], folder: Path, home: Path | None = None) -> tuple[int, dict[str, str]]:
    """Run notebooks and return how many cells ran, and ``name::Cell n`` -> what nbval says of those that failed.

    :param folder: where the report goes
    :param home: a workspace with the demonstration in it, for notebooks that open a desk
    """
    report = folder / "nbval.xml"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("EISENERGY_", "PYTEST_"))}
    if home is not None:
        environment["EISENERGY_HOME"] = str(home)
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--nbval",
            "-c",
            str(ROOT / "pyproject.toml"),
            f"--rootdir={os.path.commonpath([ROOT, *notebooks])}",  # outside of it, cells have no names
            "-p",
            "no:cacheprovider",
            f"--junitxml={report}",
            *(str(path) for path in notebooks),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ended.returncode in (0, 1), ended.stdout[-3000:] + ended.stderr[-3000:]
    cases = list(ET.parse(report).getroot().iter("testcase"))
    bad = {}
    for case in cases:
        problem = case.find("failure")
        if problem is None:
            problem = case.find("error")
        if problem is not None:
            name = f"{(case.get('classname') or '').removesuffix('.ipynb').rpartition('.')[2]}::{case.get('name')}"
            bad[name] = f"{problem.get('message')} {problem.text}"
    return len(cases), bad


def changed(notebook: Path, folder: Path, old: str, new: str) -> Path:
    """Copy a notebook into a project of its own with one number in its outputs replaced, once.

    The project is this one: its folders are linked.
    """
    book = nbformat.read(notebook, as_version=4)
    for cell in book.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {}) or output
            for kind in ("text/plain", "text"):
                if old in str(data.get(kind, "")):
                    data[kind] = data[kind].replace(old, new, 1)
                    return _linked(book, notebook, folder)
    raise AssertionError(f"{notebook.name} shows {old} in no plain text")


def _linked(book: object, notebook: Path, folder: Path) -> Path:
    for name in ("_quarto.yml", "params", "data", "reports"):
        (folder / name).symlink_to(ROOT / name)
    copy = folder / "notebooks" / f"changed_{notebook.name}"
    copy.parent.mkdir()
    nbformat.write(book, copy)  # type: ignore[no-untyped-call]
    return copy
