"""What earlier months came to is kept before pages are made, used while it is true, and derived anew when it is not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import text

from eisenergy.accounts import Scope
from eisenergy.desk import history, open_client, open_customer
from eisenergy.desk.model import CustomerMonth, MonthTotals
from eisenergy.desk.workspace import Workspace
from eisenergy.period import BillingMonth
from eisenergy.run import intake, month
from eisenergy.run.remembered import keep_history
from eisenergy.store import history as kept

SEPTEMBER, OCTOBER = BillingMonth(2021, 9), BillingMonth(2021, 10)
RESTAURANT = "EIS-0002"


def opened(workspace: Workspace) -> CustomerMonth:
    return open_customer("EIS", RESTAURANT, "2021-10", settings=workspace.settings)


@pytest.fixture
def derived(monkeypatch: pytest.MonkeyPatch) -> list[BillingMonth]:
    """The months that are billed for comparison while a test runs."""
    seen: list[BillingMonth] = []
    real = history.compared

    def noted(known: history.Facts, at: BillingMonth, drafted: history.Drafted | None = None) -> MonthTotals:
        seen.append(at)
        return real(known, at, drafted)

    monkeypatch.setattr(history, "compared", noted)
    return seen


@pytest.fixture(scope="module")
def readings(workspace: Workspace, scope: Scope, september: intake.IngestReport) -> pl.DataFrame:
    """The restaurant's October is its September, 30 days later."""
    start, end = SEPTEMBER.period.utc("America/El_Salvador")
    rows = workspace.lake.read(scope, ["5741444"], start, end)
    later = rows.with_columns(
        pl.col("start") + pl.duration(days=30), source=pl.lit("0" * 64), register_kwh=pl.lit(None)
    )
    workspace.lake.append(scope, later.with_columns(pl.col("register_kwh").cast(pl.Float64)))
    return rows


def test_before_billing_every_month_is_derived(
    workspace: Workspace, readings: pl.DataFrame, derived: list[BillingMonth]
) -> None:
    shown = opened(workspace).history
    assert len(derived) == 12
    assert [entry.month for entry in shown] == [OCTOBER.plus(n) for n in range(-12, 1)]
    assert float(sum(shown[-2].kwh.values())) == pytest.approx(20958.991, abs=1e-9)


def test_they_are_kept_and_the_page_shows_the_same(
    workspace: Workspace, scope: Scope, readings: pl.DataFrame, derived: list[BillingMonth]
) -> None:
    before = opened(workspace).history
    derived.clear()
    month.bill_month(workspace, scope, OCTOBER, customers=[RESTAURANT])
    assert derived == []  # bills are made without them
    keep_history(workspace, scope, OCTOBER, customers=[RESTAURANT])
    assert derived == [OCTOBER.plus(n) for n in range(-12, 0)]
    derived.clear()
    assert opened(workspace).history == before
    assert derived == []


def test_a_corrected_reading_makes_the_months_around_it_stale(
    workspace: Workspace, scope: Scope, readings: pl.DataFrame, derived: list[BillingMonth], tmp_path: Path
) -> None:
    before = opened(workspace).history
    derived.clear()
    changed = readings.filter(pl.col("source_row") == 1000).with_columns(
        pl.col("kwh_import") + 1, source=pl.lit("1" * 64)
    )
    assert workspace.lake.append(scope, changed).superseded == 1
    after = opened(workspace).history
    assert SEPTEMBER in derived
    assert float(sum(after[-2].kwh.values()) - sum(before[-2].kwh.values())) == pytest.approx(1, abs=1e-9)


def test_a_customer_reads_its_own_and_writes_none(workspace: Workspace, scope: Scope) -> None:
    own, other = Scope.customer("EIS", RESTAURANT), Scope.customer("EIS", "EIS-0001")
    assert len(kept.load(workspace.database, own, RESTAURANT)) == 12
    assert kept.load(workspace.database, other, RESTAURANT) == {}
    entry = next(iter(kept.load(workspace.database, scope, RESTAURANT).values()))
    with pytest.raises(PermissionError, match="reads only"):
        kept.save(workspace.database, own, [entry])
    with pytest.raises(PermissionError, match="outside the scope"):
        kept.save(workspace.database, Scope(client="EIS", role=scope.role, customers=frozenset({"EIS-0001"})), [entry])


def test_a_month_with_an_invoice_is_not_derived_again(
    workspace: Workspace, scope: Scope, readings: pl.DataFrame, derived: list[BillingMonth]
) -> None:
    """And the operators' page, which adds up what all came to, reads no customer's readings for it."""
    keep_history(workspace, scope, OCTOBER, customers=[RESTAURANT])
    month.bill_month(workspace, scope, SEPTEMBER, customers=[RESTAURANT])
    issued = month.issue_month(
        workspace,
        scope,
        SEPTEMBER,
        issued_on=date(2021, 10, 5),
        at=datetime(2021, 10, 5, tzinfo=UTC),
        customers=[RESTAURANT],
    )
    assert len(issued.heads) == 1
    with workspace.database.session(scope) as connection:
        connection.execute(text("UPDATE eisenergy.history SET key = 'stale'"))
    derived.clear()
    keep_history(workspace, scope, OCTOBER, customers=[RESTAURANT])
    assert derived == [OCTOBER.plus(n) for n in range(-12, -1)]
    month.bill_month(workspace, scope, OCTOBER)
    month.issue_month(workspace, scope, OCTOBER, issued_on=date(2021, 11, 5), at=datetime(2021, 11, 5, tzinfo=UTC))
    alone = open_client("EIS", "2021-10", settings=workspace.settings).history
    keep_history(workspace, scope, OCTOBER)
    derived.clear()
    assert open_client("EIS", "2021-10", settings=workspace.settings).history == alone
    assert sum(alone[-2].kwh.values()) > 20958
    assert set(derived) <= {OCTOBER}  # of those that could not be billed
