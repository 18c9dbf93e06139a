"""The things of a workbook: columns of tables, their total rows, and labelled cells; and which of them the amount to pay depends on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from eisenergy.sheets import fold
from eisenergy.workbook.tables import Label, Table


@dataclass(eq=False, slots=True, kw_only=True)
class Thing:
    """A column of a table, its total row, or a cell.

    :param header: header or label, as written
    :param cells: all its cells, formulas or not
    :param formulas: those of them that are formulas
    :param block: the block it is about, where it is about one
    :param day_kind: the kind of day it is about, where the hours depend on the day
    :param reads: things the formulas read, those of every pattern
    :param main: things that the most frequent pattern reads
    """

    sheet: str
    header: str
    context: str
    cells: tuple[tuple[int, int], ...]
    formulas: tuple[tuple[int, int], ...]
    role: str = ""
    table: Table | None = None
    column: int = 0
    block: str = ""
    day_kind: str = ""
    reads: frozenset[Thing] = frozenset()
    main: frozenset[Thing] = frozenset()
    stated: bool = False


@dataclass(slots=True, kw_only=True)
class Understanding:
    """The things of a workbook.

    :param blocks: block names as written first, by :func:`exactly`
    :param feeding: things the amount to pay depends on
    """

    things: list[Thing]
    tables: list[Table]
    labels: list[Label]
    by_cell: dict[tuple[str, int, int], Thing] = field(default_factory=dict)
    blocks: dict[str, str] = field(default_factory=dict)
    feeding: frozenset[Thing] = frozenset()

    def of(self, role: str) -> list[Thing]:
        """Return the things that have a role."""
        return [thing for thing in self.things if thing.role == role]

    def one(self, role: str) -> Thing | None:
        """Return the thing that has a role; the first where several have."""
        return next((thing for thing in self.things if thing.role == role), None)

    def block_of(self, text: object) -> str | None:
        """Return the block a text names, whatever its case and spaces; also its accents and signs, where one block only is so named."""
        if text is None:
            return None
        if (name := self.blocks.get(exactly(str(text)))) is not None:
            return name
        like = fold(str(text))
        alike = [name for name in self.blocks.values() if like and fold(name) == like]
        return alike[0] if len(alike) == 1 else None


def exactly(text: str) -> str:
    """Return a name as a spreadsheet compares it, whatever its case; spaces at its ends are told elsewhere."""
    return text.strip().casefold()


def feeding(result: Understanding) -> frozenset[Thing]:
    """Everything the amount to pay depends on; where it is not known, everything that what is made of lines depends on."""
    total = result.one("line.total")
    # Where no total is known, it may be any formula that adds lines up and is not understood.
    lines = {one for one in result.things if one.role.startswith("line.")}
    goals = [total] if total is not None else [one for one in result.things if not one.role and one.reads & lines]
    seen: set[Thing] = set(goals)
    queue: deque[Thing] = deque(seen)
    while queue:
        for one in queue.popleft().reads:
            if one not in seen:
                seen.add(one)
                queue.append(one)
    return frozenset(seen)
