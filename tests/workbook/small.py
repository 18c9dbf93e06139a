"""Small workbooks as the library reads them, written cell by cell: ``{"Hoja1": {"A1": 5, "B1": ("=A1*2", 10)}}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from eisenergy.workbook.book import Book, Grid, open_book

REFERENCE = Path(__file__).parents[2] / "data" / "samples" / "Ejemplo de procesamiento de descargas de medidores.xlsx"
NET_METERING = Path(__file__).parent / "data" / "Medicion neta.xlsx"
METER = "Nodo Ateos 5614086"


@lru_cache(maxsize=1)
def reference() -> Book:
    """The reference workbook, read once for all tests of a process: it takes two seconds. Nobody changes it."""
    return open_book(REFERENCE)


def spot(name: str) -> tuple[int, int]:
    """``C31`` -> (31, 3)."""
    match = re.fullmatch(r"([A-Z]+)(\d+)", name)
    assert match, name
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    return int(match[2]), column


def grid(name: str, cells: Mapping[str, Any], **shape: Any) -> Grid:
    """One sheet; a formula with its cached value is a pair."""
    values, formulas = {}, {}
    for address, content in cells.items():
        place = spot(address)
        if isinstance(content, tuple):
            formulas[place], values[place] = content
        else:
            values[place] = content
    return Grid(
        name=name,
        rows=max((row for row, _ in values), default=0),
        columns=max((column for _, column in values), default=0),
        values=values,
        formulas=formulas,
        **shape,
    )


def book(sheets: Mapping[str, Mapping[str, Any]], names: Mapping[str, str] | None = None, **shape: Any) -> Book:
    """A workbook; ``shape`` goes to every sheet, for example ``hidden_rows``."""
    return Book(
        path=Path("libro.xlsx"),
        sha256="",
        grids={name: grid(name, cells, **shape) for name, cells in sheets.items()},
        names=dict(names or {}),
    )
