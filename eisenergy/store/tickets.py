"""What is good for one time or one device: links that set a password, half-made sign-ins, trusted devices. Hashed, expiring."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from eisenergy.store import tables
from eisenergy.store.opaque import hashed, new_token

FIRST: Final = "first"
"""A link with which somebody sets the first password, or a new one an operator gave out."""
RESET: Final = "reset"
"""A link with which somebody who forgot the password sets a new one."""
CODE: Final = "code"
"""Between a right password and the code of the second factor."""
CODE_AFTER_OPENID: Final = "code_openid"
"""Between a provider's word and the code of the second factor."""
CODES: Final = (CODE, CODE_AFTER_OPENID)
DEVICE: Final = "device"
"""A device on which somebody signed in before."""
LINKS: Final = (FIRST, RESET)
RESETS: Final = 3
"""Links for a forgotten password that may be open at a time."""


def issue(connection: Connection, purpose: str, user: uuid.UUID, at: datetime, life: timedelta) -> str:
    """Make a ticket and return its token; a link that an operator gives out takes the place of every earlier link of the account."""
    table = tables.tickets
    if purpose == FIRST:
        void_links(connection, user)
    connection.execute(delete(table).where(or_(table.c.expires_at < at, table.c.used_at.is_not(None))))
    token = new_token()
    values = {
        "token_hash": hashed(token),
        "purpose": purpose,
        "user_id": user,
        "created_at": at,
        "expires_at": at + life,
    }
    connection.execute(insert(table).values(values))
    return token


def issue_reset(connection: Connection, user: uuid.UUID, at: datetime, life: timedelta) -> str | None:
    """Make a link for whoever forgot the password; ``None`` where enough are open.

    Anybody may ask for one, so it ends no other: neither an invitation nor a link that was mailed before.
    """
    table = tables.tickets
    # Whoever asks at the same time waits here.
    connection.execute(
        select(tables.credentials.c.user_id).where(tables.credentials.c.user_id == user).with_for_update()
    )
    opened = connection.execute(
        select(func.count()).where(
            table.c.user_id == user, table.c.purpose == RESET, table.c.used_at.is_(None), table.c.expires_at > at
        )
    ).scalar_one()
    return issue(connection, RESET, user, at, life) if opened < RESETS else None


def void_links(connection: Connection, user: uuid.UUID) -> None:
    """End every open link of an account."""
    table = tables.tickets
    connection.execute(delete(table).where(table.c.user_id == user, table.c.purpose.in_(LINKS)))


def end_all(connection: Connection, user: uuid.UUID) -> None:
    """End every ticket of an account: links, half-made sign-ins, trusted devices."""
    connection.execute(delete(tables.tickets).where(tables.tickets.c.user_id == user))


def holder(connection: Connection, purposes: tuple[str, ...], token: str, at: datetime) -> uuid.UUID | None:
    """Return whose ticket it is, and leave it; ``None`` for one that is unknown, used or expired."""
    table = tables.tickets
    found: uuid.UUID | None = connection.execute(
        select(table.c.user_id).where(
            table.c.token_hash == hashed(token),
            table.c.purpose.in_(purposes),
            table.c.used_at.is_(None),
            table.c.expires_at > at,
        )
    ).scalar()
    return found


def take(connection: Connection, purposes: tuple[str, ...], token: str, at: datetime) -> uuid.UUID | None:
    """Use a ticket up and return whose it was; of two who take it at once, one gets ``None``."""
    table = tables.tickets
    found: uuid.UUID | None = connection.execute(
        update(table)
        .where(
            table.c.token_hash == hashed(token),
            table.c.purpose.in_(purposes),
            table.c.used_at.is_(None),
            table.c.expires_at > at,
        )
        .values(used_at=at)
        .returning(table.c.user_id)
    ).scalar()
    return found
