"""The bill in exact fractions, interval by interval, straight from the requirements. Imports nothing of eisenergy.

A case is plain data (see ``billing_cases.py``): texts and fractions. Every interval looks up its own local time, block and prices; demand
rates are averaged day by day. Nothing is grouped, cut into segments or kept in decimals, which is how the engine works.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

Table = list[tuple[str, date, Fraction | None]]  # block, valid from, rate; None ends the one before
Values = list[tuple[date, Fraction | None]]


@dataclass
class Case:
    """One bill to make. ``hours``: (first hour, last hour, block), both inclusive, may wrap midnight."""

    zone: str
    start: date
    end: date
    hours: list[tuple[int, int, str]]
    when: list[datetime]
    kwh: list[Fraction]
    kw: list[Fraction]
    forecast: list[Fraction | None]
    slot_loss: list[Fraction | None]
    slot_ftpms: list[Fraction | None]
    slot_pos: list[Fraction | None]
    slot_neg: list[Fraction | None]
    energy: Table
    demand: Table
    ftpms: Table
    cost_pos: Table
    cost_neg: Table
    vat: Values
    tariff_loss: Values
    contract_loss: Fraction | None
    discount: Fraction | None
    retention: Fraction | None
    municipal: Fraction | None
    tariff_discount: Values
    tariff_retention: Values
    tariff_municipal: Values
    demand_basis: str
    demand_rate_block: str | None
    loss_basis: str
    ftpms_blocks: list[str]
    deviation_mode: str
    corrections: list[Fraction] = field(default_factory=list)


def block_of(case: Case, hour: int) -> str:
    for first, last, block in case.hours:
        if first <= hour <= last or (first > last and (hour >= first or hour <= last)):
            return block
    raise LookupError(hour)


def newest(values: Values, day: date) -> Fraction:
    """The newest rate not after a local date."""
    best = max((entry for entry in values if entry[0] <= day), key=lambda entry: entry[0])
    if best[1] is None:
        raise LookupError(day)
    return best[1]


def own_or_tariffs(own: Fraction | None, values: Values, day: date) -> Fraction:
    """The contract's value, else the tariff's, else nothing is charged."""
    if own is not None:
        return own
    return newest(values, day) if values else Fraction(0)


def rate(table: Table, block: str, day: date) -> Fraction:
    return newest([(start, value) for name, start, value in table if name == block], day)


def half_away(over: int, under: int) -> int:
    """The whole number nearest to a positive fraction; a half goes up."""
    return (2 * over + under) // (2 * under)


def excel_cents(value: Fraction) -> Fraction:
    """Excel's ROUND(value, 2): first to 15 significant digits, then to cents, half away from zero both times."""
    over, under = abs(value.numerator), value.denominator
    if over == 0:
        return Fraction(0)
    shift = 15 - len(str(over // under))  # value * 10**shift has 15 digits before the point
    if over < under:
        shift = 15
        while over * 10 ** (shift - 14) < under:
            shift += 1
    shown = half_away(over * 10**shift, under) if shift >= 0 else half_away(over, under * 10**-shift) * 10**-shift
    cents = half_away(shown * 100, 10**shift) if shift >= 0 else shown * 100
    return Fraction(-cents if value < 0 else cents, 100)


def settle(case: Case) -> dict[str, Fraction]:
    """Return the rounded lines of the bill by name."""
    zone = ZoneInfo(case.zone)
    nothing = Fraction(0)
    energy = losses = ftpms = deviation = nothing
    highest: dict[str, Fraction] = {}
    knows_ftpms = bool(case.ftpms) or any(value is not None for value in case.slot_ftpms)
    knows_neg = bool(case.cost_neg) or any(value is not None for value in case.slot_neg)
    knows_pos = bool(case.cost_pos) or any(value is not None for value in case.slot_pos)
    knows_loss = case.contract_loss is not None or bool(case.tariff_loss) or any(v is not None for v in case.slot_loss)
    for i, when in enumerate(case.when):
        local = when.astimezone(zone)
        day, block, kwh = local.date(), block_of(case, local.hour), case.kwh[i]
        highest[block] = max(highest.get(block, case.kw[i]), case.kw[i])
        price = rate(case.energy, block, day)
        energy += kwh * price
        if knows_loss:
            factor = case.slot_loss[i]
            if factor is None:
                factor = case.contract_loss if case.contract_loss is not None else newest(case.tariff_loss, day)
            losses += kwh * factor * (price if case.loss_basis == "energy" else 1)
        if knows_ftpms and block in case.ftpms_blocks:
            own = case.slot_ftpms[i]
            ftpms += kwh * (own if own is not None else rate(case.ftpms, block, day))
        forecast = case.forecast[i]
        if forecast is not None and forecast > kwh and knows_neg:
            own = case.slot_neg[i]
            deviation += (forecast - kwh) * (own if own is not None else rate(case.cost_neg, block, day))
        if forecast is not None and kwh > forecast and knows_pos and case.deviation_mode == "both":
            own = case.slot_pos[i]
            deviation += (kwh - forecast) * (own if own is not None else rate(case.cost_pos, block, day))

    days = [case.start + timedelta(days=n) for n in range((case.end - case.start).days)]

    def demand_rate(block: str) -> Fraction:
        return sum((rate(case.demand, block, day) for day in days), nothing) / len(days)

    if case.demand_basis == "period_max":
        demand = max(highest.values()) * demand_rate(case.demand_rate_block or case.demand[0][0])
    else:
        demand = sum((kw * demand_rate(block) for block, kw in highest.items()), nothing)

    bill = {
        "energy": excel_cents(energy),
        "demand": excel_cents(demand),
        "losses": excel_cents(losses),
        "ftpms": excel_cents(ftpms),
        "deviation": excel_cents(deviation),
    }
    discount = own_or_tariffs(case.discount, case.tariff_discount, days[-1])
    bill["discount"] = -excel_cents(sum(bill.values(), nothing) * discount)
    if case.corrections:
        bill["correction"] = excel_cents(sum(case.corrections, nothing))
    subtotal = sum(bill.values(), nothing)
    bill["subtotal"] = subtotal
    bill["vat"] = excel_cents(subtotal * newest(case.vat, days[-1]))
    bill["retention"] = -excel_cents(subtotal * own_or_tariffs(case.retention, case.tariff_retention, days[-1]))
    bill["municipal_fee"] = excel_cents(own_or_tariffs(case.municipal, case.tariff_municipal, days[-1]))
    bill["total"] = subtotal + bill["vat"] + bill["retention"] + bill["municipal_fee"]
    return bill
