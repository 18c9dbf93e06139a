"""Folders of many meter files: mixed forms, corrections, damaged ones, and the same bytes twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path

from eisenergy.accounts import Scope
from eisenergy.desk.workspace import Workspace
from eisenergy.masters import customers
from eisenergy.samples import plan
from eisenergy.samples.loads import Slot
from eisenergy.samples.shapes import SHAPES, Content, Line
from eisenergy.store import masters

FIRST = 60_000_000
KINDS = ("log", "iso", "english", "cp1252", "workbook")


def know(workspace: Workspace, scope: Scope, count: int) -> list[str]:
    """Make meters known: a contract each."""
    listed = customers.read(workspace.settings.samples / "Datos de clientes para facturación.xlsx").contracts[0]
    meters = [str(FIRST + n) for n in range(count)]
    contracts = [
        replace(
            listed,
            number=f"X-{meter}",
            customer=replace(listed.customer, code=f"X-{meter}"),
            meter=replace(listed.meter, serial=meter),
        )
        for meter in meters
    ]
    masters.save_contracts(workspace.database, scope, contracts)
    return meters


@cache
def _prices() -> plan.Prices:
    """Read once, not for every file."""
    return plan.prices(Path(__file__).parents[2] / "data" / "samples")


def put(folder: Path, meter: str, kind: str, first: date, days: int, seed: int = 0, name: str = "") -> Path:
    """Write one meter's file."""
    supply = plan.Supply(
        contract="C",
        name="Cliente",
        meter=meter,
        node="Ateos",
        contracted_kw=100,
        loss_factor=0.01,
        start=first,
        profile="",
        shape=kind,
    )
    at, register, lines = datetime.combine(first, time()), int(meter) * 10, []
    for n in range(96 * days):
        wh = 1000 + (n * 1237 + seed * 101 + int(meter)) % 4000
        register += wh
        lines.append(Line(Slot(at, wh, 0, wh // 3, wh + 5), 0, register, 1000 + n))
        at += timedelta(minutes=15)
    path = folder / (name or SHAPES[kind].name.format(meter=meter))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(SHAPES[kind].render(Content(supply, _prices(), first, at.date(), lines)))
    return path


def fill(folder: Path, meters: list[str], days: int = 2) -> None:
    """Files of the last days of August and the first of September, one per meter and month, and some that are odd."""
    for n, meter in enumerate(meters):
        put(folder / "2021-08", meter, KINDS[n % 5], date(2021, 9, 1) - timedelta(days=days), days)
        put(folder / "2021-09", meter, KINDS[n % 5], date(2021, 9, 1), days, seed=1)
    put(folder / "correction", meters[0], "log", date(2021, 9, 1), days, seed=2)
    put(folder / "correction", meters[2], "iso", date(2021, 8, 31), 1, seed=3)
    put(folder / "z again", meters[0], "log", date(2021, 9, 1), days, seed=1)  # the first bytes under another folder
    put(folder / "unknown", "69999999", "log", date(2021, 9, 1), days)
    whole = put(folder / "damaged", meters[4], "workbook", date(2021, 9, 1), days, seed=9)
    whole.write_bytes(whole.read_bytes()[:3000])
    gap = put(folder / "gap", meters[5], "cp1252", date(2021, 9, 5), days)
    lines = gap.read_bytes().split(b"\r\n")
    gap.write_bytes(b"\r\n".join([*lines[:20], *lines[30:]]))
    (folder / "gap" / "alarm.csv").write_bytes(b"nothing that anybody measured\r\n")
