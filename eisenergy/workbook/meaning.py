"""What every cell of a workbook is: by its header or label, by what its formula reads, and by what reads it.

Cells are grouped into *things*: a column of a table, the total row of a column, or a single cell. A thing gets a role from words where
they say one; else from the roles that its formula reads; else, for an input, from the one role that a formula of known meaning still
lacks. This goes on until nothing new is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import time
from typing import Final

from eisenergy.sheets import fold
from eisenergy.workbook import roles, tables
from eisenergy.workbook.book import Book, Grid
from eisenergy.workbook.formula import Reference, copied, pattern, references
from eisenergy.workbook.inference import by_structure
from eisenergy.workbook.table_kinds import type_of
from eisenergy.workbook.tables import Table
from eisenergy.workbook.things import Thing, Understanding, exactly, feeding

_FEW: Final = 400  # cells of a range that are looked at one by one
_TOTAL: Final = ("total", "maximo", "suma", "sum", "max", "todos", "all")


def understand(book: Book, stated: Mapping[tuple[str, int, int], str] | None = None) -> Understanding:
    """Find out what every cell is.

    :param stated: (sheet, row, column) -> role, for what words and structure do not say; ``-`` for what is none of ours
    """
    found, labels = [], []
    for grid in book.grids.values():
        own, beside = tables.find(grid)
        found += own
        labels += beside
    result = Understanding(things=[], tables=found, labels=labels)
    _blocks(book, result)
    result.tables = [_if_matrix(book, result, table) for table in found]
    _things(book, result)
    _read(book, result)
    _by_statement(result, stated or {})
    _by_words(book, result)
    by_structure(result)
    result.feeding = feeding(result)
    return result


def _blocks(book: Book, result: Understanding) -> None:
    """The names of the blocks: what stands in the block columns of rates and hours, as values."""
    for table in result.tables:
        if table.kind not in (roles.RATES, roles.HOURS, roles.HOUR):
            continue
        named = {column: roles.header_role(table.kind, text) for column, text in table.columns.items()}
        sure = "block" in named.values()
        for column, name in named.items():
            if name != ("block" if sure else ""):
                continue
            for row in table.rows:
                value = book.grids[table.sheet].values.get((row, column))
                if isinstance(value, str) and value.strip() and (sure or not inputs_like(value)):
                    result.blocks.setdefault(exactly(value), value.strip())


def inputs_like(text: str) -> bool:
    """Say whether a text is a number or a date that somebody typed as a text."""
    return any(letter.isdigit() for letter in text) and not any(letter.isalpha() for letter in text)


def _things(book: Book, result: Understanding) -> None:
    for table in result.tables:
        grid = book.grids[table.sheet]
        total, other = _rows_of_all(book, result, table)
        apart = {*total, *other}
        for column, text in table.columns.items():
            for context, rows in ((table.kind, [r for r in table.rows if r not in apart]), ("total", total)):
                cells = tuple(
                    (row, column) for row in rows if (row, column) in grid.formulas or (row, column) in grid.values
                )
                if cells:
                    _add(book, result, Thing(
                        sheet=table.sheet, header=text, context=context, cells=cells,
                        formulas=tuple(cell for cell in cells if cell in grid.formulas), table=table, column=column,
                    ))  # fmt: skip
            for row in other:
                if (row, column) in grid.formulas:
                    _add(book, result, Thing(
                        sheet=table.sheet, header=_label_of(grid, table, row), context="", cells=((row, column),),
                        formulas=((row, column),), column=column,
                    ))  # fmt: skip
    for label in result.labels:
        if (label.sheet, *label.value) not in result.by_cell:
            _cell(book, result, label.sheet, label.value, label.text)
    # A formula outside of every table: below the last header of its column, or alone.
    for grid in book.grids.values():
        loose: dict[tuple[int, str], list[tuple[int, int]]] = {}
        for place, formula in grid.formulas.items():
            if (grid.name, *place) not in result.by_cell:
                loose.setdefault((place[1], pattern(formula, grid.name, *place)), []).append(place)
        for (column, _), places in loose.items():
            header = _header_above(book, grid.name, min(places))
            _add(book, result, Thing(
                sheet=grid.name, header=header, context="", cells=tuple(places), formulas=tuple(places), column=column
            ))  # fmt: skip


def _header_above(book: Book, sheet: str, place: tuple[int, int]) -> str:
    values = book.grids[sheet].values
    for row in range(place[0] - 1, max(0, place[0] - 6), -1):
        value = values.get((row, place[1]))
        if isinstance(value, str) and (row, place[1]) not in book.grids[sheet].formulas:
            return value
    return ""


def _cell(book: Book, result: Understanding, sheet: str, place: tuple[int, int], text: str) -> None:
    formula = place in book.grids[sheet].formulas
    _add(book, result, Thing(
        sheet=sheet, header=text, context="label", cells=(place,), formulas=(place,) if formula else (), column=place[1]
    ))  # fmt: skip


def _add(book: Book, result: Understanding, thing: Thing) -> None:
    del book
    result.things.append(thing)
    for row, column in thing.cells:
        result.by_cell[thing.sheet, row, column] = thing


def _if_matrix(book: Book, result: Understanding, table: Table) -> Table:
    """The table, without its kind where it would be a block matrix and names no block: sums per hour or month."""
    if table.kind != roles.MATRIX or not result.blocks:
        return table
    labels = (book.grids[table.sheet].values.get((row, _label_column(table))) for row in table.rows)
    return table if any(result.block_of(label) is not None for label in labels) else replace(table, kind="")


def _rows_of_all(book: Book, result: Understanding, table: Table) -> tuple[list[int], list[int]]:
    """The rows of a table that are about all of its rows: those that total, and those with another figure, such as a mean.

    In a block matrix they are the rows whose label is no block; at an end of a table of intervals, the rows whose formulas read the column
    they stand in.
    """
    grid = book.grids[table.sheet]
    if table.kind == roles.SLOT:
        return [], tables.summing_rows(grid, table)
    if table.kind != roles.MATRIX:
        return [], []
    rows = []
    for row in table.rows:
        value = grid.values.get((row, _label_column(table)))
        words = _label_of(grid, table, row)
        if result.block_of(value) is None and (result.blocks or _says_total(words)):
            rows.append(row)
    total = [row for row in rows if _says_total(_label_of(grid, table, row))] or rows[:1]
    return total, [row for row in rows if row not in total]


def _label_of(grid: Grid, table: Table, row: int) -> str:
    """A row's label in a block matrix, folded; in another table its first text."""
    return fold(str(grid.values.get((row, _label_column(table))) or ""))


def _label_column(table: Table) -> int:
    column = min(table.columns)
    for one, text in table.columns.items():
        if roles.header_role(roles.MATRIX, text) == "label":
            column = one
    return column


def _says_total(label: str) -> bool:
    return any(word in label.split() for word in _TOTAL)


def _read(book: Book, result: Understanding) -> None:
    """What every thing reads: each pattern of its formulas once."""
    by_sheet: dict[str, list[Thing]] = {}
    for thing in result.things:
        if thing.table is not None:
            by_sheet.setdefault(thing.sheet, []).append(thing)
    for thing in result.things:
        grid = book.grids[thing.sheet]
        patterns: Counter[str] = Counter()
        example: dict[str, tuple[int, int]] = {}
        for place in thing.formulas:
            text = pattern(grid.formulas[place], thing.sheet, *place)
            patterns[text] += 1
            example.setdefault(text, place)
        every: set[Thing] = set()
        for number, (text, _) in enumerate(patterns.most_common()):
            read = {
                one
                for area in references(grid.formulas[example[text]], thing.sheet)
                for one in _of_area(result, by_sheet, area)
            }
            if number == 0:
                thing.main = frozenset(read - {thing})
            every |= read
        thing.reads = frozenset(every - {thing})


def _of_area(result: Understanding, by_sheet: Mapping[str, list[Thing]], area: Reference) -> Iterator[Thing]:
    (top, left), (bottom, right) = area.first, area.last
    if (bottom - top + 1) * (right - left + 1) <= _FEW:
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                if (one := result.by_cell.get((area.sheet, row, column))) is not None:
                    yield one
        return
    for thing in by_sheet.get(area.sheet, ()):
        if left <= thing.column <= right and thing.cells[0][0] <= bottom and thing.cells[-1][0] >= top:
            yield thing


def _by_statement(result: Understanding, stated: Mapping[tuple[str, int, int], str]) -> None:
    for place, role in stated.items():
        if (thing := result.by_cell.get(place)) is not None:
            thing.role, thing.stated = role, True


def _by_words(book: Book, result: Understanding) -> None:
    for thing in result.things:
        if thing.table is None or thing.stated or not thing.table.kind:
            continue
        name = roles.header_role(thing.table.kind, thing.header)
        if not name:
            continue
        if thing.table.kind == roles.SLOT and name in ("hour", "time"):
            # `Hora` is the hour where it is computed, and the time of day where it is read, or computed as a time.
            name = "hour" if thing.formulas and not _says_minutes(book, thing) else "time"
        prefix = "total" if thing.context == "total" else thing.table.kind
        if prefix == "total" and name == "label":
            continue
        role = f"{prefix}.{name}"
        if role == "day.demand" and not _of_rates(thing):
            continue
        if role in ("day.demand",) or not any(one.role == role and one.table is thing.table for one in result.things):
            thing.role = role
        if role == "day.demand":
            thing.block = _block_in(result, thing.header)
    _by_type(book, result)
    _labels(book, result)
    _one_each(result)


def _says_minutes(book: Book, thing: Thing) -> bool:
    """Whether a column's values are times of day, and no whole hours."""
    values = (book.grids[thing.sheet].values.get(place) for place in thing.cells[:8])
    return any(isinstance(value, time) or (isinstance(value, float) and value != int(value)) for value in values)


def _by_type(book: Book, result: Understanding) -> None:
    """Columns whose type says what they are, where their words do not."""
    for table in result.tables:
        own = [thing for thing in result.things if thing.table is table and thing.context != "total"]
        for thing in own:
            kind = _type_role(book, table, thing)
            if kind and not thing.role and not thing.stated and not any(one.role == kind for one in own):
                thing.role = kind
            if table.kind == roles.DAYS and not thing.role and thing.formulas and _of_rates(thing):
                thing.role, thing.block = "day.demand", _block_in(result, thing.header)
        if table.kind == roles.HOUR:
            _by_day_kind(book, result, table, own)


def _of_rates(thing: Thing) -> bool:
    """Whether a column of a table of days holds rates: typed ones, or formulas that read a table of rates."""
    return not thing.formulas or any(one.table is not None and one.table.kind == roles.RATES for one in thing.main)


def _type_role(book: Book, table: Table, thing: Thing) -> str:
    values = book.grids[thing.sheet].values
    kind = type_of(values.get(thing.cells[0]))
    if table.kind == roles.RATES:
        return {"text": "rates.block", "date": "rates.from"}.get(kind, "")
    if table.kind == roles.HOURS and kind == "number":
        others = [values.get((thing.cells[0][0], column)) for column in table.columns if column != thing.column]
        beside = [other for other in others if isinstance(other, int | float)]
        first = bool(beside) and _leads(values, table, thing.column)
        return "hours.first" if first else "hours.last"
    if table.kind in (roles.HOURS, roles.HOUR) and kind == "text":
        return f"{table.kind}.block"
    if table.kind == roles.KINDS:
        return {"date": "kinds.day", "text": "kinds.day_kind", "number": "kinds.column"}.get(kind, "")
    if table.kind == roles.LOSSES:
        return {"date": "losses.from", "number": "losses.factor"}.get(kind, "")
    if table.kind == roles.HOUR:
        return "hour.hour"
    if table.kind == roles.DAYS and kind == "date":
        return "day.day"
    return "block.label" if table.kind == roles.MATRIX and kind == "text" else ""


def _leads(values: Mapping[tuple[int, int], object], table: Table, column: int) -> bool:
    """Whether a column's numbers are the smaller ones of a table's two columns of numbers."""
    for other in table.columns:
        pairs = [(values.get((row, column)), values.get((row, other))) for row in table.rows]
        numbers = [(a, b) for a, b in pairs if isinstance(a, int | float) and isinstance(b, int | float)]
        if other != column and numbers:
            return sum(a <= b for a, b in numbers) * 2 > len(numbers) and any(a != b for a, b in numbers)
    return False


def _by_day_kind(book: Book, result: Understanding, table: Table, own: list[Thing]) -> None:
    """The columns of a table of hours that has one of blocks for each kind of day, with its name as header."""
    values = book.grids[table.sheet].values
    columns = [
        thing
        for thing in own
        if (thing.role == "hour.block" or not (thing.role or thing.stated))
        and all(isinstance(values.get(place), str) and result.block_of(values[place]) for place in thing.cells)
    ]
    if len(columns) < 2 or any(roles.header_role(roles.HOUR, thing.header) for thing in columns):
        return
    for thing in columns:
        thing.role, thing.day_kind = "hour.block", thing.header.strip()


def _block_in(result: Understanding, text: str) -> str:
    """The block that a header ends with, or holds as a word; of several the longest."""
    exact, words = f" {exactly(text)}", f" {fold(text)} "
    ends = [name for name in result.blocks.values() if exact.endswith(f" {exactly(name)}")]
    inside = [name for name in result.blocks.values() if fold(name) and f" {fold(name)} " in words]
    return max(ends or inside, key=len, default="")


def _labels(book: Book, result: Understanding) -> None:
    """Labelled cells: a line of the invoice where it stands among lines, else an input."""
    cells = [
        thing
        for thing in result.things
        if thing.context == "label" and not thing.stated and not _repeats(book, result, thing)
    ]
    lines = Counter((thing.sheet, thing.column) for thing in cells if thing.formulas and roles.line_role(thing.header))
    home = lines.most_common(1)[0][0] if lines else None
    rows = [
        thing.cells[0][0]
        for thing in cells
        if (thing.sheet, thing.column) == home and thing.formulas and roles.line_role(thing.header)
    ]
    for thing in sorted(cells, key=lambda thing: (thing.sheet, thing.column) != home):
        computed = any(references(book.grids[thing.sheet].formulas[place], thing.sheet) for place in thing.formulas)
        among = (
            (thing.sheet, thing.column) == home and bool(rows) and min(rows) - 1 <= thing.cells[0][0] <= max(rows) + 1
        )
        # A formula that reads no cell, such as 13/100, is a number that somebody typed.
        role = roles.line_role(thing.header) if computed or among else ""
        role = role or ("" if computed and not among else roles.parameter_role(thing.header))
        # of corrections each earlier period has its own
        if role and (role == "line.correction" or not any(one.role == role for one in cells)):
            thing.role = role


def _repeats(book: Book, result: Understanding, thing: Thing) -> bool:
    """Whether a labelled cell only repeats a line of the invoice that has the same label elsewhere, as a sheet for printing does."""
    role = roles.line_role(thing.header)
    if not role or not thing.formulas:
        return False
    area = copied(book.grids[thing.sheet].formulas[thing.formulas[0]], thing.sheet)
    source = None if area is None else result.by_cell.get((area.sheet, *area.first))
    return (
        source is not None and source is not thing and bool(source.formulas) and roles.line_role(source.header) == role
    )


def _one_each(result: Understanding) -> None:
    """Of several tables of one kind the one that the invoice reads keeps its roles."""
    for kind in roles.HEADERS:
        rivals = [table for table in result.tables if table.kind == kind]
        if len(rivals) < 2 or kind == roles.DAYS:
            continue
        needed = feeding(result)
        read = {id(thing.table) for thing in needed if thing.table is not None}
        keep = next((table for table in rivals if id(table) in read), max(rivals, key=lambda table: len(table.rows)))
        for thing in result.things:
            if thing.table is not None and thing.table.kind == kind and thing.table is not keep and not thing.stated:
                thing.role = ""
