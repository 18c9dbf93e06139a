"""The state of a meter's month changes when its readings do, and is the same while they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from store_cases import EIS, START, make_client, make_contract
from store_readings import readings

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.store import masters
from eisenergy.store.database import Database
from eisenergy.store.lake import NOTHING, Lake
from eisenergy.store.states import states, touched

END = START + timedelta(days=60)


@pytest.fixture(scope="module", autouse=True)
def _masters(database: Database) -> None:
    masters.save_client(database, EIS, make_client())
    masters.save_contracts(database, EIS, [make_contract(n) for n in range(1, 9)])


def test_a_state_is_another_when_and_only_when_readings_are(lake: Lake) -> None:
    assert states(lake, EIS, ["M1"], START, END) == {"M1": {}}
    rows = readings("M1", {n: 1.5 + n for n in range(30 * 96)})
    first = lake.append(EIS, pl.concat([rows, readings("M2", dict.fromkeys(range(4), 2.0))]))
    before = states(lake, EIS, ["M1", "M2"], START, END)
    # The month is one of UTC: the last day of a local September runs into October.
    assert {month: count for month, (count, _) in before["M1"].items()} == {"2021-09": 30 * 96 - 24, "2021-10": 24}
    lake.append(EIS, rows.with_columns(source=pl.lit("another file")))  # the same figures: nothing is written
    assert states(lake, EIS, ["M1", "M2"], START, END) == before

    lake.append(EIS, rows[:1].with_columns(pl.col("kwh_import") + 1, source=pl.lit("a correction")))
    after = states(lake, EIS, ["M1", "M2"], START, END)
    assert after["M1"]["2021-09"] != before["M1"]["2021-09"]
    assert (after["M1"]["2021-10"], after["M2"]) == (before["M1"]["2021-10"], before["M2"])
    assert states(lake, EIS, ["M1", "M2"], START, END, version=first.version) == before
    assert states(lake, EIS, ["M1"], START, END, version=NOTHING) == {"M1": {}}
    lake.compact(EIS)
    assert states(lake, EIS, ["M1", "M2"], START, END) == after


def test_a_limited_scope_asks_about_its_own_meters(lake: Lake) -> None:
    with pytest.raises(OutOfScope, match="meter M2 is outside"):
        states(lake, Scope.customer("EIS", "EIS-0001"), ["M1", "M2"], START, END)


def test_touched_are_the_months_of_the_span_in_order() -> None:
    known = {"2021-10": (3, 3), "2021-08": (1, 1), "2021-09": (2, 2)}
    september = datetime(2021, 9, 1, tzinfo=UTC), datetime(2021, 9, 30, 23, tzinfo=UTC)
    assert touched(known, *september) == [("2021-09", 2, 2)]
    assert touched(known, september[0] - timedelta(hours=1), september[1] + timedelta(days=1)) == [
        ("2021-08", 1, 1), ("2021-09", 2, 2), ("2021-10", 3, 3),
    ]  # fmt: skip
