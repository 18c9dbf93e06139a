"""What a worker does with a batch of files: keep the originals, read them, write their readings beside the table.

Nothing here touches the database, and nothing becomes a reading: that is decided, and registered, by :mod:`eisenergy.run.intake` for the
whole load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final

import polars as pl

from eisenergy import unpacked
from eisenergy.accounts import Scope
from eisenergy.config import Settings
from eisenergy.contents import UnreadableFile
from eisenergy.findings import Finding, blocked, blocking
from eisenergy.frames import READINGS
from eisenergy.readings import (
    BadMapping,
    DistributorReport,
    Format,
    Mapping,
    ReadResult,
    RegularFile,
    gathered,
    identify,
    read_any,
    read_regular,
    read_report,
)
from eisenergy.store import loading
from eisenergy.store.lake import Lake
from eisenergy.store.loading import Part, Span
from eisenergy.store.originals import Originals

QUICK_BYTES: Final = 1 << 20
"""Files from which on the quick way is taken: to load what is compiled for it costs as much as reading a megabyte without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Files for one worker.

    :param number: the batch's place in the load
    :param meters: those that belong to a customer
    :param ordinal: the load's, ``None`` where parts cannot be written beside the table
    :param folder: for what is passed on but not yet written to the table
    :param quick: whether regular files are read the quick way, see :data:`QUICK_BYTES`
    """

    number: int
    settings: Settings
    scope: Scope
    timezone: str
    meters: frozenset[str]
    mappings: tuple[Mapping, ...]
    ordinal: int | None
    folder: Path
    paths: tuple[Path, ...]
    quick: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One file as a worker found it.

    :param status: ``readings``, ``refused`` or ``report``
    :param spans: which time of which meter it has readings for
    """

    path: Path
    sha256: str
    bytes: int
    status: str
    kind: str
    meters: tuple[str, ...] = ()
    rows: int = 0
    spans: tuple[Span, ...] = ()
    findings: tuple[Finding, ...] = ()
    report: DistributorReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of a batch.

    :param parts: written beside the table, of the files whose intervals the table has no row for
    :param held: file with the readings that have to be compared with others first, in the order of the files; ``None`` where there are none
    :param compare: sha256 of the files those are of
    """

    number: int
    arrivals: tuple[Arrival, ...]
    parts: tuple[Part, ...]
    held: Path | None
    compare: frozenset[str]


def take(batch: Batch) -> Taken:
    """Keep and read a batch of files, and write their readings where nothing reads them yet.

    :raises OSError: when a file cannot be read, or the workspace not be written to
    """
    unpacked.limit(batch.settings.unpacked)
    arrivals: list[Arrival] = []
    readings: dict[str, ReadResult | RegularFile] = {}
    with Originals(batch.settings, batch.scope) as originals:
        for path in batch.paths:
            sha256, data = originals.keep(path)
            outcome = _read(batch, path, data, sha256)
            if isinstance(outcome, Arrival):
                arrival = replace(outcome, sha256=sha256, bytes=len(data))
            else:
                arrival = _arrival(path, len(data), outcome)
                readings.setdefault(sha256, outcome)
            arrivals.append(arrival)
        originals.settle()
    return _written(batch, arrivals, readings)


def _written(batch: Batch, arrivals: Sequence[Arrival], readings: dict[str, ReadResult | RegularFile]) -> Taken:
    lake = Lake(batch.settings.lake, lambda _: ())
    spans = [span for arrival in {one.sha256: one for one in arrivals}.values() for span in arrival.spans]
    if batch.ordinal is None:
        compare = set(readings)
    else:
        compare = loading.meeting(spans)
        compare |= loading.there(lake, batch.scope, [span for span in spans if span.source not in compare])
    fresh = [one for sha256, one in readings.items() if sha256 not in compare]
    parts: tuple[Part, ...] = ()
    if fresh and batch.ordinal is not None:
        months = gathered.by_month([one.readings for one in fresh if isinstance(one, RegularFile)])
        frames = [gathered.frame(members, coded=True) for members in months.values()]
        frames += [one.frame for one in fresh if isinstance(one, ReadResult)]
        parts = loading.stage(lake, batch.scope, frames, batch.ordinal)
    held = None
    if compare:
        held = batch.folder / f"{batch.number}.parquet"
        _joined([one for sha256, one in readings.items() if sha256 in compare]).write_parquet(held)
    return Taken(number=batch.number, arrivals=tuple(arrivals), parts=parts, held=held, compare=frozenset(compare))


def _joined(readings: Sequence[ReadResult | RegularFile]) -> pl.DataFrame:
    """The readings of files in one frame, in their order."""
    frames = []
    for is_regular, members in groupby(readings, key=lambda one: isinstance(one, RegularFile)):
        if is_regular:
            frames.append(gathered.frame([one.readings for one in members if isinstance(one, RegularFile)]))
        else:
            frames += [one.frame for one in members if isinstance(one, ReadResult)]
    return pl.concat(frames)


def _arrival(path: Path, size: int, result: ReadResult | RegularFile) -> Arrival:
    if isinstance(result, RegularFile):
        own = result.readings
        ends = [(own.meter, _instant(own.start[0]), _instant(own.start[-1]))]
        rows, findings = len(own.start), own.findings
    else:
        by_meter = result.frame.group_by("meter", maintain_order=True)
        ends = list(by_meter.agg(first=pl.col("start").min(), last=pl.col("start").max()).iter_rows())
        rows, findings = len(result.frame), result.findings
    return Arrival(
        path=path,
        sha256=result.meta.sha256,
        bytes=size,
        status="readings",
        kind=result.meta.format.value,
        meters=result.meta.meters,
        rows=rows,
        spans=tuple(
            Span(source=result.meta.sha256, meter=meter, first=first, last=last) for meter, first, last in ends
        ),
        findings=findings,
    )


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(microseconds))


def _read(batch: Batch, path: Path, data: bytes, sha256: str) -> ReadResult | RegularFile | Arrival:
    """Read one file: a result that may be written, or what it is instead."""
    kind = "unknown"
    client = batch.scope.client
    try:
        quick = None
        if batch.quick:
            quick = read_regular(
                path, client=client, timezone=batch.timezone, mapping=batch.mappings, data=data, sha256=sha256
            )
        result: ReadResult | RegularFile
        if quick is not None:
            result, noticed = quick, quick.readings.findings
        else:
            form = identify(path)
            kind = form.value
            if form is Format.DISTRIBUTOR:
                return _of_report(path, read_report(path))
            result = read_any(path, client=client, timezone=batch.timezone, mapping=batch.mappings)
            noticed = result.findings
    except (UnreadableFile, BadMapping) as problem:
        text = _master(path) or str(problem)
        return _refused(path, kind, (blocking("unreadable-file", path.name, text),))
    findings = [
        *noticed,
        *(
            blocking(
                "unknown-meter",
                meter,
                f"{path.name}: meter {meter} belongs to no customer of {client}. Import the customer list that "
                "names it with `eisenergy customers import FILE`, then ingest this file again.",
            )
            for meter in result.meta.meters
            if meter not in batch.meters
        ),
    ]
    if blocked(findings):
        return _refused(path, result.meta.format.value, tuple(findings), result.meta.meters)
    return result


def _of_report(path: Path, report: DistributorReport) -> Arrival:
    if blocked(report.findings):
        return _refused(path, Format.DISTRIBUTOR.value, report.findings)
    return Arrival(
        path=path,
        sha256="",
        bytes=0,
        status="report",
        kind=Format.DISTRIBUTOR.value,
        meters=tuple(row.meter for row in report.rows),
        rows=len(report.rows),
        findings=report.findings,
        report=report,
    )


def _refused(path: Path, kind: str, findings: tuple[Finding, ...], meters: tuple[str, ...] = ()) -> Arrival:
    return Arrival(path=path, sha256="", bytes=0, status="refused", kind=kind, meters=meters, findings=findings)


def _master(path: Path) -> str | None:
    """Say what a file is that holds no readings but master data, and which command imports it."""
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return None
    # Loaded here, for a file that no reader knew: half a second that no other load has to wait.
    from eisenergy.masters import calendars, customers
    from eisenergy.tariffs import load as tariffs
    from eisenergy.timeofuse import CalendarError

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


def held(taken: Iterable[Taken]) -> pl.DataFrame:
    """Readings that have to be compared, in the order of the files."""
    found = [pl.read_parquet(one.held) for one in taken if one.held is not None]
    return pl.concat(found) if found else pl.DataFrame(schema=READINGS)
