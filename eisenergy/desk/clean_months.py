"""Which months of a grid are whole and clean, so that they can be billed without a closer look.

Whatever is not is left to :mod:`eisenergy.desk.batch`.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.blockruns import Runs
from eisenergy.places import SLOT_US
from eisenergy.quality import clean
from eisenergy.quality.checks import DEFAULTS
from eisenergy.quality.estimate import SOURCE
from eisenergy.store.grid import Grid

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


def judged(found: Grid, start: int, contracted: Floats) -> tuple[Booleans, npt.NDArray[np.int64]]:
    """The meters whose month is whole and clean, and how many stretches of one file each meter's rows are."""
    meters, rows, size = len(found.meters), found.rows, len(found.measured)
    none = nothing(size)
    columns = {name: none if values is None else values for name, values in found.figures.items()}
    estimates = found.sources.index(SOURCE) if SOURCE in found.sources else -1
    ordered, turns = clean.ordered(found.measured, found.source, found.source_row, rows, without=estimates)
    good = clean.clean(
        np.arange(meters, dtype=np.int64) * rows,
        np.full(meters, start, dtype=np.int64),
        rows,
        clean.Columns(
            start=starts(start, rows, meters),
            kwh=columns["kwh_import"],
            kwh_export=columns["kwh_export"],
            kw=columns["kw"],
            kvar=columns["kvar"],
            kvarh=columns["kvarh"],
            forecast=columns["forecast_kwh"],
            register=columns["register_kwh"],
            ordered=ordered,
        ),
        contracted_kw=contracted,
        before=found.beside,
        limits=DEFAULTS,
    )
    for meter in np.flatnonzero(
        good & (turns > 1)
    ):  # files that alternate: whether one goes back in time is for the check to say
        good[meter] = len(np.unique(found.source[meter * rows : (meter + 1) * rows])) == int(turns[meter])
    return good & found.whole, turns


def _room(size: int) -> int:
    """As much or more, so that groups of about one size share what is made for it."""
    return 1 << max(size - 1, 0).bit_length()


def nothing(size: int) -> Floats:
    """A column without a figure; the same for every group."""
    return _no_figures(_room(size))[:size]


@functools.lru_cache(4)
def _no_figures(size: int) -> Floats:
    result = np.full(size, np.nan)
    result.flags.writeable = False
    return result


def starts(start: int, rows: int, meters: int) -> npt.NDArray[np.int64]:
    """The beginnings of the intervals of several meters; the same for every group."""
    return _starts_of(start, rows, _room(meters))[: meters * rows]


@functools.lru_cache(4)
def _starts_of(start: int, rows: int, meters: int) -> npt.NDArray[np.int64]:
    result = np.tile(start + SLOT_US * np.arange(rows, dtype=np.int64), meters)
    result.flags.writeable = False
    return result


def as_named(found: Grid, runs: Runs) -> Booleans:
    """The meters whose files name no block, or each interval's block as the calendar has it."""
    meters = len(found.meters)
    if found.named is None:
        return np.ones(meters, dtype=np.bool_)
    spelled = pl.Series(found.names, dtype=pl.String).str.strip_chars().str.to_lowercase().to_list()
    folded = [block.casefold() for block in runs.blocks]
    same = np.array([folded.index(name) if name in folded else -2 for name in spelled], dtype=np.int16)
    slot = runs.minutes * 60_000_000
    calendar = np.repeat(runs.block, (runs.end_us - runs.start_us) // slot)
    in_file = found.named.reshape(meters, found.rows)
    result = np.ones(meters, dtype=np.bool_)
    naming = np.flatnonzero(in_file.max(axis=1) >= 0)
    theirs = in_file[naming]
    result[naming] = ~((theirs >= 0) & (same[theirs] != calendar)).any(axis=1)
    return result


def any_row(found: Grid, *names: str) -> Booleans:
    """The meters that have a figure in any of some columns."""
    result: Booleans = np.logical_or.reduce([found.has[name] for name in names])
    return result
