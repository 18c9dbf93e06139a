"""Notices: which programs elsewhere are told of what happens, and what became of telling them."""

from __future__ import annotations

import uuid
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from eisenergy.portal.guard import OPERATORS
from eisenergy.portal.render import local
from eisenergy.portal.routes import Routes
from eisenergy.portal.visit import Visit
from eisenergy.store import deliveries, outbox, subscriptions
from eisenergy.store.deliveries import DEAD, STATES
from eisenergy.store.subscriptions import BadSubscription, NoSubscription, Subscription
from eisenergy.work.reaching import NotAllowed, checked

routes: Final = Routes()
HOME: Final = "/c/{client}/avisos"
ONE: Final = f"{HOME}/{{subscription}}"
PAGE: Final = 50


@routes.page(HOME, OPERATORS)
def listing(visit: Visit) -> Response:
    """List who is told, and what happened last."""
    return _listing(visit)


@routes.action(HOME, OPERATORS)
def add(visit: Visit) -> Response:
    """Subscribe an address, and show the secret of its signatures this once."""
    scope, _ = visit.within()
    context = visit.context
    url = visit.form.get("url", "").strip()
    types = [one for one in outbox.TYPES if visit.form.get(f"type-{one}")]
    try:
        checked(url, context.settings.work.networks)
        with context.database.session(scope) as connection:
            made, secret = subscriptions.add(connection, scope, context.key, url, types, by=visit.actor, at=visit.at)
    except (NotAllowed, BadSubscription) as problem:
        return _listing(visit, problem=(visit.say("events.refused"), str(problem)), url=url, status=422)
    return _listing(visit, secret=(made, secret))


@routes.page(ONE, OPERATORS)
def one(visit: Visit) -> Response:
    """Show a subscription and its last events."""
    return _one(visit)


@routes.action(f"{ONE}/pausar", OPERATORS)
def pause(visit: Visit) -> Response:
    """Tell it nothing for a while."""
    return _paused(visit, True)


@routes.action(f"{ONE}/seguir", OPERATORS)
def go_on(visit: Visit) -> Response:
    """Tell it again, from where it was."""
    return _paused(visit, False)


@routes.action(f"{ONE}/probar", OPERATORS)
def test(visit: Visit) -> Response:
    """Send it an event of no meaning."""
    scope, _ = visit.within()
    with visit.context.database.session(scope) as connection:
        subscriptions.test(connection, scope, _id(visit), by=visit.actor, at=visit.at)
    return _one(visit, done=visit.say("events.tested"))


@routes.action(f"{ONE}/quitar", OPERATORS)
def remove(visit: Visit) -> Response:
    """End it."""
    scope, client = visit.within()
    try:
        with visit.context.database.session(scope) as connection:
            subscriptions.remove(connection, scope, _id(visit), by=visit.actor, at=visit.at)
    except BadSubscription as problem:
        return _one(visit, problem=(visit.say("events.refused"), str(problem)), status=422)
    return visit.go(f"/c/{quote(client.code)}/avisos")


@routes.action(f"{ONE}/otra-vez", OPERATORS)
def again(visit: Visit) -> Response:
    """Send what is dead once more."""
    return _revived(visit, drop=False)


@routes.action(f"{ONE}/descartar", OPERATORS)
def drop(visit: Visit) -> Response:
    """Give up what is dead, that what waits behind it goes on."""
    return _revived(visit, drop=True)


def _paused(visit: Visit, paused: bool) -> Response:
    scope, _ = visit.within()
    with visit.context.database.session(scope) as connection:
        subscriptions.pause(connection, scope, _id(visit), paused, by=visit.actor, at=visit.at)
    return _one(visit, done=visit.say("events.paused" if paused else "events.goes_on"))


def _revived(visit: Visit, *, drop: bool) -> Response:
    scope, _ = visit.within()
    chosen, given = _found(visit), visit.form.get("position", "")
    if given and not (given.isascii() and given.isdigit() and len(given) < 19):
        return _one(visit, problem=(visit.say("events.none_dead"), ""), status=422)
    with visit.context.database.session(scope) as connection:
        count = deliveries.again(
            connection,
            scope,
            chosen.id,
            int(given) if given else None,
            by=visit.actor,
            at=visit.at,
            drop=drop,
        )
    if not count:
        return _one(visit, problem=(visit.say("events.none_dead"), ""))
    return _one(visit, done=visit.say("events.dropped" if drop else "events.again", count=count))


def _listing(
    visit: Visit,
    *,
    problem: tuple[str, str] | None = None,
    secret: tuple[Subscription, str] | None = None,
    url: str = "",
    status: int = 200,
) -> Response:
    scope, client = visit.within()
    database = visit.context.database
    counts = deliveries.counts(database, scope)
    return visit.page(
        "events",
        status=status,
        client=client,
        rows=[(one, counts.get(one.id, {})) for one in subscriptions.listed(database, scope)],
        types=outbox.TYPES,
        newest=[(one, local(one.at, client.timezone)) for one in outbox.newest(database, scope, limit=20)],
        problem=problem,
        secret=secret,
        url=url,
    )


def _one(
    visit: Visit, *, problem: tuple[str, str] | None = None, done: str | None = None, status: int = 200
) -> Response:
    scope, client = visit.within()
    database, chosen = visit.context.database, _found(visit)
    state = visit.request.query_params.get("estado")
    wanted = state if state in STATES else None
    found = deliveries.listed(database, scope, subscription=chosen.id, state=wanted, limit=PAGE)
    return visit.page(
        "event_subscription",
        status=status,
        client=client,
        one=chosen,
        made=local(chosen.made_at, client.timezone),
        rows=[
            (
                delivery,
                local(delivery.event.at, client.timezone),
                "" if delivery.tried_at is None else local(delivery.tried_at, client.timezone),
            )
            for delivery in found
        ],
        counts=deliveries.counts(database, scope).get(chosen.id, {}),
        states=STATES,
        chosen=wanted,
        dead=DEAD,
        problem=problem,
        done=done,
    )


def _found(visit: Visit) -> Subscription:
    scope, _ = visit.within()
    return subscriptions.find(visit.context.database, scope, _id(visit))


def _id(visit: Visit) -> uuid.UUID:
    return visit.id_of("subscription", NoSubscription)
