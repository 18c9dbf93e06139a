"""What a cell is about: the row of an interval, a block, an hour on a kind of day, a day; as :mod:`eisenergy.workbook.library` keys it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, TypeVar

from eisenergy.workbook import roles
from eisenergy.workbook.book import Book
from eisenergy.workbook.formula import texts_in
from eisenergy.workbook.input_cells import day_of, number_of, origin
from eisenergy.workbook.model import Value
from eisenergy.workbook.things import Thing, Understanding, exactly

SUBJECTS: Final = frozenset((roles.SLOT, roles.MATRIX, "total", "line", roles.DAYS, roles.HOUR, roles.KINDS))
"""Parts of the bill whose cells the library computes."""

T = TypeVar("T")


def subject_of(book: Book, full: Book, found: Understanding, thing: Thing, place: tuple[int, int]) -> Hashable:
    """Return what a cell is about; ``None`` where that cannot be read, and for what is there once.

    :param book: with its own cached values
    :param full: with every formula's value
    """

    def beside(role: str, read: Callable[[Value], T | None]) -> T | None:
        for other in found.of(role):
            if other.table is thing.table and other.table is not None:
                value = full.grids[thing.sheet].values.get((place[0], other.column))
                return None if value is None else read(value)
        return None

    kind = thing.role.partition(".")[0]
    if kind == roles.SLOT:
        return place[0]
    if kind == roles.MATRIX:
        return beside("block.label", found.block_of) or _literal(book, found, thing, place)
    if kind == roles.HOUR:
        return beside("hour.hour", _minute), exactly(thing.day_kind)
    if kind == roles.KINDS:
        day = beside("kinds.day", day_of)
        return None if day is None else day.date()
    if kind == roles.DAYS:
        day = beside("day.day", day_of)
        return None if day is None else (day.date(), thing.block or _literal(book, found, thing, place))
    # each earlier period may have a line of its own
    return origin(thing, place) if thing.role == "line.correction" else None


def _minute(value: Value) -> int | None:
    """The minute of the day at which an hour, or a part of one, begins."""
    number = number_of(value)
    return None if number is None or abs(number * 60 - round(number * 60)) > 1e-6 else round(number * 60)


def _literal(book: Book, found: Understanding, thing: Thing, place: tuple[int, int]) -> str | None:
    """The block that a formula names as a text."""
    texts = texts_in(book.grids[thing.sheet].formulas.get(place, ""))
    return next((block for text in texts if (block := found.block_of(text))), None)
