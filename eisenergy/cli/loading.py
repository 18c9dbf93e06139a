"""Which command lies in which module: a command loads its own when it is called, and none of the others'."""

from __future__ import annotations

import ast
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

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
    """The commands. To import what all of them need takes two seconds: a list of them, as the help is, reads what they say of themselves."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  a group's signature
        """Return every command's name."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  a group's signature
        """Return a command, ``None`` where none has that name."""
        if cmd_name not in COMMANDS:
            return None
        if self._listing:
            return _described(cmd_name)
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _made(cmd_name)
        return self.commands[cmd_name]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def _described(command: str) -> TyperCommand:
    """A command as a list shows it, with what it says of itself: read from its source, which is not run."""
    place, name, panel = COMMANDS[command]
    said = ""
    for node in ast.parse(Path(__file__).with_name(f"{place}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            said = ast.get_docstring(node) or ""
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name and isinstance(node.value, ast.Call):
            said = next((ast.literal_eval(one.value) for one in node.value.keywords if one.arg == "help"), "")
    return TyperCommand(name=command, help=cleandoc(said), rich_help_panel=panel, rich_markup_mode="rich")


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
