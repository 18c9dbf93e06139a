"""Tokens for programs: hashed, limited to one client's scope, expiring, and never more than their owner's right."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import insert, select, update

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.store import audit, tables
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database
from eisenergy.store.opaque import hashed, new_token
from eisenergy.store.people import BadAccount, Grant, read_grants

LONGEST: Final = timedelta(days=366)
PREFIX: Final = "eis_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Whom a token stands for, and what it may do."""

    id: uuid.UUID
    user: uuid.UUID
    email: str
    scope: Scope


def create(
    database: Database,
    user: uuid.UUID,
    grant: Grant,
    name: str,
    life: timedelta,
    *,
    client: str,
    by: Actor,
    at: datetime,
) -> str:
    """Make a token and return it; it is shown this once.

    :param grant: the right it is limited to, within the owner's own
    :param client: where it works
    :raises BadAccount: for a life of none or over a year
    :raises OutOfScope: for more than the owner may do
    """
    if not timedelta(0) < life <= LONGEST:
        raise BadAccount(f"a token lives between a moment and {LONGEST.days} days, found {life}")
    token = PREFIX + new_token()
    wanted = grant.scope(client)
    with database.signing_in() as connection:
        if wanted is None or not _within(wanted, read_grants(connection, [user]).get(user, [])):
            raise OutOfScope(f"a token may do no more at client {client} than its owner")
        values = {
            "client": client,
            "id": uuid.uuid4(),
            "token_hash": hashed(token),
            "user_id": user,
            "name": name,
            "role": wanted.role.value,
            "customers": None if wanted.customers is None else sorted(wanted.customers),
            "created_at": at,
            "expires_at": at + life,
        }
        connection.execute(insert(tables.api_tokens).values(values))
        audit.write(connection, client, by, at, "TOKEN", name, new=grant.to_json())
    return token


def find(database: Database, token: str, at: datetime) -> Bearer | None:
    """Return whom a token stands for; ``None`` when it is unknown, expired or revoked, or its owner lost the right."""
    table, people = tables.api_tokens, tables.users
    query = (
        select(table, people.c.email)
        .join_from(table, people, people.c.id == table.c.user_id)
        .where(
            table.c.token_hash == hashed(token),
            table.c.revoked_at.is_(None),
            table.c.expires_at > at,
            people.c.disabled_at.is_(None),
        )
    )
    with database.signing_in() as connection:
        row = connection.execute(query).first()
        if row is None:
            return None
        customers = None if row.customers is None else frozenset(row.customers)
        scope = Scope(client=row.client, role=Role(row.role), customers=customers)
        if not _within(scope, read_grants(connection, [row.user_id]).get(row.user_id, [])):
            return None
    return Bearer(id=row.id, user=row.user_id, email=row.email, scope=scope)


def revoke(database: Database, client: str, token: uuid.UUID, *, by: Actor, at: datetime) -> None:
    """End a token at once; one that was ended before stays as it is."""
    table = tables.api_tokens
    with database.signing_in() as connection:
        name = connection.execute(
            update(table)
            .where(table.c.client == client, table.c.id == token, table.c.revoked_at.is_(None))
            .values(revoked_at=at)
            .returning(table.c.name)
        ).scalar()
        if name is not None:
            audit.write(connection, client, by, at, "TOKEN_REVOKED", name)


def _within(wanted: Scope, grants: list[Grant]) -> bool:
    rank = list(Role)
    for grant in grants:
        scope = grant.scope(wanted.client)
        if scope is None or rank.index(wanted.role) < rank.index(scope.role):
            continue
        if scope.customers is None or (wanted.customers is not None and wanted.customers <= scope.customers):
            return True
    return False
