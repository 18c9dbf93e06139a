"""A customer's consumption and savings: charts drawn here, and its readings as files."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl
from markupsafe import Markup
from starlette.responses import Response, StreamingResponse

from eisenergy.analytics.savings import Saving
from eisenergy.desk import consumption
from eisenergy.desk.consumption import Supplied
from eisenergy.desk.model import MonthTotals
from eisenergy.desk.workspace import Workspace
from eisenergy.frames import ESTIMATED, MEASURED
from eisenergy.money import total
from eisenergy.period import BillingMonth
from eisenergy.portal import files, ranges
from eisenergy.portal.guard import CUSTOMERS
from eisenergy.portal.pages.customer import HOME
from eisenergy.portal.ranges import BadRange, Range
from eisenergy.portal.routes import NoSuchPage, Routes
from eisenergy.portal.sites import TYPES
from eisenergy.portal.visit import Visit
from eisenergy.portal.words import LOCALES
from eisenergy.publish import usage_charts, usage_files
from eisenergy.publish.captions import Words, money, number
from eisenergy.publish.usage_drawings import Chart
from eisenergy.store import masters
from eisenergy.store.remembered import Remembered

routes: Final = Routes()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request is about.

    :param codes: numbers of the customer's contracts; the one that was chosen, or the first, is in ``known``
    """

    workspace: Workspace
    known: Supplied
    codes: tuple[str, ...]


def _asked(visit: Visit) -> _Asked | None:
    """Return the contract that is asked about, ``None`` for a customer without any. :raises NoSuchPage: for one that is not its"""
    scope, client, code, _ = visit.about()
    found = {entry.number: entry for entry in masters.contracts(visit.context.database, scope, customer=code)}
    wanted = visit.request.query_params.get("contrato", "")
    if wanted and wanted not in found:
        raise NoSuchPage
    if not found:
        return None
    workspace = files.workspace_of(visit)
    contract = found[wanted or min(found)]
    known = consumption.supplied(workspace, scope, client, contract)
    return _Asked(workspace, known, tuple(sorted(found)))


def _range(visit: Visit, asked: _Asked) -> Range:
    """Return the days that are asked for, else the newest month there is something to show of. :raises BadRange: see there"""
    scope, client, _, _ = visit.about()
    today = visit.at.astimezone(ZoneInfo(client.timezone)).date()
    chosen = ranges.asked(visit.request.query_params, today)
    if chosen is not None:
        return chosen
    return ranges.of_month(consumption.newest_month(asked.workspace, scope, asked.known, today))


def _slots(visit: Visit, asked: _Asked, chosen: Range) -> pl.DataFrame:
    scope, client, _, _ = visit.about()
    today = visit.at.astimezone(ZoneInfo(client.timezone)).date()
    return consumption.intervals(asked.workspace, scope, asked.known, chosen.period, today)


@routes.page(f"{HOME}/consumo", CUSTOMERS)
def usage(visit: Visit) -> Response:
    """Show what was taken in some days: by block over time, by month, the peak, and when in the week."""
    scope, client, _, _ = visit.about()
    problem = ""
    with visit.context.database.reading(scope):
        asked = _asked(visit)
        if asked is None:
            return visit.page("usage", client=client, chosen=None, asked=None, problem="", charts=(), figures=None)
        try:
            chosen = _range(visit, asked)
        except BadRange as bad:
            problem = visit.say(bad.key, days=ranges.MOST_DAYS)
            return visit.page(
                "usage", status=422, client=client, chosen=None, asked=asked, problem=problem, charts=(), figures=None
            )
        slots = _slots(visit, asked, chosen)
        history = _history(visit, asked, chosen, slots)
    blocks = consumption.by_block(slots)
    kwh = total(blocks.values())
    charts = _charts(visit, asked, chosen, slots, kwh, history)
    figures = None
    if slots.height:
        figures = {
            "kwh": kwh,
            "blocks": blocks,
            "mean": kwh / slots["day"].n_unique(),
            "estimated": consumption.estimated(slots),
        }
    return visit.page(
        "usage", client=client, chosen=chosen, asked=asked, problem=problem, charts=charts, figures=figures
    )


def _history(visit: Visit, asked: _Asked, chosen: Range, slots: pl.DataFrame) -> tuple[MonthTotals, ...]:
    """The months that end with the last one there is something to show of."""
    scope, known = visit.within()[0], asked.known
    last = BillingMonth(chosen.last.year, chosen.last.month)
    day = slots["day"].max()
    if isinstance(day, date):
        last = BillingMonth(day.year, day.month)
    elif known.issued:
        last = max(known.issued)
    return consumption.months(asked.workspace, scope, known, last, slots)


_DRAWN: Final = Remembered[Markup](256)
"""Charts of intervals, some 50 kB each."""


def _charts(
    visit: Visit,
    asked: _Asked,
    chosen: Range,
    slots: pl.DataFrame,
    kwh: Decimal,
    history: tuple[MonthTotals, ...],
) -> tuple[Markup, ...]:
    scope, client, _, _ = visit.about()
    words, known = Words(LOCALES[visit.language]), asked.known
    contracted = None if known.contract.contracted_kw is None else known.contract.contracted_kw.value
    today = visit.at.astimezone(ZoneInfo(client.timezone)).date()
    same = (consumption.key_of(asked.workspace, scope, known, chosen.period, today), contracted, visit.language)

    def drawn(name: str, draw: Callable[[], Chart]) -> Markup:
        """A chart of nothing but the intervals: drawn once, as long as they are the same."""
        return _DRAWN.get((*same, name), lambda: Markup(draw().html()))

    def energy() -> Chart:
        span = visit.say("usage.span", first=words.day(chosen.first), last=words.day(chosen.last))
        summary = visit.say("usage.sum", kwh=number(kwh, 2), span=span)
        return usage_charts.energy(slots, known.blocks, words, visit.say("usage.energy"), summary)

    found = []
    if slots.height:
        found.append(drawn("energy", energy))
    if history:
        newest = number(total(history[-1].kwh.values()), 2)
        summary = visit.say("usage.month", kwh=newest, month=words.month(history[-1].month))
        if not all(entry.issued for entry in history):
            pale = words("mark.draft")
            summary += f" {pale[0].upper()}{pale[1:]}."
        found.append(Markup(usage_charts.monthly(history, known.blocks, words, summary).html()))
    if slots.height:
        found.append(drawn("peak", lambda: usage_charts.peak(slots, contracted, client.timezone, words)))
        found.append(drawn("heat", lambda: usage_charts.heat(slots, words)))
    return tuple(found)


@routes.page(f"{HOME}/consumo.csv", CUSTOMERS)
def usage_csv(visit: Visit) -> Response:
    """Hand out the readings of some days as CSV."""
    return _download(visit, "csv")


@routes.page(f"{HOME}/consumo.xlsx", CUSTOMERS)
def usage_xlsx(visit: Visit) -> Response:
    """Hand out the readings of some days as a workbook."""
    return _download(visit, "xlsx")


def _download(visit: Visit, kind: str) -> Response:
    code, name = visit.about()[2:]
    asked = _asked(visit)
    if asked is None:
        raise NoSuchPage
    try:
        chosen = _range(visit, asked)
    except BadRange as bad:
        text = visit.say(bad.key, days=ranges.MOST_DAYS)
        return visit.page("error", status=422, title=visit.say("range.title"), text=text)
    contract = asked.known.contract
    keys = (
        "file.local",
        "file.utc",
        "file.kwh",
        "file.kw",
        "file.block",
        "file.quality",
        "file.contract",
        "file.meter",
    )
    sheet = usage_files.Sheet(
        headings=(*(visit.say(key) for key in keys), visit.say("customer")),
        slots=_slots(visit, asked, chosen),
        qualities={MEASURED: visit.say("file.measured"), ESTIMATED: visit.say("file.estimated")},
        contract=contract.number,
        meter=contract.meter.serial,
        customer=name,
    )
    visit.note("SEEN", f"readings of {code}, {contract.number}, {chosen.first} to {chosen.last}, {kind}")
    file = f"consumo-{re.sub(r'[^A-Za-z0-9._-]', '_', contract.number)}-{chosen.first}-{chosen.last}.{kind}"
    if kind == "csv":
        headers = {"Content-Disposition": f'attachment; filename="{file}"'}
        return StreamingResponse(usage_files.csv_pieces(sheet), media_type=TYPES[".csv"], headers=headers)
    path = files.temporary(".xlsx")
    try:
        usage_files.write_xlsx(sheet, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return files.sent_once(path, TYPES[".xlsx"], file)


@routes.page(f"{HOME}/ahorro", CUSTOMERS)
def saved(visit: Visit) -> Response:
    """Show what each month cost against the months before it, and against the first one's price."""
    scope, client, _, _ = visit.about()
    words = Words(LOCALES[visit.language])
    savings: tuple[Saving, ...] = ()
    with visit.context.database.reading(scope):
        asked = _asked(visit)
        if asked is not None:
            known = asked.known
            today = visit.at.astimezone(ZoneInfo(client.timezone)).date()
            last = max(known.issued, default=None) or consumption.newest_month(asked.workspace, scope, known, today)
            savings = consumption.saved(consumption.months(asked.workspace, scope, known, last))
    charts: list[Chart] = []
    if savings:
        newest, first = savings[-1], savings[0]
        currency = client.currency
        charts = [
            usage_charts.savings(savings, currency, words, visit.say("saved.past"), visit.say("saved.past.lead")),
            usage_charts.cumulative(
                savings,
                currency,
                words,
                visit.say("saved.base"),
                visit.say(
                    "saved.base.lead",
                    month=words.month(first.month),
                    price=number(first.price_per_kwh, 4),
                    currency=currency,
                    amount=money(newest.cumulative, currency),
                ),
            ),
        ]
    return visit.page(
        "saved",
        client=client,
        asked=asked,
        newest=savings[-1] if savings else None,
        first=savings[0] if savings else None,
        zero=Decimal(0),
        charts=tuple(Markup(chart.html()) for chart in charts),
    )
