"""What is good for one time or one device: links that set a password, half-made sign-ins, trusted devices. Hashed, expiring."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, insert, or_, select, update

from eisenergy.store import tables
from eisenergy.store.opaque import hashed, new_token

FIRST: Final = "first"
"""A link with which somebody sets the first password, or a new one an operator gave out."""
RESET: Final = "reset"
"""A link with which somebody who forgot the password sets a new one."""
CODE: Final = "code"
"""Between a right password and the code of the second factor."""
DEVICE: Final = "device"
"""A device on which somebody signed in before."""
LINKS: Final = (FIRST, RESET)


def issue(connection: Connection, purpose: str, user: uuid.UUID, at: datetime, life: timedelta) -> str:
    """Make a ticket and return its token; a new link takes the place of every earlier link of the account."""
    table = tables.tickets
    if purpose in LINKS:
        connection.execute(delete(table).where(table.c.user_id == user, table.c.purpose.in_(LINKS)))
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
