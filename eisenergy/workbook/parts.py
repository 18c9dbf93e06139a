"""A workbook's file as its parts, changed in place: what is not touched keeps its bytes.

Elements are found by an XML parser, and only their bytes are replaced, so prefixes, extensions and whatever else a spreadsheet
program wrote stay as they are.
"""

from __future__ import annotations

import os
import posixpath
import re
import zipfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape

from eisenergy import unpacked
from eisenergy.contents import UnreadableFile

MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
_TAG: Final = re.compile(rb"<[^>\"']*(?:(?:\"[^\"]*\"|'[^']*')[^>\"']*)*>")
_CODE: Final = re.compile(r"_(x[0-9A-Fa-f]{4}_)")
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_MADE: Final = (1980, 1, 1, 0, 0, 0)

Edit = tuple[int, int, bytes]
"""From, to, and what stands there instead."""


@dataclass(frozen=True, slots=True)
class Element:
    """An element in a part.

    :param name: without prefix
    :param attributes: by name; of a namespace, as ``namespace name``
    :param start: where its first tag begins
    :param inside: where that tag ends
    :param end: where its last tag begins; ``inside`` for an empty element's only tag
    :param stop: where it ends
    :param depth: 0 for the root
    """

    name: str
    attributes: Mapping[str, str]
    start: int
    inside: int
    end: int
    stop: int
    depth: int


class Parts:
    """The parts of a file.

    :raises UnreadableFile: when it is no zip file
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self._dates = {info.filename: info.date_time for info in archive.infolist()}
                unpacked.check_size(archive)
                self._data = {info.filename: unpacked.part(archive, info) for info in archive.infolist()}
        except unpacked.REFUSED as problem:
            raise UnreadableFile(f"{path.name}: cannot be read as a workbook ({problem}).") from problem

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def names(self) -> list[str]:
        """Return the parts' names, in the file's order."""
        return list(self._data)

    def read(self, name: str) -> bytes:
        """Return a part in UTF-8. :raises UnreadableFile: when it is not there"""
        if name not in self._data:
            raise UnreadableFile(
                f"{self.path.name}: its part {name} is missing. Save it again in the spreadsheet program."
            )
        data = self._data[name].removeprefix(b"\xef\xbb\xbf")
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text = data.decode("utf-16")
            return re.sub(r'encoding=["\']utf-16["\']', 'encoding="UTF-8"', text, count=1, flags=re.IGNORECASE).encode()
        return data

    def put(self, name: str, data: bytes) -> None:
        """Replace a part, or add one."""
        self._data[name] = data

    def edit(self, name: str, edits: Iterable[Edit]) -> None:
        """Replace stretches of a part that do not overlap; of two at one place the first given comes first."""
        data = self.read(name)
        pieces, place = [], 0
        for start, stop, new in sorted(edits, key=lambda edit: edit[:2]):
            pieces += [data[place:start], new]
            place = stop
        self.put(name, b"".join([*pieces, data[place:]]))

    def elements(self, name: str, wanted: Collection[str]) -> list[Element]:
        """Return a part's elements of some names, in the order in which they begin."""
        return scan(self.read(name), wanted)

    def unused(self, pattern: str) -> str:
        """Return a name for a new part. :param pattern: for example ``xl/comments{}.xml``"""
        known = {name.casefold() for name in self._data}
        return next(name for n in range(1, len(known) + 2) if (name := pattern.format(n)).casefold() not in known)

    def links(self, name: str) -> dict[str, tuple[str, str]]:
        """Return a part's relationships: id -> (last word of its type, name of the part it leads to)."""
        rels = _rels(name)
        if rels not in self:
            return {}
        found = {}
        for one in self.elements(rels, {"Relationship"}):
            target = one.attributes.get("Target", "")
            if one.attributes.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), target)).lstrip("/")
            found[one.attributes["Id"]] = (one.attributes.get("Type", "").rpartition("/")[2], target)
        return found

    def link(self, name: str, kind: str, target: str) -> str:
        """Add a relationship to a part and return its id. :param kind: for example ``comments``"""
        rels = _rels(name)
        if rels not in self:
            self.put(rels, f'<?xml version="1.0" encoding="UTF-8"?>\n<Relationships xmlns="{_PACKAGE}"/>'.encode())
        known = self.links(name)
        identity = next(text for n in range(1, len(known) + 2) if (text := f"rId{n}") not in known)
        root = self.elements(rels, {"Relationships"})[0]
        prefix = prefix_of(self.read(rels), root)
        self.edit(
            rels,
            into(
                self.read(rels),
                root,
                f'<{prefix}Relationship Id="{identity}" Type="{LINKS}/{kind}" Target="/{target}"/>',
            ),
        )
        return identity

    def declare(self, name: str, kind: str, *, extension: bool = False) -> None:
        """Say what a new part is. :param extension: say it of all with its extension"""
        types = "[Content_Types].xml"
        ending = name.rpartition(".")[2]
        root = self.elements(types, {"Types"})[0]
        prefix = prefix_of(self.read(types), root)
        defaults = self.elements(types, {"Default"})
        if not extension:
            said = f'<{prefix}Override PartName="/{name}" ContentType="{kind}"/>'
            self.edit(types, into(self.read(types), root, said))
        elif not any(one.attributes.get("Extension", "").casefold() == ending for one in defaults):
            said = f'<{prefix}Default Extension="{ending}" ContentType="{kind}"/>'
            self.edit(types, into(self.read(types), root, said, first=True))

    def write(self, out: Path) -> None:
        """Write the file whole or not at all; parts that were there keep their place and date."""
        partial = out.with_name(f".{out.name}.{os.getpid()}.part")
        try:
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, data in self._data.items():
                    info = zipfile.ZipInfo(name, self._dates.get(name, _MADE))
                    archive.writestr(info, data, zipfile.ZIP_DEFLATED)
            os.replace(partial, out)
        finally:
            partial.unlink(missing_ok=True)


def scan(data: bytes, wanted: Collection[str]) -> list[Element]:
    """Return the elements of some names, in the order in which they begin.

    :param data: a part in UTF-8
    :raises UnreadableFile: when it is no XML
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    found: list[Element] = []
    open_: list[tuple[int, int, dict[str, str]] | None] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(" ")[2] in wanted:
            begins = parser.CurrentByteIndex
            tag = _TAG.match(data, begins)
            open_.append((begins, tag.end() if tag else begins, attributes))
        else:
            open_.append(None)

    def end(name: str) -> None:
        opened = open_.pop()
        if opened is None:
            return
        begins, inside, attributes = opened
        empty = data[inside - 2 : inside] == b"/>"
        closes = inside if empty else parser.CurrentByteIndex
        stop = inside if empty else data.index(b">", closes) + 1
        found.append(Element(name.rpartition(" ")[2], attributes, begins, inside, closes, stop, len(open_)))

    parser.StartElementHandler, parser.EndElementHandler = start, end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as problem:
        raise UnreadableFile(f"a part of the workbook is no XML: {problem}.") from problem
    return sorted(found, key=lambda one: one.start)


def prefix_of(data: bytes, element: Element) -> str:
    """Return the prefix of an element's tag with its colon, or nothing."""
    match = re.match(rb"<([\w.-]+:)?", data[element.start : element.inside])
    return (match[1] or b"").decode() if match else ""


def into(data: bytes, element: Element, inner: str, *, first: bool = False) -> list[Edit]:
    """Return the edit that adds to what an element holds, at its end or before all else."""
    if element.end == element.inside and data[element.inside - 2 : element.inside] == b"/>":
        tag = data[element.start : element.inside]
        name = re.match(rb"<([\w.:-]+)", tag)
        closing = b"</" + (name[1] if name else b"") + b">"
        return [(element.start, element.inside, tag[:-2].rstrip() + b">" + inner.encode() + closing)]
    place = element.inside if first else element.end
    return [(place, place, inner.encode())]


def tagged(data: bytes, element: Element, attributes: Mapping[str, str]) -> bytes:
    """Return an element's first tag with attributes, without a prefix, set to other values."""
    tag = data[element.start : element.inside]
    for name, value in attributes.items():
        new = f'{name}="{escape(value, {chr(34): "&quot;"})}"'.encode()
        known = re.compile(rb"(?<=\s)" + name.encode() + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')")
        if known.search(tag):
            tag = known.sub(lambda _, new=new: new, tag, count=1)  # type: ignore[misc]
        else:
            head = re.match(rb"<[\w.:-]+", tag)
            place = head.end() if head else 1
            tag = tag[:place] + b" " + new + tag[place:]
    return tag


def written(text: str) -> str:
    """Write a text as XML: what no part may hold is left out, and what looks like a coded letter stays what it looks like."""
    return escape(_CODE.sub(r"_x005F_\1", _UNWRITABLE.sub("", text)))


def _rels(name: str) -> str:
    folder, _, file = name.rpartition("/")
    return f"{folder}/_rels/{file}.rels" if folder else f"_rels/{file}.rels"
