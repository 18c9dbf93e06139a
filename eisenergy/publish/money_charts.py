"""The customer's charts of money: what the bill is made of, and what was saved. The amounts are the bill's own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from eisenergy.billing.model import LineCode
from eisenergy.desk import CustomerMonth
from eisenergy.publish import chart_style as style
from eisenergy.publish import drawings, theme
from eisenergy.publish.captions import Words, money, number
from eisenergy.publish.figure import Data, Figure

_SUMS: Final = (LineCode.SUBTOTAL, LineCode.TOTAL)


def cost_breakdown(desk: CustomerMonth) -> Figure:
    """Return the bill's lines as bars; what is taken off the bill points to the left."""
    words = Words(desk.client.locale)
    lines = [line for line in desk.bill.lines if line.code not in _SUMS and line.amount]
    values = [
        {
            "line": words.line(line.code),
            "amount": float(line.amount),
            "end": max(float(line.amount), 0.0),
            "label": number(line.amount, 2),
            "kind": "credit" if line.amount < 0 else "charge",
        }
        for line in lines
    ]
    order = [words.line(line.code) for line in lines]
    # A third beyond the longest bar: room for its label, also on a telephone.
    amounts = [float(line.amount) for line in lines]
    low, high = min([*amounts, 0.0]), 1.4 * max([*amounts, 1.0])
    names = style.name(
        "line",
        axis={"domain": False, "labelFontSize": 15, "labelLimit": 240, "ticks": False},
        sort=order,
        title=None,
    )
    colours = {"charge": theme.BRAND, "credit": theme.ACCENT}
    bars = {
        "mark": {"type": "bar", "height": 18},
        "encoding": {
            "y": names,
            "x": style.quantity("amount", axis=None, scale={"domain": [low, high], "nice": False}, title=None),
            "color": style.name("kind", legend=None, scale={"domain": list(colours), "range": list(colours.values())}),
            "tooltip": [style.tip("line", words("quantity")), style.tip("label", desk.bill.currency)],
        },
    }
    # The label of a credit stands right of the axis, where there is always room.
    labels = {
        "mark": {"type": "text", "align": "left", "color": theme.INK, "dx": 6, "fontSize": 15},
        "encoding": {"y": names, "x": style.quantity("end"), "text": style.name("label")},
    }
    height = 34 * max(len(values), 1)
    rows = [
        (str(value["line"]), amount, str(value["label"]), colours[str(value["kind"])])
        for value, amount in zip(values, amounts, strict=True)
    ]
    largest = max(lines, key=lambda line: line.amount, default=desk.bill.line(LineCode.TOTAL))
    return Figure(
        name="cost-breakdown",
        title=words("breakdown.title"),
        spec=style.house({"data": {"values": values}, "layer": [bars, labels]}, height),
        drawing=drawings.bars(rows, height, low=low, high=high),
        summary=words(
            "breakdown.summary",
            total=money(desk.bill.total, desk.bill.currency),
            line=words.line(largest.code),
            amount=money(largest.amount, desk.bill.currency),
        ),
        data=Data(
            columns=(words("quantity"), desk.bill.currency),
            rows=tuple((words.line(line.code), number(line.amount, 2)) for line in desk.bill.lines),
        ),
        data_label=words("data"),
        span=6,
    )


def savings(desk: CustomerMonth) -> Figure:
    """Return each month's saving against the month before and the same month last year, and their running sum."""
    words = Words(desk.client.locale)
    months = [words.short_month(saving.month) for saving in desk.savings]
    kinds = [words(key) for key in ("against_previous", "against_last_year", "cumulative")]
    values = [
        {"month": words.short_month(saving.month), "kind": kind, "amount": float(amount)}
        for saving in desk.savings
        for kind, amount in zip(
            kinds, (saving.against_previous, saving.against_last_year, saving.cumulative), strict=True
        )
        if amount is not None
    ]
    colours = ["#66A6C9", "#DDAA33", theme.ACCENT]
    y_title = words("axis.money", currency=desk.bill.currency)
    shared: dict[str, Any] = {
        "x": style.name("month", axis={"labelAngle": -55, "labelOverlap": False}, sort=months, title=None),
        "y": style.quantity("amount", title=y_title),
        "color": style.colour("kind", kinds, colours, legend={"columns": 1, "direction": "vertical"}),
        "tooltip": [
            style.tip("month", words("axis.month")),
            style.tip("kind", words("quantity")),
            style.tip_number("amount", desk.bill.currency),
        ],
    }
    marks: tuple[dict[str, Any], ...] = (
        {"type": "bar"},
        {"type": "point", "filled": True, "opacity": 1, "shape": "diamond", "size": 190, "stroke": "white"},
        {"type": "line", "point": {"filled": True, "size": 45}, "strokeWidth": 3},
    )
    layers: list[dict[str, Any]] = [
        {"mark": mark, "encoding": shared, "transform": [{"filter": {"equal": kind, "field": "kind"}}]}
        for mark, kind in zip(marks, kinds, strict=True)
    ]
    zero = {"type": "rule", "color": theme.MUTED}
    layers.append({"data": {"values": [{"zero": 0}]}, "mark": zero, "encoding": {"y": style.quantity("zero")}})
    previous, last_year, running = (
        {at: float(amount) for at, amount in enumerate(amounts) if amount is not None}
        for amounts in (
            [saving.against_previous for saving in desk.savings],
            [saving.against_last_year for saving in desk.savings],
            [saving.cumulative for saving in desk.savings],
        )
    )
    entries = list(zip(kinds, colours, strict=True))

    def cell(amount: Decimal | None) -> str:
        return "—" if amount is None else number(amount, 2)

    return Figure(
        name="savings",
        title=words("savings.title"),
        spec=style.house({"data": {"values": values}, "layer": layers}, 230),
        drawing=drawings.savings(months, entries, previous, last_year, running, 230, y_title),
        summary=words("savings.summary", cumulative=money(desk.savings[-1].cumulative, desk.bill.currency))
        if desk.savings
        else words("savings.none"),
        data=Data(
            columns=(words("axis.month"), *kinds),
            rows=tuple(
                (
                    words.month(saving.month),
                    cell(saving.against_previous),
                    cell(saving.against_last_year),
                    cell(saving.cumulative),
                )
                for saving in desk.savings
            ),
        ),
        data_label=words("data"),
        span=6,
    )
