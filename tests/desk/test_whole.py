"""Months straight from the table's files give each contract the draft that it gets alone, and only where that is certain."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace

import numba
import numpy as np
import polars as pl
import pytest
from month_kinds import BEFORE, CLEAN, FIRST, LAST, SEPTEMBER, sound

from eisenergy.accounts import Contract, Scope
from eisenergy.billing.batch import Entry, Refused, entry, price
from eisenergy.desk import whole
from eisenergy.desk.drafting import NEIGHBOURS, draft
from eisenergy.desk.masters import Masters
from eisenergy.masters import codec
from eisenergy.store import layout, monthrows, roster
from eisenergy.store.lake import Lake
from eisenergy.store.roster import Listed

EIS = Scope.operator("EIS")
LATER = {
    "corrected": 500,  # a reading of the month came again with another value
    "corrected beside": -300,  # one of August
}
"""Meters whose sound month got one more row, and its interval."""
OFF_GRID = "a row between two intervals"
MANY_PRICES = "a price of its own in every interval"


def listed(contract: Contract) -> Listed:
    return roster.listed(json.dumps(codec.dump(contract)))


@pytest.fixture(scope="module")
def everybody(contracts: list[Contract]) -> list[Contract]:
    first = contracts[0]
    more = [
        replace(first, number=f"EIS-80{n:02d}", meter=replace(first.meter, serial=name))
        for n, name in enumerate((*LATER, OFF_GRID, MANY_PRICES, "never heard of"))
    ]
    gone = replace(first, number="EIS-9005", end=date(2021, 9, 30))
    return [*contracts, gone, *more]


@pytest.fixture(scope="module")
def lake(readings: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    result = Lake(str(tmp_path_factory.mktemp("lake")), lambda _: ())
    extra = [sound(name, 900 + n) for n, name in enumerate((*LATER, OFF_GRID))]
    row = pl.int_range(pl.len())
    priced = sound(MANY_PRICES, 950).with_columns(ftpms=row / 1000)
    result.append(EIS, pl.concat([readings, *extra, priced]))
    for n, interval in enumerate(LATER.values()):
        one = extra[n].filter(row == BEFORE + interval)
        result.append(EIS, one.with_columns(pl.col("kwh_import") + 0.5, source=pl.lit(f"{n}" * 64)))
    between = extra[len(LATER)].filter(row == BEFORE + 7)
    result.append(EIS, between.with_columns(pl.col("start") + timedelta(minutes=5), source=pl.lit("9" * 64)))
    return result


@pytest.fixture(scope="module")
def stored(common: Masters, lake: Lake) -> Masters:
    workspace = SimpleNamespace(lake=lake, database=None)
    names = {"a" * 64: "a.csv", "b" * 64: "b.csv"}
    return type(common)(
        workspace=workspace,  # type: ignore[arg-type]
        scope=EIS,
        client=common.client,
        lake_version=lake.version(),
        names=names,
        _tariffs=common._tariffs,
    )


@pytest.fixture(scope="module")
def apart(stored: Masters, lake: Lake, everybody: list[Contract]) -> dict[str, Entry | None]:
    """Each contract's draft, made of its own readings by the long way; ``None``: not billed."""
    result: dict[str, Entry | None] = {}
    for contract in everybody:
        if contract.tariff == "GONE":
            continue
        rows = lake.read(EIS, [contract.meter.serial], FIRST - NEIGHBOURS, LAST + NEIGHBOURS)
        made = draft(stored.facts(contract, rows), SEPTEMBER)
        result[contract.number] = None if made.bill is None else entry(made.bill, made.input_hash, "because")
    return result


def priced(stored: Masters, contracts: list[Contract]) -> dict[str, Entry | Refused]:
    batches = whole.whole_months(stored, [listed(c) for c in contracts], SEPTEMBER, lambda _: (), lambda _: "because")
    found = [one for batch in batches for one in price(batch)]
    assert len({one.contract for one in found}) == len(found)
    return {one.contract: one for one in found}


def test_each_draft_is_to_the_byte_the_one_it_gets_alone(
    stored: Masters, everybody: list[Contract], apart: dict[str, Entry | None]
) -> None:
    for number, found in priced(stored, everybody).items():
        assert found == apart[number], number


def test_it_is_said_of_clean_whole_months_only(stored: Masters, everybody: list[Contract]) -> None:
    found = priced(stored, everybody)
    meters = {contract.meter.serial for contract in everybody if contract.number in found}
    assert meters == set(CLEAN)
    assert {number for number in found if number.startswith("EIS-9")} == set()


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_neither_order_nor_threads_nor_company_change_a_draft(
    stored: Masters,
    everybody: list[Contract],
    apart: dict[str, Entry | None],
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
) -> None:
    if threads > numba.config.NUMBA_NUM_THREADS:
        pytest.skip(f"{numba.config.NUMBA_NUM_THREADS} threads here")
    monkeypatch.setattr(whole, "AT_A_TIME", 5 * threads)
    monkeypatch.setattr(whole, "READERS", threads)
    monkeypatch.setattr(whole, "BATCH", threads)
    order = np.random.default_rng(threads).permutation(len(everybody))
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        found = priced(stored, [everybody[n] for n in order])
        assert numba.get_num_threads() == threads
    finally:
        numba.set_num_threads(before)
    assert len(found) == len(CLEAN)
    for number, one in found.items():
        assert one == apart[number], number


@pytest.mark.parametrize(("near", "spans"), [(0, 1000), (0, 0)], ids=["as slices", "looked through"])
def test_however_the_rows_lie_a_draft_is_the_same(
    stored: Masters,
    everybody: list[Contract],
    apart: dict[str, Entry | None],
    monkeypatch: pytest.MonkeyPatch,
    near: int,
    spans: int,
) -> None:
    """Several loads of several files, so a month's rows are in several slices, or too many."""
    monkeypatch.setattr(whole, "AT_A_TIME", 20)
    monkeypatch.setattr(layout, "NEAR", near)
    monkeypatch.setattr(layout, "TOGETHER", 7_000)
    monkeypatch.setattr(monthrows, "SPANS", spans)
    found = priced(stored, everybody)
    assert len(found) == len(CLEAN)
    for number, one in found.items():
        assert one == apart[number], number


def test_an_earlier_state_is_read_as_it_stood(stored: Masters, lake: Lake, everybody: list[Contract]) -> None:
    """Before the corrections came, their meters were whole."""
    then = replace_version(stored, 1)
    corrected = [contract for contract in everybody if contract.meter.serial in (*LATER, OFF_GRID)]
    assert set(priced(then, corrected)) == {contract.number for contract in corrected}
    assert priced(stored, corrected) == {}


def replace_version(stored: Masters, version: int) -> Masters:
    fields = ("workspace", "scope", "client", "names", "_tariffs")
    return type(stored)(**{name: getattr(stored, name) for name in fields}, lake_version=version)


def test_what_cannot_be_priced_is_refused_as_alone(
    stored: Masters, lake: Lake, everybody: list[Contract], monkeypatch: pytest.MonkeyPatch
) -> None:
    tariff, calendar = stored._tariffs[everybody[0].tariff]
    bare = replace(tariff, rates={kind: {} for kind in tariff.rates})
    monkeypatch.setitem(stored._tariffs, tariff.name, (bare, calendar))
    stored._runs.clear()
    (refused,) = priced(stored, everybody[:1]).values()
    rows = lake.read(EIS, [everybody[0].meter.serial], FIRST - NEIGHBOURS, LAST + NEIGHBOURS)
    made = draft(stored.facts(everybody[0], rows), SEPTEMBER)
    assert isinstance(refused, Refused)
    assert (refused.finding,) == made.findings
    stored._runs.clear()


def test_a_scope_of_one_customer_does_not_read_the_clients_files(stored: Masters, everybody: list[Contract]) -> None:
    scope = Scope.customer("EIS", everybody[0].customer.code)
    limited = type(stored)(
        workspace=stored.workspace,
        scope=scope,
        client=stored.client,
        lake_version=1,
        names={},
        _tariffs=stored._tariffs,
    )
    with pytest.raises(PermissionError, match="limited to customers"):
        list(whole.whole_months(limited, [listed(everybody[0])], SEPTEMBER, lambda _: (), lambda _: ""))


@pytest.mark.parametrize("count", [1, 119, 250, 251, 1000])
def test_groups_hold_everybody_once_and_the_first_are_small_where_there_are_several(
    contracts: list[Contract], count: int
) -> None:
    everybody = [replace(listed(contracts[0]), number=str(n)) for n in range(count)]
    first, later = whole._first(everybody)
    groups = [*first, *(whole._groups(later, None) if later else ())]
    assert [one for group in groups for one in group] == everybody
    sizes = [len(group) for group in groups]
    assert sizes[:2] == [whole.AT_FIRST] * 2 if count > whole.AT_A_TIME else sizes == [count]
    assert max(sizes) <= whole.AT_A_TIME


def test_a_group_ends_where_rows_are_unpacked_together(contracts: list[Contract]) -> None:
    everybody = [replace(listed(contracts[0]), number=f"{n}", meter=f"{n:04d}") for n in range(700)]
    rows = layout.TOGETHER // 200
    stops = rows * np.arange(1, 701)
    meters = tuple(one.meter for one in everybody)
    places = {meter: [n] for n, meter in enumerate(meters) if n != 350}  # one has no row
    found = layout.Layout(("one", "two"), stops[[309, 699]], meters, stops, places)
    groups = whole._groups(everybody[120:], found)
    assert [one for group in groups for one in group] == everybody[120:]
    # 120 to 200 would be too few, so it goes on to the end of the file; 310 is the first of the second.
    assert [int(group[0].number) for group in groups] == [120, 310, 511]
