"""A workbook of one sheet whose rows are all alike: unpacked once, its rows read in one pass.

What its first rows mean is asked of the library that reads every workbook, from a copy that ends after them. A row further down that has
the same kinds of cells with the same styles means the same.
"""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from eisenergy import unpacked
from eisenergy.extent import Extent, TooWide
from eisenergy.readings import columns, distributor, gridscan, regulartimes
from eisenergy.readings.columns import NUMBERS, TIMES, Role
from eisenergy.readings.mapping import Mapping
from eisenergy.readings.scan import Cells, Texts
from eisenergy.sheets import Sheet

_HEAD_ROWS: Final = 20
"""Rows that are looked at to find the header and what stands below it."""

_FIGURE: Final = re.compile(r"[+-]?\d+(\.\d+)?")
_SHEET: Final = re.compile(rb"<sheet [^>]*>")
_ROW: Final = re.compile(rb'<row [^>]*?\br="(\d+)"')
_PLAIN_TEXT: Final = re.compile(rb"<si><t>([^<]*)</t></si>")
_OFTEN_SEEN: Final = 16_384  # bytes; larger parts hold what is a workbook's own
_EPOCH: Final = datetime(1899, 12, 30)  # noqa: DTZ001  local, as spreadsheets count
_SURE: Final = 1e-4  # s; further from a whole second nobody can say how the library would write it


def table(name: str, data: bytes, mappings: Sequence[Mapping] = ()) -> regulartimes.Table | None:
    """Read the one table of a workbook whose rows are all alike; ``None`` where they are not.

    :param name: the file's name
    :param data: its bytes
    """
    parts = _parts(data)
    if parts is None:
        return None
    sheets = [part for part in parts if part.startswith("xl/worksheets/sheet")]
    book = parts.get("xl/workbook.xml", b"")
    if len(sheets) != 1 or len(_SHEET.findall(book)) != 1 or b"date1904" in book:
        return None
    xml = parts[sheets[0]]
    head = _head(parts, sheets[0], xml)
    if head is None:
        return None
    title, top, starts = head
    aliases = {header: field for one in mappings for header, field in one.columns.items()}
    at = columns.find_header(top, aliases)
    if at is None or at + 2 not in starts:
        return None
    roles = tuple(columns.roles(top[at]))
    if not columns.is_header(roles) or distributor.is_one(Sheet(name, title, top[: at + 1])):
        return None
    rough = {column for column, role in enumerate(roles) if role is not None and role.field in TIMES}
    grid = gridscan.rows(xml, starts[at + 2], at + 2, len(roles), rough)
    if grid is None:
        return None
    cells = _cells(grid, roles, _shared(parts.get("xl/sharedStrings.xml")))
    if cells is None or not _as_read(cells, top[at + 1 :]):
        return None
    return regulartimes.Table(
        file=name,
        sheet=title,
        header_row=at,
        headers=tuple(value.strip() or None if isinstance(value, str) else None for value in top[at]),
        roles=roles,
        above=top[:at],
        rows=np.arange(at + 2, at + 2 + grid.rows, dtype=np.int32),
        cells=cells,
        decimal=None,
    )


def _parts(data: bytes) -> dict[str, bytes] | None:
    """The archive's parts, every one with its checksum checked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked.check_size(archive)
            return {entry.filename: unpacked.part(archive, entry) for entry in archive.infolist()}
    except unpacked.REFUSED:
        return None


def _head(parts: dict[str, bytes], sheet: str, xml: bytes) -> tuple[str, list[list[object]], dict[int, int]] | None:
    """The sheet's name, its first rows as texts, and row -> where it begins [byte]."""
    end = xml.find(b"<sheetData>")
    if end < 0:
        return None
    end += len(b"<sheetData>")
    starts: dict[int, int] = {}
    for _ in range(_HEAD_ROWS):
        begin = xml.find(b"<row ", end)
        match = _ROW.match(xml, begin) if begin >= 0 else None
        stop = xml.find(b"</row>", begin) if match else -1
        if match is None or stop < 0:
            break
        starts[int(match[1])] = begin
        end = stop + len(b"</row>")
    copy = io.BytesIO()
    try:
        with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as archive:
            for part, content in parts.items():
                kept = xml[:end] + b"</sheetData></worksheet>" if part == sheet else content
                _see(part, kept)  # every part: the book may name another one as its sheet
                archive.writestr(part, kept)
    except TooWide:
        return None  # whoever reads any workbook says why
    import fastexcel

    try:
        reader = fastexcel.read_excel(copy.getvalue())
        title = reader.sheet_names[0]
        loaded = reader.load_sheet(title, header_row=None, skip_rows=0, dtypes="string")
        frame = loaded.to_polars()
        indices = loaded.available_columns()
    except fastexcel.FastExcelError:
        return None
    left = indices[0].absolute_index if indices else 0
    return title, [[None] * left + list(row) for row in frame.iter_rows()], starts


def _see(part: str, content: bytes) -> None:
    """Look how far a part reaches. :raises TooWide:"""
    if len(content) > _OFTEN_SEEN:
        Extent(part).see(content, last=True)
    else:
        _see_once(part, content)


@lru_cache(maxsize=128)
def _see_once(part: str, content: bytes) -> None:
    """Of a program's workbooks most parts are the same bytes; one that reaches too far is looked at every time, and refused."""
    Extent(part).see(content, last=True)


def _shared(part: bytes | None) -> list[str] | None:
    """The workbook's list of texts; ``None`` where one has formats or spaces at its ends."""
    if part is None:
        return []
    texts = _PLAIN_TEXT.findall(part)
    if len(texts) != part.count(b"<si") - part.count(b"<si/") or b"<rPh" in part:
        return None
    return [html.unescape(text.decode()) for text in texts]


def _cells(grid: gridscan.Grid, roles: Sequence[Role | None], shared: list[str] | None) -> Cells | None:
    figures: dict[int, npt.NDArray[np.float64]] = {}
    texts: dict[int, Texts] = {}
    clocks: dict[int, Texts] = {}
    for column, (kind, role) in enumerate(zip(grid.kinds, roles, strict=True)):
        field = None if role is None else role.field
        if kind == gridscan.EMPTY:
            if role is not None:
                return None
        elif kind == gridscan.NUMBER:
            numbers = grid.figures[column]
            if field == "timestamp":
                parted = _stamps(numbers)
                if parted is None:
                    return None
                texts[column], clocks[column] = parted
            elif field == "date" or (field == "time" and not _whole(numbers)):
                found = _days(numbers) if field == "date" else _clocks(numbers)
                if found is None:
                    return None
                texts[column] = found
            elif field is None and not _plain(numbers):
                return None
            elif field is None or field in (*NUMBERS, "time"):
                figures[column] = numbers
            else:
                return None
        else:
            own = grid.texts[column]
            if kind == gridscan.SHARED:
                if shared is None or any(not text.isdigit() or int(text) >= len(shared) for text in own.different):
                    return None
                own = replace(own, different=tuple(shared[int(text)] for text in own.different))
            if field in (*NUMBERS, *TIMES) or any(_odd(text, field) for text in own.different):
                return None
            texts[column] = own
    return Cells(rows=grid.rows, figures=figures, texts=texts, clocks=clocks, loose={}, signed=False)


def _plain(numbers: npt.NDArray[np.float64]) -> bool:
    """Say whether figures are written without an exponent: only then is a column without a name for one of figures."""
    sizes = np.abs(numbers)
    return bool(((sizes == 0) | ((sizes > 1e-6) & (sizes < 1e12))).all())


def _odd(text: str, field: str | None) -> bool:
    """Say whether a text is one that might be read in another way than it is written."""
    return not text or text != text.strip() or "\n" in text or (field is None and bool(_FIGURE.fullmatch(text)))


def _whole(numbers: npt.NDArray[np.float64]) -> bool:
    return bool((numbers == np.floor(numbers)).all())


def _seconds(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.int64] | None:
    exact = numbers * 86_400.0
    whole = np.rint(exact)
    if not (np.abs(exact - whole) < _SURE).all():
        return None
    return whole.astype(np.int64)


def _days(numbers: npt.NDArray[np.float64]) -> Texts | None:
    if numbers.min() < 20_000 or numbers.max() > 80_000 or not _whole(numbers):
        return None
    return _texts(numbers.astype(np.int64), _days_written)


def _clocks(numbers: npt.NDArray[np.float64]) -> Texts | None:
    seconds = _seconds(numbers)
    if seconds is None or seconds.min() < 0 or seconds.max() >= 86_400:
        return None
    return _texts(seconds, _times_written)


def _stamps(numbers: npt.NDArray[np.float64]) -> tuple[Texts, Texts] | None:
    seconds = _seconds(numbers)
    if seconds is None or numbers.min() < 20_000 or numbers.max() > 80_000:
        return None
    days, clocks = np.divmod(seconds, 86_400)
    return _texts(days, _stamp_days), _texts(clocks, _stamp_clocks)


def _texts(values: npt.NDArray[np.int64], written: Callable[[tuple[int, ...]], tuple[str, ...]]) -> Texts:
    """Code whole numbers that lie near each other, in their order: with a place for each no sorting is needed."""
    low = int(values.min())
    places = values - low
    there = np.zeros(int(places.max()) + 1, np.bool_)
    there[places] = True
    different = np.flatnonzero(there)
    codes = np.empty(len(there), np.int32)
    codes[different] = np.arange(len(different), dtype=np.int32)
    return Texts(codes[places], written(tuple((different + low).tolist())))


# The same days and times of day are in every file of a month.
@lru_cache(maxsize=64)
def _stamp_days(days: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"{_EPOCH + timedelta(days=day):%Y-%m-%d}" for day in days)


@lru_cache(maxsize=64)
def _stamp_clocks(seconds: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(_clock(second) for second in seconds)


def _days_written(days: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"{day} 00:00:00" for day in _stamp_days(days))


def _times_written(seconds: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(f"1899-12-31 {clock}" for clock in _stamp_clocks(seconds))


def _clock(second: int) -> str:
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def _as_read(cells: Cells, below: list[list[object]]) -> bool:
    """Say whether the library reads the first rows as we do."""
    below = below[: cells.rows]
    for column, shown in enumerate(zip(*below, strict=True)):
        if column in cells.figures:
            if not _figures_as_read(cells.figures[column][: len(below)].tolist(), shown):
                return False
        elif column in cells.texts:
            text = cells.texts[column]
            own = [text.different[code] for code in text.codes[: len(below)].tolist()]
            if column in cells.clocks:
                rest = cells.clocks[column]
                clocks = (rest.different[code] for code in rest.codes[: len(below)].tolist())
                own = [f"{day} {clock}" for day, clock in zip(own, clocks, strict=True)]
            if own != list(shown):
                return False
        elif any(value is not None for value in shown):
            return False
    return True


def _figures_as_read(figures: list[float], shown: Sequence[object]) -> bool:
    """Say whether the library shows a column's first figures; as texts they have fewer places."""
    for figure, value in zip(figures, shown, strict=True):
        if not isinstance(value, str) or not _FIGURE.fullmatch(value):
            return False
        if not abs(float(value) - figure) <= 1e-8 * max(1.0, abs(figure)):
            return False
    return True
