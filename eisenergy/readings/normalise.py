"""From a raw table to canonical readings: figures, stamps, grid, repeats, register, and every finding on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from eisenergy.contents import UnreadableFile
from eisenergy.findings import Finding, blocking, warning
from eisenergy.frames import MEASURED
from eisenergy.readings import cells, clock, columns, fields, meters, numbers, registers, repeats, times
from eisenergy.readings.columns import NUMBERS, Role
from eisenergy.readings.mapping import Mapping
from eisenergy.readings.model import Choice, RawTable, TableMeta

_ENERGY: Final = ("kwh_import", "kwh_export")


@dataclass(frozen=True, slots=True, kw_only=True)
class Normal:
    """One table's readings before they are checked against the nomenclature."""

    frame: pl.DataFrame
    meta: TableMeta
    findings: tuple[Finding, ...]


def normalise(table: RawTable, *, client: str, timezone: str, mapping: Mapping | None, sha256: str) -> Normal:
    """Read a raw table.

    :param client: the tenant's code
    :param timezone: the file's time zone, unless the mapping names one
    :param sha256: of the file's bytes
    :raises UnreadableFile: when it cannot be read in one way only
    """
    setting = mapping or Mapping(name="")
    roles = columns.roles(table.headers, setting.meanings)
    if not columns.is_header(roles):
        raise UnreadableFile(
            f"{table.place}, row {table.header_row + 1}: only a mapping for other files knows these headers "
            f"({', '.join(header for header in table.headers if header)}). Expected a date or timestamp column and an energy "
            "column. Widen that mapping's match, or write one for this file."
        )
    identity, findings = meters.identify(
        file=table.file,
        sheet=table.sheet,
        above=table.above,
        inside=_serials(table, roles),
        mapped=setting.meter,
        place=table.place,
    )
    zone = setting.timezone or timezone
    blocks = columns.blocks(roles)
    decimal = _decimal(table, roles, setting)
    stamped = times.stamps(table, roles, blocks, setting, identity.meter)
    findings += stamped.findings
    parts: list[pl.DataFrame] = []
    chosen = fields.Fields()
    for block, stamps in zip(blocks, stamped.parts, strict=True):
        part, chosen, more = _part(table, roles, block, stamps, decimal.value, identity.meter, setting)
        findings += more
        parts.append(part)
    frame = pl.concat(parts, how="diagonal_relaxed")
    minutes = int(stamped.interval.value)
    frame = clock.to_utc(frame, stamped.convention.value, minutes, zone)
    findings += clock.grid_findings(frame, table, identity.meter, zone)
    frame = _derive(frame.filter(pl.col("start").is_not_null()), setting, minutes)
    frame, more = repeats.dropped(frame, table, identity.meter, zone)
    findings += more
    frame, more = clock.to_slots(frame, minutes, setting.split, table, identity.meter)
    findings += more
    frame = frame.sort("start")
    if {"kwh_import", "register_kwh"} <= set(frame.columns):
        frame, more = registers.check(frame, table, identity.meter)
        findings += more
    frame, more = _signs(frame, table, identity.meter, chosen, setting)
    findings += more
    if "kwh_import" not in frame.columns:
        findings.append(
            warning(
                "no-energy-taken",
                identity.meter,
                f"{table.place}: no column holds energy taken, only energy fed in. Expected both from a meter that is billed. "
                "Ask whether the other channel was left out of the download.",
            )
        )
    frame = frame.with_columns(
        client=pl.lit(client),
        meter=pl.lit(identity.meter),
        quality=pl.lit(MEASURED),
        source=pl.lit(sha256),
        source_row=pl.col("row"),
    ).drop("index", "row", "stamp", "offset", "off_grid")
    used = {**stamped.columns, **chosen.columns}
    unknown = [column for column in range(len(table.headers)) if column not in used_columns(table, roles, blocks, used)]
    meta = TableMeta(
        sheet=table.sheet,
        header_row=table.header_row + 1,
        meter=identity.meter,
        meter_from=identity.origin,
        node=identity.node,
        columns={name: table.label(column) for name, column in used.items()},
        reasons={table.label(column): why for column, why in {**stamped.reasons, **chosen.reasons}.items()},
        unknown=tuple(
            table.label(column) for column in unknown if table.headers[column] or not cells.is_empty(table, column)
        ),
        encoding=table.encoding,
        separator=table.separator,
        decimal=decimal,
        date_order=stamped.order,
        stamp=stamped.convention,
        interval=stamped.interval,
        timezone=Choice(
            value=zone, why="the mapping says so" if setting.timezone else "the setting of the file's client"
        ),
        mapping=mapping.name if mapping is not None else None,
        rows_read=table.frame.height,
        rows_used=frame.height,
    )
    return Normal(frame=frame, meta=meta, findings=tuple(findings))


def used_columns(
    table: RawTable, roles: Sequence[Role | None], blocks: Sequence[Sequence[int]], used: dict[str, int]
) -> set[int]:
    """Columns that found a place: of tables side by side, those of every table that go by a used header."""
    result = set(used.values())
    result |= {c for c, role in enumerate(roles) if role is not None and role.field in ("meter", "node", "block")}
    if len(blocks) > 1:
        headers = {table.headers[column] for column in result} - {None}
        result |= {column for block in blocks for column in block if table.headers[column] in headers}
    return result


def _serials(table: RawTable, roles: Sequence[Role | None]) -> list[str]:
    found: list[str] = []
    for column, role in enumerate(roles):
        if role is not None and role.field == "meter" and not cells.is_empty(table, column):
            values = numbers.clean(table.frame[str(column)].cast(pl.String)).drop_nulls().unique(maintain_order=True)
            found += [value.removesuffix(".0") for value in values]
    return list(dict.fromkeys(found))


def _decimal(table: RawTable, roles: Sequence[Role | None], setting: Mapping) -> Choice:
    written: list[pl.Series] = []
    for column, role in enumerate(roles):
        if role is None or role.field not in NUMBERS or str(column) not in table.frame.columns:
            continue
        series = table.frame[str(column)]
        if series.dtype == pl.String:
            written.append(numbers.clean(series))
        elif series.null_count():
            written.append(numbers.clean(table.text(column)).filter(series.is_null()))
    return numbers.decimal_sign(written, table.separator, setting.decimal, table.place)


def _part(
    table: RawTable,
    roles: Sequence[Role | None],
    block: Sequence[int],
    stamps: pl.DataFrame,
    decimal: str,
    meter: str,
    setting: Mapping,
) -> tuple[pl.DataFrame, fields.Fields, list[Finding]]:
    """Read one of the tables that stand side by side: its stamped rows with their figures and what else they hold."""
    keep = stamps["index"]
    order = stamps["stamp"].arg_sort()
    read = {
        column: cells.figures_of(table, column, decimal)
        for column in block
        if (role := roles[column]) is not None and role.field in NUMBERS and str(column) in table.frame.columns
    }
    figures = {column: values.gather(keep) for column, (values, _) in read.items()}
    chosen = fields.choose(
        roles,
        block,
        {column: values.gather(order) for column, values in figures.items()},
        table,
        meter,
        setting.kwh_from,
    )
    findings = list(chosen.findings)
    data: dict[str, pl.Series] = {}
    for name, column in chosen.columns.items():
        data[name] = figures[column]
        findings += cells.check(table, column, name, keep, figures[column], read[column][1].gather(keep), meter)
    part = stamps.with_columns(series.alias(name) for name, series in data.items())
    used = set(chosen.columns.values()) | {
        column
        for column in block
        if (role := roles[column]) is not None and role.field in (*columns.TIMES, "meter", "node")
    }
    by_role = {role.field: column for column in reversed(block) if (role := roles[column]) is not None}
    if "block" in by_role:
        blocks = table.frame[str(by_role["block"])].cast(pl.String).gather(keep)
        part = part.with_columns(blocks.alias("block_in_file"))
        used.add(by_role["block"])
    if "status" in by_role:
        findings += cells.alarms(table, by_role["status"], keep, meter)
    hours = [
        c
        for c in block
        if c not in times.used(table, roles, block).values() and (r := roles[c]) and r.field in columns.TIMES
    ]
    extra = cells.extra(table, [column for column in block if column not in used or column in hours], keep, decimal)
    if extra is not None:
        part = part.with_columns(extra.alias("extra"))
    measured = [name for name in ("kwh_import", "kwh_export", "register_kwh", "kw") if name in part.columns]
    empty = part.filter(pl.all_horizontal(pl.col(name).is_null() for name in measured))
    if empty.height:
        if empty.height == part.height:
            raise UnreadableFile(
                f"{table.where(int(empty['index'][0]))}: no row has a readable figure in {', '.join(map(repr, (table.label(c) for c in chosen.columns.values())))}. "
                + (findings[0].message if findings else "Expected readings below the header. Download the file again.")
            )
        findings.append(
            warning(
                "empty-reading",
                meter,
                f"{table.where(int(empty['index'][0]))}: {empty.height} row(s) have a time and no reading; their slots count as missing.",
                count=empty.height,
                first_row=int(empty["row"][0]),
            )
        )
        part = part.filter(pl.any_horizontal(pl.col(name).is_not_null() for name in measured))
    return part, chosen, findings


def _derive(frame: pl.DataFrame, setting: Mapping, minutes: int) -> pl.DataFrame:
    if "kwh_import" in frame.columns:
        return frame
    if setting.kwh_from == "kw":
        return frame.with_columns(kwh_import=pl.col("kw") * (minutes / 60))
    if setting.kwh_from == "register_kwh":
        ordered = frame.sort("start", maintain_order=True).unique("start", keep="first", maintain_order=True)
        near = pl.col("start").diff() == pl.duration(minutes=minutes)
        return ordered.with_columns(kwh_import=pl.when(near).then(pl.col("register_kwh").diff())).filter(
            pl.col("kwh_import").is_not_null()
        )
    return frame


def _signs(
    frame: pl.DataFrame, table: RawTable, meter: str, chosen: fields.Fields, setting: Mapping
) -> tuple[pl.DataFrame, list[Finding]]:
    """Report negative energy; part a net column where the mapping says that it is one."""
    if setting.signed and "kwh_import" in frame.columns and "kwh_export" not in frame.columns:
        net = pl.col("kwh_import")
        frame = frame.with_columns(kwh_export=(-net).clip(lower_bound=0.0), kwh_import=net.clip(lower_bound=0.0))
    found: list[Finding] = []
    for name in _ENERGY:
        if name not in frame.columns:
            continue
        below = frame.filter(pl.col(name) < 0)
        if below.is_empty():
            continue
        first: dict[str, Any] = below.row(0, named=True)
        found.append(
            blocking(
                "negative-kwh",
                meter,
                f"{table.where(first['index'], chosen.columns.get(name))}: found {first[name]} kWh for {name} ({below.height} such row(s)). "
                "Expected zero or more. Correct the cell; if the column is net energy, say signed: true in a mapping.",
                count=below.height,
                first_row=first["row"],
                value=first[name],
            )
        )
    return frame, found
