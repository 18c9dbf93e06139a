"""Price sheets and tariff documents: the shipped ones cell by cell, other shapes of them, and every refusal with its place."""

from __future__ import annotations

import json
import random
from datetime import date
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eisenergy.accounts import Sourced
from eisenergy.contents import UnreadableFile
from eisenergy.period import NotInForce
from eisenergy.tariffs import load
from eisenergy.tariffs.document import BadDocument
from eisenergy.tariffs.load import BadTariff
from eisenergy.tariffs.model import (
    UNITS,
    BillingRules,
    DemandBasis,
    DeviationMode,
    LossBasis,
    RateKind,
    ScalarKind,
)
from eisenergy.tariffs.table import BadTable

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "samples" / "Tarifas EIS-TOU.xlsx"
PARAMS = ROOT / "params" / "tariffs" / "EIS-TOU.yaml"
KINDS = (RateKind.ENERGY, RateKind.DEMAND, RateKind.FTPMS, RateKind.COST_POS, RateKind.COST_NEG)


def shipped_rows():
    """Rows of the shipped sheet as openpyxl reads them: another reader than ours."""
    return [row for row in openpyxl.load_workbook(SAMPLE).active.iter_rows(min_row=4) if row[0].value]


def test_every_cell_of_the_shipped_sheet():
    tariff = load.read_spreadsheet(SAMPLE)
    assert (tariff.name, tariff.currency, tariff.blocks) == ("EIS-TOU", "USD", ("VALLE", "RESTO", "PUNTA"))
    rows = shipped_rows()
    assert len(rows) == 18
    for row in rows:
        for kind, cell in zip(KINDS, row[2:], strict=True):
            day = row[1].value.date()
            expected = Sourced(Decimal(str(cell.value)), f"Tarifas EIS-TOU.xlsx, EIS-TOU!{cell.coordinate}")
            assert tariff.rate(kind, row[0].value, day) == (day, expected)
    with pytest.raises(NotInForce, match="tariff EIS-TOU, energy rate of block VALLE: no value in force on 2020-07-14"):
        tariff.rate(RateKind.ENERGY, "VALLE", date(2020, 7, 14))


def test_the_shipped_parameters():
    tariff = load.read_yaml(PARAMS)
    assert (tariff.name, tariff.currency, tariff.calendar) == ("EIS-TOU", "USD", "eis-bloques")
    assert tariff.rules == BillingRules(demand_rate_block="VALLE")
    since, vat = tariff.scalar(ScalarKind.VAT_RATE, date(2021, 9, 1))
    assert (since, vat.value) == (date(1995, 7, 1), Decimal("0.13"))
    line = next(n for n, text in enumerate(PARAMS.read_text().splitlines(), 1) if "1995-07-01" in text)
    assert vat.origin == f"EIS-TOU.yaml, line {line} (Ley de IVA, El Salvador, art. 54)"


def test_combined_it_has_the_sheets_rates_and_the_parameters_rules():
    base, rates = load.read_yaml(PARAMS), load.read_spreadsheet(SAMPLE)
    tariff = load.combine(base, rates)
    assert (tariff.rates, tariff.rules, tariff.scalars) == (rates.rates, base.rules, base.scalars)
    assert tariff.calendar == "eis-bloques"
    assert len({tariff.version, base.version, rates.version}) == 3


def test_two_places_for_one_rate_and_two_names_are_refused(edited, yaml):
    base = load.read_yaml(yaml(FULL))
    with pytest.raises(BadTariff, match=r"energy.*Tarifas.xlsx, T!C4.*T.yaml, line 23"):
        load.combine(base, load.read_spreadsheet(edited(title="T")))
    with pytest.raises(BadTariff, match=r"tariff T in USD.*tariff EIS-TOU in USD"):
        load.combine(base, load.read_spreadsheet(SAMPLE))


ENGLISH = {
    "Bloque": "Block",
    "Vigente desde": "Valid from",
    "Cargo por energía (USD/kWh)": "ENERGY CHARGE [US$/kWh]",
    "Cargo por demanda (USD/kW)": "Demand rate ($ / kW)",
    "FTPMS (USD/kWh)": "ftpms charge (usd/kwh)",
    "Costo Desv POS (USD/kWh)": "Positive deviation cost (USD/kWh)",
    "Cost Des Neg (USD/kWh)": "Negative deviation cost",
}
PLAIN = {"Cargo por energía (USD/kWh)": "cargo por energia", "Vigente desde": "VigenteDesde", "Bloque": " BLOQUE "}


@pytest.mark.untraced
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(st.randoms(use_true_random=False), st.sampled_from([{}, ENGLISH, PLAIN]), st.integers(0, 4), st.booleans())
def test_the_shape_of_the_sheet_does_not_matter(workbook, random: random.Random, names, titles, lower):
    """Shuffled columns and rows, unnamed columns between, title rows above, English or unaccented headers: the same tariff."""
    lines = [[cell.value for cell in row] for row in openpyxl.load_workbook(SAMPLE).active.iter_rows(min_row=3)]
    header = [names.get(name, name) for name in lines[0]]
    body = lines[1:]
    random.shuffle(body)
    if lower:
        body = [[line[0].capitalize() + " ", *line[1:]] for line in body]
    columns = [[name, *(line[index] for line in body)] for index, name in enumerate(header)]
    columns += [[None] * len(columns[0])] * 2
    columns.append(["Fuente", *["SIGET"] * len(body)])
    random.shuffle(columns)
    rows = [["Pliego de precios"]] * titles + [list(row) for row in zip(*columns, strict=True)]
    tariff = load.read_spreadsheet(workbook({"EIS-TOU": rows}))
    shipped = load.read_spreadsheet(SAMPLE)
    assert tariff.version == shipped.version
    for row in shipped_rows():
        day = row[1].value.date()
        for kind, cell in zip(KINDS, row[2:], strict=True):
            assert tariff.rate(kind, row[0].value, day)[1].value == Decimal(str(cell.value))


def test_the_version_changes_with_any_rate_date_or_rule_and_with_nothing_else(edited, yaml):
    shipped = load.read_spreadsheet(SAMPLE).version
    assert len(shipped) == 64
    assert load.read_spreadsheet(edited(file="other name.xlsx")).version == shipped
    changes = [{"C16": 0.098322}, {"B16": date(2021, 7, 16)}, {"A16": "NOCHE"}, {"G4": 0.035}]
    changed = [load.read_spreadsheet(edited(change)).version for change in changes]
    changed += [load.read_spreadsheet(SAMPLE, name="X").version, load.read_spreadsheet(SAMPLE, calendar="c").version]
    assert len({shipped, *changed}) == 7
    base = load.read_yaml(yaml(FULL)).version
    assert load.read_yaml(yaml(FULL.replace('"0.13"', '"0.130"').replace("by hand", "by law"))).version == base
    others = [("block_max", "period_max"), ("both", "shortfall"), ('"0.13"', '"0.14"'), ("[PUNTA, RESTO]", "[PUNTA]")]
    others += [("loss_basis: energy", "demand_rate_block: PUNTA\n  loss_basis: energy"), ("loss_basis: energy", "")]
    others += [("2021-07-01: null", "2021-07-02: null"), ("[PUNTA, RESTO]", "[RESTO, PUNTA, VALLE]")]
    assert all(old in FULL for old, _ in others)
    assert base not in {load.read_yaml(yaml(FULL.replace(old, new))).version for old, new in others}


REFUSED = [
    ({"C5": "n/d"}, r"cell C5: found 'n/d', which is not a number.*'Cargo por energía \(USD/kWh\)'"),
    ({"C5": "0,0973"}, r"cell C5: found '0,0973', which is not a number"),
    ({"D7": -6.9}, r"cell D7: found -6.9, expected zero or a positive number"),
    ({"E9": None}, r"cell E9: block PUNTA has no ftpms rate, expected a number in USD/kWh"),
    ({"C8": "=1/7"}, r"cell C8: has a formula that was never calculated"),
    ({"A6": None}, r"cell A6: the cell is empty, expected 'Bloque'"),
    ({"B6": None}, r"cell B6: the cell is empty, expected 'Vigente desde'"),
    ({"B6": "pronto"}, r"cell B6: found 'pronto', expected a date"),
    ({"B6": "01/02/2021"}, r"cell B6: found '01/02/2021', expected a date"),
    ({"B7": date(2020, 7, 15)}, r"cell B7: block VALLE is valid from 2020-07-15 a second time, first in .*cell B4"),
    ({"C3": "Cargo por energía (USD/MWh)"}, r"cell C3: found the unit 'USD/MWh', expected USD/kWh"),
    ({"D3": "Cargo por demanda (EUR/kW)"}, r"cell D3: found the unit 'EUR/kW', expected USD/kW"),
    ({"H3": "Recargo nuevo", "H4": 0.5}, r"cell H3: found a column of numbers 'Recargo nuevo' that is not known"),
    (
        {"H3": "Vigente hasta", "H4": date(2020, 10, 15)},
        r"cell H4: block VALLE is valid until 2020-10-15, .*cell B7",
    ),
    ({"H3": "Vigente hasta", "H4": date(2020, 7, 14)}, r"cell H4: the last day lies before the first"),
]


@pytest.mark.parametrize(("cells", "message"), REFUSED)
def test_what_is_refused_names_the_cell(edited, cells, message):
    with pytest.raises(BadTariff, match=r"^Tarifas.xlsx, sheet EIS-TOU, " + message) as caught:
        load.read_spreadsheet(edited(cells))
    assert len(str(caught.value).splitlines()) == 1


def test_all_faults_are_told_at_once(edited):
    with pytest.raises(BadTariff) as caught:
        load.read_spreadsheet(edited({"C5": "x", "D7": -1, "C3": "Cargo por energía (kWh)"}))
    assert [line.split(":")[0].rsplit(" ", 1)[1] for line in str(caught.value).splitlines()] == ["C3", "C5", "D7"]


def test_a_sheet_without_the_table_says_what_is_missing(edited, workbook):
    with pytest.raises(
        BadTable, match=r"Tarifas.xlsx, sheet EIS-TOU, row 3: no column 'Cargo por demanda' in the header"
    ):
        load.read_spreadsheet(edited({"D3": "Potencia"}))
    with pytest.raises(BadTariff, match="cell A1: no rates below the header"):
        load.read_spreadsheet(workbook({"T": [["Block", "Valid from", "Energy rate", "Demand rate"]]}))
    with pytest.raises(BadTable, match=r"has no sheet 'X'. Its sheets are: EIS-TOU"):
        load.read_spreadsheet(SAMPLE, sheet="X")


SMALL = [["Bloque", "Desde", "Energía", "Demanda"], ["PUNTA", "2021-01-01", 0.1, 7]]


def test_two_tables_need_a_name(workbook):
    path = workbook({"A": SMALL, "B": [*SMALL, ["VALLE", "2021-01-01", 0.2, 7]]})
    with pytest.raises(BadTable, match="has the table in the sheets A, B: expected one"):
        load.read_spreadsheet(path)
    assert load.read_spreadsheet(path, sheet="B").blocks == ("PUNTA", "VALLE")


def test_where_the_name_comes_from(workbook):
    assert load.read_spreadsheet(workbook({"GD-1": SMALL})).name == "GD-1"
    assert load.read_spreadsheet(workbook({"Hoja1": [["Pliego de precios GD-2"], *SMALL]})).name == "GD-2"
    assert load.read_spreadsheet(workbook({"Hoja1": SMALL}), name="GD-3").name == "GD-3"
    with pytest.raises(BadTariff, match="neither the sheet's name nor a title names the tariff"):
        load.read_spreadsheet(workbook({"Sheet 1": SMALL}))


def test_a_last_day_ends_a_rate_unless_the_next_follows_it(workbook):
    rows = [
        ["Bloque", "Vigente desde", "Vigente hasta", "Energía", "Demanda"],
        ["PUNTA", "2021-01-01", "2021-03-31", 0.1, 7],
        ["PUNTA", "2021-04-01", "30/06/2021", 0.2, 7],
        ["PUNTA", date(2021, 8, 1), None, 0.3, 7],
    ]
    tariff = load.read_spreadsheet(workbook({"T": rows}))
    assert tariff.rate(RateKind.ENERGY, "PUNTA", date(2021, 4, 1))[1].value == Decimal("0.2")
    assert tariff.rate(RateKind.ENERGY, "PUNTA", date(2021, 6, 30))[1].value == Decimal("0.2")
    with pytest.raises(NotInForce):
        tariff.rate(RateKind.DEMAND, "PUNTA", date(2021, 7, 1))
    assert tariff.rate(RateKind.ENERGY, "PUNTA", date(2021, 8, 1))[1].value == Decimal("0.3")
    shown = [(row["from"].month, row["until"]) for row in load.rows(tariff) if row["what"] == "energy"]
    assert shown == [(1, date(2021, 3, 31)), (4, date(2021, 6, 30)), (8, None)]


FULL = """\
name: T
currency: USD
calendar: c
rules:
  demand_basis: block_max
  loss_basis: energy
  ftpms_blocks: [PUNTA, RESTO]
  deviation_mode: both
scalars:
  vat_rate:
    label: IVA
    unit: "1"
    source: by hand
    values:
      2021-01-01: "0.13"
rates:
  energy:
    label: Energy
    unit: USD/kWh
    source: by hand
    blocks:
      PUNTA:
        2021-01-01: "0.1000"
        2021-07-01: null
"""


def test_a_document_with_everything(yaml):
    tariff = load.read_yaml(yaml(FULL))
    assert tariff.rules == BillingRules(
        demand_basis=DemandBasis.BLOCK_MAX,
        loss_basis=LossBasis.ENERGY,
        ftpms_blocks=("PUNTA", "RESTO"),
        deviation_mode=DeviationMode.BOTH,
    )
    rate = tariff.rate(RateKind.ENERGY, "PUNTA", date(2021, 6, 30))[1]
    assert (str(rate.value), rate.origin) == ("0.1000", "T.yaml, line 23 (by hand)")
    with pytest.raises(NotInForce):
        tariff.rate(RateKind.ENERGY, "PUNTA", date(2021, 7, 1))
    row = {"what": "energy", "block": "PUNTA", "from": date(2021, 1, 1), "until": date(2021, 6, 30)}
    assert load.rows(tariff)[0] == {**row, "value": rate.value, "unit": "USD/kWh", "origin": rate.origin}
    assert [one["what"] for one in load.rows(tariff)] == ["energy", "vat_rate"]


def test_a_last_day_beside_a_faulty_rate_tells_the_fault(workbook):
    rows = [["Bloque", "Desde", "Hasta", "Energía", "Demanda"], ["PUNTA", "2021-01-01", "2021-03-31", "x", 7]]
    with pytest.raises(BadTariff, match=r"^Tarifas.xlsx, sheet T, cell D2: found 'x'"):
        load.read_spreadsheet(workbook({"T": rows}))


def test_a_merged_key_has_the_line_of_the_mapping_it_is_merged_into(yaml):
    text = FULL.replace(
        "      PUNTA:", '      VALLE: &valle\n        2020-01-01: "0.05"\n      PUNTA:\n        <<: *valle', 1
    )
    tariff = load.read_yaml(yaml(text))
    rate = tariff.rate(RateKind.ENERGY, "PUNTA", date(2020, 6, 1))[1]
    assert (rate.value, rate.origin) == (Decimal("0.05"), "T.yaml, line 25 (by hand)")


BAD_DOCUMENTS = [
    ('"0.1000"', "0.1000", 23, r"rates.energy.blocks.PUNTA.2021-01-01: found 0.1, expected .*decimal in quotes"),
    ('"0.1000"', '"-0.1"', 23, r"found '-0.1', expected zero or a positive decimal in quotes"),
    ('"0.1000"', '"0,1"', 23, r"found '0,1'"),
    ("2021-07-01: null", "2021-01-01: null", 24, r"duplicate key"),
    ("2021-07-01: null", '"2021-01-01": null', 24, r"2021-01-01 is given twice, first on line 23"),
    ("2021-07-01: null", "01/07/2021: null", 24, r"found the key '01/07/2021', expected dates such as 2021-07-15"),
    ("2021-07-01: null", '"2021-02-30": null', 24, r"2021-02-30 is not a day"),
    ("unit: USD/kWh", "unit: USD/MWh", 19, r"rates.energy.unit: found 'USD/MWh', expected the unit USD/kWh"),
    ('unit: "1"', 'unit: "%"', 12, r"scalars.vat_rate.unit: found '%', expected the unit \"1\""),
    ('"0.13"', '"13"', 15, r"found '13', expected a share from"),
    ("block_max", "monthly", 5, r"rules.demand_basis: found 'monthly', expected period_max or block_max"),
    ("  vat_rate", "  iva", 10, r"scalars: found the key 'iva', expected .*vat_rate"),
    ("    source: by hand\n    blocks", "    blocks", 17, r"rates.energy: 'source' is a required property. Add it"),
    ("calendar: c", "calendar: [", 5, r"expected"),
    ("      PUNTA:", "      punta: {2020-01-01: null}\n      PUNTA:", 23, r"block PUNTA is given twice"),
]


@pytest.mark.parametrize(("old", "new", "line", "message"), BAD_DOCUMENTS)
def test_a_bad_document_names_the_line(yaml, old, new, line, message):
    assert old in FULL
    with pytest.raises(BadDocument, match=rf"^T.yaml, line {line}: .*{message}") as caught:
        load.read_yaml(yaml(FULL.replace(old, new, 1)))
    assert isinstance(caught.value, UnreadableFile)


def test_documents_that_are_none(yaml, tmp_path):
    with pytest.raises(BadDocument, match=r"none.yaml cannot be opened: No such file"):
        load.read_yaml(tmp_path / "none.yaml")
    with pytest.raises(BadDocument, match=r"T.yaml: found .*expected keys and values"):
        load.read_yaml(yaml("- a\n- b\n"))
    (tmp_path / "latin.yaml").write_bytes("name: Compañía".encode("latin-1"))
    with pytest.raises(BadDocument, match=r"latin.yaml: byte 11 is not UTF-8"):
        load.read_yaml(tmp_path / "latin.yaml")
    with pytest.raises(BadDocument, match=r"T.yaml"):
        load.read_yaml(yaml("name: T\nfrom: 2021-02-30\n"))
    with pytest.raises(BadDocument, match=r"needs the schema tariff.schema.json"):
        load.read_yaml(yaml(FULL), schemas=tmp_path)


def test_the_schema_knows_exactly_the_units_of_the_model():
    schema = json.loads((ROOT / "params" / "schemas" / "tariff.schema.json").read_text())
    found = {
        kind: entry["properties"]["unit"]["enum"]
        for part in ("rates", "scalars")
        for kind, entry in schema["properties"][part]["properties"].items()
    }
    assert found == {str(kind): [unit] for kind, unit in UNITS.items()}
