"""Commands for tokens, with which programs use the portal's interface."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape

from eisenergy.accounts import Role
from eisenergy.cli.context import Json, guarded, workspace_of
from eisenergy.cli.finding import Email, command_actor, find_user
from eisenergy.cli.output import emit, fail, say, table
from eisenergy.store import api_tokens
from eisenergy.store.grants import EVERY_CLIENT, Grant

token_app = typer.Typer(help="Tokens, with which programs use the interface /v1.", no_args_is_help=True)


@token_app.command("create")
@guarded
def token_create(
    context: typer.Context,
    email: Email,
    name: Annotated[str, typer.Option(help="What it is called: the program that uses it.")],
    days: Annotated[int, typer.Option(help="How long it is valid.", min=1, max=366)] = 90,
    customer: Annotated[
        list[str] | None, typer.Option("--customer", "-c", help="Customer it is limited to; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a token with an account's right, or with less, and print it: it is shown this once."""
    with workspace_of(context) as (workspace, scope):
        client, user = find_user(workspace.database, scope, email)
        grant = next(grant for grant in user.grants if grant.client == client)
        if customer:
            client = scope.client
            grant = Grant(client=client, role=Role.CUSTOMER_USER, customers=frozenset(customer))
        made = api_tokens.create(
            workspace.database,
            user.id,
            grant,
            name,
            timedelta(days=days),
            client=client,
            by=command_actor(),
            at=datetime.now(UTC),
        )
    if json:
        emit({"token": made, "client": client})
    else:
        say(escape(f"{user.email}, {name}, {days} days; it is not shown again:"))
        say(escape(f"  {made}"))


@token_app.command("list")
@guarded
def token_list(context: typer.Context, json: Json = False) -> None:
    """List the tokens, with their last use."""
    with workspace_of(context) as (workspace, scope):
        found = [
            one
            for client in (scope.client, EVERY_CLIENT)
            for one in api_tokens.listed(workspace.database, client=client)
        ]
    at = datetime.now(UTC)
    rows = [
        {
            "id": str(one.id),
            "email": one.email,
            "name": one.name,
            "client": one.client,
            "role": one.role.value,
            "customers": None if one.customers is None else sorted(one.customers),
            "used": None if one.used_at is None else f"{one.used_at:%Y-%m-%d %H:%MZ}",
            "until": f"{one.expires_at:%Y-%m-%d}",
            "state": "revoked" if one.revoked_at is not None else "expired" if one.over(at) else "active",
        }
        for one in found
    ]
    if json:
        emit({"tokens": rows})
        return
    names = ("id", "email", "name", "client", "role", "used", "until", "state")
    table("Tokens", names, [[row[name] for name in names] for row in rows])


@token_app.command("revoke")
@guarded
def token_revoke(
    context: typer.Context,
    token: Annotated[str, typer.Argument(help="Its id, as `eisenergy users token list` says it.")],
) -> None:
    """End a token at once, with the jobs it asked for that have not begun."""
    try:
        wanted = uuid.UUID(token)
    except ValueError:
        fail(f"{token!r} is no id of a token; list them with `eisenergy users token list`")
    with workspace_of(context) as (workspace, scope):
        for client in (scope.client, EVERY_CLIENT):
            name = api_tokens.revoke(workspace.database, client, wanted, by=command_actor(), at=datetime.now(UTC))
            if name is not None:
                break
    if name is None:
        fail(f"no token {token} that is valid at client {scope.client}; list them with `eisenergy users token list`")
    say(escape(f"{name} has ended"))
