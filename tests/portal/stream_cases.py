"""Readings of the running month as they are posted, and their plain sums."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from store_cases import make_tariff

from eisenergy.accounts import Scope
from eisenergy.desk.workspace import Workspace
from eisenergy.run import intake
from eisenergy.store import masters
from eisenergy.store.database import Database
from eisenergy.timeofuse import BlockHours, DayCalendar

EIS, LUZ = Scope.operator("EIS"), Scope.operator("LUZ")
HOURS = {"VALLE": range(5), "RESTO": range(5, 18), "PUNTA": range(18, 24)}
"""Block -> local hours."""


def give_blocks(database: Database) -> None:
    """The hours of the blocks, and a tariff that names them, at both sellers."""
    rows = tuple(
        BlockHours(start_minute=60 * hours[0], end_minute=60 * (hours[-1] + 1), block=block)
        for block, hours in HOURS.items()
    )
    for scope in (EIS, LUZ):
        masters.save_calendar(database, scope, DayCalendar(name="EIS", rows=rows))
        masters.save_tariff(database, scope, make_tariff())


class Meter:
    """A meter's file, written by hand, and its plain sums."""

    def __init__(self, serial: str) -> None:
        self.serial, self.rows = serial, {}

    def take(self, first: datetime, count: int, kwh: Callable[[int], float]) -> None:
        for n in range(count):
            self.rows[first + n * timedelta(minutes=15)] = kwh(n)

    def post(self, workspace: Workspace, folder: Path, scope: Scope = EIS) -> None:
        folder.mkdir(exist_ok=True)
        path = folder / f"{self.serial}.csv"
        lines = [f"{at - timedelta(hours=6):%Y-%m-%d,%H:%M},{kwh:.3f}" for at, kwh in sorted(self.rows.items())]
        path.write_text("\n".join([f"Meter,{self.serial}", "Date,Time,kWh", *lines]) + "\n", encoding="utf-8")
        report = intake.ingest(workspace, scope, [path])
        assert [one.status for one in report.files] == ["loaded"], report.files[0].findings

    def sums(self, day: str = "") -> dict[str, object]:
        """Energy of local days that begin with a text, by block; nothing of the code under test."""
        mine = [(at - timedelta(hours=6), kwh) for at, kwh in self.rows.items()]
        mine = [(at, kwh) for at, kwh in mine if f"{at:%Y-%m-%d}".startswith(day)]
        blocks = {
            name: round(sum(kwh for at, kwh in mine if at.hour in hours), 6)
            for name, hours in HOURS.items()
            if any(at.hour in hours for at, _ in mine)
        }
        return {"kwh": round(sum(kwh for _, kwh in mine), 6), "blocks": dict(sorted(blocks.items()))}

    def entry(self, customer: str) -> dict[str, object]:
        last = f"{max(self.rows) + timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ}"
        peak = round(4 * max(self.rows.values()), 6)
        return {
            "customer": customer, "contract": customer, "meter": self.serial, "today": self.sums("2026-11-02"),
            "month": {**self.sums("2026-11"), "peak_kw": peak}, "last": last,
        }  # fmt: skip
