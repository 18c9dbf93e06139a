"""A spreadsheet file in the fewest parts, the same bytes every time.

Members are stored, not deflated, and dated 1980: compression libraries differ in their output, and clocks in everything.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from typing import Final
from xml.sax.saxutils import escape

GENERAL, DAY, CLOCK, STAMP, SECONDS, MONEY = range(6)
"""Number formats of a cell, in the order of the style sheet."""

_FORMATS: Final = ("yyyy\\-mm\\-dd", "hh:mm", "yyyy\\-mm\\-dd\\ hh:mm", "yyyy\\-mm\\-dd\\ hh:mm:ss", "#,##0.00")
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_EPOCH: Final = datetime.combine(date(1899, 12, 30), time())

Scalar = str | int | float | date | datetime | time | None


class Formula:
    """A formula and the value it was calculated to.

    :param text: the formula without its ``=``
    :param value: the cached result
    """

    __slots__ = ("text", "value")

    def __init__(self, text: str, value: Scalar) -> None:
        self.text = text
        self.value = value


class Text(str):
    """A number that is written already, for example ``12.340``; goes into the cell as a number."""

    __slots__ = ()


Cell = Scalar | Formula


def workbook(sheets: Sequence[tuple[str, Iterable[Sequence[Cell]]]]) -> bytes:
    """Return an xlsx file.

    :param sheets: name and rows of each; an empty row is left out
    """
    parts = {
        "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPE}.worksheet+xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        + "</Types>",
        "_rels/.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        + "".join(
            f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"/>' for n, (name, _) in enumerate(sheets, start=1)
        )
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        + f'<Relationship Id="rId{len(sheets) + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": _styles(),
    }
    for n, (_, rows) in enumerate(sheets, start=1):
        parts[f"xl/worksheets/sheet{n}.xml"] = _sheet(rows)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, text in parts.items():
            member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, text.encode())
    return buffer.getvalue()


def _styles() -> str:
    formats = "".join(f'<numFmt numFmtId="{164 + n}" formatCode="{escape(code)}"/>' for n, code in enumerate(_FORMATS))
    cells = "".join(
        f'<xf numFmtId="{164 + n}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
        for n in range(len(_FORMATS))
    )
    return (
        f'{_HEAD}<styleSheet xmlns="{_MAIN}"><numFmts count="{len(_FORMATS)}">{formats}</numFmts>'
        '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
        '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
        '</fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{len(_FORMATS) + 1}"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>{cells}'
        '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )


def _sheet(rows: Iterable[Sequence[Cell]]) -> str:
    lines = [f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>']
    for number, row in enumerate(rows, start=1):
        if len(row) > len(_LETTERS):
            raise ValueError(f"row {number} has {len(row)} cells: expected at most {len(_LETTERS)}")
        cells = [
            f'<c r="{letter}{number}"><v>{cell}</v></c>'
            if type(cell) is Text
            else f'<c r="{letter}{number}"{_formula(cell) if type(cell) is Formula else _value(cell)}'
            for letter, cell in zip(_LETTERS, row, strict=False)
            if cell is not None
        ]
        if cells:
            lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    lines.append("</sheetData></worksheet>")
    return "\n".join(lines)


def _formula(cell: Formula) -> str:
    """A cell after its place."""
    formula, value = f"<f>{escape(cell.text)}</f>", cell.value
    if isinstance(value, Text):
        return f">{formula}<v>{value}</v></c>"
    if isinstance(value, str):
        return f' t="str">{formula}<v>{escape(value)}</v></c>'
    style, figure = _number(value)
    return f' s="{style}">{formula}<v>{figure}</v></c>'


@lru_cache(maxsize=1 << 14, typed=True)
def _value(cell: Scalar) -> str:
    """A cell after its place, without a formula; the same days, times, names and rates come again and again."""
    if isinstance(cell, str):
        return f' t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
    style, value = _number(cell)
    return f' s="{style}"><v>{value}</v></c>'


def _number(cell: Scalar) -> tuple[int, str]:
    if isinstance(cell, datetime):
        since = cell - _EPOCH
        # the ratio of two whole numbers is rounded once, so it is the same everywhere
        return (SECONDS if cell.second else STAMP), repr((since.days * 86400 + since.seconds) / 86400)
    if isinstance(cell, date):
        return DAY, str((cell - _EPOCH.date()).days)
    if isinstance(cell, time):
        seconds = cell.hour * 3600 + cell.minute * 60 + cell.second
        return CLOCK, repr(seconds / 86400) if seconds else "0"
    return GENERAL, repr(cell)
