"""Price every interval: what the analyst's workbook shows per row. Floats, for display; bills are made of decimals."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from eisenergy.accounts import Contract
from eisenergy.billing import rates
from eisenergy.period import NotInForce, Period
from eisenergy.tariffs.model import DeviationMode, LossBasis, RateKind, ScalarKind, Tariff
from eisenergy.timeofuse import DayCalendar, Runs, compile_runs

if TYPE_CHECKING:
    import polars as pl

_BY_BLOCK = {"ftpms": RateKind.FTPMS, "cost_pos": RateKind.COST_POS, "cost_neg": RateKind.COST_NEG}


def price_slots(
    readings: pl.DataFrame,
    contract: Contract,
    tariff: Tariff,
    calendar: DayCalendar,
    *,
    period: Period,
    timezone: str,
    runs: Runs | None = None,
) -> pl.DataFrame:
    """Return block, prices and amounts of every interval of a period.

    :param readings: columns of ``frames.READINGS`` of one meter, one row per interval
    :param period: local dates; rows outside it, and rows without kWh, are left out
    :param timezone: IANA name
    :param runs: the calendar compiled over the tariff's segments of the period, where it is at hand
    :returns: in order of time: ``start`` [UTC], ``local`` [local time without zone], ``day``, ``hour`` [0 to 23], ``block``,
        ``kwh`` [kWh], ``forecast_kwh`` [kWh], ``energy_rate`` [currency/kWh], ``energy_cost`` [currency], ``loss_factor``
        [currency/kWh, or 1 on the basis energy], ``loss_amount`` [currency], ``ftpms`` [currency/kWh; zero outside its blocks],
        ``ftpms_amount`` [currency], ``cost_pos``, ``cost_neg`` [currency/kWh], ``deviation_amount`` [currency].
        A price that nobody carries is null, and its amount zero.
    :raises NotInForce: when a price is missing on a day, as the bill does

    Source: reference workbook, columns G to R from row 31.
    """
    import polars as pl

    if runs is None:
        runs = compile_runs(calendar, tariff.segments(period), timezone)
    frame = _located(readings, runs, period)
    prices = _prices(frame, contract, tariff, runs)
    frame = frame.join(prices, on=["segment", "block"], how="left", validate="m:1", maintain_order="left")
    names = ("loss_factor", *_BY_BLOCK)
    frame = frame.with_columns(pl.coalesce(name, f"{name}_given").alias(name) for name in names)
    applies = pl.col("block").is_in(tariff.rules.ftpms_blocks)
    frame = frame.with_columns(ftpms=pl.when(applies).then("ftpms").otherwise(0.0))
    kwh, forecast = pl.col("kwh"), pl.col("forecast_kwh").fill_null(pl.col("kwh"))
    short, over = (forecast - kwh).clip(0), (kwh - forecast).clip(0)
    if tariff.rules.deviation_mode is not DeviationMode.BOTH:
        over = pl.lit(0.0)
    _refuse_gaps(frame.with_columns(short=short, over=over), tariff, timezone)
    loss_price = pl.col("loss_factor")
    if tariff.rules.loss_basis is LossBasis.ENERGY:
        loss_price = loss_price * pl.col("energy_rate")
    return frame.select(
        *("start", "local", "day", "hour", "block", "kwh", "forecast_kwh", "energy_rate"),
        (kwh * pl.col("energy_rate")).alias("energy_cost"),
        "loss_factor",
        (kwh * loss_price).fill_null(0).alias("loss_amount"),
        "ftpms",
        (kwh * pl.col("ftpms")).fill_null(0).alias("ftpms_amount"),
        *("cost_pos", "cost_neg"),
        ((short * pl.col("cost_neg")).fill_null(0) + (over * pl.col("cost_pos")).fill_null(0)).alias(
            "deviation_amount"
        ),
    )


def _located(readings: pl.DataFrame, runs: Runs, period: Period) -> pl.DataFrame:
    """Give every interval of the period its local time, block and tariff segment."""
    import numpy as np
    import polars as pl

    first, last = period.utc(runs.timezone)
    inside = pl.col("start").is_between(first, last, closed="left") & pl.col("kwh_import").is_not_null()
    rows = readings.filter(inside).sort("start")
    run = np.searchsorted(runs.start_us, rows["start"].to_physical().to_numpy(), side="right") - 1
    local = pl.col("start").dt.convert_time_zone(runs.timezone).dt.replace_time_zone(None)
    return rows.select(
        "start",
        local.alias("local"),
        local.dt.date().alias("day"),
        local.dt.hour().cast(pl.Int64).alias("hour"),
        pl.Series("segment", runs.segment[run].astype(np.int64)),
        pl.Series("block", runs.blocks, dtype=pl.String).gather(runs.block[run]),
        pl.col("kwh_import").alias("kwh"),
        *("forecast_kwh", "loss_factor", "ftpms", "cost_pos", "cost_neg"),
    )


def _prices(frame: pl.DataFrame, contract: Contract, tariff: Tariff, runs: Runs) -> pl.DataFrame:
    """One row per (segment, block) that occurs: its energy rate, and what applies where the readings carry no price."""
    import polars as pl

    rows = []
    for segment, block in frame.select("segment", "block").unique(maintain_order=True).iter_rows():
        day = runs.segments[segment].start
        row: dict[str, object] = {"segment": segment, "block": block}
        row["energy_rate"] = float(rates.of_block(tariff, RateKind.ENERGY, block, day).value)
        for name, kind in _BY_BLOCK.items():
            try:
                row[f"{name}_given"] = float(rates.of_block(tariff, kind, block, day).value)
            except NotInForce:
                row[f"{name}_given"] = None
        row["loss_factor_given"] = _loss_factor(contract, tariff, day)
        rows.append(row)
    given = {f"{name}_given": pl.Float64 for name in ("loss_factor", *_BY_BLOCK)}
    schema = {"segment": pl.Int64, "block": pl.String, "energy_rate": pl.Float64, **given}
    return pl.DataFrame(rows, schema=schema)


def _loss_factor(contract: Contract, tariff: Tariff, day: date) -> float | None:
    """The factor of an interval whose reading has none; that it lacks one matters only where there is such an interval."""
    if contract.loss_factor is not None:
        return float(contract.loss_factor.value)
    try:
        entry = tariff.scalar(ScalarKind.LOSS_FACTOR, day)
    except NotInForce:
        return None
    return None if entry is None else float(entry[1].value)


def _refuse_gaps(frame: pl.DataFrame, tariff: Tariff, timezone: str) -> None:
    """Refuse a price that somebody carries, but not for an interval that needs it."""
    import polars as pl

    needs = {
        "loss_factor": pl.lit(True),
        "ftpms": pl.col("block").is_in(tariff.rules.ftpms_blocks),
        "cost_neg": pl.col("short") > 0,
        "cost_pos": pl.col("over") > 0,
    }
    for name, needed in needs.items():
        kind = _BY_BLOCK.get(name)
        in_tariff = tariff.rates.get(kind) if kind else tariff.scalars.get(ScalarKind.LOSS_FACTOR)
        if not (in_tariff or frame.filter(needed)[name].is_not_null().any()):
            continue
        gaps = frame.filter(needed & pl.col(name).is_null())
        if not gaps.is_empty():
            block, day = gaps.row(0, named=True)["block"], gaps.row(0, named=True)["day"]
            raise NotInForce(f"tariff {tariff.name}, {name} of block {block} ({timezone})", day)
