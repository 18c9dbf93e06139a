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

from eisenergy.workbook import roles
from eisenergy.workbook.check import check_book
from eisenergy.workbook.inference import by_structure
from eisenergy.workbook.meaning import inputs_like, understand
from eisenergy.workbook.model import Verdict
from eisenergy.workbook.signatures import OPTIONAL, READS
from eisenergy.workbook.statement import NOTHING, ROLES
from eisenergy.workbook.tables import Table
from eisenergy.workbook.things import Thing, Understanding

pytestmark = pytest.mark.usefixtures("without_office")

WORDS = {
    "slot.date": ("Fecha", "Fecha de lectura", "Date", "Reading date"),
    "slot.time": ("Hora", "Hora inicio", "Time", "Start time"),
    "slot.stamp": ("Fecha y hora", "Marca de tiempo", "Date and time", "Timestamp"),
    "slot.kwh": ("kWh", "Energía activa (kWh)", "Consumo", "Energy", "Consumption kWh"),
    "slot.kw": ("kW", "Demanda (kW)", "Potencia activa", "Active power", "Demand"),
    "slot.kva": ("kVA", "Potencia aparente", "Apparent power (kVA)"),
    "slot.kvar": ("kVAr", "Potencia reactiva", "Reactive power"),
    "slot.hour": ("Hora del día", "Hour", "Hour of the day"),
    "slot.block": ("Bloque", "Bloque horario", "Franja horaria", "Time of use", "TOU block"),
    "slot.forecast": ("Pronóstico", "Energía pronosticada (kWh)", "Forecast", "Forecast energy kWh"),
    "slot.energy_rate": ("Tarifa", "Tarifa energía (USD/kWh)", "Precio por energía", "Energy price", "Rate"),
    "slot.energy_cost": ("Costo energía (USD)", "Cargo por energía", "Energy cost", "Charge for energy"),
    "slot.loss_factor": ("Factor de pérdidas", "FACTOR PERDIDA", "Loss factor", "Losses factor"),
    "slot.loss_amount": ("Ajuste por pérdidas", "Importe pérdidas", "Loss charge", "Adjustment for losses"),
    "slot.ftpms": ("FTPMS", "Tarifa FTPMS", "FTPMS rate"),
    "slot.ftpms_amount": ("Recargo FTPMS", "Cargo FTPMS (USD)", "FTPMS surcharge"),
    "slot.cost_pos": ("Costo Desv Pos", "Costo desviación positiva", "Positive deviation cost", "Cost Des Pos"),
    "slot.cost_neg": ("Costo Desv Neg", "Costo desviaciones negativas", "Negative deviation cost", "Cost Des Neg"),
    "slot.deviation_amount": ("Cargo por desviación", "Importe desviaciones", "Deviation charge"),
    "block.label": ("Bloque", "Franja", "Block"),
    "block.kwh": ("kWh", "Consumo de energía", "Active energy"),
    "block.energy_cost": ("Costo energía", "Energy amount"),
    "block.max_kw": ("Máximo kW", "Demanda máxima", "Pico (kW)", "Peak demand", "Maximum kW"),
    "block.max_kw_at": ("Fecha del máximo", "Fecha y hora máxima", "Date of peak", "Peak date"),
    "block.ftpms_amount": ("Recargo FTPMS", "FTPMS charge"),
    "block.loss_amount": ("Ajuste por pérdidas", "Losses amount"),
    "block.deviation_amount": ("Cargo desviación", "Deviations cost"),
    "rates.block": ("Bloque tarifario", "Time block"),
    "rates.from": ("VigenteDesde", "Fecha de vigencia", "Valid from", "Effective date"),
    "rates.until": ("Vigente hasta", "Valid until", "End date"),
    "rates.energy": ("Tarifa kWh", "Precio energía", "Cargo por energía", "Energy", "kWh rate"),
    "rates.demand": ("Tarifa demanda", "Cargo por potencia", "Demand charge", "Rate demand"),
    "rates.ftpms": ("FTPMS", "Precio FTPMS", "FTPMS price"),
    "rates.cost_pos": ("Costo Des Pos", "Cost of positive deviation"),
    "rates.cost_neg": ("Costo Des Neg", "Cost of negative deviation"),
    "day.day": ("Día", "Fecha", "Day", "Date"),
    "day.demand": ("Tarifa demanda VALLE", "Precio de potencia RESTO", "Demand rate PEAK", "Demand VALLE"),
    "hours.first": ("Hora inicial", "Desde", "HoraInicio", "Start hour", "From"),
    "hours.last": ("Hora final", "Hasta", "End hour", "To"),
    "hours.block": ("Bloque", "Tariff block"),
    "hour.hour": ("Hora", "Hour"),
    "hour.block": ("Bloque", "Block"),
    "slot.day_kind": ("Tipo de día", "Day type"),
    "hours.day_kind": ("Clase de día", "Type of day"),
    "kinds.day": ("Día", "Fecha", "Date"),
    "kinds.day_kind": ("Tipo de día", "Tipos de días", "Day type", "Kind of the day"),
    "kinds.column": ("Columna", "No. de columna", "Number of column"),
    "losses.from": ("PerdidasDesde", "Vigente desde", "Losses from", "Effective date"),
    "losses.factor": ("Factor de pérdidas", "Loss factor"),
    "corrections.period": ("Período", "Factura", "Month"),
    "corrections.first": ("Desde", "From"),
    "corrections.last": ("Hasta", "Until"),
    "corrections.amount": ("Diferencia", "Corrección", "Difference"),
    "param.timezone": ("Zona horaria", "Huso horario", "Time zone"),
    "param.customer": ("Cliente", "Nombre del cliente", "Customer"),
    "param.meter": ("Medidor No.", "Contador", "Meter number"),
    "param.node": ("Nodo", "Punto de retiro", "Node"),
    "param.period": ("Período", "Mes", "Period", "Month"),
    "param.contracted_kw": ("Potencia contratada (kW)", "Capacidad contratada", "Contracted demand"),
    "param.loss_factor": ("Factor de pérdidas", "Loss factor"),
    "param.ftpms": ("FTPMS", "Tarifa FTPMS (USD/kWh)", "FTPMS rate"),
    "param.municipal_fee": ("Tasa municipal", "Tasas municipales (USD)", "Municipal fee"),
    "param.discount": ("Descuento", "Porcentaje de descuento (%)", "Discount rate"),
    "param.vat": ("IVA", "Tasa de IVA", "IVA (%)", "VAT rate"),
    "param.retention": ("Retención", "Porcentaje de retención IVA", "Withholding rate"),
    "param.demand_basis": ("Base de la demanda", "Demand basis"),
    "param.demand_rate_block": ("Bloque de la tarifa de demanda", "Demand rate block"),
    "param.loss_basis": ("Base de pérdidas", "Losses basis"),
    "param.ftpms_blocks": ("Bloques con FTPMS", "FTPMS blocks"),
    "param.deviation_mode": ("Modo de desviación", "Deviation mode"),
    "line.energy": ("Cargo por energía", "Energy charge"),
    "line.demand": ("Cargo por demanda", "Costo de potencia", "Demand charge"),
    "line.losses": ("Ajuste por pérdidas", "Loss adjustment"),
    "line.ftpms": ("Más: recargo FTPMS", "FTPMS surcharge"),
    "line.deviation": ("Cargo por desviación", "Deviation cost"),
    "line.discount": ("Menos: descuento", "Less discount"),
    "line.correction": ("Corrección de julio", "Ajuste de períodos anteriores", "Correction", "Corrections of July"),
    "line.subtotal": ("Subtotal", "Sub-total gravado", "Taxable subtotal"),
    "line.vat": ("IVA", "Más: IVA (13 %)", "IVA 13%", "VAT", "Value added tax"),
    "line.retention": ("Menos: retención IVA", "Retención 1.0 %", "Withholding"),
    "line.municipal_fee": ("Tasa municipal", "Municipal fee"),
    "line.total": ("Total a pagar (USD)", "TOTAL", "Monto a pagar", "Amount due", "Total payable"),
}


def role_of(table: str, text: str) -> str:
    """The role that words alone say."""
    if table == "param":
        return roles.parameter_role(text)
    if table == "line":
        return roles.line_role(text)
    named = roles.header_role(table, text)
    return f"{table}.{named}" if named else ""


@pytest.mark.parametrize(
    ("role", "text"),
    [(role, text) for role, texts in WORDS.items() for text in texts if role != "slot.hour" or text != "Hora"],
)
def test_a_role_is_known_by_its_words_in_both_languages(role: str, text: str) -> None:
    table = role.partition(".")[0]
    assert role_of(table, text) == role
    assert role_of(table, f"  {text.upper()}: ") == role


def test_every_role_has_words() -> None:
    with_words = {role for role in ROLES if role != NOTHING and not role.startswith("total.")}
    assert set(WORDS) == with_words


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("slot", "Costo energía con IVA"),
        ("slot", "kWh acumulado"),
        ("slot", "Fecha de instalación"),
        ("block", "Promedio kW"),
        ("rates", "Observaciones"),
        ("param", "Precio medio"),
        ("line", "Total kWh"),
        ("line", "Subtotal de agosto"),
    ],
)
def test_words_that_only_resemble_a_role_are_none(table: str, text: str) -> None:
    assert role_of(table, text) == ""


# --- a whole bill

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


# --- structure alone, role by role


def thing(role: str, *, computed: bool = False, reads: tuple[Thing, ...] = ()) -> Thing:
    """A column of the role's table, or a cell for what stands in none."""
    place = role.partition(".")[0]
    kind = "block" if place == "total" else place
    table = (
        Table(sheet="Hoja", kind=kind, header=1, rows=(2,), columns={1: "x"})
        if place not in ("param", "line")
        else None
    )
    cells = ((2, 1),)
    return Thing(
        sheet="Hoja",
        header="x",
        context="label" if table is None else place,
        cells=cells,
        formulas=cells if computed else (),
        table=table,
        reads=frozenset(reads),
        main=frozenset(reads),
    )


def understood(things: list[Thing]) -> None:
    by_structure(Understanding(things=things, tables=[], labels=[]))


SIGNATURES = [
    pytest.param(role, needed, id=f"{role}-{number}")
    for role, alternatives in READS.items()
    for number, needed in enumerate(alternatives)
]


@pytest.mark.parametrize(("role", "needed"), SIGNATURES)
def test_a_formula_that_reads_just_what_a_role_reads_has_it(role: str, needed: frozenset[str]) -> None:
    inputs = []
    for name in sorted(needed):
        one = thing(name)
        one.role = name
        inputs.append(one)
    formula = thing(role, computed=True, reads=tuple(inputs))
    understood([*inputs, formula])
    assert formula.role == role


@pytest.mark.parametrize(("role", "needed"), SIGNATURES)
def test_a_formula_that_reads_one_thing_more_does_not_have_it(role: str, needed: frozenset[str]) -> None:
    inputs = []
    for name in (*sorted(needed), "param.customer"):
        one = thing(name)
        one.role = name
        inputs.append(one)
    formula = thing(role, computed=True, reads=tuple(inputs))
    understood([*inputs, formula])
    assert formula.role == ""


def test_an_optional_role_may_be_left_out() -> None:
    assert frozenset({"block.label"}) == OPTIONAL
    inputs = [thing("slot.kwh"), thing("slot.block")]
    for one, name in zip(inputs, ("slot.kwh", "slot.block"), strict=True):
        one.role = name
    formula = thing("block.kwh", computed=True, reads=tuple(inputs))
    understood([*inputs, formula])
    assert formula.role == "block.kwh"
