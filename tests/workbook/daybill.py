"""A bill of one day in a small workbook: 24 intervals, three blocks, ten lines. Its values are computed here, in plain Python.

Sheet ``Medidor`` has the parameters (B1:B7), the matrix of blocks (A10:F14), the lines (from A16 on) and the intervals (A30:L54); ``Horas``
the hours of the blocks, ``Tarifas`` the rates.
"""
# ruff: noqa: DTZ001  a spreadsheet's dates have no zone

from __future__ import annotations

from datetime import datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Sheets = dict[str, dict[str, Any]]

DAY = datetime(2021, 9, 1)
FIRST, LAST = 31, 54
BLOCKS = ("VALLE", "RESTO", "PUNTA")
RATE = {"VALLE": 0.1, "RESTO": 0.11, "PUNTA": 0.12}
DEMAND, LOSSES, FTPMS, DISCOUNT, VAT, RETENTION, FEE = 7.5, 0.0121, 0.0042, 0.02, 0.13, 0.01, 5.25


def block_of(hour: int) -> str:
    return "VALLE" if hour < 5 or hour == 23 else "PUNTA" if hour >= 18 else "RESTO"


def kwh_of(hour: int) -> float:
    return 10.25 + hour


def cents(value: float) -> float:
    return float(Decimal(repr(value)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def bill(corrections: tuple[tuple[str, float | str], ...] = ()) -> Sheets:
    """The workbook's sheets, cell by cell, to be changed by a test and given to ``small.book``.

    :param corrections: labels and amounts of lines above the subtotal; a formula for an amount is its text
    """
    meter: dict[str, Any] = {}
    for row, (label, value) in enumerate(
        (
            ("Cliente", "Uno"),
            ("Factor de pérdidas", LOSSES),
            ("FTPMS", FTPMS),
            ("Descuento", DISCOUNT),
            ("IVA", VAT),
            ("Retención", RETENTION),
            ("Tasa municipal", FEE),
        ),
        1,
    ):
        meter |= {f"A{row}": label, f"B{row}": value}
    meter |= _slots() | _matrix() | _lines(corrections)
    hours = {"A1": "Hora inicial", "B1": "Hora final", "C1": "Bloque"}
    for row, (first, last, block) in enumerate(
        ((0, 4, "VALLE"), (5, 17, "RESTO"), (18, 22, "PUNTA"), (23, 23, "VALLE")), 2
    ):
        hours |= {f"A{row}": first, f"B{row}": last, f"C{row}": block}
    rates: dict[str, Any] = {"A1": "Bloque", "B1": "Vigente desde", "C1": "Tarifa energía", "D1": "Tarifa demanda"}
    for row, block in enumerate(BLOCKS, 2):
        rates |= {f"A{row}": block, f"B{row}": datetime(2021, 7, 15), f"C{row}": RATE[block], f"D{row}": DEMAND}
    return {"Medidor": meter, "Horas": hours, "Tarifas": rates}


def _slots() -> dict[str, Any]:
    headers = (
        *("Fecha", "Hora", "kWh", "kW", "Hora del día", "Bloque", "Tarifa", "Costo energía"),
        *("Factor de pérdidas", "Ajuste por pérdidas", "FTPMS", "Recargo FTPMS"),
    )
    cells: dict[str, Any] = {f"{column}30": text for column, text in zip("ABCDEFGHIJKL", headers, strict=True)}
    for hour in range(24):
        row, kwh, block = FIRST + hour, kwh_of(hour), block_of(hour)
        ftpms = FTPMS if block == "PUNTA" else 0
        rate = f'=SUMIFS(Tarifas!$C$2:$C$4,Tarifas!$A$2:$A$4,F{row},Tarifas!$B$2:$B$4,"<="&A{row})'
        cells |= {
            f"A{row}": DAY,
            f"B{row}": time(hour),
            f"C{row}": kwh,
            f"D{row}": kwh * 4,
            f"E{row}": (f"=HOUR(B{row})", hour),
            f"F{row}": (f"=VLOOKUP(E{row},Horas!$A$2:$C$5,3,TRUE)", block),
            f"G{row}": (rate, RATE[block]),
            f"H{row}": (f"=C{row}*G{row}", kwh * RATE[block]),
            f"I{row}": ("=$B$2", LOSSES),
            f"J{row}": (f"=C{row}*I{row}", kwh * LOSSES),
            f"K{row}": (f'=IF(F{row}="PUNTA",$B$3,0)', ftpms),
            f"L{row}": (f"=C{row}*K{row}", kwh * ftpms),
        }
    return cells


def _sums(block: str | None) -> dict[str, float]:
    hours = [hour for hour in range(24) if block in (None, block_of(hour))]
    return {
        "B": sum(kwh_of(hour) for hour in hours),
        "C": sum(kwh_of(hour) * RATE[block_of(hour)] for hour in hours),
        "D": max(kwh_of(hour) * 4 for hour in hours),
        "E": sum(kwh_of(hour) * FTPMS for hour in hours if block_of(hour) == "PUNTA"),
        "F": sum(kwh_of(hour) * LOSSES for hour in hours),
    }


def _matrix() -> dict[str, Any]:
    headers = ("Bloque", "kWh", "Costo energía", "Máximo kW", "Recargo FTPMS", "Ajuste por pérdidas")
    cells: dict[str, Any] = {f"{column}10": text for column, text in zip("ABCDEF", headers, strict=True)}
    read = {"B": "C", "C": "H", "D": "D", "E": "L", "F": "J"}
    for row, block in enumerate(BLOCKS, 11):
        cells[f"A{row}"] = block
        for column, value in _sums(block).items():
            function = "MAXIFS" if column == "D" else "SUMIFS"
            area = f"${read[column]}${FIRST}:${read[column]}${LAST}"
            cells[f"{column}{row}"] = (f"={function}({area},$F${FIRST}:$F${LAST},$A{row})", value)
    cells["A14"] = "Total"
    for column, value in _sums(None).items():
        cells[f"{column}14"] = (f"={'MAX' if column == 'D' else 'SUM'}({column}11:{column}13)", value)
    return cells


def _lines(corrections: tuple[tuple[str, float | str], ...]) -> dict[str, Any]:
    whole = _sums(None)
    energy, demand = cents(whole["C"]), cents(whole["D"] * DEMAND)
    losses, ftpms = cents(whole["F"]), cents(whole["E"])
    charges = energy + demand + losses + ftpms
    discount = -cents(charges * DISCOUNT)
    # a formula of a correction is a sum of numbers here
    earlier = [(label, one, float(eval(one[1:])) if isinstance(one, str) else one) for label, one in corrections]
    subtotal = charges + discount + sum(amount for _, _, amount in earlier)
    vat, retention = cents(subtotal * VAT), -cents(subtotal * RETENTION)
    at = 21 + len(earlier)
    lines: list[tuple[str, float | str, float]] = [
        ("Costo energía", "=ROUND(C14,2)", energy),
        ("Cargo por demanda", "=ROUND(D14*Tarifas!D2,2)", demand),
        ("Ajuste por pérdidas", "=ROUND(F14,2)", losses),
        ("Recargo FTPMS", "=ROUND(E14,2)", ftpms),
        ("Menos: descuento", "=-ROUND(SUM(B16:B19)*$B$4,2)", discount),
        *earlier,
        ("Subtotal", f"=SUM(B16:B{at - 1})", subtotal),
        ("IVA", f"=ROUND(B{at}*$B$5,2)", vat),
        ("Retención", f"=-ROUND(B{at}*$B$6,2)", retention),
        ("Tasa municipal", "=$B$7", FEE),
        ("Total a pagar", f"=SUM(B{at}:B{at + 3})", subtotal + vat + retention + FEE),
    ]
    return {
        name: content
        for row, (label, formula, value) in enumerate(lines, 16)
        for name, content in (
            (f"A{row}", label),
            (f"B{row}", (formula, value) if isinstance(formula, str) else formula),
        )
    }
