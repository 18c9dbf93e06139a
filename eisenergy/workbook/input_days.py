"""Which kind of day each day is, where a workbook's hours depend on it: workdays, Saturdays, holidays, by season."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Final

from eisenergy.findings import blocking
from eisenergy.sheets import fold
from eisenergy.workbook.book import Book
from eisenergy.workbook.input_cells import at, day_of, number_of, origin, values_of
from eisenergy.workbook.input_model import Inputs
from eisenergy.workbook.things import Understanding, exactly

_WEEKDAYS: Final = (
    (r"laborale?s?|habil(es)?|lunes a viernes|entre semana|weekdays?|workdays?|working days?", (0, 1, 2, 3, 4)),
    (r"sabados?|saturdays?", (5,)),
    (r"domingos?|sundays?", (6,)),
    (r"fin(es)? de semana|weekends?", (5, 6)),
)
"""Words in the name of a kind of day, and the days of the week they mean."""


def kinds_of_days(book: Book, found: Understanding, inputs: Inputs, kinds: dict[str, str]) -> dict[date, str]:
    """Return the kind of every day: by a table of days, else by the column of the readings, else by the kinds' names.

    :param kinds: kinds that have hours, as written, by :func:`eisenergy.workbook.things.exactly`
    """
    known = _of_table(book, found, inputs) or _of_readings(book, found, inputs)
    for day in inputs.period or ():
        known.setdefault(day, kind_by_name(day, kinds.values()) or "")
    _unknown(found, inputs, known, kinds)
    return {day: kinds[exactly(kind)] for day, kind in sorted(known.items()) if exactly(kind) in kinds}


def kind_by_name(day: date, kinds: Iterable[str]) -> str | None:
    """Return the kind whose name says that it is about such a day of the week; ``None`` where not one alone does."""
    fitting = [
        kind
        for kind in kinds
        if any(day.weekday() in days and re.search(rf"\b({words})\b", fold(kind)) for words, days in _WEEKDAYS)
    ]
    return fitting[0] if len(fitting) == 1 else None


def column_of_kind(found: Understanding, kind: str) -> int | None:
    """Return which column of the table of hours a kind of day has; the column of the hours is the first."""
    hour = found.one("hour.hour")
    for thing in found.of("hour.block"):
        if hour is not None and exactly(thing.day_kind) == exactly(kind):
            return thing.column - hour.column + 1
    return None


def _of_table(book: Book, found: Understanding, inputs: Inputs) -> dict[date, str]:
    days, names, columns = (found.one(f"kinds.{name}") for name in ("day", "day_kind", "column"))
    if days is None:
        return {}
    hour = found.one("hour.hour")
    of_column = {thing.column - hour.column + 1: thing.day_kind for thing in found.of("hour.block")} if hour else {}
    known: dict[date, str] = {}
    for place in days.cells:
        values = book.grids[days.sheet].values
        day = day_of(values.get(place))
        if day is None:
            continue
        if names is not None:
            kind = values.get((place[0], names.column))
        else:
            number = None if columns is None else number_of(values.get((place[0], columns.column)))
            kind = None if number is None else of_column.get(int(number))
        if kind is None:
            continue
        if known.setdefault(day.date(), str(kind)) != str(kind):
            inputs.findings.append(
                blocking(
                    "day-of-two-kinds",
                    days.sheet,
                    f"{origin(days, place)}: found {day:%Y-%m-%d} as {str(kind)!r}, and above as {known[day.date()]!r}; a look-up takes the "
                    "first. Expected every day once. Remove one of the rows.",
                    **at(days, place),
                )
            )
    return known


def _of_readings(book: Book, found: Understanding, inputs: Inputs) -> dict[date, str]:
    known: dict[date, str] = {}
    thing = found.one("slot.day_kind")
    if thing is None or thing.formulas:
        return known
    for row, (_, value) in values_of(book, thing).items():
        if row in inputs.rows and value is not None:
            known.setdefault(inputs.rows[row].date(), str(value))
    return known


def _unknown(found: Understanding, inputs: Inputs, known: dict[date, str], kinds: dict[str, str]) -> None:
    """Tell days of the bill that are of no kind that has hours."""
    lost = sorted(day for day in inputs.period or () if exactly(known[day]) not in kinds)
    thing = found.one("kinds.day") or found.one("slot.day_kind") or found.one("hours.day_kind")
    if lost and thing is not None:
        named = f"{known[lost[0]]!r}" if known[lost[0]] else "nothing"
        inputs.findings.append(
            blocking(
                "day-without-hours",
                thing.sheet,
                f"{origin(thing, thing.cells[0])}: found {named} as the kind of day of {lost[0]}, and so for {len(lost)} day(s); expected one "
                f"that has hours: {', '.join(kinds.values())}. Correct the kinds of days.",
                **at(thing, thing.cells[0]),
            )
        )
