"""The customer's charts. Each shows one month of a desk; none of them computes money."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from math import radians
from typing import Any, Final
from zoneinfo import ZoneInfo

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
from eisenergy.publish.figure import Data, Figure

_SWEEP: Final = radians(110)
"""Half of the gauge's arc, either side of noon."""

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
        alt.Chart(alt.Data(values=values))
        .mark_area(interpolate="monotone", line=False, opacity=0.92)
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
        alt.Chart(alt.Data(values=values))
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
            opacity=alt.condition("datum.issued", alt.value(1), alt.value(0.45)),
            order=alt.Order("order:Q"),
            tooltip=tips(("month:N", words("axis.month")), ("block:N", words("block")), ("kwh:Q", "kWh")),
        )
    )
    letters = (
        alt.Chart(alt.Data(values=marks))
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
        "theta": alt.Theta(
            "from:Q", scale=alt.Scale(domain=[0, end], range=[-_SWEEP, _SWEEP], zero=False, nice=False), stack=None
        ),
        "theta2": alt.Theta2("to:Q"),
        "y": alt.YValue(172),
    }
    ring = {"outerRadius": 158, "innerRadius": 118}
    layers = [
        alt.Chart(alt.Data(values=[{"from": 0, "to": end}])).mark_arc(color=theme.RULE, **ring).encode(**arc),
        alt.Chart(alt.Data(values=[{"from": 0, "to": kw}]))
        .mark_arc(color=style.MISSING if over else theme.ACCENT, **ring)
        .encode(**arc, tooltip=tips(("to:Q", "kW"))),
    ]
    if contracted is not None:
        half = end / 300
        tick = [{"from": float(contracted) - half, "to": float(contracted) + half, "kw": float(contracted)}]
        layers.append(
            alt.Chart(alt.Data(values=tick))
            .mark_arc(color=theme.INK, outerRadius=168, innerRadius=108)
            .encode(**arc, tooltip=tips(("kw:Q", words("contracted"))))
        )
    share = None if not contracted else number(product(quotient(peak.max_kw, contracted), _HUNDRED))
    below = (
        words("no_contracted")
        if contracted is None
        else words("of_contracted", share=share if share is not None else "—", kw=number(contracted))
    )
    layers += [
        alt.Chart(alt.Data(values=[{}]))
        .mark_text(text=f"{number(peak.max_kw, 1)} kW", fontSize=40, fontWeight="bold", color=theme.INK, dy=-12)
        .encode(y=alt.YValue(172)),
        alt.Chart(alt.Data(values=[{}]))
        .mark_text(text=below, fontSize=16, color=theme.MUTED, dy=86)
        .encode(y=alt.YValue(172)),
    ]
    when = _clock(desk, words)
    return Figure(
        name="peak-gauge",
        title=words("gauge.title"),
        spec=style.spec(alt.layer(*layers).resolve_scale(theta="shared"), 280),
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
    found = {(row["weekday"], row["hour"]): row["kw"] for row in profile.heat_map(desk.slots).iter_rows(named=True)}
    names = [words.weekday(n)[:3] for n in range(1, 8)]
    values = [
        {"weekday": names[weekday - 1], "hour": hour, "kw": round(kw, 6)} for (weekday, hour), kw in found.items()
    ]
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_rect(stroke="white", strokeWidth=1)
        .encode(
            x=alt.X(
                "hour:O",
                title=words("axis.hour"),
                sort=list(range(24)),
                axis=alt.Axis(labelAngle=0, values=list(range(0, 24, 3))),
            ),
            y=alt.Y("weekday:N", sort=names, title=None),
            color=alt.Color(
                "kw:Q",
                scale=alt.Scale(range=list(style.SEQUENTIAL)),
                legend=alt.Legend(
                    title=words("axis.mean_power"),
                    gradientLength=180,
                    titleOrient="left",
                    titleFontWeight="normal",
                    titleColor=theme.INK,
                    format=",.0f",
                ),
            ),
            tooltip=tips(("weekday:N", words("weekday")), ("hour:O", words("axis.hour")), ("kw:Q", "kW")),
        )
    )
    weekday, hour = max(found, key=lambda key: found[key], default=(1, 0))
    return Figure(
        name="load-heat-map",
        title=words("heat.title"),
        spec=style.spec(chart, 230),
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
    curve = profile.load_duration(desk.slots)
    # 200 points draw the curve as well as 2,880 do; the first is the maximum, which must not be lost.
    step = max(1, len(curve) // 200)
    values = [
        {"share": round(row["share"] * 100, 3), "kw": row["kw"]}
        for n, row in enumerate(curve.iter_rows(named=True))
        if n % step == 0 or n == len(curve) - 1
    ]
    chart = (
        alt.Chart(alt.Data(values=values))
        .mark_area(line={"color": theme.BRAND, "strokeWidth": 2}, color="#A9CBE0", opacity=0.7)
        .encode(
            x=alt.X("share:Q", title=words("axis.share"), scale=alt.Scale(domain=[0, 100], nice=False)),
            y=alt.Y("kw:Q", title=words("axis.power")),
            tooltip=tips(("share:Q", words("axis.share")), ("kw:Q", "kW")),
        )
    )
    marks = [(10, _at(values, 10)), (50, _at(values, 50)), (90, _at(values, 90))]
    return Figure(
        name="load-duration",
        title=words("duration.title"),
        spec=style.spec(chart, 230),
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


def readings_quality(desk: CustomerMonth) -> Figure:
    """Return the calendar strip: per day, how many intervals are measured, estimated and missing."""
    words = Words(desk.client.locale)
    kinds = [words(kind) for kind in ("measured", "estimated", "missing")]
    counts = desk.slots.group_by("day").agg(
        pl.len().alias("slots"), (pl.col("quality") == ESTIMATED).sum().alias("estimated")
    )
    found = {row["day"]: (row["slots"], row["estimated"]) for row in counts.iter_rows(named=True)}
    rows = []
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
        alt.Chart(alt.Data(values=values))
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
            tooltip=tips(("date:N", words("axis.day")), ("kind:N", words("quality.title")), ("slots:Q", words("slots"))),
        )
    )
    measured, estimated, missing = (sum(row[n] for row in rows) for n in (1, 2, 3))
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


def tips(*fields: tuple[str, str]) -> list[alt.Tooltip]:
    """Return what a pointer shows: fields with their names, figures with two places."""
    return [
        alt.Tooltip(name, title=title, format=",.2f") if name.endswith(":Q") else alt.Tooltip(name, title=title)
        for name, title in fields
    ]
