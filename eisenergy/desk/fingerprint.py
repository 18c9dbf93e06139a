"""The hash of the readings that a bill was made from.

It is over the figures themselves in canonical order, not over a text of them: writing the text took longer than billing. Invoices made
before have the hash of the text; both forms can be told apart, and :func:`readings_hash` makes either.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.frames import ESTIMATED, stamps_of
from eisenergy.quality.rows import Rows

Floats = npt.NDArray[np.float64]

BILLED: Final = (
    "kwh_import", "kwh_export", "kw", "kvar", "kvarh", "forecast_kwh", "loss_factor", "ftpms", "cost_pos", "cost_neg",
)  # fmt: skip
"""Figures that a bill can depend on, in the order of the hash."""

PREFIX: Final = "2:"
"""What a hash of figures begins with; a hash of the text is 64 digits and nothing else."""


def readings_hash(rows: pl.DataFrame, *, like: str = PREFIX) -> str:
    """Return the sha256 of the figures a bill can depend on, in order of time: not of the files they came from.

    :param rows: columns of ``frames.READINGS``
    :param like: a hash to compare with; the result has its form
    """
    ordered = rows if rows["start"].is_sorted() else rows.sort("start")
    if not like.startswith(PREFIX):
        return _of_text(ordered)
    columns = {name: _canonical(ordered[name]) for name in BILLED}
    estimated = (ordered["quality"] == ESTIMATED).to_numpy()
    return of_figures(stamps_of(ordered), columns, estimated if estimated.any() else None)


def rows_hash(rows: Rows, only: npt.NDArray[np.bool_] | None = None) -> str:
    """Return :func:`readings_hash` of rows in order of time.

    :param only: those that count; ``None``: all
    """
    start, estimated = rows.start, rows.estimated
    columns = {name: rows.figures(name) for name in BILLED}
    if only is not None and not only.all():
        start, estimated = start[only], estimated[only]
        columns = {name: None if values is None else values[only] for name, values in columns.items()}
    canonical = {name: None if values is None else _one_form(values) for name, values in columns.items()}
    return of_figures(start, canonical, estimated if estimated.any() else None)


def of_figures(
    start: npt.NDArray[np.int64], columns: Mapping[str, Floats | None], estimated: npt.NDArray[np.bool_] | None = None
) -> str:
    """Return the hash of figures in order of time.

    :param start: UTC microseconds [one per row]
    :param columns: name of :data:`BILLED` -> figures, ``numpy.nan`` and no other NaN for none; ``None`` where there are none at all
    :param estimated: which rows are estimates; ``None``: none is
    """
    steps = np.diff(start)
    even = len(start) > 1 and bool((steps == steps[0]).all())
    return of_regular(
        struct.pack("<qqq", len(start), start[0], steps[0]) if even else b"\0" + start.astype("<i8").tobytes(),
        columns,
        estimated,
    )


def of_regular(
    times: bytes, columns: Mapping[str, Floats | None], estimated: npt.NDArray[np.bool_] | None = None
) -> str:
    """Return the hash of figures at times that are packed already: number, first and step, or each; see :func:`of_figures`."""
    digest = hashlib.sha256(times)
    for name in BILLED:
        values = columns.get(name)
        if values is None:
            continue
        digest.update(f"\0{name}\0".encode())
        digest.update(np.ascontiguousarray(values, dtype="<f8").data)
    if estimated is not None:
        digest.update(b"\0estimated\0" + np.packbits(estimated).tobytes())
    return PREFIX + digest.hexdigest()


def of_months(
    times: bytes, columns: Mapping[str, tuple[Floats, npt.NDArray[np.bool_]]], wanted: npt.NDArray[np.bool_]
) -> list[str]:
    """Return :func:`of_regular` of many meters at the same times.

    What is hashed of a meter is laid in one place first: each call that hashes gives Python's lock away, and gets it back when others let it.

    :param columns: name of :data:`BILLED` -> figures [meters, rows], and the meters that have some [one per meter]
    :param wanted: the meters to hash; empty texts for the others [one per meter]
    """
    result = [""] * len(wanted)
    names = [name for name in BILLED if name in columns]
    has = np.stack([columns[name][1] for name in names] or [np.zeros(len(wanted), dtype=np.bool_)])
    alike: dict[bytes, list[int]] = {}
    for meter, mine in zip(np.flatnonzero(wanted).tolist(), has.T[wanted], strict=True):
        alike.setdefault(mine.tobytes(), []).append(meter)
    for members in alike.values():
        some = [name for name, there in zip(names, has[:, members[0]].tolist(), strict=False) if there]
        room, places = _room(times, {name: columns[name][0].shape[1] for name in some}, min(_AT_A_TIME, len(members)))
        for begin in range(0, len(members), _AT_A_TIME):
            these = members[begin : begin + _AT_A_TIME]
            for name, place in places.items():
                room[: len(these), place] = columns[name][0][these].astype("<f8", copy=False).view(np.uint8)
            for meter, laid in zip(these, room, strict=False):
                result[meter] = PREFIX + hashlib.sha256(laid.data).hexdigest()
    return result


def _room(times: bytes, rows: Mapping[str, int], meters: int) -> tuple[npt.NDArray[np.uint8], dict[str, slice]]:
    """A row of bytes per meter with what is the same for all, and where in it the figures of the columns go."""
    same, places = bytearray(times), {}
    for name, count in rows.items():
        same += f"\0{name}\0".encode()
        places[name] = slice(len(same), len(same) + 8 * count)
        same += bytes(8 * count)
    return np.tile(np.frombuffer(bytes(same), dtype=np.uint8), (meters, 1)), places


_AT_A_TIME: Final = 16
"""Meters whose figures are laid out together: a megabyte."""


class Figures:
    """A meter's readings over months, laid out once, so that the hash of each month takes no more than its bytes.

    :param rows: columns of ``frames.READINGS`` that are hashed, in order of time
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        self._start = stamps_of(rows)
        canonical = {name: _canonical(rows[name]) for name in BILLED}
        known = {name: values for name, values in canonical.items() if values is not None}
        self._columns = {name: (values, bool(np.isnan(values).any())) for name, values in known.items()}
        self._estimated: npt.NDArray[np.bool_] = (rows["quality"] == ESTIMATED).to_numpy()

    def hash(self, first: int, last: int) -> str:
        """Return what :func:`readings_hash` says of the rows from one up to, and without, another."""
        columns: dict[str, Floats | None] = {}
        for name, (values, holes) in self._columns.items():
            part = values[first:last]
            columns[name] = None if holes and np.isnan(part).all() else part
        estimated = self._estimated[first:last]
        return of_figures(self._start[first:last], columns, estimated if estimated.any() else None)


def _canonical(column: pl.Series) -> Floats | None:
    """A column's figures; null and NaN are one, and a column without any is none."""
    if column.null_count() == len(column):
        return None
    return _one_form(column.to_numpy())  # null becomes NaN


def _one_form(values: Floats) -> Floats | None:
    none = np.isnan(values)
    if len(none) and not none.any():  # most columns of most months: there is nothing to put in its one form
        return values
    return None if none.all() else np.where(none, np.nan, values)


_TEXT: Final = ("start", *BILLED, "quality")


def _of_text(ordered: pl.DataFrame) -> str:
    text = ordered.select(_TEXT).with_columns(pl.col("start").to_physical()).write_csv()
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
