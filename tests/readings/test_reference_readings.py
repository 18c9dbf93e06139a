"""The reference files, read: figures taken from the files by other means than the readers."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
import math
from typing import Any

import openpyxl
import polars as pl
import pytest

from eisenergy.findings import Severity
from eisenergy.frames import READINGS
from eisenergy.readings import Format, identify, read
from eisenergy.readings.model import ReadResult

UTC = dt.UTC


@pytest.fixture(scope="module")
def workbook() -> ReadResult:
    return read(_samples("Ejemplo de procesamiento de descargas de medidores.xlsx"), client="EIS")


@pytest.fixture(scope="module")
def log() -> ReadResult:
    return read(_samples("5741444.csv"), client="EIS")


def _samples(name: str) -> Any:
    from pathlib import Path

    return Path(__file__).parents[2] / "data" / "samples" / name


def codes(result: ReadResult) -> list[str]:
    return [finding.code for finding in result.findings]


def finding(result: ReadResult, code: str) -> Any:
    (found,) = [one for one in result.findings if one.code == code]
    return found


def test_formats_are_known_by_content() -> None:
    assert identify(_samples("5741444.csv")) is Format.DELIMITED
    assert identify(_samples("CAESS_EISPOWER (10).xls")) is Format.DISTRIBUTOR
    assert identify(_samples("Ejemplo de procesamiento de descargas de medidores.xlsx")) is Format.SPREADSHEET


def test_workbook_holds_the_month_of_one_meter(workbook: ReadResult) -> None:
    frame = workbook.frame
    assert frame.height == 2880
    assert frame["meter"].unique().to_list() == ["5614086"]
    assert math.isclose(math.fsum(frame["kwh_import"]), 57883.07, rel_tol=1e-12)
    assert frame["start"].min() == dt.datetime(2021, 9, 1, 6, 0, tzinfo=UTC)
    assert frame["start"].max() == dt.datetime(2021, 10, 1, 5, 45, tzinfo=UTC)
    assert frame["start"].diff().drop_nulls().unique().to_list() == [dt.timedelta(minutes=15)]
    assert dict(frame.schema) == READINGS


def test_workbook_equals_its_cells_one_by_one(workbook: ReadResult) -> None:
    """openpyxl reads the cached values; every figure and every unknown column must be there, per row."""
    book = openpyxl.load_workbook(
        _samples("Ejemplo de procesamiento de descargas de medidores.xlsx"), read_only=True, data_only=True
    )
    lines = list(book["Nodo Ateos 5614086"].iter_rows(min_row=31, max_row=2910, max_col=18, values_only=True))
    book.close()
    assert len(lines) == 2880
    places = {
        "kwh_import": 2, "kw": 3, "kva": 4, "kvar": 5, "forecast_kwh": 8, "loss_factor": 11, "ftpms": 13, "cost_pos": 15, "cost_neg": 16,
    }  # fmt: skip
    for row, line in zip(workbook.frame.sort("start").iter_rows(named=True), lines, strict=True):
        local = dt.datetime.combine(line[0].date(), line[1])  # type: ignore[union-attr, arg-type]
        assert row["start"] == (local + dt.timedelta(hours=6)).replace(tzinfo=UTC)
        assert {name: row[name] for name in places} == {name: line[place] for name, place in places.items()}
        assert row["block_in_file"] == line[7]
        assert json.loads(row["extra"]) == {
            "Hora": line[6],
            "Tarifa kWh": line[9],
            "Costo energia": line[10],
            "Ajuste perdidas": line[12],
            "Recargo FTPMS": line[14],
            "Cargo desviacion": line[17],
        }
    assert workbook.frame["source_row"].to_list() == list(range(31, 2911))


def test_workbook_meta_says_what_was_decided(workbook: ReadResult) -> None:
    (table,) = workbook.meta.tables
    assert (table.meter, table.node, table.header_row, table.rows_read, table.rows_used) == (
        "5614086",
        "Ateos",
        30,
        2880,
        2880,
    )
    assert table.stamp.value == "start"
    assert table.columns["kwh_import"] == "kWh"
    assert table.columns["cost_neg"] == "Cost Des Neg"
    assert table.unknown == (
        "Hora",
        "Tarifa kWh",
        "Costo energia",
        "Ajuste perdidas",
        "Recargo FTPMS",
        "Cargo desviacion",
    )
    path = _samples("Ejemplo de procesamiento de descargas de medidores.xlsx")
    assert workbook.meta.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert workbook.frame["source"].unique().to_list() == [workbook.meta.sha256]
    assert [one.data["sheet"] for one in workbook.findings] == ["Bloques horarios", "Hora-Bloque", "Tarifas"]


def test_log_is_read_with_its_gap_and_repeats(log: ReadResult) -> None:
    frame = log.frame
    assert frame.height == 2880 - 18
    assert frame["start"].min() == dt.datetime(2021, 9, 1, 6, 0, tzinfo=UTC)
    assert frame["start"].max() == dt.datetime(2021, 10, 1, 5, 45, tzinfo=UTC)
    with _samples("5741444.csv").open(encoding="utf-8-sig", newline="") as stream:
        lines = list(csv.reader(stream, delimiter=";"))[3:]
    different = {(line[0], line[1][:5]): float(line[2].replace(",", ".")) for line in lines}
    assert math.isclose(math.fsum(frame["kwh_import"]), math.fsum(different.values()), rel_tol=1e-12)
    assert finding(log, "repeated-rows").data["count"] == 4
    assert finding(log, "off-grid").data == {"count": 1, "first_row": 704}
    assert sorted(set(codes(log))) == [
        "meter-alarm",
        "off-grid",
        "register-agrees",
        "register-over-gap",
        "repeated-rows",
    ]


def test_log_agrees_with_its_register_outside_the_gap(log: ReadResult) -> None:
    assert finding(log, "register-agrees").data["compared"] == 2860
    gap = finding(log, "register-over-gap").data
    assert (gap["slots"], gap["kwh"]) == (18, 95.365)
    assert round(math.fsum(log.frame["kwh_import"]) + gap["kwh"], 3) == 20958.991
    first, last = log.frame.sort("start").row(0, named=True), log.frame.sort("start").row(-1, named=True)
    register = last["register_kwh"] - first["register_kwh"] + first["kwh_import"]
    assert round(register, 3) == 20958.991


def test_log_alarm_and_stamps(log: ReadResult) -> None:
    alarm = finding(log, "meter-alarm")
    assert alarm.severity is Severity.WARNING
    assert alarm.data["rows"] == [1186]
    row = log.frame.row(by_predicate=pl.col("source_row") == 1186, named=True)
    assert row["start"] == dt.datetime(2021, 9, 13, 18, 0, tzinfo=UTC)  # 12:15 is the end of the interval from 12:00
    assert json.loads(row["extra"]) == {"Estado": "ALARMA"}
    late = log.frame.row(by_predicate=pl.col("source_row") == 704, named=True)
    assert late["start"] == dt.datetime(2021, 9, 8, 13, 0, tzinfo=UTC)  # 07:15:07 ends the interval from 07:00
    (table,) = log.meta.tables
    assert (table.stamp.value, table.decimal.value, table.separator, table.encoding) == ("end", ",", ";", "utf-8-sig")
    assert table.columns == {
        "date": "Fecha",
        "time": "Hora",
        "kwh_import": "kWh del int",
        "kwh_export": "kWh rec int",
        "kvarh": "kVARh del int",
        "register_kwh": "kWh del",
    }
