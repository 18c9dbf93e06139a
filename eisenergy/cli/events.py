"""Commands for events: what happened, who is told, and telling them now."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from eisenergy.cli.context import Json, guarded, workspace_of
from eisenergy.cli.output import EPILOG, emit, say, table
from eisenergy.store import deliveries, outbox, sealing, subscriptions
from eisenergy.store.audit import Actor
from eisenergy.store.subscriptions import NoSubscription, Subscription
from eisenergy.work import telling
from eisenergy.work.reaching import checked

events_app = typer.Typer(help="What happened, and who is told of it: webhooks and Kafka.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="Id of the subscription, or how it begins.", metavar="SUBSCRIPTION")]
ROUNDS: Final = 1000


@events_app.command("list", epilog=EPILOG)
@guarded
def events_list(
    context: typer.Context,
    count: Annotated[int, typer.Option(help="How many, the newest first.", min=1, max=10_000)] = 50,
    dead: Annotated[
        bool, typer.Option("--dead", help="Only those that did not arrive and are not tried any more.")
    ] = False,
    json: Json = False,
) -> None:
    """List events, the newest first."""
    with workspace_of(context) as (workspace, scope):
        if dead:
            found = deliveries.listed(workspace.database, scope, state=deliveries.DEAD, limit=count)
            chosen = [(one.event, {"subscription": str(one.subscription), "answer": one.answer}) for one in found]
        else:
            chosen = [(one, {}) for one in outbox.newest(workspace.database, scope, limit=count)]
    if json:
        emit({"events": [{**_event_json(one), **more} for one, more in chosen]})
        return
    rows = [
        [f"{one.at:%Y-%m-%d %H:%M:%S}", one.type, one.customer or "", str(one.id), more.get("answer", "")]
        for one, more in chosen
    ]
    table("Dead events" if dead else "Events", ["UTC", "type", "customer", "id", "answer"], rows)


@events_app.command("subscriptions", epilog=EPILOG)
@guarded
def events_subscriptions(context: typer.Context, json: Json = False) -> None:
    """List who is told, and how much waits or is dead."""
    with workspace_of(context) as (workspace, scope):
        found = subscriptions.listed(workspace.database, scope)
        counts = deliveries.counts(workspace.database, scope)
    if json:
        emit({"subscriptions": [{**_json(one), **counts.get(one.id, {})} for one in found]})
        return
    rows = [
        [
            str(one.id),
            one.target,
            ", ".join(one.types) or "all",
            "paused" if one.paused else "active",
            str(counts.get(one.id, {}).get(deliveries.WAITING, 0)),
            str(counts.get(one.id, {}).get(deliveries.DEAD, 0)),
        ]
        for one in found
    ]
    table("Subscriptions", ["id", "target", "types", "state", "waiting", "dead"], rows, right=["waiting", "dead"])


@events_app.command("subscribe", epilog=EPILOG)
@guarded
def events_subscribe(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="https address that events are posted to.", metavar="URL")],
    type: Annotated[
        list[str] | None, typer.Option("--type", help=f"Only these: {', '.join(outbox.TYPES)}. May be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Subscribe an address, and print the secret that its requests are signed with; it is shown this once."""
    with workspace_of(context) as (workspace, scope):
        settings = workspace.settings
        checked(url, settings.work.networks)
        key = sealing.key_of(settings)
        with workspace.database.session(scope) as connection:
            made, secret = subscriptions.add(connection, scope, key, url, type or (), by=_actor(), at=datetime.now(UTC))
    if json:
        emit({**_json(made), "secret": secret})
        return
    say(escape(f"{made.id}  {made.target}"))
    say(escape(f"secret  {secret}   (shown this once)"))


@events_app.command("unsubscribe", epilog=EPILOG)
@guarded
def events_unsubscribe(context: typer.Context, subscription: Id) -> None:
    """End a subscription; what waited for it is not sent any more."""
    with workspace_of(context) as (workspace, scope):
        chosen = _find(subscriptions.listed(workspace.database, scope), subscription)
        with workspace.database.session(scope) as connection:
            subscriptions.remove(connection, scope, chosen.id, by=_actor(), at=datetime.now(UTC))
    say(escape(f"{chosen.target} is told nothing any more"))


@events_app.command("deliver", epilog=EPILOG)
@guarded
def events_deliver(context: typer.Context, json: Json = False) -> None:
    """Send now what is due, without a worker; what another process is sending is left to it."""
    with workspace_of(context) as (workspace, scope):
        database, settings = workspace.database, workspace.settings
        total = telling.Told()
        for _ in range(ROUNDS):  # a turn ends after a while, and a subscription may have more
            due = telling.spread(database, settings, datetime.now(UTC))
            told = [telling.tell(database, settings, scope.client, id) for client, id in due if client == scope.client]
            total = sum(told, total)
            if not any(one.delivered for one in told):
                break
    if json:
        emit({"delivered": total.delivered, "failed": total.failed, "dead": total.dead})
        return
    say(f"{total.delivered:,} delivered, {total.failed:,} failed, {total.dead:,} of them for good")
    if total.failed:
        raise typer.Exit(1)


@events_app.command("again", epilog=EPILOG)
@guarded
def events_again(
    context: typer.Context,
    subscription: Id,
    drop: Annotated[
        bool, typer.Option("--drop", help="Give them up instead, that what waits behind them goes on.")
    ] = False,
) -> None:
    """Send everything once more that is dead for a subscription."""
    with workspace_of(context) as (workspace, scope):
        chosen = _find(subscriptions.listed(workspace.database, scope), subscription)
        with workspace.database.session(scope) as connection:
            at = datetime.now(UTC)
            count = deliveries.again(connection, scope, chosen.id, None, by=_actor(), at=at, drop=drop)
    say(f"{count:,} {'given up' if drop else 'to be sent again'}")


def _find(found: tuple[Subscription, ...], given: str) -> Subscription:
    chosen = [one for one in found if str(one.id).startswith(given.lower())]
    if len(chosen) != 1:
        raise NoSubscription(
            f"{given!r} is the beginning of {len(chosen)} ids of subscriptions: expected one; list them with "
            "`eisenergy events subscriptions`"
        )
    return chosen[0]


def _event_json(event: outbox.Event) -> dict[str, Any]:
    return {
        "id": str(event.id),
        "type": event.type,
        "customer": event.customer,
        "at": event.at.isoformat(),
        "data": dict(event.data),
    }


def _json(one: Subscription) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "kind": one.kind,
        "target": one.target,
        "types": list(one.types),
        "paused": one.paused,
    }


def _actor() -> Actor:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "somebody"
    return Actor(name=f"{name} on the command line", address="command line")
