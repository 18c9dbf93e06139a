"""What grows with the number of customers, and how: bill and issue in seconds and memory, each size in a workspace and a process of its own.

Documents are made customer by customer; what one costs is the case *documents*. Here stands what a month of all of them costs from 100 to 10,000.
"""

from __future__ import annotations

import math
from typing import Any, Final

from benchmarks import alone
from benchmarks.bills import workspace
from benchmarks.report import OURS, Aim, Cost, Group, Result

SIZES: Final = (100, 300, 1_000, 3_000, 10_000)
STEEPEST: Final = 1.1
"""Of the CPU time over the number of customers, both as logarithms: 1 is linear, 2 quadratic."""


def run(
    customers: int = 10_000,
    *,
    quick: bool = False,
    sizes: tuple[int, ...] = SIZES,
    bill: Result | None = None,
    documents: Result | None = None,
) -> Result:
    """Measure.

    :param customers: the largest size
    :param bill: what the case *bill* found in this run; its size is not measured again
    :param documents: what the case *documents* found in this run: what starting costs and what each customer costs
    """
    chosen = sorted({size for size in sizes if size < customers} | {customers})
    result = Result(
        case="growth",
        question="do time and memory grow in proportion to the customers?",
        size={"sizes": ", ".join(f"{size:,}" for size in chosen)},
        quick=quick,
    )
    for size in chosen:
        known = bill is not None and bill.size["customers"] == size
        result.series.append(_known(bill) if bill is not None and known else _measure(size))
    if documents is not None:
        start, one = documents.figures["start_cpu_seconds"], documents.figures["cpu_ms_each"] / 1000
        for entry in result.series:
            entry["documents_cpu_seconds_from_sample"] = start + one * entry["customers"]
    each = [
        (entry["bill_cpu_seconds"] + entry["issue_cpu_seconds"]) * 1000 / entry["customers"] for entry in result.series
    ]
    largest = result.series[-1]
    result.groups += [
        Group(
            "bill + issue per customer, by size of the portfolio",
            "CPU ms per customer",
            tuple(
                Cost(OURS, f"{entry['customers']:,} customers", cost)
                for entry, cost in reversed(list(zip(result.series, each, strict=True)))
            ),
        ),
        Group(
            "peak memory of all processes, PostgreSQL's apart",
            "MB",
            tuple(
                Cost(OURS, f"{entry['customers']:,} customers", entry["peak_bytes"] / 2**20)
                for entry in reversed(result.series)
            ),
        ),
    ]
    if len(chosen) > 1:
        larger = [entry for entry in result.series if entry["customers"] >= 1000] or result.series
        reason = "" if len(larger) > 2 else "too few sizes from 1,000 customers on, below which the start weighs"
        slope = _slope(
            [(entry["customers"], entry["bill_cpu_seconds"] + entry["issue_cpu_seconds"]) for entry in larger]
        )
        result.aims.append(
            Aim(
                "exponent of growth of CPU time from 1,000 customers on (1 is linear)",
                STEEPEST,
                slope,
                "<=",
                "",
                reason,
            )
        )
    result.figures["rows_of_largest"] = largest["rows"]
    return result


def _measure(customers: int) -> dict[str, Any]:
    with workspace(customers) as home:
        found = alone.run("benchmarks.bills:bill_and_issue", home=str(home), customers=customers, sample=0, verify=True)
        table = sum(path.stat().st_size for path in (home / "lake").rglob("*.parquet"))
    return _entry(customers, found["phases"], found["peak_bytes"], table)


def _known(bill: Result) -> dict[str, Any]:
    figures = bill.figures
    return _entry(bill.size["customers"], figures["phases"], figures["peak_bytes"], figures["table_bytes"])


def _entry(customers: int, phases: dict[str, dict[str, float]], peak: int, table: int) -> dict[str, Any]:
    return {
        "customers": customers,
        "rows": customers * 2976,
        "bill_seconds": phases["bill"]["seconds"],
        "issue_seconds": phases["issue"]["seconds"],
        "bill_cpu_seconds": phases["bill"]["cpu_seconds"],
        "issue_cpu_seconds": phases["issue"]["cpu_seconds"],
        "peak_bytes": peak,
        "table_bytes": table,
    }


def _slope(points: list[tuple[float, float]]) -> float:
    """The exponent: least squares through the logarithms."""
    if len(points) < 2:
        return float("nan")
    logs = [(math.log(x), math.log(y)) for x, y in points]
    mean_x, mean_y = (sum(values) / len(logs) for values in zip(*logs, strict=True))
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)
