"""Workbooks whose XML declares entities: no other file is read for them, and none grows to fill the memory."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import openpyxl
import pytest

from eisenergy.contents import UnreadableFile
from eisenergy.sheets import Workbook
from eisenergy.workbook.book import open_book

SECRET = "the-secret-of-another-file"
CELLS, ABOUT = "xl/worksheets/sheet1.xml", "docProps/core.xml"


def workbook(path: Path, part: str, declared: str) -> Path:
    """A workbook one of whose parts says ``&e;`` where a text would stand."""
    book, kept, changed = openpyxl.Workbook(), io.BytesIO(), 0
    book.active.append(["x", "=1+1"])  # type: ignore[union-attr]
    book.save(kept)
    with zipfile.ZipFile(kept) as archive, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
        for entry in archive.infolist():
            text = archive.read(entry)
            if entry.filename == part:
                text = text.partition(b"?>")[2] or text
                text, changed = re.subn(rb"(<t>|<dc:creator>)[^<]*<", rb"\1&e;<", text, count=1)
                text = f"<!DOCTYPE r [{declared}]>".encode() + text
            written.writestr(entry.filename, text)
    assert changed == 1
    return path


@pytest.mark.parametrize("part", [CELLS, ABOUT])
@pytest.mark.parametrize("grows", [False, True])
def test_an_entity_stands_for_nothing(tmp_path: Path, part: str, grows: bool) -> None:
    (tmp_path / "other").write_text(SECRET)
    declared = f'<!ENTITY e SYSTEM "file://{tmp_path}/other">'
    if grows:  # ten billion letters
        levels = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdfghij", "bcdfghijk", strict=True))
        declared = f'<!ENTITY a "0123456789">{levels}<!ENTITY e "&k;">'
    path = workbook(tmp_path / "a.xlsx", part, declared)
    found = []
    for read in (
        lambda: {name: (grid.values, grid.formulas) for name, grid in open_book(path).grids.items()},
        lambda: Workbook(path).frame("Sheet")[0].rows(),
    ):
        try:
            found.append(str(read()))
        except UnreadableFile as problem:
            found.append(str(problem))
    assert all(SECRET not in one and len(one) < 1000 for one in found), found
    assert str(tmp_path) not in "".join(found), "where files lie here is nobody's business"
