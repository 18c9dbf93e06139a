"""``bill`` and ``issue`` of a month, from the readings' table to posted invoices, against the bill as an analyst writes it with pandas.

Ours runs in a process of its own and counts the PostgreSQL server's work, too. The analyst's script gets the readings of each customer of a
sample as a frame in memory (no file is read) and writes nothing; its time is scaled from the sample to all. To the cent, both must agree.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from benchmarks import alone, machine, portfolio
from benchmarks.report import OURS, PEER, Aim, Cost, Group, Result, equal

SAMPLE: Final = 64
SECONDS: Final = 6.0
"""What 10,000 customers may take on four cores."""


def run(customers: int = 10_000, *, quick: bool = False, home: Path | None = None) -> Result:
    """Measure.

    :param home: a workspace of the portfolio that is billed nowhere yet; by default one is made for this
    """
    sample, cores = min(SAMPLE, customers), machine.cores()
    result = Result(
        case="bill",
        question="how long from the month's readings to posted invoices, against an analyst's pandas script?",
        size={"customers": customers, "sample_of_pandas": sample},
        quick=quick,
    )
    work = "benchmarks.bills:bill_and_issue"
    with workspace(customers, home) as place:
        with copied(place) as second:
            ours = alone.run(work, home=str(place), customers=customers, sample=sample, verify=True)
            once = alone.run(work, home=str(second), customers=customers, sample=sample, verify=False)
        peer = alone.run("benchmarks.bills:by_pandas", home=str(place), sample=sample)
        table = sum(path.stat().st_size for path in (place / "lake").rglob("*.parquet"))
    mine, theirs = ours["result"]["lines"], peer["result"]["lines"]
    result.checks.append(
        equal(
            "amounts of the sample's bills, ours and pandas' to the cent",
            (
                (f"{number} {name}", Decimal(mine[number][name]), Decimal(amount))
                for number, lines in theirs.items()
                for name, amount in lines.items()
            ),
        )
    )
    bill, issue = ours["phases"]["bill"], ours["phases"]["issue"]
    quick_bill, quick_issue = once["phases"]["bill"], once["phases"]["issue"]
    each = customers / 1000  # from seconds of all to milliseconds of one
    one = peer["phases"]["bill"]["cpu_seconds"] * 1000 / len(theirs)
    result.groups += [
        Group(
            "a customer's bill",
            "CPU ms per customer",
            (
                Cost(
                    OURS, "bill + issue: read, check, price, post", (bill["cpu_seconds"] + issue["cpu_seconds"]) / each
                ),
                Cost(PEER, "pandas: the amounts alone, readings in memory", one, f"{len(theirs)} customers, scaled"),
                Cost(OURS, "bill", bill["cpu_seconds"] / each),
                Cost(OURS, "issue, which drafts again and compares", issue["cpu_seconds"] / each),
                Cost(OURS, "issue right after bill, as 'eisenergy run' does", quick_issue["cpu_seconds"] / each),
            ),
        ),
        Group(
            "all customers",
            "s",
            (
                Cost(OURS, f"bill + issue of {customers:,}", bill["seconds"] + issue["seconds"]),
                Cost(OURS, "bill + issue as 'eisenergy run' does", quick_bill["seconds"] + quick_issue["seconds"]),
                Cost(PEER, "pandas on one core", one * each, f"scaled from {len(theirs)}"),
                Cost(PEER, f"pandas on {cores} cores", one * each / cores, "scaled further, as if nothing were lost"),
            ),
        ),
    ]
    wanted = SECONDS * customers / 10_000 * 4 / cores
    few = "a start-up's costs weigh too much with so few customers" if customers < 3000 else ""
    result.aims += [
        Aim(
            f"bill + issue on {cores} cores (the aim is scaled to them)",
            wanted,
            seconds,
            sign="<=",
            unit="s",
            reason=few,
        )
        for seconds in (bill["seconds"] + issue["seconds"], quick_bill["seconds"] + quick_issue["seconds"])
    ]
    result.aims[-1] = replace(result.aims[-1], text=f"{result.aims[-1].text}, as 'eisenergy run' does")
    result.figures |= {
        "phases": ours["phases"],
        "phases_of_run": once["phases"],
        "peak_bytes": ours["peak_bytes"],
        "table_bytes": table,
        "counts": ours["result"]["counts"],
        "pandas_phases": peer["phases"],
    }
    result.notes.append(
        f"drafted {ours['result']['counts']['drafted']:,}, parked {ours['result']['counts']['parked']:,}, not in force "
        f"{ours['result']['counts']['not_in_force']:,}; peak memory {ours['peak_bytes'] / 2**30:.2f} GB"
    )
    return result


@contextmanager
def copied(home: Path) -> Iterator[Path]:
    """A copy of a workspace that nobody uses at this moment: whatever is issued is issued once."""
    with tempfile.TemporaryDirectory(prefix="eisenergy-bench-") as folder:
        Path(folder).chmod(0o755)
        subprocess.run(["cp", "-a", f"{home}/.", folder], check=True)
        yield Path(folder)


@contextmanager
def workspace(customers: int, home: Path | None = None, *, readings: bool = True) -> Iterator[Path]:
    """A filled workspace, removed afterwards; one that was given stays."""
    if home is not None:
        yield home
        return
    with tempfile.TemporaryDirectory(prefix="eisenergy-bench-") as folder:
        Path(folder).chmod(0o755)  # root's PostgreSQL runs as another account
        alone.run("benchmarks.bills:fill", home=folder, customers=customers, readings=readings)
        yield Path(folder)


def fill(clock: alone.Clock, *, home: str, customers: int, readings: bool) -> dict[str, Any]:
    """Fill a workspace, in a process of its own."""
    from eisenergy.desk.workspace import opened

    with opened(portfolio.settings_of(Path(home))) as found, clock.phase("fill"):
        rows = portfolio.fill(found, portfolio.Portfolio(customers), readings=readings)
    return {"rows": rows}


def bill_and_issue(clock: alone.Clock, *, home: str, customers: int, sample: int, verify: bool) -> dict[str, Any]:
    """Bill and issue the month; the sample's lines are returned."""
    from eisenergy.accounts import Scope
    from eisenergy.desk.workspace import opened
    from eisenergy.run import month

    scope = Scope.operator(portfolio.CLIENT)
    with opened(portfolio.settings_of(Path(home))) as found:
        clock.server = alone.server_of(found, scope)
        with clock.phase("bill"):
            billed = month.bill_month(found, scope, portfolio.MONTH)
        now = datetime(2021, 11, 2, 12, tzinfo=UTC)
        with clock.phase("issue"):
            issued = month.issue_month(found, scope, portfolio.MONTH, issued_on=now.date(), at=now, verify=verify)
        if len(issued.issued) != len(billed.drafted) or len(billed.drafted) < customers * 9 // 10:
            raise AssertionError(
                f"{len(billed.drafted)} drafts and {len(issued.issued)} invoices for {customers} customers"
            )
        wanted = {member.contract for member in _sample(sample)}
        return {
            "lines": {
                invoice.bill.contract.number: {line.code.value: str(line.amount) for line in invoice.bill.lines}
                for invoice in issued.issued
                if invoice.bill.contract.number in wanted
            },
            "counts": {
                "drafted": len(billed.drafted),
                "parked": len(billed.parked),
                "not_in_force": len(billed.not_in_force),
                "issued": len(issued.issued),
            },
        }


def by_pandas(clock: alone.Clock, *, home: str, sample: int) -> dict[str, Any]:
    """Bill the sample as an analyst would."""
    import pandas as pd

    from benchmarks import pandas_bill
    from eisenergy.accounts import Scope
    from eisenergy.desk.workspace import opened

    settings = portfolio.settings_of(Path(home))
    sheets, sheet = pandas_bill.Sheets.read(settings.samples), pandas_bill.customers(settings.samples)
    chosen = _sample(sample)
    first, end = portfolio.MONTH.period.utc(portfolio.ZONE)
    with opened(settings) as found:
        rows = found.lake.read(Scope.operator(portfolio.CLIENT), [member.meter for member in chosen], first, end)
    names = {"kwh_import": "kwh", "kw": "kw", "forecast_kwh": "forecast"}
    names |= {name: name for name in ("loss_factor", "ftpms", "cost_neg")}
    frames = {}
    for (meter,), part in rows.partition_by("meter", as_dict=True).items():
        columns = {new: part[old].fill_null(float("nan")).to_numpy() for old, new in names.items()}
        start = pd.to_datetime(part["start"].to_physical().to_numpy(), unit="us", utc=True)
        frames[meter] = pd.DataFrame({"start": start, **columns})
    lines = {}
    people = [sheet.iloc[(member.number - 1) % len(sheet)] for member in chosen]
    pandas_bill.bill(frames[chosen[0].meter], people[0], sheets)  # what is imported late is not the analyst's time
    with clock.phase("bill"):
        for member, person in zip(chosen, people, strict=True):
            amounts = pandas_bill.bill(frames[member.meter], person, sheets)
            lines[member.contract] = {name: str(amount) for name, amount in amounts.items()}
    return {"lines": lines}


def _sample(size: int) -> list[portfolio.Member]:
    """The first customers whose month is whole, those with prices of their own among them."""
    everybody = portfolio.members(portfolio.Portfolio(size))
    return [one for one in everybody if not (one.missing[1] or one.silent or one.later)]
