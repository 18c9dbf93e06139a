"""The operator's charts and panels: all customers of one month."""

from __future__ import annotations

import html
from collections.abc import Callable
from decimal import Decimal

import altair as alt

from eisenergy.desk import ClientMonth, OperatorRow
from eisenergy.findings import Severity
from eisenergy.money import difference, product, quotient, total
from eisenergy.publish import chart_style as style
from eisenergy.publish import theme
from eisenergy.publish.captions import Words, money, number
from eisenergy.publish.charts import history_columns, signed
from eisenergy.publish.figure import Data, Figure
from eisenergy.publish.pages import MISSING
from eisenergy.publish.panel import KeyFigure, Panel, head, table, tiles

_HUNDRED = Decimal(100)


def greeting(desk: ClientMonth) -> Panel:
    """Return the page's head: whose overview it is, and which month."""
    words = Words(desk.client.locale)
    month = words.month(desk.month)
    return head("greeting", month[:1].upper() + month[1:], desk.client.name, words("operator"))


def totals(desk: ClientMonth) -> Panel:
    """Return the month in figures: customers, invoices, energy, money, estimates, parked."""
    words = Words(desk.client.locale)
    billed = [row for row in desk.rows if row.total is not None]
    figures = (
        KeyFigure(name=words("active"), value=number(len(desk.rows))),
        KeyFigure(name=words("issued"), value=number(sum(row.number is not None for row in desk.rows))),
        KeyFigure(name=words("energy"), value=number(total(row.kwh or Decimal(0) for row in desk.rows)), unit="kWh"),
        KeyFigure(
            name=words("billed"),
            value=number(total(row.total or Decimal(0) for row in billed), 2),
            unit=desk.client.currency,
        ),
        KeyFigure(name=words("estimated_slots"), value=number(sum(row.estimated for row in desk.rows))),
        KeyFigure(name=words("parked.short"), value=number(sum(row.parked is not None for row in desk.rows))),
    )
    return tiles("totals", "", figures, (words("this_month"), words.month(desk.month)))


def energy_by_customer(desk: ClientMonth) -> Figure:
    """Return each customer's kWh as bars, largest first."""
    words = Words(desk.client.locale)
    rows = [(row, row.kwh) for row in desk.rows if row.kwh is not None]
    return _bars(
        desk,
        "customers-energy",
        words("customers.energy"),
        rows,
        lambda value: f"{number(value)} kWh",
        number,
        theme.ACCENT,
    )


def money_by_customer(desk: ClientMonth) -> Figure:
    """Return each customer's total as bars, largest first."""
    words = Words(desk.client.locale)
    rows = [(row, row.total) for row in desk.rows if row.total is not None]
    return _bars(
        desk,
        "customers-money",
        words("customers.money", currency=desk.client.currency),
        rows,
        lambda value: money(value, desk.client.currency),
        lambda value: number(value, 2),
        theme.BRAND,
    )


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
    values = [
        {"customer": _label(row), "contract": row.contract.number, "value": float(value), "label": label(value)}
        for row, value in ordered
    ]
    # Half as much again as the longest bar: room for its label, also on a telephone.
    end = 1.5 * max((float(value) for _, value in ordered), default=1.0) or 1.0
    base = alt.Chart().encode(
        y=alt.Y(
            "customer:N",
            sort=[_label(row) for row, _ in ordered],
            title=None,
            axis=alt.Axis(domain=False, ticks=False, labelLimit=280),
        ),
        x=alt.X("value:Q", title=None, axis=None, scale=alt.Scale(domain=[0, end], nice=False)),
        tooltip=[
            alt.Tooltip("contract:N", title=words("contract")),
            alt.Tooltip("customer:N", title=words("customer")),
            alt.Tooltip("label:N", title=title),
        ],
    )
    chart = alt.layer(
        base.mark_bar(height=18, color=colour),
        base.mark_text(align="left", dx=6, fontSize=14, color=theme.INK).encode(text="label:N"),
        data=style.inline(values),
    )
    summary = (
        words(
            "customers.summary",
            count=len(ordered),
            name=ordered[0][0].contract.customer.name,
            value=shown(ordered[0][1]),
        )
        if ordered
        else words("no_invoices")
    )
    return Figure(
        name=name,
        title=title,
        spec=style.spec(chart, 32 * max(len(values), 1)),
        summary=summary,
        data=Data(
            columns=(words("customer"), title),
            rows=tuple((row.contract.customer.name, shown(value)) for row, value in ordered),
        ),
        data_label=words("data"),
    )


def _label(row: OperatorRow) -> str:
    """A customer's name without its legal form, which the axis has no room for; the contract keeps it unique."""
    name = row.contract.customer.name.split(", S.A.")[0]
    return name if len(name) <= 24 else f"{name[:23].rstrip()}…"


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
    """Return how many intervals are estimated and missing, per customer."""
    words = Words(desk.client.locale)
    kinds = (words("estimated"), words("missing"))
    rows = [row for row in desk.rows if row.estimated or row.missing]
    shown = rows or list(desk.rows[:1])
    values = [
        {"customer": _label(row), "kind": kind, "slots": slots}
        for row in shown
        for kind, slots in zip(kinds, (row.estimated, row.missing), strict=True)
    ]
    chart = (
        alt.Chart(style.inline(values))
        .mark_bar(height=18)
        .encode(
            y=alt.Y("customer:N", title=None, axis=alt.Axis(domain=False, ticks=False, labelLimit=280)),
            x=alt.X(
                "slots:Q",
                title=words("axis.slots"),
                axis=alt.Axis(tickMinStep=1, tickCount=5),
                scale=alt.Scale(domainMin=0),
            ),
            color=alt.Color(
                "kind:N", scale=alt.Scale(domain=list(kinds), range=[style.ESTIMATED, style.MISSING]), sort=list(kinds)
            ),
            tooltip=[
                alt.Tooltip("customer:N", title=words("customer")),
                alt.Tooltip("kind:N", title=words("state")),
                alt.Tooltip("slots:Q", title=words("axis.slots")),
            ],
        )
    )
    estimated, missing = sum(row.estimated for row in desk.rows), sum(row.missing for row in desk.rows)
    return Figure(
        name="health",
        title=words("customers.health"),
        spec=style.spec(chart, 36 * max(len(shown), 2)),
        summary=words("health.summary", estimated=number(estimated), missing=number(missing), count=len(rows))
        if rows
        else words("health.clean"),
        data=Data(
            columns=(words("customer"), *kinds),
            rows=tuple((row.contract.customer.name, number(row.estimated), number(row.missing)) for row in desk.rows),
        ),
        data_label=words("data"),
    )


def customers(desk: ClientMonth) -> Panel:
    """Return all customers with their month, each linked to its own site."""
    words = Words(desk.client.locale)
    keys = ("contract", "customer", "meter", "energy", "max_kw", "total", "state")
    columns = tuple(words(key) for key in keys)
    rows = tuple(
        (
            row.contract.number,
            row.contract.customer.name,
            row.contract.meter.serial,
            MISSING if row.kwh is None else f"{number(row.kwh)} kWh",
            MISSING if row.max_kw is None else number(row.max_kw, 1),
            MISSING if row.total is None else money(row.total, desk.client.currency),
            _state(row, words),
        )
        for row in desk.rows
    )
    heading = "".join(
        f"<th{' class=n' if 2 < n < 6 else ''}>{html.escape(text)}</th>" for n, text in enumerate(columns)
    )
    lines = "".join(_customer_line(row, columns, cells, words) for row, cells in zip(desk.rows, rows, strict=True))
    return Panel(
        name="customers",
        title=words("customers"),
        body=f'<table class="stacked"><thead><tr>{heading}</tr></thead><tbody>{lines}</tbody></table>',
        data=Data(columns=columns, rows=rows),
        plain="; ".join(f"{row[0]} {row[1]} {row[5]}" for row in rows),
        numeric=frozenset({3, 4, 5}),
    )


def _state(row: OperatorRow, words: Words) -> str:
    if row.parked is not None:
        return words("state.parked")
    return f"{words('state.issued')} {row.number}" if row.number else words("state.draft")


def _customer_line(row: OperatorRow, columns: tuple[str, ...], cells: tuple[str, ...], words: Words) -> str:
    kind = "parked" if row.parked is not None else "issued" if row.number else "draft"
    drawn = []
    for n, (column, cell) in enumerate(zip(columns, cells, strict=True)):
        text = html.escape(cell)
        if n == 1:
            text = (
                f'<a href="../{html.escape(row.contract.number)}/index.html" '
                f'title="{html.escape(words("view_as"))}">{text}</a>'
            )
        if n == 6:
            text = f'<span class="state {kind}">{text}</span>'
        drawn.append(f'<td data-label="{html.escape(column)}"{" class=n" if 2 < n < 6 else ""}>{text}</td>')
    return f"<tr>{''.join(drawn)}</tr>"


def parked(desk: ClientMonth) -> Panel:
    """Return the customers that could not be billed, with why and what to do."""
    words = Words(desk.client.locale)
    rows = [
        (row.contract.number, row.contract.customer.name, row.parked) for row in desk.rows if row.parked is not None
    ]
    return table(
        "parked",
        words("parked"),
        tuple(words(key) for key in ("contract", "customer", "reason")),
        rows,
        nothing=words("no_parked"),
    )


def findings(desk: ClientMonth) -> Panel:
    """Return what was noticed about the month's data: blocking findings first."""
    words = Words(desk.client.locale)
    order = (Severity.BLOCKING, Severity.WARNING, Severity.INFO)
    found = sorted(
        ((row.contract.number, finding) for row in desk.rows for finding in row.findings),
        key=lambda pair: order.index(pair[1].severity),
    )
    rows = [(words(f"severity.{finding.severity.value}"), contract, finding.message) for contract, finding in found]
    return table(
        "findings",
        words("findings"),
        tuple(words(key) for key in ("severity", "contract", "message")),
        rows,
        nothing=words("no_findings"),
    )


def distributor(desk: ClientMonth) -> Panel:
    """Return the distributor's kWh beside ours, and by how much ours are more."""
    words = Words(desk.client.locale)
    rows = []
    for row in desk.rows:
        if row.distributor_kwh is None or row.kwh is None:
            continue
        more = difference(row.kwh, row.distributor_kwh)
        theirs = row.distributor_kwh
        percent = signed(product(quotient(more, theirs), _HUNDRED), 2) if theirs else MISSING
        rows.append(
            (
                row.contract.customer.name,
                number(row.kwh, 2),
                number(row.distributor_kwh, 2),
                signed(more, 2),
                percent,
            )
        )
    keys = ("customer", "distributor.ours", "distributor.theirs", "distributor.difference", "distributor.percent")
    return table(
        "distributor",
        words("distributor"),
        tuple(words(key) for key in keys),
        rows,
        nothing=words("distributor.none"),
        numeric_from=1,
    )
