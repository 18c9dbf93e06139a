"""Files that operators bring: dropped, looked at as they will be read, corrected where a column was taken for something else, imported."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.responses import Response

from eisenergy.portal.guard import OPERATORS
from eisenergy.portal.pages.work import address, has_text, problem_of
from eisenergy.portal.render import local
from eisenergy.portal.routes import Routes
from eisenergy.portal.visit import Visit
from eisenergy.sheets import fold
from eisenergy.store import files, jobs, uploads
from eisenergy.store.jobs import Job, NoJob
from eisenergy.store.uploads import NoUpload, Upload
from eisenergy.work.names import ENDINGS, START, cleaned, unfit

routes: Final = Routes()
HOME: Final = "/c/{client}/cargas"
PAGE: Final = 50
FIELDS: Final = (
    "date", "time", "timestamp", "meter", "node", "status", "block", "kwh_import", "kwh_export", "register_kwh", "kw", "kva", "kvar",
    "kvarh", "forecast_kwh", "loss_factor", "ftpms", "cost_pos", "cost_neg", "ignore",
)  # fmt: skip
"""What a column may be, see params/schemas/reading-mapping.schema.json."""
NOTHING_READ: Final[Mapping[str, Any]] = {
    "head": [], "rows": [], "columns": [], "tables": [], "findings": [], "more_findings": 0, "before": None, "raw": False
}  # fmt: skip
CHOICES: Final = {"decimal": (",", "."), "date_order": ("dmy", "mdy", "ymd"), "stamp": ("start", "end")}
"""Settings of a source that the form offers besides."""


@routes.page(HOME, OPERATORS)
def listing(visit: Visit) -> Response:
    """Show where files are dropped, and those that came."""
    return _listing(visit)


@routes.upload(HOME, OPERATORS)
def received(visit: Visit) -> Response:
    """Keep the files that were sent, and have them read."""
    scope, client = visit.within()
    assert visit.session is not None
    sent = [one for one in visit.files if one.filename]
    if not sent:
        return _listing(visit, problem=visit.say("upload.nothing"), status=422)
    kept: list[tuple[str, str, int]] = []
    refused: list[str] = []
    with files.Originals(visit.context.settings, scope) as originals:
        for one in sent:
            name = cleaned(one.filename)
            if (why := _unfit(visit, name, one)) is not None:
                refused.append(why)
                continue
            kept.append((name, *originals.keep_stream(one.file)))
        originals.settle()
    made = []
    with visit.context.database.session(scope) as connection:
        for name, sha256, size in kept:
            upload, _ = uploads.receive(
                connection,
                scope,
                name,
                sha256,
                size,
                way=uploads.PORTAL,
                by=visit.actor,
                user=visit.session.user,
                at=visit.at,
            )
            made.append(upload)
    if refused:
        return _listing(visit, problem=" ".join(refused), done=_count(visit, made), status=200 if made else 422)
    return visit.go(_address(client.code, made[0]) if len(made) == 1 else f"/c/{quote(client.code)}/cargas")


@routes.action(f"{HOME}/importar", OPERATORS)
def import_all(visit: Visit) -> Response:
    """Import everything that waits for it."""
    job = _import(visit, None)
    return _listing(visit, problem=visit.say("upload.none_ready"), status=409) if job is None else _to_job(visit, job)


@routes.page(f"{HOME}/{{upload}}", OPERATORS)
def upload_page(visit: Visit) -> Response:
    """Show what a file is taken for."""
    return _page(visit, _upload(visit))


@routes.action(f"{HOME}/{{upload}}/importar", OPERATORS)
def import_one(visit: Visit) -> Response:
    """Import a file; whoever presses a second time is shown the job there is."""
    upload = _upload(visit)
    if _import(visit, [upload.id]) is None and (found := _upload(visit)).state not in (
        uploads.IMPORTING,
        uploads.IMPORTED,
    ):
        return _page(visit, found, problem=visit.say("upload.not_ready"), status=409)
    return visit.go(_address(upload.client, upload.id))


@routes.action(f"{HOME}/{{upload}}/leer", OPERATORS)
def read_again(visit: Visit) -> Response:
    """Read a file again, with the masters and mappings there are now."""
    scope, client = visit.within()
    assert visit.session is not None
    wanted = _upload(visit).id
    with visit.context.database.session(scope) as connection:
        uploads.read_again(connection, scope, wanted, by=visit.actor, user=visit.session.user, at=visit.at)
    return visit.go(_address(client.code, wanted))


@routes.action(f"{HOME}/{{upload}}/columnas", OPERATORS)
def columns(visit: Visit) -> Response:
    """Keep what the columns mean, for every file with the same headers, and read this one again."""
    scope, client = visit.within()
    assert visit.session is not None
    upload = _upload(visit)
    documents = _mappings(visit, upload)
    if not documents:
        return _page(visit, upload, problem=visit.say("mapping.nothing"), status=422)
    with visit.context.database.session(scope) as connection:
        for document in documents:
            uploads.save_mapping(connection, scope, document, by=visit.actor, at=visit.at)
        uploads.read_again(connection, scope, upload.id, by=visit.actor, user=visit.session.user, at=visit.at)
    return visit.go(_address(client.code, upload.id))


@routes.action(f"{HOME}/{{upload}}/columnas/olvidar", OPERATORS)
def forget_columns(visit: Visit) -> Response:
    """Forget what was said about the columns of files with these headers, and read this one again."""
    scope, client = visit.within()
    assert visit.session is not None
    upload = _upload(visit)
    with visit.context.database.session(scope) as connection:
        for _, headers in _sheets(upload):
            uploads.drop_mapping(connection, scope, _mapping_name(headers), by=visit.actor, at=visit.at)
        uploads.read_again(connection, scope, upload.id, by=visit.actor, user=visit.session.user, at=visit.at)
    return visit.go(_address(client.code, upload.id))


def _unfit(visit: Visit, name: str, sent: UploadFile) -> str | None:
    """Say why a file is not taken at all."""
    start = sent.file.read(START)
    sent.file.seek(0)
    why = unfit(name, start)
    return None if why is None else visit.say(f"upload.{why}", name=name, endings=", ".join(ENDINGS))


def _import(visit: Visit, wanted: list[uuid.UUID] | None) -> uuid.UUID | None:
    scope, _ = visit.within()
    assert visit.session is not None
    with visit.context.database.session(scope) as connection:
        return uploads.import_ready(connection, scope, wanted, by=visit.actor, user=visit.session.user, at=visit.at)


def _mappings(visit: Visit, upload: Upload) -> list[dict[str, Any]]:
    """One mapping per sheet whose columns the form says something about; names of fields that are none are passed over."""
    found = []
    for sheet, headers in _sheets(upload):
        chosen = {
            header: meant for number, header in headers if (meant := visit.form.get(f"column-{number}", "")) in FIELDS
        }
        settings = {name: value for name, known in CHOICES.items() if (value := visit.form.get(name, "")) in known}
        if not chosen and not settings:
            continue
        found.append(
            {
                "name": _mapping_name(headers),
                "source": f"{visit.actor.name}, {visit.at:%Y-%m-%d}: {upload.name}{'' if sheet is None else f' / {sheet}'}",
                "match": {"headers": [header for _, header in headers]},
                "columns": chosen,
                **settings,
            }
        )
    return found


def _sheets(upload: Upload) -> list[tuple[str | None, list[tuple[int, str]]]]:
    """Sheets of a file with number and text of their headers, as far as a header has one and no other has the same."""
    found: dict[str | None, list[tuple[int, str]]] = {}
    preview: Mapping[str, Any] = upload.preview or {}
    for number, column in enumerate(preview.get("columns", ())):
        if column["header"] and fold(column["header"]):
            found.setdefault(column["sheet"], []).append((number, str(column["header"])))
    return list(found.items())


def _meant(visit: Visit, upload: Upload) -> dict[int, str]:
    """Column -> what operators said it is, as far as they did."""
    scope, _ = visit.within()
    own = {mapping.name: mapping for mapping in uploads.mappings(visit.context.database, scope)}
    found: dict[int, str] = {}
    for _, headers in _sheets(upload):
        mapping = own.get(_mapping_name(headers))
        if mapping is not None:
            found |= {
                number: mapping.meanings[key] for number, header in headers if (key := fold(header)) in mapping.meanings
            }
    return found


def _mapping_name(headers: list[tuple[int, str]]) -> str:
    """Name a mapping after the headers it is for, so that a second correction takes the place of the first."""
    folded = "\n".join(sorted(fold(header) for _, header in headers))
    return f"portal {hashlib.sha256(folded.encode()).hexdigest()[:12]}"


def _upload(visit: Visit) -> Upload:
    scope, _ = visit.within()
    return uploads.find(visit.context.database, scope, visit.id_of("upload", NoUpload))


def _count(visit: Visit, made: list[uuid.UUID]) -> str | None:
    return visit.say("upload.kept", count=len(made)) if made else None


def _address(client: str, upload: uuid.UUID) -> str:
    return f"/c/{quote(client)}/cargas/{upload}"


def _to_job(visit: Visit, job: uuid.UUID) -> Response:
    return visit.go(address(visit.within()[1].code, job))


def _listing(visit: Visit, *, problem: str | None = None, done: str | None = None, status: int = 200) -> Response:
    scope, client = visit.within()
    found = uploads.listed(visit.context.database, scope, limit=PAGE + 1, after=visit.first)
    limits = visit.context.settings.work
    return visit.page(
        "uploads",
        status=status,
        client=client,
        rows=[(one, local(one.received_at, client.timezone)) for one in found[:PAGE]],
        ready=sum(one.state == uploads.READY for one in found[:PAGE]),
        busy=any(one.state in (uploads.READING, uploads.IMPORTING) for one in found[:PAGE]),
        first=visit.first,
        size=PAGE,
        more=len(found) > PAGE,
        most=limits.upload_files,
        megabytes=limits.upload_bytes >> 20,
        endings=",".join(ENDINGS),
        problem=problem,
        done=done,
    )


def _page(visit: Visit, upload: Upload, *, problem: str | None = None, status: int = 200) -> Response:
    scope, client = visit.within()
    try:
        job: Job | None = jobs.find(visit.context.database, scope, upload.job)
    except NoJob:
        job = None
    visit.note("SEEN", f"upload {upload.name}")
    return visit.page(
        "upload",
        status=status,
        client=client,
        upload=upload,
        received=local(upload.received_at, client.timezone),
        preview={**NOTHING_READ, **(upload.preview or {})},
        job=job,
        trouble=None if job is None or job.open else problem_of(visit, job),
        meant=_meant(visit, upload),
        fields=FIELDS,
        field_name=lambda name: visit.say(f"field.{name}") if has_text(visit, f"field.{name}") else name,
        choices=CHOICES,
        problem=problem,
        done=None,
        refresh=job is not None and job.open,
    )
