"""The block aggregation against Polars and DuckDB: the same sums over a month, in one run.

* *complete months*: ``complete.energies``, for months in which every interval is there: compensated kWh per cell, maximum with its time and
  ties. It reads two columns, kWh and kW; its bound is the time in which the memory delivers them once.
* *any rows*: ``kernels.sum_cells_of_meters``: calendar, tariff segment, seven compensated sums, maximum with its time and ties, counts.
* *peers*: over the same rows **already labelled** with segment and block (labelling is timed apart), without compensation and ties; with the
  time of the maximum (``arg_max``) and without. DuckDB's table is its own, in memory.

All use all threads. Each is run several times in turn, so that a machine that slows down slows everybody; the fastest run counts.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
import polars as pl

from benchmarks import machine
from benchmarks.kernel_peers import Duck, agree, all_by_polars, label, two_by_polars
from benchmarks.machine import best
from benchmarks.report import BOUND, OURS, PEER, Aim, Cost, Group, Result
from eisenergy import complete, kernels
from eisenergy.blockruns import Runs, compile_runs
from eisenergy.period import BillingMonth
from eisenergy.timeofuse import BlockHours, DayCalendar

MONTH: Final = BillingMonth(2021, 10).period
SEGMENTS: Final = MONTH.split((MONTH.start.replace(day=15),))
ZONE: Final = "America/El_Salvador"
ROWS_METERS: Final = 2_000
"""Customers of the pass over rows: eight columns of 10,000 would take several gigabytes."""

CALENDAR: Final = DayCalendar(
    name="EIS",
    rows=(
        BlockHours(start_minute=23 * 60, end_minute=5 * 60, block="VALLE"),
        BlockHours(start_minute=5 * 60, end_minute=18 * 60, block="RESTO"),
        BlockHours(start_minute=18 * 60, end_minute=23 * 60, block="PUNTA"),
    ),
)


def run(customers: int = 10_000, *, quick: bool = False) -> Result:
    """Measure. :param quick: one round, small arrays: to see that everything works"""
    runs = compile_runs(CALENDAR, SEGMENTS, ZONE)
    rounds = 1 if quick else 5
    result = Result(
        case="kernel",
        question="how fast are the sums per block, against what aggregates tables, and against the memory?",
        size={"customers": customers, "rows": customers * _slots(runs)},
        quick=quick,
    )
    numba.set_num_threads(min(numba.config.NUMBA_NUM_THREADS, machine.cores()))
    _whole_months(result, customers, runs, rounds)
    _any_rows(result, min(customers, ROWS_METERS), runs, rounds)
    return result


def _whole_months(result: Result, customers: int, runs: Runs, rounds: int) -> None:
    draw, slots, cells = np.random.default_rng(20211101), _slots(runs), len(runs.segments) * len(runs.blocks)
    kwh = draw.gamma(2.0, 5.0, customers * slots).round(3)
    kw = (kwh * 4).round(2)
    first, cut = np.arange(customers, dtype=np.int64) * slots, _slices(runs)

    def ours() -> complete.Energies:
        return complete.energies(first, kwh, kw, cut, cells)

    frame = _labelled(customers, runs, kwh=kwh, kw=kw)
    duck = Duck(frame)
    polars, duckdb = two_by_polars(frame), duck.two()
    found = ours()
    for theirs in ({name: polars[name].to_numpy() for name in polars.columns}, duckdb):
        at = (theirs["meter"], theirs["cell"])
        np.testing.assert_allclose(found.kwh[at], theirs["kwh"], rtol=1e-9)
        np.testing.assert_array_equal(found.peak[at], theirs["kw"])
    alone = found.ties[polars["meter"].to_numpy(), polars["cell"].to_numpy()] >= 1
    instants = runs.start_us[0] + found.peak_row * runs.minutes * 60_000_000
    at = (polars["meter"].to_numpy(), polars["cell"].to_numpy())
    np.testing.assert_array_equal(instants[at][alone], polars["at"].to_numpy()[alone])
    result.checks.append(
        f"sums, maxima and their times of Polars and DuckDB equal ours: all {len(polars):,} cells, twice"
    )

    elements = 1_000_000 if result.quick else 16_000_000
    measured = [
        (
            best(ours, 5),
            best(lambda: two_by_polars(frame), 2),
            best(lambda: two_by_polars(frame, when=False), 2),
            best(duck.two, 2),
            best(lambda: duck.two(when=False), 2),
            machine.triad(elements),
            machine.read_pass(3 * elements),
        )
        for _ in range(rounds)
    ]
    duck.close()
    columns = list(zip(*measured, strict=True))
    mine, polars_at, polars_max, duck_at, duck_max = (min(times) * 1000 for times in columns[:5])
    triad, reading = max(columns[5]), max(columns[6])
    size = kwh.nbytes + kw.nbytes
    numba.set_num_threads(1)
    single = best(ours, 2) * 1000
    numba.set_num_threads(min(numba.config.NUMBA_NUM_THREADS, machine.cores()))
    result.groups.append(
        Group(
            f"complete months, {customers:,} customers: energy, maximum and when",
            "ms",
            (
                Cost(OURS, "complete.energies", mine, f"{customers * _slots(runs) / mine / 1e3:,.0f} million rows/s"),
                Cost(PEER, "Polars group_by, with arg_max", polars_at),
                Cost(PEER, "Polars group_by, without the time of the maximum", polars_max, "less work"),
                Cost(PEER, "DuckDB GROUP BY, with arg_max", duck_at),
                Cost(PEER, "DuckDB GROUP BY, without the time of the maximum", duck_max, "less work"),
                Cost(BOUND, "memory: reading both columns once, read-only pass", size / reading * 1000),
                Cost(BOUND, "memory: as many bytes by the triad", size / triad * 1000),
                Cost(OURS, "complete.energies on one thread", single),
            ),
        )
    )
    result.aims += [
        Aim("share of the bandwidth the triad shows, complete months", 0.7, size / triad / mine * 1000, unit=""),
        Aim("share of the bandwidth of a read-only pass, complete months", 0.7, size / reading / mine * 1000, unit=""),
        Aim("DuckDB with arg_max over ours, complete months", 5, duck_at / mine),
        Aim("Polars with arg_max over ours, complete months", 5, polars_at / mine),
    ]
    result.figures |= {"triad_bytes_per_second": triad, "read_bytes_per_second": reading, "column_bytes": size}


def _any_rows(result: Result, customers: int, runs: Runs, rounds: int) -> None:
    draw, slots, cells = np.random.default_rng(20211101), _slots(runs), len(runs.segments) * len(runs.blocks)
    rows = customers * slots
    kwh = draw.gamma(2.0, 5.0, rows).round(3)
    columns = kernels.Columns(
        start=np.tile(_starts(runs), customers),
        kwh=kwh,
        kwh_export=np.zeros(rows),
        kvarh=(kwh * 0.4).round(3),
        kvar=np.full(rows, np.nan),
        kw=(kwh * 4).round(2),
        forecast=(kwh * draw.normal(1, 0.1, rows)).round(2),
        estimated=draw.random(rows) < 0.01,
        group=np.zeros(rows, dtype=np.int32),
    )
    offsets = np.arange(0, rows + 1, slots, dtype=np.int64)
    calendar = kernels.Calendar(
        runs.start_us, runs.end_us, runs.segment.astype(np.int64) * len(runs.blocks) + runs.block
    )

    def ours() -> kernels.Cells:
        return kernels.sum_cells_of_meters(offsets, columns, calendar, cells, runs.minutes / 60)

    given = {name: values for name, values in columns._asdict().items() if name not in ("start", "kvar", "group")}
    frame = _labelled(customers, runs, **given)
    duck = Duck(frame)
    polars = all_by_polars(frame)
    compared = agree(ours(), {name: polars[name].to_numpy() for name in polars.columns})
    agree(ours(), duck.all(), first=False)
    result.checks.append(
        f"seven sums, maxima, their times and counts of Polars and DuckDB equal ours: all {compared:,} cells, twice"
    )
    unlabelled = pl.DataFrame({"meter": frame["meter"], **columns._asdict()})
    measured = [(best(ours, 3), best(lambda: all_by_polars(frame), 2), best(duck.all, 2)) for _ in range(rounds)]
    labelling = best(lambda: label(unlabelled, runs), 1) * 1000
    duck.close()
    mine, by_polars, by_duck = (min(times) * 1000 for times in zip(*measured, strict=True))
    touched = sum(column.nbytes for column in columns)
    result.groups.append(
        Group(
            f"any rows, {customers:,} customers: seven sums, maximum and when, counts",
            "ms",
            (
                Cost(OURS, "kernels.sum_cells_of_meters", mine, f"{rows / mine / 1e3:,.0f} million rows/s"),
                Cost(PEER, "Polars group_by", by_polars),
                Cost(PEER, "DuckDB GROUP BY", by_duck),
                Cost(PEER, "giving the peers' rows their cell (Polars)", labelling, "not counted above"),
                Cost(BOUND, "memory: as many bytes by the triad", touched / result.figures["triad_bytes_per_second"] * 1000),
            ),
        )
    )  # fmt: skip


def _starts(runs: Runs) -> np.ndarray:
    return np.arange(runs.start_us[0], runs.end_us[-1], runs.minutes * 60_000_000)


def _slots(runs: Runs) -> int:
    return len(_starts(runs))


def _labelled(customers: int, runs: Runs, **columns: np.ndarray) -> pl.DataFrame:
    """Rows of all customers, sorted by customer and time, with their cell: what :func:`label` makes, made directly."""
    starts = _starts(runs)
    run = np.searchsorted(runs.start_us, starts, side="right") - 1
    cell = (runs.segment.astype(np.int64) * len(runs.blocks) + runs.block)[run].astype(np.int32)
    return pl.DataFrame(
        {
            "meter": np.repeat(np.arange(customers, dtype=np.int32), len(starts)),
            "start": np.tile(starts, customers),
            "cell": np.tile(cell, customers),
            **columns,
        }
    )


def _slices(runs: Runs) -> complete.Slices:
    """The calendar's runs as slices of each meter's rows."""
    slot, origin = runs.minutes * 60_000_000, runs.start_us[0]
    cell = runs.segment.astype(np.int64) * len(runs.blocks) + runs.block
    return complete.Slices((runs.start_us - origin) // slot, (runs.end_us - origin) // slot, cell)
