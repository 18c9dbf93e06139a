"""The state of a meter's month changes when its readings do, and is the same while they are."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from store_cases import EIS, START, make_client, make_contract
from store_readings import readings

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.store import masters, scanned, standing
from eisenergy.store.database import Database
from eisenergy.store.lake import NOTHING, Lake
from eisenergy.store.masters import Supply
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


def test_what_was_read_a_moment_ago_tells_how_its_months_stand(lake: Lake) -> None:
    """Whatever was read before, the answer is that of a table nobody has read from: counted here by a query of its own."""
    serial, first = "M5", datetime(2021, 6, 1, tzinfo=UTC)
    year = readings(serial, dict.fromkeys(range(150 * 96), 1.0), start=first)
    lake.append(EIS, pl.concat([year.filter(pl.col("start").dt.month() != 8), readings("M6", {1: 1.0}, start=first)]))
    lake.append(EIS, year[40:60].with_columns(kwh_import=pl.lit(2.0), source=pl.lit("a correction")))
    table = lake.table()
    assert table is not None
    rows = lake._scan(table, EIS).filter(pl.col("meter") == serial).select("start", "loaded").collect()
    counted = {
        month: (part.height, part["loaded"].max())
        for (month,), part in rows.group_by(pl.col("start").dt.strftime("%Y-%m"))
    }
    assert counted["2021-06"][0] == 30 * 96 + 20  # superseded rows are part of how a month stands
    assert "2021-08" not in counted
    begin, after = datetime(2021, 6, 1, tzinfo=UTC), datetime(2021, 10, 20, tzinfo=UTC)
    for span in ((6, 6), (7, 9), (6, 10), (9, 10), (8, 8)):
        standing._KNOWN._kept.clear()
        start, end = datetime(2021, span[0], 10, tzinfo=UTC), datetime(2021, span[1], 12, tzinfo=UTC)
        read = lake.read(EIS, [serial], start, end, version=lake.version())
        assert read.is_empty() == (span == (8, 8))
        assert states(lake, EIS, [serial], begin, after, version=lake.version()) == {serial: counted}
        assert states(lake, EIS, [serial], start, start, version=lake.version()) == {
            serial: {month: stand for month, stand in counted.items() if month == f"{start:%Y-%m}"}
        }
    then = lake.version()
    lake.append(EIS, year[70:71].with_columns(kwh_import=pl.lit(3.0), source=pl.lit("another")))
    assert states(lake, EIS, [serial], begin, after, version=then) == {serial: counted}
    assert states(lake, EIS, [serial], begin, after)[serial]["2021-06"][0] == counted["2021-06"][0] + 1


def test_rows_are_cut_to_a_time_and_to_supplies_as_conditions_say() -> None:
    """Against the conditions written out, for rows in order and not, of one meter and of two."""
    rows = pl.concat([readings("M1", dict.fromkeys(range(96), 1.0)), readings("M2", dict.fromkeys(range(48, 96), 1.0))])
    at = [START + timedelta(minutes=15 * n) for n in (-4, 0, 7, 48, 95, 96, 200)]
    for frame in (rows, rows[:96], rows[:0], rows[::-1], rows.sample(fraction=1.0, shuffle=True, seed=5)):
        for start, end in itertools.combinations_with_replacement(at, 2):
            wanted = frame.filter(pl.col("start") >= start, pl.col("start") < end)
            assert scanned.between(frame, start, end).equals(wanted)
            for last in (None, end):
                one = frame.filter(pl.col("meter") == "M1")
                supply = Supply(meter="M1", start=start, end=last)
                until = pl.lit(True) if last is None else pl.col("start") < last
                mine = (pl.col("meter") == "M1") & (pl.col("start") >= start) & until
                assert scanned.supplied(one, [supply]).equals(one.filter(mine))
                both = [supply, Supply(meter="M2", start=at[4], end=None)]
                other = (pl.col("meter") == "M2") & (pl.col("start") >= at[4])
                assert scanned.supplied(frame, both).equals(frame.filter(mine | other))


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
