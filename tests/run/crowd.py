"""A workspace of many customers: the shipped masters over and over, with loads of their own, ready to be billed.

``python tests/run/crowd.py FOLDER CUSTOMERS`` makes one by hand.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl

from eisenergy.accounts import Contract, Scope
from eisenergy.config import Settings
from eisenergy.desk.workspace import opened
from eisenergy.frames import conform
from eisenergy.masters import calendars, clients, customers
from eisenergy.samples import loads, plan
from eisenergy.store import masters
from eisenergy.tariffs import load as tariffs

ROOT = Path(__file__).parents[2]
SCOPE = Scope.operator("EIS")
FIRST, END = date(2021, 8, 31), date(2021, 10, 2)
"""September 2021 and a day on either side: nothing is missing, whatever month a time zone puts an interval into."""


def make(home: Path, count: int) -> None:
    """Fill a workspace: masters, contracts and readings; nothing is billed, and its server is stopped at the end.

    :param count: customers; every 25th lacks an hour, which is estimated
    """
    environ = {"EISENERGY_PARAMS": str(ROOT / "params"), "EISENERGY_SAMPLES": str(ROOT / "data" / "samples")}
    settings = Settings.load(environ, home=home)
    with opened(settings) as workspace:
        database = workspace.database
        masters.save_client(database, SCOPE, clients.load(settings.params / "clients" / "EIS.yaml"))
        blocks = calendars.read_spreadsheet(settings.samples / "Bloques horarios.xlsx", "eis-bloques")
        masters.save_calendar(database, SCOPE, blocks)
        rules = tariffs.read_yaml(settings.params / "tariffs" / "EIS-TOU.yaml")
        rates = tariffs.read_spreadsheet(settings.samples / "Tarifas EIS-TOU.xlsx")
        masters.save_tariff(database, SCOPE, tariffs.combine(rules, rates))
        everybody = list(_contracts(settings, count))
        masters.save_contracts(database, SCOPE, everybody)
        supplies = plan.supplies(settings.samples)
        frames = [
            _readings(contract, supplies[at % len(supplies)], missing=4 * (at % 25 == 3))
            for at, contract in enumerate(everybody)
        ]
        workspace.lake.append(SCOPE, conform(pl.concat(frames, how="diagonal_relaxed")))


def _contracts(settings: Settings, count: int) -> Iterator[Contract]:
    shipped = customers.read(settings.samples / "Datos de clientes para facturación.xlsx").contracts
    for at in range(count):
        like = shipped[at % len(shipped)]
        number = f"EIS-{at + 1:05d}"
        yield replace(
            like,
            number=number,
            customer=replace(like.customer, code=number, name=f"{like.customer.name} {at + 1}"),
            meter=replace(like.meter, serial=f"9{at + 1:06d}"),
            start=min(like.start, date(2021, 1, 1)),
            end=None,
        )


def _readings(contract: Contract, supply: plan.Supply, *, missing: int) -> pl.DataFrame:
    profile = loads.PROFILES[supply.profile]
    rows = list(loads.series(profile, supply.contracted_kw, FIRST, END, contract.number))
    del rows[1000 : 1000 + missing]
    serial = contract.meter.serial
    columns = {
        "start": [row.start for row in rows],
        "kwh_import": [row.wh / 1000 for row in rows],
        "kw": [row.wh / 250 for row in rows],
        "forecast_kwh": [row.forecast_wh / 1000 for row in rows],
    }
    if profile.solar:
        columns["kwh_export"] = [row.wh_export / 1000 for row in rows]
    local = pl.col("start").dt.replace_time_zone("America/El_Salvador")
    return pl.DataFrame(columns).with_columns(
        local.dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC")),
        client=pl.lit("EIS"),
        meter=pl.lit(serial),
        quality=pl.lit("measured"),
        source=pl.lit(hashlib.sha256(serial.encode()).hexdigest()),
        source_row=pl.int_range(2, len(rows) + 2),
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
