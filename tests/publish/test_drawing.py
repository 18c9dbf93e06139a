"""Drawings made directly: sizes from the typeface's own tables, positions by hand, the same bytes every time."""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eisenergy.desk import CustomerMonth
from eisenergy.publish import charts, drawing, drawings, money_charts, power_charts
from eisenergy.publish.drawings import Layer
from eisenergy.publish.folders import FONTS


def advances(font: Path) -> dict[str, int]:
    """Character -> advance width, from the tables ``cmap`` (format 4) and ``hmtx`` of an OpenType file."""
    data = font.read_bytes()

    def word(at: int) -> int:
        return int(struct.unpack(">H", data[at : at + 2])[0])

    def long(at: int) -> int:
        return int(struct.unpack(">I", data[at : at + 4])[0])

    tables = {data[at : at + 4].decode(): long(at + 8) for at in range(12, 12 + 16 * word(4), 16)}
    assert word(tables["head"] + 18) == 1000
    metrics = word(tables["hhea"] + 34)
    cmap = tables["cmap"]
    found: dict[str, int] = {}
    for entry in range(word(cmap + 2)):
        at = cmap + long(cmap + 4 + 8 * entry + 4)
        if word(at) != 4:
            continue
        half = word(at + 6)
        ends, starts = at + 14, at + 16 + half
        for segment in range(half // 2):
            shift, place = starts + half + 2 * segment, starts + 2 * half + 2 * segment
            for char in range(word(starts + 2 * segment), min(word(ends + 2 * segment), 0x2FFF) + 1):
                glyph = char
                if word(place):
                    glyph = word(place + word(place) + 2 * (char - word(starts + 2 * segment)))
                glyph = (glyph + word(shift)) & 0xFFFF
                found[chr(char)] = word(tables["hmtx"] + 4 * min(glyph, metrics - 1))
    return found


def test_the_widths_are_the_typeface_s() -> None:
    found = advances(FONTS / "SourceSansPro-Regular.otf")
    assert {char: found[char] for char in drawing.WIDTHS} == drawing.WIDTHS


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_are_round_and_enclose_what_is_drawn(low: float, span: float) -> None:
    high = low + span
    if high - low < abs(low) * 1e-9:
        return
    found = drawing.ticks(low, high)
    step = found[1] - found[0]
    assert found[0] <= low + step * 1e-6
    assert found[-1] >= high - step * 1e-6
    assert 2 <= len(found) <= 12
    assert f"{step:.0e}"[0] in "125"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 3021, ["0", "500", "1,000", "1,500", "2,000", "2,500", "3,000", "3,500"]),
        (-731, 473, ["\N{MINUS SIGN}800", "\N{MINUS SIGN}600", "\N{MINUS SIGN}400", "\N{MINUS SIGN}200", "0", "200", "400", "600"]),
        (0, 0.9, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)  # fmt: skip
def test_ticks_by_hand(low: float, high: float, expected: list[str]) -> None:
    assert drawing.figures(drawing.ticks(low, high)) == expected


def test_columns_are_as_high_as_their_values() -> None:
    made = drawings.stacked_columns(
        ["a", "b"],
        [Layer("x", "#111111", [10, 20]), Layer("y", "#222222", [30, 0])],
        200,
        "kWh",
        pale=[False, True],
        marks={1: "E"},
    )
    bars = re.findall(
        r'<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)" fill="(#1{6}|#2{6})"', made.svg()
    )
    swatches, columns = bars[:2], bars[2:]
    assert {height for _, height, _ in swatches} == {"12.6"}
    # The axis ends at 40: 5 pixels a unit.
    assert [(float(height), colour) for _, height, colour in columns] == [
        (50, "#111111"),
        (100, "#111111"),
        (150, "#222222"),
    ]
    assert float(columns[2][0]) + 150 == float(columns[0][0])
    assert 'fill-opacity="0.7"' in made.svg()
    assert ">E</text>" in made.svg()


def test_a_field_is_the_darker_the_higher_its_value() -> None:
    made = drawings.heat_map(["lun"], {(1, 0): 0.0, (1, 1): 5.0, (1, 2): 10.0}, ["#FFFFFF", "#000000"], 50, "h", "kW")
    fields = re.findall(r'<path d="M[^"]*z" fill="(#[0-9A-F]{6})"', made.svg())
    assert fields[0] == "#FFFFFF"
    assert fields[-1] == "#000000"
    assert fields == sorted(fields, reverse=True)


def test_a_long_word_is_cut_to_its_room() -> None:
    cut = drawing.shortened("Cargo por desviación y mucho más", 100)
    assert cut.endswith("…")
    assert drawing.text_width(cut) <= 100
    assert drawing.shortened("IVA", 100) == "IVA"


def test_a_name_cannot_break_out_of_a_drawing() -> None:
    made = drawings.bars([("</text><script>", 1.0, "<b>", "#111111")], 34, low=0, high=2)
    assert "<script>" not in made.svg()
    ET.fromstring(made.svg())


def test_pictures_say_axes_units_and_legends(desk: CustomerMonth) -> None:
    said = {
        charts.daily_energy: ("Energía [kWh]", "Día del mes", "Valle", "Resto", "Punta"),
        charts.monthly_energy: ("Energía [kWh]", "sep 21", "Valle", "Resto", "Punta", "E"),
        charts.readings_quality: ("Día del mes", "Medido", "Estimado", "Faltante"),
        power_charts.peak_gauge: ("510.5 kW", "79 % de 650 kW contratados"),
        power_charts.load_heat_map: ("Hora del día", "Potencia media [kW]", "lun", "dom"),
        power_charts.load_duration: ("Parte del mes [%]", "Potencia [kW]"),
        money_charts.cost_breakdown: ("Costo de energía", "6,441.33"),
        money_charts.savings: ("Monto [USD]", "Acumulado", "Frente al mes anterior", "sep 21"),
    }
    for make, words in said.items():
        figure = make(desk)
        drawn = ET.fromstring(figure.svg())
        texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
        for word in words:
            assert word in texts, (make.__name__, word)
        assert " id=" not in figure.svg()
        assert figure.svg() == make(desk).svg()


def test_nothing_to_draw_is_a_drawing() -> None:
    for figure in (
        drawings.savings([], [("a", "#1"), ("b", "#2"), ("c", "#3")], {}, {}, {}, 230, "USD"),
        drawings.duration([], 230, "x", "y"),
        drawings.heat_map(["lun"], {}, ["#FFFFFF", "#000000"], 50, "h", "kW"),
        drawings.stacked_area([Layer("x", "#111111", [0.0])], 1, 100, "x", "y"),
    ):
        places = [value for part in ET.fromstring(figure.svg()).iter() for value in part.attrib.values()]
        assert places
        assert not [value for value in places if re.search(r"\b(nan|inf)\b", value, re.IGNORECASE)]


def test_stacked_bars_lie_end_to_end() -> None:
    layers = [Layer("estimated", "#111111", [10.0, 0.0]), Layer("missing", "#222222", [5.0, 20.0])]
    made = drawings.stacked_bars(["a", "b"], layers, 80, "slots").body
    rects = re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="18" fill="(#[12]+)"', made)
    (x1, y1, w1, c1), (x2, y2, w2, c2), (x3, y3, w3, c3) = rects
    assert (c1, c2, c3) == ("#111111", "#222222", "#222222")
    assert y1 == y2 != y3
    assert float(x1) == float(x3)  # a part of nothing takes no room
    assert float(x2) == pytest.approx(float(x1) + float(w1), abs=0.11)
    assert float(w1) == pytest.approx(2 * float(w2), abs=0.11)
    assert float(w3) == pytest.approx(4 * float(w2), abs=0.21)
    assert "slots" in made


@given(
    st.lists(
        st.tuples(*[st.floats(-1e6, 1e6) | st.sampled_from([-0.04, 0.05, -0.0, 10.0, -10.04, 0.95])] * 2), min_size=1
    )
)
def test_points_and_fields_are_written_as_positions_are(points: list[tuple[float, float]]) -> None:
    canvas = drawing.Canvas(width=10, height=10)
    canvas.path(points, 'fill="red"')
    canvas.rectangle(*points[0], *points[-1], "blue")
    edge = "L".join(f"{drawing.n(x)},{drawing.n(y)}" for x, y in points)
    (x, y), (wide, high) = ((drawing.n(a), drawing.n(b)) for a, b in (points[0], points[-1]))
    assert canvas.done().body.split(">", 1)[1] == (
        f'<path d="M{edge}" fill="red"/><rect x="{x}" y="{y}" width="{wide}" height="{high}" fill="blue"/></g>'
    )
