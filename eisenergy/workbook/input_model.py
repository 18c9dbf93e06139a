"""What a bill is made from, as a workbook holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from eisenergy.accounts import Contract, Sourced
from eisenergy.billing.corrections import Correction
from eisenergy.findings import Finding
from eisenergy.period import Period
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import DayCalendar

if TYPE_CHECKING:
    import polars as pl

METER: Final = "meter"


@dataclass(slots=True, kw_only=True)
class Inputs:
    """What the library bills from.

    :param rows: row of the slot table -> local start of its interval
    :param readings: columns of ``frames.READINGS``; ``source_row`` is the row of the sheet
    :param values: parameter, for example ``param.vat`` -> number
    :param texts: parameter -> text
    :param lasting: the tariff if an empty cell among a block's rates ends no rate; ``None`` where there is no such cell
    :param ends: rate and day -> the empty cell that ends it
    :param calendar: of every day of the bill
    :param kinds: the hours of each kind of day; of all days, with an empty name, where they are alike
    :param of_day: the kind of each day, where they are not
    :param columns: the column that each kind of day has in the table of hours; that of the hours is 1
    :param step: minutes between two rows of the table of hours
    :param repeats: rows that bring an interval again, each frame with one row per interval
    :param corrections: what the workbook carries of earlier periods
    :param corrected: cell of an invoice line about them -> those it takes up
    :param days: days of the tables of daily rates, those outside of the period included
    """

    timezone: str
    rows: dict[int, datetime] = field(default_factory=dict)
    readings: pl.DataFrame | None = None
    values: dict[str, Sourced] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    tariff: Tariff | None = None
    lasting: Tariff | None = None
    ends: dict[tuple[str, date], str] = field(default_factory=dict)
    calendar: DayCalendar | None = None
    kinds: dict[str, DayCalendar] = field(default_factory=dict)
    of_day: dict[date, str] = field(default_factory=dict)
    columns: dict[str, int] = field(default_factory=dict)
    step: int = 60
    contract: Contract | None = None
    period: Period | None = None
    repeats: list[pl.DataFrame] = field(default_factory=list)
    corrections: tuple[Correction, ...] = ()
    corrected: dict[str, tuple[Correction, ...]] = field(default_factory=dict)
    days: tuple[date, ...] = ()
    findings: list[Finding] = field(default_factory=list)
