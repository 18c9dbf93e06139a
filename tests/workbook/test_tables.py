"""Tables and labels are found by what stands in them."""

from __future__ import annotations

from datetime import datetime

import pytest
from small import reference

from eisenergy.workbook import roles, tables
from eisenergy.workbook.book import Grid
from eisenergy.workbook.model import Value


def grid(rows: list[list[Value]], formulas: dict[tuple[int, int], str] | None = None) -> Grid:
    values = {(r, c): value for r, row in enumerate(rows, 1) for c, value in enumerate(row, 1) if value is not None}
    return Grid(
        name="Hoja", rows=len(rows), columns=max(map(len, rows)), values=values, formulas=formulas or {}
    )  # fmt: skip


def test_the_tables_of_the_reference_workbook() -> None:
    book = reference()
    found = [
        (table.sheet, table.kind, table.header, len(table.rows), len(table.columns))
        for sheet in book.grids.values()
        for table in tables.find(sheet)[0]
    ]
    assert found == [
        ("Nodo Ateos 5614086", "block", 10, 4, 8),
        ("Nodo Ateos 5614086", "slot", 30, 2880, 18),
        ("Bloques horarios", "hours", 1, 4, 3),
        ("Hora-Bloque", "hour", 1, 24, 2),
        ("Tarifas", "rates", 1, 9, 4),
        ("Tarifas", "day", 1, 30, 4),
    ]


def test_hours_and_rates_without_words() -> None:
    hours = grid([["a", "b", "c"], [0, 4, "X"], [5, 17, "Y"], [18, 23, "X"]])
    ((table,), labels) = tables.find(hours)
    assert (table.kind, table.rows, labels) == ("hours", (2, 3, 4), [])
    day = datetime(2021, 1, 1)  # noqa: DTZ001
    rates = grid([["a", "b", "c"], ["X", day, 0.1], ["Y", day, 0.2], [None, None, None], ["X", day, 0.3]])
    ((table,), _) = tables.find(rates)
    assert (table.kind, table.rows) == ("rates", (2, 3, 5))


def test_labels_are_no_table() -> None:
    sheet = grid([["Cliente", "Uno"], ["IVA", 0.13], ["Descuento", 0.02], ["Periodo", datetime(2021, 9, 1)]])  # noqa: DTZ001
    found, labels = tables.find(sheet)
    assert found == []
    assert [(one.text, one.value) for one in labels] == [
        ("Cliente", (1, 2)),
        ("IVA", (2, 2)),
        ("Descuento", (3, 2)),
        ("Periodo", (4, 2)),
    ]


@pytest.mark.parametrize(
    ("table", "text", "role"),
    [
        ("slot", "Costo energía (USD)", "energy_cost"),
        ("slot", "Energy charge", "energy_cost"),
        ("slot", "Factor de pérdidas", "loss_factor"),
        ("slot", "Cost Des Neg", "cost_neg"),
        ("slot", "Costo Desv POS", "cost_pos"),
        ("slot", "Costo energía con IVA", ""),
        ("slot", "kWh acumulado", ""),
        ("block", "Máximo kW", "max_kw"),
        ("block", "Fecha del máximo", "max_kw_at"),
        ("rates", "VigenteDesde", "from"),
        ("hours", "StartHour", "first"),
    ],
)
def test_words(table: str, text: str, role: str) -> None:
    assert roles.header_role(table, text) == role


def test_lines_and_parameters_share_words() -> None:
    assert roles.line_role("Menos: descuento") == "line.discount"
    assert roles.parameter_role("Descuento (%)") == "param.discount"
    assert roles.line_role("TOTAL A PAGAR (USD)") == "line.total"
    assert not roles.bill_word("Precio medio")
