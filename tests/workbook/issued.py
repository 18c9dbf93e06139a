"""Hand-made bills with calendars and blocks of every kind, as issued invoices; what block a local time has, told without the library."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import exported
import polars as pl
from billing_builders import ZONE, make_contract, make_tariff
from billing_cases import starts

from eisenergy.frames import conform
from eisenergy.period import Period
from eisenergy.tariffs.model import BillingRules, RateKind, ScalarKind
from eisenergy.timeofuse import BlockHours, DayCalendar, DayType, Season
from eisenergy.workbook import export

MIDWEEK = Period(date(2021, 9, 9), date(2021, 9, 21))
RATES = {"NOCHE": "0.1", "DIA": "0.2", "PICO": "0.4"}


def readings(period: Period, zone: str = ZONE, **more: Any) -> pl.DataFrame:
    """Every interval of a period: 1.01, 2.01 ... kWh over and over; the 40th to the 57th are estimates."""
    when = starts(zone, period.start, period.end)
    rows = [
        {
            "client": "EIS",
            "meter": "5614086",
            "start": at,
            "kwh_import": number % 7 + 1.01,
            "quality": "estimated" if 40 <= number < 58 else "measured",
            "source": "test",
            "source_row": number + 1,
            **more,
        }
        for number, at in enumerate(when)
    ]
    return conform(pl.DataFrame(rows))


def bill_of(
    calendar: DayCalendar,
    rates: dict[str, str] | None = None,
    *,
    period: Period = MIDWEEK,
    zone: str = ZONE,
    rules: BillingRules | None = None,
    frame: pl.DataFrame | None = None,
    issuer: Any = None,
    tariff_name: str = "EIS-TOU",
    scalars: Any = None,
    rates_too: Any = None,
    **contract: Any,
) -> export.Source:
    """An invoice; ``scalars`` and ``rates_too`` are what the tariff carries besides."""
    prices = rates or RATES
    tariff = make_tariff(
        {
            RateKind.ENERGY: {block: {date(2021, 1, 1): price} for block, price in prices.items()},
            RateKind.DEMAND: {block: {date(2021, 1, 1): "7.1", date(2021, 9, 15): "8.3"} for block in prices},
            RateKind.FTPMS: {block: {date(2021, 1, 1): "0.004"} for block in prices},
            **(rates_too or {}),
        },
        {ScalarKind.VAT_RATE: {date(2000, 1, 1): "0.13"}, **(scalars or {})},
        rules or BillingRules(ftpms_blocks=(next(iter(prices)),)),
        name=tariff_name,
    )
    found = readings(period, zone) if frame is None else frame
    return exported.source_of(make_contract(**contract), period, tariff, calendar, found, zone=zone, issuer=issuer)


def hours(*rows: tuple[int, int, str], **more: Any) -> tuple[BlockHours, ...]:
    return tuple(BlockHours(start_minute=start, end_minute=end, block=block, **more) for start, end, block in rows)


WORKDAYS = frozenset({DayType.WEEKDAY})
RESTDAYS = frozenset({DayType.SUNDAY, DayType.HOLIDAY})
SATURDAYS = frozenset({DayType.SATURDAY})


def kinds_of_day() -> DayCalendar:
    """Workdays, Saturdays, rest days; another peak from 15 September; the 15th is a holiday."""
    dry = hours((0, 360, "NOCHE"), (360, 1080, "DIA"), (1080, 1440, "PICO"), day_types=WORKDAYS, season="Seca")
    wet = hours((0, 360, "NOCHE"), (360, 1140, "DIA"), (1140, 1440, "PICO"), day_types=WORKDAYS, season="Lluviosa")
    rest = hours((0, 1440, "NOCHE"), day_types=RESTDAYS) + hours(
        (1380, 360, "NOCHE"), (360, 1380, "DIA"), day_types=SATURDAYS
    )
    return DayCalendar(
        name="dias",
        rows=dry + wet + rest,
        seasons=(Season(name="Seca", start_month=1, start_day=1), Season(name="Lluviosa", start_month=9, start_day=14)),
        holidays=frozenset({date(2021, 9, 15)}),
    )


def block_of_kinds(at: datetime) -> str:
    rest = at.date() == date(2021, 9, 15) or at.weekday() == 6
    if rest or at.hour < 6:
        return "NOCHE"
    if at.weekday() == 5:
        return "NOCHE" if at.hour == 23 else "DIA"
    return "PICO" if at.hour >= (18 if at.day < 14 else 19) else "DIA"


def quarters() -> DayCalendar:
    """Blocks that change at 05:45 and 17:30; the night wraps midnight."""
    return DayCalendar(name="cuartos", rows=hours((1290, 345, "NOCHE"), (345, 1050, "DIA"), (1050, 1290, "PICO")))


def block_of_quarters(at: datetime) -> str:
    minute = at.hour * 60 + at.minute
    return "PICO" if 1050 <= minute < 1290 else "DIA" if 345 <= minute < 1050 else "NOCHE"


def three() -> DayCalendar:
    return DayCalendar(name="tres", rows=hours((0, 360, "NOCHE"), (360, 1080, "DIA"), (1080, 1440, "PICO")))


def block_of_three(at: datetime) -> str:
    return ("NOCHE", "DIA", "DIA", "PICO")[at.hour // 6]


AWKWARD = {"*": "0.1", "<5": "0.2", 'L"A PICO': "0.4"}
TEXTS = {"1": "0.1", "2021-09-01": "0.2", "=1+1": "0.4"}


def renamed(names: dict[str, str]) -> DayCalendar:
    return DayCalendar(
        name="raros",
        rows=hours(
            *(
                (start, end, name)
                for (start, end), name in zip(((0, 360), (360, 1080), (1080, 1440)), names, strict=True)
            )
        ),
    )
