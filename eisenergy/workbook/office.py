"""LibreOffice, where it is installed: the third opinion, and the one that calculates a workbook nobody calculated."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

import openpyxl

from eisenergy.workbook.book import ERRORS, Book, Key, open_book
from eisenergy.workbook.engine import beside
from eisenergy.workbook.model import Value

TIMEOUT: Final = 120.0
"""[s] a conversion may take; a damaged document can hold LibreOffice for ever."""


class OfficeFailed(RuntimeError):
    """LibreOffice did not convert a workbook. The message says what it said."""


def program() -> str | None:
    """Return where LibreOffice is; ``None`` where there is none."""
    return shutil.which("soffice") or shutil.which("libreoffice")


@lru_cache(maxsize=1)
def version() -> str:
    """Return LibreOffice's name and version; empty where there is none or it does not start."""
    found = program()
    if found is None:
        return ""
    try:
        said = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return " ".join(said.split()[:2])


def recalculated(path: Path) -> Book:
    """Have LibreOffice calculate a workbook's formulas that have no value, and read the result; the original stays as it is.

    :raises OfficeFailed: when there is no LibreOffice, or it does not manage in :data:`TIMEOUT`
    """
    with tempfile.TemporaryDirectory(prefix="eisenergy-office-") as folder:
        source = Path(folder) / "in" / "book.xlsx"
        source.parent.mkdir()
        shutil.copyfile(path, source)
        return open_book(_convert(source, Path(folder)))


def compute(book: Book, formulas: Mapping[Key, str]) -> dict[Key, Value]:
    """Compute formulas from the values that stand in a book.

    :param formulas: cell -> formula as :class:`eisenergy.workbook.engine.Translator` wrote it
    :raises OfficeFailed: when there is no LibreOffice, or it does not manage in :data:`TIMEOUT`
    """
    sheets = beside(book)
    written = openpyxl.Workbook(write_only=False)
    written.remove(written.active)
    for grid in book.grids.values():
        sheet = written.create_sheet(grid.name)
        for (row, column), value in grid.values.items():
            if value is None:
                continue
            one = sheet.cell(row, column)
            one.value = value
            if isinstance(value, str):  # a text that begins with = is a text here
                one.data_type = "e" if value in ERRORS else "s"
    for name in sheets.values():
        written.create_sheet(name)
    for (own, row, column), formula in formulas.items():
        written[sheets[own]].cell(row, column).value = formula
    with tempfile.TemporaryDirectory(prefix="eisenergy-office-") as folder:
        source = Path(folder) / "in" / "book.xlsx"
        source.parent.mkdir()
        written.save(source)
        found = open_book(_convert(source, Path(folder)))
    return {
        (own, row, column): found.grids[sheets[own]].values.get((row, column))
        for own, row, column in formulas
        if sheets[own] in found.grids
    }


def _convert(source: Path, folder: Path) -> Path:
    found = program()
    if found is None:
        raise OfficeFailed("found no LibreOffice (soffice) on the PATH. Install it, or calculate the workbook by hand.")
    target = folder / "out"
    profile = (
        folder / "profile"
    ).as_uri()  # an own profile: a LibreOffice that is open would take the job and not do it
    command = [found, f"-env:UserInstallation={profile}", "--headless", "--norestore", "--convert-to", "xlsx"]
    process = subprocess.Popen(
        [*command, "--outdir", str(target), str(source)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired as problem:
        os.killpg(process.pid, signal.SIGKILL)  # the program is a child of a script, and outlives it
        process.communicate()
        raise OfficeFailed(f"LibreOffice took longer than {TIMEOUT:g} s over {source.name}.") from problem
    made = target / source.name
    if not made.exists():
        raise OfficeFailed(f"LibreOffice made nothing of {source.name}: it said {said.strip()[:300]!r}.")
    return made
