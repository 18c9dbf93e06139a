"""A block calendar as a picture: the hours of the day from left to right, a bar per kind of day, in the blocks' colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from eisenergy.publish import theme
from eisenergy.publish.drawing import Canvas, Drawing
from eisenergy.timeofuse import DAY_MINUTES

_BAR: Final = 26
_STEP: Final = 40
_LABEL: Final = 20
"""Room for a bar's name above it, where there is none beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One kind of day.

    :param cover: ``(first minute, minute after the last, block)``, in order
    :param marked: ``(first minute, minute after the last)`` of what is underlined: hours that change
    """

    name: str
    cover: Sequence[tuple[int, int, str]]
    marked: Sequence[tuple[int, int]] = ()


def hours(
    bars: Sequence[Bar], colours: Mapping[str, str], names: Mapping[str, str], title: str, width: float
) -> Drawing:
    """Draw the bars of a calendar.

    :param colours: block -> colour, in the order of the legend
    :param names: block -> how readers see it
    :param title: of the axis: hours of the day
    :param width: [CSS pixels]; a narrow one has the names above the bars
    """
    narrow = width < 500
    step = _STEP + (_LABEL if narrow else 0)
    canvas = Canvas(width=width, height=step * len(bars), right=14)
    canvas.left = 8
    canvas.legend([(names[block], colour) for block, colour in colours.items()])
    if not narrow:
        canvas.room_left([bar.name for bar in bars])
        canvas.left += 6

    def x(minute: int) -> float:
        return canvas.left + canvas.inner * minute / DAY_MINUTES

    every = 6 if narrow else 3
    for number, bar in enumerate(bars):
        y = canvas.top + step * number + (_LABEL if narrow else 0)
        if narrow:
            canvas.text(canvas.left, y - 6, bar.name, colour=theme.INK)
        else:
            canvas.text(canvas.left - 8, y + _BAR / 2 + 5, bar.name, anchor="end", colour=theme.INK)
        for start, end, block in bar.cover:
            canvas.rectangle(x(start), y, x(end) - x(start), _BAR, colours[block])
        for start, end in bar.marked:
            canvas.rectangle(x(start), y + _BAR + 3, x(end) - x(start), 4, theme.INK)
    canvas.x_axis([(x(hour * 60), f"{hour}") for hour in range(0, 25, every)], title)
    return canvas.done()
