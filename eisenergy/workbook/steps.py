"""What the verdicts of all cells say of one: a helper column is a step to what is right, an odd formula may be the right one."""

from __future__ import annotations

from collections.abc import Mapping

from eisenergy.findings import Finding
from eisenergy.workbook.book import Key
from eisenergy.workbook.model import CellCheck, Verdict
from eisenergy.workbook.signatures import READS
from eisenergy.workbook.things import Thing, Understanding


def steps(found: Understanding, cells: Mapping[Key, CellCheck]) -> dict[Key, Key]:
    """Find cells that are not understood, and read by cells of the bill that are all equal, directly or by other steps.

    An input that is computed, such as the next day's date, is a step as well: its value is what the bill is made from.

    :param cells: every formula cell, judged
    :returns: step -> a cell of the bill that reads it
    """
    readers: dict[Thing, list[Thing]] = {}
    for thing in found.things:
        for read in thing.reads:
            readers.setdefault(read, []).append(thing)
    result: dict[Key, Key] = {}
    for key, one in cells.items():
        own = found.by_cell.get(key)
        if own is not None and _is_line(own, readers):
            continue
        if one.verdict is Verdict.NOT_UNDERSTOOD and not one.stale and own is not None and own.role not in READS:
            proof = _proof(own, key, readers, cells, frozenset((own,)))
            if proof is not None:
                result[key] = proof
    return result


def _is_line(thing: Thing, readers: Mapping[Thing, list[Thing]]) -> bool:
    """Whether a cell stands in the column of the invoice's lines and one of them reads it: it is a line itself, and no step to one."""
    return thing.table is None and any(
        reader.role.startswith("line.") and (reader.sheet, reader.column) == (thing.sheet, thing.column)
        for reader in readers.get(thing, ())
    )


def _proof(
    thing: Thing,
    key: Key,
    readers: Mapping[Thing, list[Thing]],
    cells: Mapping[Key, CellCheck],
    seen: frozenset[Thing],
) -> Key | None:
    """A cell that is equal and reads the step; ``None`` where there is none, or one that reads it is not equal."""
    proof: Key | None = None
    for reader in readers.get(thing, ()):
        if reader in seen:
            continue
        beside = reader.table is not None and reader.table is thing.table
        for row, column in reader.formulas:
            if beside and row != key[1]:
                continue
            there = (reader.sheet, row, column)
            check = cells.get(there)
            if check is None or check.verdict is Verdict.NOT_OURS:
                continue
            if check.verdict is Verdict.EQUAL:
                proof = proof or there
            elif check.verdict is Verdict.NOT_UNDERSTOOD and reader.role not in READS:
                further = _proof(reader, there, readers, cells, seen | {reader})
                if further is None:
                    return None
                proof = proof or further
            else:
                return None
    return proof


def vindicated(cells: list[CellCheck], findings: list[Finding], amounts: set[Key]) -> list[Finding]:
    """Findings about formulas that are unlike their neighbours and right, where the neighbours are wrong by themselves; and
    about typed amounts that are inputs.

    :param amounts: cells among the invoice's lines that are inputs
    """
    about = [one for one in findings if one.code in ("odd-formula", "overwritten-formula")]
    if not about:
        return []
    known = {(one.place.sheet, one.place.row, one.place.column): one for one in cells}
    wrong = {
        (one.place.sheet, one.place.column, one.role)
        for one in cells
        if one.verdict is Verdict.DIFFERENT and not one.follows
    }
    found = []
    for one in about:
        place = (str(one.data["sheet"]), one.data.get("row", 0), one.data.get("column", 0))
        own = known.get(place)
        if one.code == "overwritten-formula":
            right = place in amounts
        else:
            right = own is not None and own.verdict is Verdict.EQUAL and (place[0], place[2], own.role) in wrong
        if right:
            found.append(one)
    return found
