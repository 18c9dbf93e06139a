"""Slips in what formulas read: ranges too short or too long, amounts counted twice, circles, hidden rows, merged cells."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final

from eisenergy.findings import Finding
from eisenergy.workbook.book import Key
from eisenergy.workbook.formula import LAST_ROW, Reference, references, shifted, tokens
from eisenergy.workbook.slips_structure import Structure, Use, named, runs, slip, span

HALF: Final = 0.5
"""Share of a table above which a range that leaves some of it out is taken for one that was meant to be whole."""
NEARLY_ALL: Final = 0.9
"""The same for a range that moves with its formula: the mean of the last six months is short on purpose."""
STEPS: Final = 2_000_000
"""Dependencies looked at in search of a circle."""


def short_ranges(structure: Structure) -> Iterator[Finding]:
    """Find ranges that start late or stop early compared with the table they read."""
    for use in structure.uses:
        area = use.area
        grid = structure.book.grids.get(area.sheet)
        size = area.last[0] - area.first[0] + 1
        if grid is None or use.growing or size < 2 or area.last[0] == LAST_ROW:
            continue
        up, down = _beyond(structure, use, -1), _beyond(structure, use, 1)
        if not up and not down:
            continue
        inside = min(area.last[0], grid.rows) - area.first[0] + 1
        share = inside / (inside + up + down)
        if share < (NEARLY_ALL if use.sliding and len(use.readers) == 1 and inside > 10 else HALF):
            continue
        if _paired(structure, use, up, down):
            continue
        whole = span(
            (area.sheet, area.first[0] - up, area.first[1]),
            (area.sheet, max(min(area.last[0], grid.rows), area.first[0]) + down, area.last[1]),
        )
        left_out = " and ".join(
            f"{count} row{'s' if count > 1 else ''} {where}"
            for count, where in ((up, "above it"), (down, "below it"))
            if count
        )
        for first, last, count in runs(use.readers):
            yield slip(
                "short-range",
                use.aggregated,
                first,
                f"{named(first)} reads {area.text} and leaves out {left_out} of the table: expected {whole}, as "
                f"{area.sheet} has it. Correct the range in {structure.formula(first)}.",
                range=area.text,
                expected_range=whole,
                rows_above=up,
                rows_below=down,
                count=count,
                cells=span(first, last),
            )


def _beyond(structure: Structure, use: Use, step: int) -> int:
    """Count the rows beyond a range's first or last row that are rows of the same table."""
    area = use.area
    columns = range(area.first[1], area.last[1] + 1)
    edge = area.first[0] if step < 0 else area.last[0]
    kinds = [structure.kind((area.sheet, edge, column)) for column in columns]
    if not all(kinds):
        return 0
    readers = {key[1:] for key in use.readers if key[0] == area.sheet}
    count = 0
    while True:
        row = edge + (count + 1) * step
        if any((row, column) in readers for column in columns):
            return count
        if [structure.kind((area.sheet, row, column)) for column in columns] != kinds:
            return count
        if "text" in kinds and structure.is_header((area.sheet, row, area.first[1])):
            return count
        count += 1


def _paired(structure: Structure, use: Use, up: int, down: int) -> bool:
    """Say whether the same formula also reads the rows left out, as one that compares each row with the next does."""
    area, reader = use.area, use.readers[0]
    for other in references(structure.formula(reader), reader[0]):
        if other.sheet == area.sheet and not other.single and other.first[1] == area.first[1]:
            covers = other.first[0] <= area.first[0] - up and other.last[0] >= area.last[0] + down
            shifted = (other.last[0] - other.first[0]) == (area.last[0] - area.first[0]) and other.first != area.first
            if covers or shifted:
                return True
    return False


def swallowed_headers(structure: Structure) -> Iterator[Finding]:
    """Find ranges that run on over the header of another table into its numbers."""
    for use in structure.uses:
        area = use.area
        grid = structure.book.grids.get(area.sheet)
        if grid is None or not use.aggregated or area.last[0] == LAST_ROW or area.last[0] - area.first[0] < 3:
            continue
        for column in range(area.first[1], min(area.last[1], grid.columns) + 1):
            found = _header_between(structure, area, column, grid.rows)
            if found is None:
                continue
            first = use.readers[0]
            yield slip(
                "range-too-long",
                True,
                first,
                f"{named(first)} reads {area.text}, which holds the header {named(found)} with numbers above and below it: "
                f"expected one table only. End the range in {structure.formula(first)} where its table ends.",
                range=area.text,
                header=named(found),
                count=len(use.readers),
            )
            break


def _header_between(structure: Structure, area: Reference, column: int, rows: int) -> Key | None:
    header: Key | None = None
    numbers = False
    for row in range(area.first[0], min(area.last[0], rows) + 1):
        key = (area.sheet, row, column)
        kind = structure.kind(key)
        if kind == "text" and numbers and header is None and structure.is_header(key):
            header = key
        elif kind == "number" or kind.startswith("="):
            if header is not None:
                return header
            numbers = True
    return None


def counted_twice(structure: Structure) -> Iterator[Finding]:
    """Find sums that hold a cell which is itself the sum of other cells they hold."""
    sums: dict[str, list[tuple[Key, list[Reference]]]] = {}
    for group in structure.groups:
        if _plain_sum(group.formula, group.sheet):
            for key in group.keys:
                sums.setdefault(key[0], []).append((key, list(references(structure.formula(key), key[0]))))
    if not sums:
        return
    seen = set()
    for use in structure.uses:
        area = use.area
        if not use.functions or use.functions[-1] != "SUM":
            continue
        for key, parts in sums.get(area.sheet, ()):
            if key[1:] not in area or key in use.readers:
                continue
            twice = [part for part in parts if part.sheet == area.sheet and (part.first in area or part.last in area)]
            first = use.readers[0]
            if not twice or (first, key) in seen:
                continue
            seen.add((first, key))
            yield slip(
                "sum-includes-subtotal",
                True,
                first,
                f"{named(first)} sums {area.text}, which holds {named(key)} ({structure.formula(key)}) and also what that cell "
                f"sums, {twice[0].text}: those amounts are counted twice; expected each once. Leave either out of "
                f"{structure.formula(first)}.",
                range=area.text,
                subtotal=named(key),
            )


def _plain_sum(formula: str, sheet: str) -> bool:
    """Say whether a formula only adds cells up, rounded or not."""
    several = False
    for one in tokens(formula, sheet):
        if one.kind == "Func Open" and one.text.upper() not in ("SUM(", "ROUND(", "SUBTOTAL("):
            return False
        if one.kind.startswith("Op") and one.kind.split()[0] in ("OpInfix", "OpPrefix", "OpPostfix"):
            if one.text not in ("+", ","):
                return False
            several = True
        several = several or one.text.upper() == "SUM("
    return several


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


def hidden_in_totals(structure: Structure) -> Iterator[Finding]:
    """Find hidden rows inside what a formula totals."""
    seen = set()
    for use in structure.uses:
        area = use.area
        grid = structure.book.grids.get(area.sheet)
        if grid is None or not grid.hidden_rows or not use.aggregated:
            continue
        last = min(area.last[0], grid.rows)
        rows = sorted(row for row in grid.hidden_rows if area.first[0] <= row <= last)
        if not rows or len(rows) == last - area.first[0] + 1:
            continue
        hidden = [(area.sheet, row, area.first[1]) for row in rows if structure.kind((area.sheet, row, area.first[1]))]
        for first, end, count in runs(hidden):
            if (first[0], first[1], end[1]) in seen:
                continue
            seen.add((first[0], first[1], end[1]))
            reader = use.readers[0]
            shown = "SUBTOTAL" in use.functions or "AGGREGATE" in use.functions
            yield slip(
                "hidden-in-total",
                False,
                first,
                f"{first[0]}, row{'s' if count > 1 else ''} {first[1]}{f' to {end[1]}' if count > 1 else ''}: {count} hidden "
                f"row{'s' if count > 1 else ''} inside {area.text}, which {named(reader)} "
                f"{'may leave out, being a ' + use.functions[-1] if shown else 'counts like the rest'}: expected every row of a "
                "total to be seen. Show the rows, or take the filter off, and look at them.",
                rows=count,
                range=area.text,
                total=named(reader),
            )


def merged_in_tables(structure: Structure) -> Iterator[Finding]:
    """Find merged cells inside a range that formulas read; only the first of them holds a value."""
    for sheet, grid in structure.book.grids.items():
        for first, last in grid.merged:
            for use in structure.uses:
                area = use.area
                apart = (
                    area.sheet != sheet
                    or first[0] > area.last[0]
                    or last[0] < area.first[0]
                    or first[1] > area.last[1]
                    or last[1] < area.first[1]
                )
                if apart:
                    continue
                key = (sheet, *first)
                yield slip(
                    "merged-in-table",
                    False,
                    key,
                    f"{sheet}!{span(key, (sheet, *last))} is one merged cell inside {area.text}, which {named(use.readers[0])} "
                    "reads: only its first cell holds a value, the others are empty; expected a value in every row. Split it and "
                    "fill the rows.",
                    range=area.text,
                    cells=span(key, (sheet, *last)),
                )
                break
