"""Files of readings, written for a test in the shape it asks for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
WORKBOOK = SAMPLES / "Ejemplo de procesamiento de descargas de medidores.xlsx"
LOG = SAMPLES / "5741444.csv"
REPORT = SAMPLES / "CAESS_EISPOWER (10).xls"


class Files:
    """Writes files under a test's own folder."""

    log = LOG
    workbook = WORKBOOK
    report = REPORT

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def text(
        self,
        lines: Sequence[str] | str,
        name: str = "5741444.csv",
        encoding: str = "utf-8",
        end: str = "\n",
    ) -> Path:
        """Write lines as they are."""
        path = self.folder / name
        text = lines if isinstance(lines, str) else end.join(lines) + end
        path.write_bytes(text.encode(encoding))
        return path

    def sheet(self, rows: Sequence[Sequence[Any]], name: str = "carga.xlsx", sheet: str = "Nodo Ateos 5614086") -> Path:
        """Write one sheet with openpyxl."""
        return self.sheets({sheet: rows}, name)

    def sheets(self, tables: dict[str, Sequence[Sequence[Any]]], name: str = "carga.xlsx") -> Path:
        """Write several sheets with openpyxl."""
        book = openpyxl.Workbook(write_only=True)
        for title, rows in tables.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(list(row))
        path = self.folder / name
        book.save(path)
        return path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def slots() -> Callable[..., list[dt.datetime]]:
    """Local starts of intervals, one after the other."""

    def make(count: int, first: str = "2021-09-13 00:00", minutes: int = 15) -> list[dt.datetime]:
        start = dt.datetime.fromisoformat(first)
        return [start + dt.timedelta(minutes=minutes * n) for n in range(count)]

    return make
