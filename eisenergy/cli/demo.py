"""Commands to try it out: the samples, the demonstration, and a look at what was published."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from eisenergy import samples as sample_files
from eisenergy.cli import months
from eisenergy.cli.context import Json, guarded, settings_of, workspace_of
from eisenergy.cli.invoices import head_json, show_heads
from eisenergy.cli.output import Exit, emit, err, fail, progress, say
from eisenergy.cli.publishing import made_json, show_made
from eisenergy.masters import calendars, clients, customers
from eisenergy.period import BillingMonth
from eisenergy.publish.folders import OPERATOR
from eisenergy.run import intake
from eisenergy.store import books, masters
from eisenergy.tariffs import load as tariffs

MONTH: Final = BillingMonth(2021, 9)
ISSUED_ON: Final = datetime(2021, 10, 5)  # noqa: DTZ001  the date printed on the demonstration's invoices
READINGS: Final = ("Ejemplo de procesamiento de descargas de medidores.xlsx", "5741444.csv", "CAESS_EISPOWER (10).xls")
FAMOUS: Final = "EIS-0001"


@guarded
def samples(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Argument(help="Where to write; default: demo-files in the workspace.")] = None,
    json: Json = False,
) -> None:
    """Write the demonstration's meter files: eight customers, September 2020 to September 2021, the same bytes every time."""
    settings = settings_of(context)
    target = folder or settings.home / "demo-files"
    written = sample_files.write(target, masters=settings.samples)
    if json:
        emit({"folder": target, "files": list(written)})
    else:
        say(f"{len(written)} files in {target}")


@guarded
def demo(context: typer.Context, json: Json = False) -> None:
    """Turn the shipped files of September 2021 into numbered invoices, PDFs and dashboards, and say where to look."""
    settings = settings_of(context)
    if not settings.samples.is_dir():
        fail(f"{settings.samples}: the shipped sample files are not there. Run the demo in a checkout of the project.")
    files = sample_files.write(settings.home / "demo-files", masters=settings.samples)
    with workspace_of(context) as (workspace, scope):
        database = workspace.database
        schemas = settings.params / "schemas"
        masters.save_client(database, scope, clients.load(settings.params / "clients" / "EIS.yaml", schemas=schemas))
        calendar = calendars.read_spreadsheet(settings.samples / "Bloques horarios.xlsx", "eis-bloques")
        masters.save_calendar(database, scope, calendar)
        rules = tariffs.read_yaml(settings.params / "tariffs" / "EIS-TOU.yaml", schemas=schemas)
        rates = tariffs.read_spreadsheet(settings.samples / "Tarifas EIS-TOU.xlsx")
        masters.save_tariff(database, scope, tariffs.combine(rules, rates))
        listed = customers.read(settings.samples / "Datos de clientes para facturación.xlsx")
        masters.save_contracts(database, scope, listed.contracts)
        wanted = (*files, *(settings.samples / name for name in READINGS))
        with progress("Reading files", len(wanted)) as step:
            taken = intake.ingest(workspace, scope, wanted, step=step)
        err.print(f"{len(wanted)} files: {taken.added:,} intervals new, {taken.unchanged:,} unchanged", highlight=False)
        billed, issued, made = months.run_month(workspace, scope, MONTH, None, ISSUED_ON)
        everybody = books.heads(database, scope, MONTH)
    refused = [file for file in taken.files if file.status == "refused"]
    sites = settings.sites / settings.client
    if json:
        emit(
            {
                "month": str(MONTH),
                "invoices": [head_json(head) for head in everybody],
                "new": [head.number for head in issued.heads],
                "parked": [entry.contract for entry in billed.parked],
                "refused": [str(file.path) for file in refused],
                "sites": [made_json(one) for one in made],
            }
        )
    else:
        show_heads(f"Invoices of {MONTH}", everybody)
        show_made(made)
        say("")
        say("Where to look:")
        say(f"  the operator's overview   {sites / OPERATOR / 'index.html'}")
        say(f"  the steel works' site     {sites / FAMOUS / 'index.html'}")
        say(f"  its invoice               {sites / FAMOUS / str(MONTH) / 'invoice.pdf'}")
        say("  how it was computed       eisenergy invoices explain FAC-000001")
        say("  the same behind a login   make serve")
    if refused or billed.parked or any(one.error for one in made):
        raise typer.Exit(Exit.PARTLY)
