"""Random cases for the oracle, and the same cases made into the engine's inputs."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from billing_builders import Slot, make_contract, usage_of
from oracle import Case, Table, Values, block_of, settle

from eisenergy.accounts import Contract, Sourced
from eisenergy.billing.corrections import Correction
from eisenergy.billing.engine import bill
from eisenergy.billing.model import Bill
from eisenergy.period import Dated, Period
from eisenergy.tariffs.model import BillingRules, DemandBasis, DeviationMode, LossBasis, RateKind, ScalarKind, Tariff
from eisenergy.usage import SlotPrices, Usage

if TYPE_CHECKING:
    import polars as pl

    from eisenergy.timeofuse import DayCalendar

BLOCKS = ("VALLE", "RESTO", "PUNTA")
ZONES = ("America/El_Salvador",) * 4 + ("Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
BASE = make_contract(start=date(2000, 1, 1))
QUARTER = timedelta(minutes=15)


class Dice(random.Random):
    """Random figures of a bill: exact, with few decimals."""

    def number(self, low: int, high: int, places: int) -> Fraction:
        scale = 10**places
        return Fraction(self.randint(low * scale, high * scale), scale)

    def often(self, share: float) -> bool:
        return self.random() < share


def make_case(seed: int, size: str = "small") -> Case:
    """Return a random case.

    :param size: ``small``: a few intervals of up to eight days; ``days``: every interval of up to three days; ``month``: of a month
    """
    dice = Dice(seed)
    zone = dice.choice(ZONES)
    start = date(2021, 1, 1) + timedelta(days=dice.randrange(400))
    end = start + timedelta(days=dice.randint(1, 3 if size == "days" else 8))
    if size == "month":
        start = start.replace(day=1)
        end = (start + timedelta(days=31)).replace(day=1)
    first, slots = span(zone, start, end)
    chosen = sorted(dice.sample(range(slots), dice.randint(1, 14))) if size == "small" else range(slots)
    when = [first + QUARTER * n for n in chosen]
    count, tie = len(when), dice.often(0.5)  # tie: few decimals, so that products end on half a cent exactly
    blocks = BLOCKS if dice.often(0.9) else BLOCKS[:2]
    kwh = energies(dice, count, tie)
    if all(value == 0 for value in kwh) and dice.often(0.5):
        kwh[0] = Fraction(1)
    demand = table(dice, blocks, start, end, lambda: dice.number(0, 12, 2 if tie else 4))
    same = dice.often(0.5)
    if same:
        one = [entry for entry in demand if entry[0] == blocks[0]]
        demand = [(block, day, value) for block in blocks for _, day, value in one]
    losses = dice.choice(("nobody", "contract", "tariff", "both"))
    price = lambda: dice.number(0, 1, 3) / (1 if tie else 10)  # noqa: E731
    share = lambda: Fraction(dice.choice((0, 10, 20, 50, 15, 25, 333)), 1000)  # noqa: E731
    fee = lambda: dice.number(0, 30, dice.choice((0, 2, 3)))  # noqa: E731
    tariff_loss = dated(dice, start, end, price) if losses in ("tariff", "both") else []
    kinds: dict[str, Table] = {
        kind: table(dice, blocks, start, end, price) if dice.often(0.7) else [] for kind in ("ftpms", "pos", "neg")
    }
    return Case(
        zone=zone,
        start=start,
        end=end,
        hours=hours(dice, blocks),
        when=when,
        kwh=kwh,
        kw=[value * 4 for value in kwh] if dice.often(0.7) else [dice.number(0, 600, 2) for _ in kwh],
        forecast=forecasts(dice, kwh),
        slot_loss=per_slot(dice, count, price, losses != "nobody"),
        slot_ftpms=per_slot(dice, count, price, bool(kinds["ftpms"])),
        slot_pos=per_slot(dice, count, price, bool(kinds["pos"])),
        slot_neg=per_slot(dice, count, price, bool(kinds["neg"])),
        energy=table(dice, blocks, start, end, price),
        demand=demand,
        ftpms=kinds["ftpms"],
        cost_pos=kinds["pos"],
        cost_neg=kinds["neg"],
        vat=dated(dice, start, end, lambda: dice.choice((Fraction(13, 100), Fraction(15, 100), Fraction(125, 1000)))),
        tariff_loss=tariff_loss,
        contract_loss=price() if losses in ("contract", "both") else None,
        discount=share() if dice.often(0.6) else None,
        retention=share() if dice.often(0.6) else None,
        municipal=fee() if dice.often(0.6) else None,
        tariff_discount=dated(dice, start, end, share) if dice.often(0.5) else [],
        tariff_retention=dated(dice, start, end, share) if dice.often(0.5) else [],
        tariff_municipal=dated(dice, start, end, fee) if dice.often(0.5) else [],
        demand_basis=dice.choice(("period_max", "block_max")),
        demand_rate_block=None if same and dice.often(0.7) else dice.choice(blocks),
        loss_basis=dice.choice(("charge_per_kwh", "energy")),
        ftpms_blocks=[b for b in dice.choice((("PUNTA",), ("PUNTA", "RESTO"), blocks, ())) if b in blocks],
        deviation_mode=dice.choice(("shortfall", "both")),
        corrections=[dice.number(-400, 400, dice.choice((2, 3))) for _ in range(dice.choice((0, 0, 0, 1, 2)))],
    )


def span(zone: str, start: date, end: date) -> tuple[datetime, int]:
    """The first interval from local midnight to local midnight, in UTC, and how many there are; a day of a clock change has fewer or more."""
    first, last = (datetime(d.year, d.month, d.day, tzinfo=ZoneInfo(zone)).astimezone(UTC) for d in (start, end))
    return first, (last - first) // QUARTER


def starts(zone: str, start: date, end: date) -> list[datetime]:
    first, slots = span(zone, start, end)
    return [first + QUARTER * n for n in range(slots)]


def hours(dice: Dice, blocks: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """A calendar of whole hours: a few cuts of the day, the first row wraps midnight."""
    cuts = sorted(dice.sample(range(24), dice.randint(len(blocks), 6)))
    spans = [(first, (last - 1) % 24) for first, last in zip(cuts, cuts[1:] + cuts[:1], strict=True)]
    names = list(blocks) + [dice.choice(blocks) for _ in spans[len(blocks) :]]
    return [(first, last, name) for (first, last), name in zip(spans, names, strict=True)]


def energies(dice: Dice, count: int, tie: bool) -> list[Fraction]:
    kind = dice.random()
    if kind < 0.05:
        return [Fraction(0)] * count
    if kind < 0.2:  # the same few values again and again: ties of the maximum
        few = [dice.number(0, 90, 1) for _ in range(3)]
        return [dice.choice(few) for _ in range(count)]
    return [dice.number(0, 120, 1 if tie else 3) for _ in range(count)]


def forecasts(dice: Dice, kwh: list[Fraction]) -> list[Fraction | None]:
    kind = dice.random()
    if kind < 0.2:
        return [None] * len(kwh)
    near: list[Fraction | None] = [max(Fraction(0), value + dice.number(-5, 5, 2)) for value in kwh]
    if kind < 0.5:
        near = [dice.choice((value, value, None, taken)) for value, taken in zip(near, kwh, strict=True)]
    return near


def per_slot(dice: Dice, count: int, price: Callable[[], Fraction], fallback: bool) -> list[Fraction | None]:
    """Prices beside the readings: none, one, a few with holes where something else applies, or all different."""
    kind = dice.random()
    if kind < 0.55:
        return [None] * count
    if kind < 0.7:
        return [price()] * count
    if kind < 0.9:
        few: list[Fraction | None] = [price(), price()]
        return [dice.choice([*few, None] if fallback else few) for _ in range(count)]
    return [price() for _ in range(count)]


def dated(dice: Dice, start: date, end: date, price: Callable[[], Fraction]) -> Values:
    """One value from long ago, and often changes inside the period, on its first day, or after it."""
    days = {start - timedelta(days=dice.randint(1, 400))}
    while dice.often(0.45):
        days.add(start + timedelta(days=dice.randint(-1, (end - start).days + 1)))
    return [(day, price()) for day in sorted(days, key=lambda day: dice.random())]


def table(dice: Dice, blocks: tuple[str, ...], start: date, end: date, price: Callable[[], Fraction]) -> Table:
    return [(block, day, value) for block in blocks for day, value in dated(dice, start, end, price)]


# ------------------------------------------------------------------------------------------------------- engine's inputs


def dec(value: Fraction) -> Decimal:
    """The fraction as a decimal, exactly; six places are more than any case has."""
    factor, rest = divmod(10**6, value.denominator)
    assert rest == 0
    return Decimal(value.numerator * factor).scaleb(-6).normalize()


def maybe(value: Fraction | None) -> Decimal | None:
    return None if value is None else dec(value)


def dated_of(values: Values) -> Dated[Sourced]:
    return Dated.of(
        "value", tuple((day, None if value is None else Sourced(dec(value), "case")) for day, value in values)
    )


def tariff_of(case: Case) -> Tariff:
    def by_block(rows: Table) -> dict[str, Dated[Sourced]]:
        names = dict.fromkeys(block for block, _, _ in rows)
        return {name: dated_of([(day, value) for block, day, value in rows if block == name]) for name in names}

    kinds = {
        RateKind.ENERGY: case.energy,
        RateKind.DEMAND: case.demand,
        RateKind.FTPMS: case.ftpms,
        RateKind.COST_POS: case.cost_pos,
        RateKind.COST_NEG: case.cost_neg,
    }
    scalars = {
        ScalarKind.VAT_RATE: case.vat,
        ScalarKind.LOSS_FACTOR: case.tariff_loss,
        ScalarKind.DISCOUNT_RATE: case.tariff_discount,
        ScalarKind.RETENTION_RATE: case.tariff_retention,
        ScalarKind.MUNICIPAL_FEE: case.tariff_municipal,
    }
    return Tariff(
        name="CASE",
        currency="USD",
        calendar="CASE",
        rates={kind: by_block(rows) for kind, rows in kinds.items() if rows},
        scalars={kind: dated_of(values) for kind, values in scalars.items() if values},
        rules=BillingRules(
            demand_basis=DemandBasis(case.demand_basis),
            demand_rate_block=case.demand_rate_block,
            loss_basis=LossBasis(case.loss_basis),
            ftpms_blocks=tuple(case.ftpms_blocks),
            deviation_mode=DeviationMode(case.deviation_mode),
        ),
    )


def contract_of(case: Case) -> Contract:
    return Contract(
        number=BASE.number,
        customer=BASE.customer,
        meter=BASE.meter,
        tariff="CASE",
        contracted_kw=None,
        loss_factor=own(case.contract_loss),
        municipal_fee=own(case.municipal),
        retention_rate=own(case.retention),
        discount_rate=own(case.discount),
        start=BASE.start,
    )


def own(value: Fraction | None) -> Sourced | None:
    return None if value is None else Sourced(dec(value), "case")


def blocks_of(case: Case) -> tuple[str, ...]:
    return tuple(dict.fromkeys(block for _, _, block in case.hours))


def plain_usage(case: Case, period: Period, segments: tuple[Period, ...]) -> Usage:
    """Aggregate in plain Python; see ``billing_builders.usage_of``."""
    zone = ZoneInfo(case.zone)
    slots = [
        Slot(
            start=when,
            block=block_of(case, when.astimezone(zone).hour),
            kwh=dec(case.kwh[i]),
            kw=dec(case.kw[i]),
            forecast=maybe(case.forecast[i]),
            prices=SlotPrices(
                loss_factor=maybe(case.slot_loss[i]),
                ftpms=maybe(case.slot_ftpms[i]),
                cost_pos=maybe(case.slot_pos[i]),
                cost_neg=maybe(case.slot_neg[i]),
            ),
        )
        for i, when in enumerate(case.when)
    ]
    return usage_of(slots, period, segments, zone=case.zone, blocks=blocks_of(case))


def measured_usage(case: Case, period: Period, segments: tuple[Period, ...]) -> Usage:
    """Aggregate as the library does: readings in binary floats, compiled calendar, kernel."""
    from eisenergy.blockruns import compile_runs
    from eisenergy.usage import measure

    runs = compile_runs(calendar_of(case), segments, case.zone)
    return measure(BASE.meter.serial, reading_frame(case), runs, period=period, timezone=case.zone)


def calendar_of(case: Case) -> DayCalendar:
    from eisenergy.timeofuse import BlockHours, DayCalendar

    rows = (
        BlockHours(start_minute=first * 60, end_minute=(last + 1) * 60, block=name) for first, last, name in case.hours
    )
    return DayCalendar(name="CASE", rows=tuple(rows))


def reading_frame(case: Case) -> pl.DataFrame:
    import polars as pl

    from eisenergy.frames import READINGS

    count = len(case.when)
    columns = {
        "client": ["EIS"] * count,
        "meter": [BASE.meter.serial] * count,
        "start": case.when,
        "kwh_import": floats(case.kwh),
        "kw": floats(case.kw),
        "forecast_kwh": floats(case.forecast),
        "loss_factor": floats(case.slot_loss),
        "ftpms": floats(case.slot_ftpms),
        "cost_pos": floats(case.slot_pos),
        "cost_neg": floats(case.slot_neg),
        "quality": ["measured"] * count,
        "source": ["case"] * count,
        "source_row": list(range(1, count + 1)),
    }
    return pl.DataFrame({name: columns.get(name, [None] * count) for name in READINGS}, schema=READINGS)


def floats(values: list[Fraction] | list[Fraction | None]) -> list[float | None]:
    return [None if value is None else float(value) for value in values]


Aggregate = Callable[[Case, Period, tuple[Period, ...]], Usage]


def arguments_of(case: Case, aggregate: Aggregate = plain_usage) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with which the library is asked for a case's bill."""
    period, tariff = Period(case.start, case.end), tariff_of(case)
    corrections = [
        Correction(period=period, month="2021-01", invoice=f"FAC-{n:06d}", difference=dec(value), origin="case")
        for n, value in enumerate(case.corrections, 1)
    ]
    usage = aggregate(case, period, tariff.segments(period))
    return (contract_of(case), period, usage, tariff), {
        "timezone": case.zone,
        "calendar_name": "CASE",
        "corrections": corrections,
    }


def bill_of(case: Case, aggregate: Aggregate = plain_usage) -> Bill:
    """Make a case's bill with the library."""
    arguments, named = arguments_of(case, aggregate)
    return bill(*arguments, **named)


def disagreement(case: Case, made: Bill) -> str:
    """Say in which lines bill and oracle differ; empty when they agree to the cent on every line."""
    ours = {line.code.value: line.amount for line in made.lines}
    theirs = {name: Decimal(int(value * 100)).scaleb(-2) for name, value in settle(case).items()}
    if ours == theirs:
        return ""
    names = dict.fromkeys([*theirs, *ours])
    return "; ".join(
        f"{n}: engine {ours.get(n)}, oracle {theirs.get(n)}" for n in names if ours.get(n) != theirs.get(n)
    )


def check(first: int, count: int) -> list[str]:
    """Compare ``count`` small cases from a seed on; return the disagreements, with their seeds."""
    found = []
    for seed in range(first, first + count):
        case = make_case(seed)
        text = disagreement(case, bill_of(case))
        if text:
            found.append(f"seed {seed}: {text}")
    return found
