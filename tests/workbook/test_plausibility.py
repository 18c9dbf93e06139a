"""Inputs that can be read and are likely wrong, and values where formulas are expected; and what is unusual and right."""

from __future__ import annotations

from typing import Any

import daybill
import pytest
from daybill import Sheets
from small import book

from eisenergy.findings import Finding, Severity
from eisenergy.workbook.meaning import understand
from eisenergy.workbook.plausibility import implausible, typed


@pytest.fixture
def sheets() -> Sheets:
    return daybill.bill()


def found(sheets: Sheets) -> list[Finding]:
    small = book(sheets)
    return list(implausible(small, understand(small)))


def at(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.code, f"{one.data['sheet']}!{one.data['cell']}") for one in findings]


def test_a_plausible_bill_has_no_finding(sheets: Sheets) -> None:
    assert found(sheets) == []


@pytest.mark.parametrize("value", [-19.25, "-19,25", "-19.25 kWh"])
def test_an_energy_below_zero_is_told_at_its_cell(sheets: Sheets, value: Any) -> None:
    sheets["Medidor"] |= {"C40": value, "D40": -77.0}
    (one,) = found(sheets)
    assert at([one]) == [("negative-kwh", "Medidor!C40")]
    assert one.message == "Medidor!C40: found -19.25 kWh, expected zero or more. Correct the reading."
    assert one.severity is Severity.BLOCKING


def test_no_energy_is_no_slip(sheets: Sheets) -> None:
    sheets["Medidor"] |= {"C40": 0, "D40": 0, "C41": None, "D41": None}
    assert found(sheets) == []


def test_an_energy_unlike_its_power_is_told_with_what_would_fit(sheets: Sheets) -> None:
    sheets["Medidor"]["C40"] = 19_250
    one, scale = sorted(found(sheets), key=lambda finding: finding.code)
    assert at([one, scale]) == [("kwh-unlike-kw", "Medidor!C40"), ("reading-out-of-scale", "Medidor!C40")]
    assert scale.severity is Severity.WARNING
    assert "found 19250 kWh beside 77 kW" in one.message
    assert "in 23 of 24 rows" in one.message
    assert "which would be 19.25" in one.message
    assert "Look up the reading" in one.message


def test_a_power_pasted_over_the_energy_is_told_in_every_row(sheets: Sheets) -> None:
    for row in (40, 41):
        sheets["Medidor"][f"C{row}"] = sheets["Medidor"][f"D{row}"]
    assert at(found(sheets)) == [("kwh-unlike-kw", "Medidor!C40"), ("kwh-unlike-kw", "Medidor!C41")]


@pytest.mark.parametrize(
    "power",
    [
        lambda kwh, row: kwh,  # intervals of an hour
        lambda kwh, row: 4 * kwh * (1.02 if row % 2 else 0.98),  # the mean of readings rounded on the way
        lambda kwh, row: 4 * kwh * (1.5 if row % 5 == 0 else 1),  # the greatest power of a minute, not the mean
        lambda kwh, row: None,
    ],
    ids=["hours", "rounded", "peaks", "none"],
)
def test_power_that_is_another_figure_is_no_slip(sheets: Sheets, power: Any) -> None:
    for row in range(31, 55):
        sheets["Medidor"][f"D{row}"] = power(sheets["Medidor"][f"C{row}"], row)
    assert found(sheets) == []


@pytest.mark.parametrize(("cell", "label"), [("B4", "Descuento"), ("B5", "IVA"), ("B6", "Retención")])
@pytest.mark.parametrize(("value", "shown"), [(13, "13"), ("13", "13"), (1.13, "1.13"), (-0.13, "-0.13")])
def test_a_share_above_one_or_below_zero_is_told_at_its_cell(
    sheets: Sheets, cell: str, label: str, value: Any, shown: str
) -> None:
    sheets["Medidor"][cell] = value
    (one,) = found(sheets)
    assert at([one]) == [("share-above-one", f"Medidor!{cell}")]
    assert f"found {shown} for '{label}', expected a share from 0 to 1. Type 0.13 for 13 %." in one.message


@pytest.mark.parametrize("value", [0, 0.13, 1, "13%", "0,13", None, "exento"])
def test_a_share_that_can_be_used_is_no_slip(sheets: Sheets, value: Any) -> None:
    sheets["Medidor"]["B5"] = value
    assert found(sheets) == []


def typed_over(sheets: Sheets) -> list[tuple[str, str, int, int]]:
    small = book(sheets)
    return [(thing.role, thing.sheet, *place) for thing, place in typed(small, understand(small))]


def test_a_bill_of_formulas_has_nothing_typed(sheets: Sheets) -> None:
    assert typed_over(sheets) == []


def test_values_over_formulas_are_told_with_their_roles(sheets: Sheets) -> None:
    sheets["Medidor"] |= {"H40": 2.1, "C12": 300.0, "D14": 133.0, "B22": 134.0, "F40": "RESTO"}
    assert sorted(typed_over(sheets)) == [
        ("block.energy_cost", "Medidor", 12, 3),
        ("line.vat", "Medidor", 22, 2),
        ("slot.block", "Medidor", 40, 6),
        ("slot.energy_cost", "Medidor", 40, 8),
        ("total.max_kw", "Medidor", 14, 4),
    ]


def test_a_total_typed_in_is_told(sheets: Sheets) -> None:
    sheets["Medidor"]["B25"] = 1200.0
    assert typed_over(sheets) == [("line.total", "Medidor", 25, 2)]


def test_what_may_be_an_input_as_well_is_one_where_none_of_it_is_computed(sheets: Sheets) -> None:
    cells = sheets["Medidor"]
    cells |= {f"I{row}": daybill.LOSSES for row in range(31, 55)}
    cells |= {f"K{row}": 0 for row in range(31, 55)}
    assert typed_over(sheets) == []
    # but one typed value among formulas is not
    cells |= {f"I{row}": ("=$B$2", daybill.LOSSES) for row in range(32, 55)}
    assert typed_over(sheets) == [("slot.loss_factor", "Medidor", 31, 9)]


def test_a_correction_of_an_earlier_period_is_an_input() -> None:
    assert typed_over(daybill.bill((("Corrección de julio", -3.2),))) == []


def test_inputs_and_labels_are_never_told(sheets: Sheets) -> None:
    """Readings, rates, hours and parameters are typed in; so are a matrix's labels."""
    told = {role for role, *_ in typed_over(sheets)}
    assert not told & {"slot.kwh", "slot.date", "rates.energy", "hours.first", "param.vat", "block.label"}
