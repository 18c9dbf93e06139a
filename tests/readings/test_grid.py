"""The pass over a worksheet's rows, against what the same XML holds for a parser of any XML."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from eisenergy.readings import gridkernel, gridscan, likekernel

HEAD = '<worksheet><sheetData><row r="1"><c r="A1"><v>0</v></c></row>'
END = "</sheetData></worksheet>"
LETTERS = "ABCDEFGHIJ"
POINTS = (0, 1, 2, 3, 6, 9)


def figure(rng: random.Random) -> str:
    """A number as some program writes it: of few digits mostly, of as many as a double has, or of a kind that needs care."""
    whole, places = str(rng.randrange(10 ** rng.randrange(1, 8))), rng.choice(POINTS)
    text = f"{whole}.{rng.randrange(10**places):0{places}d}" if places else whole
    return rng.choices((text, repr(rng.random() * 9), "-1.5", "1E-05", ".5", "5."), (90, 8, 1, 1, 1, 1))[0]


def text(rng: random.Random) -> str:
    return rng.choices(("OK", "PUNTA", "x", "60000001", f"nota {rng.randrange(99)}"), (50, 20, 10, 10, 5))[0]


Writer = Callable[[str, int, random.Random], str]


def number_cell(name: str, row: int, rng: random.Random) -> str:
    return f'<c r="{name}{row}" s="3"><v>{figure(rng)}</v></c>'


def plain_cell(name: str, row: int, rng: random.Random) -> str:
    return f'<c r="{name}{row}"><v>{rng.randrange(10**6) / 100}</v></c>'


def shared_cell(name: str, row: int, rng: random.Random) -> str:
    return f'<c r="{name}{row}" t="s"><v>{rng.randrange(4) * 7}</v></c>'


def inline_cell(name: str, row: int, rng: random.Random) -> str:
    return f'<c r="{name}{row}" t="inlineStr"><is><t>{text(rng)}</t></is></c>'


def backwards_cell(name: str, row: int, rng: random.Random) -> str:
    return f'<c t="str" s="1" r="{name}{row}"><v>{text(rng)}</v></c>'


def empty_cell(name: str, row: int, _: random.Random) -> str:
    return f'<c r="{name}{row}" s="5"/>'


def formula_cell(name: str, row: int, rng: random.Random) -> str:
    return f'<c r="{name}{row}"><f>B{row}*4</f><v>{rng.randrange(999) / 8}</v></c>'


def filled_down_cell(name: str, row: int, rng: random.Random) -> str:
    return f'<c r="{name}{row}"><f t="shared" si="0"/><v>{rng.randrange(999) / 8}</v></c>'


CELLS: tuple[Writer, ...] = (
    *(number_cell, plain_cell, shared_cell, inline_cell, backwards_cell, empty_cell, filled_down_cell, formula_cell),
)
OPENINGS = (
    '<row r="{0}">',
    '<row r="{0}" spans="1:9" ht="15.75">',
    '<row spans="1:12" r="{0}">',
    '\n  <row r="{0}">\n   ',
)

Odd = Callable[[str, int], str]
HARMLESS: tuple[Odd, ...] = (
    lambda row, number: row.replace("<row ", '<row hidden="1" ', 1),
    lambda row, number: row.replace("</c><c", "</c>\n<c"),
    lambda row, number: row.replace('t="s"', 't="s" s="9"').replace('t="inlineStr"', 's="8" t="inlineStr"'),
    lambda row, number: row.replace("/></row>", "/>  </row>"),
    lambda row, number: row.replace("<v>OK</v>", "<v>OKAY</v>"),
    lambda row, number: re.sub(r"<v>(\d)", r"<v>0\1", row, count=1),
    lambda row, number: row.replace("</row>", f'<c r="A{number}"/>' * 20 + "</row>"),
)
HARMFUL: tuple[Odd, ...] = (
    lambda row, number: row.replace(f'A{number}"', f'A{number + 1}"', 1),
    lambda row, number: row.replace(f'r="{number}"', f'r="{number + 1}"', 1),
    lambda row, number: row.replace("</row>", f'<c r="A{number}"><v>1</v></c></row>'),
    lambda row, number: row.replace("</row>", f'<c r="J{number}"><v>1</v></c></row>'),
    lambda row, number: row.replace("<v>", "<v>&#49;", 1).replace("<t>", "<t>&lt;", 1),
    lambda row, number: row.replace("<v>", "<v></v><v>", 1),
    lambda row, number: re.sub(r"<v>[^<]*<", "<v><", row, count=1),
    lambda row, number: re.sub(r"<t>[^<]*<", "<t><", row, count=1),
    lambda row, number: row.replace("</v>", "</v><extLst/>", 1),
    lambda row, number: row.replace("</row>", ""),
    lambda row, number: row[: row.rindex("<c")],
    lambda row, number: row[: row.index(">") + 3],
)


def expected(xml: str, width: int) -> list[list[Any]]:
    """Kind and value of every cell below the first row."""
    found = []
    for row in list(ET.fromstring(xml)[0])[1:]:
        cells: list[Any] = [None] * width
        for cell in row:
            value = next(cell.iter("t"), cell.find("v"))
            if value is not None:
                column = LETTERS.index(cell.attrib["r"][0])
                cells[column] = float(value.text or "") if cell.get("t") is None else value.text
        found.append(cells)
    return found


def held(grid: gridscan.Grid, width: int) -> list[list[Any]]:
    columns: list[list[Any]] = []
    for column in range(width):
        if column in grid.figures:
            columns.append(grid.figures[column].tolist())
        elif column in grid.texts:
            texts = grid.texts[column]
            assert len(set(texts.different)) == len(texts.different)
            columns.append([texts.different[code] for code in texts.codes.tolist()])
        else:
            columns.append([None] * grid.rows)
    return [list(row) for row in zip(*columns, strict=True)]


def scanned(xml: str, width: int) -> gridscan.Grid | None:
    return gridscan.rows(xml.encode(), len(HEAD), 2, width, set())


@pytest.mark.parametrize("seed", range(150))
def test_rows_are_read_as_they_are_written(seed: int) -> None:
    """Sheets whose rows are written alike, with some that are written in another way and mean the same; then one that does not."""
    rng = random.Random(seed)
    width, opening = rng.randrange(1, 10), rng.choice(OPENINGS)
    kinds = CELLS if seed % 3 == 0 else CELLS[:-1]  # with a formula no row is like the one before it
    columns = [rng.choice(kinds) for _ in range(width)]
    order = rng.sample(range(width), width) if seed % 5 == 0 else range(width)
    often = rng.choice((0, 0.02, 0.5))
    rows = []
    for number in range(2, rng.randrange(4, 400)):
        cells = [columns[column](LETTERS[column], number, rng) for column in order]
        row = opening.format(number) + "".join(cells) + "</row>"
        rows.append(rng.choice(HARMLESS)(row, number) if rng.random() < often else row)
    xml = HEAD + "".join(rows) + END
    grid = scanned(xml, width)
    assert grid is not None
    assert held(grid, width) == expected(xml, width)
    for harm in HARMFUL:
        at = rng.randrange(len(rows))
        harmed = harm(rows[at], at + 2)
        if harmed != rows[at]:
            found = scanned(HEAD + "".join([*rows[:at], harmed, *rows[at + 1 :]]) + END, width)
            assert found is None


def test_a_sheet_after_another_one_finds_no_text_of_it() -> None:
    """Slots are not freed for columns that hold figures; a text in one of them is looked for nowhere."""
    rng = random.Random(1)
    many = "".join(
        f'<row r="{n}">{inline_cell("A", n, rng)}<c r="B{n}" t="str"><v>{n}</v></c></row>' for n in range(2, 3000)
    )
    assert scanned(HEAD + many + END, 2) is not None
    few = (
        '<row r="2"><c r="A2"><v>1</v></c><c r="B2"><v>1</v></c></row><row r="3"><c r="A3" t="str"><v>77</v></c></row>'
    )
    assert scanned(HEAD + few + END, 2) is None


@pytest.mark.parametrize("seed", range(20))
def test_a_short_figure_is_the_nearest_double(seed: int) -> None:
    rng = random.Random(seed)
    powers = np.array([10.0**n for n in range(23)])
    for _ in range(500):
        digits = "".join(rng.choices("0123456789", k=rng.randrange(1, 8)))
        at = rng.randrange(len(digits) + 1)
        written = rng.choice((digits, digits[:at] + "." + digits[at:], digits[:at] + rng.choice("-+eE:/,_ \0\xff<.")))
        beside = written.encode("latin-1")[:7] + b"<" + bytes(rng.choices(b"<.09v/", k=8))
        word = np.frombuffer(beside[:8], np.uint64)[0]
        size = likekernel.found(word, np.uint64(0x3C3C3C3C3C3C3C3C))
        assert size == beside.index(b"<")
        if not size:
            continue
        own, value = beside[:size].decode("latin-1"), likekernel.short_figure(word, size, powers)
        if own.replace(".", "", 1).isascii() and own.replace(".", "", 1).isdigit() and not own.endswith("."):
            assert value == float(own)
        else:
            assert np.isnan(value)
        whole, after = likekernel.decimal(np.frombuffer(beside, np.uint8), 0, size)
        assert (after < 0) == bool(own.replace(".", "", 1).strip("0123456789"))
        if after >= 0 and own != ".":
            assert whole / powers[after] == float(own)


def test_what_a_row_repeats_is_not_read_again() -> None:
    """The quick pass goes on as long as rows are alike, and says where the first other one begins."""
    cells = [
        f'<row r="{n}"><c r="A{n}"><v>{n / 4}</v></c><c r="B{n}" t="str"><v>OK</v></c></row>' for n in range(2, 60)
    ]
    other = '<row r="60"><c r="A60" s="1"><v>1</v></c><c r="B60" t="str"><v>OK</v></c></row>'
    data = (HEAD + "".join(cells) + other + END + " " * 64).encode()
    begin = len(HEAD)
    first = data.index(b"</row>", begin) + 6
    one, two, done = (data.index(word, begin) for word in (b'A2"', b'B2"', b"OK"))
    shape = np.zeros((4, likekernel.SHAPE), np.int64)
    shape[0, :4] = begin, 8, begin + 9, 2
    shape[1] = begin + 11, one + 1 - begin - 11, one + 2, 5, 0, gridscan.NUMBER
    shape[2] = one + 10, two + 1 - one - 10, two + 2, done - two - 2, 1, gridscan.INLINE
    shape[3, :2] = done + 2, first - done - 2
    assert data[one + 2 : one + 7] == b'"><v>'
    places = np.full((2, 4, 2), 0, np.int64)
    places[1, 0] = done, done + 2
    figures, codes = np.zeros((2, 60)), np.zeros((2, 60), np.int32)
    long, noted = np.zeros((8, 4), np.int64), np.zeros(1, np.int64)
    at, row = likekernel.rows(
        np.frombuffer(data, np.uint8), np.ndarray((len(data) - 7,), np.uint64, data, strides=(1,)), first, 2, shape, 2, 1, 60,
        figures, 10.0 ** np.arange(23), long, noted, codes, places, np.array([0, 1]), np.zeros((2, 16_384), np.int32),
    )  # fmt: skip
    assert (at, row) == (data.index(b'<row r="60"'), 58)
    assert figures[0, 1:58].tolist() == [n / 4 for n in range(3, 60)]
    assert gridkernel.SHAPE == likekernel.SHAPE
