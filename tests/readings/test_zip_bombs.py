"""Archives that unpack to more than they may: refused before, or as soon as they go beyond what they say."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from eisenergy import unpacked
from eisenergy.contents import UnreadableFile
from eisenergy.readings import identify, read, read_regular
from eisenergy.workbook.book import open_book
from eisenergy.workbook.parts import Parts

SHEET = "xl/worksheets/sheet1.xml"


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    unpacked.limit(8)
    yield
    unpacked.limit(unpacked.MEGABYTES)


def bomb(path: Path, megabytes: int) -> Path:
    """A workbook whose sheet is zeros: a thousandth of their size on the disk."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open(SHEET, "w") as part:
            for _ in range(megabytes):
                part.write(bytes(1 << 20))
    return path


def liar(path: Path, megabytes: int) -> Path:
    """The same, but it says of the sheet that it has a thousand bytes, with their right checksum."""
    data = bomb(path, megabytes).read_bytes()
    archive = zipfile.ZipFile(io.BytesIO(data))
    at = archive.getinfo(SHEET)
    place = data.rfind(b"PK\x01\x02")  # the directory's entry of the last part
    said = struct.pack("<III", zlib.crc32(bytes(1000)), at.compress_size, 1000)
    path.write_bytes(data[: place + 16] + said + data[place + 28 :])
    assert zipfile.ZipFile(path).testzip() is None, "zipfile itself sees nothing"
    return path


def test_an_archive_that_says_it_is_too_large_is_refused_by_name(tmp_path: Path) -> None:
    path = bomb(tmp_path / "5614086.xlsx", 40)
    assert path.stat().st_size < 100_000
    for attempt in (identify, lambda path: read(path, client="EIS"), open_book, Parts):
        with pytest.raises(
            UnreadableFile, match=r"5614086\.xlsx.*unpacks to 40 MB, and 8 are allowed.*EISENERGY_UNPACKED"
        ):
            attempt(path)
    assert read_regular(path, client="EIS", timezone="America/El_Salvador") is None


def test_an_archive_that_lies_is_unpacked_no_further_than_it_says(tmp_path: Path) -> None:
    path = liar(tmp_path / "5614086.xlsx", 40)
    with zipfile.ZipFile(path) as archive, pytest.raises(unpacked.Damaged, match="goes on beyond the size"):
        unpacked.part(archive, archive.getinfo(SHEET))
    for attempt in (lambda path: read(path, client="EIS"), open_book, Parts):
        with pytest.raises(UnreadableFile, match="goes on beyond the size"):
            attempt(path)


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="this system does not tell a process's largest memory"
)
def test_neither_takes_memory(tmp_path: Path) -> None:
    paths = [str(bomb(tmp_path / "1.xlsx", 300)), str(liar(tmp_path / "2.xlsx", 300))]
    script = (
        "import sys; from pathlib import Path; from eisenergy.readings import read\n"
        "for path in sys.argv[1:]:\n"
        "    try: read(Path(path), client='EIS')\n"
        "    except ValueError as refused: print(type(refused).__name__)\n"
        # of this program alone: what getrusage says begins with the process that was forked
        "status = Path('/proc/self/status').read_text().split()\n"
        "print(int(status[status.index('VmHWM:') + 1]) >> 10)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *paths], capture_output=True, text=True, check=True)
    *refusals, megabytes = done.stdout.split()
    assert refusals == ["UnreadableFile"] * 2
    assert int(megabytes) < 250


def test_what_is_packed_is_unpacked_as_zipfile_does(tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, (kind, content) in enumerate(
            (
                (zipfile.ZIP_STORED, b""),
                (zipfile.ZIP_DEFLATED, b""),
                (zipfile.ZIP_STORED, b"plain"),
                (zipfile.ZIP_DEFLATED, bytes(range(256)) * 20_000),
                (zipfile.ZIP_STORED, bytes(range(256)) * 9_000),
            )
        ):
            archive.writestr(str(number), content, kind)
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            assert unpacked.part(archive, entry) == archive.read(entry)
        unpacked.check(archive)
    data = bytearray(path.read_bytes())
    data[data.index(b"plain")] ^= 1
    path.write_bytes(data)
    with zipfile.ZipFile(path) as archive, pytest.raises(unpacked.Damaged, match="part 2 fails its checksum"):
        unpacked.check(archive)
