"""Commands for what arrives: meter files, customer lists, calendars and tariffs."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from eisenergy.cli.context import Json, guarded, settings_of, workspace_of
from eisenergy.cli.output import EPILOG, LISTED, Exit, emit, fail, say, show_findings, table
from eisenergy.findings import Finding, blocked
from eisenergy.masters import calendars, clients, customers
from eisenergy.period import BillingMonth, Period
from eisenergy.readings import load_mappings
from eisenergy.readings.preview import preview as look
from eisenergy.store import masters
from eisenergy.store.masters import Saved
from eisenergy.tariffs import check as checks
from eisenergy.tariffs import load as tariffs
from eisenergy.tariffs.model import Tariff

File = Annotated[Path, typer.Argument(help="The file.", exists=True, dir_okay=False, readable=True)]

client_app = typer.Typer(help="The electricity seller this workspace works for.", no_args_is_help=True)
customers_app = typer.Typer(help="The customers and their contracts.", no_args_is_help=True)
calendar_app = typer.Typer(help="The calendar of blocks (VALLE, RESTO, PUNTA).", no_args_is_help=True)
tariffs_app = typer.Typer(help="Dated rates and the rules of the bill.", no_args_is_help=True)


@guarded
def preview(context: typer.Context, file: File, json: Json = False) -> None:
    """Show the first 200 rows of a meter file as they would be read, what each column was taken for, and every problem.

    Nothing is stored.
    """
    settings = settings_of(context)
    seen = look(file, client=settings.client, mapping=load_mappings(settings.params / "mappings"))
    if json:
        emit(
            {
                "file": seen.file,
                "format": seen.format.value,
                "columns": [
                    {
                        "sheet": column.sheet,
                        "position": column.position,
                        "header": column.header,
                        "taken_for": column.taken_for,
                        "why": column.why,
                    }
                    for column in seen.columns
                ],
                "rows": seen.rows.to_dicts(),
                "findings": seen.findings,
            }
        )
    else:
        say(f"[bold]{escape(seen.file)}[/]: {seen.format.value}")
        for entry in () if seen.meta is None else seen.meta.tables:
            where = "" if entry.sheet is None else f"sheet {entry.sheet}, "
            say(escape(f"  {where}header in row {entry.header_row}, meter {entry.meter} ({entry.meter_from})"))
            for what in ("decimal", "date_order", "stamp", "interval", "timezone"):
                choice = getattr(entry, what)
                say(escape(f"  {what.replace('_', ' ')}: {choice.value} ({choice.why})"))
        table(
            "Columns",
            ["column", "header", "taken for", "why"],
            [[column.position, column.header, column.taken_for or "-", column.why] for column in seen.columns],
        )
        shown = [name for name in seen.rows.columns if seen.rows[name].null_count() < len(seen.rows)]
        shown = [name for name in shown if name not in ("client", "source", "extra")]
        table(
            f"First {len(seen.rows)} rows",
            shown,
            [[_short(row[name]) for name in shown] for row in seen.rows.to_dicts()],
        )
        show_findings(seen.findings)
    if blocked(seen.findings):
        raise typer.Exit(Exit.PARTLY)


@client_app.command("import", epilog=EPILOG)
@guarded
def client_import(context: typer.Context, file: File, json: Json = False) -> None:
    """Import the seller's own data, a YAML file such as params/clients/EIS.yaml."""
    client = clients.load(file, schemas=settings_of(context).params / "schemas")
    with workspace_of(context) as (workspace, scope):
        saved = masters.save_client(workspace.database, scope, client)
    _report_saved(json, "client", saved, ())


@customers_app.command("import", epilog=EPILOG)
@guarded
def customers_import(context: typer.Context, file: File, json: Json = False) -> None:
    """Import a customer list, a workbook such as `Datos de clientes para facturación.xlsx`.

    A row with a fault is left out and named with its cell; the others are imported. The same list twice changes nothing.
    """
    result = customers.read(file)
    with workspace_of(context) as (workspace, scope):
        saved = masters.save_contracts(workspace.database, scope, result.contracts)
    _report_saved(json, "contracts", saved, result.findings)


@customers_app.command("list", epilog=EPILOG)
@guarded
def customers_list(context: typer.Context, json: Json = False) -> None:
    """List the customers with their contracts and meters."""
    with workspace_of(context) as (workspace, scope):
        contracts = masters.contracts(workspace.database, scope)
    if json:
        emit(
            {
                "contracts": [
                    {
                        "contract": contract.number,
                        "customer": contract.customer.code,
                        "name": contract.customer.name,
                        "meter": contract.meter.serial,
                        "tariff": contract.tariff,
                        "start": contract.start,
                    }
                    for contract in contracts
                ]
            }
        )
        return
    table(
        f"{len(contracts):,} contracts" + (f", {LISTED} listed" if len(contracts) > LISTED else ""),
        ["contract", "customer", "meter", "node", "tariff", "kW", "since"],
        [
            [
                contract.number,
                contract.customer.name,
                contract.meter.serial,
                contract.meter.site.node,
                contract.tariff,
                "" if contract.contracted_kw is None else f"{contract.contracted_kw.value:,f}",
                contract.start,
            ]
            for contract in contracts[:LISTED]
        ],
        right=["kW"],
    )


@calendar_app.command("import", epilog=EPILOG)
@guarded
def calendar_import(
    context: typer.Context,
    file: File,
    name: Annotated[str, typer.Option(help="Name under which tariffs refer to it.")] = "eis-bloques",
    json: Json = False,
) -> None:
    """Import the hours of the blocks: a workbook such as `Bloques horarios.xlsx`, or a YAML file.

    Refused unless every hour of every kind of day belongs to exactly one block.
    """
    if file.suffix.lower() in (".yaml", ".yml"):
        calendar = calendars.read_yaml(file, schemas=settings_of(context).params / "schemas")
    else:
        calendar = calendars.read_spreadsheet(file, name)
    with workspace_of(context) as (workspace, scope):
        saved = masters.save_calendar(workspace.database, scope, calendar)
    _report_saved(json, f"calendar {calendar.name}", saved, ())


@tariffs_app.command("import", epilog=EPILOG)
@guarded
def tariffs_import(context: typer.Context, file: File, json: Json = False) -> None:
    """Import a tariff: a price sheet such as `Tarifas EIS-TOU.xlsx`, or a YAML file such as params/tariffs/EIS-TOU.yaml.

    A price sheet holds rates only; the calendar, the rules and the tax rates come from params/tariffs/NAME.yaml.
    """
    tariff = _tariff(context, file)
    with workspace_of(context) as (workspace, scope):
        saved = masters.save_tariff(workspace.database, scope, tariff)
    _report_saved(json, f"tariff {tariff.name}", saved, ())


@tariffs_app.command("check", epilog=EPILOG)
@guarded
def tariffs_check(
    context: typer.Context,
    file: File,
    month: Annotated[
        str | None, typer.Option(help="Months to check, for example 2021-09; default: this month.")
    ] = None,
    json: Json = False,
) -> None:
    """Read a tariff without storing it, and say what a bill of a month would miss in it."""
    tariff = _tariff(context, file)
    period = _month_period(month)
    with workspace_of(context) as (workspace, scope):
        calendar = masters.calendar(workspace.database, scope, tariff.calendar)
    findings = checks.check(tariff, calendar, period)
    if json:
        emit({"tariff": tariff.name, "version": tariff.version, "period": str(period), "findings": findings})
    else:
        show_findings(findings)
        say(f"tariff {tariff.name}, {period}: {len(findings)} findings")
    if blocked(findings):
        raise typer.Exit(Exit.PARTLY)


@tariffs_app.command("show", epilog=EPILOG)
@guarded
def tariffs_show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The tariff's name.")] = "EIS-TOU",
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only what is in force on this day.")
    ] = None,
    json: Json = False,
) -> None:
    """Show a stored tariff: every rate with its dates and where it came from."""
    with workspace_of(context) as (workspace, scope):
        tariff = masters.tariff(workspace.database, scope, name)
    rows = [row for row in tariffs.rows(tariff) if on is None or _holds(row, on.date())]
    if json:
        emit({"tariff": tariff.name, "version": tariff.version, "calendar": tariff.calendar, "rows": rows})
        return
    table(
        f"Tariff {tariff.name}, calendar {tariff.calendar}",
        ["what", "block", "from", "until", "value", "unit", "origin"],
        [[row[key] for key in ("what", "block", "from", "until", "value", "unit", "origin")] for row in rows],
        right=["value"],
    )


def _holds(row: dict[str, Any], day: date) -> bool:
    return bool(row["from"] <= day and (row["until"] is None or day <= row["until"]))


def _month_period(month: str | None) -> Period:
    if month is not None:
        return BillingMonth.parse(month).period
    today = datetime.now().astimezone().date()
    return BillingMonth(today.year, today.month).period


def _tariff(context: typer.Context, file: Path) -> Tariff:
    folder = settings_of(context).params
    if file.suffix.lower() in (".yaml", ".yml"):
        return tariffs.read_yaml(file, schemas=folder / "schemas")
    rates = tariffs.read_spreadsheet(file)
    rules = folder / "tariffs" / f"{rates.name}.yaml"
    if not rules.is_file():
        fail(
            f"{file.name} holds the rates of tariff {rates.name}, but {rules} is missing: it names the calendar, the rules and "
            "the tax rates. Write it after the example of EIS-TOU.yaml."
        )
    return tariffs.combine(tariffs.read_yaml(rules, schemas=folder / "schemas"), rates)


def _report_saved(json: bool, what: str, saved: Saved, findings: tuple[Finding, ...]) -> None:
    if json:
        emit(
            {
                "added": saved.added,
                "changed": saved.changed,
                "unchanged": saved.unchanged,
                "findings": list(findings),
            }
        )
    else:
        show_findings(findings)
        say(f"{what}: {saved.added} added, {saved.changed} changed, {saved.unchanged} unchanged")
    if blocked(findings):
        raise typer.Exit(Exit.PARTLY)


def _short(value: object) -> str:
    if value is None:
        return ""
    return f"{value:%Y-%m-%d %H:%MZ}" if isinstance(value, datetime) else str(value)
