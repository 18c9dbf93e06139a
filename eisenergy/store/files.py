"""Files that arrived: the originals in the inbox, and the register of what became of them.

The order that survives a kill at any moment is: :func:`archive`, then ``Lake.append``, then :func:`register`. After a kill the same
file is simply taken in again: an archived original is not copied twice, ``Lake.source_loaded`` recognises a file that reached
the lake, and a registered file is skipped for good, even where a later file corrected its readings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from sqlalchemy import BigInteger, Row, Text, any_, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from eisenergy.accounts import Scope
from eisenergy.findings import Finding
from eisenergy.store import outbox, tables
from eisenergy.store.database import Database
from eisenergy.store.originals import (
    Originals,
    archive,
    archived,
    check_operator,
    copy_original,
    original,
    sha256_of,
)

__all__ = [
    "Originals",
    "ReportRow",
    "SourceFile",
    "Status",
    "archive",
    "archived",
    "copy_original",
    "original",
    "register",
    "register_all",
    "registered",
    "registered_among",
    "report_rows",
    "save_report",
    "sha256_of",
    "sizes_among",
    "sources",
]

Status = Literal["loaded", "refused"]

REPORT: Final = "distributor"
"""Kind of a file that holds no readings: a distributor's report."""
_STATEMENT: Final = 1000
"""Rows of one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file that arrived, and what became of it.

    :param sha256: of its bytes
    :param name: its name when it arrived, without folders
    :param kind: what it was read as, for example ``readings`` or ``distributor``
    :param status: ``refused`` files may be taken in again, ``loaded`` ones never
    :param received_at: UTC
    :param lake_version: version of the readings table that holds it; ``None`` where nothing was written
    :param start: UTC start of its first interval
    :param end: UTC end of its last one
    :param rows: intervals read
    """

    sha256: str
    name: str
    bytes: int
    kind: str
    status: Status
    received_at: datetime
    lake_version: int | None = None
    meters: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    rows: int = 0
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One row of a distributor's report: what the distributor says a meter took.

    :param row: row in the file, counted from 1
    :param start: first local day
    :param end: first local day after the period
    :param kwh: ``None`` where the report says nothing
    :param document: everything the row says, as JSON types
    """

    sha256: str
    row: int
    meter: str
    start: date
    end: date
    kwh: Decimal | None
    document: Mapping[str, Any]


def register(database: Database, scope: Scope, file: SourceFile) -> SourceFile:
    """Write down what became of a file; a file that is registered as loaded stays as it is.

    :returns: the entry that now stands
    :raises OutOfScope: for a scope that may not write for the whole client
    """
    register_all(database, scope, [file])
    entry = registered(database, scope, file.sha256)
    assert entry is not None
    return entry


def register_all(database: Database, scope: Scope, entries: Sequence[SourceFile]) -> None:
    """Write down what became of files, all in one transaction; one that is registered as loaded stays as it is.

    Of each whose readings are new an event is written.

    :raises OutOfScope: for a scope that may not write for the whole client
    """
    check_operator(scope)
    # One statement cannot change a row twice: of entries of one file the last counts, unless one says loaded.
    unique: dict[str, SourceFile] = {}
    for file in entries:
        before = unique.get(file.sha256)
        if before is None or before.status != "loaded":
            unique[file.sha256] = file
    rows = [
        {
            "sha256": file.sha256,
            "name": file.name,
            "bytes": file.bytes,
            "kind": file.kind,
            "status": file.status,
            "received_at": file.received_at.isoformat(),
            "lake_version": file.lake_version,
            "meters": list(file.meters),
            "starts": None if file.start is None else file.start.isoformat(),
            "ends": None if file.end is None else file.end.isoformat(),
            "rows": file.rows,
            "findings": [finding.to_dict() for finding in file.findings],
        }
        for file in unique.values()
    ]
    if not rows:
        return
    read = {file.sha256 for file in unique.values() if file.status == "loaded" and file.kind != REPORT}
    with database.session(scope) as connection:
        taken: set[str] = set()
        for at in range(0, len(rows), _STATEMENT):
            told = json.dumps(rows[at : at + _STATEMENT], ensure_ascii=False)
            taken |= set(connection.execute(_REGISTER, {"client": scope.client, "rows": told}).scalars())
        if fresh := sorted(taken & read):
            outbox.ingested(connection, scope.client, fresh, datetime.now(UTC))


_TYPES: Final = {
    "sha256": "text",
    "name": "text",
    "bytes": "bigint",
    "kind": "text",
    "status": "text",
    "received_at": "timestamptz",
    "lake_version": "bigint",
    "meters": "text[]",
    "starts": "timestamptz",
    "ends": "timestamptz",
    "rows": "bigint",
    "findings": "jsonb",
}
# One value for all rows: to find the places of ten thousand in a statement takes longer than the server needs for it.
_REGISTER: Final = text(f"""
    INSERT INTO eisenergy.source_files AS f (client, {", ".join(_TYPES)})
    SELECT :client, {", ".join(f"n.{name}" for name in _TYPES)}
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS n({", ".join(f"{name} {kind}" for name, kind in _TYPES.items())})
    ON CONFLICT (client, sha256) DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in _TYPES if name != "sha256")}
    WHERE f.status = 'refused' RETURNING f.sha256
""")


def registered(database: Database, scope: Scope, sha256: str) -> SourceFile | None:
    """Return the register's entry of a file, ``None`` when there is none."""
    return registered_among(database, scope, [sha256]).get(sha256)


def registered_among(database: Database, scope: Scope, hashes: Sequence[str]) -> dict[str, SourceFile]:
    """Return the register's entries of files, by their sha256, looked up in one query."""
    table = tables.source_files
    if not hashes:
        return {}
    with database.session(scope) as connection:
        rows = connection.execute(select(table).where(table.c.sha256 == any_(literal(list(hashes), ARRAY(Text))))).all()
    return {row.sha256: _file(row) for row in rows}


def sizes_among(database: Database, scope: Scope, sizes: Sequence[int]) -> set[int]:
    """Return which of some sizes registered files have [bytes]."""
    column = tables.source_files.c.bytes
    query = select(column).where(column == any_(literal(sorted(set(sizes)), ARRAY(BigInteger)))).distinct()
    with database.session(scope) as connection:
        return set(connection.execute(query).scalars())


def sources(database: Database, scope: Scope) -> tuple[SourceFile, ...]:
    """Return every registered file, in the order of arrival; nothing for a scope limited to customers."""
    table = tables.source_files
    with database.session(scope) as connection:
        rows = connection.execute(select(table).order_by(table.c.received_at, table.c.name, table.c.sha256)).all()
    return tuple(_file(row) for row in rows)


def save_report(database: Database, scope: Scope, rows: Iterable[ReportRow]) -> int:
    """Keep a distributor's report, whose file is registered already; rows that are there stay as they are.

    :returns: how many rows were new
    :raises OutOfScope: for a scope that may not write for the whole client
    """
    check_operator(scope)
    at = datetime.now(UTC)
    entries = [
        {
            "client": scope.client,
            "sha256": row.sha256,
            "row": row.row,
            "meter": row.meter,
            "starts": row.start,
            "ends": row.end,
            "kwh": row.kwh,
            "at": at,
            "document": dict(row.document),
        }
        for row in rows
    ]
    if not entries:
        return 0
    table = tables.distributor_reports
    with database.session(scope) as connection:
        known = {tuple(row) for row in connection.execute(select(table.c.sha256, table.c.row))}
        fresh = [entry for entry in entries if (entry["sha256"], entry["row"]) not in known]
        if fresh:
            connection.execute(upsert(table).on_conflict_do_nothing(), fresh)
    return len(fresh)


def report_rows(database: Database, scope: Scope, start: date, end: date) -> tuple[ReportRow, ...]:
    """Return the newest row per meter and period that overlaps ``[start, end)``, in order of meters.

    A later report of the same meter and period replaces the earlier one; a scope limited to customers gets nothing.
    """
    columns = tables.distributor_reports.c
    query = (
        select(tables.distributor_reports)
        .ext(distinct_on(columns.meter, columns.starts, columns.ends))
        .where(columns.starts < end, columns.ends > start)
        .order_by(columns.meter, columns.starts, columns.ends, columns.at.desc(), columns.row)
    )
    with database.session(scope) as connection:
        rows = connection.execute(query).all()
    return tuple(
        ReportRow(
            sha256=row.sha256,
            row=row.row,
            meter=row.meter,
            start=row.starts,
            end=row.ends,
            kwh=row.kwh,
            document=row.document,
        )
        for row in rows
    )


def _file(row: Row[Any]) -> SourceFile:
    return SourceFile(
        sha256=row.sha256,
        name=row.name,
        bytes=row.bytes,
        kind=row.kind,
        status=row.status,
        received_at=row.received_at.astimezone(UTC),
        lake_version=row.lake_version,
        meters=tuple(row.meters),
        start=None if row.starts is None else row.starts.astimezone(UTC),
        end=None if row.ends is None else row.ends.astimezone(UTC),
        rows=row.rows,
        findings=tuple(Finding.from_dict(finding) for finding in row.findings),
    )
