"""The command ``eisenergy``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import eisenergy
from eisenergy.cli import data, demo, invoices, lake, months, people, serving, workbooks, working
from eisenergy.cli.output import EPILOG

app = typer.Typer(
    name="eisenergy",
    help="From meter downloads to bills people trust.\n\n"
    "Drop meter files in with [bold]ingest[/], then [bold]run[/] a month: every customer gets an invoice, a PDF and a dashboard.",
    epilog=EPILOG,
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
    context.obj = {"home": home, "client": client}


SETUP, MONTHLY, EXCEL, PORTAL, TRY = "Masters", "The month", "Excel", "The portal", "Try it"

app.command(rich_help_panel=TRY, epilog=EPILOG)(demo.demo)
app.command(rich_help_panel=TRY, epilog=EPILOG)(demo.samples)
app.add_typer(data.client_app, name="client", rich_help_panel=SETUP)
app.add_typer(data.calendar_app, name="calendar", rich_help_panel=SETUP)
app.add_typer(data.tariffs_app, name="tariffs", rich_help_panel=SETUP)
app.add_typer(data.customers_app, name="customers", rich_help_panel=SETUP)
app.command(rich_help_panel=MONTHLY, epilog=EPILOG)(data.preview)
app.command(rich_help_panel=MONTHLY, epilog=EPILOG)(data.ingest)
app.command(rich_help_panel=MONTHLY, epilog=EPILOG)(months.bill)
app.command(rich_help_panel=MONTHLY, epilog=EPILOG)(months.issue)
app.command(rich_help_panel=MONTHLY, epilog=EPILOG)(months.publish)
app.command(rich_help_panel=MONTHLY, epilog=EPILOG)(months.run)
app.command(rich_help_panel=MONTHLY, epilog=EPILOG)(months.reconcile)
app.add_typer(invoices.invoices_app, name="invoices", rich_help_panel=MONTHLY)
app.add_typer(lake.lake_app, name="lake", rich_help_panel=MONTHLY)
app.command(rich_help_panel=EXCEL, epilog=workbooks.EPILOG)(workbooks.check)
app.command(rich_help_panel=EXCEL, epilog=EPILOG)(workbooks.export)
app.command(rich_help_panel=PORTAL, epilog=EPILOG)(serving.serve)
app.command(rich_help_panel=PORTAL, epilog=EPILOG)(working.worker)
app.add_typer(people.users_app, name="users", rich_help_panel=PORTAL)


def main() -> None:
    """Run the command line."""
    app()
