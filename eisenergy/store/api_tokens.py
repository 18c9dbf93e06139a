"""Tokens for programs: hashed, limited to one client's scope, expiring, and never more than their owner's right.

A system administrator's may be for every client; whoever uses it names the client with each request.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.store import audit, tables
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database
from eisenergy.store.grants import EVERY_CLIENT, BadAccount, Grant, read_grants
from eisenergy.store.opaque import hashed, new_token

LONGEST: Final = timedelta(days=366)
PREFIX: Final = "eis_"
LONGEST_NAME: Final = 100
MOST: Final = 20
"""Tokens that an account may have at a time; each may ask as often as all others."""
_NOTICE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Whom a token stands for, and what it may do.

    :param name: what its owner calls it
    :param client: where it works; ``*``: at every client
    :param customers: codes it is limited to; ``None``: all
    """

    id: uuid.UUID
    user: uuid.UUID
    email: str
    name: str
    client: str
    role: Role
    customers: frozenset[str] | None

    @property
    def scope(self) -> Scope:
        """What it may see and do where it works."""
        return Scope(client=self.client, role=self.role, customers=self.customers)

    def at(self, client: str) -> Scope | None:
        """Return what it may see and do at a client, ``None`` where it may nothing."""
        if self.client not in (client, EVERY_CLIENT):
            return None
        return Scope(client=client, role=self.role, customers=self.customers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as lists show it; what it is itself was shown once, to whoever made it.

    :param email: of its owner
    :param used_at: when it was last used, to the minute; UTC like all times here
    """

    client: str
    id: uuid.UUID
    user: uuid.UUID
    email: str
    name: str
    role: Role
    customers: frozenset[str] | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None

    def over(self, at: datetime) -> bool:
        """Whether it no longer opens anything, apart from a right that was taken away."""
        return self.revoked_at is not None or self.expires_at <= at


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
    :param client: where it works; ``*`` at every client, for system administrators
    :raises BadAccount: for a life of none or over a year, a name of none or over :data:`LONGEST_NAME` characters, or one over :data:`MOST`
    :raises OutOfScope: for more than the owner may do
    """
    if not timedelta(0) < life <= LONGEST:
        raise BadAccount(f"a token lives between a moment and {LONGEST.days} days, found {life}")
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise BadAccount(f"a token's name has 1 to {LONGEST_NAME} characters, found {name[:LONGEST_NAME]!r}")
    token = PREFIX + new_token()
    wanted = grant.scope(client)
    with database.signing_in() as connection:
        if wanted is None or not _within(wanted, read_grants(connection, [user]).get(user, [])):
            raise OutOfScope(f"a token may do no more at client {client} than its owner")
        table, people = tables.api_tokens, tables.users
        connection.execute(
            select(people.c.id).where(people.c.id == user).with_for_update()
        )  # of two at once one is the last
        mine = select(func.count()).where(
            table.c.user_id == user, table.c.revoked_at.is_(None), table.c.expires_at > at
        )
        if connection.execute(mine).scalar_one() >= MOST:
            raise BadAccount(f"an account has {MOST} tokens at most: end one first")
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
        told = {**grant.to_json(), "token": str(values["id"]), "expires": (at + life).isoformat()}
        audit.write(connection, client, by, at, "TOKEN", name, new=told)
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
        found = Bearer(
            id=row.id,
            user=row.user_id,
            email=row.email,
            name=row.name,
            client=row.client,
            role=Role(row.role),
            customers=_customers(row),
        )
        if not _within(found.scope, read_grants(connection, [row.user_id]).get(row.user_id, [])):
            return None
        if row.used_at is None or row.used_at < at - _NOTICE:
            connection.execute(update(table).where(table.c.token_hash == row.token_hash).values(used_at=at))
    return found


def listed(database: Database, *, client: str | None = None, user: uuid.UUID | None = None) -> tuple[Token, ...]:
    """Return tokens, those that were not ended first, the newest of each first: of a client, of an account, or of an account at a client.

    Who may see them is the caller's to know: an account its own, operators their client's.

    :raises ValueError: for those of everybody everywhere
    """
    if client is None and user is None:
        raise ValueError("tokens are listed of a client or of an account")
    table, people = tables.api_tokens, tables.users
    query = select(table, people.c.email).join_from(table, people, people.c.id == table.c.user_id)
    if client is not None:
        query = query.where(table.c.client == client)
    if user is not None:
        query = query.where(table.c.user_id == user)
    with database.signing_in() as connection:
        rows = connection.execute(query.order_by(*_ORDER).limit(200)).all()
    return tuple(
        Token(
            client=row.client,
            id=row.id,
            user=row.user_id,
            email=row.email,
            name=row.name,
            role=Role(row.role),
            customers=_customers(row),
            created_at=row.created_at.astimezone(UTC),
            expires_at=row.expires_at.astimezone(UTC),
            revoked_at=None if row.revoked_at is None else row.revoked_at.astimezone(UTC),
            used_at=None if row.used_at is None else row.used_at.astimezone(UTC),
        )
        for row in rows
    )


_ORDER: Final = (
    tables.api_tokens.c.revoked_at.is_not(None),
    tables.api_tokens.c.created_at.desc(),
    tables.api_tokens.c.id,
)


def revoke(
    database: Database, client: str, token: uuid.UUID, *, by: Actor, at: datetime, user: uuid.UUID | None = None
) -> str | None:
    """End a token at once, and what it asked for that has not begun; one that was ended before stays as it is.

    :param user: only where it is this account's
    :returns: its name; ``None`` where there is no such token, or it was ended before
    """
    table = tables.api_tokens
    query = update(table).where(table.c.client == client, table.c.id == token, table.c.revoked_at.is_(None))
    if user is not None:
        query = query.where(table.c.user_id == user)
    with database.signing_in() as connection:
        name: str | None = connection.execute(query.values(revoked_at=at).returning(table.c.name)).scalar()
        if name is not None:
            audit.write(connection, client, by, at, "TOKEN_REVOKED", name, old={"token": str(token)})
    return name


def end_all(connection: Connection, user: uuid.UUID, at: datetime, *, client: str | None = None) -> None:
    """End every token of an account.

    :param client: only those for this one
    """
    table = tables.api_tokens
    query = update(table).where(table.c.user_id == user, table.c.revoked_at.is_(None))
    if client is not None:
        query = query.where(table.c.client == client)
    connection.execute(query.values(revoked_at=at))


def end_wider(connection: Connection, user: uuid.UUID, grant: Grant, at: datetime) -> None:
    """End the tokens that go beyond a right that takes another's place: they would be back if that one were ever given again."""
    table = tables.api_tokens
    query = select(table).where(table.c.user_id == user, table.c.client == grant.client, table.c.revoked_at.is_(None))
    wider = [
        row.id
        for row in connection.execute(query)
        if not _within(Scope(client=grant.client, role=Role(row.role), customers=_customers(row)), [grant])
    ]
    connection.execute(update(table).where(table.c.user_id == user, table.c.id.in_(wider)).values(revoked_at=at))


def asked(connection: Connection, scope: Scope, job: uuid.UUID, token: uuid.UUID) -> None:
    """Note that a job was asked for with a token: it is not begun once the token is revoked.

    :param connection: the transaction in which the job is deferred
    """
    table = tables.jobs
    connection.execute(update(table).where(table.c.client == scope.client, table.c.id == job).values(token=token))


def revoked(connection: Connection, token: uuid.UUID) -> bool:
    """Whether a token was revoked. :param connection: of ``database.signing_in()``"""
    table = tables.api_tokens
    query = select(table.c.id).where(table.c.id == token, table.c.revoked_at.is_(None))
    return connection.execute(query).first() is None


def _customers(row: Row[Any]) -> frozenset[str] | None:
    return None if row.customers is None else frozenset(row.customers)


def _within(wanted: Scope, grants: list[Grant]) -> bool:
    rank = list(Role)
    for grant in grants:
        scope = grant.scope(wanted.client)
        if scope is None or rank.index(wanted.role) < rank.index(scope.role):
            continue
        if scope.customers is None or (wanted.customers is not None and wanted.customers <= scope.customers):
            return True
    return False
