"""Server-side sessions: the browser holds a random token, the database its hash. Rights are read afresh with every request."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from eisenergy.store import tables
from eisenergy.store.database import Database
from eisenergy.store.grants import Grant, grant_of, read_grants
from eisenergy.store.opaque import hashed, new_token

IDLE: Final = timedelta(hours=2)
"""A session that nobody used for so long is over."""
LONGEST: Final = timedelta(hours=12)
"""However much it is used, a session is over after so long."""
_NOTICE: Final = timedelta(minutes=1)
_FOUND: Final = (
    select(tables.sessions, tables.users.c.email, tables.users.c.locale)
    .add_columns(tables.grants.c.client, tables.grants.c.role, tables.grants.c.customers)
    .join_from(tables.sessions, tables.users, tables.users.c.id == tables.sessions.c.user_id)
    .outerjoin(tables.grants, tables.grants.c.user_id == tables.users.c.id)
    .where(
        tables.sessions.c.token_hash == bindparam("hash"),
        tables.sessions.c.expires_at > bindparam("at"),
        tables.sessions.c.seen_at > bindparam("awake"),
        tables.users.c.disabled_at.is_(None),
    )
    .order_by(tables.grants.c.client)
)
"""A session with its account, a row for each of the account's rights; every request asks for one, so it is put together once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is signed in.

    :param stale: rights changed since the token was given: it must be replaced
    :param view: client and customer whose view an operator has taken
    """

    user: uuid.UUID
    email: str
    locale: str
    grants: tuple[Grant, ...]
    stale: bool
    view: tuple[str, str] | None


def rights_of(grants: Iterable[Grant]) -> str:
    """Return a fingerprint of rights, to see that they changed."""
    listed = sorted(json.dumps(grant.to_json(), sort_keys=True) for grant in grants)
    return hashlib.sha256("\n".join(listed).encode()).hexdigest()


def start(connection: Connection, user: uuid.UUID, at: datetime) -> str:
    """Start a session and return its token; sessions that are over are cleared away."""
    table = tables.sessions
    connection.execute(delete(table).where(table.c.expires_at < at))
    token = new_token()
    values = {
        "token_hash": hashed(token),
        "user_id": user,
        "rights": rights_of(read_grants(connection, [user]).get(user, ())),
        "created_at": at,
        "seen_at": at,
        "expires_at": at + LONGEST,
    }
    connection.execute(insert(table).values(values))
    return token


def find(database: Database, token: str, at: datetime, *, used: bool = True) -> Session | None:
    """Return whose session a token is; ``None`` for one that is unknown or over, or whose account is shut.

    :param used: whether somebody used it just now; what goes on by itself does not keep a session alive
    """
    values = {"hash": hashed(token), "at": at, "awake": at - IDLE}
    with database.signing_in() as connection:
        rows = connection.execute(_FOUND, values).all()
        if not rows:
            return None
        row = rows[0]
        if used and row.seen_at < at - _NOTICE:
            table = tables.sessions
            connection.execute(update(table).where(table.c.token_hash == row.token_hash).values(seen_at=at))
    grants = tuple(grant_of(one.client, one) for one in rows if one.client is not None)
    return Session(
        user=row.user_id,
        email=row.email,
        locale=row.locale,
        grants=grants,
        stale=rights_of(grants) != row.rights,
        view=None if row.view_client is None else (row.view_client, row.view_customer),
    )


def rotate(database: Database, token: str, at: datetime) -> str | None:
    """Replace a session's token, after rights changed; whose view was taken is left. ``None`` when another request did it."""
    table = tables.sessions
    with database.signing_in() as connection:
        row = connection.execute(
            delete(table).where(table.c.token_hash == hashed(token)).returning(table.c.user_id, table.c.expires_at)
        ).first()
        if row is None:
            return None
        fresh = start(connection, row.user_id, at)
        connection.execute(update(table).where(table.c.token_hash == hashed(fresh)).values(expires_at=row.expires_at))
    return fresh


def end(connection: Connection, token: str) -> None:
    """End a session."""
    connection.execute(delete(tables.sessions).where(tables.sessions.c.token_hash == hashed(token)))


def end_all(connection: Connection, user: uuid.UUID) -> None:
    """End every session of an account."""
    connection.execute(delete(tables.sessions).where(tables.sessions.c.user_id == user))


def view_as(connection: Connection, token: str, view: tuple[str, str] | None) -> None:
    """Take a customer's view in a session, or leave it with ``None``."""
    client, customer = view or (None, None)
    table = tables.sessions
    values = {"view_client": client, "view_customer": customer}
    connection.execute(update(table).where(table.c.token_hash == hashed(token)).values(values))
