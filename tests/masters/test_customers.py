"""The customer master: the shipped one cell by cell, other shapes of it, and every refusal with its cell."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eisenergy.findings import Severity
from eisenergy.masters import customers
from eisenergy.tariffs.table import BadTable

ROOT = Path(__file__).parents[2]
MASTER = ROOT / "data" / "samples" / "Datos de clientes para facturación.xlsx"


def shipped():
    """Header and rows of the shipped master as openpyxl reads them: another reader than ours."""
    rows = list(openpyxl.load_workbook(MASTER).active.iter_rows(min_row=4))
    return [cell.value for cell in rows[0]], [row for row in rows[1:] if row[0].value]


def plain(contract):
    """A contract as the row a person would type, without origins."""
    customer, site = contract.customer, contract.meter.site
    number = {
        "PotenciaContratada (kW)": contract.contracted_kw and contract.contracted_kw.value,
        "FactorPerdidas": contract.loss_factor and contract.loss_factor.value,
        "Tasa municipal (USD)": contract.municipal_fee.value,
        "Retención %": contract.retention_rate.value * 100,
        "Descuento %": contract.discount_rate.value * 100,
    }
    return {
        "Cliente": customer.name,
        "NIT": customer.nit,
        "NCR": customer.ncr,
        "Contrato No.": contract.number,
        "Dirección": customer.address,
        "Municipio": customer.municipality,
        "Teléfono": customer.phone,
        "Correo": customer.email,
        "Actividad económica": customer.activity,
        "Tarifa": contract.tariff,
        "Medidor": contract.meter.serial,
        "Nodo": site.node,
        **number,
        "Fecha inicio": contract.start,
        "Observaciones": contract.notes.get("Observaciones"),
    }


def typed(header, row):
    values = (cell.value if hasattr(cell, "value") else cell for cell in row)
    result = dict(zip(header, values, strict=True))
    for name, value in result.items():
        if isinstance(value, int | float):
            result[name] = Decimal(str(value))
    return {**result, "Fecha inicio": result["Fecha inicio"].date()}


def test_every_cell_of_the_shipped_master():
    result = customers.read(MASTER)
    header, rows = shipped()
    assert result.findings == ()
    assert [plain(contract) for contract in result.contracts] == [typed(header, row) for row in rows]
    assert len(result.contracts) == 8
    steel = result.contracts[0]
    assert steel.customer.code == steel.number == "EIS-0001"
    assert steel.loss_factor.origin == "Datos de clientes para facturación.xlsx, Clientes!N5"
    assert steel.retention_rate.origin == "Datos de clientes para facturación.xlsx, Clientes!P5"
    assert str(steel.retention_rate.value) == "0.01"
    assert str(result.contracts[2].discount_rate.value) == "0.015"
    assert steel.end is None
    assert steel.meter.site.address == steel.customer.address


ENGLISH = {
    "Cliente": "Customer",
    "Contrato No.": "CONTRACT NO",
    "Dirección": "Address",
    "Municipio": "Municipality",
    "Teléfono": "Phone",
    "Correo": "E-Mail",
    "Actividad económica": "Economic activity",
    "Tarifa": "Tariff",
    "Medidor": "Meter serial",
    "Nodo": "Node",
    "PotenciaContratada (kW)": "Contracted power [kW]",
    "FactorPerdidas": "Loss factor (USD/kWh)",
    "Tasa municipal (USD)": "Municipal fee",
    "Retención %": "Retention (%)",
    "Descuento %": "Discount percent",
    "Fecha inicio": "Start date",
}
UNACCENTED = {
    "Dirección": "DIRECCION",
    "Teléfono": "Telefono",
    "Actividad económica": "actividad  economica",
    "Retención %": "RETENCION%",
    "FactorPerdidas": "Factor de pérdidas",
    "PotenciaContratada (kW)": "Potencia contratada",
    "Contrato No.": "No. de contrato",
}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(st.randoms(use_true_random=False), st.sampled_from([{}, ENGLISH, UNACCENTED]), st.integers(0, 5))
def test_the_shape_of_the_master_does_not_matter(workbook, random: random.Random, names, titles):
    """Shuffled columns, unnamed and unknown ones between, titles above, other headers: the same contracts."""
    header, rows = shipped()
    columns = [[names.get(name, name), *(row[index].value for row in rows)] for index, name in enumerate(header)]
    columns += [[None] * 9, [None] * 9, ["Ejecutivo", *(f"E{n}" for n in range(8))]]
    random.shuffle(columns)
    lines = [["EIS POWER", "Datos"]] * titles + [list(line) for line in zip(*columns, strict=True)]
    result = customers.read(workbook({"Hoja1": lines}))
    assert [plain(one) for one in result.contracts] == [typed(header, row) for row in rows]
    assert [one.notes["Ejecutivo"] for one in result.contracts] == [f"E{n}" for n in range(8)]
    (finding,) = result.findings
    letter = openpyxl.utils.get_column_letter(columns.index(next(c for c in columns if c[0] == "Ejecutivo")) + 1)
    assert (finding.code, finding.severity) == ("unknown-column", Severity.INFO)
    assert finding.data == {"file": "Libro.xlsx", "sheet": "Hoja1", "cell": f"{letter}{titles + 1}"}


def test_what_nobody_asked_for_is_kept(edited):
    result = customers.read(edited({"S5": "paga tarde", "T4": "Zona", "T5": 3, "V5": date(2021, 9, 1), "V6": None}))
    assert result.contracts[0].notes == {"Observaciones": "paga tarde", "Zona": "3", "column V": "2021-09-01"}
    assert result.contracts[1].notes == {}
    (finding,) = result.findings
    assert (finding.code, finding.severity, finding.data["cell"]) == ("unknown-column", Severity.WARNING, "T4")


REFUSED = [
    ("D6", None, "missing-cell", "the cell is empty, expected 'Contrato No.', for example EIS-0001"),
    ("A6", "  ", "missing-cell", "the cell is empty, expected 'Cliente'"),
    ("K6", None, "missing-cell", "the cell is empty, expected 'Medidor'"),
    ("J6", None, "missing-cell", "the cell is empty, expected 'Tarifa'"),
    ("R6", None, "missing-cell", "the cell is empty, expected 'Fecha inicio'"),
    ("M6", "noventa", "text-for-number", "found 'noventa', which is not a number"),
    ("M6", "90 kW", "text-for-number", "found '90 kW', which is not a number"),
    ("N6", "0,0153", "text-for-number", "found '0,0153', which is not a number"),
    ("O6", True, "text-for-number", "found 'True', which is not a number"),
    ("M6", -90, "negative-number", "found -90, expected zero or a positive number for 'PotenciaContratada (kW)'"),
    ("O6", -0.01, "negative-number", "found -0.01, expected zero or a positive number for 'Tasa municipal (USD)'"),
    ("N6", -0.0153, "negative-number", "found -0.0153"),
    ("P6", 101, "share-above-one", "found 101 %, expected 0 to 100 in 'Retención %'"),
    ("Q6", 100.01, "share-above-one", "found 100.01 %, expected 0 to 100 in 'Descuento %'"),
    ("R6", "septiembre", "unreadable-date", "found 'septiembre', expected a date for 'Fecha inicio'"),
    ("R6", "01/09/2020", "unreadable-date", "found '01/09/2020', expected a date"),
    ("R6", "31/02/2020", "unreadable-date", "found '31/02/2020', expected a date"),
    ("O6", "=1+1", "uncalculated-formula", "has a formula that was never calculated"),
    ("B6", "=1+1", "uncalculated-formula", "has a formula that was never calculated"),
    ("D6", "=1+1", "uncalculated-formula", "has a formula that was never calculated"),
    ("R6", "=TODAY()", "uncalculated-formula", "has a formula that was never calculated"),
]


@pytest.mark.parametrize(("cell", "value", "code", "message"), REFUSED)
def test_a_faulty_row_is_refused_with_its_cell_and_the_others_go_on(edited, cell, value, code, message):
    result = customers.read(edited({cell: value}))
    (finding,) = result.findings
    assert (finding.code, finding.severity) == (code, Severity.BLOCKING)
    assert finding.subject == ("Clientes.xlsx, row 6" if cell == "D6" else "EIS-0002")
    assert finding.message.startswith(f"Clientes.xlsx, sheet Clientes, cell {cell}: ")
    assert message in finding.message
    assert finding.data == {"file": "Clientes.xlsx", "sheet": "Clientes", "cell": cell}
    assert [one.number for one in result.contracts] == ["EIS-0001", *(f"EIS-000{n}" for n in range(3, 9))]


def test_all_faults_of_a_row_are_told_at_once(edited):
    result = customers.read(edited({"M6": "x", "O6": -1, "Q6": 200, "R6": "hoy"}))
    assert [finding.data["cell"] for finding in result.findings] == ["R6", "M6", "O6", "Q6"]


def test_dates_as_text_where_only_one_reading_is_a_date(edited):
    result = customers.read(edited({"R5": "2020-09-01", "R6": "15/09/2020", "R7": "09-15-2020", "R8": "5.5.2020"}))
    assert [one.start for one in result.contracts[:4]] == [
        date(2020, 9, 1),
        date(2020, 9, 15),
        date(2020, 9, 15),
        date(2020, 5, 5),
    ]


def test_a_repeated_contract_or_meter_refuses_both_rows(edited):
    result = customers.read(edited({"D6": "eis-0001", "K8": 5741501}))
    found = {finding.data["cell"]: finding for finding in result.findings}
    assert {cell: finding.code for cell, finding in found.items()} == {
        "D5": "duplicate-contract",
        "D6": "duplicate-contract",
        "K7": "duplicate-meter",
        "K8": "duplicate-meter",
    }
    assert all(finding.severity is Severity.BLOCKING for finding in result.findings)
    assert "cell D6: contract eis-0001 stands in Clientes.xlsx, sheet Clientes, cell D5 too" in found["D6"].message
    assert "cell K7: meter 5741501 stands in Clientes.xlsx, sheet Clientes, cell K8 too" in found["K7"].message
    assert [one.number for one in result.contracts] == [f"EIS-000{n}" for n in range(5, 9)]


def test_a_repeat_counts_even_when_the_other_row_has_a_fault(edited):
    result = customers.read(edited({"D6": "EIS-0001", "M6": "x"}))
    assert sorted(finding.data["cell"] for finding in result.findings) == ["D5", "D6", "M6"]
    assert "EIS-0001" not in {one.number for one in result.contracts}


@pytest.mark.parametrize(("last", "refused"), [("2020-10-31", 0), ("2020-11-01", 2)])
def test_a_meter_may_pass_on_when_the_earlier_contract_has_ended(edited, last, refused):
    """EIS-0003 starts on 1 November 2020 at the meter that EIS-0002 leaves; the last day is inclusive."""
    result = customers.read(edited({"T4": "Fecha fin", "T6": last, "K7": "5741444"}))
    assert [finding.code for finding in result.findings] == ["duplicate-meter"] * refused
    if not refused:
        assert result.contracts[1].end == date(2020, 11, 1)


def test_a_contract_that_ends_before_it_starts(edited):
    (finding,) = customers.read(edited({"T4": "End date", "T6": date(2020, 8, 31)})).findings
    assert (finding.code, finding.data["cell"]) == ("unreadable-date", "T6")


SMALL = ["Cliente", "Contrato", "Medidor"]


def test_defaults_and_empty_cells(workbook):
    path = workbook({"A": [SMALL, ["Uno", 17, 5614086.0]]})
    result = customers.read(path, tariff="EIS-TOU", start=date(2021, 1, 1))
    (one,) = result.contracts
    assert (one.number, one.meter.serial, one.tariff, one.start) == ("17", "5614086", "EIS-TOU", date(2021, 1, 1))
    assert (one.contracted_kw, one.loss_factor) == (None, None)
    assert (one.municipal_fee, one.retention_rate, one.discount_rate) == (None, None, None)
    with pytest.raises(BadTable, match=r"Libro.xlsx, sheet A, row 1: no column 'Tarifa', 'Fecha inicio' in the header"):
        customers.read(path)


def test_an_empty_cell_under_a_default(edited):
    result = customers.read(
        edited({"J6": None, "R6": None, "O6": None, "P6": None, "Q6": 0}), tariff="X", start=date(2021, 1, 1)
    )
    assert result.findings == ()
    assert (result.contracts[1].tariff, result.contracts[1].start) == ("X", date(2021, 1, 1))
    # An empty cell leaves the tariff's value in force, a zero does not.
    assert (result.contracts[1].municipal_fee, result.contracts[1].retention_rate) == (None, None)
    assert result.contracts[1].discount_rate.value == 0
    assert result.contracts[0].tariff == "EIS-TOU"


HEADERS = [
    ("M4", "PotenciaContratada (MW)", "cell M4: found the unit 'MW', expected kw"),
    ("O4", "Tasa municipal (SVC)", "cell O4: found the unit 'SVC', expected usd"),
    ("P4", "Retención", "cell P4: 'Retención' does not say whether 1 means 1 % or all of it"),
    ("K4", "Aparato", "row 4: no column 'Medidor' in the header"),
]


@pytest.mark.parametrize(("cell", "heading", "message"), HEADERS)
def test_a_header_that_cannot_be_understood_refuses_the_file(edited, cell, heading, message):
    with pytest.raises(BadTable, match=r"^Clientes.xlsx, sheet Clientes, ") as caught:
        customers.read(edited({cell: heading}))
    assert message in str(caught.value)


def test_a_share_column_of_zeros_needs_no_percent_sign(edited):
    cells = {"P4": "Retención", **{f"P{row}": 0 for row in range(5, 13)}}
    assert customers.read(edited(cells)).contracts[0].retention_rate.value == 0


def test_a_day_number_is_no_date(workbook):
    path = workbook({"A": [[*SMALL, "Tarifa", "Fecha inicio"], ["Uno", "1", "2", "T", 44075]]})
    (finding,) = customers.read(path).findings
    assert finding.message.startswith("Libro.xlsx, sheet A, cell E2: found '44075', expected a date for 'Fecha inicio'")


def test_a_master_without_rows(workbook):
    with pytest.raises(BadTable, match="cell A1: no customers below the header"):
        customers.read(workbook({"A": [[*SMALL, "Tarifa", "Fecha inicio"]]}))
