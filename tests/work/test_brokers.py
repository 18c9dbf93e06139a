"""Kafka's protocol, spoken with the brokers that librdkafka brings along for tests: keys, order, content; and what is said without any."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from store_cases import make_client
from work_cases import EIS

from eisenergy.config import Settings
from eisenergy.store import deliveries, masters, outbox, subscriptions
from eisenergy.store.database import Database
from eisenergy.store.outbox import Event, New
from eisenergy.work import telling
from eisenergy.work.brokers import topic_of

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def brokers(require: Callable[[str], None]) -> Iterator[str]:
    """Addresses of three brokers in this process."""
    require("confluent_kafka")
    from confluent_kafka import Producer

    holder = Producer({"bootstrap.servers": "none:1", "test.mock.num.brokers": 3, "log_level": 0})
    found = holder.list_topics(timeout=20).brokers.values()
    yield ",".join(f"{one.host}:{one.port}" for one in found)
    del holder


def read(brokers: str, topic: str, count: int) -> list[Any]:
    from confluent_kafka import Consumer

    consumer = Consumer(
        {"bootstrap.servers": brokers, "group.id": str(uuid.uuid4()), "auto.offset.reset": "earliest", "log_level": 0}
    )
    consumer.subscribe([topic])
    found: list[Any] = []
    try:
        for _ in range(300):
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                found.append(message)
            if len(found) == count:
                return found
    finally:
        consumer.close()
    raise AssertionError(f"{len(found)} of {count} came")


def test_a_clients_events_go_to_its_topic_under_the_customers_key(
    settings: Settings, database: Database, brokers: str
) -> None:
    masters.save_client(database, EIS, make_client())
    with database.session(EIS) as connection:
        for customer, n in (("A", 1), ("B", 1), ("A", 2), (None, 1), ("A", 3)):
            outbox.write(connection, "EIS", [New(type=outbox.ISSUED, customer=customer, data={"n": n})], AT)
    chosen = replace(settings, work=replace(settings.work, kafka=brokers))
    ((client, id),) = telling.spread(database, chosen, AT)
    told = telling.tell(database, chosen, client, id, now=lambda: AT)
    assert (told.delivered, told.failed) == (5, 0)
    found = read(brokers, "eisenergy.EIS", 5)
    by_key: dict[object, list[object]] = {}
    for message in found:
        event = json.loads(message.value())
        assert message.headers() == [("content-type", b"application/cloudevents+json")]
        assert (event["type"], event.get("subject")) == ("invoice.issued", message.key() and message.key().decode())
        by_key.setdefault(message.key(), []).append(event["data"]["n"])
    assert by_key == {b"A": [1, 2, 3], b"B": [1], None: [1]}


def test_without_brokers_nobody_is_told_and_nothing_piles_up(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    masters.save_client(database, EIS, make_client())
    with database.session(EIS) as connection:
        connection.execute(text("DELETE FROM eisenergy.deliveries"))
        outbox.write(connection, "EIS", [New(type=outbox.ISSUED, customer="A", data={})], AT)
    subscriptions.ensure_topic(database, EIS, topic_of("EIS"), AT)
    assert telling.spread(database, settings, AT) == ()
    assert deliveries.listed(database, EIS) == ()
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with database.session(EIS) as connection:
        outbox.write(connection, "EIS", [New(type=outbox.ISSUED, customer="A", data={})], AT)
    chosen = replace(settings, work=replace(settings.work, kafka="127.0.0.1:9"))
    ((client, id),) = telling.spread(database, chosen, AT)
    assert telling.tell(database, chosen, client, id, now=lambda: AT).failed == 1
    assert "pip install 'eisenergy[kafka]'" in deliveries.listed(database, EIS)[0].answer
    assert topic_of("Luz & Fuerza") == "eisenergy.Luz___Fuerza"
    assert isinstance(deliveries.listed(database, EIS)[0].event, Event)
