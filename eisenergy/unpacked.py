"""The parts of a zip archive, unpacked with a bound: neither what an archive says of itself nor what it holds may fill the memory.

A few kilobytes can unpack to gigabytes, and an archive may say of a part that it is small. So the sizes it names are added up before
anything is unpacked, and each part is unpacked no further than to the size it names: one that goes on beyond it is damaged.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Final

MEGABYTES: Final = 256
"""What an archive may take unpacked unless :func:`limit` says otherwise; a year of 15-minute readings with twelve columns takes 15."""

_LOCAL: Final = 30  # bytes of a local header before the name
_PIECE: Final = 1 << 20

_most = [MEGABYTES << 20]
"""Bytes. In a list, so that setting it changes no module: a notebook's process that changes modules is not used again."""


REFUSED: Final = (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError)
"""What opening an archive and unpacking it raise for bytes that are no whole archive; :class:`TooLarge` and :class:`Damaged` are among them."""


class TooLarge(ValueError):
    """An archive that would take more memory than it may. Says how much and which setting allows more."""


class Damaged(ValueError):
    """A part that is not what the archive says of it."""


def limit(megabytes: int) -> None:
    """Set what archives may take unpacked, in this process."""
    _most[0] = megabytes << 20


def check_size(archive: zipfile.ZipFile) -> None:
    """Refuse an archive by the sizes it names. :raises TooLarge:"""
    size = sum(entry.file_size for entry in archive.infolist())
    if size > _most[0]:
        raise TooLarge(
            f"it unpacks to {size / (1 << 20):,.0f} MB, and {_most[0] >> 20:,} are allowed: it is damaged or made to fill the memory. "
            "If it is a workbook of yours, save each year or meter by itself, or set EISENERGY_UNPACKED to more megabytes"
        )


def part(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Return a part's bytes.

    :raises Damaged: when they are not as many as the archive says, or not those
    """
    return b"".join(_pieces(archive, entry))


def check(archive: zipfile.ZipFile, look: Callable[[str, bytes, bool], object] | None = None) -> None:
    """Unpack every part and keep none.

    :param look: called with a part's name, each piece of it in turn, and whether it is the last, which is empty
    :raises Damaged: naming the part that is not what the archive says
    """
    for entry in archive.infolist():
        for piece in _pieces(archive, entry):
            if look is not None:
                look(entry.filename, piece, False)
        if look is not None:
            look(entry.filename, b"", True)


class Declarations:
    """Refuses a workbook whose XML declares a document type, and so may declare entities; given to :func:`check`.

    Source: ECMA-376, part 2, M1.18: no part may hold a DTD, and whoever finds one treats it as an error.
    """

    _SOUGHT: Final = b"<!DOCTYPE"

    def __init__(self) -> None:
        self._end = b""

    def __call__(self, name: str, piece: bytes, last: bool) -> None:
        """Look at a piece of a part. :raises Damaged: naming the part"""
        if not name.casefold().endswith((".xml", ".rels")):
            return  # a picture may have one
        seen = self._end + piece.replace(b"\0", b"")  # without the zeros UTF-16 is as good as UTF-8
        if self._SOUGHT in seen:
            raise Damaged(f"its part {name} declares a document type")
        self._end = b"" if last else seen[1 - len(self._SOUGHT) :]


def _pieces(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """A part's bytes, piece by piece; zipfile's own reader stops at the size that is named and does not look further."""
    if entry.flag_bits & 0x1:
        raise Damaged(f"its part {entry.filename} is encrypted")
    source: IO[bytes] = archive.fp  # type: ignore[assignment]
    source.seek(entry.header_offset)
    header = source.read(_LOCAL)
    if len(header) < _LOCAL or header[:4] != b"PK\x03\x04":
        raise Damaged(f"its part {entry.filename} is not where the archive says")
    name, extra = struct.unpack("<HH", header[26:30])
    source.seek(name + extra, 1)
    if entry.compress_type == zipfile.ZIP_STORED:
        pieces = _stored(source, entry)
    elif entry.compress_type == zipfile.ZIP_DEFLATED:
        pieces = _inflated(source, entry)
    else:
        raise Damaged(f"its part {entry.filename} is packed in a way that no workbook is")
    left, checksum = entry.file_size, 0
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise Damaged(f"its part {entry.filename} goes on beyond the size that the archive says")
        checksum = zlib.crc32(piece, checksum)
        yield piece
    if left or checksum != entry.CRC:
        raise Damaged(f"its part {entry.filename} fails its checksum")


def _stored(source: IO[bytes], entry: zipfile.ZipInfo) -> Iterator[bytes]:
    left = entry.compress_size
    while left > 0 and (piece := source.read(min(left, _PIECE))):
        left -= len(piece)
        yield piece


def _inflated(source: IO[bytes], entry: zipfile.ZipInfo) -> Iterator[bytes]:
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    left, room = entry.compress_size, min(entry.file_size + 1, 16 * _PIECE)
    while left > 0 and not machine.eof and (packed := source.read(min(left, _PIECE))):
        left -= len(packed)
        while packed and not machine.eof:
            try:
                piece = machine.decompress(packed, room)
            except zlib.error as problem:
                raise Damaged(f"its part {entry.filename} cannot be unpacked: {problem}") from None
            yield piece
            packed = machine.unconsumed_tail
    if not machine.eof:
        yield machine.flush(room) if not machine.unconsumed_tail else b""
        raise Damaged(f"its part {entry.filename} is cut off")
