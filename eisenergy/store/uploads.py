"""Files that came through the portal, the interface or a watched folder: what they are, what was read of them, what became of them.

The bytes are in the inbox (:mod:`eisenergy.store.originals`), known by their hash. What a file holds becomes readings or masters only when
it is imported; until then it is looked at. The meaning of columns that operators corrected is kept here, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from eisenergy.accounts import Scope
from eisenergy.readings.mapping import Mapping as ReadingMapping
from eisenergy.readings.mapping import mapping_of
from eisenergy.store import audit, jobs, tables
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database

READING, READY, REFUSED, IMPORTING, IMPORTED = "reading", "ready", "refused", "importing", "imported"
PORTAL, FOLDER, API = "portal", "folder", "api"


class NoUpload(LookupError):
    """No such upload at this client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that came in.

    :param state: ``reading``, ``ready`` (to be imported), ``refused``, ``importing`` or ``imported``
    :param kind: ``readings``, ``report``, ``customers``, ``tariff`` or ``calendar``; ``None`` before it was read
    :param preview: what was read of it, see ``eisenergy.work.arrivals``
    :param outcome: what its import came to
    :param job: the newest job about it
    """

    client: str
    id: uuid.UUID
    name: str
    sha256: str
    bytes: int
    way: str
    asked_by: str
    received_at: datetime
    state: str
    kind: str | None
    preview: Any
    outcome: Any
    job: uuid.UUID


def receive(
    connection: Connection,
    scope: Scope,
    name: str,
    sha256: str,
    size: int,
    *,
    way: str,
    by: Actor,
    user: uuid.UUID | None,
    at: datetime,
    id: uuid.UUID | None = None,
    at_once: bool = False,
) -> tuple[uuid.UUID, uuid.UUID]:
    """Note a file whose bytes are in the inbox, and have it read in the background.

    :param connection: a transaction of ``database.session(scope)``
    :param name: without folders, as :func:`eisenergy.work.names.cleaned` leaves it
    :param size: [bytes]
    :param way: ``portal``, ``folder`` or ``api``
    :param id: the caller's own; a second call with the same id changes nothing
    :param at_once: import it without waiting for anybody to look at it
    :returns: ids of the upload and of its job
    :raises OutOfScope: for a scope that only reads, or of some customers only
    """
    upload, job = id or uuid.uuid4(), uuid.uuid4()
    table = tables.uploads
    values = {
        "client": scope.client,
        "id": upload,
        "name": name,
        "sha256": sha256,
        "bytes": size,
        "way": way,
        "asked_by": by.name[: audit.LONGEST],
        "received_at": at,
        "state": IMPORTING if at_once else READING,
        "job": job,
    }
    put = upsert(table).values(values).on_conflict_do_nothing(index_elements=["client", "id"])
    if connection.execute(put.returning(table.c.id)).first() is None:
        return upload, _row(connection, scope, upload).job
    audit.write(
        connection, scope.client, by, at, "UPLOAD", name, new={"upload": str(upload), "sha256": sha256, "way": way}
    )
    if at_once:
        jobs.defer(connection, scope, "ingest", name, {"uploads": [str(upload)]}, by=by, user=user, at=at, id=job)
    else:
        _read(connection, scope, upload, name, job, by, user, at)
    return upload, job


def receive_together(
    connection: Connection,
    scope: Scope,
    files: Sequence[tuple[str, str, int]],
    *,
    way: str,
    by: Actor,
    user: uuid.UUID | None,
    at: datetime,
) -> tuple[tuple[uuid.UUID, ...], uuid.UUID]:
    """Note files whose bytes are in the inbox, and have all of them imported by one job, without anybody looking at them first.

    :param connection: a transaction of ``database.session(scope)``
    :param files: name, sha256 and size [bytes] of each, at least one
    :returns: ids of the uploads, and of the job
    :raises OutOfScope: for a scope that only reads, or of some customers only
    """
    job, made = uuid.uuid4(), tuple(uuid.uuid4() for _ in files)
    for upload, (name, sha256, size) in zip(made, files, strict=True):
        values = {
            "client": scope.client, "id": upload, "name": name, "sha256": sha256, "bytes": size, "way": way,
            "asked_by": by.name[: audit.LONGEST], "received_at": at, "state": IMPORTING, "job": job,
        }  # fmt: skip
        connection.execute(insert(tables.uploads).values(values))
        told = {"upload": str(upload), "sha256": sha256, "way": way}
        audit.write(connection, scope.client, by, at, "UPLOAD", name, new=told)
    subject = files[0][0] if len(files) == 1 else f"{files[0][0]} + {len(files) - 1}"
    jobs.defer(
        connection, scope, "ingest", subject, {"uploads": [str(one) for one in made]}, by=by, user=user, at=at, id=job
    )
    return made, job


def _read(
    connection: Connection,
    scope: Scope,
    upload: uuid.UUID,
    name: str,
    job: uuid.UUID,
    by: Actor,
    user: uuid.UUID | None,
    at: datetime,
) -> None:
    told = {"upload": str(upload)}
    jobs.defer(connection, scope, "parse", name, told, by=by, user=user, at=at, id=job, alone=False, priority=10)


def read_again(
    connection: Connection, scope: Scope, upload: uuid.UUID, *, by: Actor, user: uuid.UUID | None, at: datetime
) -> bool:
    """Have a file read once more; ``False`` when it is being read or imported just now.

    :raises NoUpload: when the scope has none of this id
    """
    row = _row(connection, scope, upload, lock=True)
    if row.state in (READING, IMPORTING) and _open(connection, scope, row.job):
        return False
    job = uuid.uuid4()
    _change(connection, scope, [upload], {"state": READING, "job": job, "preview": None, "outcome": None})
    _read(connection, scope, upload, row.name, job, by, user, at)
    return True


def import_ready(
    connection: Connection,
    scope: Scope,
    wanted: Iterable[uuid.UUID] | None,
    *,
    by: Actor,
    user: uuid.UUID | None,
    at: datetime,
) -> uuid.UUID | None:
    """Have files imported that wait for it, together in one job; of two that ask at once one finds nothing to do.

    :param wanted: ``None``: all that wait
    :returns: the job, ``None`` when none of them waits
    """
    table = tables.uploads
    query = update(table).where(table.c.client == scope.client, table.c.state == READY)
    if wanted is not None:
        query = query.where(table.c.id.in_(list(wanted)))
    job = uuid.uuid4()
    taken = connection.execute(query.values(state=IMPORTING, job=job).returning(table.c.id, table.c.name)).all()
    if not taken:
        return None
    subject = taken[0].name if len(taken) == 1 else f"{taken[0].name} + {len(taken) - 1}"
    told = {"uploads": sorted(str(row.id) for row in taken)}
    return jobs.defer(connection, scope, "ingest", subject, told, by=by, user=user, at=at, id=job)


def find(database: Database, scope: Scope, upload: uuid.UUID) -> Upload:
    """Return an upload. :raises NoUpload: when the scope has none of this id"""
    with database.session(scope) as connection:
        return _upload(_row(connection, scope, upload))


def listed(database: Database, scope: Scope, *, limit: int = 50, after: int = 0) -> tuple[Upload, ...]:
    """Return the newest uploads of the scope's client, without what was read of them; nothing for a scope limited to customers."""
    table = tables.uploads
    columns: list[Any] = [column for column in table.c if column.name != "preview"]
    query: Select[Any] = select(*columns).where(table.c.client == scope.client)
    query = query.order_by(table.c.received_at.desc(), table.c.id).limit(limit).offset(after)
    with database.session(scope) as connection:
        return tuple(_upload(row) for row in connection.execute(query))


def was_read(
    database: Database, scope: Scope, upload: uuid.UUID, job: uuid.UUID, *, kind: str | None, ready: bool, preview: Any
) -> None:
    """Keep what was read of a file, unless another job has it by now."""
    table = tables.uploads
    with database.session(scope) as connection:
        connection.execute(
            update(table)
            .where(table.c.client == scope.client, table.c.id == upload, table.c.job == job)
            .values(state=READY if ready else REFUSED, kind=kind, preview=preview, outcome=None)
        )


def was_imported(
    database: Database, scope: Scope, job: uuid.UUID, outcomes: Mapping[uuid.UUID, tuple[str, str | None, Any]]
) -> None:
    """Keep what an import came to: upload -> state, kind and outcome."""
    table = tables.uploads
    with database.session(scope) as connection:
        for upload, (state, kind, outcome) in outcomes.items():
            connection.execute(
                update(table)
                .where(table.c.client == scope.client, table.c.id == upload, table.c.job == job)
                .values(state=state, kind=kind, outcome=outcome)
            )


def mappings(database: Database, scope: Scope) -> tuple[ReadingMapping, ...]:
    """Return how the client's operators said that files are to be read; nothing for a scope limited to customers."""
    table = tables.reading_mappings
    query = select(table.c.document).where(table.c.client == scope.client).order_by(table.c.name)
    with database.session(scope) as connection:
        return tuple(mapping_of(document, own=True) for document in connection.execute(query).scalars())


def save_mapping(connection: Connection, scope: Scope, document: Mapping[str, Any], *, by: Actor, at: datetime) -> None:
    """Keep how files of a source are to be read; one of the same name is replaced.

    :param document: as ``params/schemas/reading-mapping.schema.json`` allows it
    """
    table = tables.reading_mappings
    name = str(document["name"])
    old = connection.execute(
        select(table.c.document).where(table.c.client == scope.client, table.c.name == name)
    ).scalar()
    values = {"document": dict(document), "saved_by": by.name[: audit.LONGEST], "saved_at": at}
    query = upsert(table).values({"client": scope.client, "name": name, **values})
    connection.execute(query.on_conflict_do_update(index_elements=["client", "name"], set_=values))
    audit.write(connection, scope.client, by, at, "MAPPING", name, old=old, new=dict(document))


def drop_mapping(connection: Connection, scope: Scope, name: str, *, by: Actor, at: datetime) -> bool:
    """Forget how files of a source are to be read. :returns: whether there was such a mapping"""
    table = tables.reading_mappings
    query = delete(table).where(table.c.client == scope.client, table.c.name == name).returning(table.c.document)
    old = connection.execute(query).scalar()
    if old is not None:
        audit.write(connection, scope.client, by, at, "MAPPING_DROPPED", name, old=old)
    return old is not None


def _open(connection: Connection, scope: Scope, job: uuid.UUID) -> bool:
    table = tables.jobs
    query = select(table.c.state).where(table.c.client == scope.client, table.c.id == job)
    return connection.execute(query).scalar() in (jobs.WAITING, jobs.RUNNING)


def _change(connection: Connection, scope: Scope, which: list[uuid.UUID], values: dict[str, Any]) -> None:
    table = tables.uploads
    connection.execute(update(table).where(table.c.client == scope.client, table.c.id.in_(which)).values(values))


def _row(connection: Connection, scope: Scope, upload: uuid.UUID, *, lock: bool = False) -> Row[Any]:
    table = tables.uploads
    query = select(table).where(table.c.client == scope.client, table.c.id == upload)
    row: Row[Any] | None = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NoUpload(f"client {scope.client} has no upload {upload}")
    return row


def _upload(row: Row[Any]) -> Upload:
    return Upload(
        client=row.client,
        id=row.id,
        name=row.name,
        sha256=row.sha256,
        bytes=row.bytes,
        way=row.way,
        asked_by=row.asked_by,
        received_at=row.received_at.astimezone(UTC),
        state=row.state,
        kind=row.kind,
        preview=getattr(row, "preview", None),
        outcome=row.outcome,
        job=row.job,
    )
