"""A look at a file before it is imported: its first rows as they will be read, and everything noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from eisenergy.contents import UnreadableFile
from eisenergy.findings import Finding, blocking
from eisenergy.readings import columns, distributor
from eisenergy.readings.intake import identify, mapping_for, raw_tables, read, settings
from eisenergy.readings.mapping import BadMapping, Mapping
from eisenergy.readings.model import Format, RawTable, ReadMeta, TableMeta
from eisenergy.sheets import cell

ROWS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPreview:
    """What one column was taken for.

    :param position: the column's letter
    :param header: as in the file, ``None`` where it has none
    :param taken_for: the field, ``None`` where it was not recognised
    :param why: what decided it
    """

    sheet: str | None
    position: str
    header: str | None
    taken_for: str | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an import would make of a file.

    :param rows: the first rows as they will be read; the raw cells when they cannot be read
    :param columns: every column with a header or a cell, in the file's order
    :param meta: what was decided, ``None`` when the file cannot be read
    """

    file: str
    format: Format
    rows: pl.DataFrame
    columns: tuple[ColumnPreview, ...]
    meta: ReadMeta | None
    findings: tuple[Finding, ...]

    @property
    def unknown(self) -> tuple[ColumnPreview, ...]:
        """Columns that no field goes by."""
        return tuple(column for column in self.columns if column.taken_for is None)


def preview(
    path: Path,
    *,
    client: str = "preview",
    timezone: str = "America/El_Salvador",
    mapping: Mapping | Sequence[Mapping] | None = None,
    rows: int = ROWS,
) -> Preview:
    """Read a file as an import would, and show what it would make of it.

    :param rows: how many rows to show
    :returns: also for a file that an import would refuse; why is then a blocking finding
    :raises UnreadableFile: only for a file that cannot be opened at all

    Source: requirements of EIS Power, "Preview before import".
    """
    kind = identify(path)
    if kind is Format.DISTRIBUTOR:
        return _report(path, rows)
    refused: list[Finding] = []
    tables: list[RawTable] = []
    try:
        tables, _ = raw_tables(path, kind, settings(mapping))
        result = read(path, client=client, timezone=timezone, mapping=mapping)
    except (UnreadableFile, BadMapping) as error:
        refused.append(blocking("unreadable", path.name, str(error)))
    else:
        metas: dict[str | None, TableMeta] = {table.sheet: table for table in result.meta.tables}
        return Preview(
            file=path.name,
            format=kind,
            rows=result.frame.sort("source_row", maintain_order=True).head(rows),
            columns=tuple(column for table in tables for column in _columns(table, metas.get(table.sheet), mapping)),
            meta=result.meta,
            findings=result.findings,
        )
    return Preview(
        file=path.name,
        format=kind,
        rows=_raw(tables[0], rows) if tables else pl.DataFrame(),
        columns=tuple(column for table in tables for column in _columns(table, None, None)),
        meta=None,
        findings=tuple(refused),
    )


def _columns(
    table: RawTable, meta: TableMeta | None, mapping: Mapping | Sequence[Mapping] | None
) -> list[ColumnPreview]:
    chosen = mapping_for(table, mapping)
    roles = columns.roles(table.headers, chosen.meanings if chosen else None)
    found: list[ColumnPreview] = []
    for index, header in enumerate(table.headers):
        name = str(index)
        empty = name not in table.frame.columns or table.frame[name].null_count() == table.frame.height
        if header is None and empty:
            continue
        role = roles[index]
        label = table.label(index)
        field, why = (
            (role.field, role.why)
            if role is not None
            else (None, "not recognised; its cells are kept beside the reading")
        )
        if meta is not None:
            used = next((name for name, taken in meta.columns.items() if taken == label), None)
            if used is not None:
                field, why = used, meta.reasons.get(label, why)
            elif label in meta.unknown and role is not None:
                field, why = None, f"{role.why}, but not needed; its cells are kept beside the reading"
        found.append(
            ColumnPreview(sheet=table.sheet, position=cell(0, index)[:-1], header=header, taken_for=field, why=why)
        )
    return found


def _raw(table: RawTable, rows: int) -> pl.DataFrame:
    head = table.frame.head(rows)
    return head.rename(
        {name: f"{cell(0, int(name))[:-1]} {table.headers[int(name)] or ''}".strip() for name in head.columns}
    )


def _report(path: Path, rows: int) -> Preview:
    try:
        report = distributor.read_report(path)
    except UnreadableFile as error:
        return Preview(
            file=path.name,
            format=Format.DISTRIBUTOR,
            rows=pl.DataFrame(),
            columns=(),
            meta=None,
            findings=(blocking("unreadable", path.name, str(error)),),
        )
    frame = pl.DataFrame(
        [
            {
                "nic": row.nic,
                "customer": row.customer,
                "meter": row.meter,
                "previous": row.previous,
                "current": row.current,
                **row.kwh,
                "total_kwh": row.total_kwh,
                "max_kw": row.max_kw,
                **row.amounts,
                "total_amount": row.total_amount,
            }
            for row in report.rows[:rows]
        ]
    )
    return Preview(
        file=path.name, format=Format.DISTRIBUTOR, rows=frame, columns=(), meta=None, findings=report.findings
    )
