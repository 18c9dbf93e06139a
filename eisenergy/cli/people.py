"""Commands for accounts of the portal and their rights."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from eisenergy.accounts import Role
from eisenergy.cli.context import Json, guarded, workspace_of
from eisenergy.cli.finding import Email, command_actor, find_user, system_scope
from eisenergy.cli.output import emit, say, table
from eisenergy.cli.tokens import token_app
from eisenergy.config import Settings
from eisenergy.store import audit, people
from eisenergy.store.grants import EVERY_CLIENT, Grant
from eisenergy.store.people import Invited, User

users_app = typer.Typer(help="Who may sign in to the portal, and what they see there.", no_args_is_help=True)
users_app.add_typer(token_app, name="token")
DEFAULT_URL: Final = "http://127.0.0.1:8000"


@users_app.command("invite")
@guarded
def users_invite(
    context: typer.Context,
    email: Email,
    role: Annotated[Role, typer.Option(help="What the account may do.")],
    customer: Annotated[
        list[str] | None, typer.Option("--customer", "-c", help="Customer it is for; may be repeated.")
    ] = None,
    language: Annotated[str, typer.Option(help="es or en.")] = "es",
    json: Json = False,
) -> None:
    """Give somebody a right; who has no password yet gets a one-time link, which is printed."""
    with workspace_of(context) as (workspace, scope):
        client = EVERY_CLIENT if role is Role.SYSTEM_ADMIN else scope.client
        grant = Grant(client=client, role=role, customers=frozenset(customer) if customer else None)
        locale = "en" if language == "en" else "es"
        invited = people.invite(
            workspace.database,
            system_scope(client),
            email,
            grant,
            by=command_actor(),
            at=datetime.now(UTC),
            locale=locale,
        )
    _tell(workspace.settings, invited, json)


@users_app.command("link")
@guarded
def users_link(context: typer.Context, email: Email, json: Json = False) -> None:
    """Print a new one-time link with which an account sets its password; earlier links no longer work."""
    with workspace_of(context) as (workspace, scope):
        client, user = find_user(workspace.database, scope, email)
        invited = people.new_link(
            workspace.database, system_scope(client), user.id, by=command_actor(), at=datetime.now(UTC)
        )
    _tell(workspace.settings, invited, json)


@users_app.command("list")
@guarded
def users_list(context: typer.Context, json: Json = False) -> None:
    """List the accounts and their rights."""
    with workspace_of(context) as (workspace, scope):
        found = [
            (client, user)
            for client in (scope.client, EVERY_CLIENT)
            for user in people.users(workspace.database, system_scope(client))
        ]
    if json:
        emit({"users": [_user_json(user) for _, user in found]})
        return
    table(
        "Users",
        ["e-mail", "client", "role", "customers", "state"],
        [
            [
                user.email,
                client,
                user.grants[0].role.value,
                ", ".join(sorted(user.grants[0].customers or ())) or "all",
                "disabled" if user.disabled_at else "active",
            ]
            for client, user in found
        ],
    )


@users_app.command("revoke")
@guarded
def users_revoke(context: typer.Context, email: Email) -> None:
    """Take an account's right away; its sessions end at once."""
    with workspace_of(context) as (workspace, scope):
        client, user = find_user(workspace.database, scope, email)
        people.revoke(workspace.database, system_scope(client), user.id, by=command_actor(), at=datetime.now(UTC))
    say(escape(f"{user.email} has no right at client {client} any more"))


@users_app.command("disable")
@guarded
def users_disable(context: typer.Context, email: Email) -> None:
    """Shut an account; its sessions end at once."""
    _set_disabled(context, email, True)


@users_app.command("enable")
@guarded
def users_enable(context: typer.Context, email: Email) -> None:
    """Open a shut account again."""
    _set_disabled(context, email, False)


@users_app.command("log")
@guarded
def users_log(
    context: typer.Context,
    nobodys: Annotated[
        bool,
        typer.Option(
            "--nobodys",
            help="The lines that belong to no client: sign-ins of unknown accounts, what system administrators do with theirs.",
        ),
    ] = False,
    count: Annotated[int, typer.Option(help="How many lines, the newest first.", min=1, max=10_000)] = 50,
    json: Json = False,
) -> None:
    """Print the newest lines of the audit log: who did what, when and from where."""
    with workspace_of(context) as (workspace, scope):
        client = audit.NOBODYS if nobodys else scope.client
        entries = audit.entries(workspace.database, system_scope(client), limit=count)
    if json:
        emit({"log": [{**asdict(entry), "at": entry.at.isoformat()} for entry in entries]})
        return
    rows = [
        [f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.actor, entry.address, entry.action, entry.subject] for entry in entries
    ]
    table(f"Audit log of {client}", ["UTC", "who", "from", "what", "subject"], rows)


def _set_disabled(context: typer.Context, email: str, disabled: bool) -> None:
    with workspace_of(context) as (workspace, scope):
        client, user = find_user(workspace.database, scope, email)
        people.set_disabled(
            workspace.database, system_scope(client), user.id, disabled, by=command_actor(), at=datetime.now(UTC)
        )
    say(escape(f"{user.email} is {'disabled' if disabled else 'active'}"))


def _tell(settings: Settings, invited: Invited, json: bool) -> None:
    url = settings.portal.url or DEFAULT_URL
    link = None if invited.token is None else f"{url}/enlace/{invited.token}"
    if json:
        emit({"email": invited.email, "link": link})
    elif link is None:
        say(escape(f"{invited.email} has an account already: the right is given"))
        say("Links made before for it may have ended; `eisenergy users link EMAIL` makes a new one.")
    else:
        say(escape(f"{invited.email} sets a password here, once, within seven days:"))
        say(escape(f"  {link}"))


def _user_json(user: User) -> dict[str, Any]:
    return {
        "email": user.email,
        "grants": [grant.to_json() for grant in user.grants],
        "disabled": user.disabled_at is not None,
    }
