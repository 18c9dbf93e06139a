"""Mappings of sources, and the look at a file before it is imported."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eisenergy.contents import UnreadableFile
from eisenergy.readings import BadMapping, Mapping, load_mappings, preview, read

PARAMS = Path(__file__).parents[2] / "params"


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    shutil.copytree(PARAMS / "schemas", tmp_path / "schemas")
    mappings = tmp_path / "mappings"
    mappings.mkdir()

    def make(**texts: str) -> Path:
        for name, text in texts.items():
            (mappings / f"{name}.yaml").write_text(text, encoding="utf-8")
        return mappings

    return make


ION = """
name: ion
source: the meter's manual
match: {file: "ION*.csv", headers: [Fecha, Canal 1]}
columns: {Canal 1: kwh_import}
stamp: end
date_order: mdy
decimal: ","
"""


def test_shipped_mappings_are_valid_and_used(files: Any) -> None:
    mappings = load_mappings(PARAMS / "mappings")
    assert [one.name for one in mappings] == ["netting logger"]
    path = files.text(["Fecha;Hora;kWh neto", "13/09/2021;00:00;-1,5", "13/09/2021;00:15;0,5", "13/09/2021;00:30;0,25"])
    result = read(path, client="EIS", mapping=mappings)
    assert result.meta.tables[0].mapping == "netting logger"
    assert result.frame["kwh_import"].to_list() == [0.0, 0.5, 0.25]
    assert result.frame["kwh_export"].to_list() == [1.5, 0.0, 0.0]


def test_a_mapping_decides_what_the_file_leaves_open(files: Any, folder: Callable[..., Path]) -> None:
    mappings = load_mappings(folder(ion=ION))
    lines = ["Fecha;Hora;Canal 1", "03/04/2021;10:00;1,234", "03/04/2021;10:15;1,500"]
    path = files.text(["Medidor;5741444;", *lines], name="ION septiembre.csv")
    (table,) = read(path, client="EIS", mapping=mappings).meta.tables
    assert (table.stamp.value, table.date_order.value, table.decimal.value) == ("end", "mdy", ",")
    assert read(path, client="EIS", mapping=mappings).frame["start"][0].isoformat() == "2021-03-04T15:45:00+00:00"
    other = files.text(["Medidor;5741444;", *lines], name="otro.csv")
    for settings in ((), mappings):
        with pytest.raises(UnreadableFile, match="energy column"):
            read(other, client="EIS", mapping=settings)
    assert preview(other, mapping=mappings).findings[0].code == "unreadable"


def test_what_the_file_proves_comes_first(files: Any) -> None:
    wrong = Mapping(name="equivocado", stamp="start", date_order="mdy")
    result = read(files.log, client="EIS", mapping=wrong)
    assert [one.code for one in result.findings].count("mapping-contradicted") == 2
    assert result.frame.height == 2862
    assert result.frame.equals(read(files.log, client="EIS").frame)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ION + "colour: red\n", "colour"),
        (ION.replace("stamp: end", "stamp: middle"), "stamp"),
        (ION.replace("kwh_import", "energy"), "columns.Canal 1"),
        (ION + "name: twice\n", "cannot be read as YAML"),
        (ION + "timezone: America/Ateos\n", "America/Ateos"),
        ("name: x\n", "source"),
    ],
)
def test_bad_mappings_are_refused(folder: Callable[..., Path], text: str, said: str) -> None:
    with pytest.raises(BadMapping) as caught:
        load_mappings(folder(bad=text))
    assert "bad.yaml" in str(caught.value)
    assert said in str(caught.value)


def test_two_mappings_for_one_file(files: Any, folder: Callable[..., Path]) -> None:
    mappings = load_mappings(folder(a=ION, b=ION.replace("name: ion", "name: ion2")))
    path = files.text(["Medidor;5741444;", "Fecha;Hora;Canal 1", "13/04/2021;10:00;1,5"], name="ION.csv")
    with pytest.raises(BadMapping, match="'ion', 'ion2' all claim it"):
        read(path, client="EIS", mapping=mappings)
    assert preview(path, mapping=mappings).findings[0].code == "unreadable"
    with pytest.raises(BadMapping, match="second mapping is named 'ion'"):
        load_mappings(folder(b=ION))


def test_other_time_zone(files: Any) -> None:
    lines = ["Fecha;Hora;kWh", "13/09/2021;00:00;1,5", "13/09/2021;00:15;0,5"]
    guatemala = Mapping(name="utc", timezone="UTC")
    assert read(files.text(lines), client="EIS", mapping=guatemala).frame["start"][0].hour == 0
    assert read(files.text(lines), client="EIS", timezone="Europe/Madrid").frame["start"][0].hour == 22


def test_preview_of_the_log(files: Any) -> None:
    shown = preview(files.log)
    assert shown.rows.height == 200
    assert shown.rows["source_row"].to_list() == list(range(4, 204))
    assert shown.rows["kwh_import"][0] == 4.547
    assert [(one.position, one.header, one.taken_for) for one in shown.columns] == [
        ("A", "Fecha", "date"),
        ("B", "Hora", "time"),
        ("C", "kWh del int", "kwh_import"),
        ("D", "kWh rec int", "kwh_export"),
        ("E", "kVARh del int", "kvarh"),
        ("F", "kWh del", "register_kwh"),
        ("G", "Estado", None),
    ]
    assert shown.columns[5].why == "its differences are the values of 'kWh del int'"
    assert [one.header for one in shown.unknown] == ["Estado"]
    assert shown.findings == read(files.log, client="EIS").findings


def test_preview_of_the_workbook(files: Any) -> None:
    shown = preview(files.workbook, rows=20)
    assert shown.rows.height == 20
    taken = {one.header: one.taken_for for one in shown.columns}
    assert taken["Time"] == "time"
    assert taken["Hora"] is None
    assert taken["Tarifa kWh"] is None
    assert taken["Block"] == "block"
    assert taken["Pronostico kWh"] == "forecast_kwh"
