"""Builders of files that something is wrong with, each in the fewest bytes that show it."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

import openpyxl

STEEL = "Ejemplo de procesamiento de descargas de medidores.xlsx"
LOG = "5741444.csv"
REPORT = "CAESS_EISPOWER (10).xls"
CUSTOMERS = "Datos de clientes para facturación.xlsx"
TARIFF = "Tarifas EIS-TOU.xlsx"
BLOCKS = "Bloques horarios.xlsx"

_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_SECTOR = 512


def compound_file(streams: dict[str, bytes]) -> bytes:
    """A compound file (MS-CFB version 3) of a root and some streams of 4,096 bytes or more."""
    contents = [(name, data + bytes(-len(data) % _SECTOR)) for name, data in streams.items()]
    assert len(contents) <= 3, "one sector of directory is enough here"
    assert all(len(data) >= 4096 for _, data in contents), "shorter streams would need a mini stream"
    fat = [_FAT, _END]  # sector 0: the table itself, sector 1: the directory
    starts = []
    for _, data in contents:
        first, count = len(fat), len(data) // _SECTOR
        starts.append(first)
        fat += [first + n + 1 for n in range(count - 1)] + [_END]
    assert len(fat) <= _SECTOR // 4, "one sector of table is enough here"
    table = struct.pack(f"<{_SECTOR // 4}I", *fat, *[_FREE] * (_SECTOR // 4 - len(fat)))
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, _END, 0, _END, 0)
        + struct.pack("<109I", 0, *[_FREE] * 108)
    )
    assert len(header) == _SECTOR
    sizes = [len(data) for data in streams.values()]
    directory = _entry("Root Entry", 5, _END, 0, child=1)
    for n, (name, _) in enumerate(contents):
        right = n + 2 if n + 1 < len(contents) else _FREE
        directory += _entry(name, 2, starts[n], sizes[n], right=right)
    directory += _entry("", 0, 0, 0) * (4 - 1 - len(contents))
    return header + table + directory + b"".join(data for _, data in contents)


def _entry(name: str, kind: int, start: int, size: int, *, right: int = _FREE, child: int = _FREE) -> bytes:
    text = name.encode("utf-16-le")
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(text) + 2 if name else 0, kind, 1, _FREE, right, child)
        + bytes(16 + 4 + 8 + 8)
        + struct.pack("<IQ", start, size)
    )


def encrypted_workbook(path: Path) -> Path:
    """What a spreadsheet program writes for an .xlsx with a password to open: the archive encrypted inside a compound file."""
    info = struct.pack("<HHI", 4, 4, 0x40) + b'<?xml version="1.0"?><encryption/>'
    package = struct.pack("<Q", 5000) + bytes((n * 37 + 11) % 251 for n in range(5008))
    path.write_bytes(compound_file({"EncryptionInfo": info.ljust(4096, b" "), "EncryptedPackage": package}))
    return path


def encrypted_legacy(path: Path, masters: Path) -> Path:
    """The distributor's .xls with its second record made a FILEPASS: what follows counts as encrypted."""
    data = bytearray((masters / REPORT).read_bytes())
    start = data.index(b"\x09\x08\x10\x00\x00\x06")  # BOF of BIFF8: 16 bytes of data after the 4 of the head
    second = start + 20
    data[second : second + 2] = b"\x2f\x00"
    length = struct.unpack_from("<H", data, second + 2)[0]
    data[second + 4 : second + 4 + length] = (b"\x01\x00" + bytes(range(1, 60)))[:length]
    path.write_bytes(bytes(data))
    return path


def damaged_sheet(path: Path, masters: Path) -> Path:
    """The steel works' workbook with whole archive members, one of them cut XML."""
    with zipfile.ZipFile(masters / STEEL) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.infolist():
            data = source.read(member)
            target.writestr(member, data[: len(data) // 2] if "sheet1" in member.filename else data)
    return path


def cut(path: Path, original: Path, keep: float) -> Path:
    """The first part of a file, as a broken download leaves it."""
    data = original.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def september(rows: int = 96 * 30) -> list[datetime]:
    """Local starts of the intervals of September 2021."""
    return [datetime.fromisoformat("2021-09-01T00:00") + timedelta(minutes=15 * n) for n in range(rows)]


def table(
    path: Path,
    starts: Iterable[datetime],
    kwh: Callable[[int], str] = lambda n: f"{5 + n % 7 / 10:.3f}",
    header: str = "timestamp,kwh",
) -> Path:
    """A plain text table with ISO stamps."""
    lines = [header, *(f"{start:%Y-%m-%d %H:%M},{kwh(n)}" for n, start in enumerate(starts))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def log(
    path: Path,
    starts: Iterable[datetime],
    wh: Callable[[int], int] = lambda n: 5000 + n % 7 * 100,
    meter: str = "5741444",
) -> Path:
    """A meter's raw log: end stamps, decimal comma, a register."""
    lines = [f"Medidor;{meter};;;", "Fecha;Hora;kWh del int;kWh del;Estado"]
    register = 1_000_000
    for n, start in enumerate(starts):
        end = start + timedelta(minutes=15)
        day, clock = (start, "24:00") if (end.hour, end.minute) == (0, 0) else (end, f"{end:%H:%M}")
        register += wh(n)
        lines.append(f"{day:%d/%m/%Y};{clock};{comma(wh(n))};{comma(register)};OK")
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode())
    return path


def comma(wh: int) -> str:
    """Watt-hours as kWh with a decimal comma."""
    sign = "-" if wh < 0 else ""
    return f"{sign}{abs(wh) // 1000},{abs(wh) % 1000:03d}"


def analyst(path: Path, changes: dict[str, object], rows: int = 96) -> Path:
    """A day or so in the analyst's shape, header in row 30, with some cells changed; a formula has no value beside it."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Nodo Ateos 5614086"
    sheet["A1"] = "EIS POWER - Procesamiento de descargas de medidores"
    sheet["A3"], sheet["B3"] = "Medidor", "5614086"
    for column, header in enumerate(("Date", "Time", "kWh", "kW", "Pronostico kWh"), start=1):
        sheet.cell(30, column, header)
    for row, start in enumerate(september(rows), start=31):
        for column, value in enumerate((start.date(), start.time(), 2.5, 10.0, 2.6), start=1):
            sheet.cell(row, column, value)
    for place, value in changes.items():
        sheet[place] = value
    book.save(path)
    return path


def uncalculated(path: Path, cell: str = "C40") -> Path:
    """The analyst's workbook with a formula for a reading, without the value it would have."""
    return analyst(path, {cell: "=D40/4"})


def edited(path: Path, original: Path, changes: dict[str, object]) -> Path:
    """A reference workbook with some cells of its first sheet changed."""
    book = openpyxl.load_workbook(original)
    for place, value in changes.items():
        book.worksheets[0][place] = value
    book.save(path)
    return path


def member_bytes(path: Path) -> dict[str, bytes]:
    """Members of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
