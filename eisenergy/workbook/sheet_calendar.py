"""The calendar's sheets: hours by block as inputs, the block of every hour as formulas, and the kinds of day where hours differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from eisenergy.period import Period
from eisenergy.timeofuse import DAY_MINUTES, DayCalendar, DayType
from eisenergy.workbook.layout import INPUT, RULE, Page, fixed, ref

BLOCKS, HOURS, DAYS = "Bloques horarios", "Hora-Bloque", "Dias"
KINDS: Final = {
    DayType.WEEKDAY: "Laboral",
    DayType.SATURDAY: "Sábado",
    DayType.SUNDAY: "Domingo",
    DayType.HOLIDAY: "Feriado",
}
_INPUT: Final = {"font_color": INPUT, "border": 1, "border_color": RULE}
_MADE: Final = {"border": 1, "border_color": RULE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """What the hours of a period's days are.

    :param step: minutes between two rows of the table of hours: 60, or 15 where a block begins within an hour
    :param kinds: name of each kind of day that has hours of its own -> its hours; empty where all days are alike
    :param of_day: the kind of every day; empty where all are alike
    :param hours: ``(first minute, minute after the last, block)`` of all days, where they are alike
    """

    step: int
    kinds: Mapping[str, tuple[tuple[int, int, str], ...]]
    of_day: Mapping[date, str]
    hours: tuple[tuple[int, int, str], ...]

    def block(self, kind: str, minute: int) -> str:
        """Return the block of a minute on a kind of day."""
        return next(block for start, end, block in self.kinds.get(kind, self.hours) if start <= minute < end)


@dataclass(frozen=True, slots=True)
class HourLookup:
    """How the slots' formulas find their block.

    :param step: minutes between two rows of the table of hours
    :param kinds: whether the block depends on the kind of day
    """

    step: int
    table: str
    days: str = ""

    def hour(self, clock: str) -> str:
        """Return the formula of an interval's hour, from the cell of its time."""
        return f"=HOUR({clock})" if self.step == 60 else f"=HOUR({clock})+MINUTE({clock})/60"

    def block(self, hour: str, day: str) -> str:
        """Return the formula of an interval's block, from the cells of its hour and its date."""
        column = f"VLOOKUP({day},{self.days},3,FALSE())" if self.days else "2"
        return f"=VLOOKUP({hour},{self.table},{column},FALSE())"


def days(calendar: DayCalendar, period: Period) -> Days:
    """Return which hours a calendar has on each day of a period; days of the same hours are one kind."""
    of_day: dict[date, str] = {}
    names: dict[tuple[tuple[int, int, str], ...], list[str]] = {}
    for day in period:
        season = calendar.season(day)
        name = KINDS[calendar.day_type(day)] if season is None else f"{season}, {KINDS[calendar.day_type(day)]}"
        known = names.setdefault(calendar.day_blocks(day), [])
        if name not in known:
            known.append(name)
    kinds = {" / ".join(known): hours for hours, known in names.items()}
    by_hours = {hours: name for name, hours in kinds.items()}
    for day in period:
        of_day[day] = by_hours[calendar.day_blocks(day)]
    borders = {minute for hours in names for start, end, _ in hours for minute in (start, end)}
    step = next((step for step in (60, 15, 5, 1) if all(border % step == 0 for border in borders)), 1)
    alike = len(kinds) == 1
    return Days(
        step=step,
        kinds={} if alike else kinds,
        of_day={} if alike else of_day,
        hours=next(iter(names)),
    )


def write(pages: Mapping[str, Page], found: Days) -> HourLookup:
    """Write the calendar's sheets, and return how an interval finds its block in them."""
    rows = _blocks(pages[BLOCKS], found)
    table = _hours(pages[HOURS], found, rows)
    return HourLookup(found.step, table, _days(pages[DAYS], found) if found.kinds else "")


def _blocks(page: Page, found: Days) -> int:
    """Hours by block, both ends inclusive; return the last row."""
    page.headers(1, 1, ("HoraInicial", "HoraFinal", "Bloque", *(("Tipo de día",) if found.kinds else ())))
    row = 1
    for kind, hours in (found.kinds or {"": found.hours}).items():
        for start, end, block in hours:
            row += 1
            page.number(row, 1, start / 60, **_INPUT)
            page.number(row, 2, (end - found.step) / 60, **_INPUT)
            page.text(row, 3, block, **_INPUT)
            if kind:
                page.text(row, 4, kind, **_INPUT)
    page.widths(13, 13, 14, 26)
    page.sheet.freeze_panes(1, 0)
    return row


def _hours(page: Page, found: Days, last: int) -> str:
    """The block of every hour, or of every quarter where blocks begin within an hour."""
    kinds = list(found.kinds) or [""]
    page.headers(1, 1, ("Hora", *(list(found.kinds) or ["Bloque"])))
    first, until, name = (fixed(2, column, last, sheet=BLOCKS) for column in (1, 2, 3))
    for number in range(DAY_MINUTES // found.step):
        row, minute = number + 2, number * found.step
        page.number(row, 1, minute / 60, **_INPUT, align="center")
        hour = ref(row, 1)
        for offset, kind in enumerate(kinds):
            column = offset + 2
            of_kind = f"*({fixed(2, 4, last, sheet=BLOCKS)}={ref(1, column, rows=True)})" if kind else ""
            page.formula(
                row,
                column,
                f"=INDEX({name},MATCH(1,INDEX(({first}<={hour})*({until}>={hour}){of_kind},0),0))",
                found.block(kind, minute),
                **_MADE,
            )
    page.widths(10, *([18] * len(kinds)))
    if found.kinds:
        page.sheet.set_row(0, 40)  # names of days, on several lines
    page.sheet.freeze_panes(1, 1)
    end = DAY_MINUTES // found.step + 1
    return f"{fixed(2, 1, sheet=HOURS)}:{ref(end, len(kinds) + 1, rows=True, columns=True)}"


def _days(page: Page, found: Days) -> str:
    """The kind of every day, and its column in the table of hours."""
    page.headers(1, 1, ("Dia", "Tipo de día", "Columna"))
    columns = {kind: number for number, kind in enumerate(found.kinds, 2)}
    for row, (day, kind) in enumerate(found.of_day.items(), 2):
        page.day(row, 1, day, **_INPUT)
        page.text(row, 2, kind, **_INPUT)
        page.number(row, 3, columns[kind], **_INPUT)
    page.widths(13, 28, 10)
    page.sheet.freeze_panes(1, 0)
    return f"{fixed(2, 1, sheet=DAYS)}:{fixed(len(found.of_day) + 1, 3)}"
