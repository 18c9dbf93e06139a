"""One analyst's error each: what she did to the reference workbook, and where it must be found.

Cells are written with a sheet's initial: ``M`` the meter's, ``B`` Bloques horarios, ``H`` Hora-Bloque, ``T`` Tarifas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from books import BLOCKS, DAY, HOURS, METER, RATES, SAMPLES, Content, Workbook, cells_of, name, reference, spot

Edit = Callable[[Workbook], None]
INITIALS = {"M": METER, "B": BLOCKS, "H": HOURS, "T": RATES}
TOTAL = "M!B26"
TARIFF = SAMPLES / "Tarifas EIS-TOU.xlsx"
"""The tariff the customer was sold; the reference workbook's rates are its."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One error.

    :param story: what the analyst did
    :param at: cells that must all be found; ``M!A100|M!B100`` where either will do
    :param how: the ways one of which must be taken: ``different``, ``error``, ``no value``, ``stale``, ``unclear`` (not understood
        and feeding the total), ``finding`` (warning or blocking, with this sheet and cell)
    :param passes: whether the check may pass; ``None`` where it is a warning about a workbook whose amounts are right
    :param calculated: whether the workbook was calculated after the edit
    :param shows: a cell that shows another value because of it; ``None`` where only the logic is wrong, not yet an amount
    :param base: the workbook before it
    :param tariff: the tariff file the check is given
    :param office: LibreOffice shows the same
    """

    name: str
    story: str
    edit: Edit
    at: tuple[str, ...]
    how: tuple[str, ...] = ("different",)
    passes: bool | None = False
    calculated: bool = True
    shows: str | None = TOTAL
    base: Callable[[], Workbook] = reference
    tariff: Path | None = None
    office: bool = True

    def make(self) -> Workbook:
        book = self.base()
        book.touched.clear()
        self.edit(book)
        if self.calculated:
            book.calculate()
        return book


def where(place: str) -> tuple[str, str]:
    """``M!C31`` -> the sheet's name and the cells."""
    initial, _, cells = place.partition("!")
    return INITIALS[initial], cells


def put(place: str, content: Content | None, form: str = "") -> Edit:
    return lambda book: book.put(*where(place), content, form=form)


def write(place: str, formula: str) -> Edit:
    """The same formula in every cell of a range; ``{row}`` is the cell's row, ``{next}`` and ``{last}`` its neighbours'."""

    def edit(book: Workbook) -> None:
        sheet, cells = where(place)
        for row, column in cells_of(cells):
            book.put(sheet, name(row, column), formula.format(row=row, next=row + 1, last=row - 1))

    return edit


def change(place: str, old: str, new: str) -> Edit:
    return lambda book: book.change(*where(place), old, new)


def fix(place: str) -> Edit:
    return lambda book: book.fix(*where(place))


def fill(source: str, cells: str) -> Edit:
    return lambda book: book.fill(*where(source), cells)


def touch(place: str) -> Edit:
    """What else may be blamed: the rest of a row whose key cell is wrong."""

    def edit(book: Workbook) -> None:
        sheet, cells = where(place)
        book.touched |= {(sheet, *cell) for cell in cells_of(cells)}

    return edit


def give(place: str, value: object) -> Edit:
    """What a spreadsheet program shows where ``formualizer`` shows something else."""
    return lambda book: book.give(*where(place), value)


def cached(place: str, value: object) -> Edit:
    """Another value in the file than the formula gives."""

    def edit(book: Workbook) -> None:
        sheet, cell = where(place)
        book.sheets[sheet].cached[spot(cell)] = value
        book.touched.add((sheet, *spot(cell)))

    return edit


def steps(*edits: Edit) -> Edit:
    def edit(book: Workbook) -> None:
        for one in edits:
            one(book)

    return edit


def after_calculation(*edits: Edit) -> Edit:
    """Something done to a workbook that is up to date, and not calculated again."""

    def edit(book: Workbook) -> None:
        book.calculate()
        steps(*edits)(book)

    return edit


def september() -> Workbook:
    """The reference workbook with new rates from 16 September 2021, in the middle of the month."""
    return _september().copy()


@cache
def _september() -> Workbook:
    book = reference()
    for row in (8, 9, 10):
        book.put(RATES, f"B{row}", datetime(2021, 9, 16))  # noqa: DTZ001
    book.calculate()
    book.touched.clear()
    return book


def duplicated_row(book: Workbook) -> None:
    book.insert(METER, row=101)
    for column in range(1, 19):
        book.fill(METER, name(100, column), name(101, column))


def deleted_row(book: Workbook) -> None:
    book.delete_rows(METER, 100)
    book.touched |= {(METER, 99, column) for column in (1, 2, 3)} | {(METER, 100, column) for column in (1, 2, 3)}


def row_at_the_end(book: Workbook) -> None:
    """Row 100 cut out and pasted below the table: references follow it, ranges do not."""
    book.move(METER, "A100:R100", rows=2811)
    book.delete_rows(METER, 100)
    book.touched |= {(METER, row, column) for row in (99, 100, 2909, 2910) for column in range(1, 19)}


def energy_sorted_alone(book: Workbook) -> None:
    book.sort(METER, "C31:C126", key=lambda row: row[0])


def rows_hidden(book: Workbook) -> None:
    book.hide(METER, range(200, 211))
    book.touched |= {(METER, row, column) for row in range(200, 211) for column in range(1, 19)}


def hours_removed(book: Workbook) -> None:
    book.remove(HOURS)
    book.touched |= {(METER, row, 8) for row in range(31, 2911)}


def sorted_by_energy(book: Workbook) -> None:
    book.sort(METER, "A31:R126", key=lambda row: row[2], reverse=True)


def kw_as_kwh(book: Workbook) -> None:
    for row in range(31, 127):
        book.put(METER, f"C{row}", book[METER, f"D{row}"])


def one_month_on(book: Workbook) -> None:
    for row in range(2815, 2911):
        day = book[METER, f"A{row}"]
        assert isinstance(day, datetime)
        book.put(METER, f"A{row}", day + timedelta(days=30))


def uncalculated(book: Workbook) -> None:
    book.forget()
    for title, sheet in book.sheets.items():
        book.touched |= {(title, *place) for place in sheet.contents}


def subtotal_of_what_is_shown(book: Workbook) -> None:
    book.put(METER, "B22", "=SUBTOTAL(109,B16:B21)")
    book.hide(METER, [20])
    book.touched.add((METER, 20, 2))
    book.give(METER, "B22", 10927.34)


def removed_parameter_row(book: Workbook) -> None:
    """Row 7 held the loss factor, and at its other end the VAT."""
    readers = [(title, *place) for title, *place in book.dependents([(METER, 7, 2), (METER, 7, 5)])]
    book.delete_rows(METER, 7)
    book.touched |= {(title, row - (title == METER), column) for title, row, column in readers}
    for cell in ("G10", "G11", "G12"):
        book.give(METER, cell, "#REF!")


NOT_A_NUMBER = steps(*(give(f"M!{cell}", "#VALUE!") for cell in ("C12", "F12", "G12", "H12")))
"""``formualizer`` leaves errors out of SUMIFS; spreadsheet programs do not."""

RANGES = (
    Mutant(
        name="cost-range-stops-a-row-early",
        story="last month's formula, one slot short: the cost of the last quarter of an hour is missing",
        edit=change("M!C11", "2910", "2909"),
        at=("M!C11",),
    ),
    Mutant(
        name="losses-range-starts-a-row-late",
        story="marked the column from its second slot on",
        edit=change("M!G11", "$31", "$32"),
        at=("M!G11",),
    ),
    Mutant(
        name="energy-range-short",
        story="the range of kWh ends on the 20th; the amounts do not read this cell",
        edit=change("M!B12", "2910", "1950"),
        at=("M!B12",),
        shows="M!B14",
    ),
    Mutant(
        name="maximum-of-fewer-slots",
        story="the range of the PUNTA maximum ends before the month does; the maximum happens to lie before that",
        edit=change("M!D13", "2910", "2800"),
        at=("M!D13",),
        how=("finding",),
        passes=None,
        shows=None,
    ),
    Mutant(
        name="ranges-of-different-length",
        story="lengthened one range and not the other",
        edit=steps(change("M!C12", "$K$2910", "$K$2909"), give("M!C12", "#VALUE!")),
        at=("M!C12",),
        how=("error",),
    ),
    Mutant(
        name="total-includes-the-lines-of-the-subtotal",
        story="dragged the sum over everything above it",
        edit=change("M!B26", "B22", "B16"),
        at=("M!B26",),
    ),
    Mutant(
        name="total-of-blocks-misses-one",
        story="summed two blocks of three",
        edit=change("M!C14", "C11:C13", "C11:C12"),
        at=("M!C14",),
    ),
    Mutant(
        name="subtotal-without-energy",
        story="the sum starts at the second line",
        edit=change("M!B22", "B16", "B17"),
        at=("M!B22",),
    ),
    Mutant(
        name="subtotal-without-discount",
        story="the sum ends before the discount",
        edit=change("M!B22", "B21", "B20"),
        at=("M!B22",),
    ),
    Mutant(
        name="maximum-without-resto",
        story="the month's maximum of VALLE and PUNTA only",
        edit=put("M!D14", "=MAX(D11,D13)"),
        at=("M!D14",),
    ),
    Mutant(
        name="maximum-of-two-blocks",
        story="PUNTA left out of the month's maximum, which lies in RESTO this month",
        edit=put("M!D14", "=MAX(D11:D12)"),
        at=("M!D14",),
        how=("finding",),
        passes=None,
        shows=None,
    ),
    Mutant(
        name="ranges-without-dollars",
        story="typed the VALLE formula without $ and filled it down: RESTO starts a row late, PUNTA two",
        edit=steps(put("M!C11", "=SUMIFS(K31:K2910,H31:H2910,A11)"), fill("M!C11", "C12:C13")),
        at=("M!C12", "M!C13"),
        how=("finding",),
        passes=None,
        shows=None,
    ),
    Mutant(
        name="criterion-with-a-dollar-too-many",
        story="$ before the row of the criterion, then filled down: three times VALLE",
        edit=steps(change("M!C11", ",A11)", ",A$11)"), fill("M!C11", "C12:C13")),
        at=("M!C12", "M!C13"),
    ),
    Mutant(
        name="hours-table-cut-short",
        story="the lookup's table ends at 18 hours",
        edit=change("M!H31:H2910", "$B$25", "$B$20"),
        at=("M!H107", "M!H123"),
        how=("error",),
    ),
    Mutant(
        name="rates-table-cut-short",
        story="the ranges of the tariff end before July's rows: April's rates",
        edit=change("M!J31:J2910", "$10", "$4"),
        at=("M!J31", "M!J2910"),
    ),
    Mutant(
        name="rates-table-without-the-new-rows",
        story="new rates were added below, the ranges of one day were not lengthened",
        base=september,
        edit=change("M!J1567:J1662", "$10", "$7"),
        at=("M!J1567", "M!J1662"),
    ),
)

BLOCKS_AND_HOURS = (
    Mutant(
        name="two-blocks-swapped",
        story="RESTO's cost reads PUNTA's label and the other way round; the total does not notice",
        edit=steps(change("M!C12", "A12", "A13"), change("M!C13", "A13", "A12")),
        at=("M!C12", "M!C13"),
        shows="M!C12",
    ),
    Mutant(
        name="labels-swapped-not-calculated",
        story="swapped two labels of the matrix and left with calculation set to manual",
        edit=steps(put("M!A12", "PUNTA"), put("M!A13", "RESTO")),
        calculated=False,
        at=("M!B12", "M!C12", "M!C13"),
        how=("stale",),
        shows="M!C12",
    ),
    Mutant(
        name="label-with-a-space-behind",
        story="retyped PUNTA with a space behind it: nothing is found for it",
        edit=put("M!A13", "PUNTA "),
        at=("M!A13|M!C13", "M!C13"),
        how=("different", "finding"),
    ),
    Mutant(
        name="hours-label-with-a-space-behind",
        story="a space behind PUNTA in the table of hours: the tariff has no such block",
        edit=put("B!C4", "PUNTA "),
        at=("B!C4",),
        how=("finding",),
    ),
    Mutant(
        name="tariff-label-with-a-space-behind",
        story="a space behind PUNTA in July's tariff row: April's rate is still the newest",
        edit=put("T!A7", "PUNTA "),
        at=("T!A7",),
        how=("finding",),
    ),
    Mutant(
        name="eighteen-hours-in-two-blocks",
        story="RESTO until 18 and PUNTA from 18: the first one wins",
        edit=put("B!B3", 18),
        at=("B!A3|B!B3|B!C3|B!A4|B!B4|B!C4",),
        how=("finding",),
    ),
    Mutant(
        name="seventeen-hours-in-no-block",
        story="RESTO until 16, PUNTA from 18",
        edit=put("B!B3", 16),
        at=("H!B19",),
        how=("error",),
    ),
    Mutant(
        name="first-hour-excluded",
        story="< for <= in the table's first hours: each block loses its first",
        edit=change("H!B2:B25", "<=", "<"),
        at=("H!B20",),
        how=("error", "different"),
    ),
    Mutant(
        name="eighteen-hours-reads-the-hour-above",
        story="the formula of 18 hours looks up 17",
        edit=change("H!B20", "A20", "A19"),
        at=("H!B20",),
    ),
    Mutant(
        name="eighteen-hours-typed",
        story="RESTO typed over the formula of 18 hours",
        edit=put("H!B20", "RESTO"),
        at=("H!B20",),
        how=("finding",),
    ),
    Mutant(
        name="approximate-lookup-of-blocks",
        story="looks the block up in the table of hours, approximately and without its last row: 23 hours is PUNTA",
        edit=write("M!H31:H2910", "=VLOOKUP(G{row},'Bloques horarios'!$A$2:$C$4,3,TRUE())"),
        at=("M!H123",),
    ),
    Mutant(
        name="hour-of-the-wrong-column",
        story="HOUR of the date instead of the time: midnight, always",
        edit=change("M!G31:G2910", "B{row}", "A{row}"),
        at=("M!G35", "M!G2910"),
    ),
    Mutant(
        name="hour-of-the-row-above",
        story="the first slot of 18 hours reads the time above it: RESTO instead of PUNTA",
        edit=change("M!G103", "B103", "B102"),
        at=("M!G103",),
    ),
    Mutant(
        name="surcharge-on-resto",
        story="FTPMS on RESTO instead of PUNTA",
        edit=change("M!N31:N2910", "PUNTA", "RESTO"),
        at=("M!N100", "M!N103"),
    ),
    Mutant(
        name="surcharge-on-all-but-valle",
        story="FTPMS wherever it is not VALLE",
        edit=change("M!N31:N2910", '="PUNTA"', '<>"VALLE"'),
        at=("M!N100",),
    ),
    Mutant(
        name="surcharge-is-the-loss-factor",
        story="points to the cell above FTPMS",
        edit=change("M!N31:N2910", "$B$8", "$B$7"),
        at=("M!N103",),
    ),
)

RATES_AND_DATES = (
    Mutant(
        name="valid-from-the-day-after",
        story="< for <= in the rate's date: the old rate on the day of the change",
        base=september,
        edit=change("M!J31:J2910", "<=A{row}", "<A{row}"),
        at=("M!J1471", "M!J1566"),
    ),
    Mutant(
        name="first-rate-of-the-block",
        story="VLOOKUP on the tariff: the first row of the block, not the newest",
        edit=write("M!J31:J2910", "=VLOOKUP(H{row},Tarifas!$A$2:$C$10,3,FALSE())"),
        at=("M!J31", "M!J103"),
    ),
    Mutant(
        name="date-of-a-rate-as-text",
        story="typed July's date of VALLE as a text",
        edit=steps(put("T!B5", "15/07/2021"), *(give(f"M!{cell}", "#VALUE!") for cell in ("C11", "C12", "C13", "B17"))),
        at=("T!B5",),
        how=("finding",),
    ),
    Mutant(
        name="rate-as-text",
        story="pasted the RESTO rate from a letter",
        edit=put("T!C6", "0.109874"),
        at=("T!C6",),
        how=("finding",),
    ),
    Mutant(
        name="two-rates-of-one-date",
        story="October's PUNTA rate dated July: both are added up",
        edit=steps(put("T!B10", datetime(2021, 7, 15), DAY), touch("T!A7:D7"), touch("T!A10:D10")),  # noqa: DTZ001
        at=("T!A7|T!B7|T!C7|T!A10|T!B10|T!C10",),
        how=("finding",),
    ),
    Mutant(
        name="rates-dated-two-months-late",
        story="typed 2021-09-15 for 2021-07-15; only the tariff that was sold tells",
        edit=steps(*(put(f"T!B{row}", datetime(2021, 9, 15), DAY) for row in (5, 6, 7))),  # noqa: DTZ001
        at=("M!J31", "M!J103"),
        tariff=TARIFF,
    ),
    Mutant(
        name="rate-a-tenth",
        story="a zero too many in the RESTO rate; only the tariff that was sold tells",
        edit=put("T!C6", 0.0109874),
        at=("M!J100",),
        tariff=TARIFF,
    ),
    Mutant(
        name="rates-changed-not-calculated",
        story="put the new RESTO rate in and left with calculation set to manual",
        edit=put("T!C6", 0.12),
        calculated=False,
        at=("M!J100", "M!J2500"),
        how=("stale",),
    ),
    Mutant(
        name="rate-typed-for-a-block",
        story="typed PUNTA's rate of one evening over the formula; it is the right one, this month",
        edit=fix("M!J103:J122"),
        at=("M!J103", "M!J122"),
        how=("finding",),
        passes=None,
        shows=None,
    ),
    Mutant(
        name="old-rate-typed-for-a-block",
        story="typed last quarter's PUNTA rate over the formula for one evening",
        edit=steps(*(put(f"M!J{row}", 0.116902) for row in range(103, 123))),
        at=("M!J103", "M!J122"),
        how=("finding",),
    ),
    Mutant(
        name="demand-rate-of-the-first-day",
        story="demand at the rate of the first day, though it changed on the 16th",
        base=september,
        edit=put("M!B17", "=ROUND(D14*Tarifas!G2,2)"),
        at=("M!B17",),
    ),
    Mutant(
        name="demand-rate-from-the-energy-column",
        story="the day's demand rate reads the kWh column",
        edit=change("T!G2:G31", "$D$2:$D$10", "$C$2:$C$10"),
        at=("T!G2", "T!G31"),
    ),
    Mutant(
        name="demand-rate-of-a-day-typed",
        story="April's demand rate typed over the 9th",
        edit=put("T!G10", 7.1033),
        at=("T!G10",),
        how=("finding",),
    ),
    Mutant(
        name="a-day-twice",
        story="the list of days has the 15th twice and no 16th, from which on the rate is new",
        base=september,
        edit=put("T!F17", datetime(2021, 9, 15), DAY),  # noqa: DTZ001
        at=("T!F16|T!F17|M!B17",),
        how=("different", "finding"),
    ),
    Mutant(
        name="last-day-in-the-next-month",
        story="the last day dated 30 October: October's rates",
        edit=one_month_on,
        at=("M!A2815|M!B2815",),
        how=("finding",),
    ),
)

DEMAND = (
    Mutant(
        name="maximum-of-kva",
        story="the RESTO maximum of the kVA column",
        edit=change("M!D12", "$D$31:$D$2910", "$E$31:$E$2910"),
        at=("M!D12",),
    ),
    Mutant(
        name="maxima-added",
        story="SUM for MAX over the blocks",
        edit=change("M!D14", "MAX", "SUM"),
        at=("M!D14",),
    ),
    Mutant(
        name="demand-of-punta",
        story="the demand line reads PUNTA's maximum",
        edit=change("M!B17", "D14", "D13"),
        at=("M!B17",),
    ),
    Mutant(
        name="demand-weighted-by-another-block",
        story="rates summed over VALLE's slots, divided by RESTO's",
        edit=change("M!B17", 'COUNTIF($H$31:$H$2910,"VALLE")', 'COUNTIF($H$31:$H$2910,"RESTO")'),
        at=("M!B17",),
    ),
    Mutant(
        name="division-by-nothing",
        story="a space behind VALLE in the count: there are none",
        edit=change("M!B17", '2910,"VALLE")', '2910,"VALLE ")'),
        at=("M!B17",),
        how=("error",),
    ),
    Mutant(
        name="time-of-the-maximum-a-row-on",
        story="the range of times starts a row later than that of dates",
        edit=change("M!E14", "INDEX($B$31:$B$2910", "INDEX($B$32:$B$2911"),
        at=("M!E14",),
        shows="M!E14",
    ),
)

AMOUNTS = (
    Mutant(
        name="losses-on-cost",
        story="the loss factor times the cost of energy instead of kWh",
        edit=change("M!M31:M2910", "C{row}", "K{row}"),
        at=("M!M31", "M!M2910"),
    ),
    Mutant(
        name="losses-line-on-cost",
        story="the line of losses computed from the cost",
        edit=put("M!B18", "=ROUND(C14*B7,2)"),
        at=("M!B18",),
    ),
    Mutant(
        name="loss-factor-without-dollars",
        story="=B7 corrected by hand and filled down: the second slot's loss factor is FTPMS, the third's is nothing",
        edit=steps(put("M!L31", "=B7"), fill("M!L31", "L32:L33")),
        at=("M!L32", "M!L33"),
    ),
    Mutant(
        name="deviation-with-its-sign-turned",
        story="what was used above the forecast instead of below",
        edit=write("M!R31:R2910", "=MAX(0,C{row}-I{row})*Q{row}"),
        at=("M!R41", "M!R31"),
    ),
    Mutant(
        name="deviation-at-the-other-cost",
        story="the cost of too much for too little",
        edit=change("M!R31:R2910", "Q{row}", "P{row}"),
        at=("M!R41",),
    ),
    Mutant(
        name="deviation-both-ways",
        story="every deviation at the cost of too little",
        edit=write("M!R31:R2910", "=ABS(I{row}-C{row})*Q{row}"),
        at=("M!R31",),
    ),
    Mutant(
        name="forecast-of-the-next-row",
        story="the forecast is read a row lower",
        edit=write("M!R31:R2910", "=MAX(0,I{next}-C{row})*Q{row}"),
        at=("M!R41",),
    ),
    Mutant(
        name="deviation-adds-up-its-costs",
        story="the matrix sums column Q for R",
        edit=change("M!H12", "$R$31:$R$2910", "$Q$31:$Q$2910"),
        at=("M!H12",),
    ),
    Mutant(
        name="energy-line-not-rounded",
        story="the line of energy without ROUND: it shows two decimals and holds eight",
        edit=put("M!B16", "=C14"),
        at=("M!B16",),
        how=("different", "finding"),
        shows="M!B16",
    ),
    Mutant(
        name="demand-rounded-to-ten-cents",
        story="ROUND to one digit",
        edit=change("M!B17", ",2)", ",1)"),
        at=("M!B17",),
    ),
    Mutant(
        name="vat-cut-off",
        story="TRUNC for ROUND",
        edit=change("M!B23", "ROUND", "TRUNC"),
        at=("M!B23",),
    ),
    Mutant(
        name="sum-rounded-instead-of-rounded-summed",
        story="the subtotal rounds the sum of exact amounts: a cent more than the lines above it",
        edit=put("M!B22", "=ROUND(C14+B17+G14+F14+H14+B21,2)"),
        at=("M!B22",),
    ),
    Mutant(
        name="every-slot-rounded",
        story="ROUND in every slot",
        edit=write("M!K31:K2910", "=ROUND(C{row}*J{row},2)"),
        at=("M!K31", "M!K2910"),
    ),
    Mutant(
        name="discount-on-amounts-with-vat",
        story="the discount taken after VAT",
        edit=put("M!B21", "=-ROUND(SUM(B16:B20)*(1+$E$7)*$E$6,2)"),
        at=("M!B21",),
    ),
    Mutant(
        name="discount-added",
        story="the discount's sign",
        edit=change("M!B21", "=-ROUND", "=ROUND"),
        at=("M!B21",),
    ),
    Mutant(
        name="vat-on-the-municipal-fee",
        story="VAT on a third party's money",
        edit=change("M!B23", "B22*", "(B22+B25)*"),
        at=("M!B23",),
    ),
    Mutant(
        name="vat-typed-into-the-formula",
        story="12 % typed into the formula, 13 % stands in the cell for it",
        edit=change("M!B23", "$E$7", "0.12"),
        at=("M!B23",),
    ),
    Mutant(
        name="retention-added",
        story="the retention's sign",
        edit=change("M!B24", "=-ROUND", "=ROUND"),
        at=("M!B24",),
    ),
    Mutant(
        name="retention-of-the-vat",
        story="the retention's rate times the VAT",
        edit=change("M!B24", "B22", "B23"),
        at=("M!B24",),
    ),
    Mutant(
        name="retention-at-the-discount-rate",
        story="points to the discount",
        edit=change("M!B24", "$E$8", "$E$6"),
        at=("M!B24",),
    ),
    Mutant(
        name="municipal-fee-in-the-subtotal",
        story="the fee both inside the VAT base and below it",
        edit=put("M!B22", "=SUM(B16:B21)+B25"),
        at=("M!B22",),
    ),
    Mutant(
        name="municipal-fee-from-the-wrong-cell",
        story="points to the discount",
        edit=change("M!B25", "$E$5", "$E$6"),
        at=("M!B25",),
    ),
    Mutant(
        name="surcharge-line-on-all-energy",
        story="FTPMS times all kWh",
        edit=put("M!B19", "=ROUND(B14*B8,2)"),
        at=("M!B19",),
    ),
    Mutant(
        name="energy-at-the-mean-rate",
        story="kWh of the month times the mean of the rates",
        edit=put("M!B16", "=ROUND(B14*AVERAGE(J31:J2910),2)"),
        at=("M!B16",),
    ),
    Mutant(
        name="losses-and-surcharge-exchanged",
        story="two lines read each other's column; the total does not notice",
        edit=steps(change("M!B18", "G14", "F14"), change("M!B19", "F14", "G14")),
        at=("M!B18", "M!B19"),
        shows="M!B18",
    ),
    Mutant(
        name="kw-priced-as-kwh",
        story="the cost of energy reads the kW column",
        edit=change("M!K31:K2910", "C{row}", "D{row}"),
        at=("M!K31", "M!K2910"),
    ),
    Mutant(
        name="subtotal-of-what-is-shown",
        story="hid the line of deviation, which SUBTOTAL(109) then leaves out",
        edit=subtotal_of_what_is_shown,
        at=("M!B22",),
    ),
    Mutant(
        name="sum-that-reads-itself",
        story="the subtotal's range reaches its own cell",
        edit=steps(change("M!B22", "B21", "B22"), give("M!B22", 0)),
        at=("M!B22",),
        how=("different", "error", "finding"),
        office=False,  # it writes Err:522 where Excel warns and shows 0
    ),
)

ROWS = (
    Mutant(
        name="cost-reads-the-next-row",
        story="the cost of energy is filled one row off from the 11th on",
        edit=write("M!K991:K2910", "=C{next}*J{row}"),
        at=("M!K991", "M!K2910"),
    ),
    Mutant(
        name="one-cost-reads-the-next-row",
        story="one cell corrected by hand, a row off",
        edit=change("M!K500", "C500", "C501"),
        at=("M!K500",),
        shows="M!K500",
    ),
    Mutant(
        name="row-twice",
        story="copied a row and inserted it below itself",
        edit=duplicated_row,
        at=("M!A100|M!B100|M!A101|M!B101|M!C101",),
        how=("finding",),
    ),
    Mutant(
        name="row-deleted",
        story="deleted a row",
        edit=deleted_row,
        at=("M!A99|M!B99|M!A100|M!B100|M!C100",),
        how=("finding",),
        passes=None,
    ),
    Mutant(
        name="row-below-the-table",
        story="cut a row out and pasted it below the table, where no range reaches",
        edit=row_at_the_end,
        at=("M!C12", "M!A2910|M!B2910|M!C2910|M!K2910|M!A100|M!B100"),
        how=("different", "finding"),
    ),
    Mutant(
        name="day-sorted-by-energy",
        story="sorted the first day by kWh: the rows are whole, their order is not time's",
        edit=sorted_by_energy,
        at=("M!A31|M!B31|M!A32|M!B32",),
        how=("finding",),
        passes=None,
        shows=None,
    ),
    Mutant(
        name="column-sorted-alone",
        story="sorted one day's kWh without the other columns",
        edit=energy_sorted_alone,
        at=("M!C31|M!C32|M!C33|M!C34",),
        how=("finding",),
        passes=None,
    ),
    Mutant(
        name="rows-hidden-inside-a-total",
        story="hid eleven slots, which every total still counts",
        edit=rows_hidden,
        at=("M!A200|M!B200|M!C200|M!A210|M!B11|M!B12|M!C12|M!B14|M!C14",),
        how=("finding",),
        passes=None,
        shows=None,
    ),
)

INPUTS = (
    Mutant(
        name="kwh-as-text",
        story="a reading pasted as text: the cost computes, the sum of kWh leaves it out",
        edit=put("M!C100", "25.02"),
        at=("M!C100",),
        how=("finding",),
        shows="M!B14",
    ),
    Mutant(
        name="kwh-as-text-with-a-comma",
        story="a reading with a decimal comma",
        edit=steps(put("M!C100", "25,02"), NOT_A_NUMBER),
        at=("M!C100",),
        how=("finding",),
    ),
    Mutant(
        name="kwh-with-its-unit",
        story="a reading with its unit behind it",
        edit=steps(put("M!C100", "25.02 kWh"), NOT_A_NUMBER),
        at=("M!C100",),
        how=("finding",),
    ),
    Mutant(
        name="negative-kwh",
        story="a sign before a reading",
        edit=put("M!C100", -25.02),
        at=("M!C100",),
        how=("finding",),
        passes=None,
    ),
    Mutant(
        name="kwh-a-thousand-times",
        story="Wh typed for kWh",
        edit=put("M!C100", 25020),
        at=("M!C100",),
        how=("finding",),
        passes=None,
    ),
    Mutant(
        name="kw-in-the-kwh-column",
        story="pasted the first day's kW over its kWh",
        edit=kw_as_kwh,
        at=("M!C31",),
        how=("finding",),
        passes=None,
    ),
    Mutant(
        name="date-as-text",
        story="a slot's date as text: it is later than every date",
        edit=steps(put("M!A100", "01-sep-2021"), touch("M!A100:R100")),
        at=("M!A100",),
        how=("finding",),
    ),
    Mutant(
        name="time-as-text",
        story="a slot's time as text",
        edit=steps(put("M!B100", "17:15"), give("M!G100", 17)),
        at=("M!B100",),
        how=("finding",),
        passes=None,
        shows=None,
    ),
    Mutant(
        name="vat-of-thirteen",
        story="13 for 13 %",
        edit=put("M!E7", 13),
        at=("M!E7",),
        how=("finding",),
        passes=None,
    ),
    Mutant(
        name="cost-typed-over",
        story="typed a cost over its formula",
        edit=put("M!K50", 0.35),
        at=("M!K50",),
        how=("finding",),
    ),
    Mutant(
        name="cost-fixed",
        story="pasted a cost as its value: right today",
        edit=fix("M!K50"),
        at=("M!K50",),
        how=("finding",),
        passes=None,
        shows=None,
    ),
    Mutant(
        name="column-fixed-then-rates-changed",
        story="pasted the costs as values, then put the new RESTO rate in",
        edit=steps(fix("M!K31:K2910"), put("T!C6", 0.12)),
        at=("M!C12", "M!K31|M!K100"),
        how=("different", "finding"),
        shows="M!J100",
    ),
    Mutant(
        name="total-typed-over",
        story="agreed on the phone",
        edit=put("M!B26", 12900),
        at=("M!B26",),
        how=("finding",),
    ),
    Mutant(
        name="vat-line-typed-over",
        story="typed the VAT of last month",
        edit=put("M!B23", 1498.11),
        at=("M!B23",),
        how=("finding",),
    ),
    Mutant(
        name="rate-of-another-file",
        story="one rate read from last month's workbook",
        edit=steps(put("M!J500", "='[1]Tarifas'!$C$3"), give("M!J500", 0.104415)),
        at=("M!J500",),
        how=("different", "unclear", "finding"),
        office=False,  # there is no such file beside it
    ),
    Mutant(
        name="parameter-row-deleted",
        story="deleted row 7, the loss factor; the VAT stood in it too",
        edit=removed_parameter_row,
        at=("M!L30", "M!B22"),
        how=("error",),
        shows="M!B25",
    ),
    Mutant(
        name="sheet-deleted",
        story="deleted the sheet of hours as superfluous",
        edit=hours_removed,
        at=("M!H31", "M!H2910"),
        how=("error",),
        office=False,  # for a lookup in #REF! it writes #VALUE!, Excel #REF!
    ),
)

STALE = (
    Mutant(
        name="reading-changed-not-calculated",
        story="corrected a reading with calculation set to manual",
        edit=put("M!C41", 3.5),
        calculated=False,
        at=("M!K41", "M!M41", "M!R41"),
        how=("stale",),
    ),
    Mutant(
        name="stale-in-the-middle",
        story="a program wrote the cost of RESTO into the file and nobody calculated",
        edit=cached("M!C12", 5000.0),
        calculated=False,
        at=("M!C12",),
        how=("stale",),
        shows="M!C12",
    ),
    Mutant(
        name="one-cell-without-a-value",
        story="a program wrote one formula, and no value",
        edit=cached("M!K50", None),
        calculated=False,
        at=("M!K50",),
        how=("no value",),
        shows="M!K50",
    ),
    Mutant(
        name="never-calculated",
        story="a program wrote the workbook and nobody opened it",
        edit=uncalculated,
        calculated=False,
        at=("M!K31", "M!C12", "M!B26", "H!B2", "T!G2"),
        how=("no value",),
    ),
    Mutant(
        name="total-pasted-from-another-month",
        story="the file keeps last month's total; the formula is this month's",
        edit=cached("M!B26", 12417.03),
        calculated=False,
        at=("M!B26",),
        how=("stale",),
    ),
)

ERRORS = (*RANGES, *BLOCKS_AND_HOURS, *RATES_AND_DATES, *DEMAND, *AMOUNTS, *ROWS, *INPUTS, *STALE)
