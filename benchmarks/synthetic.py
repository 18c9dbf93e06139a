"""What made-up meters count: a month of 15-minute intervals for any customer, whole columns at a time, the same for every run.

A customer's load follows the profile of one of the eight shipped customers (:mod:`eisenergy.samples.loads`); it depends on the seed, the customer's
number and the month alone. Which months are not whole, and who has prices of its own, follows from the number, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from eisenergy.frames import MEASURED, READINGS
from eisenergy.period import BillingMonth
from eisenergy.samples import loads, plan

CLIENT: Final = "EIS"
ZONE: Final = "America/El_Salvador"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Member:
    """One customer of a portfolio, by its number from 1."""

    number: int

    @property
    def contract(self) -> str:
        """Number of the contract, and code of the customer."""
        return f"EIS-{self.number:06d}"

    @property
    def meter(self) -> str:
        """Serial of the meter; in the order of the numbers."""
        return f"9{self.number:06d}"

    @property
    def own_prices(self) -> bool:
        """Whether its readings carry a price per interval."""
        return self.number % 50 == 9

    @property
    def missing(self) -> tuple[int, int]:
        """How many intervals of a month are missing: from, to."""
        if self.number % 200 == 139:
            return 400, 500
        return (5, 60) if self.number % 50 == 19 else (0, 0)

    @property
    def silent(self) -> bool:
        """Whether its meter sends nothing."""
        return self.number % 200 == 39

    @property
    def later(self) -> bool:
        """Whether its contract begins after the months."""
        return self.number % 200 == 89


@dataclass(frozen=True, slots=True)
class Grid:
    """A month's intervals, and what is the same for everybody.

    :param start: UTC microseconds
    :param local: local starts
    :param blocks: names, one per interval
    :param prices: FTPMS, cost of taking more and of taking less, one column each
    """

    month: BillingMonth
    start: npt.NDArray[np.int64]
    local: list[datetime]
    blocks: list[str]
    prices: Floats

    @classmethod
    def of(cls, month: BillingMonth, prices: plan.Prices) -> Grid:
        """Lay out a month."""
        first, end = month.period.utc(ZONE)
        stamps = [first + n * loads.QUARTER for n in range((end - first) // loads.QUARTER)]
        local = [stamp.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None) for stamp in stamps]
        found = [prices.at(stamp) for stamp in local]
        return cls(
            month=month,
            start=np.array([int(stamp.timestamp()) * 1_000_000 for stamp in stamps], dtype=np.int64),
            local=local,
            blocks=[entry[0] for entry in found],
            prices=np.array([entry[2:] for entry in found]),
        )


class Loads:
    """What the meters count in a month.

    :param supplies: the shipped customers, whose profiles and powers everybody follows
    """

    def __init__(self, grid: Grid, supplies: Sequence[plan.Supply], seed: int) -> None:
        self.grid, self.supplies, self.seed = grid, supplies, seed
        self._expected = [_expected(loads.PROFILES[supply.profile], supply.contracted_kw, grid) for supply in supplies]
        self._sun = [_sun(loads.PROFILES[supply.profile], supply.contracted_kw, grid) for supply in supplies]

    def energies(self, member: Member) -> dict[str, Floats]:
        """Energy taken, sent, reactive and forecast of a member's month, in Wh and varh, one row per interval."""
        which = (member.number - 1) % len(self.supplies)
        profile, expected, sun = loads.PROFILES[self.supplies[which].profile], self._expected[which], self._sun[which]
        slots = len(expected)
        draw = np.random.default_rng([self.seed, self.grid.month.year * 12 + self.grid.month.month, member.number])
        # an own size and days that are warmer or colder; between neighbouring intervals, noise
        size = draw.uniform(0.7, 1.1)
        days = np.repeat(1 + profile.heat * draw.standard_normal(slots // 96 + 1) / 1000, 96)[:slots]
        load = expected * size * days * (1 + profile.noise * np.clip(draw.standard_normal(slots), -3, 3) / 1000)
        if profile.batch:
            runs = np.repeat(draw.random(slots // 4 + 1) * 1000 < profile.batch, 4)[:slots]
            heat = np.where(runs, 1.35 + 0.6 * draw.random(slots), 0.15 + 0.35 * draw.random(slots))
            load = np.where(expected > expected.max() / 4, load * heat, load)
        plant = sun * size * np.repeat(draw.uniform(0.3, 1.0, slots // 96 + 1), 96)[:slots]
        guess = expected * size * (1 + 0.05 * np.clip(draw.standard_normal(slots), -3, 3))
        reactive = load * profile.tangent / 1000 * (1 + 0.05 * np.clip(draw.standard_normal(slots), -3, 3))
        return {
            "taken": _whole(np.maximum(load - plant, 0.0), profile.step),
            "sent": _whole(np.maximum(plant - load, 0.0), profile.step),
            "reactive": _whole(reactive, profile.step),
            "forecast": _whole(guess, 10),
        }

    def present(self, member: Member) -> npt.NDArray[np.bool_]:
        """Which of the month's intervals the meter sent."""
        result = np.full(len(self.grid.start), not (member.silent or member.later))
        fewest, most = member.missing
        if most:
            draw = np.random.default_rng(
                [self.seed, self.grid.month.year * 12 + self.grid.month.month, member.number, 1]
            )
            length = int(draw.integers(fewest, most + 1))
            first = int(draw.integers(1, len(result) - length))
            result[first : first + length] = False
        return result

    def readings(self, members: Sequence[Member]) -> pl.DataFrame:
        """The month of some members as ``frames.READINGS``, sorted by meter and time."""
        slots = len(self.grid.start)
        columns = {name: np.full((len(members), slots), np.nan) for name in _FLOATS}
        here = np.empty((len(members), slots), dtype=np.bool_)
        blocks = np.zeros((len(members), slots), dtype=np.bool_)
        for row, member in enumerate(members):
            energies = self.energies(member)
            here[row] = self.present(member)
            columns["kwh_import"][row] = energies["taken"] / 1000
            columns["kw"][row] = energies["taken"] / 250
            columns["forecast_kwh"][row] = energies["forecast"] / 1000
            if energies["sent"].any():
                columns["kwh_export"][row] = energies["sent"] / 1000
            if member.number % 3 == 0:
                columns["kvarh"][row] = energies["reactive"] / 1000
            if member.own_prices:
                for name, values in zip(("ftpms", "cost_pos", "cost_neg"), self.grid.prices.T, strict=True):
                    columns[name][row] = values
                columns["loss_factor"][row] = self.supplies[(member.number - 1) % len(self.supplies)].loss_factor
                blocks[row] = True
        keep = here.ravel()
        which = pl.Series(np.repeat(np.arange(len(members)), slots)[keep])
        meters = pl.Series([member.meter for member in members], dtype=pl.String)
        sources = pl.Series([source_of(member.meter, self.grid.month) for member in members], dtype=pl.String)
        names = pl.Series(np.tile(np.arange(slots), len(members))[keep])
        given: dict[str, Any] = {
            "client": pl.repeat(CLIENT, len(which), eager=True),
            "meter": meters.gather(which),
            "start": pl.Series(np.tile(self.grid.start, len(members))[keep]).cast(READINGS["start"]),
            **{name: pl.Series(values.ravel()[keep]).fill_nan(None) for name, values in columns.items()},
            "block_in_file": pl.Series(self.grid.blocks)
            .gather(names)
            .to_frame("block")
            .select(pl.when(pl.Series(blocks.ravel()[keep])).then("block"))
            .to_series(),
            "quality": pl.repeat(MEASURED, len(which), eager=True),
            "source": sources.gather(which),
            "source_row": (names + 2).cast(pl.Int32),
        }
        empty = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in READINGS.items() if name not in given]
        return pl.DataFrame(given).with_columns(empty).select(list(READINGS))


_FLOATS: Final = (
    *("kwh_import", "kwh_export", "kw", "kvarh", "forecast_kwh"),
    *("loss_factor", "ftpms", "cost_pos", "cost_neg"),
)


def source_of(meter: str, month: BillingMonth) -> str:
    """The hash that stands for the file a month came from."""
    return hashlib.sha256(f"{meter} {month}".encode()).hexdigest()


def _by_hour(hours: Sequence[int], stamp: datetime) -> float:
    """A value given at each full hour, between two of them in proportion."""
    part = stamp.minute / 60
    return hours[stamp.hour] + (hours[(stamp.hour + 1) % 24] - hours[stamp.hour]) * part


def _expected(profile: loads.Profile, contracted_kw: int, grid: Grid) -> Floats:
    """Energy of each interval without weather and chance [Wh]."""
    level = profile.months[grid.month.month - 1] * contracted_kw / 400  # per mille of kW and percent -> Wh in 15 min
    return np.array([level * _by_hour(profile.hours(stamp.date()), stamp) for stamp in grid.local])


def _sun(profile: loads.Profile, contracted_kw: int, grid: Grid) -> Floats:
    """What a photovoltaic plant sends under a clear sky [Wh]: a half sine from six to six."""
    hour = np.array([stamp.hour + stamp.minute / 60 for stamp in grid.local])
    return contracted_kw * profile.solar / 4 * np.maximum(np.sin((hour - 6) / 12 * np.pi), 0.0)


def _whole(energy: Floats, step: int) -> Floats:
    """Round to the meter's resolution, halves up."""
    return np.floor(energy / step + 0.5) * step
