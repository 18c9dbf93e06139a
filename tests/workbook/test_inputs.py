"""What a bill is made from is read as it stands, also where somebody typed it as a text; what cannot be read is told at its cell."""
# ruff: noqa: DTZ001  a spreadsheet's dates have no zone

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import daybill
import pytest
from daybill import DAY, Sheets
from hypothesis import given
from hypothesis import strategies as st
from small import book, grid

from eisenergy.accounts import Sourced
from eisenergy.findings import Severity
from eisenergy.period import Dated, Period
from eisenergy.tariffs.model import (
    BillingRules,
    DemandBasis,
    DeviationMode,
    LossBasis,
    RateKind,
    ScalarKind,
    Tariff,
)
from eisenergy.workbook.book import Book
from eisenergy.workbook.input_cells import day_of, exact, minutes_of, number_of, values_of
from eisenergy.workbook.input_model import Inputs
from eisenergy.workbook.inputs import collect
from eisenergy.workbook.meaning import understand

ZONE = "America/El_Salvador"
NUMBERS = [
    ("25.02", 25.02),
    ("25,02", 25.02),
    (" 25.02 ", 25.02),
    ("-25,02", -25.02),
    ("\u221225.02", -25.02),
    ("+3", 3.0),
    (".5", 0.5),
    (",5", 0.5),
    ("5.", 5.0),
    ("1e-5", 1e-5),
    ("007", 7.0),
    ("1,234", 1.234),  # one comma alone is decimal, as a text pasted from a meter's download has it
    ("1.234", 1.234),
    ("1,234.5", 1234.5),
    ("1.234,5", 1234.5),
    ("1 234,5", 1234.5),
    ("1\u00a0234,5", 1234.5),
    ("1.234.567", 1_234_567.0),
    ("1,234,567", 1_234_567.0),
    ("12,345,678.9", 12_345_678.9),
    ("25.02 kWh", 25.02),
    ("100,08kW", 100.08),
    ("$12.50", 12.5),
    ("US$ 12.50", 12.5),
    ("12.50 USD", 12.5),
    ("13%", 0.13),
    ("13 %", 0.13),
    ("1,1 %", 0.011),
]
NO_NUMBERS = [
    *(
        "",
        " ",
        "n/d",
        "-",
        "+",
        ".",
        "kWh",
        "%",
        "25.02.",
        "--5",
        "5-",
        "1.2.3",
        "1,23,4",
        "1.234,567,8",
        "12,34,567.8",
    ),
    *("0x10", "1_000", "nan", "inf", "1e999", "15/09/2021", "18:15", "0614-010190-101-1", "#N/A", "uno"),
]


@pytest.mark.parametrize(("text", "number"), NUMBERS)
def test_a_number_typed_as_text_is_read(text: str, number: float) -> None:
    assert number_of(text) == number


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_a_text_that_is_no_number_is_none(text: str) -> None:
    assert number_of(text) is None


@pytest.mark.parametrize("value", [None, True, False, DAY, DAY.date(), time(18)])
def test_what_is_neither_number_nor_text_has_no_number(value: Any) -> None:
    assert number_of(value) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_written_with_a_comma_or_a_point_is_read_back(number: float) -> None:
    assert number_of(number) == number
    assert number_of(repr(number)) == number
    assert number_of(repr(number).replace(".", ",")) == number


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_money_with_groups_of_thousands_is_read_back(amount: Decimal) -> None:
    english = f"{amount:,}"
    assert number_of(english) == float(amount)
    assert number_of(english.translate(str.maketrans(",.", ".,"))) == float(amount)


@given(st.decimals(min_value=-100, max_value=1000, places=3))
def test_a_share_in_per_cent_is_the_decimal_it_shows(share: Decimal) -> None:
    assert exact(number_of(f"{share} %") or 0.0) == share / 100


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (DAY, DAY),
        (date(2021, 9, 1), DAY),
        (44440, DAY),
        (44440.75, datetime(2021, 9, 1, 18)),
        ("2021-09-01", DAY),
        ("2021-09-01 18:15", datetime(2021, 9, 1, 18, 15)),
        ("2021-09-01T18:15:00", datetime(2021, 9, 1, 18, 15)),
        ("01/09/2021", DAY),
        ("1/9/2021", DAY),
        ("01-09-2021", DAY),
        ("01.09.2021", DAY),
        (" 01/09/2021 ", DAY),
        ("01/09/2021 18:15", datetime(2021, 9, 1, 18, 15)),
        ("01/09/2021 18:15:00", datetime(2021, 9, 1, 18, 15)),
        # what is left of 18:15 as a fraction of a day
        (datetime(2021, 9, 1, 18, 14, 59, 999_000), datetime(2021, 9, 1, 18, 15)),
    ],
)
def test_a_day_or_moment_is_read(value: Any, moment: datetime) -> None:
    assert day_of(value) == moment


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 0, 5, 0.75, 19_999, 90_000, time(18), "", "ayer", "2021", "5614086", "31/02/2021", "09/15/2021"),
        *("01/09/21", "01/09/20215", "01/09/2021 y algo", "01/09/2021 25:00", "18:15", "01-sep-2021"),
    ],
)
def test_what_is_no_day_is_none(value: Any) -> None:
    assert day_of(value) is None


@given(st.datetimes(min_value=datetime(1960, 1, 1), max_value=datetime(2100, 1, 1)))
def test_every_day_written_either_way_round_is_read_back(moment: datetime) -> None:
    day = datetime(moment.year, moment.month, moment.day)
    assert day_of(f"{day:%d/%m/%Y}") == day_of(f"{day:%Y-%m-%d}") == day
    assert day_of((day - datetime(1899, 12, 30)).days) == day


@pytest.mark.parametrize(
    ("value", "minutes"),
    [
        (time(18, 15), 1095),
        (time(18, 14, 59, 999_000), 1095),
        (datetime(2021, 9, 1, 18, 15), 1095),
        (timedelta(hours=18, minutes=15), 1095),
        (0.760416666666667, 1095),
        (0, 0),
        (0.0, 0),
        ("18:15", 1095),
        (" 8:15 ", 495),
        ("18:15:00", 1095),
        ("24:00", 1440),
    ],
)
def test_a_time_of_day_is_read(value: Any, minutes: int) -> None:
    assert minutes_of(value) == minutes


@pytest.mark.parametrize(
    "value", [None, True, 18, -0.5, "", "18", "18:5", "18:60", "25:00", "24:15", "6:15 pm", "18.15"]
)
def test_what_is_no_time_is_none(value: Any) -> None:
    assert minutes_of(value) is None


@given(st.integers(0, 1439))
def test_every_minute_is_read_back_from_its_fraction_of_a_day(minute: int) -> None:
    assert minutes_of(minute / 1440) == minute
    assert minutes_of(time(minute // 60, minute % 60)) == minute
    assert minutes_of(f"{minute // 60}:{minute % 60:02d}") == minute


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0.1, "0.1"), (0.0121, "0.0121"), (5.0, "5"), (-3.0, "-3"), (1e-7, "1E-7"), (2.5e16, "2.5E+16")],
)
def test_a_number_is_the_decimal_it_shows(number: float, shown: str) -> None:
    assert exact(number) == Decimal(shown)


# --- a whole bill's inputs


def inputs_of(sheets: Sheets, tariff: Tariff | None = None) -> Inputs:
    small = book(sheets)
    return collect(small, understand(small), ZONE, tariff)


def told(inputs: Inputs, *codes: str) -> list[tuple[str, str, str]]:
    """The findings of these codes, or all but that the day has 24 intervals and not 96."""
    return [
        (one.code, one.data["sheet"], one.data["cell"])
        for one in inputs.findings
        if (one.code in codes if codes else one.code != "slots-missing")
    ]


def rows(inputs: Inputs) -> list[tuple[int, datetime, float]]:
    assert inputs.readings is not None
    return list(inputs.readings.select("source_row", "start", "kwh_import").iter_rows())


@pytest.fixture
def sheets() -> Sheets:
    return daybill.bill()


def test_readings_are_the_rows_with_a_date_a_time_and_an_energy(sheets: Sheets) -> None:
    inputs = inputs_of(sheets)
    # El Salvador is six hours behind UTC all year
    begins = datetime(2021, 9, 1, 6, tzinfo=UTC)
    assert rows(inputs) == [(31 + hour, begins + timedelta(hours=hour), 10.25 + hour) for hour in range(24)]
    assert inputs.readings is not None
    assert inputs.readings["kw"].to_list() == [4 * (10.25 + hour) for hour in range(24)]
    assert inputs.rows[31] == DAY
    assert inputs.period == Period(date(2021, 9, 1), date(2021, 9, 2))
    assert told(inputs) == []


@pytest.mark.parametrize(
    ("column", "write"),
    [
        ("A", lambda day, clock: f"{day:%d/%m/%Y}"),
        ("A", lambda day, clock: f"{day:%Y-%m-%d}"),
        ("A", lambda day, clock: 44440),
        ("B", lambda day, clock: f"{clock:%H:%M}"),
        ("B", lambda day, clock: clock.hour / 24),
        ("B", lambda day, clock: datetime.combine(day, clock)),
    ],
    ids=["date as text", "date as iso text", "date as number", "time as text", "time as number", "time as moment"],
)
def test_dates_and_times_may_be_texts_or_numbers(sheets: Sheets, column: str, write: Any) -> None:
    usual = rows(inputs_of(sheets))
    for row in range(32, 55):
        sheets["Medidor"][f"{column}{row}"] = write(DAY, sheets["Medidor"][f"B{row}"])
    assert rows(inputs_of(sheets)) == usual


def stamped(write: Any) -> Sheets:
    cells: dict[str, Any] = {"A1": "Fecha y hora", "B1": "kWh", "C1": "kW"}
    for row in range(2, 98):
        moment = DAY + timedelta(minutes=15 * (row - 2))
        cells |= {f"A{row}": write(moment), f"B{row}": 2.5, f"C{row}": 10.0}
    return {"Medidor": cells}


@pytest.mark.parametrize(
    "write",
    [
        lambda moment: moment,
        lambda moment: f"{moment:%Y-%m-%d %H:%M}",
        lambda moment: f"{moment:%d/%m/%Y %H:%M}",
        lambda moment: (moment - datetime(1899, 12, 30)) / timedelta(days=1),
    ],
    ids=["moments", "iso texts", "texts", "numbers"],
)
def test_one_column_may_hold_date_and_time(write: Any) -> None:
    inputs = inputs_of(stamped(write))
    assert list(inputs.rows.values()) == [DAY + timedelta(minutes=15 * n) for n in range(96)]
    assert inputs.findings == []  # a whole day: none missing, none twice


def test_an_energy_typed_as_text_counts(sheets: Sheets) -> None:
    sheets["Medidor"]["C40"] = "25,02 kWh"
    assert rows(inputs_of(sheets))[9] == (40, datetime(2021, 9, 1, 15, tzinfo=UTC), 25.02)


def test_a_row_without_an_energy_is_no_reading_and_keeps_its_place(sheets: Sheets) -> None:
    sheets["Medidor"]["C40"] = "n/d"
    inputs = inputs_of(sheets)
    assert [row for row, _, _ in rows(inputs)] == [row for row in range(31, 55) if row != 40]
    assert inputs.rows[40] == datetime(2021, 9, 1, 9)


def test_a_row_twice_counts_once_and_is_told_at_the_second(sheets: Sheets) -> None:
    sheets["Medidor"]["B41"] = sheets["Medidor"]["B42"] = time(9)
    inputs = inputs_of(sheets)
    assert told(inputs) == [("slot-repeated", "Medidor", "C41")]  # of rows beside one another the first
    assert "2021-09-01 09:00 stands in another row already" in inputs.findings[0].message
    assert "Remove one of them" in inputs.findings[0].message
    assert [row for row, _, _ in rows(inputs)] == [row for row in range(31, 55) if row not in (41, 42)]
    # each time it comes again is one frame, so that every row can be priced
    assert [frame["source_row"].to_list() for frame in inputs.repeats] == [[41], [42]]


@pytest.mark.parametrize(("cell", "value"), [("A40", "ayer"), ("B40", "tarde"), ("A40", None), ("B40", "25:00")])
def test_a_row_whose_time_cannot_be_read_is_told_and_counts_after_the_row_above(
    sheets: Sheets, cell: str, value: Any
) -> None:
    sheets["Medidor"][cell] = value
    inputs = inputs_of(sheets)
    assert told(inputs) == [("row-without-time", "Medidor", "A40")]
    assert "Medidor!A40" in inputs.findings[0].message
    assert "19.25 kWh" in inputs.findings[0].message
    assert inputs.rows[40] == datetime(2021, 9, 1, 8, 15)
    assert len(rows(inputs)) == 24


def test_a_row_without_time_or_energy_is_no_row(sheets: Sheets) -> None:
    sheets["Medidor"] |= {"A40": "ayer", "C40": None}
    inputs = inputs_of(sheets)
    assert told(inputs) == []
    assert 40 not in inputs.rows


def test_missing_intervals_are_counted(sheets: Sheets) -> None:
    (one,) = inputs_of(sheets).findings
    assert (one.code, one.severity, one.data) == ("slots-missing", Severity.WARNING, {"sheet": "Medidor"})
    assert "24 intervals from 2021-09-01 to 2021-09-01, expected 96 of 15 minutes" in one.message


def test_a_workbook_without_readings_has_no_period(sheets: Sheets) -> None:
    del sheets["Medidor"]
    inputs = inputs_of(sheets)
    assert (inputs.readings, inputs.period, inputs.contract, inputs.rows) == (None, None, None, {})
    assert inputs.calendar is not None
    assert inputs.tariff is not None


# --- hours


def blocks_of(inputs: Inputs) -> str:
    """The block of each hour by its first letter."""
    assert inputs.calendar is not None
    return "".join(inputs.calendar.block_at(datetime(2021, 9, 1, hour, 30))[0] for hour in range(24))


USUAL = "VVVVVRRRRRRRRRRRRRPPPPPV"


def test_hours_of_blocks_are_read(sheets: Sheets) -> None:
    assert blocks_of(inputs_of(sheets)) == USUAL


def test_hours_typed_as_text_are_read(sheets: Sheets) -> None:
    sheets["Horas"] |= {"A3": "5", "B3": " 17 "}
    inputs = inputs_of(sheets)
    assert (blocks_of(inputs), told(inputs)) == (USUAL, [])


def test_hours_past_midnight_are_one_row(sheets: Sheets) -> None:
    sheets["Horas"] |= {"A2": 23, "B2": 4, **{f"{column}5": None for column in "ABC"}}
    inputs = inputs_of(sheets)
    assert (blocks_of(inputs), told(inputs)) == (USUAL, [])


@pytest.mark.parametrize(
    ("cell", "value"), [("A4", "tarde"), ("B4", 25), ("A4", -1), ("A4", 24), ("C4", None), ("B4", None)]
)
def test_hours_that_cannot_be_used_are_told_at_their_row(sheets: Sheets, cell: str, value: Any) -> None:
    sheets["Horas"][cell] = value
    inputs = inputs_of(sheets)
    one = next(one for one in inputs.findings if one.code == "bad-hours")
    assert (one.data["sheet"], one.data["cell"]) == ("Horas", "A4")
    assert "expected the first and the last hour (0 to 23) of a block. Correct the row." in one.message
    # everything else is compared all the same: the hours nobody claims go with those before
    assert blocks_of(inputs) == USUAL.replace("P", "R")


def test_of_two_rows_that_claim_an_hour_the_first_has_it(sheets: Sheets) -> None:
    sheets["Horas"]["B3"] = 18
    inputs = inputs_of(sheets)
    assert blocks_of(inputs) == "VVVVVRRRRRRRRRRRRRRPPPPV"
    assert told(inputs) == []  # the table itself shows it: it is told as a slip


def test_an_hour_that_no_row_claims_goes_with_the_one_before(sheets: Sheets) -> None:
    sheets["Horas"]["B3"] = 16
    inputs = inputs_of(sheets)
    assert (blocks_of(inputs), told(inputs)) == (USUAL, [])


def by_hour(hours: list[int]) -> dict[str, Any]:
    cells: dict[str, Any] = {"A1": "Hora", "B1": "Bloque"}
    for row, hour in enumerate(hours, 2):
        cells |= {f"A{row}": hour, f"B{row}": daybill.block_of(hour)}
    return cells


def test_the_24_hours_may_be_an_input_themselves(sheets: Sheets) -> None:
    sheets["Horas"] = by_hour(list(range(24)))
    inputs = inputs_of(sheets)
    assert (blocks_of(inputs), told(inputs)) == (USUAL, [])


def test_of_24_hours_one_twice_and_one_missing_is_told_at_a_cell(sheets: Sheets) -> None:
    sheets["Horas"] = by_hour([*range(18), 17, *range(19, 24)])
    inputs = inputs_of(sheets)
    (one,) = (one for one in inputs.findings if one.code == "bad-hours")
    assert (one.data["sheet"], one.data["cell"]) == ("Horas", "A20")
    assert "Correct the table of hours" in one.message


# --- rates


def rate(inputs: Inputs, block: str, day: date = date(2021, 9, 1), kind: RateKind = RateKind.ENERGY) -> Sourced:
    assert inputs.tariff is not None
    return inputs.tariff.rate(kind, block, day)[1]


def test_rates_are_read_with_the_cell_they_stand_in(sheets: Sheets) -> None:
    inputs = inputs_of(sheets)
    assert rate(inputs, "RESTO") == Sourced(Decimal("0.11"), "Tarifas!C3")
    assert rate(inputs, "PUNTA", kind=RateKind.DEMAND) == Sourced(Decimal("7.5"), "Tarifas!D4")
    # FTPMS and VAT stand among the parameters
    assert rate(inputs, "PUNTA", kind=RateKind.FTPMS) == Sourced(Decimal("0.0042"), "Medidor!B3")
    assert inputs.tariff is not None
    assert inputs.tariff.scalar(ScalarKind.VAT_RATE, date(2021, 9, 30)) == (
        date(1900, 1, 1),
        Sourced(Decimal("0.13"), "Medidor!B5"),
    )


def test_rates_and_their_dates_may_be_texts(sheets: Sheets) -> None:
    sheets["Tarifas"] |= {"C3": "0,11", "B3": "15/07/2021", "A3": " resto "}
    inputs = inputs_of(sheets)
    assert (rate(inputs, "RESTO").value, told(inputs)) == (Decimal("0.11"), [])


def test_a_rate_holds_from_its_date_until_the_next(sheets: Sheets) -> None:
    sheets["Tarifas"] |= {"A5": "RESTO", "B5": datetime(2021, 9, 16), "C5": 0.2, "D5": 8}
    inputs = inputs_of(sheets)
    held = [rate(inputs, "RESTO", date(2021, 9, day)).value for day in (15, 16)]
    assert held == [Decimal("0.11"), Decimal("0.2")]


@pytest.mark.parametrize(
    ("cell", "value", "at", "what"),
    [
        ("B3", "julio", ["C3", "D3"], "no first day of validity"),
        ("B3", None, ["C3", "D3"], "no first day of validity"),
        ("C3", "gratis", ["C3"], "no number"),
        ("A3", None, ["C3", "D3"], "no block"),
    ],
)
def test_a_rate_that_cannot_be_used_is_told_at_its_cell(
    sheets: Sheets, cell: str, value: Any, at: list[str], what: str
) -> None:
    sheets["Tarifas"][cell] = value
    inputs = inputs_of(sheets)
    assert told(inputs) == [("bad-rate", "Tarifas", one) for one in at]
    assert what in inputs.findings[0].message
    assert "expected a rate with its block and first day" in inputs.findings[0].message
    assert rate(inputs, "PUNTA").value == Decimal("0.12")


def test_two_rates_of_one_date_are_told_at_the_second_date_and_the_first_holds(sheets: Sheets) -> None:
    sheets["Tarifas"] |= {"A5": "RESTO", "B5": datetime(2021, 7, 15), "C5": 0.2, "D5": 8}
    inputs = inputs_of(sheets)
    assert set(told(inputs)) == {("rates-overlap", "Tarifas", "B5")}
    assert "two values start on 2021-07-15" in inputs.findings[0].message
    assert rate(inputs, "RESTO").value == Decimal("0.11")


def sold(energy: str = "0.11", vat: str = "") -> Tariff:
    """A tariff from outside: one rate for RESTO, and those of the workbook for the others."""

    def dated(value: str) -> Dated[Sourced]:
        return Dated.of("rate", ((date(2021, 7, 15), Sourced(Decimal(value), "carta.xlsx, C3")),))

    return Tariff(
        name="carta",
        currency="USD",
        calendar="workbook",
        rates={
            RateKind.ENERGY: {"VALLE": dated("0.1"), "RESTO": dated(energy), "PUNTA": dated("0.12")},
            RateKind.DEMAND: {block: dated("7.5") for block in daybill.BLOCKS},
        },
        scalars={ScalarKind.VAT_RATE: dated(vat)} if vat else {},
    )


def test_a_rate_unlike_the_tariff_sold_is_told_at_its_cell(sheets: Sheets) -> None:
    inputs = inputs_of(sheets, sold("0.115"))
    assert told(inputs) == [("rate-differs", "Tarifas", "C3")]
    assert (
        "found 0.11 as energy rate of RESTO from 2021-07-15, expected 0.115 (carta.xlsx, C3)"
        in inputs.findings[0].message
    )
    assert rate(inputs, "RESTO").value == Decimal("0.115")
    assert told(inputs_of(sheets, sold())) == []


def test_a_rate_from_before_the_tariff_sold_is_told(sheets: Sheets) -> None:
    sheets["Tarifas"]["B3"] = datetime(2021, 7, 14)
    assert told(inputs_of(sheets, sold())) == [("rate-differs", "Tarifas", "C3"), ("rate-differs", "Tarifas", "D3")]


@pytest.mark.parametrize(("vat", "holds"), [("", "0.13"), ("0.2", "0.2")])
def test_a_tariff_sold_without_a_vat_rate_takes_the_workbooks(sheets: Sheets, vat: str, holds: str) -> None:
    tariff = inputs_of(sheets, sold(vat=vat)).tariff
    assert tariff is not None
    entry = tariff.scalar(ScalarKind.VAT_RATE, date(2021, 9, 30))
    assert entry is not None
    assert entry[1].value == Decimal(holds)


# --- parameters, options and corrections


def test_parameters_are_read_with_their_cells(sheets: Sheets) -> None:
    inputs = inputs_of(sheets)
    assert inputs.texts["param.customer"] == "Uno"
    assert inputs.values["param.loss_factor"] == Sourced(Decimal("0.0121"), "Medidor!B2")
    contract = inputs.contract
    assert contract is not None
    assert (contract.discount_rate, contract.retention_rate, contract.municipal_fee) == (
        Sourced(Decimal("0.02"), "Medidor!B4"),
        Sourced(Decimal("0.01"), "Medidor!B6"),
        Sourced(Decimal("5.25"), "Medidor!B7"),
    )


@pytest.mark.parametrize(("value", "share"), [(0.13, "0.13"), ("13%", "0.13"), ("13 %", "0.13"), ("0,13", "0.13")])
def test_a_share_may_be_typed_in_per_cent(sheets: Sheets, value: Any, share: str) -> None:
    sheets["Medidor"]["B5"] = value
    assert inputs_of(sheets).values["param.vat"].value == Decimal(share)


def test_a_parameter_may_be_a_date_or_a_word(sheets: Sheets) -> None:
    sheets["Medidor"] |= {"D1": "Periodo", "E1": datetime(2021, 9, 1), "D2": "Nodo", "E2": "Ateos"}
    inputs = inputs_of(sheets)
    assert (inputs.texts["param.period"], inputs.texts["param.node"]) == ("2021-09-01", "Ateos")


def test_without_a_vat_rate_it_is_zero_and_the_rest_is_read(sheets: Sheets) -> None:
    sheets["Medidor"] |= {"A5": None, "B5": None}
    tariff = inputs_of(sheets).tariff
    assert tariff is not None
    assert tariff.scalars[ScalarKind.VAT_RATE].at(date(2021, 9, 1)) == Sourced(
        Decimal(0), "the workbook names no VAT rate"
    )


def test_options_are_the_reference_workbooks_where_nothing_is_said(sheets: Sheets) -> None:
    tariff = inputs_of(sheets).tariff
    assert tariff is not None
    assert tariff.rules == BillingRules(demand_rate_block="VALLE", ftpms_blocks=("PUNTA",))


@pytest.mark.parametrize(
    ("label", "value", "option"),
    [
        ("Base de la demanda", "Máximo por bloque", {"demand_basis": DemandBasis.BLOCK_MAX}),
        ("Base de pérdidas", "Energía", {"loss_basis": LossBasis.ENERGY}),
        ("Modo de desviación", "ambas", {"deviation_mode": DeviationMode.BOTH}),
        ("Bloques con FTPMS", "punta y resto", {"ftpms_blocks": ("PUNTA", "RESTO")}),
        ("Bloque de la tarifa de demanda", "resto", {"demand_rate_block": "RESTO"}),
    ],
)
def test_an_option_is_read_from_its_label(sheets: Sheets, label: str, value: str, option: dict[str, Any]) -> None:
    sheets["Medidor"] |= {"D1": label, "E1": value}
    tariff = inputs_of(sheets).tariff
    assert tariff is not None
    assert {name: getattr(tariff.rules, name) for name in option} == option


def test_the_block_that_a_demand_line_names_fixes_its_rate(sheets: Sheets) -> None:
    cells = sheets["Medidor"]
    cells["B17"] = ('=ROUND(D14*SUMIFS(Tarifas!D2:D4,Tarifas!A2:A4,"PUNTA"),2)', cells["B17"][1])
    tariff = inputs_of(sheets).tariff
    assert tariff is not None
    assert tariff.rules.demand_rate_block == "PUNTA"


def test_every_correction_is_read_with_its_cell() -> None:
    inputs = inputs_of(daybill.bill((("Corrección de julio", -3.2), ("Corrección de agosto", "=2-0.85"))))
    assert [(one.difference, one.origin) for one in inputs.corrections] == [
        (Decimal("-3.2"), "Medidor!B21"),
        (Decimal("1.15"), "Medidor!B22"),
    ]
    assert inputs_of(daybill.bill()).corrections == ()


# --- a column's values


def column(formulas: int) -> tuple[Book, Any]:
    """Ten rows, so many of them formulas."""
    cells = {f"A{row}": ("=1", 1) if row <= formulas + 1 else 2 for row in range(2, 12)}
    small = Book(
        path=Path("libro.xlsx"),
        sha256="",
        grids={"Hoja": grid("Hoja", {"A1": "Dato", "B1": "Otro", **cells} | {f"B{row}": 5 for row in range(2, 12)})},
    )
    thing = next(one for one in understand(small).things if one.column == 1)
    return small, thing


@pytest.mark.parametrize(
    ("formulas", "typed", "values"),
    [
        (0, False, 10),
        (3, False, 10),  # an input column with a few formulas: what they give is an input as well
        (8, False, 0),  # a computed column is no input, and what is typed over it is none either
        (8, True, 10),
    ],
)
def test_a_column_of_formulas_is_no_input(formulas: int, typed: bool, values: int) -> None:
    small, thing = column(formulas)
    assert len(values_of(small, thing, typed=typed)) == values
    assert values_of(small, None) == {}
