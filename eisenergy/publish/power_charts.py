"""The customer's charts of power: the peak against the contract, the profile of the week, the duration of the load."""

from __future__ import annotations

from decimal import Decimal
from math import radians
from typing import Any, Final
from zoneinfo import ZoneInfo

from eisenergy.analytics import profile, shapes
from eisenergy.desk import CustomerMonth
from eisenergy.money import product, quotient
from eisenergy.publish import chart_style as style
from eisenergy.publish import drawings, theme
from eisenergy.publish.captions import Words, number
from eisenergy.publish.figure import Data, Figure

_SWEEP: Final = radians(110)
"""Half of the gauge's arc, either side of noon."""

_HUNDRED: Final = Decimal(100)


def peak_gauge(desk: CustomerMonth) -> Figure:
    """Return the month's highest power on an arc, with the contracted power as its mark.

    The arc ends a seventh above the larger of the two, so that an excess stays visible.
    """
    words = Words(desk.client.locale)
    peak = max(desk.bill.blocks, key=lambda summary: summary.max_kw)
    contracted = desk.contract.contracted_kw.value if desk.contract.contracted_kw else None
    kw = float(peak.max_kw)
    end = max(kw, float(contracted or 0), 1.0) * 8 / 7
    over = contracted is not None and peak.max_kw > contracted
    arc: dict[str, Any] = {
        "theta": style.quantity(
            "from", scale={"domain": [0, end], "nice": False, "range": [-_SWEEP, _SWEEP], "zero": False}, stack=None
        ),
        "theta2": {"field": "to"},
        "y": {"value": 172},
    }
    ring = {"type": "arc", "innerRadius": 118, "outerRadius": 158}
    colour = style.MISSING if over else theme.ACCENT
    layers: list[dict[str, Any]] = [
        {"data": {"values": [{"from": 0, "to": end}]}, "mark": {**ring, "color": theme.RULE}, "encoding": arc},
        {
            "data": {"values": [{"from": 0, "to": kw}]},
            "mark": {**ring, "color": colour},
            "encoding": {**arc, "tooltip": [style.tip_number("to", "kW")]},
        },
    ]
    if contracted is not None:
        half = end / 300
        tick = {"from": float(contracted) - half, "to": float(contracted) + half, "kw": float(contracted)}
        layers.append(
            {
                "data": {"values": [tick]},
                "mark": {"type": "arc", "color": theme.INK, "innerRadius": 108, "outerRadius": 168},
                "encoding": {**arc, "tooltip": [style.tip_number("kw", words("contracted"))]},
            }
        )
    share = None if not contracted else number(product(quotient(peak.max_kw, contracted), _HUNDRED))
    below = (
        words("no_contracted")
        if contracted is None
        else words("of_contracted", share=share if share is not None else "—", kw=number(contracted))
    )
    shown = f"{number(peak.max_kw, 1)} kW"
    value = {"type": "text", "color": theme.INK, "dy": -12, "fontSize": 40, "fontWeight": "bold", "text": shown}
    remark = {"type": "text", "color": theme.MUTED, "dy": 86, "fontSize": 16, "text": below}
    layers += [{"data": {"values": [{}]}, "mark": mark, "encoding": {"y": {"value": 172}}} for mark in (value, remark)]
    when = _clock(desk, words)
    return Figure(
        name="peak-gauge",
        title=words("gauge.title"),
        spec=style.house({"layer": layers, "resolve": {"scale": {"theta": "shared"}}}, 280),
        drawing=drawings.gauge(
            kw, None if contracted is None else float(contracted), end, _SWEEP, (shown, below), colour
        ),
        summary=words("gauge.summary", kw=number(peak.max_kw, 2), when=when),
        data=Data(
            columns=(words("block"), "kW"),
            rows=(
                *((words.block(summary.block), number(summary.max_kw, 2)) for summary in desk.bill.blocks),
                *(((words("contracted"), number(contracted, 2)),) if contracted is not None else ()),
            ),
        ),
        data_label=words("data"),
        span=6,
    )


def _clock(desk: CustomerMonth, words: Words) -> str:
    peak = max(desk.bill.blocks, key=lambda summary: summary.max_kw)
    if peak.max_kw_at is None:
        return "—"
    local = peak.max_kw_at.astimezone(ZoneInfo(desk.bill.timezone))
    return f"{words.day(local.date())}, {local:%H:%M}"


def load_heat_map(desk: CustomerMonth) -> Figure:
    """Return the mean power by weekday and hour, as a heat map."""
    words = Words(desk.client.locale)
    found = {at: kw for at, (kw, _) in profile.mean_power(desk.slots).items()}
    names = [words.weekday(n)[:3] for n in range(1, 8)]
    values = [
        {"weekday": names[weekday - 1], "hour": hour, "kw": round(kw, 6)} for (weekday, hour), kw in found.items()
    ]
    chart = {
        "data": {"values": values},
        "mark": {"type": "rect", "stroke": "white", "strokeWidth": 1},
        "encoding": {
            "x": {
                "field": "hour",
                "type": "ordinal",
                "axis": {"labelAngle": 0, "values": list(range(0, 24, 3))},
                "sort": list(range(24)),
                "title": words("axis.hour"),
            },
            "y": style.name("weekday", sort=names, title=None),
            "color": style.quantity(
                "kw",
                scale={"range": list(style.SEQUENTIAL), "interpolate": "rgb"},
                legend={
                    "format": ",.0f",
                    "gradientLength": 180,
                    "title": words("axis.mean_power"),
                    "titleColor": theme.INK,
                    "titleFontWeight": "normal",
                    "titleOrient": "left",
                },
            ),
            "tooltip": [
                style.tip("weekday", words("weekday")),
                {"field": "hour", "title": words("axis.hour"), "type": "ordinal"},
                style.tip_number("kw", "kW"),
            ],
        },
    }
    weekday, hour = max(found, key=lambda key: found[key], default=(1, 0))
    return Figure(
        name="load-heat-map",
        title=words("heat.title"),
        spec=style.house(chart, 230),
        drawing=drawings.heat_map(names, found, style.SEQUENTIAL, 230, words("axis.hour"), words("axis.mean_power")),
        summary=words("heat.summary", weekday=words.weekday(weekday), hour=hour),
        data=Data(
            columns=(words("axis.hour"), *names),
            rows=tuple(
                (f"{hour}:00", *(number(found.get((day, hour), 0.0), 2) for day in range(1, 8))) for hour in range(24)
            ),
        ),
        data_label=words("data"),
        span=6,
    )


def load_duration(desk: CustomerMonth) -> Figure:
    """Return how much of the month the load was at least how high."""
    words = Words(desk.client.locale)
    curve = shapes.falling_power(desk.slots)
    # 200 points draw the curve as well as 2,880 do; the first is the maximum, which must not be lost.
    count = len(curve)
    shown = sorted({*range(0, count, max(1, count // 200)), *range(count - 1, count)}) if count else []
    part = 1 / max(count, 1)
    values = [{"share": round((at + 1) * part * 100, 3), "kw": float(curve[at])} for at in shown]
    chart = {
        "data": {"values": values},
        "mark": {
            "type": "area",
            "color": drawings.PALE,
            "line": {"color": theme.BRAND, "strokeWidth": 2},
            "opacity": 0.7,
        },
        "encoding": {
            "x": style.quantity("share", title=words("axis.share"), scale={"domain": [0, 100], "nice": False}),
            "y": style.quantity("kw", title=words("axis.power")),
            "tooltip": [style.tip_number("share", words("axis.share")), style.tip_number("kw", "kW")],
        },
    }
    marks = [(10, _at(values, 10)), (50, _at(values, 50)), (90, _at(values, 90))]
    return Figure(
        name="load-duration",
        title=words("duration.title"),
        spec=style.house(chart, 230),
        drawing=drawings.duration(
            [(value["share"], value["kw"]) for value in values], 230, words("axis.share"), words("axis.power")
        ),
        summary=words("duration.summary", half=number(marks[1][1], 1), tenth=number(marks[0][1], 1)),
        data=Data(
            columns=(words("axis.share"), words("axis.power")),
            rows=tuple((f"{share} %", number(kw, 1)) for share, kw in marks),
        ),
        data_label=words("data"),
        span=6,
    )


def _at(values: list[dict[str, float]], share: float) -> float:
    return next((value["kw"] for value in values if value["share"] >= share), 0.0)
