"""Local times of a sheet as instants: which of two equal clock times is the earlier one where the clock is set back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from eisenergy.workbook import roles, tables
from eisenergy.workbook.book import Book

ZONE: Final = "America/El_Salvador"


def zone_of(book: Book, given: str | None) -> str:
    """Return the time zone of a workbook's local times: the given one, else the one it states, else El Salvador's.

    :param given: IANA name
    """
    if given is not None:
        return given
    for grid in book.grids.values():
        for label in tables.find(grid)[1]:
            value = grid.values.get(label.value)
            if roles.parameter_role(label.text) == "param.timezone" and isinstance(value, str) and known(value):
                return value.strip()
    return ZONE


def known(name: str) -> bool:
    """Whether a text is the name of a time zone."""
    try:
        ZoneInfo(name.strip())
    except (ValueError, OSError, KeyError):  # a name with signs no name has, a folder, an unknown one
        return False
    return True


def instants(local: Iterable[datetime], zone: ZoneInfo) -> list[datetime]:
    """Return the instants of local times, in the order of their rows [UTC].

    A time that a clock change repeats is the earlier instant where it stands first, and the later one where it stands again or after
    a later time. A time that the change skips is taken by the offset from before it.
    """
    found: list[datetime] = []
    seen: set[datetime] = set()
    for moment in local:
        one = moment.replace(tzinfo=zone, fold=0).astimezone(UTC)
        again = moment.replace(tzinfo=zone, fold=1).astimezone(UTC)
        # of a skipped time the second reading is the earlier instant, and of any other both are the same
        if again > one and again not in seen and (one in seen or (bool(found) and one < found[-1])):
            one = again
        seen.add(one)
        found.append(one)
    return found


def skipped(moment: datetime, zone: ZoneInfo) -> bool:
    """Whether a clock change skips a local time."""
    return moment.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment
