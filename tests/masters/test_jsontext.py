"""A record's text is what the general writer and ``json`` make of it, to the byte; what does not fit its field is refused as there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from eisenergy.accounts import Sourced
from eisenergy.billing.model import Bill, BillLine, BillPart, BlockSummary, Indicators, LineCode, Provenance
from eisenergy.findings import warning
from eisenergy.masters import calendars, clients, codec, customers, jsontext
from eisenergy.period import Period
from eisenergy.tariffs import load
from eisenergy.usage import EstimatedRange

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data" / "samples"
STRANGE = 'ñandú 100 % "quoted" \\ \t\n\x00 {0} %s \u2028 🙂'


@dataclass(frozen=True)
class Branch:
    """A record of a type that holds itself."""

    name: str
    next: Branch | None


def contract():
    return customers.read(SAMPLES / "Datos de clientes para facturación.xlsx").contracts[2]


def bill():
    september = Period(date(2021, 9, 1), date(2021, 10, 1))
    part = BillPart(
        label=STRANGE,
        block=None,
        period=september,
        quantity=Decimal("1E+2"),
        unit="kWh",
        rate=Decimal("-0.00"),
        rate_unit="USD/kWh",
        rate_from=date(2021, 1, 1),
        origin=STRANGE,
        exact=Decimal("1.234567890123456789012345678901234567890"),
    )
    line = BillLine(
        code=LineCode.ENERGY,
        quantity=None,
        unit="",
        rate=Decimal("0.10"),
        exact=Decimal(0),
        amount=Decimal("0.00"),
        formula=STRANGE,
        parts=(part, replace(part, block="VALLE", period=None, rate_from=None)),
    )
    instant = datetime(2021, 9, 1, 6, 15, tzinfo=UTC)
    block = BlockSummary(
        block="VALLE", kwh=Decimal("1E-7"), kwh_export=Decimal(0), energy_rate=None, energy_amount=Decimal(1),
        max_kw=Decimal(2), max_kw_at=instant, max_kw_ties=0, slots=2880, estimated=3,
    )  # fmt: skip
    return Bill(
        contract=replace(contract(), notes={STRANGE: "%", "b": ""}, loss_factor=Sourced(Decimal("1.0"), STRANGE)),
        period=september,
        timezone="America/El_Salvador",
        currency="USD",
        tariff="EIS-TOU",
        calendar="eis-bloques",
        lines=(line, replace(line, parts=())),
        blocks=(block, replace(block, max_kw_at=None)),
        indicators=Indicators(load_factor=None, power_factor=Decimal("0.9"), price_per_kwh=Decimal("1E+3")),
        slots_expected=2880,
        slots_missing=0,
        estimated=(EstimatedRange(start=instant, end=instant, slots=1, kwh=Decimal("0.5"), method="x"),),
        findings=(warning("gap", "81", STRANGE, slots=3, share=0.25, none=None, listed=[1, STRANGE]),),
        provenance=Provenance(
            lake_version=1, sources={"ab": STRANGE, "": ""}, tariff_version="1", calendar_version="2",
            code_version="3", readings_hash="2:4",
        ),
        rules={"demand_basis": "period_max", "ftpms_blocks": ["PUNTA"], "nothing": None, "deep": {"x": [True, 1.5]}},
    )  # fmt: skip


def sorted_keys(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


def general(value: Any) -> str:
    return json.dumps(codec.dump(value), sort_keys=True)


def test_text_is_what_the_general_writer_gives_but_for_the_order_of_keys():
    values = [
        bill(),
        replace(bill(), provenance=None, lines=(), estimated=(), findings=(), rules={}),
        contract(),
        clients.load(ROOT / "params" / "clients" / "EIS.yaml"),
        calendars.read_spreadsheet(SAMPLES / "Bloques horarios.xlsx", "eis-bloques"),
        load.combine(
            load.read_yaml(ROOT / "params" / "tariffs" / "EIS-TOU.yaml"),
            load.read_spreadsheet(SAMPLES / "Tarifas EIS-TOU.xlsx"),
        ),
    ]
    for value in values:
        assert sorted_keys(jsontext.text(value)) == general(value)
    assert codec.load(Bill, json.loads(jsontext.text(values[0]))) == values[0]


def test_keys_of_records_come_in_the_order_of_jsonb() -> None:
    """The server sorts an object's keys by length, then by their bytes, and sees at once that they are sorted."""

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen.append([name for name, _ in pairs])

    seen: list[list[str]] = []
    json.loads(jsontext.text(replace(bill(), rules={}, findings=())), object_pairs_hook=look)
    assert len(seen) > 10
    assert all(names == sorted(names, key=lambda name: (len(name), name)) for names in seen)


@dataclass(frozen=True)
class Odd:
    """Fields of every kind."""

    number: int = 1
    amount: Decimal | None = None
    name: str = ""
    day: date = date(2021, 9, 1)
    pair: tuple[int, str] = (1, "")
    names: frozenset[str] = frozenset()
    share: float = 0.5
    sure: bool = True
    more: Mapping[str, Any] | None = None
    inner: Odd | None = None


@pytest.mark.parametrize(
    "value",
    [
        Odd(),
        Odd(number=True, sure=False, share=3),
        Odd(number=Decimal("1.50"), amount="1.50", name=Decimal(1)),
        Odd(name=None, day=datetime(2021, 9, 1, tzinfo=UTC), pair=(2, "x")),
        Odd(names=frozenset("bca"), share=1e300, more={"a": (1, Decimal(2))}),
        Odd(name=LineCode.TOTAL, inner=Odd(inner=Odd(name=STRANGE), day="2021-09-01")),
    ],
)
def test_a_value_of_another_type_is_written_as_the_general_writer_writes_it(value):
    assert sorted_keys(jsontext.text(value)) == general(value)


@pytest.mark.parametrize("value", [Odd(name=b"x"), Odd(more={"a": object()}), Odd(day=object()), "text", 3])
def test_what_cannot_be_stored_is_refused_by_name(value):
    with pytest.raises(codec.BadRecord):
        jsontext.text(value)


def test_equal_instants_are_written_each_in_its_own_zone() -> None:
    utc = datetime(2021, 9, 1, 6, 15, tzinfo=UTC)
    for instant in (utc, utc.astimezone(timezone(timedelta(hours=-6))), utc):
        made = EstimatedRange(start=instant, end=instant, slots=1, kwh=Decimal(1), method="mean")
        assert sorted_keys(jsontext.text(made)) == general(made)


def test_a_record_may_hold_itself() -> None:
    assert jsontext.text(Branch("a", Branch("b", None))) == '{"name": "a", "next": {"name": "b", "next": null}}'
