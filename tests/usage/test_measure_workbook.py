"""The reference workbook: its cached values are the truth, calculated by a spreadsheet program."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import polars as pl
import pytest

from eisenergy import frames
from eisenergy.blockruns import compile_runs
from eisenergy.money import decimal_of, product, total
from eisenergy.period import Period
from eisenergy.timeofuse import BlockHours, DayCalendar
from eisenergy.usage import Usage, measure, shortfall

pytestmark = pytest.mark.untraced

ZONE = "America/El_Salvador"
METER = "5614086"
SEPTEMBER = Period(date(2021, 9, 1), date(2021, 10, 1))
WORKBOOK = Path(__file__).parents[2] / "data" / "samples" / "Ejemplo de procesamiento de descargas de medidores.xlsx"
CALENDAR = DayCalendar(
    name="EIS",
    rows=(
        BlockHours(start_minute=23 * 60, end_minute=5 * 60, block="VALLE"),
        BlockHours(start_minute=5 * 60, end_minute=18 * 60, block="RESTO"),
        BlockHours(start_minute=18 * 60, end_minute=23 * 60, block="PUNTA"),
    ),
)


@pytest.fixture(scope="module")
def sheet() -> dict[str, list[tuple]]:
    book = openpyxl.load_workbook(WORKBOOK, data_only=True, read_only=True)
    rows = [tuple(row) for row in book.worksheets[0].iter_rows(values_only=True)]
    book.close()
    return {"blocks": rows[10:14], "header": rows[29], "slots": rows[30:2910]}


@pytest.fixture(scope="module")
def readings(sheet: dict[str, list[tuple]]) -> pl.DataFrame:
    at = {name: number for number, name in enumerate(sheet["header"])}
    zone = ZoneInfo(ZONE)
    return frames.conform(
        pl.DataFrame(
            [
                {
                    "client": "EIS",
                    "meter": METER,
                    "start": datetime.combine(row[at["Date"]].date(), row[at["Time"]], tzinfo=zone).astimezone(
                        ZoneInfo("UTC")
                    ),
                    "kwh_import": row[at["kWh"]],
                    "kw": row[at["kW"]],
                    "kvar": row[at["kVAR"]],
                    "forecast_kwh": row[at["Pronostico kWh"]],
                    "loss_factor": row[at["Factor de perdidas"]],
                    "ftpms": row[at["FTPMS"]],
                    "cost_pos": row[15],
                    "cost_neg": row[16],
                    "quality": "measured",
                    "source": "workbook",
                    "source_row": number,
                }
                for number, row in enumerate(sheet["slots"], start=31)
            ],
            schema_overrides={"start": pl.Datetime("us", "UTC"), "ftpms": pl.Float64(), "kwh_import": pl.Float64()},
        )
    )


@pytest.fixture(scope="module")
def usage(readings: pl.DataFrame) -> Usage:
    runs = compile_runs(CALENDAR, (SEPTEMBER,), ZONE)
    return measure(METER, readings, runs, period=SEPTEMBER, timezone=ZONE)


@pytest.mark.parametrize("row", range(3))
def test_block_equals_the_workbook(sheet: dict[str, list[tuple]], usage: Usage, row: int) -> None:
    block, kwh, _, max_kw, max_at, ftpms, losses, deviation = sheet["blocks"][row][:8]
    cells = usage.select(block=block)
    assert usage.kwh(block) == decimal_of(kwh)
    peak = usage.peak(block)
    assert peak is not None
    assert peak.kw == decimal_of(max_kw)
    assert peak.at.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None) == max_at
    assert total(product(cell.kwh, cell.prices.ftpms or Decimal(0)) for cell in cells) == decimal_of(ftpms)
    assert total(product(cell.kwh, cell.prices.loss_factor or Decimal(0)) for cell in cells) == decimal_of(losses)
    assert total(product(shortfall(cell), cell.prices.cost_neg or Decimal(0)) for cell in cells) == decimal_of(
        deviation
    )


def test_totals_equal_the_workbook(sheet: dict[str, list[tuple]], usage: Usage) -> None:
    _, kwh, _, max_kw, max_at, ftpms, losses, deviation = sheet["blocks"][3][:8]
    assert usage.kwh() == decimal_of(kwh) == Decimal("57883.07")
    peak = usage.peak()
    assert peak is not None
    assert (peak.kw, peak.at.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)) == (decimal_of(max_kw), max_at)
    charges = [(cell.kwh * (cell.prices.ftpms or 0), cell.kwh * (cell.prices.loss_factor or 0)) for cell in usage.cells]
    assert total(charge for charge, _ in charges) == decimal_of(ftpms)
    assert total(charge for _, charge in charges) == decimal_of(losses)
    deviations = [product(shortfall(cell), cell.prices.cost_neg or Decimal(0)) for cell in usage.cells]
    assert total(deviations) == decimal_of(deviation) == Decimal("659.2498")


def test_counts_ties_and_reactive_energy(sheet: dict[str, list[tuple]], usage: Usage) -> None:
    assert (usage.slots, usage.estimated, usage.missing, usage.has_forecast) == (2880, 0, 0, True)
    assert usage.expected == {(0, "VALLE"): 720, (0, "RESTO"): 1560, (0, "PUNTA"): 600}
    for block in usage.blocks:
        highest = [row[3] for row in sheet["slots"] if row[7] == block]
        peak = usage.peak(block)
        assert peak is not None
        assert peak.ties == highest.count(max(highest))
    kvarh = sum((Decimal(str(row[5])) for row in sheet["slots"]), Decimal(0)) / 4
    assert usage.sum(lambda cell: cell.kvarh) == kvarh


def test_every_cell_is_the_sum_of_the_figures_on_paper(sheet: dict[str, list[tuple]], usage: Usage) -> None:
    for cell in usage.cells:
        prices = (cell.prices.loss_factor, cell.prices.ftpms, cell.prices.cost_pos, cell.prices.cost_neg)
        rows = [
            row
            for row in sheet["slots"]
            if row[7] == cell.block and tuple(Decimal(str(row[i])) for i in (11, 13, 15, 16)) == prices
        ]
        pairs = [(Decimal(str(row[8])), Decimal(str(row[2]))) for row in rows]
        assert cell.slots == len(rows)
        assert cell.kwh == sum(kwh for _, kwh in pairs)
        assert cell.forecast_short == sum(forecast for forecast, kwh in pairs if forecast > kwh)
        assert cell.kwh_short == sum(kwh for forecast, kwh in pairs if forecast > kwh)
        assert cell.forecast_over == sum(forecast for forecast, kwh in pairs if forecast < kwh)
        assert cell.kwh_over == sum(kwh for forecast, kwh in pairs if forecast < kwh)
