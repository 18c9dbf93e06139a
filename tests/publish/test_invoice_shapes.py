"""The invoice's shapes: columns as high as their values, curves through them, a line at each tick."""

from __future__ import annotations

import re

import invoice_desks as desks
import pytest

from eisenergy.publish import invoice_shapes, theme
from eisenergy.publish.document import invoice_document
from eisenergy.publish.drawing import text_width
from eisenergy.publish.folders import REPORTS

AXIS = {
    "max": 10.0,
    "ticks": [{"value": 0.0, "label": "0"}, {"value": 5.0, "label": "5"}, {"value": 10.0, "label": "10"}],
}
SIZE = (100.0, 50.0)


def test_columns_stand_on_each_other() -> None:
    svg = invoice_shapes.columns([[2.0, 3.0], [0.0, 10.0]], ["#111111", "#222222"], AXIS, SIZE)
    first, second = re.findall(r'<path d="([^"]*)" fill="#', svg)
    assert first == "M8.5 40h33V50H8.5z"  # 2 of 10 on 50 points; nothing is drawn for zero
    assert second == "M8.5 25h33V40H8.5zM58.5 0h33V50H58.5z"
    lines = dict(re.findall(rf'<path d="([^"]*)" stroke="{theme.RULE}" stroke-width="([\d.]+)"', svg))
    assert lines == {"M0 50h100": "0.8", "M0 25h100M0 0h100": "0.35"}


def test_curves_run_through_their_values_and_leave_out_what_is_not_there() -> None:
    series = [
        {"colour": "#333333", "dashed": False, "values": [0.0, 5.0, None, 10.0]},
        {"colour": "#444444", "dashed": True, "values": [1.0, 1.0, 1.0, 1.0]},
        {"colour": "#555555", "dashed": False, "values": [None, None, None, 4.0]},
    ]
    svg = invoice_shapes.curves(series, ["#111111", "", "#111111", "#222222"], AXIS, SIZE)
    assert 'd="M12.5 50L37.5 25L87.5 0" stroke="#333333"' in svg
    assert re.search(r'stroke="#444444"[^>]*stroke-dasharray', svg)
    assert not re.search(r'stroke="#333333"[^>]*stroke-dasharray', svg)
    assert "#555555" not in svg
    strip = re.search(r'd="([^"]*)" fill="#111111"', svg)
    assert strip is not None
    assert re.findall(r"M([\d.]+) ", strip[1]) == ["0", "50"]


@pytest.mark.parametrize("locale", ["es-SV", "en-US"])
def test_every_label_fits_into_the_room_the_template_leaves(locale: str) -> None:
    """The template tells a label's room from its length; the typeface's own widths say whether it fits."""
    source = (REPORTS / "typst" / "bill-page.typ").read_text(encoding="utf-8")
    found = re.search(r"room-of\(signs, size\) = \(([\d.]+) \+ ([\d.]+) \*", source)
    assert found is not None
    fixed, each = map(float, found.groups())
    document = invoice_document(desks.steel(change=None, estimated=3, locale=locale))
    rows = document["charges"]["rows"]
    texts = [row[0] for row in document["facts"] + document["customer"]["rows"] + document["supply"]["rows"]]
    texts += [row[key] for row in rows for key in ("quantity", "rate", "part")]
    texts += [row["quantity"] for row in document["sums"]]
    for text in texts:
        assert text_width(text, 1.0) <= fixed + each * len(text), text
