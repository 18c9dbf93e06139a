"""Slips in lookups: the nearest key taken for the right one, and ranges side by side that do not begin in one row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from eisenergy.findings import Finding
from eisenergy.workbook.formula import Call, Reference, calls
from eisenergy.workbook.slips_structure import Structure, named, slip, span
from eisenergy.workbook.values import plain

_SIDE_BY_SIDE: Final = {
    "SUMIF": (0, 2),
    "AVERAGEIF": (0, 2),
    "XLOOKUP": (1, 2),
    "COUNTIFS": tuple(range(0, 60, 2)),
    **dict.fromkeys(("SUMIFS", "AVERAGEIFS", "MAXIFS", "MINIFS"), (0, *range(1, 60, 2))),
}
"""Functions that go down several ranges together, and which of their arguments those are; what they look for is another."""


def ranges_apart(structure: Structure) -> Iterator[Finding]:
    """Find ranges that one function goes down together and that do not begin in the same row of their sheet."""
    for group in structure.groups:
        if (
            "IF" not in group.pattern.upper()
            and "MATCH(" not in group.pattern.upper()
            and "XLOOKUP(" not in group.pattern.upper()
        ):
            continue
        for call in calls(group.formula, group.sheet):
            areas = _together(call)
            apart = next(
                (one for one in areas[1:] if one.sheet == areas[0].sheet and one.first[0] != areas[0].first[0]), None
            )
            if apart is None:
                continue
            first, last = group.keys[0], group.keys[-1]
            yield slip(
                "ranges-apart",
                True,
                first,
                f"{named(first)}: {call.name} goes down {areas[0].text} and {apart.text} together in {group.formula}; they begin in row "
                f"{areas[0].first[0]} and row {apart.first[0]}, so that each row is taken for another. Expected the same rows. Correct one "
                "of the ranges.",
                range=areas[0].text,
                other_range=apart.text,
                count=len(group.keys),
                cells=span(first, last) if len(group.keys) == last[1] - first[1] + 1 else span(first, first),
            )
            break


def _together(call: Call) -> list[Reference]:
    """The columns that a function goes down together; none where it moves one of them on purpose."""
    if call.name in _SIDE_BY_SIDE:
        found = [_tall(call, number) for number in _SIDE_BY_SIDE[call.name] if number < len(call.arguments)]
        return [one for one in found if one is not None]
    column = _tall(call, 0)
    if call.name != "INDEX" or column is None or len(call.arguments) < 2:
        return []
    row = [one for one in call.arguments[1] if not one.kind.startswith("Whitespace")]
    matched = row[0].text.upper() == "MATCH(" and [one.text for one in call.direct(1)] == [] if row else False
    if not matched:
        return []
    depth = 0
    for number, one in enumerate(row):
        depth += one.kind.endswith("Open") - one.kind.endswith("Close")
        if one.kind == "Sep Arg" and depth == 1:
            row = row[number:]  # what MATCH looks for stands before it, and may be anywhere
            break
    keys = [one.reference for one in row if one.reference is not None and not one.reference.single]
    return [column, *(one for one in keys if one.first[1] == one.last[1])]


def _tall(call: Call, number: int) -> Reference | None:
    given = call.direct(number)
    area = given[0].reference if len(given) == 1 and len(call.arguments[number]) == 1 else None
    return area if area is not None and not area.single and area.first[1] == area.last[1] else None


def approximate_lookups(structure: Structure) -> Iterator[Finding]:
    """Find lookups that take the nearest key where the key is not in the table."""
    for group in structure.groups:
        if "LOOKUP(" not in group.pattern.upper() and "MATCH(" not in group.pattern.upper():
            continue
        for call in calls(group.formula, group.sheet):
            how = _approximate(call)
            if not how:
                continue
            disorder = _disorder(structure, call)
            if not disorder and how.startswith("asks"):
                continue  # said outright, over keys in order: a table of steps
            first, last = group.keys[0], group.keys[-1]
            yield slip(
                "lookup-approximate",
                bool(disorder),
                first,
                f"{named(first)}: {call.name} {how} in {group.formula}, so a key that is not in the table finds the one before "
                f"it{disorder}: expected an exact match. Give {'0' if call.name == 'MATCH' else 'FALSE'} as its last argument.",
                function=call.name,
                count=len(group.keys),
                cells=span(first, last) if len(group.keys) == last[1] - first[1] + 1 else span(first, first),
            )


def _approximate(call: Call) -> str:
    place = {"VLOOKUP": 3, "HLOOKUP": 3, "MATCH": 2}.get(call.name)
    if call.name == "LOOKUP":
        return "always takes the nearest key"
    if place is None:
        return ""
    if len(call.arguments) <= place:
        return "has no last argument and takes the nearest key"
    given = "".join(one.text for one in call.arguments[place]).strip().upper()
    if given in ("0", "FALSE", "FALSE()"):
        return ""
    if given in ("", "1", "TRUE", "TRUE()", "-1"):
        return f"asks for the nearest key ({given})" if given else ""
    return ""


def _disorder(structure: Structure, call: Call) -> str:
    table = call.direct(1)
    area = table[0].reference if len(table) == 1 else None
    if area is None or area.sheet not in structure.book.grids:
        return ""
    across = call.name == "HLOOKUP"
    grid = structure.book.grids[area.sheet]
    last = min(area.last[1], grid.columns) if across else min(area.last[0], grid.rows)
    places = [
        (area.first[0], at) if across else (at, area.first[1])
        for at in range(area.first[1] if across else area.first[0], last + 1)
    ]
    keys = [plain(grid.values.get(place)) for place in places]
    keys = [key for key in keys if key is not None]
    texts = [key.casefold() for key in keys if isinstance(key, str)]
    numbers = [key for key in keys if isinstance(key, int | float)]
    if sorted(texts) != texts or sorted(numbers) != numbers:
        return f", and the keys in {area.sheet}!{span((area.sheet, *places[0]), (area.sheet, *places[-1]))} are not in order"
    return ""
