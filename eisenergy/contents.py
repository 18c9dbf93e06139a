"""What a file is, by its bytes: a workbook, text, or neither; and what is wrong with one that cannot be read."""

from __future__ import annotations

import zipfile
from enum import StrEnum
from pathlib import Path
from typing import Final

from eisenergy import extent, unpacked

ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SPREADSHEET_SUFFIXES: Final = {".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"}


class UnreadableFile(ValueError):
    """A file that cannot be read. The message says what was found, where, what was expected and what to do."""


class Content(StrEnum):
    """What a file is, by its bytes."""

    XLSX = "xlsx"
    XLS = "xls"
    TEXT = "text"


def content(path: Path) -> Content:
    """Say what a file is by its bytes, whatever its name.

    :raises UnreadableFile: for a missing, empty, password-protected or unsupported file
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(4096)
    except FileNotFoundError:
        raise UnreadableFile(f"{path}: no such file. Check the path.") from None
    except IsADirectoryError:
        raise UnreadableFile(f"{path} is a folder: expected a file. Name the files in it.") from None
    except PermissionError:
        raise UnreadableFile(f"{path}: the file may not be read. Ask its owner for the right to read it.") from None
    return kind_of(path, start)


def kind_of(path: Path, start: bytes) -> Content:
    """Say what a file is by its first bytes; those of workbooks are looked at whole.

    :param start: its first 4,096 bytes
    """
    name = path.name
    if not start.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        raise UnreadableFile(f"{name} is empty: expected a table of readings or rates. Download it again.")
    if start.startswith(ZIP):
        return _zipped(path)
    if start.startswith(_OLE):
        return _compound(path)
    if start[:2] in (b"\x09\x00", b"\x09\x02", b"\x09\x04", b"\x09\x08"):
        return Content.XLS
    if start.startswith(b"%PDF"):
        raise UnreadableFile(f"{name} is a PDF: expected a spreadsheet or a text table. Ask for the download itself.")
    probe = start.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if probe.startswith((b"<!doctype html", b"<html", b"<table", b"<?xml", b"<head", b"<meta")):
        kind = "an XML document" if probe.startswith(b"<?xml") else "a web page (HTML)"
        raise UnreadableFile(
            f"{name} is {kind}, whatever its name says: expected a spreadsheet or a text table. "
            "Open it in a spreadsheet program and save it as .xlsx."
        )
    wide = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not wide and b"\0" in start and start.count(b"\0") < len(start) // 4:
        raise UnreadableFile(
            f"{name} is neither a spreadsheet nor text (binary bytes at its start): "
            "expected .xlsx, .xls or .csv. Export it again from the program it came from."
        )
    return Content.TEXT


def _zipped(path: Path) -> Content:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked.check_size(archive)
            names = archive.namelist()
    except unpacked.TooLarge as problem:
        raise UnreadableFile(f"{path.name} is not read: {problem}.") from None
    except unpacked.REFUSED:
        raise UnreadableFile(damaged(path.name, "its archive is cut off or damaged")) from None
    if not any(name.startswith(("xl/workbook", "content.xml")) for name in names):
        raise UnreadableFile(
            f"{path.name} is an archive without a workbook in it: expected a spreadsheet. "
            "If it is a .zip of downloads, unpack it and load the files in it."
        )
    return Content.XLSX


def check_parts(path: Path) -> None:
    """Refuse an archive one of whose parts fails its checksum: half a sheet would otherwise pass for a whole one; and one too wide."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked.check_size(archive)
            extent.check(archive)
    except extent.TooWide as problem:
        raise UnreadableFile(f"{path.name} is not read: {problem}.") from None
    except Exception as error:  # whatever a part that is damaged makes its readers say
        raise UnreadableFile(damaged(path.name, first_line(error))) from error


def _compound(path: Path) -> Content:
    data = path.read_bytes()
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise UnreadableFile(protected(path.name))
    if not any(stream.encode("utf-16-le") in data for stream in ("Workbook", "Book")):
        raise UnreadableFile(
            f"{path.name} is an Office file without a workbook in it (cut off, or a .doc or .msg?): expected a spreadsheet. "
            "Save the table as .xlsx."
        )
    return Content.XLS


def damaged(name: str, what: str) -> str:
    """Say that a workbook cannot be opened. :param what: what is the matter with it"""
    return f"{name} cannot be opened as a workbook: {what}. Expected a whole .xlsx or .xls file. Download it again."


def protected(name: str) -> str:
    """Say that a workbook needs a password."""
    return (
        f"{name} is protected by a password: expected an open workbook. Save it without a password and load it again."
    )


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its name where it says nothing."""
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def is_spreadsheet_name(path: Path) -> bool:
    """Say whether a file's name claims a spreadsheet."""
    return path.suffix.lower() in _SPREADSHEET_SUFFIXES
