"""Which command lies in which module: a command loads its own when it is called, and none of the others'."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

from eisenergy.cli.output import EPILOG

_SETUP, _MONTHLY, _EXCEL, _PORTAL, _TRY = "Masters", "The month", "Excel", "The portal", "Try it"

COMMANDS: Final = {
    "demo": ("demo", "demo", _TRY),
    "samples": ("demo", "samples", _TRY),
    "preview": ("data", "preview", _MONTHLY),
    "ingest": ("intake", "ingest", _MONTHLY),
    "bill": ("months", "bill", _MONTHLY),
    "issue": ("months", "issue", _MONTHLY),
    "publish": ("months", "publish", _MONTHLY),
    "run": ("months", "run", _MONTHLY),
    "reconcile": ("months", "reconcile", _MONTHLY),
    "check": ("workbooks", "check", _EXCEL),
    "export": ("workbooks", "export", _EXCEL),
    "serve": ("serving", "serve", _PORTAL),
    "worker": ("working", "worker", _PORTAL),
    "client": ("data", "client_app", _SETUP),
    "calendar": ("data", "calendar_app", _SETUP),
    "tariffs": ("data", "tariffs_app", _SETUP),
    "customers": ("data", "customers_app", _SETUP),
    "invoices": ("invoices", "invoices_app", _MONTHLY),
    "lake": ("lake", "lake_app", _MONTHLY),
    "users": ("people", "users_app", _PORTAL),
    "events": ("events", "events_app", _PORTAL),
}
"""Command -> module of this package, what it is called there, and the panel of the help it stands in; in the help's order."""


class Commands(TyperGroup):
    """The commands. To import what all of them need takes two seconds: only a list of them, as the help is, loads them all."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  a group's signature
        """Return every command's name."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  a group's signature
        """Return a command, ``None`` where none has that name."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _made(cmd_name)
        return self.commands[cmd_name]


def _made(command: str) -> Any:
    place, name, panel = COMMANDS[command]
    module = import_module(f"eisenergy.cli.{place}")
    found = getattr(module, name)
    alone = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False)
    alone.callback()(lambda: None)
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=command, rich_help_panel=panel)
    else:
        epilog = module.EPILOG if command == "check" else EPILOG
        alone.command(command, rich_help_panel=panel, epilog=epilog)(found)
    group = typer.main.get_command(alone)
    assert isinstance(group, TyperGroup)
    return group.commands[command]
