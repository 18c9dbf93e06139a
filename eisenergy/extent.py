"""How far a worksheet reaches: two cells, the first and the last of a sheet, are a few bytes and would be seventeen billion in a table.

calamine lays a sheet out as a whole table, up to its last filled cell, before anything can be asked of it, and ends the process when the
memory does not suffice. So the cells' places are looked at while the parts are unpacked to be checked.
"""

from __future__ import annotations

import re
import zipfile
from typing import Final

from eisenergy import unpacked

MOST: Final = 1 << 24
"""Cells of a sheet, empty ones included: some 500 MB. A year of 15-minute readings with twelve columns has 420,000."""
WIDEST: Final = 4096
"""Columns of a sheet: each costs time of its own, however short it is."""
_TAG: Final = re.compile(
    rb'<(?:[\w.-]+:)?(?:c(?:\s+r="([A-Z]{1,3})([0-9]{1,7})")?(?=[\s/>])|(row)(?=[\s/>]))([^<>]*)(>?)'
)
_CELL: Final = re.compile(rb"\sr\s*=\s*[\"']([A-Za-z]{1,3})([0-9]{1,9})[\"']")
_ROW: Final = re.compile(rb"\sr\s*=\s*[\"']([0-9]{1,9})[\"']")
_CARRY: Final = 4096


class TooWide(ValueError):
    """A sheet that reaches further than may be laid out. Says how far."""


class Extent:
    """The last row and column of one part of a workbook, as it is unpacked.

    :param name: of the part
    :param most: cells that it may take
    :param widest: columns that it may have
    """

    def __init__(self, name: str, most: int = MOST, widest: int = WIDEST) -> None:
        self.name = name
        self.most = most
        self.widest = widest
        self._begun = False
        self._rest = b""
        self._row = self._column = 0  # where the reader stands: a row or cell without a place is the next one
        self._rows = self._columns = 0
        self._known: dict[bytes, int] = {}

    def see(self, piece: bytes, *, last: bool = False) -> None:
        """Look at the next piece of the part. :raises TooWide: when the cells up to here would take more than they may"""
        text = self._rest + piece
        if not self._begun and text.startswith((b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")):
            raise TooWide(f"its part {self.name} is written in UTF-16. Save it again with a spreadsheet program")
        self._begun = self._begun or len(text) > 1
        end = len(text) if last else max(text.rfind(b"<"), 0)
        self._rest = text[end:]
        if len(self._rest) > _CARRY and not last:  # no tag is so long: nothing that a sheet has
            self._rest = b""
        for letters, digits, row, more, closed in _TAG.findall(text, 0, end):
            if row:
                place = _ROW.search(more)
                self._row, self._column = int(place[1]) if place else self._row + 1, 0
            elif letters and closed and not more.count(b'"') % 2 and b"'" not in more:
                self._cell(letters, int(digits), empty=more.endswith(b"/"))
            else:
                self._odd(letters, digits, more, closed)
        if self._rows * self._columns > self.most or self._columns > self.widest:
            raise TooWide(
                f"its part {self.name} reaches to row {self._rows:,} and column {self._columns:,}, and {self.most:,} cells "
                f"in {self.widest:,} columns are read of a sheet at most. Delete what stands far from the table, and save it again"
            )

    def _odd(self, letters: bytes, digits: bytes, more: bytes, closed: bytes) -> None:
        """A cell whose place is missing or is not where programs write it."""
        if not closed or more.count(b'"') % 2 or more.count(b"'") % 2:
            raise TooWide(
                f"its part {self.name} writes a cell as no program does. Save it again with a spreadsheet program"
            )
        place = _CELL.search(more)
        if place is not None:
            letters, digits = place[1].upper(), place[2]
        if letters:
            self._cell(letters, int(digits), empty=more.endswith(b"/"))
            return
        self._column += 1
        if not more.endswith(b"/"):
            self._rows, self._columns = max(self._rows, self._row), max(self._columns, self._column)

    def _cell(self, letters: bytes, row: int, *, empty: bool) -> None:
        column = self._known.get(letters)
        if column is None:
            column = 0
            for letter in letters:
                column = column * 26 + letter - 64
            self._known[letters] = column
        self._column = column
        if not empty:
            if column > self._columns:
                self._columns = column
            if row > self._rows:
                self._rows = row


def check(archive: zipfile.ZipFile, *, most: int = MOST, widest: int = WIDEST) -> None:
    """Unpack every part of a workbook and keep none.

    :raises TooWide: for a sheet that reaches too far
    :raises unpacked.Damaged: naming the part that is not what the archive says
    """
    parts: dict[str, Extent] = {}

    def look(name: str, piece: bytes, last: bool) -> None:
        parts.setdefault(name, Extent(name, most, widest)).see(piece, last=last)

    unpacked.check(archive, look)
