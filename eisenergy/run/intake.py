"""Take files in: archive the original, read it, write its readings, register what became of it.

In this order a kill at any moment leaves the old state or the new one, and the same command completes it. The readings of a batch
of files are one write to the lake; a file that is refused leaves nothing behind but its original and the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from eisenergy.accounts import Client, Scope
from eisenergy.desk.workspace import Workspace
from eisenergy.findings import Finding, blocked, blocking
from eisenergy.frames import SLOT_MINUTES
from eisenergy.masters import calendars, codec, customers
from eisenergy.readings import (
    BadMapping,
    DistributorReport,
    Format,
    Mapping,
    ReadResult,
    identify,
    load_mappings,
    read,
    read_report,
)
from eisenergy.sheets import UnreadableFile
from eisenergy.store import files, masters
from eisenergy.store.files import ReportRow, SourceFile
from eisenergy.tariffs import load as tariffs
from eisenergy.timeofuse import CalendarError

BATCH_ROWS: Final = 2_000_000
"""Readings written at once; 500 MB of memory at the most."""

SUFFIXES: Final = {".csv", ".tsv", ".txt", ".xls", ".xlsx", ".xlsm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """What became of one file.

    :param status: ``loaded``, ``known`` (loaded before, nothing done), ``refused`` or ``reported`` (a distributor's report)
    :param rows: intervals read
    """

    path: Path
    status: str
    kind: str
    meters: tuple[str, ...] = ()
    rows: int = 0
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What taking files in came to.

    :param added: intervals that were not there before
    :param superseded: intervals that replace earlier readings
    :param unchanged: intervals that were there already
    :param version: version of the readings table afterwards
    """

    files: tuple[FileOutcome, ...]
    added: int
    superseded: int
    unchanged: int
    version: int


class NothingToIngest(LookupError):
    """No file at the paths given."""


def gather(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the files to take in: those named, and below folders every file that may hold readings, in order of names.

    :raises NothingToIngest: when a path does not exist or a folder holds no such file
    """
    result: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                entry
                for entry in path.rglob("*")
                if entry.is_file()
                and entry.suffix.lower() in SUFFIXES
                and not any(part.startswith((".", "~$")) for part in entry.relative_to(path).parts)
            )
            if not inside:
                raise NothingToIngest(
                    f"{path}: no file ending in {', '.join(sorted(SUFFIXES))}. Name the folder of the downloads."
                )
            result += inside
        elif path.is_file():
            result.append(path)
        else:
            raise NothingToIngest(f"{path}: no such file or folder")
    return tuple(dict.fromkeys(result))


def ingest(
    workspace: Workspace,
    scope: Scope,
    paths: Sequence[Path],
    *,
    step: Callable[[str], None] = lambda _: None,
) -> IngestReport:
    """Take files in. One that is refused does not stop the others.

    :param paths: files, see :func:`gather`
    :param step: called with each file's name when it was read
    :raises BadMapping: when the mappings under ``params/mappings`` cannot be read
    """
    client = masters.client(workspace.database, scope)
    known_meters = masters.meters(workspace.database, scope)
    mappings = load_mappings(workspace.settings.params / "mappings")
    outcomes: dict[Path, FileOutcome] = {}
    batch: list[tuple[Path, ReadResult]] = []
    added = superseded = unchanged = 0

    def flush() -> None:
        nonlocal added, superseded, unchanged
        if not batch:
            return
        commit = workspace.lake.append(scope, pl.concat([result.frame for _, result in batch]))
        added, superseded, unchanged = (
            added + commit.added,
            superseded + commit.superseded,
            unchanged + commit.unchanged,
        )
        for path, result in batch:
            files.register(workspace.database, scope, _entry(path, result, commit.version))
            outcomes[path] = FileOutcome(
                path=path,
                status="loaded",
                kind=result.meta.format.value,
                meters=result.meta.meters,
                rows=len(result.frame),
                findings=result.findings,
            )
        batch.clear()

    for path in paths:
        outcome = _read_one(workspace, scope, client, known_meters, mappings, path)
        if isinstance(outcome, ReadResult):
            batch.append((path, outcome))
            if sum(len(result.frame) for _, result in batch) >= BATCH_ROWS:
                flush()
        else:
            outcomes[path] = outcome
        step(path.name)
    flush()
    return IngestReport(
        files=tuple(outcomes[path] for path in paths),
        added=added,
        superseded=superseded,
        unchanged=unchanged,
        version=workspace.lake.version(),
    )


def _read_one(
    workspace: Workspace,
    scope: Scope,
    client: Client,
    known_meters: frozenset[str],
    mappings: Sequence[Mapping],
    path: Path,
) -> ReadResult | FileOutcome:
    """Archive and read one file; a result that may be written, or an outcome that is final."""
    sha256 = files.archive(workspace.settings, scope, path)
    before = files.registered(workspace.database, scope, sha256)
    if before is not None and before.status == "loaded":
        return FileOutcome(
            path=path,
            status="known",
            kind=before.kind,
            meters=before.meters,
            rows=before.rows,
            findings=before.findings,
        )
    kind = "unknown"
    try:
        form = identify(path)
        kind = form.value
        if form is Format.DISTRIBUTOR:
            return _report(workspace, scope, path, sha256, read_report(path))
        result = read(path, client=client.code, timezone=client.timezone, mapping=mappings)
    except (UnreadableFile, BadMapping) as problem:
        text = _master(path) or str(problem)
        return _refused(workspace, scope, path, sha256, kind, (blocking("unreadable-file", path.name, text),))
    findings = [
        *result.findings,
        *(
            blocking(
                "unknown-meter",
                meter,
                f"{path.name}: meter {meter} belongs to no customer of {client.code}. Import the customer list that "
                "names it with `eisenergy customers import FILE`, then ingest this file again.",
            )
            for meter in result.meta.meters
            if meter not in known_meters
        ),
    ]
    if blocked(findings):
        return _refused(workspace, scope, path, sha256, kind, tuple(findings), result.meta.meters)
    return result


def _master(path: Path) -> str | None:
    """Say what a file is that holds no readings but master data, and which command imports it."""
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return None
    readers: tuple[tuple[str, str, Callable[[], object]], ...] = (
        ("a customer list", "customers import", lambda: customers.read(path)),
        ("a price sheet", "tariffs import", lambda: tariffs.read_spreadsheet(path)),
        ("a calendar of blocks", "calendar import", lambda: calendars.read_spreadsheet(path, "calendar")),
    )
    for what, command, attempt in readers:
        try:
            attempt()
        except (UnreadableFile, CalendarError):
            continue
        return f"{path.name} is {what}, not a meter's readings. Import it with `eisenergy {command} FILE`."
    return None


def _report(workspace: Workspace, scope: Scope, path: Path, sha256: str, report: DistributorReport) -> FileOutcome:
    """Keep a distributor's report, to be compared with our own readings."""
    if blocked(report.findings):
        return _refused(workspace, scope, path, sha256, Format.DISTRIBUTOR.value, report.findings)
    start, end = report.period.start, report.period.end
    entry = SourceFile(
        sha256=sha256,
        name=path.name,
        bytes=path.stat().st_size,
        kind=Format.DISTRIBUTOR.value,
        status="refused",
        received_at=datetime.now(UTC),
        meters=tuple(row.meter for row in report.rows),
        rows=len(report.rows),
        findings=report.findings,
    )
    files.register(workspace.database, scope, entry)
    files.save_report(
        workspace.database,
        scope,
        [
            ReportRow(
                sha256=sha256,
                row=number,
                meter=row.meter,
                start=start,
                end=end,
                kwh=row.total_kwh,
                document=codec.dump(row),
            )
            for number, row in enumerate(report.rows, 1)
        ],
    )
    files.register(workspace.database, scope, replace(entry, status="loaded"))
    return FileOutcome(
        path=path,
        status="reported",
        kind=entry.kind,
        meters=entry.meters,
        rows=entry.rows,
        findings=report.findings,
    )


def _refused(
    workspace: Workspace,
    scope: Scope,
    path: Path,
    sha256: str,
    kind: str,
    findings: tuple[Finding, ...],
    meters: tuple[str, ...] = (),
) -> FileOutcome:
    files.register(
        workspace.database,
        scope,
        SourceFile(
            sha256=sha256,
            name=path.name,
            bytes=path.stat().st_size,
            kind=kind,
            status="refused",
            received_at=datetime.now(UTC),
            meters=meters,
            findings=findings,
        ),
    )
    return FileOutcome(path=path, status="refused", kind=kind, meters=meters, findings=findings)


def _entry(path: Path, result: ReadResult, version: int) -> SourceFile:
    stamps = result.frame["start"]
    return SourceFile(
        sha256=result.meta.sha256,
        name=path.name,
        bytes=path.stat().st_size,
        kind=result.meta.format.value,
        status="loaded",
        received_at=datetime.now(UTC),
        lake_version=version,
        meters=result.meta.meters,
        start=_instant(stamps.min()),
        end=_instant(stamps.max(), SLOT_MINUTES),
        rows=len(result.frame),
        findings=result.findings,
    )


def _instant(value: object, minutes: int = 0) -> datetime | None:
    return value + timedelta(minutes=minutes) if isinstance(value, datetime) else None
