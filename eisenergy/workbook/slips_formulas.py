"""Slips in single formulas: typed over, unlike their neighbours, a rate typed in, another workbook, no value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from eisenergy.findings import Finding
from eisenergy.workbook.book import ERRORS, Key
from eisenergy.workbook.engine import CIRCULAR, UNKNOWN, Translator, loaded
from eisenergy.workbook.formula import references, shifted, tokens
from eisenergy.workbook.model import Value
from eisenergy.workbook.recalculation import criteria_of_many
from eisenergy.workbook.slips_structure import Block, Group, Structure, named, runs, slip, span
from eisenergy.workbook.values import plain, same

DOMINANT: Final = 0.6
"""Share of a column's cells that must hold one formula before the others are exceptions to it."""
RECURRING: Final = 3
"""Places at which another formula must stand among the dominant one to be meant, for example a subtotal per day."""
_COLUMN: Final = 24  # formulas from which they are a column
_HEADED: Final = 5  # rows above a column in which its header stands
LONG: Final = 10
"""Cells of one other formula in a row that are told as one change of the formula."""


def unlike_neighbours(structure: Structure) -> Iterator[Finding]:
    """Find cells in a column of one formula that hold a value typed over it, or another formula."""
    exceptions: list[tuple[Key, Key, Key, int]] = []
    for block in structure.blocks:
        exceptions += _exceptions(structure, block)
    formulas = {}
    for first, last, model, _ in exceptions:
        for row in range(first[1], last[1] + 1):
            key = (first[0], row, first[2])
            formulas[key] = shifted(structure.formula(model), model[0], row - model[1])
    expected = _computed(structure, formulas)
    for first, last, model, count in exceptions:
        keys = [(first[0], row, first[2]) for row in range(first[1], last[1] + 1)]
        if structure.is_formula(first):
            yield _odd(structure, keys, model, expected)
        elif count:
            yield from (_overwritten(structure, key, model, expected) for key in keys)


def _exceptions(structure: Structure, block: Block) -> Iterator[tuple[Key, Key, Key, int]]:
    """Yield runs of cells unlike the rest of their column: the first, the last, a cell of the rest near them, how many."""
    rows = [(row, kind) for row, kind in block.rows()]
    while rows and rows[0][1] == "text" and structure.is_header((block.sheet, rows[0][0], block.column)):
        rows.pop(0)
    counted = Counter(kind for _, kind in rows if kind.startswith("="))
    if not counted:
        return
    usual, often = counted.most_common(1)[0]
    if often < 2 or often < DOMINANT * len(rows):
        return
    own = [row for row, kind in rows if kind == usual]
    others: dict[str, list[Key]] = {}
    for row, kind in rows:
        if kind != usual:
            # what is typed over may be a number here and a text there; it is one exception all the same
            name = kind if kind.startswith("=") else "typed"
            others.setdefault(name, []).append((block.sheet, row, block.column))
    for name, keys in others.items():
        found = list(runs(keys))
        if name != "typed" and len(found) >= RECURRING:
            continue
        for first, last, count in found:
            inside = own[0] < first[1] and last[1] < own[-1]
            near = max((row for row in own if row < first[1]), default=own[0])
            model = (block.sheet, near, block.column)
            alike = name != "typed" and skeleton(structure.formula(first)) == skeleton(structure.formula(model))
            if often < 3 and not (inside and alike):
                continue
            if not inside and not _of_the_table(structure, first, model, name == "typed", alike):
                continue
            yield first, last, model, count


def _of_the_table(structure: Structure, key: Key, model: Key, typed: bool, alike: bool) -> bool:
    """Say whether a cell at a column's end is a row of the table like the others, and no total, title or opening value."""
    left, other = structure.band(key)[0], structure.band(model)[0]
    if left != other or left == key[2]:
        return False
    if structure.kind((key[0], key[1], left)) != structure.kind((model[0], model[1], left)):
        return False
    above = any(
        area.sheet == model[0] and area.single and area.first[0] == model[1] - 1
        for area in references(structure.formula(model), model[0])
    )
    return alike or (typed and not (above and key[1] < model[1]))


def _odd(structure: Structure, keys: list[Key], model: Key, expected: dict[Key, Value]) -> Finding:
    first, last = keys[0], keys[-1]
    wrong = [key for key in keys if not _confirmed(structure, key, expected)]
    known = any(expected.get(key) is not None for key in keys)
    blocks = bool(wrong) and (known or structure.totalled(first))
    what = f"{first[0]}!{span(first, last)} {'holds' if first == last else 'hold'} {structure.formula(first)}"
    gives = "; it gives the same today"
    if wrong:
        one = wrong[0]
        gives = f", which gives {_shown(expected.get(one))} in {named(one)} for {_shown(structure.book.value(one))}"
    return slip(
        "odd-formula",
        blocks,
        first,
        f"{what}, where the rest of the column holds what {named(model)} does, {structure.formula(model)}: expected that "
        f"formula{gives if known else ''}. Copy {named(model)} over {'it' if first == last else 'them'}, or say why "
        f"{'this row differs' if first == last else 'these rows differ'}.",
        cells=span(first, last),
        count=len(keys),
        formula=structure.formula(first),
        expected_formula=structure.formula(model),
    )


def _overwritten(structure: Structure, key: Key, model: Key, expected: dict[Key, Value]) -> Finding:
    found = structure.book.value(key)
    right = _confirmed(structure, key, expected)
    gives = ""
    if expected.get(key) is not None:
        gives = f", which gives {'the same today' if right else _shown(expected[key])}"
    return slip(
        "overwritten-formula",
        not right,
        key,
        f"{named(key)} holds {_shown(found)}, typed in, where the rest of the column holds a formula as {named(model)} does, "
        f"{structure.formula(model)}: expected that formula{gives}. Copy {named(model)} over it.",
        found=_plain(found),
        expected=_plain(expected.get(key)),
        expected_formula=structure.formula(model),
    )


def _confirmed(structure: Structure, key: Key, expected: dict[Key, Value]) -> bool:
    return key in expected and same(structure.book.value(key), expected[key])


def typed_among_formulas(structure: Structure) -> Iterator[Finding]:
    """Find a number typed among lines each of which has a formula of its own, as in an invoice's lines and totals."""
    for block in structure.blocks:
        rows = [(row, kind) for row, kind in block.rows() if kind != "text"]
        counted = Counter(kind for _, kind in rows if kind.startswith("="))
        formulas = sum(counted.values())
        if formulas < 4 or formulas < 0.75 * len(rows) or counted.most_common(1)[0][1] >= DOMINANT * len(rows):
            continue
        for number, (row, kind) in enumerate(rows):
            key = (block.sheet, row, block.column)
            if kind != "number" or (number == 0 and _opens(structure, key)):
                continue
            yield slip(
                "overwritten-formula",
                True,
                key,
                f"{named(key)} holds {_shown(structure.book.value(key))}, typed in, among {formulas} cells that are computed "
                f"({block.sheet}!{span((block.sheet, rows[0][0], block.column), (block.sheet, rows[-1][0], block.column))}): "
                "expected a formula. Put the formula back; if the number is an input, keep it beside the other inputs and refer "
                "to it.",
                found=_plain(structure.book.value(key)),
            )


def _opens(structure: Structure, key: Key) -> bool:
    below = (key[0], key[1] + 1, key[2])
    return structure.is_formula(below) and any(
        area.single and area.sheet == key[0] and area.first == key[1:]
        for area in references(structure.formula(below), key[0])
    )


def rates_typed_in(structure: Structure) -> Iterator[Finding]:
    """Find formulas that multiply by a fraction typed into them."""
    for group in structure.groups:
        number = _typed_rate(group)
        if number is None:
            continue
        holder = _holder(structure, float(number))
        held = f"; {named(holder)} holds that number" if holder else ""
        first, last = group.keys[0], group.keys[-1]
        yield slip(
            "constant-in-formula",
            False,
            first,
            f"{named(first)} multiplies by {number}, typed into {group.formula}{held}: expected a reference to the cell that "
            f"holds it, so that a change reaches every formula. Refer to {named(holder) if holder else 'a cell for it'}.",
            number=number,
            count=len(group.keys),
            cells=span(first, last) if len(group.keys) == last[1] - first[1] + 1 else span(first, first),
        )


def reads_nothing(structure: Structure) -> Iterator[Finding]:
    """Find a column of formulas that read a column in which nothing stands, as after its contents were deleted."""
    for group in structure.groups:
        if len(group.keys) < _COLUMN:
            continue
        for number, area in enumerate(references(group.formula, group.sheet)):
            if not area.single or area.fixed[0] or not _empty(structure, area.sheet, area.first):
                continue
            own = (references(structure.formula(key), key[0])[number] for key in group.keys)
            if not all(_empty(structure, one.sheet, one.first) for one in own):
                continue
            first, last = group.keys[0], group.keys[-1]
            above = range(max(1, area.first[0] - _HEADED), area.first[0])
            if any(structure.kind((area.sheet, row, area.first[1])) for row in above):
                break  # a column with a header may be without values, as of a forecast that there is not
            yield slip(
                "reads-nothing",
                structure.totalled(first),
                first,
                f"{named(first)} and {len(group.keys) - 1} more read the column of {area.sheet}!{area.text.rpartition('!')[2]}, where every cell "
                f"is empty and has no header: expected values. Put them back, or leave the column out of {group.formula}.",
                count=len(group.keys),
                cells=span(first, last) if len(group.keys) == last[1] - first[1] + 1 else span(first, first),
            )
            break


def _empty(structure: Structure, sheet: str, place: tuple[int, int]) -> bool:
    return sheet in structure.book.grids and not structure.kind((sheet, *place))


def _holder(structure: Structure, number: float) -> Key | None:
    for grid in structure.book.grids.values():
        for (row, column), value in sorted(grid.values.items()):
            typed = not isinstance(value, bool) and (row, column) not in grid.formulas
            if typed and value == number and structure.kind((grid.name, row, column - 1)) == "text":
                return grid.name, row, column
    return None


def _typed_rate(group: Group) -> str | None:
    cut = [one for one in tokens(group.formula, group.sheet) if not one.kind.startswith("Whitespace")]
    for number, one in enumerate(cut):
        around = {cut[at].text for at in (number - 1, number + 1) if 0 <= at < len(cut)}
        if one.kind == "Operand Number" and around & {"*", "/"}:
            value = float(one.text)
            if value != int(value):
                return one.text
    return None


def outside_the_workbook(structure: Structure) -> Iterator[Finding]:
    """Find formulas that read another workbook."""
    for group in structure.groups:
        for one in tokens(group.formula, group.sheet):
            if one.kind == "Operand Range" and one.reference is None and "[" in one.text and "!" in one.text:
                first = group.first
                yield slip(
                    "external-link",
                    structure.totalled(first),
                    first,
                    f"{named(first)} reads another workbook ({one.text}) in {group.formula}: expected its inputs in this one, where "
                    "they can be checked. Copy what it reads onto a sheet here and refer to that.",
                    count=len(group.keys),
                )
                break


def without_a_number(structure: Structure) -> Iterator[Finding]:
    """Find error values, and formulas whose value is not in the file."""
    errors: dict[str, list[Key]] = {}
    for grid in structure.book.grids.values():
        for place, value in grid.values.items():
            if isinstance(value, str) and value in ERRORS:
                errors.setdefault(value, []).append((grid.name, *place))
    for error, keys in errors.items():
        for first, last, count in runs(keys):
            yield slip(
                "error-value",
                structure.totalled(first),
                first,
                f"{first[0]}!{span(first, last)} {'shows' if count == 1 else 'show'} {error}: expected a value. Follow what the "
                "formula reads to the first cell that shows an error, and put that right.",
                error=error,
                count=count,
                cells=span(first, last),
            )
    missing = [key for key, _ in structure.book.formulas() if structure.book.value(key) is None]
    if missing and not structure.book.calculated:
        yield slip(
            "no-cached-value",
            True,
            missing[0],
            f"{structure.book.file}: none of its {len(missing):,} formulas has a value, it was never calculated. Open it in a "
            "spreadsheet program, save it, and check it again.",
            count=len(missing),
        )
        return
    for first, last, count in runs(missing):
        yield slip(
            "no-cached-value",
            True,
            first,
            f"{first[0]}!{span(first, last)} {'has' if count == 1 else 'have'} a formula and no value: expected what it gives. "
            "Open the workbook in a spreadsheet program, calculate, and save it.",
            count=count,
            cells=span(first, last),
        )


def skeleton(formula: str) -> str:
    """Return a formula with every operand as ``@``: equal for formulas that do the same to other cells or numbers."""
    return "".join("@" if one.kind.startswith("Operand") else one.text for one in tokens(formula, ""))


def _computed(structure: Structure, formulas: dict[Key, str]) -> dict[Key, Value]:
    """Return what formulas would give in their cells, from the cached values; those that cannot be computed are left out."""
    if not formulas:
        return {}
    translator = Translator(structure.book)
    written = {
        key: translator.write(formula, key[0])
        for key, formula in formulas.items()
        if not translator.obstacle(formula, key[0]) and not criteria_of_many(formula, key[0])
    }
    engine, refused = loaded(structure.book, written, apart=True)
    found = {key: engine.read(key, apart=True) for key in written if key not in refused}
    return {key: value for key, value in found.items() if value not in (UNKNOWN, CIRCULAR, "#NAME?")}


def _shown(value: Value) -> str:
    if value is None:
        return "no value"
    return f"“{value}”" if isinstance(value, str) else f"{value:.10g}" if isinstance(value, float) else str(value)


def _plain(value: Value) -> str | int | float | bool | None:
    return plain(value)
