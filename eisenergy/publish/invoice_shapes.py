"""The shapes of the invoice's drawings as SVG: columns, curves, the lines of the axis. The words are the template's.

Typst's own shapes cost a document as much for each of their corners as a word of text; as SVG they are nearly free. Lengths are
points; a margin of one above and below keeps the lines at the edges whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from eisenergy.publish import theme

MM: Final = 72 / 25.4
GUTTER: Final = 12 * MM
"""Room for the axis' labels, left of the shapes."""

WHOLE: Final = (180 * MM - GUTTER, 30 * MM)
HALF: Final = (86 * MM - GUTTER, 36 * MM)
"""Width and height of the plots in ``bill-page.typ``: across the page, and in half of it."""

_MARGIN: Final = 1.0
_STRIP: Final = (0.4 * MM, 1.0 * MM)
"""The strip of the hours' colours: how far below the plot it begins, and how high it is."""


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    size = f'width="{_n(width)}" height="{_n(height + 2 * _MARGIN)}"'
    box = f'viewBox="0 {_n(-_MARGIN)} {_n(width)} {_n(height + 2 * _MARGIN)}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} fill="none">{"".join(parts)}</svg>'


def _grid(axis: Mapping[str, Any], size: tuple[float, float]) -> list[str]:
    """A line at each tick, that at zero the strongest."""
    width, height = size
    lines: dict[str, str] = {}
    for tick in axis["ticks"]:
        weight = "0.8" if tick["value"] == 0 else "0.35"
        lines[weight] = lines.get(weight, "") + f"M0 {_n(height * (1 - tick['value'] / axis['max']))}h{_n(width)}"
    return [f'<path d="{d}" stroke="{theme.RULE}" stroke-width="{weight}"/>' for weight, d in lines.items()]


def columns(
    values: Sequence[Sequence[float]], colours: Sequence[str], axis: Mapping[str, Any], size: tuple[float, float]
) -> str:
    """Return stacked columns, two thirds as wide as their places.

    :param values: per column one per colour, from below
    :param axis: of :func:`eisenergy.publish.invoice_figures.axis`, in the values' unit
    :param size: ``WHOLE`` or ``HALF``
    """
    width, height = size
    step = width / max(len(values), 1)
    bar = step * 0.66
    across, most = _n(bar), axis["max"]
    places: list[list[str]] = [[] for _ in colours]
    for at, column in enumerate(values):
        left = _n(at * step + (step - bar) / 2)
        edges = [height * (1 - edge / most) for edge in itertools.accumulate(column, initial=0.0)]
        for place, (below, above) in zip(places, itertools.pairwise(edges), strict=True):
            if below > above:
                place.append(f"M{left} {_n(above)}h{across}V{_n(below)}H{left}z")
    bars = [f'<path d="{"".join(d)}" fill="{colour}"/>' for colour, d in zip(colours, places, strict=True) if d]
    return _svg(width, height, _grid(axis, size) + bars)


def curves(
    series: Sequence[Mapping[str, Any]], hours: Sequence[str], axis: Mapping[str, Any], size: tuple[float, float]
) -> str:
    """Return a curve per series over the hours of a day, and the hours' colours below them.

    :param series: ``colour``, ``dashed`` and ``values``, one per hour, ``None`` where there is none
    :param hours: a colour per hour, or nothing
    """
    width, height = size
    step = width / len(hours)
    parts = _grid(axis, size)
    for colour in dict.fromkeys(filter(None, hours)):
        field = f"{_n(height + _STRIP[0])}h{_n(step)}v{_n(_STRIP[1])}h{_n(-step)}z"
        places = [f"M{_n(at * step)} {field}" for at, its in enumerate(hours) if its == colour]
        parts.append(f'<path d="{"".join(places)}" fill="{colour}"/>')
    for one in series:
        points = [
            f"{_n((at + 0.5) * step)} {_n(height * (1 - value / axis['max']))}"
            for at, value in enumerate(one["values"])
            if value is not None
        ]
        if len(points) > 1:
            # as Typst's "densely-dashed"
            dash = ' stroke-dasharray="3 2"' if one["dashed"] else ""
            look = f'stroke="{one["colour"]}" stroke-width="1.4" stroke-linejoin="round"{dash}'
            parts.append(f'<path d="M{"L".join(points)}" {look}/>')
    return _svg(width, height + sum(_STRIP), parts)
