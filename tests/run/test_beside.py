"""Lots of contracts are looked at in a thread, and come in the order in which they were given."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import date

import pytest

from eisenergy.accounts import Contract
from eisenergy.desk.blemished import Blemished
from eisenergy.period import BillingMonth
from eisenergy.run import beside
from eisenergy.store.roster import Listed

SEPTEMBER = BillingMonth(2021, 9)


class Named(Listed):
    """A contract of which nothing but its number is asked."""

    def contract(self) -> Contract:
        return self  # type: ignore[return-value]


def listed(*numbers: int) -> list[Listed]:
    return [
        Named(
            number=str(number), customer="c", meter="m", tariff="t", start=date(2021, 1, 1), end=None, contracted_kw=None,
            document="",
        )
        for number in numbers
    ]  # fmt: skip


@pytest.fixture
def lots(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was looked at together; a contract 13 is a fault."""
    seen: list[list[str]] = []

    def looked(_: object, contracts: Sequence[Listed], month: BillingMonth) -> Iterator[Blemished]:
        assert month == SEPTEMBER
        assert threading.current_thread() is not threading.main_thread()
        seen.append([contract.number for contract in contracts])
        for contract in contracts:
            if contract.number == "13":
                raise IndexError("thirteen")
            yield Blemished(contract.number, (), None)

    monkeypatch.setattr(beside, "blemished_months", looked)
    monkeypatch.setattr(beside, "AT_A_TIME", 3)
    return seen


def test_lots_come_in_order_and_nobody_is_left(lots: list[list[str]]) -> None:
    with beside.Beside(None, SEPTEMBER) as thread:  # type: ignore[arg-type]
        thread.put(listed(1, 2))
        assert list(thread.done()) == []
        thread.put(listed(3, 4, 5))
        thread.put([])
        thread.put(listed(6, 7, 8))
        thread.put(listed(9))
        found = [lot for lots_ in (thread.done(), thread.rest()) for lot in lots_]
        assert list(thread.rest()) == []
    assert lots == [["1", "2", "3", "4", "5"], ["6", "7", "8"], ["9"]]
    assert [[one.number for _, one in lot] for lot in found] == lots
    assert all(entry.number == one.number for lot in found for entry, one in lot)


def test_a_fault_is_told(lots: list[list[str]]) -> None:
    with beside.Beside(None, SEPTEMBER) as thread:  # type: ignore[arg-type]
        thread.put(listed(11, 12, 13))
        with pytest.raises(IndexError, match="thirteen"):
            list(thread.rest())
    assert lots == [["11", "12", "13"]]
