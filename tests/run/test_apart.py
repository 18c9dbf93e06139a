"""A part of a month that a process of its own drafts is what this process would have drafted."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import polars as pl
import pytest

from eisenergy.accounts import Contract, Scope
from eisenergy.desk.workspace import Workspace
from eisenergy.frames import conform
from eisenergy.period import BillingMonth
from eisenergy.run import apart, month
from eisenergy.run.apart import Apart
from eisenergy.run.processes import Process
from eisenergy.store import books, masters

YEAR = 2023
SLOT = timedelta(minutes=15)


def load(workspace: Workspace, scope: Scope, contract: Contract, at: BillingMonth, *, gap: bool) -> None:
    start, _ = at.period.utc("America/El_Salvador")
    frame = pl.DataFrame({"n": pl.int_range(at.period.slots("America/El_Salvador"), eager=True)})
    rows = frame.filter(~pl.col("n").is_between(700, 709)) if gap else frame
    workspace.lake.append(
        scope,
        conform(
            rows.select(
                start=pl.lit(start).cast(pl.Datetime("us", "UTC")) + pl.col("n") * SLOT,
                kwh_import=(5 + pl.col("n") % 7 / 100).round(3),
                client=pl.lit(scope.client),
                meter=pl.lit(contract.meter.serial),
                quality=pl.lit("measured"),
                source=pl.lit(hashlib.sha256(f"{contract.number} {at}".encode()).hexdigest()),
                source_row=(pl.col("n") + 2).cast(pl.Int32),
            )
        ),
    )


@pytest.fixture(scope="module")
def contracts(workspace: Workspace, scope: Scope) -> list[Contract]:
    """In order of their meters, as they are shared out."""
    return sorted(masters.contracts(workspace.database, scope), key=lambda one: one.meter.serial)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """Every bill of the test is drafted in two parts; the processes that drafted the other."""
    made: list[Process] = []

    def fitting(workspace: Workspace, _: int) -> Apart:
        made.append(Process(apart.__name__, workspace.environment()))
        return Apart(made[-1])

    monkeypatch.setattr(Apart, "fitting", fitting)
    return made


def told(workspace: Workspace, scope: Scope, at: BillingMonth, report: month.BillReport) -> list[object]:
    """All that is kept of a month, but for the moment it was made."""
    drafts = books.drafts(workspace.database, scope, at)
    return [drafts, report.entries, report.parked, report.not_in_force, report.issued]


def test_two_parts_are_what_one_process_drafts(
    workspace: Workspace, scope: Scope, contracts: list[Contract], processes: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    at = BillingMonth(YEAR, 1)
    for number in (0, 1, -2, -1):  # the others have no readings
        load(workspace, scope, contracts[number], at, gap=number in (1, -1))
    with monkeypatch.context() as patch:
        patch.setattr(Apart, "fitting", lambda *_: Apart(None))
        alone = told(workspace, scope, at, month.bill_month(workspace, scope, at))
    monkeypatch.setattr(apart, "SHARE", 0.5)
    steps: list[str] = []
    report = month.bill_month(workspace, scope, at, step=steps.append)
    assert told(workspace, scope, at, report) == alone
    assert len(report.entries) == 4
    assert len(report.parked) == len(contracts) - 4
    assert sorted(steps) == sorted(contract.number for contract in contracts)
    assert [process._process.poll() for process in processes] == [0]


def test_a_part_that_dies_leaves_the_drafts_as_they_were(
    workspace: Workspace, scope: Scope, contracts: list[Contract], processes: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    at = BillingMonth(YEAR, 2)
    load(workspace, scope, contracts[0], at, gap=False)
    before = told(workspace, scope, at, month.bill_month(workspace, scope, at))
    load(workspace, scope, contracts[-1], at, gap=False)
    given = Apart.given

    def killed(self: Apart, *args: object) -> object:
        processes[-1].kill()
        return given(self, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Apart, "given", killed)
        with pytest.raises(apart.PartDied, match="Run the same command again"):
            month.bill_month(workspace, scope, at)
    assert books.drafts(workspace.database, scope, at) == before[0]
    assert len(month.bill_month(workspace, scope, at).entries) == 2


def test_who_fails_here_does_not_wait_for_the_other_part(
    workspace: Workspace, scope: Scope, processes: list[Process]
) -> None:
    def fails(_: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        month.bill_month(workspace, scope, BillingMonth(YEAR, 3), step=fails)
    assert [process._process.poll() for process in processes] == [-9]


@pytest.mark.parametrize(("contracts_", "processors"), [(apart.WORTH - 1, 8), (apart.WORTH, apart.PROCESSORS - 1)])
def test_few_contracts_or_processors_are_not_worth_a_process(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, contracts_: int, processors: int
) -> None:
    monkeypatch.setattr(apart, "processors", lambda: processors)
    assert Apart.fitting(workspace, contracts_)._process is None
