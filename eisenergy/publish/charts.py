"""The customer's charts of energy and of its readings. Each shows one month of a desk; none of them computes money."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import altair as alt
import polars as pl

from eisenergy.analytics import profile
from eisenergy.desk import CustomerMonth, MonthTotals
from eisenergy.frames import ESTIMATED
from eisenergy.money import difference, product, quotient, total
from eisenergy.period import Period
from eisenergy.publish import chart_style as style
from eisenergy.publish import theme
from eisenergy.publish.captions import Words, number
from eisenergy.publish.chart_style import tips
from eisenergy.publish.figure import Data, Figure

_HUNDRED: Final = Decimal(100)


def daily_energy(desk: CustomerMonth) -> Figure:
    """Return the stacked area of kWh by block over the days of the month.

    :param desk: its ``slots`` are used
    """
    words = Words(desk.client.locale)
    blocks = [summary.block for summary in desk.bill.blocks]
    labels = [words.block(block) for block in blocks]
    found = {(row["day"], row["block"]): row["kwh"] for row in profile.daily_by_block(desk.slots).iter_rows(named=True)}
    days = list(desk.bill.period)
    values = [
        {
            "day": n,
            "date": words.day(day),
            "block": words.block(block),
            "order": order,
            "kwh": round(found.get((day, block), 0.0), 6),
        }
        for n, day in enumerate(days, start=1)
        for order, block in enumerate(blocks)
    ]
    by_day = {day: sum(found.get((day, block), 0.0) for block in blocks) for day in days}
    highest = max(days, key=lambda day: by_day[day])
    chart = (
        alt.Chart(style.inline(values))
        .mark_area(interpolate="linear", line=False, opacity=0.92)
        .encode(
            x=alt.X("day:Q", title=words("axis.day"), scale=alt.Scale(nice=False, domain=[1, len(days)])),
            y=alt.Y("kwh:Q", title=words("axis.energy"), stack="zero"),
            color=alt.Color("block:N", scale=style.block_scale(blocks, labels), sort=labels),
            order=alt.Order("order:Q"),
            tooltip=tips(("date:N", words("axis.day")), ("block:N", words("block")), ("kwh:Q", "kWh")),
        )
    )
    return Figure(
        name="daily-energy",
        title=words("daily.title"),
        spec=style.spec(chart, 260),
        summary=words(
            "daily.summary",
            total=number(desk.bill.kwh),
            month=words.month(desk.month),
            day=words.day(highest),
            kwh=number(by_day[highest]),
        ),
        data=Data(
            columns=(words("axis.day"), *(f"{label} [kWh]" for label in labels)),
            rows=tuple(
                (words.day(day), *(number(found.get((day, block), 0.0), 2) for block in blocks)) for day in days
            ),
        ),
        data_label=words("data"),
        span=12,
    )


def monthly_energy(desk: CustomerMonth) -> Figure:
    """Return the columns of kWh by block over 13 months; months with estimates, or without an invoice, are marked."""
    words = Words(desk.client.locale)
    blocks = [summary.block for summary in desk.bill.blocks]
    figure = history_columns(desk.history, blocks, words)
    now = next((row for row in desk.history if row.month == desk.month), None)
    before = next((row for row in desk.history if row.month == desk.month.plus(-12)), None)
    summary = words("monthly.summary", kwh=number(desk.bill.kwh), month=words.month(desk.month))
    change = None if now is None or before is None else energy_change(now, before)
    if change is not None:
        summary += words("monthly.change", change=signed(change))
    return Figure(
        name="monthly-energy",
        title=words("monthly.title"),
        spec=figure["spec"],
        summary=summary,
        data=figure["data"],
        data_label=words("data"),
        span=6,
        notes=figure["notes"],
    )


def history_columns(history: Iterable[MonthTotals], blocks: list[str], words: Words) -> dict[str, Any]:
    """Return specification, data and notes of the monthly columns, for a customer or for all of them."""
    rows = tuple(history)
    labels = [words.block(block) for block in blocks]
    months = [words.short_month(row.month) for row in rows]
    values = [
        {
            "month": words.short_month(row.month),
            "block": words.block(block),
            "order": order,
            "kwh": float(row.kwh.get(block, Decimal(0))),
            "issued": row.issued,
        }
        for row in rows
        for order, block in enumerate(blocks)
    ]
    marks = [
        {"month": words.short_month(row.month), "kwh": float(total(row.kwh.values())), "mark": "E"}
        for row in rows
        if row.estimated
    ]
    columns = (
        alt.Chart(style.inline(values))
        .mark_bar(cornerRadiusEnd=0)
        .encode(
            x=alt.X(
                "month:N",
                sort=months,
                title=None,
                axis=alt.Axis(labelAngle=-55, labelOverlap=False),
                scale=alt.Scale(paddingInner=0.25, paddingOuter=0.1),
            ),
            y=alt.Y("kwh:Q", title=words("axis.energy"), stack="zero"),
            color=alt.Color("block:N", scale=style.block_scale(blocks, labels), sort=labels),
            opacity=alt.condition("datum.issued", alt.value(1), alt.value(0.7)),
            order=alt.Order("order:Q"),
            tooltip=tips(("month:N", words("axis.month")), ("block:N", words("block")), ("kwh:Q", "kWh")),
        )
    )
    letters = (
        alt.Chart(style.inline(marks))
        .mark_text(dy=-8, fontSize=14, fontWeight="bold", color=theme.WARNING)
        .encode(x=alt.X("month:N", sort=months), y="kwh:Q", text="mark:N")
    )
    notes = (
        *((words("mark.estimated"),) if marks else ()),
        *((words("mark.draft"),) if any(not row.issued for row in rows) else ()),
    )
    data = Data(
        columns=(words("axis.month"), *(f"{label} [kWh]" for label in labels), words("estimated")),
        rows=tuple(
            (
                words.month(row.month),
                *(number(row.kwh.get(block, Decimal(0)), 2) for block in blocks),
                number(row.estimated),
            )
            for row in rows
        ),
    )
    return {"spec": style.spec(alt.layer(columns, letters), 240), "data": data, "notes": notes}


def energy_change(now: MonthTotals, before: MonthTotals) -> Decimal | None:
    """Return by how many percent a month's energy differs from another's; ``None`` where that one had none."""
    base = total(before.kwh.values())
    if not base or before.missing:
        return None
    return product(quotient(difference(total(now.kwh.values()), base), base), _HUNDRED)


def readings_quality(desk: CustomerMonth) -> Figure:
    """Return the calendar strip: per day, how many intervals are measured, estimated and missing."""
    words = Words(desk.client.locale)
    kinds = [words(kind) for kind in ("measured", "estimated", "missing")]
    counts = desk.slots.group_by("day").agg(
        pl.len().alias("slots"), (pl.col("quality") == ESTIMATED).sum().alias("estimated")
    )
    found = {row["day"]: (row["slots"], row["estimated"]) for row in counts.iter_rows(named=True)}
    rows: list[tuple[date, int, int, int]] = []
    for day in desk.bill.period:
        slots, estimated = found.get(day, (0, 0))
        expected = Period(day, day + timedelta(days=1)).slots(desk.bill.timezone)
        rows.append((day, slots - estimated, estimated, max(expected - slots, 0)))
    values = [
        {"day": n, "date": words.day(row[0]), "kind": kind, "order": order, "slots": row[order + 1]}
        for n, row in enumerate(rows, start=1)
        for order, kind in enumerate(kinds)
        if row[order + 1]
    ]
    chart = (
        alt.Chart(style.inline(values))
        .mark_bar(stroke="white", strokeWidth=1)
        .encode(
            x=alt.X(
                "day:O",
                title=words("axis.day"),
                sort=list(range(1, len(rows) + 1)),
                axis=alt.Axis(labelAngle=0, values=[1, *range(5, len(rows) + 1, 5)]),
                scale=alt.Scale(domain=list(range(1, len(rows) + 1)), paddingInner=0.08, paddingOuter=0),
            ),
            y=alt.Y("slots:Q", stack="normalize", title=None, axis=None),
            color=alt.Color(
                "kind:N",
                scale=alt.Scale(domain=kinds, range=[style.MEASURED, style.ESTIMATED, style.MISSING]),
                sort=kinds,
            ),
            order=alt.Order("order:Q"),
            tooltip=tips(
                ("date:N", words("axis.day")), ("kind:N", words("quality.title")), ("slots:Q", words("slots"))
            ),
        )
    )
    measured, estimated, missing = (sum(column) for column in list(zip(*rows, strict=True))[1:])
    return Figure(
        name="readings-quality",
        title=words("quality.title"),
        spec=style.spec(chart, 90),
        summary=words(
            "quality.summary", measured=number(measured), estimated=number(estimated), missing=number(missing)
        ),
        data=Data(
            columns=(words("axis.day"), *kinds),
            rows=tuple((words.day(day), number(a), number(b), number(c)) for day, a, b, c in rows),
        ),
        data_label=words("data"),
        span=12,
    )


def signed(value: Decimal, places: int = 1) -> str:
    """Return a figure that always shows its sign, ``+3.2`` or ``−1.0``."""
    text = number(abs(value), places)
    return f"−{text}" if value < 0 else f"+{text}"
