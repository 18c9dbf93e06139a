"""Each of an analyst's classic slips is found at its cell, told with what to do; and what only looks like one is not."""
# ruff: noqa: DTZ001  a spreadsheet's dates have no zone

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from small import book

from eisenergy import workbook
from eisenergy.findings import Severity
from eisenergy.workbook.slips import slips

Cells = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Slip:
    """A slip, the cell it is at, and what its message says after naming the cell.

    :param whole: the codes of all findings, where there is more than the one looked for
    """

    name: str
    code: str
    cells: Cells
    at: str
    says: tuple[str, ...]
    blocks: bool = True
    others: Cells = field(default_factory=dict)
    shape: Cells = field(default_factory=dict)
    whole: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Harmless:
    """What looks like the slip of a code and is none."""

    name: str
    code: str
    cells: Cells
    others: Cells = field(default_factory=dict)
    shape: Cells = field(default_factory=dict)


def down(column: str, first: int, values: Iterable[Any]) -> Cells:
    """Values below one another: ``down("A", 2, [5, 6])`` is A2 and A3."""
    return {f"{column}{row}": value for row, value in enumerate(values, first)}


def filled(column: str, first: int, formula: str, values: Iterable[Any]) -> Cells:
    """A formula filled down, with its values; ``{row}`` is the cell's row and ``{last}`` the one above."""
    return {f"{column}{row}": (formula.format(row=row, last=row - 1), value) for row, value in enumerate(values, first)}


DAY = datetime(2021, 9, 1)
NUMBERS = {"A1": "kWh", **down("A", 2, range(1, 11))}
"""Ten numbers in A2 to A11; their sum is 55."""
DATES = {
    "A1": "Fecha",
    "B1": "Monto",
    **down("A", 2, (DAY + timedelta(days=n) for n in range(10))),
    **down("B", 2, range(10)),
}
PRICED = {"A1": "kWh", "B1": "Costo", **down("A", 2, range(1, 11)), **filled("B", 2, "=A{row}*4", range(4, 44, 4))}
"""Ten formulas in B2 to B11."""
HOURS = {"A1": "Desde", "B1": "Hasta", "C1": "Bloque", **down("C", 2, ["VALLE", "RESTO", "PUNTA", "VALLE"])}


def hours(first: Iterable[int], last: Iterable[int]) -> Cells:
    return HOURS | down("A", 2, first) | down("B", 2, last)


def daily(days: Iterable[int]) -> Cells:
    """Rows of a date, in A from A2 on, and an amount."""
    numbers = list(days)
    return {"A1": "Día de lectura", "B1": "Lectura del contador"} | {
        name: value
        for row, number in enumerate(numbers, 2)
        for name, value in ((f"A{row}", DAY + timedelta(days=number)), (f"B{row}", 100 + number))
    }


def quarters(skip: Iterable[int] = (), swap: tuple[int, int] | None = None) -> Cells:
    """A table of readings, a row for every quarter of an hour of 1 September, from row 2 on."""
    numbers = [number for number in range(96) if number not in set(skip)]
    if swap:
        a, b = numbers.index(swap[0]), numbers.index(swap[1])
        numbers[a], numbers[b] = numbers[b], numbers[a]
    cells: Cells = {"A1": "Fecha", "B1": "Hora", "C1": "kWh", "D1": "kW"}
    for row, number in enumerate(numbers, 2):
        cells |= {f"A{row}": DAY, f"B{row}": time(number // 4, number % 4 * 15), f"C{row}": 2.5, f"D{row}": 10.0}
    return cells


SLIPS = (
    # --- ranges
    Slip(
        name="a range that stops a row early",
        code="short-range",
        cells=NUMBERS | {"C1": ("=SUM(A2:A10)", 45)},
        at="C1",
        says=("A2:A10", "1 row below it", "expected A2:A11", "Correct the range in =SUM(A2:A10)"),
    ),
    Slip(
        name="a range that starts a row late",
        code="short-range",
        cells=NUMBERS | {"C1": ("=SUM(A3:A11)", 54)},
        at="C1",
        says=("A3:A11", "1 row above it", "expected A2:A11", "Correct the range"),
    ),
    Slip(
        name="a range that stops two rows early",
        code="short-range",
        cells=NUMBERS | {"C1": ("=SUM($A$2:$A$9)", 36)},
        at="C1",
        says=("$A$2:$A$9", "2 rows below it", "expected A2:A11", "Correct the range"),
    ),
    Slip(
        name="a total right below its column that leaves the last row out",
        code="short-range",
        cells=NUMBERS | {"A12": ("=SUM(A2:A10)", 45)},
        at="A12",
        says=("1 row below it", "expected A2:A11"),
    ),
    Slip(
        name="totals filled across that all stop a row early",
        code="short-range",
        cells={
            **{f"{column}1": f"Sitio {column}" for column in "ABCD"},
            **{name: n for column in "ABCD" for name, n in down(column, 2, range(1, 7)).items()},
            **{f"{column}9": (f"=SUM({column}2:{column}6)", 15) for column in "ABCD"},
        },
        at="A9",
        says=("1 row below it", "expected A2:A7"),
        whole=("short-range",) * 4,
    ),
    Slip(
        name="a lookup whose table stops a row early: no number is made of it",
        code="short-range",
        cells={**down("A", 1, "abcdef"), **down("B", 1, range(6)), "D1": ('=VLOOKUP("b",$A$1:$B$5,2,FALSE)', 1)},
        at="D1",
        says=("$A$1:$B$5", "1 row below it", "expected A1:B6"),
        blocks=False,
    ),
    Slip(
        name="a range that runs on into another table",
        code="range-too-long",
        cells={"A1": "kWh", **down("A", 2, [1, 2, 3]), "A6": "kW", **down("A", 7, [8, 9]), "C1": ("=SUM(A2:A8)", 23)},
        at="C1",
        says=("the header Hoja!A6", "numbers above and below it", "End the range"),
    ),
    Slip(
        name="a sum that includes its own subtotal",
        code="sum-includes-subtotal",
        cells={"A1": "Monto", **down("A", 2, [10, 20]), "A4": ("=SUM(A2:A3)", 30), "A5": 5, "A6": ("=SUM(A2:A5)", 65)},
        at="A6",
        says=("Hoja!A4", "counted twice", "Leave either out of =SUM(A2:A5)"),
    ),
    Slip(
        name="a sum of lines, their subtotal among them, on another sheet",
        code="sum-includes-subtotal",
        cells={**down("A", 1, [10, 20, 30]), "A4": ("=A1+A2+A3", 60)},
        others={"Resumen": {"B2": ("=ROUND(SUM(Hoja!A1:A4),2)", 120)}},
        at="Resumen!B2",
        says=("Hoja!A1:A4", "Hoja!A4 (=A1+A2+A3)", "counted twice"),
    ),
    *(
        Slip(
            name=f"{outer} over {inner}",
            code="sum-includes-subtotal",
            cells={**down("A", 1, [10, 20]), "A3": (f"={inner}A1:A2)", 30), "A4": (f"={outer}A1:A3)", 60)},
            at="A4",
            says=("sums A1:A3", "Hoja!A3", "counted twice"),
        )
        for outer, inner in (("SUM(", "SUBTOTAL(9,"), ("SUM(", "SUBTOTAL( 109,"), ("SUBTOTAL(9,", "SUM("))
    ),
    Slip(
        name="a sum whose range reaches its own cell",
        code="sum-includes-itself",
        cells={**down("A", 1, [1, 2, 3]), "A4": ("=SUM(A1:A4)", 0)},
        at="A4",
        says=("reads itself: A1:A4", "ends before it", "Correct the range"),
    ),
    Slip(
        name="a formula that reads its own cell",
        code="circular-reference",
        cells={"A1": 2, "A3": ("=A1+A3", 0)},
        at="A3",
        says=("reads itself: A3", "Correct the range"),
    ),
    Slip(
        name="three cells that wait for one another",
        code="circular-reference",
        cells={"A1": ("=B2*2", 0), "B2": ("=C3+1", 0), "C3": ("=A1/4", 0)},
        at="A1",
        says=("Hoja!A1 reads Hoja!B2 reads Hoja!C3 reads Hoja!A1", "Break the circle"),
    ),
    Slip(
        name="a hidden row inside a total",
        code="hidden-in-total",
        cells=NUMBERS | {"C1": ("=SUM(A2:A11)", 55)},
        shape={"hidden_rows": frozenset({5})},
        at="A5",
        says=("row 5", "1 hidden row inside A2:A11", "Hoja!C1 counts like the rest", "Show the rows"),
        blocks=False,
    ),
    Slip(
        name="hidden rows that a SUBTOTAL may leave out",
        code="hidden-in-total",
        cells=NUMBERS | {"C1": ("=SUBTOTAL(109,A2:A11)", 43)},
        shape={"hidden_rows": frozenset({5, 6})},
        at="A5",
        says=("rows 5 to 6", "2 hidden rows", "Hoja!C1 may leave out", "Show the rows"),
        blocks=False,
    ),
    Slip(
        name="merged cells inside what is summed",
        code="merged-in-table",
        cells={**down("A", 1, [1, 2, 3]), "A6": 6, "C1": ("=SUM(A1:A6)", 12)},
        shape={"merged": (((3, 1), (5, 1)),)},
        at="A3",
        says=("A3:A5 is one merged cell", "Hoja!C1", "Split it and fill the rows"),
        blocks=False,
    ),
    # --- values
    Slip(
        name="a number typed as a text in a column that is summed",
        code="number-as-text",
        cells=NUMBERS | {"A5": "25,02", "C1": ("=SUM(A2:A11)", 51)},
        at="A5",
        says=("found the text '25,02'", "Sums leave it out", "Type it as a number"),
    ),
    Slip(
        name="a number with its unit",
        code="number-as-text",
        cells=NUMBERS | {"A5": "4 kWh"},
        at="A5",
        says=("found the text '4 kWh'", "Type it as a number"),
        blocks=False,
    ),
    Slip(
        name="a word among readings",
        code="text-among-numbers",
        cells=NUMBERS | {"A5": "n/d", "C1": ("=SUM(A2:A11)", 51)},
        at="A5",
        says=("found the text 'n/d'", "Type it as a number"),
    ),
    Slip(
        name="a word for the last reading, beside which the row goes on",
        code="text-among-numbers",
        cells={"A1": "kWh", "B1": "kW", **down("A", 2, range(9)), **down("B", 2, range(10)), "A11": "pendiente"},
        at="A11",
        says=("found the text 'pendiente'",),
        blocks=False,
    ),
    Slip(
        name="a word among a meter's readings, whose header only names the meter",
        code="text-among-numbers",
        cells={"A1": "Medidor, lectura", **down("A", 2, [1001, 1002, "n/d", 1004, 1005])},
        at="A4",
        says=("found the text 'n/d'",),
        blocks=False,
    ),
    Slip(
        name="a code typed as a text in a column that is summed",
        code="number-as-text",
        cells={"A1": "Cuenta", **down("A", 2, [12, 14, "016", 18, 20]), "C1": ("=SUM(A2:A6)", 64)},
        at="A4",
        says=("found the text '016'",),
    ),
    Slip(
        name="a date stored as text",
        code="date-as-text",
        cells=DATES | {"A5": "04/09/2021", "D1": ('=SUMIFS(B2:B11,A2:A11,"<=2021-09-05")', 7)},
        at="A5",
        says=("found the text '04/09/2021'", "Type it as a date or time"),
    ),
    Slip(
        name="a time stored as text",
        code="date-as-text",
        cells=down("A", 1, [time(0, 0), time(0, 15), "0:30", time(0, 45), time(1, 0)]),
        at="A3",
        says=("found the text '0:30'", "Type it as a date or time"),
        blocks=False,
    ),
    Slip(
        name="a word among dates",
        code="text-among-dates",
        cells=DATES | {"A5": "ayer"},
        at="A5",
        says=("found the text 'ayer'", "Type it as a date or time"),
        blocks=False,
    ),
    Slip(
        name="a row sorted apart from the rest",
        code="row-out-of-order",
        cells=quarters(swap=(40, 44)),
        at="A42",
        says=("the row of 2021-09-01 11:00 stands after a later one", "Sort the whole table"),
        blocks=False,
        whole=("row-out-of-order", "row-out-of-order"),
    ),
    Slip(
        name="a row that is not there",
        code="rows-missing",
        cells=quarters(skip=[40]),
        at="A42",
        says=("between 2021-09-01 09:45 and 2021-09-01 10:15 1 row is missing", "Insert it"),
    ),
    Slip(
        name="an hour of rows that is not there",
        code="rows-missing",
        cells=quarters(skip=[40, 41, 42, 43]),
        at="A42",
        says=("4 rows are missing", "Insert them"),
    ),
    Slip(
        name="a row whose date cannot be read is there all the same",
        code="text-among-dates",
        cells=quarters() | {"A42": "1 de septiembre"},
        at="A42",
        says=("found the text '1 de septiembre'",),
        blocks=False,
    ),
    Slip(
        name="a row whose time is a text stands in its place",
        code="date-as-text",
        cells=quarters() | {"B42": "10:00"},
        at="B42",
        says=("found the text '10:00'",),
        blocks=False,
    ),
    Slip(
        name="a day that a daily list has twice",
        code="row-repeated",
        cells=daily([*range(15), *range(14, 29)]),
        at="A17",
        says=("2021-09-15 00:00 stands in row 16 already", "Correct it, or remove one of the rows"),
        blocks=False,
    ),
    Slip(
        name="a day that stands where the next should: it is not told as missing too",
        code="row-repeated",
        cells=daily([*range(15), 14, *range(16, 30)]),
        at="A17",
        says=("2021-09-15 00:00 stands in row 16 already",),
        blocks=False,
    ),
    Slip(
        name="18 hours in two blocks",
        code="hour-in-two-blocks",
        cells=hours([0, 5, 18, 23], [4, 18, 22, 23]),
        at="A4",
        says=("hour 18 belongs to this row and to row 3 already", "Correct the hours"),
    ),
    Slip(
        name="three hours in two blocks are one finding",
        code="hour-in-two-blocks",
        cells=hours([0, 5, 16, 23], [4, 18, 22, 23]),
        at="A4",
        says=("hours 16, 17, 18 belong to this row and to row 3 already",),
    ),
    Slip(
        name="17 hours in no block",
        code="hour-in-no-block",
        cells=hours([0, 5, 18, 23], [4, 16, 22, 23]),
        at="B3",
        says=("hour 17 belongs to no row of the table; this one ends before", "Correct the hours"),
    ),
    Slip(
        name="the last hour in no block",
        code="hour-in-no-block",
        cells=hours([0, 5, 18, 3], [2, 17, 22, 4]),
        at="B4",
        says=("hour 23 belongs to no row",),
    ),
    Slip(
        name="a label with a space behind it",
        code="space-in-label",
        cells={**down("A", 1, ["VALLE", "RESTO", "PUNTA "]), "C1": "PUNTA"},
        at="A3",
        says=("found 'PUNTA ', elsewhere 'PUNTA'", "Remove the space"),
    ),
    # --- formulas
    Slip(
        name="a lookup of the block without its last argument, which finds RESTO for an hour that is not there",
        code="lookup-approximate",
        cells=hours([0, 5, 18, 23], [4, 17, 22, 23]) | {"E1": 18, "F1": ("=VLOOKUP(E1,A2:C5,3)", "PUNTA")},
        at="F1",
        says=("VLOOKUP has no last argument", "expected an exact match", "Give FALSE as its last argument"),
        blocks=False,
    ),
    Slip(
        name="a lookup that falls to the wrong block at 18 hours, the hours being in no order",
        code="lookup-approximate",
        cells=hours([5, 18, 0, 23], [17, 22, 4, 23]) | {"E1": 18, "F1": ("=VLOOKUP(E1,$A$2:$C$5,3,TRUE)", "VALLE")},
        at="F1",
        says=("asks for the nearest key (TRUE)", "the keys in Hoja!A2:A5 are not in order", "FALSE"),
    ),
    Slip(
        name="MATCH without its last argument over names in no order",
        code="lookup-approximate",
        cells={**down("A", 1, ["VALLE", "RESTO", "PUNTA"]), "C1": ('=MATCH("RESTO",A1:A3)', 1)},
        at="C1",
        says=("MATCH has no last argument", "not in order", "Give 0 as its last argument"),
    ),
    Slip(
        name="a sum whose criteria begin a row below what is summed",
        code="ranges-apart",
        cells={
            **down("A", 2, ["VALLE", "RESTO", "VALLE", "RESTO"]),
            **down("B", 1, [1, 2, 4, 8]),
            "D1": ('=SUMIFS(B1:B4,A2:A5,"VALLE")', 5),
        },
        at="D1",
        says=("SUMIFS goes down B1:B4 and A2:A5 together", "row 1 and row 2", "Correct one of the ranges"),
    ),
    Slip(
        name="a column whose contents and header were deleted",
        code="reads-nothing",
        cells={
            **down("A", 2, range(1, 31)),
            **filled("D", 2, "=A{row}*C{row}", [0] * 30),
            "F1": ("=SUM(D2:D31)", 0),
        },
        at="D2",
        says=("and 29 more read the column of Hoja!C2", "empty and has no header", "Put them back"),
    ),
    Slip(
        name="a value typed over a formula among its neighbours",
        code="overwritten-formula",
        cells=PRICED | {"B6": 99},
        at="B6",
        says=("holds 99, typed in", "as Hoja!B5 does, =A5*4", "which gives 20", "Copy Hoja!B5 over it"),
    ),
    Slip(
        name="a formula pasted as its value: right today",
        code="overwritten-formula",
        cells=PRICED | {"B6": 20},
        at="B6",
        says=("holds 20, typed in", "gives the same today", "Copy Hoja!B5 over it"),
        blocks=False,
    ),
    Slip(
        name="a line typed among lines that are computed",
        code="overwritten-formula",
        cells={
            **down("A", 1, ["Energía", "Demanda", "Pérdidas", "Suma", "IVA"]),
            "D1": 50,
            "D2": 7,
            "B1": ("=D1*2", 100),
            "B2": ("=D2+D1", 57),
            "B3": 12.5,
            "B4": ("=SUM(B1:B3)", 169.5),
            "B5": ("=ROUND(B4/8,2)", 21.19),
        },
        at="B3",
        says=("holds 12.5, typed in, among 4 cells that are computed (Hoja!B1:B5)", "Put the formula back"),
    ),
    Slip(
        name="another formula among its neighbours",
        code="odd-formula",
        cells=PRICED | {"B6": ("=A7*4", 24)},
        at="B6",
        says=("holds =A7*4", "what Hoja!B5 does, =A5*4", "which gives 20 in Hoja!B6 for 24", "Copy Hoja!B5 over it"),
    ),
    Slip(
        name="two cells of another formula are one finding",
        code="odd-formula",
        cells=PRICED | {"B6": ("=A6*5", 25), "B7": ("=A7*5", 30)},
        at="B6",
        says=("B6:B7 hold =A6*5", "Copy Hoja!B5 over them"),
    ),
    Slip(
        name="a rate typed into a formula, with a cell that holds it",
        code="constant-in-formula",
        cells={"A1": "IVA", "B1": 0.13, "B3": 200, "B4": ("=B3*0.13", 26)},
        at="B4",
        says=("multiplies by 0.13", "Hoja!B1 holds that number", "Refer to Hoja!B1"),
        blocks=False,
    ),
    Slip(
        name="a formula that reads another workbook",
        code="external-link",
        cells={"A1": ("='[Tarifas 2020.xlsx]Hoja1'!$C$3", 0.1), "A2": ("=SUM(A1:A1)+1", 1.1)},
        at="A1",
        says=("reads another workbook", "Tarifas 2020.xlsx", "Copy what it reads"),
        blocks=False,
    ),
    Slip(
        name="error values below one another are one finding",
        code="error-value",
        cells={**filled("A", 1, "=1/C{row}", ["#DIV/0!", "#DIV/0!"]), "E1": ("=SUM(A1:A2)", "#DIV/0!")},
        at="A1",
        says=("A1:A2 show #DIV/0!", "Follow what the formula reads"),
        whole=("error-value", "error-value"),
    ),
    Slip(
        name="one formula without a value",
        code="no-cached-value",
        cells=PRICED | {"B6": ("=A6*4", None)},
        at="B6",
        says=("has a formula and no value", "calculate, and save it"),
    ),
)


HARMLESS = (
    Harmless(name="the whole column", code="short-range", cells=NUMBERS | {"C1": ("=SUM(A2:A11)", 55)}),
    Harmless(
        name="a whole column of another sheet",
        code="short-range",
        cells=NUMBERS,
        others={"Resumen": {"B2": ("=SUM(Hoja!A:A)", 55)}},
    ),
    Harmless(
        name="a range with room for rows to come", code="short-range", cells=NUMBERS | {"C1": ("=SUM(A2:A500)", 55)}
    ),
    Harmless(
        name="a range over the rows of one block, which are most of the table",
        code="short-range",
        cells={
            "A1": "Bloque",
            "B1": "kWh",
            **down("A", 2, ["RESTO"] * 6 + ["PUNTA"] * 4),
            **down("B", 2, range(1, 11)),
            "D1": ("=SUM(B2:B7)", 21),
        },
    ),
    Harmless(
        name="two ranges that share the column between them",
        code="short-range",
        cells=NUMBERS | {"C1": ("=SUM(A2:A7)", 21), "C2": ("=SUM(A8:A11)", 34)},
    ),
    Harmless(
        name="a mean of the last seven",
        code="short-range",
        cells=NUMBERS | filled("B", 8, "=AVERAGE(A{last}:A{row})", [6.5, 7.5, 8.5, 9.5]),
    ),
    Harmless(
        name="a mean of the last seven of ten rows, filled down",
        code="short-range",
        cells=NUMBERS | {f"B{row}": (f"=AVERAGE(A{row - 6}:A{row})", float(row - 4)) for row in range(8, 12)},
    ),
    Harmless(
        name="a balance from the first row on",
        code="short-range",
        cells=NUMBERS | {f"B{row}": (f"=SUM(A$2:A{row})", row * (row - 1) / 2) for row in range(2, 12)},
    ),
    Harmless(
        name="a range above a total of its own",
        code="short-range",
        cells=NUMBERS | {"A12": ("=SUM(A2:A11)", 55), "C1": ("=MAX(A2:A11)", 10)},
    ),
    Harmless(
        name="a range with a remark in words between its numbers",
        code="range-too-long",
        cells={**down("A", 1, [1, 2, 3]), "A5": "corregido", "B5": 7, "A6": 9, "C1": ("=SUM(A1:A6)", 15)},
    ),
    Harmless(
        name="a sum of subtotals only",
        code="sum-includes-subtotal",
        cells={
            **down("A", 1, [10, 20]),
            "A3": ("=SUM(A1:A2)", 30),
            **down("A", 5, [1, 2]),
            "A7": ("=SUM(A5:A6)", 3),
            "A9": ("=A3+A7", 33),
            "B3": ("=SUM(A3,A7)", 33),
        },
    ),
    Harmless(
        name="SUBTOTAL, which leaves out the SUBTOTALs it holds",
        code="sum-includes-subtotal",
        cells={**down("A", 1, [10, 20]), "A3": ("=SUBTOTAL(9,A1:A2)", 30), "A4": ("=SUBTOTAL(9,A1:A3)", 30)},
    ),
    Harmless(
        name="the largest of numbers and their sum",
        code="sum-includes-subtotal",
        cells={**down("A", 1, [10, 20]), "A3": ("=SUM(A1:A2)", 30), "A4": ("=SUBTOTAL(4,A1:A3)", 30)},
    ),
    Harmless(
        name="a mean that SUBTOTAL takes, among what is summed",
        code="sum-includes-subtotal",
        cells={**down("A", 1, [10, 20]), "A3": ("=SUBTOTAL(1,A1:A2)", 15), "A4": ("=SUM(A1:A3)", 45)},
    ),
    Harmless(
        name="a sum beside which another column's sum stands",
        code="sum-includes-itself",
        cells={**down("A", 1, [1, 2, 3]), "A4": ("=SUM(A1:A3)", 6), "B4": ("=SUM(A1:A3)", 6)},
    ),
    Harmless(
        name="a balance that reads the cell above it",
        code="circular-reference",
        cells={
            **down("A", 1, range(1, 8)),
            "B1": ("=A1", 1),
            **filled("B", 2, "=B{last}+A{row}", [3, 6, 10, 15, 21, 28]),
        },
    ),
    Harmless(
        name="hidden rows outside of every total",
        code="hidden-in-total",
        cells=NUMBERS | {"A13": "nota", "C1": ("=SUM(A2:A11)", 55)},
        shape={"hidden_rows": frozenset({1, 13})},
    ),
    Harmless(
        name="SUBTOTAL over rows that are all shown",
        code="hidden-in-total",
        cells=NUMBERS | {"C1": ("=SUBTOTAL(109,A2:A11)", 55)},
        shape={"hidden_rows": frozenset({14})},
    ),
    Harmless(
        name="a hidden row that is empty",
        code="hidden-in-total",
        cells={**down("A", 1, [1, 2]), **down("A", 4, [4, 5]), "C1": ("=SUM(A1:A5)", 12)},
        shape={"hidden_rows": frozenset({3})},
    ),
    Harmless(
        name="a table that is hidden whole",
        code="hidden-in-total",
        cells={**down("A", 1, [1, 2, 3]), "C9": ("=SUM(A1:A3)", 6)},
        shape={"hidden_rows": frozenset({1, 2, 3})},
    ),
    Harmless(
        name="a merged title above what is summed",
        code="merged-in-table",
        cells={"A1": "Consumo", **down("A", 3, [1, 2, 3]), "C1": ("=SUM(A3:A5)", 6)},
        shape={"merged": (((1, 1), (2, 1)),)},
    ),
    Harmless(
        name="a column of digits kept as text",
        code="number-as-text",
        cells={"A1": "Cuenta", **down("A", 2, ["100245", "100246", "100247", "100248", "100250"])},
    ),
    Harmless(
        name="codes with leading zeros",
        code="number-as-text",
        cells={"A1": "Código", **down("A", 2, ["00123", "00124", "01250", "00007", "00300"])},
    ),
    Harmless(
        name="telephone numbers, one of them with a dash",
        code="text-among-numbers",
        cells={"A1": "Teléfono", **down("A", 2, [22223333, 77778888, 60001111, "7777-1234", 23334444, 22110099])},
    ),
    Harmless(
        name="tax numbers, one of them with its dashes",
        code="text-among-numbers",
        cells={"A1": "NIT", **down("A", 2, [6140101901011, "0614-010190-101-1", 6142502801022, 6141111991023])},
    ),
    Harmless(
        name="a code whose zero only a text keeps, among codes without",
        code="number-as-text",
        cells={"A1": "Clave de sitio", **down("A", 2, [1203, 4410, "0311", 2207, 1188, 9001])},
    ),
    Harmless(
        name="a remark below a column of numbers",
        code="text-among-numbers",
        cells=NUMBERS | {"A12": "Fuente: medidor del cliente"},
    ),
    Harmless(
        name="a column half of words",
        code="text-among-numbers",
        cells=down("A", 1, [1, "alto", 3, "bajo", 5, "alto", 7, "medio"]),
    ),
    Harmless(
        name="a Total below dates",
        code="text-among-dates",
        cells=DATES | {"A12": "Total", "B12": ("=SUM(B2:B11)", 45)},
    ),
    Harmless(
        name="a column of months in words",
        code="date-as-text",
        cells={"A1": "Mes", **down("A", 2, ["2021-09-01", "2021-10-01", "2021-11-01", "2021-12-01"])},
    ),
    Harmless(name="a day in order of time", code="row-out-of-order", cells=quarters()),
    Harmless(name="the newest day first", code="row-out-of-order", cells=daily(range(30, 0, -1))),
    Harmless(
        name="payments: days without one, and days with two",
        code="row-repeated",
        cells=daily(
            [
                0,
                3,
                3,
                4,
                9,
                11,
                11,
                12,
                18,
                20,
                25,
                26,
                26,
                31,
                33,
                40,
                41,
                47,
                48,
                55,
                56,
                60,
                61,
                62,
                70,
                71,
                79,
                85,
                86,
                90,
            ]
        ),
    ),
    Harmless(
        name="months of 28 to 31 days",
        code="rows-missing",
        cells=daily([(datetime(2021 + n // 12, n % 12 + 1, 1) - DAY).days for n in range(30)]),
    ),
    Harmless(
        name="hours that go on past midnight", code="hour-in-two-blocks", cells=hours([5, 18, 21, 23], [17, 20, 22, 4])
    ),
    Harmless(
        name="hours of every block, the last until 23",
        code="hour-in-no-block",
        cells=hours([0, 5, 18, 23], [4, 17, 22, 23]),
    ),
    Harmless(
        name="a space behind a remark that stands nowhere else",
        code="space-in-label",
        cells=down("A", 1, ["VALLE", "RESTO", "revisado con el cliente "]),
    ),
    Harmless(
        name="a table of steps over keys in order, asked for outright",
        code="lookup-approximate",
        cells=hours([0, 5, 18, 23], [4, 17, 22, 23]) | {"E1": 18, "F1": ("=VLOOKUP(E1,$A$2:$C$5,3,TRUE)", "PUNTA")},
    ),
    Harmless(
        name="an exact lookup over names in no order",
        code="lookup-approximate",
        cells={**down("A", 1, ["VALLE", "RESTO", "PUNTA"]), "C1": ('=MATCH("RESTO",A1:A3,0)', 2)},
    ),
    Harmless(
        name="a sum over rows side by side",
        code="ranges-apart",
        cells={
            **down("A", 1, ["VALLE", "RESTO", "VALLE", "RESTO"]),
            **down("B", 1, [1, 2, 4, 8]),
            "D1": ('=SUMIFS(B1:B4,A1:A4,"VALLE")', 5),
        },
    ),
    Harmless(
        name="the reading of the row before, looked up on purpose",
        code="ranges-apart",
        cells={
            **down("A", 2, [2, 3, 4]),
            **down("B", 1, [5, 6, 7]),
            "D1": ("=INDEX(B1:B3,MATCH(3,A2:A4,0)-1+1)", 6),
        },
    ),
    Harmless(
        name="a column of forecasts that there are not yet",
        code="reads-nothing",
        cells={
            **down("A", 2, range(1, 31)),
            "C1": "Pronóstico",
            **filled("D", 2, "=A{row}*C{row}", [0] * 30),
            "F1": ("=SUM(D2:D31)", 0),
        },
    ),
    Harmless(
        name="an opening balance above the formulas",
        code="overwritten-formula",
        cells={
            **down("A", 2, range(1, 8)),
            "B1": 100,
            **filled("B", 2, "=B{last}+A{row}", [101, 103, 106, 110, 115, 121, 128]),
        },
    ),
    Harmless(
        name="an amount that lines of a formula each begin with",
        code="overwritten-formula",
        cells={
            **down("D", 1, [5, 7, 9]),
            "B1": 100,
            "B2": ("=B1+D1", 105),
            "B3": ("=B2*2-D2", 203),
            "B4": ("=ROUND(B3/4,2)+D3", 59.75),
            "B5": ("=MAX(B1:B4)", 203),
        },
    ),
    Harmless(
        name="a column of inputs beside formulas",
        code="overwritten-formula",
        cells=PRICED,
    ),
    Harmless(
        name="a subtotal a day, three days long",
        code="odd-formula",
        cells={
            name: content
            for day in range(3)
            for name, content in (
                *down("A", 1 + day * 4, [1, 2, 3]).items(),
                *filled("B", 1 + day * 4, "=A{row}*4", [4, 8, 12]).items(),
                (f"B{4 + day * 4}", (f"=SUM(B{1 + day * 4}:B{3 + day * 4})", 24)),
            )
        },
    ),
    Harmless(name="a total below the formulas", code="odd-formula", cells=PRICED | {"B12": ("=SUM(B2:B11)", 220)}),
    Harmless(
        name="four quarters of an hour make an hour",
        code="constant-in-formula",
        cells=PRICED | {"D1": ("=ROUND(A2*100/4,2)", 25)},
    ),
    Harmless(
        name="a sheet's name in brackets is a text",
        code="external-link",
        cells={"A1": 'véase "[Tarifas.xlsx]"', "B1": ('=LEN("[Tarifas.xlsx]Hoja1!A1")', 22)},
    ),
    Harmless(
        name="an error that the formula deals with",
        code="error-value",
        cells={"A1": ('=IFERROR(1/0,"")', ""), "A2": "sin #N/A"},
    ),
    Harmless(name="a formula that gives an empty text", code="no-cached-value", cells={"A1": ('=IF(1>2,"a","")', "")}),
)


@pytest.mark.parametrize("case", SLIPS, ids=lambda one: one.name)
def test_a_slip_is_found_at_its_cell_and_says_what_to_do(case: Slip) -> None:
    found = slips(book({"Hoja": case.cells, **case.others}, **case.shape))
    sheet, cell = case.at.split("!") if "!" in case.at else ("Hoja", case.at)
    assert tuple(one.code for one in found) == (case.whole or (case.code,)), [one.message for one in found]
    one = next(one for one in found if one.code == case.code and (one.data["sheet"], one.data["cell"]) == (sheet, cell))
    assert one.subject == f"{sheet}!{cell}"
    assert re.search(rf"{sheet}!{cell}\b", one.message) or f"{sheet}, row" in one.message
    for words in case.says:
        assert words in one.message
    assert one.severity is (Severity.BLOCKING if case.blocks else Severity.WARNING)


@pytest.mark.parametrize("case", HARMLESS, ids=lambda one: one.name)
def test_what_only_looks_like_a_slip_is_none(case: Harmless) -> None:
    found = slips(book({"Hoja": case.cells, **case.others}, **case.shape))
    assert [(one.code, one.subject, one.message) for one in found] == []


def test_a_workbook_that_nobody_calculated_is_one_finding() -> None:
    empty = {name: (one[0], None) if isinstance(one, tuple) else one for name, one in PRICED.items()}
    (one,) = slips(book({"Hoja": empty}))
    assert (one.code, one.data["cell"], one.data["count"]) == ("no-cached-value", "B2", 10)
    assert one.message.startswith("libro.xlsx: none of its 10 formulas has a value")
    assert "Open it in a spreadsheet program, save it" in one.message


def test_the_gravest_come_first_then_in_order_of_the_sheets() -> None:
    wrong = {**NUMBERS, "A5": "n/d", "C9": ("=A2*0.13", 0.13), "C1": ("=SUM(A2:A10)", 41)}
    found = slips(book({"Zeta": wrong, "Alfa": wrong}))
    assert [(one.code, one.subject) for one in found] == [
        ("short-range", "Zeta!C1"),
        ("text-among-numbers", "Zeta!A5"),
        ("short-range", "Alfa!C1"),
        ("text-among-numbers", "Alfa!A5"),
        ("constant-in-formula", "Zeta!C9"),
        ("constant-in-formula", "Alfa!C9"),
    ]


def test_every_code_has_a_slip_and_a_twin() -> None:
    """The codes are the kebab-case constants of the rules' modules."""
    modules = Path(workbook.__path__[0]).glob("slips_*.py")
    constants = {
        node.value
        for module in modules
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    codes = {text for text in constants if re.fullmatch(r"[a-z]+(-[a-z]+)+", text)}
    assert codes == {one.code for one in SLIPS} == {one.code for one in HARMLESS}
