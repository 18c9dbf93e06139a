"""Dates and times as meters write them, and what proves how to read them.

A file of readings repeats few dates and fewer times of day, so each different text is read once and joined back.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import polars as pl

from eisenergy.contents import UnreadableFile
from eisenergy.readings.model import Choice
from eisenergy.sheets import fold

DAY_US: Final = 86_400_000_000
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "ene enero jan january", "feb febrero february", "mar marzo march", "abr abril apr april", "may mayo",
            "jun junio june", "jul julio july", "ago agosto aug august", "sep sept set septiembre setiembre september",
            "oct octubre october", "nov noviembre november", "dic diciembre dec december",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_TIME: Final = r"\d{1,2}(?::\d{2}){1,2}(?:[.,]\d+)?(?:\s*[AaPp]\.?\s*[Mm]\.?)?"
_COMBINED: Final = rf"^(.*?\d{{2,}}.*?)(?:[ T,]+({_TIME})\s*(Z|[+-]\d{{2}}:?\d{{2}})?)?$"
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*(?:([ap])\.?\s*m\.?)?", re.IGNORECASE)
_SERIAL: Final = re.compile(r"\d{5}(\.\d+)?")
_EXCEL_DAYS: Final = (20_000, 80_000)  # 1954 to 2119: what a number in a date column can be


def split(text: pl.Series) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Part stamps into date, time of day and offset from UTC; what is absent is null."""
    different = text.drop_nulls().unique(maintain_order=True)
    if len(different) <= len(text) // 4:  # a column of dates: each is parted once
        parts = pl.DataFrame([different.alias("x"), *(part.alias(str(n)) for n, part in enumerate(_split(different)))])
        whole = text.to_frame("x").join(parts, on="x", how="left", validate="m:1", maintain_order="left")
        return whole["0"], whole["1"], whole["2"]
    return _split(text)


def _split(text: pl.Series) -> tuple[pl.Series, pl.Series, pl.Series]:
    groups = text.to_frame("x").select(
        pl.col("x").str.extract_groups(_COMBINED).struct.rename_fields(["date", "time", "offset"])
    )["x"]
    frame = groups.struct.unnest()
    dates = pl.select(pl.coalesce(frame["date"], text))["date"]
    return dates, frame["time"], frame["offset"]


def _numbers(text: str) -> tuple[int, int, int] | None:
    words = re.findall(r"\d+|[^\W\d_]+", fold(text))
    if len(words) == 1 and re.fullmatch(r"(19|20)\d{6}", words[0]):
        return int(words[0][:4]), int(words[0][4:6]), int(words[0][6:])
    words = [word for word in words if word not in ("de", "del", "of", "st", "nd", "rd", "th")]
    words = [word for word in words if word.isdigit() or word in _MONTHS]  # a weekday's name says nothing new
    if len(words) != 3:
        return None
    if not all(word.isdigit() for word in words):
        if sum(word.isdigit() for word in words) != 2:
            return None
        month = next(_MONTHS[word] for word in words if not word.isdigit())
        first, last = (int(word) for word in words if word.isdigit())
        return (first, month, last) if first > 31 else (_year(last), month, first)
    if len(words[0]) == 4:
        return int(words[0]), int(words[1]), int(words[2])
    return -int(words[0]), -int(words[1]), -_year(int(words[2]))


def _year(number: int) -> int:
    return number + 2000 if number < 100 else number


def is_serial(text: str) -> bool:
    """Say whether a text is a spreadsheet's day number with its fraction: a whole stamp."""
    return re.fullmatch(r"\d{5}\.\d+", text) is not None


def read_date(text: str, order: str) -> date | None:
    """Read one date; ``None`` when it is none.

    :param order: ``dmy`` or ``mdy`` for dates that have the year last, ``ymd`` for two-digit years that come first
    """
    if _SERIAL.fullmatch(text):
        days = float(text)
        return date(1899, 12, 30) + timedelta(days=int(days)) if _EXCEL_DAYS[0] < days < _EXCEL_DAYS[1] else None
    numbers = _numbers(text)
    if numbers is None:
        return None
    year, month, day = numbers
    if year <= 0 and day < 0:
        first, second, last = -year, -month, -day
        if order == "ymd":
            year, month, day = _year(first), second, last % 100
        else:
            year = last
            day, month = (first, second) if order == "dmy" else (second, first)
    try:
        return date(year, month, day)
    except ValueError:
        return None


def order_of(dates: Sequence[str], mapped: str | None, place: str) -> Choice:
    """Say in which order day and month stand, by what the file's dates prove.

    :param dates: the different dates, in order of appearance
    :raises UnreadableFile: when both orders are possible and no mapping decides; it shows both readings
    """
    open_dates = []
    for text in dates:
        numbers = None if _SERIAL.fullmatch(text) else _numbers(text)
        if numbers is not None and numbers[0] <= 0 and numbers[2] < 0:
            open_dates.append((text, -numbers[0], -numbers[1]))
    if not open_dates:
        return Choice(value="ymd" if dates else "dmy", why="every date has its year first, or is a spreadsheet's own")
    if mapped == "ymd":
        return Choice(value="ymd", why="the mapping says so")
    day_first = next((text for text, first, second in open_dates if first > 12 and second <= 12), None)
    month_first = next((text for text, first, second in open_dates if second > 12 and first <= 12), None)
    if day_first and month_first:
        raise UnreadableFile(
            f"{place}: dates in two orders stand in one file: {day_first!r} has the day first, {month_first!r} the "
            "month. Expected one order. Export the file again with one date format."
        )
    if day_first or month_first:
        return Choice(value="dmy" if day_first else "mdy", why=f"{day_first or month_first!r} has one reading only")
    readings = {
        order: [read for text, _, _ in open_dates if (read := read_date(text, order)) is not None]
        for order in ("dmy", "mdy")
    }
    if readings["dmy"] == readings["mdy"]:
        return Choice(value="dmy", why="day and month are the same number in every date")
    steps = {
        order: [abs((b - a).days) for a, b in itertools.pairwise(found) if a != b] for order, found in readings.items()
    }
    for order, other in (("dmy", "mdy"), ("mdy", "dmy")):
        if steps[order] and steps[other] and max(steps[order]) <= 7 and min(steps[other]) >= 28:
            return Choice(value=order, why="the dates follow each other day by day in this order only")
    if mapped in ("dmy", "mdy"):
        return Choice(value=mapped, why="the mapping says so; the dates do not prove it")
    text = next(text for text, first, second in open_dates if first != second)
    day, month = read_date(text, "dmy"), read_date(text, "mdy")
    raise UnreadableFile(
        f"{place}: the dates can be read in two ways: {text!r} is {day:%d %B %Y} with the day first, or "
        f"{month:%d %B %Y} with the month first. Expected a date that decides (a day after the 12th). "
        "Say date_order: dmy or mdy in a mapping, and load it again."
    )


def read_time(text: str) -> int | None:
    """Read one time of day as microseconds after midnight (24:00 is a whole day); ``None`` when it is none."""
    text = text.strip()
    if text.startswith(("1899-12-31 ", "1899-12-30 ")):  # a spreadsheet's own time of day
        text = text[11:]
    elif text.startswith("1900-01-01 "):  # a duration of 24 hours
        return read_time(text[11:]) if text[11:] != "00:00:00" else DAY_US
    elif re.match(r"\d{4}-\d\d-\d\d ", text):  # a whole stamp in a time column
        text = text[11:]
    match = _CLOCK.fullmatch(text.split(".0")[0] if re.search(r":\d\d\.0+$", text) else text)
    if match is None:
        if re.fullmatch(r"[01]|[01]?\.\d+", text):  # a fraction of a day
            return round(float(text) * 86_400) * 1_000_000
        if re.fullmatch(r"\d{4}", text):
            return read_time(f"{text[:2]}:{text[2:]}")
        return None
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    half = (match[4] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    if minute > 59 or second > 59 or hour > 24 or (hour == 24 and (minute or second)):
        return None
    return ((hour * 60 + minute) * 60 + second) * 1_000_000


def read_offset(text: str) -> int | None:
    """Read an offset from UTC (``Z``, ``-06:00``) as microseconds."""
    if text == "Z":
        return 0
    digits = text[1:].replace(":", "")
    size = (int(digits[:2]) * 60 + int(digits[2:])) * 60_000_000
    return -size if text[0] == "-" else size


def joined(text: pl.Series, values: dict[str, int | None], dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    """Put the value of each different text back in the place of the text; a text without one is null."""
    known = {key: value for key, value in values.items() if value is not None}
    if not known:
        return pl.Series(text.name, [None] * len(text), dtype=pl.Int64).cast(dtype)
    return text.replace_strict(
        pl.Series(list(known), dtype=pl.String), pl.Series(list(known.values()), dtype=pl.Int64), default=None
    ).cast(dtype)


def epoch_us(day: date) -> int:
    """Microseconds from 1970 to a day's midnight."""
    return (day - date(1970, 1, 1)).days * DAY_US
