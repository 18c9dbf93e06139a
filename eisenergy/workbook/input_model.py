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
    :param repeats: rows that bring an interval again, each frame with one row per interval
    :param corrections: what the workbook carries of earlier periods
    :param days: days of the tables of daily rates, those outside of the period included
    """

    timezone: str
    rows: dict[int, datetime] = field(default_factory=dict)
    readings: pl.DataFrame | None = None
    values: dict[str, Sourced] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    tariff: Tariff | None = None
    calendar: DayCalendar | None = None
    contract: Contract | None = None
    period: Period | None = None
    repeats: list[pl.DataFrame] = field(default_factory=list)
    corrections: tuple[Correction, ...] = ()
    days: tuple[date, ...] = ()
    findings: list[Finding] = field(default_factory=list)
