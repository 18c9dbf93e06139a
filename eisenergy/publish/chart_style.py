"""The charts' house style: type, colours, grid; and how an Altair chart becomes a figure's specification."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import altair as alt

from eisenergy.publish import theme

MEASURED: Final = theme.BRAND
ESTIMATED: Final = "#E69F00"
MISSING: Final = "#D55E00"
"""Okabe and Ito's orange and vermilion beside the house's blue. Source: Okabe and Ito, "Color Universal Design" (2008)."""

SEQUENTIAL: Final = ("#F3F6F9", "#A9CBE0", "#4F93BD", "#0B5C8F", "#06263F")
"""From little to much; grows darker throughout, so it also reads in grey."""

CONFIG: Final[dict[str, Any]] = {
    "background": "transparent",
    "font": theme.CSS_FONT,
    "padding": {"left": 2, "right": 6, "top": 6, "bottom": 2},
    "view": {"stroke": None},
    "axis": {
        "labelFontSize": 14,
        "titleFontSize": 14,
        "titleFontWeight": "normal",
        "labelColor": theme.MUTED,
        "titleColor": theme.MUTED,
        "gridColor": theme.RULE,
        "domainColor": theme.RULE,
        "tickColor": theme.RULE,
        "titlePadding": 8,
        "labelOverlap": "greedy",
    },
    "axisX": {"grid": False},
    "axisY": {"domain": False, "ticks": False, "tickCount": 5},
    "legend": {
        "orient": "top",
        "direction": "horizontal",
        "labelFontSize": 14,
        "titleFontSize": 14,
        "labelColor": theme.INK,
        "symbolType": "square",
        "symbolSize": 160,
        "title": None,
        "offset": 16,
        "padding": 0,
        "labelLimit": 320,
    },
    "numberFormat": ",.0f",
}


def spec(chart: alt.TopLevelMixin, height: int) -> dict[str, Any]:
    """Return a chart's Vega-Lite specification in the house style, with the data inside and without a width.

    :param height: of the plot [CSS pixels]; the width is the container's
    """
    drawn: dict[str, Any] = chart.to_dict(format="vega-lite")
    drawn["height"] = height
    drawn["config"] = CONFIG
    drawn["autosize"] = {"type": "fit-x", "contains": "padding"}
    drawn["width"] = "container"
    return drawn


def block_scale(blocks: Iterable[str], labels: Iterable[str]) -> alt.Scale:
    """Return the colours of blocks under the names readers see."""
    return alt.Scale(domain=list(labels), range=list(theme.block_colours(blocks).values()))


def inline(values: Sequence[Mapping[str, object]]) -> Any:
    """Return data that lie inside the specification: no page fetches them."""
    data: Any = alt.Data
    return data(values=list(values))


def y_at(pixel: int) -> Any:
    """Return a fixed height below the plot's upper edge."""
    channel: Any = alt.YValue
    return channel(pixel)


def tips(*fields: tuple[str, str]) -> list[alt.Tooltip]:
    """Return what a pointer shows: fields with their names, figures with two places."""
    return [
        alt.Tooltip(name, title=title, format=",.2f") if name.endswith(":Q") else alt.Tooltip(name, title=title)
        for name, title in fields
    ]
