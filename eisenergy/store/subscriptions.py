"""Who is told of events: addresses of operators' own programs, and the brokers of the installation.

The secret that a webhook's requests are signed with is shown once, and kept sealed (:mod:`eisenergy.store.sealing`).
"""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from joserfc.jwk import OctKey
from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.store import audit, outbox, sealing, tables
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database
from eisenergy.store.outbox import New

WEBHOOK, KAFKA = "webhook", "kafka"
PREFIX: Final = "whsec_"
"""Before a secret's base64. Source: Standard Webhooks 1.0, Signature scheme."""
BYTES: Final = 32
MOST: Final = 20
"""Subscriptions of one client."""
_SPACE: Final = uuid.UUID("f7a0a1c2-93c4-4d57-8f0e-5a6f3c1e7b42")


class NoSubscription(LookupError):
    """No such subscription at this client."""


class BadSubscription(ValueError):
    """A subscription that cannot be made; says what was found and what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Whom to tell of what.

    :param kind: ``webhook`` or ``kafka``
    :param target: address, or topic
    :param types: of events; empty: all
    :param secret: sealed; ``None`` for a topic
    :param paused: what happens meanwhile waits
    """

    client: str
    id: uuid.UUID
    kind: str
    target: str
    types: tuple[str, ...]
    secret: str | None
    paused: bool
    made_by: str
    made_at: datetime


def add(
    connection: Connection, scope: Scope, key: OctKey, url: str, types: Collection[str], *, by: Actor, at: datetime
) -> tuple[Subscription, str]:
    """Subscribe an address, which has been looked at before, and return the subscription and its secret; that is shown this once.

    :param connection: a transaction of ``database.session(scope)``
    :param types: of :data:`eisenergy.store.outbox.TYPES`; none: all
    :raises BadSubscription: for a type that there is not, an address that is there, or one too many
    """
    _check(scope)
    if unknown := sorted(set(types) - set(outbox.TYPES)):
        raise BadSubscription(f"{unknown[0]!r} is no type of event: expected some of {', '.join(outbox.TYPES)}")
    # Two at once would both find one place left.
    table = tables.clients
    connection.execute(select(table.c.client).where(table.c.client == scope.client).with_for_update())
    there = _all(connection, scope)
    if len(there) >= MOST:
        raise BadSubscription(f"client {scope.client} has {MOST} subscriptions: remove one first")
    if any(one.target == url for one in there):
        raise BadSubscription(f"{url} is subscribed already: remove that subscription first, or name another address")
    id = uuid.uuid4()
    secret = PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()
    values = {
        "client": scope.client,
        "id": id,
        "kind": WEBHOOK,
        "target": url,
        "types": sorted(types),
        "secret": sealing.sealed(key, id, secret),
        "paused": False,
        "made_by": by.name[: audit.LONGEST],
        "made_at": at,
    }
    connection.execute(insert(tables.subscriptions).values(values))
    told = {"subscription": str(id), "types": sorted(types)}
    audit.write(connection, scope.client, by, at, "SUBSCRIPTION", url, new=told)
    return _subscription(_row(connection, scope, id)), secret


def ensure_topic(database: Database, scope: Scope, topic: str, at: datetime) -> None:
    """Subscribe a topic to everything, once."""
    _check(scope)
    values = {
        "client": scope.client,
        "id": uuid.uuid5(_SPACE, f"{scope.client} {topic}"),
        "kind": KAFKA,
        "target": topic,
        "types": [],
        "paused": False,
        "made_by": "EISENERGY_KAFKA",
        "made_at": at,
    }
    with database.session(scope) as connection:
        connection.execute(upsert(tables.subscriptions).values(values).on_conflict_do_nothing())


def pause(
    connection: Connection, scope: Scope, subscription: uuid.UUID, paused: bool, *, by: Actor, at: datetime
) -> None:
    """Tell a subscription nothing for a while, or again; what happens meanwhile waits. :raises NoSubscription: where there is none"""
    _check(scope)
    found = _subscription(_row(connection, scope, subscription, lock=True))
    if found.paused != paused:
        _change(connection, scope, subscription, {"paused": paused})
        action = "SUBSCRIPTION_PAUSED" if paused else "SUBSCRIPTION_GOES_ON"
        audit.write(connection, scope.client, by, at, action, found.target, new={"subscription": str(subscription)})


def remove(connection: Connection, scope: Scope, subscription: uuid.UUID, *, by: Actor, at: datetime) -> None:
    """End a subscription; what waited for it is not sent any more. :raises NoSubscription: where there is none"""
    _check(scope)
    found = _subscription(_row(connection, scope, subscription, lock=True))
    if found.kind != WEBHOOK:
        raise BadSubscription(f"{found.target} is told because EISENERGY_KAFKA is set: pause it, or clear that setting")
    _change(connection, scope, subscription, {"removed_at": at, "secret": None})
    audit.write(
        connection,
        scope.client,
        by,
        at,
        "SUBSCRIPTION_REMOVED",
        found.target,
        old={"subscription": str(subscription), "types": list(found.types)},
    )


def test(connection: Connection, scope: Scope, subscription: uuid.UUID, *, by: Actor, at: datetime) -> None:
    """Send a subscription an event of no meaning. :raises NoSubscription: where there is none"""
    _check(scope)
    found = _subscription(_row(connection, scope, subscription))
    outbox.write(
        connection,
        scope.client,
        [New(type=outbox.TEST, customer=None, data={"asked_at": at.isoformat()})],
        at,
        only_for=subscription,
    )
    audit.write(
        connection,
        scope.client,
        by,
        at,
        "SUBSCRIPTION_TEST",
        found.target,
        new={"subscription": str(subscription)},
    )


def listed(database: Database, scope: Scope) -> tuple[Subscription, ...]:
    """Return the subscriptions of the scope's client, in the order in which they were made; nothing for a scope limited to customers."""
    with database.session(scope) as connection:
        return _all(connection, scope)


def find(database: Database, scope: Scope, subscription: uuid.UUID) -> Subscription:
    """Return a subscription. :raises NoSubscription: when the scope has none of this id"""
    with database.session(scope) as connection:
        return _subscription(_row(connection, scope, subscription))


def _check(scope: Scope) -> None:
    scope.check_writes()
    if scope.customers is not None:
        raise OutOfScope("subscriptions concern the whole client, and the scope is limited to customers")


def _all(connection: Connection, scope: Scope) -> tuple[Subscription, ...]:
    table = tables.subscriptions
    query = select(table).where(table.c.client == scope.client, table.c.removed_at.is_(None))
    return tuple(_subscription(row) for row in connection.execute(query.order_by(table.c.made_at, table.c.id)))


def _row(connection: Connection, scope: Scope, subscription: uuid.UUID, *, lock: bool = False) -> Row[Any]:
    table = tables.subscriptions
    query = select(table).where(
        table.c.client == scope.client, table.c.id == subscription, table.c.removed_at.is_(None)
    )
    row: Row[Any] | None = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NoSubscription(
            f"client {scope.client} has no subscription {subscription}; list them with `eisenergy events subscriptions`"
        )
    return row


def _change(connection: Connection, scope: Scope, subscription: uuid.UUID, values: dict[str, Any]) -> None:
    table = tables.subscriptions
    connection.execute(update(table).where(table.c.client == scope.client, table.c.id == subscription).values(values))


def _subscription(row: Row[Any]) -> Subscription:
    return Subscription(
        client=row.client,
        id=row.id,
        kind=row.kind,
        target=row.target,
        types=tuple(row.types),
        secret=row.secret,
        paused=row.paused,
        made_by=row.made_by,
        made_at=row.made_at.astimezone(UTC),
    )
