"""``publish``: every customer's notebooks executed, its pages and its PDFs, against the usual tools.

Ours is the command, run twice: for a few customers and for many. What starting costs and what one more customer costs follow from both. The
usual chain runs beside it on a few customers of the same workspace. Quarto's figures are constants, measured once elsewhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from benchmarks import alone, machine, portfolio, stock
from benchmarks.bills import workspace
from benchmarks.report import CONSTANT, OURS, PEER, Aim, Cost, Group, Result, equal

QUARTO_PDF: Final = 1.1
QUARTO_PAGE: Final = 1.5
"""Seconds of Quarto 1.9.38 per PDF and per page, measured on a 4-core machine when this project was planned; not part of this run."""

ALL: Final = 10_000


def run(customers: int = 150, *, quick: bool = False, few: int = 25, beside: int = 3) -> Result:
    """Measure.

    :param customers: how many are published in the larger run
    :param few: how many in the smaller
    :param beside: how many the usual tools make
    """
    result = Result(
        case="documents",
        question="what does a customer's set of notebooks, pages and PDFs cost, against the usual tools?",
        size={"customers": customers, "first_few": few, "customers_of_the_usual_tools": beside},
        quick=quick,
    )
    with workspace(customers + few) as home:
        published = alone.run("benchmarks.documents:publish", home=str(home), few=few, many=customers)
        made = published["result"]
        peer = alone.run(
            "benchmarks.stock:documents",
            home=str(home),
            customers=made["customers"][:beside],
            notebooks=made["notebooks"],
            pdfs=made["pdfs"],
            month=str(portfolio.MONTH),
        )
    result.checks.append(
        equal(
            "notebooks of stock Papermill and of ours that show the same texts",
            ((name, made["shown"].get(name), texts) for name, texts in peer["result"]["shown"].items()),
        )
    )
    phases = published["phases"]
    each, start = _line((made["few"], phases["few"]["cpu_seconds"]), (made["many"], phases["many"]["cpu_seconds"]))
    one = (start + each * ALL) / ALL * 1000
    steps = {name: phase["cpu_seconds"] * 1000 / beside for name, phase in peer["phases"].items()}
    usual = sum(steps.values())
    quarto = 1000 * (QUARTO_PAGE * len(made["notebooks"]) + QUARTO_PDF * len(made["pdfs"]))
    drew = "in the kernel, counted with the notebooks" if not peer["result"]["drawn"] else ""
    result.groups += [
        Group(
            f"a customer's {len(made['notebooks'])} notebooks and pages and {len(made['pdfs'])} PDFs",
            "CPU ms per customer",
            (
                Cost(
                    OURS,
                    "eisenergy publish",
                    one,
                    f"of {ALL:,}: start {start:.1f} s once, then {each * 1000:.1f} ms each",
                ),
                Cost(PEER, "stock Papermill + nbconvert command + typst.compile", usual, f"a sample of {beside}"),
                Cost(CONSTANT, "Quarto: 1.1 s per PDF, 1.5 s per page", quarto, "a constant, not of this run"),
                Cost(PEER, "of it: stock Papermill, a kernel per notebook", steps["papermill"]),
                Cost(PEER, "of it: nbconvert command per page", steps["nbconvert"]),
                Cost(PEER, "of it: charts by vl-convert", steps["vl-convert"], drew),
                Cost(PEER, "of it: typst.compile per PDF", steps["typst"]),
            ),
        ),
        Group(
            "all documents of 10,000 customers",
            f"min on {machine.cores()} cores",
            (
                Cost(OURS, "eisenergy publish", one * ALL / 60_000 / machine.cores(), "scaled from this run"),
                Cost(PEER, "the usual tools", usual * ALL / 60_000 / machine.cores(), "scaled from this run"),
                Cost(CONSTANT, "Quarto", quarto * ALL / 60_000 / machine.cores(), "from its constants"),
            ),
        ),
    ]
    reason = "" if made["many"] >= 50 else "too few customers to tell a start from a customer"
    result.aims += [
        Aim(
            "CPU ms per customer for notebooks, pages and PDFs, of 10,000", 80, one, sign="<=", unit="ms", reason=reason
        ),
        Aim("stock Papermill + nbconvert + Typst over ours", 15, usual / one, reason=reason),
        Aim("Quarto's constants over ours", 30, quarto / one, reason=reason),
    ]
    result.figures |= {
        "start_cpu_seconds": start,
        "cpu_ms_each": each * 1000,
        "phases": phases,
        "usual_phases": peer["phases"],
        "peak_bytes": published["peak_bytes"],
        "bytes_per_customer": made["bytes"] / (made["few"] + made["many"]),
    }
    result.notes.append(
        f"{made['few'] + made['many']} sites, {made['bytes'] / (made['few'] + made['many']) / 1e3:,.0f} kB each; "
        f"peak memory of all processes {published['peak_bytes'] / 2**30:.2f} GB"
    )
    return result


def _line(a: tuple[int, float], b: tuple[int, float]) -> tuple[float, float]:
    """What one more customer costs, and what starting costs, from two runs."""
    if b[0] <= a[0]:
        return b[1] / b[0], 0.0
    each = max((b[1] - a[1]) / (b[0] - a[0]), 0.0)
    return each, max(a[1] - each * a[0], 0.0)


def publish(clock: alone.Clock, *, home: str, few: int, many: int) -> dict[str, Any]:
    """Bill and issue everybody, then publish a few and the rest, with the command."""
    from eisenergy.accounts import Scope
    from eisenergy.desk.workspace import opened

    settings, month = portfolio.settings_of(Path(home)), str(portfolio.MONTH)
    with opened(settings) as found:
        clock.server = alone.server_of(found, Scope.operator(portfolio.CLIENT))
        with clock.phase("bill"):
            alone.command(home, "bill", month)
            alone.command(home, "issue", month, "--issued-on", "2021-11-02")
        wanted = [one.contract for one in portfolio.members(portfolio.Portfolio(few))]
        with clock.phase("few"):
            first = alone.command(home, "publish", month, *(part for code in wanted for part in ("--customer", code)))
        with clock.phase("many"):
            rest = alone.command(home, "publish", month)
    failed = [site["error"] for site in first["sites"] + rest["sites"] if site["error"]]
    if failed:
        raise AssertionError(f"{len(failed)} sites were not made: {failed[0]}")
    runs, sites = settings.runs / portfolio.CLIENT / month, settings.sites / portfolio.CLIENT
    made = [site["subject"] for site in first["sites"] if site["made"] and site["subject"] != "operator"]
    later = [site["subject"] for site in rest["sites"] if site["made"] and site["subject"] != "operator"]
    if not made or len(later) < many // 2:
        raise AssertionError(f"{len(made)} and {len(later)} sites were made, expected {few} and about {many}")
    return {
        "few": len(made),
        "many": len(later),
        "customers": made,
        "notebooks": sorted(path.stem for path in (runs / made[0]).glob("*.ipynb")),
        "pdfs": sorted(path.stem for path in (sites / made[0] / month).glob("*.pdf")),
        "shown": {
            f"{customer}/{path.stem}": stock.texts(path)
            for customer in made
            for path in sorted((runs / customer).glob("*.ipynb"))
        },
        "bytes": sum(
            path.stat().st_size for code in made + later for path in (sites / code).rglob("*") if path.is_file()
        ),
    }
