"""The outbox: events, written in the transaction of what they tell about, so that neither is there without the other.

An event holds codes, numbers and amounts, and nothing that is about a person. Its place in the outbox is its order: of two effects that
wait for each other's lock, the later one writes its event after the earlier one's commit.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, select, text

from eisenergy.accounts import Scope
from eisenergy.store import tables
from eisenergy.store.arrays import Texts
from eisenergy.store.database import Database

INGESTED: Final = "meter.reading.ingested"
ISSUED: Final = "invoice.issued"
PUBLISHED: Final = "document.published"
CUSTOMER: Final = "customer.changed"
TARIFF: Final = "tariff.changed"
CALENDAR: Final = "calendar.changed"
TEST: Final = "subscription.test"
"""What an operator sends to see whether it arrives; to one subscription alone."""
TYPES: Final = (INGESTED, ISSUED, PUBLISHED, CUSTOMER, TARIFF, CALENDAR)
"""What one may subscribe to."""
CHANNEL: Final = "eisenergy_outbox"
"""Where inserts are announced when they are committed, see migration 0011."""


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """An event to be written.

    :param customer: code of the customer it is about; ``None``: of none in particular
    :param data: JSON types; amounts and quantities as text
    """

    type: str
    customer: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event as it stands in the outbox.

    :param position: its place in the order of the client's events
    :param at: UTC
    """

    client: str
    position: int
    id: uuid.UUID
    type: str
    customer: str | None
    at: datetime
    data: Mapping[str, Any]


def write(
    connection: Connection, client: str, events: Sequence[New], at: datetime, *, only_for: uuid.UUID | None = None
) -> None:
    """Write events in the transaction of their effect, all in one statement, in their order.

    :param connection: a transaction of ``database.session(scope)`` of who writes for these customers
    :param only_for: the one subscription that is told
    """
    if not events:
        return
    listed = [{"type": event.type, "customer": event.customer, "data": dict(event.data)} for event in events]
    values = {"client": client, "events": json.dumps(listed), "at": at, "only_for": only_for}
    connection.execute(_WRITE, values)


_WRITE: Final = text("""
    INSERT INTO eisenergy.outbox (client, type, customer, at, data, only_for)
    SELECT :client, e.x ->> 'type', e.x ->> 'customer', :at, e.x -> 'data', CAST(:only_for AS uuid)
    FROM jsonb_array_elements(CAST(:events AS jsonb)) WITH ORDINALITY AS e(x, n) ORDER BY e.n
""")


def issued(connection: Connection, client: str, numbers: Sequence[str], at: datetime) -> None:
    """Write an event for each of some invoices, all in one statement, in order of their numbers."""
    connection.execute(_ISSUED, {"client": client, "numbers": Texts.of(numbers), "at": at, "type": ISSUED})


_ISSUED: Final = text("""
    INSERT INTO eisenergy.outbox (client, type, customer, at, data)
    SELECT client, :type, customer, :at, jsonb_build_object(
        'number', number, 'contract', contract, 'customer', customer, 'month', month, 'issued_on', issued_on, 'due_on', due_on,
        'currency', currency, 'kwh', kwh::text, 'total', total::text)
    FROM eisenergy.invoices WHERE client = :client AND number = ANY (CAST(:numbers AS text[])) ORDER BY series, sequence
""")


def ingested(connection: Connection, client: str, hashes: Sequence[str], at: datetime) -> None:
    """Write an event for each of some registered files of readings, all in one statement; the file's name is not told.

    It is about the customer whose meters the file reads; where these are several, or none yet, about none in particular.
    """
    connection.execute(_INGESTED, {"client": client, "hashes": list(hashes), "at": at, "type": INGESTED})


_INGESTED: Final = text("""
    INSERT INTO eisenergy.outbox (client, type, customer, at, data)
    SELECT f.client, :type, CASE WHEN count(DISTINCT c.customer) = 1 THEN min(c.customer) END, :at, jsonb_build_object(
        'file', f.sha256, 'kind', f.kind, 'rows', f.rows, 'start', f.starts, 'end', f.ends, 'meters', to_jsonb(f.meters),
        'customers', coalesce(jsonb_agg(DISTINCT c.customer) FILTER (WHERE c.customer IS NOT NULL), '[]'))
    FROM eisenergy.source_files f
    LEFT JOIN eisenergy.clients k ON k.client = f.client
    LEFT JOIN LATERAL unnest(f.meters) AS m(meter) ON true
    LEFT JOIN eisenergy.contracts c ON c.client = f.client AND c.meter = m.meter
        AND c.starts < f.ends AT TIME ZONE coalesce(k.document ->> 'timezone', 'UTC')
        AND (c.ends IS NULL OR c.ends > f.starts AT TIME ZONE coalesce(k.document ->> 'timezone', 'UTC'))
    WHERE f.client = :client AND f.sha256 = ANY (CAST(:hashes AS text[]))
    GROUP BY f.client, f.sha256 ORDER BY f.received_at, f.name, f.sha256
""")


def between(database: Database, scope: Scope, first: int, last: int, *, type: str | None = None) -> tuple[Event, ...]:
    """Return the events of a stretch of the outbox, in their order; nothing for a scope limited to customers."""
    table = tables.outbox
    query = select(table).where(table.c.client == scope.client, table.c.position.between(first, last))
    if type is not None:
        query = query.where(table.c.type == type)
    with database.session(scope) as connection:
        return tuple(to_event(row) for row in connection.execute(query.order_by(table.c.position)))


def newest(database: Database, scope: Scope, *, limit: int = 50) -> tuple[Event, ...]:
    """Return the newest events of the scope's client, the newest first; nothing for a scope limited to customers."""
    table = tables.outbox
    query = select(table).where(table.c.client == scope.client).order_by(table.c.position.desc()).limit(limit)
    with database.session(scope) as connection:
        return tuple(to_event(row) for row in connection.execute(query))


def sweep(database: Database, scope: Scope, before: datetime) -> int:
    """Remove events from before a time that nobody waits for, with what became of them. :returns: how many

    What waits or is dead for any subscription that is not removed stays.
    """
    scope.check_writes()
    with database.session(scope) as connection:
        gone = connection.execute(_GONE, {"client": scope.client, "before": before}).scalars().all()
        if gone:
            told, table = tables.deliveries, tables.outbox
            connection.execute(delete(told).where(told.c.client == scope.client, told.c.position.in_(gone)))
            connection.execute(delete(table).where(table.c.client == scope.client, table.c.position.in_(gone)))
    return len(gone)


_GONE: Final = text("""
    SELECT o.position FROM eisenergy.outbox o WHERE o.client = :client AND o.at < :before AND o.spread AND NOT EXISTS (
        SELECT FROM eisenergy.deliveries d
        JOIN eisenergy.subscriptions s ON s.client = d.client AND s.id = d.subscription AND s.removed_at IS NULL
        WHERE d.client = o.client AND d.position = o.position AND d.state IN ('waiting', 'dead'))
    ORDER BY o.position LIMIT 10000 FOR UPDATE OF o SKIP LOCKED
""")


def count(database: Database, scope: Scope) -> int:
    """Return how many events the outbox holds of the scope's client."""
    table = tables.outbox
    with database.session(scope) as connection:
        return int(
            connection.execute(
                select(func.count()).select_from(table).where(table.c.client == scope.client)
            ).scalar_one()
        )


def to_event(row: Row[Any]) -> Event:
    """Return a row of the table as what it tells of."""
    return Event(
        client=row.client,
        position=row.position,
        id=row.id,
        type=row.type,
        customer=row.customer,
        at=row.at.astimezone(UTC),
        data=row.data,
    )
