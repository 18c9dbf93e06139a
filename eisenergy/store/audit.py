"""The audit log: who did what, when, from where, with old and new value. Append-only, the database refuses everything else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from eisenergy.accounts import Scope
from eisenergy.store import tables
from eisenergy.store.database import Database

NOBODYS: Final = "*"
"""The client of entries that belong to no tenant: sign-ins of unknown accounts, rights over all clients."""
LONGEST: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, and from where.

    :param name: e-mail of the account, or the name of a command
    :param address: network address, or ``command line``
    :param acting_as: customer whose view an operator has taken
    """

    name: str
    address: str
    acting_as: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the log.

    :param at: UTC
    :param action: a verb in capitals, for example ``SIGN_IN``
    :param old: what was there before, JSON types
    :param new: what is there now, JSON types
    """

    id: int
    at: datetime
    actor: str
    acting_as: str | None
    address: str
    action: str
    subject: str
    old: Any
    new: Any


def write(
    connection: Connection,
    client: str,
    actor: Actor,
    at: datetime,
    action: str,
    subject: str,
    *,
    old: Any = None,
    new: Any = None,
) -> None:
    """Append a line in the transaction of what it tells about, so that neither is there without the other."""
    values = {
        "client": client,
        "at": at,
        "actor": actor.name[:LONGEST],
        "acting_as": actor.acting_as,
        "address": actor.address[:LONGEST],
        "action": action,
        "subject": subject[:LONGEST].replace("\x00", ""),
        "old": old,
        "new": new,
    }
    connection.execute(
        insert(tables.audit).values({name: value for name, value in values.items() if value is not None})
    )


def write_all(
    connection: Connection,
    client: str,
    actor: Actor,
    at: datetime,
    action: str,
    changes: Iterable[tuple[str, Any, Any]],
) -> None:
    """Append a line for each of many changes, as :func:`write` does, in few statements.

    :param changes: subject, old value (``None``: there was none) and new value
    """
    common = {"client": client, "at": at, "actor": actor.name[:LONGEST], "address": actor.address[:LONGEST]}
    rows = [
        {
            **common,
            **({} if actor.acting_as is None else {"acting_as": actor.acting_as}),
            "action": action,
            "subject": subject[:LONGEST].replace("\x00", ""),
            **({} if old is None else {"old": old}),
            "new": new,
        }
        for subject, old, new in changes
    ]
    for same in ([row for row in rows if "old" in row], [row for row in rows if "old" not in row]):
        if same:
            connection.execute(insert(tables.audit), same)


def write_each(
    connection: Connection,
    clients: Iterable[str],
    actor: Actor,
    at: datetime,
    action: str,
    subject: str,
    *,
    new: Any = None,
) -> None:
    """Append a line to the log of each of some clients, as :func:`write` does."""
    for client in clients:
        write(connection, client, actor, at, action, subject, new=new)


def record(database: Database, client: str, actor: Actor, at: datetime, action: str, subject: str) -> None:
    """Append a line on its own: something was seen or refused."""
    with database.signing_in() as connection:
        write(connection, client, actor, at, action, subject)


def entries(database: Database, scope: Scope, *, limit: int = 100, before: int | None = None) -> tuple[Entry, ...]:
    """Return the newest lines of the scope's client, newest first; nothing for a scope limited to customers.

    :param before: only lines older than this id
    """
    table = tables.audit
    query = select(table).where(table.c.client == scope.client).order_by(table.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.id < before)
    with database.session(scope) as connection:
        rows = connection.execute(query).all()
    return tuple(
        Entry(
            id=row.id,
            at=row.at.astimezone(UTC),
            actor=row.actor,
            acting_as=row.acting_as,
            address=row.address,
            action=row.action,
            subject=row.subject,
            old=row.old,
            new=row.new,
        )
        for row in rows
    )
