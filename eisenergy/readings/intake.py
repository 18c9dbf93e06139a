"""Which format a file has, and its readings."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from eisenergy.contents import ZIP, Content, UnreadableFile, content, is_spreadsheet_name, kind_of
from eisenergy.findings import Finding, info
from eisenergy.frames import conform
from eisenergy.readings import delimited, distributor, gathered, regular, regularsheet, spreadsheet
from eisenergy.readings.mapping import BadMapping, Mapping, pick
from eisenergy.readings.model import Format, RawTable, ReadMeta, ReadResult
from eisenergy.readings.normalise import Normal, normalise


def identify(path: Path) -> Format:
    """Say what a file holds, by its content.

    :raises UnreadableFile: when it is missing, empty, damaged, protected, or another kind than its name says
    """
    if _is_text(path):
        return Format.DELIMITED
    return Format.DISTRIBUTOR if distributor.recognises(path) else Format.SPREADSHEET


def _is_text(path: Path) -> bool:
    kind = content(path)
    if kind is Content.TEXT and is_spreadsheet_name(path):
        raise UnreadableFile(
            f"{path.name} is text, not a workbook, whatever its name says: expected {path.suffix} to be a spreadsheet. "
            "If it is a table with separators, rename it to .csv and load it again."
        )
    return kind is Content.TEXT


def settings(mapping: Mapping | Sequence[Mapping] | None) -> tuple[Mapping, ...]:
    """Return the mappings to choose from."""
    if mapping is None:
        return ()
    return (mapping,) if isinstance(mapping, Mapping) else tuple(mapping)


def raw_tables(path: Path, kind: Format, mappings: Sequence[Mapping]) -> tuple[list[RawTable], list[Finding]]:
    """Read the tables of a file, nothing in them interpreted."""
    if kind is Format.DELIMITED:
        return delimited.tables(path, mappings), []
    try:
        tables, others = spreadsheet.tables(path, mappings)
    except UnreadableFile:
        if not distributor.recognises(path):
            raise
        raise UnreadableFile(
            f"{path.name} is a distributor's report, not a meter's readings. Expected interval readings. "
            "It is compared with ours; nothing in it is imported as a reading."
        ) from None
    return tables, [
        info(
            "sheet-ignored",
            path.name,
            f"{path.name}, sheet {name}: holds no readings and was left out.",
            sheet=name,
        )
        for name in others
    ]


def mapping_for(table: RawTable, mapping: Mapping | Sequence[Mapping] | None) -> Mapping | None:
    """Return the mapping for a table: the one given, or of several the one that fits."""
    if isinstance(mapping, Mapping):
        return mapping
    return pick(mapping or (), table.file, table.sheet, [header for header in table.headers if header])


def read(
    path: Path,
    *,
    client: str,
    timezone: str = "America/El_Salvador",
    mapping: Mapping | Sequence[Mapping] | None = None,
) -> ReadResult:
    """Read a file of meter readings.

    :param client: the tenant's code
    :param timezone: IANA name of the file's local time, unless its mapping names another
    :param mapping: how to read it where it does not say so itself; of several the one that fits is taken
    :returns: readings in the columns of ``frames.READINGS``, ordered by meter and time, with what was decided and noticed
    :raises UnreadableFile: when it cannot be read, or can be read in two ways
    :raises BadMapping: when two mappings claim it

    Source: requirements of EIS Power, "Files that arrive".
    """
    quick = (
        None if isinstance(mapping, Mapping) else read_regular(path, client=client, timezone=timezone, mapping=mapping)
    )
    return quick.result() if quick is not None else read_any(path, client=client, timezone=timezone, mapping=mapping)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegularFile:
    """A file whose one table is regular.

    :param readings: to be put into a frame by :func:`eisenergy.readings.gathered.frame`, alone or with others
    """

    meta: ReadMeta
    readings: gathered.Regular

    def result(self) -> ReadResult:
        """Return the file's readings as :func:`read` does."""
        return ReadResult(frame=gathered.frame([self.readings]), meta=self.meta, findings=self.readings.findings)


def read_regular(
    path: Path,
    *,
    client: str,
    timezone: str,
    mapping: Sequence[Mapping] | None = None,
    data: bytes | None = None,
    sha256: str | None = None,
) -> RegularFile | None:
    """Read a file whose one table is regular: as :func:`read_any` does, in a twentieth of the time.

    :param data: the file's bytes, where the caller has them; likewise their ``sha256``
    :returns: ``None`` for any other file, and for one that a mapping is for
    """
    mappings = settings(mapping)
    try:
        data = path.read_bytes() if data is None else data
        form = Format.DELIMITED
        if data.startswith(ZIP):  # whatever is no workbook has no table, so nobody need look first
            form, table = Format.SPREADSHEET, regularsheet.table(path.name, data, mappings)
        elif is_spreadsheet_name(path) or kind_of(path, data[:4096]) is not Content.TEXT:
            table = None
        else:
            table = delimited.regular_table(path.name, data, mappings)
        if table is None or pick(mappings, path.name, table.sheet, [header for header in table.headers if header]):
            return None
    except (
        OSError,
        UnreadableFile,
        BadMapping,
        UnicodeDecodeError,
    ):  # a mark may promise an encoding that the rest is not in
        return None
    sha256 = sha256 or hashlib.sha256(data).hexdigest()
    readings = regular.normal(table, client=client, timezone=timezone, sha256=sha256)
    if readings is None:
        return None
    meta = ReadMeta(format=form, sha256=sha256, file=path.name, timezone=timezone, tables=(readings.meta,))
    return RegularFile(meta=meta, readings=readings)


def read_any(
    path: Path,
    *,
    client: str,
    timezone: str = "America/El_Salvador",
    mapping: Mapping | Sequence[Mapping] | None = None,
) -> ReadResult:
    """Read a file however it is laid out; see :func:`read`."""
    kind = Format.DELIMITED if _is_text(path) else Format.SPREADSHEET
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    tables, findings = raw_tables(path, kind, settings(mapping))
    normal: list[Normal] = [
        normalise(table, client=client, timezone=timezone, mapping=mapping_for(table, mapping), sha256=sha256)
        for table in tables
    ]
    for one in normal:
        findings += one.findings
    seen: dict[str, str | None] = {}
    for one in normal:
        if one.meta.meter in seen:
            raise UnreadableFile(
                f"{path.name}: the sheets {seen[one.meta.meter]!r} and {one.meta.sheet!r} both hold meter {one.meta.meter}. "
                "Expected one sheet per meter. Join them, or remove one, and load the file again."
            )
        seen[one.meta.meter] = one.meta.sheet
    frame = conform(pl.concat([one.frame for one in normal], how="diagonal_relaxed").sort("meter", "start"))
    meta = ReadMeta(
        format=kind, sha256=sha256, file=path.name, timezone=timezone, tables=tuple(one.meta for one in normal)
    )
    return ReadResult(frame=frame, meta=meta, findings=tuple(findings))
