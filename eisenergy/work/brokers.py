"""Kafka: a topic per client, the customer as the key, so that a customer's events stay in order.

Source: CloudEvents 1.0.2, Kafka Protocol Binding (structured mode). The library is an extra, loaded when ``EISENERGY_KAFKA`` asks for it.
"""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any, Final, Self

from eisenergy.store.outbox import Event
from eisenergy.variables import BadSetting
from eisenergy.work.reaching import NotReached
from eisenergy.work.webhooks import body_of

SECONDS: Final = 10.0
"""For one event, until all replicas have it."""


def topic_of(client: str) -> str:
    """Return the topic of a client's events; what a topic's name cannot hold is ``_``."""
    return f"eisenergy.{re.sub('[^A-Za-z0-9._-]', '_', client)}"[:249]


class Broker:
    """A connection to the brokers; a context manager.

    :param brokers: ``host:port`` with commas between them
    :raises BadSetting: when the library is not installed
    """

    def __init__(self, brokers: str, topic: str) -> None:
        try:
            from confluent_kafka import Producer
        except ImportError:
            raise BadSetting(
                "EISENERGY_KAFKA is set, and the library it needs is not installed: run `pip install 'eisenergy[kafka]'`, or clear it"
            ) from None
        self._topic = topic
        # The library's own retries would put a later event before an earlier one; with idempotence they do not.
        options: dict[str, Any] = {
            "bootstrap.servers": brokers,
            "client.id": "eisenergy",
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": int(SECONDS * 1000),
            "socket.timeout.ms": int(SECONDS * 1000),
            "log_level": 0,
        }
        self._producer = Producer(options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._producer.flush(SECONDS)

    def send(self, event: Event) -> str:
        """Send an event and wait until the brokers have it. :raises NotReached: when they do not say so in time"""
        headers, body = body_of(event)
        told: list[str | None] = []
        self._producer.produce(
            self._topic,
            body,
            key=event.customer or None,
            headers={"content-type": headers["content-type"]},
            on_delivery=lambda problem, _: told.append(None if problem is None else str(problem)),
        )
        self._producer.flush(SECONDS + 1)
        if not told or told[0] is not None:
            raise NotReached(f"Kafka: {told[0] if told else 'no answer'}")
        return "Kafka"
