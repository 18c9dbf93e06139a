"""Text tables: ``.csv``, ``.txt``, ``.tsv`` in any encoding, with any separator."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.contents import UnreadableFile
from eisenergy.readings import columns, regulartimes, scan
from eisenergy.readings.mapping import Mapping
from eisenergy.readings.model import RawTable

_SEPARATORS: Final = (";", ",", "\t", "|")
_SAMPLE_LINES: Final = 300
_MOST_ABOVE: Final = 12
_TWO_NAMES: Final = re.compile(r"[^\W\d_][^;,\t|]*[;,\t|].*[^\W\d_]")
"""Letters in two cells, under any separator: a header names a time and something measured."""


def tables(path: Path, mappings: Sequence[Mapping] = ()) -> list[RawTable]:
    """Read the one table of a text file, nothing in it interpreted.

    :param mappings: the sources' settings; one that is for the file's name may say its encoding and separator
    :raises UnreadableFile: when it has no header of readings, or lines longer than the header
    """
    data = path.read_bytes()
    named = [one for one in mappings if one.file is not None and one.fits(path.name, None, one.headers)]
    encoding = next((one.encoding for one in named if one.encoding), None) or encoding_of(data)
    text = _decoded(data, encoding, path.name)
    lines = _first_lines(text, _SAMPLE_LINES)
    hint = next((one.separator for one in named if one.separator), None)
    aliases = {header: name for one in mappings for header, name in one.columns.items()}
    separator, lines_above, rows, header = _layout(lines, hint, aliases, path.name)
    width = max(len(row) for row in rows[header:])
    body = _body(text, separator, lines_above + 1, width, path.name)
    headers = [cell.strip() or None for cell in rows[header]]
    frame, numbers = _numbered(body, text, separator, lines_above + 1, path.name)
    _refuse_longer(frame, numbers, len(headers), separator, path.name)

    def as_text(column: int) -> pl.Series:
        return frame[str(column)]

    return [
        RawTable(
            file=path.name,
            sheet=None,
            header_row=lines_above,
            headers=tuple(headers + [None] * (width - len(headers))),
            frame=frame,
            rows=numbers,
            above=[list(row) for row in rows[:header]],
            text=as_text,
            hidden=lambda _: [],
            encoding=encoding,
            separator=separator,
        )
    ]


def regular_table(name: str, data: bytes, mappings: Sequence[Mapping] = ()) -> regulartimes.Table | None:
    """Read the one table of a text file whose rows are all alike; ``None`` where they are not, or a mapping is for the file.

    :param name: the file's name
    :param data: its bytes
    """
    if any(one.file is not None and one.fits(name, None, one.headers) for one in mappings):
        return None
    encoding = encoding_of(data)
    if encoding not in ("utf-8", "utf-8-sig"):
        try:
            data = data.decode(encoding).encode()
        except (UnicodeDecodeError, LookupError):
            return None
    elif encoding == "utf-8-sig":
        data = data.removeprefix(codecs.BOM_UTF8)
    # The header stands among the first lines, where it parts into known names under one separator.
    start = _first_of(data)
    if len(start) < 2 or any('"' in line or "\r" in line for line in start):
        return None
    aliases = tuple((header, field) for one in mappings for header, field in one.columns.items())
    lettered = _lettered(aliases)
    tried = (
        (number, _header_of(line, aliases))
        for number, line in enumerate(start[:-1])
        if _TWO_NAMES.search(line) or not (lettered and line.isascii())
    )
    last, header = next(((number, header) for number, header in tried if header is not None), (0, None))
    if header is None:
        return None
    separator, row, roles, kinds = header
    if not columns.is_header(roles):
        return None
    headers = tuple(cell.strip() or None for cell in row)
    above = [cells for _, cells in _parted("\n".join(start[:last]), separator, name)]
    at = 0
    for _ in range(last + 1):
        at = data.index(b"\n", at) + 1
    decimal = "," if separator != "," and "," in start[last + 1] else "."
    found = scan.table(data, at, separator, decimal, kinds)
    if found is None:
        return None
    return regulartimes.Table(
        file=name,
        sheet=None,
        header_row=last,
        headers=headers,
        roles=roles,
        above=[list(cells) for cells in above],
        rows=np.arange(last + 2, last + 2 + found.rows, dtype=np.int32),
        cells=found,
        decimal=decimal,
        encoding=encoding,
        separator=separator,
    )


def _first_of(data: bytes) -> list[str]:
    """The first lines, without their ends; one that is cut off among them."""
    *whole, rest = data[:8192].split(b"\n", _MOST_ABOVE)
    lines = [line.removesuffix(b"\r") for line in whole]
    return [line.decode(errors="ignore") for line in [*lines, rest][:_MOST_ABOVE]]


@lru_cache(maxsize=16)
def _lettered(aliases: tuple[tuple[str, str], ...]) -> bool:
    """Say whether every name that a mapping knows has a letter, as those have that are known without one."""
    return all(any(letter.isalpha() for letter in header) for header, _ in aliases)


@lru_cache(maxsize=4096)
def _header_of(
    line: str, aliases: tuple[tuple[str, str], ...]
) -> tuple[str, tuple[str, ...], tuple[columns.Role | None, ...], npt.NDArray[np.uint8]] | None:
    """Part a line under the separator that makes it a header of readings with most columns; ``None`` where none does.

    :returns: the separator, the cells, what they mean without a mapping, and the kinds of columns for :func:`scan.table`
    """
    try:
        separator, _, rows, header = _layout([line], None, dict(aliases), "")
    except UnreadableFile:
        return None
    roles = tuple(columns.roles(rows[header]))
    kinds = [
        scan.TEXT
        if role is None or role.field not in (*columns.NUMBERS, "timestamp")
        else scan.STAMP
        if role.field == "timestamp"
        else scan.FIGURE
        for role in roles
    ]
    return separator, tuple(rows[header]), roles, np.array(kinds, np.uint8)


def encoding_of(data: bytes) -> str:
    """Say a text's encoding: by its byte-order mark, by zero bytes, UTF-8 where it is valid, else the Windows one."""
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    start = data[:2000]
    if start.count(b"\0") > len(start) // 4:
        return "utf-16-le" if start[1:2] == b"\0" else "utf-16-be"
    if data.isascii():  # as most are: looking costs a third of decoding
        return "utf-8"
    for encoding in ("utf-8", "cp1252"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"


def _decoded(data: bytes, encoding: str, name: str) -> str:
    try:
        text = data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise UnreadableFile(
            f"{name} is not text in {encoding}: {error}. Expected text in the encoding that its first bytes, or its mapping, "
            "name. Download the file again, or correct the mapping."
        ) from error
    # Python's csv refuses a lone carriage return, and Polars takes it for a letter: all three line ends become one.
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _parted(text: str, separator: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Part a text into rows of fields, each with the line it ends in."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise UnreadableFile(
            f"{name}, row {reader.line_num}: its fields cannot be parted ({error}). Expected a table with separators; an "
            "opening quote may lack its closing one. Export it again."
        ) from error


def _first_lines(text: str, count: int) -> list[str]:
    return text[: 400 * count].removesuffix("\n").split("\n")[:count]


def _layout(
    lines: list[str], hint: str | None, aliases: dict[str, str], name: str
) -> tuple[str, int, list[list[str]], int]:
    """Find separator and header: the separator under which a row becomes a header of readings with most columns.

    :returns: the separator, the lines above the header's last one, the rows, and which of them is the header
    """
    best: tuple[int, str, int, list[list[str]], int] | None = None
    for separator in (hint,) if hint else _SEPARATORS:
        parted = list(_parted("\n".join(lines), separator, name))
        rows = [row for _, row in parted]
        header = columns.find_header(rows, aliases)
        if header is None:
            continue
        known = sum(role is not None for role in columns.roles(rows[header], aliases))
        if best is None or known > best[0]:
            best = (known, separator, parted[header][0] - 1, rows, header)
    if best is None:
        shown = next((line for line in lines if line.strip()), "")[:120]
        raise UnreadableFile(
            f"{name}: no header row found in its first {len(lines)} lines; the first line reads {shown!r}. Expected a row "
            "with a date or timestamp column and an energy column, for example Fecha;Hora;kWh. If the headers are others, "
            "name them in a mapping (columns)."
        )
    return best[1:]


def _body(text: str, separator: str, skip: int, width: int, name: str) -> pl.DataFrame:
    try:
        return pl.read_csv(
            io.BytesIO(text.encode()),
            has_header=False,
            skip_lines=skip,
            separator=separator,
            schema={str(index): pl.String for index in range(width)},
            missing_columns="insert",
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema={str(index): pl.String for index in range(width)})
    except pl.exceptions.PolarsError as error:
        _refuse_long_rows(text, separator, skip, name)
        for line, row in _parted(text, separator, name):
            if line > skip and len(row) > width:
                raise UnreadableFile(_longer(name, line, separator.join(row), width)) from error
        odd = next((n for n, line in enumerate(text.split("\n"), start=1) if line.count('"') % 2), None)
        if odd is not None:
            raise UnreadableFile(
                f"{name}, row {odd}: found a quote without its pair, so that its fields cannot be told apart. Expected quotes in "
                "pairs around a field. Remove the quote, and load the file again."
            ) from error
        raise UnreadableFile(f"{name}: its table cannot be parted into columns: {error}. Export it again.") from error


def _refuse_longer(frame: pl.DataFrame, rows: pl.Series, width: int, separator: str, name: str) -> None:
    """Refuse rows with more fields than headers: a decimal comma parted by a comma would read 4,5 as 4."""
    beyond = [column for column in frame.columns if int(column) >= width]
    if not beyond:
        return
    longer = frame.select(pl.any_horizontal(pl.col(column).is_not_null() for column in beyond).alias("x"))["x"]
    if longer.any():
        first = int(longer.arg_max() or 0)
        shown = separator.join(cell or "" for cell in frame.row(first))
        raise UnreadableFile(_longer(name, int(rows[first]), shown, width))


def _longer(name: str, row: int, shown: str, width: int) -> str:
    return (
        f"{name}, row {row}: {shown[:80]!r} has more fields than the header's {width}. Expected as many fields as headers; is "
        "a decimal comma also the separator? Export it with another separator."
    )


def _refuse_long_rows(text: str, separator: str, skip: int, name: str) -> None:
    last = skip
    for line, row in _parted(text, separator, name):
        if line > skip and line - last > 1:
            raise UnreadableFile(
                f"{name}, row {last + 1}: a quote opens there and is not closed before row {line} "
                f"({separator.join(row)[:60]!r}). Expected one line per reading. Remove the quote, and load the file again."
            )
        last = max(line, skip)


def _numbered(body: pl.DataFrame, text: str, separator: str, skip: int, name: str) -> tuple[pl.DataFrame, pl.Series]:
    """Number the rows as an editor does, and drop those that hold nothing.

    :raises UnreadableFile: for a row of several lines: a quote that is never closed would swallow readings
    """
    if '"' in text and text.count("\n") + (not text.endswith("\n")) != skip + body.height:
        _refuse_long_rows(text, separator, skip, name)
    numbers = pl.Series("row", range(skip + 1, skip + 1 + body.height), dtype=pl.Int32)
    filled = (
        body.select(pl.any_horizontal(pl.all().is_not_null()).alias("x"))["x"]
        if body.height
        else pl.Series("x", [], pl.Boolean)
    )
    return body.filter(filled), numbers.filter(filled)
