"""What a customer sees: the first page, the invoices with their PDF, and the published site of its months."""

from __future__ import annotations

import logging
from datetime import date
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from starlette.responses import FileResponse, Response

from eisenergy.accounts import OutOfScope
from eisenergy.desk import exporting
from eisenergy.portal import files, sites
from eisenergy.portal.guard import CUSTOMERS, OPERATOR_ROLES
from eisenergy.portal.routes import NoSuchPage, Routes
from eisenergy.portal.visit import Visit
from eisenergy.portal.words import LOCALES
from eisenergy.portal.workshop import NotMade
from eisenergy.store import listing
from eisenergy.store.listing import InvoiceLine, MonthLine

routes: Final = Routes()
HOME: Final = "/c/{client}/clientes/{customer}"
_log: Final = logging.getLogger(__name__)
_A_YEAR: Final = 12
_RECENT: Final = 3


@routes.page(HOME, CUSTOMERS)
def home(visit: Visit) -> Response:
    """Show the last invoice, this month's energy against the last, and where to look further."""
    scope, client, code, _ = visit.about()
    months = listing.months(visit.context.database, scope)
    invoices = listing.invoices(visit.context.database, scope, code)
    return visit.page(
        "customer",
        client=client,
        last=invoices[0] if invoices else None,
        recent=invoices[:_RECENT],
        month=months[0] if months else None,
        before=_before(months),
        change=_change(months),
        year=sum((month.total for month in months[:_A_YEAR]), Decimal(0)),
        published=sites.months_of(sites.site_folder(visit, code)),
        today=_today(visit),
    )


def _today(visit: Visit) -> date:
    """The day at the seller's."""
    return visit.at.astimezone(ZoneInfo(visit.within()[1].timezone)).date()


def _before(months: tuple[MonthLine, ...]) -> MonthLine | None:
    """The month before the newest, where it was billed."""
    return next((line for line in months[1:2] if line.month == months[0].month.plus(-1)), None)


def _change(months: tuple[MonthLine, ...]) -> Decimal | None:
    """Energy of the newest month against the one before [%]."""
    before = _before(months)
    return None if before is None or not before.kwh else (months[0].kwh / before.kwh - 1) * 100


@routes.page(f"{HOME}/facturas", CUSTOMERS)
def invoices(visit: Visit) -> Response:
    """List the invoices."""
    scope, client, code, _ = visit.about()
    return visit.page(
        "invoices",
        client=client,
        invoices=listing.invoices(visit.context.database, scope, code),
        published=sites.months_of(sites.site_folder(visit, code)),
        today=_today(visit),
    )


@routes.page(f"{HOME}/facturas/{{number}}.pdf", CUSTOMERS)
def invoice_pdf(visit: Visit) -> Response:
    """Hand out an invoice's PDF, as it was published."""
    invoice = _invoice(visit)
    folder = sites.site_folder(visit, visit.about()[2])
    file = sites.invoice_pdf(folder, str(invoice.month), invoice.number)
    if file is None:
        text = visit.say("not_published.text", number=invoice.number, name=visit.about()[1].name)
        return visit.page("error", status=404, title=visit.say("not_published.title"), text=text)
    visit.note("SEEN", f"invoice {invoice.number}")
    return sites.serve(visit, file, download=f"{invoice.number}.pdf")


@routes.page(f"{HOME}/facturas/{{number}}.xlsx", CUSTOMERS)
def invoice_xlsx(visit: Visit) -> Response:
    """Hand out an invoice as a live workbook of what it was billed with; made when somebody first asks, beside the requests, and kept."""
    invoice = _invoice(visit)
    scope, _, code, _ = visit.about()
    locale = LOCALES[visit.language]
    sites.site_folder(visit, code)  # refuses codes that cannot name a folder
    path = exporting.kept_at(visit.context.settings, scope, code, invoice.number, invoice.input_hash, locale)
    shop, environment = visit.context.workshop, files.workspace_of(visit).environment()
    try:
        there = shop.has(
            path,
            lambda out: shop.apart(exporting.export_apart, environment, scope, invoice.number, out, locale),
            (scope.client, code),
        )
    except NotMade as problem:
        _log.warning("invoice %s of %s: no workbook: %s", invoice.number, scope.client, problem)
        said = visit.say("export.failed"), visit.say("export.failed.text")
        return visit.page("error", status=409, title=said[0], text=said[1])
    if not there:
        return visit.page("making", status=202, name=f"{invoice.number}.xlsx")
    visit.note("SEEN", f"invoice {invoice.number}, workbook")
    return FileResponse(path, media_type=sites.TYPES[".xlsx"], filename=f"{invoice.number}.xlsx")


def _invoice(visit: Visit) -> InvoiceLine:
    """Return the invoice in the path.

    :raises OutOfScope: to a customer, who learns nothing about numbers that are not its own
    :raises NoSuchPage: to an operator
    """
    scope, _, code, _ = visit.about()
    number = str(visit.request.path_params["number"])
    found = listing.invoices(visit.context.database, scope, code, number=number)
    if found:
        return found[0]
    if scope.role in OPERATOR_ROLES:
        raise NoSuchPage
    raise OutOfScope(f"invoice {number} is outside the scope of this call")


@routes.page(f"{HOME}/sitio/{{path:path}}", CUSTOMERS)
def site(visit: Visit) -> Response:
    """Serve a file of the published site, to its owner and its operators."""
    path = str(visit.request.path_params["path"])
    code = visit.about()[2]
    file = sites.inside(sites.site_folder(visit, code), path)
    if file.suffix.lower() in sites.DOCUMENTS:
        visit.note("SEEN", f"{code}/{path or 'index.html'}")
    return sites.serve(visit, file)
