"""A month of all contracts in one go gives each the draft that it gets alone, whatever lies in its readings."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from month_kinds import BLEMISHED, READINGS, SEPTEMBER, figures

from eisenergy.accounts import Contract
from eisenergy.desk import batch
from eisenergy.desk.drafting import Facts, Prepared, prepare
from eisenergy.desk.masters import Masters
from eisenergy.findings import Severity
from eisenergy.period import BillingMonth
from eisenergy.quality.rows import Rows


def test_each_draft_is_the_one_it_gets_alone(
    common: Masters, contracts: list[Contract], alone: dict[str, tuple[object, ...]]
) -> None:
    drafted = {c.number: figures(d) for c, d in batch.draft_all(common, contracts, SEPTEMBER, lambda _: ())}
    assert list(drafted) == [contract.number for contract in contracts]
    bill, _, (finding,), _, _ = drafted.pop("EIS-9004")
    assert (bill, finding.code) == (None, "no-tariff")  # type: ignore[attr-defined]
    for contract in contracts[:-1]:
        assert drafted[contract.number] == alone[contract.number], contract.meter.serial


def test_the_short_way_is_taken_by_clean_months_only(
    common: Masters, contracts: list[Contract], alone: dict[str, tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    long: list[str] = []
    monkeypatch.setattr(
        batch, "prepare", lambda known, *rest: long.append(known.contract.number) or prepare(known, *rest)
    )
    list(batch.draft_all(common, contracts, SEPTEMBER, lambda _: ()))
    named = {contract.number: contract.meter.serial for contract in contracts[: len(READINGS)]}
    seen = sorted(named.get(number, number) for number in long)
    assert seen == sorted([*BLEMISHED, "EIS-9001", "EIS-9002", "EIS-9003"])
    # The blemishes are some; about two the long way finds nothing, and it took the long way to know that.
    assert {named[n] for n in long if n in named and not alone[n][2]} == {
        "register now and then",
        "files that alternate",
    }


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_neither_order_nor_threads_nor_company_change_a_draft(
    common: Masters,
    contracts: list[Contract],
    alone: dict[str, tuple[object, ...]],
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
) -> None:
    if threads > numba.config.NUMBA_NUM_THREADS:
        pytest.skip(f"{numba.config.NUMBA_NUM_THREADS} threads here")
    order = np.random.default_rng(threads).permutation(len(contracts) - 1)
    monkeypatch.setattr(batch, "TOGETHER", 3 * threads + 1)
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        drafted = batch.draft_all(common, [contracts[n] for n in order], SEPTEMBER, lambda _: ())
        for contract, result in drafted:
            assert figures(result) == alone[contract.number], contract.meter.serial
    finally:
        numba.set_num_threads(before)


def test_a_fault_with_one_month_leaves_the_others(
    common: Masters,
    contracts: list[Contract],
    alone: dict[str, tuple[object, ...]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(known: Facts, month: BillingMonth, rows: Rows) -> Prepared:
        if known.contract.meter.serial == "gap":
            raise IndexError("row 0 of none")
        return prepare(known, month, rows)

    monkeypatch.setattr(batch, "prepare", broken)
    for contract, result in batch.draft_all(common, contracts[:-1], SEPTEMBER, lambda _: ()):
        if contract.meter.serial == "gap":
            assert result.bill is None
            (finding,) = result.findings
            assert (finding.severity, finding.code) == (Severity.BLOCKING, "fault")
            assert (
                f"contract {contract.number}: its readings of 2021-09 could not be checked (IndexError)"
                in finding.message
            )
        else:
            assert figures(result) == alone[contract.number]
    assert "row 0 of none" in caplog.text


def test_corrections_go_to_their_contract(common: Masters, contracts: list[Contract]) -> None:
    asked: list[str] = []

    def carried(contract: Contract) -> tuple[()]:
        asked.append(contract.number)
        return ()

    list(batch.draft_all(common, contracts[:3], SEPTEMBER, carried))
    assert asked == [contract.number for contract in contracts[:3]]


def test_nobody_has_no_drafts(common: Masters) -> None:
    assert list(batch.draft_all(common, [], SEPTEMBER, lambda _: ())) == []
