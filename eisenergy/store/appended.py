"""Records that are only ever added to: states of tariffs and calendars, of which the newest is in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Select, Table, bindparam, insert, select, text
from sqlalchemy.dialects.postgresql import distinct_on

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.store import outbox
from eisenergy.store.database import Database
from eisenergy.store.outbox import New
from eisenergy.store.remembered import Remembered

T = TypeVar("T")

_READ: Final = Remembered[Any](256)


class NotStored(LookupError):
    """Nothing of that name is stored, or the scope may not see it."""


class Overtaken(RuntimeError):
    """Somebody else saved another state in the meantime."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """How many records a save added, changed and found unchanged."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: Saved) -> Saved:
        return Saved(
            added=self.added + other.added,
            changed=self.changed + other.changed,
            unchanged=self.unchanged + other.unchanged,
        )


def check_operator(scope: Scope) -> None:
    """Refuse a scope that may not write for the whole client. :raises OutOfScope: saying why"""
    scope.check_writes()
    if scope.customers is not None:
        raise OutOfScope("this call concerns the whole client, and the scope is limited to customers")


def one(document: Any, what: str, remedy: str) -> Mapping[str, Any]:
    """Return a document. :raises NotStored: when there is none"""
    if document is None:
        raise NotStored(f"{what} is not stored, or outside the scope of this call; {remedy} first")
    found: Mapping[str, Any] = document
    return found


def put(
    database: Database, scope: Scope, table: Table, kind: str, key: str, version: str, document: Mapping[str, Any]
) -> Saved:
    """Add a state of an append-only record; nothing when the newest is the same."""
    check_operator(scope)
    with database.session(scope) as connection:
        return append(connection, scope, table, kind, key, version, document)


def append(
    connection: Connection,
    scope: Scope,
    table: Table,
    kind: str,
    key: str,
    version: str,
    document: Mapping[str, Any],
    *,
    after: int | None = None,
) -> Saved:
    """Add a state of a tariff or calendar in a transaction of the caller's.

    :param after: ordinal of the state it was made from; ``None``: whichever is the newest
    :raises Overtaken: when another state was added since
    """
    check_operator(scope)
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
    connection.execute(lock, {"key": f"{scope.client} {kind} {key}"})
    query = select(table.c.ordinal, table.c.document).where(table.c[kind] == key).order_by(table.c.ordinal.desc())
    newest = connection.execute(query.limit(1)).first()
    if after is not None and (newest is None or newest.ordinal != after):
        raise Overtaken(f"{kind} {key}: another state was saved since this one was made; make it again from that")
    if newest is not None and newest.document == document:
        return Saved(unchanged=1)
    values = {"client": scope.client, kind: key, "ordinal": 1 if newest is None else newest.ordinal + 1}
    entry: dict[str, Any] = {**values, "version": version, "at": datetime.now(UTC), "document": document}
    connection.execute(insert(table).values(entry))
    data = {kind: key, "version": version, "change": "added" if newest is None else "changed"}
    event = New(type=outbox.TARIFF if kind == "tariff" else outbox.CALENDAR, customer=None, data=data)
    outbox.write(connection, scope.client, [event], entry["at"])
    return Saved(added=1) if newest is None else Saved(changed=1)


@cache
def _newest(table: Table, kind: str, of_version: bool) -> Select[Any]:
    query = select(table.c.ordinal, table.c.version, table.c.at).where(table.c[kind] == bindparam("of"))
    if of_version:
        query = query.where(table.c.version == bindparam("like"))
    return query.order_by(table.c.ordinal.desc()).limit(1)


def newest(
    database: Database,
    scope: Scope,
    table: Table,
    kind: str,
    key: str,
    version: str | None,
    read: Callable[[Mapping[str, Any]], T],
) -> T:
    """Return the newest state of a record, or that of a version. :raises NotStored: when there is none

    Which state that is, and whether the scope may see it, is asked each time; its document is read once, for a state never changes.

    :param read: makes a thing of the kind's from its document; what it makes is given to others, too
    """
    name = table.c[kind]
    query, values = (
        _newest(table, kind, version is not None),
        {"of": key} if version is None else {"of": key, "like": version},
    )
    with database.session(scope) as connection:
        found = connection.execute(query, values).first()
        what = f"{kind} {key}" if version is None else f"{kind} {key}, version {version},"
        ordinal = one(None if found is None else found._mapping, what, f"import the {kind}s")["ordinal"]
        assert found is not None
        document = select(table.c.document).where(name == key, table.c.ordinal == ordinal)
        state = (database.app_url, scope.client, kind, key, *found)
        made: T = _READ.get(state, lambda: read(connection.execute(document).scalar_one()))
        return made


def state(database: Database, scope: Scope, table: Table, kind: str, key: str, ordinal: int) -> Mapping[str, Any]:
    """Return the state of a record with an ordinal. :raises NotStored: when there is none"""
    query = select(table.c.document).where(table.c[kind] == key, table.c.ordinal == ordinal)
    with database.session(scope) as connection:
        return one(connection.execute(query).scalar(), f"{kind} {key}, state {ordinal},", f"import the {kind}s")


def history(
    database: Database, scope: Scope, table: Table, kind: str, key: str, limit: int
) -> list[tuple[int, datetime, str]]:
    """Return ordinal, time (UTC) and version of a record's newest states, the newest first."""
    query = select(table.c.ordinal, table.c.at, table.c.version).where(table.c[kind] == key)
    with database.session(scope) as connection:
        rows = connection.execute(query.order_by(table.c.ordinal.desc()).limit(limit)).all()
    return [(row.ordinal, row.at.astimezone(UTC), row.version) for row in rows]


def all_newest(database: Database, scope: Scope, table: Table, kind: str) -> list[Mapping[str, Any]]:
    """Return the newest state of every record, in order of their names."""
    order = (table.c[kind], table.c.ordinal.desc())
    query = select(table.c.document).ext(distinct_on(table.c[kind])).order_by(*order)
    with database.session(scope) as connection:
        return list(connection.execute(query).scalars())
