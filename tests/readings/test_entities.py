"""Workbooks whose XML declares entities: no other file is read for them, and none grows to fill the memory."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import openpyxl
import pytest

from eisenergy import unpacked
from eisenergy.contents import UnreadableFile
from eisenergy.sheets import Workbook
from eisenergy.workbook.book import open_book

SECRET = "the-secret-of-another-file"
CELLS, ABOUT = "xl/worksheets/sheet1.xml", "docProps/core.xml"


def workbook(path: Path, part: str, declared: str, encoding: str = "utf-8") -> Path:
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
                text = f"<!DOCTYPE r [{declared}]>{text.decode()}".encode(encoding)
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("part", [CELLS, ABOUT])
@pytest.mark.parametrize("before", ["", "<!-- long --> " * 100_000])
def test_a_checked_workbook_declares_no_document_type(tmp_path: Path, part: str, encoding: str, before: str) -> None:
    """Not even one whose entities are harmless: openpyxl parses with what would put them in."""
    path = workbook(tmp_path / "a.xlsx", part, '<!ENTITY e "x">', encoding)
    if before:
        with zipfile.ZipFile(path) as archive:
            parts = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        parts[part] = (before + parts[part].decode(encoding)).encode(encoding)
        with zipfile.ZipFile(path, "w") as written:  # not packed: the pieces that are looked at end anywhere
            for name, data in parts.items():
                written.writestr(name, data)
    with pytest.raises(UnreadableFile, match=f"damaged workbook .its part {part} declares a document type"):
        open_book(path)


def test_where_a_declaration_is_cut_makes_no_difference() -> None:
    text = b"<!-- -->" + b"<!DOCTYPE r>"
    for cut in range(len(text) + 1):
        look = unpacked.Declarations()
        with pytest.raises(unpacked.Damaged, match=r"a\.xml declares a document type"):
            all(look("a.xml", piece, False) is None for piece in (text[:cut], text[cut:]))
    look = unpacked.Declarations()
    for name, piece, last in (
        ("a.xml", b"<!DOC", False), ("a.xml", b"", True), ("b.xml", b"TYPE r>", False), ("b.xml", b"", True),
        ("picture.svg", text, False), ("picture.svg", b"", True),
    ):  # fmt: skip
        look(name, piece, last)


@pytest.mark.parametrize("grows", [False, True])
def test_the_parser_alone_is_no_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grows: bool) -> None:
    """Were the declaration not seen (a part may have any name), no file is read and nothing grows all the same."""
    assert not openpyxl.DEFUSEDXML, "it parses in Python"
    monkeypatch.setattr(unpacked.Declarations, "_SOUGHT", b"nothing that is there")
    test_an_entity_stands_for_nothing(tmp_path, CELLS, grows)
