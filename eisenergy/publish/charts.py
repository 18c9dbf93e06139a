"""The customer's charts of energy and of its readings. Each shows one month of a desk; none of them computes money."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from eisenergy.analytics import shapes
from eisenergy.desk import CustomerMonth, MonthTotals
from eisenergy.frames import ESTIMATED
from eisenergy.money import difference, product, quotient, total
from eisenergy.period import Period
from eisenergy.publish import chart_style as style
from eisenergy.publish import drawings, theme
from eisenergy.publish.captions import Words, number
from eisenergy.publish.drawings import Layer
from eisenergy.publish.figure import Data, Figure

_HUNDRED: Final = Decimal(100)


def daily_energy(desk: CustomerMonth) -> Figure:
    """Return the stacked area of kWh by block over the days of the month.

    :param desk: its ``slots`` are used
    """
    words = Words(desk.client.locale)
    blocks = [summary.block for summary in desk.bill.blocks]
    labels = [words.block(block) for block in blocks]
    found = shapes.energy_of_days(desk.slots, blocks)
    days = list(desk.bill.period)
    dates = [words.day(day) for day in days]
    values = [
        {"day": n, "date": told, "block": label, "order": order, "kwh": round(found.get((day, block), 0.0), 6)}
        for n, (day, told) in enumerate(zip(days, dates, strict=True), start=1)
        for order, (block, label) in enumerate(zip(blocks, labels, strict=True))
    ]
    by_day = {day: sum(found.get((day, block), 0.0) for block in blocks) for day in days}
    highest = max(days, key=lambda day: by_day[day])
    colours = list(theme.block_colours(blocks).values())
    chart = {
        "data": {"values": values},
        "mark": {"type": "area", "interpolate": "linear", "line": False, "opacity": 0.92},
        "encoding": {
            "x": style.quantity("day", title=words("axis.day"), scale={"domain": [1, len(days)], "nice": False}),
            "y": style.quantity("kwh", title=words("axis.energy"), stack="zero"),
            "color": style.colour("block", labels, colours),
            "order": style.quantity("order"),
            "tooltip": [
                style.tip("date", words("axis.day")),
                style.tip("block", words("block")),
                style.tip_number("kwh", "kWh"),
            ],
        },
    }
    layers = [
        Layer(label, colour, [found.get((day, block), 0.0) for day in days])
        for label, colour, block in zip(labels, colours, blocks, strict=True)
    ]
    return Figure(
        name="daily-energy",
        title=words("daily.title"),
        spec=style.house(chart, 260),
        drawing=drawings.stacked_area(layers, len(days), 260, words("axis.day"), words("axis.energy")),
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
                (told, *[number(found.get((day, block), 0.0), 2) for block in blocks])
                for day, told in zip(days, dates, strict=True)
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
        drawing=figure["drawing"],
        summary=summary,
        data=figure["data"],
        data_label=words("data"),
        span=6,
        notes=figure["notes"],
    )


def history_columns(history: Iterable[MonthTotals], blocks: list[str], words: Words) -> dict[str, Any]:
    """Return specification, drawing, data and notes of the monthly columns, for a customer or for all of them."""
    rows = tuple(history)
    labels = [words.block(block) for block in blocks]
    months = [words.short_month(row.month) for row in rows]
    values = [
        {
            "month": month,
            "block": label,
            "order": order,
            "kwh": float(row.kwh.get(block, Decimal(0))),
            "issued": row.issued,
        }
        for row, month in zip(rows, months, strict=True)
        for order, (block, label) in enumerate(zip(blocks, labels, strict=True))
    ]
    marks = [
        {"month": month, "kwh": float(total(row.kwh.values())), "mark": "E"}
        for row, month in zip(rows, months, strict=True)
        if row.estimated
    ]
    colours = list(theme.block_colours(blocks).values())
    columns = {
        "data": {"values": values},
        "mark": {"type": "bar", "cornerRadiusEnd": 0},
        "encoding": {
            "x": style.name(
                "month",
                axis={"labelAngle": -55, "labelOverlap": False},
                scale={"paddingInner": 0.25, "paddingOuter": 0.1},
                sort=months,
                title=None,
            ),
            "y": style.quantity("kwh", title=words("axis.energy"), stack="zero"),
            "color": style.colour("block", labels, colours),
            "opacity": {"condition": {"test": "datum.issued", "value": 1}, "value": 0.7},
            "order": style.quantity("order"),
            "tooltip": [
                style.tip("month", words("axis.month")),
                style.tip("block", words("block")),
                style.tip_number("kwh", "kWh"),
            ],
        },
    }
    letters = {
        "data": {"values": marks},
        "mark": {"type": "text", "color": theme.WARNING, "dy": -8, "fontSize": 14, "fontWeight": "bold"},
        "encoding": {
            "text": style.name("mark"),
            "x": style.name("month", sort=months),
            "y": style.quantity("kwh"),
        },
    }
    drawing = drawings.stacked_columns(
        months,
        [
            Layer(label, colour, [float(row.kwh.get(block, Decimal(0))) for row in rows])
            for label, colour, block in zip(labels, colours, blocks, strict=True)
        ],
        240,
        words("axis.energy"),
        pale=[not row.issued for row in rows],
        marks={at: "E" for at, row in enumerate(rows) if row.estimated},
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
    return {"spec": style.house({"layer": [columns, letters]}, 240), "drawing": drawing, "data": data, "notes": notes}


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
    found = shapes.slots_of_days(desk.slots, ESTIMATED)
    rows: list[tuple[date, int, int, int]] = []
    for day in desk.bill.period:
        slots, estimated = found.get(day, (0, 0))
        expected = Period(day, day + timedelta(days=1)).slots(desk.bill.timezone)
        rows.append((day, slots - estimated, estimated, max(expected - slots, 0)))
    dates = [words.day(day) for day, *_ in rows]
    values = [
        {"day": n, "date": told, "kind": kind, "order": order, "slots": row[order + 1]}
        for n, (row, told) in enumerate(zip(rows, dates, strict=True), start=1)
        for order, kind in enumerate(kinds)
        if row[order + 1]
    ]
    colours = [style.MEASURED, style.ESTIMATED, style.MISSING]
    numbers = list(range(1, len(rows) + 1))
    chart = {
        "data": {"values": values},
        "mark": {"type": "bar", "stroke": "white", "strokeWidth": 1},
        "encoding": {
            "x": {
                "field": "day",
                "type": "ordinal",
                "axis": {"labelAngle": 0, "values": [1, *range(5, len(rows) + 1, 5)]},
                "scale": {"domain": numbers, "paddingInner": 0.08, "paddingOuter": 0},
                "sort": numbers,
                "title": words("axis.day"),
            },
            "y": style.quantity("slots", axis=None, stack="normalize", title=None),
            "color": style.colour("kind", kinds, colours),
            "order": style.quantity("order"),
            "tooltip": [
                style.tip("date", words("axis.day")),
                style.tip("kind", words("quality.title")),
                style.tip_number("slots", words("slots")),
            ],
        },
    }
    layers = [
        Layer(kind, colour, [counts[order] for _, *counts in rows])
        for order, (kind, colour) in enumerate(zip(kinds, colours, strict=True))
    ]
    measured, estimated, missing = (sum(column) for column in list(zip(*rows, strict=True))[1:])
    return Figure(
        name="readings-quality",
        title=words("quality.title"),
        spec=style.house(chart, 90),
        drawing=drawings.strip(layers, 90, words("axis.day")),
        summary=words(
            "quality.summary", measured=number(measured), estimated=number(estimated), missing=number(missing)
        ),
        data=Data(
            columns=(words("axis.day"), *kinds),
            rows=tuple((told, number(a), number(b), number(c)) for (_, a, b, c), told in zip(rows, dates, strict=True)),
        ),
        data_label=words("data"),
        span=12,
    )


def signed(value: Decimal, places: int = 1) -> str:
    """Return a figure that always shows its sign, ``+3.2`` or ``−1.0``."""
    text = number(abs(value), places)
    return f"−{text}" if value < 0 else f"+{text}"
