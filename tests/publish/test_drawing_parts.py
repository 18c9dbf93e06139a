"""A printed drawing: its shapes and its words, apart, are the drawing; on the page all of its words stand where they stood."""

from __future__ import annotations

import html
import re
from pathlib import Path

import nbformat
import pypdf
import pytest

from eisenergy.publish import drawings
from eisenergy.publish import notebook_typst as printed
from eisenergy.publish.drawing import Drawing
from eisenergy.publish.drawing_parts import parts_of
from eisenergy.publish.drawings import Layer
from eisenergy.publish.figure import Data, Figure
from eisenergy.publish.typst_pdf import render_notebook


def figure(drawing: Drawing, span: int = 6) -> str:
    data = Data(columns=("a",), rows=())
    return Figure(
        name="x", title="Energía & más", spec={}, summary="", data=data, data_label="", span=span, drawing=drawing
    ).svg()


COLUMNS = figure(
    drawings.stacked_columns(
        ["sep 20", "oct 20"],
        [Layer("Valle", "#004488", [3.0, 5.0]), Layer("Punta <y>", "#BB5566", [1.0, 2.0])],
        240,
        "Energía [kWh]",
        pale=[False, True],
        marks={0: "E"},
    )
)
AREA = figure(drawings.stacked_area([Layer("Resto", "#DDAA33", [1.0, 4.0, 2.0])], 3, 260, "Día", "Energía [kWh]"), 12)


def test_shapes_and_words_are_the_whole_drawing() -> None:
    parts = parts_of(COLUMNS)
    assert parts is not None
    assert "<text" not in parts.shapes
    shapes = re.compile(r"<(?:path|rect|circle)[^>]*>")
    assert shapes.findall(parts.shapes) == shapes.findall(COLUMNS)
    assert [word.words for word in parts.words] == [
        html.unescape(words) for words in re.findall(r"<text[^>]*>([^<]*)<", COLUMNS)
    ]
    at = {word.words: word for word in parts.words}
    assert {"Energía & más", "Valle", "Punta <y>", "Energía [kWh]", "oct 20", "E", "0"} <= set(at)
    assert at["Energía & más"].bold
    assert (at["Energía & más"].size, at["Energía & más"].y) == (20, 24)
    assert at["Energía [kWh]"].angle == -90
    assert at["oct 20"].angle == -55
    assert at["oct 20"].anchor == "end"
    found = re.search(r'<text x="[\d.]+" y="([\d.]+)"[^>]*>Valle<', COLUMNS)
    assert found is not None
    assert at["Valle"].y == pytest.approx(float(found[1]) + 46)  # the group's own place


@pytest.mark.parametrize(
    "change",
    [
        ("<rect", '<image href="x"/><rect'),
        ('text-anchor="end"', 'textLength="9"'),
        ("rotate(-55)", "skewX(5)"),
        ("<title>", "<desc/><title>"),
        ("</g></g></svg>", "</g></g><g/></svg>"),
        ("<path", '<g transform="scale(2)"></g><path'),
    ],
)
def test_any_other_drawing_is_left_whole(change: tuple[str, str]) -> None:
    assert change[0] in COLUMNS
    assert parts_of(COLUMNS.replace(*change, 1)) is None


def test_words_of_one_look_are_told_by_rows_and_columns_in_their_order() -> None:
    parts = parts_of(COLUMNS)
    assert parts is not None
    item = printed.Drawing(COLUMNS, "alt").item()
    looks = {(word.size, word.colour, word.bold): None for word in parts.words}
    told = [
        (group["size"], group["fill"], group["bold"], words) for group in item["words"] for words, _, _ in group["at"]
    ]
    assert told == [
        (*look, word.words) for look in looks for word in parts.words if (word.size, word.colour, word.bold) == look
    ]
    groups = [[words for words, _, _ in group["at"]] for group in item["words"]]
    assert ["sep 20", "oct 20"] in groups
    assert [str(value) for value in range(8)] in groups


def test_words_print_with_whatever_signs_they_have(tmp_path: Path) -> None:
    words = 'a `b` "c" \\ ^~ $d #e {f}'
    drawing = figure(drawings.bars([(words, 1.0, "1", "#111111")], 34, low=0, high=2))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x")])
    data = {"image/svg+xml": drawing, "text/plain": words}
    notebook.cells[0].outputs = [nbformat.v4.new_output("display_data", data=data)]
    nbformat.write(notebook, tmp_path / "executed.ipynb")
    pdf = pypdf.PdfReader(render_notebook(tmp_path / "executed.ipynb", tmp_path / "out.pdf"))
    assert words in pdf.pages[0].extract_text()


def test_on_the_page_every_word_stands_where_it_stood(tmp_path: Path) -> None:
    """The same drawings as images, which Typst takes whole, are the reference."""
    pages = []
    for name, mark in (("words", ""), ("image", "<!-- -->")):
        notebook = nbformat.v4.new_notebook()
        for svg in (AREA, COLUMNS, COLUMNS):
            cell = nbformat.v4.new_code_cell("x")
            data = {"image/svg+xml": svg.replace("</svg>", f"{mark}</svg>"), "text/plain": "alt"}
            cell.outputs = [nbformat.v4.new_output("display_data", data=data)]
            notebook.cells.append(cell)
        (tmp_path / name).mkdir()
        nbformat.write(notebook, tmp_path / name / "executed.ipynb")  # whose name the footer shows
        pdf = render_notebook(tmp_path / name / "executed.ipynb", tmp_path / f"{name}.pdf")
        signs: list[tuple[float, float, str]] = []

        def visit(
            text: str,
            cm: list[float],
            tm: list[float],
            _font: object,
            _size: float,
            signs: list[tuple[float, float, str]] = signs,
        ) -> None:
            if text.strip():
                x = cm[0] * tm[4] + cm[2] * tm[5] + cm[4]
                y = cm[1] * tm[4] + cm[3] * tm[5] + cm[5]
                signs.append((x, y, text.strip()[0]))

        reader = pypdf.PdfReader(pdf)
        assert len(reader.pages) == 1
        reader.pages[0].extract_text(visitor_text=visit)
        pages.append(signs)
    words, image = pages
    assert len(words) > 40
    for x, y, sign in words:
        assert any(sign == its and abs(x - a) < 1 and abs(y - b) < 1 for a, b, its in image), (sign, x, y)
