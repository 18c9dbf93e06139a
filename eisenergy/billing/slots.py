"""Price every interval: what the analyst's workbook shows per row. Floats, for display; bills are made of decimals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from eisenergy.accounts import Contract
from eisenergy.billing import rates
from eisenergy.blockruns import Runs, compile_runs
from eisenergy.period import NotInForce, Period
from eisenergy.tariffs.model import DeviationMode, LossBasis, RateKind, ScalarKind, Tariff
from eisenergy.timeofuse import DayCalendar

if TYPE_CHECKING:
    import polars as pl

KNOWN_PRICES: Final = 8
"""Tariffs with loss factors whose prices per interval are remembered."""

_GIVEN: Final = ("energy_rate", "loss_factor_given", "ftpms_given", "cost_pos_given", "cost_neg_given")
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
    rows = _within(readings, *period.utc(runs.timezone))
    place = _place(rows["start"], runs)
    carried = rows.select("start", pl.col("kwh_import").alias("kwh"), "forecast_kwh", "loss_factor", *_BY_BLOCK)
    frame = carried.hstack([*place.frame.get_columns(), *place.prices(contract, tariff).get_columns()])
    kwh, forecast = pl.col("kwh"), pl.col("forecast_kwh").fill_null(pl.col("kwh"))
    short, over = (forecast - kwh).clip(0), (kwh - forecast).clip(0)
    if tariff.rules.deviation_mode is not DeviationMode.BOTH:
        over = pl.lit(0.0)
    ftpms = pl.when(pl.col("block").is_in(tariff.rules.ftpms_blocks)).then(pl.coalesce("ftpms", "ftpms_given"))
    frame = frame.with_columns(
        ftpms.otherwise(0.0).alias("ftpms"),
        *(pl.coalesce(name, f"{name}_given").alias(name) for name in ("loss_factor", "cost_pos", "cost_neg")),
        short=short,
        over=over,
    )
    _refuse_gaps(frame, tariff, timezone)
    short, over = pl.col("short"), pl.col("over")
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


def _within(readings: pl.DataFrame, first: datetime, last: datetime) -> pl.DataFrame:
    """Return the rows of ``[first, last)`` that have a reading, in order of time; most months are just that."""
    import polars as pl

    from eisenergy.frames import starts_within

    starts, known = readings["start"], readings["kwh_import"]
    if readings.height and not (starts.null_count() or known.null_count()) and starts.is_sorted():
        lowest, highest = starts.item(0), starts.item(-1)
        if first <= lowest and highest < last:
            return readings
    return readings.filter(starts_within(first, last), pl.col("kwh_import").is_not_null()).sort("start")


@dataclass(slots=True)
class _Place:
    """Where intervals lie in a compiled calendar, and what they cost there; the same for all customers whose months are whole.

    :param starts: UTC, in order
    :param frame: per interval ``local``, ``day``, ``hour``, ``segment``, ``block``
    :param priced: (tariff, the contract's loss factor, per interval :data:`_GIVEN`)
    """

    runs: Runs
    starts: pl.Series
    frame: pl.DataFrame
    priced: list[tuple[Tariff, float | None, pl.DataFrame]]

    def prices(self, contract: Contract, tariff: Tariff) -> pl.DataFrame:
        """Return per interval its energy rate, and what applies where the readings carry no price."""
        own = None if contract.loss_factor is None else float(contract.loss_factor.value)
        for known, loss_factor, found in self.priced:
            if known is tariff and loss_factor == own:
                return found
        found = _prices(self.frame, contract, tariff, self.runs)
        found = self.frame.join(found, on=["segment", "block"], how="left", validate="m:1", maintain_order="left")
        found = found.select(_GIVEN)
        self.priced = [*self.priced[1 - KNOWN_PRICES :], (tariff, own, found)]
        return found


_LAST: list[_Place] = []
"""The place that was asked for last. A frame's columns are never changed, only replaced, so customers may share them."""


def _place(starts: pl.Series, runs: Runs) -> _Place:
    """Give every interval its local time, block and tariff segment.

    :param starts: UTC, in order, within ``runs``
    """
    import numpy as np
    import polars as pl

    for known in _LAST:
        if known.runs is runs and known.starts.equals(starts):
            return known
    run = np.searchsorted(runs.start_us, starts.to_physical().to_numpy(), side="right") - 1
    local = pl.col("start").dt.convert_time_zone(runs.timezone).dt.replace_time_zone(None)
    frame = pl.DataFrame({"start": starts}).select(
        local.alias("local"),
        local.dt.date().alias("day"),
        local.dt.hour().cast(pl.Int64).alias("hour"),
        pl.Series("segment", runs.segment[run].astype(np.int64)),
        pl.Series("block", runs.blocks, dtype=pl.String).gather(runs.block[run]),
    )
    _LAST[:] = [_Place(runs, starts, frame, [])]
    return _LAST[0]


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
    if not any(frame[name].null_count() for name in needs):
        return
    looked = frame.select(
        *((needed & pl.col(name).is_null()).any().alias(f"{name} lacks") for name, needed in needs.items()),
        *((needed & pl.col(name).is_not_null()).any().alias(f"{name} has") for name, needed in needs.items()),
    ).row(0, named=True)
    for name, needed in needs.items():
        kind = _BY_BLOCK.get(name)
        in_tariff = tariff.rates.get(kind) if kind else tariff.scalars.get(ScalarKind.LOSS_FACTOR)
        if looked[f"{name} lacks"] and (in_tariff or looked[f"{name} has"]):
            gap = frame.filter(needed & pl.col(name).is_null()).row(0, named=True)
            raise NotInForce(f"tariff {tariff.name}, {name} of block {gap['block']} ({timezone})", gap["day"])
