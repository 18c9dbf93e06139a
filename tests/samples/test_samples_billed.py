"""A month of the demonstration all the way: written, taken in by the command, billed; the kWh are the manifest's."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from eisenergy import samples
from eisenergy.cli import app
from eisenergy.config import Settings
from eisenergy.store.database import Database


def test_a_month_of_eight_customers(settings: Settings, database: Database, tmp_path: Path, masters: Path) -> None:
    def run(*words: str | Path) -> dict[str, Any]:
        result = CliRunner().invoke(app, [str(word) for word in words], env=settings.environment())
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        report: dict[str, Any] = json.loads(result.stdout)
        return report

    samples.write(tmp_path, masters=masters, months=("2021-05",))
    manifest = json.loads((tmp_path / samples.MANIFEST).read_text(encoding="utf-8"))["readings"]
    run("client", "import", settings.params / "clients" / "EIS.yaml", "--json")
    run("calendar", "import", masters / "Bloques horarios.xlsx", "--json")
    run("tariffs", "import", masters / "Tarifas EIS-TOU.xlsx", "--json")
    assert run("customers", "import", masters / "Datos de clientes para facturación.xlsx", "--json")["added"] == 8
    # the manifest lies in the folder too, and is passed over
    taken = run("ingest", tmp_path, "--json")
    assert taken["added"] == sum(entry["slots"] for entry in manifest) == 8 * 2976
    assert [entry["status"] for entry in taken["files"]] == ["loaded"] * 8
    billed = run("bill", "2021-05", "--json")
    assert billed["parked"] == []
    assert {draft["contract"]: Decimal(draft["kwh"]) for draft in billed["drafts"]} == {
        entry["contract"]: Decimal(entry["kwh_import"]) for entry in manifest
    }
    again = run("ingest", tmp_path, "--json")
    assert (again["added"], again["superseded"]) == (0, 0)
    assert {entry["status"] for entry in again["files"]} == {"known"}
