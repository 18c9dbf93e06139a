"""Calendars: what is refused, and which block a local time belongs to."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from eisenergy.timeofuse import BlockHours, CalendarError, DayCalendar, DayType, Season, day_type


def hours(start: int, end: int, block: str, **more: object) -> BlockHours:
    return BlockHours(start_minute=start * 60, end_minute=end * 60, block=block, **more)  # type: ignore[arg-type]


EIS = DayCalendar(name="EIS", rows=(hours(23, 5, "VALLE"), hours(5, 18, "RESTO"), hours(18, 23, "PUNTA")))


@pytest.mark.parametrize(
    ("rows", "seasons", "message"),
    [
        ((), (), "no block from 00:00 to 24:00 on weekday days. Every hour"),
        ((hours(5, 18, "R", origin="b.xlsx!A3"), hours(18, 23, "P"), hours(23, 4, "V", origin="b.xlsx!A2")), (),
         r"no block from 04:00 to 05:00 on weekday days \(rows read: b.xlsx!A3, b.xlsx!A2\)"),
        ((hours(0, 24, "A", origin="b.xlsx!A2"), hours(6, 7, "B", origin="b.xlsx!A3")), (),
         r"06:00 on weekday days is given twice, to A \(b.xlsx!A2\) and to B \(b.xlsx!A3\)"),
        ((hours(0, 24, "A"), hours(0, 1, "B", day_types=frozenset({DayType.SUNDAY}))), (),
         "00:00 on sunday days is given twice, to A and to B"),
        ((hours(0, 24, "A", season="wet"),), (Season(name="wet", start_month=5, start_day=1), Season(name="dry", start_month=11, start_day=1)),
         "no block from 00:00 to 24:00 on weekday days of season dry"),
        ((hours(0, 24, "A", season="wte", origin="c.yaml:3"),), (Season(name="wet", start_month=5, start_day=1),),
         r"\(c.yaml:3\): season 'wte' is not defined. Known are: wet"),
        ((hours(0, 24, "A", season="wet"),), (), "Known are: none"),
        ((hours(0, 25, "A"),), (), "block A from minute 0 to 1500: expected a start of 0 to 1439"),
        ((hours(24, 5, "A"),), (), "block A from minute 1440"),
        ((hours(0, 24, "  "),), (), "a row without a block's name"),
        ((hours(0, 24, "A"),), (Season(name="x", start_month=2, start_day=30),), "season x starts on month 2, day 30"),
        ((hours(0, 24, "A"),), (Season(name="x", start_month=2, start_day=1), Season(name="y", start_month=2, start_day=1)),
         "seasons x and y both start on month 2, day 1"),
    ],
)  # fmt: skip
def test_a_calendar_that_does_not_cover_the_day_once_is_refused(
    rows: tuple[BlockHours, ...], seasons: tuple[Season, ...], message: str
) -> None:
    with pytest.raises(CalendarError, match=message):
        DayCalendar(name="bad", rows=rows, seasons=seasons)


def test_blocks_come_in_order_of_first_appearance_and_calendars_compare_by_content() -> None:
    assert EIS.blocks == ("VALLE", "RESTO", "PUNTA")
    same = DayCalendar(name="EIS", rows=EIS.rows)
    assert (same, hash(same)) == (EIS, hash(EIS))
    assert hours(0, 0, "A").minutes() == (range(1440),)


def test_block_at_knows_day_types_and_seasons() -> None:
    calendar = DayCalendar(
        name="seasons",
        rows=(
            hours(0, 0, "WET", season="wet"),
            hours(0, 24, "DRY", season="dry", day_types=frozenset(DayType) - {DayType.HOLIDAY}),
            hours(0, 24, "HOLIDAY", season="dry", day_types=frozenset({DayType.HOLIDAY})),
        ),
        seasons=(
            Season(name="dry", start_month=11, start_day=1),
            Season(name="wet", start_month=5, start_day=1),
        ),
        holidays=frozenset({date(2021, 12, 25)}),
    )
    cases = {(1, 1): "DRY", (4, 30): "DRY", (5, 1): "WET", (10, 31): "WET", (11, 1): "DRY", (12, 25): "HOLIDAY"}
    for (month, day), block in cases.items():
        assert calendar.block_at(datetime(2021, month, day, 12)) == block  # noqa: DTZ001 - a local time
    assert [day_type(date(2021, 9, n)) for n in (3, 4, 5)] == [DayType.WEEKDAY, DayType.SATURDAY, DayType.SUNDAY]
