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
        if one.verdict is Verdict.NOT_UNDERSTOOD and not one.stale and own is not None and own.role not in READS:
            proof = _proof(own, key, readers, cells, frozenset((own,)))
            if proof is not None:
                result[key] = proof
    return result


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


def vindicated(finding: Finding, judged: Mapping[Key, CellCheck]) -> bool:
    """Whether a formula that is unlike its neighbours is the right one, and the neighbours are wrong."""
    if finding.code != "odd-formula":
        return False
    sheet, row, column = (finding.data[name] for name in ("sheet", "row", "column"))
    own = judged.get((sheet, row, column))
    return (
        own is not None
        and own.verdict is Verdict.EQUAL
        and any(
            one.verdict is Verdict.DIFFERENT and not one.follows
            for key, one in judged.items()
            if key[0] == sheet and key[2] == column and one.role == own.role
        )
    )
