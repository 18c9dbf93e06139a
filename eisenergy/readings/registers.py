"""The cumulative register beside the interval energies: which column is which, and whether they agree."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.findings import Finding, info, warning
from eisenergy.frames import SLOT_MINUTES
from eisenergy.readings.model import RawTable

_LONG: Final = 96  # rows: over a whole day nobody's interval energy only grows


Figures = pl.Series | npt.NDArray[np.float64]
"""A column of figures: null, or not a number, where one is missing."""


def _gapped(values: Figures) -> npt.NDArray[np.float64]:
    """A column's figures, not a number where one is missing."""
    if isinstance(values, pl.Series):
        return (values if values.dtype == pl.Float64 else values.cast(pl.Float64)).to_numpy()
    return values


def _known(values: Figures) -> npt.NDArray[np.float64]:
    """A column's figures without those that are missing."""
    figures = _gapped(values)
    missing = np.isnan(figures)
    return figures[~missing] if missing.any() else figures


def same(left: Figures, right: Figures) -> bool:
    """Say whether two columns hold the same figures, and lack the same ones."""
    return np.array_equal(_gapped(left), _gapped(right), equal_nan=True)


def stands_high(values: Figures, beside: Figures) -> bool:
    """Say whether figures are a register that was disturbed: far above the energies beside them, and nearly always growing.

    :param values: the figures in question
    :param beside: energies of intervals
    """
    known, energies = _known(values), _known(beside)
    if len(known) < 3 or not len(energies):
        return False
    steps = np.diff(known)
    return float((steps >= 0).mean()) >= 0.9 and float(np.median(known)) > 10 * float(energies.max())


def grows(values: Figures) -> bool:
    """Say whether a column, in the order of time, never goes down and does go up."""
    steps = np.diff(_known(values))
    return steps.size > 0 and bool((steps >= 0).all()) and float(steps.sum()) > 0


def is_register(values: Figures) -> bool:
    """Say whether a column can only be a register: it grows over a day or more in steps that are small beside it."""
    known = _known(values)
    if len(known) < _LONG or not grows(values):
        return False
    return float(known.min()) >= 5 * float(np.diff(known).max())


def differs_by(register: Figures, interval: Figures) -> bool:
    """Say whether a column's differences are another column's values, in nine of ten rows."""
    if not grows(register):
        return False
    # Where a figure is missing it is not a number, and so is what it is subtracted from.
    apart = np.abs(np.diff(_gapped(register)) - _gapped(interval)[1:])
    apart = apart[~np.isnan(apart)]
    if len(apart) < 2:
        return False
    return int(np.count_nonzero(apart <= tolerance(register, interval))) >= 0.9 * len(apart)


def tolerance(register: Figures, interval: Figures) -> float:
    """How far a register's difference may be from the interval's energy by the rounding of both [kWh]."""
    return 1.01 * (_resolution(register) + _resolution(interval))


def _resolution(values: Figures) -> float:
    known = _known(values)
    for places in range(7):
        scaled = known * 10.0**places
        # The first rows usually say at once that there are more places.
        if all(float(np.abs(part - np.rint(part)).max(initial=0.0)) < 1e-4 for part in (scaled[:16], scaled)):
            return float(10**-places)
    return 1e-6


def check(frame: pl.DataFrame, table: RawTable, meter: str) -> tuple[pl.DataFrame, list[Finding]]:
    """Compare each interval with its register's difference, outside gaps.

    :param frame: slots in order of time, with ``start``, ``kwh_import``, ``register_kwh``, ``index`` and ``row``
    :returns: the frame with the register at the **end** of its interval, and findings: ``register-agrees``,
        ``register-disagrees``, ``register-over-gap``, ``register-went-back``
    """
    known = frame.filter(pl.col("register_kwh").is_not_null())
    if known.height < 2:
        return frame, []
    slot = pl.duration(minutes=SLOT_MINUTES)
    pairs = known.select(
        "index",
        "row",
        "start",
        "kwh_import",
        "register_kwh",
        before=pl.col("register_kwh").shift(1),
        kwh_before=pl.col("kwh_import").shift(1),
        start_before=pl.col("start").shift(1),
    ).slice(1)
    pairs = pairs.with_columns(
        step=pl.col("register_kwh") - pl.col("before"), near=pl.col("start") - pl.col("start_before") == slot
    )
    slack = tolerance(known["register_kwh"], known["kwh_import"])
    near = pairs.filter("near").drop_nulls(["kwh_import", "kwh_before"])
    after = near.filter((pl.col("step") - pl.col("kwh_import")).abs() > slack)
    ahead = near.filter((pl.col("step") - pl.col("kwh_before")).abs() > slack)
    found: list[Finding] = []
    if near.height >= 4 and after.height > near.height // 2 and ahead.height <= near.height // 10:
        frame = frame.with_columns(register_kwh=pl.col("register_kwh") + pl.col("kwh_import"))
        found.append(
            info(
                "register-at-start",
                meter,
                f"{table.place}: the register stands for the start of its interval; it was moved to the end.",
            )
        )
        again, more = check(frame, table, meter)
        return again, found + more
    went_back = pairs.filter(pl.col("step") < -slack)
    if went_back.height:
        first = went_back.row(0, named=True)
        found.append(
            warning(
                "register-went-back",
                meter,
                f"{table.where(first['index'])}: the register goes down, from {first['before']:.3f} to {first['register_kwh']:.3f} kWh. "
                "Expected a register that only grows. If the meter was exchanged or reset, nothing is to be done.",
                count=went_back.height,
                first_row=first["row"],
            )
        )
        after = after.filter(pl.col("step") >= -slack)
    if after.height:
        first = after.row(0, named=True)
        found.append(
            warning(
                "register-disagrees",
                meter,
                f"{table.where(first['index'])}: the interval says {first['kwh_import']:.3f} kWh and the register beside it moved by "
                f"{first['step']:.3f} kWh ({after.height} of {near.height} intervals). Expected the same within {slack:.4f} kWh. "
                "Ask which of the two columns counts.",
                count=after.height,
                compared=near.height,
                first_row=first["row"],
                interval_kwh=first["kwh_import"],
                register_kwh=first["step"],
            )
        )
    elif near.height:
        found.append(
            info(
                "register-agrees",
                meter,
                f"{table.place}: {near.height} intervals agree with the register beside them.",
                compared=near.height,
                kwh=round(float(near["kwh_import"].sum()), 6),
            )
        )
    return frame, found + _gaps(pairs, table, meter)


def _gaps(pairs: pl.DataFrame, table: RawTable, meter: str) -> list[Finding]:
    gaps = pairs.filter(~pl.col("near") & (pl.col("step") >= 0)).drop_nulls("kwh_import")
    return [
        info(
            "register-over-gap",
            meter,
            f"{table.where(gap['index'])}: {slots} slot(s) are missing before this row; the register moved by {kwh:.3f} kWh over them.",
            row=gap["row"],
            slots=slots,
            kwh=kwh,
        )
        for gap in gaps.head(50).iter_rows(named=True)
        if (slots := int((gap["start"] - gap["start_before"]).total_seconds() // (SLOT_MINUTES * 60)) - 1) > 0
        and (kwh := round(gap["step"] - gap["kwh_import"], 6) + 0.0) is not None
    ]
