"""A plot drawn directly as SVG: scales, axes, legend and marks in the house's style. No program, no browser, no font is loaded.

Drawing a customer's charts through Vega costs some 80 ms each, here a tenth of a millisecond to one. Sizes are CSS pixels;
positions are rounded to a tenth of one, so the same values give the same bytes. Nothing in a drawing has an id.
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from eisenergy.publish import theme
from eisenergy.publish.texts import MINUS

SIZE: Final = 14
"""Of the letters of axes and legends."""

_WIDTHS: Final = {
    200: " ", 241: "|", 246: "ií", 247: "j", 249: "',.:;·", 255: "l", 263: "IÍ", 289: "!", 292: "f", 303: "()[]{}",
    311: "-", 331: "°", 338: "t", 347: "r", 350: "/\\", 418: "*", 419: "s", 425: "?z", 426: '"', 446: "x", 456: "c",
    467: "vy", 476: "Y", 480: "J", 486: "L", 494: "F", 495: "k", 496: "eé", 497: "#$+0123456789<=>^~−", 500: "_",
    504: "agá", 513: "X", 515: "V", 527: "EÉ", 534: "S", 536: "T", 539: "Z", 542: "`oó", 544: "AhuúüÁ", 547: "nñ",
    553: "b", 555: "dpq", 566: "P", 569: "R", 571: "C", 579: "K", 588: "B", 609: "&", 615: "D", 617: "G", 645: "UÚÜ",
    647: "NÑ", 652: "H", 664: "OQÓ", 718: "w", 727: "M", 786: "W", 800: "—", 824: "%", 829: "m", 847: "@",
}  # fmt: skip
"""Advance widths of Source Sans Pro [thousandths of the size]; ``tests/publish/test_drawing.py`` reads them in the font."""

_OTHER: Final = 600


class _Widths(dict[str, int]):
    """Advance widths by sign."""

    def __missing__(self, _: str) -> int:
        return _OTHER


WIDTHS: Final = _Widths({char: width for width, chars in _WIDTHS.items() for char in chars})
_SWATCH: Final = 12.6
_TICK: Final = 5
Scale = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A finished drawing.

    :param body: what stands inside of ``<svg>``; its origin is the upper left corner
    :param width: [CSS pixels], as ``height``
    """

    body: str
    width: float
    height: float

    def svg(self, attributes: str = "", *, x: float = 0, y: float = 0) -> str:
        """Return a whole SVG element.

        :param attributes: of the element, as source
        :param x: place in a larger drawing, as ``y``
        """
        place = f' x="{n(x)}" y="{n(y)}"' if x or y else ""
        size = f'viewBox="0 0 {n(self.width)} {n(self.height)}" width="{n(self.width)}"'
        return f'<svg xmlns="http://www.w3.org/2000/svg"{place} {size}{attributes}>{self.body}</svg>'


def n(value: float) -> str:
    """Return a position with at most one decimal."""
    text = f"{value:.1f}"
    if text[-2:] != ".0":
        return text
    return "0" if text == "-0.0" else text[:-2]


def _line(points: Iterable[tuple[float, float]]) -> str:
    """Return ``x,yLx,y...``, every number as :func:`n` gives it; hundreds of points are written at once."""
    flat = tuple(itertools.chain.from_iterable(points))
    text = f"{'L%.1f,%.1f' * (len(flat) // 2) % flat}L".replace(".0,", ",").replace(".0L", "L")
    if "-0" in text:
        text = text.replace("L-0,", "L0,").replace(",-0L", ",0L")
    return text[1:-1]


def text_width(words: str, size: float = SIZE) -> float:
    """Return how wide a text is, set in the house's typeface [CSS pixels]."""
    return sum(map(WIDTHS.__getitem__, words)) * size / 1000


def shortened(words: str, limit: float, size: float = SIZE) -> str:
    """Return a text cut so that it fits, with an ellipsis where something is cut."""
    if text_width(words, size) <= limit:
        return words
    kept = words
    while kept and text_width(kept + "…", size) > limit:
        kept = kept[:-1]
    return kept + "…"


def step_of(span: float, count: int) -> float:
    """Return the round distance (1, 2 or 5 times a power of ten) that cuts a span into about so many steps.

    Source: d3-array, ``tickIncrement``.
    """
    raw = span / max(count, 1)
    if not raw > 0 or math.isinf(raw):
        return 1.0
    power = math.floor(math.log10(raw))
    error = raw / 10.0**power
    factor = 10 if error >= math.sqrt(50) else 5 if error >= math.sqrt(10) else 2 if error >= math.sqrt(2) else 1
    return factor * 10.0**power


def ticks(low: float, high: float, count: int = 5) -> tuple[float, ...]:
    """Return round values that enclose a range, about ``count`` steps of them; both ends are ticks."""
    if not high > low:
        high = low + 1
    step = step_of(high - low, count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step)))
    return tuple(round(at * step, digits) for at in range(first, last + 1))


def figures(values: Sequence[float]) -> list[str]:
    """Return the values of ticks as people read them, with the decimals that their distance needs."""
    step = min((b - a for a, b in itertools.pairwise(values)), default=1.0)
    places = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    return [f"{value:,.{places}f}".replace("-", MINUS) for value in values]


@dataclass(slots=True, kw_only=True)
class Canvas:
    """A plot's area, and what is drawn in and around it.

    :param width: of the whole drawing
    :param height: of the plot alone
    """

    width: float
    height: float
    left: float = 2
    top: float = 6
    right: float = 6
    bottom: float = 2
    _parts: list[str] = field(default_factory=list)

    @property
    def inner(self) -> float:
        """The plot's width."""
        return self.width - self.left - self.right

    @property
    def floor(self) -> float:
        """The plot's lower edge."""
        return self.top + self.height

    def legend(self, entries: Sequence[tuple[str, str]], *, below: bool = False, shapes: Sequence[str] = ()) -> None:
        """Draw squares (or other shapes) with their words above the plot; makes room for them. After ``left`` is settled.

        :param entries: word and colour
        :param below: one below the other instead of in a row
        :param shapes: per entry ``square``, ``diamond`` or ``line``
        """
        x, y = self.left, self.top
        for (words, colour), shape in zip(entries, shapes or ["square"] * len(entries), strict=True):
            wide = _SWATCH + 6 + text_width(words)
            if x > self.left and (below or x + wide > self.width - self.right):
                x, y = self.left, y + 20
            self._swatch(shape, x, y, colour)
            self.text(x + _SWATCH + 6, y + 11.5, words, colour=theme.INK)
            x += wide + 24
        self.top = y + 15 + 16

    def _swatch(self, shape: str, x: float, y: float, colour: str) -> None:
        middle, half = y + 1 + _SWATCH / 2, _SWATCH / 2
        if shape == "diamond":
            self.diamond(x + half, middle, half, colour)
        elif shape == "line":
            self.add(f'<path d="M{n(x)},{n(middle)}h{n(_SWATCH)}" stroke="{colour}" stroke-width="3"/>')
            self.add(f'<circle cx="{n(x + half)}" cy="{n(middle)}" r="3.8" fill="{colour}"/>')
        else:
            self.rectangle(x, y + 1, _SWATCH, _SWATCH, colour)

    def room_left(self, labels: Iterable[str], title: str = "", *, size: float = SIZE, limit: float = math.inf) -> None:
        """Make room for an axis on the left: its labels and, turned, its title."""
        widest = max((min(text_width(label, size), limit) for label in labels), default=0)
        self.left = 2 + (SIZE + 10 if title else 0) + widest + 4

    def y_axis(self, values: Sequence[float], scale: Scale, title: str) -> None:
        """Draw lines across the plot with their values at the left, and the axis' title along it."""
        lines = "".join(f"M{n(self.left)},{n(scale(value))}h{n(self.inner)}" for value in values)
        self.add(f'<path d="{lines}" stroke="{theme.RULE}"/>')
        for value, label in zip(values, figures(values), strict=True):
            self.text(self.left - 4, scale(value) + 4.5, label, anchor="end")
        self._turned(12, self.top + self.height / 2, title)

    def y_labels(self, labels: Sequence[tuple[float, str]], *, size: float = SIZE) -> None:
        """Write words at the left of the plot, each at its height; those too long for their room are cut."""
        for y, words in labels:
            self.text(self.left - 4, y + size * 0.32, shortened(words, self.left - 6, size), anchor="end", size=size)

    def x_axis(self, labels: Sequence[tuple[float, str]], title: str, *, line: bool = True) -> None:
        """Draw the axis below the plot with ticks and upright labels."""
        marks = "".join(f"M{n(x)},{n(self.floor)}v{_TICK}" for x, _ in labels)
        across = f"M{n(self.left)},{n(self.floor)}h{n(self.inner)}" if line else ""
        self.add(f'<path d="{across}{marks}" stroke="{theme.RULE}"/>')
        for x, words in labels:
            self.text(x, self.floor + 18, words, anchor="middle")
        self.text(self.left + self.inner / 2, self.floor + 41, title, anchor="middle")
        self.bottom = 46 if title else 24

    def x_slanted(self, labels: Sequence[tuple[float, str]], *, at: float | None = None) -> None:
        """Draw the axis below the plot with slanted labels, for months."""
        marks = "".join(f"M{n(x)},{n(self.floor)}v{_TICK}" for x, _ in labels)
        line = self.floor if at is None else at
        self.add(f'<path d="M{n(self.left)},{n(line)}h{n(self.inner)}{marks}" stroke="{theme.RULE}"/>')
        for x, words in labels:
            where = f"translate({n(x + 3)},{n(self.floor + 13)}) rotate(-55)"
            self.add(f'<text text-anchor="end" transform="{where}" fill="{theme.MUTED}">{html.escape(words)}</text>')
        self.bottom = 12 + max((text_width(words) for _, words in labels), default=0) * 0.82 + 8

    def text(
        self, x: float, y: float, words: str, *, anchor: str = "", colour: str = theme.MUTED, size: float = SIZE,
        bold: bool = False,
    ) -> None:  # fmt: skip
        """Write a text; ``y`` is its base line."""
        if words:
            more = (f' text-anchor="{anchor}"' if anchor else "") + (f' font-size="{n(size)}"' if size != SIZE else "")
            more += ' font-weight="bold"' if bold else ""
            self.add(f'<text x="{n(x)}" y="{n(y)}" fill="{colour}"{more}>{html.escape(words)}</text>')

    def _turned(self, x: float, y: float, words: str) -> None:
        if words:
            where = f"translate({n(x)},{n(y)}) rotate(-90)"
            text = f'<text text-anchor="middle" transform="{where}" fill="{theme.MUTED}">{html.escape(words)}</text>'
            self.add(text)

    def rectangle(self, x: float, y: float, width: float, height: float, colour: str, more: str = "") -> None:
        """Fill a rectangle."""
        size = f'x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}"'
        self.add(f'<rect {size} fill="{colour}"{more}/>')

    def diamond(self, x: float, y: float, half: float, colour: str) -> None:
        """Fill a square that stands on its corner, with a white edge."""
        shape = f"M{n(x)},{n(y - half)}L{n(x + half)},{n(y)}L{n(x)},{n(y + half)}L{n(x - half)},{n(y)}Z"
        self.add(f'<path d="{shape}" fill="{colour}" stroke="white"/>')

    def path(self, points: Iterable[tuple[float, float]], more: str) -> None:
        """Draw a line through points.

        :param more: the element's other attributes, as source
        """
        self.add(f'<path d="M{_line(points)}" {more}/>')

    def add(self, element: str) -> None:
        """Put an element on top of those that are there."""
        self._parts.append(element)

    def done(self) -> Drawing:
        """Return the drawing."""
        family = html.escape(theme.CSS_FONT, quote=True)
        body = f'<g font-family="{family}" font-size="{SIZE}" fill="none">{"".join(self._parts)}</g>'
        return Drawing(body, self.width, math.ceil(self.floor + self.bottom))
