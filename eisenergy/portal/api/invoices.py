"""Issued invoices: a customer's list, one with its lines, its PDF."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from starlette.responses import Response

from eisenergy.accounts import OutOfScope
from eisenergy.ledger.invoices import Invoice
from eisenergy.portal import sites
from eisenergy.portal.api.call import Answer, Call
from eisenergy.portal.api.operations import CURSOR, Operations, limit
from eisenergy.portal.api.problems import Problem
from eisenergy.portal.guard import OPERATOR_ROLES, OWN
from eisenergy.portal.routes import NoSuchPage
from eisenergy.store import books, listing
from eisenergy.store.books import NoInvoice

operations: Final = Operations("Invoices")
PDF: Final = "application/pdf"


@operations.read(
    "/v1/customers/{customer}/invoices",
    OWN,
    "List a customer's invoices",
    given={200: ("InvoicePage", "A page of the list")},
    query={"limit": limit(100, 1000), "cursor": CURSOR},
)
def list_invoices(call: Call) -> Answer:
    """List the issued invoices of a customer, the newest month first."""
    place, most = call.place(), call.query["limit"]
    rows = listing.invoices(
        call.context.database,
        call.within(),
        call.about(),
        limit=most + 1,
        before=None if place is None else (str(place[0]), int(place[1])),
    )
    items = [
        {
            "number": row.number,
            "month": str(row.month),
            "contract": row.contract,
            "issued_on": row.issued_on.isoformat(),
            "due_on": row.due_on.isoformat(),
            "kwh": float(row.kwh),
            "total": f"{row.total:f}",
            "currency": row.currency,
        }
        for row in rows[:most]
    ]
    last = rows[most - 1] if len(rows) > most else None
    return call.page(items, None if last is None else [str(last.month), last.sequence])


@operations.read("/v1/invoices/{number}", OWN, "Show an invoice", given={200: ("Invoice", "The invoice")})
def show_invoice(call: Call) -> Answer:
    """Show an issued invoice: its lines with exact and rounded amounts, and what it prints of each block."""
    invoice = _invoice(call)
    call.note("SEEN", f"invoice {invoice.number}, interface")
    return Answer(body=_shown(call, invoice))


@operations.read(
    "/v1/invoices/{number}.pdf",
    OWN,
    "Fetch an invoice's PDF",
    given={200: ("", "The PDF, as it was published")},
    kind=PDF,
)
def fetch_invoice_pdf(call: Call) -> Response:
    """Fetch the PDF of an issued invoice, as it was published; 404 until its month was."""
    invoice = _invoice(call)
    file = None
    try:
        folder = sites.folder_of(call.context, call.within().client, invoice.bill.contract.customer.code)
        file = sites.invoice_pdf(folder, str(invoice.month), invoice.number)
    except NoSuchPage:
        pass
    if file is None:
        raise Problem("not-published", f"Invoice {invoice.number} has no PDF yet: its month is to be published first.")
    call.note("SEEN", f"invoice {invoice.number}")
    return sites.document(call.context, file, f"{invoice.number}.pdf")


def _invoice(call: Call) -> Invoice:
    """Return the invoice in the path.

    :raises OutOfScope: to a customer, who learns nothing about numbers that are not its own
    :raises NoInvoice: to an operator
    """
    number = str(call.request.path_params["number"])
    try:
        return books.invoice(call.context.database, call.within(), number)
    except NoInvoice:
        if call.within().role in OPERATOR_ROLES:
            raise
        raise OutOfScope(f"invoice {number} is outside the scope of this call") from None


def _shown(call: Call, invoice: Invoice) -> dict[str, Any]:
    bill = invoice.bill
    start, end = (call.local(at) for at in bill.period.utc(bill.timezone))
    return {
        "number": invoice.number,
        "month": str(invoice.month),
        "contract": bill.contract.number,
        "issued_on": invoice.issued_on.isoformat(),
        "due_on": invoice.due_on.isoformat(),
        "kwh": float(bill.kwh),
        "total": f"{bill.total:f}",
        "currency": bill.currency,
        "customer": bill.contract.customer.code,
        "name": bill.contract.customer.name,
        "meter": bill.contract.meter.serial,
        "tariff": bill.tariff,
        "start": start,
        "end": end,
        "issued_at": call.local(invoice.issued_at),
        "input_hash": invoice.input_hash,
        "lines": [
            {
                "code": line.code.value,
                "quantity": _number(line.quantity),
                "unit": line.unit,
                "rate": None if line.rate is None else f"{line.rate:f}",
                "exact": f"{line.exact:f}",
                "amount": f"{line.amount:f}",
            }
            for line in bill.lines
        ],
        "blocks": [
            {
                "block": block.block,
                "kwh": float(block.kwh),
                "energy_amount": f"{block.energy_amount:f}",
                "max_kw": float(block.max_kw),
                "max_kw_at": None if block.max_kw_at is None else call.local(block.max_kw_at),
                "intervals": block.slots,
                "estimated": block.estimated,
            }
            for block in bill.blocks
        ],
        "estimated": sum(block.estimated for block in bill.blocks),
        "pdf": f"/v1/invoices/{invoice.number}.pdf",
    }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
