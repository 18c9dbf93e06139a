"""What an account proves itself with, read and changed at sign-in: password hash, second factor, an identity elsewhere."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, any_, func, or_, select, update

from eisenergy.store import sessions, tables, tickets
from eisenergy.store.database import Database
from eisenergy.store.grants import Grant, read_grants


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """An account as sign-in sees it. Never shown.

    :param password: argon2id hash; ``None`` before the first one is set
    :param password_at: when the password was set, UTC
    :param totp_secret: of the second factor, sealed, ``None`` where it is off
    :param recovery: how many recovery codes are left
    """

    user: uuid.UUID
    email: str
    locale: str
    disabled: bool
    password: str | None
    password_at: datetime | None
    totp_secret: str | None
    recovery: int
    grants: tuple[Grant, ...]


def by_email(database: Database, email: str) -> Login | None:
    """Return the account of an address, ``None`` where there is none."""
    return _find(database, tables.users.c.email == email)


def by_user(database: Database, user: uuid.UUID) -> Login | None:
    """Return an account by its id, ``None`` where there is none."""
    return _find(database, tables.users.c.id == user)


def by_subject(database: Database, issuer: str, subject: str) -> Login | None:
    """Return the account bound to an identity of an OpenID provider, ``None`` where there is none."""
    table = tables.credentials
    return _find(database, (table.c.issuer == issuer) & (table.c.subject == subject))


def _find(database: Database, condition: ColumnElement[bool]) -> Login | None:
    people, proofs = tables.users, tables.credentials
    query = select(people, proofs).join_from(people, proofs, proofs.c.user_id == people.c.id).where(condition)
    with database.signing_in() as connection:
        row = connection.execute(query).first()
        if row is None:
            return None
        grants = tuple(read_grants(connection, [row.id]).get(row.id, ()))
    return Login(
        user=row.id,
        email=row.email,
        locale=row.locale,
        disabled=row.disabled_at is not None,
        password=row.password,
        password_at=row.password_at,
        totp_secret=row.totp_secret,
        recovery=len(row.recovery),
        grants=grants,
    )


def set_password(connection: Connection, user: uuid.UUID, password: str, at: datetime) -> None:
    """Keep the hash of a new password; every session, trusted device and open link of the account ends."""
    proofs = tables.credentials
    connection.execute(update(proofs).where(proofs.c.user_id == user).values(password=password, password_at=at))
    sessions.end_all(connection, user)
    tickets.end_all(connection, user)


def still(connection: Connection, login: Login) -> bool:
    """Whether an account is as it was when it was read: its password not set anew, not shut. It stays so in this transaction."""
    proofs, people = tables.credentials, tables.users
    row = connection.execute(
        select(proofs.c.password_at, people.c.disabled_at)
        .join_from(proofs, people, people.c.id == proofs.c.user_id)
        .where(proofs.c.user_id == login.user)
        .with_for_update(read=True)
    ).one()
    return row.password_at == login.password_at and row.disabled_at is None


def rehash(database: Database, user: uuid.UUID, old: str, new: str) -> None:
    """Keep the same password's hash under newer parameters."""
    proofs = tables.credentials
    with database.signing_in() as connection:
        connection.execute(
            update(proofs).where(proofs.c.user_id == user, proofs.c.password == old).values(password=new)
        )


def set_factor(
    connection: Connection, user: uuid.UUID, secret: str | None, recovery: Sequence[str], step: int | None = None
) -> None:
    """Switch the second factor on or off.

    :param secret: sealed
    :param recovery: hashes of the recovery codes
    :param step: time step of the code it was switched on with; neither that one nor an earlier one works again
    """
    proofs = tables.credentials
    values = {"totp_secret": secret, "totp_step": step, "recovery": list(recovery)}
    connection.execute(update(proofs).where(proofs.c.user_id == user).values(values))


def reseal(database: Database, user: uuid.UUID, old: str, new: str) -> None:
    """Keep the same secret of the second factor sealed anew."""
    proofs = tables.credentials
    with database.signing_in() as connection:
        connection.execute(
            update(proofs).where(proofs.c.user_id == user, proofs.c.totp_secret == old).values(totp_secret=new)
        )


def factors(database: Database) -> dict[uuid.UUID, str]:
    """Return the second factors' secrets as they are stored."""
    proofs = tables.credentials
    with database.signing_in() as connection:
        rows = connection.execute(
            select(proofs.c.user_id, proofs.c.totp_secret).where(proofs.c.totp_secret.is_not(None))
        ).all()
    return {row.user_id: row.totp_secret for row in rows}


def take_step(database: Database, user: uuid.UUID, step: int) -> bool:
    """Use up a time step of the second factor; ``False`` when it, or a later one, was used before."""
    proofs = tables.credentials
    unused = or_(proofs.c.totp_step.is_(None), proofs.c.totp_step < step)
    with database.signing_in() as connection:
        done = connection.execute(update(proofs).where(proofs.c.user_id == user, unused).values(totp_step=step))
    return done.rowcount == 1


def take_recovery(database: Database, user: uuid.UUID, code: str) -> bool:
    """Use up a recovery code by its hash; ``False`` when it is none, or was used before."""
    proofs = tables.credentials
    with database.signing_in() as connection:
        done = connection.execute(
            update(proofs)
            .where(proofs.c.user_id == user, any_(proofs.c.recovery) == code)
            .values(recovery=func.array_remove(proofs.c.recovery, code))
        )
    return done.rowcount == 1


def bind(database: Database, user: uuid.UUID, issuer: str, subject: str) -> bool:
    """Bind an account to an identity of an OpenID provider; ``False`` when it is bound to another one already."""
    proofs = tables.credentials
    with database.signing_in() as connection:
        done = connection.execute(
            update(proofs)
            .where(proofs.c.user_id == user, proofs.c.subject.is_(None))
            .values(issuer=issuer, subject=subject)
        )
    return done.rowcount == 1


def set_locale(database: Database, user: uuid.UUID, locale: str) -> None:
    """Keep the language an account reads: ``es`` or ``en``."""
    people = tables.users
    with database.signing_in() as connection:
        connection.execute(update(people).where(people.c.id == user).values(locale=locale))
