"""What the library computes from a workbook's inputs, and how it says where a value came from."""
# ruff: noqa: DTZ001  a spreadsheet's dates have no zone

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal

import daybill
import pytest
from daybill import BLOCKS, Sheets
from small import book

from eisenergy.workbook.inputs import collect
from eisenergy.workbook.library import Expected, compute
from eisenergy.workbook.meaning import understand

ZONE = "America/El_Salvador"


def expected(sheets: Sheets) -> Expected:
    small = book(sheets)
    return compute(collect(small, understand(small), ZONE))


@pytest.fixture
def sheets() -> Sheets:
    return daybill.bill()


def close(one: object, other: float) -> bool:
    return isinstance(one, float) and math.isclose(one, other, rel_tol=1e-12)


def test_every_interval_block_and_line_is_as_worked_out_by_hand(sheets: Sheets) -> None:
    values = expected(sheets).values
    for hour in range(24):
        row, kwh, block = 31 + hour, 10.25 + hour, daybill.block_of(hour)
        assert (values["slot.hour", row], values["slot.block", row]) == (hour, block)
        assert close(values["slot.energy_cost", row], kwh * daybill.RATE[block])
        assert close(values["slot.ftpms_amount", row], kwh * 0.0042 if block == "PUNTA" else 0.0)
    # 10.25 to 14.25 and 33.25; 15.25 to 27.25; 28.25 to 32.25
    assert [values["block.kwh", block] for block in BLOCKS] == [94.5, 276.25, 151.25]
    assert [values["block.max_kw", block] for block in BLOCKS] == [133.0, 109.0, 129.0]
    assert values["block.max_kw_at", "RESTO"] == datetime(2021, 9, 1, 17)
    assert (values["total.kwh", None], values["total.max_kw", None]) == (522.0, 133.0)
    assert values["total.max_kw_at", None] == datetime(2021, 9, 1, 23)
    # 94.5 * 0.1 + 276.25 * 0.11 + 151.25 * 0.12 = 57.9875; 133 * 7.5; 522 * 0.0121 = 6.3162; 151.25 * 0.0042 = 0.63525
    lines = {role.removeprefix("line."): value for (role, _), value in values.items() if role.startswith("line.")}
    assert lines == {
        "energy": 57.99,
        "demand": 997.5,
        "losses": 6.32,
        "ftpms": 0.64,
        "deviation": 0.0,
        "discount": -21.25,
        "subtotal": 1041.2,
        "vat": 135.36,
        "retention": -10.41,
        "municipal_fee": 5.25,
        "total": 1171.4,
    }


def test_of_equal_maxima_the_first_counts(sheets: Sheets) -> None:
    for row in (36, 40, 48):  # 5, 9 and 17 hours, all in RESTO
        sheets["Medidor"][f"D{row}"] = 140.0
    values = expected(sheets).values
    assert values["block.max_kw_at", "RESTO"] == values["total.max_kw_at", None] == datetime(2021, 9, 1, 5)


def test_a_row_that_repeats_an_interval_is_priced_and_not_counted(sheets: Sheets) -> None:
    sheets["Medidor"]["B41"] = time(9)
    values = expected(sheets).values
    assert close(values["slot.energy_cost", 41], 20.25 * 0.11)
    assert values["total.kwh", None] == 522.0 - 20.25


def test_without_hours_nothing_is_said_of_blocks(sheets: Sheets) -> None:
    del sheets["Horas"]
    values = expected(sheets).values
    assert not {role for role, _ in values if role.startswith(("slot.", "block.", "line.", "hour."))}
    assert values["day.demand", (date(2021, 9, 1), "VALLE")] == 7.5


def test_without_rates_blocks_energy_and_power_are_known(sheets: Sheets) -> None:
    del sheets["Tarifas"]
    values = expected(sheets).values
    assert (values["block.kwh", "PUNTA"], values["total.max_kw", None]) == (151.25, 133.0)
    assert not {role for role, _ in values if role.startswith("line.")}


def test_without_a_vat_rate_of_its_own_a_tariff_sold_bills_with_the_workbooks(sheets: Sheets) -> None:
    small = book(sheets)
    found = understand(small)
    own = collect(small, found, ZONE).tariff
    assert own is not None
    result = compute(collect(small, found, ZONE, replace(own, scalars={})))
    assert (result.values["line.vat", None], result.findings) == (135.36, [])


def test_every_correction_is_its_own_and_their_sum_is_in_the_subtotal() -> None:
    result = expected(daybill.bill((("Corrección de julio", -3.2), ("Corrección de agosto", 1.15))))
    assert result.values["line.correction", "Medidor!B21"] == -3.2
    assert result.values["line.correction", "Medidor!B22"] == 1.15
    assert result.values["line.subtotal", None] == 1039.15
    assert result.derivation("line.correction", "Medidor!B22").endswith("too much: 1.15 (Medidor!B22)")


@pytest.mark.parametrize(
    ("role", "subject", "words"),
    [
        ("hour.block", (0, ""), "hour 0 belongs to VALLE (Horas!A2)"),
        ("hour.block", (23 * 60, ""), "hour 23 belongs to VALLE (Horas!A5)"),
        (
            "day.demand",
            (date(2021, 9, 1), "VALLE"),
            "demand rate of VALLE on 2021-09-01: 7.5 (Tarifas!D2, in force from 2021-07-15)",
        ),
        ("slot.hour", 49, "the interval starts at 18:00"),
        ("slot.block", 49, "hour 18 of 2021-09-01 belongs to PUNTA"),
        ("slot.energy_rate", 49, "rate of PUNTA in force on 2021-09-01: 0.12"),
        ("slot.energy_cost", 31, "10.25 kWh x 0.1 = 1.025"),
        ("slot.loss_amount", 31, "10.25 kWh x 0.0121 = 0.124025"),
        ("slot.ftpms_amount", 49, "28.25 kWh x 0.0042 = 0.11865"),
        ("slot.deviation_amount", 31, "no forecast, so nothing is charged"),
        ("block.kwh", "PUNTA", "kWh of all intervals in PUNTA: 151.25"),
        ("total.max_kw", None, "the highest kW: 133.0"),
    ],
)
def test_a_value_says_how_it_came_about(sheets: Sheets, role: str, subject: Hashable, words: str) -> None:
    assert expected(sheets).derivation(role, subject) == words


@pytest.mark.parametrize(
    ("role", "parts"),
    [
        ("line.energy", ("RESTO: 276.25 kWh x 0.11 (Tarifas!C3, from 2021-07-15);", "= 57.9875, rounded 57.99.")),
        ("line.demand", ("133 kW x 7.5 (Tarifas!D2, from 2021-07-15);", "= 997.5, rounded 997.50.")),
        ("line.ftpms", ("PUNTA: 151.25 kWh x 0.0042 (Medidor!B3);", "rounded 0.64.")),
        ("line.discount", ("1062.45 USD x -0.02 (Medidor!B4);", "rounded -21.25.")),
        ("line.vat", ("1041.20 USD x 0.13 (Medidor!B5);", "rounded 135.36.")),
    ],
)
def test_a_line_says_what_it_multiplies_and_where_that_stands(
    sheets: Sheets, role: str, parts: tuple[str, ...]
) -> None:
    text = expected(sheets).derivation(role, None)
    for part in parts:
        assert part in text


def test_what_is_not_known_has_no_derivation(sheets: Sheets) -> None:
    result = expected(sheets)
    assert result.derivation("slot.hour", 999) == result.derivation("slot.nothing", 31) == ""


def test_a_forecast_is_charged_where_less_was_taken(sheets: Sheets) -> None:
    cells = sheets["Medidor"]
    cells |= {"M30": "Pronóstico", "N30": "Costo Desv Pos", "O30": "Costo Desv Neg"}
    for row in range(31, 55):
        cells |= {f"M{row}": 20.0, f"N{row}": 0.011, f"O{row}": 0.034}
    result = expected(sheets)
    assert close(result.values["slot.deviation_amount", 31], 9.75 * 0.034)
    assert result.values["slot.deviation_amount", 54] == 0.0  # 33.25 kWh were taken
    # 9.75 + 8.75 + ... + 0.75 = 52.5 kWh short, times 0.034 = 1.785
    assert result.values["line.deviation", None] == float(Decimal("1.79"))
    assert (
        result.derivation("slot.deviation_amount", 31)
        == "forecast 20.0 kWh, taken 10.25 kWh, at 0.034 per kWh short: 0.3315"
    )
