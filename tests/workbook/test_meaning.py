"""What every cell is: by words in two languages, by what a formula reads where words say nothing, by what an analyst states."""
# ruff: noqa: DTZ001  a spreadsheet's dates have no zone

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import daybill
import pytest
from daybill import DAY, Sheets
from small import book

from eisenergy.workbook.check import check_book
from eisenergy.workbook.meaning import inputs_like, understand
from eisenergy.workbook.model import Verdict

pytestmark = pytest.mark.usefixtures("without_office")

ENGLISH = {
    "Fecha": "Date",
    "Hora": "Time",
    "Hora del día": "Hour",
    "Bloque": "Block",
    "Tarifa": "Energy rate",
    "Costo energía": "Energy charge",
    "Factor de pérdidas": "Loss factor",
    "Ajuste por pérdidas": "Loss adjustment",
    "Recargo FTPMS": "FTPMS surcharge",
    "Máximo kW": "Peak demand",
    "Hora inicial": "Start hour",
    "Hora final": "End hour",
    "Vigente desde": "Valid from",
    "Tarifa energía": "Energy price",
    "Tarifa demanda": "Demand rate",
    "Cliente": "Customer",
    "Descuento": "Discount rate",
    "IVA": "VAT",
    "Retención": "Retention",
    "Tasa municipal": "Municipal fee",
    "Cargo por demanda": "Demand charge",
    "Menos: descuento": "Less: discount",
    "Subtotal": "Subtotal",
    "Total a pagar": "Amount due",
}
HEADERS = {
    "slot": ("Medidor", 30, "ABCDEFGHIJKL"),
    "block": ("Medidor", 10, "ABCDEF"),
    "hours": ("Horas", 1, "ABC"),
    "rates": ("Tarifas", 1, "ABCD"),
}
ROLES_OF = {
    "Medidor": {
        **{
            f"{column}31": f"slot.{name}"
            for column, name in zip(
                "ABCDEFGHIJKL",
                (
                    *("date", "time", "kwh", "kw", "hour", "block", "energy_rate", "energy_cost", "loss_factor"),
                    *("loss_amount", "ftpms", "ftpms_amount"),
                ),
                strict=True,
            )
        },
        "A11": "block.label",
        **{
            f"{column}{row}": f"{table}.{name}"
            for row, table in ((11, "block"), (12, "block"), (14, "total"))
            for column, name in zip(
                "BCDEF", ("kwh", "energy_cost", "max_kw", "ftpms_amount", "loss_amount"), strict=True
            )
        },
        "A14": "",
        **{
            f"B{row}": f"param.{name}"
            for row, name in enumerate(
                ("customer", "loss_factor", "ftpms", "discount", "vat", "retention", "municipal_fee"), 1
            )
        },
        **{
            f"B{row}": f"line.{name}"
            for row, name in enumerate(
                (
                    *("energy", "demand", "losses", "ftpms", "discount", "subtotal", "vat", "retention"),
                    *("municipal_fee", "total"),
                ),
                16,
            )
        },
    },
    "Horas": {"A2": "hours.first", "B2": "hours.last", "C2": "hours.block"},
    "Tarifas": {"A2": "rates.block", "B2": "rates.from", "C2": "rates.energy", "D2": "rates.demand"},
}


def spot(cell: str) -> tuple[int, int]:
    return int(cell[1:]), ord(cell[0]) - 64


def found(sheets: Sheets, stated: dict[tuple[str, int, int], str] | None = None) -> dict[str, dict[str, str]]:
    """The roles of the bill's cells that :data:`ROLES_OF` names."""
    result = understand(book(sheets), stated)
    return {
        sheet: {cell: result.by_cell[sheet, *spot(cell)].role for cell in cells} for sheet, cells in ROLES_OF.items()
    }


@pytest.fixture
def sheets() -> Sheets:
    return daybill.bill()


def test_every_cell_of_a_spanish_bill_is_known_by_its_words(sheets: Sheets) -> None:
    assert found(sheets) == ROLES_OF


def test_every_cell_of_an_english_bill_is_known_by_its_words(sheets: Sheets) -> None:
    translated = {
        name: {cell: ENGLISH.get(value, value) if isinstance(value, str) else value for cell, value in cells.items()}
        for name, cells in sheets.items()
    }
    assert translated["Medidor"]["A25"] == "Amount due"
    assert found(translated) == ROLES_OF


NAMED = [
    *((table, f"{column}{row}") for table, (_, row, columns) in HEADERS.items() for column in columns),
    *(("", f"A{row}") for row in (*range(2, 8), *range(16, 26))),
]


@pytest.mark.parametrize(("table", "cell"), [one for one in NAMED if one != ("rates", "D1")])
def test_without_its_word_a_cell_is_known_by_what_it_reads_and_what_reads_it(
    sheets: Sheets, table: str, cell: str
) -> None:
    sheet = HEADERS[table][0] if table else "Medidor"
    sheets[sheet][cell] = "Dato"
    assert found(sheets) == ROLES_OF


@pytest.mark.parametrize(("sheet", "label", "cell"), [("Tarifas", "D1", "D2"), ("Medidor", "A1", "B1")])
def test_what_neither_words_nor_formulas_say_is_not_guessed(sheets: Sheets, sheet: str, label: str, cell: str) -> None:
    """A product of one maximum and one rate may be anything; and nothing reads the customer's name."""
    sheets[sheet][label] = "Dato"
    usual = {name: dict(cells) for name, cells in ROLES_OF.items()}
    usual[sheet][cell] = ""
    assert found(sheets) == usual


def test_three_words_gone_at_once_are_known_from_the_rest(sheets: Sheets) -> None:
    for cell in ("C30", "G30", "H30", "A21", "A22"):
        sheets["Medidor"][cell] = "Dato"
    known = found(sheets)["Medidor"]
    assert {cell: known[cell] for cell in ("H31", "B21", "B22")} == {
        "H31": "slot.energy_cost",
        "B21": "line.subtotal",
        "B22": "line.vat",
    }


def test_a_word_is_believed_before_a_formula(sheets: Sheets) -> None:
    """Otherwise a formula that reads the wrong cell would change what the cell is, and be right."""
    sheets["Medidor"] |= {f"J{row}": (f"=C{row}*K{row}", 0) for row in range(31, 55)}
    assert found(sheets)["Medidor"]["J31"] == "slot.loss_amount"


def test_a_total_is_known_by_its_header_also_where_it_sums_the_wrong_column(sheets: Sheets) -> None:
    sheets["Medidor"]["B14"] = ("=SUM(C11:C13)", 60.0)
    assert found(sheets) == ROLES_OF


def test_an_input_beside_the_lines_of_the_invoice_is_no_line(sheets: Sheets) -> None:
    cells = sheets["Medidor"]
    for row, label, value in ((4, "Descuento", 0.02), (5, "IVA", 0.13), (6, "Retención", 0.01)):
        cells |= {f"A{row}": None, f"B{row}": None, f"D{row + 14}": label, f"E{row + 14}": value}
    for cell in ("B20", "B22", "B23"):
        cells[cell] = (
            re.sub(r"\$B\$([456])", lambda match: f"$E${int(match[1]) + 14}", cells[cell][0]),
            cells[cell][1],
        )
    result = understand(book(sheets))
    assert [result.by_cell["Medidor", row, 5].role for row in (18, 19, 20)] == [
        *("param.discount", "param.vat", "param.retention")
    ]
    equal(sheets)


@pytest.mark.parametrize(("computed", "role"), [(True, "slot.hour"), (False, "slot.time")])
def test_hora_is_the_hour_where_it_is_computed_and_the_time_where_it_is_read(
    sheets: Sheets, computed: bool, role: str
) -> None:
    cells = sheets["Medidor"]
    cells["E30" if computed else "B30"] = "Hora"
    cells["B30" if computed else "E30"] = "Dato"
    assert found(sheets)["Medidor"]["E31" if computed else "B31"] == role


# --- what is refused


def with_column(sheets: Sheets, header: str, formula: str, letter: str = "M") -> str:
    """The role of a column of a formula beside the intervals."""
    cells = sheets["Medidor"]
    cells |= {f"{letter}30": header} | {f"{letter}{row}": (formula.format(row=row), 1) for row in range(31, 55)}
    return understand(book(sheets)).by_cell["Medidor", 31, ord(letter) - 64].role


@pytest.mark.parametrize(
    ("header", "formula"),
    [
        ("Dato", "=C{row}*2"),
        ("Dato", "=C{row}-D{row}/4"),
        ("Dato", "=C{row}*G{row}"),  # the cost of energy stands in another column already
        ("Acumulado", "=SUM(C$31:C{row})"),
        ("Dato", "=1"),
        ("Costo energía", "=C{row}*G{row}"),  # two columns of one name: the first has it
    ],
)
def test_a_column_that_fits_no_role_or_one_that_is_taken_has_none(sheets: Sheets, header: str, formula: str) -> None:
    assert with_column(sheets, header, formula) == ""
    assert found(sheets) == ROLES_OF


def test_of_two_columns_without_words_the_one_that_is_read_has_the_role(sheets: Sheets) -> None:
    cells = sheets["Medidor"]
    cells["H30"] = "Dato"
    for column in (11, 12, 13):
        formula, value = cells[f"C{column}"]
        cells[f"C{column}"] = (formula.replace("$H$", "$M$"), value)
    assert with_column(sheets, "Otro dato", "=C{row}*G{row}") == "slot.energy_cost"
    assert found(sheets)["Medidor"]["H31"] == ""


def test_two_unknown_inputs_of_one_formula_are_not_guessed(sheets: Sheets) -> None:
    sheets["Medidor"] |= {"A17": "Dato", "A20": "Otro dato"}
    known = found(sheets)["Medidor"]
    assert (known["B17"], known["B20"], known["B21"]) == ("", "", "line.subtotal")


# --- blocks, totals, other sheets, rivals


def equal(sheets: Sheets) -> None:
    """Every formula of the bill is known and equal."""
    result = check_book(book(sheets))
    assert {one.verdict for one in result.cells} == {Verdict.EQUAL}
    assert len(result.cells) == 222
    assert result.passed


@pytest.mark.parametrize("write", [str.lower, str.title], ids=["valle", "Valle"])
@pytest.mark.parametrize(("sheet", "cells"), [("Tarifas", ("A2", "A3", "A4")), ("Medidor", ("A11", "A12", "A13"))])
def test_blocks_in_another_case_are_the_same_blocks(
    sheets: Sheets, sheet: str, cells: tuple[str, ...], write: Any
) -> None:
    for cell in cells:
        sheets[sheet][cell] = write(sheets[sheet][cell])
    equal(sheets)


def test_blocks_have_the_name_that_is_written_first(sheets: Sheets) -> None:
    sheets["Tarifas"]["A3"] = "Resto"
    result = understand(book(sheets))
    assert (result.block_of(" RESTO"), result.block_of("Solar"), result.block_of(None)) == ("RESTO", None, None)
    assert result.blocks == {"valle": "VALLE", "resto": "RESTO", "punta": "PUNTA"}


@pytest.mark.parametrize(
    ("text", "typed"), [("18:00", True), ("25,02", True), ("01/09/2021", True), ("B1", False), ("", False)]
)
def test_a_number_typed_as_text_is_no_blocks_name(text: str, typed: bool) -> None:
    assert inputs_like(text) is typed


@pytest.mark.parametrize("label", ["Total", "TOTAL GENERAL", "Máximo", "Todos los bloques", "Suma", "Total mes"])
def test_a_row_of_the_matrix_that_is_no_block_is_the_total(sheets: Sheets, label: str) -> None:
    sheets["Medidor"]["A14"] = label
    equal(sheets)


def test_the_total_may_stand_above_the_blocks(sheets: Sheets) -> None:
    cells = sheets["Medidor"]
    for column in "ABCDEF":
        above = {11: cells[f"{column}14"]} | {row + 1: cells[f"{column}{row}"] for row in (11, 12, 13)}
        for row, content in above.items():
            if isinstance(content, tuple):
                formula = re.sub(r"\$A1[123]", f"$A{row}", content[0]).replace("11:", "12:").replace("13)", "14)")
                content = (formula.replace("$A14)", f"$A{row})"), content[1])
            cells[f"{column}{row}"] = content
    for row in (16, 17, 18, 19):
        formula, value = cells[f"B{row}"]
        cells[f"B{row}"] = (re.sub(r"([A-F])14\b", r"\g<1>11", formula), value)
    equal(sheets)


def test_the_invoice_may_stand_on_another_sheet_than_the_readings(sheets: Sheets) -> None:
    meter: dict[str, Any] = {}
    invoice: dict[str, Any] = {}
    for cell, content in sheets["Medidor"].items():
        there = int(cell[1:]) < 30
        if isinstance(content, tuple):
            pattern, text = (
                (r"(\$[A-L]\$31:\$[A-L]\$54)", r"Medidor!\1")
                if there
                else (r"(?<!!)(\$B\$\d)$|(?<=,)(\$B\$\d)(?=,)", r"Factura!\1\2")
            )
            content = (re.sub(pattern, text, content[0]), content[1])
        (invoice if there else meter)[cell] = content
    assert "Factura!$B$2" in meter["I31"][0]
    equal({"Factura": invoice, "Medidor": meter, "Horas": sheets["Horas"], "Tarifas": sheets["Tarifas"]})


def test_of_two_tables_of_rates_the_one_that_the_invoice_reads_counts(sheets: Sheets) -> None:
    older = {cell: 0.5 if cell[0] in "CD" and cell[1] != "1" else value for cell, value in sheets["Tarifas"].items()}
    older |= {"A5": "VALLE", "B5": datetime(2021, 8, 15), "C5": 0.6, "D5": 8}
    result = understand(book({"Tarifas 2020": older, **sheets}))
    assert result.by_cell["Tarifas", 2, 3].role == "rates.energy"
    assert result.by_cell["Tarifas 2020", 2, 3].role == ""
    equal({"Tarifas 2020": older, **sheets})


def test_of_two_tables_of_readings_the_one_that_the_invoice_reads_counts(sheets: Sheets) -> None:
    draft: dict[str, Any] = {"A1": "Fecha", "B1": "Hora", "C1": "kWh", "D1": "kW"}
    for row in range(2, 98):
        draft |= {f"A{row}": DAY, f"B{row}": (row - 2) / 96, f"C{row}": 1.5, f"D{row}": 6.0}
    result = understand(book({"Borrador": draft, **sheets}))
    assert result.by_cell["Medidor", 31, 3].role == "slot.kwh"
    assert result.by_cell["Borrador", 2, 3].role == ""


def test_without_an_invoice_the_larger_of_two_tables_counts(sheets: Sheets) -> None:
    cells = {cell: value for cell, value in sheets["Medidor"].items() if int(cell[1:]) >= 30}
    short = {cell: value for cell, value in cells.items() if int(cell[1:]) < 45}
    result = understand(book({"Corto": short, "Largo": cells}))
    assert (result.by_cell["Largo", 31, 3].role, result.by_cell["Corto", 31, 3].role) == ("slot.kwh", "")


def test_demand_rates_of_days_belong_to_the_block_in_their_header(sheets: Sheets) -> None:
    days: dict[str, Any] = {"A1": "Día", "B1": "Tarifa demanda PUNTA", "C1": "Tarifa demanda Valle"}
    for number in range(30):
        row = number + 2
        days |= {f"A{row}": DAY + timedelta(days=number)}
        days |= {f"{column}{row}": ("=Tarifas!$D$2", 7.5) for column in "BC"}
    result = understand(book({**sheets, "Días": days}))
    assert [
        (result.by_cell["Días", 2, column].role, result.by_cell["Días", 2, column].block) for column in (1, 2, 3)
    ] == [
        ("day.day", ""),
        ("day.demand", "PUNTA"),
        ("day.demand", "VALLE"),
    ]


# --- statements


def test_what_is_stated_is_believed_before_words(sheets: Sheets) -> None:
    sheets["Medidor"]["D30"] = "kWh"
    sheets["Medidor"]["C30"] = "Lectura A"
    assert found(sheets)["Medidor"]["C31"] != "slot.kwh"
    stated = {("Medidor", 31, 3): "slot.kwh", ("Medidor", 31, 4): "slot.kw"}
    assert found(sheets, stated) == ROLES_OF


def test_what_is_stated_to_be_none_of_the_bill_is_none(sheets: Sheets) -> None:
    known = found(sheets, {("Medidor", 31, 4): "-"})["Medidor"]
    assert known["D31"] == "-"
    assert known["C31"] == "slot.kwh"


def test_everything_the_amount_to_pay_depends_on_feeds_it(sheets: Sheets) -> None:
    sheets["Medidor"] |= {"D1": "Precio medio", "E1": ("=B25/B14", 2.1)}
    result = understand(book(sheets))
    feeds = {one.role for one in result.feeding}
    assert {"slot.kwh", "slot.time", "rates.energy", "hours.block", "param.vat", "block.max_kw", "line.total"} <= feeds
    assert not feeds & {"total.kwh", "block.kwh", "param.customer"}
    assert result.by_cell["Medidor", 1, 5] not in result.feeding
    # without a total nothing can be said to feed it
    sheets["Medidor"] |= {"A25": None, "B25": None, "E1": 2.1}
    assert understand(book(sheets)).feeding == frozenset()
