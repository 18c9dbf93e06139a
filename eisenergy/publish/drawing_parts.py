"""A house drawing taken apart again for print: its shapes, and its words.

Typst has to set every word of an SVG glyph by glyph: a word in a drawing costs a document three times what a word of its own text
does, and eight charts have some 130. So the printed page takes the shapes as SVG and sets the words itself.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Final

from eisenergy.publish import theme
from eisenergy.publish.drawing import SIZE

_WHOLE: Final = re.compile(
    r'<svg xmlns="http://www\.w3\.org/2000/svg" width="([\d.]+)" height="([\d.]+)" viewBox="0 0 \1 \2"><title>[^<]*</title>'
    r'(<text [^>]*>[^<]*</text>)<g transform="translate\(0,([\d.]+)\)"><g font-family="[^"]*" font-size="([\d.]+)" fill="none">'
    r"([^\0]*)</g></g></svg>"
)
_TEXT: Final = re.compile(r"<text ([^>]*)>([^<]*)</text>")
_UPRIGHT: Final = re.compile(
    r'<text x="([^"]*)" y="([^"]*)" fill="([^"]*)"(?: text-anchor="([^"]*)")?(?: font-size="([^"]*)")?(?: font-weight="([^"]*)")?>([^<]*)</text>'
)
"""As nearly all are written."""
_ATTRIBUTE: Final = re.compile(r'([a-z-]+)="([^"]*)"')
_TURNED: Final = re.compile(r"translate\((-?[\d.]+),(-?[\d.]+)\) rotate\((-?[\d.]+)\)")
_KNOWN: Final = frozenset({"x", "y", "text-anchor", "font-size", "font-weight", "font-family", "fill", "transform"})
_OTHERS: Final = re.compile(r"<(?!/?(?:path|rect|circle)\b)")


@dataclass(frozen=True, slots=True)
class Word:
    """A text of a drawing.

    :param x: [CSS pixels] from the left, as ``y`` from above to the base line
    :param anchor: ``start``, ``middle`` or ``end``: what of the text stands at ``x``
    :param angle: clockwise [degrees]
    """

    words: str
    x: float
    y: float
    anchor: str
    size: float
    colour: str
    bold: bool
    angle: float


@dataclass(frozen=True, slots=True)
class Parts:
    """A drawing's shapes, as SVG without any text, and its words.

    :param width: [CSS pixels], as ``height``
    """

    shapes: str
    words: tuple[Word, ...]
    width: float
    height: float


def parts_of(svg: str) -> Parts | None:
    """Return the parts of a drawing by :meth:`eisenergy.publish.figure.Figure.svg`; ``None`` for any other SVG.

    Whatever is not exactly what :class:`~eisenergy.publish.drawing.Canvas` writes is left whole: Vega's drawings, an analyst's.
    """
    whole = _WHOLE.fullmatch(svg)
    if whole is None or float(whole[5]) != SIZE:
        return None
    width, height, title, down, _, body = whole.groups()
    shapes = _TEXT.sub("", body)
    if _OTHERS.search(shapes):
        return None
    moved = float(down)
    words = [_word(title, 0.0), *(_word(found[0], moved) for found in _TEXT.finditer(body))]
    known = tuple(word for word in words if word is not None)
    if len(known) < len(words):
        return None
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    drawn = f'{head}<g fill="none" transform="translate(0,{down})">{shapes}</g></svg>'
    return Parts(drawn, known, float(width), float(height))


def _word(element: str, down: float) -> Word | None:
    if (upright := _UPRIGHT.fullmatch(element)) is not None:
        x_, y_, colour, anchor, size, weight, words = upright.groups()
        return Word(
            words=html.unescape(words),
            x=float(x_),
            y=float(y_) + down,
            anchor=anchor or "start",
            size=float(size or SIZE),
            colour=colour,
            bold=weight == "bold",
            angle=0.0,
        )
    found = _TEXT.fullmatch(element)
    if found is None:
        return None
    at = dict(_ATTRIBUTE.findall(found[1]))
    turned = _TURNED.fullmatch(at["transform"]) if "transform" in at else None
    if set(at) - _KNOWN or ("transform" in at and turned is None):
        return None
    x, y, angle = map(float, turned.groups()) if turned else (float(at["x"]), float(at["y"]), 0.0)
    return Word(
        words=html.unescape(found[2]),
        x=x,
        y=y + down,
        anchor=at.get("text-anchor", "start"),
        size=float(at.get("font-size", SIZE)),
        colour=at.get("fill", theme.MUTED),
        bold=at.get("font-weight") == "bold",
        angle=angle,
    )
