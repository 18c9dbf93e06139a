"""The reference workbook's eleven lines, from its input cells, through sums made here with plain fractions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from billing_builders import SEPTEMBER, WORKBOOK, ZONE, Slot, hour_block, make_contract, make_tariff, usage_of

from eisenergy.billing.engine import bill
from eisenergy.billing.model import Bill, LineCode
from eisenergy.tariffs.model import RateKind, ScalarKind, Tariff
from eisenergy.usage import SlotPrices

pytestmark = pytest.mark.untraced

LINES = {
    "energy": "6441.33",
    "demand": "3798.58",
    "losses": "885.61",
    "ftpms": "38.28",
    "deviation": "659.25",
    "discount": "-236.46",
    "subtotal": "11586.59",
    "vat": "1506.26",
    "retention": "-115.87",
    "municipal_fee": "12.50",
    "total": "12989.48",
}


@pytest.fixture(scope="module")
def inputs() -> tuple[list[Slot], Tariff]:
    book = openpyxl.load_workbook(WORKBOOK, read_only=True)
    slots = []
    for row in book.worksheets[0].iter_rows(min_row=31, max_row=2910, values_only=True):
        day, clock, kwh, kw, _, _, _, _, forecast, _, _, _, _, _, _, pos, neg, _ = row
        local = datetime.combine(day.date(), clock, tzinfo=ZoneInfo(ZONE))
        slots.append(
            Slot(
                start=local.astimezone(UTC),
                block=hour_block(local.hour),
                kwh=Decimal(str(kwh)),
                kw=Decimal(str(kw)),
                forecast=Decimal(str(forecast)),
                prices=SlotPrices(cost_pos=Decimal(str(pos)), cost_neg=Decimal(str(neg))),
            )
        )
    energy: dict[str, dict[date, object]] = {}
    demand: dict[str, dict[date, object]] = {}
    for block, day, kwh_rate, kw_rate in book["Tarifas"].iter_rows(min_row=2, max_row=10, max_col=4, values_only=True):
        energy.setdefault(block, {})[day.date()] = kwh_rate
        demand.setdefault(block, {})[day.date()] = kw_rate
    book.close()
    tariff = make_tariff(
        {RateKind.ENERGY: energy, RateKind.DEMAND: demand, RateKind.FTPMS: {"PUNTA": {date(2020, 1, 1): "0.0042"}}},
        {ScalarKind.VAT_RATE: {date(2000, 1, 1): "0.13"}},
    )
    return slots, tariff


@pytest.fixture(scope="module")
def steel(inputs: tuple[list[Slot], Tariff]) -> Bill:
    slots, tariff = inputs
    usage = usage_of(slots, SEPTEMBER, tariff.segments(SEPTEMBER))
    return bill(make_contract(), SEPTEMBER, usage, tariff, timezone=ZONE, calendar_name="EIS")


def test_eleven_lines(steel: Bill) -> None:
    assert {line.code.value: str(line.amount) for line in steel.lines} == LINES
    assert steel.total == Decimal("12989.48")


def test_blocks(steel: Bill) -> None:
    found = {b.block: (b.kwh, b.energy_rate, b.energy_amount, b.max_kw, b.max_kw_ties, b.slots) for b in steel.blocks}
    assert found["VALLE"][:4] == (Decimal("2084.14"), Decimal("0.098321"), Decimal("204.91472894"), Decimal("19.16"))
    assert found["RESTO"][:4] == (Decimal("46684.23"), Decimal("0.109874"), Decimal("5129.38308702"), Decimal("510.48"))
    assert found["PUNTA"][:4] == (Decimal("9114.7"), Decimal("0.121456"), Decimal("1107.0350032"), Decimal("459.92"))
    assert sum(block.slots for block in steel.blocks) == 2880
    at = next(b.max_kw_at for b in steel.blocks if b.block == "RESTO")
    assert at is not None
    assert at == datetime(2021, 9, 27, 14, 15, tzinfo=ZoneInfo(ZONE))


def test_exact_amounts_and_origins(steel: Bill) -> None:
    assert steel.line(LineCode.ENERGY).exact == Decimal("6441.33281916")
    assert steel.line(LineCode.LOSSES).exact == Decimal("885.610971")
    assert steel.line(LineCode.FTPMS).exact == Decimal("38.28174")
    assert steel.line(LineCode.DEVIATION).exact == Decimal("659.2498")
    assert steel.line(LineCode.LOSSES).parts[0].origin == "master, N5"
    assert steel.line(LineCode.DEVIATION).parts[0].origin == "column cost_neg of the readings of meter 5614086"
    part = steel.line(LineCode.ENERGY).parts[0]
    assert (part.block, part.rate_from, part.origin) == ("VALLE", date(2021, 7, 15), "energy VALLE of 2021-07-15")


def test_indicators(steel: Bill) -> None:
    # 57883.07 kWh / 720 h / 510.48 kW, and 12989.48 / 57883.07 kWh, on a pocket calculator
    assert steel.indicators.load_factor == Decimal("0.157485411333995")
    assert steel.indicators.price_per_kwh == Decimal("0.224408967941749")
    assert steel.indicators.power_factor is None
