"""Rights: a role at a client, and for customers' users the customers it covers; as they are checked, kept and read."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select
from sqlalchemy.dialects.postgresql import insert as upsert

from eisenergy.accounts import Role, Scope
from eisenergy.store import audit, tables
from eisenergy.store.audit import Actor

EVERY_CLIENT: Final = "*"
LIMITED: Final = frozenset({Role.CUSTOMER_MANAGER, Role.CUSTOMER_USER})


class BadAccount(ValueError):
    """An account or a right that cannot be made as asked for."""


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
    """Return the right at a client that a row holds: role and customers."""
    customers = None if row.customers is None else frozenset(row.customers)
    return Grant(client=client, role=Role(row.role), customers=customers)


def check_customers(connection: Connection, grant: Grant) -> None:
    """Refuse a right at a client, or over customers, that are not stored. :raises BadAccount:"""
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


def put_grant(connection: Connection, user: uuid.UUID, grant: Grant, by: Actor, at: datetime) -> None:
    """Keep an account's right at a client, in the place of the one it has there."""
    values = {
        "role": grant.role.value,
        "customers": None if grant.customers is None else sorted(grant.customers),
        "granted_by": by.name,
        "granted_at": at,
    }
    query = upsert(tables.grants).values({"client": grant.client, "user_id": user, **values})
    connection.execute(query.on_conflict_do_update(index_elements=["client", "user_id"], set_=values))
