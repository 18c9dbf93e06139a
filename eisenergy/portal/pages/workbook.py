"""The check of an analyst's workbook: sent here, checked cell by cell in the background, shown with its grids and an annotated copy."""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Any, Final
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.responses import FileResponse, Response

from eisenergy.portal import sites
from eisenergy.portal.guard import OPERATORS
from eisenergy.portal.pages.work import problem_of
from eisenergy.portal.render import local
from eisenergy.portal.routes import NoSuchPage, Routes
from eisenergy.portal.visit import Visit
from eisenergy.store import audit, files, jobs, month_jobs
from eisenergy.store.jobs import Job, NoJob
from eisenergy.work import workbooks
from eisenergy.work.names import cleaned

routes: Final = Routes()
HOME: Final = "/c/{client}/excel"
LISTED: Final = 20
ZIP: Final = b"PK\x03\x04"
"""What a workbook of these endings begins with."""
MACROS: Final = "application/vnd.ms-excel.sheet.macroEnabled.12"


@routes.page(HOME, OPERATORS)
def listing(visit: Visit) -> Response:
    """Show where a workbook is dropped, and the checks there were."""
    return _listing(visit)


@routes.upload(HOME, OPERATORS)
def received(visit: Visit) -> Response:
    """Keep the workbooks that were sent, and have each checked."""
    scope, client = visit.within()
    assert visit.session is not None
    sent = [one for one in visit.files if one.filename]
    if not sent:
        return _listing(visit, problem=visit.say("upload.nothing"), status=422)
    if refused := [why for one in sent if (why := _unfit(visit, one)) is not None]:
        return _listing(visit, problem=" ".join(refused), status=422)
    with files.Originals(visit.context.settings, scope) as originals:
        kept = [(cleaned(one.filename), originals.keep_stream(one.file)[0]) for one in sent]
        originals.settle()
    made = []
    with visit.context.database.session(scope) as connection:
        for name, sha256 in kept:
            audit.write(connection, scope.client, visit.actor, visit.at, "UPLOAD", name, new={"sha256": sha256})
            made.append(
                jobs.defer(
                    connection,
                    scope,
                    workbooks.WORKBOOK,
                    name,
                    {"name": name, "sha256": sha256},
                    by=visit.actor,
                    user=visit.session.user,
                    at=visit.at,
                    alone=False,
                )
            )
    here = f"/c/{quote(client.code)}/excel"
    return visit.go(f"{here}/{made[0]}" if len(made) == 1 else here)


@routes.page(f"{HOME}/{{job}}", OPERATORS)
def result(visit: Visit) -> Response:
    """Show what a check said: counts, causes, and where the grids and the copy are."""
    _, client = visit.within()
    job = _job(visit)
    told: dict[str, Any] | None = None
    if job.state == jobs.DONE:
        told = json.loads(_file(visit, job, workbooks.REPORT).read_text(encoding="utf-8"))
    visit.note("SEEN", f"check of {job.subject}")
    return visit.page(
        "excel_check",
        client=client,
        job=job,
        when=local(job.asked_at, client.timezone),
        told=told,
        trouble=None if job.open else problem_of(visit, job),
        refresh=job.open,
    )


@routes.page(f"{HOME}/{{job}}/hojas", OPERATORS)
def grid(visit: Visit) -> Response:
    """Serve the sheets as grids: a page of its own, whose style and script are shipped files."""
    job = _job(visit)
    visit.note("SEEN", f"grids of {job.subject}")
    return sites.serve(visit, _file(visit, job, workbooks.GRID))


@routes.page(f"{HOME}/{{job}}/copia", OPERATORS)
def copy(visit: Visit) -> Response:
    """Hand out the annotated copy."""
    job = _job(visit)
    ending = PurePath(job.subject).suffix.lower()
    file = _file(visit, job, f"{workbooks.COPY}{ending}")
    visit.note("SEEN", f"annotated copy of {job.subject}")
    kind = MACROS if ending == ".xlsm" else sites.TYPES[".xlsx"]
    return FileResponse(file, media_type=kind, filename=f"{PurePath(job.subject).stem} (revisado){ending}")


def _unfit(visit: Visit, sent: UploadFile) -> str | None:
    """Say why a file is no workbook, by its name and by how it begins; what is inside is looked at by the check."""
    name = cleaned(sent.filename)
    if PurePath(name).suffix.lower() not in workbooks.ENDINGS:
        return visit.say("excel.ending", name=name)
    start = sent.file.read(len(ZIP))
    sent.file.seek(0)
    return None if start == ZIP else visit.say("excel.content", name=name)


def _job(visit: Visit) -> Job:
    scope, _ = visit.within()
    job = jobs.find(visit.context.database, scope, visit.id_of("job", NoJob))
    if job.kind != workbooks.WORKBOOK:
        raise NoSuchPage
    return job


def _file(visit: Visit, job: Job, name: str) -> Path:
    if job.state != jobs.DONE:
        raise NoSuchPage
    path = workbooks.folder_of(visit.context.settings, job.client, job.id) / name
    if not path.is_file():
        raise NoSuchPage
    return path


def _listing(visit: Visit, *, problem: str | None = None, status: int = 200) -> Response:
    scope, client = visit.within()
    found = month_jobs.listed(visit.context.database, scope, workbooks.WORKBOOK, limit=LISTED)
    limits = visit.context.settings.work
    return visit.page(
        "excel",
        status=status,
        client=client,
        rows=[(one, local(one.asked_at, client.timezone)) for one in found],
        busy=any(one.open for one in found),
        most=limits.upload_files,
        megabytes=limits.upload_bytes >> 20,
        endings=",".join(workbooks.ENDINGS),
        problem=problem,
        done=None,
    )
