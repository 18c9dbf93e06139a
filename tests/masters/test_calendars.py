"""Block calendars: the shipped ones hour by hour, day types and seasons by hand, and every refusal with its place."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eisenergy.masters import calendars
from eisenergy.tariffs.document import BadDocument
from eisenergy.tariffs.table import BadTable
from eisenergy.timeofuse import CalendarError, DayType

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "samples" / "Bloques horarios.xlsx"
WORKBOOK = ROOT / "data" / "samples" / "Ejemplo de procesamiento de descargas de medidores.xlsx"
SHIPPED = ROOT / "params" / "calendars" / "eis-bloques.yaml"
ZONE = ZoneInfo("America/El_Salvador")


def hours(calendar, day=date(2021, 9, 1)):
    """Block of each hour of a day."""
    start = datetime(day.year, day.month, day.day, tzinfo=ZONE)
    return [calendar.block_at(start + timedelta(hours=n)) for n in range(24)]


def reference_hours():
    """Block of each hour as the spreadsheet program calculated it in the reference workbook."""
    book = openpyxl.load_workbook(WORKBOOK, read_only=True, data_only=True)
    rows = list(book["Hora-Bloque"].iter_rows(min_row=2, max_row=25, max_col=2, values_only=True))
    book.close()
    assert [int(hour) for hour, _ in rows] == list(range(24))
    return [block for _, block in rows]


def test_the_shipped_calendars_are_the_workbooks():
    expected = reference_hours()
    spreadsheet = calendars.read_spreadsheet(SAMPLE, "eis-bloques")
    document = calendars.read_yaml(SHIPPED)
    inside = calendars.read_spreadsheet(WORKBOOK, "eis-bloques", sheet="Bloques horarios")
    assert hours(spreadsheet) == hours(document) == hours(inside) == expected
    assert spreadsheet.version == document.version == inside.version
    assert len(spreadsheet.version) == 64


def test_the_document_equals_the_spreadsheet():
    spreadsheet = calendars.read_spreadsheet(SAMPLE, "eis-bloques")
    document = calendars.read_yaml(SHIPPED)

    def without_origin(calendar):
        return replace(calendar, rows=tuple(replace(row, origin="") for row in calendar.rows))

    assert without_origin(spreadsheet) == without_origin(document)
    assert [row.origin for row in spreadsheet.rows] == [f"Bloques horarios.xlsx, Bloques!A{row}" for row in (2, 3, 4)]
    assert [row.origin for row in document.rows] == [f"eis-bloques.yaml, line {line}" for line in (6, 7, 8)]


HEADERS = [("HoraInicial", "HoraFinal", "Bloque"), ("hora inicial", "HORA FINAL", "bloque horario")]
HEADERS += [("Start hour", "End hour", "Block")]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 23), st.sampled_from(["Valle", "RESTO", "PUNTA "])), min_size=1, max_size=6),
    st.sampled_from(HEADERS),
    st.randoms(use_true_random=False),
    st.integers(0, 3),
)
def test_any_cover_of_the_day_is_read_hour_by_hour(workbook, cuts, names, random: random.Random, titles):
    """Rows from cut to cut, the last one over midnight, against a list of 24 written beside it."""
    starts = sorted(dict(cuts).items())
    expected = [""] * 24
    rows = []
    for (first, block), (after, _) in zip(starts, [*starts[1:], starts[0]], strict=True):
        rows.append([first, (after - 1) % 24, block])
        length = (after - first) % 24 or 24
        for offset in range(length):
            expected[(first + offset) % 24] = block.strip().upper()
    random.shuffle(rows)
    order = random.sample(range(3), 3)
    table = [[line[index] for index in order] for line in [list(names), *rows]]
    read = calendars.read_spreadsheet(workbook({"H": [["Bloques"]] * titles + table}), "x")
    assert hours(read) == expected


GAPS = [
    ([[23, 4, "V"], [5, 17, "R"], [18, 21, "P"]], r"no block from 22:00 to 23:00 on weekday days.*Libro.xlsx, H!A2"),
    ([[23, 5, "V"], [5, 17, "R"], [18, 22, "P"]], r"05:00 .*given twice, to V.*H!A2.* and to R.*H!A3"),
    ([[0, 24, "V"]], r"^Libro.xlsx, sheet H, cell B2: found 24, expected a whole hour from 0 to 23"),
    ([[-1, 23, "V"]], r"cell A2: found -1, expected a whole hour"),
    ([[0, 22.5, "V"]], r"cell B2: found 22.5, expected a whole hour"),
    ([["0", 23, "V"]], r"cell A2: found '0', which is not a number"),
    ([[0, None, "V"]], r"cell B2: the cell is empty, expected 'HoraFinal'"),
    ([[0, 23, None]], r"cell C2: the cell is empty, expected 'Bloque'"),
]


@pytest.mark.parametrize(("rows", "message"), GAPS)
def test_a_table_that_does_not_cover_the_day_once_is_refused_with_its_cell(workbook, rows, message):
    with pytest.raises(CalendarError, match=message):
        calendars.read_spreadsheet(workbook({"H": [["HoraInicial", "HoraFinal", "Bloque"], *rows]}), "x")


def test_a_file_without_the_table(workbook):
    with pytest.raises(BadTable, match=r"Libro.xlsx, sheet H, row 1: no column 'HoraFinal' in the header"):
        calendars.read_spreadsheet(workbook({"H": [["HoraInicial", "Bloque"], [0, "V"]]}), "x")
    with pytest.raises(BadTable, match="cell C1: no hours below the header"):
        calendars.read_spreadsheet(workbook({"H": [["HoraInicial", "HoraFinal", "Bloque"]]}), "x")


SEASONAL = """\
name: seasonal
source: by hand
hours:
  - {from: "00:00", to: "24:00", block: valle, days: [sunday, holiday]}
  - {from: "22:30", to: "05:00", block: VALLE, days: [weekday, saturday]}
  - {from: 300, to: 1350, block: RESTO, days: [saturday]}
  - {from: "5:00", to: "18:00", block: RESTO, days: [weekday], season: dry}
  - {from: "18:00", to: "22:30", block: PUNTA, days: [weekday], season: dry}
  - {from: "05:00", to: "22:30", block: RESTO, days: [weekday], season: wet}
seasons:
  - {name: dry, start: "11-01"}
  - {name: wet, start: "05-01"}
holidays:
  2021-09-15: Día de la Independencia
"""


@pytest.mark.parametrize(
    ("local", "block"),
    [
        ((2021, 4, 30, 18, 0), "PUNTA"),  # Friday, last day of the dry season
        ((2021, 5, 3, 18, 0), "RESTO"),  # Monday, wet
        ((2021, 10, 29, 22, 29), "RESTO"),  # Friday, wet
        ((2021, 10, 29, 22, 30), "VALLE"),
        ((2021, 11, 1, 18, 0), "PUNTA"),  # Monday, first day of the dry season
        ((2022, 1, 3, 17, 59), "RESTO"),  # Monday, dry since November
        ((2021, 9, 15, 12, 0), "VALLE"),  # Wednesday, but a holiday
        ((2021, 9, 18, 12, 0), "RESTO"),  # Saturday
        ((2021, 9, 19, 12, 0), "VALLE"),  # Sunday
        ((2021, 9, 20, 4, 59), "VALLE"),  # Monday
    ],
)
def test_day_types_seasons_and_holidays(yaml, local, block):
    calendar = calendars.read_yaml(yaml(SEASONAL))
    assert calendar.block_at(datetime(*local, tzinfo=ZONE)) == block
    assert calendar.blocks == ("VALLE", "RESTO", "PUNTA")


def test_the_version_is_of_the_hours_and_not_of_the_rows(yaml):
    base = calendars.read_yaml(yaml(SEASONAL)).version
    split = SEASONAL.replace(
        '{from: "22:30", to: "05:00", block: VALLE, days: [weekday, saturday]}',
        '{from: "22:30", to: "24:00", block: VALLE, days: [weekday, saturday]}\n'
        '  - {from: "00:00", to: "05:00", block: VALLE, days: [saturday, weekday]}',
    ).replace("by hand", "by law")
    one = "  - {from: 300, to: 1350, block: RESTO, days: [saturday]}\n"
    assert one in split
    split = split.replace(one, one.replace("1350", "700") + one.replace("300", "700", 1))
    assert calendars.read_yaml(yaml(split)).version == base
    changes = [("22:30", "22:45"), ("2021-09-15", "2021-09-16"), ("05-01", "05-02"), ("name: seasonal", "name: s")]
    changed = {
        calendars.read_yaml(yaml(SEASONAL.replace(old, new).replace("1350", "1365" if "45" in new else "1350"))).version
        for old, new in changes
    }
    assert len({base, *changed}) == 5


BAD = [
    ('"22:30", block: PUNTA', '"22:15", block: PUNTA', CalendarError, r"22:15.*season dry.*doc.yaml, line 4"),
    ("  - {from: 300", "  - {from: 295", CalendarError, r"04:55 on saturday days.*line 5.*line 6"),
    ("season: wet", "season: rainy", CalendarError, r"line 9.*season 'rainy' is not defined"),
    ("days: [saturday]", "days: [sabado]", BadDocument, r"line 6: hours.2.days.0: found 'sabado', expected weekday"),
    ('"5:00"', '"5"', BadDocument, r"line 7: hours.3.from: found '5', expected a time such as"),
    ('"24:00"', '"24:15"', BadDocument, r"line 4: hours.0.to: found '24:15'"),
    ('"11-01"', '"13-01"', BadDocument, r"line 11: seasons.0.start: found '13-01'"),
    ('"11-01"', '"11-31"', CalendarError, r"season dry starts on month 11, day 31"),
    ("2021-09-15", '"2021-02-30"', BadDocument, r"line 14: 2021-02-30 is not a day"),
    ("source: by hand\n", "", BadDocument, r"line 1: document: 'source' is a required property"),
]


@pytest.mark.parametrize(("old", "new", "error", "message"), BAD)
def test_a_bad_document_is_refused_with_its_line(yaml, old, new, error, message):
    assert old in SEASONAL
    with pytest.raises(error, match=message):
        calendars.read_yaml(yaml(SEASONAL.replace(old, new, 1)))


def test_hours_that_change_are_those_of_a_walk_through_the_days():
    """Minute by minute over four years, with seasons that begin on other days."""
    old = calendars.of_data(
        {
            "name": "C",
            "source": "-",
            "seasons": [{"name": "seca", "start": "11-15"}, {"name": "lluviosa", "start": "05-01"}],
            "hours": [
                {"from": "22:00", "to": "06:00", "block": "A"},
                {"from": "06:00", "to": "22:00", "block": "B", "season": "seca"},
                {"from": "06:00", "to": "22:00", "block": "C", "season": "lluviosa"},
            ],
        },
        "test",
    )
    new = calendars.of_data(
        {
            "name": "C",
            "source": "-",
            "seasons": [{"name": "una", "start": "02-29"}],
            "hours": [
                {"from": "00:00", "to": "24:00", "block": "A", "days": ["sunday"]},
                {"from": "21:30", "to": "06:00", "block": "A", "days": ["weekday", "saturday", "holiday"]},
                {"from": "06:00", "to": "21:30", "block": "B", "days": ["weekday", "saturday", "holiday"]},
            ],
            "holidays": {"2021-09-15": "x"},
        },
        "test",
    )
    expected, said = set(), set()
    for n in range(0, 1461, 3):
        day = date(2000, 1, 1) + timedelta(days=n)
        for kind in DayType:
            for minute in range(0, 1440, 30):
                was, now = (
                    next(b for s, e, b in one._days[one.season(day), kind] if s <= minute < e) for one in (old, new)
                )
                if was != now:
                    expected.add((day.month, day.day, kind, minute, was, now))
            since = [one for one in calendars.stretches(new, old) if one.day_type is kind]
            here = [one for one in since if one.since <= (day.month, day.day)] or since
            for start, end, was, now in here[-1].changes:
                said |= {(day.month, day.day, kind, minute, was, now) for minute in range(start, end, 30)}
    assert said == expected
    assert expected


def test_a_calendar_as_a_document_reads_the_same():
    for calendar in (
        calendars.read_spreadsheet(SAMPLE, "eis-bloques"),
        calendars.read_yaml(SHIPPED),
    ):
        again = calendars.of_data(calendars.hours_of(calendar), "portal")
        assert again.version == calendar.version
        assert calendars.with_holidays(again, frozenset()).holidays == frozenset()
    with pytest.raises(calendars.BadHours) as found:
        calendars.of_data({"name": "C", "source": "-", "hours": [{"from": "5", "to": "24:00", "block": ""}]}, "portal")
    assert {path for path, _ in found.value.faults} == {("hours", 0, "from"), ("hours", 0, "block")}
    with pytest.raises(calendars.BadHours, match="2021-02-30"):
        calendars.of_data(
            {
                "name": "C",
                "source": "-",
                "hours": [{"from": "0:00", "to": "24:00", "block": "A"}],
                "holidays": {"2021-02-30": "x"},
            },
            "portal",
        )
