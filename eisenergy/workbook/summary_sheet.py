"""The sheet ``eisenergy`` that comes first in an annotated copy: the outcome, the counts, and what to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eisenergy.sheets import cell
from eisenergy.workbook.colours import FILLS, Styles
from eisenergy.workbook.model import CheckResult, Place, Verdict
from eisenergy.workbook.overview import MEANING, SYMBOLS, State, amount_to_pay, by_sheet
from eisenergy.workbook.parts import LINKS, MAIN, Edit, Parts, into, prefix_of, tagged, written
from eisenergy.workbook.problems import problems
from eisenergy.workbook.wording import amount, evaluation, headline

NAME: Final = "eisenergy"
LISTED: Final = 2_000
"""Problems in the list at most."""

_HIGHEST: Final = 409.0  # no row may be higher
_WORKSHEET: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
_WIDTHS: Final = (40, 11, 11, 11, 12, 14, 11, 16, 10, 10)


class _Rows:
    """Rows of text and numbers; nothing in them can be a formula."""

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.links: list[str] = []
        self.merged: list[str] = []

    def add(self, *cells: tuple[str | int, int], height: float = 0, across: int = 0, to: Place | None = None) -> None:
        """Add a row of contents with their styles.

        :param across: the last cell runs to this column, from 1
        :param to: the cell that the first content leads to
        """
        row = len(self.rows) + 1
        inner = "".join(_cell(row, n, content, style) for n, (content, style) in enumerate(cells, start=1))
        size = f' ht="{height:g}" customHeight="1"' if height else ""
        self.rows.append(f'<row r="{row}"{size}>{inner}</row>')
        if across > len(cells):
            self.merged.append(f"{cell(row - 1, len(cells) - 1)}:{cell(row - 1, across - 1)}")
        if to is not None:
            where = f"'{to.sheet.replace(chr(39), chr(39) * 2)}'!{to.name}"
            self.links.append(f'<hyperlink ref="A{row}" location="{written(where).replace(chr(34), "&quot;")}"/>')


def _cell(row: int, column: int, content: str | int, style: int) -> str:
    name = cell(row - 1, column - 1)
    if isinstance(content, int):
        return f'<c r="{name}" s="{style}"><v>{content}</v></c>'
    return f'<c r="{name}" s="{style}" t="inlineStr"><is><t xml:space="preserve">{written(content)}</t></is></c>'


def add(
    parts: Parts, main: str, styles: Styles, result: CheckResult, *, kept: Sequence[Place] = (), left: int = 0
) -> None:
    """Put the sheet before all others.

    :param main: name of the workbook's part
    :param kept: cells whose own comment stayed, so that ours is only in the list
    :param left: comments that were too many
    """
    part = parts.unused("xl/worksheets/sheet{}.xml")
    parts.put(part, _sheet(styles, result, kept, left).encode())
    parts.declare(part, _WORKSHEET)
    _unselect(parts, main)
    identity = parts.link(main, "worksheet", part)
    _list(parts, main, identity)


def _sheet(styles: Styles, result: CheckResult, kept: Sequence[Place], left: int) -> str:
    title = styles.text(size=16, bold=True, colour="FF0B3C5D", wrap=False)
    bold, plain, quiet = styles.text(bold=True), styles.text(), styles.text(colour="FF5A6675")
    head, head_right = (styles.text(bold=True, fill="FFE7ECF1", right=right) for right in (False, True))
    number = styles.text(right=True)
    link = styles.text(colour="FF0B4F85", bold=True)
    marks = {kind: styles.text(bold=True, fill=colour) for kind, colour in FILLS.items()}
    wide = len(_WIDTHS)
    rows = _Rows()
    rows.add((f"Checked cell by cell: {result.file}", title), height=24, across=wide)
    rows.add((headline(result), bold), height=_height(headline(result), 140), across=wide)
    to_pay = amount_to_pay(result)
    if to_pay is not None:
        ours = "not computed" if to_pay.ours is None else amount(to_pay.ours)
        told = f"Amount to pay, {to_pay.place}: in the file {amount(to_pay.found)}, ours {ours}"
        rows.add((told, plain), across=wide)
    rows.add((evaluation(result), plain), across=wide)
    rows.add((f"The original has the sha256 {result.sha256}", quiet), across=wide)
    rows.add()
    names = ("formulas", *(verdict.value for verdict in Verdict), "stale", "findings")
    rows.add(("Sheet", head), *((name, head_right) for name in names), height=_height("\n", 1))
    for sheet in by_sheet(result):
        figures = (sheet.formulas, *sheet.counts.values(), sheet.stale, sheet.findings)
        rows.add((sheet.name, plain), *((figure, number) for figure in figures))
    rows.add()
    rows.add(("Colours of the cells", head), ("", head), across=wide)
    for kind in (State.DIFFERENT, State.STALE, State.FINDING, State.NO_VALUE, State.ERROR, State.NOT_UNDERSTOOD):
        rows.add((f"{SYMBOLS[kind]}  {kind.value}", marks[kind]), (MEANING[kind], plain), across=wide)
    rows.add()
    found = problems(result)
    rows.add((f"What to look at ({len(found):,})", head), ("", head), across=wide)
    for problem in found[:LISTED]:
        text = f"{SYMBOLS[problem.state]} {problem.what}. {problem.text}"
        size = max(_height(text, 96), _height(problem.where, 38))
        known = problem.first is not None and any(sheet.name == problem.first.sheet for sheet in result.sheets)
        to = problem.first if known else None
        rows.add((problem.where, link if known else bold), (text, plain), height=size, across=wide, to=to)
    for note in _notes(len(found), kept, left):
        rows.add((note, quiet), height=_height(note, 140), across=wide)
    widths = "".join(
        f'<col min="{n}" max="{n}" width="{width}" customWidth="1"/>' for n, width in enumerate(_WIDTHS, 1)
    )
    merged = "".join(f'<mergeCell ref="{area}"/>' for area in rows.merged)
    links = f"<hyperlinks>{''.join(rows.links)}</hyperlinks>" if rows.links else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<worksheet xmlns="{MAIN}"><sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>'
        '<sheetViews><sheetView showGridLines="0" tabSelected="1" workbookViewId="0"/></sheetViews>'
        f'<sheetFormatPr defaultRowHeight="15"/><cols>{widths}</cols><sheetData>{"".join(rows.rows)}</sheetData>'
        f'<mergeCells count="{len(rows.merged)}">{merged}</mergeCells>{links}'
        '<pageMargins left="0.5" right="0.5" top="0.5" bottom="0.5" header="0.3" footer="0.3"/>'
        '<pageSetup orientation="landscape" fitToHeight="0"/></worksheet>'
    )


def _height(text: str, letters: int) -> float:
    """Return how high a row must be: merged cells do not grow with their text."""
    return min(_HIGHEST, 15.5 * sum(-(-max(1, len(line)) // letters) for line in text.split("\n")))


def _notes(found: int, kept: Sequence[Place], left: int) -> list[str]:
    notes = []
    if found > LISTED:
        notes.append(f"{found - LISTED:,} more are not listed here; their cells are coloured.")
    if left:
        notes.append(
            f"{left:,} of the coloured cells have no comment: there would be too many. `eisenergy check --html` shows all."
        )
    if kept:
        names = ", ".join(str(one) for one in kept[:20])
        more = f" and {len(kept) - 20:,} more" if len(kept) > 20 else ""
        notes.append(f"These cells keep their own comment, so ours stands only in this list: {names}{more}.")
    return notes


def _list(parts: Parts, main: str, identity: str) -> None:
    """Enter the sheet as the first one, and let what counts sheets count on."""
    data = parts.read(main)
    elements = parts.elements(main, {"sheets", "sheet", "definedName", "workbookView"})
    listed = [one for one in elements if one.name == "sheet"]
    names = {one.attributes.get("name", "").casefold() for one in listed}
    name = next(
        text for n in range(1, len(names) + 2) if (text := NAME if n == 1 else f"{NAME} {n}").casefold() not in names
    )
    number = max((int(one.attributes.get("sheetId", "0")) for one in listed), default=0) + 1
    sheets = next(one for one in elements if one.name == "sheets")
    entry = f'<{prefix_of(data, sheets)}sheet xmlns:r="{LINKS}" name="{name}" sheetId="{number}" r:id="{identity}"/>'
    edits: list[Edit] = into(data, sheets, entry, first=True)
    for one in elements:
        if one.name == "definedName" and "localSheetId" in one.attributes:
            new = {"localSheetId": str(int(one.attributes["localSheetId"]) + 1)}
            edits.append((one.start, one.inside, tagged(data, one, new)))
        if one.name == "workbookView":
            edits.append((one.start, one.inside, tagged(data, one, {"activeTab": "0", "firstSheet": "0"})))
    parts.edit(main, edits)


def _unselect(parts: Parts, main: str) -> None:
    """Leave no other sheet chosen: two chosen sheets are a group, and what is typed into one is typed into both."""
    for kind, target in parts.links(main).values():
        if kind.endswith("sheet") and target in parts:
            chosen = [one for one in parts.elements(target, {"sheetView"}) if "tabSelected" in one.attributes]
            data = parts.read(target)
            parts.edit(target, [(one.start, one.inside, tagged(data, one, {"tabSelected": "0"})) for one in chosen])
