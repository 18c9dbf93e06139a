"""Workbooks: ``.xlsx`` and ``.xls``, where any sheet may hold readings and others hold something else."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import polars as pl

from eisenergy.contents import UnreadableFile
from eisenergy.readings import columns
from eisenergy.readings.mapping import Mapping
from eisenergy.readings.model import RawTable
from eisenergy.sheets import Workbook

_HEAD_ROWS: Final = 300
_FIGURE: Final = re.compile(r"[+-]?\d+(\.\d+)?")


def tables(path: Path, mappings: Sequence[Mapping] = ()) -> tuple[list[RawTable], list[str]]:
    """Read every sheet of a workbook that holds readings, nothing in it interpreted.

    :returns: the tables, and the names of the sheets that hold something else
    :raises UnreadableFile: when it cannot be opened, or no sheet holds readings
    """
    book = Workbook(path)
    aliases = {header: name for one in mappings for header, name in one.columns.items()}
    found: list[RawTable] = []
    others: list[str] = []
    for name in book.names:
        table = _table(book, name, aliases)
        if table is None:
            others.append(name)
        else:
            found.append(table)
    if not found:
        raise UnreadableFile(
            f"{path.name}: no sheet holds readings (found {', '.join(map(repr, book.names))}). Expected a row with a date "
            "or timestamp column and an energy column, for example Date, Time, kWh. If the headers are others, name them "
            "in a mapping (columns)."
        )
    return found, others


def _table(book: Workbook, name: str, aliases: dict[str, str]) -> RawTable | None:
    top, left = book.frame(name, "string", _HEAD_ROWS)
    head: list[list[object]] = [[None] * left + list(row) for row in top.iter_rows()]
    header_row = columns.find_header(head, aliases)
    if header_row is None:
        return None
    width = left + top.width
    below = head[header_row + 1 :]
    roles = columns.roles(head[header_row], aliases)
    numeric = [index for index in range(left, width) if _is_numeric(roles[index], [row[index] for row in below])]
    body, _ = book.frame(name, {index: "float" if index in numeric else "string" for index in range(left, width)})
    body.columns = [str(index) for index in range(left, width)]
    body = body.slice(header_row + 1)

    @cache
    def strings() -> pl.DataFrame:
        frame: pl.DataFrame = book.frame(name, "string")[0].slice(header_row + 1)
        return frame

    loose = [index for index in numeric if roles[index] is None and body[str(index)].null_count()]
    if loose:
        as_read = strings()
        body = body.with_columns(
            as_read.to_series(index - left).alias(str(index))
            for index in loose
            if as_read.to_series(index - left).null_count() < body[str(index)].null_count()
        )
    filled = _filled(body, strings if numeric else None)
    rows = pl.Series("row", range(header_row + 2, header_row + 2 + body.height), dtype=pl.Int32)

    def as_text(column: int) -> pl.Series:
        return strings().to_series(column - left).filter(filled)

    return RawTable(
        file=book.file,
        sheet=name,
        header_row=header_row,
        headers=tuple(_header(value) for value in head[header_row]),
        frame=body.filter(filled),
        rows=rows.filter(filled),
        above=head[:header_row],
        text=as_text,
        hidden=lambda cells: list(book.empty_cell(name, cells)),
    )


def _filled(body: pl.DataFrame, strings: Callable[[], pl.DataFrame] | None) -> pl.Series:
    """Say which rows hold anything; a text in a column of figures counts."""
    if not body.height:
        return pl.Series("x", [], dtype=pl.Boolean)
    filled = body.select(pl.any_horizontal(pl.all().is_not_null()).alias("x"))["x"]
    if strings is not None and not filled.all():
        filled |= strings().select(pl.any_horizontal(pl.all().is_not_null()).alias("x"))["x"]
    return filled


def _is_numeric(role: columns.Role | None, sample: list[object]) -> bool:
    if role is not None:
        return role.field in columns.NUMBERS
    values = [value for value in sample if value is not None]
    return bool(values) and all(isinstance(value, str) and _FIGURE.fullmatch(value) for value in values)


def _header(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
