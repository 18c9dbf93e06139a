"""Periods, billing months and dated values: boundary dates by hand, clock changes by the published rules of the zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eisenergy.period import BadMonth, BillingMonth, Dated, NotInForce, Overlap, Period, midnight

SEPTEMBER = Period(date(2021, 9, 1), date(2021, 10, 1))
DATES = st.dates(date(2019, 1, 1), date(2023, 12, 31))


def test_a_period_holds_its_start_and_not_its_end():
    assert date(2021, 9, 1) in SEPTEMBER
    assert date(2021, 9, 30) in SEPTEMBER
    assert date(2021, 10, 1) not in SEPTEMBER
    assert date(2021, 8, 31) not in SEPTEMBER
    assert datetime(2021, 9, 15, tzinfo=UTC) not in SEPTEMBER  # an instant is not a local date
    assert "2021-09-15" not in SEPTEMBER
    assert SEPTEMBER.days == 30
    assert list(SEPTEMBER)[0] == date(2021, 9, 1)  # noqa: RUF015
    assert list(SEPTEMBER)[-1] == date(2021, 9, 30)
    assert str(SEPTEMBER) == "[2021-09-01, 2021-10-01)"


@pytest.mark.parametrize("end", [date(2021, 9, 1), date(2021, 8, 31)])
def test_a_period_ends_after_it_starts(end):
    with pytest.raises(ValueError, match="ends after it starts"):
        Period(date(2021, 9, 1), end)


def test_september_in_el_salvador_has_2880_slots():
    assert SEPTEMBER.slots("America/El_Salvador") == 2880
    assert SEPTEMBER.slots("America/El_Salvador", 60) == 720
    assert SEPTEMBER.utc("America/El_Salvador") == (
        datetime(2021, 9, 1, 6, tzinfo=UTC),
        datetime(2021, 10, 1, 6, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("zone", "day", "slots"),
    [
        ("America/New_York", date(2021, 3, 14), 92),
        ("America/New_York", date(2021, 11, 7), 100),
        ("Europe/Madrid", date(2021, 3, 28), 92),
        ("Europe/Madrid", date(2021, 10, 31), 100),
        ("Australia/Lord_Howe", date(2021, 4, 4), 98),  # half an hour
        ("America/El_Salvador", date(2021, 11, 7), 96),
    ],
)
def test_a_day_of_a_clock_change_has_more_or_fewer_slots(zone, day, slots):
    assert Period(day, day + timedelta(days=1)).slots(zone) == slots


def test_midnight_that_happens_twice_or_never():
    assert midnight(date(2021, 11, 7), "America/Havana") == datetime(2021, 11, 7, 4, tzinfo=UTC)  # again at 05:00
    assert midnight(date(2021, 10, 3), "America/Asuncion") == datetime(2021, 10, 3, 4, tzinfo=UTC)  # 00:00 is 01:00


@pytest.mark.untraced
@settings(max_examples=100, deadline=None)
@given(DATES, st.integers(1, 60), st.lists(DATES, max_size=6))
def test_split_covers_the_period_once_and_cuts_at_every_date_inside(start, days, cuts):
    period = Period(start, start + timedelta(days=days))
    parts = period.split(tuple(cuts))
    assert [day for part in parts for day in part] == list(period)
    assert {part.start for part in parts} == {start} | {cut for cut in cuts if cut in period}


def test_split_at_its_own_ends_cuts_nothing():
    assert SEPTEMBER.split((SEPTEMBER.start, SEPTEMBER.end)) == (SEPTEMBER,)
    assert SEPTEMBER.split(()) == (SEPTEMBER,)


def test_a_billing_month_and_its_anchor():
    assert BillingMonth.parse(" 2021-09 ").period == SEPTEMBER
    assert BillingMonth.parse("2021-12", anchor=15).period == Period(date(2021, 12, 15), date(2022, 1, 15))
    assert BillingMonth(2020, 2).period.days == 29
    assert str(BillingMonth(2021, 9, 15)) == "2021-09"
    assert BillingMonth(2021, 1).plus(-1) == BillingMonth(2020, 12)
    assert BillingMonth(2021, 12, 15).plus(1) == BillingMonth(2022, 1, 15)
    assert BillingMonth(2021, 9).plus(-12) == BillingMonth(2020, 9)
    assert BillingMonth(2020, 12) < BillingMonth(2021, 1)


@pytest.mark.parametrize("text", ["2021-9", "09-2021", "2021-09-01", "", "September"])
def test_what_is_no_month(text):
    with pytest.raises(BadMonth, match="expected YYYY-MM"):
        BillingMonth.parse(text)


@pytest.mark.parametrize("text", ["2021-00", "2021-13"])
def test_a_month_outside_the_year(text):
    with pytest.raises(BadMonth, match="expected 1 to 12"):
        BillingMonth.parse(text)


@pytest.mark.parametrize("anchor", [0, 29])
def test_an_anchor_that_not_every_month_has(anchor):
    with pytest.raises(BadMonth, match="expected 1 to 28"):
        BillingMonth(2021, 9, anchor)


RATE = Dated.of(
    "rate", {date(2021, 7, 15): "B", date(2021, 4, 15): "A", date(2021, 10, 1): None, date(2022, 1, 1): "C"}
)


@pytest.mark.parametrize(
    ("day", "value", "since"),
    [
        (date(2021, 4, 15), "A", date(2021, 4, 15)),
        (date(2021, 7, 14), "A", date(2021, 4, 15)),
        (date(2021, 7, 15), "B", date(2021, 7, 15)),
        (date(2021, 9, 30), "B", date(2021, 7, 15)),
        (date(2022, 1, 1), "C", date(2022, 1, 1)),
        (date(2050, 1, 1), "C", date(2022, 1, 1)),
    ],
)
def test_the_newest_value_not_after_the_day(day, value, since):
    assert RATE.at(day) == value
    assert RATE.entry(day) == (since, value)


@pytest.mark.parametrize("day", [date(2021, 4, 14), date(2021, 10, 1), date(2021, 12, 31)])
def test_no_value_in_force_names_the_value_and_the_day(day):
    with pytest.raises(NotInForce, match=rf"rate: no value in force on {day}") as caught:
        RATE.at(day)
    assert (caught.value.name, caught.value.day) == ("rate", day)


def test_two_values_of_one_first_day_are_refused():
    pair = ((date(2021, 7, 15), 1), (date(2021, 4, 15), 1), (date(2021, 7, 15), 2))
    with pytest.raises(Overlap, match="rate: two values start on 2021-07-15"):
        Dated.of("rate", pair)


def test_starts_are_in_order():
    assert RATE.starts == (date(2021, 4, 15), date(2021, 7, 15), date(2021, 10, 1), date(2022, 1, 1))
    assert Dated.of("empty", {}).starts == ()
