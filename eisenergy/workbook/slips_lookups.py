"""Lookups that take the nearest key where the key is not in the table."""

from __future__ import annotations

from collections.abc import Iterator

from eisenergy.findings import Finding
from eisenergy.workbook.formula import Call, calls
from eisenergy.workbook.slips_structure import Structure, named, slip, span
from eisenergy.workbook.values import plain


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
