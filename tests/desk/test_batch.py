"""A month of all contracts in one go gives each the draft that it gets alone, whatever lies in its readings."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import polars as pl
import pytest

from eisenergy import frames
from eisenergy.accounts import Contract, Scope
from eisenergy.desk import batch
from eisenergy.desk.drafting import NEIGHBOURS, Drafted, draft
from eisenergy.desk.masters import Masters
from eisenergy.masters import calendars, clients, customers
from eisenergy.period import BillingMonth
from eisenergy.store.masters import NotStored
from eisenergy.tariffs import load as tariffs

ROOT = Path(__file__).parents[2]
SEPTEMBER = BillingMonth(2021, 9)
ZONE = "America/El_Salvador"
FIRST, LAST = SEPTEMBER.period.utc(ZONE)
SLOT = timedelta(minutes=15)
BEFORE = 8 * 96  # rows of August, and so many of October
N = pl.int_range(pl.len())
INSIDE = N >= BEFORE


def at(*numbers: int) -> pl.Expr:
    """Those intervals of the month."""
    return (N - BEFORE).is_in(list(numbers))


def put(where: pl.Expr, **columns: object) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(rows: pl.DataFrame) -> pl.DataFrame:
        values = {name: value if isinstance(value, pl.Expr) else pl.lit(value) for name, value in columns.items()}
        return rows.with_columns(
            pl.when(where).then(value.cast(frames.READINGS[name])).otherwise(name).alias(name)
            for name, value in values.items()
        )

    return change


def drop(where: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: rows.filter(~where)


def registers(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(register_kwh=(1000 + pl.col("kwh_import").cum_sum()).round(3))


def blocks(wrong: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    hour = pl.col("start").dt.convert_time_zone(ZONE).dt.hour()
    name = pl.when(hour.is_in([23, 0, 1, 2, 3, 4])).then(pl.lit("Valle"))
    name = name.when(hour >= 18).then(pl.lit("Punta")).otherwise(pl.lit("Resto"))
    return lambda rows: rows.with_columns(block_in_file=pl.when(at(wrong)).then(pl.lit("Resto")).otherwise(name))


KWH = pl.col("kwh_import")
CLEAN: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "sound": lambda rows: rows,
    "export": put(N % 2 == 0, kwh_export=KWH * 0.5),
    "kvarh": put(N % 3 != 0, kvarh=KWH * 0.3),
    "kvar": put(N % 3 == 0, kvar=KWH, kvarh=math.nan),
    "no kw": put(pl.lit(True), kw=None),
    "not a number": put(N % 7 == 0, kw=math.nan, kwh_export=math.nan, forecast_kwh=math.nan),
    "no forecast": put(pl.lit(True), forecast_kwh=None),
    "register": registers,
    "prices": put(pl.lit(True), ftpms=0.01, cost_pos=pl.when(N > 2000).then(0.2).otherwise(0.3), cost_neg=0.1),
    "blocks as in the calendar": blocks(-99_999),
    "two files": put(N >= BEFORE + 1000, source="b" * 64, source_row=N - BEFORE),
    "23 equal": put(at(*range(300, 323)), kwh_import=7.0, kw=28.0),
    "zeros of six days": put(at(*range(300, 900)), kwh_import=0.0, kw=0.0),
    "only the month": lambda rows: rows.filter((pl.col("start") >= FIRST) & (pl.col("start") < LAST)),
    "ties": put(at(5, 700, 2500), kwh_import=19.0, kw=76.0),
}
BLEMISHED: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "gap": drop(at(*range(100, 120))),
    "first missing": drop(at(0)),
    "last missing": drop(at(2879)),
    "half missing": drop(at(*range(100, 1600))),
    "nothing": lambda rows: rows.clear(),
    "nothing in the month": drop(at(*range(2880))),
    "null": put(at(40), kwh_import=None),
    "nan": put(at(40), kwh_import=math.nan),
    "negative": put(at(40), kwh_import=-0.001),
    "negative export": put(at(40), kwh_export=-1.0),
    "infinite": put(at(40), kwh_import=math.inf),
    "infinite kw": put(at(40), kw=math.inf),
    "infinite kvar": put(at(40), kvar=-math.inf),
    "infinite kvarh": put(at(40), kvarh=math.inf),
    "infinite forecast": put(at(40), forecast_kwh=math.inf),
    "infinite export": put(at(40), kwh_export=math.inf),
    "beyond the contract": put(at(40), kw=1000.0),
    "kWh beyond the contract": put(at(40), kwh_import=250.0),
    "far beyond the contract": put(at(40), kwh_import=25_000.0),
    "kW of another unit": put(INSIDE, kw=KWH),
    "kW a little apart": put(at(*range(100, 140)), kw=KWH * 4.5),
    "register goes back": lambda rows: put(N >= BEFORE + 50, register_kwh=pl.col("register_kwh") - 900)(registers(rows)),
    "register apart": lambda rows: put(at(50), register_kwh=pl.col("register_kwh") + 0.5)(registers(rows)),
    "register now and then": lambda rows: put(N % 4 != 0, register_kwh=None)(registers(rows)),
    "spike": put(at(40), kwh_import=62.0, kw=248.0),
    "another level": put(INSIDE, kwh_import=KWH / 32, kw=KWH / 8),
    "24 equal": put(at(*range(300, 324)), kwh_import=7.0, kw=28.0),
    "zeros of a week": put(at(*range(300, 972)), kwh_import=0.0, kw=0.0),
    "off the grid": put(at(40), start=pl.col("start") + timedelta(seconds=7)),
    "moved by a minute": put(pl.lit(True), start=pl.col("start") + timedelta(minutes=1)),
    "clock back": put(at(40), source_row=9_000),
    "files that alternate": put(N % 2 == 0, source="b" * 64, source_row=9_000 - N),
    "estimated in the file": put(at(40), quality="estimated"),
    "our own estimates": put(at(40), source="estimate"),
    "another block": blocks(2),
}  # fmt: skip
READINGS = {**CLEAN, **BLEMISHED}


def sound(meter: str, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = BEFORE + 2880 + BEFORE
    kwh = rng.uniform(1, 18, rows).round(3)
    frame = pl.DataFrame(
        {"kwh_import": kwh, "kw": (kwh * 4).round(3), "forecast_kwh": rng.uniform(1, 18, rows).round(2)}
    )
    return frames.conform(
        frame.with_columns(
            start=pl.lit(FIRST - BEFORE * SLOT).cast(frames.READINGS["start"]) + N * SLOT,
            client=pl.lit("EIS"),
            meter=pl.lit(meter),
            quality=pl.lit("measured"),
            source=pl.lit("a" * 64),
            source_row=N + 2,
        )
    )


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


def figures(result: Drafted) -> tuple[object, ...]:
    return (result.bill, result.input_hash, result.findings, result.period, result.expected)


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


def test_each_draft_is_the_one_it_gets_alone(
    common: Masters, contracts: list[Contract], alone: dict[str, tuple[object, ...]]
) -> None:
    drafted = {c.number: figures(d) for c, d in batch.draft_all(common, contracts, SEPTEMBER, lambda _: ())}
    assert list(drafted) == [contract.number for contract in contracts]
    bill, _, (finding,), _, _ = drafted.pop("EIS-9004")
    assert (bill, finding.code) == (None, "no-tariff")  # type: ignore[attr-defined]
    for contract in contracts[:-1]:
        assert drafted[contract.number] == alone[contract.number], contract.meter.serial


def test_the_short_way_is_taken_by_clean_months_only(
    common: Masters, contracts: list[Contract], alone: dict[str, tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    long: list[str] = []
    monkeypatch.setattr(batch, "draft", lambda known, *rest: long.append(known.contract.number) or draft(known, *rest))
    list(batch.draft_all(common, contracts, SEPTEMBER, lambda _: ()))
    named = {contract.number: contract.meter.serial for contract in contracts[: len(READINGS)]}
    assert [named.get(number, number) for number in long] == [*BLEMISHED, "EIS-9001", "EIS-9002", "EIS-9003"]
    # The blemishes are some; about two the long way finds nothing, and it took the long way to know that.
    assert {named[n] for n in long if n in named and not alone[n][2]} == {
        "register now and then",
        "files that alternate",
    }


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_neither_order_nor_threads_nor_company_change_a_draft(
    common: Masters,
    contracts: list[Contract],
    alone: dict[str, tuple[object, ...]],
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
) -> None:
    if threads > numba.config.NUMBA_NUM_THREADS:
        pytest.skip(f"{numba.config.NUMBA_NUM_THREADS} threads here")
    order = np.random.default_rng(threads).permutation(len(contracts) - 1)
    monkeypatch.setattr(batch, "TOGETHER", 3 * threads + 1)
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        drafted = batch.draft_all(common, [contracts[n] for n in order], SEPTEMBER, lambda _: ())
        for contract, result in drafted:
            assert figures(result) == alone[contract.number], contract.meter.serial
    finally:
        numba.set_num_threads(before)


def test_corrections_go_to_their_contract(common: Masters, contracts: list[Contract]) -> None:
    asked: list[str] = []

    def carried(contract: Contract) -> tuple[()]:
        asked.append(contract.number)
        return ()

    list(batch.draft_all(common, contracts[:3], SEPTEMBER, carried))
    assert asked == [contract.number for contract in contracts[:3]]


def test_nobody_has_no_drafts(common: Masters) -> None:
    assert list(batch.draft_all(common, [], SEPTEMBER, lambda _: ())) == []
