"""Charts over all of a client's customers by month, as the portal's overview shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from eisenergy.period import BillingMonth
from eisenergy.publish import theme, usage_drawings
from eisenergy.publish.captions import Words, number
from eisenergy.publish.drawings import HALF, Layer
from eisenergy.publish.figure import Data
from eisenergy.publish.usage_drawings import NARROW, Chart


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthSum:
    """What a month of all customers comes to.

    :param final: whether nothing of it is a draft
    """

    month: BillingMonth
    kwh: Decimal
    total: Decimal
    final: bool


def energy(months: Sequence[MonthSum], words: Words, title: str, summary: str) -> Chart:
    """Return a column of kWh per month, oldest first. :param months: not empty"""
    return _columns(
        "all-energy", months, lambda one: one.kwh, words, title, summary, words("axis.energy"), theme.ACCENT
    )


def money(months: Sequence[MonthSum], currency: str, words: Words, title: str, summary: str) -> Chart:
    """Return a column of the amount billed per month, oldest first. :param months: not empty"""
    axis = words("axis.money", currency=currency)
    return _columns("all-money", months, lambda one: one.total, words, title, summary, axis, theme.BRAND)


def _columns(
    name: str,
    months: Sequence[MonthSum],
    figure: Callable[[MonthSum], Decimal],
    words: Words,
    title: str,
    summary: str,
    axis: str,
    colour: str,
) -> Chart:
    layers = [Layer(axis, colour, [float(figure(one)) for one in months])]
    pale = [not one.final for one in months]
    wide, narrow = (
        usage_drawings.columns([words.short_month(one.month) for one in months], layers, width, height, axis, pale=pale)
        for width, height in ((HALF, 240), (NARROW, 200))
    )
    rows = tuple(
        (
            words.month(one.month),
            number(figure(one), 2),
            words("invoice") if one.final else words("draft"),
        )
        for one in months
    )
    return Chart(
        name=name,
        title=title,
        summary=summary,
        wide=wide,
        narrow=narrow,
        data=Data(columns=(words("axis.month"), axis, words("state")), rows=rows),
        data_label=words("data"),
        span=6,
    )
