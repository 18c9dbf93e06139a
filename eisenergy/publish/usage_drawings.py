"""Drawings of a range of days, for the portal: as :mod:`eisenergy.publish.drawings`, but at any width.

A page holds each twice, for telephones and for wide screens, because letters of a drawing that is scaled down cannot be read.
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from eisenergy.publish import chart_style as style
from eisenergy.publish import drawings, theme
from eisenergy.publish.drawing import Canvas, Drawing, Scale, figures, n, text_width, ticks
from eisenergy.publish.drawings import Layer
from eisenergy.publish.figure import Data

NARROW: Final = 330
"""Width inside of a card on a telephone of 390 [CSS pixels]."""

_GAUGE: Final = 350
"""The gauge's arc without the empty room beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart of a page: two drawings of the same figures, a sentence, and the figures.

    :param name: stable within a page; names the drawing's parts
    :param data_label: what opens the table
    :param span: columns of a page's twelve
    """

    name: str
    title: str
    summary: str
    wide: Drawing
    narrow: Drawing
    data: Data
    data_label: str
    span: int = 12

    def html(self) -> str:
        """Return the figure: nothing in it is style or script."""
        return (
            f'<figure class="chart span-{self.span}" id="{self.name}"><figcaption><strong>{html.escape(self.title)}</strong><br>'
            f'<span>{html.escape(self.summary)}</span></figcaption><div class="drawing">'
            f"{self._svg(self.wide, 'wide')}{self._svg(self.narrow, 'slim')}</div>"
            f'<details><summary>{html.escape(self.data_label)}</summary><div class="scroll" tabindex="0" role="region" '
            f'aria-label="{html.escape(self.title, quote=True)}">{self.data.html()}</div></details></figure>'
        )

    def _svg(self, drawing: Drawing, kind: str) -> str:
        name = f"{self.name}-{kind}"
        attributes = f' class="{kind}" role="img" aria-labelledby="{name}-title {name}-desc" focusable="false"'
        told = f'<title id="{name}-title">{html.escape(self.title)}</title><desc id="{name}-desc">{html.escape(self.summary)}</desc>'
        return Drawing(told + drawing.body, drawing.width, drawing.height).svg(attributes)


def linear(low: float, high: float, start: float, end: float) -> Scale:
    """Return the scale that takes ``[low, high]`` to ``[start, end]``."""
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def thinned(labels: Sequence[str], room: float) -> list[int]:
    """Return the places of labels that fit side by side."""
    widest = max((text_width(label) for label in labels), default=0) + 12
    step = max(1, math.ceil(widest * len(labels) / max(room, 1)))
    return list(range(0, len(labels), step))


def area(
    layers: Sequence[Layer], places: Sequence[str], width: float, height: float, x_title: str, y_title: str
) -> Drawing:
    """Draw areas on top of each other.

    :param layers: a value per place
    :param places: words of the axis; those that do not fit are left out
    """
    canvas = Canvas(width=width, height=height, right=18)
    sums = [math.fsum(column) for column in zip(*(layer.values for layer in layers), strict=True)] or [0.0]
    values = ticks(min(0.0, *sums), max(0.0, *sums))
    canvas.room_left(figures(values), y_title)
    canvas.legend([(layer.name, layer.colour) for layer in layers])
    y = linear(values[0], values[-1], canvas.floor, canvas.top)
    # A single place is drawn as wide as the plot: an area of no width would show nothing.
    count = len(places)
    x = linear(0, max(count - 1, 1), canvas.left, canvas.left + canvas.inner)
    canvas.y_axis(values, y, y_title)
    at = [x(place) for place in (range(count) if count > 1 else (0, 1))]
    below, floor = [0.0] * len(at), [y(0.0)] * len(at)
    for layer in layers:
        taken = layer.values if count > 1 else [*layer.values, *layer.values]
        below = [under + more for under, more in zip(below, taken, strict=True)]
        edge = [y(value) for value in below]
        there, back = zip(at, edge, strict=True), zip(reversed(at), reversed(floor), strict=True)
        canvas.path(itertools.chain(there, back), f'fill="{layer.colour}" fill-opacity="0.92"')
        floor = edge
    canvas.x_axis([(x(place), places[place]) for place in thinned(places, canvas.inner)], x_title)
    return canvas.done()


def columns(
    months: Sequence[str], layers: Sequence[Layer], width: float, height: float, y_title: str, *, pale: Sequence[bool]
) -> Drawing:
    """Draw a column per month, its blocks on top of each other.

    :param pale: per month, whether its column is drawn lighter
    """
    canvas = Canvas(width=width, height=height)
    sums = [math.fsum(column) for column in zip(*(layer.values for layer in layers), strict=True)] or [0.0]
    values = ticks(min(0.0, *sums), max(0.0, *sums))
    canvas.room_left(figures(values), y_title)
    canvas.legend([(layer.name, layer.colour) for layer in layers])
    y = linear(values[0], values[-1], canvas.floor, canvas.top)
    canvas.y_axis(values, y, y_title)
    step = canvas.inner / max(len(months), 1)
    below = [0.0] * len(months)
    for layer in layers:
        for at, value in enumerate(layer.values):
            if value:
                top = y(below[at] + value)
                more = ' fill-opacity="0.7"' if pale[at] else ""
                left = canvas.left + step * (at + 0.12)
                canvas.rectangle(left, top, step * 0.76, y(below[at]) - top, layer.colour, more)
            below[at] += value
    canvas.x_slanted([(canvas.left + step * (at + 0.5), month) for at, month in enumerate(months)])
    return canvas.done()


def gauge(kw: float, contracted: float | None, words: tuple[str, str], colour: str) -> Drawing:
    """Draw a power on an arc, with a mark where the contract ends.

    :param words: in the middle, and below
    """
    end = max(kw, contracted or 0.0, 1.0) * 8 / 7
    whole = drawings.gauge(kw, contracted, end, math.radians(110), words, colour)
    left = (whole.width - _GAUGE) / 2
    return Drawing(f'<g transform="translate({n(-left)},0)">{whole.body}</g>', _GAUGE, whole.height)


def heat(
    names: Sequence[str], found: Mapping[tuple[int, int], float], width: float, x_title: str, legend: str
) -> Drawing:
    """Draw a field per row and hour, the darker the higher its value; a field without a value stays empty.

    :param names: of the rows, from above
    :param found: (row from 1, hour from 0) -> value
    """
    canvas = Canvas(width=width, height=230)
    canvas.room_left(names)
    low, high = min(found.values(), default=0.0), max(found.values(), default=0.0)
    _ramp(canvas, low, high, legend)
    hours, rows = canvas.inner / 24, canvas.height / max(len(names), 1)
    # Where columns and rows begin is written once, and not with each of 168 fields.
    across = [n(canvas.left + hour * hours + 0.5) for hour in range(24)]
    down = [n(canvas.top + at * rows + 0.5) for at in range(len(names))]
    size, span = f'width="{n(hours - 1)}" height="{n(rows - 1)}"', (high - low) or 1.0
    fields = (
        f'<rect x="{across[hour]}" y="{down[row - 1]}" {size} fill="{_shade((value - low) / span)}"/>'
        for (row, hour), value in sorted(found.items())
    )
    canvas.add("".join(fields))
    canvas.y_labels([(canvas.top + rows * (at + 0.5), name) for at, name in enumerate(names)])
    canvas.x_axis([(canvas.left + hours * (hour + 0.5), str(hour)) for hour in range(0, 24, 3)], x_title)
    return canvas.done()


def _ramp(canvas: Canvas, low: float, high: float, words: str) -> None:
    """Draw the heat map's legend: from little to much, with both values beside it."""
    places = 0 if high - low >= 2 else 2
    least, most = f"{low:,.{places}f}", f"{high:,.{places}f}"
    canvas.text(2, canvas.top + 12, words, colour=theme.INK)
    x, y = 2 + text_width(least) + 8, canvas.top + 22
    canvas.text(2, y + 13, least, colour=theme.INK)
    for at in range(16):
        canvas.rectangle(x + at * 10, y, 10.4 if at < 15 else 10, 16, _shade(at / 15))
    canvas.text(x + 168, y + 13, most, colour=theme.INK)
    canvas.top = y + 16 + 14


def _shade(share: float) -> str:
    """A colour from little to much; in steps, so that equal values look equal."""
    return _shaded(round(share * _STEPS))


_STEPS: Final = 31


@cache
def _shaded(step: int) -> str:
    """The colour of a step, mixed in RGB."""
    place = step / _STEPS * (len(style.SEQUENTIAL) - 1)
    at = min(int(place), len(style.SEQUENTIAL) - 2)
    low, high = (tuple(int(style.SEQUENTIAL[at + k][m : m + 2], 16) for m in (1, 3, 5)) for k in (0, 1))
    return "#" + "".join(f"{round(a + (b - a) * (place - at)):02X}" for a, b in zip(low, high, strict=True))


def bars_and_line(
    months: Sequence[str],
    bars: Sequence[tuple[str, str, Mapping[int, float]]],
    line: tuple[str, str, Mapping[int, float]] | None,
    width: float,
    height: float,
    y_title: str,
) -> Drawing:
    """Draw bars side by side over the months, and a line.

    :param bars: word, colour, and a month's place -> amount; ``line`` likewise
    """
    series = [*bars, *([] if line is None else [line])]
    canvas = Canvas(width=width, height=height)
    amounts = [0.0, *(amount for _, _, found in series for amount in found.values())]
    values = ticks(min(amounts), max(amounts))
    canvas.room_left(figures(values), y_title)
    shapes = ["square"] * len(bars) + ([] if line is None else ["line"])
    canvas.legend([(words, colour) for words, colour, _ in series], below=True, shapes=shapes)
    y = linear(values[0], values[-1], canvas.floor, canvas.top)
    canvas.y_axis(values, y, y_title)
    step = canvas.inner / max(len(months), 1)
    wide = step * 0.8 / max(len(bars), 1)
    for number, (_, colour, found) in enumerate(bars):
        for at, amount in found.items():
            top = y(max(amount, 0.0))
            left = canvas.left + step * (at + 0.1) + wide * number
            canvas.rectangle(left, top, wide, y(min(amount, 0.0)) - top, colour)
    canvas.add(f'<path d="M{n(canvas.left)},{n(y(0.0))}h{n(canvas.inner)}" stroke="{theme.MUTED}"/>')
    middle = [canvas.left + step * (at + 0.5) for at in range(len(months))]
    if line is not None and line[2]:
        canvas.path([(middle[at], y(amount)) for at, amount in line[2].items()], f'stroke="{line[1]}" stroke-width="3"')
        for at, amount in line[2].items():
            canvas.add(f'<circle cx="{n(middle[at])}" cy="{n(y(amount))}" r="3.8" fill="{line[1]}"/>')
    canvas.x_slanted(list(zip(middle, months, strict=True)))
    return canvas.done()
