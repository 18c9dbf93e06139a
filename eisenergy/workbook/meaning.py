"""What every cell of a workbook is: by its header or label, by what its formula reads, and by what reads it.

Cells are grouped here into *things*: a column of a table, the total row of a column, or a single cell. A thing gets a role from words where
they say one (:mod:`eisenergy.workbook.recognition`); else from the roles that its formula reads; else, for an input, from the one role that
a formula of known meaning still lacks (:mod:`eisenergy.workbook.inference`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from eisenergy.sheets import fold
from eisenergy.workbook import roles, tables
from eisenergy.workbook.book import Book, Grid
from eisenergy.workbook.formula import Reference, pattern, references
from eisenergy.workbook.inference import by_structure
from eisenergy.workbook.recognition import by_words
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
    by_words(book, result)
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
                    _add(result, Thing(
                        sheet=table.sheet, header=text, context=context, cells=cells,
                        formulas=tuple(cell for cell in cells if cell in grid.formulas), table=table, column=column,
                    ))  # fmt: skip
            for row in other:
                if (row, column) in grid.formulas:
                    _add(result, Thing(
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
            _add(result, Thing(
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
    _add(result, Thing(
        sheet=sheet, header=text, context="label", cells=(place,), formulas=(place,) if formula else (), column=place[1]
    ))  # fmt: skip


def _add(result: Understanding, thing: Thing) -> None:
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
