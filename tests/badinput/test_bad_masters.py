"""Bad customer masters, tariffs and block hours: refused with file and cell; what is right goes on."""

from __future__ import annotations

import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import bad_files as bad
import openpyxl
import pytest

from eisenergy.contents import UnreadableFile
from eisenergy.findings import Severity
from eisenergy.masters import calendars, customers
from eisenergy.period import NotInForce
from eisenergy.tariffs import load
from eisenergy.tariffs.model import RateKind
from eisenergy.timeofuse import CalendarError


def says(message: str, *parts: str) -> None:
    missing = [part for part in parts if part not in message]
    assert not missing, f"{message!r} does not say {missing}"


def test_the_shipped_masters_have_no_fault(masters: Path) -> None:
    result = customers.read(masters / bad.CUSTOMERS)
    assert len(result.contracts) == 8
    assert [one for one in result.findings if one.severity is Severity.BLOCKING] == []
    assert load.read_spreadsheet(masters / bad.TARIFF).name == "EIS-TOU"
    assert calendars.read_spreadsheet(masters / bad.BLOCKS, "eis").blocks


@pytest.mark.parametrize(
    ("place", "value", "code", "words"),
    [
        ("J6", None, "missing-cell", ("the cell is empty", "'Tarifa'", "EIS-TOU", "Fill it in")),
        ("K6", None, "missing-cell", ("the cell is empty", "'Medidor'", "5614086")),
        ("M6", "noventa", None, ("'noventa'",)),
        ("M6", -90, None, ("-90",)),
        ("P6", 100.5, "share-above-one", ("100.5 %", "0 to 100")),
        ("R6", "cuando sea", None, ("'cuando sea'",)),
        ("N6", "=1/0*A1", "uncalculated-formula", ("never calculated", "save")),
    ],
)
def test_a_fault_in_one_customer_leaves_the_others(
    tmp_path: Path, masters: Path, place: str, value: object, code: str | None, words: tuple[str, ...]
) -> None:
    path = bad.edited(tmp_path / bad.CUSTOMERS, masters / bad.CUSTOMERS, {place: value})
    result = customers.read(path)
    faults = [one for one in result.findings if one.severity is Severity.BLOCKING]
    assert len(faults) == 1
    assert faults[0].subject == "EIS-0002"
    if code:
        assert faults[0].code == code
    says(faults[0].message, bad.CUSTOMERS, "sheet Clientes", f"cell {place}", *words)
    assert [one.number for one in result.contracts] == ["EIS-0001", *(f"EIS-000{n}" for n in range(3, 9))]


def test_one_meter_for_two_customers_takes_neither(tmp_path: Path, masters: Path) -> None:
    path = bad.edited(tmp_path / bad.CUSTOMERS, masters / bad.CUSTOMERS, {"K7": "5741444"})
    result = customers.read(path)
    faults = [one for one in result.findings if one.severity is Severity.BLOCKING]
    assert {one.subject for one in faults} == {"EIS-0002", "EIS-0003"}
    for one in faults:
        says(one.message, "meter 5741444", "cell K6", "cell K7", "expected it once")
    assert len(result.contracts) == 6


def test_a_corrupt_or_protected_master(tmp_path: Path, masters: Path) -> None:
    readers = {
        bad.CUSTOMERS: customers.read,
        bad.TARIFF: load.read_spreadsheet,
        bad.BLOCKS: lambda path: calendars.read_spreadsheet(path, "eis"),
    }
    for name, read in readers.items():
        with pytest.raises(UnreadableFile, match="cut off or damaged") as caught:
            read(bad.cut(tmp_path / name, masters / name, 0.7))
        assert name in str(caught.value)
        with pytest.raises(UnreadableFile, match="protected by a password"):
            read(bad.encrypted_workbook(tmp_path / name))
        with pytest.raises(UnreadableFile, match="no such file"):
            read(tmp_path / "nowhere.xlsx")


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("C7", -0.08, ("-0.08",)),
        ("C7", "0,0867", ("'0,0867'",)),
        ("C7", None, ("VALLE has no energy rate", "type 0 where nothing is charged")),
        ("C7", "=C4*1.03", ("never calculated",)),
        ("B7", "31/02/2021", ("'31/02/2021'",)),
        ("B7", "octubre", ("'octubre'",)),
        ("B7", "2020-07-15", ()),
        ("A7", None, ("empty",)),
        ("C3", "Cargo por energía (USD/MWh)", ("USD/MWh",)),
    ],
)
def test_a_fault_in_a_tariff_names_the_cell(
    tmp_path: Path, masters: Path, place: str, value: object, words: tuple[str, ...]
) -> None:
    path = bad.edited(tmp_path / bad.TARIFF, masters / bad.TARIFF, {place: value})
    with pytest.raises(UnreadableFile) as caught:
        load.read_spreadsheet(path)
    says(str(caught.value), bad.TARIFF, "sheet EIS-TOU", f"cell {place}", *words)


def test_overlapping_validity_names_both_cells(tmp_path: Path, masters: Path) -> None:
    book = openpyxl.load_workbook(masters / bad.TARIFF)
    sheet = book.worksheets[0]
    sheet["B7"] = sheet["B4"].value
    book.save(tmp_path / bad.TARIFF)
    with pytest.raises(load.BadTariff) as caught:
        load.read_spreadsheet(tmp_path / bad.TARIFF)
    says(str(caught.value), "cell B7", "cell B4", "block VALLE", "2020-07-15", "must not overlap", "Remove one")


def test_every_fault_of_a_tariff_is_told_at_once(tmp_path: Path, masters: Path) -> None:
    path = bad.edited(tmp_path / bad.TARIFF, masters / bad.TARIFF, {"C7": -1, "D8": "siete", "B10": None})
    with pytest.raises(load.BadTariff) as caught:
        load.read_spreadsheet(path)
    says(str(caught.value), "cell C7", "cell D8", "cell B10")


def test_a_day_before_every_rate_is_an_error_that_names_it(tmp_path: Path, masters: Path) -> None:
    tariff = load.read_spreadsheet(masters / bad.TARIFF)
    punta = tariff.rates[RateKind.ENERGY]["PUNTA"]
    assert punta.at(date(2021, 9, 30)).value == Decimal("0.121456")
    with pytest.raises(NotInForce) as caught:
        punta.at(date(2020, 7, 14))
    says(str(caught.value), "PUNTA", "2020-07-14", "Add one whose validity starts on or before")


def test_a_block_without_rates_from_some_day(tmp_path: Path, masters: Path) -> None:
    # the last day of validity ends the rate, and nothing follows it before the next row
    path = bad.edited(
        tmp_path / bad.TARIFF,
        masters / bad.TARIFF,
        {"H3": "Vigente hasta", "H18": date(2021, 9, 20)},
    )
    tariff = load.read_spreadsheet(path)
    punta = tariff.rates[RateKind.ENERGY]["PUNTA"]
    assert punta.at(date(2021, 9, 20)).value == Decimal("0.121456")
    with pytest.raises(NotInForce, match="2021-09-21"):
        punta.at(date(2021, 9, 21))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"B2": 3}, ("04:00",)),  # hour 4 belongs to no block
        ({"A3": 4}, ("04:00",)),  # hour 4 belongs to two
        ({"A3": 25}, ("cell A3", "25")),
        ({"A3": "cinco"}, ("cell A3", "'cinco'")),
        ({"C3": None}, ("cell C3", "empty")),
    ],
)
def test_hours_that_do_not_make_a_day(
    tmp_path: Path, masters: Path, changes: dict[str, object], words: tuple[str, ...]
) -> None:
    path = bad.edited(tmp_path / bad.BLOCKS, masters / bad.BLOCKS, changes)
    with pytest.raises((CalendarError, UnreadableFile)) as caught:
        calendars.read_spreadsheet(path, "eis")
    says(str(caught.value), bad.BLOCKS, *words)


def test_a_broken_tag_that_one_parser_minds_and_the_other_does_not(tmp_path: Path, masters: Path) -> None:
    members = bad.member_bytes(masters / bad.CUSTOMERS)
    sheet = next(name for name in members if "worksheets/sheet1" in name)
    assert b'<c r="E8"' in members[sheet]
    members[sheet] = members[sheet].replace(b'<c r="E8"', b'<cRr="E8"', 1)
    path = tmp_path / bad.CUSTOMERS
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert len(customers.read(path).contracts) == 8
