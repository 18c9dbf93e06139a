"""Regular files are read the quick way, and what it makes of any file is what the way that takes its time makes of it.

The slow way is the judge: it never calls the quick one. Each generated file has one odd thing at a random place, or none.
"""

from __future__ import annotations

import datetime as dt
import io
import random
import zipfile
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eisenergy.contents import UnreadableFile
from eisenergy.frames import READINGS
from eisenergy.readings import BadMapping, Mapping, gridscan, load_mappings, read, read_any, read_regular
from eisenergy.readings import gathered as quick_way
from eisenergy.readings.mapping import mapping_of
from eisenergy.samples import plan
from eisenergy.samples.loads import Slot
from eisenergy.samples.shapes import SHAPES, Content, Line

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data" / "samples"
ZONE = "America/El_Salvador"
MAPPINGS = load_mappings(ROOT / "params" / "mappings")
TEXTS = ("log", "register-first log", "iso", "cp1252", "several months")
SHEETS = ("english", "workbook", "analyst")


@cache
def _prices() -> plan.Prices:
    """Read once, not for every file."""
    return plan.prices(SAMPLES)


def shaped(shape: str, seed: int, days: int = 2, first: dt.date = dt.date(2021, 8, 30)) -> tuple[str, bytes]:
    """A regular file of a shape, with loads of its own."""
    rng = random.Random(seed)
    meter = str(60_000_000 + seed)
    supply = plan.Supply(
        contract="C",
        name="Cliente",
        meter=meter,
        node="Ateos",
        contracted_kw=100,
        loss_factor=0.0153,
        start=first,
        profile="",
        shape=shape,
    )
    lines = []
    register, register_export = rng.randrange(10**7, 10**8), rng.randrange(10**7)
    at = dt.datetime.combine(first, dt.time())
    for _ in range(96 * days):
        wh, back = rng.randrange(1000, 9000), rng.randrange(0, 50)
        register, register_export = register + wh, register_export + back
        slot = Slot(at, wh, back, wh * 4 // 10, wh + rng.randrange(-500, 500))
        lines.append(Line(slot, 0, register, register_export))
        at += dt.timedelta(minutes=15)
    content = Content(supply, _prices(), first, at.date(), lines)
    return SHAPES[shape].name.format(meter=meter), SHAPES[shape].render(content)


def outcome(reader: Callable[[], Any]) -> Any:
    try:
        return reader()
    except (UnreadableFile, BadMapping) as problem:
        return str(problem)


def agrees(path: Path, zone: str = ZONE, mapping: Any = MAPPINGS) -> bool:
    """Hold the quick way against the slow one; say whether it was taken."""
    found = read_regular(path, client="EIS", timezone=zone, mapping=mapping)
    slow = outcome(lambda: read_any(path, client="EIS", timezone=zone, mapping=mapping))
    if found is None:
        return False
    quick = found.result()
    assert not isinstance(slow, str), f"refused the slow way: {slow}"
    assert quick.meta == slow.meta
    assert quick.findings == slow.findings
    assert_frame_equal(quick.frame, slow.frame, check_exact=True)
    return True


@pytest.mark.parametrize("shape", [*TEXTS, *SHEETS])
def test_what_is_regular_is_read_the_quick_way(tmp_path: Path, shape: str) -> None:
    name, data = shaped(shape, 1)
    path = tmp_path / name
    path.write_bytes(data)
    assert agrees(path)
    deflated = io.BytesIO()
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as target:
            for entry in source.infolist():
                target.writestr(entry.filename, source.read(entry))
        path.write_bytes(deflated.getvalue())
        assert agrees(path)


def test_no_shipped_sample_is_taken_for_regular() -> None:
    """Each has something unusual; were one taken all the same, it would have to read as the careful way reads it."""
    taken = [path.name for path in sorted(SAMPLES.iterdir()) if path.suffix != ".md" and agrees(path)]
    assert taken == []


Change = Callable[[list[str], random.Random], Any]


def _cell(lines: list[str], rng: random.Random, text: str | Callable[[str], str], column: int | None = None) -> None:
    row = rng.randrange(4, len(lines))
    mark = next(mark for mark in (";", ",") if lines[row].count(mark) > 1)
    cells = lines[row].split(mark)
    at = rng.randrange(len(cells)) if column is None else column
    cells[at] = text(cells[at]) if callable(text) else text
    lines[row] = mark.join(cells)


def _twice(lines: list[str], rng: random.Random) -> None:
    row = rng.randrange(4, len(lines))
    lines.insert(row, lines[row])


def _swapped(lines: list[str], rng: random.Random) -> None:
    row = rng.randrange(4, len(lines) - 1)
    lines[row], lines[row + 1] = lines[row + 1], lines[row]


def _cut(lines: list[str], rng: random.Random) -> None:
    row = rng.randrange(4, len(lines) - 3)
    del lines[row : row + rng.randrange(1, 3)]


ODD: dict[str, Change] = {
    "nothing": lambda lines, rng: None,
    "an empty cell": lambda lines, rng: _cell(lines, rng, ""),
    "a dash": lambda lines, rng: _cell(lines, rng, "-"),
    "n/a": lambda lines, rng: _cell(lines, rng, "N/A"),
    "a word": lambda lines, rng: _cell(lines, rng, "falla"),
    "a quote": lambda lines, rng: _cell(lines, rng, lambda text: f'"{text}"'),
    "half a quote": lambda lines, rng: _cell(lines, rng, lambda text: f'"{text}'),
    "a space before": lambda lines, rng: _cell(lines, rng, lambda text: f" {text}"),
    "a space behind": lambda lines, rng: _cell(lines, rng, lambda text: f"{text} "),
    "a sign": lambda lines, rng: _cell(lines, rng, lambda text: f"-{text}"),
    "a plus": lambda lines, rng: _cell(lines, rng, lambda text: f"+{text}"),
    "a thousands sign": lambda lines, rng: _cell(lines, rng, "1.234,500"),
    "another decimal sign": lambda lines, rng: _cell(lines, rng, "4.5"),
    "a long figure": lambda lines, rng: _cell(lines, rng, "4,1234567890123456789", 2),
    "an exponent": lambda lines, rng: _cell(lines, rng, "1e1", 2),
    "not a number": lambda lines, rng: _cell(lines, rng, "nan"),
    "infinity": lambda lines, rng: _cell(lines, rng, "inf"),
    "a lone sign": lambda lines, rng: _cell(lines, rng, "5,"),
    "a bare fraction": lambda lines, rng: _cell(lines, rng, ",5"),
    "a whole figure": lambda lines, rng: _cell(lines, rng, "7", 2),
    "another figure": lambda lines, rng: _cell(lines, rng, "7,001", 2),
    "one field more": lambda lines, rng: _cell(lines, rng, lambda text: f"{text};"),
    "one field less": lambda lines, rng: lines.__setitem__(7, lines[7].rpartition(";")[0]),
    "a row twice": _twice,
    "rows in another order": _swapped,
    "a gap": _cut,
    "from the newest": lambda lines, rng: lines.__setitem__(slice(3, None), lines[:2:-1]),
    "an empty line": lambda lines, rng: lines.insert(rng.randrange(4, len(lines)), ""),
    "empty fields": lambda lines, rng: lines.insert(rng.randrange(4, len(lines)), ";" * lines[5].count(";")),
    "a total": lambda lines, rng: lines.append("Total" + ";" * lines[5].count(";")),
    "the header again": lambda lines, rng: lines.insert(50, lines[2]),
    "a title": lambda lines, rng: lines.insert(0, "Descarga"),
    "a stamp beside the grid": lambda lines, rng: _cell(lines, rng, lambda text: text.replace(":15", ":16"), 1),
    "seconds": lambda lines, rng: _cell(lines, rng, lambda text: f"{text}:00", 1),
    "a.m.": lambda lines, rng: _cell(lines, rng, lambda text: f"{text} AM", 1),
    "no such day": lambda lines, rng: _cell(lines, rng, "31/02/2021", 0),
    "a day of another form": lambda lines, rng: _cell(lines, rng, "2021-08-30", 0),
    "an alarm": lambda lines, rng: _cell(lines, rng, "RELOJ", -1),
    "a lone carriage return": lambda lines, rng: _cell(lines, rng, lambda text: f"{text}\r"),
    "a byte of no letter": lambda lines, rng: _cell(lines, rng, lambda text: f"{text}\x00"),
    "accents": lambda lines, rng: _cell(lines, rng, "Válido", -1),
    "a header in the rows": lambda lines, rng: _cell(lines, rng, "Fecha"),
    "an unknown column": lambda lines, rng: lines.__setitem__(
        slice(2, None), [f"{line};{'Fase' if n == 0 else n * 7 % 5}" for n, line in enumerate(lines[2:])]
    ),
    "a column of texts": lambda lines, rng: lines.__setitem__(
        slice(2, None), [f"{line};{'Nota' if n == 0 else 'abc'[n % 3]}" for n, line in enumerate(lines[2:])]
    ),
    "a column of serials": lambda lines, rng: lines.__setitem__(
        slice(2, None), [f"{line};{'Medidor' if n == 0 else '61234567'}" for n, line in enumerate(lines[2:])]
    ),
    "a column of zeros first": lambda lines, rng: lines.__setitem__(
        slice(2, None), [f"{line};{'Tanque' if n == 0 else '007'}" for n, line in enumerate(lines[2:])]
    ),
    "an empty column": lambda lines, rng: lines.__setitem__(slice(2, None), [f"{line};" for line in lines[2:]]),
    "a second energy": lambda lines, rng: lines.__setitem__(
        slice(2, None), [f"{line};{'kWh del int' if n == 0 else '1,500'}" for n, line in enumerate(lines[2:])]
    ),
    "only thousands": lambda lines, rng: lines.__setitem__(
        slice(3, None),
        [";".join([*line.split(";")[:2], *["1,234"] * line.count(";")][: line.count(";") + 1]) for line in lines[3:]],
    ),
}


ODDLY = ("log", "register-first log", "cp1252", "iso", "log", "several months")


def both_ways(folder: Path, odd: str, chosen: Collection[int] = range(len(ODDLY))) -> None:
    for seed, shape in enumerate(ODDLY):
        if seed not in chosen:
            continue
        name, data = shaped(shape, seed)
        text = data.decode("cp1252" if shape == "cp1252" else "utf-8-sig")
        lines = text.removesuffix("\r\n").removesuffix("\n").split("\r\n" if "\r\n" in text else "\n")
        try:
            ODD[odd](lines, random.Random(f"{odd}{seed}"))
        except (StopIteration, IndexError):
            continue  # the shape has no such cell
        end, encoding = ("\r\n", "utf-8") if seed % 2 else ("\n", "utf-8-sig")
        path = folder / name
        path.write_bytes((end.join(lines) + (end if seed % 3 else "")).encode(encoding))
        taken = agrees(path)
        if odd == "nothing":
            assert taken


@pytest.mark.parametrize(("odd", "number"), [(odd, number) for number, odd in enumerate(ODD)], ids=list(ODD))
def test_a_text_with_one_odd_thing(tmp_path: Path, odd: str, number: int) -> None:
    both_ways(tmp_path, odd, {number % 3, number % 3 + 3})


@pytest.mark.long
@pytest.mark.parametrize("odd", ODD)
def test_every_text_with_one_odd_thing(tmp_path: Path, odd: str) -> None:
    both_ways(tmp_path, odd)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_any_encoding(tmp_path: Path, encoding: str) -> None:
    for shape in TEXTS:
        name, data = shaped(shape, 3)
        text = data.decode("cp1252" if shape == "cp1252" else "utf-8-sig")
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        assert agrees(path)


def test_a_mark_that_the_rest_belies_is_left_to_the_slow_way(tmp_path: Path) -> None:
    name, data = shaped("log", 3)
    path = tmp_path / name
    assert data.startswith(b"\xef\xbb\xbf")
    path.write_bytes(data.replace(b"OK", b"O\x94", 1))
    assert not agrees(path)


@pytest.mark.parametrize(
    ("zone", "first", "taken"),
    [
        ("America/New_York", dt.date(2021, 3, 13), False),  # clocks go forward on the 14th
        ("America/New_York", dt.date(2021, 11, 6), False),
        ("America/New_York", dt.date(2021, 7, 1), True),
        ("Asia/Kolkata", dt.date(2021, 7, 1), True),
    ],
)
def test_a_clock_change_is_left_to_the_slow_way(tmp_path: Path, zone: str, first: dt.date, taken: bool) -> None:
    name, data = shaped("log", 5, first=first)
    path = tmp_path / name
    path.write_bytes(data)
    assert agrees(path, zone) is taken


def test_a_file_that_a_mapping_is_for_is_left_to_the_slow_way(tmp_path: Path) -> None:
    name, data = shaped("log", 5)
    path = tmp_path / name
    path.write_bytes(data)
    for mapping in (Mapping(name="mine", file="6*.csv"), Mapping(name="mine", headers=frozenset({"estado"}))):
        assert read_regular(path, client="EIS", timezone=ZONE, mapping=[mapping]) is None
        assert read(path, client="EIS", mapping=[mapping]).meta.tables[0].mapping == "mine"


def _formula(sheet: Any, row: int, column: int) -> None:
    sheet.cell(row, column).value = "=1+1"


def _styled(sheet: Any, row: int, column: int) -> None:
    sheet.cell(row, column).number_format = "0.000"


ODD_CELLS: dict[str, Callable[[Any, int, int], None]] = {
    "nothing": lambda sheet, row, column: None,
    "an empty cell": lambda sheet, row, column: setattr(sheet.cell(row, column), "value", None),
    "a text": lambda sheet, row, column: setattr(sheet.cell(row, column), "value", "falla"),
    "a figure as text": lambda sheet, row, column: setattr(sheet.cell(row, column), "value", "4.5"),
    "a truth": lambda sheet, row, column: setattr(sheet.cell(row, column), "value", True),
    "an error": lambda sheet, row, column: setattr(sheet.cell(row, column), "value", "#N/A"),
    "a formula never calculated": _formula,
    "a date": lambda sheet, row, column: setattr(sheet.cell(row, column), "value", dt.datetime(2021, 8, 30, 1)),  # noqa: DTZ001
    "a time": lambda sheet, row, column: setattr(sheet.cell(row, column), "value", dt.time(7, 30)),
    "a negative": lambda sheet, row, column: setattr(sheet.cell(row, column), "value", -1.5),
    "a long figure": lambda sheet, row, column: setattr(sheet.cell(row, column), "value", 1.2345678901234567),
    "a tiny figure": lambda sheet, row, column: setattr(sheet.cell(row, column), "value", 1.5e-9),
    "another style": _styled,
    "a cell beside the table": lambda sheet, row, column: setattr(sheet.cell(row, 14), "value", "nota"),
    "a row more": lambda sheet, row, column: sheet.insert_rows(row),
    "a row less": lambda sheet, row, column: sheet.delete_rows(row),
    "a total below": lambda sheet, row, column: setattr(sheet.cell(sheet.max_row + 2, 1), "value", "Total"),
}


def sheet_rows(kind: str) -> list[list[Any]]:
    start = dt.datetime(2021, 8, 30)  # noqa: DTZ001
    rng = random.Random(kind)
    stamps = [start + dt.timedelta(minutes=15 * n) for n in range(96)]
    if kind == "apart":
        rows: list[list[Any]] = [
            ["Medidor", 60000001],
            ["Fecha", "Hora", "Energía activa (kWh)", "kW", "Bloque", "Tarifa", "Fase", "Nota"],
        ]
        return rows + [
            [at.date(), at.time(), rng.random() * 9, rng.randrange(99) / 4, "PUNTA", 0.1 + n / 7, n % 3, "ab"[n % 2]]
            for n, at in enumerate(stamps)
        ]
    rows = [["Fecha y hora", "kWh del int", "kWh del", "Estado"]]
    register = 5_000.0
    for at in stamps:
        kwh = rng.randrange(1, 9000) / 1000
        register = round(register + kwh, 3)
        rows.append([at, kwh, register, "OK"])
    return rows


@pytest.mark.parametrize("odd", ODD_CELLS)
@pytest.mark.parametrize("kind", ["apart", "together"])
def test_a_sheet_with_one_odd_thing(tmp_path: Path, kind: str, odd: str) -> None:
    for seed in range(3):
        rng = random.Random(f"{odd}{seed}")
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = "Nodo Ateos 60000001"
        for row in sheet_rows(kind):
            sheet.append(row)
        # Both among the rows that the library itself is shown, and far below them.
        row = rng.choice([rng.randrange(4, 20), rng.randrange(60, 96)])
        ODD_CELLS[odd](sheet, row, rng.randrange(1, len(sheet_rows(kind)[1]) + 1))
        path = tmp_path / "60000001.xlsx"
        book.save(path)
        taken = agrees(path)
        if odd == "nothing":
            assert taken


def test_other_workbooks_are_left_to_the_slow_way(tmp_path: Path) -> None:
    def saved(change: Callable[[Any], None]) -> Path:
        book = openpyxl.Workbook()
        book.active.title = "Nodo Ateos 60000001"
        for row in sheet_rows("together"):
            book.active.append(row)
        change(book)
        path = tmp_path / "60000001.xlsx"
        book.save(path)
        return path

    assert agrees(saved(lambda book: None))
    assert not agrees(saved(lambda book: book.create_sheet("Notas").append(["algo"])))
    assert not agrees(saved(lambda book: setattr(book, "epoch", dt.datetime(1904, 1, 1))))  # noqa: DTZ001
    whole = saved(lambda book: None).read_bytes()
    for keep in (0.3, 0.9, 0.999):
        cut = tmp_path / "60000001.xlsx"
        cut.write_bytes(whole[: int(len(whole) * keep)])
        assert not agrees(cut)
    place = whole.index(b"PK\x03\x04", 10) + 60
    (tmp_path / "60000001.xlsx").write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    assert not agrees(tmp_path / "60000001.xlsx")


def test_figures_are_the_nearest_doubles(tmp_path: Path) -> None:
    rng = random.Random(7)
    start = dt.datetime(2021, 8, 30)  # noqa: DTZ001
    figures = ["0.1", "0.3", "123456789.012345", "0.000001", "999999999999999", "4.35", "2.675"]
    figures += [f"{rng.randrange(10**6)}.{rng.randrange(10**9):09d}" for _ in range(89)]
    lines = ["timestamp,kwh"]
    lines += [f"{start + dt.timedelta(minutes=15 * n):%Y-%m-%d %H:%M},{text}" for n, text in enumerate(figures)]
    path = tmp_path / "60000001.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = read_regular(path, client="EIS", timezone=ZONE)
    assert found is not None
    assert found.readings.figures["kwh_import"].tolist() == [float(text) for text in figures]
    assert agrees(path)


def test_figures_of_a_workbook_are_the_nearest_doubles(tmp_path: Path) -> None:
    """As many digits as programs write, on either side of what a double holds whole."""
    rng = random.Random(8)
    texts = ["9007199254740991", "9007199254740992", "9007199254740993", "0.9007199254740993", "900719925474099.3"]
    texts += ["0.30000000000000004", "18.789000000000001", "1234567.890123456789", "0.0000000000000000000001", "1e-05"]
    texts += [f"{rng.randrange(10**15, 10**19)}.{rng.randrange(10**3)}"[: rng.randrange(12, 20)] for _ in range(86)]
    texts += ["%.16g" % (rng.randrange(1, 10**5) * 1.1 * 4) for _ in range(96)]
    texts += ["%.17g" % (rng.randrange(1, 10**5) / 1000) for _ in range(96)]
    start = 44_438
    cells = [
        f'<row r="{n + 2}"><c r="A{n + 2}"><v>{start + n / 96:.10f}</v></c><c r="B{n + 2}"><v>{text}</v></c></row>'
        for n, text in enumerate(texts)
    ]
    head = '<worksheet><sheetData><row r="1"></row>'
    xml = (head + "".join(cells) + "</sheetData></worksheet>").encode()
    grid = gridscan.rows(xml, len(head), 2, 2, {0})
    assert grid is not None
    assert grid.figures[1].tolist() == [float(text) for text in texts]


def test_many_tables_in_one_frame_are_each_in_its_own(tmp_path: Path) -> None:
    members, results = [], []
    for seed, shape in enumerate([*TEXTS, *SHEETS, "log"]):
        name, data = shaped(shape, seed)
        path = tmp_path / name
        path.write_bytes(data)
        found = read_regular(path, client="EIS", timezone=ZONE)
        assert found is not None
        members.append(found.readings)
        results.append(read_any(path, client="EIS", timezone=ZONE).frame)
    assert_frame_equal(quick_way.frame(members), pl.concat(results), check_exact=True)
    months = quick_way.by_month(members)
    assert sorted(months) == ["2021-08", "2021-09"]  # in UTC
    cut = pl.concat([quick_way.frame(months[month]) for month in sorted(months)])
    for tables in (members, *months.values(), members[:1]):
        codes = quick_way.frame(tables, coded=True)
        texts = [name for name, dtype in READINGS.items() if dtype == pl.String]
        assert isinstance(codes.schema["source"], pl.Categorical)
        assert_frame_equal(codes.cast(dict.fromkeys(texts, pl.String)), quick_way.frame(tables), check_exact=True)
    (few,) = quick_way.by_month(members[:1])["2021-09"]
    short = [replace(few, start=few.start[:3], rows=few.rows[:3], figures={}, texts={})]
    assert quick_way.frame(short, coded=True).equals(quick_way.frame(short))  # more texts than is worth coding
    assert_frame_equal(cut.sort("meter", "start"), pl.concat(results).sort("meter", "start"), check_exact=True)


def test_files_that_are_nearly_alike_are_each_read_as_they_are(tmp_path: Path) -> None:
    """What files of one folder have in common is worked out once: here each has the same texts as the one before, or nearly."""
    rng = random.Random(20211122)
    taken = 0
    for number in range(90):
        shape = rng.choice(["log", "iso", "iso"])
        name, data = shaped(
            shape, rng.randrange(3), days=rng.choice([2, 2, 3]), first=dt.date(2021, rng.choice([8, 9]), 29)
        )
        lines = data.decode().splitlines(keepends=True)
        at = rng.randrange(4, len(lines) - 1)
        odd = rng.choice(["nothing", "nothing", "nothing", "gap", "turned", "twice", "day", "end"])
        if odd == "gap":
            del lines[at]
        elif odd == "turned":
            lines[at], lines[at + 1] = lines[at + 1], lines[at]
        elif odd == "twice":
            lines.insert(at, lines[at])
        elif odd == "day":
            lines[at] = lines[-1][:10] + lines[at][10:]
        elif odd == "end":
            del lines[rng.randrange(60, len(lines)) :]
        path = tmp_path / str(number) / name
        path.parent.mkdir()
        path.write_text("".join(lines), encoding="utf-8", newline="")
        taken += agrees(path)
    assert 30 < taken < 80


@pytest.mark.parametrize("shape", ["log", "iso"])
def test_a_day_or_a_time_that_stands_elsewhere_is_seen(tmp_path: Path, shape: str) -> None:
    """Beside a file with the same days and times, each in its place."""
    name, data = shaped(shape, 1)
    path = tmp_path / name
    first, second = (b"30/08/2021", b"31/08/2021") if shape == "log" else (b"2021-08-30", b"2021-08-31")
    assert data.count(first) == 96
    rest = data.partition(first)
    for changed in (data.replace(first, second, 50).replace(second, first, 49), rest[0] + second + rest[2]):
        path.write_bytes(data)
        assert agrees(path)
        path.write_bytes(changed)
        assert not agrees(path)
    at = data.index(b"00:30")
    path.write_bytes(data[:at] + b"00:15" + data[at + 5 :])
    assert not agrees(path)


@pytest.mark.parametrize("header", ["7", "7 neto", "№ 7"])
def test_a_header_that_only_a_mapping_knows_is_found(tmp_path: Path, header: str) -> None:
    """Also one without a letter, above which a line stands that could be a header but for its letters."""
    document = {
        "name": "n", "source": "s", "match": {"file": "other*"}, "columns": {header: "kwh_import", "8": "timestamp"},
    }  # fmt: skip
    mappings = (*MAPPINGS, mapping_of(document))
    start = dt.datetime(2021, 8, 30)  # noqa: DTZ001
    lines = ["Medidor;60000001", f"8;{header}"]
    lines += [f"{start + dt.timedelta(minutes=15 * n):%Y-%m-%d %H:%M};{n}.5" for n in range(192)]
    path = tmp_path / "60000001.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    agrees(path, mapping=mappings)
    lines[1] = f"timestamp;{header};kWh"
    lines[2:] = [line + ";1.5" for line in lines[2:]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert agrees(path, mapping=mappings)
