"""Checks of single values: what cannot be, what is remarkable, and whether power and energy belong together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from eisenergy.findings import Finding, blocking, warning
from eisenergy.frames import MEASURED
from eisenergy.quality.month import HOURS, Month, unless
from eisenergy.quality.registers import SLOT

_LISTED: Final = 20


def not_finite(month: Month) -> Iterator[Finding]:
    """Figures that are infinite."""
    for name in ("kwh_import", "kwh_export", "kw", "kvar", "kvarh", "forecast_kwh"):
        values = month.all.figures(name)
        if values is not None and np.isinf(values).any():
            bad = month.everything.filter(pl.col(name).is_infinite())
            row = bad.row(0, named=True)
            yield blocking(
                "not-finite",
                month.meter,
                f"meter {month.meter}: {len(bad)} values of {name} are infinite, the first at {month.where(row)}. "
                "Expected numbers: correct the file.",
                count=len(bad),
                column=name,
                **month.place(row),
            )


def negative(month: Month) -> Iterator[Finding]:
    """Energy below zero."""
    for name in ("kwh_import", "kwh_export"):
        if (month.figures(name) < 0).any():
            bad = month.rows.filter(pl.col(name) < 0)
            row = bad.row(0, named=True)
            yield blocking(
                "negative-kwh",
                month.meter,
                f"meter {month.meter}: {len(bad)} intervals with negative {name}, the first {row[name]:g} kWh at {month.where(row)}. "
                "Energy fed in belongs in a column of its own: correct the file or its mapping.",
                count=len(bad),
                column=name,
                lowest=bad[name].min(),
                **month.place(row),
            )


def _power(rows: pl.DataFrame) -> pl.DataFrame:
    """Add ``power`` [kW], the higher of what the meter gives and what its energy means."""
    return rows.with_columns(power=pl.max_horizontal("kw", pl.col("kwh_import") / HOURS))


def _within_contract(month: Month) -> bool:
    if not month.contracted_kw:
        return False
    least = month.contracted_kw * min(month.limits.contracted_blocking, month.limits.contracted_warning)
    return not (month.power > least).any()


@unless(_within_contract)
def too_large(month: Month) -> Iterator[Finding]:
    """Power that the contract, the history or the month itself says cannot be."""
    limits = month.limits
    rows, highest = _power(month.rows), _power(month.history)["power"].max()
    median = rows.filter(pl.col("kwh_import") > 0)["kwh_import"].median()
    if month.contracted_kw:
        reference, times, what = month.contracted_kw, limits.contracted_blocking, "the contracted power"
    elif isinstance(highest, float) and highest > 0:
        reference, times, what = highest, limits.history_blocking, "the highest power of the months before"
    elif isinstance(median, float):
        reference, times, what = median / HOURS, limits.median_blocking, "the month's median"
    else:
        return
    bad = rows.filter(pl.col("power").is_finite() & (pl.col("power") > reference * times))
    if len(bad):
        row = bad.sort("power", descending=True, maintain_order=True).row(0, named=True)
        yield blocking(
            "too-large",
            month.meter,
            f"meter {month.meter}: {len(bad)} intervals beyond {times:g} times {what} ({reference:g} kW); the highest, "
            f"{row['kwh_import']:g} kWh and {row['power']:g} kW ({row['power'] / reference:,.0f} times), at {month.where(row)}. "
            "Likely Wh taken for kWh, or a register for an interval: correct the file or its mapping; if the values are right, correct the "
            "contracted power in the customer master.",
            count=len(bad),
            highest_kw=row["power"],
            reference_kw=reference,
            reference=what,
            limit=times,
            **month.place(row),
        )
    elif month.contracted_kw:
        above = rows.filter(pl.col("power") > month.contracted_kw * limits.contracted_warning)
        if len(above):
            row = above.sort("power", descending=True, maintain_order=True).row(0, named=True)
            yield warning(
                "above-contracted",
                month.meter,
                f"meter {month.meter}: {len(above)} intervals above {limits.contracted_warning:g} times the contracted power of "
                f"{month.contracted_kw:g} kW, the highest {row['power']:g} kW at {month.where(row)}. Check the contract.",
                count=len(above),
                highest_kw=row["power"],
                **month.place(row),
            )


def _rounded(month: Month) -> bool:
    """Whether rounding explains every difference of power and energy, however large the ratio of two small figures."""
    limits, kwh = month.limits, month.kwh
    if month.all.figures("kw") is None:
        return True
    worth = month.figures("kw") * HOURS
    with np.errstate(invalid="ignore"):  # infinity less infinity
        beyond = np.abs(worth - kwh) > np.maximum(limits.power_tolerance_kwh, limits.power_tolerance * kwh)
    return not (beyond & np.isfinite(worth) & (kwh > 0)).any()


@unless(_rounded)
def power_scale(month: Month) -> Iterator[Finding]:
    """Power and energy that have different units, or do not belong together."""
    limits = month.limits
    energy = pl.col("kw") * HOURS
    both = month.rows.filter(pl.col("kw").is_finite() & (pl.col("kwh_import") > 0))
    ratio = both.select(energy / pl.col("kwh_import")).to_series().median()
    if not isinstance(ratio, float):
        return
    tolerance = pl.max_horizontal(limits.power_tolerance_kwh, limits.power_tolerance * pl.col("kwh_import"))
    apart = both.filter((energy - pl.col("kwh_import")).abs() > tolerance)
    if apart.is_empty():
        return
    if not 1 / limits.power_scale <= ratio <= limits.power_scale:
        row = apart.row(0, named=True)
        yield blocking(
            "kw-scale",
            month.meter,
            f"meter {month.meter}: kW times {HOURS:g} h is {ratio:g} times kWh in the middle of the month, for example {row['kw']:g} kW "
            f"beside {row['kwh_import']:g} kWh at {month.where(row)}. Expected about 1: one of the two columns has another unit. "
            "Correct the file or its mapping.",
            ratio=ratio,
            **month.place(row),
        )
    elif len(apart) > limits.power_share * len(both):
        row = apart.row(0, named=True)
        yield warning(
            "kw-inconsistent",
            month.meter,
            f"meter {month.meter}: in {len(apart)} of {len(both)} intervals kW does not belong to kWh, the first {row['kw']:g} kW "
            f"beside {row['kwh_import']:g} kWh at {month.where(row)}. Demand is billed on kW: check what the column holds.",
            count=len(apart),
            of=len(both),
            **month.place(row),
        )


def _even(month: Month) -> bool:
    """Whether none is far above a percentile that is not above the one that counts."""
    positive = month.kwh[month.kwh > 0]
    if not len(positive):
        return True
    low = max(int((len(positive) - 1) * 0.99) - 1, 0)
    return bool(positive.max() <= np.partition(positive, low)[low] * month.limits.spike_warning)


@unless(_even)
def spikes(month: Month) -> Iterator[Finding]:
    """Single intervals far above the rest of the month."""
    usual = month.rows.filter(pl.col("kwh_import") > 0)["kwh_import"].quantile(0.99)
    if usual is None:
        return
    bad = month.rows.filter(pl.col("kwh_import") > usual * month.limits.spike_warning)
    if len(bad):
        row = bad.row(0, named=True)
        yield warning(
            "spikes",
            month.meter,
            f"meter {month.meter}: {len(bad)} intervals with more than {month.limits.spike_warning:g} times the 99th percentile "
            f"({usual:g} kWh), the first {row['kwh_import']:g} kWh at {month.where(row)}. Check them.",
            count=len(bad),
            percentile_99=usual,
            rows=[month.place(item) for item in bad.head(_LISTED).iter_rows(named=True)],
        )


def _same_level(month: Month) -> bool:
    if not len(month.kwh) or not len(month.energy_before):
        return True
    with np.errstate(invalid="ignore"):  # infinity less infinity
        now, before = float(month.kwh.mean()), float(month.energy_before.mean())
    # Polars may sum in another order; what is near the limit is left to it.
    return 0 < now < before * month.limits.level_warning * 0.999 and before < now * month.limits.level_warning * 0.999


@unless(_same_level)
def level(month: Month) -> Iterator[Finding]:
    """A month of another magnitude than the months before."""
    now, before = month.rows["kwh_import"].mean(), month.history["kwh_import"].mean()
    if not isinstance(now, float) or not isinstance(before, float) or before <= 0 or now <= 0:
        return
    times = max(now / before, before / now)
    if times > month.limits.level_warning:
        yield warning(
            "level-changed",
            month.meter,
            f"meter {month.meter}: {now:.3g} kWh per interval in {month.period} beside {before:.3g} in the months before, a factor of "
            f"{times:.3g}. Check unit, transformer ratio and whether the meter was replaced.",
            mean=now,
            history=before,
        )


def _stretches(month: Month) -> pl.DataFrame:
    """Return stretches of neighbouring intervals with equal energy: ``start``, ``kwh_import``, ``slots`` and where they begin."""
    changed = (pl.col("kwh_import") != pl.col("kwh_import").shift()) | (pl.col("start").diff() != SLOT)
    return (
        month.rows.filter(pl.col("quality") == MEASURED)
        .with_columns(stretch=changed.fill_null(value=True).cum_sum())
        .group_by("stretch", maintain_order=True)
        .agg(pl.col("start", "kwh_import", "source", "source_row").first(), slots=pl.len())
    )


@unless(lambda month: month.longest < month.limits.stuck_slots)
def stuck(month: Month) -> Iterator[Finding]:
    """The same energy over many intervals."""
    stuck = _stretches(month).filter((pl.col("slots") >= month.limits.stuck_slots) & (pl.col("kwh_import") != 0))
    if len(stuck):
        row = stuck.sort("slots", descending=True, maintain_order=True).row(0, named=True)
        yield warning(
            "stuck-values",
            month.meter,
            f"meter {month.meter}: {len(stuck)} stretches of {month.limits.stuck_slots} or more intervals with the same energy, the longest "
            f"{row['slots']} times {row['kwh_import']:g} kWh from {month.where(row)}. Check the meter's communication.",
            count=len(stuck),
            longest=row["slots"],
            **month.place(row),
        )


@unless(lambda month: month.longest < month.limits.zero_slots)
def idle(month: Month) -> Iterator[Finding]:
    """No energy over a long time."""
    idle = _stretches(month).filter((pl.col("slots") >= month.limits.zero_slots) & (pl.col("kwh_import") == 0))
    if len(idle):
        row = idle.row(0, named=True)
        yield warning(
            "no-consumption",
            month.meter,
            f"meter {month.meter}: no energy in {row['slots']} intervals from {month.where(row)}. Check that it is connected.",
            slots=row["slots"],
            **month.place(row),
        )
