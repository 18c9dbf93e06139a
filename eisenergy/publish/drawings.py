"""The forms of the customer's charts, drawn directly: what :mod:`eisenergy.publish.charts` and its neighbours fill with data.

Each is the still picture of the Vega-Lite specification beside it, with the same scales, colours and words: a page shows it
until its script has drawn the interactive one, and a PDF shows it for good.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from eisenergy.publish import theme
from eisenergy.publish.drawing import Canvas, Drawing, Scale, figures, n, step_of, text_width, ticks

HALF: Final = 520
WHOLE: Final = 860
"""Widths of drawings that take half of a row, or all of it [CSS pixels]."""

PALE: Final = "#A9CBE0"
"""Of the area below a line."""

_SHADES: Final = 32


@dataclass(frozen=True, slots=True)
class Layer:
    """One colour of a stack.

    :param values: one per place along the axis
    """

    name: str
    colour: str
    values: Sequence[float]


def _linear(low: float, high: float, start: float, end: float) -> Scale:
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _bands(count: int, start: float, width: float, *, inner: float, outer: float) -> tuple[list[float], float]:
    """Left edges and width of bands with gaps between them, as d3-scale's ``scaleBand`` lays them."""
    step = width / max(1.0, count - inner + 2 * outer)
    edge = start + (width - step * (count - inner)) / 2
    return [edge + step * at for at in range(count)], step * (1 - inner)


def _entries(layers: Sequence[Layer]) -> list[tuple[str, str]]:
    return [(layer.name, layer.colour) for layer in layers]


def stacked_area(layers: Sequence[Layer], days: int, height: float, x_title: str, y_title: str) -> Drawing:
    """Draw areas on top of each other over the days of a month.

    :param days: of the month, numbered from 1; the layers have a value for each
    """
    canvas = Canvas(width=WHOLE, height=height)
    sums = [math.fsum(column) for column in zip(*(layer.values for layer in layers), strict=True)] or [0.0]
    values = ticks(min(0.0, *sums), max(0.0, *sums))
    canvas.room_left(figures(values), y_title)
    canvas.legend(_entries(layers))
    y = _linear(values[0], values[-1], canvas.floor, canvas.top)
    x = _linear(1, max(days, 2), canvas.left, canvas.left + canvas.inner)
    canvas.y_axis(values, y, y_title)
    below = [0.0] * days
    for layer in layers:
        above = [low + more for low, more in zip(below, layer.values, strict=True)]
        edge = [(x(day), y(value)) for day, value in enumerate(above, 1)]
        back = [(x(day), y(value)) for day, value in reversed(list(enumerate(below, 1)))]
        canvas.path([*edge, *back], f'fill="{layer.colour}" fill-opacity="0.92"')
        below = above
    canvas.x_axis([(x(day), str(day)) for day in range(2, days + 1, 2)], x_title)
    return canvas.done()


def stacked_columns(
    months: Sequence[str],
    layers: Sequence[Layer],
    height: float,
    y_title: str,
    *,
    pale: Sequence[bool],
    marks: Mapping[int, str],
) -> Drawing:
    """Draw a column per month.

    :param pale: per month, whether its column is drawn lighter
    :param marks: month's place -> letter above its column
    """
    canvas = Canvas(width=HALF, height=height)
    sums = [math.fsum(column) for column in zip(*(layer.values for layer in layers), strict=True)] or [0.0]
    values = ticks(min(0.0, *sums), max(0.0, *sums))
    canvas.room_left(figures(values), y_title)
    canvas.legend(_entries(layers))
    y = _linear(values[0], values[-1], canvas.floor, canvas.top)
    canvas.y_axis(values, y, y_title)
    edges, width = _bands(len(months), canvas.left, canvas.inner, inner=0.25, outer=0.1)
    below = [0.0] * len(months)
    for layer in layers:
        for at, value in enumerate(layer.values):
            if value:
                more = ' fill-opacity="0.7"' if pale[at] else ""
                top = y(below[at] + value)
                canvas.rectangle(edges[at], top, width, y(below[at]) - top, layer.colour, more)
            below[at] += value
    for at, letter in marks.items():
        canvas.text(edges[at] + width / 2, y(below[at]) - 4, letter, anchor="middle", colour=theme.WARNING, bold=True)
    canvas.x_slanted([(edge + width / 2, month) for edge, month in zip(edges, months, strict=True)])
    return canvas.done()


def strip(layers: Sequence[Layer], height: float, x_title: str) -> Drawing:
    """Draw the shares of each day, as a strip of whole columns."""
    canvas = Canvas(width=WHOLE, height=height)
    canvas.legend(_entries(layers))
    days = len(layers[0].values)
    edges, width = _bands(days, canvas.left, canvas.inner, inner=0.08, outer=0)
    for at, edge in enumerate(edges):
        whole = math.fsum(layer.values[at] for layer in layers)
        top = canvas.floor
        for layer in layers:
            if layer.values[at]:
                part = canvas.height * layer.values[at] / whole
                top -= part
                canvas.rectangle(edge, top, width, part, layer.colour)
    shown = [1, *range(5, days + 1, 5)]
    canvas.x_axis([(edges[day - 1] + width / 2, str(day)) for day in shown], x_title)
    return canvas.done()


def bars(
    rows: Sequence[tuple[str, float, str, str]], height: float, *, low: float, high: float, size: float = 15
) -> Drawing:
    """Draw a bar per row, to the left where its value is negative; its label stands right of it.

    :param rows: name, value, label and colour
    :param low: left end of the axis, as ``high`` its right one
    """
    canvas = Canvas(width=HALF, height=height)
    canvas.room_left([name for name, *_ in rows], size=size, limit=240)
    x = _linear(low, high, canvas.left, canvas.left + canvas.inner)
    step = height / max(len(rows), 1)
    for at, (_, value, label, colour) in enumerate(rows):
        middle = canvas.top + step * (at + 0.5)
        canvas.rectangle(x(min(value, 0.0)), middle - 9, abs(x(value) - x(0.0)), 18, colour)
        canvas.text(x(max(value, 0.0)) + 6, middle + size * 0.32, label, colour=theme.INK, size=size)
    canvas.y_labels([(canvas.top + step * (at + 0.5), name) for at, (name, *_) in enumerate(rows)], size=size)
    return canvas.done()


def stacked_bars(names: Sequence[str], layers: Sequence[Layer], height: float, x_title: str) -> Drawing:
    """Draw a bar per name, its parts from left to right.

    :param layers: one value per name
    """
    canvas = Canvas(width=HALF, height=height)
    canvas.room_left(names, limit=240)
    canvas.legend(_entries(layers))
    longest = max((math.fsum(parts) for parts in zip(*(layer.values for layer in layers), strict=True)), default=0.0)
    values = ticks(0.0, max(longest, 5.0))
    x = _linear(values[0], values[-1], canvas.left, canvas.left + canvas.inner)
    step = height / max(len(names), 1)
    middle = [canvas.top + step * (at + 0.5) for at in range(len(names))]
    before = [0.0] * len(names)
    for layer in layers:
        for at, value in enumerate(layer.values):
            if value:
                canvas.rectangle(x(before[at]), middle[at] - 9, x(value) - x(0.0), 18, layer.colour)
            before[at] += value
    canvas.y_labels(list(zip(middle, names, strict=True)))
    canvas.x_axis([(x(value), words) for value, words in zip(values, figures(values), strict=True)], x_title)
    return canvas.done()


def savings(
    months: Sequence[str],
    kinds: Sequence[tuple[str, str]],
    previous: Mapping[int, float],
    last_year: Mapping[int, float],
    running: Mapping[int, float],
    height: float,
    y_title: str,
) -> Drawing:
    """Draw bars, diamonds and a line over the months, each a month's place -> amount.

    :param kinds: word and colour of bars, diamonds and line
    """
    canvas = Canvas(width=HALF, height=height)
    amounts = [0.0, *previous.values(), *last_year.values(), *running.values()]
    values = ticks(min(amounts), max(amounts))
    canvas.room_left(figures(values), y_title)
    canvas.legend(kinds, below=True, shapes=("square", "diamond", "line"))
    y = _linear(values[0], values[-1], canvas.floor, canvas.top)
    canvas.y_axis(values, y, y_title)
    edges, width = _bands(len(months), canvas.left, canvas.inner, inner=0.1, outer=0.05)
    middle = [edge + width / 2 for edge in edges]
    for at, amount in previous.items():
        top = y(max(amount, 0.0))
        canvas.rectangle(edges[at], top, width, y(min(amount, 0.0)) - top, kinds[0][1])
    canvas.add(f'<path d="M{n(canvas.left)},{n(y(0.0))}h{n(canvas.inner)}" stroke="{theme.MUTED}"/>')
    line = [(middle[at], y(amount)) for at, amount in running.items()]
    if line:
        canvas.path(line, f'stroke="{kinds[2][1]}" stroke-width="3"')
        for at, amount in running.items():
            canvas.add(f'<circle cx="{n(middle[at])}" cy="{n(y(amount))}" r="3.8" fill="{kinds[2][1]}"/>')
    for at, amount in last_year.items():
        canvas.diamond(middle[at], y(amount), 9.7, kinds[1][1])
    canvas.x_slanted(list(zip(middle, months, strict=True)))
    return canvas.done()


def gauge(
    kw: float, contracted: float | None, end: float, sweep: float, words: tuple[str, str], colour: str
) -> Drawing:
    """Draw a value on an arc, with a mark where the contract ends.

    :param end: value at the arc's end
    :param sweep: half of the arc, either side of noon [radians]
    :param words: in the middle, and below
    """
    canvas = Canvas(width=HALF, height=280)
    x, y = canvas.left + canvas.inner / 2, canvas.top + 172
    angle = _linear(0, end, -sweep, sweep)
    canvas.add(_ring(x, y, angle(0), angle(end), 118, 158, theme.RULE))
    canvas.add(_ring(x, y, angle(0), angle(kw), 118, 158, colour))
    if contracted is not None:
        half = end / 300
        canvas.add(_ring(x, y, angle(contracted - half), angle(contracted + half), 108, 168, theme.INK))
    canvas.text(x, y + 1, words[0], anchor="middle", colour=theme.INK, size=40, bold=True)
    canvas.text(x, y + 91, words[1], anchor="middle", size=16)
    return canvas.done()


def _ring(x: float, y: float, start: float, end: float, inner: float, outer: float, colour: str) -> str:
    """A piece of a ring; angles run clockwise from noon."""

    def at(radius: float, angle: float) -> str:
        return f"{n(x + radius * math.sin(angle))},{n(y - radius * math.cos(angle))}"

    large = int(end - start > math.pi)
    outside = f"M{at(outer, start)}A{n(outer)},{n(outer)},0,{large},1,{at(outer, end)}"
    inside = f"L{at(inner, end)}A{n(inner)},{n(inner)},0,{large},0,{at(inner, start)}Z"
    return f'<path d="{outside}{inside}" fill="{colour}"/>'


def heat_map(
    names: Sequence[str],
    found: Mapping[tuple[int, int], float],
    colours: Sequence[str],
    height: float,
    x_title: str,
    legend: str,
) -> Drawing:
    """Draw a field per row and hour, the darker the higher its value; a field without a value stays empty.

    :param names: of the rows, from above
    :param found: (row from 1, hour from 0) -> value
    """
    canvas = Canvas(width=HALF, height=height)
    canvas.room_left(names)
    low, high = min(found.values(), default=0.0), max(found.values(), default=0.0)
    _ramp(canvas, low, high, colours, legend)
    hours, rows = canvas.inner / 24, height / len(names)
    fields: dict[int, list[str]] = {}
    x = [n(canvas.left + hour * hours + 0.5) for hour in range(24)]
    y = [n(canvas.top + row * rows + 0.5) for row in range(len(names))]
    field = f"h{n(hours - 1)}v{n(rows - 1)}h{n(1 - hours)}z"
    for (row, hour), value in found.items():
        shade = round((value - low) / ((high - low) or 1.0) * (_SHADES - 1))
        fields.setdefault(shade, []).append(f"M{x[hour]},{y[row - 1]}{field}")
    shades = _shades(tuple(colours))
    for shade, places in sorted(fields.items()):
        canvas.add(f'<path d="{"".join(places)}" fill="{shades[shade]}"/>')
    canvas.y_labels([(canvas.top + rows * (at + 0.5), name) for at, name in enumerate(names)])
    canvas.x_axis([(canvas.left + hours * (hour + 0.5), str(hour)) for hour in range(0, 24, 3)], x_title)
    return canvas.done()


def _ramp(canvas: Canvas, low: float, high: float, colours: Sequence[str], words: str) -> None:
    """Draw the legend of a heat map: from little to much, with both values below."""
    x, length = canvas.left + text_width(words) + 8, 180
    canvas.text(canvas.left, canvas.top + 13, words, colour=theme.INK)
    wide = length / _SHADES
    above, overlapping, last = n(canvas.top), n(wide + 0.4), n(wide)
    for at, colour in enumerate(_shades(tuple(colours))):
        across = overlapping if at < _SHADES - 1 else last
        canvas.add(f'<rect x="{n(x + at * wide)}" y="{above}" width="{across}" height="16" fill="{colour}"/>')
    places = 0 if high - low >= 2 else 2
    canvas.text(x, canvas.top + 30, f"{low:,.{places}f}", colour=theme.INK)
    canvas.text(x + length, canvas.top + 30, f"{high:,.{places}f}", anchor="end", colour=theme.INK)
    canvas.top += 30 + 16


@lru_cache(maxsize=4)
def _shades(colours: tuple[str, ...]) -> tuple[str, ...]:
    """The colours of a heat map, from little to much."""
    return tuple(_shade(colours, at / (_SHADES - 1)) for at in range(_SHADES))


def _shade(colours: Sequence[str], share: float) -> str:
    """A colour between two of a row, mixed in RGB."""
    place = share * (len(colours) - 1)
    at = min(int(place), len(colours) - 2)
    first, second = (tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5)) for colour in colours[at : at + 2])
    return "#" + "".join(f"{round(a + (b - a) * (place - at)):02X}" for a, b in zip(first, second, strict=True))


def duration(points: Sequence[tuple[float, float]], height: float, x_title: str, y_title: str) -> Drawing:
    """Draw a falling curve over 0 to 100 percent, with the area below it."""
    canvas = Canvas(width=HALF, height=height, right=14)
    high = max((kw for _, kw in points), default=0.0)
    values = ticks(min(0.0, *(kw for _, kw in points), 0.0), high or step_of(1, 5))
    canvas.room_left(figures(values), y_title)
    y = _linear(values[0], values[-1], canvas.floor, canvas.top)
    x = _linear(0, 100, canvas.left, canvas.left + canvas.inner)
    canvas.y_axis(values, y, y_title)
    if points:
        edge = [(x(share), y(kw)) for share, kw in points]
        canvas.path([*edge, (edge[-1][0], y(0)), (edge[0][0], y(0))], f'fill="{PALE}" fill-opacity="0.7"')
        canvas.path(edge, f'stroke="{theme.BRAND}" stroke-width="2"')
    canvas.x_axis([(x(share), str(share)) for share in range(0, 101, 20)], x_title)
    return canvas.done()
