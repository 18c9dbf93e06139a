"""One table in many dresses: however a file is laid out, named and encoded, the readings stay the same."""

from __future__ import annotations

import datetime as dt
import random
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eisenergy.frames import READINGS
from eisenergy.readings import Mapping, read

UTC = dt.UTC
SERIAL = "5741444"
NAMES: dict[str, tuple[str, ...]] = {
    "kwh_import": ("kWh", "kWh del int", "Energía activa (kWh)", "Consumo kWh", "kWh delivered interval", "KWH_INT"),
    "kwh_export": ("kWh rec int", "kWh exportado", "Exported energy (kWh)", "Energía inyectada kWh"),
    "register_kwh": ("kWh del", "kWh acumulado", "Lectura kWh", "Register kWh"),
    "kvarh": ("kVARh", "kVARh del int", "Energía reactiva (kVARh)", "Reactive energy kVArh"),
    "kw": ("kW", "Demanda kW", "Potencia activa (kW)", "Active power kW"),
    "forecast_kwh": ("Pronóstico kWh", "Forecast kWh", "Pronostico", "kWh pronosticado"),
    "loss_factor": ("Factor de pérdidas", "Loss factor"),
    "cost_neg": ("Cost Des Neg", "Costo Desv NEG", "Deviation cost neg"),
    "block_in_file": ("Block", "Bloque", "Bloque horario"),
}
DATES = ("Date", "Fecha", "Día", "FECHA LECTURA")
TIMES = ("Time", "Hora", "hora de lectura")
STAMPS = ("Fecha y hora", "Timestamp", "Date/Time", "Marca de tiempo")
UNNAMED = object()


def canonical(seed: int) -> list[dict[str, Any]]:
    """Two whole days of readings that look like a meter's."""
    rng = random.Random(seed)
    register = rng.randrange(50_000_000, 200_000_000)
    rows = []
    for n in range(192):
        mwh = 500 if n == 0 else rng.randrange(0, 30_000)
        register += mwh
        rows.append(
            {
                "local": dt.datetime.fromisoformat("2021-09-12") + dt.timedelta(minutes=15 * n),
                "kwh_import": mwh / 1000,
                "kwh_export": rng.choice([0, 0, 125]) / 1000,
                "register_kwh": register / 1000,
                "kvarh": rng.randrange(0, 9000) / 1000,
                "kw": mwh * 4 / 1000,
                "forecast_kwh": rng.randrange(0, 30_000) / 1000,
                "loss_factor": 0.0153,
                "cost_neg": 0.034,
                "block_in_file": "PUNTA" if 18 <= n // 4 % 24 < 23 else "RESTO",
            }
        )
    return rows


@st.composite
def dresses(draw: st.DrawFn) -> dict[str, Any]:
    """A way to lay out, name and encode the table."""
    fields = draw(st.permutations(list(NAMES)))
    combined = draw(st.booleans())
    order = draw(st.permutations([*(["timestamp"] if combined else ["date", "time"]), *fields]))
    separator = draw(st.sampled_from([";", ",", "\t", "|"]))
    headers = {name: draw(st.sampled_from(NAMES[name])) for name in fields}
    headers |= {
        "date": draw(st.sampled_from(DATES)),
        "time": draw(st.sampled_from(TIMES)),
        "timestamp": draw(st.sampled_from(STAMPS)),
    }
    change = draw(st.sampled_from([str, str.upper, str.lower, _bare]))
    return {
        "order": order,
        "headers": {name: change(header) for name, header in headers.items()},
        "unnamed": draw(st.lists(st.integers(0, len(order)), max_size=2)),
        "titles": draw(st.integers(0, 4)),
        "date_format": draw(st.sampled_from(["%d/%m/%Y", "%Y-%m-%d", "%m/%d/%Y", "%d-%m-%y", "%d.%m.%Y", "%Y/%m/%d"])),
        "end": draw(st.sampled_from([None, "24:00", "00:00"])),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])),
        "separator": separator,
        "decimal": draw(st.sampled_from([".", ","])) if separator != "," else ".",
        "line_end": draw(st.sampled_from(["\n", "\r\n"])),
        "container": draw(st.sampled_from(["text", "cells", "texts"])),
        "repeat": draw(st.integers(0, 3)),
    }


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def laid_out(rows: list[dict[str, Any]], dress: dict[str, Any], as_cells: bool) -> list[list[Any]]:
    """The table as rows of cells: typed ones for a workbook, else the texts of a file."""
    order: list[Any] = list(dress["order"])
    for place in sorted(dress["unnamed"], reverse=True):
        order.insert(place, UNNAMED)
    lines: list[list[Any]] = [["EIS POWER"], ["Medidor", SERIAL], ["Descarga", "2021-10-01 08:12"], []][
        : dress["titles"]
    ]
    lines.append([None if name is UNNAMED else dress["headers"][name] for name in order])
    rows = rows + rows[3 : 3 + dress["repeat"]]
    for row in rows:
        stamp, midnight = row["local"], False
        if dress["end"]:
            stamp += dt.timedelta(minutes=15)
            midnight = dress["end"] == "24:00" and stamp.time() == dt.time()
        day = stamp - dt.timedelta(days=1) if midnight else stamp
        cells: dict[Any, Any] = {name: row[name] for name in NAMES}
        if as_cells:
            cells["date"] = day.date()
            cells["time"] = dt.timedelta(hours=24) if midnight else stamp.time()
            cells["timestamp"] = stamp
        else:
            clock = "24:00" if midnight else f"{stamp:%H:%M}"
            cells["date"], cells["time"] = f"{day:{dress['date_format']}}", clock
            cells["timestamp"] = f"{cells['date']} {clock}"
            cells |= {
                name: f"{value:.3f}".replace(".", dress["decimal"])
                if name != "loss_factor"
                else str(value).replace(".", dress["decimal"])
                for name, value in cells.items()
                if isinstance(value, float)
            }
        lines.append([None if name is UNNAMED else cells[name] for name in order])
    return lines


def write(folder: Path, rows: list[dict[str, Any]], dress: dict[str, Any]) -> Path:
    if dress["container"] == "text":
        path = folder / f"{SERIAL}.csv"
        width = max(len(line) for line in laid_out(rows, dress, as_cells=False))
        lines = [
            dress["separator"].join(["" if cell is None else str(cell) for cell in line] + [""] * (width - len(line)))
            for line in laid_out(rows, dress, as_cells=False)
        ]
        path.write_bytes((dress["line_end"].join(lines) + dress["line_end"]).encode(dress["encoding"]))
        return path
    path = folder / "carga.xlsx"
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(f"Nodo Ateos {SERIAL}")
    for line in laid_out(rows, dress, as_cells=dress["container"] == "cells"):
        sheet.append(line)
    book.save(path)
    return path


def expected(rows: list[dict[str, Any]]) -> pl.DataFrame:
    table = [
        {name: value for name, value in row.items() if name != "local"}
        | {"start": (row["local"] + dt.timedelta(hours=6)).replace(tzinfo=UTC), "meter": SERIAL, "client": "EIS"}
        for row in rows
    ]
    frame = pl.DataFrame(table)
    return frame.select(pl.col(name).cast(READINGS[name]) for name in READINGS if name in frame.columns)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(dress=dresses(), seed=st.integers(0, 1000))
def test_readings_do_not_depend_on_the_dress(dress: dict[str, Any], seed: int) -> None:
    rows = canonical(seed)
    with tempfile.TemporaryDirectory() as folder:
        result = read(write(Path(folder), rows, dress), client="EIS")
    wanted = expected(rows)
    assert result.frame.select(wanted.columns).equals(wanted), dress
    assert {one.code for one in result.findings} <= {"repeated-rows", "register-agrees"}
    assert sum(one.data["count"] for one in result.findings if one.code == "repeated-rows") == dress["repeat"]
    assert "register-agrees" in {one.code for one in result.findings}
    assert result.meta.tables[0].stamp.value == ("end" if dress["end"] else "start")


# -- single shapes

Slots = Callable[..., list[dt.datetime]]


def starts(path: Path, **kwargs: Any) -> list[dt.datetime]:
    return read(path, client="EIS", **kwargs).frame["start"].to_list()


def as_utc(slots: list[dt.datetime]) -> list[dt.datetime]:
    return [(slot + dt.timedelta(hours=6)).replace(tzinfo=UTC) for slot in slots]


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("timestamp,kWh", "%Y-%m-%dT%H:%M:%S-06:00,1.5"),
        ("timestamp,kWh", "%Y-%m-%d %H:%M:%S,1.5"),
        ("Date,Time,kWh", "%m/%d/%Y,%I:%M %p,1.5"),
        ("Date,Time,kWh", "%b %d %Y,%I:%M:%S %p,1.5"),
        ("Fecha;Hora;kWh", "%d/%m/%y;%H:%M;1,5"),
        ("Fecha;Hora;kWh", "%Y%m%d;%H%M;1,5"),
        ("Fecha;kWh", "%d/%m/%Y %H:%M;1,5"),
        ("Fecha inicio;Fecha fin;kWh", "%d/%m/%Y %H:%M;01/01/1999 00:00;1,5"),
    ],
)
def test_stamps_in_many_forms(files: Any, slots: Slots, header: str, form: str) -> None:
    path = files.text([header, *(f"{slot:{form}}" for slot in slots(96))])
    assert starts(path) == as_utc(slots(96))


def test_months_by_name_in_spanish(files: Any, slots: Slots) -> None:
    rows = [
        f"{slot:%d} de septiembre de 2021;{slot:%I:%M} {'a' if slot.hour < 12 else 'p'}. m.;1,5" for slot in slots(96)
    ]
    assert starts(files.text(["Fecha;Hora;kWh", *rows])) == as_utc(slots(96))


def test_spreadsheet_numbers_as_stamps(files: Any, slots: Slots) -> None:
    fractions = [["Fecha", "kWh"], *([44452 + n / 96, 1.5] for n in range(96))]
    assert starts(files.sheet(fractions)) == as_utc(slots(96))
    parts = [["Fecha", "Hora", "kWh"], *([44452, n / 96, 1.5] for n in range(96))]
    assert starts(files.sheet(parts)) == as_utc(slots(96))


def test_table_away_from_the_corner(files: Any, slots: Slots) -> None:
    rows: list[list[Any]] = [[], [], [None, None, "Fecha", "Hora", None, "kWh"]]
    rows += [[None, None, slot.date(), slot.time(), None, 1.5] for slot in slots(96)]
    result = read(files.sheet(rows), client="EIS")
    assert result.frame["start"].to_list() == as_utc(slots(96))
    assert result.frame["source_row"].to_list() == list(range(4, 100))
    rows[10][5] = "x"
    (one,) = [one for one in read(files.sheet(rows), client="EIS").findings if one.code == "not-a-number"]
    assert "cell F11" in one.message


def test_tables_side_by_side(files: Any, slots: Slots) -> None:
    day = slots(96)
    rows = [f"{a:%d/%m/%Y;%H:%M};1,5;;{b:%d/%m/%Y;%H:%M};2,5" for a, b in zip(day[:48], day[48:], strict=True)]
    result = read(files.text(["Fecha;Hora;kWh;;Fecha;Hora;kWh", *rows]), client="EIS")
    assert result.frame["start"].to_list() == as_utc(day)
    assert result.frame["kwh_import"].to_list() == [1.5] * 48 + [2.5] * 48
    assert result.meta.tables[0].unknown == ()


def test_date_named_once_a_day(files: Any, slots: Slots) -> None:
    rows = [f"{slot:%d/%m/%Y}" * (slot.hour + slot.minute == 0) + f";{slot:%H:%M};1,5" for slot in slots(192)]
    result = read(files.text(["Fecha;Hora;kWh", *rows]), client="EIS")
    assert result.frame["start"].to_list() == as_utc(slots(192))
    assert [one.code for one in result.findings] == ["date-carried-down"]


def test_five_minute_readings_are_summed(files: Any, slots: Slots) -> None:
    rows = [f"{slot:%d/%m/%Y;%H:%M};0,5;{6 + n % 3},0" for n, slot in enumerate(slots(288, minutes=5))]
    result = read(files.text(["Fecha;Hora;kWh;kW", *rows]), client="EIS")
    assert result.frame["start"].to_list() == as_utc(slots(96))
    assert result.frame["kwh_import"].to_list() == [1.5] * 96
    assert result.frame["kw"].to_list() == [7.0] * 96
    del rows[4]
    partial = read(files.text(["Fecha;Hora;kWh;kW", *rows]), client="EIS")
    assert partial.frame["start"].to_list() == as_utc(slots(96)[:1] + slots(96)[2:])
    assert "incomplete-slots" in [one.code for one in partial.findings]


def test_export_and_registers_by_what_they_are(files: Any, slots: Slots) -> None:
    """Names swapped: the column named as the interval grows, the other one holds its differences."""
    rows = [f"{slot:%d/%m/%Y;%H:%M};{100 + n * (n + 1) / 2:.1f};{n}.0" for n, slot in enumerate(slots(96))]
    result = read(files.text(["Fecha;Hora;kWh int;kWh acumulado", *rows]), client="EIS")
    assert result.frame["kwh_import"].to_list() == [float(n) for n in range(96)]
    assert "columns-swapped" in [one.code for one in result.findings]


def test_register_at_the_start_of_its_interval(files: Any, slots: Slots) -> None:
    rows, register = [], 1000.0
    for n, slot in enumerate(slots(96)):
        rows.append(f"{slot:%d/%m/%Y;%H:%M};{n % 7}.5;{register:.1f}")
        register += n % 7 + 0.5
    result = read(files.text(["Fecha;Hora;kWh int;kWh acumulado", *rows]), client="EIS")
    assert "register-at-start" in [one.code for one in result.findings]
    assert "register-disagrees" not in [one.code for one in result.findings]
    assert result.frame["register_kwh"][0] == 1000.5
    assert result.frame["register_kwh"][-1] == register


def test_two_columns_for_one_field(files: Any, slots: Slots) -> None:
    rows = [f"{slot:%d/%m/%Y;%H:%M};1,5;{n % 5},5" for n, slot in enumerate(slots(96))]
    codes = [one.code for one in read(files.text(["Fecha;Hora;kWh;Consumo kWh", *rows]), client="EIS").findings]
    assert codes == ["two-energy-columns"]
    ignoring = Mapping(name="x", columns={"consumo kwh": "ignore", "kwh": "kwh_import"})
    result = read(files.text(["Fecha;Hora;kWh;Consumo kWh", *rows]), client="EIS", mapping=ignoring)
    assert result.findings == ()
    assert result.frame["extra"][1] == '{"Consumo kWh":1.5}'


def test_unknown_columns_are_kept(files: Any, slots: Slots) -> None:
    rows = [f"{slot:%d/%m/%Y;%H:%M};1,5;00{n % 7};nota;2,25" for n, slot in enumerate(slots(96))]
    result = read(files.text(["Fecha;Hora;kWh;Código;Observación;", *(row + "" for row in rows)]), client="EIS")
    assert result.frame["extra"][2] == '{"Código":"002","Observación":"nota","column F":2.25}'
    assert result.meta.tables[0].unknown == ("Código", "Observación", "column F")


@pytest.mark.parametrize(("form", "order"), [("%d/%m/%Y", "dmy"), ("%m/%d/%Y", "mdy")])
def test_days_that_follow_each_other_prove_their_order(files: Any, slots: Slots, form: str, order: str) -> None:
    days = slots(192, first="2021-09-01 00:00")
    rows = [f"{slot.strftime(form)};{slot:%H:%M};1,5" for slot in days]
    result = read(files.text(["Fecha;Hora;kWh", *rows]), client="EIS")
    assert result.frame["start"].to_list() == as_utc(days)
    assert result.meta.tables[0].date_order.value == order


def test_a_file_of_energy_fed_in_alone(files: Any, slots: Slots) -> None:
    rows = [f"{slot:%d/%m/%Y;%H:%M};1,5" for slot in slots(96)]
    result = read(files.text(["Fecha;Hora;kWh exportado", *rows]), client="EIS")
    assert result.frame["kwh_export"].sum() == 144.0
    assert result.frame["kwh_import"].null_count() == 96
    assert [one.code for one in result.findings] == ["no-energy-taken"]
