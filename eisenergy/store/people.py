"""Accounts and rights, as operators manage them. What an account proves itself with is in :mod:`eisenergy.store.signins`."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.store import audit, tables, tickets
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database

EVERY_CLIENT: Final = "*"
INVITATION: Final = timedelta(days=7)
LIMITED: Final = frozenset({Role.CUSTOMER_MANAGER, Role.CUSTOMER_USER})


class BadAccount(ValueError):
    """An account or a right that cannot be made as asked for."""


class NoUser(LookupError):
    """No such account, or the scope does not manage it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A right: a role at one client, and for customers' users the customers it covers.

    :param client: its code, or ``*`` for a system administrator
    """

    client: str
    role: Role
    customers: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if (self.role in LIMITED) != bool(self.customers):
            raise BadAccount(
                f"role {self.role}: "
                + ("expected at least one customer" if self.role in LIMITED else "covers every customer, name none")
            )
        if (self.role is Role.SYSTEM_ADMIN) != (self.client == EVERY_CLIENT):
            raise BadAccount(
                f"role {self.role} at client {self.client}: SYSTEM_ADMIN, and only it, is for every client"
            )

    def scope(self, client: str) -> Scope | None:
        """Return the scope of this right at a client, ``None`` where it gives none."""
        if self.client not in (client, EVERY_CLIENT):
            return None
        return Scope(client=client, role=self.role, customers=self.customers)

    def to_json(self) -> dict[str, Any]:
        """Return the right as JSON types."""
        return {
            "client": self.client,
            "role": self.role.value,
            "customers": None if self.customers is None else sorted(self.customers),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account and its rights, those the reader may see."""

    id: uuid.UUID
    email: str
    locale: str
    created_at: datetime
    disabled_at: datetime | None
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """What an invitation did.

    :param token: of the one-time link, ``None`` where the account signs in already or another client gave it rights, too
    """

    user: uuid.UUID
    email: str
    token: str | None


def address_of(email: str) -> str:
    """Return an e-mail address as accounts keep it. :raises BadAccount: for what cannot be one."""
    plain = email.strip().lower()
    name, at, host = plain.partition("@")
    if (
        not (name and at and "." in host)
        or len(plain) > 254
        or not plain.isprintable()
        or set(plain) & set(" <>,;\"'\\")
    ):
        raise BadAccount(f"{email[:80]!r} is no e-mail address: expected name@host.example")
    return plain


def homes(grants: Iterable[Grant]) -> tuple[str, ...]:
    """Return the clients whose logs tell what somebody does with the account itself; nobody's where there are none."""
    return tuple(sorted({grant.client for grant in grants})) or (audit.NOBODYS,)


def read_grants(connection: Connection, users: Iterable[uuid.UUID] | None = None) -> dict[uuid.UUID, list[Grant]]:
    """Return user -> rights that this transaction may see."""
    table = tables.grants
    query = select(table).order_by(table.c.client)
    if users is not None:
        query = query.where(table.c.user_id.in_(list(users)))
    found: dict[uuid.UUID, list[Grant]] = {}
    for row in connection.execute(query):
        found.setdefault(row.user_id, []).append(grant_of(row.client, row))
    return found


def grant_of(client: str, row: Row[Any]) -> Grant:
    """Return the right that a row of the table of rights holds."""
    customers = None if row.customers is None else frozenset(row.customers)
    return Grant(client=client, role=Role(row.role), customers=customers)


def invite(
    database: Database,
    scope: Scope,
    email: str,
    grant: Grant,
    *,
    by: Actor,
    at: datetime,
    locale: str = "es",
) -> Invited:
    """Give somebody a right, and make the account where there is none; whoever has no password yet gets a one-time link.

    Whoever held a link owns the account. So one that another client gave rights to gets a second client's from a system
    administrator alone, and its open links end; one without any right begins anew: what opened it before does no longer.

    :raises BadAccount: for what is no e-mail address, or customers that are not in the masters
    :raises OutOfScope: for a right that the scope may not give
    """
    plain = address_of(email)
    _check(scope, grant)
    with database.signing_in(scope) as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 1))"), {"key": plain})
        _check_customers(connection, grant)
        table = tables.users
        user = connection.execute(select(table.c.id).where(table.c.email == plain).with_for_update()).scalar()
        if user is None:
            user = uuid.uuid4()
            values = {"id": user, "email": plain, "locale": locale, "created_at": at}
            connection.execute(insert(table).values(values))
            connection.execute(insert(tables.credentials).values(user_id=user, recovery=[]))
            everything = []
        else:
            everything = read_grants(connection, [user]).get(user, [])
            if not everything:
                _begin_anew(connection, user)
        before = next((one for one in everything if one.client == grant.client), None)
        alone = all(one.client == grant.client for one in everything)
        if not alone and before is None:
            if scope.role is not Role.SYSTEM_ADMIN:
                raise OutOfScope(
                    f"{plain} has rights that client {scope.client} did not give; a system administrator adds one"
                )
            tickets.void_links(connection, user)
        if before != grant:
            _put(connection, user, grant, by, at)
            if before is not None:
                _end_sessions(connection, user)
                if not any(one.client == EVERY_CLIENT for one in everything):
                    _end_wider_tokens(connection, user, grant, at)
            old = None if before is None else before.to_json()
            audit.write(connection, grant.client, by, at, "GRANT", plain, old=old, new=grant.to_json())
        password = connection.execute(
            select(tables.credentials.c.password).where(tables.credentials.c.user_id == user)
        ).scalar()
        token = None
        if password is None and alone:
            token = tickets.issue(connection, tickets.FIRST, user, at, INVITATION)
    return Invited(user=user, email=plain, token=token)


def users(
    database: Database, scope: Scope, *, search: str = "", after: str = "", limit: int | None = None
) -> tuple[User, ...]:
    """Return accounts with a right at the scope's client, in order of their addresses; nothing for customers' scopes.

    :param search: only those whose address holds this text, or whose right covers the customer of this code
    :param after: only those whose address comes after this one
    :param limit: so many at most
    """
    table, given = tables.users, tables.grants
    query = (
        select(table, given.c.role, given.c.customers)
        .join_from(table, given, given.c.user_id == table.c.id)
        .where(given.c.client == scope.client)
        .order_by(table.c.email)
        .limit(limit)
    )
    if search:
        query = query.where(or_(table.c.email.icontains(search, autoescape=True), given.c.customers.contains([search])))
    if after:
        query = query.where(table.c.email > after)
    with database.session(scope) as connection:
        return tuple(_user(row, [grant_of(scope.client, row)]) for row in connection.execute(query))


def revoke(database: Database, scope: Scope, user: uuid.UUID, *, by: Actor, at: datetime) -> str:
    """Take the right at the scope's client away: sessions and tokens that rest on it end at once.

    :returns: the account's address
    :raises NoUser: when it has no right there
    """
    with database.signing_in(scope) as connection:
        email, _, grants = _managed(connection, scope, user)
        old = next(one for one in grants if one.client == scope.client)
        table = tables.grants
        connection.execute(delete(table).where(table.c.client == scope.client, table.c.user_id == user))
        _end_sessions(connection, user)
        tokens = tables.api_tokens
        ended = update(tokens).where(tokens.c.user_id == user, tokens.c.revoked_at.is_(None))
        if scope.client != EVERY_CLIENT:  # that right made tokens at any client
            ended = ended.where(tokens.c.client == scope.client)
        connection.execute(ended.values(revoked_at=at))
        if not [one for one in grants if one.client != scope.client]:
            _void_links(connection, user)
        audit.write(connection, scope.client, by, at, "REVOKE", email, old=old.to_json())
    return email


def set_disabled(database: Database, scope: Scope, user: uuid.UUID, disabled: bool, *, by: Actor, at: datetime) -> str:
    """Shut an account, or open it again; shutting ends its sessions and tokens at once, and opening brings none back.

    :returns: the account's address
    :raises NoUser: when the scope does not manage it
    :raises OutOfScope: when another client gave it rights, too: only a system administrator shuts it then
    """
    with database.signing_in(scope) as connection:
        email, before, grants = _managed(connection, scope, user)
        _alone(scope, email, grants)
        table = tables.users
        connection.execute(update(table).where(table.c.id == user).values(disabled_at=at if disabled else None))
        if disabled:
            _end_sessions(connection, user)
            _void_links(connection, user)
            tokens = tables.api_tokens
            ended = update(tokens).where(tokens.c.user_id == user, tokens.c.revoked_at.is_(None))
            connection.execute(ended.values(revoked_at=at))
        action = "DISABLE" if disabled else "ENABLE"
        old, new = {"disabled": before is not None}, {"disabled": disabled}
        audit.write(connection, scope.client, by, at, action, email, old=old, new=new)
    return email


def new_link(database: Database, scope: Scope, user: uuid.UUID, *, by: Actor, at: datetime) -> Invited:
    """Make a one-time link with which an account sets its password; earlier ones no longer work.

    :raises NoUser: when the scope does not manage it
    :raises OutOfScope: when another client gave it rights, too
    """
    with database.signing_in(scope) as connection:
        email, _, grants = _managed(connection, scope, user)
        _alone(scope, email, grants)
        token = tickets.issue(connection, tickets.FIRST, user, at, INVITATION)
        audit.write(connection, scope.client, by, at, "LINK", email)
    return Invited(user=user, email=email, token=token)


def _check(scope: Scope, grant: Grant) -> None:
    scope.check_writes()
    if scope.role is not Role.SYSTEM_ADMIN and (grant.client != scope.client or scope.customers is not None):
        raise OutOfScope(f"a right at client {grant.client} is given by its operators")


def _check_customers(connection: Connection, grant: Grant) -> None:
    if grant.client == EVERY_CLIENT:
        return
    table = tables.customers
    if grant.customers is None:
        known = connection.execute(
            select(tables.clients.c.client).where(tables.clients.c.client == grant.client)
        ).first()
        if known is None:
            raise BadAccount(f"client {grant.client} is not stored; import it with `eisenergy client import FILE`")
        return
    query = select(table.c.customer).where(
        table.c.client == grant.client, table.c.customer.in_(sorted(grant.customers))
    )
    if unknown := sorted(grant.customers - set(connection.execute(query).scalars())):
        raise BadAccount(
            f"no customer {', '.join(unknown)} at client {grant.client}; list them with `eisenergy customers list`"
        )


def _put(connection: Connection, user: uuid.UUID, grant: Grant, by: Actor, at: datetime) -> None:
    values = {
        "role": grant.role.value,
        "customers": None if grant.customers is None else sorted(grant.customers),
        "granted_by": by.name,
        "granted_at": at,
    }
    query = upsert(tables.grants).values({"client": grant.client, "user_id": user, **values})
    connection.execute(query.on_conflict_do_update(index_elements=["client", "user_id"], set_=values))


def _managed(connection: Connection, scope: Scope, user: uuid.UUID) -> tuple[str, datetime | None, list[Grant]]:
    """Return address, when it was shut, and all rights of an account that has one at the scope's client."""
    scope.check_writes()
    table = tables.users
    row = connection.execute(select(table).where(table.c.id == user).with_for_update()).first()
    grants = read_grants(connection, [user]).get(user, [])
    if row is None or scope.customers is not None or not any(one.client == scope.client for one in grants):
        raise NoUser(f"no account {user} with a right at client {scope.client}; list them with `eisenergy users list`")
    return row.email, row.disabled_at, grants


def _alone(scope: Scope, email: str, grants: list[Grant]) -> None:
    if scope.role is not Role.SYSTEM_ADMIN and any(one.client != scope.client for one in grants):
        raise OutOfScope(
            f"{email} has rights that client {scope.client} did not give; a system administrator does this"
        )


def _end_sessions(connection: Connection, user: uuid.UUID) -> None:
    connection.execute(delete(tables.sessions).where(tables.sessions.c.user_id == user))


def _end_wider_tokens(connection: Connection, user: uuid.UUID, grant: Grant, at: datetime) -> None:
    """End the tokens that go beyond a right that takes another's place: they would be back if that one were ever given again."""
    table, rank = tables.api_tokens, list(Role)
    query = select(table.c.id, table.c.role, table.c.customers).where(
        table.c.user_id == user, table.c.client == grant.client, table.c.revoked_at.is_(None)
    )
    wider = [
        row.id
        for row in connection.execute(query)
        if rank.index(Role(row.role)) < rank.index(grant.role)
        or (grant.customers is not None and (row.customers is None or not grant.customers.issuperset(row.customers)))
    ]
    connection.execute(update(table).where(table.c.user_id == user, table.c.id.in_(wider)).values(revoked_at=at))


def _void_links(connection: Connection, user: uuid.UUID) -> None:
    connection.execute(delete(tables.tickets).where(tables.tickets.c.user_id == user))


def _begin_anew(connection: Connection, user: uuid.UUID) -> None:
    """Empty an account that has no rights: whoever gave it some before may know its password, or hold its telephone."""
    _void_links(connection, user)  # first: whoever uses one at this moment is done, or finds it gone
    proofs = tables.credentials
    nothing: dict[str, Any] = {
        "password": None,
        "password_at": None,
        "totp_secret": None,
        "totp_step": None,
        "recovery": [],
    }
    connection.execute(
        update(proofs).where(proofs.c.user_id == user).values({**nothing, "issuer": None, "subject": None})
    )
    _end_sessions(connection, user)


def _user(row: Row[Any], grants: list[Grant]) -> User:
    return User(
        id=row.id,
        email=row.email,
        locale=row.locale,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        grants=tuple(grants),
    )
