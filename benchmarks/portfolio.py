"""A synthetic portfolio: as many customers as wanted, with masters and months of 15-minute readings, the same for every run.

A customer's load follows the profile of one of the eight shipped customers (:mod:`eisenergy.samples.loads`); it depends on the seed, the customer's
number and the month alone, so a larger portfolio begins with the smaller one. Most months are whole. Of every 200 customers four carry
prices per interval, four lack up to 60 intervals, one lacks over a tenth of them and one has no readings (both are parked), and one is not in force.

``python -m benchmarks.portfolio FOLDER --customers 1000`` fills a workspace, for anything that needs one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl
from deltalake import DeltaTable, WriterProperties, write_deltalake

from benchmarks.synthetic import CLIENT as CLIENT
from benchmarks.synthetic import ZONE as ZONE
from benchmarks.synthetic import Grid, Loads
from benchmarks.synthetic import Member as Member
from eisenergy.accounts import Contract, Scope
from eisenergy.config import Settings
from eisenergy.desk.workspace import Workspace, opened
from eisenergy.masters import calendars, clients, customers
from eisenergy.period import BillingMonth
from eisenergy.samples import plan
from eisenergy.store import loading, masters
from eisenergy.tariffs import load as tariffs

MONTH: Final = BillingMonth(2021, 10)
"""31 days, and the rates change in the middle."""

SEED: Final = 20211001
TOGETHER: Final = 500
"""Customers whose readings are one write: about 1.5 million rows, a gigabyte while they are written."""

BEFORE: Final = 8
"""Customers whose readings the library itself writes, before the others' are put beside them."""


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Who there is, and for which months there are readings.

    :param months: in order of time
    """

    customers: int
    months: tuple[BillingMonth, ...] = (MONTH,)
    seed: int = SEED


def members(portfolio: Portfolio) -> list[Member]:
    """Everybody, in order."""
    return [Member(number) for number in range(1, portfolio.customers + 1)]


def contracts(portfolio: Portfolio, base: Sequence[Contract]) -> list[Contract]:
    """One contract each, after the shipped ones in turn."""
    first, after = date(2021, 1, 1), portfolio.months[-1].plus(1).period.start
    result = []
    for member in members(portfolio):
        like = base[(member.number - 1) % len(base)]
        result.append(
            replace(
                like,
                number=member.contract,
                customer=replace(like.customer, code=member.contract, name=f"{like.customer.name} {member.number}"),
                meter=replace(like.meter, serial=member.meter),
                start=after if member.later else min(like.start, first),
                end=None,
            )
        )
    return result


def settings_of(home: Path) -> Settings:
    """The settings of a benchmark's workspace: the project's parameters, and nothing of the environment."""
    root = Path(__file__).parents[1]
    environ = {"EISENERGY_PARAMS": str(root / "params"), "EISENERGY_SAMPLES": str(root / "data" / "samples")}
    return replace(Settings.load(environ, home=home), root=root)


def fill(workspace: Workspace, portfolio: Portfolio, *, readings: bool = True, append: bool = False) -> int:
    """Put masters, and readings month by month, into a workspace.

    :param readings: whether to write readings, too; otherwise only the masters, for files that are yet to be taken in
    :param append: write every row through :meth:`eisenergy.store.lake.Lake.append`, which compares with what is there. Otherwise
        the library makes the table with the first few, and the rest is written beside them, in its columns: a new table has nothing
        to compare with.
    :returns: intervals written
    """
    scope, settings, database = Scope.operator(CLIENT), workspace.settings, workspace.database
    masters.save_client(database, scope, clients.load(settings.params / "clients" / f"{CLIENT}.yaml"))
    masters.save_calendar(database, scope, calendars.read_spreadsheet(settings.samples / plan.BLOCKS, "eis-bloques"))
    rules = tariffs.read_yaml(settings.params / "tariffs" / "EIS-TOU.yaml")
    masters.save_tariff(
        database, scope, tariffs.combine(rules, tariffs.read_spreadsheet(settings.samples / plan.TARIFF))
    )
    base = customers.read(settings.samples / plan.CUSTOMERS).contracts
    masters.save_contracts(database, scope, contracts(portfolio, base))
    if not readings:
        return 0
    everybody, written = members(portfolio), 0
    supplies, prices = plan.supplies(settings.samples), plan.prices(settings.samples)
    for month in portfolio.months:
        made = Loads(Grid.of(month, prices), supplies, portfolio.seed)
        first = 0 if append else BEFORE
        if first:
            written += workspace.lake.append(scope, made.readings(everybody[:first])).added
        for begin in range(first, len(everybody), TOGETHER):
            frame = made.readings(everybody[begin : begin + TOGETHER])
            written += workspace.lake.append(scope, frame).added if append else _beside(workspace.lake.address, frame)
    return written


def _beside(address: str, frame: pl.DataFrame) -> int:
    """Add rows to the table that the library made, as those of its first load, laid out as its loads are."""
    table = DeltaTable(address)
    columns = [field.name for field in table.schema().fields]
    rows = frame.with_columns(loaded=pl.lit(1, dtype=pl.Int64), month=pl.col("start").dt.strftime("%Y-%m"))
    layout = WriterProperties(
        compression="ZSTD", max_row_group_size=loading.ROW_GROUP, data_page_size_limit=loading.PAGE
    )
    write_deltalake(table, rows.select(columns), mode="append", writer_properties=layout)
    return frame.height


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill a workspace from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.portfolio", description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path, help="the workspace to fill; it is made where it is missing")
    parser.add_argument("--customers", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--month", default=str(MONTH), help=f"the last month that has readings (default: {MONTH})")
    parser.add_argument("--months", type=int, default=1, help="how many months have readings (default: 1)")
    parser.add_argument(
        "--append", action="store_true", help="write every row through Lake.append, as taking files in does; slower"
    )
    options = parser.parse_args(arguments)
    last = BillingMonth.parse(options.month)
    portfolio = Portfolio(options.customers, tuple(last.plus(-n) for n in reversed(range(options.months))))
    began = time.perf_counter()
    options.home.mkdir(parents=True, exist_ok=True)
    with opened(settings_of(options.home)) as workspace:
        rows = fill(workspace, portfolio, append=options.append)
    print(
        f"{portfolio.customers:,} customers, {rows:,} intervals in {time.perf_counter() - began:.1f} s: {options.home}"
    )


if __name__ == "__main__":
    main()
