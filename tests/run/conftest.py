"""A workspace with the shipped masters, and with the two real-shaped files of September 2021."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eisenergy.accounts import Scope
from eisenergy.config import Settings
from eisenergy.desk.workspace import Workspace
from eisenergy.masters import calendars, clients, customers
from eisenergy.period import BillingMonth
from eisenergy.run import intake, month
from eisenergy.store import masters
from eisenergy.store.database import Database
from eisenergy.store.lake import Lake
from eisenergy.tariffs import load as tariffs

# what executes notebooks twice is a plain module beside the tests
sys.path.insert(0, str(Path(__file__).parent))

SCOPE = Scope.operator("EIS")


def import_masters(workspace: Workspace) -> None:
    settings, database = workspace.settings, workspace.database
    masters.save_client(database, SCOPE, clients.load(settings.params / "clients" / "EIS.yaml"))
    blocks = calendars.read_spreadsheet(settings.samples / "Bloques horarios.xlsx", "eis-bloques")
    masters.save_calendar(database, SCOPE, blocks)
    rules = tariffs.read_yaml(settings.params / "tariffs" / "EIS-TOU.yaml")
    rates = tariffs.read_spreadsheet(settings.samples / "Tarifas EIS-TOU.xlsx")
    masters.save_tariff(database, SCOPE, tariffs.combine(rules, rates))
    listed = customers.read(settings.samples / "Datos de clientes para facturación.xlsx")
    masters.save_contracts(database, SCOPE, listed.contracts)


@pytest.fixture(scope="module")
def scope() -> Scope:
    return SCOPE


@pytest.fixture(scope="module")
def workspace(settings: Settings, database: Database, lake: Lake) -> Workspace:
    opened = Workspace(settings=settings, database=database, lake=lake)
    import_masters(opened)
    return opened


@pytest.fixture(scope="module")
def september(workspace: Workspace) -> intake.IngestReport:
    """The steel works' workbook, the restaurant's log and the distributor's report, taken in."""
    folder: Path = workspace.settings.samples
    names = ("Ejemplo de procesamiento de descargas de medidores.xlsx", "5741444.csv", "CAESS_EISPOWER (10).xls")
    return intake.ingest(workspace, SCOPE, [folder / name for name in names])


@pytest.fixture(scope="module")
def billed(workspace: Workspace, september: intake.IngestReport, scope: Scope) -> Workspace:
    """The workspace with September 2021 drafted."""
    del september
    month.bill_month(workspace, scope, BillingMonth(2021, 9))
    return workspace
