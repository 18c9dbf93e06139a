"""The invoice's drawings as plain numbers: 13 months by block, mean profile by hour, energy per day.

The template only scales and places; axes, ticks, labels and the text for readers who do not see the drawing come from here.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from eisenergy.analytics import shapes
from eisenergy.publish import invoice_shapes, theme
from eisenergy.publish.texts import format_day, format_number, month_short, word

if TYPE_CHECKING:
    from eisenergy.desk import CustomerMonth

Figure = dict[str, Any]

SLOTS_PER_HOUR: Final = 4
KWH_PER_MWH: Final = 1000


def axis(highest: float, locale: str, most: int = 5) -> dict[str, Any]:
    """Return an axis from zero: its end and its ticks, at steps of 1, 2, 2.5 or 5 times a power of ten.

    :param highest: the highest value drawn; zero or less gives an axis to 1
    :returns: ``max`` and ``ticks``, a list of ``{"value", "label"}``
    """
    top = highest if highest > 0 else 1.0
    power = 10.0 ** math.floor(math.log10(top / most))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power * most >= top)
    count = math.ceil(top / step - 1e-9)
    places = next(n for n in range(12) if abs(round(step, n) - step) < step * 1e-9)
    ticks = [
        {"value": n * step, "label": format_number(Decimal(repr(n * step)), places, locale)} for n in range(count + 1)
    ]
    return {"max": count * step, "ticks": ticks}


def _legend(blocks: list[str]) -> list[dict[str, str]]:
    return [{"name": name, "colour": colour} for name, colour in theme.block_colours(blocks).items()]


def history(month: CustomerMonth, locale: str) -> Figure | None:
    """Return the columns of up to 13 months, stacked by block; ``None`` without any energy."""
    months = month.history[-13:]
    blocks = [summary.block for summary in month.bill.blocks]
    blocks += [block for block in dict.fromkeys(b for item in months for b in item.kwh) if block not in blocks]
    sums = [float(sum(item.kwh.values())) for item in months]
    if not any(value > 0 for value in sums):
        return None
    scale = KWH_PER_MWH if max(sums) >= 1000 * KWH_PER_MWH else 1
    unit = "MWh" if scale > 1 else "kWh"
    places = 1 if scale > 1 or max(sums) < 100 else 0
    drawn = [[max(0.0, float(item.kwh.get(block, Decimal(0))) / scale) for block in blocks] for item in months]
    columns = []
    for n, item in enumerate(months):
        label = format_number(Decimal(repr(sums[n] / scale)), places, locale) if item.kwh else ""
        columns.append(
            {
                "label": month_short(item.month, locale),
                "year": str(item.month.year) if n == 0 or item.month.month == 1 else "",
                "values": drawn[n],
                "total": label,
                "estimated": bool(item.estimated or item.missing),
                "current": item.month == month.month,
            }
        )
    described = ", ".join(
        f"{month_short(item.month, locale)} {item.month.year} {column['total']}"
        for item, column in zip(months, columns, strict=True)
        if column["total"]
    )
    legend, scaled = _legend(blocks), axis(max(sums) / scale, locale)
    return {
        "heading": word("history", locale),
        "alt": word("history.alt", locale, unit=unit, months=described),
        "unit": unit,
        "blocks": legend,
        "columns": columns,
        "axis": scaled,
        "shapes": invoice_shapes.columns(drawn, [item["colour"] for item in legend], scaled, invoice_shapes.WHOLE),
        "note": word("history.estimated", locale) if any(column["estimated"] for column in columns) else "",
    }


def _measured(month: CustomerMonth) -> pl.DataFrame:
    """Return the slots whose energy can be drawn."""
    slots = month.slots
    if slots.height and (slots["kwh"].null_count() or not np.isfinite(slots["kwh"].to_numpy()).all()):
        return slots.filter(pl.col("kwh").is_finite())
    return slots


def profile(month: CustomerMonth, locale: str) -> Figure | None:
    """Return mean power by hour of the local day [kW], weekdays and weekends; ``None`` without slots."""
    slots = _measured(month)
    if not slots.height:
        return None
    found = {key: max(0.0, kw) for key, kw in shapes.mean_energy(slots, SLOTS_PER_HOUR).items()}
    series = []
    for weekend, key, colour in ((False, "weekday", theme.BRAND), (True, "weekend", theme.ACCENT)):
        values = [found.get((weekend, hour)) for hour in range(24)]
        if any(value is not None for value in values):
            series.append(
                {"name": word(f"profile.{key}", locale), "colour": colour, "dashed": weekend, "values": values}
            )

    def highest(weekend: bool) -> str:
        kw = max((kw for (which, _), kw in found.items() if which is weekend), default=0.0)
        return format_number(Decimal(repr(kw)), 1, locale)

    # An hour's colour is that of the block that holds most of its intervals, of several the first by name.
    counts = shapes.hours_of_blocks(slots, [summary.block for summary in month.bill.blocks])
    counted = sorted((-count, block, hour) for (block, hour), count in counts.items())
    of_hour = {hour: block for _, block, hour in reversed(counted)}
    colours = theme.block_colours(summary.block for summary in month.bill.blocks)
    hours, scaled = [colours.get(of_hour.get(hour, ""), "") for hour in range(24)], axis(max(found.values()), locale)
    return {
        "heading": word("profile", locale),
        "alt": word("profile.alt", locale, weekday=highest(False), weekend=highest(True)),
        "unit": f"kW, {word('profile.hour', locale)}",
        "series": series,
        "hours": hours,
        "axis": scaled,
        "shapes": invoice_shapes.curves(series, hours, scaled, invoice_shapes.HALF),
        "note": "",
    }


def daily(month: CustomerMonth, locale: str) -> Figure | None:
    """Return energy per local day stacked by block [kWh], estimated days marked; ``None`` without slots."""
    slots = _measured(month)
    if not slots.height:
        return None
    blocks = [summary.block for summary in month.bill.blocks]
    by_day: dict[Any, list[float]] = {day: [0.0] * len(blocks) for day in month.bill.period}
    for (day, block), kwh in shapes.energy_of_days(slots, blocks).items():
        if day in by_day:
            by_day[day][blocks.index(block)] += max(0.0, kwh)
    top, top_day = max((sum(values), day) for day, values in by_day.items())
    legend, scaled, drawn = _legend(blocks), axis(top, locale), list(by_day.values())
    return {
        "heading": word("daily", locale),
        "alt": word(
            "daily.alt", locale, kwh=format_number(Decimal(repr(top)), 0, locale), day=format_day(top_day, locale)
        ),
        "unit": f"kWh, {word('daily.axis', locale)}",
        "blocks": legend,
        "columns": [
            {"label": str(day.day), "values": values, "weekend": day.isoweekday() >= 6}
            for day, values in by_day.items()
        ],
        "axis": scaled,
        "shapes": invoice_shapes.columns(drawn, [item["colour"] for item in legend], scaled, invoice_shapes.HALF),
        "note": "",
    }
