"""Charts of a customer's range of days and of its months, as the portal shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from eisenergy.analytics import profile
from eisenergy.analytics.savings import Saving
from eisenergy.desk.model import MonthTotals
from eisenergy.publish import chart_style as style
from eisenergy.publish import theme, usage_drawings
from eisenergy.publish.captions import Words, number
from eisenergy.publish.drawings import HALF, WHOLE, Layer
from eisenergy.publish.figure import Data
from eisenergy.publish.usage_drawings import NARROW, Chart

HOURLY: Final = 4
"""Days up to which energy is shown by the hour."""


def energy(slots: pl.DataFrame, blocks: Sequence[str], words: Words, title: str, summary: str) -> Chart:
    """Return the area of kWh by block, by the day, or by the hour in a short range.

    :param slots: ``desk.consumption.SLOTS``, not empty
    """
    found = profile.daily(slots)
    days, hourly = len(found.days), len(found.days) <= HOURLY
    if hourly:
        found = profile.daily(slots.with_columns(pl.col("local").dt.truncate("1h").alias("day")))
    places = found.days
    column = {block: [row[at] for row in found.kwh] for at, block in enumerate(found.blocks)}
    shown = [block for block in blocks if block in column]
    layers = [Layer(words.block(block), colour, column[block]) for block, colour in theme.block_colours(shown).items()]
    ticks = [_place(place, days, hourly) for place in places]
    x_title = words("axis.hour") if hourly else words("weekday")
    wide, narrow = (
        usage_drawings.area(layers, ticks, width, height, x_title, words("axis.energy"))
        for width, height in ((WHOLE, 260), (NARROW, 220))
    )
    return Chart(
        name="energy",
        title=title,
        summary=summary,
        wide=wide,
        narrow=narrow,
        data=Data(
            columns=(x_title, *(f"{layer.name} [kWh]" for layer in layers)),
            rows=tuple(
                (
                    f"{words.day(place.date())} {place:%H:%M}" if isinstance(place, datetime) else words.day(place),
                    *(number(column[block][at], 2) for block in shown),
                )
                for at, place in enumerate(places)
            ),
        ),
        data_label=words("data"),
    )


def _place(place: datetime, days: int, hourly: bool) -> str:
    if hourly:
        return f"{place:%H}" if days == 1 else f"{place:%d/%m %H}"
    return str(place.day) if days <= 31 else f"{place:%d/%m}"


def monthly(history: Sequence[MonthTotals], blocks: Sequence[str], words: Words, summary: str) -> Chart:
    """Return a column of kWh by block per month."""
    shown = list(dict.fromkeys([*blocks, *(block for row in history for block in row.kwh)]))
    months = [words.short_month(row.month) for row in history]
    layers = [
        Layer(words.block(block), colour, [float(row.kwh.get(block, Decimal(0))) for row in history])
        for block, colour in theme.block_colours(shown).items()
    ]
    pale = [not row.issued for row in history]
    wide, narrow = (
        usage_drawings.columns(months, layers, width, height, words("axis.energy"), pale=pale)
        for width, height in ((HALF, 240), (NARROW, 200))
    )
    return Chart(
        name="months",
        title=words("monthly.title"),
        summary=summary,
        wide=wide,
        narrow=narrow,
        data=Data(
            columns=(words("axis.month"), *(f"{layer.name} [kWh]" for layer in layers), "kW", words("state")),
            rows=tuple(
                (
                    words.month(row.month),
                    *(number(row.kwh.get(block, Decimal(0)), 2) for block in shown),
                    "—" if row.max_kw is None else number(row.max_kw, 2),
                    words("invoice") if row.issued else words("draft"),
                )
                for row in history
            ),
        ),
        data_label=words("data"),
        span=6,
    )


def peak(slots: pl.DataFrame, contracted: Decimal | None, zone: str, words: Words) -> Chart:
    """Return the highest power of the range on an arc, against the contracted power, and when it was.

    :param slots: not empty
    """
    kw = float(slots["kw"].max() or 0.0)  # type: ignore[arg-type]
    reached = slots["start"].filter(slots["kw"] == kw)
    first = (slots["start"] if reached.is_empty() else reached).min()
    assert isinstance(first, datetime)
    when = first.astimezone(ZoneInfo(zone))
    said = f"{words.day(when.date())}, {when:%H:%M}"
    over = contracted is not None and Decimal(repr(kw)) > contracted
    below = (
        words("no_contracted")
        if not contracted
        else words("of_contracted", share=number(kw / float(contracted) * 100), kw=number(contracted))
    )
    drawing = usage_drawings.gauge(
        kw,
        None if contracted is None else float(contracted),
        (f"{number(kw, 1)} kW", below),
        style.MISSING if over else theme.ACCENT,
    )
    return Chart(
        name="peak",
        title=words("gauge.title"),
        summary=words("gauge.summary", kw=number(kw, 2), when=said),
        wide=drawing,
        narrow=drawing,
        data=Data(
            columns=(words("block"), "kW"),
            rows=(
                *((words.block(block), number(value or 0.0, 2)) for block, value in profile.peaks(slots).items()),
                *(((words("contracted"), number(contracted, 2)),) if contracted is not None else ()),
            ),
        ),
        data_label=words("data"),
        span=6,
    )


def heat(slots: pl.DataFrame, words: Words) -> Chart:
    """Return the mean power by weekday and hour. :param slots: not empty"""
    found = {at: kw for at, (kw, _) in profile.mean_power(slots).items()}
    names = [words.weekday(day)[:3] for day in range(1, 8)]
    wide, narrow = (
        usage_drawings.heat(names, found, width, words("axis.hour"), words("axis.mean_power"))
        for width in (WHOLE, NARROW)
    )
    weekday, hour = max(found, key=lambda key: found[key], default=(1, 0))
    return Chart(
        name="heat",
        title=words("heat.title"),
        summary=words("heat.summary", weekday=words.weekday(weekday), hour=hour),
        wide=wide,
        narrow=narrow,
        data=Data(
            columns=(words("axis.hour"), *names),
            rows=tuple(
                (
                    f"{hour}:00",
                    *("—" if (kw := found.get((day, hour))) is None else number(kw, 2) for day in range(1, 8)),
                )
                for hour in range(24)
            ),
        ),
        data_label=words("data"),
    )


def savings(saved: Sequence[Saving], currency: str, words: Words, title: str, summary: str) -> Chart:
    """Return each month's saving against the month before and the same month last year. :param saved: not empty"""
    return _savings(saved, currency, words, title, summary, ("against_previous", "against_last_year"))


def cumulative(saved: Sequence[Saving], currency: str, words: Words, title: str, summary: str) -> Chart:
    """Return the running sum of the savings against the first month's price. :param saved: not empty"""
    return _savings(saved, currency, words, title, summary, ("cumulative",))


_COLOURS: Final = {"against_previous": "#66A6C9", "against_last_year": "#DDAA33", "cumulative": theme.ACCENT}


def _savings(
    saved: Sequence[Saving], currency: str, words: Words, title: str, summary: str, kinds: Sequence[str]
) -> Chart:
    months = [words.short_month(saving.month) for saving in saved]
    series = [
        (
            words(kind),
            _COLOURS[kind],
            {at: float(amount) for at, saving in enumerate(saved) if (amount := getattr(saving, kind)) is not None},
        )
        for kind in kinds
    ]
    lined = kinds == ("cumulative",)
    wide, narrow = (
        usage_drawings.bars_and_line(
            months, [] if lined else series, series[0] if lined else None, width, height,
            words("axis.money", currency=currency),
        )
        for width, height in ((HALF, 230), (NARROW, 200))
    )  # fmt: skip

    def cell(amount: Decimal | None) -> str:
        return "—" if amount is None else number(amount, 2)

    return Chart(
        name="cumulative" if lined else "savings",
        title=title,
        summary=summary,
        wide=wide,
        narrow=narrow,
        data=Data(
            columns=(words("axis.month"), *(f"{words(kind)} [{currency}]" for kind in kinds)),
            rows=tuple(
                (words.month(saving.month), *(cell(getattr(saving, kind)) for kind in kinds)) for saving in saved
            ),
        ),
        data_label=words("data"),
        span=6,
    )
