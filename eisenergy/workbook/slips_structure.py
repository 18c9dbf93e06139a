"""What a workbook's formulas have in common and what they read, as the rules about an analyst's slips need it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any, Final

from eisenergy.findings import Finding, Severity
from eisenergy.sheets import cell
from eisenergy.workbook.book import ERRORS, Book, Grid, Key
from eisenergy.workbook.formula import Reference, pattern, references, tokens
from eisenergy.workbook.model import Value

AGGREGATES: Final = frozenset(
    [
        "SUM",
        "SUMIF",
        "SUMIFS",
        "SUMPRODUCT",
        "SUBTOTAL",
        "AVERAGE",
        "AVERAGEIF",
        "AVERAGEIFS",
        "COUNT",
        "COUNTA",
        "COUNTIF",
        "COUNTIFS",
        "MAX",
        "MAXIFS",
        "MIN",
        "MINIFS",
        "AGGREGATE",
        "MEDIAN",
        "LARGE",
        "SMALL",
        "PRODUCT",
        "STDEV",
    ]
)
"""Functions that make one number of many cells."""


@dataclass(frozen=True, slots=True)
class Use:
    """A range of several cells, and the formulas that read it.

    :param functions: the functions it stands in, the outermost first
    :param readers: the formula cells, in order
    :param sliding: neither its first nor its last row is fixed
    :param growing: one of them is fixed and the other is not
    :param filled: the same formula stands in three rows or more, so that a range that slides moves along
    """

    area: Reference
    functions: tuple[str, ...]
    readers: tuple[Key, ...]
    sliding: bool = False
    growing: bool = False
    filled: bool = False

    @property
    def aggregated(self) -> bool:
        """Whether one number is made of it."""
        return any(name in AGGREGATES for name in self.functions)


@dataclass(frozen=True, slots=True)
class Group:
    """The formulas of one sheet that are the same, written relative to where they stand."""

    sheet: str
    pattern: str
    keys: tuple[Key, ...]
    formula: str

    @property
    def first(self) -> Key:
        """The first of them."""
        return self.keys[0]


@dataclass(frozen=True, slots=True)
class Block:
    """Cells below one another in one column, none of them empty.

    :param kinds: of each cell from ``first`` on: the pattern of a formula, or ``number``, ``moment``, ``truth``, ``error``, ``text``
    """

    sheet: str
    column: int
    first: int
    kinds: tuple[str, ...]

    @property
    def last(self) -> int:
        """Its last row."""
        return self.first + len(self.kinds) - 1

    def rows(self) -> Iterator[tuple[int, str]]:
        """Yield row and kind."""
        return enumerate(self.kinds, self.first)


class Structure:
    """A workbook's patterns, ranges and columns.

    :param timezone: IANA name of its local times
    """

    def __init__(self, book: Book, timezone: str | None = None) -> None:
        self.book = book
        self.timezone = timezone
        self.patterns: dict[Key, str] = {}
        unreadable = []
        for key, formula in book.formulas():
            try:
                self.patterns[key] = "=" + pattern(formula, *key)
            except ValueError:
                unreadable.append(key)
        self.unreadable = tuple(unreadable)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The formulas by sheet and pattern."""
        found: dict[tuple[str, str], list[Key]] = {}
        for key, text in self.patterns.items():
            found.setdefault((key[0], text), []).append(key)
        return tuple(Group(sheet, text, tuple(keys), self.formula(keys[0])) for (sheet, text), keys in found.items())

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Every range of several cells that formulas read."""
        found: list[Use] = []
        for group in self.groups:
            filled = len({row for _, row, _ in group.keys}) > 2
            for number, (area, functions) in enumerate(_placed(group.formula, group.sheet)):
                if area.single:
                    continue
                (_, top), (_, bottom) = fixed = _fixed(area.text)
                if all(map(all, fixed)):
                    found.append(Use(area, functions, group.keys))
                    continue
                own: dict[Reference, list[Key]] = {}
                for key in group.keys:
                    own.setdefault(references(self.formula(key), key[0])[number], []).append(key)
                found += [
                    Use(one, functions, tuple(keys), not top and not bottom, top is not bottom, filled)
                    for one, keys in own.items()
                ]
        return tuple(found)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Every column's cells below one another."""
        return tuple(block for grid in self.book.grids.values() for block in self._blocks(grid))

    def block(self, key: Key) -> Block | None:
        """Return the block a cell stands in."""
        return self._block_of.get(key)

    @cached_property
    def _block_of(self) -> dict[Key, Block]:
        return {(block.sheet, row, block.column): block for block in self.blocks for row, _ in block.rows()}

    def _blocks(self, grid: Grid) -> Iterator[Block]:
        places = sorted(
            (place for place, value in grid.values.items() if value is not None or place in grid.formulas),
            key=lambda place: (place[1], place[0]),
        )
        first = (0, 0)
        kinds: list[str] = []
        for row, column in places:
            if kinds and (column != first[1] or row != first[0] + len(kinds)):
                yield Block(grid.name, first[1], first[0], tuple(kinds))
                kinds = []
            if not kinds:
                first = (row, column)
            kinds.append(self.kind((grid.name, row, column)))
        if kinds:
            yield Block(grid.name, first[1], first[0], tuple(kinds))

    def kind(self, key: Key) -> str:
        """Return a cell's kind: a formula's pattern, or what kind of value it holds; empty for an empty cell."""
        return self.patterns.get(key) or ("=" if self.is_formula(key) else kind(self.book.value(key)))

    def is_formula(self, key: Key) -> bool:
        """Say whether a cell holds a formula."""
        grid = self.book.grids.get(key[0])
        return grid is not None and key[1:] in grid.formulas

    def formula(self, key: Key) -> str:
        """Return a cell's formula."""
        return self.book.grids[key[0]].formulas[key[1:]]

    def band(self, key: Key) -> tuple[int, int]:
        """Return the first and last column of the filled cells beside one another that a cell is among."""
        sheet, row, first = key
        last = first
        while self.kind((sheet, row, first - 1)):
            first -= 1
        while self.kind((sheet, row, last + 1)):
            last += 1
        return first, last

    def is_header(self, key: Key) -> bool:
        """Say whether a cell and all filled cells beside it are texts."""
        first, last = self.band(key)
        return all(self.kind((key[0], key[1], column)) == "text" for column in range(first, last + 1))

    def totalled(self, key: Key) -> bool:
        """Say whether a number that depends on a cell is made of many cells, that one among them."""
        waiting, seen = [key], {key}
        while waiting:
            one = waiting.pop()
            for use in self._ranges.get(one[0], ()):
                if one[1:] in use.area:
                    if use.aggregated:
                        return True
                    waiting += [reader for reader in use.readers[:1] if reader not in seen]
                    seen |= set(use.readers[:1])
            for reader in self._singles.get(one, ()):
                if reader not in seen and len(seen) < 10_000:
                    seen.add(reader)
                    waiting.append(reader)
        return False

    @cached_property
    def _ranges(self) -> dict[str, list[Use]]:
        found: dict[str, list[Use]] = {}
        for use in self.uses:
            found.setdefault(use.area.sheet, []).append(use)
        return found

    @cached_property
    def _singles(self) -> dict[Key, list[Key]]:
        found: dict[Key, list[Key]] = {}
        for key in self.patterns:
            for area in references(self.formula(key), key[0]):
                if area.single:
                    found.setdefault((area.sheet, *area.first), []).append(key)
        return found


def kind(value: Value) -> str:
    """Return what kind of value a cell without a formula holds."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, date | datetime | time | timedelta):
        return "moment"
    return "error" if value in ERRORS else "text"


def named(key: Key) -> str:
    """Name a cell with its sheet, for example ``Tarifas!B5``."""
    return f"{key[0]}!{cell(key[1] - 1, key[2] - 1)}"


def span(first: Key, last: Key) -> str:
    """Name the cells from one to another, without their sheet: ``K31:K2910``, or ``K31`` for one."""
    a, b = cell(first[1] - 1, first[2] - 1), cell(last[1] - 1, last[2] - 1)
    return a if a == b else f"{a}:{b}"


def slip(code: str, blocks: bool, key: Key, message: str, **data: Any) -> Finding:
    """Return a finding at a cell. :param blocks: it changes a number that something totals; otherwise it may."""
    place = {"sheet": key[0], "cell": cell(key[1] - 1, key[2] - 1), "row": key[1], "column": key[2]}
    return Finding(
        code=code,
        severity=Severity.BLOCKING if blocks else Severity.WARNING,
        subject=named(key),
        message=message,
        data=place | data,
    )


def runs(keys: tuple[Key, ...] | list[Key]) -> Iterator[tuple[Key, Key, int]]:
    """Yield cells in runs down a column: the first, the last, and how many."""
    first = last = None
    for key in sorted(keys, key=lambda key: (key[0], key[2], key[1])):
        if last is not None and first is not None and key == (last[0], last[1] + 1, last[2]):
            last = key
            continue
        if first is not None and last is not None:
            yield first, last, last[1] - first[1] + 1
        first = last = key
    if first is not None and last is not None:
        yield first, last, last[1] - first[1] + 1


def _placed(formula: str, sheet: str) -> list[tuple[Reference, tuple[str, ...]]]:
    """Return a formula's references with the functions each stands in."""
    found, inside = [], []
    for one in tokens(formula, sheet):
        if one.kind == "Func Open":
            inside.append(one.text.rstrip("(").upper().removeprefix("_XLFN."))
        elif one.kind == "Func Close" and inside:
            inside.pop()
        elif one.reference is not None:
            found.append((one.reference, tuple(inside)))
    return found


def _fixed(text: str) -> tuple[tuple[bool, bool], tuple[bool, bool]]:
    """Say of a range's first and last cell whether their column and their row are fixed; a whole column's rows are."""
    first, _, last = text.rpartition("!")[2].partition(":")
    one, other = (
        (
            part.startswith("$") or part.isdigit(),
            "$" in part[1:] or part.lstrip("$").isalpha() or (part[:1] == "$" and part[1:].isdigit()),
        )
        for part in (first, last or first)
    )
    return one, other
