"""The stamps of a regular table: each different text is read once, by the functions that read any stamp."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.contents import UnreadableFile
from eisenergy.frames import SLOT_MINUTES
from eisenergy.readings import clock, numbers
from eisenergy.readings import stamps as writing
from eisenergy.readings.columns import TIMES, Role
from eisenergy.readings.model import Choice
from eisenergy.readings.scan import Cells
from eisenergy.readings.times import HOURS_ONLY, SAMPLE

_SLOT: Final = SLOT_MINUTES * 60_000_000
_YEAR: Final = 366 * writing.DAY_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A regular table as a reader found it.

    :param header_row: from 0
    :param rows: row of the file each row stands in, from 1
    :param cells: what it holds; columns that are neither figures nor texts are empty
    :param decimal: sign of the figures that are texts, ``None`` where figures are numbers
    """

    file: str
    sheet: str | None
    header_row: int
    headers: tuple[str | None, ...]
    roles: tuple[Role | None, ...]
    above: list[list[object]]
    rows: npt.NDArray[np.int32]
    cells: Cells
    decimal: str | None
    encoding: str | None = None
    separator: str | None = None


@dataclass(frozen=True, slots=True)
class Stamps:
    """The stamps of a regular table, and what was decided about them.

    :param start: UTC start of each interval [us]
    :param gaps: whether intervals are missing between them
    :param columns: ``date``, ``time`` or ``timestamp`` -> column
    """

    start: npt.NDArray[np.int64]
    gaps: bool
    order: Choice
    convention: Choice
    interval: Choice
    columns: dict[str, int]
    reasons: dict[int, str]


def stamped(table: Table, timezone: str) -> Stamps | None:
    """Read the stamps; ``None`` where one is missing, unreadable, off the grid, out of order or near a clock change."""
    chosen = _stamp_columns(table)
    if chosen is None:
        return None
    if "timestamp" in chosen:
        days, clocks = table.cells.texts[chosen["timestamp"]], table.cells.clocks[chosen["timestamp"]]
        parted = _parted(days.different, clocks.different)
    else:
        days, clocks = table.cells.texts[chosen["date"]], table.cells.texts[chosen["time"]]
        parted = _side_by_side(days.different, clocks.different)
    if parted is None or days.codes.min() < 0 or clocks.codes.min() < 0:
        return None
    order, day_values, clock_values, offset, whole_days = parted
    stamp, often = _stamps(day_values, days.codes, clock_values, clocks.codes)
    if often is None:
        return None
    count = len(stamp) - 1
    headers = {role.stamp for column in chosen.values() if (role := table.roles[column]) and role.stamp}
    convention = clock.convention_of(
        int(stamp[0]),
        int(stamp[-1]),
        whole_days,
        headers.pop() if len(headers) == 1 else None,
        None,
        SLOT_MINUTES,
    )
    if offset is None:
        offset = _offset(timezone, int(stamp[0]) // writing.DAY_US, int(stamp[-1]) // writing.DAY_US)
    if offset is None:
        return None
    back = _SLOT if convention.value == "end" else 0
    return Stamps(
        start=stamp - (offset + back),
        gaps=often < count,
        order=order,
        convention=convention,
        interval=Choice(value=str(SLOT_MINUTES), why=f"{often} of {count} steps between stamps"),
        columns=chosen,
        reasons={column: (role.why if (role := table.roles[column]) is not None else "") for column in chosen.values()},
    )


Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
_Kept = tuple[tuple[Integers, Codes, Integers, Codes], tuple[Integers, int | None]]
_KINDS: Final = 4
"""Ways of writing stamps whose last file is remembered: a folder mixes those of a few devices."""
_before = threading.local()


def _stamps(days: Integers, day: Codes, clocks: Integers, clock: Codes) -> tuple[Integers, int | None]:
    """The stamps of all rows, and :func:`_often` of them: those of a file before where it had the same ones, as files of one month have."""
    kept: list[_Kept] = getattr(_before, "kept", [])
    for (of_days, codes, of_clocks, others), found in kept:
        # The values of the same texts are the same arrays, see _parted.
        if of_days is days and of_clocks is clocks and np.array_equal(codes, day) and np.array_equal(others, clock):
            return found
    stamp = days[day] + clocks[clock]
    stamp.flags.writeable = False
    found = stamp, _often(stamp)
    _before.kept = [*kept[1 - _KINDS :], ((days, day.copy(), clocks, clock.copy()), found)]
    return found


def _often(stamp: npt.NDArray[np.int64]) -> int | None:
    """How many steps are of one interval; ``None`` where stamps are off the grid, out of order or mostly at another distance."""
    first, size = int(stamp[0]), len(stamp)
    if first % _SLOT == 0 and np.array_equal(stamp, _straight(first, size)):
        return size - 1
    steps = np.diff(stamp)
    often = int(np.count_nonzero(steps == _SLOT))
    if steps.min() <= 0 or steps.max() > _YEAR or 2 * often <= len(steps) or (stamp % _SLOT).any():
        return None
    return often


@lru_cache(maxsize=16)
def _straight(first: int, size: int) -> npt.NDArray[np.int64]:
    """Stamps without a gap: most files of a folder are of one month."""
    return first + np.arange(size, dtype=np.int64) * _SLOT


def _stamp_columns(table: Table) -> dict[str, int] | None:
    """The columns that hold the stamps, where there is no choice; a second time of day may be there that has hours only."""
    found: dict[str, list[int]] = {}
    for column, role in enumerate(table.roles):
        if role is not None and role.field in TIMES:
            found.setdefault(role.field, []).append(column)
    if set(found) == {"timestamp"} and len(found["timestamp"]) == 1:
        return {"timestamp": found["timestamp"][0]} if found["timestamp"][0] in table.cells.clocks else None
    if set(found) != {"date", "time"} or len(found["date"]) != 1 or found["date"][0] not in table.cells.texts:
        return None
    clocks = [column for column in found["time"] if not _hours_only(table, column)]
    if len(clocks) != 1 or clocks[0] not in table.cells.texts:
        return None
    return {"date": found["date"][0], "time": clocks[0]}


def _hours_only(table: Table, column: int) -> bool:
    if column in table.cells.figures:
        return bool((table.cells.figures[column] % 1 == 0).all() and (abs(table.cells.figures[column]) < 100).all())
    texts = table.cells.texts.get(column)
    if texts is None:
        return True
    return all(HOURS_ONLY.fullmatch(texts.different[code]) for code in np.unique(texts.codes[:SAMPLE]) if code >= 0)


_Parted = tuple[Choice, npt.NDArray[np.int64], npt.NDArray[np.int64], int | None, bool]


@lru_cache(maxsize=512)
def _side_by_side(days: tuple[str, ...], clocks: tuple[str, ...]) -> _Parted | None:
    """Days and times of day from columns of their own: order of the date, and the microseconds of each text."""
    text = numbers.clean(pl.Series(days, dtype=pl.String))
    day, _, zone = writing.split(text)
    if zone.null_count() < len(zone):
        return None
    return _values(list(day), list(numbers.clean(pl.Series(clocks, dtype=pl.String))), None)


@lru_cache(maxsize=512)
def _parted(days: tuple[str, ...], rests: tuple[str, ...]) -> _Parted | None:
    """Stamps parted into day and rest: what each is with the first of the other says what it is in every row."""
    if not days or not rests:
        return None
    by_day = writing.split(numbers.clean(pl.Series([f"{day} {rests[0]}" for day in days], dtype=pl.String)))
    by_rest = writing.split(numbers.clean(pl.Series([f"{days[0]} {rest}" for rest in rests], dtype=pl.String)))
    if list(by_day[0]) != [day.strip() for day in days] or by_rest[0].n_unique() != 1:
        return None
    zones = by_rest[2].unique()
    if len(zones) != 1:
        return None
    return _values(list(by_day[0]), list(by_rest[1]), zones[0])


def _values(days: Sequence[str | None], clocks: Sequence[str | None], zone: str | None) -> _Parted | None:
    if any(day is None or writing.is_serial(day) or not any(c.isdigit() for c in day) for day in days):
        return None
    written = [day for day in days if day is not None]
    try:
        order = writing.order_of(list(dict.fromkeys(written)), None, "")
    except UnreadableFile:
        return None
    read_days = [writing.read_date(day, order.value) for day in written]
    read_clocks = [None if text is None or ":" not in text else writing.read_time(text) for text in clocks]
    if any(day is None for day in read_days) or any(at is None for at in read_clocks):
        return None
    return (
        order,
        np.array([writing.epoch_us(day) for day in read_days if day is not None], np.int64),
        np.array([at for at in read_clocks if at is not None], np.int64),
        None if zone is None else writing.read_offset(zone),
        writing.DAY_US in read_clocks,
    )


@lru_cache(maxsize=512)
def _offset(timezone: str, first: int, last: int) -> int | None:
    """What local time is ahead of UTC [us] on the days from ``first`` to ``last``; ``None`` where it changes on one or beside it."""
    zone = ZoneInfo(timezone)
    epoch = date(1970, 1, 1)
    offsets = {
        datetime.combine(epoch + timedelta(days=day), time(), zone).utcoffset() for day in range(first - 1, last + 3)
    }
    offset = offsets.pop()
    return None if offsets or offset is None else offset // timedelta(microseconds=1)
