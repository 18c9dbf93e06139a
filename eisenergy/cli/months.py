"""Commands for a month: bill, issue, publish, run; and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.markup import escape

from eisenergy.accounts import Scope
from eisenergy.cli import documents
from eisenergy.cli.context import Customers, Json, Month, guarded, month_of, workspace_of
from eisenergy.cli.invoices import head_json, show_heads
from eisenergy.cli.output import LISTED, TOLD, Exit, emit, names, progress, say, say_more, show_findings, table
from eisenergy.cli.publishing import made_json, publish_month, show_made, workers_elsewhere
from eisenergy.desk.overview import operator_rows
from eisenergy.desk.workspace import Workspace
from eisenergy.findings import Severity
from eisenergy.ledger.invoices import Invoice
from eisenergy.money import difference
from eisenergy.period import BillingMonth
from eisenergy.run.chosen import chosen_contracts
from eisenergy.store import books, masters

if TYPE_CHECKING:  # what bills is loaded when there is something to bill
    from eisenergy.run import month as months

IssuedOn = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Date printed on the invoices; default: today, where the seller is."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="tcp://HOST:PORT",
        help="Have the documents made by the workers of this dask scheduler, on any number of machines, instead of here. "
        "Start it with `dask scheduler` and, in the project's folder of each machine, `dask worker tcp://HOST:PORT`. Machines "
        "must share the workspace's folder, the database (EISENERGY_DATABASE_URL) and the readings (EISENERGY_LAKE). "
        "[EISENERGY_SCHEDULER]",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Make the documents again even where nothing has changed.")]


@guarded
def bill(context: typer.Context, month: Month, customer: Customers = None, json: Json = False) -> None:
    """Draft the month's bills: nothing is final, look at them, correct, bill again.

    Whoever cannot be billed is parked with a sentence that says why; the others go on.
    """
    with workspace_of(context) as (workspace, scope):
        report = _bill(workspace, scope, month_of(month), customer)
        called = _names(workspace, scope) if report.parked else {}
        said = _billed_json(report) if json else {}  # reads the bills
    if json:
        emit(said)
    else:
        table(
            f"Drafts of {report.month}",
            ["contract", "customer", "kWh", "max kW", "estimated", "total"],
            [
                [
                    entry.contract,
                    entry.name,
                    f"{entry.kwh:,.2f}",
                    f"{entry.max_kw:,.2f}",
                    entry.estimated or "",
                    f"{entry.total:,.2f}",
                ]
                for entry in report.entries[:LISTED]
            ],
            right=["kWh", "max kW", "estimated", "total"],
        )
        say_more(report.entries, "drafts", LISTED)
        _show_parked(report.parked, called)
        if report.issued:
            say(f"issued already, left alone: {names(report.issued)}")
        if report.not_in_force:
            say(f"not in force in {report.month}: {names(report.not_in_force)}")
    if report.parked:
        raise typer.Exit(Exit.PARTLY)


@guarded
def issue(
    context: typer.Context, month: Month, customer: Customers = None, issued_on: IssuedOn = None, json: Json = False
) -> None:
    """Number and post the month's drafts. Numbers have no gaps; an issued invoice never changes.

    Run it twice, or twice at once, and nothing doubles. A draft whose readings or rates have changed since is held back.
    """
    with workspace_of(context) as (workspace, scope):
        report = _issue(workspace, scope, month_of(month), customer, issued_on, verify=True)
    if json:
        emit(
            {
                "month": str(report.month),
                "issued": [head_json(head) for head in report.heads],
                "already": [head_json(head) for head in report.heads_before],
                "stale": list(report.stale),
            }
        )
    else:
        show_heads(f"Issued for {report.month}", report.heads)
        if report.already:
            say(f"{len(report.already)} were issued before and stay as they are")
        show_findings(report.stale[:TOLD])
        say_more(report.stale, "drafts held back")
    if report.stale:
        raise typer.Exit(Exit.PARTLY)


@guarded
def publish(
    context: typer.Context,
    month: Month,
    customer: Customers = None,
    force: Force = False,
    scheduler: Scheduler = None,
    json: Json = False,
) -> None:
    """Execute the month's notebooks and publish each customer's site and the operator's: pages and PDFs.

    What is there and not stale is kept. With `quarto` on the PATH it renders them, otherwise the embedded renderer does.
    """
    with workspace_of(context, scheduler) as (workspace, scope), workers_elsewhere(workspace) as elsewhere:
        made = publish_month(workspace, scope, month_of(month), customer, force, elsewhere)
    if json:
        emit({"sites": [made_json(one) for one in made]})
    else:
        show_made(made)
    if any(one.error for one in made):
        raise typer.Exit(Exit.PARTLY)


@guarded
def run(
    context: typer.Context,
    month: Month,
    customer: Customers = None,
    issued_on: IssuedOn = None,
    force: Force = False,
    scheduler: Scheduler = None,
    json: Json = False,
) -> None:
    """Bill, issue and publish a month. Interrupted at any moment, the same command completes it."""
    with workspace_of(context, scheduler) as (workspace, scope):
        billed, issued, made = run_month(workspace, scope, month_of(month), customer, issued_on, force=force)
        everybody = books.heads(workspace.database, scope, billed.month)
        called = _names(workspace, scope) if billed.parked else {}
        said = _billed_json(billed, issued.issued) if json else {}  # reads the bills
    if json:
        emit(
            {
                **said,
                "invoices": [head_json(head) for head in everybody],
                "new": [head.number for head in issued.heads],
                "sites": [made_json(one) for one in made],
            }
        )
    else:
        show_heads(f"Invoices of {billed.month}", everybody)
        _show_parked(billed.parked, called)
        show_made(made)
    if billed.parked or issued.stale or any(one.error for one in made):
        raise typer.Exit(Exit.PARTLY)


@guarded
def reconcile(context: typer.Context, month: Month, json: Json = False) -> None:
    """Compare our kWh with the distributor's report, customer by customer."""
    with workspace_of(context) as (workspace, scope):
        chosen = month_of(month)
        rows = operator_rows(workspace, scope, masters.client(workspace.database, scope), chosen)
    compared = [
        {
            "contract": row.contract.number,
            "customer": row.contract.customer.name,
            "meter": row.contract.meter.serial,
            "kwh": row.kwh,
            "distributor_kwh": row.distributor_kwh,
            "difference": None
            if row.kwh is None or row.distributor_kwh is None
            else difference(row.kwh, row.distributor_kwh),
            "estimated": row.estimated,
        }
        for row in rows
    ]
    if json:
        emit({"month": str(chosen), "rows": compared})
        return
    table(
        f"Our kWh and the distributor's, {chosen}",
        ["contract", "customer", "meter", "ours", "distributor's", "difference", "estimated slots"],
        [
            [
                row["contract"],
                row["customer"],
                row["meter"],
                *(None if row[key] is None else f"{row[key]:,.3f}" for key in ("kwh", "distributor_kwh", "difference")),
                row["estimated"] or "",
            ]
            for row in compared[:LISTED]
        ],
        right=["ours", "distributor's", "difference", "estimated slots"],
    )
    say_more(compared, "contracts", LISTED)


def run_month(
    workspace: Workspace,
    scope: Scope,
    month: BillingMonth,
    customers: Collection[str] | None,
    issued_on: datetime | None,
    *,
    force: bool = False,
) -> tuple[months.BillReport, months.IssueReport, list[documents.Made]]:
    """Bill, issue and publish, with progress on standard error."""
    with workers_elsewhere(workspace) as elsewhere:
        billed = _bill(workspace, scope, month, customers)
        issued = _issue(workspace, scope, month, customers, issued_on, verify=False)
        return billed, issued, publish_month(workspace, scope, month, customers, force, elsewhere)


def _bill(
    workspace: Workspace, scope: Scope, month: BillingMonth, customers: Collection[str] | None
) -> months.BillReport:
    from eisenergy.run import month as months

    contracts = chosen_contracts(workspace, scope, customers)
    with progress(f"Billing {month}", len(contracts)) as step:
        return months.bill_month(workspace, scope, month, contracts=contracts, step=step)


def _issue(
    workspace: Workspace,
    scope: Scope,
    month: BillingMonth,
    customers: Collection[str] | None,
    issued_on: datetime | None,
    *,
    verify: bool,
) -> months.IssueReport:
    from eisenergy.run import month as months

    now = datetime.now(UTC)
    client = masters.client(workspace.database, scope)
    day: date = now.astimezone(ZoneInfo(client.timezone)).date() if issued_on is None else issued_on.date()
    return months.issue_month(workspace, scope, month, issued_on=day, at=now, customers=customers, verify=verify)


def _names(workspace: Workspace, scope: Scope) -> dict[str, str]:
    return {contract.number: contract.customer.name for contract in masters.contracts(workspace.database, scope)}


def _show_parked(parked: Sequence[books.Parked], called: dict[str, str]) -> None:
    for entry in parked[:TOLD]:
        say(f"[bold red]parked[/] {escape(entry.contract)} {escape(called.get(entry.contract, ''))}")
        show_findings([finding for finding in entry.findings if finding.severity is Severity.BLOCKING])
    say_more(parked, "parked")


def _billed_json(report: months.BillReport, issued: Iterable[Invoice] = ()) -> dict[str, Any]:
    """The report as JSON types.

    :param issued: invoices made of these drafts since, which are drafts no more
    """
    bills = {invoice.bill.contract.number: (invoice.bill, invoice.input_hash) for invoice in issued}
    bills.update((draft.bill.contract.number, (draft.bill, draft.input_hash)) for draft in report.drafted)
    return {
        "month": str(report.month),
        "drafts": [
            {
                "contract": bill.contract.number,
                "customer": bill.contract.customer.name,
                "kwh": bill.kwh,
                "total": bill.total,
                "input_hash": input_hash,
                "lines": {line.code.value: line.amount for line in bill.lines},
                "findings": list(bill.findings),
            }
            for bill, input_hash in (bills[entry.contract] for entry in report.entries if entry.contract in bills)
        ],
        "parked": [{"contract": entry.contract, "findings": list(entry.findings)} for entry in report.parked],
        "issued_before": list(report.issued),
        "not_in_force": list(report.not_in_force),
    }
