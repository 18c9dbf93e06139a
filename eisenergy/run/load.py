"""One load of files: what is known, what arrived, what becomes readings of the table at once and what is compared first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from eisenergy.accounts import Scope
from eisenergy.desk.workspace import Workspace
from eisenergy.findings import Finding
from eisenergy.frames import SLOT_MINUTES
from eisenergy.masters import codec
from eisenergy.readings import load_mappings
from eisenergy.run import taking
from eisenergy.run.taking import Arrival, Batch, Taken
from eisenergy.store import files, loading, masters, uploads
from eisenergy.store.files import ReportRow, SourceFile
from eisenergy.store.loading import Span

BATCH_BYTES: Final = 48 << 20
"""What one worker takes at a time: half a gigabyte of memory at the most."""

SIZES_FROM: Final = 64
"""Files from which on their sizes are looked up first: the register has no index of these."""

COMPARED_ROWS: Final = 2_000_000
"""Readings compared with the table at once."""


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


class Load:
    """One load: what is known, what arrived, and what it came to."""

    def __init__(self, workspace: Workspace, scope: Scope, folder: Path) -> None:
        self.folder = folder
        self.workspace = workspace
        self.scope = scope
        self.client = masters.client(workspace.database, scope)
        self.meters = masters.meters(workspace.database, scope)
        self.mappings = (
            *uploads.mappings(workspace.database, scope),
            *load_mappings(workspace.settings.params / "mappings"),
        )
        self.outcomes: dict[Path, FileOutcome] = {}
        self.again: dict[Path, Path] = {}
        self.pending: list[Taken] = []
        self.rows = self.added = self.superseded = self.unchanged = 0

    def known(self, paths: Sequence[Path], step: Callable[[str], None]) -> list[Path]:
        """Hash the files and look them up; return those that have to be read."""
        doubtful = self._doubtful(paths)
        with ThreadPoolExecutor(self.workspace.settings.workers) as threads:
            hashes = dict(zip(doubtful, threads.map(files.sha256_of, doubtful), strict=True))
        before = files.registered_among(self.workspace.database, self.scope, sorted(set(hashes.values())))
        new: dict[str | Path, Path] = {}
        for path in paths:
            if path not in hashes:
                new[path] = path
                continue
            entry = before.get(hashes[path])
            kept = entry is not None and files.archived(
                self.workspace.settings, self.scope, entry.sha256, path.stat().st_size
            )
            if entry is None or entry.status != "loaded" or not kept:
                if hashes[path] in new:  # the same bytes under another name
                    self.again[path] = new[hashes[path]]
                    step(path.name)
                new.setdefault(hashes[path], path)
                continue
            self._say_known(path, entry)
            step(path.name)
        return list(new.values())

    def _doubtful(self, paths: Sequence[Path]) -> Sequence[Path]:
        """The files that may be known: of a size that another one has, here or in the register. The others are hashed once, by who reads them."""
        if len(paths) < SIZES_FROM:
            return paths
        sizes = [path.stat().st_size for path in paths]
        known = files.sizes_among(self.workspace.database, self.scope, sizes)
        often = Counter(sizes)
        return [path for path, size in zip(paths, sizes, strict=True) if often[size] > 1 or size in known]

    def _say_known(self, path: Path, entry: SourceFile) -> None:
        self.outcomes[path] = FileOutcome(
            path=path,
            status="known",
            kind=entry.kind,
            meters=entry.meters,
            rows=entry.rows,
            findings=entry.findings,
        )

    def batches(self, paths: Sequence[Path], batch_files: int, first_files: Sequence[int], workers: int) -> list[Batch]:
        """Cut the files into batches, in their order: every worker has something to do, and none has too much at once.

        :param batch_files: files of a batch at the most
        :param first_files: of the first ones
        :param workers: how many there may be
        """
        most = max(1, min(batch_files, -(-len(paths) // (2 * workers))))
        can = loading.can_stage(self.workspace.lake, self.scope)
        first = Batch(
            number=0,
            settings=self.workspace.settings,
            scope=self.scope,
            timezone=self.client.timezone,
            meters=self.meters,
            mappings=self.mappings,
            ordinal=loading.next_ordinal(self.workspace.lake, self.scope) if can else None,
            folder=self.folder,
            paths=(),
            quick=sum(path.stat().st_size for path in paths) >= taking.QUICK_BYTES,
        )
        cut: list[list[Path]] = []
        size = 0
        for path in paths:
            bytes_ = path.stat().st_size
            files_ = first_files[len(cut) - 1] if 0 < len(cut) <= len(first_files) else most
            if not cut or len(cut[-1]) >= files_ or size + bytes_ > BATCH_BYTES:
                cut.append([])
                size = 0
            cut[-1].append(path)
            size += bytes_
        return [replace(first, number=number, paths=tuple(members)) for number, members in enumerate(cut)]

    def add(self, taken: Taken) -> None:
        """Take note of a batch: what is no reading is registered at once."""
        self.pending.append(taken)
        refused = [arrival for arrival in taken.arrivals if arrival.status == "refused"]
        files.register_all(
            self.workspace.database, self.scope, [_entry(arrival, "refused", None) for arrival in refused]
        )
        for arrival in taken.arrivals:
            if arrival.status == "refused":
                self._say(arrival, "refused")
            elif arrival.status == "report":
                self._keep_report(arrival)
            else:
                self.rows += arrival.rows

    def finish(self) -> None:
        """Make what was read readings of the table: what is new in one commit, the rest row by row; then register it."""
        self.pending.sort(key=lambda taken: taken.number)
        arrivals = {
            arrival.sha256: arrival
            for taken in self.pending
            for arrival in reversed(taken.arrivals)
            if arrival.status == "readings"
        }
        spans = [span for arrival in arrivals.values() for span in arrival.spans]
        compare = {source for taken in self.pending for source in taken.compare}
        aside = (loading.meeting(spans) | self._twice()) - compare
        version = self._commit(spans, compare, aside)
        self._register([arrival for arrival in arrivals.values() if arrival.sha256 not in compare | aside], version)
        self._compare(arrivals, compare | aside)
        for taken in self.pending:
            for arrival in taken.arrivals:
                if arrival.status == "readings":
                    self._say(arrival, "loaded")
        self.pending.clear()
        self.rows = 0

    def _twice(self) -> set[str]:
        """Files that two batches have read: one that was changed into a copy of another while it was taken in."""
        seen: set[str] = set()
        twice: set[str] = set()
        for taken in self.pending:
            own = {arrival.sha256 for arrival in taken.arrivals}
            twice |= seen & own
            seen |= own
        return twice

    def _commit(self, spans: Sequence[Span], compare: set[str], aside: set[str]) -> int:
        """Commit the parts but for the readings of ``aside``, to which those are added that somebody else's load has met meanwhile."""
        lake = self.workspace.lake
        while True:
            if aside:
                self.pending = [self._set_aside(taken, aside) for taken in self.pending]
            parts = [part for taken in self.pending for part in taken.parts]
            if not parts:
                return lake.version()
            new = [span for span in spans if span.source not in compare | aside]
            version, met = loading.commit(lake, self.scope, parts, new)
            if not met:
                self.added += sum(part.rows for part in parts)
                self.pending = [replace(taken, parts=()) for taken in self.pending]
                return version
            aside |= met

    def _set_aside(self, taken: Taken, sources: set[str]) -> Taken:
        """Move readings of some files from a batch's parts to those that are compared."""
        mine = sources & {arrival.sha256 for arrival in taken.arrivals} - taken.compare
        if not mine:
            return taken
        parts, rows = loading.without(self.workspace.lake, self.scope, taken.parts, mine)
        order = {arrival.sha256: number for number, arrival in reversed(list(enumerate(taken.arrivals)))}
        both = pl.concat([taking.held([taken]), rows])
        both = both.sort(pl.col("source").replace_strict(order, return_dtype=pl.Int64), maintain_order=True)
        place = self.folder / f"{taken.number}-aside.parquet"
        both.write_parquet(place)
        return replace(taken, parts=parts, held=place, compare=taken.compare | mine)

    def _compare(self, arrivals: dict[str, Arrival], sources: set[str]) -> None:
        """Load the readings that meet others, in order of the files, and register their files."""
        waiting: list[Taken] = []

        def flush() -> None:
            commit = self.workspace.lake.append(self.scope, taking.held(waiting))
            self.added += commit.added
            self.superseded += commit.superseded
            self.unchanged += commit.unchanged
            done = {source for taken in waiting for source in taken.compare} & sources
            self._register([arrivals[source] for source in arrivals if source in done], commit.version)
            waiting.clear()

        for taken in self.pending:
            if taken.held is None:
                continue
            waiting.append(taken)
            if sum(arrivals[source].rows for one in waiting for source in one.compare) >= COMPARED_ROWS:
                flush()
        if waiting:
            flush()

    def _register(self, arrivals: Sequence[Arrival], version: int) -> None:
        files.register_all(
            self.workspace.database, self.scope, [_entry(arrival, "loaded", version) for arrival in arrivals]
        )

    def _say(self, arrival: Arrival, status: str) -> None:
        self.outcomes[arrival.path] = FileOutcome(
            path=arrival.path,
            status=status,
            kind=arrival.kind,
            meters=arrival.meters,
            rows=arrival.rows,
            findings=arrival.findings,
        )

    def _keep_report(self, arrival: Arrival) -> None:
        """Keep a distributor's report, to be compared with our own readings."""
        report = arrival.report
        assert report is not None
        entry = _entry(arrival, "refused", None)
        files.register(self.workspace.database, self.scope, entry)
        files.save_report(
            self.workspace.database,
            self.scope,
            [
                ReportRow(
                    sha256=arrival.sha256,
                    row=number,
                    meter=row.meter,
                    start=report.period.start,
                    end=report.period.end,
                    kwh=row.total_kwh,
                    document=codec.dump(row),
                )
                for number, row in enumerate(report.rows, 1)
            ],
        )
        files.register(self.workspace.database, self.scope, replace(entry, status="loaded"))
        self._say(arrival, "reported")

    def report(self, paths: Sequence[Path]) -> IngestReport:
        """Return what the load came to."""
        for path, first in self.again.items():
            self.outcomes[path] = replace(self.outcomes[first], path=path)
            if self.outcomes[first].status == "loaded":
                self.unchanged += self.outcomes[first].rows
        return IngestReport(
            files=tuple(self.outcomes[path] for path in paths),
            added=self.added,
            superseded=self.superseded,
            unchanged=self.unchanged,
            version=self.workspace.lake.version(),
        )


def _entry(arrival: Arrival, status: files.Status, version: int | None) -> SourceFile:
    return SourceFile(
        sha256=arrival.sha256,
        name=arrival.path.name,
        bytes=arrival.bytes,
        kind=arrival.kind,
        status=status,
        received_at=datetime.now(UTC),
        lake_version=version,
        meters=arrival.meters,
        start=min((span.first for span in arrival.spans), default=None),
        end=max((span.last + timedelta(minutes=SLOT_MINUTES) for span in arrival.spans), default=None),
        rows=arrival.rows,
        findings=arrival.findings,
    )
