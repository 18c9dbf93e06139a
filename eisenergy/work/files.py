"""Jobs about files: read one to be looked at, import those that wait. The original is copied under its own name, which readers go by."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from eisenergy.run import intake
from eisenergy.store import files, uploads
from eisenergy.store.uploads import IMPORTED, REFUSED, Upload
from eisenergy.work import arrivals
from eisenergy.work.arrivals import Look, outcome_of
from eisenergy.work.kinds import KINDS, Kind, Work
from eisenergy.work.proposed import whatif

_LISTED: Final = 200
"""Files that a result tells one by one."""


def parse(work: Work) -> Mapping[str, Any]:
    """Read a file and show what an import would make of it; argument ``upload``."""
    upload = uploads.find(work.workspace.database, work.scope, uuid.UUID(str(work.job.arguments["upload"])))
    work.progress.begin(1)
    with _copied(work, [upload]) as paths:
        seen = arrivals.look(work, paths[upload.id])
    before = arrivals.imported_before(work, upload.sha256)
    shown = {**seen.to_json(), "before": None if before is None else before.isoformat()}
    uploads.was_read(
        work.workspace.database,
        work.scope,
        upload.id,
        work.job.id,
        kind=seen.kind,
        ready=seen.importable,
        preview=shown,
    )
    work.progress.step(upload.name)
    return {"kind": seen.kind, "importable": seen.importable, "findings": len(seen.findings)}


def ingest(work: Work) -> Mapping[str, Any]:
    """Import files: readings and reports together, lists, tariffs and calendars each; argument ``uploads``.

    One that is refused does not stop the others, and what is there already changes nothing.
    """
    wanted = [uuid.UUID(str(one)) for one in work.job.arguments["uploads"]]
    chosen = [uploads.find(work.workspace.database, work.scope, one) for one in wanted]
    work.progress.begin(len(chosen))
    outcomes: dict[uuid.UUID, tuple[str, str | None, Any]] = {}
    total: dict[str, Any] = {}
    with _copied(work, chosen) as paths:
        metered: list[Upload] = []
        # lists first: a meter that a list of the same upload names is known then
        for upload in chosen:
            seen = _master(work, upload, paths[upload.id])
            if seen is None:
                metered.append(upload)
                continue
            outcomes[upload.id] = _keep(work, seen)
            work.progress.step(upload.name)
        if metered:
            total = _readings(work, metered, paths, outcomes)
    uploads.was_imported(work.workspace.database, work.scope, work.job.id, outcomes)
    names = {upload.id: upload.name for upload in chosen}
    listed = [{"file": names[one], "status": outcome["status"]} for one, (_, _, outcome) in outcomes.items()]
    return {**total, "files": listed[:_LISTED], "count": len(listed)}


def _master(work: Work, upload: Upload, path: Path) -> Look | None:
    """Read a file again that was seen to be a list, a tariff or a calendar, or that nobody has looked at; ``None`` for readings."""
    if upload.kind in (arrivals.READINGS, arrivals.REPORT):
        return None
    seen = arrivals.look(work, path)
    return None if seen.kind in (arrivals.READINGS, arrivals.REPORT) else seen


def _keep(work: Work, seen: Look) -> tuple[str, str | None, Any]:
    if not seen.importable:
        return REFUSED, seen.kind, outcome_of("refused", seen.findings)
    saved = arrivals.save_master(work.workspace, work, seen)
    status = "loaded" if saved["added"] or saved["changed"] else "known"
    return IMPORTED, seen.kind, outcome_of(status, seen.findings, **saved)


def _readings(
    work: Work,
    metered: list[Upload],
    paths: Mapping[uuid.UUID, Path],
    outcomes: dict[uuid.UUID, tuple[str, str | None, Any]],
) -> dict[str, Any]:
    report = intake.ingest(
        work.workspace, work.scope, [paths[upload.id] for upload in metered], step=work.progress.step
    )
    by_path = {outcome.path: outcome for outcome in report.files}
    for upload in metered:
        one = by_path[paths[upload.id]]
        kind = arrivals.REPORT if one.kind == "distributor" else arrivals.READINGS
        told = outcome_of(one.status, one.findings, meters=list(one.meters), rows=one.rows)
        outcomes[upload.id] = (REFUSED if one.status == "refused" else IMPORTED, kind, told)
    return {"added": report.added, "superseded": report.superseded, "unchanged": report.unchanged}


@contextmanager
def _copied(work: Work, chosen: list[Upload]) -> Iterator[dict[uuid.UUID, Path]]:
    """Copies of the originals under the names they came with, each in a folder of its own."""
    settings = work.workspace.settings
    with tempfile.TemporaryDirectory(prefix=".work-", dir=settings.home) as folder:
        paths: dict[uuid.UUID, Path] = {}
        for number, upload in enumerate(chosen):
            place = Path(folder) / str(number) / upload.name
            place.parent.mkdir()
            files.copy_original(settings, work.scope, upload.sha256, place)
            paths[upload.id] = place
        yield paths


ALL: Final[Mapping[str, Kind]] = {**KINDS, "parse": parse, "ingest": ingest, "whatif": whatif}
