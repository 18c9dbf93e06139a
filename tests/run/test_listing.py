"""What a command prints of thousands of customers: the first ones, and how many more there are."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from eisenergy.accounts import Scope
from eisenergy.cli import documents, invoices, months, output, publishing
from eisenergy.desk.workspace import Workspace
from eisenergy.findings import blocking
from eisenergy.period import BillingMonth
from eisenergy.run import month
from eisenergy.run.notebook import Failure
from eisenergy.store import books

SEPTEMBER = BillingMonth(2021, 9)
MANY = 10_000


def made(n: int, *, failed: bool) -> documents.Made:
    task = documents.Task(
        client="EIS", customer=f"EIS-{n}", month="2021-09", facts="", sources="", renderer="embedded", locale="es-SV"
    )
    failure = Failure(notebook=None, cell=None, source="", why=f"reason {n}", details="", alone="papermill")
    return documents.Made(
        task=task, failure=failure if failed else None, fresh=failed, paths=(), seconds=0.0, page=Path("failure.html")
    )


def test_sites_are_counted_and_the_first_failures_told(capsys: pytest.CaptureFixture[str]) -> None:
    publishing.show_made([made(n, failed=False) for n in range(MANY)])
    assert capsys.readouterr().out.splitlines() == ["sites: 0 made, 10,000 up to date"]
    publishing.show_made([made(n, failed=True) for n in range(MANY)])
    said = capsys.readouterr().out
    assert said.count("not published EIS-") == output.TOLD
    assert "reason 24" in said
    assert f"and {MANY - output.TOLD:,} more sites not published; --json lists them all" in said
    assert len(said.splitlines()) < 250


def test_the_first_parked_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = [
        books.Parked(
            contract=f"EIS-{n}", customer=f"EIS-{n}", month=SEPTEMBER, findings=(blocking("code", "meter", "why"),)
        )
        for n in range(100)
    ]
    months._show_parked(waiting, {"EIS-0": "the first"})
    said = capsys.readouterr().out
    assert said.count("parked EIS-") == output.TOLD
    assert "parked EIS-0 the first" in said
    assert "and 75 more parked" in said
    months._show_parked(waiting[:25], {})
    assert "more" not in capsys.readouterr().out


def test_names_in_a_row_end_with_a_number() -> None:
    some = [f"EIS-{n}" for n in range(30)]
    assert output.names(some[:25]) == ", ".join(some[:25])
    assert output.names(some) == ", ".join(some[:25]) + " and 5 more"


def test_a_list_of_invoices_says_the_same_without_reading_them(
    billed: Workspace, scope: Scope, capsys: pytest.CaptureFixture[str]
) -> None:
    month.issue_month(
        billed, scope, SEPTEMBER, issued_on=date(2021, 10, 5), at=datetime(2021, 10, 5, tzinfo=UTC), verify=False
    )
    heads = books.heads(billed.database, scope)
    whole = books.invoices(billed.database, scope)
    assert [invoices.head_json(head) for head in heads] == [invoices.invoice_json(invoice) for invoice in whole] != []
    invoices.show_heads("Invoices", heads * MANY)
    said = capsys.readouterr().out
    assert heads[0].number in said
    assert f"and {len(heads) * MANY - output.LISTED:,} more invoices; --json lists them all" in said
