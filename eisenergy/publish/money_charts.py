"""The customer's charts of money: what the bill is made of, and what was saved. The amounts are the bill's own."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import altair as alt

from eisenergy.billing.model import LineCode
from eisenergy.desk import CustomerMonth
from eisenergy.publish import chart_style as style
from eisenergy.publish import theme
from eisenergy.publish.captions import Words, money, number
from eisenergy.publish.chart_style import tips
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
    base = alt.Chart().encode(
        y=alt.Y(
            "line:N", sort=order, title=None, axis=alt.Axis(domain=False, ticks=False, labelFontSize=15, labelLimit=240)
        ),
        x=alt.X("amount:Q", title=None, axis=None, scale=alt.Scale(domain=[low, high], nice=False)),
    )
    chart = alt.layer(
        base.mark_bar(height=18).encode(
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=["charge", "credit"], range=[theme.BRAND, theme.ACCENT]),
                legend=None,
            ),
            tooltip=tips(("line:N", words("quantity")), ("label:N", desk.bill.currency)),
        ),
        # The label of a credit stands right of the axis, where there is always room.
        base.encode(x=alt.X("end:Q"))
        .mark_text(align="left", dx=6, fontSize=15, color=theme.INK)
        .encode(text="label:N"),
        data=style.inline(values),
    )
    largest = max(lines, key=lambda line: line.amount, default=desk.bill.line(LineCode.TOTAL))
    return Figure(
        name="cost-breakdown",
        title=words("breakdown.title"),
        spec=style.spec(chart, 34 * max(len(values), 1)),
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
    x = alt.X("month:N", sort=months, title=None, axis=alt.Axis(labelAngle=-55, labelOverlap=False))
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=["#66A6C9", "#DDAA33", theme.ACCENT]),
        sort=kinds,
        legend=alt.Legend(columns=1, direction="vertical"),
    )
    y = alt.Y("amount:Q", title=words("axis.money", currency=desk.bill.currency))
    shown = tips(("month:N", words("axis.month")), ("kind:N", words("quantity")), ("amount:Q", desk.bill.currency))
    base = alt.Chart().encode(x=x, y=y, color=colour, tooltip=shown)
    chart = alt.layer(
        base.transform_filter(alt.FieldEqualPredicate(field="kind", equal=kinds[0])).mark_bar(),
        base.transform_filter(alt.FieldEqualPredicate(field="kind", equal=kinds[1])).mark_point(
            shape="diamond", filled=True, size=190, stroke="white", opacity=1
        ),
        base.transform_filter(alt.FieldEqualPredicate(field="kind", equal=kinds[2])).mark_line(
            strokeWidth=3, point=alt.OverlayMarkDef(filled=True, size=45)
        ),
        alt.Chart(style.inline([{"zero": 0}])).mark_rule(color=theme.MUTED).encode(y="zero:Q"),
        data=style.inline(values),
    )

    def cell(amount: Decimal | None) -> str:
        return "—" if amount is None else number(amount, 2)

    return Figure(
        name="savings",
        title=words("savings.title"),
        spec=style.spec(chart, 230),
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
