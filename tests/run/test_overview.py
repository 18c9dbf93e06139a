"""The operator's desk, read for all customers at once, is what it is contract by contract; so are the hashes that make documents stale."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from eisenergy.accounts import Contract, OutOfScope, Scope
from eisenergy.cli import publishing
from eisenergy.desk import history, open_client, overview
from eisenergy.desk.drafting import facts
from eisenergy.desk.model import ClientMonth, MonthTotals
from eisenergy.desk.workspace import Workspace
from eisenergy.period import BillingMonth
from eisenergy.run import month
from eisenergy.run.remembered import keep_history
from eisenergy.store import books, masters, portfolio

SEPTEMBER = BillingMonth(2021, 9)
MONTHS = [SEPTEMBER.plus(n) for n in range(1 - history.HISTORY, 1)]


def one_by_one(workspace: Workspace, scope: Scope) -> dict[str, tuple[MonthTotals, ...]]:
    """Contract -> its months, each contract read alone; a draft in the books counts as this month's bill."""
    database = workspace.database
    drafts = {draft.bill.contract.number: draft.bill for draft in books.drafts(database, scope, SEPTEMBER)}
    result = {}
    for contract in masters.contracts(database, scope):
        number = contract.number
        mine = {
            invoice.month: invoice
            for invoice in books.invoices(database, scope)
            if invoice.bill.contract.number == number
        }
        known = facts(workspace, scope, contract, MONTHS[0], SEPTEMBER)
        bills = {SEPTEMBER: drafts[number]} if number in drafts else {}
        result[number] = history.months(workspace, scope, known, SEPTEMBER, issued=mine, bills=bills)
    return result


def check(shown: ClientMonth, workspace: Workspace, scope: Scope) -> None:
    alone = one_by_one(workspace, scope)
    assert [row.contract.number for row in shown.rows] == sorted(alone)
    for at, entry in enumerate(shown.history):
        mine = [months[at] for months in alone.values()]
        assert entry.month == MONTHS[at]
        blocks = list(dict.fromkeys(block for one in mine for block in one.kwh))
        assert list(entry.kwh.items()) == [
            (block, sum((one.kwh.get(block, Decimal(0)) for one in mine), Decimal(0))) for block in blocks
        ]
        totals = [one.total for one in mine if one.total is not None]
        assert entry.total == (sum(totals, Decimal(0)) if totals else None)
        assert entry.issued == (bool(totals) and all(one.issued for one in mine if one.total is not None))
        for name in ("slots", "estimated", "missing"):
            assert getattr(entry, name) == sum(getattr(one, name) for one in mine), (at, name)
    invoices = {one.bill.contract.number: one for one in books.invoices(workspace.database, scope, month=SEPTEMBER)}
    drafts = {one.bill.contract.number: one.bill for one in books.drafts(workspace.database, scope, SEPTEMBER)}
    for row in shown.rows:
        number = row.contract.number
        invoice = invoices.get(number)
        bill = drafts.get(number) if invoice is None else invoice.bill
        assert row.number == (None if invoice is None else invoice.number)
        if bill is None:
            assert (row.kwh, row.total, row.max_kw, row.estimated) == (None, None, None, 0)
            assert row.parked
            continue
        assert (row.kwh, row.total, row.missing) == (bill.kwh, bill.total, bill.slots_missing)
        assert (row.max_kw, row.estimated) == (history.max_kw(bill), history.estimated(bill))
        assert row.findings == bill.findings


def hashes(workspace: Workspace, scope: Scope) -> dict[str, str]:
    """Customer -> hash of its invoices and drafts, from the documents themselves."""
    shown: dict[str, list[str]] = {}
    billed = set()
    for invoice in books.invoices(workspace.database, scope):
        code = invoice.bill.contract.customer.code
        shown.setdefault(code, []).append(f"{invoice.number} {invoice.input_hash}")
        if invoice.month == SEPTEMBER:
            billed.add(code)
    for draft in books.drafts(workspace.database, scope, SEPTEMBER):
        code = draft.bill.contract.customer.code
        shown.setdefault(code, []).append(f"draft {draft.input_hash} {workspace.lake.version()}")
        billed.add(code)
    return {code: hashlib.sha256("\n".join(shown[code]).encode()).hexdigest() for code in billed}


def issue(workspace: Workspace, scope: Scope, *contracts: str) -> None:
    month.issue_month(
        workspace,
        scope,
        SEPTEMBER,
        issued_on=date(2021, 10, 5),
        at=datetime(2021, 10, 5, tzinfo=UTC),
        customers=contracts,
        verify=False,
    )


def opened(workspace: Workspace) -> ClientMonth:
    return open_client("EIS", str(SEPTEMBER), settings=workspace.settings)


def test_drafts_parked_and_months_that_were_never_kept(billed: Workspace, scope: Scope) -> None:
    shown = opened(billed)
    check(shown, billed, scope)
    assert {row.total is None for row in shown.rows} == {True, False}  # both kinds are there
    assert sum(shown.history[-1].kwh.values()) > 0
    assert publishing._facts(billed, portfolio.shown(billed.database, scope, SEPTEMBER)) == hashes(billed, scope) != {}


def test_kept_months_are_used_and_a_stale_one_is_not(
    billed: Workspace, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = opened(billed)
    keep_history(billed, scope, SEPTEMBER)
    derived: list[BillingMonth] = []
    real = history.compared

    def noted(known: history.Facts, at: BillingMonth, drafted: history.Drafted | None = None) -> MonthTotals:
        derived.append(at)
        return real(known, at, drafted)

    monkeypatch.setattr(history, "compared", noted)
    assert opened(billed) == before
    assert set(derived) == {SEPTEMBER}  # of those without a bill
    check(before, billed, scope)
    derived.clear()
    with monkeypatch.context() as other:  # as if the readings were others: nothing that is kept may be used
        other.setattr(overview.history, "key", lambda *_: "another")
        assert opened(billed) == before
    assert derived.count(SEPTEMBER.plus(-1)) == len(before.rows)


def test_one_invoice_beside_drafts_and_then_all(billed: Workspace, scope: Scope) -> None:
    first, *others = [draft.bill.contract.number for draft in books.drafts(billed.database, scope, SEPTEMBER)]
    issue(billed, scope, first)
    shown = opened(billed)
    check(shown, billed, scope)
    assert not shown.history[-1].issued
    assert publishing._facts(billed, portfolio.shown(billed.database, scope, SEPTEMBER)) == hashes(billed, scope)
    issue(billed, scope, *others)
    shown = opened(billed)
    check(shown, billed, scope)
    assert shown.history[-1].issued
    assert publishing._facts(billed, portfolio.shown(billed.database, scope, SEPTEMBER)) == hashes(billed, scope)
    assert (
        publishing._facts(billed, portfolio.shown(billed.database, scope, SEPTEMBER.plus(1))) == {}
    )  # nobody has a document of October
    waiting = portfolio.waiting(billed.database, scope, SEPTEMBER)
    assert list(waiting) == [entry.contract for entry in books.parked(billed.database, scope, SEPTEMBER)] != []


def test_a_contract_that_begins_later_misses_nothing(billed: Workspace, scope: Scope) -> None:
    client = masters.client(billed.database, scope)

    def expected(contract: Contract, start: date) -> int:
        return overview._expected(replace(contract, start=start), SEPTEMBER.period, client)

    contract = masters.contracts(billed.database, scope)[0]
    assert expected(contract, date(2020, 1, 1)) == 2880
    assert expected(contract, date(2021, 9, 21)) == 960
    assert expected(contract, date(2021, 10, 1)) == 0


def test_heads_of_one_customer_are_its_own_and_of_the_scope(billed: Workspace, scope: Scope) -> None:
    heads = books.heads(billed.database, scope)
    assert heads
    mine = books.heads(billed.database, scope, customer=heads[0].customer)
    assert mine == tuple(head for head in heads if head.customer == heads[0].customer)
    with pytest.raises(OutOfScope):
        books.heads(billed.database, Scope.customer("EIS", "EIS-0002"), customer="EIS-0001")


def test_a_customer_s_scope_sees_only_its_own(billed: Workspace, scope: Scope) -> None:
    everybody = list(portfolio.billed(billed.database, scope, SEPTEMBER, SEPTEMBER))
    one = everybody[0].contract
    alone = Scope.customer("EIS", one)
    assert list(portfolio.billed(billed.database, alone, SEPTEMBER, SEPTEMBER)) == [everybody[0]]
    assert set(portfolio.shown(billed.database, alone, SEPTEMBER)) == {one}
    assert list(portfolio.billed(billed.database, Scope.operator("LUZ"), SEPTEMBER, SEPTEMBER)) == []
    assert portfolio.waiting(billed.database, Scope.operator("LUZ"), SEPTEMBER) == ()
