"""The panels of a customer's pages: key figures, last invoice, list of invoices, estimated readings."""

from __future__ import annotations

import html
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from eisenergy.analytics.savings import Saving
from eisenergy.desk import CustomerMonth
from eisenergy.money import total
from eisenergy.publish import texts
from eisenergy.publish.captions import Words, money, number
from eisenergy.publish.charts import energy_change, signed
from eisenergy.publish.figure import Data
from eisenergy.publish.panel import KeyFigure, Panel, head, table, tiles

MISSING: Final = "—"


def greeting(desk: CustomerMonth) -> Panel:
    """Return the page's head: whose it is, which meter, which month."""
    words = Words(desk.client.locale)
    customer, meter = desk.contract.customer, desk.contract.meter
    place = words("meter_of", meter=meter.serial, node=meter.site.node)
    return head(
        "greeting",
        _capital(words.month(desk.month)),
        customer.name,
        f"{words('contract')} {desk.contract.number} · {place}",
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def key_figures(desk: CustomerMonth) -> Panel:
    """Return the month in figures: what to pay, energy, demand, price, savings."""
    words = Words(desk.client.locale)
    bill = desk.bill
    saving = next((saving for saving in desk.savings if saving.month == desk.month), None)
    figures = [
        KeyFigure(
            name=words("total_due"),
            value=number(bill.total, 2),
            unit=bill.currency,
            remark=words("pay_before", day=words.day(desk.invoice.due_on)) if desk.invoice else words("draft"),
        ),
        KeyFigure(name=words("energy"), value=number(bill.kwh), unit="kWh", remark=_energy_remark(desk, words)),
        KeyFigure(
            name=words("max_demand"),
            value=number(max(block.max_kw for block in bill.blocks), 1),
            unit="kW",
            remark=_indicator(words("load_factor"), bill.indicators.load_factor),
        ),
        KeyFigure(
            name=words("price"),
            value=MISSING if bill.indicators.price_per_kwh is None else number(bill.indicators.price_per_kwh, 4),
            unit=f"{bill.currency}/kWh",
            remark=_indicator(words("power_factor"), bill.indicators.power_factor),
        ),
        *_savings_figures(saving, words, bill.currency),
    ]
    return tiles("key-figures", "", figures, (words("this_month"), words.month(desk.month)))


def _against_last_year(desk: CustomerMonth, words: Words) -> str:
    last = desk.month.plus(-12)
    now = next((row for row in desk.history if row.month == desk.month), None)
    before = next((row for row in desk.history if row.month == last), None)
    change = None if now is None or before is None else energy_change(now, before)
    return "" if change is None else words("change_year", change=signed(change), month=words.short_month(last))


def _energy_remark(desk: CustomerMonth, words: Words) -> str:
    fed_in = total(block.kwh_export for block in desk.bill.blocks)
    shown = words("fed_in", kwh=number(fed_in)) if fed_in else ""
    return " · ".join(filter(None, (_against_last_year(desk, words), shown)))


def _indicator(name: str, value: Decimal | None) -> str:
    return "" if value is None else f"{name} {number(value, 2)}"


def _savings_figures(saving: Saving | None, words: Words, currency: str) -> list[KeyFigure]:
    if saving is None:
        return []
    key, amount = (
        ("against_last_year.short", saving.against_last_year)
        if saving.against_last_year is not None
        else ("against_previous.short", saving.against_previous)
    )
    return [
        KeyFigure(
            name=words(key),
            value=MISSING if amount is None else number(amount, 2),
            unit="" if amount is None else currency,
            remark=words("saved.none")
            if amount is None
            else words("saved.cumulative", amount=money(saving.cumulative, currency)),
        )
    ]


def last_invoice(desk: CustomerMonth) -> Panel:
    """Return the card of the month's invoice with its links, relative to the site's first page."""
    words = Words(desk.client.locale)
    where = f"{desk.month}/"
    invoice = desk.invoice
    title = f"{words('invoice')} {invoice.number}" if invoice else words("draft")
    when = words("pay_before", day=words.day(invoice.due_on)) if invoice else words("draft.note")
    body = (
        f'<div class="due"><div><span class="name">{html.escape(words("total_due"))}</span>'
        f'<span class="amount">{html.escape(money(desk.bill.total, desk.bill.currency))}</span>'
        f'<span class="when">{html.escape(when)}</span></div><div class="actions">'
        f'<a class="button" href="{where}invoice.html">{html.escape(words("view"))}</a>'
        f'<a class="button quiet" href="{where}invoice.pdf" download>{html.escape(words("pdf"))}</a>'
        f'<a class="button quiet" href="{where}dashboard.html">{html.escape(words("see_dashboard"))}</a></div></div>'
    )
    return Panel(
        name="last-invoice",
        title=title,
        body=body,
        data=Data(
            columns=(title, desk.bill.currency), rows=((words("total_due"), number(desk.bill.total, 2)), (when, ""))
        ),
        plain=f"{title}: {money(desk.bill.total, desk.bill.currency)}. {when}",
    )


def invoice_list(desk: CustomerMonth) -> Panel:
    """Return the customer's issued invoices, newest first, with links to page and PDF."""
    words = Words(desk.client.locale)
    listed = sorted(desk.invoices, key=lambda line: line.month, reverse=True)
    columns = tuple(words(key) for key in ("number", "month", "issued_on", "due_on", "energy", "total"))
    rows = tuple(
        (
            line.number,
            words.month(line.month),
            words.day(line.issued_on),
            words.day(line.due_on),
            f"{number(line.kwh, 0)} kWh",
            money(line.total, desk.bill.currency),
        )
        for line in listed
    )
    heading = "".join(
        f"<th{' class=n' if n > 3 else ''}>{html.escape(column)}</th>"
        for n, column in enumerate((*columns, words("documents")))
    )
    lines = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{html.escape(column)}"{" class=n" if n > 3 else ""}>{html.escape(cell)}</td>'
            for n, (column, cell) in enumerate(zip(columns, row, strict=True))
        )
        + f'<td class="documents n" data-label="{html.escape(words("documents"))}">'
        + f'<a href="{line.month}/invoice.html">{html.escape(words("invoice"))}</a> '
        + f'<a href="{line.month}/invoice.pdf" download>PDF</a> '
        + f'<a href="{line.month}/dashboard.html">{html.escape(words("dashboard"))}</a></td></tr>'
        for line, row in zip(listed, rows, strict=True)
    )
    body = (
        f'<table class="stacked"><thead><tr>{heading}</tr></thead><tbody>{lines}</tbody></table>'
        if rows
        else f'<p class="note">{html.escape(words("no_invoices"))}</p>'
    )
    return Panel(
        name="invoices",
        title=words("invoices"),
        body=body,
        data=Data(columns=columns, rows=rows),
        plain="; ".join(f"{row[0]} {row[1]} {row[5]}" for row in rows) or words("no_invoices"),
        numeric=frozenset({4, 5}),
    )


def month_links(desk: CustomerMonth, *, here: str = "") -> Panel:
    """Return the documents of the month, for the foot of its pages.

    :param here: the page they stand on, which is not linked: ``invoice`` or ``dashboard``
    """
    words = Words(desk.client.locale)
    links = (
        ("invoice.html", "view", False),
        ("invoice.pdf", "pdf", True),
        ("dashboard.html", "see_dashboard", False),
        ("dashboard.pdf", "dashboard.pdf", True),
    )
    body = "".join(
        f'<a class="button quiet" href="{file}"{" download" if load else ""}>{html.escape(words(key))}</a>'
        for file, key, load in links
        if file != f"{here}.html"
    )
    return Panel(
        name="documents",
        title="",
        body=f'<div class="actions">{body}</div>',
        data=Data(columns=(words("documents"),), rows=tuple((words(key),) for _, key, _ in links)),
        plain=" · ".join(words(key) for _, key, _ in links),
        printed="",
    )


def estimates(desk: CustomerMonth) -> Panel:
    """Return the ranges that were billed on estimates, with how they were filled."""
    words = Words(desk.client.locale)
    zone = ZoneInfo(desk.bill.timezone)
    columns = tuple(words(key) for key in ("from", "to", "method", "slots", "energy"))
    rows = tuple(
        (
            f"{words.day(run.start.astimezone(zone).date())} {run.start.astimezone(zone):%H:%M}",
            f"{words.day(run.end.astimezone(zone).date())} {run.end.astimezone(zone):%H:%M}",
            texts.method_name(run.method, desk.client.locale),
            number(run.slots),
            f"{number(run.kwh, 2)} kWh",
        )
        for run in desk.bill.estimated
    )
    return table("estimates", words("estimated_ranges"), columns, rows, nothing=words("all_measured"), numeric_from=3)
