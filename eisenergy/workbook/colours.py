"""Fills for cells: a workbook's styles, each once more with another background."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from eisenergy.contents import UnreadableFile
from eisenergy.sheets import cell
from eisenergy.workbook.formula import reference
from eisenergy.workbook.overview import State
from eisenergy.workbook.parts import MAIN, Edit, Element, Parts, prefix_of, tagged

FILLS: Final = {
    State.DIFFERENT: "FFF8B9AE",
    State.STALE: "FFFFD58A",
    State.FINDING: "FFFFD58A",
    State.NO_VALUE: "FFFFF2A8",
    State.ERROR: "FFEB8C84",
    State.NOT_UNDERSTOOD: "FFDCC8F2",
    State.EQUAL: "FFDDF1E6",
    State.NOT_OURS: "FFE3E7EB",
}
"""Light ones: the analyst's own letters stay legible on them."""

_STYLES: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"
_LEAST: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<styleSheet xmlns="{MAIN}"><fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/></cellXfs></styleSheet>'
)


class Styles:
    """A workbook's cell styles, to which others are added.

    :param workbook: name of the workbook's part
    :raises UnreadableFile: when the part with the styles lacks what every spreadsheet program writes
    """

    def __init__(self, parts: Parts, workbook: str) -> None:
        self._parts = parts
        found = next((target for kind, target in parts.links(workbook).values() if kind == "styles"), None)
        if found is None or found not in parts:
            found = parts.unused("xl/styles{}.xml")
            parts.put(found, _LEAST.encode())
            parts.declare(found, _STYLES)
            parts.link(workbook, "styles", found)
        self._name = found
        self._data = parts.read(found)
        elements = parts.elements(found, {"styleSheet", "fonts", "font", "fills", "fill", "cellXfs", "xf"})
        self._root = elements[0]
        self._lists = {
            one.name: one for one in elements if one.name in ("fonts", "fills", "cellXfs") and one.depth == 1
        }
        if missing := {"fonts", "fills", "cellXfs"} - self._lists.keys():
            raise UnreadableFile(
                f"{parts.path.name}: its part {found} has no {', no '.join(sorted(missing))}. Save it again in the spreadsheet program."
            )
        self._own = {name: self._children(elements, name) for name in self._lists}
        self._new: dict[str, list[bytes]] = {"fonts": [], "fills": [], "cellXfs": []}
        self._coloured: dict[tuple[int, State], int] = {}
        self._fills: dict[str, int] = {}

    def _children(self, elements: Iterable[Element], name: str) -> list[Element]:
        parent = self._lists[name]
        return [one for one in elements if one.depth == 2 and parent.inside <= one.start < parent.end]

    @property
    def prefix(self) -> str:
        """The prefix of the part's tags."""
        return prefix_of(self._data, self._root)

    def _add(self, name: str, element: bytes) -> int:
        self._new[name].append(element)
        return len(self._own[name]) + len(self._new[name]) - 1

    def filled(self, style: int, kind: State) -> int:
        """Return the number of a style that is another one with a state's background.

        :param style: the cell's own; one that is not there counts as the first
        """
        if (style, kind) not in self._coloured:
            own = self._own["cellXfs"]
            base = own[style if style < len(own) else 0]
            tag = tagged(self._data, base, {"fillId": str(self.fill(FILLS[kind])), "applyFill": "1"})
            self._coloured[style, kind] = self._add("cellXfs", tag + self._data[base.inside : base.stop])
        return self._coloured[style, kind]

    def fill(self, colour: str) -> int:
        """Return the number of a solid fill. :param colour: as ``AARRGGBB``"""
        p = self.prefix
        if colour not in self._fills:
            self._fills[colour] = self._add(
                "fills",
                f'<{p}fill><{p}patternFill patternType="solid"><{p}fgColor rgb="{colour}"/><{p}bgColor indexed="64"/>'
                f"</{p}patternFill></{p}fill>".encode(),
            )
        return self._fills[colour]

    def text(
        self,
        *,
        size: int = 11,
        bold: bool = False,
        colour: str = "FF16202B",
        fill: str = "",
        wrap: bool = True,
        right: bool = False,
    ) -> int:
        """Return the number of a new style for text, or whole numbers, of our own.

        :param fill: as ``AARRGGBB``; none by default
        :param right: set flush right
        """
        p = self.prefix
        weight = f"<{p}b/>" if bold else ""
        font = self._add(
            "fonts",
            f'<{p}font>{weight}<{p}sz val="{size}"/><{p}color rgb="{colour}"/><{p}name val="Calibri"/></{p}font>'.encode(),
        )
        background = self.fill(fill) if fill else 0
        side = 'horizontal="right" ' if right else ""
        return self._add(
            "cellXfs",
            f'<{p}xf numFmtId="3" fontId="{font}" fillId="{background}" borderId="0" xfId="0" applyFont="1" applyFill="1" '
            f'applyNumberFormat="1" applyAlignment="1"><{p}alignment {side}vertical="top" wrapText="{int(wrap)}"/></{p}xf>'.encode(),
        )

    def save(self) -> None:
        """Write what was added into the part."""
        edits: list[Edit] = []
        for name, new in self._new.items():
            if not new:
                continue
            parent = self._lists[name]
            count = str(len(self._own[name]) + len(new))
            edits.append((parent.start, parent.inside, tagged(self._data, parent, {"count": count})))
            edits += [(parent.end, parent.end, b"".join(new))]
        self._parts.edit(self._name, edits)


def colour(parts: Parts, sheet: str, styles: Styles, kinds: Mapping[tuple[int, int], State]) -> None:
    """Give cells of a sheet the background of their state; cells the sheet does not hold stay as they are.

    :param sheet: name of the sheet's part
    :param kinds: (row, column), both from 1 -> state
    """
    data = parts.read(sheet)
    edits: list[Edit] = []
    row = column = 0
    for one in parts.elements(sheet, {"row", "c"}):
        if one.name == "row":
            row, column = int(one.attributes.get("r", row + 1)), 0
            continue
        column = _column(one.attributes.get("r", "")) or column + 1
        kind = kinds.get((row, column))
        if kind is not None:
            style = styles.filled(int(one.attributes.get("s", "0")), kind)
            edits.append((one.start, one.inside, tagged(data, one, {"s": str(style)})))
    parts.edit(sheet, edits)


def _column(name: str) -> int:
    area = reference(re.sub(r"\s", "", name), "") if name else None
    return area.first[1] if area is not None else 0


def name_of(place: tuple[int, int]) -> str:
    """Return a cell's name. :param place: (row, column), both from 1"""
    return cell(place[0] - 1, place[1] - 1)
