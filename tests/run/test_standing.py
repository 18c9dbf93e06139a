"""A month is issued without being drafted again where nothing it depends on has changed, and only there."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from sqlalchemy import text

from eisenergy.accounts import Contract, Scope
from eisenergy.billing.model import LineCode
from eisenergy.desk import batch, blemished, drafting, fingerprint, whole
from eisenergy.desk.workspace import Workspace
from eisenergy.frames import conform
from eisenergy.ledger.invoices import Invoice
from eisenergy.period import BillingMonth
from eisenergy.quality.rows import Rows
from eisenergy.run import corrections as recalculation
from eisenergy.run import month, part, pricers
from eisenergy.store import books, masters
from eisenergy.store.drafts import bases
from eisenergy.store.states import loaded_since

YEAR = 2022
AT = datetime(YEAR, 6, 5, 12, tzinfo=UTC)
RESTAURANT, STEEL = "EIS-0002", "EIS-0001"
SLOT = timedelta(minutes=15)


def load(workspace: Workspace, scope: Scope, contract: Contract, at: BillingMonth, kwh: float = 5.0) -> str:
    """A whole month of quarter hours that vary a little; the sha256 of its file."""
    start, _ = at.period.utc("America/El_Salvador")
    slots = at.period.slots("America/El_Salvador")
    n = pl.int_range(slots, eager=True)
    sha = hashlib.sha256(f"{contract.number} {at} {kwh}".encode()).hexdigest()
    frame = pl.DataFrame({"n": n}).select(
        start=pl.lit(start).cast(pl.Datetime("us", "UTC")) + pl.col("n") * SLOT,
        kwh_import=(kwh + pl.col("n") % 7 / 100).round(3),
        client=pl.lit(scope.client),
        meter=pl.lit(contract.meter.serial),
        quality=pl.lit("measured"),
        source=pl.lit(sha),
        source_row=(pl.col("n") + 2).cast(pl.Int32),
    )
    workspace.lake.append(scope, conform(frame))
    return sha


@pytest.fixture(scope="module")
def contracts(workspace: Workspace, scope: Scope) -> dict[str, Contract]:
    found = {contract.number: contract for contract in masters.contracts(workspace.database, scope)}
    return {number: found[number] for number in (STEEL, RESTAURANT)}


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The contracts that are drafted one by one while a test runs."""
    seen: list[str] = []
    real = month.draft_all

    def noted(common: object, wanted: Sequence[Contract], *rest: object) -> object:
        seen.extend(contract.number for contract in wanted)
        return real(common, wanted, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(month, "draft_all", noted)
    return seen


def drafted(workspace: Workspace, scope: Scope, at: BillingMonth, contracts: dict[str, Contract]) -> None:
    for contract in contracts.values():
        load(workspace, scope, contract, at)
    report = month.bill_month(workspace, scope, at, customers=list(contracts))
    assert [entry.contract for entry in report.entries] == sorted(contracts)


def issued(workspace: Workspace, scope: Scope, at: BillingMonth) -> month.IssueReport:
    return month.issue_month(workspace, scope, at, issued_on=date(YEAR, 12, 5), at=AT)


def test_nothing_changed_and_nothing_is_drafted_again(
    workspace: Workspace, scope: Scope, contracts: dict[str, Contract], again: list[str]
) -> None:
    at = BillingMonth(YEAR, 1)
    drafted(workspace, scope, at, contracts)
    assert again == []  # whole months were priced together
    kept = {draft.bill.contract.number: draft for draft in books.drafts(workspace.database, scope, at)}
    report = issued(workspace, scope, at)
    assert again == []
    assert [head.contract for head in report.heads] == [STEEL, RESTAURANT]
    for head, invoice in zip(report.heads, report.issued, strict=True):
        draft = kept[head.contract]
        assert (invoice.bill, invoice.input_hash) == (draft.bill, draft.input_hash)
        assert (head.number, head.total, head.kwh) == (invoice.number, invoice.bill.total, invoice.bill.kwh)
        assert (head.name, head.due_on) == (invoice.bill.contract.customer.name, invoice.due_on)
        assert books.invoice(workspace.database, scope, head.number) == invoice


def test_a_load_of_another_meter_is_no_matter_and_of_its_own_is(
    workspace: Workspace, scope: Scope, contracts: dict[str, Contract], again: list[str]
) -> None:
    at = BillingMonth(YEAR, 2)
    drafted(workspace, scope, at, contracts)
    load(
        workspace, scope, contracts[STEEL], BillingMonth(YEAR + 3, 1)
    )  # years later: no bill of February depends on it
    again.clear()
    report = issued(workspace, scope, at)
    assert again == [STEEL]  # not known to stand, so drafted again, and it stands
    assert [head.contract for head in report.heads] == [STEEL, RESTAURANT]


def test_a_changed_contract_is_drafted_again_and_held_back(
    workspace: Workspace, scope: Scope, contracts: dict[str, Contract], again: list[str]
) -> None:
    at = BillingMonth(YEAR, 3)
    drafted(workspace, scope, at, contracts)
    steel = contracts[STEEL]
    assert steel.discount_rate is not None
    dearer = replace(steel, discount_rate=replace(steel.discount_rate, value=Decimal("0.5")))
    masters.save_contracts(workspace.database, scope, [dearer])
    try:
        again.clear()
        report = issued(workspace, scope, at)
        assert again == [STEEL]
        assert [head.contract for head in report.heads] == [RESTAURANT]
        assert [finding.subject for finding in report.stale] == [STEEL]
    finally:
        masters.save_contracts(workspace.database, scope, [steel])
    assert [head.contract for head in issued(workspace, scope, at).heads] == [STEEL]


def test_a_draft_from_before_its_basis_was_kept_is_drafted_again(
    workspace: Workspace, scope: Scope, contracts: dict[str, Contract], again: list[str]
) -> None:
    at = BillingMonth(YEAR, 4)
    drafted(workspace, scope, at, contracts)
    with workspace.database.session(scope) as connection:
        forget = "UPDATE eisenergy.drafts SET basis = NULL, lake_version = NULL, made = NULL WHERE month = :m"
        connection.execute(text(forget), {"m": str(at)})
    assert {made.basis for made in bases(workspace.database, scope, at).values()} == {None}
    again.clear()
    report = issued(workspace, scope, at)
    assert again == [STEEL, RESTAURANT]
    assert [head.name for head in report.heads] == [i.bill.contract.customer.name for i in report.issued]
    drafted(workspace, scope, BillingMonth(YEAR, 5), contracts)
    again.clear()
    assert len(issued(workspace, scope, BillingMonth(YEAR, 5)).heads) == 2
    assert again == []  # such an invoice is looked into, and stands
    assert all(
        LineCode.CORRECTION not in {line.code for line in invoice.bill.lines}
        for invoice in books.invoices(workspace.database, scope, month=BillingMonth(YEAR, 5))
    )


def test_an_invoice_with_the_older_hash_of_readings_is_compared_in_that_form(
    workspace: Workspace, scope: Scope, contracts: dict[str, Contract], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loads that change nothing in the end make no correction, a load that does makes one."""
    at, following = BillingMonth(YEAR, 6), BillingMonth(YEAR, 7)
    with monkeypatch.context() as patch:
        real = fingerprint.readings_hash

        def of_text(rows: Rows, only: npt.NDArray[np.bool_] | None = None) -> str:
            return real(rows.frame if only is None else rows.frame.filter(pl.Series(only)), like="text")

        for place in (drafting, batch, blemished):
            patch.setattr(place, "rows_hash", of_text)
        patch.setattr(part, "whole_months", lambda *_: iter(()))
        drafted(workspace, scope, at, contracts)
    report = issued(workspace, scope, at)
    for invoice in report.issued:
        assert invoice.bill.provenance is not None
        assert len(invoice.bill.provenance.readings_hash) == 64
    start, _ = at.period.utc("America/El_Salvador")
    for kwh in (9.0, 5.0):  # another value, and the first again
        one = workspace.lake.read(scope, [contracts[STEEL].meter.serial], start, start + SLOT)
        sha = hashlib.sha256(f"late {kwh}".encode()).hexdigest()
        workspace.lake.append(scope, one.with_columns(kwh_import=pl.lit(kwh), source=pl.lit(sha)))
    compared: list[str] = []
    hashed = recalculation.readings_hash
    monkeypatch.setattr(
        recalculation, "readings_hash", lambda rows, *, like: compared.append(like) or hashed(rows, like=like)
    )
    drafted(workspace, scope, following, contracts)
    assert compared == [invoice.bill.provenance.readings_hash for invoice in report.issued if number(invoice) == STEEL]
    lines = {
        draft.bill.contract.number: [line.code for line in draft.bill.lines]
        for draft in books.drafts(workspace.database, scope, following)
    }
    assert LineCode.CORRECTION not in {*lines[STEEL], *lines[RESTAURANT]}

    one = workspace.lake.read(scope, [contracts[STEEL].meter.serial], start, start + SLOT)
    workspace.lake.append(scope, one.with_columns(kwh_import=pl.lit(11.0), source=pl.lit("d" * 64)))
    month.bill_month(workspace, scope, following)
    steel = books.draft(workspace.database, scope, STEEL, following)
    assert steel is not None
    assert LineCode.CORRECTION in {line.code for line in steel.bill.lines}


def number(invoice: Invoice) -> str:
    return invoice.bill.contract.number


def test_what_was_loaded_since_is_known_by_its_ordinal(
    workspace: Workspace, scope: Scope, contracts: dict[str, Contract]
) -> None:
    lake, at = workspace.lake, BillingMonth(YEAR + 1, 1)
    before = lake.version()
    load(workspace, scope, contracts[RESTAURANT], at)
    after = lake.version()
    meter = contracts[RESTAURANT].meter.serial
    assert loaded_since(lake, scope, before, after) == {meter}
    assert loaded_since(lake, scope, after, after) == frozenset()
    assert loaded_since(lake, scope, before, after, at.period.utc("America/El_Salvador")) == {meter}
    assert loaded_since(lake, scope, before, after, at.plus(3).period.utc("America/El_Salvador")) == frozenset()
    lake.compact(scope)
    assert loaded_since(lake, scope, after, lake.version()) == frozenset()
    assert loaded_since(lake, scope, before, lake.version()) == {meter}
    with pytest.raises(PermissionError, match="limited to customers"):
        loaded_since(lake, Scope.customer("EIS", RESTAURANT), before, after)


def test_processes_price_as_this_one_does(
    workspace: Workspace, scope: Scope, contracts: dict[str, Contract], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = BillingMonth(YEAR, 8)
    drafted(workspace, scope, at, contracts)
    here = books.drafts(workspace.database, scope, at)
    monkeypatch.setattr(whole, "BATCH", 1)
    monkeypatch.setattr(pricers.Pricers, "fitting", lambda _: pricers.Pricers(2))
    report = month.bill_month(workspace, scope, at)
    assert [entry.contract for entry in report.entries] == [STEEL, RESTAURANT]
    assert books.drafts(workspace.database, scope, at) == here


def test_a_process_that_dies_leaves_the_drafts_as_they_were(
    workspace: Workspace, scope: Scope, contracts: dict[str, Contract], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = BillingMonth(YEAR, 9)
    drafted(workspace, scope, at, contracts)
    before = books.drafts(workspace.database, scope, at)
    load(workspace, scope, contracts[STEEL], at, kwh=6.0)
    dead: list[pricers.Pricers] = []

    def killed(_: int) -> pricers.Pricers:
        made = pricers.Pricers(2)
        for process in made._processes:
            os.kill(process.pid, signal.SIGKILL)
        dead.append(made)
        return made

    with monkeypatch.context() as patch:
        patch.setattr(pricers.Pricers, "fitting", killed)
        with pytest.raises(pricers.PricerDied, match="Run the same command again"):
            month.bill_month(workspace, scope, at)
    assert books.drafts(workspace.database, scope, at) == before
    assert all(process._process.poll() is not None for process in dead[0]._processes)
    month.bill_month(workspace, scope, at)
    after = books.drafts(workspace.database, scope, at)
    assert after[0] != before[0]
    assert after[1].input_hash == before[1].input_hash
