"""Answers to requests that name a key: the same request again gets the same answer, and its effect happens once.

An answer is kept in the transaction of its effect, so that neither is there without the other. While that transaction runs, the key is
locked by it alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from eisenergy.store import tables

KEPT_FOR: Final = timedelta(hours=24)
"""After so long a key is as good as new."""


class InUse(RuntimeError):
    """A request with this key is being worked on at this moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer that was given.

    :param fingerprint: sha256 of the request it answered
    :param body: JSON text
    """

    fingerprint: str
    status: int
    headers: Mapping[str, str]
    body: str


def claim(connection: Connection, client: str, user: uuid.UUID, key: str) -> None:
    """Hold a key until the transaction ends. :raises InUse: when another one holds it"""
    query = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:key, 5))")
    if not connection.execute(query, {"key": f"{client} {user} {key}"}).scalar_one():
        raise InUse(f"a request with the key {key} is being worked on")


def find(connection: Connection, client: str, user: uuid.UUID, key: str, at: datetime) -> Kept | None:
    """Return the answer that was given under a key, ``None`` where there is none or it is too old.

    :param client: of the token, ``*`` for one of every client
    """
    table = tables.idempotency
    query = select(table.c.fingerprint, table.c.status, table.c.headers, table.c.body).where(
        table.c.client == client, table.c.user_id == user, table.c.key == key, table.c.expires_at > at
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    return Kept(fingerprint=row.fingerprint, status=row.status, headers=row.headers, body=row.body)


def keep(connection: Connection, client: str, user: uuid.UUID, key: str, answer: Kept, at: datetime) -> None:
    """Keep an answer in the transaction of its effect; those that are too old are cleared away."""
    table = tables.idempotency
    # One at a time clears: two would wait for each other's rows.
    alone = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:key, 6))")
    if connection.execute(alone, {"key": client}).scalar_one():
        connection.execute(
            delete(table).where(
                table.c.client == client,
                table.c.expires_at <= at,
                ~((table.c.user_id == user) & (table.c.key == key)),
            )
        )
    values = {
        "fingerprint": answer.fingerprint,
        "status": answer.status,
        "headers": dict(answer.headers),
        "body": answer.body,
        "created_at": at,
        "expires_at": at + KEPT_FOR,
    }
    query = upsert(table).values({"client": client, "user_id": user, "key": key, **values})
    connection.execute(query.on_conflict_do_update(index_elements=["client", "user_id", "key"], set_=values))
