"""Block calendars from spreadsheets and parameter documents; one that does not cover 24 hours exactly once is refused."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

from eisenergy.tariffs import document
from eisenergy.tariffs.table import BadCell, BadTable, Table, block_name, open_table
from eisenergy.tariffs.version import digest
from eisenergy.timeofuse import ALL_DAYS, BlockHours, CalendarError, DayCalendar, DayType, Season

_COLUMNS: Final = {
    "first": ("HoraInicial", "Hora inicial", "Hora inicio", "Desde la hora", "Start hour", "First hour", "From hour"),
    "last": ("HoraFinal", "Hora final", "Hora fin", "Hasta la hora", "End hour", "Last hour", "To hour"),
    "block": ("Bloque", "Bloque horario", "Block", "Time block"),
}


def read_spreadsheet(path: Path, name: str, *, sheet: str | None = None) -> DayCalendar:
    """Read a table of hours such as ``Bloques horarios.xlsx``.

    A row says that the hours from the first to the last, **both inclusive**, belong to a block; it may wrap midnight (23 to 4).

    :param name: the calendar's name, for example ``eis-bloques``
    :param sheet: the sheet to read; by default the only one that has the table
    :raises CalendarError: when the rows do not cover 24 hours exactly once, or an hour is not 0 to 23: with file and cell
    :raises UnreadableFile: when the file has no such table

    Source: requirements of EIS Power, "Files that arrive".
    """
    table = open_table(path, _COLUMNS, _COLUMNS, sheet=sheet)
    if not table.rows:
        raise BadTable(f"{table.at_header('block')}: no hours below the header. Add a row per block.")
    rows, faults = [], []
    for row in table.rows:
        try:
            first, last = _hour(table, row, "first"), _hour(table, row, "last")
            block = block_name(table.needed(row, "block", "PUNTA"))
        except BadCell as error:
            faults.append(str(error))
            continue
        rows.append(_block_hours(first * 60, (last + 1) * 60, block, origin=table.origin(row, "first")))
    if faults:
        raise CalendarError("\n".join(faults))
    return _stamped(DayCalendar(name=name, rows=tuple(rows)))


def read_yaml(path: Path, *, schemas: Path | None = None) -> DayCalendar:
    """Read a calendar's parameter document: hours by block, day types, seasons and holidays.

    :param schemas: folder of ``calendar.schema.json``; by default the one beside the document's folder
    :raises BadDocument: for a value of another form than the schema's: with file and line
    :raises CalendarError: when the rows do not cover 24 hours of every season and day type exactly once: with file and line
    """
    return _calendar(document.read(path, "calendar.schema.json", schemas))


def of_data(data: dict[str, Any], origin: str, *, schemas: Path | None = None) -> DayCalendar:
    """Read a calendar that was never a file, such as a form's; what it may hold is what a parameter document may.

    :param data: as ``calendar.schema.json`` says
    :param origin: where it comes from, in words
    :raises BadHours: for a value of another form than the schema's, each at its path
    :raises CalendarError: as :func:`read_yaml`
    """
    faults = document.faults(data, "calendar.schema.json", schemas)
    faults += tuple(
        (("holidays", key), f"{key} is not a day. Correct the date.")
        for key in data.get("holidays", {})
        if not faults and not _is_day(key)
    )
    if faults:
        raise BadHours(faults)
    lines: dict[tuple[document.Step, ...], int] = {("hours", n): n + 1 for n in range(len(data["hours"]))}
    return _calendar(document.Document(file=origin, data=data, lines=lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of the year and a kind of day, with its hours.

    :param season: name, ``None`` where the calendar has none
    :param since: month and day on which the part begins
    :param cover: ``(first minute, minute after the last, block)``, in order, neighbours of one block joined
    :param before: the same of the calendar it is compared with
    """

    season: str | None
    since: tuple[int, int]
    day_type: DayType
    cover: tuple[tuple[int, int, str], ...]
    before: tuple[tuple[int, int, str], ...]

    @property
    def changes(self) -> tuple[tuple[int, int, str, str], ...]:
        """``(first minute, minute after the last, block before, block since)`` of the hours that differ."""
        cuts = sorted({minute for start, end, _ in (*self.cover, *self.before) for minute in (start, end)})
        found: list[tuple[int, int, str, str]] = []
        for start, end in itertools.pairwise(cuts):
            was, is_ = (next(block for a, b, block in side if a <= start < b) for side in (self.before, self.cover))
            if was == is_:
                continue
            if found and found[-1][1:] == (start, was, is_):
                found[-1] = (found[-1][0], end, was, is_)
            else:
                found.append((start, end, was, is_))
        return tuple(found)


def stretches(calendar: DayCalendar, before: DayCalendar | None = None) -> tuple[Stretch, ...]:
    """Return the parts of the year of a calendar, each with every kind of day, in order.

    :param before: the calendar it is compared with; ``None``: itself
    """
    other = calendar if before is None else before
    days = {(one.start_month, one.start_day) for one in (*calendar.seasons, *other.seasons)} or {(1, 1)}
    result = []
    for month, day in sorted(days):
        at = date(2000, month, day)  # a leap year: a season may start on 29 February
        for kind in DayType:
            mine, theirs = (
                tuple((start, end, block) for start, end, block in _cover(one, one.season(at), kind))
                for one in (calendar, other)
            )
            result.append(
                Stretch(season=calendar.season(at), since=(month, day), day_type=kind, cover=mine, before=theirs)
            )
    return tuple(result)


def with_holidays(calendar: DayCalendar, holidays: frozenset[date]) -> DayCalendar:
    """Return a calendar with other holidays."""
    return _stamped(replace(calendar, holidays=holidays))


def hours_of(calendar: DayCalendar) -> dict[str, Any]:
    """Return a calendar as a document that :func:`of_data` reads; names of holidays are not kept, so each has its date for one."""
    days = list(DayType)
    hours = []
    for row in calendar.rows:
        entry: dict[str, Any] = {"from": clock(row.start_minute), "to": clock(row.end_minute), "block": row.block}
        if row.day_types != ALL_DAYS:
            entry["days"] = [day.value for day in days if day in row.day_types]
        if row.season is not None:
            entry["season"] = row.season
        hours.append(entry)
    seasons = [{"name": s.name, "start": f"{s.start_month:02d}-{s.start_day:02d}"} for s in calendar.seasons]
    holidays = {day.isoformat(): day.isoformat() for day in sorted(calendar.holidays)}
    found: dict[str, Any] = {"name": calendar.name, "source": "-", "hours": hours}
    return found | ({"seasons": seasons} if seasons else {}) | ({"holidays": holidays} if holidays else {})


def clock(minute: int) -> str:
    """Return a minute of the day as ``05:00``; the last is ``24:00``."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


class BadHours(ValueError):
    """Values of a calendar that are of another form than the schema's.

    :param faults: ``(path of keys and indices, what was found and expected)``
    """

    def __init__(self, faults: tuple[tuple[tuple[document.Step, ...], str], ...]) -> None:
        super().__init__("\n".join(said for _, said in faults))
        self.faults = faults


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _calendar(doc: document.Document) -> DayCalendar:
    rows = [
        _block_hours(
            _minute(entry["from"]),
            _minute(entry["to"]),
            block_name(entry["block"]),
            day_types=frozenset(DayType(day) for day in entry["days"]) if "days" in entry else ALL_DAYS,
            season=entry.get("season"),
            origin=doc.origin("hours", index),
        )
        for index, entry in enumerate(doc.data["hours"])
    ]
    seasons = []
    for entry in doc.data.get("seasons", []):
        month, day = entry["start"].split("-")
        seasons.append(Season(name=entry["name"], start_month=int(month), start_day=int(day)))
    holidays = frozenset(_day(doc, key) for key in doc.data.get("holidays", {}))
    return _stamped(DayCalendar(name=doc.data["name"], rows=tuple(rows), seasons=tuple(seasons), holidays=holidays))


def version(calendar: DayCalendar) -> str:
    """Return the sha256 of a calendar's name and of which block every minute belongs to, as 64 hex digits.

    How the minutes are cut into rows, and where the rows stood, does not matter.
    """
    names: list[str | None] = list(dict.fromkeys(season.name for season in calendar.seasons)) or [None]
    hours = {
        f"{season or ''}/{day_type.value}": _cover(calendar, season, day_type)
        for season in names
        for day_type in DayType
    }
    seasons = sorted([season.start_month, season.start_day, season.name] for season in calendar.seasons)
    holidays = sorted(day.isoformat() for day in calendar.holidays)
    return digest({"name": calendar.name, "hours": hours, "seasons": seasons, "holidays": holidays})


def _cover(calendar: DayCalendar, season: str | None, day_type: DayType) -> list[list[Any]]:
    """``[first minute, minute after the last, block]`` in order, neighbours of one block joined."""
    parts = sorted(
        (minutes.start, minutes.stop, row.block)
        for row in calendar.rows
        if day_type in row.day_types and row.season in (None, season)
        for minutes in row.minutes()
    )
    result: list[list[Any]] = []
    for start, stop, block in parts:
        if result and result[-1][2] == block:
            result[-1][1] = stop
        else:
            result.append([start, stop, block])
    return result


def _stamped(calendar: DayCalendar) -> DayCalendar:
    return replace(calendar, version=version(calendar))


def _block_hours(start: int, end: int, block: str, **others: Any) -> BlockHours:
    return BlockHours(start_minute=start, end_minute=end, block=block, **others)


def _hour(table: Table, row: int, field: str) -> int:
    table.needed(row, field, "18")
    number = table.number(row, field)
    assert number is not None  # needed() refused the empty cell
    if number != int(number) or not 0 <= number <= 23:
        raise BadCell(
            "not-an-hour", table.at(row, field), f"found {number}, expected a whole hour from 0 to 23. Correct it."
        )
    return int(number)


def _minute(clock: str | int) -> int:
    if isinstance(clock, int):
        return clock
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def _day(doc: document.Document, key: str) -> date:
    try:
        return date.fromisoformat(key)
    except ValueError:
        raise document.BadDocument(f"{doc.origin('holidays', key)}: {key} is not a day. Correct the date.") from None
