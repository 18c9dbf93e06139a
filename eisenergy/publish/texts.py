"""What customers read: numbers, dates and words in Spanish (``es-SV``, the default) and English.

El Salvador writes ``12,989.48`` and ``27/09/2021``. Amounts carry a true minus sign.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from eisenergy.money import EXACT, excel_round, product
from eisenergy.period import BillingMonth, Period
from eisenergy.publish.words import WORDS

DEFAULT_LOCALE: Final = "es-SV"
MINUS: Final = "\N{MINUS SIGN}"
NBSP: Final = "\N{NO-BREAK SPACE}"
DOT: Final = f"{NBSP}\N{MIDDLE DOT} "
"""Stands between facts on one line."""

Language = Literal["es", "en"]

_MONTHS: Final[dict[Language, tuple[str, ...]]] = {
    "es": (
        "enero", "febrero", "marzo", "abril", "mayo", "junio",
        "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
    ),
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
}  # fmt: skip


class UnknownLocale(ValueError):
    """A locale for which there are no texts."""


@lru_cache(maxsize=64)
def language(locale: str | None) -> Language:
    """Return the language of a locale: ``es-SV`` -> ``es``; ``None`` means the default.

    :raises UnknownLocale: for a language without texts
    """
    found = (locale or DEFAULT_LOCALE).replace("_", "-").split("-")[0].lower()
    if found == "es":
        return "es"
    if found == "en":
        return "en"
    raise UnknownLocale(f"locale {locale!r}: expected a Spanish or an English one, for example es-SV or en-US")


def word(key: str, locale: str | None, **values: str) -> str:
    """Return a text by its key, its ``{placeholders}`` filled.

    :raises KeyError: for a key without a text
    """
    return WORDS[key][language(locale)].format(**values)


def present(*texts: str) -> list[str]:
    """Return the texts that are not empty."""
    return [text for text in texts if text]


def clean(text: str) -> str:
    """Return a text on one line, without control signs, and without signs that turn or hide what follows."""
    # nearly all: no space but the plain one and ours between figures and units, and nothing of Unicode's category C
    if text.isprintable() or (NBSP in text and text.replace(NBSP, "").isprintable()):
        return (re.sub("  +", " ", text) if "  " in text else text).strip(" ")
    kept = (" " if char.isspace() and char != NBSP else char for char in text)
    return re.sub(" +", " ", "".join(char for char in kept if unicodedata.category(char)[0] != "C")).strip(" ")


def format_number(value: Decimal, places: int = 2, locale: str | None = None) -> str:
    """Return a number with comma thousands and a fixed number of decimals, rounded as Excel does."""
    language(locale)
    return f"{excel_round(value, places):,f}".replace("-", MINUS)


def format_rate(value: Decimal, locale: str | None = None, least: int = 4, most: int = 6) -> str:
    """Return a price with the decimals it has: at least ``least``, at most ``most``."""
    exponent = EXACT.normalize(value).as_tuple().exponent
    digits = -exponent if isinstance(exponent, int) else least
    return format_number(value, min(max(digits, least), most), locale)


def format_money(value: Decimal, locale: str | None = None) -> str:
    """Return an amount rounded to cents, for example ``12,989.48``."""
    return format_number(value, 2, locale)


def format_kwh(value: Decimal, locale: str | None = None) -> str:
    """Return energy with its unit, for example ``57,883.07 kWh``."""
    return f"{format_number(value, 2, locale)}{NBSP}kWh"


def format_contracted(value: Decimal | None, locale: str | None = None) -> str:
    """Return contracted power with the decimals it has, or that none is given."""
    if value is None:
        return word("none", locale)
    return f"{format_rate(value, locale, least=0, most=2)}{NBSP}kW"


def format_kw(value: Decimal, locale: str | None = None) -> str:
    """Return power with its unit, for example ``510.48 kW``."""
    return f"{format_number(value, 2, locale)}{NBSP}kW"


def format_percent(share: Decimal, locale: str | None = None, most: int = 2) -> str:
    """Return a share as percent with the decimals it has, at most ``most``: ``0.01`` -> ``1 %``."""
    percent = EXACT.normalize(excel_round(product(share, Decimal(100)), most))
    exponent = percent.as_tuple().exponent
    places = max(0, -exponent) if isinstance(exponent, int) else 0
    return f"{format_number(percent, places, locale)}{NBSP}%"


def format_day(day: date, locale: str | None = None) -> str:
    """Return a date: ``30/09/2021`` in Spanish, ``30 Sep 2021`` in English."""
    if language(locale) == "es":
        return f"{day.day:02d}/{day.month:02d}/{day.year}"
    return f"{day.day}{NBSP}{_MONTHS['en'][day.month - 1][:3]}{NBSP}{day.year}"


def format_instant(instant: datetime, timezone: str, locale: str | None = None) -> str:
    """Return an instant as local date and time, for example ``27/09/2021 14:15``.

    :param instant: aware, usually UTC
    :param timezone: IANA name
    :raises ValueError: for a naive instant, which could mean any place's time
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone: expected an aware instant, for example one in UTC")
    local = instant.astimezone(ZoneInfo(timezone))
    return f"{format_day(local.date(), locale)}{NBSP}{local:%H:%M}"


def format_range(start: datetime, end: datetime, timezone: str, locale: str | None = None) -> str:
    """Return a half-open run of intervals as local dates and times; midnight at the end of a day is ``24:00``."""
    zone = ZoneInfo(timezone)
    first, last = start.astimezone(zone), end.astimezone(zone)
    last_day, last_time = last.date(), f"{last:%H:%M}"
    if last_time == "00:00":
        last_day, last_time = date.fromordinal(last_day.toordinal() - 1), "24:00"
    head = f"{format_day(first.date(), locale)}{NBSP}{first:%H:%M}"
    if first.date() == last_day:
        return f"{head}\N{EN DASH}{last_time}"
    return f"{head} \N{EN DASH} {format_day(last_day, locale)}{NBSP}{last_time}"


def format_period(period: Period, locale: str | None = None) -> str:
    """Return a half-open period by its first and last day, for example ``01/09/2021 – 30/09/2021``."""
    last = date.fromordinal(period.end.toordinal() - 1)
    return f"{format_day(period.start, locale)} \N{EN DASH} {format_day(last, locale)}"


def month_name(month: BillingMonth, locale: str | None = None) -> str:
    """Return a billing month in words: ``septiembre de 2021``, ``September 2021``."""
    name = _MONTHS[language(locale)][month.month - 1]
    return f"{name} de {month.year}" if language(locale) == "es" else f"{name} {month.year}"


def month_short(month: BillingMonth, locale: str | None = None) -> str:
    """Return a billing month's three letters: ``sep``, ``Sep``."""
    return _MONTHS[language(locale)][month.month - 1][:3]


def method_name(method: str, locale: str | None = None) -> str:
    """Return how slots were estimated in words; a method without a text is shown by its own name."""
    key = f"method.{method}"
    return word(key, locale) if key in WORDS else method.replace("-", " ").replace("_", " ")
