"""What became of telling each subscription of each event.

In order per customer: of a customer's events the oldest that is not delivered is the next, and those after it wait for it, also when it is
dead; other customers' go on. At least once: an event is marked when whoever is told has said that it has it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select, text, update

from eisenergy.accounts import Role, Scope
from eisenergy.store import audit, tables
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database
from eisenergy.store.jobs import EVENTS, QUEUE, TELL
from eisenergy.store.outbox import Event
from eisenergy.store.subscriptions import KAFKA

WAITING, DELIVERED, DEAD, DROPPED = "waiting", "delivered", "dead", "dropped"
STATES: Final = (WAITING, DELIVERED, DEAD, DROPPED)
FIRST: Final = timedelta(seconds=5)
"""From the first failure to the second try; each later one takes three times as long."""
LONGEST: Final = timedelta(hours=6)
TRIES: Final = 12
"""After so many failures, a day and some hours, an event is dead."""
_ANSWER: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one subscription.

    :param attempts: how often it was tried
    :param due_at: when it may be tried next; UTC, like all times here
    :param answer: what came of the last try, in a few words
    """

    subscription: uuid.UUID
    event: Event
    state: str
    attempts: int
    due_at: datetime
    tried_at: datetime | None
    answer: str


def wait(attempts: int) -> timedelta:
    """Return the time to the next try after so many failures: three times as long each time, up to :data:`LONGEST`."""
    seconds = FIRST.total_seconds() * 3.0 ** min(attempts - 1, 20)
    return min(timedelta(seconds=seconds), LONGEST)


def spread(database: Database, client: str, at: datetime, *, kafka: bool) -> int:
    """Put new events down for each subscription that is to be told. :returns: how many events there were

    :param kafka: whether there are brokers to tell; topics are told nothing meanwhile
    """
    with database.session(Scope.operator(client)) as connection:
        return int(connection.execute(_SPREAD, {"client": client, "at": at, "kafka": kafka}).scalar_one())


# One statement: of two workers that look at once the second finds the events spread already.
_SPREAD: Final = text(f"""
    WITH taken AS (
        UPDATE eisenergy.outbox SET spread = true WHERE client = :client AND NOT spread
        RETURNING position, type, customer, only_for
    ), told AS (
        INSERT INTO eisenergy.deliveries (client, subscription, position, customer, state, attempts, due_at, answer)
        SELECT s.client, s.id, t.position, coalesce(t.customer, ''), 'waiting', 0, :at, ''
        FROM taken t JOIN eisenergy.subscriptions s ON s.client = :client AND s.removed_at IS NULL
            AND (t.only_for = s.id OR (t.only_for IS NULL AND (s.types = '{{}}' OR t.type = ANY (s.types))))
            AND (s.kind <> '{KAFKA}' OR :kafka)
    )
    SELECT count(*) FROM taken
""")

# Of each customer the oldest that is open, off the index of these: in a table nobody has counted yet, too, this is one pass over them.
_NEXT: Final = """
    FROM (SELECT DISTINCT ON (e.customer) e.* FROM eisenergy.deliveries e
        WHERE e.client = s.client AND e.subscription = s.id AND e.state IN ('waiting', 'dead')
        ORDER BY e.customer, e.position) d
    WHERE d.state = 'waiting' AND d.due_at <= :at
"""


def unspread(database: Database, home: str) -> tuple[str, ...]:
    """Return the clients that have events nobody was told of. :param home: code of any client, to look for the others with"""
    with database.session(Scope(client=home, role=Role.SYSTEM_ADMIN)) as connection:
        query = text("SELECT DISTINCT client FROM eisenergy.outbox WHERE NOT spread ORDER BY client")
        return tuple(connection.execute(query).scalars())


def due(database: Database, home: str, at: datetime, *, kafka: bool) -> tuple[tuple[str, uuid.UUID], ...]:
    """Return client and id of the subscriptions that something is to be sent to now. :param home: see :func:`unspread`"""
    query = text(
        "SELECT s.client, s.id FROM eisenergy.subscriptions s WHERE s.removed_at IS NULL AND NOT s.paused "
        f"AND (s.kind <> '{KAFKA}' OR :kafka) AND EXISTS (SELECT {_NEXT}) ORDER BY s.client, s.made_at"
    )
    with database.session(Scope(client=home, role=Role.SYSTEM_ADMIN)) as connection:
        return tuple((row[0], row[1]) for row in connection.execute(query, {"at": at, "kafka": kafka}))


def defer(database: Database, client: str, subscription: uuid.UUID) -> None:
    """Have a worker send what is due to a subscription, unless one is at it or about to begin."""
    values = {
        "queue": EVENTS,
        "task": TELL,
        "lock": f"{EVENTS} {client} {subscription}",
        "args": json.dumps({"client": client, "subscription": str(subscription)}),
    }
    with database.engine.begin() as connection:
        connection.execute(_DEFER, values)


# No queueing lock: it would stop a dead worker's job from being put back beside a newer one.
_DEFER: Final = text(f"""
    SELECT {QUEUE}.procrastinate_defer_jobs_v1(ARRAY[
        ROW(:queue, :task, 0, CAST(:lock AS text), NULL, CAST(:args AS jsonb), NULL)::{QUEUE}.procrastinate_job_to_defer_v1])
    WHERE NOT EXISTS (
        SELECT FROM {QUEUE}.procrastinate_jobs WHERE lock = CAST(:lock AS text) AND status IN ('todo', 'doing'))
""")


@contextmanager
def alone(database: Database, client: str, subscription: uuid.UUID) -> Iterator[bool]:
    """Hold a subscription's turn to send; ``False`` when somebody else has it. It ends with the process, however that ends."""
    key = {"key": f"eisenergy events {client} {subscription}"}
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        mine = connection.execute(text("SELECT pg_try_advisory_lock(hashtextextended(:key, 0))"), key).scalar_one()
        try:
            yield bool(mine)
        finally:
            if mine and not connection.invalidated:
                connection.execute(text("SELECT pg_advisory_unlock(hashtextextended(:key, 0))"), key)


def next_ones(
    database: Database, scope: Scope, subscription: uuid.UUID, at: datetime, *, limit: int
) -> tuple[Delivery, ...]:
    """Return what may be sent to a subscription now, of each customer the oldest, in order of the outbox.

    Nothing for one that is paused or removed.
    """
    query = text(
        f"SELECT {_COLUMNS} FROM (SELECT d.* FROM eisenergy.subscriptions s CROSS JOIN LATERAL (SELECT d.* {_NEXT}) d "
        "WHERE s.client = :client AND s.id = :subscription AND s.removed_at IS NULL AND NOT s.paused "
        "ORDER BY d.position LIMIT :limit) d JOIN eisenergy.outbox o ON o.client = d.client AND o.position = d.position "
        "ORDER BY d.position"
    )
    values = {"client": scope.client, "subscription": subscription, "at": at, "limit": limit}
    with database.session(scope) as connection:
        return tuple(_delivery(row) for row in connection.execute(query, values))


_COLUMNS: Final = (
    "d.subscription, d.state, d.attempts, d.due_at, d.tried_at, d.answer, "
    "o.client, o.position, o.id, o.type, o.customer, o.at, o.data"
)


def delivered(database: Database, scope: Scope, delivery: Delivery, at: datetime, answer: str) -> None:
    """Mark what has arrived."""
    values = {"state": DELIVERED, "attempts": delivery.attempts + 1, "tried_at": at, "answer": _kept(answer)}
    with database.session(scope) as connection:
        _change(connection, scope, delivery, values)


def failed(database: Database, scope: Scope, delivery: Delivery, at: datetime, answer: str) -> str:
    """Mark what has not arrived: it is tried again later, or dead. :returns: its state"""
    attempts = delivery.attempts + 1
    dead = attempts >= TRIES
    values = {
        "state": DEAD if dead else WAITING,
        "attempts": attempts,
        "tried_at": at,
        "due_at": at + wait(attempts),
        "answer": _kept(answer),
    }
    with database.session(scope) as connection:
        _change(connection, scope, delivery, values)
    return DEAD if dead else WAITING


def _kept(answer: str) -> str:
    """What is kept of words that somebody else chose; PostgreSQL takes no NUL."""
    return answer[:_ANSWER].replace("\x00", "")


def _change(connection: Connection, scope: Scope, delivery: Delivery, values: dict[str, Any]) -> None:
    table = tables.deliveries
    connection.execute(
        update(table)
        .where(
            table.c.client == scope.client,
            table.c.subscription == delivery.subscription,
            table.c.position == delivery.event.position,
            table.c.state == WAITING,
        )
        .values(values)
    )


def again(
    connection: Connection,
    scope: Scope,
    subscription: uuid.UUID,
    position: int | None,
    *,
    by: Actor,
    at: datetime,
    drop: bool = False,
) -> int:
    """Send what is dead once more, or give it up; what waits behind it goes on then. :returns: how many there were

    :param position: one event; ``None``: all that are dead
    :param drop: give up
    """
    scope.check_writes()
    table = tables.deliveries
    query = update(table).where(
        table.c.client == scope.client, table.c.subscription == subscription, table.c.state == DEAD
    )
    if position is not None:
        query = query.where(table.c.position == position)
    values = {"state": DROPPED} if drop else {"state": WAITING, "attempts": 0, "due_at": at}
    count = connection.execute(query.values(values)).rowcount
    if count:
        told = {"subscription": str(subscription), "events": count, "position": position}
        action = "EVENTS_DROPPED" if drop else "EVENTS_AGAIN"
        audit.write(connection, scope.client, by, at, action, str(subscription), new=told)
    return count


def listed(
    database: Database,
    scope: Scope,
    *,
    subscription: uuid.UUID | None = None,
    state: str | None = None,
    limit: int = 50,
) -> tuple[Delivery, ...]:
    """Return deliveries of the scope's client, the newest events first; nothing for a scope limited to customers."""
    wanted = "".join(
        f" AND d.{name} = :{name}" for name, given in (("subscription", subscription), ("state", state)) if given
    )
    query = text(
        f"SELECT {_COLUMNS} FROM eisenergy.deliveries d JOIN eisenergy.outbox o ON o.client = d.client AND o.position = d.position "
        f"WHERE d.client = :client{wanted} ORDER BY d.position DESC LIMIT :limit"
    )
    values = {"client": scope.client, "limit": limit, "subscription": subscription, "state": state}
    values = {name: value for name, value in values.items() if f":{name}" in str(query)}
    with database.session(scope) as connection:
        return tuple(_delivery(row) for row in connection.execute(query, values))


def counts(database: Database, scope: Scope) -> dict[uuid.UUID, dict[str, int]]:
    """Return subscription -> state -> how many events wait or are dead; what is over is not counted."""
    table = tables.deliveries
    query = (
        select(table.c.subscription, table.c.state, func.count())
        .where(table.c.client == scope.client, table.c.state.in_([WAITING, DEAD]))
        .group_by(table.c.subscription, table.c.state)
    )
    found: dict[uuid.UUID, dict[str, int]] = {}
    with database.session(scope) as connection:
        for subscription, state, count in connection.execute(query):
            found.setdefault(subscription, {})[state] = count
    return found


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        subscription=row.subscription,
        event=Event(
            client=row.client,
            position=row.position,
            id=row.id,
            type=row.type,
            customer=row.customer,
            at=row.at.astimezone(UTC),
            data=row.data,
        ),
        state=row.state,
        attempts=row.attempts,
        due_at=row.due_at.astimezone(UTC),
        tried_at=None if row.tried_at is None else row.tried_at.astimezone(UTC),
        answer=row.answer,
    )
