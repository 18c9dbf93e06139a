"""A file in which no header of readings was found: its most likely header and what stands below, so that a person may say what is what."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from eisenergy.contents import Content, UnreadableFile, content
from eisenergy.readings import columns
from eisenergy.sheets import cell, open_sheets

LINES: Final = 40
"""Rows among which the header is looked for."""
SEPARATORS: Final = (";", ",", "\t", "|")
_BYTES: Final = 1 << 16


def guessed(path: Path, rows: int) -> dict[str, Any]:
    """Return columns and first rows of a table, as a preview has them; nothing where no row looks like a header.

    :param rows: how many are shown below the header
    """
    try:
        if content(path) is Content.TEXT:
            return _table(None, _text(path, rows), rows)
        found = [_table(sheet.name, sheet.rows[: LINES + rows], rows) for sheet in open_sheets(path)]
    except (UnreadableFile, OSError, csv.Error):
        return {}
    return max(found, key=lambda one: len(one.get("columns", ())), default={})


def _text(path: Path, rows: int) -> list[list[str]]:
    with path.open("rb") as stream:
        data = stream.read(_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        text = data.decode("utf-8-sig" if problem.start > len(data) - 4 else "cp1252", "replace")
    lines = [line for line in text.splitlines() if line.strip()][: LINES + rows]
    return max(
        (list(csv.reader(lines, delimiter=separator)) for separator in SEPARATORS),
        key=lambda table: max((_score(row) for row in table[:LINES]), default=0),
    )


def _score(row: Sequence[object]) -> int:
    """How much a row is like a header: cells that are words, each another one."""
    words = [str(value).strip() for value in row if isinstance(value, str) and any(c.isalpha() for c in value)]
    return len(words) if len(set(words)) == len(words) else 0


def _table(sheet: str | None, table: Sequence[Sequence[object]], rows: int) -> dict[str, Any]:
    scores = [_score(row) for row in table[:LINES]]
    best = max(scores, default=0)
    if best < 2:
        return {}
    place = scores.index(best)
    headers = table[place]
    below = [row for row in table[place + 1 :] if any(value not in (None, "") for value in row)][:rows]
    names = [f"{cell(0, index)[:-1]} {header or ''}".strip() for index, header in enumerate(headers)]
    return {
        "raw": True,
        "head": names,
        "rows": [
            ["" if value is None else str(value)[:200] for value in [*row, *[None] * len(names)][: len(names)]]
            for row in below
        ],
        "columns": [
            {
                "sheet": sheet,
                "position": cell(0, index)[:-1],
                "header": str(header),
                "taken_for": None if (role := columns.role(header, None)) is None else role.field,
                "why": "" if role is None else role.why,
            }
            for index, header in enumerate(headers)
            if isinstance(header, str) and header.strip()
        ],
    }
