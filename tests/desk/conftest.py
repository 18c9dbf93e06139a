"""Contracts whose months are of every kind, and what each one's draft is when it is made alone."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

# the kinds of months are a plain module beside the tests
sys.path.insert(0, str(Path(__file__).parent))

from month_kinds import FIRST, LAST, READINGS, ROOT, SEPTEMBER, figures, sound

from eisenergy.accounts import Contract, Scope
from eisenergy.desk.drafting import NEIGHBOURS, draft
from eisenergy.desk.masters import Masters
from eisenergy.masters import calendars, clients, customers
from eisenergy.store.masters import NotStored
from eisenergy.tariffs import load as tariffs


@pytest.fixture(scope="module")
def contracts() -> list[Contract]:
    base = customers.read(ROOT / "data" / "samples" / "Datos de clientes para facturación.xlsx").contracts[0]
    assert base.contracted_kw is not None
    listed = [
        replace(
            base,
            number=f"EIS-{n:04d}",
            meter=replace(base.meter, serial=name),
            contracted_kw=replace(base.contracted_kw, value=type(base.contracted_kw.value)(100)),
            start=date(2020, 1, 1),
            end=None,
        )
        for n, name in enumerate(READINGS)
    ]
    return [
        *listed,
        replace(listed[0], number="EIS-9001", start=date(2021, 9, 11)),
        replace(listed[0], number="EIS-9002", start=date(2021, 10, 1)),
        replace(listed[0], number="EIS-9003", contracted_kw=None),
        replace(listed[0], number="EIS-9004", tariff="GONE"),
    ]


@pytest.fixture(scope="module")
def readings() -> pl.DataFrame:
    made = [change(sound(name, n)) for n, (name, change) in enumerate(READINGS.items())]
    return pl.concat(made).sort("meter", "start")


@pytest.fixture(scope="module")
def common(readings: pl.DataFrame) -> Masters:
    def read(_: Scope, meters: list[str], start: object, end: object, *, version: int) -> pl.DataFrame:
        assert version == 5
        assert (start, end) == (FIRST - NEIGHBOURS, LAST + NEIGHBOURS)
        return readings.filter(pl.col("meter").is_in(meters))

    samples, params = ROOT / "data" / "samples", ROOT / "params"
    made = Masters(
        workspace=SimpleNamespace(lake=SimpleNamespace(read=read), database=None),  # type: ignore[arg-type]
        scope=Scope.operator("EIS"),
        client=clients.load(params / "clients" / "EIS.yaml"),
        lake_version=5,
        names={"a" * 64: "a.csv", "b" * 64: "b.csv"},
    )
    tariff = tariffs.combine(
        tariffs.read_yaml(params / "tariffs" / "EIS-TOU.yaml"),
        tariffs.read_spreadsheet(samples / "Tarifas EIS-TOU.xlsx"),
    )
    calendar = calendars.read_spreadsheet(samples / "Bloques horarios.xlsx", "eis-bloques")
    made._tariffs[tariff.name] = (tariff, calendar)
    real = Masters.tariff

    class Known(Masters):
        def tariff(self, name: str):  # type: ignore[no-untyped-def]
            if name == "GONE":
                raise NotStored("tariff GONE is not stored")
            return real(self, name)

    return Known(
        **{name: getattr(made, name) for name in ("workspace", "scope", "client", "lake_version", "names")},
        _tariffs=made._tariffs,
    )


@pytest.fixture(scope="module")
def alone(common: Masters, contracts: list[Contract], readings: pl.DataFrame) -> dict[str, tuple[object, ...]]:
    """Each contract's draft, made of its own readings by the long way."""
    return {
        contract.number: figures(
            draft(common.facts(contract, readings.filter(pl.col("meter") == contract.meter.serial)), SEPTEMBER)
        )
        for contract in contracts
        if contract.tariff != "GONE"
    }
