"""Frames whose texts are coded already, written as if they were texts.

Polars writes each column of texts as numbers and a list of the different ones; to find these it copies and looks up the text of every row,
half of what writing a month takes. A column of ``pl.Categorical`` has its numbers already, and gives the same bytes but for one thing: the
file's footer says what the columns were in memory (``ARROW:schema``), and who reads the file would get what was written. What a frame of
texts says there is put in its place, so that the file is the one that :meth:`polars.DataFrame.write_parquet` writes of the texts.

Layout of the footer: https://parquet.apache.org/docs/file-format/metadata/ and Thrift's compact protocol.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import IO, Any, Final

import polars as pl

_NAMED: Final = b"\x18\x0cARROW:schema\x18"
"""The key, and what a text begins with: its length follows."""
_END: Final = 8
"""Bytes after the footer: its length, and the format's mark."""


def is_coded(rows: pl.DataFrame) -> bool:
    """Say whether any column of texts is coded."""
    return any(isinstance(dtype, pl.Categorical) for dtype in rows.dtypes)


def decoded(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with texts for what is coded."""
    return rows.cast({name: pl.String for name, dtype in rows.schema.items() if isinstance(dtype, pl.Categorical)})


def different(column: pl.Series) -> list[str]:
    """Return the different texts of a column, coded or not, in no order."""
    return column.unique().cast(pl.String).drop_nulls().to_list()


def write(file: IO[bytes], rows: pl.DataFrame, **settings: Any) -> None:
    """Write rows as texts.

    :param file: empty, open for reading and writing
    :param settings: of :meth:`polars.DataFrame.write_parquet`
    """
    rows.write_parquet(file, **settings)
    if not is_coded(rows):
        return
    at, footer = _footer(file)
    columns = tuple(
        (name, pl.String() if isinstance(dtype, pl.Categorical) else dtype) for name, dtype in rows.schema.items()
    )
    own, texts = _said(footer), _said_of(columns)
    if own is None or texts is None:  # a Polars that says it otherwise
        file.seek(0)
        file.truncate()
        decoded(rows).write_parquet(file, **settings)
        return
    footer = footer.replace(_NAMED + own, _NAMED + texts)
    file.seek(at)
    file.truncate()
    file.write(footer + len(footer).to_bytes(4, "little") + b"PAR1")


def _footer(file: IO[bytes]) -> tuple[int, bytes]:
    """Where a file's footer begins, and its bytes."""
    end = file.seek(-_END, io.SEEK_END)
    at = file.seek(end - int.from_bytes(file.read(4), "little"))
    return at, file.read(end - at)


def _said(footer: bytes) -> bytes | None:
    """What a footer says of the columns in memory, with its length before it; ``None`` where it does not, or more than once."""
    if footer.count(_NAMED) != 1:
        return None
    first = at = footer.index(_NAMED) + len(_NAMED)
    size = shift = 0
    while True:
        byte = footer[at]
        size |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return footer[first : at + size]


@lru_cache(maxsize=8)
def _said_of(columns: tuple[tuple[str, pl.DataType], ...]) -> bytes | None:
    """What a file of some columns says."""
    file = io.BytesIO()
    pl.DataFrame(schema=dict(columns)).write_parquet(file)
    return _said(_footer(file)[1])
