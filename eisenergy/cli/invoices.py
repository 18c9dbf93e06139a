"""Commands for issued invoices, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from eisenergy.cli.context import Json, guarded, month_of, workspace_of
from eisenergy.cli.output import LISTED, emit, out, say, say_more, table
from eisenergy.ledger.explain import explain as derivation
from eisenergy.ledger.explain import render
from eisenergy.ledger.invoices import Invoice
from eisenergy.store import books
from eisenergy.store.books import Head

invoices_app = typer.Typer(help="Issued invoices.", no_args_is_help=True)


@invoices_app.command("list")
@guarded
def invoices_list(
    context: typer.Context,
    month: Annotated[str | None, typer.Option(help="Only of this month, for example 2021-09.")] = None,
    customer: Annotated[str | None, typer.Option("--customer", "-c", help="Only of this customer.")] = None,
    json: Json = False,
) -> None:
    """List issued invoices: as a table the first 500, with --json all of them."""
    with workspace_of(context) as (workspace, scope):
        found = books.heads(workspace.database, scope, None if month is None else month_of(month), customer=customer)
    if json:
        emit({"invoices": [head_json(head) for head in found]})
    else:
        show_heads("Invoices", found)


@invoices_app.command("show")
@guarded
def invoices_show(context: typer.Context, number: str, json: Json = False) -> None:
    """Show an issued invoice: its lines with exact and rounded amounts."""
    with workspace_of(context) as (workspace, scope):
        invoice = books.invoice(workspace.database, scope, number)
    lines = invoice.bill.lines
    if json:
        emit(
            {
                **invoice_json(invoice),
                "lines": [
                    {"code": line.code.value, "exact": line.exact, "amount": line.amount, "formula": line.formula}
                    for line in lines
                ],
            }
        )
        return
    say(
        f"[bold]{invoice.number}[/]  {escape(invoice.bill.contract.customer.name)}  {invoice.month}  input {invoice.input_hash[:12]}"
    )
    table(
        f"issued {invoice.issued_on}, due {invoice.due_on}",
        ["line", "quantity", "unit", "exact", "amount"],
        [[line.code.value, line.quantity, line.unit, line.exact, f"{line.amount:,.2f}"] for line in lines],
        right=["quantity", "exact", "amount"],
    )


@invoices_app.command("explain")
@guarded
def invoices_explain(context: typer.Context, number: str, json: Json = False) -> None:
    """Derive every line of an invoice down to rates with their dates and cells, and readings with their files."""
    with workspace_of(context) as (workspace, scope):
        explanation = derivation(books.invoice(workspace.database, scope, number))
    if json:
        emit({"number": number, "explanation": render(explanation).splitlines()})
    else:
        out.print(render(explanation), markup=False, highlight=False, soft_wrap=True)


def show_heads(title: str, found: Sequence[Head]) -> None:
    """Print a table of invoices."""
    table(
        title,
        ["invoice", "contract", "customer", "month", "kWh", "due", "total"],
        [
            [head.number, head.contract, head.name, head.month, f"{head.kwh:,.2f}", head.due_on, f"{head.total:,.2f}"]
            for head in found[:LISTED]
        ],
        right=["kWh", "total"],
    )
    say_more(found, "invoices", LISTED)


def head_json(head: Head) -> dict[str, Any]:
    """Return the same as :func:`invoice_json`, without reading the invoice."""
    return {
        "number": head.number,
        "contract": head.contract,
        "customer": head.name,
        "month": str(head.month),
        "kwh": head.kwh,
        "total": head.total,
        "issued_on": head.issued_on,
        "due_on": head.due_on,
        "input_hash": head.input_hash,
    }


def invoice_json(invoice: Invoice) -> dict[str, Any]:
    """Return the head of an invoice as JSON types."""
    return {
        "number": invoice.number,
        "contract": invoice.bill.contract.number,
        "customer": invoice.bill.contract.customer.name,
        "month": str(invoice.month),
        "kwh": invoice.bill.kwh,
        "total": invoice.bill.total,
        "issued_on": invoice.issued_on,
        "due_on": invoice.due_on,
        "input_hash": invoice.input_hash,
    }
