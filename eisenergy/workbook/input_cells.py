"""A workbook's input cells: numbers, days and times, also those that somebody typed as a text."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from eisenergy.sheets import cell as name_of
from eisenergy.workbook.book import Book
from eisenergy.workbook.model import Value
from eisenergy.workbook.things import Thing

_START: Final = datetime(1899, 12, 30)  # noqa: DTZ001
_PLAIN: Final = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?", re.IGNORECASE)
_GROUPED: Final = re.compile(r"[-+]?\d{1,3}((,\d{3})+(\.\d+)?|(\.\d{3})+(,\d+)?)")
_UNIT: Final = re.compile(r"^(usd|us\$|\$)|(kwh|kw|kva|kvar|usd|us\$|\$)$", re.IGNORECASE)
_DAY: Final = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[ T]+(\d{1,2}:\d\d(?::\d\d)?))?")
_TIME: Final = re.compile(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d))?")


def number_of(value: Value) -> float | None:
    """Return the number in a cell, also one that is a text; ``None`` where there is none.

    A text may have a decimal comma or point, groups of thousands (``1.234.567``, ``1,234.5``), a unit and a per cent sign. One comma or
    point alone is decimal: ``1,234`` is a little more than one.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    text = re.sub(r"\s", "", value).replace("\u2212", "-")
    share = text.endswith("%")
    text = text[:-1] if share else _UNIT.sub("", text)
    if _PLAIN.fullmatch(text):
        text = text.replace(",", ".")
    elif _GROUPED.fullmatch(text):
        decimal = max(",", ".", key=text.rfind) if "," in text and "." in text else ""
        text = "".join("." if one == decimal else one for one in text if one == decimal or one not in ",.")
    else:
        return None
    number = float(Decimal(text).scaleb(-2)) if share else float(text)
    return number if math.isfinite(number) else None


def day_of(value: Value) -> datetime | None:
    """Return the local day, or moment, in a cell: a date, a serial number, or a text such as ``15/09/2021`` or ``15/09/2021 18:15``."""
    if isinstance(value, datetime):
        return _second(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001
    if isinstance(value, int | float) and not isinstance(value, bool) and 20_000 < value < 80_000:
        return _START + timedelta(days=round(float(value) * 86_400) / 86_400)
    if isinstance(value, str):
        text = value.strip()
        try:
            return datetime.fromisoformat(text).replace(tzinfo=None)
        except ValueError:
            match = _DAY.fullmatch(text)
        if match is None:
            return None
        minutes = 0 if match[4] is None else minutes_of(match[4])
        try:
            day = datetime(int(match[3]), int(match[2]), int(match[1]))  # noqa: DTZ001
        except ValueError:
            return None
        return None if minutes is None else day + timedelta(minutes=minutes)
    return None


def _second(moment: datetime) -> datetime:
    """The whole second next to a moment: a spreadsheet's fraction of a day is a little less or more than what was typed."""
    return (moment + timedelta(microseconds=500_000)).replace(microsecond=0)


def minutes_of(value: Value) -> int | None:
    """Return the minutes since midnight in a cell: a time, a fraction of a day, a moment, or a text such as ``18:15``."""
    if isinstance(value, datetime):
        value = value.time()
    if isinstance(value, time):
        return round(value.hour * 60 + value.minute + (value.second + value.microsecond / 1e6) / 60)
    if isinstance(value, timedelta):
        return round(value.total_seconds() / 60)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return round(float(value) * 1440)
    if isinstance(value, str) and (match := _TIME.fullmatch(value.strip())):
        minutes = round(int(match[1]) * 60 + int(match[2]) + int(match[3] or 0) / 60)
        return minutes if minutes <= 1440 else None
    return None


def exact(value: float) -> Decimal:
    """Return a cell's number as it is shown: the shortest decimal that is this number."""
    return Decimal(repr(value)) if value != int(value) or abs(value) > 1e15 else Decimal(int(value))


def origin(thing: Thing, place: tuple[int, int]) -> str:
    """Name a cell with its sheet, for example ``Tarifas!C5``."""
    return f"{thing.sheet}!{name_of(place[0] - 1, place[1] - 1)}"


def at(thing: Thing, place: tuple[int, int]) -> dict[str, str]:
    """Return a cell as a finding's data name it."""
    return {"sheet": thing.sheet, "cell": name_of(place[0] - 1, place[1] - 1)}


def values_of(book: Book, thing: Thing | None, *, typed: bool = False) -> dict[int, tuple[tuple[int, int], Value]]:
    """Row -> (place, value) of a column; where it is a column of formulas, numbers typed over them are none of its values."""
    if thing is None:
        return {}
    grid = book.grids[thing.sheet]
    formulas = set(thing.formulas)
    mostly = len(formulas) * 2 > len(thing.cells)
    return {
        place[0]: (place, grid.values.get(place))
        for place in thing.cells
        if (not mostly or typed or place in formulas) and (typed or not mostly)
    }
