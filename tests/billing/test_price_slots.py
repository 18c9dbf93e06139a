"""Prices per interval: the same sums as the bill, the same precedence, the same refusals."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from billing_cases import bill_of, calendar_of, contract_of, make_case, reading_frame, tariff_of
from oracle import Case

from eisenergy.accounts import Contract, Sourced
from eisenergy.billing.model import LineCode
from eisenergy.billing.slots import price_slots
from eisenergy.blockruns import Runs, compile_runs
from eisenergy.period import NotInForce, Period

AMOUNTS = {
    "energy_cost": LineCode.ENERGY,
    "loss_amount": LineCode.LOSSES,
    "ftpms_amount": LineCode.FTPMS,
    "deviation_amount": LineCode.DEVIATION,
}


def priced(case: Case, frame: pl.DataFrame | None = None) -> pl.DataFrame:
    return price_slots(
        reading_frame(case) if frame is None else frame,
        contract_of(case),
        tariff_of(case),
        calendar_of(case),
        period=Period(case.start, case.end),
        timezone=case.zone,
    )


@pytest.mark.untraced
@pytest.mark.parametrize(("size", "count"), [("small", 75), ("days", 15)])
def test_intervals_add_up_to_the_bill(size: str, count: int) -> None:
    for seed in range(count):
        case = make_case(seed, size)
        made, slots = bill_of(case), priced(case)
        assert len(slots) == len(case.when)
        for column, code in AMOUNTS.items():
            assert math.isclose(slots[column].sum(), made.line(code).exact, rel_tol=1e-9, abs_tol=1e-12), (seed, column)
        for block in made.blocks:
            kwh = slots.filter(pl.col("block") == block.block)["kwh"].sum()
            assert math.isclose(kwh, block.kwh, rel_tol=1e-9, abs_tol=1e-12), (seed, block.block)


def test_a_calendar_compiled_already_gives_the_same() -> None:
    case = make_case(5, "days")
    period = Period(case.start, case.end)
    runs = compile_runs(calendar_of(case), tariff_of(case).segments(period), case.zone)
    again = price_slots(
        reading_frame(case),
        contract_of(case),
        tariff_of(case),
        calendar_of(case),
        period=period,
        timezone=case.zone,
        runs=runs,
    )
    assert again.equals(priced(case))


def test_what_is_remembered_of_one_contract_is_not_anothers() -> None:
    """Contracts in turn under one compiled calendar, with other intervals and other loss factors, against each of them alone."""
    case = make_case(5, "days")
    period, tariff, calendar = Period(case.start, case.end), tariff_of(case), calendar_of(case)
    frame, contract = reading_frame(case), contract_of(case)
    bare = frame.with_columns(pl.lit(None, pl.Float64).alias("loss_factor"))
    other = replace(contract, loss_factor=Sourced(value=Decimal("0.123"), origin="test"))
    runs = compile_runs(calendar, tariff.segments(period), case.zone)

    def price(rows: pl.DataFrame, who: Contract, at_hand: Runs | None) -> pl.DataFrame:
        return price_slots(rows, who, tariff, calendar, period=period, timezone=case.zone, runs=at_hand)

    turns = (
        (bare, other), (bare, contract), (bare, other), (bare.tail(-3), other), (frame, contract), (bare, other),
    )  # fmt: skip
    alone = [price(rows, who, None) for rows, who in turns]
    assert all(price(rows, who, runs).equals(found) for (rows, who), found in zip(turns, alone, strict=True))
    assert not alone[0].equals(alone[1])


def test_order_and_rows_that_are_not_the_periods() -> None:
    case = make_case(7, "days")
    frame = reading_frame(case)
    outside = frame.head(2).with_columns(pl.col("start") - timedelta(days=40))
    without = frame.tail(1).with_columns(pl.col("start") + timedelta(minutes=5), kwh_import=pl.lit(None, pl.Float64))
    assert priced(case, pl.concat([frame.reverse(), outside, without])).equals(priced(case, frame))


@pytest.mark.parametrize("beside", [{-1}, {1}, {-1, 1}])
def test_whole_and_in_order_but_longer_than_the_period(beside: set[int]) -> None:
    case = make_case(5, "days")
    frame = reading_frame(case).sort("start")
    length = (frame["start"].item(-1) - frame["start"].item(0)) + timedelta(minutes=15)
    more = [frame.with_columns(pl.col("start") + length * n) for n in sorted({0} | beside)]
    assert priced(case, pl.concat(more)).equals(priced(case, frame))


def simple(**changes: Any) -> Case:
    """Two intervals of RESTO at 10 and 11 o'clock, with every price in the tariff."""
    case = make_case(3)
    day = date(2021, 9, 2)
    table = [(block, date(2021, 1, 1), Fraction(1, 10)) for block in ("VALLE", "RESTO", "PUNTA")]
    when = [case.when[0].replace(year=2021, month=9, day=2, hour=hour, minute=0) for hour in (16, 17)]
    nothing: list[Fraction | None] = [None, None]
    plain = replace(
        case,
        zone="America/El_Salvador",
        start=day,
        end=day + timedelta(days=1),
        hours=[(23, 4, "VALLE"), (5, 17, "RESTO"), (18, 22, "PUNTA")],
        when=when,
        kwh=[Fraction(3), Fraction(5)],
        kw=[Fraction(12), Fraction(20)],
        forecast=[Fraction(4), Fraction(4)],
        slot_loss=nothing,
        slot_ftpms=nothing,
        slot_pos=nothing,
        slot_neg=nothing,
        energy=table,
        demand=table,
        ftpms=table,
        cost_pos=table,
        cost_neg=table,
        tariff_loss=[],
        contract_loss=None,
        demand_rate_block=None,
        ftpms_blocks=["RESTO"],
        deviation_mode="both",
        corrections=[],
    )
    return replace(plain, **changes)


def test_by_hand() -> None:
    rows = priced(simple(slot_neg=[Fraction(2), Fraction(2)])).to_dicts()
    assert [(row["hour"], row["block"], str(row["local"])) for row in rows] == [
        (10, "RESTO", "2021-09-02 10:00:00"),
        (11, "RESTO", "2021-09-02 11:00:00"),
    ]
    assert [row["energy_cost"] for row in rows] == [3 * 0.1, 0.5]
    assert [row["ftpms_amount"] for row in rows] == [3 * 0.1, 0.5]
    assert [(row["loss_factor"], row["loss_amount"]) for row in rows] == [(None, 0), (None, 0)]
    assert [row["deviation_amount"] for row in rows] == [2.0, 0.1]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"slot_loss": [Fraction(1), None]}, "loss_factor"),
        ({"ftpms": [("PUNTA", date(2021, 1, 1), Fraction(1))]}, "ftpms"),
        ({"cost_neg": [("PUNTA", date(2021, 1, 1), Fraction(1))]}, "cost_neg"),
        ({"cost_pos": [("PUNTA", date(2021, 1, 1), Fraction(1))]}, "cost_pos"),
        ({"energy": [("PUNTA", date(2021, 1, 1), Fraction(1))]}, "energy"),
        ({"tariff_loss": [(date(2021, 9, 3), Fraction(1))]}, "loss_factor"),
        ({"tariff_loss": [(date(2021, 9, 3), Fraction(1))], "slot_loss": [Fraction(1), None]}, "loss_factor"),
    ],
)
def test_a_price_that_is_missing_is_refused_as_the_bill_refuses_it(changes: dict[str, Any], name: str) -> None:
    case = simple(**changes)
    with pytest.raises(NotInForce, match=f"{name}.* of .*RESTO.*2021-09-02"):
        priced(case)
    with pytest.raises(NotInForce, match="2021-09-02"):
        bill_of(case)


def test_a_tariff_is_not_asked_for_the_loss_factor_that_every_reading_carries() -> None:
    """The tariff's own begins a day later."""
    later = [(date(2021, 9, 3), Fraction(9))]
    case = simple(tariff_loss=later, slot_loss=[Fraction(1, 2), Fraction(2)], loss_basis="charge_per_kwh")
    assert priced(case)["loss_amount"].to_list() == [1.5, 10.0]
    assert bill_of(case).line(LineCode.LOSSES).exact == Decimal("11.5")


@pytest.mark.parametrize("name", ["ftpms", "cost_neg", "cost_pos"])
def test_a_price_that_nobody_carries_costs_nothing(name: str) -> None:
    rows = priced(simple(**{name: []}))
    amounts = {"ftpms": [0.0, 0.0], "cost_neg": [0.0, 0.1], "cost_pos": [0.1, 0.0]}[name]
    column = "ftpms_amount" if name == "ftpms" else "deviation_amount"
    assert rows[column].to_list() == amounts


def test_deviation_below_the_forecast_alone() -> None:
    assert priced(simple(deviation_mode="shortfall"))["deviation_amount"].to_list() == [0.1, 0.0]
