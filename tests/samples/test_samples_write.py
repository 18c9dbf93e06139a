"""The demonstration's files: what lies where, byte for byte, and that the manifest tells the truth.

The sums are taken here by plain readers of each shape, which know nothing of eisenergy's own.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from eisenergy import samples

MANIFEST_SHA256 = "0a1ae0f7d0bc2a467e4fdf9574dfca60ed827dbaf69a0119a363c1fcdadf7675"

Row = dict[str, Any]  # start: datetime as written and rounded down, kwh, and what else the shape has
QUARTER = timedelta(minutes=15)


def number(text: str) -> Decimal:
    return Decimal(text.replace(",", "."))


def down(moment: datetime) -> datetime:
    return moment - timedelta(minutes=moment.minute % 15, seconds=moment.second, microseconds=moment.microsecond)


def day_first(text: str) -> datetime:
    day, month, year = text.split("/")
    return datetime.fromisoformat(f"{year}-{month}-{day}")


def log_rows(data: bytes) -> Iterator[Row]:
    assert data.startswith(b"\xef\xbb\xbfMedidor;")
    lines = data.decode("utf-8-sig").split("\r\n")
    assert lines[-1] == ""
    for row in csv.DictReader(lines[2:-1], delimiter=";"):
        hour, minute = row["Hora"].split(":")[:2]
        end = day_first(row["Fecha"]) + timedelta(hours=int(hour), minutes=int(minute))
        yield {
            "start": down(end) - QUARTER,
            "kwh_import": number(row["kWh del int"]),
            "kwh_export": number(row["kWh rec int"]),
            "kvarh": number(row["kVARh del int"]),
            "register_kwh": number(row["kWh del"]),
        }


def cp1252_rows(data: bytes) -> Iterator[Row]:
    for row in csv.DictReader(data.decode("cp1252").split("\r\n")[2:], delimiter=";"):
        stamp = row["Fecha y hora"]
        yield {
            "start": down(datetime.combine(day_first(stamp[:10]), time.fromisoformat(stamp[11:]))),
            "kwh_import": number(row["Energía activa (kWh)"]),
            "kvarh": number(row["Energía reactiva (kVArh)"]),
        }


def iso_rows(data: bytes) -> Iterator[Row]:
    for row in csv.DictReader(io.StringIO(data.decode("ascii"))):
        assert row["timestamp"].endswith("-06:00")
        yield {
            "start": down(datetime.fromisoformat(row["timestamp"][:-6])),
            "kwh_import": Decimal(row["kwh"]),
            "kvarh": Decimal(row["kvarh"]),
        }


def two_way_rows(data: bytes) -> Iterator[Row]:
    for row in csv.DictReader(data.decode().splitlines()[1:]):
        yield {
            "start": down(datetime.fromisoformat(f"{row['Date']} {row['Time']}")),
            "kwh_import": Decimal(row["kWh del int"]),
            "kwh_export": Decimal(row["kWh rec int"]),
            "kvarh": Decimal(row["kVARh del int"]),
            "register_kwh": Decimal(row["kWh del"]),
        }


def sheet_rows(data: bytes, header: int, names: dict[str, str]) -> Iterator[Row]:
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    rows = list(book.worksheets[0].iter_rows(min_row=header, values_only=True))
    book.close()
    for cells in rows[1:]:
        row = dict(zip(rows[0], cells, strict=True))
        if "Timestamp" in row:
            start = row["Timestamp"]
        else:
            day = row.get("Date") or row["Fecha"]
            clock = row.get("Time") if "Time" in row else row["Hora"]
            assert isinstance(clock, time)
            start = datetime.combine(day.date(), clock)
        yield {"start": down(start), **{field: Decimal(str(row[name])) for field, name in names.items()}}


READERS: dict[str, Callable[[bytes], Iterator[Row]]] = {
    "log": log_rows,
    "register-first log": log_rows,
    "cp1252": cp1252_rows,
    "iso": iso_rows,
    "several months": two_way_rows,
    "analyst": lambda data: sheet_rows(data, 30, {"kwh_import": "kWh", "forecast_kwh": "Pronostico kWh"}),
    "workbook": lambda data: sheet_rows(
        data,
        8,
        {
            "kwh_import": "Energía activa (kWh)",
            "forecast_kwh": "Pronóstico (kWh)",
            "kvarh": "Energía reactiva (kVArh)",
        },
    ),
    "english": lambda data: sheet_rows(
        data, 1, {"kwh_import": "Active energy (kWh)", "kvarh": "Reactive energy (kVArh)"}
    ),
}


def test_same_bytes_on_every_machine(written: Any) -> None:
    # the manifest holds the hash of every file; a changed load changes this number, a clock or a library must not
    manifest = (written.folder / samples.MANIFEST).read_bytes()
    for entry in written.manifest["files"]:
        data = (written.folder / entry["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"], entry["file"]
    assert hashlib.sha256(manifest).hexdigest() == MANIFEST_SHA256


@pytest.mark.long
def test_process_and_hash_seed_do_not_matter(tmp_path: Path, masters: Path, written: Any) -> None:
    code = (
        "import sys; from pathlib import Path; from eisenergy import samples;"
        "samples.write(Path(sys.argv[1]), masters=Path(sys.argv[2]), months=('2021-08', '2021-09'))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path), str(masters)], check=True, env=environment
    )
    names = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("57*.csv") if path.is_file()]
    assert len(names) == 4 + 3 + 2
    # one file of several months holds only those asked for; every other is the same as in the whole set
    for name in names:
        if "5741506" not in name or "2021-09" in name:
            assert (tmp_path / name).read_bytes() == (written.folder / name).read_bytes(), name


def test_workbooks_carry_no_clock(written: Any) -> None:
    books = [path for path in written.paths if path.suffix == ".xlsx"]
    assert len(books) == 12 + 11 + 13
    for path in books:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert not [name for name in archive.namelist() if name.startswith("docProps")]


def test_customers_and_months(written: Any) -> None:
    months = defaultdict(list)
    for entry in written.manifest["readings"]:
        months[entry["meter"]].append(entry["month"])
    assert {meter: (found[0], found[-1], len(found)) for meter, found in months.items()} == {
        "5614086": ("2020-09", "2021-08", 12),
        "5741444": ("2020-09", "2021-08", 12),
        "5741501": ("2020-11", "2021-09", 11),
        "5741502": ("2020-09", "2021-09", 13),
        "5741503": ("2021-02", "2021-09", 8),
        "5741504": ("2020-09", "2021-09", 13),
        "5741505": ("2020-09", "2021-09", 13),
        "5741506": ("2020-09", "2021-09", 13),
    }
    assert {entry["file"] for entry in written.manifest["files"]} == {
        path.relative_to(written.folder).as_posix() for path in written.paths
    }
    everything = {path for path in written.folder.rglob("*") if path.is_file()}
    assert everything == {*written.paths, written.folder / samples.MANIFEST, written.folder / ".made-of"}
    assert [entry["meter"] for entry in written.manifest["shipped"]] == ["5614086", "5741444"]


@pytest.mark.long
def test_the_manifest_is_what_the_files_hold(written: Any) -> None:
    shape = {entry["file"]: entry["shape"] for entry in written.manifest["files"]}
    assert set(shape.values()) == set(READERS)
    # openpyxl is slow: of the workbooks only those with something wrong, the rest go through eisenergy's reader
    wrong = {
        entry["file"]
        for entry in written.manifest["readings"]
        if entry["missing"] or entry["repeated"] or entry["off_grid"]
    }
    shape = {name: kind for name, kind in shape.items() if name.endswith(".csv") or name in wrong}
    assert set(shape.values()) == set(READERS)
    rows: dict[str, list[Row]] = {
        name: list(READERS[kind]((written.folder / name).read_bytes())) for name, kind in shape.items()
    }
    for entry in written.manifest["readings"]:
        if entry["file"] not in shape:
            continue
        place = f"{entry['file']} {entry['month']}"
        mine = [row for row in rows[entry["file"]] if f"{row['start']:%Y-%m}" == entry["month"]]
        once = {row["start"]: row for row in mine}
        counts = Counter(row["start"] for row in mine)
        repeated = [start for start, times in counts.items() if times > 1]
        assert [start.isoformat() for start in repeated] == entry["repeated"], place
        assert len(mine) == len(once) + len(repeated), place
        for row in mine:
            assert once[row["start"]] == row, f"{place}: a repeat that disagrees"
        assert len(once) == entry["slots"], place
        first = datetime.fromisoformat(f"{entry['month']}-01T00:00")
        after = (first + timedelta(days=31)).replace(day=1)
        expected = {first + n * QUARTER for n in range((after - first) // QUARTER)}
        gap = {
            datetime.fromisoformat(hole["from"]) + n * QUARTER
            for hole in entry["missing"]
            for n in range(hole["slots"])
        }
        assert set(once) == expected - gap, place
        assert gap <= expected, place
        for field in ("kwh_import", "kwh_export", "kvarh", "forecast_kwh"):
            if entry[field] is not None:
                total = sum((row[field] for row in once.values()), Decimal(0))
                assert total == Decimal(entry[field]), f"{place} {field}"
        assert 4 * max(row["kwh_import"] for row in once.values()) == Decimal(entry["max_kw"]), place
        if entry["register_kwh"] is not None:
            assert max(row["register_kwh"] for row in mine) == Decimal(entry["register_kwh"]), place


def test_the_register_runs_through_months_and_gaps(written: Any) -> None:
    registers = defaultdict(list)
    for entry in written.manifest["readings"]:
        if entry["register_kwh"] is not None:
            counted = Decimal(entry["kwh_import"]) + Decimal(entry["kwh_import_in_gap"])
            registers[entry["meter"]].append((Decimal(entry["register_kwh"]), counted))
    assert set(registers) == {"5741444", "5741502", "5741506"}
    for meter, months in registers.items():
        for (before, _), (after, counted) in itertools.pairwise(months):
            assert after - before == counted, meter
    # the shipped September goes on where the made August ends: 184225,047 after an interval of 4,547
    assert registers["5741444"][-1][0] == Decimal("184225.047") - Decimal("4.547")


def test_blemishes_of_every_kind_and_no_more(written: Any) -> None:
    readings = written.manifest["readings"]
    assert sum(bool(entry["missing"]) for entry in readings) == 8
    assert sum(bool(entry["repeated"]) for entry in readings) == 6
    assert sum(bool(entry["off_grid"]) for entry in readings) == 5
    assert sum(hole["slots"] for entry in readings for hole in entry["missing"]) == 83
    log = (written.folder / "2021-08" / "5741502.csv").read_bytes().decode("utf-8-sig")
    assert "\r\n06/08/2021;00:00:06;" in log  # an end stamp that misses midnight
    assert "\r\n31/08/2021;24:00;" in log


def cells(path: Path, first_row: int, *, data_only: bool) -> list[dict[str, Any]]:
    book = openpyxl.load_workbook(path, data_only=data_only)
    sheet = book.worksheets[0]
    return [{cell.coordinate: cell.value for cell in row} for row in sheet.iter_rows(min_row=first_row)]


@pytest.mark.long
def test_cached_values_are_what_the_formulas_say(written: Any, masters: Path) -> None:
    path = written.folder / "2021-07" / "Procesamiento 5614086.xlsx"
    formulas, values = cells(path, 31, data_only=False), cells(path, 31, data_only=True)
    tariff: dict[tuple[str, bool], Decimal] = {}
    for row in (
        openpyxl.load_workbook(masters / "Tarifas EIS-TOU.xlsx").worksheets[0].iter_rows(min_row=4, values_only=True)
    ):
        if f"{row[1]:%Y-%m}" in ("2021-04", "2021-07"):
            tariff[str(row[0]), f"{row[1]:%Y-%m}" == "2021-07"] = Decimal(str(row[2]))
    cost = defaultdict(Decimal)
    energy = defaultdict(Decimal)
    assert len(values) == 2976
    for number_, (formula, value) in enumerate(zip(formulas, values, strict=True), start=31):

        def at(column: str, value: dict[str, Any] = value, number_: int = number_) -> Any:
            return value[f"{column}{number_}"]

        assert formula[f"K{number_}"] == f"=C{number_}*J{number_}"
        assert formula[f"L{number_}"] == "=$B$7"
        hour = at("B").hour
        block = "VALLE" if hour in (23, 0, 1, 2, 3, 4) else "PUNTA" if 18 <= hour <= 22 else "RESTO"
        assert (at("G"), at("H")) == (hour, block)
        kwh, forecast = Decimal(str(at("C"))), Decimal(str(at("I")))
        rate = tariff[block, at("A") >= datetime.fromisoformat("2021-07-15")]
        assert Decimal(str(at("J"))) == rate
        assert at("D") == pytest.approx(4 * at("C"), rel=1e-12)
        assert at("E") == pytest.approx((at("D") ** 2 + at("F") ** 2) ** 0.5, abs=6e-4)
        assert at("K") == pytest.approx(float(kwh * rate), rel=1e-12)
        assert at("M") == pytest.approx(float(kwh * Decimal("0.0153")), rel=1e-12)
        assert at("O") == pytest.approx(float(kwh * Decimal("0.0042")) if block == "PUNTA" else 0, rel=1e-12)
        assert at("R") == pytest.approx(float(max(Decimal(0), forecast - kwh) * Decimal("0.034")), rel=1e-12)
        cost[block] += kwh * rate
        energy[block] += kwh
    head = openpyxl.load_workbook(path, data_only=True).worksheets[0]
    assert head.title == "Nodo Ateos 5614086"
    for row in (11, 12, 13):
        block = head.cell(row, 1).value
        assert Decimal(str(head.cell(row, 2).value)) == energy[block]
        assert head.cell(row, 3).value == pytest.approx(float(cost[block]), rel=1e-12)


def test_loads_are_plausible(written: Any) -> None:
    contracted = {
        "5614086": 650, "5741444": 90, "5741501": 220, "5741502": 310, "5741503": 45, "5741504": 800, "5741505": 120,
        "5741506": 150,
    }  # fmt: skip
    above = 0
    for entry in written.manifest["readings"]:
        share = float(entry["max_kw"]) / contracted[entry["meter"]]
        assert 0.35 < share < 1.3, entry
        above += share > 1
        if entry["kwh_export"] is not None:
            assert (Decimal(entry["kwh_export"]) > 0) == (entry["meter"] == "5741506")
    assert 0 < above < len(written.manifest["readings"]) / 2

    def profile(name: str, kind: str, field: str = "kwh_import") -> dict[tuple[bool, int], float]:
        sums: dict[tuple[bool, int], list[float]] = defaultdict(list)
        for row in READERS[kind]((written.folder / name).read_bytes()):
            sums[row["start"].weekday() == 6, row["start"].hour].append(float(row[field]))
        return {key: sum(found) / len(found) for key, found in sums.items()}

    restaurant = profile("2021-08/5741444.csv", "log")
    assert restaurant[False, 20] > restaurant[False, 13] > 1.5 * restaurant[False, 4]
    bakery = profile("2021-08/5741503.csv", "cp1252")
    assert bakery[False, 4] > 2 * bakery[False, 14]
    mill = profile("2021-08/5741504.csv", "iso")
    assert mill[False, 10] > 5 * mill[True, 10]
    sent = profile("2021-09/5741506.csv", "several months", "kwh_export")
    assert sent[False, 12] > 10 > sent[False, 8]
    assert sent[False, 22] == sent[False, 2] == 0


@pytest.mark.long
def test_fewer_months_are_the_same_files(tmp_path: Path, masters: Path, written: Any) -> None:
    paths = samples.write(tmp_path, masters=masters, months=("2021-06",))
    names = {path.relative_to(tmp_path).as_posix() for path in paths}
    assert {name.split("/")[1] for name in names} == {
        "Procesamiento 5614086.xlsx", "5741444.csv", "Nodo 5741501.xlsx", "5741502.csv", "5741503.csv", "5741504.csv",
        "5741505.xlsx", "5741506.csv",
    }  # fmt: skip
    for name in names - {"2021-06/5741506.csv"}:
        assert (tmp_path / name).read_bytes() == (written.folder / name).read_bytes(), name
    manifest = json.loads((tmp_path / samples.MANIFEST).read_text(encoding="utf-8"))
    assert manifest["shipped"] == []
    assert len(manifest["readings"]) == 8


def test_what_is_there_whole_is_left_and_anything_else_made_again(
    tmp_path: Path, masters: Path, written: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(written.folder, tmp_path / "there")

    class MadeAgain(Exception):
        pass

    def made(*_: object) -> bytes:
        raise MadeAgain

    monkeypatch.setattr(sys.modules[samples.write.__module__], "_render", made)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "there").rglob("*")}
    paths = samples.write(tmp_path / "there", masters=masters)
    assert [path.relative_to(tmp_path / "there") for path in paths] == [
        path.relative_to(written.folder) for path in written.paths
    ]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "there").rglob("*")} == before
    for asked in ({"seed": 1}, {"months": ("2021-09",)}):
        shutil.copytree(written.folder, tmp_path / "other", dirs_exist_ok=True)
        with pytest.raises(MadeAgain):
            samples.write(tmp_path / "other", masters=masters, **asked)
    for path in (tmp_path / "there" / "manifest.json", paths[0]):
        shutil.copytree(written.folder, tmp_path / "there", dirs_exist_ok=True)
        path.write_bytes(path.read_bytes()[:-3])
        with pytest.raises(MadeAgain):
            samples.write(tmp_path / "there", masters=masters)


@pytest.mark.long
def test_another_seed_makes_other_loads(tmp_path: Path, masters: Path, written: Any) -> None:
    samples.write(tmp_path, masters=masters, months=("2021-09",), seed=1)
    ours = (tmp_path / "2021-09" / "5741503.csv").read_bytes()
    assert ours != (written.folder / "2021-09" / "5741503.csv").read_bytes()


def test_a_month_outside_is_refused(tmp_path: Path, masters: Path) -> None:
    with pytest.raises(ValueError, match="no samples for 2021-10: expected months from 2020-09 to 2021-09"):
        samples.write(tmp_path, masters=masters, months=("2021-09", "2021-10"))
    assert not list(tmp_path.iterdir())


def test_masters_that_cannot_serve_are_named(tmp_path: Path, masters: Path) -> None:
    folder = tmp_path / "masters"
    shutil.copytree(masters, folder)
    name = "Datos de clientes para facturación.xlsx"
    book = openpyxl.load_workbook(folder / name)
    book.worksheets[0]["I7"] = "Astillero"
    book.save(folder / name)
    with pytest.raises(samples.BadMasters, match=r"row 7: no load is known for the activity 'Astillero'; known are"):
        samples.write(tmp_path / "out", masters=folder)
    book.worksheets[0]["I4"] = "Giro"
    book.save(folder / name)
    with pytest.raises(samples.BadMasters, match="no row holds the headers Medidor, Actividad económica"):
        samples.write(tmp_path / "out", masters=folder)
    (folder / name).unlink()
    with pytest.raises(samples.BadMasters, match="not found in"):
        samples.write(tmp_path / "out", masters=folder)
    assert not (tmp_path / "out").exists()
