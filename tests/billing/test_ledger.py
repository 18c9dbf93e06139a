"""Numbers, due dates, invoices as JSON, and the derivation of every line."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext

import pytest
from billing_builders import SEPTEMBER, ZONE, Slot, make_contract, make_tariff, usage_of

from eisenergy.accounts import Client
from eisenergy.billing.engine import bill
from eisenergy.billing.model import Bill, Provenance
from eisenergy.findings import warning
from eisenergy.ledger.codec import BadNumber, due_on, dump, head, load, number, parse_number
from eisenergy.ledger.explain import MAX_PARTS, explain, plain, render
from eisenergy.ledger.invoices import Invoice
from eisenergy.period import BillingMonth
from eisenergy.tariffs.model import BillingRules, RateKind, ScalarKind
from eisenergy.usage import EstimatedRange, SlotPrices

D = Decimal
CLIENT = Client(
    code="EIS",
    name="EIS Power, S.A. de C.V.",
    nit="0614-010101-101-0",
    ncr="1-1",
    activity="Comercialización de energía eléctrica",
    address="San Salvador",
    phone="2200-0000",
    email="facturas@eispower.example",
    website="eispower.example",
    timezone=ZONE,
    currency="USD",
    locale="es-SV",
    series="FAC",
    due_days=15,
    max_missing_share=0.1,
)


def september(slots: list[Slot], **more: object) -> Bill:
    tariff = make_tariff(
        {
            RateKind.ENERGY: {
                block: {date(2021, 7, 15): rate, date(2021, 9, 16): "0.2"}
                for block, rate in (("VALLE", "0.09"), ("RESTO", "0.1"), ("PUNTA", "0.12"))
            },
            RateKind.DEMAND: {block: {date(2021, 7, 15): "7.4412"} for block in ("VALLE", "RESTO", "PUNTA")},
        },
        {ScalarKind.VAT_RATE: {date(2000, 1, 1): "0.13"}},
        BillingRules(ftpms_blocks=()),
    )
    usage = usage_of(slots, SEPTEMBER, tariff.segments(SEPTEMBER), expected={(0, "VALLE"): 1440, (1, "VALLE"): 1440})
    return bill(make_contract(), SEPTEMBER, usage, tariff, timezone=ZONE, calendar_name="EIS", **more)  # type: ignore[arg-type]


def slot(day: int, kwh: object, **more: object) -> Slot:
    start = datetime(2021, 9, day, 16, tzinfo=UTC)
    return Slot(start=start, block="RESTO", kwh=D(str(kwh)), kw=D("10.5"), **more)  # type: ignore[arg-type]


@pytest.fixture
def invoice() -> Invoice:
    made = september(
        [slot(1, "1.234"), slot(2, "3.3", estimated=True), slot(20, "7")],
        estimated=(
            EstimatedRange(
                start=datetime(2021, 9, 2, 16, tzinfo=UTC),
                end=datetime(2021, 9, 2, 16, 15, tzinfo=UTC),
                slots=1,
                kwh=D("3.3"),
                method="same interval of the nearest similar days",
            ),
        ),
        findings=(warning("estimated-slots", "5614086", "1 interval was estimated."),),
        provenance=Provenance(
            lake_version=3,
            sources={"b" * 64: "5614086.xlsx", "c" * 64: "5614086 late.csv"},
            tariff_version="tariff-hash",
            calendar_version="calendar-hash",
            code_version="0.1.0",
            readings_hash="readings-hash",
        ),
    )
    return Invoice(
        number="FAC-000012",
        series="FAC",
        sequence=12,
        month=BillingMonth(2021, 9),
        issuer=CLIENT,
        bill=made,
        issued_at=datetime(2021, 10, 1, 15, 30, 0, 123456, tzinfo=UTC),
        issued_on=date(2021, 10, 1),
        due_on=due_on(CLIENT, date(2021, 10, 1)),
        input_hash="f" * 64,
    )


def test_what_invoices_issued_together_share_is_of_each_of_them(invoice: Invoice) -> None:
    shared = head(invoice.issuer, invoice.month, invoice.issued_at, invoice.issued_on, invoice.due_on)
    whole = dump(invoice)
    assert {name: whole[name] for name in shared} == shared
    assert whole.keys() - shared.keys() == {"number", "sequence", "input_hash", "bill"}


def test_numbers() -> None:
    assert number("FAC", 1) == "FAC-000001"
    assert number("FAC", 1_234_567) == "FAC-1234567"
    assert parse_number(" FAC-000001 ") == ("FAC", 1)
    assert parse_number("EIS-FAC-0042") == ("EIS-FAC", 42)
    for series, sequence in (("FAC", 0), ("FAC", -1), (" ", 1)):
        with pytest.raises(BadNumber, match="expected a series' name and a whole number from 1"):
            number(series, sequence)
    for text in ("FAC", "FAC-", "-1", "FAC-000000", "FAC-1x", ""):
        with pytest.raises(BadNumber, match="expected SERIES-NUMBER"):
            parse_number(text)


def test_due_date(invoice: Invoice) -> None:
    assert invoice.due_on == date(2021, 10, 16)


def test_invoice_round_trip_through_json_text(invoice: Invoice) -> None:
    again = load(json.loads(json.dumps(dump(invoice), sort_keys=True)))
    assert again == invoice
    assert repr(again) == repr(invoice)


def test_explanation_goes_down_to_rates_with_dates_and_readings_with_files(invoice: Invoice) -> None:
    text = render(explain(invoice))
    for piece in (
        "Invoice FAC-000012, issued on 2021-10-01: Aceros de Ateos, S.A. de C.V., contract EIS-0001, "
        "2021-09-01 to before 2021-10-01, tariff EIS-TOU: ",
        "\n  Energy: 1.85 USD\n",
        "\n    energy, block RESTO, 2021-09-01 to before 2021-09-16: 4.534 kWh x 0.1: 0.4534\n"
        "      Rate 0.1 USD/kWh, in force from 2021-07-15, from energy RESTO of 2021-07-15\n",
        "\n    Before rounding to cents: 1.8534 USD\n",
        "\n      Rate 0.0153 USD/kWh, from master, N5\n",
        "\n  VAT: ",
        "\n    Sum of energy, demand, losses, FTPMS, deviation and discount, as printed.\n    Energy: 1.85 USD\n    Demand: ",
        "\n    Subtotal plus VAT less retention plus municipal fee, as printed.\n    Taxable subtotal: ",
        "\n    Municipal fee: 12.50 USD\n  Usage per block\n",
        "\n      Rate 0.13, in force from 2000-01-01, from vat_rate of 2000-01-01\n",
        "\n    RESTO: 3 intervals, 1 of them estimated: 11.534 kWh\n"
        "      Maximum power: 10.5 kW, first at 2021-09-01 10:00, reached 3 times\n",
        "\n    PUNTA: 0 intervals: 0 kWh\n",
        "Readings of meter 5614086 at node Ateos, calendar EIS, times in America/El_Salvador: 3 of 2880 intervals\n",
        f"\n    File 5614086 late.csv: sha256 {'c' * 64}\n    File 5614086.xlsx: sha256 {'b' * 64}\n",
        "\n    Estimated: 1 intervals from 2021-09-02 10:00 to 2021-09-02 10:15, "
        "same interval of the nearest similar days: 3.3 kWh\n",
        "\n    warning: 1 interval was estimated.: estimated-slots\n",
        "\n    Rule ftpms_blocks: none\n",
        "\n    Rule demand_rate_block: not set\n",
        "\n    Rule demand_basis: period_max\n",
        "\n    Tariff: tariff-hash\n",
        f"\n    Hash of the inputs: {'f' * 64}",
    ):
        assert piece in text, piece
    names = [node.text for depth, node in explain(invoice).walk() if depth == 1]
    assert names[:11] == [
        "Energy",
        "Demand",
        "Losses",
        "FTPMS",
        "Deviation from the forecast",
        "Discount",
        "Taxable subtotal",
        "VAT",
        "Retention",
        "Municipal fee",
        "Total to pay",
    ]


def test_a_bill_explains_itself_without_a_number_or_versions() -> None:
    text = render(explain(september([slot(1, "1"), replace(slot(2, "2"), kw=D(99))])))
    assert text.startswith("Bill: Aceros de Ateos")
    assert "Hash of the inputs" not in text
    assert "Findings" not in text
    assert "Maximum power: 99 kW, first at 2021-09-02 10:00\n" in text


def test_many_prices_are_shown_as_a_range() -> None:
    def priced(count: int) -> str:
        slots = [slot(day, 1, forecast=D(2), prices=SlotPrices(cost_neg=D(day) / 1000)) for day in range(1, count + 1)]
        return render(explain(september(slots)))

    few, many = priced(MAX_PARTS), priced(MAX_PARTS + 1)
    assert few.count("below forecast, block RESTO, ") == MAX_PARTS
    assert "below forecast, block RESTO: 13 kWh at 13 prices from 0.001 to 0.013 USD/kWh: 0.091\n" in many
    assert "      Rates from column cost_neg of the readings of meter 5614086\n" in many


def test_plain_numbers() -> None:
    values = {"6441.33281916": "6441.33281916", "1E+3": "1000", "0.10": "0.1", "0": "0", "-2.50": "-2.5"}
    with localcontext() as context:
        context.prec = 3
        assert {text: plain(D(text)) for text in values} == values
    assert plain(D(1) / D(3)) == "0.333333333333333"
