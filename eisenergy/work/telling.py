"""Events on their way: put down for whoever is to be told, sent, tried again, and cleared away when they are old.

One process at a time sends to a subscription. Whatever happens between an event's arrival and the mark that says so, it is sent again:
whoever is told knows an event by its id.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from joserfc.jwk import OctKey

from eisenergy.accounts import Role, Scope
from eisenergy.config import Settings
from eisenergy.store import deliveries, masters, outbox, sealing, subscriptions
from eisenergy.store.database import Database
from eisenergy.store.deliveries import DELIVERED, Delivery
from eisenergy.store.outbox import Event
from eisenergy.store.subscriptions import KAFKA, NoSubscription, Subscription
from eisenergy.variables import BadSetting
from eisenergy.work import webhooks
from eisenergy.work.reaching import NotAllowed, NotReached, Reached

AT_ONCE: Final = 500
"""Customers whose next event is looked up together."""
LONGEST: Final = timedelta(seconds=60)
"""After so long a turn ends, that others have theirs."""
ENOUGH: Final = 5
"""Failures one after the other that end a turn: nobody is there."""
_log: Final = logging.getLogger(__name__)
Send = Callable[[Event], str]
"""Sends an event and returns what was answered; raises where it has not arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a turn came to."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0

    def __add__(self, other: Told) -> Told:
        return Told(
            delivered=self.delivered + other.delivered, failed=self.failed + other.failed, dead=self.dead + other.dead
        )


class NotTaken(RuntimeError):
    """Whoever was told answered that it was not taken."""


def spread(database: Database, settings: Settings, at: datetime) -> tuple[tuple[str, uuid.UUID], ...]:
    """Put down what is new. :returns: client and id of each subscription that something is to be sent to now"""
    kafka = settings.work.kafka is not None
    for client in deliveries.unspread(database, settings.client):
        if settings.work.kafka is not None:
            from eisenergy.work.brokers import topic_of

            subscriptions.ensure_topic(database, Scope.operator(client), topic_of(client), at)
        deliveries.spread(database, client, at, kafka=kafka)
    return deliveries.due(database, settings.client, at, kafka=kafka)


def mind(database: Database, settings: Settings, at: datetime) -> int:
    """Put down what is new, and have workers send what is due. :returns: to how many subscriptions"""
    found = spread(database, settings, at)
    for client, subscription in found:
        deliveries.defer(database, client, subscription)
    return len(found)


def tell(
    database: Database,
    settings: Settings,
    client: str,
    subscription: uuid.UUID,
    *,
    stopping: threading.Event | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Told:
    """Send a subscription what is due, of each customer in order; nothing while another process does.

    :param stopping: set when the worker ends
    """
    scope, ending = Scope.operator(client), stopping or threading.Event()
    delivered = failed = dead = in_a_row = 0
    until = now() + LONGEST
    with deliveries.alone(database, client, subscription) as mine:
        if not mine:
            return Told()
        try:
            chosen = subscriptions.find(database, scope, subscription)
        except NoSubscription:
            return Told()
        with _sender(settings, chosen, now) as send:
            while not ending.is_set() and now() < until and in_a_row < ENOUGH:
                ready = deliveries.next_ones(database, scope, subscription, now(), limit=AT_ONCE)
                if not ready:
                    break
                for delivery in ready:
                    state = _one(database, scope, delivery, send, now)
                    delivered, failed, dead = (
                        delivered + (state == DELIVERED),
                        failed + (state != DELIVERED),
                        dead + (state == deliveries.DEAD),
                    )
                    in_a_row = 0 if state == DELIVERED else in_a_row + 1
                    if ending.is_set() or now() >= until or in_a_row >= ENOUGH:
                        break
    return Told(delivered=delivered, failed=failed, dead=dead)


def _one(database: Database, scope: Scope, delivery: Delivery, send: Send, now: Callable[[], datetime]) -> str:
    try:
        answer = send(delivery.event)
    except (NotAllowed, NotReached, NotTaken, BadSetting) as problem:
        # The event's id and no more: an address may hold a secret in its path.
        _log.warning(
            "event %s is not delivered to %s: %s", delivery.event.id, delivery.subscription, type(problem).__name__
        )
        return deliveries.failed(database, scope, delivery, now(), str(problem))
    deliveries.delivered(database, scope, delivery, now(), answer)
    return DELIVERED


@contextmanager
def _sender(settings: Settings, chosen: Subscription, now: Callable[[], datetime]) -> Iterator[Send]:
    """What sends to a subscription; where nothing can be sent at all, what says why to each event."""
    with ExitStack() as stack:
        send: Send
        try:
            if chosen.kind == KAFKA:
                from eisenergy.work.brokers import Broker

                send = stack.enter_context(Broker(settings.work.kafka or "", chosen.target)).send
            else:
                secret = _secret(sealing.key_of(settings), chosen)
                reached = stack.enter_context(Reached(chosen.target, settings.work.networks))
                send = partial(_post, reached, secret, now)
        except (NotAllowed, BadSetting) as problem:
            send = partial(_refuse, problem)
        yield send


def _refuse(why: Exception, _: Event) -> str:
    raise why


def _post(reached: Reached, secret: str, now: Callable[[], datetime], event: Event) -> str:
    at = now()
    headers, body = webhooks.body_of(event)
    answer = reached.post(body, {**headers, **webhooks.signature(secret, str(event.id), at, body)})
    said = f"{answer.status} {answer.reason}".strip()
    if not 200 <= answer.status < 300:
        raise NotTaken(f"answered {said}" + (": redirects are not followed" if 300 <= answer.status < 400 else ""))
    return said


def _secret(key: OctKey, chosen: Subscription) -> str:
    found = sealing.opened(key, chosen.id, chosen.secret or "")
    if not found:
        raise BadSetting(
            "the subscription's secret was sealed with another key: give this process the same EISENERGY_SECRET_KEY as the portal's, or "
            "remove the subscription and make it again"
        )
    return found


def sweep(database: Database, settings: Settings, at: datetime) -> int:
    """Clear away, of every client, what was delivered long enough ago. :returns: how many events"""
    before = at - timedelta(days=settings.work.events_days)
    home = Scope(client=settings.client, role=Role.SYSTEM_ADMIN)
    return sum(
        outbox.sweep(database, Scope.operator(client.code), before) for client in masters.clients(database, home)
    )
