"""When two cell values are one and the same, and what number a date is."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final

from eisenergy.workbook.model import Value

RELATIVE: Final = 1e-9
_TINY: Final = 1e-12  # what Excel itself shows as 0 after 0.1+0.2-0.3
_MOMENT: Final = 1e-8  # days, just under a millisecond: to that openpyxl rounds a time
_CENT: Final = 0.005
_START: Final = datetime(1899, 12, 30)  # noqa: DTZ001
_DAY: Final = timedelta(days=1)


def serial(value: date | time | timedelta) -> float:
    """Return the number a spreadsheet keeps for a date or a time.

    :returns: [days since 30 December 1899]; a time of day alone is a fraction of one day
    """
    if isinstance(value, timedelta):
        return value / _DAY
    if isinstance(value, time):
        return ((value.hour * 60 + value.minute) * 60 + value.second + value.microsecond / 1e6) / 86_400
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001
    days = (moment.replace(tzinfo=None) - _START) / _DAY
    # Excel believes in a 29 February 1900, so what comes before it is one less.
    return days - 1 if 0 < days <= 60 else days


def plain(value: Value) -> str | int | float | bool | None:
    """Return a value with dates and times as serial numbers."""
    return serial(value) if isinstance(value, date | time | timedelta) else value


def same(found: Value, other: Value, *, cents: bool = False) -> bool:
    """Say whether two cell values are the same.

    Numbers to 1e-9 of the larger, or when both are within 1e-12 of zero; a date or a time is its serial number, to a millisecond;
    texts, logical values and errors exactly.

    :param cents: numbers that show the same cent are the same, for money that one side rounds
    """
    if type(found) is float and type(other) is float:  # nearly every cell: no need to look for dates
        apart, size = abs(found - other), max(abs(found), abs(other))
        return apart <= RELATIVE * size or size <= _TINY or (cents and apart < _CENT)
    dated = isinstance(found, date | time | timedelta) or isinstance(other, date | time | timedelta)
    a, b = plain(found), plain(other)
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float) and isinstance(b, int | float):
        apart, size = abs(a - b), max(abs(a), abs(b))
        if dated:
            return apart <= _MOMENT
        return apart <= RELATIVE * size or size <= _TINY or (cents and apart < _CENT)
    return type(a) is type(b) and a == b
