"""Run the benchmarks: ``python -m benchmarks [CASE ...] [--customers N] [--quick]``."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks import alone, bills, documents, growth, intake, kernel, month_read, page, portal, report
from benchmarks.report import Result

CASES: Final = {
    "kernel": "sums per block, beside Polars, DuckDB and the memory's bandwidth",
    "month_read": "reading a month from the table, beside hive folders by Polars and DuckDB",
    "bill": "bill and issue, beside an analyst's pandas script",
    "documents": "publish, beside stock Papermill, the nbconvert command and Typst",
    "intake": "ingest of workbooks and CSV files, beside openpyxl, pandas and Polars",
    "growth": "bill and issue from 100 to 10,000 customers: time and memory",
    "portal": "every page of the portal alone, and 200 customers at once",
}
CUSTOMERS: Final = 10_000
FILES: Final = 1_000
PUBLISHED: Final = 150
QUICK: Final = 16


def parser() -> argparse.ArgumentParser:
    """The command line."""
    cases = "\n".join(f"  {name:<11} {text}" for name, text in CASES.items())
    result = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure eisenergy beside its peers, in one run, on this machine. Every case first checks that both sides "
        "compute the same, then prints ratios; results go to benchmarks/results/CASE.json and index.html.",
        epilog=f"cases:\n{cases}\n\nAll cases were laid out for about 20 minutes and 4 GB on 4 idle cores. CPU times bear others on the machine, "
        "wall times do not: see the load that each result names.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("case", nargs="*", metavar="CASE", help="which to run (default: all)")
    result.add_argument(
        "--customers", type=int, default=CUSTOMERS, metavar="N",
        help=f"size of kernel, month_read, bill, growth and portal (default: {CUSTOMERS:,}); documents and intake take a sample of at most N",
    )  # fmt: skip
    result.add_argument(
        "--quick",
        action="store_true",
        help="a handful of customers: shows that all cases work, measures nothing of worth",
    )
    result.add_argument(
        "--results",
        type=Path,
        default=report.RESULTS,
        metavar="FOLDER",
        help="where results go (default: benchmarks/results)",
    )
    return result


def run(names: Sequence[str], customers: int, *, quick: bool = False, results: Path = report.RESULTS) -> list[Result]:
    """Run cases in their order, print and save each, and make the page.

    :param names: of :data:`CASES`
    """
    found: dict[str, Result] = {}
    size = min(customers, QUICK) if quick else customers
    with tempfile.TemporaryDirectory(prefix="eisenergy-bench-") as folder:
        home = _Shared(Path(folder), size)
        measure: dict[str, Callable[[], Result]] = {
            "kernel": lambda: kernel.run(size, quick=quick),
            "month_read": lambda: month_read.run(size, quick=quick, home=home.filled()),
            "bill": lambda: bills.run(size, quick=quick, home=home.filled()),
            "documents": lambda: documents.run(
                min(size, PUBLISHED), quick=quick, few=2 if quick else 25, beside=1 if quick else 3
            ),
            "intake": lambda: intake.run(min(size, FILES), quick=quick, sample=1 if quick else 4),
            "growth": lambda: growth.run(
                size, quick=quick, sizes=(size // 2,) if quick else growth.SIZES,
                bill=found.get("bill"), documents=found.get("documents"),
            ),
            "portal": lambda: portal.run(size, quick=quick, home=home.filled()),
        }  # fmt: skip
        for name in CASES:
            if name not in names:
                continue
            began = time.perf_counter()
            result = measure[name]()
            if quick:
                result.aims = [replace(aim, reason="a quick run measures nothing of worth") for aim in result.aims]
            result.notes += [note for note in (result.busy(),) if note]
            result.figures["case_seconds"] = time.perf_counter() - began
            found[name] = result
            print(report.text(result), flush=True)
            print(f"   {result.figures['case_seconds']:,.0f} s; written to {report.save(result, results)}", flush=True)
    print(f"\nthe page: {page.write(results)}")
    return list(found.values())


class _Shared:
    """One filled workspace for the cases that only need readings; made when the first asks."""

    def __init__(self, folder: Path, customers: int) -> None:
        self._folder, self._customers, self._made = folder, customers, False

    def filled(self) -> Path:
        if not self._made:
            self._folder.chmod(0o755)  # root's PostgreSQL runs as another account
            alone.run("benchmarks.bills:fill", home=str(self._folder), customers=self._customers, readings=True)
            self._made = True
        return self._folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    given = parser()
    options = given.parse_args(arguments)
    if unknown := sorted(set(options.case) - set(CASES)):
        given.error(f"no case {', '.join(unknown)}: expected some of {', '.join(CASES)}")
    alone.end_in_order()
    run(options.case or list(CASES), options.customers, quick=options.quick, results=options.results)


if __name__ == "__main__":
    main()
