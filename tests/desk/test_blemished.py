"""Months that are not clean, looked at together, give each contract the draft that it gets alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from month_kinds import READINGS, SEPTEMBER

from eisenergy.accounts import Contract
from eisenergy.billing.batch import Entry, Refused, entry, price
from eisenergy.billing.corrections import Correction
from eisenergy.blockruns import compile_runs
from eisenergy.desk import batch, blemished
from eisenergy.desk.drafting import Drafted, Facts, Prepared, draft, prepare
from eisenergy.desk.fingerprint import readings_hash, rows_hash
from eisenergy.desk.masters import Masters
from eisenergy.desk.metering import metered
from eisenergy.findings import Finding
from eisenergy.frames import MEASURED
from eisenergy.masters import codec
from eisenergy.period import BillingMonth, NotInForce
from eisenergy.quality.rows import Rows
from eisenergy.store import roster
from eisenergy.store.roster import Listed
from eisenergy.usage import measure

sys.path.insert(0, str(Path(__file__).parents[1] / "quality"))

from blemishes import case


def listed(contract: Contract) -> Listed:
    return roster.listed(json.dumps(codec.dump(contract)))


def outcome(
    common: Masters, contracts: Sequence[Contract], carried: tuple[Correction, ...] = ()
) -> dict[str, Entry | tuple[Finding, ...]]:
    """Contract -> its draft as it is stored, or what stands against it."""
    looked = list(blemished.blemished_months(common, contracts, SEPTEMBER))
    assert [one.number for one in looked] == [contract.number for contract in contracts]
    result: dict[str, Entry | tuple[Finding, ...]] = {
        one.number: one.findings for one in looked if one.measured is None
    }
    lot = [(listed(contract), one) for contract, one in zip(contracts, looked, strict=True)]
    for some in blemished.batches(lot, lambda _: carried, lambda _: "because"):
        assert len({member.number for member in some.members}) == len(some.members)
        for one in price(some):
            assert one.contract not in result
            result[one.contract] = (*one.noticed, one.finding) if isinstance(one, Refused) else one
    assert result.keys() == {contract.number for contract in contracts}
    return result


def alone(known: Facts, carried: tuple[Correction, ...] = ()) -> Entry | tuple[Finding, ...]:
    made: Drafted = draft(known, SEPTEMBER, carried)
    return made.findings if made.bill is None else entry(made.bill, made.input_hash, "because")


@pytest.fixture(scope="module")
def everybody(contracts: list[Contract]) -> list[Contract]:
    """Of every kind, some of them in force for a part of the month, or at a rate that is not there."""
    gap = next(contract for contract in contracts if contract.meter.serial == "gaps")
    cold = replace(gap, number="EIS-9006", municipal_fee=None, start=date(2021, 9, 5), end=date(2021, 9, 25))
    return [*contracts, cold]


def test_each_draft_is_to_the_byte_the_one_it_gets_alone(
    common: Masters, everybody: list[Contract], readings: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blemished, "TOGETHER", 20)
    found = outcome(common, everybody)
    assert [finding.code for finding in found.pop("EIS-9004")] == ["no-tariff"]  # type: ignore[union-attr]
    billed = 0
    for contract in everybody:
        if contract.tariff == "GONE":
            continue
        rows = readings.filter(pl.col("meter") == contract.meter.serial)
        assert found[contract.number] == alone(common.facts(contract, rows)), contract.meter.serial
        billed += isinstance(found[contract.number], Entry)
    assert billed > len(READINGS) // 2
    estimated = [one.estimated for one in found.values() if isinstance(one, Entry)]
    assert sum(map(bool, estimated)) > 10


def test_a_correction_is_carried(common: Masters, contracts: list[Contract], readings: pl.DataFrame) -> None:
    (gap,) = [contract for contract in contracts if contract.meter.serial == "gap"]
    known = common.facts(gap, readings.filter(pl.col("meter") == "gap"))
    august = BillingMonth(2021, 8)
    less = Correction(
        period=august.period, month="2021-08", invoice="EIS-000001", difference=Decimal(-1), origin="late readings"
    )
    found = outcome(common, [gap], (less,))
    assert found == {gap.number: alone(known, (less,))}
    assert found != outcome(common, [gap])


def test_what_is_not_in_force_is_not_read(
    common: Masters, contracts: list[Contract], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    lake = common.workspace.lake
    read = lake.read

    def noted(scope: object, meters: list[str], *rest: object, **more: object) -> pl.DataFrame:
        asked.append(meters)
        return read(scope, meters, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(lake, "read", noted)
    (later,) = [contract for contract in contracts if contract.number == "EIS-9002"]
    (found,) = blemished.blemished_months(common, [later], SEPTEMBER)
    assert asked == [[]]
    assert [finding.code for finding in found.findings] == ["not-in-force"]


def test_what_cannot_be_compiled_or_priced_is_said_beside_what_was_noticed(
    common: Masters, contracts: list[Contract], readings: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    (gap,) = [contract for contract in contracts if contract.meter.serial == "gap"]
    bare = replace(gap, loss_factor=None, discount_rate=None, contracted_kw=None)

    def refused(*_: object, **__: object) -> None:
        raise NotInForce("a rate", date(2021, 9, 1))

    monkeypatch.setattr(Masters, "runs", refused)
    (found,) = blemished.blemished_months(common, [bare], SEPTEMBER)
    assert [finding.code for finding in found.findings] == ["missing-slots", "slots-estimated", "cannot-bill"]
    assert found.measured is None
    monkeypatch.undo()
    monkeypatch.setattr("eisenergy.billing.batch.billed", refused)
    (codes,) = [[finding.code for finding in one] for one in outcome(common, [bare]).values()]  # type: ignore[union-attr]
    assert codes == ["missing-slots", "slots-estimated", "cannot-bill"]


def test_a_fault_with_one_month_leaves_the_others(
    common: Masters, contracts: list[Contract], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(known: Facts, month: BillingMonth, rows: Rows) -> Prepared:
        if known.contract.meter.serial == "gap":
            raise IndexError("row 0 of none")
        return prepare(known, month, rows)

    some = [contract for contract in contracts if contract.meter.serial in {"gap", "gaps", "null"}]
    expected = outcome(common, some)
    monkeypatch.setattr(batch, "prepare", broken)
    for number, found in outcome(common, some).items():
        if number == next(contract.number for contract in some if contract.meter.serial == "gap"):
            assert [finding.code for finding in found] == ["fault"]  # type: ignore[union-attr]
        else:
            assert found == expected[number]


def test_rows_are_measured_and_hashed_as_their_frame_is(common: Masters, contracts: list[Contract]) -> None:
    seen = 0
    for seed in range(60):
        one = case(seed)
        period = one.period
        client = replace(common.client, timezone=one.zone, max_missing_share=one.max_missing_share)
        contract = replace(contracts[0], meter=replace(contracts[0].meter, serial="m"), start=period.start)
        known = replace(common.facts(contract, one.rows), client=client, calendar=one.calendar)
        ready = prepare(known, BillingMonth(period.start.year, period.start.month))
        assert rows_hash(ready.rows) == readings_hash(ready.filled)
        arrived = ready.arrived.frame.filter(pl.col("quality") == MEASURED)
        assert rows_hash(ready.arrived, ready.arrived.measured) == readings_hash(arrived)
        if any(finding.code in ("not-finite", "off-grid") for finding in ready.findings):
            continue
        runs = compile_runs(one.calendar, known.tariff.segments(period), one.zone)
        found = metered("m", ready.rows, runs, period=period, timezone=one.zone)
        assert found == measure("m", ready.filled, runs, period=period, timezone=one.zone)
        seen += 1
    assert seen > 10
