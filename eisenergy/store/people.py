"""Accounts, as operators manage them: invited, given rights (:mod:`eisenergy.store.grants`), shut. What an account proves itself with is in
:mod:`eisenergy.store.signins`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, or_, select, text, update

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.store import api_tokens, audit, sessions, tables, tickets
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database
from eisenergy.store.grants import EVERY_CLIENT, BadAccount, Grant, check_customers, grant_of, put_grant, read_grants

INVITATION: Final = timedelta(days=7)


class NoUser(LookupError):
    """No such account, or the scope does not manage it."""


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
        check_customers(connection, grant)
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
            put_grant(connection, user, grant, by, at)
            if before is not None:
                sessions.end_all(connection, user)
                if not any(one.client == EVERY_CLIENT for one in everything):
                    api_tokens.end_wider(connection, user, grant, at)
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
        sessions.end_all(connection, user)
        # A right at every client made tokens at any of them.
        api_tokens.end_all(connection, user, at, client=None if scope.client == EVERY_CLIENT else scope.client)
        if not [one for one in grants if one.client != scope.client]:
            tickets.end_all(connection, user)
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
            sessions.end_all(connection, user)
            tickets.end_all(connection, user)
            api_tokens.end_all(connection, user, at)
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


def _begin_anew(connection: Connection, user: uuid.UUID) -> None:
    """Empty an account that has no rights: whoever gave it some before may know its password, or hold its telephone."""
    tickets.end_all(connection, user)  # first: whoever uses one at this moment is done, or finds it gone
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
    sessions.end_all(connection, user)


def _user(row: Row[Any], grants: list[Grant]) -> User:
    return User(
        id=row.id,
        email=row.email,
        locale=row.locale,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        grants=tuple(grants),
    )
