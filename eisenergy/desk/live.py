"""Energy of the running day and month as readings arrive: what the lake holds now, by block, and nothing estimated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from eisenergy.accounts import Client, Scope
from eisenergy.blockruns import compile_runs
from eisenergy.desk.workspace import Workspace
from eisenergy.frames import SLOT_MINUTES
from eisenergy.period import BillingMonth
from eisenergy.store import masters
from eisenergy.store.masters import NotStored
from eisenergy.store.roster import Listed
from eisenergy.timeofuse import DayCalendar


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Energy of some time.

    :param kwh: [kWh]
    :param blocks: block -> [kWh]; empty where no calendar says which
    """

    kwh: float
    blocks: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types, to the milliwatt-hour."""
        return {"kwh": round(self.kwh, 6), "blocks": {name: round(kwh, 6) for name, kwh in self.blocks.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What a contract took so far, by the readings that are there.

    :param today: of the seller's day
    :param month: of its month
    :param peak_kw: highest mean power of an interval of the month [kW]; ``None`` without readings
    :param last: UTC end of the month's last interval; ``None`` without readings
    """

    contract: str
    customer: str
    meter: str
    today: Energy
    month: Energy
    peak_kw: float | None
    last: datetime | None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "customer": self.customer,
            "contract": self.contract,
            "meter": self.meter,
            "today": self.today.to_json(),
            "month": {**self.month.to_json(), "peak_kw": self.peak_kw},
            "last": None if self.last is None else _stamp(self.last),
        }


def local_day(client: Client, at: datetime) -> date:
    """Return the day at the seller's."""
    return at.astimezone(ZoneInfo(client.timezone)).date()


def energies(
    workspace: Workspace, scope: Scope, client: Client, contracts: Sequence[Listed], day: date
) -> tuple[Live, ...]:
    """Return what contracts took so far on a day and in its month, in their order; one query for all of them.

    :param contracts: of the scope
    :param day: at the seller's
    :raises OutOfScope: for a meter that is none of the scope's customers'
    """
    if not contracts:
        return ()
    period = BillingMonth(day.year, day.month).period
    start, end = period.utc(client.timezone)
    rows = workspace.lake.read(scope, sorted({one.meter for one in contracts}), start, end)
    rows = rows.filter(pl.col("kwh_import").is_not_null())
    calendars = _calendars(workspace, scope, {one.tariff for one in contracts})
    local = pl.col("start").dt.convert_time_zone(client.timezone).dt.date()
    of_meter = {
        str(key[0]): part
        for key, part in rows.with_columns(day=local).partition_by("meter", as_dict=True, maintain_order=True).items()
    }
    runs = {name: compile_runs(one, (period,), client.timezone) for name, one in calendars.items()}
    result = []
    for contract in contracts:
        mine = of_meter.get(contract.meter)
        if mine is not None:  # a meter may be another customer's before and after
            mine = mine.filter(pl.col("day") >= contract.start)
            mine = mine if contract.end is None else mine.filter(pl.col("day") < contract.end)
        if mine is None or mine.is_empty():
            nothing = Energy(kwh=0.0, blocks={})
            result.append(_live(contract, nothing, nothing, None, None))
            continue
        chosen = runs.get(contract.tariff)
        if chosen is not None:
            place = np.searchsorted(chosen.start_us, mine["start"].to_physical().to_numpy(), side="right") - 1
            block = pl.Series("block", chosen.blocks, dtype=pl.String).gather(chosen.block[place])
            mine = mine.with_columns(block=block)
        power = mine.select(pl.coalesce("kw", pl.col("kwh_import") * 60 / SLOT_MINUTES).max()).item()
        newest = mine["start"].max()
        assert isinstance(newest, datetime)
        last = newest.astimezone(UTC) + timedelta(minutes=SLOT_MINUTES)
        result.append(
            _live(contract, _energy(mine.filter(pl.col("day") == day)), _energy(mine), round(float(power), 6), last)
        )
    return tuple(result)


def summed(figures: Iterable[Live]) -> dict[str, Any]:
    """Return what contracts took together, JSON types; maxima of different meters do not add up."""
    chosen = list(figures)
    last = max((one.last for one in chosen if one.last is not None), default=None)
    return {
        "today": _together([one.today for one in chosen]).to_json(),
        "month": _together([one.month for one in chosen]).to_json(),
        "last": None if last is None else _stamp(last),
    }


def _live(contract: Listed, today: Energy, month: Energy, peak_kw: float | None, last: datetime | None) -> Live:
    return Live(
        contract=contract.number,
        customer=contract.customer,
        meter=contract.meter,
        today=today,
        month=month,
        peak_kw=peak_kw,
        last=last,
    )


def _energy(rows: pl.DataFrame) -> Energy:
    blocks: dict[str, float] = {}
    if "block" in rows.columns:
        blocks = dict(rows.group_by("block").agg(pl.col("kwh_import").sum()).sort("block").iter_rows())
    return Energy(kwh=float(rows["kwh_import"].sum()), blocks=blocks)


def _together(parts: Sequence[Energy]) -> Energy:
    blocks: dict[str, float] = {}
    for part in parts:
        for name, kwh in part.blocks.items():
            blocks[name] = blocks.get(name, 0.0) + kwh
    return Energy(kwh=sum(part.kwh for part in parts), blocks=dict(sorted(blocks.items())))


def _calendars(workspace: Workspace, scope: Scope, tariffs: Iterable[str]) -> dict[str, DayCalendar]:
    """The calendar of each tariff; none where one of both is not stored yet."""
    found: dict[str, DayCalendar] = {}
    for name in sorted(tariffs):
        try:
            tariff = masters.tariff(workspace.database, scope, name)
            found[name] = masters.calendar(workspace.database, scope, tariff.calendar)
        except NotStored:
            continue
    return found


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
