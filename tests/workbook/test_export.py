"""Exported workbooks, calculated by LibreOffice and by formualizer: the lines of exact fractions, to the cent, under every option."""

from __future__ import annotations

import dataclasses
import math
import random
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import exported
import openpyxl
import polars as pl
import pytest
from billing_builders import ZONE, make_contract, sourced
from billing_cases import make_case, starts
from issued import (
    AWKWARD,
    MIDWEEK,
    RATES,
    TEXTS,
    bill_of,
    block_of_kinds,
    block_of_quarters,
    block_of_three,
    kinds_of_day,
    quarters,
    readings,
    renamed,
    three,
)
from oracle import Case

from eisenergy.period import Period
from eisenergy.tariffs.model import BillingRules, DemandBasis
from eisenergy.workbook import evaluate, export, sheet_meter
from eisenergy.workbook.book import open_book
from eisenergy.workbook.layout import rounded, sheet_name
from eisenergy.workbook.sheet_tariffs import RateSheet

pytestmark = pytest.mark.long

SMALL = [("small", seed) for seed in range(30)]
LARGE = [("days", seed) for seed in range(200_000, 200_010)] + [("month", seed) for seed in (400_000, 400_001, 400_003)]


def write(folder: Path, *cases: tuple[str, int]) -> dict[str, Case]:
    made = {f"{size}-{seed}.xlsx": make_case(seed, size) for size, seed in cases}
    for name, case in made.items():
        export.write(exported.source_of_case(case), folder / name)
    return made


def evaluated(path: Path) -> dict[str, Decimal]:
    """The lines as formualizer calculates them from the input cells."""
    book = open_book(path)
    values = evaluate.afresh(book).values
    sheet = next(iter(book.grids))
    found = {}
    for (row, column), label in book.grids[sheet].values.items():
        if column == 1 and label in exported.LABELS and row > 9 and (row, 2) in book.grids[sheet].formulas:
            amount = values[sheet, row, 2]
            found[exported.LABELS[str(label)]] = Decimal(f"{float(amount):.2f}") + 0  # type: ignore[arg-type]
            assert abs(float(amount) * 100 - round(float(amount) * 100)) < 1e-6  # type: ignore[arg-type]
    return found


def differing(cached: Any, calculated: Any, formulas: Any) -> list[tuple[str, str, object, object]]:
    """Formula cells whose saved value is not what LibreOffice calculates."""
    found = []
    for sheet, cell in formulas:
        ours, theirs = cached[sheet][cell].value, calculated[sheet][cell].value
        if isinstance(ours, int | float) and isinstance(theirs, int | float):
            if math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9):
                continue
        elif ours == theirs:
            continue
        found.append((sheet, cell, ours, theirs))
    return found


@pytest.fixture(scope="module")
def random_bills(
    require: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Case], Any]:
    require("soffice")
    folder = tmp_path_factory.mktemp("random")
    cases = write(folder, *SMALL, *LARGE)
    return folder, cases, exported.recalculated([folder / name for name in cases], folder / "office")


@pytest.mark.long
def test_random_bills_calculated_by_libreoffice(random_bills: tuple[Path, dict[str, Case], Any]) -> None:
    _, cases, books = random_bills
    assert {name: exported.lines(book) for name, book in books.items()} == {
        name: exported.truth(case) for name, case in cases.items()
    }


@pytest.mark.long
def test_saved_values_are_what_the_formulas_give(random_bills: tuple[Path, dict[str, Case], Any]) -> None:
    folder, cases, books = random_bills
    for name in cases:
        cached = openpyxl.load_workbook(folder / name, data_only=True)
        assert differing(cached, books[name], exported.formula_cells(folder / name)) == [], name


def test_random_bills_cover_every_option() -> None:
    seen: Counter[str] = Counter()
    for size, seed in SMALL + LARGE:
        case = make_case(seed, size)
        seen.update(
            [case.demand_basis, case.loss_basis, case.deviation_mode, f"ftpms in {len(case.ftpms_blocks)} blocks"]
        )
        seen["correction"] += bool(case.corrections)
        seen["demand rate of a named block"] += case.demand_basis == "period_max" and case.demand_rate_block is not None
        seen["price in some readings only"] += None in case.slot_neg and any(case.slot_neg)
        seen["loss factor in some readings only"] += None in case.slot_loss and any(case.slot_loss)
        seen["price in every reading"] += None not in case.slot_neg and len(set(case.slot_neg)) > 1
        seen["forecast for some intervals only"] += None in case.forecast and any(case.forecast)
        seen["no forecast"] += not any(case.forecast)
        seen["energy rate changes inside"] += any(case.start < day < case.end for _, day, _ in case.energy)
        seen["demand rate changes inside"] += any(case.start < day < case.end for _, day, _ in case.demand)
        seen["loss factor changes inside"] += case.contract_loss is None and any(
            case.start < day < case.end for day, _ in case.tariff_loss
        )
        seen["discount of the tariff"] += case.discount is None and bool(case.tariff_discount)
    assert min(seen.values()) >= 2, seen


@pytest.mark.parametrize(("size", "seed"), [*SMALL[:4], LARGE[0]])
def test_random_bills_calculated_by_formualizer(size: str, seed: int, tmp_path: Path) -> None:
    ((name, case),) = write(tmp_path, (size, seed)).items()
    assert evaluated(tmp_path / name) == exported.truth(case)


average = RateSheet.average
lookup = RateSheet.lookup

BREAKS: dict[str, tuple[Any, str, Any]] = {
    "the highest demand rate": (RateSheet, "average", lambda *of: average(*of).replace("AVERAGE", "MAX")),
    "lines that are not rounded": (sheet_meter, "rounded", lambda expression, exact: expression),
    "a rate not yet in force": (RateSheet, "lookup", lambda *of, **how: lookup(*of, **how).replace("<=", ">=")),
    "losses of the first interval": (sheet_meter, "SUMS", sheet_meter.SUMS | {7: 13 + 2}),
}


@pytest.mark.long
@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_formula_is_noticed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where, attribute, broken = BREAKS[name]
    monkeypatch.setattr(where, attribute, broken)
    cases = write(tmp_path, *SMALL[:10])
    noticed = 0
    for file, case in cases.items():
        try:
            noticed += evaluated(tmp_path / file) != exported.truth(case)
        except AssertionError:  # not in cents
            noticed += 1
    assert noticed >= 3


# ------------------------------------------------------------------------------------------------ half a cent


def half_a_cent() -> Case:
    """2,880 intervals at 0.35 that come to 60216.345; a plain sum of doubles comes to 60216.3449999998."""
    dice = random.Random(2967)
    rate = dice.choice([15, 11, 9, 13, 17, 25, 35])
    kwh = [Fraction(dice.randrange(1, 1200), 10) for _ in range(2880)]
    start, end, nothing = date(2021, 9, 1), date(2021, 10, 1), [None] * 2880
    return dataclasses.replace(
        make_case(3),
        zone=ZONE,
        start=start,
        end=end,
        hours=[(0, 23, "VALLE")],
        when=starts(ZONE, start, end),
        kwh=kwh,
        kw=[value * 4 for value in kwh],
        **dict.fromkeys(("forecast", "slot_loss", "slot_ftpms", "slot_pos", "slot_neg"), nothing),
        energy=[("VALLE", date(2020, 1, 1), Fraction(rate, 100))],
        demand=[("VALLE", date(2020, 1, 1), Fraction(7))],
        **{name: [] for name in ("ftpms", "cost_pos", "cost_neg", "tariff_loss", "ftpms_blocks", "corrections")},
        vat=[(date(2000, 1, 1), Fraction(13, 100))],
        demand_rate_block=None,
    )


@pytest.mark.long
def test_half_a_cent_does_not_depend_on_the_noise_of_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = half_a_cent()
    assert exported.truth(case)["energy"] == Decimal("60216.35")
    export.write(exported.source_of_case(case), tmp_path / "safe.xlsx")
    assert evaluated(tmp_path / "safe.xlsx") == exported.truth(case)
    monkeypatch.setattr(sheet_meter, "rounded", lambda expression, exact: f"ROUND({expression},2)")
    export.write(exported.source_of_case(case), tmp_path / "plain.xlsx")
    assert evaluated(tmp_path / "plain.xlsx")["energy"] == Decimal("60216.34")


@pytest.mark.parametrize(
    ("exact", "formula"),
    [
        ("6441.33281916", "ROUND(C14,2)"),
        ("60216.345", "ROUND(ROUND(C14,7),2)"),
        ("-0.125", "ROUND(ROUND(C14,8),2)"),
        ("0.125000000000001", "ROUND(ROUND(C14,8),2)"),
        ("0.12499999999999", "ROUND(C14,2)"),  # rounding it up first would cross the half
        ("0", "ROUND(C14,2)"),
    ],
)
def test_only_half_a_cent_is_rounded_twice(exact: str, formula: str) -> None:
    assert rounded("C14", Decimal(exact)) == formula


# ------------------------------------------------------------------------------------------------ calendars, blocks, contracts


HAND: dict[str, tuple[Callable[[], export.Source], Callable[[datetime], str], dict[str, str]]] = {
    "kinds of day": (lambda: bill_of(kinds_of_day()), block_of_kinds, RATES),
    "quarters": (lambda: bill_of(quarters()), block_of_quarters, RATES),
    "a contract that starts and ends inside the month": (
        lambda: bill_of(
            three(), period=Period(date(2021, 9, 14), date(2021, 9, 18)), start=date(2021, 9, 14), end=date(2021, 9, 18)
        ),
        block_of_three,
        RATES,
    ),
    "a day of 23 hours": (
        lambda: bill_of(three(), period=Period(date(2021, 3, 27), date(2021, 3, 30)), zone="Europe/Madrid"),
        block_of_three,
        RATES,
    ),
    "a day of 25 hours": (
        lambda: bill_of(three(), period=Period(date(2021, 10, 30), date(2021, 11, 2)), zone="Europe/Madrid"),
        block_of_three,
        RATES,
    ),
    "blocks named like patterns": (
        lambda: bill_of(renamed(AWKWARD), AWKWARD),
        lambda at: list(AWKWARD)[(0, 1, 1, 2)[at.hour // 6]],
        AWKWARD,
    ),
    "blocks named like numbers": (
        lambda: bill_of(
            renamed(TEXTS), TEXTS, rules=BillingRules(demand_basis=DemandBasis.BLOCK_MAX, ftpms_blocks=("1",))
        ),
        lambda at: list(TEXTS)[(0, 1, 1, 2)[at.hour // 6]],
        TEXTS,
    ),
    "a block without intervals": (
        lambda: bill_of(kinds_of_day(), period=Period(date(2021, 9, 12), date(2021, 9, 13))),
        block_of_kinds,
        RATES,
    ),
}
"""What to bill, the block of a local time, and the rate of a block: the last two know nothing of the library."""


def by_hand(source: export.Source, block_of: Callable[[datetime], str], rates: dict[str, str]) -> dict[str, Decimal]:
    """Energy, demand, losses and FTPMS, interval by interval."""
    zone = ZoneInfo(source.invoice.bill.timezone)
    energy, kwh, ftpms = Fraction(0), Fraction(0), Fraction(0)
    highest: dict[str, Fraction] = {}
    for at, taken in source.readings.select("start", "kwh_import").iter_rows():
        block, exact = block_of(at.astimezone(zone)), Fraction(str(taken))
        energy += exact * Fraction(rates[block])
        kwh += exact
        ftpms += exact * Fraction("0.004") * (block in source.tariff.rules.ftpms_blocks)
        highest[block] = max(highest.get(block, Fraction(0)), exact * 4)
    period = source.invoice.bill.period
    days = [period.start + timedelta(days=number) for number in range(period.days)]
    weighted = sum(Fraction("8.3") if day >= date(2021, 9, 15) else Fraction("7.1") for day in days) / len(days)
    one = source.tariff.rules.demand_basis is DemandBasis.PERIOD_MAX
    demand = (max(highest.values()) if one else sum(highest.values())) * weighted
    lines = {"energy": energy, "demand": demand, "losses": kwh * Fraction("0.0153"), "ftpms": ftpms}
    return {name: Decimal(int(value * 100 + Fraction(1, 2))).scaleb(-2) for name, value in lines.items()}


@pytest.fixture(scope="module")
def hand_made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[export.Source, Path]]:
    folder = tmp_path_factory.mktemp("hand")
    made = {name: make() for name, (make, _, _) in HAND.items()}
    return {name: (source, export.write(source, folder / f"{n}.xlsx")) for n, (name, source) in enumerate(made.items())}


@pytest.fixture(scope="module")
def hand_calculated(
    require: Callable[[str], None],
    hand_made: dict[str, tuple[export.Source, Path]],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    require("soffice")
    return exported.recalculated([path for _, path in hand_made.values()], tmp_path_factory.mktemp("hand") / "office")


@pytest.mark.long
@pytest.mark.parametrize("name", HAND)
def test_hand_made_bills(
    name: str, hand_made: dict[str, tuple[export.Source, Path]], hand_calculated: dict[str, Any]
) -> None:
    source, path = hand_made[name]
    shown = exported.lines(hand_calculated[path.name])
    assert shown == exported.issued(source)
    _, block_of, rates = HAND[name]
    expected = by_hand(source, block_of, rates)
    assert {line: shown[line] for line in expected} == expected
    cached = openpyxl.load_workbook(path, data_only=True)
    assert differing(cached, hand_calculated[path.name], exported.formula_cells(path)) == []


@pytest.mark.parametrize("name", HAND)
def test_hand_made_bills_calculated_by_formualizer(name: str, hand_made: dict[str, tuple[export.Source, Path]]) -> None:
    source, path = hand_made[name]
    assert evaluated(path) == exported.issued(source)


def test_blocks_that_differ_only_in_capitals_are_refused(tmp_path: Path) -> None:
    names = {"a": "0.1", "A": "0.2", "B": "0.4"}
    with pytest.raises(export.NotExportable, match="'a' and 'A' differ only in capitals"):
        export.write(bill_of(renamed(names), names), tmp_path / "out.xlsx")
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ texts


DANGEROUS = [
    '=HYPERLINK("http://example.invalid","x")',
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    "\r=1+1",
    "=cmd|' /C calc'!A0",
    "{=1+1}",
    "<r><t>x</t></r>",
    "_x003D_1+1",
    "http://example.invalid",
    "007",
    "'=1+1",
    "A" * 40_000,
    "Ñandú & Cía <S.A.> \x07",
]


@pytest.fixture(scope="module")
def dangerous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Workbooks whose every text of the customer's is dangerous, and one whose texts are all different dangers."""
    folder = tmp_path_factory.mktemp("texts")
    for number, text in enumerate(DANGEROUS):
        base = make_contract()
        customer = dataclasses.replace(
            base.customer,
            **dict.fromkeys(("code", "name", "nit", "ncr", "address", "phone", "email", "activity"), text),
        )
        site = dataclasses.replace(base.meter.site, node=text, municipality=text)
        meter = dataclasses.replace(base.meter, site=site)
        one = Period(date(2021, 9, 9), date(2021, 9, 10))
        source = bill_of(
            three(),
            period=one,
            customer=customer,
            meter=meter,
            number=text,
            municipal_fee=sourced("12.5", text),
            issuer=exported.client(name=text),
            tariff_name=text,
        )
        export.write(source, folder / f"{number}.xlsx")
    return folder


def texts_are_texts(book: Any, formulas: bool) -> None:
    """No cell of the customer's is anything but a text."""
    sheet = book.worksheets[0]
    for cell in ("A1", "B2", "B3", "B4", "H2", "H3", "H4", "H5", "K2", "K3", "K4", "K5", "K6"):
        assert sheet[cell].data_type == "s", (cell, sheet[cell].value)
    for page in book:
        for row in page.iter_rows():
            for cell in row:
                assert cell.hyperlink is None
                if cell.data_type == "f":
                    assert formulas
                    outside = re.sub(r"'[^']*'", "", cell.value)  # a sheet's name is between quotes
                    assert "HYPERLINK" not in outside
                    assert "|" not in cell.value


@pytest.mark.parametrize("number", range(len(DANGEROUS)))
def test_texts_of_customers_never_become_formulas(number: int, dangerous: Path) -> None:
    book = openpyxl.load_workbook(dangerous / f"{number}.xlsx")
    texts_are_texts(book, formulas=True)
    text = DANGEROUS[number]
    name = book.worksheets[0]["B2"]
    assert name.value.strip() == re.sub(r"[\x00-\x1f]", " ", text)[:32_767].strip()
    if text[0] in "=+-@\t\r":
        assert name.quotePrefix
    expected = exported.lines(openpyxl.load_workbook(dangerous / f"{number}.xlsx", data_only=True))
    assert len(expected) == 11


@pytest.mark.long
def test_texts_stay_texts_when_libreoffice_calculates(
    require: Callable[[str], None], dangerous: Path, tmp_path: Path
) -> None:
    require("soffice")
    paths = sorted(dangerous.glob("*.xlsx"))
    plain = exported.lines(openpyxl.load_workbook(paths[0], data_only=True))
    for book in exported.recalculated(paths, tmp_path / "office").values():
        texts_are_texts(book, formulas=False)
        assert exported.lines(book) == plain


@pytest.mark.parametrize(
    ("node", "serial", "name"),
    [
        ("Ateos", "5614086", "Nodo Ateos 5614086"),
        ("A/B [x]: c?*|!", "12", "Nodo A B x c 12"),
        ("=HYPERLINK(1)", "@12", "Nodo HYPERLINK(1) 12"),
        ("Un nodo de nombre muy largo que no cabe", "5614086", "Nodo Un nodo de nombre m 5614086"[:31]),
        ("'", "'", "Nodo"),
    ],
)
def test_the_sheet_is_named_as_the_analysts(node: str, serial: str, name: str) -> None:
    found = sheet_name(node, serial)
    assert len(found) <= 31
    assert found.startswith("Nodo")
    assert found.endswith(serial.strip("'@"))
    if len(node) < 20:
        assert found == name


# ------------------------------------------------------------------------------------------------ what stands where


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[export.Source, Path]:
    source = bill_of(three())
    return source, export.write(source, tmp_path_factory.mktemp("shown") / "FAC-000001.xlsx")


def test_the_same_invoice_gives_the_same_bytes(shown: tuple[export.Source, Path], tmp_path: Path) -> None:
    source, path = shown
    again = export.write(source, tmp_path / "again.xlsx")
    assert again.read_bytes() == path.read_bytes()
    assert b"2021-10-05T00:00:00Z" in _part(path, "docProps/core.xml")


def _part(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as book:
        return book.read(name)


def test_a_file_that_is_there_is_replaced_whole(
    shown: tuple[export.Source, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, path = shown
    out = tmp_path / "deep" / "FAC.xlsx"
    export.write(source, out)
    assert out.read_bytes() == path.read_bytes()
    out.write_bytes(b"older")

    def fails(*_: object) -> None:
        raise RuntimeError("no space left")

    monkeypatch.setattr(export.sheet_meter, "write", fails)
    with pytest.raises(RuntimeError, match="no space left"):
        export.write(source, out)
    assert out.read_bytes() == b"older"
    assert [entry.name for entry in out.parent.iterdir()] == ["FAC.xlsx"]


def test_the_layout_is_the_analysts(shown: tuple[export.Source, Path]) -> None:
    """Every label and header of the reference workbook's meter sheet stands in its cell."""
    _, path = shown
    ours, theirs = openpyxl.load_workbook(path), openpyxl.load_workbook(exported.REFERENCE)
    mine, analysts = ours.worksheets[0], theirs.worksheets[0]
    assert mine.title == analysts.title
    for row in [*range(2, 9), 10, *range(14, 27), 30]:
        for cell in analysts[row]:
            if isinstance(cell.value, str) and not cell.value.startswith("=") and cell.column != 2:
                assert mine[cell.coordinate].value == cell.value, cell.coordinate
    assert {"Bloques horarios", "Hora-Bloque", "Tarifas", "Cómo se calcula"} == set(ours.sheetnames[1:])
    for name in ("Bloques horarios", "Hora-Bloque"):
        assert [cell.value for cell in ours[name][1]] == [cell.value for cell in theirs[name][1]]
    assert [cell.value for cell in ours["Tarifas"][1]][:4] == [cell.value for cell in theirs["Tarifas"][1]][:4]


def test_columns_of_the_analyst_have_her_formulas(shown: tuple[export.Source, Path]) -> None:
    """Formulas of the interval, the matrix and the lines are the reference's, but for the last row and the demand's average."""
    _, path = shown
    mine = openpyxl.load_workbook(path).worksheets[0]
    analysts = openpyxl.load_workbook(exported.REFERENCE).worksheets[0]
    last = mine.max_row
    cells = ["G31", "H31", "K31", "L31", "M31", "O31", *(f"{c}11" for c in "BCDEFGH"), *(f"{c}14" for c in "BCDEFGH")]
    cells += [f"B{row}" for row in (16, *range(18, 27))]
    for cell in cells:
        assert mine[cell].value == analysts[cell].value.replace("2910", str(last)), cell
    assert mine["B17"].value == "=ROUND(D14*AVERAGE(Tarifas!$I$2:$I$13),2)"


def test_invoice_customer_and_hash_are_shown(shown: tuple[export.Source, Path]) -> None:
    source, path = shown
    sheet = openpyxl.load_workbook(path).worksheets[0]
    labelled = {
        cell.value: sheet.cell(cell.row, cell.column + 1).value for row in sheet["A1:O8"] for cell in row if cell.value
    }
    invoice = source.invoice
    assert labelled["Factura"] == invoice.number
    assert labelled["Huella (sha256)"] == invoice.input_hash
    assert labelled["Cliente"] == "Aceros de Ateos, S.A. de C.V."
    assert labelled["NIT"] == "0614-150390-101-2"
    assert labelled["Emisión"].date() == date(2021, 10, 5)
    assert labelled["Vencimiento"].date() == date(2021, 10, 20)
    assert (labelled["Periodo"].date(), sheet["C5"].value.date()) == (date(2021, 9, 9), date(2021, 9, 20))


def test_defined_names_lead_to_the_lines(shown: tuple[export.Source, Path]) -> None:
    source, path = shown
    book = openpyxl.load_workbook(path, data_only=True)

    def of(name: str) -> Any:
        ((sheet, cell),) = book.defined_names[name].destinations
        return book[sheet][cell].value

    lines = exported.issued(source)
    assert of("Total_a_pagar") == float(lines["total"])
    assert of("IVA") == float(lines["vat"])
    assert of("Costo_de_energia") == float(lines["energy"])
    assert of("Energia_kWh") == pytest.approx(source.readings["kwh_import"].sum())
    assert of("Maximo_kW") == pytest.approx(7.01 * 4)
    assert (of("Tasa_de_IVA"), of("Tasa_de_descuento"), of("Factura")) == (0.13, 0.02, "FAC-000001")


def test_estimated_intervals_are_marked(shown: tuple[export.Source, Path]) -> None:
    _, path = shown
    sheet = openpyxl.load_workbook(path).worksheets[0]
    marked = [row for row in range(31, sheet.max_row + 1) if sheet.cell(row, 19).value == "estimada"]
    assert marked == list(range(31 + 40, 31 + 58))
    shade = {sheet.cell(row, 3).fill.fgColor.rgb for row in marked}
    assert len(shade) == 1
    assert shade != {sheet.cell(31, 3).fill.fgColor.rgb}
    assert "18 estimados" in sheet["Q7"].value


def test_prices_of_some_readings_are_inputs(tmp_path: Path) -> None:
    """A price that came with some readings only stands in its column; where there is none, the amount takes the contract's."""
    frame = readings(MIDWEEK, forecast_kwh=5.0).with_columns(
        loss_factor=pl.when(pl.col("source_row") % 2 == 0).then(pl.col("source_row") / 100_000)
    )
    source = bill_of(three(), frame=frame)
    sheet = openpyxl.load_workbook(export.write(source, tmp_path / "out.xlsx")).worksheets[0]
    assert (sheet["L31"].value, sheet["L32"].value, sheet["B7"].value) == (None, 0.00002, 0.0153)
    assert sheet["M31"].value == '=C31*IF(L31="",$B$7,L31)'
    assert evaluated(tmp_path / "out.xlsx") == exported.issued(source)


@pytest.mark.parametrize(
    ("locale", "sheet", "words"),
    [
        ("es-SV", "Cómo se calcula", ("IVA", "TOTAL A PAGAR", "vigente desde")),
        ("en-US", "How it is calculated", ("VAT", "TOTAL TO PAY", "in force from")),
    ],
)
def test_every_line_is_explained(locale: str, sheet: str, words: tuple[str, ...], tmp_path: Path) -> None:
    source = bill_of(three())
    book = openpyxl.load_workbook(export.write(source, tmp_path / "out.xlsx", locale=locale), data_only=True)
    rows = list(book[sheet].iter_rows(values_only=True))
    amounts = [row[8] for row in rows if isinstance(row[8], float | int)]
    assert amounts == [float(line.amount) for line in source.invoice.bill.lines]
    everything = "\n".join(str(value) for row in rows for value in row if value is not None)
    for word in (*words, source.invoice.input_hash, "master, N5", "energy DIA of 2021-01-01", "Total_a_pagar"):
        assert word in everything
    # every product of every line, with its exact amount
    exact = {round(float(part.exact), 9) for line in source.invoice.bill.lines for part in line.parts}
    assert exact <= {round(float(row[7]), 9) for row in rows if isinstance(row[7], float | int)}


def test_inputs_are_values_and_results_are_formulas(shown: tuple[export.Source, Path]) -> None:
    _, path = shown
    sheet = openpyxl.load_workbook(path).worksheets[0]
    kinds = {sheet.cell(30, column).value: sheet.cell(31, column).data_type for column in range(1, 20)}
    formulas = {name for name, kind in kinds.items() if kind == "f"}
    assert formulas == {
        *(
            "Hora",
            "Block",
            "Tarifa kWh",
            "Costo energia",
            "Factor de perdidas",
            "Ajuste perdidas",
            "FTPMS",
            "Recargo FTPMS",
        ),
        "Cargo desviacion",
    }
    allowed = {
        "HOUR",
        "VLOOKUP",
        "FALSE",
        "SUMIFS",
        "SUMPRODUCT",
        "MAX",
        "IF",
        "INDEX",
        "MATCH",
        "SUM",
        "ROUND",
        "AVERAGE",
    }
    used = {name for text in exported.formula_cells(path).values() for name in exported.FUNCTION.findall(text)}
    assert used <= allowed
