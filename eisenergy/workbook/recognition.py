"""The roles that words say: headers of tables and labels of cells; and for columns without such words, what their values are.

What words do not say, :mod:`eisenergy.workbook.inference` finds from formulas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import time

from eisenergy.sheets import fold
from eisenergy.workbook import roles
from eisenergy.workbook.book import Book
from eisenergy.workbook.formula import copied, references
from eisenergy.workbook.table_kinds import type_of
from eisenergy.workbook.tables import Table
from eisenergy.workbook.things import Thing, Understanding, exactly, feeding


def by_words(book: Book, result: Understanding) -> None:
    """Give things the roles that headers and labels say, and columns those that their type says where their words do not."""
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
        if role == "day.demand" or not any(one.role == role and one.table is thing.table for one in result.things):
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
