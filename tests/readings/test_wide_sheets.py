"""Workbooks of a few kilobytes that would fill the memory once laid out as a table: refused before calamine sees them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import pytest

from eisenergy import extent
from eisenergy.contents import UnreadableFile
from eisenergy.extent import Extent, TooWide
from eisenergy.readings import identify, read, read_regular
from eisenergy.sheets import Workbook


def sheet(path: Path, *cells: str) -> Path:
    book = openpyxl.Workbook()
    for name in cells:
        book.active[name] = 1  # type: ignore[index]
    book.save(path)
    return path


def test_two_cells_far_apart_are_refused_by_name(tmp_path: Path) -> None:
    """Laid out they are 17,179,869,184 cells: calamine ends the process."""
    path = sheet(tmp_path / "5614086.xlsx", "A1", "XFD1048576")
    assert path.stat().st_size < 10_000
    for attempt in (Workbook, lambda path: read(path, client="EIS")):
        with pytest.raises(UnreadableFile, match=r"5614086\.xlsx.*row 1,048,576 and column 16,384.*Delete"):
            attempt(path)
    assert read_regular(path, client="EIS", timezone="America/El_Salvador") is None
    with pytest.raises(UnreadableFile):
        identify(path)


def test_what_is_as_long_or_as_wide_as_any_table_is_read(tmp_path: Path) -> None:
    assert Workbook(sheet(tmp_path / "a.xlsx", "A1", "L1048576")).names == ["Sheet"]
    assert Workbook(sheet(tmp_path / "b.xlsx", "A1", "BBB40")).names == ["Sheet"]
    with pytest.raises(UnreadableFile, match="column 16,384"):
        Workbook(sheet(tmp_path / "c.xlsx", "A1", "XFD1"))
    styled = openpyxl.Workbook()
    styled.active["A1"] = 1  # type: ignore[index]
    styled.active["XFD1048576"].font = openpyxl.styles.Font(bold=True)  # type: ignore[index]
    styled.save(tmp_path / "d.xlsx")
    assert Workbook(tmp_path / "d.xlsx").names == ["Sheet"], "what is only formatted is not laid out"


FAR = "XFD1048576"


@pytest.mark.parametrize(
    "text",
    [
        f'<c r="A1"><v>1</v></c><c r="{FAR}"><v>1</v></c>',
        f'<x:row r="1"><x:c s="1" r="A1"><x:v>1</x:v></x:c></x:row><x:c t="n" r="{FAR}"><x:v>1</x:v></x:c>',
        f"<c r='{FAR}' ><v>1</v></c>",
        f'<c\n\tr = "{FAR}"><v>1</v></c>',
        f'<c r="{FAR.lower()}"><v>1</v></c>',
        f"""<c r="{FAR}" x='/>'><v>1</v></c>""",
        f'<c r="{FAR}" x="/>"><v>1</v></c>',
        f'<c x=">" r="{FAR}"><v>1</v></c>',
        f'<c x="<" r="{FAR}"><v>1</v></c>',
        '<row r="1048576">' + "<c><v>1</v></c>" * 5000,
        '<row r="1048576">' + "<c/>" * 5000 + "<c t='n'><v>1</v></c>",
        "<row>" * 9000 + '<c r="AAA9001"/>' + "<c><v>1</v></c>" * 2000,
        "<row></row>" * 9000 + "<c/>" * 2000 + "<c><v>1</v></c>",
        "\ufeff<c/>".encode("utf-16").decode("latin-1"),
    ],
)
def test_however_it_is_written_it_is_found(text: str) -> None:
    data = text.encode("latin-1")

    def looked(size: int) -> None:
        part = Extent("xl/worksheets/sheet1.xml")
        for at in range(0, len(data), size):
            part.see(data[at : at + size])
        part.see(b"", last=True)

    for size in (1 << 20, 7, 1):
        with pytest.raises(TooWide):
            looked(size)


def test_cells_without_a_place_are_counted_from_their_row() -> None:
    """Some programs write no places at all: a year of 15-minute readings is no wider for that."""
    part = Extent("sheet", most=40_000 * 4)
    row = b"<row>" + b"<c><v>1</v></c>" * 4 + b"</row>"
    for _ in range(100):
        part.see(row * 350)
    part.see(b"", last=True)
    assert (part._rows, part._columns) == (35_000, 4)


SHIPPED = Path(__file__).parents[2] / "data" / "samples"


def test_the_shipped_workbooks_reach_as_far_as_openpyxl_says() -> None:
    compared = 0
    for path in sorted(SHIPPED.glob("*.xlsx")):
        wanted = {
            (sheet.max_row, sheet.max_column)
            for sheet in openpyxl.load_workbook(path, read_only=False)
            if any(cell.value is not None for row in sheet.iter_rows() for cell in row)
        }
        found = set()
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.startswith("xl/worksheets/sheet"):
                    part = extent.Extent(entry.filename)
                    part.see(archive.read(entry))
                    part.see(b"", last=True)
                    found.add((part._rows, part._columns))
        # openpyxl counts cells that are only formatted, too
        assert all(any(r <= rows and c <= columns for rows, columns in wanted) for r, c in found if r), path.name
        compared += len(wanted)
    assert compared > 0
