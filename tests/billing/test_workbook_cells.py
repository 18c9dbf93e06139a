"""Every formula quantity of the reference workbook, per interval, per block and in total, against the library's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import polars as pl
import pytest
from billing_builders import SEPTEMBER, WORKBOOK, ZONE, make_contract, make_tariff, sourced

from eisenergy.billing.engine import bill
from eisenergy.billing.model import Bill, LineCode
from eisenergy.billing.slots import price_slots
from eisenergy.blockruns import compile_runs
from eisenergy.frames import conform
from eisenergy.tariffs.model import RateKind, ScalarKind, Tariff
from eisenergy.timeofuse import BlockHours, DayCalendar
from eisenergy.usage import measure

pytestmark = pytest.mark.untraced

BLOCK_ROWS = {"VALLE": 11, "RESTO": 12, "PUNTA": 13}
LINE_ROWS = dict(zip(range(16, 27), [c for c in LineCode if c is not LineCode.CORRECTION], strict=True))


@dataclass
class Reference:
    values: Any
    sheet: Any
    calendar: DayCalendar
    tariff: Tariff
    slots: pl.DataFrame
    bill: Bill


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    book = openpyxl.load_workbook(WORKBOOK, data_only=True)
    sheet = book.worksheets[0]
    hours = book["Bloques horarios"].iter_rows(min_row=2, max_row=5, max_col=3, values_only=True)
    calendar = DayCalendar(
        name="EIS",
        rows=tuple(BlockHours(start_minute=a * 60, end_minute=(b + 1) * 60, block=name) for a, b, name in hours),
    )
    energy: dict[str, dict[date, object]] = {}
    demand: dict[str, dict[date, object]] = {}
    for block, day, kwh, kw in book["Tarifas"].iter_rows(min_row=2, max_row=10, max_col=4, values_only=True):
        energy.setdefault(block, {})[day.date()] = kwh
        demand.setdefault(block, {})[day.date()] = kw
    tariff = make_tariff(
        {
            RateKind.ENERGY: energy,
            RateKind.DEMAND: demand,
            RateKind.FTPMS: {"PUNTA": {date(2021, 1, 1): sheet["B8"].value}},
        },
        {ScalarKind.VAT_RATE: {date(2000, 1, 1): sheet["E7"].value}},
    )
    contract = make_contract(
        loss_factor=sourced(sheet["B7"].value),
        municipal_fee=sourced(sheet["E5"].value),
        discount_rate=sourced(sheet["E6"].value),
        retention_rate=sourced(sheet["E8"].value),
    )
    readings = _readings(sheet)
    runs = compile_runs(calendar, tariff.segments(SEPTEMBER), ZONE)
    usage = measure("5614086", readings, runs, period=SEPTEMBER, timezone=ZONE)
    yield Reference(
        values=book,
        sheet=sheet,
        calendar=calendar,
        tariff=tariff,
        slots=price_slots(readings, contract, tariff, calendar, period=SEPTEMBER, timezone=ZONE),
        bill=bill(contract, SEPTEMBER, usage, tariff, timezone=ZONE, calendar_name="EIS"),
    )
    book.close()


def _readings(sheet: Any) -> pl.DataFrame:
    """The input cells of the workbook: dates, times, kWh, kW, forecast and deviation costs; no formula cell."""
    rows = []
    for number in range(31, 2911):
        local = datetime.combine(sheet.cell(number, 1).value.date(), sheet.cell(number, 2).value, tzinfo=ZoneInfo(ZONE))
        rows.append(
            {
                "client": "EIS",
                "meter": "5614086",
                "start": local.astimezone(UTC),
                "kwh_import": float(sheet.cell(number, 3).value),
                "kw": float(sheet.cell(number, 4).value),
                "forecast_kwh": float(sheet.cell(number, 9).value),
                "cost_pos": float(sheet.cell(number, 16).value),
                "cost_neg": float(sheet.cell(number, 17).value),
                "quality": "measured",
                "source": "workbook",
                "source_row": number,
            }
        )
    return conform(pl.DataFrame(rows))


def same(ours: object, theirs: object) -> bool:
    if isinstance(theirs, str):
        return ours == theirs
    return math.isclose(float(ours), float(theirs), rel_tol=1e-9, abs_tol=0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("column", "ours"),
    [
        (7, "hour"),
        (8, "block"),
        (10, "energy_rate"),
        (11, "energy_cost"),
        (12, "loss_factor"),
        (13, "loss_amount"),
        (14, "ftpms"),
        (15, "ftpms_amount"),
        (18, "deviation_amount"),
    ],
)
def test_every_interval(reference: Reference, column: int, ours: str) -> None:
    theirs = [reference.sheet.cell(row, column).value for row in range(31, 2911)]
    found = reference.slots[ours].to_list()
    assert len(found) == 2880
    differ = [(row, a, b) for row, (a, b) in enumerate(zip(found, theirs, strict=True), 31) if not same(a, b)]
    assert differ == []


def test_local_times(reference: Reference) -> None:
    assert reference.slots["local"].to_list() == [
        datetime.combine(reference.sheet.cell(row, 1).value.date(), reference.sheet.cell(row, 2).value or time())
        for row in range(31, 2911)
    ]


@pytest.mark.parametrize("block", BLOCK_ROWS)
def test_block_matrix(reference: Reference, block: str) -> None:
    row, made = BLOCK_ROWS[block], next(b for b in reference.bill.blocks if b.block == block)
    theirs = {column: reference.sheet[f"{column}{row}"].value for column in "BCDEFGH"}
    assert same(made.kwh, theirs["B"])
    assert same(made.energy_amount, theirs["C"])
    assert same(made.max_kw, theirs["D"])
    assert made.max_kw_at == theirs["E"].replace(tzinfo=ZoneInfo(ZONE))
    for column, code in (("F", LineCode.FTPMS), ("G", LineCode.LOSSES), ("H", LineCode.DEVIATION)):
        parts = [part.exact for part in reference.bill.line(code).parts if part.block == block]
        assert same(sum(parts, Decimal(0)), theirs[column]), column


def test_totals_of_the_matrix(reference: Reference) -> None:
    sheet, made = reference.sheet, reference.bill
    assert same(made.kwh, sheet["B14"].value)
    assert same(made.line(LineCode.DEMAND).quantity, sheet["D14"].value)
    assert min(b.max_kw_at for b in made.blocks if b.max_kw == Decimal("510.48") and b.max_kw_at) == sheet[
        "E14"
    ].value.replace(tzinfo=ZoneInfo(ZONE))
    for cell, code in (("C14", "energy"), ("F14", "ftpms"), ("G14", "losses"), ("H14", "deviation")):
        assert same(made.line(LineCode(code)).exact, sheet[cell].value), cell


@pytest.mark.parametrize("row", LINE_ROWS)
def test_invoice_lines(reference: Reference, row: int) -> None:
    assert reference.bill.line(LINE_ROWS[row]).amount == Decimal(str(reference.sheet[f"B{row}"].value))


def test_hours_to_blocks(reference: Reference) -> None:
    sheet = reference.values["Hora-Bloque"]
    for row in range(2, 26):
        local = datetime(2021, 9, 1, sheet[f"A{row}"].value, 30, tzinfo=ZoneInfo(ZONE))
        assert reference.calendar.block_at(local) == sheet[f"B{row}"].value


def test_demand_rates_per_day(reference: Reference) -> None:
    sheet = reference.values["Tarifas"]
    for row in range(2, 32):
        day = sheet[f"F{row}"].value.date()
        for column, block in (("G", "VALLE"), ("H", "RESTO"), ("I", "PUNTA")):
            rate = reference.tariff.rate(RateKind.DEMAND, block, day)[1].value
            assert rate == Decimal(str(sheet[f"{column}{row}"].value))
