"""What an analyst states about a workbook, where neither words nor formulas say it: ``params/workbooks/NAME.yaml``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from eisenergy.tariffs import document
from eisenergy.workbook.book import Book, Grid, Key
from eisenergy.workbook.formula import reference
from eisenergy.workbook.roles import HEADERS, LINES, PARAMETERS

FOLDER: Final = Path(__file__).parents[2] / "params" / "workbooks"
NOTHING: Final = "-"
ROLES: Final = frozenset(
    (
        NOTHING,
        *PARAMETERS,
        *LINES,
        *(f"{kind}.{name}" for kind, names in HEADERS.items() for name in names),
        *(f"total.{name}" for name in HEADERS["block"] if name != "label"),
    )
)
"""Every role a cell may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is stated.

    :param roles: cell -> role; ``-`` for what is no part of the bill
    :param file: the statement's file; empty where there is none
    """

    roles: dict[Key, str] = field(default_factory=dict)
    file: str = ""


def read_statement(book: Book, path: Path | None = None) -> Statement:
    """Read what is stated about a workbook.

    :param path: the statement; by default the file of the workbook's name under ``params/workbooks``, where there is one
    :raises BadDocument: for a statement that cannot be read, or names a sheet, header, label or role that is not there
    """
    if path is None:
        path = FOLDER / f"{book.path.stem}.yaml"
        if not path.is_file():
            return Statement()
    doc = document.read(path, "workbook.schema.json")
    roles: dict[Key, str] = {}
    for sheet, parts in doc.data["sheets"].items():
        grid = book.grids.get(sheet)
        if grid is None:
            raise document.BadDocument(
                f"{doc.origin('sheets', sheet)}: {book.file} has no sheet {sheet!r}; it has {', '.join(book.grids)}. Correct the name."
            )
        for part, find in (("headers", _below), ("labels", _right), ("cells", _cells)):
            for text, role in parts.get(part, {}).items():
                where = doc.origin("sheets", sheet, part, text)
                if role not in ROLES:
                    raise document.BadDocument(f"{where}: {role!r} is no role. Known are {', '.join(sorted(ROLES))}.")
                places = list(find(grid, text))
                if not places:
                    raise document.BadDocument(
                        f"{where}: sheet {sheet} has no {part.removesuffix('s')} {text!r}. Correct it."
                    )
                roles |= {(sheet, *place): role for place in places}
    return Statement(roles=roles, file=doc.file)


def _texts(grid: Grid, text: str) -> Iterator[tuple[int, int]]:
    wanted = text.strip().casefold()
    for place, value in grid.values.items():
        if isinstance(value, str) and value.strip().casefold() == wanted:
            yield place


def _below(grid: Grid, text: str) -> Iterator[tuple[int, int]]:
    for row, column in _texts(grid, text):
        if grid.values.get((row + 1, column)) is not None or (row + 1, column) in grid.formulas:
            yield (row + 1, column)


def _right(grid: Grid, text: str) -> Iterator[tuple[int, int]]:
    for row, column in _texts(grid, text):
        if grid.values.get((row, column + 1)) is not None or (row, column + 1) in grid.formulas:
            yield (row, column + 1)


def _cells(grid: Grid, text: str) -> Iterator[tuple[int, int]]:
    area = reference(text, grid.name)
    if area is None:
        return
    for place in (*grid.formulas, *grid.values):
        if place in area:
            yield place
