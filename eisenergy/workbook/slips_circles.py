"""Formulas that read themselves, directly or round about."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final

from eisenergy.findings import Finding
from eisenergy.workbook.book import Key
from eisenergy.workbook.formula import references, shifted
from eisenergy.workbook.slips_structure import Structure, named, slip

STEPS: Final = 2_000_000
"""Dependencies looked at in search of a circle."""


def circles(structure: Structure) -> Iterator[Finding]:
    """Find formulas that read themselves, directly or round about."""
    direct = set()
    for group in structure.groups:
        for key in group.keys:
            areas = references(structure.formula(key), key[0])
            own = next((area for area in areas if area.sheet == key[0] and key[1:] in area), None)
            if own is not None:
                direct.add(key)
                several = "sum-includes-itself" if not own.single else "circular-reference"
                yield slip(
                    several,
                    True,
                    key,
                    f"{named(key)} reads itself: {own.text} in {structure.formula(key)} holds {named(key)}: expected a range that "
                    "ends before it. Correct the range.",
                    range=own.text,
                )
    path = _circle(structure, direct)
    if path:
        yield slip(
            "circular-reference",
            True,
            path[0],
            f"{named(path[0])} reads itself round about: {' reads '.join(named(key) for key in [*path, path[0]])}: expected a "
            "formula that needs only what is computed before it. Break the circle at the cell that should be an input.",
            path=[named(key) for key in path],
        )


def _circle(structure: Structure, without: set[Key]) -> list[Key]:
    """Return the cells of one circle; empty where there is none, or too much to look at."""
    if not without and not _may_circle(structure):
        return []
    columns: dict[tuple[str, int], list[int]] = {}
    for sheet, row, column in structure.patterns:
        columns.setdefault((sheet, column), []).append(row)
    for rows in columns.values():
        rows.sort()
    by_sheet: dict[str, list[int]] = {}
    for sheet, column in columns:
        by_sheet.setdefault(sheet, []).append(column)

    # a node is a formula's cell or a range; what it waits for, and who waits for it
    waits: dict[object, int] = {}
    waiting: dict[object, list[object]] = {}
    needs: dict[object, list[object]] = {}
    steps = 0

    def join(reader: object, source: object) -> None:
        waits[reader] = waits.get(reader, 0) + 1
        waiting.setdefault(source, []).append(reader)
        needs.setdefault(reader, []).append(source)

    areas: set[tuple[str, tuple[int, int], tuple[int, int]]] = set()
    for key in structure.patterns:
        waits.setdefault(key, 0)
        if key in without:
            continue
        for area in references(structure.formula(key), key[0]):
            if area.single:
                source: object = (area.sheet, *area.first)
                if source in structure.patterns:
                    join(key, source)
            else:
                areas.add((area.sheet, area.first, area.last))
                join(key, (area.sheet, area.first, area.last))
            steps += 1
    for one in areas:
        waits.setdefault(one, 0)
        sheet, first, last = one
        for column in by_sheet.get(sheet, ()):
            if first[1] <= column <= last[1]:
                rows = columns[sheet, column]
                for row in rows[bisect_left(rows, first[0]) : bisect_right(rows, last[0])]:
                    join(one, (sheet, row, column))
                    steps += 1
        if steps > STEPS:
            return []
    ready = [node for node, count in waits.items() if not count]
    while ready:
        node = ready.pop()
        for reader in waiting.get(node, ()):
            waits[reader] -= 1
            if not waits[reader]:
                ready.append(reader)
    left = {node for node, count in waits.items() if count}
    if not left:
        return []
    # from any cell that still waits, what it waits for leads into a circle
    node = next(iter(left))
    trail: list[object] = []
    while node not in trail:
        trail.append(node)
        node = next(source for source in needs[node] if source in left)
    ring = trail[trail.index(node) :]
    return sorted_ring([one for one in ring if isinstance(one, tuple) and isinstance(one[1], int)])


def _may_circle(structure: Structure) -> bool:
    """Say whether groups of like formulas, each taken with all its cells, read one another in a circle: else no cell does.

    What a group reads lies within what its outermost cells read, as copies read what lies as far from them.
    """
    boxes = [_box([(key[1], key[2]) for key in group.keys]) for group in structure.groups]
    reads: list[set[int]] = []
    for group, (first, last) in zip(structure.groups, boxes, strict=True):
        corners = [
            references(shifted(group.formula, group.sheet, row - group.first[1], column - group.first[2]), group.sheet)
            for row, column in (first, last)
        ]
        if len(corners[0]) != len(corners[1]):
            return True  # a copy would read beyond the sheet's edge
        areas = [
            (one.sheet, *_box([one.first, one.last, other.first, other.last]))
            for one, other in zip(*corners, strict=True)
        ]
        reads.append(
            {
                number
                for number, (group_read, (top, bottom)) in enumerate(zip(structure.groups, boxes, strict=True))
                for sheet, low, high in areas
                if sheet == group_read.sheet
                and low[0] <= bottom[0]
                and top[0] <= high[0]
                and low[1] <= bottom[1]
                and top[1] <= high[1]
            }
        )
    left = set(range(len(reads)))
    while free := {number for number in left if not reads[number] & left}:
        left -= free
    return bool(left)


def _box(places: list[tuple[int, int]]) -> tuple[tuple[int, int], tuple[int, int]]:
    rows, columns = [row for row, _ in places], [column for _, column in places]
    return (min(rows), min(columns)), (max(rows), max(columns))


def sorted_ring(ring: list[tuple[object, ...]]) -> list[Key]:
    """Return a circle's cells from its first cell on, in the order in which each reads the next."""
    keys = [(str(one[0]), int(str(one[1])), int(str(one[2]))) for one in ring]
    start = keys.index(min(keys))
    return keys[start:] + keys[:start]
