"""Comments on a sheet's cells, as spreadsheet programs keep them: a text in one part, its box in another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from eisenergy.sheets import cell
from eisenergy.workbook.formula import LAST_COLUMN
from eisenergy.workbook.parts import LINKS, MAIN, Edit, Parts, into, prefix_of, written

AUTHOR: Final = "eisenergy"
_COMMENTS: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.comments+xml"
_DRAWING: Final = "application/vnd.openxmlformats-officedocument.vmlDrawing"
_BEFORE: Final = {
    "legacyDrawingHF",
    "drawingHF",
    "picture",
    "oleObjects",
    "controls",
    "webPublishItems",
    "tableParts",
    "extLst",
    "AlternateContent",
}
"""What may follow a sheet's ``legacyDrawing``."""

_SPACES: Final = (
    'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office" '
    'xmlns:x="urn:schemas-microsoft-com:office:excel"'
)
_BOX_TYPE: Final = (
    '<v:shapetype id="_x0000_t202" coordsize="21600,21600" o:spt="202" path="m,l,21600r21600,l21600,xe">'
    '<v:stroke joinstyle="miter"/><v:path gradientshapeok="t" o:connecttype="rect"/></v:shapetype>'
)
_BLOCK: Final = 1024
"""Names of boxes come in blocks of this many; a drawing lists the blocks it uses."""


def commented(parts: Parts, sheet: str) -> frozenset[str]:
    """Return the cells of a sheet that have a comment already. :param sheet: name of its part"""
    part = _linked(parts, sheet, "comments")
    if part is None:
        return frozenset()
    return frozenset(one.attributes.get("ref", "").upper() for one in parts.elements(part, {"comment"}))


def add(parts: Parts, sheet: str, texts: Mapping[tuple[int, int], str]) -> None:
    """Add comments to cells that have none.

    :param sheet: name of the sheet's part
    :param texts: (row, column), both from 1 -> what the comment says; its first line is set in bold
    """
    if not texts:
        return
    _add_texts(parts, sheet, texts)
    _add_boxes(parts, sheet, sorted(texts))


def _linked(parts: Parts, sheet: str, kind: str) -> str | None:
    return next((target for known, target in parts.links(sheet).values() if known == kind and target in parts), None)


def _add_texts(parts: Parts, sheet: str, texts: Mapping[tuple[int, int], str]) -> None:
    part = _linked(parts, sheet, "comments")
    if part is None:
        part = parts.unused("xl/comments{}.xml")
        parts.put(
            part,
            f'<?xml version="1.0" encoding="UTF-8"?>\n<comments xmlns="{MAIN}"><authors/><commentList/></comments>'.encode(),
        )
        parts.declare(part, _COMMENTS)
        parts.link(sheet, "comments", part)
    authors = len(parts.elements(part, {"author"}))
    root, author_list, comments = parts.elements(part, {"comments", "authors", "commentList"})[:3]
    data = parts.read(part)
    p = prefix_of(data, root)
    new = "".join(_comment(p, authors, row, column, text) for (row, column), text in sorted(texts.items()))
    edits: list[Edit] = into(data, author_list, f"<{p}author>{AUTHOR}</{p}author>")
    parts.edit(part, [*edits, *into(data, comments, new)])


def _comment(p: str, author: int, row: int, column: int, text: str) -> str:
    head, _, rest = text.partition("\n")
    return (
        f'<{p}comment ref="{cell(row - 1, column - 1)}" authorId="{author}"><{p}text>'
        f'<{p}r><{p}rPr><{p}b/><{p}sz val="9"/><{p}rFont val="Tahoma"/></{p}rPr>'
        f'<{p}t xml:space="preserve">{written(head)}\n</{p}t></{p}r>'
        f'<{p}r><{p}rPr><{p}sz val="9"/><{p}rFont val="Tahoma"/></{p}rPr>'
        f'<{p}t xml:space="preserve">{written(rest)}</{p}t></{p}r></{p}text></{p}comment>'
    )


def _add_boxes(parts: Parts, sheet: str, places: list[tuple[int, int]]) -> None:
    known = next((one for one in parts.elements(sheet, {"legacyDrawing"}) if one.depth == 1), None)
    links = parts.links(sheet)
    blocks = _free_block(parts), -(-len(places) // (_BLOCK - 1))
    numbers = [block * _BLOCK + n for block in range(blocks[0], sum(blocks)) for n in range(1, _BLOCK)]
    boxes = "".join(_box(number, row, column) for number, (row, column) in zip(numbers, places, strict=False))
    used = ",".join(str(block) for block in range(blocks[0], sum(blocks)))
    target = links.get(known.attributes.get(f"{LINKS} id", ""), ("", ""))[1] if known is not None else ""
    if target in parts:
        text = parts.read(target).decode()
        text = re.sub(r'(<o:idmap\b[^>]*\bdata=")([^"]*)"', rf'\g<1>\g<2>,{used}"', text, count=1)
        kind = "" if "_x0000_t202" in text else _BOX_TYPE
        head, closing, tail = text.rpartition("</xml>")
        parts.put(target, f"{head}{kind}{boxes}{closing}{tail}".encode())
        return
    target = parts.unused("xl/drawings/vmlDrawing{}.vml")
    layout = f'<o:shapelayout v:ext="edit"><o:idmap v:ext="edit" data="{used}"/></o:shapelayout>'
    parts.put(target, f"<xml {_SPACES}>{layout}{_BOX_TYPE}{boxes}</xml>".encode())
    parts.declare(target, _DRAWING, extension=True)
    identity = parts.link(sheet, "vmlDrawing", target)
    data = parts.read(sheet)
    root = parts.elements(sheet, {"worksheet"})[0]
    following = [
        one for one in parts.elements(sheet, _BEFORE) if one.depth == 1 and one.start > _rows_end(parts, sheet)
    ]
    place = following[0].start if following else root.end
    drawing = f'<{prefix_of(data, root)}legacyDrawing xmlns:r="{LINKS}" r:id="{identity}"/>'.encode()
    parts.edit(sheet, [(place, place, drawing)])


def _rows_end(parts: Parts, sheet: str) -> int:
    return parts.elements(sheet, {"sheetData"})[0].stop


def _free_block(parts: Parts) -> int:
    """Return the first block of box names that no drawing of the file uses."""
    used = [0]
    for name in parts.names():
        if name.endswith(".vml"):
            text = parts.read(name).decode(errors="replace")
            used += [int(found) // _BLOCK for found in re.findall(r"_x0000_s(\d+)", text)]
            used += [
                int(block) for data in re.findall(r'\bdata="([\d,]+)"', text) for block in data.split(",") if block
            ]
    return max(used) + 1


def _box(number: int, row: int, column: int) -> str:
    """Return a comment's box, six columns wide to the right of its cell, and hidden until the cell is pointed at."""
    top = max(0, row - 2)
    right = min(column + 5, LAST_COLUMN - 1)
    return (
        f'<v:shape id="_x0000_s{number}" type="#_x0000_t202" style="position:absolute;margin-left:80pt;margin-top:2pt;'
        'width:280pt;height:140pt;z-index:1;visibility:hidden" fillcolor="#ffffe1" o:insetmode="auto">'
        '<v:fill color2="#ffffe1"/><v:shadow on="t" color="black" obscured="t"/><v:path o:connecttype="none"/>'
        '<v:textbox style="mso-direction-alt:auto"><div style="text-align:left"></div></v:textbox>'
        '<x:ClientData ObjectType="Note"><x:MoveWithCells/><x:SizeWithCells/>'
        f"<x:Anchor>{column}, 12, {top}, 4, {right}, 40, {top + 10}, 4</x:Anchor>"
        f"<x:AutoFill>False</x:AutoFill><x:Row>{row - 1}</x:Row><x:Column>{column - 1}</x:Column></x:ClientData></v:shape>"
    )
