"""The kernel against Polars: the same sums over a month of 2,000 meters, in one run, as a ratio.

Run ``python -m benchmarks``. It makes a synthetic month (15-minute readings, all columns), checks that both sides agree, times
each several times in turn and keeps the best, and writes ``benchmarks/results/kernel.json``.

* *complete*: ``complete.energies`` on all threads, for months in which every interval is there: compensated kWh per cell, maximum
  with its time and ties. Its bound is the time for its two columns, kWh and kW; its peer is Polars with the same two, labelled.
* *kernel*: ``kernels.sum_cells_of_meters`` on all threads: calendar, tariff segment, compensated sums, maximum with its time and ties.
* *polars*: ``group_by`` on all threads over the same frame with segment and block **already labelled** (labelling is timed apart),
  the same sums without compensation, the maximum and its first time, without ties.
* *triad*: ``a[i] = b[i] + s * c[i]`` over arrays that exceed the caches, on the same threads: what the memory gives. The bound is the time in which
  that bandwidth would deliver the kernel's columns once; no pass over them can be faster.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import numba
import numpy as np
import polars as pl

from eisenergy import complete, kernels
from eisenergy.period import Period
from eisenergy.timeofuse import BlockHours, DayCalendar, Runs, compile_runs

METERS: Final = 2_000
MONTH: Final = Period(date(2021, 9, 1), date(2021, 10, 1))
SEGMENTS: Final = MONTH.split((date(2021, 9, 15),))
ZONE: Final = "America/El_Salvador"
RESULTS: Final = Path(__file__).parent / "results" / "kernel.json"
CALENDAR: Final = DayCalendar(
    name="EIS",
    rows=(
        BlockHours(start_minute=23 * 60, end_minute=5 * 60, block="VALLE"),
        BlockHours(start_minute=5 * 60, end_minute=18 * 60, block="RESTO"),
        BlockHours(start_minute=18 * 60, end_minute=23 * 60, block="PUNTA"),
    ),
)


def synthetic(meters: int, runs: Runs) -> tuple[kernels.Columns, np.ndarray]:
    """Readings of a month for that many meters, one after the other, and where each begins."""
    rng = np.random.default_rng(20211101)
    slots = np.arange(runs.start_us[0], runs.end_us[-1], runs.minutes * 60_000_000)
    rows = meters * len(slots)
    kwh = rng.gamma(2.0, 5.0, rows).round(3)
    columns = kernels.Columns(
        start=np.tile(slots, meters),
        kwh=kwh,
        kwh_export=np.zeros(rows),
        kvarh=(kwh * 0.4).round(3),
        kvar=np.full(rows, np.nan),
        kw=(kwh * 4).round(2),
        forecast=(kwh * rng.normal(1, 0.1, rows)).round(2),
        estimated=rng.random(rows) < 0.01,
        group=np.zeros(rows, dtype=np.int32),
    )
    return columns, np.arange(0, rows + 1, len(slots), dtype=np.int64)


def label(frame: pl.DataFrame, runs: Runs) -> pl.DataFrame:
    """Give every row its cell, as the peer needs it."""
    cells = pl.DataFrame(
        {"start": runs.start_us, "cell": runs.segment.astype(np.int64) * len(runs.blocks) + runs.block}
    ).sort("start")
    return frame.sort("start").join_asof(cells, on="start").sort("meter", "start")


def by_polars(frame: pl.DataFrame) -> pl.DataFrame:
    """The peer."""
    short, over = pl.col("forecast") > pl.col("kwh"), pl.col("forecast") < pl.col("kwh")
    return frame.group_by("meter", "cell").agg(
        pl.col("kwh").sum(),
        pl.col("kwh_export").sum(),
        pl.col("kvarh").sum(),
        forecast_short=pl.col("forecast").filter(short).sum(),
        kwh_short=pl.col("kwh").filter(short).sum().alias("kwh_short"),
        forecast_over=pl.col("forecast").filter(over).sum(),
        kwh_over=pl.col("kwh").filter(over).sum().alias("kwh_over"),
        kw=pl.col("kw").max(),
        at=pl.col("start").get(pl.col("kw").arg_max()),
        slots=pl.len(),
        estimated=pl.col("estimated").sum(),
    )


def two_by_polars(frame: pl.DataFrame) -> pl.DataFrame:
    """The peer of the pass over complete months."""
    return frame.group_by("meter", "cell").agg(
        pl.col("kwh").sum(), kw=pl.col("kw").max(), at=pl.col("start").get(pl.col("kw").arg_max())
    )


def slices(runs: Runs) -> complete.Slices:
    """The calendar's runs as slices of each meter's rows."""
    slot = runs.minutes * 60_000_000
    origin = runs.start_us[0]
    cell = runs.segment.astype(np.int64) * len(runs.blocks) + runs.block
    return complete.Slices((runs.start_us - origin) // slot, (runs.end_us - origin) // slot, cell)


@numba.njit("void(f8[::1], f8[::1], f8[::1], f8)", parallel=True, cache=True)
def _triad(a: np.ndarray, b: np.ndarray, c: np.ndarray, s: float) -> None:
    for i in numba.prange(a.shape[0]):
        a[i] = b[i] + s * c[i]


def bandwidth() -> float:
    """Bytes per second that a triad moves."""
    n = 16_000_000
    a, b, c = np.zeros(n), np.ones(n), np.ones(n)
    return 3 * 8 * n / best(lambda: _triad(a, b, c, 2.0), 5)


def best(action: Callable[[], object], times: int) -> float:
    """Seconds of the fastest of several runs."""
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def processor() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


def measure() -> dict[str, Any]:
    """Run everything and return the figures."""
    runs = compile_runs(CALENDAR, SEGMENTS, ZONE)
    cells = len(runs.segments) * len(runs.blocks)
    calendar = kernels.Calendar(
        runs.start_us, runs.end_us, runs.segment.astype(np.int64) * len(runs.blocks) + runs.block
    )
    columns, offsets = synthetic(METERS, runs)
    rows = len(columns.start)
    meter = np.repeat(np.arange(METERS, dtype=np.int32), np.diff(offsets))
    frame = pl.DataFrame({"meter": meter, **columns._asdict()})
    labelled = label(frame, runs)

    def kernel() -> kernels.Cells:
        return kernels.sum_cells_of_meters(offsets, columns, calendar, cells, runs.minutes / 60)

    first, cut = offsets[:-1], slices(runs)

    def whole() -> complete.Energies:
        return complete.energies(first, columns.kwh, columns.kw, cut, cells)

    agree(kernel(), by_polars(labelled))
    agree_whole(whole(), kernel(), two_by_polars(labelled), runs)
    # In turn, so that a machine that slows down slows both sides.
    rounds = [(best(kernel, 2), best(lambda: by_polars(labelled), 2)) for _ in range(5)]
    ours, peer = (min(side) for side in zip(*rounds, strict=True))
    two = [(best(whole, 3), best(lambda: two_by_polars(labelled), 2), bandwidth()) for _ in range(5)]
    ours_whole, peer_whole = min(row[0] for row in two), min(row[1] for row in two)
    numba.set_num_threads(1)
    single, single_whole = best(kernel, 3), best(whole, 3)
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    labelling = best(lambda: label(frame, runs), 1)
    triad = max(row[2] for row in two)
    touched_whole = columns.kwh.nbytes + columns.kw.nbytes
    touched = sum(column.nbytes for column in columns)
    return {
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": numba.get_num_threads(),
            "system": platform.platform(terse=True),
            "python": platform.python_version(),
            "numba": numba.__version__,
            "polars": pl.__version__,
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        },
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "meters": METERS,
        "rows": rows,
        "seconds": {
            "complete": ours_whole,
            "complete_one_thread": single_whole,
            "polars_two_columns": peer_whole,
            "kernel": ours,
            "kernel_one_thread": single,
            "polars": peer,
            "polars_labelling": labelling,
        },
        "polars_over_complete": peer_whole / ours_whole,
        "complete_rows_per_second": rows / ours_whole,
        "complete_share_of_bound": touched_whole / triad / ours_whole,
        "polars_over_kernel": peer / ours,
        "rows_per_second": rows / ours,
        "triad_bytes_per_second": triad,
        "column_bytes": touched,
        "bound_seconds": touched / triad,
        "share_of_bound": touched / triad / ours,
    }


def agree(ours: kernels.Cells, theirs: pl.DataFrame) -> None:
    """Stop when the two sides compute different things."""
    at = (theirs["meter"].to_numpy(), theirs["cell"].to_numpy())
    names = ("kwh", "kwh_export", "kvarh", "forecast_short", "kwh_short", "forecast_over", "kwh_over")
    for number, name in enumerate(names):
        np.testing.assert_allclose(ours.sums[*at, number], theirs[name].to_numpy(), rtol=1e-9)
    np.testing.assert_array_equal(ours.peak[at], theirs["kw"].to_numpy())
    np.testing.assert_array_equal(ours.peak_at[at], theirs["at"].to_numpy())
    np.testing.assert_array_equal(ours.counts[*at, kernels.SLOTS], theirs["slots"].to_numpy())
    np.testing.assert_array_equal(ours.counts[*at, kernels.SLOTS_ESTIMATED], theirs["estimated"].to_numpy())


def agree_whole(ours: complete.Energies, rows: kernels.Cells, theirs: pl.DataFrame, runs: Runs) -> None:
    """Stop when the pass over complete months computes something else than the pass over rows, or than the peer."""
    at = (theirs["meter"].to_numpy(), theirs["cell"].to_numpy())
    np.testing.assert_allclose(ours.kwh, rows.sums[..., kernels.KWH], rtol=1e-15)
    np.testing.assert_allclose(ours.kwh[at], theirs["kwh"].to_numpy(), rtol=1e-9)
    np.testing.assert_array_equal(ours.peak, rows.peak)
    np.testing.assert_array_equal(ours.ties, rows.counts[..., kernels.TIES])
    instants = runs.start_us[0] + ours.peak_row * runs.minutes * 60_000_000
    np.testing.assert_array_equal(instants, rows.peak_at)
    np.testing.assert_array_equal(instants[at], theirs["at"].to_numpy())


def report(figures: dict[str, Any]) -> str:
    """The figures as a person reads them."""
    machine, seconds = figures["machine"], figures["seconds"]
    return "\n".join(
        (
            f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, numba {machine['numba']}, polars {machine['polars']}",
            f"{figures['meters']:,} meters, {figures['rows']:,} rows",
            f"complete months    {seconds['complete'] * 1000:8.1f} ms   {figures['complete_rows_per_second'] / 1e6:,.0f} million rows/s; "
            f"{figures['complete_share_of_bound']:.0%} of what the triad moves",
            f"  one thread       {seconds['complete_one_thread'] * 1000:8.1f} ms",
            f"  polars group_by  {seconds['polars_two_columns'] * 1000:8.1f} ms   {figures['polars_over_complete']:.2f} times",
            f"kernel             {seconds['kernel'] * 1000:8.1f} ms   {figures['rows_per_second'] / 1e6:,.0f} million rows/s",
            f"kernel, one thread {seconds['kernel_one_thread'] * 1000:8.1f} ms",
            f"polars group_by    {seconds['polars'] * 1000:8.1f} ms   {figures['polars_over_kernel']:.2f} times the kernel's",
            f"  and labelling    {seconds['polars_labelling'] * 1000:8.1f} ms",
            f"memory bound       {figures['bound_seconds'] * 1000:8.1f} ms   triad {figures['triad_bytes_per_second'] / 1e9:.1f} GB/s; the kernel runs at "
            f"{figures['share_of_bound']:.0%} of it",
        )
    )


def main() -> None:
    figures = measure()
    print(report(figures))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(f"written to {RESULTS.relative_to(Path(__file__).parents[1])}")
