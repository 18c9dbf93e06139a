"""A copy of a checked workbook that shows what is wrong: colours and comments on the cells concerned, and a sheet that sums up.

The copy is made from the file's own parts. Formulas, saved values, formats, charts and macros keep their bytes; what changes is the
number of a cell's style, the list of styles, the sheets' comments, and the list of sheets.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path
from typing import Final

from eisenergy.findings import Severity
from eisenergy.workbook import comments, summary_sheet
from eisenergy.workbook.colours import Styles, colour, name_of
from eisenergy.workbook.model import CellCheck, CheckResult, Place
from eisenergy.workbook.overview import SYMBOLS, State, place, states
from eisenergy.workbook.parts import LINKS, Parts
from eisenergy.workbook.wording import sentence

SHOWN: Final = (
    State.DIFFERENT,
    State.STALE,
    State.FINDING,
    State.NO_VALUE,
    State.ERROR,
    State.NOT_UNDERSTOOD,
)
"""States that are coloured; what is equal or not ours stays as the analyst made it."""

MOST_COMMENTS: Final = 10_000
"""Comments in one workbook at most: spreadsheet programs become slow with more. The colours know no limit."""


class NotAnnotated(ValueError):
    """A copy that must not or cannot be written. The message says why and what to do."""


def annotate(result: CheckResult, workbook: Path, out: Path) -> dict[str, int]:
    """Write the copy; the workbook itself is only read.

    :param result: what the check of that workbook said
    :param out: the copy's path, with the workbook's own ending; a file that is there is replaced
    :returns: how many cells are ``coloured`` and ``commented``
    :raises NotAnnotated: when ``out`` is the workbook itself or has another ending, or the workbook changed since it was checked
    :raises UnreadableFile: when the workbook cannot be read
    """
    allowed(workbook, out)
    if hashlib.sha256(workbook.read_bytes()).hexdigest() != result.sha256:
        raise NotAnnotated(f"{workbook.name} is not the file that was checked: it changed meanwhile. Check it again.")
    parts = Parts(workbook)
    main = next((target for kind, target in parts.links("").values() if kind == "officeDocument"), "xl/workbook.xml")
    styles = Styles(parts, main)
    kinds: dict[Place, State] = {one: kind for one, kind in states(result).items() if kind in SHOWN}
    texts = _texts(result, kinds)
    sheets = _sheets(parts, main)
    own: dict[str, frozenset[str]] = {}
    said, kept = 0, []
    for name, part in sheets.items():
        mine = {(one.row, one.column): kind for one, kind in kinds.items() if one.sheet == name}
        colour(parts, part, styles, mine)
        own[name] = comments.commented(parts, part)
        wanted = {(one.row, one.column): text for one, text in texts.items() if one.sheet == name}
        kept += [Place(name, *spot) for spot in wanted if name_of(spot) in own[name]]
        free = {spot: text for spot, text in sorted(wanted.items()) if name_of(spot) not in own[name]}
        chosen = dict(list(free.items())[: max(0, MOST_COMMENTS - said)])
        comments.add(parts, part, chosen)
        said += len(chosen)
    left = len(texts) - said - len(kept)
    summary_sheet.add(parts, main, styles, result, kept=kept, left=left)
    styles.save()
    parts.write(out)
    return {"coloured": len(kinds), "commented": said}


def allowed(workbook: Path, out: Path) -> None:
    """Say beforehand whether a copy may be written. :raises NotAnnotated: when it may not"""
    if workbook.resolve() == out.resolve() or (out.exists() and workbook.exists() and workbook.samefile(out)):
        raise NotAnnotated(f"{out}: is the workbook itself, which stays as it is. Give the copy another name.")
    if workbook.suffix.lower() != out.suffix.lower():
        raise NotAnnotated(
            f"{out.name}: ends in {out.suffix or 'nothing'}, expected {workbook.suffix} as {workbook.name} has: the copy is the same "
            "kind of file."
        )
    if not out.resolve().parent.is_dir():
        raise NotAnnotated(f"{out.parent}: there is no such folder. Make it first.")


def _sheets(parts: Parts, main: str) -> dict[str, str]:
    """Return name -> part of every worksheet."""
    links = parts.links(main)
    found = {}
    for one in parts.elements(main, {"sheet"}):
        kind, target = links.get(one.attributes.get(f"{LINKS} id", ""), ("", ""))
        if kind == "worksheet" and target in parts:
            found[one.attributes["name"]] = target
    return found


def _texts(result: CheckResult, kinds: dict[Place, State]) -> dict[Place, str]:
    """Return what is said at each cell that is coloured, and at those a finding of no weight names."""
    said: dict[Place, list[str]] = defaultdict(list)
    for cell in result.cells:
        if cell.place in kinds and kinds[cell.place] is not State.FINDING:
            said[cell.place] += _lines(cell)
    for finding in result.findings:
        where = place(finding)
        if where is not None:
            mark = "" if finding.severity is Severity.INFO else f"{SYMBOLS[State.FINDING]} "
            said[where].append(f"{mark}{finding.message}")
    return {
        one: f"eisenergy {SYMBOLS[kinds[one]]} {kinds[one].value}\n" + "\n".join(lines)
        if one in kinds
        else "eisenergy\n" + "\n".join(lines)
        for one, lines in sorted(said.items())
    }


def _lines(cell: CellCheck) -> list[str]:
    role = f"{cell.role}{f', {cell.block}' if cell.block else ''}"
    reads = f"It reads {', '.join(dict.fromkeys(cell.inputs))}." if cell.inputs else ""
    return [line for line in (sentence(cell), cell.derivation, role and f"What it is: {role}.", reads) if line]
