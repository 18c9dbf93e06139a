"""Slips in what formulas read: ranges too short or too long, amounts counted twice, hidden rows, merged cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from eisenergy.findings import Finding
from eisenergy.workbook.book import Key
from eisenergy.workbook.formula import LAST_ROW, Reference, references, tokens
from eisenergy.workbook.slips_structure import Structure, Use, named, runs, slip, span

HALF: Final = 0.5
"""Share of a table above which a range that leaves some of it out is taken for one that was meant to be whole."""
NEARLY_ALL: Final = 0.9
"""The same for a range that moves with its formula: the mean of the last six months is short on purpose."""


_SUBTOTAL: Final = "SUBTOTAL("
_ADDS: Final = re.compile(r"SUBTOTAL\(\s*(9|109)\s*,", re.IGNORECASE)


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
        moves = use.filled or (len(use.readers) == 1 and inside > 10)
        if share < (NEARLY_ALL if use.sliding and moves else HALF):
            continue
        if _paired(structure, use, up, down) or _part(structure, use, up, down):
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


def _part(structure: Structure, use: Use, up: int, down: int) -> bool:
    """Say whether a range is a part on purpose: others read the rest, or its rows are those of one name."""
    area = use.area

    def apart(row: int, step: int) -> bool:
        others = (
            one.area
            for one in structure.uses
            if one.area.sheet == area.sheet and (one.area.first[1], one.area.last[1]) == (area.first[1], area.last[1])
        )
        if any((one.first if step > 0 else one.last)[0] == row for one in others):
            return True
        left, right = structure.band((area.sheet, row, area.first[1]))
        for column in (*range(left, area.first[1]), *range(area.last[1] + 1, right + 1)):
            texts = {structure.book.value((area.sheet, at, column)) for at in range(area.first[0], area.last[0] + 1)}
            beyond = structure.book.value((area.sheet, row, column))
            if len(texts) == 1 and isinstance(beyond, str) and isinstance(one := texts.pop(), str) and one != beyond:
                return True
        return False

    return (not up or apart(area.first[0] - 1, -1)) and (not down or apart(area.last[0] + 1, 1))


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
            # a word alone right below a number is a slip of another kind
            alone = structure.band(key) == (column, column) and structure.kind((area.sheet, row - 1, column))
            header = None if alone else key
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
        if not use.functions or use.functions[-1] not in ("SUM", "SUBTOTAL"):
            continue
        leaves = use.functions[-1] == "SUBTOTAL"  # it leaves out other SUBTOTALs, not SUMs
        if leaves and not _ADDS.search(structure.formula(use.readers[0])):
            continue
        for key, parts in sums.get(area.sheet, ()):
            if key[1:] not in area or key in use.readers or (leaves and _SUBTOTAL in structure.formula(key).upper()):
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
        several = several or one.text.upper() in ("SUM(", "SUBTOTAL(")
    return several and (_SUBTOTAL not in formula.upper() or bool(_ADDS.search(formula)))


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
