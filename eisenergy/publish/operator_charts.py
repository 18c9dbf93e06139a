"""The operator's charts: all customers of one month. Of thousands, each shows the first few and says what the others come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from eisenergy.desk import ClientMonth, OperatorRow
from eisenergy.money import total
from eisenergy.publish import chart_style as style
from eisenergy.publish import drawings, theme
from eisenergy.publish.captions import Words, money, number
from eisenergy.publish.charts import history_columns
from eisenergy.publish.drawings import Layer
from eisenergy.publish.figure import Data, Figure

SHOWN: Final = 25
"""Customers that a chart has room for."""

_NAME: Final = 24
"""Letters of a customer's name that an axis has room for."""


def energy_by_customer(desk: ClientMonth) -> Figure:
    """Return the customers' kWh as bars, largest first."""
    words = Words(desk.client.locale)
    rows = [(row, row.kwh) for row in desk.rows if row.kwh is not None]
    title = words("customers.energy")
    return _bars(desk, "customers-energy", title, rows, lambda value: f"{number(value)} kWh", number, theme.ACCENT)


def money_by_customer(desk: ClientMonth) -> Figure:
    """Return the customers' totals as bars, largest first."""
    words, currency = Words(desk.client.locale), desk.client.currency
    rows = [(row, row.total) for row in desk.rows if row.total is not None]

    def shown(value: Decimal) -> str:
        return money(value, currency)

    def label(value: Decimal) -> str:
        return number(value, 2)

    return _bars(desk, "customers-money", words("customers.money", currency=currency), rows, shown, label, theme.BRAND)


def _bars(
    desk: ClientMonth,
    name: str,
    title: str,
    rows: list[tuple[OperatorRow, Decimal]],
    shown: Callable[[Decimal], str],
    label: Callable[[Decimal], str],
    colour: str,
) -> Figure:
    words = Words(desk.client.locale)
    ordered = sorted(rows, key=lambda pair: pair[1], reverse=True)
    first, others = ordered[:SHOWN], [value for _, value in ordered[SHOWN:]]
    names = labels([row for row, _ in first])
    values = [
        {"customer": axis, "contract": row.contract.number, "value": float(value), "label": label(value)}
        for axis, (row, value) in zip(names, first, strict=True)
    ]
    # Half as much again as the longest bar: room for its label, also on a telephone.
    end = 1.5 * max((float(value) for _, value in first), default=1.0) or 1.0
    height = 32 * max(len(values), 1)
    shared = {
        "y": _customer(names),
        "x": style.quantity("value", axis=None, scale={"domain": [0, end], "nice": False}, title=None),
        "tooltip": [
            style.tip("contract", words("contract")),
            style.tip("customer", words("customer")),
            style.tip("label", title),
        ],
    }
    bar = {"mark": {"type": "bar", "color": colour, "height": 18}, "encoding": shared}
    written = {
        "mark": {"type": "text", "align": "left", "color": theme.INK, "dx": 6, "fontSize": 14},
        "encoding": {**shared, "text": style.name("label")},
    }
    cells = [(row.contract.customer.name, shown(value)) for row, value in first]
    notes: tuple[str, ...] = ()
    if others:
        rest = words("customers.rest", count=number(len(others)))
        cells.append((rest, shown(total(others))))
        notes = (words("customers.others", shown=SHOWN, rest=rest, value=shown(total(others))),)
    return Figure(
        name=name,
        title=title,
        spec=style.house({"data": {"values": values}, "layer": [bar, written]}, height),
        drawing=drawings.bars(
            [(axis, float(value), label(value), colour) for axis, (_, value) in zip(names, first, strict=True)],
            height,
            low=0.0,
            high=end,
            size=14,
        ),
        summary=words(
            "customers.summary",
            count=number(len(ordered)),
            name=ordered[0][0].contract.customer.name,
            value=shown(ordered[0][1]),
        )
        if ordered
        else words("no_invoices"),
        data=Data(columns=(words("customer"), title), rows=tuple(cells)),
        data_label=words("data"),
        notes=notes,
    )


def _customer(names: Sequence[str]) -> dict[str, Any]:
    axis = {"domain": False, "labelLimit": 280, "ticks": False}
    return style.name("customer", axis=axis, sort=list(names), title=None)


def labels(rows: Sequence[OperatorRow]) -> list[str]:
    """Return the customers' names for an axis: without their legal form, cut, and with the contract's number where two are the same."""
    names = [row.contract.customer.name.split(", S.A.")[0] for row in rows]
    short = [_cut(name, _NAME) for name in names]
    same = Counter(short)
    return [
        one if same[one] == 1 else f"{_cut(name, _NAME - 8)} {row.contract.number}"
        for one, name, row in zip(short, names, rows, strict=True)
    ]


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1].rstrip()}…"


def energy_history(desk: ClientMonth) -> Figure:
    """Return all customers' kWh by block over 13 months."""
    words = Words(desk.client.locale)
    blocks = list(dict.fromkeys(block for row in desk.history for block in row.kwh))
    drawn = history_columns(desk.history, blocks, words)
    last = desk.history[-1] if desk.history else None
    return Figure(
        name="energy-history",
        title=words("history.title"),
        spec=drawn["spec"],
        drawing=drawn["drawing"],
        summary=words("monthly.summary", kwh=number(total(last.kwh.values())), month=words.month(last.month))
        if last
        else words("savings.none"),
        data=drawn["data"],
        data_label=words("data"),
        notes=drawn["notes"],
    )


def health(desk: ClientMonth) -> Figure:
    """Return how many intervals are estimated and missing, of the customers with most of them."""
    words = Words(desk.client.locale)
    kinds = (words("estimated"), words("missing"))
    colours = (style.ESTIMATED, style.MISSING)
    rows = [row for row in desk.rows if row.estimated or row.missing]
    rows.sort(key=lambda row: row.estimated + row.missing, reverse=True)
    shown = rows[:SHOWN] or list(desk.rows[:1])
    names = labels(shown)
    counts = [(row.estimated, row.missing) for row in shown]
    values = [
        {"customer": axis, "kind": kind, "slots": slots}
        for axis, both in zip(names, counts, strict=True)
        for kind, slots in zip(kinds, both, strict=True)
    ]
    chart = {
        "data": {"values": values},
        "mark": {"type": "bar", "height": 18},
        "encoding": {
            "y": _customer(names),
            "x": style.quantity(
                "slots", axis={"tickCount": 5, "tickMinStep": 1}, scale={"domainMin": 0}, title=words("axis.slots")
            ),
            "color": style.colour("kind", kinds, colours),
            "tooltip": [
                style.tip("customer", words("customer")),
                style.tip("kind", words("state")),
                style.quantity("slots", title=words("axis.slots")),
            ],
        },
    }
    height = 36 * max(len(shown), 2)
    layers = [
        Layer(kind, colour, [float(both[at]) for both in counts])
        for at, (kind, colour) in enumerate(zip(kinds, colours, strict=True))
    ]
    estimated, missing = sum(row.estimated for row in desk.rows), sum(row.missing for row in desk.rows)
    rest = words("customers.rest", count=number(max(len(rows) - SHOWN, 0)))
    left = (sum(row.estimated for row in rows[SHOWN:]), sum(row.missing for row in rows[SHOWN:]))
    listed = [(row.contract.customer.name, number(row.estimated), number(row.missing)) for row in shown]
    if len(rows) > SHOWN:
        listed.append((rest, number(left[0]), number(left[1])))
    return Figure(
        name="health",
        title=words("customers.health"),
        spec=style.house(chart, height),
        drawing=drawings.stacked_bars(names, layers, height, words("axis.slots")),
        summary=words("health.summary", estimated=number(estimated), missing=number(missing), count=number(len(rows)))
        if rows
        else words("health.clean"),
        data=Data(columns=(words("customer"), *kinds), rows=tuple(listed)),
        data_label=words("data"),
        notes=(words("customers.others", shown=SHOWN, rest=rest, value=number(sum(left))),)
        if len(rows) > SHOWN
        else (),
    )
