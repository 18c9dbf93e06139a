"""Accounts as commands find them, and who is behind a command."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from eisenergy.accounts import Role, Scope
from eisenergy.store import people
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database
from eisenergy.store.grants import EVERY_CLIENT
from eisenergy.store.people import NoUser, User

Email = Annotated[str, typer.Argument(help="E-mail address of the account.", metavar="EMAIL")]


def system_scope(client: str) -> Scope:
    """Return the scope of a command: whoever may start commands on the workspace owns it."""
    return Scope(client=client, role=Role.SYSTEM_ADMIN)


def command_actor() -> Actor:
    """Return who started this command, for the audit log."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "somebody"
    return Actor(name=f"{name} on the command line", address="command line")


def find_user(database: Database, scope: Scope, email: str) -> tuple[str, User]:
    """Return the client at which an account has a right, and the account.

    :raises NoUser: for one without any at the scope's client
    """
    plain = people.address_of(email)
    for client in (scope.client, EVERY_CLIENT):
        for user in people.users(database, system_scope(client)):
            if user.email == plain:
                return client, user
    raise NoUser(f"no account {plain} with a right at client {scope.client}; list them with `eisenergy users list`")
