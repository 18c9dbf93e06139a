"""A checked workbook packed for the page that draws it: every text once, columns as runs, filled-down formulas as one.

The reference workbook's 52,000 cells with their formulas and derivations take 1.5 MB so; written out they would take ten.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from typing import Any, Final

from eisenergy.workbook.book import Book, Grid
from eisenergy.workbook.formula import column_number, tokens
from eisenergy.workbook.model import CellCheck, CheckResult, Place, Value
from eisenergy.workbook.overview import State, span, states
from eisenergy.workbook.wording import difference, plain

LETTERS: Final = {
    State.EQUAL: "e",
    State.DIFFERENT: "d",
    State.STALE: "s",
    State.FINDING: "f",
    State.NO_VALUE: "v",
    State.ERROR: "x",
    State.NOT_OURS: "n",
    State.NOT_UNDERSTOOD: "u",
}
"""State -> the letter that stands for it in the page."""

_CELL: Final = re.compile(r"(\$?)([A-Za-z]{1,3})(\$?)(\d{1,7})")
_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")
_GAP: Final = "\x01"
_NARROWEST, _HEADER, _WIDEST = 6, 17, 26


class Texts:
    """A table in which every entry stands once. Numbers, truth values and texts are kept as such, a moment as a list of one."""

    def __init__(self) -> None:
        self.entries: list[object] = []
        self._known: dict[tuple[str, object], int] = {}

    def add(self, entry: object) -> int:
        """Return an entry's number."""
        key = (type(entry).__name__, str(entry))
        if key not in self._known:
            self._known[key] = len(self.entries)
            self.entries.append(entry)
        return self._known[key]

    def value(self, value: Value) -> int:
        """Return a cell value's number."""
        if isinstance(value, date | time):
            return self.add([plain(value)])
        if isinstance(value, float) and value - value != 0:  # infinite or no number: not JSON
            return self.add(str(value))
        return self.add(value)


def pack(result: CheckResult, book: Book) -> dict[str, Any]:
    """Return everything the page needs, as JSON types.

    :param book: the workbook that was checked: what is no formula stands in it only
    """
    texts, formulas, templates = Texts(), Texts(), Texts()
    checks: dict[tuple[str, int], list[CellCheck]] = defaultdict(list)
    for cell in result.cells:
        checks[cell.place.sheet, cell.place.column].append(cell)
    kinds = states(result)
    notes: dict[str, list[list[Any]]] = defaultdict(list)
    for finding in result.findings:
        area = span(finding)
        if area is not None:
            notes[area.sheet].append([*area.first, *area.last, finding.message])
    sheets = []
    for grid in book.grids.values():
        rows, columns = _extent(grid, kinds)
        by_column: dict[int, dict[int, Value]] = defaultdict(dict)
        for (row, column), value in grid.values.items():
            if value is not None and value != "":
                by_column[column][row] = value
        sheets.append(
            {
                "name": grid.name,
                "rows": rows,
                "columns": columns,
                "widths": [_width(by_column[column].values()) for column in range(1, columns + 1)],
                "hidden": _runs(sorted(row for row in grid.hidden_rows if row <= rows)),
                "hiddenColumns": sorted(grid.hidden_columns),
                "notes": notes[grid.name],
                "marks": _marks(grid, kinds),
                "data": [
                    _column(column, by_column[column], checks[grid.name, column], kinds, texts, formulas, templates)
                    for column in range(1, columns + 1)
                    if by_column[column] or checks[grid.name, column]
                ],
            }
        )
    return {
        "letters": {letter: kind.value for kind, letter in LETTERS.items()},
        "texts": texts.entries,
        "formulas": formulas.entries,
        "templates": templates.entries,
        "sheets": sheets,
    }


def _extent(grid: Grid, kinds: Mapping[Place, State]) -> tuple[int, int]:
    """Return how many rows and columns hold something; a file may call empty ones used."""
    places = [*grid.values, *((one.row, one.column) for one in kinds if one.sheet == grid.name)]
    return max((row for row, _ in places), default=1), max((column for _, column in places), default=1)


def _marks(grid: Grid, kinds: Mapping[Place, State]) -> list[list[Any]]:
    """Return the cells that are no formulas and are shown in a state all the same."""
    return [
        [one.row, one.column, LETTERS[kind]]
        for one, kind in kinds.items()
        if one.sheet == grid.name and (one.row, one.column) not in grid.formulas
    ]


def _column(
    column: int,
    values: Mapping[int, Value],
    checks: Sequence[CellCheck],
    kinds: Mapping[Place, State],
    texts: Texts,
    formulas: Texts,
    templates: Texts,
) -> dict[str, Any]:
    rows = sorted(values)
    packed: dict[str, Any] = {"column": column, "at": _runs(rows), "value": [texts.value(values[row]) for row in rows]}
    if not checks:
        return packed
    gaps = []
    derivations = []
    for cell in checks:
        derivations.append(templates.add(_NUMBER.sub(_GAP, cell.derivation)))
        gaps += _NUMBER.findall(cell.derivation)
    more = {str(number): extra for number, cell in enumerate(checks) if (extra := _extra(cell, texts))}
    return packed | {
        "checked": _runs([cell.place.row for cell in checks]),
        "state": "".join(LETTERS[kinds[cell.place]] for cell in checks),
        "formula": _counted(formulas.add(relative(cell)) for cell in checks),
        "role": _counted(texts.add(cell.role) for cell in checks),
        "block": _counted(texts.add(cell.block or "") for cell in checks),
        "derivation": _counted(derivations),
        "gaps": "|".join(gaps),
        "more": more,
    }


def _extra(cell: CellCheck, texts: Texts) -> dict[str, Any]:
    """Return what about a cell is not as its saved value: few cells have any of it."""
    extra: dict[str, Any] = {}
    if cell.ours is not None and plain(cell.ours) != plain(cell.found):
        extra["ours"] = texts.value(cell.ours)
    if cell.ours is None:
        extra["none"] = 1
    if cell.stale:
        extra["evaluated"] = texts.value(cell.evaluated)
    if cell.calculated is not None:
        extra["calculated"] = texts.value(cell.calculated)
    if cell.difference is not None and "ours" in extra:
        extra["difference"] = difference(cell.difference)
    if cell.follows:
        extra["follows"] = [str(one) for one in cell.follows[:5]]
    return extra


def relative(cell: CellCheck) -> str:
    """Return a formula with its references relative to the cell, equal for all that were filled down.

    A cell's name becomes ``\\x01`` column ``\\x02`` row ``\\x03``, each ``a`` and its number, or ``r`` and an offset.
    """
    row, column = cell.place.row, cell.place.column

    def one(match: re.Match[str]) -> str:
        number = column_number(match[2])
        across = f"a{number}" if match[1] else f"r{number - column}"
        down = f"a{match[4]}" if match[3] else f"r{int(match[4]) - row}"
        return f"\x01{across}\x02{down}\x03"

    try:
        cut = tokens(cell.formula, cell.place.sheet)
    except ValueError:
        return cell.formula
    parts = []
    for token in cut:
        own, mark, local = token.text.rpartition("!")
        parts.append(token.text if token.reference is None else f"{own}{mark}{_CELL.sub(one, local)}")
    whole = "".join(parts)
    return whole if whole.startswith("=") else f"={whole}"


def _runs(numbers: Iterable[int]) -> list[int]:
    """Return rising numbers as first and length of each run."""
    found: list[int] = []
    for number in numbers:
        if found and number == found[-2] + found[-1]:
            found[-1] += 1
        else:
            found += [number, 1]
    return found


def _counted(entries: Iterable[int]) -> list[int]:
    """Return entries as pairs of entry and how often it repeats."""
    found: list[int] = []
    for entry in entries:
        if found and found[-2] == entry:
            found[-1] += 1
        else:
            found += [entry, 1]
    return found


def _width(values: Iterable[Value]) -> int:
    """Return how many letters wide a column is drawn: as wide as most of its cells, and a header of usual length, need."""
    lengths = sorted(len(plain(value)) for value in values)
    if not lengths:
        return _NARROWEST
    most = lengths[len(lengths) * 95 // 100]
    header = max((length for length in lengths if length <= _HEADER), default=0)
    return max(_NARROWEST, min(_WIDEST, max(most, header)))
