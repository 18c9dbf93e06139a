"""What an operator sees: all customers, all months, the operator's site; and a customer's view, to look through its eyes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from markupsafe import Markup
from starlette.responses import Response

from eisenergy.portal import sites
from eisenergy.portal.guard import ONESELF_OR_VIEW, OPERATORS
from eisenergy.portal.routes import Routes
from eisenergy.portal.visit import Visit
from eisenergy.portal.words import LOCALES
from eisenergy.publish import portfolio_charts
from eisenergy.publish.captions import Words, money, number
from eisenergy.publish.portfolio_charts import MonthSum
from eisenergy.store import audit, listing, sessions, stages
from eisenergy.store.stages import Stage

routes: Final = Routes()
HOME: Final = "/c/{client}"
PAGE: Final = 50


@routes.page(HOME, OPERATORS)
def home(visit: Visit) -> Response:
    """Show customers and months of the client."""
    scope, client = visit.within()
    search, after = visit.search, visit.first
    database = visit.context.database
    with database.reading(scope):
        count, customers = listing.customers(database, scope, search=search, limit=PAGE, after=after)
        months = stages.stages(database, scope)
        health = stages.health(database, scope, months[0].month) if months else None
    return visit.page(
        "operator",
        client=client,
        newest=months[0] if months else None,
        health=health,
        charts=_charts(visit, months),
        search=search,
        count=count,
        customers=customers,
        first=after,
        size=PAGE,
        months=months,
        published=sites.months_of(sites.site_folder(visit, None)),
    )


def _charts(visit: Visit, months: Sequence[Stage]) -> tuple[Markup, ...]:
    """Energy and money of all customers by month; nothing where there is neither draft nor invoice."""
    shown = [
        MonthSum(month=one.month, kwh=one.kwh, total=one.total, final=not one.drafts)
        for one in reversed(months)
        if one.drafts or one.issued
    ]
    if not shown:
        return ()
    _, client = visit.within()
    words, last = Words(LOCALES[visit.language]), shown[-1]
    pale = "" if all(one.final for one in shown) else f" {visit.say('overview.pale')}"
    month = words.month(last.month)
    energy = visit.say("overview.energy.said", kwh=number(last.kwh), month=month) + pale
    paid = visit.say("overview.money.said", total=money(last.total, client.currency), month=month) + pale
    charts = (
        portfolio_charts.energy(shown, words, visit.say("overview.energy"), energy),
        portfolio_charts.money(shown, client.currency, words, visit.say("overview.money"), paid),
    )
    return tuple(Markup(chart.html()) for chart in charts)


@routes.page(f"{HOME}/sitio/{{path:path}}", OPERATORS)
def site(visit: Visit) -> Response:
    """Serve a file of the operator's site."""
    path = str(visit.request.path_params["path"])
    file = sites.inside(sites.site_folder(visit, None), path)
    if file.suffix.lower() in sites.DOCUMENTS:
        visit.note("SEEN", f"operator/{path or 'index.html'}")
    return sites.serve(visit, file)


@routes.action(f"{HOME}/clientes/{{customer}}/ver", OPERATORS)
def view_as(visit: Visit) -> Response:
    """Take a customer's view: its pages, its rights, nothing to change."""
    _, client, code, name = visit.about()
    assert visit.token is not None
    with visit.context.database.signing_in() as connection:
        sessions.view_as(connection, visit.token, (client.code, code))
        audit.write(connection, client.code, visit.actor, visit.at, "VIEW_AS", f"{code} {name}")
    return visit.go(f"/c/{quote(client.code)}/clientes/{quote(code)}")


@routes.action("/vista/terminar", ONESELF_OR_VIEW)
def view_end(visit: Visit) -> Response:
    """Leave a customer's view."""
    assert visit.session is not None
    assert visit.token is not None
    if visit.session.view is None:
        return visit.go("/")
    client, customer = visit.session.view
    with visit.context.database.signing_in() as connection:
        sessions.view_as(connection, visit.token, None)
        audit.write(connection, client, visit.actor, visit.at, "VIEW_END", customer)
    return visit.go(f"/c/{quote(client)}")
