"""Central types survive JSON, with every digit, date, order and type."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisenergy.accounts import Client, Contract, Sourced
from eisenergy.billing.model import Bill, BillLine, BillPart, BlockSummary, Indicators, LineCode, Provenance
from eisenergy.findings import warning
from eisenergy.ledger.invoices import Invoice
from eisenergy.masters import calendars, clients, codec, customers
from eisenergy.period import BillingMonth, Dated, Period
from eisenergy.tariffs import load
from eisenergy.tariffs.model import RateKind, ScalarKind, Tariff
from eisenergy.timeofuse import ALL_DAYS, BlockHours, DayCalendar, DayType, Season
from eisenergy.usage import EstimatedRange, Usage

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data" / "samples"


def through_json(value):
    """Write and read; objects lose the order of their keys on the way, as in jsonb."""
    text = json.dumps(codec.dump(value), sort_keys=True, allow_nan=False)
    return codec.load(type(value), json.loads(text))


def contract():
    return customers.read(SAMPLES / "Datos de clientes para facturación.xlsx").contracts[2]


def test_masters_survive():
    tariff = load.combine(
        load.read_yaml(ROOT / "params" / "tariffs" / "EIS-TOU.yaml"),
        load.read_spreadsheet(SAMPLES / "Tarifas EIS-TOU.xlsx"),
    )
    for value in (
        tariff,
        calendars.read_spreadsheet(SAMPLES / "Bloques horarios.xlsx", "eis-bloques"),
        clients.load(ROOT / "params" / "clients" / "EIS.yaml"),
        replace(contract(), end=date(2022, 1, 1), contracted_kw=None, notes={"b": "1", "a": "2"}),
    ):
        assert through_json(value) == value
    back = through_json(tariff)
    assert back.blocks == tariff.blocks == ("VALLE", "RESTO", "PUNTA")
    assert isinstance(next(iter(back.rates)), RateKind)
    assert load.version(back) == tariff.version
    assert list(through_json(replace(contract(), notes={"b": "1", "a": "2"})).notes) == ["b", "a"]


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False)
DATED = st.dictionaries(st.dates(), st.none() | st.builds(Sourced, NUMBERS, st.text()), max_size=4)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from(RateKind), st.dictionaries(st.text(), DATED, max_size=3)), DATED)
def test_any_tariff_survives_with_every_digit(rates, vat):
    tariff = Tariff(
        name="T",
        currency="USD",
        calendar="c",
        rates={kind: {block: Dated.of(block, values) for block, values in one.items()} for kind, one in rates.items()},
        scalars={ScalarKind.VAT_RATE: Dated.of("vat", vat)},
    )
    back = through_json(tariff)
    assert back == tariff
    assert repr(back) == repr(tariff)  # 0.10 stays 0.10, and the order stays


def test_a_calendar_with_everything_survives():
    calendar = DayCalendar(
        name="c",
        rows=(
            BlockHours(start_minute=0, end_minute=1440, block="A", day_types=ALL_DAYS - {DayType.SUNDAY}),
            BlockHours(start_minute=60, end_minute=60, block="B", day_types=frozenset({DayType.SUNDAY}), season="all"),
        ),
        seasons=(Season(name="all", start_month=2, start_day=29),),
        holidays=frozenset({date(2021, 9, 15), date(2021, 12, 25)}),
        version="v",
    )
    back = through_json(calendar)
    assert back == calendar
    assert back.block_at(datetime(2021, 9, 19, 12, tzinfo=UTC)) == "B"  # the compiled days are made anew


def test_an_invoice_survives():
    part = BillPart(
        label="PUNTA",
        block="PUNTA",
        period=Period(date(2021, 9, 1), date(2021, 10, 1)),
        quantity=Decimal("1.10"),
        unit="kWh",
        rate=Decimal("0.121456"),
        rate_unit="USD/kWh",
        rate_from=None,
        origin="x",
        exact=Decimal("0.1336016"),
    )
    line = BillLine(
        code=LineCode.TOTAL,
        quantity=None,
        unit="",
        rate=None,
        exact=part.exact,
        amount=Decimal("0.13"),
        formula="f",
        parts=(part,),
    )
    block = BlockSummary(
        block="PUNTA",
        kwh=Decimal("1.10"),
        kwh_export=Decimal(0),
        energy_rate=None,
        energy_amount=part.exact,
        max_kw=Decimal(4),
        max_kw_at=datetime(2021, 9, 2, 1, 15, tzinfo=UTC),
        max_kw_ties=1,
        slots=2,
        estimated=1,
    )
    estimated = EstimatedRange(
        start=datetime(2021, 9, 2, tzinfo=UTC),
        end=datetime(2021, 9, 2, 0, 15, tzinfo=UTC),
        slots=1,
        kwh=Decimal("0.5"),
        method="similar-days",
    )
    bill = Bill(
        contract=contract(),
        period=part.period,
        timezone="America/El_Salvador",
        currency="USD",
        tariff="T",
        calendar="c",
        lines=(line,),
        blocks=(block,),
        indicators=Indicators(load_factor=Decimal("0.5"), power_factor=None, price_per_kwh=None),
        slots_expected=2880,
        slots_missing=0,
        estimated=(estimated,),
        findings=(warning("a", "b", "c", slots=18, share=0.5, names=["x"], nested={"k": None}),),
        provenance=Provenance(
            lake_version=3,
            sources={"b": "2", "a": "1"},
            tariff_version="t",
            calendar_version="c",
            code_version="0.1.0",
            readings_hash="h",
        ),
        rules={"demand_basis": "period_max"},
    )
    invoice = Invoice(
        number="FAC-000001",
        series="FAC",
        sequence=1,
        month=BillingMonth(2021, 9, 15),
        issuer=clients.load(ROOT / "params" / "clients" / "EIS.yaml"),
        bill=bill,
        issued_at=datetime(2021, 10, 2, 5, 30, 1, 123456, tzinfo=UTC),
        issued_on=date(2021, 10, 1),
        due_on=date(2021, 10, 16),
        input_hash="h",
    )
    assert through_json(invoice) == invoice
    assert through_json(replace(invoice, bill=replace(bill, provenance=None))).bill.provenance is None


def test_keys_that_are_not_text_survive():
    usage = Usage(
        meter="1",
        period=Period(date(2021, 9, 1), date(2021, 9, 2)),
        timezone="UTC",
        segments=(),
        blocks=("A",),
        cells=(),
        expected={(0, "A"): 96},
        has_forecast=False,
    )
    assert through_json(usage) == usage


def test_what_cannot_be_written_is_refused():
    with pytest.raises(codec.BadRecord, match="set cannot be stored"):
        codec.dump(warning("a", "b", "c", names={1, 2}))
    with pytest.raises(codec.BadRecord, match="str is not a record"):
        codec.dump("text")
    assert codec.dump(warning("a", "b", "c", kwh=Decimal("1.10"), on=date(2021, 9, 1)))["data"] == [
        ["kwh", "1.10"],
        ["on", "2021-09-01"],
    ]


CLIENT = codec.dump(clients.load(ROOT / "params" / "clients" / "EIS.yaml"))
CONTRACT = codec.dump(contract())
BAD = [
    (Client, {**CLIENT, "due_days": "15"}, r"Client.due_days: found '15', expected int"),
    (Client, {**CLIENT, "due_days": True}, r"Client.due_days: found True, expected int"),
    (Client, {**CLIENT, "max_missing_share": "0.1"}, r"Client.max_missing_share: found '0.1', expected float"),
    (Client, {k: v for k, v in CLIENT.items() if k != "code"}, r"Client: found \['activity', .*expected the fields"),
    (Client, {**CLIENT, "extra": 1}, r"Client: found .*'extra'"),
    (Contract, {**CONTRACT, "start": "01/11/2020"}, r"Contract.start: found '01/11/2020', expected date"),
    (Contract, {**CONTRACT, "start": None}, r"Contract.start: found None, expected date"),
    (Contract, {**CONTRACT, "meter": "1"}, r"Contract.meter: found 1, expected the fields \['serial', 'site'\]"),
    (Contract, {**CONTRACT, "notes": {"a": "b"}}, r"Contract.notes: found .*, expected a list"),
    (Contract, {**CONTRACT, "notes": [["a", 1]]}, r"Contract.notes\['a'\]: found 1, expected str"),
    (
        Contract,
        {**CONTRACT, "municipal_fee": {"value": "1,5", "origin": ""}},
        r"Contract.municipal_fee.value: found '1,5', expected Decimal",
    ),
]


@pytest.mark.parametrize(("kind", "record", "message"), BAD)
def test_a_record_of_another_shape_is_refused_with_its_field(kind, record, message):
    with pytest.raises(codec.BadRecord, match=message):
        codec.load(kind, record)


def test_a_whole_float_survives_as_a_float():
    back = codec.load(Client, {**CLIENT, "max_missing_share": 1})
    assert (back.max_missing_share, type(back.max_missing_share)) == (1.0, float)


def test_the_short_way_reads_what_the_long_way_reads():
    document = json.loads(json.dumps(codec.dump(contract())))
    assert codec._reader(Contract)(document) == codec._read(Contract, document, "") == contract()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("tariff"),
        lambda document: document.update(more=1),
        lambda document: document.update(tariff=1),
        lambda document: document.update(start="soon"),
        lambda document: document["customer"].update(name=None),
    ],
)
def test_what_the_short_way_refuses_the_long_way_explains(spoil):
    document = json.loads(json.dumps(codec.dump(contract())))
    spoil(document)
    with pytest.raises(codec.BadRecord, match="Contract"):
        codec.load(Contract, document)
