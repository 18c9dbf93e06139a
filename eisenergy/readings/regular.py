"""A table of one meter as most are: 15-minute stamps in order, a figure in every cell, one meaning per column.

Such a table is read from its columns at once, with the choices, meanings and findings of :mod:`eisenergy.readings.normalise`,
which reads each different text by the same functions. Whatever is unusual (a gap beside a register, a negative energy, a clock change
among the days, an alarm) is not decided here: :func:`normal` returns ``None``, and the careful way reads the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.findings import Finding, info
from eisenergy.frames import MEASURED, READINGS, SLOT_MINUTES
from eisenergy.readings import cells, clock, columns, fields, meters, numbers, registers
from eisenergy.readings import stamps as writing
from eisenergy.readings.columns import NUMBERS, TIMES, Role
from eisenergy.readings.model import Choice, RawTable, TableMeta
from eisenergy.readings.normalise import used_columns
from eisenergy.readings.scan import Cells, Texts
from eisenergy.readings.times import HOURS_ONLY, SAMPLE
from eisenergy.sheets import UnreadableFile

_SLOT: Final = SLOT_MINUTES * 60_000_000
_YEAR: Final = 366 * writing.DAY_US
_FEWEST: Final = 8  # rows; shorter tables prove too little to be called regular


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Regular:
    """A regular table's readings, before they are put into a frame: many together go into one faster than each.

    :param start: UTC start of each interval [us], ascending
    :param rows: row of the file each reading stands in
    :param figures: column of ``frames.READINGS`` -> figures
    :param texts: column of ``frames.READINGS`` -> texts
    """

    client: str
    meter: str
    source: str
    start: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]
    figures: dict[str, npt.NDArray[np.float64]]
    texts: dict[str, Texts]
    meta: TableMeta
    findings: tuple[Finding, ...]


def by_month(tables: Sequence[Regular]) -> dict[str, list[Regular]]:
    """Cut readings at the UTC months, without copying any: month -> the tables' readings in it, in the order of the tables."""
    found: dict[str, list[Regular]] = {}
    for table in tables:
        months = table.start[[0, -1]].astype("datetime64[us]").astype("datetime64[M]")
        cuts = np.arange(months[0], months[1] + 2).astype("datetime64[us]").astype(np.int64)
        places = np.searchsorted(table.start, cuts).tolist()
        for month, first, last in zip(np.arange(months[0], months[1] + 1), places[:-1], places[1:], strict=True):
            if first < last:
                found.setdefault(str(month), []).append(_slice(table, slice(first, last)))
    return found


def _slice(table: Regular, part: slice) -> Regular:
    return replace(
        table,
        start=table.start[part],
        rows=table.rows[part],
        figures={name: values[part] for name, values in table.figures.items()},
        texts={name: Texts(texts.codes[part], texts.different) for name, texts in table.texts.items()},
    )


def frame(tables: Sequence[Regular]) -> pl.DataFrame:
    """Put readings into one frame with the columns of ``frames.READINGS``, in the order of the tables."""
    sizes = [len(table.start) for table in tables]
    total = sum(sizes)
    made: list[pl.Series] = []
    which = np.repeat(np.arange(len(tables), dtype=np.uint32), sizes) if len(tables) > 1 else None
    for name, dtype in READINGS.items():
        if name == "start":
            stamps = pl.Series(name, np.concatenate([table.start for table in tables]))
            made.append(stamps.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
        elif name == "source_row":
            made.append(pl.Series(name, np.concatenate([table.rows for table in tables])))
        elif name in ("client", "meter", "source"):
            own = pl.Series(name, [getattr(table, name) for table in tables])
            made.append(own.new_from_index(0, total) if which is None or name == "client" else own.gather(which))
        elif name == "quality":
            made.append(pl.Series(name, [MEASURED]).new_from_index(0, total))
        elif any(name in table.figures for table in tables):
            columns_ = [
                table.figures[name] if name in table.figures else np.full(n, np.nan)
                for table, n in zip(tables, sizes, strict=True)
            ]
            made.append(pl.Series(name, np.concatenate(columns_), nan_to_null=True))
        elif any(name in table.texts for table in tables):
            made.append(_texts(name, tables, sizes))
        else:
            made.append(pl.Series(name, [None], dtype=dtype).new_from_index(0, total))
    return pl.DataFrame(made)


def _texts(name: str, tables: Sequence[Regular], sizes: Sequence[int]) -> pl.Series:
    """A column of texts, each different one once in memory."""
    known: dict[str | None, int] = {None: 0}
    codes = []
    for table, size in zip(tables, sizes, strict=True):
        if name not in table.texts:
            codes.append(np.zeros(size, np.uint32))
            continue
        texts = table.texts[name]
        places = [known.setdefault(text, len(known)) for text in texts.different]
        codes.append(np.array([*places, 0], np.uint32)[texts.codes])  # -1, an empty cell, takes the last: null
    return pl.Series(name, list(known), dtype=pl.String).gather(np.concatenate(codes))


def normal(table: Table, *, client: str, timezone: str, sha256: str) -> Regular | None:
    """Read a regular table as :func:`eisenergy.readings.normalise.normalise` would without a mapping.

    :param client: the tenant's code
    :param timezone: IANA name of the stamps' local time
    :returns: ``None`` when it is not regular after all
    """
    block = _only_block(table.roles)
    if block is None or table.cells.rows < _FEWEST:
        return None
    raw = _raw(table)
    try:
        identity, findings = meters.identify(
            file=table.file,
            sheet=table.sheet,
            above=table.above,
            inside=_serials(table),
            mapped=None,
            place=raw.place,
        )
    except UnreadableFile:
        return None
    stamped = _stamped(table, timezone)
    decimal = _decimal(table)
    if findings or stamped is None or decimal is None or _alarmed(table):
        return None
    figures = {column: values for column, values in table.cells.figures.items() if _measures(table.roles[column])}
    try:
        chosen = fields.choose(table.roles, block, figures, raw, identity.meter, None)
    except UnreadableFile:
        return None
    if chosen.findings or "kwh_import" not in chosen.columns:
        return None
    data = {name: table.cells.figures[column] for name, column in chosen.columns.items()}
    if any(float(data[name].min()) < 0 for name in ("kwh_import", "kwh_export") if name in data):
        return None
    if "register_kwh" in data:
        agrees = _register(raw, identity.meter, figures, chosen.columns, stamped.gaps)
        if agrees is None:
            return None
        findings = [agrees]
    used = {**stamped.columns, **chosen.columns}
    texts = _beside(table, raw, block, set(chosen.columns.values()), stamped.columns, decimal.value)
    unknown = [
        column for column in range(len(table.headers)) if column not in used_columns(raw, table.roles, [block], used)
    ]
    meta = TableMeta(
        sheet=table.sheet,
        header_row=table.header_row + 1,
        meter=identity.meter,
        meter_from=identity.origin,
        node=identity.node,
        columns={name: raw.label(column) for name, column in used.items()},
        reasons={raw.label(column): why for column, why in {**stamped.reasons, **chosen.reasons}.items()},
        unknown=tuple(raw.label(column) for column in unknown if table.headers[column] or not _is_empty(table, column)),
        encoding=table.encoding,
        separator=table.separator,
        decimal=decimal,
        date_order=stamped.order,
        stamp=stamped.convention,
        interval=stamped.interval,
        timezone=Choice(value=timezone, why="the setting of the file's client"),
        mapping=None,
        rows_read=table.cells.rows,
        rows_used=table.cells.rows,
    )
    return Regular(
        client=client,
        meter=identity.meter,
        source=sha256,
        start=stamped.start,
        rows=table.rows,
        figures=data,
        texts=texts,
        meta=meta,
        findings=tuple(findings),
    )


def _is_empty(table: Table, column: int) -> bool:
    if column in table.cells.figures:
        return False
    return column not in table.cells.texts or not table.cells.texts[column].different


def _measures(role: Role | None) -> bool:
    return role is not None and role.field in NUMBERS


@lru_cache(maxsize=256)
def _only_block(roles: tuple[Role | None, ...]) -> list[int] | None:
    found = columns.blocks(roles)
    return found[0] if len(found) == 1 and len(found[0]) == len(roles) else None


_NO_FRAME: Final = pl.DataFrame()
_NO_ROWS: Final = pl.Series("row", [], dtype=pl.Int32)


def _raw(table: Table) -> RawTable:
    """What the choice of columns and the labels need of a table: its names, and none of its cells."""
    return RawTable(
        file=table.file,
        sheet=table.sheet,
        header_row=table.header_row,
        headers=table.headers,
        frame=_NO_FRAME,
        rows=_NO_ROWS,
        above=table.above,
        text=lambda _: _NO_ROWS,
        hidden=lambda _: [],
    )


def _serials(table: Table) -> list[str]:
    found: list[str] = []
    for column, role in enumerate(table.roles):
        if role is not None and role.field == "meter" and column in table.cells.texts:
            values = numbers.clean(pl.Series(table.cells.texts[column].different, dtype=pl.String)).drop_nulls()
            found += [value.removesuffix(".0") for value in values]
    return list(dict.fromkeys(found))


def _alarmed(table: Table) -> bool:
    return any(
        text.strip().lower() not in cells.ALARM_FREE
        for column, role in enumerate(table.roles)
        if role is not None and role.field == "status" and column in table.cells.texts
        for text in table.cells.texts[column].different
    ) or any(
        role is not None and role.field in ("status", "block", "meter", "node") and column in table.cells.figures
        for column, role in enumerate(table.roles)
    )


def _decimal(table: Table) -> Choice | None:
    """The decimal sign, proved as :func:`eisenergy.readings.numbers.decimal_sign` does: the first figure with one reading only."""
    if table.decimal is None or not table.cells.signed:
        return Choice(value=".", why="no figure in the text has a decimal sign")
    loose = {
        column: row for column, row in table.cells.loose.items() if row is not None and _measures(table.roles[column])
    }
    early = [column for column, row in loose.items() if row < numbers.SAMPLE_ROWS]
    column = next(iter(early or loose), None)
    if column is None or table.cells.written is None:
        return None
    return Choice(value=table.decimal, why=f"{table.cells.written(column, loose[column])!r} has one reading only")


@dataclass(frozen=True, slots=True)
class _Stamps:
    start: npt.NDArray[np.int64]
    gaps: bool
    order: Choice
    convention: Choice
    interval: Choice
    columns: dict[str, int]
    reasons: dict[int, str]


def _stamped(table: Table, timezone: str) -> _Stamps | None:
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
    stamp = day_values[days.codes] + clock_values[clocks.codes]
    steps = np.diff(stamp)
    often = int(np.count_nonzero(steps == _SLOT))
    if steps.min() <= 0 or steps.max() > _YEAR or 2 * often <= len(steps) or (stamp % _SLOT).any():
        return None
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
    return _Stamps(
        start=stamp - (offset + back),
        gaps=often < len(steps),
        order=order,
        convention=convention,
        interval=Choice(value=str(SLOT_MINUTES), why=f"{often} of {len(steps)} steps between stamps"),
        columns=chosen,
        reasons={column: (role.why if (role := table.roles[column]) is not None else "") for column in chosen.values()},
    )


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


def _register(
    raw: RawTable, meter: str, figures: Mapping[int, npt.NDArray[np.float64]], chosen: Mapping[str, int], gaps: bool
) -> Finding | None:
    """Say that the register agrees in every interval; ``None`` where it does not, or where a gap has to be looked at."""
    register, energy = figures[chosen["register_kwh"]], figures[chosen["kwh_import"]]
    step = np.diff(register)
    slack = registers.tolerance(register, energy)
    if gaps or (abs(step - energy[1:]) > slack).any() or (step < -slack).any():
        return None
    return info(
        "register-agrees",
        meter,
        f"{raw.place}: {len(step)} intervals agree with the register beside them.",
        compared=len(step),
        kwh=round(float(pl.Series(energy[1:]).sum()), 6),
    )


def _series(texts: Texts) -> pl.Series:
    """A column of texts as a series, null where the cell is empty."""
    codes = np.where(texts.codes < 0, len(texts.different), texts.codes).astype(np.uint32)
    return pl.Series([*texts.different, None], dtype=pl.String).gather(codes)


def _beside(
    table: Table, raw: RawTable, block: Sequence[int], taken: set[int], stamps: Mapping[str, int], decimal: str
) -> dict[str, Texts]:
    """The block as the file names it, and as JSON the columns that no field goes by."""
    result: dict[str, Texts] = {}
    used = taken | {
        c for c in block if (role := table.roles[c]) is not None and role.field in (*TIMES, "meter", "node")
    }
    named = next((c for c in block if (role := table.roles[c]) is not None and role.field == "block"), None)
    if named is not None:
        used.add(named)
        if named in table.cells.texts:
            result["block_in_file"] = table.cells.texts[named]
    hours = [
        c for c in block if (role := table.roles[c]) is not None and role.field in TIMES and c not in stamps.values()
    ]
    left = [c for c in block if (c not in used or c in hours) and not _is_empty(table, c)]
    if not left:
        return result
    if any(c in table.cells.figures for c in left):
        whole = {
            str(c): pl.Series(table.cells.figures[c]) if c in table.cells.figures else _series(table.cells.texts[c])
            for c in left
        }
        extra = _extra(table, left, whole, decimal)
        if extra is not None:
            result["extra"] = Texts(np.arange(table.cells.rows, dtype=np.int32), tuple(extra))
        return result
    joint = _joined([table.cells.texts[c] for c in left])
    spelled = _spelled(
        tuple(left),
        tuple(raw.label(c) for c in left),
        tuple(
            tuple(None if code < 0 else table.cells.texts[c].different[code] for code in codes)
            for c, codes in zip(left, joint[1], strict=True)
        ),
        decimal,
    )
    if spelled is not None:
        result["extra"] = Texts(joint[0], spelled)
    return result


def _joined(texts: Sequence[Texts]) -> tuple[npt.NDArray[np.int32], list[list[int]]]:
    """Which combination of texts stands in each row, and per column the codes of each combination."""
    if len(texts) == 1 and texts[0].codes.min() >= 0:
        return texts[0].codes, [list(range(len(texts[0].different)))]
    codes = np.stack([one.codes for one in texts], axis=1)
    different, inverse = np.unique(codes, axis=0, return_inverse=True)
    return inverse.reshape(-1).astype(np.int32), [list(column) for column in different.T.tolist()]


@lru_cache(maxsize=256)
def _spelled(
    left: tuple[int, ...], labels: tuple[str, ...], texts: tuple[tuple[str | None, ...], ...], decimal: str
) -> tuple[str, ...] | None:
    """Combinations of texts as JSON."""
    frame = {str(column): pl.Series(values, dtype=pl.String) for column, values in zip(left, texts, strict=True)}
    named: list[str | None] = [None] * (max(left) + 1)
    for column, label in zip(left, labels, strict=True):
        named[column] = label
    table = _holding(tuple(named), frame)
    found = cells.extra(table, left, pl.int_range(len(texts[0]), eager=True), decimal)
    return None if found is None else tuple(found)


def _extra(table: Table, left: Sequence[int], data: Mapping[str, pl.Series], decimal: str) -> pl.Series | None:
    whole = _holding(table.headers, data)
    return cells.extra(whole, left, pl.int_range(table.cells.rows, eager=True), decimal)


def _holding(headers: tuple[str | None, ...], data: Mapping[str, pl.Series]) -> RawTable:
    return RawTable(
        file="",
        sheet=None,
        header_row=0,
        headers=headers,
        frame=pl.DataFrame(dict(data)),
        rows=pl.Series("row", [], dtype=pl.Int32),
        above=[],
        text=lambda _: pl.Series([], dtype=pl.String),
        hidden=lambda _: [],
    )
