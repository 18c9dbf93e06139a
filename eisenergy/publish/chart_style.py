"""The charts' house style: type, colours, grid; and how a chart becomes a figure's specification.

Charts of which a customer gets one each month are written as Vega-Lite right away: Altair takes 30 ms to check and copy what it
builds, every time. The tests have Altair check them instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from eisenergy.publish import theme

if TYPE_CHECKING:
    import altair as alt

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


SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.4.1.json"
"""Altair's, whose version the shipped scripts have."""


def house(chart: Mapping[str, Any], height: int) -> dict[str, Any]:
    """Return a Vega-Lite chart as a whole specification in the house style, without a width.

    :param chart: data, and mark and encoding, or layers
    :param height: of the plot [CSS pixels]; the width is the container's
    """
    return {
        "$schema": SCHEMA,
        **chart,
        "height": height,
        "config": CONFIG,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "width": "container",
    }


def spec(chart: alt.TopLevelMixin, height: int) -> dict[str, Any]:
    """Return an Altair chart's Vega-Lite specification in the house style, as :func:`house`."""
    return house(chart.to_dict(format="vega-lite"), height)


def quantity(name: str, **more: Any) -> dict[str, Any]:
    """Return the channel of a number."""
    return {"field": name, "type": "quantitative", **more}


def name(field: str, **more: Any) -> dict[str, Any]:
    """Return the channel of a word."""
    return {"field": field, "type": "nominal", **more}


def colour(field: str, names: Sequence[str], colours: Sequence[str], **more: Any) -> dict[str, Any]:
    """Return the channel of a word that is shown as a colour, in the order given."""
    return name(field, scale={"domain": list(names), "range": list(colours)}, sort=list(names), **more)


def tip(field: str, title: str) -> dict[str, Any]:
    """Return a word that a pointer shows."""
    return name(field, title=title)


def tip_number(field: str, title: str) -> dict[str, Any]:
    """Return a figure that a pointer shows, with two places."""
    return quantity(field, format=",.2f", title=title)


def inline(values: Sequence[Mapping[str, object]]) -> Any:
    """Return Altair's data that lie inside the specification: no page fetches them."""
    import altair as alt

    data: Any = alt.Data
    return data(values=list(values))
