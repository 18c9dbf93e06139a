"""A formula's references and its pattern: what it reads, written relative to where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import formualizer

from eisenergy.sheets import cell

LAST_ROW: Final = 1_048_576
LAST_COLUMN: Final = 16_384
_CELL: Final = re.compile(r"(\$?)([A-Za-z]{1,3})(\$?)(\d{1,7})")
_COLUMNS: Final = re.compile(r"(\$?)([A-Za-z]{1,3}):(\$?)([A-Za-z]{1,3})")
_ROWS: Final = re.compile(r"(\$?)(\d{1,7}):(\$?)(\d{1,7})")


@dataclass(frozen=True, slots=True)
class Reference:
    """What one operand of a formula refers to.

    :param text: as written
    :param sheet: name of the sheet; the formula's own where none is written
    :param first: (row, column) of its first cell, both from 1
    :param last: (row, column) of its last cell
    :param fixed: whether row and column of the first cell are written with ``$``
    """

    text: str
    sheet: str
    first: tuple[int, int]
    last: tuple[int, int]
    fixed: tuple[bool, bool] = (False, False)

    @property
    def single(self) -> bool:
        """Whether it is one cell."""
        return self.first == self.last

    def __contains__(self, place: tuple[int, int]) -> bool:
        return self.first[0] <= place[0] <= self.last[0] and self.first[1] <= place[1] <= self.last[1]


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a formula; ``reference`` where it is an operand that refers to cells."""

    text: str
    kind: str
    reference: Reference | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A function called in a formula.

    :param name: in capitals, without ``_xlfn.``
    :param arguments: the tokens of each argument, those of nested calls included
    :param depth: 0 for a function that is in no other's arguments
    """

    name: str
    arguments: tuple[tuple[Token, ...], ...]
    depth: int

    def direct(self, number: int) -> tuple[Token, ...]:
        """Return an argument's tokens that are not inside another function's brackets; empty where it is not given."""
        found: list[Token] = []
        inside = 0
        for one in self.arguments[number] if number < len(self.arguments) else ():
            if one.kind == "Func Open":
                inside += 1
            elif one.kind == "Func Close":
                inside -= 1
            elif not inside:
                found.append(one)
        return tuple(found)


def column_number(letters: str) -> int:
    """Return the number of a column: ``column_number("AB") == 28``."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


@lru_cache(maxsize=1 << 16)
def tokens(formula: str, sheet: str) -> tuple[Token, ...]:
    """Cut a formula into tokens.

    :param formula: with ``=``
    :param sheet: the sheet it stands on
    :raises ValueError: when it is no formula
    """
    try:
        found = list(formualizer.Tokenizer(formula))
    except Exception as problem:  # the tokenizer's own error type
        raise ValueError(f"{formula}: {problem}") from problem
    # its own type declarations say that an iteration may give nothing
    return tuple(_token(one.value, str(one.token_type), str(one.subtype), sheet) for one in found if one is not None)


@lru_cache(maxsize=1 << 16)  # most tokens of a filled column are the same ones again
def _token(text: str, kind: str, subtype: str, sheet: str) -> Token:
    return Token(text, f"{kind} {subtype}".strip(), reference(text, sheet) if subtype == "Range" else None)


def reference(text: str, sheet: str) -> Reference | None:
    """Read a reference such as ``$B$7``, ``Tarifas!C2:C10`` or ``A:A``; ``None`` for a defined name or another book's cell."""
    own, mark, local = text.rpartition("!")
    name = own.strip("'").replace("''", "'") if mark else sheet
    if "[" in name:
        return None
    if whole := _COLUMNS.fullmatch(local):
        return Reference(
            text,
            name,
            (1, column_number(whole[2])),
            (LAST_ROW, column_number(whole[4])),
            (True, bool(whole[1])),
        )
    if whole := _ROWS.fullmatch(local):
        return Reference(text, name, (int(whole[2]), 1), (int(whole[4]), LAST_COLUMN), (bool(whole[1]), True))
    first, _, last = local.partition(":")
    one, two = _CELL.fullmatch(first), _CELL.fullmatch(last or first)
    if one is None or two is None:
        return None
    a, b = (int(one[4]), column_number(one[2])), (int(two[4]), column_number(two[2]))
    low, high = (min(a[0], b[0]), min(a[1], b[1])), (max(a[0], b[0]), max(a[1], b[1]))
    return Reference(text, name, low, high, (bool(one[3]), bool(one[1])))


def references(formula: str, sheet: str) -> tuple[Reference, ...]:
    """Return what a formula refers to, in order, repetitions included. :raises ValueError: when it is no formula"""
    return tuple(token.reference for token in tokens(formula, sheet) if token.reference is not None)


def texts_in(formula: str) -> tuple[str, ...]:
    """Return the texts that stand in a formula, as they read: ``=IF(A1="L""A",1,"x")`` has ``L"A`` and ``x``."""
    outside = re.sub(r"'(?:[^']|'')*'!", "", formula)  # a sheet's name may hold a quote
    return tuple(text.replace('""', '"') for text in re.findall(r'"((?:[^"]|"")*)"', outside))


def calls(formula: str, sheet: str) -> tuple[Call, ...]:
    """Return the functions a formula calls, the outer before the inner. :raises ValueError: when it is no formula"""
    found: list[tuple[int, str, list[list[Token]], int]] = []
    open_: list[tuple[int, str, list[list[Token]]] | None] = []  # None for a bracket that is no call's
    for number, one in enumerate(tokens(formula, sheet)):
        closes = one.kind.endswith("Close")
        if closes and open_:
            done = open_.pop()
            if done is not None:
                found.append((*done, sum(call is not None for call in open_)))
        for call in open_:
            if call is None:
                continue
            if one.kind == "Sep Arg" and call is open_[-1]:
                call[2].append([])
            else:
                call[2][-1].append(one)
        if one.kind.endswith("Open"):
            name = one.text.rstrip("(").upper().removeprefix("_XLFN.").removeprefix("_XLWS.")
            open_.append((number, name, [[]]) if one.kind.startswith("Func") else None)
    return tuple(
        Call(name, tuple(tuple(argument) for argument in arguments), depth)
        for _, name, arguments, depth in sorted(found, key=lambda call: call[0])
    )


def copied(formula: str, sheet: str) -> Reference | None:
    """Return the one cell whose value a formula repeats, as ``=Tarifas!B5`` does; ``None`` where it computes anything."""
    found = [one for one in tokens(formula, sheet) if not one.kind.startswith("Whitespace") and one.text != "+"]
    return (
        found[0].reference if len(found) == 1 and found[0].reference is not None and found[0].reference.single else None
    )


@lru_cache(maxsize=1 << 16)
def pattern(formula: str, sheet: str, row: int, column: int) -> str:
    """Return the formula with every relative reference written as an offset: equal for a formula that was filled down.

    ``=C31*$B$7`` in K31 is ``=R[0]C[-8]*R7C2``.
    """
    return "".join(
        token.text if token.reference is None else _relative(token.text, row, column)
        for token in tokens(formula, sheet)
    )


def shifted(formula: str, sheet: str, rows: int, columns: int = 0) -> str:
    """Return a formula, with ``=``, as it reads after it is copied so many rows down and columns to the right."""
    return "=" + "".join(
        token.text if token.reference is None else _moved(token.text, rows, columns) for token in tokens(formula, sheet)
    )


def _moved(text: str, rows: int, columns: int) -> str:
    own, mark, local = text.rpartition("!")

    def one(match: re.Match[str]) -> str:
        row = int(match[4]) if match[3] else int(match[4]) + rows
        column = column_number(match[2]) if match[1] else column_number(match[2]) + columns
        if row < 1 or column < 1:
            return "#REF!"
        return f"{match[1]}{cell(0, column - 1)[:-1]}{match[3]}{row}"

    return f"{own}{mark}{_CELL.sub(one, local)}"


def _relative(text: str, row: int, column: int) -> str:
    own, mark, local = text.rpartition("!")

    def one(match: re.Match[str]) -> str:
        number = column_number(match[2])
        r = f"R{match[4]}" if match[3] else f"R[{int(match[4]) - row}]"
        c = f"C{number}" if match[1] else f"C[{number - column}]"
        return r + c

    return f"{own.casefold()}{mark}{_CELL.sub(one, local)}"
