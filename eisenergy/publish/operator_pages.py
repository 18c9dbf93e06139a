"""The operator's panels: all customers of one month. The charts are in ``operator_charts``, the list in ``customer_list``."""

from __future__ import annotations

from decimal import Decimal

from eisenergy.desk import ClientMonth
from eisenergy.findings import Severity
from eisenergy.money import difference, product, quotient, total
from eisenergy.publish.captions import Words, number
from eisenergy.publish.charts import signed
from eisenergy.publish.pages import MISSING
from eisenergy.publish.panel import FIRST, KeyFigure, Panel, head, table, tiles

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
        rows[:FIRST],
        nothing=words("no_parked"),
        note=_first(len(rows), words),
    )


def findings(desk: ClientMonth) -> Panel:
    """Return what was noticed about the month's data: blocking findings first."""
    words = Words(desk.client.locale)
    order = (Severity.BLOCKING, Severity.WARNING, Severity.INFO)
    found = sorted(
        ((row.contract.number, finding) for row in desk.rows for finding in row.findings),
        key=lambda pair: order.index(pair[1].severity),
    )
    rows = [
        (words(f"severity.{finding.severity.value}"), contract, finding.message) for contract, finding in found[:FIRST]
    ]
    return table(
        "findings",
        words("findings"),
        tuple(words(key) for key in ("severity", "contract", "message")),
        rows,
        nothing=words("no_findings"),
        note=_first(len(found), words),
    )


def distributor(desk: ClientMonth) -> Panel:
    """Return the distributor's kWh beside ours, and by how much ours are more; of many the largest differences."""
    words = Words(desk.client.locale)
    compared = [
        (row.contract.customer.name, row.kwh, row.distributor_kwh)
        for row in desk.rows
        if row.distributor_kwh is not None and row.kwh is not None
    ]
    count = len(compared)
    if count > FIRST:
        compared.sort(key=lambda one: abs(difference(one[1], one[2])), reverse=True)
    rows = []
    for name, ours, theirs in compared[:FIRST]:
        more = difference(ours, theirs)
        percent = signed(product(quotient(more, theirs), _HUNDRED), 2) if theirs else MISSING
        rows.append((name, number(ours, 2), number(theirs, 2), signed(more, 2), percent))
    keys = ("customer", "distributor.ours", "distributor.theirs", "distributor.difference", "distributor.percent")
    return table(
        "distributor",
        words("distributor"),
        tuple(words(key) for key in keys),
        rows,
        nothing=words("distributor.none"),
        note=_first(count, words),
        numeric_from=1,
    )


def _first(count: int, words: Words) -> str:
    """What is said below a table that has room for the first rows only."""
    return words("list.first", shown=FIRST, count=number(count)) if count > FIRST else ""
