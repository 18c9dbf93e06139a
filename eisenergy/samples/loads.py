"""Made-up loads: what a meter of an activity counts in each 15-minute interval.

Energies are whole watt-hours, and the arithmetic is integers, ``random.Random`` and the four IEEE operations alone, so that
every machine and Python makes the same figures. The shapes are invented; the steel works' follows the measured month.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

QUARTER: Final = timedelta(minutes=15)

HOLIDAYS: Final = frozenset(
    date.fromisoformat(day)
    for day in (
        "2020-09-15", "2020-11-02", "2020-12-25", "2021-01-01", "2021-04-01", "2021-04-02", "2021-04-03", "2021-05-01",
        "2021-05-10", "2021-06-17", "2021-08-03", "2021-08-05", "2021-08-06", "2021-09-15",
    )
)  # fmt: skip
"""National holidays and those of San Salvador, from September 2020 to September 2021 (labour code, article 190)."""


class Slot(NamedTuple):
    """One interval. ``start`` is local; energies in Wh and varh."""

    start: datetime
    wh: int
    wh_export: int
    varh: int
    forecast_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How an activity takes energy.

    :param weekday: mean power at each full hour [per mille of the contracted power]; likewise the other days
    :param months: level of each month, January first [percent]
    :param heat: rise of a hot day over a mean one [per mille]
    :param noise: spread between neighbouring intervals [per mille]
    :param tangent: reactive over active energy [per mille]
    :param batch: share of the work hours in which a furnace runs [per mille]; 0 where nothing works in batches
    :param solar: rating of the photovoltaic plant [per mille of the contracted power]
    :param step: resolution of the meter [Wh]
    """

    weekday: tuple[int, ...]
    saturday: tuple[int, ...]
    sunday: tuple[int, ...]
    months: tuple[int, ...]
    heat: int
    noise: int
    tangent: int
    batch: int = 0
    solar: int = 0
    step: int = 1

    def hours(self, day: date) -> tuple[int, ...]:
        """The mean power at each full hour of a day."""
        if day in HOLIDAYS or day.weekday() == 6:
            return self.sunday
        return self.saturday if day.weekday() == 5 else self.weekday


_SUN: Final = (0, 0, 0, 0, 0, 0, 40, 210, 430, 630, 780, 870, 900, 860, 760, 590, 370, 140, 10, 0, 0, 0, 0, 0)
_CLEAR: Final = (98, 100, 100, 95, 78, 70, 80, 78, 68, 70, 85, 95)

PROFILES: Final[dict[str, Profile]] = {
    "steel works": Profile(
        weekday=(18, 18, 18, 18, 18, 18, 18, 21, 290, 330, 325, 305, 38, 325, 365, 355, 350, 220, 170, 165, 150, 24, 19, 19),
        saturday=(18, 18, 18, 18, 18, 18, 18, 21, 260, 280, 280, 240, 34, 180, 190, 180, 150, 21, 19, 19, 19, 19, 19, 18),
        sunday=(17, 17, 17, 17, 17, 17, 17, 17, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 17, 17),
        months=(96, 100, 104, 92, 101, 103, 102, 97, 100, 104, 101, 84),
        heat=4, noise=80, tangent=760, batch=480, step=10,
    ),
    "restaurant": Profile(
        weekday=(215, 213, 212, 212, 212, 212, 212, 213, 216, 232, 275, 360, 480, 520, 445, 340, 270, 280, 385, 540, 610, 500, 345, 252),
        saturday=(230, 214, 213, 212, 212, 212, 212, 213, 218, 240, 290, 395, 530, 580, 500, 380, 300, 320, 450, 630, 715, 610, 430, 300),
        sunday=(245, 215, 213, 212, 212, 212, 212, 213, 220, 250, 310, 430, 570, 620, 540, 400, 310, 310, 400, 530, 560, 440, 310, 240),
        months=(62, 62, 68, 70, 74, 78, 84, 92, 52, 56, 62, 72),  # guests come back from September 2020 on
        heat=18, noise=60, tangent=380,
    ),
    "supermarket": Profile(
        weekday=(430, 422, 420, 418, 420, 440, 520, 640, 710, 740, 765, 785, 800, 810, 815, 805, 795, 790, 800, 795, 740, 600, 480, 445),
        saturday=(430, 422, 420, 418, 420, 440, 525, 650, 725, 765, 795, 820, 835, 845, 845, 835, 825, 820, 825, 815, 760, 620, 490, 445),
        sunday=(430, 422, 420, 418, 420, 430, 480, 590, 680, 730, 760, 780, 790, 790, 785, 770, 750, 735, 730, 700, 620, 500, 450, 435),
        months=(94, 96, 101, 106, 104, 101, 101, 101, 99, 98, 96, 103),
        heat=30, noise=45, tangent=420,
    ),
    "hotel": Profile(
        weekday=(400, 380, 365, 355, 355, 380, 450, 520, 530, 510, 505, 520, 545, 560, 560, 550, 545, 570, 640, 690, 680, 610, 520, 450),
        saturday=(450, 420, 400, 385, 380, 400, 480, 570, 610, 610, 610, 630, 660, 680, 680, 670, 665, 690, 760, 810, 800, 730, 620, 530),
        sunday=(470, 430, 400, 385, 380, 395, 470, 560, 605, 610, 605, 615, 630, 630, 605, 570, 550, 565, 620, 650, 630, 560, 480, 430),
        months=(108, 103, 112, 116, 92, 88, 98, 108, 82, 86, 96, 118),
        heat=45, noise=60, tangent=400,
    ),
    "bakery": Profile(
        weekday=(560, 690, 800, 860, 870, 790, 560, 390, 330, 300, 290, 285, 280, 280, 300, 330, 320, 280, 220, 170, 140, 150, 240, 410),
        saturday=(590, 730, 850, 915, 925, 840, 600, 420, 350, 310, 295, 290, 285, 275, 260, 230, 200, 180, 160, 140, 130, 130, 150, 230),
        sunday=(320, 420, 520, 560, 540, 430, 310, 240, 210, 200, 190, 180, 160, 140, 130, 130, 130, 130, 130, 130, 130, 140, 220, 390),
        months=(98, 98, 103, 101, 99, 97, 98, 99, 98, 103, 104, 112),
        heat=6, noise=75, tangent=240,
    ),
    "textile mill": Profile(
        weekday=(120, 115, 112, 112, 120, 260, 690, 790, 815, 825, 820, 800, 640, 780, 820, 815, 790, 700, 610, 600, 590, 560, 300, 150),
        saturday=(115, 112, 112, 112, 115, 220, 560, 640, 660, 660, 650, 600, 330, 160, 130, 125, 122, 120, 118, 116, 115, 115, 114, 112),
        sunday=(105, 104, 104, 104, 104, 104, 104, 106, 108, 110, 110, 110, 110, 110, 110, 110, 108, 108, 110, 112, 112, 110, 108, 106),
        months=(92, 99, 103, 90, 102, 104, 103, 98, 102, 106, 105, 82),
        heat=12, noise=50, tangent=520,
    ),
    "clinic": Profile(
        weekday=(185, 180, 178, 176, 178, 200, 320, 520, 690, 770, 800, 800, 740, 720, 770, 780, 720, 560, 380, 290, 250, 225, 205, 192),
        saturday=(182, 178, 176, 175, 176, 190, 270, 400, 520, 560, 560, 530, 420, 300, 250, 235, 225, 220, 218, 215, 208, 200, 192, 186),
        sunday=(178, 176, 174, 173, 174, 178, 185, 195, 205, 210, 212, 214, 215, 215, 214, 212, 210, 208, 208, 206, 202, 196, 188, 182),
        months=(97, 98, 102, 105, 103, 102, 103, 102, 100, 99, 97, 92),
        heat=34, noise=55, tangent=330,
    ),
    "solar farm": Profile(
        weekday=(60, 58, 56, 56, 90, 320, 640, 700, 640, 480, 330, 230, 180, 190, 260, 420, 560, 520, 240, 110, 95, 85, 72, 64),
        saturday=(60, 58, 56, 56, 90, 310, 610, 660, 590, 430, 280, 190, 140, 120, 110, 110, 110, 105, 100, 95, 90, 82, 72, 64),
        sunday=(58, 57, 56, 56, 60, 120, 240, 260, 220, 160, 120, 100, 95, 95, 95, 95, 95, 92, 92, 90, 86, 80, 70, 62),
        months=(122, 126, 128, 118, 92, 76, 82, 80, 72, 74, 96, 114),
        heat=14, noise=90, tangent=450, solar=1100,
    ),
}  # fmt: skip
"""Activity -> how it takes energy."""


_QUARTERS: Final = tuple((n * QUARTER, *divmod(n, 4)) for n in range(96))
"""The intervals of a day: time since midnight, hour, quarter of the hour."""


def series(profile: Profile, contracted_kw: int, first: date, end: date, seed: str) -> Iterator[Slot]:
    """Make the intervals of ``[first, end)``, in order; a later ``end`` only adds to them.

    :param contracted_kw: contracted power [kW], the scale of everything
    :param first: first local day

    Notes: ``2 * (draw() + draw() + draw() - 1.5)`` is a bell of mean 0 and standard deviation 1 that never leaves -3 to 3. It is written
    out, and energies are rounded in place (to the meter's resolution, halves up): a quarter of a million intervals call no function
    of ours.
    """
    draw = random.Random(seed).random  # its algorithm is fixed by the language's reference
    noise, tangent, step, batch, solar = profile.noise, profile.tangent, profile.step, profile.batch, profile.solar
    expectations: dict[tuple[int, tuple[int, ...]], list[float]] = {}
    warmth = 0.0
    running = False
    for day in (first + timedelta(days=n) for n in range((end - first).days)):
        warmth = 0.7 * warmth + 0.7 * (2 * (draw() + draw() + draw() - 1.5))
        cloud = draw()
        sky = 1 - 0.75 * cloud * cloud if cloud > 0.35 else 1.0
        hours = profile.hours(day)
        month = day.month - 1
        if (month, hours) not in expectations:
            expectations[month, hours] = _expected(hours, profile.months[month] * contracted_kw / 400_000)
        expectation = expectations[month, hours]
        swell = 1 + profile.heat * warmth / 1000
        midnight = datetime.combine(day, time())
        for (since, hour, part), expected in zip(_QUARTERS, expectation, strict=True):
            load = expected * swell
            work = batch and hours[hour] > 100
            if work:
                # a heat lasts about an hour; what runs, runs near its rating
                running = draw() < (0.75 if running else 0.25 * batch / (1000 - batch))
                load *= (1.35 + 0.6 * draw()) if running else 0.15 + 0.35 * draw()
            load *= 1 + noise * (2 * (draw() + draw() + draw() - 1.5)) / 1000
            if draw() < 0.0006:
                load *= 1.2  # two large machines that start together
            if solar:
                sun = _SUN[hour] + (_SUN[(hour + 1) % 24] - _SUN[hour]) * part / 4
                shine = sky * (0.85 + 0.15 * draw()) * _CLEAR[month] / 100
                plant = contracted_kw * solar * sun * shine / 4000
                net = load - plant
                # near the balance the meter counts both ways within one interval
                ripple = 0.04 * load if -load < net < load and plant > 0 else 0.0
                wh = int((max(0.0, net) + ripple) / step + 0.5) * step
                sent = int((max(0.0, -net) + ripple) / step + 0.5) * step
            else:
                wh, sent = int(load / step + 0.5) * step, 0
            varh = int(load * tangent * (1 + 0.05 * (2 * (draw() + draw() + draw() - 1.5))) / 1000 / step + 0.5) * step
            guess = (expected + load) / 2 if work else expected
            forecast = int(guess * (1 + 0.05 * (2 * (draw() + draw() + draw() - 1.5))) / 10 + 0.5) * 10
            yield Slot(midnight + since, wh, sent, varh, forecast)


def _expected(hours: tuple[int, ...], level: float) -> list[float]:
    """What a day's intervals take on average [Wh]. :param level: per mille of kW and percent -> kWh in 15 min"""
    return [
        1000 * level * (hours[hour] + (hours[(hour + 1) % 24] - hours[hour]) * part / 4) for _, hour, part in _QUARTERS
    ]
