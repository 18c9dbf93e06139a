"""The command's frame: its options, and its commands, each loaded with what it needs when it is asked for."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated

import typer

import eisenergy
from eisenergy.cli.loading import Commands
from eisenergy.cli.output import EPILOG

app = typer.Typer(
    name="eisenergy",
    help="From meter downloads to bills people trust.\n\n"
    "Drop meter files in with [bold]ingest[/], then [bold]run[/] a month: every customer gets an invoice, a PDF and a dashboard.",
    epilog=EPILOG,
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eisenergy {eisenergy.__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(help="Workspace folder: everything that is written lies in it. [EISENERGY_HOME, ./data]"),
    ] = None,
    client: Annotated[str | None, typer.Option(help="The seller to work for. [EISENERGY_CLIENT, EIS]")] = None,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options that every command takes; they stand before the command."""
    own = not gc.isenabled()  # see eisenergy.cli.main: the command is loaded now, and nothing else has run
    if own:
        gc.freeze()
        gc.enable()
    context.obj = {"home": home, "client": client, "own": own}
