"""Which days a page is about: this month, the last, three or twelve, or from one day to another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from eisenergy.period import BillingMonth, Period

MOST_DAYS: Final = 400
"""Days that one page or one file shows at most: thirteen months and a little."""

PRESETS: Final = {"mes": (0, 0), "anterior": (-1, -1), "3m": (-2, 0), "12m": (-11, 0)}
"""Name in the address -> first and last month, counted from this one."""

_EARLIEST: Final = date(2000, 1, 1)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class BadRange(ValueError):
    """Days that cannot be shown. :param key: of the sentence that says why"""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, slots=True)
class Range:
    """Days, the last one included.

    :param preset: of :data:`PRESETS`; empty: days that somebody chose, or nobody
    """

    first: date
    last: date
    preset: str = ""

    @property
    def period(self) -> Period:
        """The same, as the library has it."""
        return Period(self.first, self.last + timedelta(days=1))

    @property
    def query(self) -> str:
        """What an address says of it."""
        return f"desde={self.first}&hasta={self.last}"


def of_month(month: BillingMonth) -> Range:
    """Return the days of a month."""
    return Range(month.period.start, month.period.end - timedelta(days=1))


def asked(query: Mapping[str, str], today: date) -> Range | None:
    """Return the range an address asks for, ``None`` where it asks for none.

    :param today: at the seller's
    :raises BadRange: for what is no range, or a longer one than :data:`MOST_DAYS`
    """
    preset = query.get("rango", "")
    if preset and preset not in PRESETS:
        raise BadRange("range.unknown")
    if preset:
        this = BillingMonth(today.year, today.month)
        first, last = (this.plus(by) for by in PRESETS[preset])
        return Range(of_month(first).first, of_month(last).last, preset)
    texts = [query.get(name, "").strip() for name in ("desde", "hasta")]
    if not any(texts):
        return None
    if not all(texts):
        raise BadRange("range.half")
    first_day, last_day = (_day(text) for text in texts)
    if last_day < first_day:
        raise BadRange("range.order")
    if (last_day - first_day).days >= MOST_DAYS:
        raise BadRange("range.long")
    if first_day < _EARLIEST or last_day > today + timedelta(days=366):
        raise BadRange("range.far")
    return Range(first_day, last_day)


def _day(text: str) -> date:
    if not _DAY.fullmatch(text):
        raise BadRange("range.day")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRange("range.day") from None
