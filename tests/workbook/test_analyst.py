"""What an analyst does to her workbook in a week of work: each error found at its cell, each addition left in peace.

The workbook is the reference one, cut to eight days, so that a case takes seconds; what is true of it follows from the edit alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache

import books
import pytest
from books import BLOCKS, HOURS, METER, RATES, SAMPLES, Place, Workbook, name, spot
from test_mutants import as_read, flagged, said

from eisenergy.workbook import check
from eisenergy.workbook.model import CheckResult, Verdict

LAST = 30 + 8 * 96
"""The last slot: eight days of 96, below row 30."""
FORMULAS = 7_065


@cache
def _week() -> Workbook:
    book = books.reference()
    book.delete_rows(METER, LAST + 1, books.LAST - LAST)
    book.calculate()
    book.touched.clear()
    return book


def week() -> Workbook:
    return _week().copy()


def checked(book: Workbook, tariff: bool = False) -> CheckResult:
    book.calculate()
    return check.check_book(as_read(book, "week.xlsx"), tariff=SAMPLES / "Tarifas EIS-TOU.xlsx" if tariff else None)


def place_of(cell: str) -> Place:
    sheet, _, local = cell.partition("!")
    return sheet, *spot(local)


def column(book: Workbook, letter: str, formula: str, first: int = 31, last: int = LAST) -> None:
    book.put(METER, f"{letter}{first}", formula)
    book.fill(METER, f"{letter}{first}", f"{letter}{first + 1}:{letter}{last}")


Edit = Callable[[Workbook], None]


def typed(sheet: str, **cells: object) -> Edit:
    def edit(book: Workbook) -> None:
        for cell, content in cells.items():
            book.put(sheet, cell, content)  # type: ignore[arg-type]

    return edit


# --- errors: cell -> edit


def shifted(book: Workbook) -> None:
    values = [book[METER, f"C{row}"] for row in range(31, LAST + 1)]
    for row, value in enumerate([values[0], *values[:-1]], 31):
        book.put(METER, f"C{row}", value)


def power_as_energy(book: Workbook) -> None:
    for row in range(31, LAST + 1):
        book.put(METER, f"C{row}", book[METER, f"D{row}"])


def out_of_scale(book: Workbook) -> None:
    for letter in "CD":
        book.put(METER, f"{letter}300", book[METER, f"{letter}300"] * 1000)  # type: ignore[operator]


def forecasts_deleted(book: Workbook) -> None:
    for row in range(30, LAST + 1):
        book.put(METER, f"I{row}", None)


ERRORS: dict[str, tuple[str, str, Edit]] = {
    "vat-thirty-one": ("vat-rate-unlikely", f"{METER}!E7", typed(METER, E7=0.31)),
    "retention-of-all": ("retention-above-vat", f"{METER}!E8", typed(METER, E8=1)),
    "loss-factor-in-percent": ("parameter-unlikely", f"{METER}!B7", typed(METER, B7=1.53)),
    "fee-as-text": ("number-as-text", f"{METER}!E5", typed(METER, E5="12,50")),
    "period-of-another-month": ("period-differs", f"{METER}!B5", typed(METER, B5=datetime(2021, 8, 1))),  # noqa: DTZ001
    "rate-ten-times": ("rate-jumps", f"{RATES}!C6", typed(RATES, C6=1.09874)),
    "rate-a-day-late": ("rate-date-alone", f"{RATES}!B6", typed(RATES, B6=datetime(2021, 7, 16))),  # noqa: DTZ001
    "rates-of-two-blocks-swapped": ("rates-out-of-rank", f"{RATES}!C6", typed(RATES, C6=0.121456, C7=0.109874)),
    "rate-of-a-misspelt-block": ("block-without-hours", f"{RATES}!A6", typed(RATES, A6="RESTOO")),
    "block-twice-in-the-matrix": ("not-once", f"{METER}!A13", typed(METER, A13="RESTO")),
    "hour-twice": ("not-once", f"{HOURS}!A20", typed(HOURS, A20=17)),
    "hours-with-a-gap": ("hour-in-no-block", f"{BLOCKS}!B3", typed(BLOCKS, A4=19)),
    "month-mistyped": ("date-out-of-place", f"{METER}!A500", typed(METER, A500=datetime(2021, 8, 5))),  # noqa: DTZ001
    "day-mistyped": ("date-out-of-place", f"{METER}!A500", typed(METER, A500=datetime(2021, 9, 7))),  # noqa: DTZ001
    "reading-left-out": ("reading-missing", f"{METER}!C481", typed(METER, C481=None)),
    "kwh-a-row-lower": ("rows-shifted", f"{METER}!C32", shifted),
    "kwh-are-kw": ("kwh-unlike-kw", f"{METER}!C31", power_as_energy),
    "reading-times-a-thousand": ("reading-out-of-scale", f"{METER}!C300", out_of_scale),
    "forecasts-deleted": ("reads-nothing", f"{METER}!R31", forecasts_deleted),
    "moment-of-the-row-above": (
        "ranges-apart",
        f"{METER}!E14",
        typed(
            METER,
            E14=f"=INDEX($A$30:$A${LAST - 1},MATCH(D14,$D$31:$D${LAST},0))+INDEX($B$31:$B${LAST},MATCH(D14,$D$31:$D${LAST},0))",
        ),
    ),
}


WARNINGS = {"rate-jumps", "rate-date-alone", "rates-out-of-rank", "reading-out-of-scale"}
"""What may be meant: a warning, which stops nobody."""


def test_the_week_passes() -> None:
    """A table of daily rates that goes on after the last reading is no fault."""
    result = checked(week())
    assert result.passed, said(result, flagged(result))
    assert result.counts[Verdict.EQUAL] == FORMULAS == len(result.cells)


QUICK = 12
"""Every twelfth error is planted in `make test`, all of them in `make test-long`."""


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.long) if n % QUICK else case for n, case in enumerate(ERRORS)]
)
def test_the_error_is_found_at_its_cell(case: str) -> None:
    code, cell, edit = ERRORS[case]
    book = week()
    edit(book)
    result = checked(book)
    found = flagged(result)
    assert code in found.get(place_of(cell), set()), said(result, found)
    assert result.passed is (code in WARNINGS)
    innocent = set(found) - book.dependents(book.touched) - book.touched - {place_of(cell)}
    assert not {place for place in innocent if place[2] > 3 or place[0] != METER}, said(result, found)


def test_a_mistyped_year_leaves_the_bill_understood() -> None:
    book = week()
    book.put(METER, "A500", datetime(2020, 9, 5))  # noqa: DTZ001
    result = checked(book)
    assert "date-out-of-place" in flagged(result)[METER, 500, 1]
    assert result.counts[Verdict.NOT_UNDERSTOOD] == 0
    assert result.counts[Verdict.DIFFERENT] < 30


def test_a_price_sheet_borrows_the_vat_rate_and_the_rules() -> None:
    assert checked(week(), tariff=True).passed


def test_a_total_that_no_word_names_is_not_passed_over() -> None:
    book = week()
    book.put(METER, "A26", "Importe")
    book.put(METER, "A22", "Importe")
    book.put(METER, "B26", "=SUM(B22:B25)*2")
    assert not checked(book).passed


# --- additions: formulas that are none of the bill -> edit


def total_row(book: Workbook) -> None:
    book.put(METER, f"A{LAST + 1}", "TOTAL")
    for letter in "CKMOR":
        book.put(METER, f"{letter}{LAST + 1}", f"=SUM({letter}31:{letter}{LAST})")


def mean_in_the_matrix(book: Workbook) -> None:
    book.put(METER, "A15", "Promedio")
    for letter in "BCFGH":
        book.put(METER, f"{letter}15", f"=AVERAGE({letter}11:{letter}13)")


def helper_column(book: Workbook) -> None:
    book.put(METER, "S30", "Vigencia")
    column(
        book,
        "S",
        "=SUMPRODUCT(MAX((Tarifas!$A$2:$A$10=H31)*(Tarifas!$B$2:$B$10<=A31)*Tarifas!$B$2:$B$10))",
    )
    column(book, "J", "=SUMIFS(Tarifas!$C$2:$C$10,Tarifas!$A$2:$A$10,H31,Tarifas!$B$2:$B$10,S31)")


def mean_rate_apart(book: Workbook) -> None:
    formula = book[METER, "B17"]
    assert isinstance(formula, str)
    book.put(METER, "D17", "Tarifa media de demanda")
    book.put(METER, "E17", formula.replace("=ROUND(D14*", "=").removesuffix(",2)"))
    book.put(METER, "B17", "=ROUND(D14*E17,2)")


def sums_per_day(book: Workbook) -> None:
    book.sheets["Diario"] = books.Sheet()
    for letter, text in zip("ABC", ("Dia", "Energia kWh", "Costo energia"), strict=True):
        book.put("Diario", f"{letter}1", text)
    for day in range(30):
        row = day + 2
        book.put("Diario", f"A{row}", datetime(2021, 9, 1) + timedelta(days=day), form=books.DAY)  # noqa: DTZ001
        for letter, source in (("B", "C"), ("C", "K")):
            area = f"'{METER}'!${source}$31:${source}${LAST}"
            book.put("Diario", f"{letter}{row}", f"=SUMIFS({area},'{METER}'!$A$31:$A${LAST},A{row})")
    book.put("Diario", "A33", "Total")
    book.put("Diario", "B33", "=SUM(B2:B31)")
    # before the meter's sheet, as she may put it
    book.sheets = {"Diario": book.sheets.pop("Diario"), **book.sheets}


def for_printing(book: Workbook) -> None:
    book.sheets = {"Impresion": books.Sheet(), **book.sheets}
    for row in range(16, 27):
        book.put("Impresion", f"A{row}", book[METER, f"A{row}"])
        book.put("Impresion", f"B{row}", f"='{METER}'!B{row}")


def units_above(book: Workbook) -> None:
    for letter, unit in zip(
        "CDEFGHIJKLMNO",
        ["kWh", "kW", "kVA", "kVAR", "h", "-", "kWh", "USD/kWh", "USD", "-", "USD", "USD/kWh", "USD"],
        strict=True,
    ):
        book.put(METER, f"{letter}29", unit)


def rates_said_with_labels(book: Workbook) -> None:
    for cell, text in {
        "A23": "IVA (13%)",
        "A24": "(-) Retencion IVA 1 %",
        "D7": "IVA (%)",
        "A16": "1. Costo de energia",
    }.items():
        book.put(METER, cell, text)


def hours_half_open(book: Workbook) -> None:
    for row, end in enumerate((5, 18, 23, 24), 2):
        book.put(BLOCKS, f"B{row}", end)
    book.change(HOURS, "B2:B25", ">=", ">")


def days_by_formula(book: Workbook) -> None:
    for row in range(127, LAST + 1):
        book.put(METER, f"A{row}", f"=A{row - 96}+1", form=books.DAY)


ADDITIONS: dict[str, tuple[int, Edit]] = {
    "total-row-under-the-slots": (5, total_row),
    "mean-in-the-matrix": (5, mean_in_the_matrix),
    "helper-column": (LAST - 30, helper_column),
    "mean-rate-in-a-cell-of-its-own": (1, mean_rate_apart),
    "sums-per-day": (61, sums_per_day),
    "sheet-for-printing": (0, for_printing),
    "units-above-the-header": (0, units_above),
    "rates-said-with-labels": (0, rates_said_with_labels),
    "hours-that-end-where-the-next-begin": (0, hours_half_open),
    "kw-computed": (LAST - 30, lambda book: column(book, "D", "=C31*4")),
    "days-by-formula": (LAST - 126, days_by_formula),
    "notes-beside-parameters": (
        0,
        lambda book: [book.put(METER, f"C{row}", "(contrato)") for row in range(2, 9)] and None,
    ),
    "parameters-as-formulas": (2, typed(METER, E7="=13/100", E6="=2/100")),
    "title-between-matrix-and-lines": (0, typed(METER, A15="Factura")),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.long) if n % 5 else case for n, case in enumerate(ADDITIONS)]
)
def test_the_addition_is_left_in_peace(case: str) -> None:
    beside, edit = ADDITIONS[case]
    book = week()
    edit(book)
    assert book.touched
    result = checked(book)
    found = flagged(result)
    assert result.passed, said(result, found)
    assert result.counts[Verdict.DIFFERENT] == result.counts[Verdict.NOT_UNDERSTOOD] == 0, said(result, found)
    assert result.counts[Verdict.NOT_OURS] == beside, said(result, found)
    assert result.counts[Verdict.EQUAL] == len(result.cells) - beside


def test_a_step_to_what_is_wrong_is_no_step() -> None:
    book = week()
    mean_rate_apart(book)
    book.put(METER, "B17", "=ROUND(D13*E17,2)")
    result = checked(book)
    judged = {name(one.place.row, one.place.column): one.verdict for one in result.cells if one.place.sheet == METER}
    assert judged["B17"] is Verdict.DIFFERENT
    assert judged["E17"] is Verdict.NOT_UNDERSTOOD
