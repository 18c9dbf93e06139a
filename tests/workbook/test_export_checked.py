"""Every workbook that an export can write is understood by the check: nothing different, nothing not understood, the invoice's amount.

Each is computed again from its input cells before it is checked, so that no value of the library's stands in it; and an error
planted in one is found.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import exported
import polars as pl
import pytest
from billing_cases import make_case
from issued import AWKWARD, RATES, TEXTS, bill_of, hours, kinds_of_day, quarters, readings, renamed, three
from small import METER, spot

from eisenergy.findings import Severity
from eisenergy.period import Period
from eisenergy.tariffs.model import BillingRules, DemandBasis, DeviationMode, LossBasis, RateKind, ScalarKind
from eisenergy.timeofuse import DayCalendar, DayType, Season
from eisenergy.workbook import evaluate, export
from eisenergy.workbook.book import Book, Grid, Key, open_book
from eisenergy.workbook.check import check, check_book
from eisenergy.workbook.evaluators import Evaluated
from eisenergy.workbook.model import CellCheck, CheckResult, Value, Verdict

LONG_AGO = date(2020, 1, 1)


def september(first: int, last: int) -> Period:
    return Period(date(2021, 9, first), date(2021, 9, last + 1))


def weekends_by_quarters() -> DayCalendar:
    """Borders within an hour that differ by the kind of day, and by a season that begins with the year."""
    work = frozenset({DayType.WEEKDAY})
    rest = frozenset(DayType) - work
    return DayCalendar(
        name="cuartos y dias",
        rows=hours((1290, 345, "NOCHE"), (345, 1050, "DIA"), (1050, 1290, "PICO"), day_types=work, season="Seca")
        + hours((0, 435, "NOCHE"), (435, 1440, "DIA"), day_types=work, season="Nueva")
        + hours((0, 1440, "NOCHE"), day_types=rest),
        seasons=(Season(name="Nueva", start_month=1, start_day=1), Season(name="Seca", start_month=11, start_day=1)),
    )


def fully_forecast(period: Period, **given: Any) -> pl.DataFrame:
    """Every reading has a forecast; a price of its own stands beside every second one."""
    frame = readings(period, forecast_kwh=4.0)
    second = pl.col("source_row") % 2 == 0
    return frame.with_columns(pl.when(second).then(pl.lit(price)).alias(name) for name, price in given.items())


def flat(price: str) -> dict[str, dict[date, str]]:
    return {block: {LONG_AGO: price, date(2021, 9, 15): f"{price}5"} for block in RATES}


def rules(**options: Any) -> BillingRules:
    return BillingRules(ftpms_blocks=("PICO", "NOCHE"), **options)


def named(*names: str) -> export.Source:
    """A bill of three blocks with such names."""
    prices = dict(zip(names, RATES.values(), strict=True))
    return bill_of(renamed(prices), prices, period=september(14, 15), rules=BillingRules(ftpms_blocks=names[:2]))


def random(**changes: Any) -> export.Source:
    """A random bill of three days with all prices, some of them changed."""
    case = make_case(200_009, "days")
    return exported.source_of_case(dataclasses.replace(case, **{name: of(case) for name, of in changes.items()}))


EXPORTS: Mapping[str, Callable[[], export.Source]] = {
    "kinds of day": lambda: bill_of(kinds_of_day(), period=september(10, 15)),
    "kinds of day, one day": lambda: bill_of(kinds_of_day(), period=september(12, 12)),
    "kinds of day, by quarters, over New Year": lambda: bill_of(
        weekends_by_quarters(), period=Period(date(2021, 12, 30), date(2022, 1, 5))
    ),
    "quarters": lambda: bill_of(quarters(), period=september(14, 15)),
    "the clock is set forward": lambda: bill_of(
        three(), period=Period(date(2021, 3, 27), date(2021, 3, 30)), zone="Europe/Madrid"
    ),
    "the clock is set back": lambda: bill_of(
        three(), period=Period(date(2021, 10, 30), date(2021, 11, 2)), zone="Europe/Madrid"
    ),
    "the clock is set back in New York": lambda: bill_of(
        quarters(), period=Period(date(2021, 11, 6), date(2021, 11, 8)), zone="America/New_York"
    ),
    "the clock is set back by half an hour": lambda: bill_of(
        three(), period=Period(date(2021, 4, 3), date(2021, 4, 6)), zone="Australia/Lord_Howe"
    ),
    "the clock is set back from one o'clock to midnight": lambda: bill_of(
        kinds_of_day(), period=Period(date(2021, 11, 6), date(2021, 11, 9)), zone="America/Havana"
    ),
    "the clock is set forward at midnight": lambda: bill_of(
        three(), period=Period(date(2021, 3, 13), date(2021, 3, 16)), zone="America/Havana"
    ),
    "a loss factor with dates": lambda: bill_of(
        three(),
        period=september(14, 16),
        scalars={ScalarKind.LOSS_FACTOR: {LONG_AGO: "0.01", date(2021, 9, 15): "0.02", date(2021, 9, 16): "0.015"}},
        rules=rules(loss_basis=LossBasis.ENERGY),
        loss_factor=None,
    ),
    "a loss factor with dates, and of some readings": lambda: bill_of(
        three(),
        period=september(14, 16),
        scalars={ScalarKind.LOSS_FACTOR: {LONG_AGO: "0.01", date(2021, 9, 15): "0.02"}},
        frame=fully_forecast(september(14, 16), loss_factor=0.5),
        loss_factor=None,
    ),
    "prices of some readings": lambda: bill_of(
        three(),
        period=september(14, 16),
        frame=fully_forecast(september(14, 16), loss_factor=0.5, ftpms=0.25, cost_neg=0.75, cost_pos=0.125),
        rates_too={RateKind.COST_NEG: flat("0.3"), RateKind.COST_POS: flat("0.2"), RateKind.FTPMS: flat("0.004")},
        rules=rules(deviation_mode=DeviationMode.BOTH),
    ),
    "one price of FTPMS beside every reading, another in the tariff": lambda: bill_of(
        three(), period=september(14, 14), frame=readings(september(14, 14), ftpms=0.25)
    ),
    "FTPMS in no block": lambda: bill_of(three(), period=september(14, 14), rules=BillingRules(ftpms_blocks=())),
    "blocks named like patterns": lambda: named(*AWKWARD),
    "blocks named like numbers and dates": lambda: named(*TEXTS),
    "blocks named like cells and months": lambda: named("A1", "Sep", "TRUE"),
    "blocks named by signs alone": lambda: named("*", "+", "¡!"),
    "blocks named alike but for a sign": lambda: named("P+", "P-", "P"),
    "blocks named by several words": lambda: named("Punta, alta", "Punta", "alta y baja"),
    "blocks named like headers": lambda: named("Bloque", "Total", "IVA"),
    "a demand rate that ended, of no block of the calendar": lambda: bill_of(
        three(),
        {**RATES, "VIEJO": "0.3"},
        period=september(14, 16),
        rates_too={
            RateKind.DEMAND: {**flat("7.0"), "VIEJO": {LONG_AGO: "6", date(2021, 9, 1): None}},
        },
        rules=BillingRules(demand_rate_block="PICO", ftpms_blocks=("PICO",)),
    ),
    "a contract that starts and ends inside the month": lambda: bill_of(
        three(), period=september(14, 17), start=date(2021, 9, 14), end=date(2021, 9, 18)
    ),
    "readings missing on the first and the last day": lambda: bill_of(
        three(), period=september(13, 17), frame=readings(september(14, 16))
    ),
    "a few intervals": lambda: bill_of(three(), period=september(14, 14), frame=readings(september(14, 14)).head(3)),
    "the highest power of every block": lambda: bill_of(
        three(), period=september(13, 16), rules=rules(demand_basis=DemandBasis.BLOCK_MAX)
    ),
    "losses of energy, both deviations": lambda: bill_of(
        three(),
        period=september(13, 16),
        frame=readings(september(13, 16), forecast_kwh=4.0, cost_neg=0.5, cost_pos=0.25),
        rules=rules(loss_basis=LossBasis.ENERGY, deviation_mode=DeviationMode.BOTH),
    ),
    "corrections": lambda: random(corrections=lambda _: [Fraction(-25, 2), Fraction(3333, 1000)]),
    "one correction": lambda: random(corrections=lambda _: [Fraction(777, 100)]),
}


def planted(book: Book, changes: Mapping[str, Value]) -> Book:
    """Put values, or formulas, into cells: ``{"Tarifas!C3": 0.2}``; a cell without a sheet is the meter's."""
    for name, content in changes.items():
        key = key_of(name)
        grid = book.grids[key[0]]
        formulas = {place: text for place, text in grid.formulas.items() if place != key[1:]}
        if isinstance(content, str) and content.startswith("="):
            formulas[key[1:]] = content
        changed: Grid = dataclasses.replace(grid, formulas=formulas, values=grid.values | {key[1:]: content})
        book = dataclasses.replace(book, grids=book.grids | {key[0]: changed})
    return book


def key_of(name: str) -> Key:
    sheet, _, local = name.rpartition("!")
    row, column = spot(local)
    return sheet or METER, row, column


def recomputed(book: Book) -> Book:
    """The book with every formula's value computed from the cells that hold none."""
    bare = {
        name: dataclasses.replace(grid, values={p: v for p, v in grid.values.items() if p not in grid.formulas})
        for name, grid in book.grids.items()
    }
    empty = dataclasses.replace(book, grids=bare)
    return empty.filled(evaluate.afresh(empty, Evaluated(values={})).values)


def exported_book(source: export.Source, folder: Path) -> Book:
    return open_book(export.write(source, folder / "FAC-000001.xlsx"))


def wrong(result: CheckResult) -> list[CellCheck]:
    return [one for one in result.cells if one.verdict not in (Verdict.EQUAL, Verdict.NOT_OURS) or one.stale]


def total_of(result: CheckResult) -> Value:
    (total,) = (one for one in result.cells if one.role == "line.total")
    return total.ours


def understood(source: export.Source, result: CheckResult) -> None:
    assert [(str(one.place), one.verdict, one.found, one.ours) for one in wrong(result)][:5] == []
    assert [one.message for one in result.findings if one.severity is Severity.BLOCKING] == []
    assert result.passed
    assert total_of(result) == float(exported.issued(source)["total"])
    # the explanation repeats the amounts, and nothing else is none of the bill's
    assert {one.place.sheet for one in result.cells if one.verdict is Verdict.NOT_OURS} <= {"Cómo se calcula"}


def one_of_eight(names: Iterable[str]) -> list[Any]:
    """Every name; seven of eight are left to ``make test-long``."""
    return [pytest.param(name, marks=[pytest.mark.long] if number % 8 else []) for number, name in enumerate(names)]


@pytest.mark.parametrize("name", one_of_eight(EXPORTS))
def test_an_export_is_understood(name: str, tmp_path: Path) -> None:
    source = EXPORTS[name]()
    understood(source, check_book(recomputed(exported_book(source, tmp_path))))


def flagged(result: CheckResult) -> dict[str, set[str]]:
    """Cell -> verdicts and findings, without what only follows from another cell."""
    found: dict[str, set[str]] = {}
    for one in wrong(result):
        if not one.follows:
            found.setdefault(str(one.place), set()).add(one.verdict.value)
    for finding in result.findings:
        if finding.severity is not Severity.INFO and finding.data.get("cell"):
            found.setdefault(f"{finding.data['sheet']}!{finding.data['cell']}", set()).add(finding.code)
    return found


DIFFERENT = Verdict.DIFFERENT.value
HOURS, TYPED = "Hora-Bloque", "overwritten-formula"
BLOCKS_OF = "Bloques horarios"

PLANTED: Mapping[str, tuple[str, Mapping[str, Value], Mapping[str, str]]] = {
    # 10 September is a Friday, 11 a Saturday, 12 a Sunday; column C of the hours is Saturday's
    "a block typed over one kind of day's": ("kinds of day", {f"{HOURS}!C14": "PICO"}, {f"{HOURS}!C14": TYPED}),
    "a block of another kind of day": (
        "kinds of day",
        {f"{HOURS}!C25": f"={HOURS}!B25".replace(HOURS, f"'{HOURS}'")},
        {f"{HOURS}!C25": DIFFERENT},
    ),
    "the column of another kind of day": (
        "kinds of day",
        {"Dias!C3": 2},
        {f"{METER}!H{row}": DIFFERENT for row in range(199, 223)},  # from 18 hours on: PICO for DIA
    ),
    "a kind of day that has no hours": ("kinds of day", {"Dias!B3": "Sabbado"}, {"Dias!A2": "day-without-hours"}),
    "hours that two rows of one kind of day claim": (
        "kinds of day",
        {f"{BLOCKS_OF}!A7": 22},
        {f"{BLOCKS_OF}!A7": "hour-in-two-blocks"},
    ),
    "a quarter that no row covers": (
        "quarters",
        {f"{BLOCKS_OF}!B3": 17.0},
        {f"{BLOCKS_OF}!B3": "hour-in-no-block"},
    ),
    "an interval that looks up the hour, not the quarter": (
        "quarters",
        {"H54": f"=VLOOKUP(HOUR(B54),'{HOURS}'!$A$2:$B$97,2,FALSE())"},
        {f"{METER}!H54": DIFFERENT},
    ),
    # the hour from 2:00 stands in rows 135 to 138 and again in 139 to 142
    "an interval of the repeated hour that stands there a third time": (
        "the clock is set back",
        {"B143": 2.25 / 24},
        {f"{METER}!A143": "date-out-of-place"},
    ),
    "an interval typed into the hour that is not": (
        "the clock is set forward",
        {"B135": 2.0 / 24},
        {f"{METER}!B135": "no-such-time"},
    ),
    "the loss factor of the day before": (
        "a loss factor with dates",
        {
            "L140": "=SUMIFS(Tarifas!$N$2:$N$4,Tarifas!$M$2:$M$4,SUMPRODUCT(MAX((Tarifas!$M$2:$M$4<A140)*Tarifas!$M$2:$M$4)))"
        },
        {f"{METER}!L140": DIFFERENT},
    ),
    "an amount that forgets what stands in for a price": (
        "prices of some readings",
        {"R31": "=MAX(0,I31-C31)*Q31+MAX(0,C31-I31)*P31"},
        {f"{METER}!R31": DIFFERENT},
    ),
    "a correction left out of its line": (
        "corrections",
        {"B22": "=ROUND(SUM(Correcciones!$D$2:$D$2),2)"},
        {f"{METER}!B22": DIFFERENT},
    ),
    "a correction typed in": ("corrections", {"B22": -12.5}, {f"{METER}!B22": TYPED}),
    "a rate that is missing where it is charged": (
        "a demand rate that ended, of no block of the calendar",
        {"Tarifas!D13": None},  # PICO's, from the 15th on
        {"Tarifas!D13": "rate-missing"},
    ),
}
"""Export, what is put into its cells, and the cells that must be pointed at for that."""


@pytest.mark.parametrize("name", one_of_eight(PLANTED))
def test_an_error_planted_in_an_export_is_found(name: str, tmp_path: Path) -> None:
    made, changes, expected = PLANTED[name]
    book = recomputed(planted(exported_book(EXPORTS[made](), tmp_path), changes))
    result = check_book(book)
    found = flagged(result)
    assert not result.passed
    missed = {cell: what for cell, what in expected.items() if what not in found.get(cell, ())}
    assert not missed, found


# ------------------------------------------------------------------------------------------------ other layouts of the same


def renamed_texts(book: Book, names: Mapping[str, str]) -> Book:
    """Other words in cells that hold just these."""
    grids = {
        title: dataclasses.replace(
            grid, values={p: names.get(v, v) if isinstance(v, str) else v for p, v in grid.values.items()}
        )
        for title, grid in book.grids.items()
    }
    return dataclasses.replace(book, grids=grids)


ENGLISH = {
    "HoraInicial": "First hour",
    "HoraFinal": "Last hour",
    "Bloque": "Block",
    "Hora": "Hour",
    "Tipo de día": "Day type",
    "Dia": "Date",
    "Columna": "Column",
    "PerdidasDesde": "Losses from",
    "Factor de perdidas": "Loss factor",
    "Zona horaria": "Time zone",
    "Diferencia": "Difference",
    "Periodo": "Period",
}


@pytest.mark.parametrize(
    "name",
    one_of_eight(["kinds of day", "quarters", "the clock is set back", "a loss factor with dates", "corrections"]),
)
def test_english_words_are_understood_as_well(name: str, tmp_path: Path) -> None:
    source = EXPORTS[name]()
    understood(source, check_book(recomputed(renamed_texts(exported_book(source, tmp_path), ENGLISH))))


@pytest.mark.long
def test_columns_of_kinds_of_days_may_be_computed(tmp_path: Path) -> None:
    """The number of a kind's column as a look-up in the headers of the hours."""
    source = EXPORTS["kinds of day"]()
    formulas = {f"Dias!C{row}": f"=MATCH(B{row},'{HOURS}'!$A$1:$E$1,0)" for row in range(2, 8)}
    result = check_book(recomputed(planted(exported_book(source, tmp_path), formulas)))
    understood(source, result)
    assert {one.role for one in result.cells if one.place.sheet == "Dias"} == {"kinds.column"}


def test_kinds_of_days_may_be_told_by_their_names(tmp_path: Path) -> None:
    """Without a table of days: the kinds are named after the days of the week, and each interval computes its column."""
    period = september(10, 13)
    source = bill_of(weekends(), period=period)
    book = exported_book(source, tmp_path)
    words = dict.fromkeys(("Laboral",), "Lunes a viernes") | {"Sábado / Domingo": "Fin de semana"}
    book = renamed_texts(book, words)
    book = dataclasses.replace(book, grids={name: grid for name, grid in book.grids.items() if name != "Dias"})
    last = 30 + 96 * period.days
    blocks = {
        f"H{row}": f"=VLOOKUP(G{row},'{HOURS}'!$A$2:$C$25,IF(WEEKDAY(A{row},2)>5,3,2),FALSE())"
        for row in range(31, last + 1)
    }
    understood(source, check_book(recomputed(planted(book, blocks))))


@pytest.mark.parametrize("computed", [pytest.param(False, marks=pytest.mark.long), True])
def test_the_kind_of_day_may_stand_beside_the_readings(computed: bool, tmp_path: Path) -> None:
    """A column of the intervals, typed or looked up by the date, by which each finds its column of hours."""
    source = bill_of(weekends(), period=september(10, 13))
    book = exported_book(source, tmp_path)
    kinds = [value for (_, column), value in sorted(book.grids["Dias"].values.items()) if column == 2][1:]
    assert set(kinds) == {"Laboral", "Sábado / Domingo"}
    cells: dict[str, Value] = {"T30": "Tipo de día"}
    for row in range(31, 31 + 96 * len(kinds)):
        day = (row - 31) // 96
        cells[f"T{row}"] = f"=VLOOKUP(A{row},Dias!$A$2:$B$5,2,FALSE())" if computed else kinds[day]
        cells[f"H{row}"] = f"=VLOOKUP(G{row},'{HOURS}'!$A$2:$C$25,MATCH(T{row},'{HOURS}'!$A$1:$C$1,0),FALSE())"
    if not computed:
        book = dataclasses.replace(book, grids={name: grid for name, grid in book.grids.items() if name != "Dias"})
    result = check_book(recomputed(planted(book, cells)))
    understood(source, result)
    assert ("slot.day_kind" in {one.role for one in result.cells}) is computed


def weekends() -> DayCalendar:
    work = frozenset({DayType.WEEKDAY})
    return DayCalendar(
        name="fines de semana",
        rows=hours((0, 360, "NOCHE"), (360, 1080, "DIA"), (1080, 1440, "PICO"), day_types=work)
        + hours((0, 720, "NOCHE"), (720, 1440, "DIA"), day_types=frozenset(DayType) - work),
    )


@pytest.mark.long
def test_the_time_zone_that_is_given_beats_the_one_that_is_stated(tmp_path: Path) -> None:
    source = EXPORTS["the clock is set back"]()
    book = exported_book(source, tmp_path)
    assert check_book(book, timezone="Europe/Madrid").passed
    assert {one.code for one in check_book(book, timezone="America/El_Salvador").findings} >= {"slot-repeated"}
    elsewhere = check_book(renamed_texts(book, {"Europe/Madrid": "Marte/Olimpo"}))
    assert "slot-repeated" in {one.code for one in elsewhere.findings}


# ------------------------------------------------------------------------------------------------ random bills


@pytest.mark.long
@pytest.mark.parametrize(("size", "first", "count"), [("small", 0, 150), ("days", 200_000, 40), ("month", 400_000, 3)])
def test_random_exports_are_understood(size: str, first: int, count: int, tmp_path: Path) -> None:
    for seed in range(first, first + count):
        case = make_case(seed, size)
        source = exported.source_of_case(case)
        result = check(export.write(source, tmp_path / f"{size}-{seed}.xlsx"))
        assert [(seed, str(one.place), one.verdict, one.found, one.ours) for one in wrong(result)][:5] == []
        understood(source, result)
        assert total_of(result) == float(exported.truth(case)["total"])
