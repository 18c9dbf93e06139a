"""An analyst's workbook in memory, to be edited as she edits it: formulas, cached values, formats and hidden rows.

It knows nothing of ``eisenergy``. References follow an edit as a spreadsheet program makes them follow; :meth:`Workbook.calculate`
computes every formula again with ``formualizer``, and ``test_books.py`` holds the result against LibreOffice's.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import formualizer
import openpyxl
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
REFERENCE = SAMPLES / "Ejemplo de procesamiento de descargas de medidores.xlsx"
METER, BLOCKS, HOURS, RATES = "Nodo Ateos 5614086", "Bloques horarios", "Hora-Bloque", "Tarifas"
FIRST, LAST = 31, 2910
"""First and last slot of the reference workbook's meter sheet."""
DAY = "yyyy\\-mm\\-dd"
EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  a spreadsheet's dates have no zone
ERRORS = {
    "Div": "#DIV/0!",
    "Na": "#N/A",
    "Name": "#NAME?",
    "Null": "#NULL!",
    "Num": "#NUM!",
    "Ref": "#REF!",
    "Value": "#VALUE!",
}

Place = tuple[str, int, int]
Box = tuple[str, int, int, int, int]
"""Sheet, first row, first column, last row, last column."""

_REFERENCE = re.compile(
    r'"(?:[^"]|"")*"'
    r"|(?<![\w.$!\]])(?P<sheet>'(?:[^']|'')+'!|[^\W\d][\w.]*!)?"
    r"(?P<first>\$?[A-Z]{1,3}\$?\d{1,7})(?::(?P<last>\$?[A-Z]{1,3}\$?\d{1,7}))?(?![\w(.])"
)
_CELL = re.compile(r"(\$?)([A-Z]{1,3})(\$?)(\d+)")
_BARE = re.compile(r"[^\W\d][\w.]*")
_PART = r"(?:'(?:[^']|'')*'!)?[^,()'=<>]+"
_ARRAY = re.compile(
    rf'SUMPRODUCT\(\((?P<blocks>{_PART})(?P<sign>=|<>)"(?P<block>[^"]*)"\)\*'
    rf"SUMIF\((?P<days>{_PART}),(?P<slots>{_PART}:{_PART}),(?P<rates>{_PART})\)\)"
)


class Formula(str):
    """A cell's formula, with ``=``; every other text is a text."""

    __slots__ = ()


Content = Formula | str | int | float | bool | datetime | date | time


def letters(column: int) -> str:
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


@lru_cache(maxsize=1 << 16)
def spot(cell: str) -> tuple[int, int]:
    """``C31`` -> (31, 3)."""
    match = _CELL.fullmatch(cell)
    assert match, cell
    column = 0
    for letter in match[2]:
        column = column * 26 + ord(letter) - 64
    return int(match[4]), column


def name(row: int, column: int) -> str:
    return f"{letters(column)}{row}"


def box(cells: str) -> tuple[int, int, int, int]:
    """``A10:H14`` -> first row, first column, last row, last column."""
    first, _, last = cells.partition(":")
    return *spot(first), *spot(last or first)


def cells_of(cells: str) -> Iterator[tuple[int, int]]:
    top, left, bottom, right = box(cells)
    return ((row, column) for row in range(top, bottom + 1) for column in range(left, right + 1))


def serial(value: Any) -> Any:
    """A date or time of day as the number a spreadsheet calculates with."""
    if isinstance(value, datetime):
        return (value - EPOCH).total_seconds() / 86_400
    if isinstance(value, date):
        return float((value - EPOCH.date()).days)
    if isinstance(value, time):
        return (value.hour * 3600 + value.minute * 60 + value.second) / 86_400
    return value


def references(formula: str, sheet: str) -> list[Box]:
    """What a formula refers to."""
    return list(_references(formula, sheet))


@lru_cache(maxsize=1 << 17)
def _references(formula: str, sheet: str) -> tuple[Box, ...]:
    found = []
    for match in _REFERENCE.finditer(formula):
        if match["first"]:
            own = match["sheet"][:-1].strip("'").replace("''", "'") if match["sheet"] else sheet
            top, left = spot(match["first"])
            bottom, right = spot(match["last"] or match["first"])
            found.append((own, min(top, bottom), min(left, right), max(top, bottom), max(left, right)))
    return tuple(found)


def _point(text: str, row: int, column: int) -> str:
    one = _CELL.fullmatch(text)
    assert one
    return f"{one[1]}{letters(column)}{one[3]}{row}"


def _rewritten(formula: str, sheet: str, stands: str, follow: Callable[[Box], Box | None]) -> Formula:
    """The formula of ``sheet``, standing on ``stands`` now, with every reference where ``follow`` says."""

    def one(match: re.Match[str]) -> str:
        if not match["first"]:
            return match[0]
        own = match["sheet"][:-1].strip("'").replace("''", "'") if match["sheet"] else sheet
        last = match["last"] or match["first"]
        to = follow((own, *spot(match["first"]), *spot(last)))
        if to is None:
            return "#REF!"
        quoted = to[0] if _BARE.fullmatch(to[0]) else "'" + to[0].replace("'", "''") + "'"
        mark = f"{quoted}!" if match["sheet"] or to[0] != stands else ""
        text = mark + _point(match["first"], to[1], to[2])
        return f"{text}:{_point(last, to[3], to[4])}" if match["last"] else text

    return Formula(_REFERENCE.sub(one, formula))


def filled(formula: str, rows: int, columns: int = 0) -> Formula:
    """The formula as it is after being copied so many rows down and columns to the right."""

    def one(match: re.Match[str]) -> str:
        def point(cell: re.Match[str]) -> str:
            row, column = int(cell[4]), spot(f"{cell[2]}1")[1]
            return f"{cell[1]}{letters(column + (0 if cell[1] else columns))}{cell[3]}{row + (0 if cell[3] else rows)}"

        if not match["first"]:
            return match[0]
        sheet, whole = match["sheet"] or "", match[0]
        return sheet + _CELL.sub(point, whole[len(sheet) :])

    return Formula(_REFERENCE.sub(one, formula))


@dataclass
class Sheet:
    contents: dict[tuple[int, int], Content] = field(default_factory=dict)
    cached: dict[tuple[int, int], Any] = field(default_factory=dict)
    formats: dict[tuple[int, int], str] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)

    def copy(self) -> Sheet:
        return Sheet(dict(self.contents), dict(self.cached), dict(self.formats), set(self.hidden))


@dataclass
class Workbook:
    """Sheets in their order.

    :param touched: the cells an edit changed by hand, for a test that asks what may depend on them
    :param given: what a spreadsheet program shows in cells ``formualizer`` computes wrongly or not at all
    :param names: defined names, for example ``{"IVA": "=Hoja1!$E$7"}``; they do not follow an edit
    """

    sheets: dict[str, Sheet]
    touched: set[Place] = field(default_factory=set)
    given: dict[Place, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def copy(self) -> Workbook:
        sheets = {title: sheet.copy() for title, sheet in self.sheets.items()}
        return Workbook(sheets, set(self.touched), dict(self.given), dict(self.names))

    def another_than(self, other: Workbook) -> bool:
        """Whether anything but cached values differs."""

        def shape(book: Workbook) -> list[object]:
            return [(title, one.contents, one.formats, one.hidden) for title, one in book.sheets.items()]

        return shape(self) != shape(other) or self.names != other.names

    # --- one cell

    def __getitem__(self, place: tuple[str, str]) -> Content | None:
        """What was typed into a cell: ``book[METER, "C31"]``."""
        return self.sheets[place[0]].contents.get(spot(place[1]))

    def value(self, sheet: str, cell: str) -> Any:
        """What a cell shows: an input, or a formula's cached value."""
        one, place = self.sheets[sheet], spot(cell)
        content = one.contents.get(place)
        return one.cached.get(place) if isinstance(content, Formula) else content

    def put(self, sheet: str, cell: str, content: Content | None, *, form: str = "") -> None:
        """Type into a cell; a text that begins with ``=`` is a formula, ``None`` empties it."""
        one, place = self.sheets[sheet], spot(cell)
        if isinstance(content, str) and content.startswith("="):
            content = Formula(content)
        if content is None:
            one.contents.pop(place, None)
        else:
            one.contents[place] = content
        if not isinstance(content, Formula):
            one.cached.pop(place, None)
        if form:
            one.formats[place] = form
        elif isinstance(content, str) and not isinstance(content, Formula):
            one.formats.pop(place, None)
        self.touched.add((sheet, *place))

    def give(self, sheet: str, cell: str, value: Any) -> None:
        """Say what a spreadsheet program shows in a cell ``formualizer`` computes wrongly or not at all."""
        self.given[(sheet, *spot(cell))] = value

    def fix(self, sheet: str, cells: str) -> None:
        """Type values over formulas: what they show, as constants."""
        for place in cells_of(cells):
            self.put(sheet, name(*place), self.value(sheet, name(*place)))

    def change(self, sheet: str, cells: str, old: str, new: str) -> None:
        """Replace a part of the formulas of a range; ``{row}`` is the cell's row."""
        for row, column in cells_of(cells):
            formula = self.sheets[sheet].contents[(row, column)]
            was = old.format(row=row)
            assert isinstance(formula, Formula), f"{sheet}!{name(row, column)} holds {formula!r}, no formula"
            assert was in formula, f"{sheet}!{name(row, column)}: no {was} in {formula}"
            self.put(sheet, name(row, column), formula.replace(was, new.format(row=row)))

    def fill(self, sheet: str, source: str, cells: str) -> None:
        """Copy a cell over a range as filling down does: relative references move along."""
        (row, column), content = spot(source), self[sheet, source]
        for to in cells_of(cells):
            copied = filled(content, to[0] - row, to[1] - column) if isinstance(content, Formula) else content
            self.put(sheet, name(*to), copied, form=self.sheets[sheet].formats.get((row, column), ""))

    def hide(self, sheet: str, rows: Iterable[int]) -> None:
        self.sheets[sheet].hidden.update(rows)

    # --- the shape

    def relocate(
        self, to: Callable[[str, int, int], Place | None], follow: Callable[[Box], Box | None] | None = None
    ) -> None:
        """Move cells, all references with them.

        :param to: where a cell goes; ``None`` when it is deleted
        :param follow: where a range goes; by default where its corners go
        """

        def corners(one: Box) -> Box | None:
            first, last = to(one[0], one[1], one[2]), to(one[0], one[3], one[4])
            assert first, one
            assert last, one
            assert first[0] == last[0], one
            return (
                first[0],
                min(first[1], last[1]),
                min(first[2], last[2]),
                max(first[1], last[1]),
                max(first[2], last[2]),
            )

        follow = lru_cache(maxsize=1 << 14)(follow or corners)
        moved: dict[str, Sheet] = {}
        for title, sheet in self.sheets.items():
            home = to(title, 1, 1)
            moved.setdefault(home[0] if home else title, Sheet())
            for part in ("contents", "cached", "formats"):
                for (row, column), content in getattr(sheet, part).items():
                    if (place := to(title, row, column)) is None:
                        continue
                    if isinstance(content, Formula):
                        content = _rewritten(content, title, place[0], follow)
                    getattr(moved.setdefault(place[0], Sheet()), part)[place[1:]] = content
            for row in sheet.hidden:
                if (place := to(title, row, 1)) is not None:
                    moved[place[0]].hidden.add(place[1])
        self.sheets = moved
        self.touched = {place for one in self.touched if (place := to(*one)) is not None}
        self.given = {place: value for one, value in self.given.items() if (place := to(*one)) is not None}

    def insert(self, sheet: str, *, row: int = 0, column: int = 0, count: int = 1) -> None:
        """Insert empty rows above a row, or empty columns before a column."""

        def to(title: str, r: int, c: int) -> Place:
            if title != sheet:
                return title, r, c
            return title, r + (count if row and r >= row else 0), c + (count if column and c >= column else 0)

        self.relocate(to)

    def delete_rows(self, sheet: str, row: int, count: int = 1) -> None:
        """Delete rows: ranges shrink, references to what is gone become ``#REF!``."""
        end = row + count

        def to(title: str, r: int, c: int) -> Place | None:
            if title != sheet or r < row:
                return title, r, c
            return (title, r - count, c) if r >= end else None

        def follow(one: Box) -> Box | None:
            title, top, left, bottom, right = one
            if title != sheet:
                return one
            if top >= row and bottom < end:
                return None
            top = top - count if top >= end else min(top, row)
            return title, top, left, bottom - count if bottom >= end else min(bottom, row - 1), right

        self.relocate(to, follow)

    def move(self, sheet: str, cells: str, *, rows: int = 0, columns: int = 0, onto: str = "") -> None:
        """Cut a range and paste it elsewhere, also onto another sheet."""
        top, left, bottom, right = box(cells)

        def to(title: str, r: int, c: int) -> Place:
            if title == sheet and top <= r <= bottom and left <= c <= right:
                return onto or sheet, r + rows, c + columns
            return title, r, c

        if onto:
            self.sheets.setdefault(onto, Sheet())
        taken = {
            place
            for title, one in self.sheets.items()
            for r, c in one.contents
            if (place := to(title, r, c)) == (title, r, c)
        }
        landing = {place for r, c in self.sheets[sheet].contents if (place := to(sheet, r, c)) != (sheet, r, c)}
        assert not taken & landing, sorted(taken & landing)[:3]
        self.relocate(to)

    def arrange_columns(self, sheet: str, order: str, *, rows: tuple[int, int] = (1, 1_048_576)) -> None:
        """Put the columns named into this order, where the first of them stands: ``"C A B"``; or of these rows only."""
        columns = [spot(f"{one}1")[1] for one in order.split()]
        place = _arranged(columns)

        def to(title: str, r: int, c: int) -> Place:
            return title, r, place.get(c, c) if title == sheet and rows[0] <= r <= rows[1] else c

        def follow(one: Box) -> Box:
            title, top, left, bottom, right = one
            if title != sheet or not rows[0] <= top <= bottom <= rows[1]:
                return one
            left, right = _image(place, left, right)
            return title, top, left, bottom, right

        self.relocate(to, follow)

    def arrange_rows(self, sheet: str, order: list[int]) -> None:
        """Cut and insert whole rows into this order, where the first of them stands; references follow."""
        place = _arranged(order)

        def follow(one: Box) -> Box:
            title, top, left, bottom, right = one
            if title != sheet:
                return one
            top, bottom = _image(place, top, bottom)
            return title, top, left, bottom, right

        self.relocate(lambda title, r, c: (title, place.get(r, r) if title == sheet else r, c), follow)

    def rename(self, old: str, new: str) -> None:
        """Rename a sheet."""
        self.relocate(lambda title, r, c: (new if title == old else title, r, c))

    def remove(self, sheet: str) -> None:
        """Delete a sheet: references to it become ``#REF!``."""

        def to(title: str, r: int, c: int) -> Place | None:
            return None if title == sheet else (title, r, c)

        self.relocate(to, lambda one: None if one[0] == sheet else one)
        self.sheets.pop(sheet, None)

    def sort(self, sheet: str, cells: str, key: Callable[[tuple[Any, ...]], Any], *, reverse: bool = False) -> None:
        """Sort rows as the menu does: contents change rows, relative references of formulas with them; others' do not follow."""
        top, left, bottom, right = box(cells)
        one, columns = self.sheets[sheet], range(left, right + 1)
        rows = list(range(top, bottom + 1))
        shown = {row: tuple(serial(self.value(sheet, name(row, column))) for column in columns) for row in rows}
        order = sorted(rows, key=lambda row: key(shown[row]), reverse=reverse)
        parts = (one.contents, one.cached, one.formats)
        was = {(row, column): tuple(part.get((row, column)) for part in parts) for row in rows for column in columns}
        for row, source in zip(rows, order, strict=True):
            for column in columns:
                for part, content in zip(parts, was[(source, column)], strict=True):
                    if content is None:
                        part.pop((row, column), None)  # type: ignore[attr-defined]
                    else:
                        part[(row, column)] = filled(content, row - source) if isinstance(content, Formula) else content  # type: ignore[index]
                if row != source:
                    self.touched.add((sheet, row, column))

    # --- what it shows

    def calculate(self) -> None:
        """Compute every formula again, as pressing F9 does."""
        # in its interactive mode, formualizer 0.13.0 gives 6435.09 for B16 where formulas come in batches
        engine = formualizer.Workbook(mode=formualizer.WorkbookMode.Ephemeral)
        for title in self.sheets:
            engine.add_sheet(title)
        for title, sheet in self.sheets.items():
            _load(engine, title, sheet, self.given)
        engine.evaluate_all()
        if _resolve_arrays(engine, self.sheets):
            engine.evaluate_all()
        for title, sheet in self.sheets.items():
            shown = _shown(engine, title, sheet)
            sheet.cached = {place: shown[place] for place, one in sheet.contents.items() if isinstance(one, Formula)}
        for (title, row, column), value in self.given.items():
            self.sheets[title].cached[(row, column)] = value

    def forget(self) -> None:
        """Drop every cached value: a workbook a program wrote and nobody opened."""
        for sheet in self.sheets.values():
            sheet.cached.clear()

    def dependents(self, places: Iterable[Place]) -> set[Place]:
        """The cells, formulas all, that depend on these, directly or through others."""
        single: dict[Place, list[Place]] = {}
        ranges: dict[Box, list[Place]] = {}
        for title, sheet in self.sheets.items():
            for (row, column), content in sheet.contents.items():
                if isinstance(content, Formula):
                    for one in _references(content, title):
                        alone = one[1:3] == one[3:]
                        (single.setdefault(one[:3], []) if alone else ranges.setdefault(one, [])).append(
                            (title, row, column)
                        )
        found: set[Place] = set()
        left = list(places)
        while left:
            at = left.pop()
            readers = list(single.get(at, ()))
            for one in [r for r in ranges if r[0] == at[0] and r[1] <= at[1] <= r[3] and r[2] <= at[2] <= r[4]]:
                readers += ranges.pop(one)
            fresh = set(readers) - found
            found |= fresh
            left += fresh
        return found

    # --- the file

    def save(self, path: Path) -> Path:
        """Write it with its cached values as they stand."""
        out, absent = io.BytesIO(), False
        with xlsxwriter.Workbook(out) as made:
            for title, refers in self.names.items():
                made.define_name(title, refers)
            styles = cache(lambda form: made.add_format({"num_format": form}) if form else None)
            for title, sheet in self.sheets.items():
                page = made.add_worksheet(title, _Page)
                for row in sheet.hidden:
                    page.set_row(row - 1, None, None, {"hidden": True})
                for (row, column), content in sorted(sheet.contents.items()):
                    style = styles(sheet.formats.get((row, column), ""))
                    if isinstance(content, Formula):
                        value = serial(sheet.cached.get((row, column)))
                        absent = absent or value is None
                        page.write_formula(row - 1, column - 1, content, style, _ABSENT if value is None else value)
                    elif isinstance(content, bool):
                        page.write_boolean(row - 1, column - 1, content, style)
                    elif isinstance(content, str):
                        page.write_string(row - 1, column - 1, content, style)
                    else:
                        page.write_number(row - 1, column - 1, serial(content), style)
        path.write_bytes(_without_absent(out.getvalue()) if absent else out.getvalue())
        return path


class _Page(Worksheet):
    """XlsxWriter looks for thirty functions of newer programs in every formula; these workbooks have none."""

    def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:
        return formula.removeprefix("=")


_ABSENT = "no cached value at all"


def _without_absent(content: bytes) -> bytes:
    """XlsxWriter writes a value for every formula; take out those that are to have none."""
    marked = re.compile(rb' t="str"(><f>(?:[^<]*)</f>)<v>' + _ABSENT.encode() + rb"</v>")
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for entry in old.infolist():
            new.writestr(entry, marked.sub(rb"\1", old.read(entry)))
    return out.getvalue()


def _arranged(order: list[int]) -> dict[int, int]:
    assert sorted(order) == list(range(min(order), max(order) + 1)), order
    return {one: min(order) + at for at, one in enumerate(order)}


def _image(place: dict[int, int], first: int, last: int) -> tuple[int, int]:
    """Where a run of rows or columns is afterwards; it must be a run still."""
    if last - first > len(place) and not {first, last} & place.keys():
        return first, last
    found = sorted(place.get(one, one) for one in range(first, last + 1))
    assert found[-1] - found[0] == last - first, (first, last)
    return found[0], found[-1]


def _extent(sheet: Sheet) -> tuple[int, int]:
    return max((r for r, _ in sheet.contents), default=1), max((c for _, c in sheet.contents), default=1)


def _load(engine: Any, title: str, sheet: Sheet, given: dict[Place, Any]) -> None:
    rows, columns = _extent(sheet)
    values: list[list[Any]] = [[None] * columns for _ in range(rows)]
    formulas: dict[int, list[int]] = {}
    failed: dict[tuple[int, int], str] = {}
    for (row, column), content in sheet.contents.items():
        if (title, row, column) in given:
            value = given[(title, row, column)]
            if value in ERRORS.values():
                failed[(row, column)] = f"={value}"
            else:
                values[row - 1][column - 1] = serial(value)
        elif isinstance(content, Formula):
            formulas.setdefault(column, []).append(row)
        else:
            values[row - 1][column - 1] = serial(content)
    engine.set_values_batch(title, 1, 1, values)
    for place, error in failed.items():
        engine.set_formula(title, *place, error)
    for column, found in formulas.items():
        ordered = sorted(found)
        for at, row in enumerate(ordered):
            if at == 0 or ordered[at - 1] != row - 1:
                run = [[sheet.contents[(row, column)]]]
                for after in ordered[at + 1 :]:
                    if after != row + len(run):
                        break
                    run.append([sheet.contents[(after, column)]])
                engine.set_formulas_batch(title, row, column, run)


def _shown(engine: Any, title: str, sheet: Sheet) -> dict[tuple[int, int], Any]:
    rows, columns = _extent(sheet)
    page = engine.sheet(title).get_values(formualizer.RangeAddress(title, 1, 1, rows, columns))
    return {
        (row, column): ERRORS.get(one["kind"], "#VALUE!") if isinstance(one, dict) else one
        for row, line in enumerate(page, 1)
        for column, one in enumerate(line, 1)
    }


def _resolve_arrays(engine: Any, sheets: dict[str, Sheet]) -> bool:
    """A ``SUMIF`` with an array of criteria, which ``formualizer`` gives 0: put the number in its formula's place."""
    found = False
    for title, sheet in sheets.items():
        for (row, column), content in sheet.contents.items():
            if isinstance(content, Formula) and (match := _ARRAY.search(content)):

                def column_of(part: str, title: str = title) -> list[Any]:
                    [(own, top, left, bottom, right)] = _references(f"={part}", title)
                    page = engine.sheet(own).get_values(formualizer.RangeAddress(own, top, left, bottom, right))
                    return [line[0] for line in page]

                total: dict[Any, float] = {}
                for day, rate in zip(column_of(match["days"]), column_of(match["rates"]), strict=True):
                    if isinstance(rate, int | float):
                        total[day] = total.get(day, 0.0) + rate
                wanted = match["sign"] == "="
                # what the criterion finds is added up slot by slot, as the spreadsheet does
                number = sum(
                    total.get(day, 0.0)
                    for block, day in zip(column_of(match["blocks"]), column_of(match["slots"]), strict=True)
                    if (str(block).upper() == match["block"].upper()) is wanted
                )
                engine.set_formula(title, row, column, content.replace(match[0], repr(number)))
                found = True
    return found


@cache
def _reference() -> Workbook:
    return read(REFERENCE)


def reference() -> Workbook:
    """The reference workbook, a copy of its own for every caller."""
    return _reference().copy()


def read(path: Path) -> Workbook:
    """Read formulas, cached values, formats and hidden rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        formulas, values = openpyxl.load_workbook(path), openpyxl.load_workbook(path, data_only=True)
    sheets = {}
    for page in formulas.worksheets:
        sheet = sheets[page.title] = Sheet()
        for place, one in page._cells.items():
            if one.value is None:
                continue
            is_formula = one.data_type == "f"
            sheet.contents[place] = Formula(one.value) if is_formula else one.value
            if is_formula:
                sheet.cached[place] = values[page.title]._cells[place].value
            if one.number_format != "General":
                sheet.formats[place] = one.number_format
        sheet.hidden = {row for row, shape in page.row_dimensions.items() if shape.hidden}
    return Workbook(sheets)
