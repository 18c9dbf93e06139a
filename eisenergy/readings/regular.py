"""A table of one meter as most are: 15-minute stamps in order, a figure in every cell, one meaning per column.

Such a table is read from its columns at once, with the choices, meanings and findings of :mod:`eisenergy.readings.normalise`,
which reads each different text by the same functions. Whatever is unusual (a gap beside a register, a negative energy, a clock change
among the days, an alarm) is not decided here: :func:`normal` returns ``None``, and the careful way reads the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.contents import UnreadableFile
from eisenergy.findings import Finding, info
from eisenergy.readings import cells, columns, fields, meters, numbers, registers, regulartimes
from eisenergy.readings.columns import NUMBERS, TIMES, Role
from eisenergy.readings.gathered import Regular
from eisenergy.readings.model import Choice, RawTable, TableMeta
from eisenergy.readings.normalise import used_columns
from eisenergy.readings.regulartimes import Table
from eisenergy.readings.scan import Texts

_FEWEST: Final = 8  # rows; shorter tables prove too little to be called regular


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
    stamped = regulartimes.stamped(table, timezone)
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
    known = used_columns(raw, table.roles, [block], used)
    unknown = [column for column in range(len(table.headers)) if column not in known]
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
            values = numbers.cleaned(table.cells.texts[column].different)
            found += [value.removesuffix(".0") for value in values if value is not None]
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
    if column is None:
        usual = table.decimal == "." and table.separator in numbers.POINTED
        return Choice(value=".", why=numbers.USUAL) if usual else None
    if table.cells.written is None:
        return None
    return Choice(value=table.decimal, why=f"{table.cells.written(column, loose[column])!r} has one reading only")


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
