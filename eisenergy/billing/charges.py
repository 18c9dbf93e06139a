"""The charges: one function each, from usage and prices to a line of the bill.

They stand above ``usage`` rather than in ``tariffs``, because every charge multiplies a quantity of the usage. Each returns
an exact amount and the same amount rounded once to cents; the parts of a line are its products, one per price.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from eisenergy.accounts import Contract
from eisenergy.billing import rates
from eisenergy.billing.model import BillLine, BillPart, LineCode
from eisenergy.billing.rates import Price, UnknownBlock
from eisenergy.money import ZERO, excel_round, product, quotient, total
from eisenergy.period import NotInForce, Period
from eisenergy.tariffs.model import DemandBasis, DeviationMode, LossBasis, RateKind, Tariff
from eisenergy.usage import Usage, UsageCell, excess, shortfall


class _Product(NamedTuple):
    """Some energy of one block and segment, and the price it is charged at."""

    label: str
    block: str
    period: Period
    kwh: Decimal
    price: Price


def line(
    code: LineCode,
    exact: Decimal,
    formula: str,
    *,
    quantity: Decimal | None = None,
    unit: str = "",
    parts: tuple[BillPart, ...] = (),
) -> BillLine:
    """Return a line whose amount is ``exact`` rounded once to cents; its rate is the parts' own where they share one."""
    return BillLine(
        code=code,
        quantity=quantity,
        unit=unit,
        rate=parts[0].rate if parts and all(part.rate == parts[0].rate for part in parts) else None,
        exact=exact,
        amount=excel_round(exact),
        formula=formula,
        parts=parts,
    )


def _merge(products: Iterable[_Product], rate_unit: str) -> tuple[BillPart, ...]:
    """Add up what is charged in the same block at the same price; a change of something else does not split a part."""
    listed = list(products)
    if len({(item.label, item.block) for item in listed}) == len(listed):  # mostly; comparing prices takes longer
        return tuple(
            [
                _part(
                    item.label,
                    total((item.kwh,)),
                    "kWh",
                    item.price,
                    rate_unit,
                    block=item.block,
                    period=item.period,
                )
                for item in listed
            ]
        )
    groups: dict[tuple[str, str, Price], list[_Product]] = {}
    for item in listed:
        groups.setdefault((item.label, item.block, item.price), []).append(item)
    return tuple(
        _part(
            label,
            total(item.kwh for item in items),
            "kWh",
            price,
            rate_unit,
            block=block,
            period=_span(item.period for item in items),
        )
        for (label, block, price), items in groups.items()
    )


def _span(periods: Iterable[Period]) -> Period:
    ordered = sorted(periods)
    if len(ordered) == 1:
        return ordered[0]
    return Period(ordered[0].start, ordered[-1].end)


def _part(
    label: str,
    quantity: Decimal,
    unit: str,
    price: Price,
    rate_unit: str,
    *,
    block: str | None = None,
    period: Period | None = None,
) -> BillPart:
    return BillPart(
        label=label,
        block=block,
        period=period,
        quantity=quantity,
        unit=unit,
        rate=price.value,
        rate_unit=rate_unit,
        rate_from=price.since,
        origin=price.origin,
        exact=product(quantity, price.value),
    )


def _energy_line(code: LineCode, products: Iterable[_Product], rate_unit: str, formula: str) -> BillLine:
    parts = _merge(products, rate_unit)
    kwh = total([part.quantity for part in parts])
    return line(code, total([part.exact for part in parts]), formula, quantity=kwh, unit="kWh", parts=parts)


def _energy_price(usage: Usage, cell: UsageCell, tariff: Tariff) -> Price:
    return rates.of_block(tariff, RateKind.ENERGY, cell.block, usage.segments[cell.segment].start)


def energy(usage: Usage, tariff: Tariff) -> BillLine:
    """Charge energy: ``sum kWh[i] * kwh_rate(b(i), d(i))``. :raises NotInForce: for a block or day without a rate."""
    products = [
        _Product("energy", cell.block, usage.segments[cell.segment], cell.kwh, _energy_price(usage, cell, tariff))
        for cell in usage.cells
    ]
    formula = "Energy of each block times the block's energy rate in force on the day."
    return _energy_line(LineCode.ENERGY, products, f"{tariff.currency}/kWh", formula)


def demand(usage: Usage, tariff: Tariff) -> BillLine:
    """Charge demand on the basis the rules name; a rate that changes inside the period is weighted by local days.

    Basis ``period_max``: ``max kW * demand_rate``. Basis ``block_max``: the sum over blocks of
    ``max kW in b * demand_rate(b)``. The rate's weights are the days of its validity over the days of the period; the maximum
    is the whole period's, whichever rate was in force when it occurred.

    :raises NotInForce: for a day without a rate
    :raises AmbiguousDemandRate: see :func:`eisenergy.billing.rates.demand_of_period`
    """
    unit = f"{tariff.currency}/kW"
    if tariff.rules.demand_basis is DemandBasis.PERIOD_MAX:
        peak = usage.peak()
        kw = ZERO if peak is None else peak.kw
        dated = [(segment, rates.demand_of_period(tariff, segment.start)) for segment in usage.segments]
        parts = _weighted(kw, dated, usage.period, unit, None)
        formula = "Maximum power of the period times the demand rate, weighted by days where the rate changes."
        return line(LineCode.DEMAND, total(p.exact for p in parts), formula, quantity=kw, unit="kW", parts=parts)
    blocks: list[BillPart] = []
    for block in usage.blocks:
        peak = usage.peak(block)
        if peak is not None:
            dated = [(s, rates.of_block(tariff, RateKind.DEMAND, block, s.start)) for s in usage.segments]
            blocks += _weighted(peak.kw, dated, usage.period, unit, block)
    formula = (
        "Maximum power of each block times the block's demand rate, weighted by days where the rate changes, "
        "added over the blocks."
    )
    return line(LineCode.DEMAND, total(p.exact for p in blocks), formula, unit="kW", parts=tuple(blocks))


def _weighted(
    kw: Decimal, dated: list[tuple[Period, Price]], period: Period, unit: str, block: str | None
) -> tuple[BillPart, ...]:
    """Return one part per demand rate; its quantity is the power times the share of the period's days."""
    runs: list[tuple[Period, Price]] = []
    for segment, price in dated:
        if runs and runs[-1][1].value == price.value and runs[-1][1].since == price.since:
            runs[-1] = (Period(runs[-1][0].start, segment.end), price)
        else:
            runs.append((segment, price))
    if len(runs) == 1:
        return (_part("demand", kw, "kW", runs[0][1], unit, block=block, period=period),)
    days = Decimal(period.days)
    return tuple(
        BillPart(
            label=f"demand, {run.days} of {period.days} days",
            block=block,
            period=run,
            quantity=quotient(product(kw, Decimal(run.days)), days),
            unit="kW",
            rate=price.value,
            rate_unit=unit,
            rate_from=price.since,
            origin=price.origin,
            exact=quotient(product(kw, price.value, Decimal(run.days)), days),
        )
        for run, price in runs
    )


def losses(usage: Usage, contract: Contract, tariff: Tariff) -> BillLine:
    """Charge losses on the basis the rules name.

    Basis ``charge_per_kwh`` (the workbook's): ``sum kWh[i] * loss_factor``. Basis ``energy``:
    ``sum kWh[i] * loss_factor * kwh_rate``.

    :raises NotInForce: when some intervals have a factor and others have none
    """
    found = [(cell, rates.loss_factor(usage, cell, contract, tariff)) for cell in usage.cells]
    if all(factor is None for _, factor in found):
        formula = "Neither the readings nor the contract nor the tariff carries a loss factor."
        return line(LineCode.LOSSES, ZERO, formula, quantity=ZERO, unit="kWh")
    products = []
    for cell, factor in found:
        segment = usage.segments[cell.segment]
        if factor is None:
            raise NotInForce(f"loss factor of meter {usage.meter}, block {cell.block}", segment.start)
        price = factor
        if tariff.rules.loss_basis is LossBasis.ENERGY:
            rate = _energy_price(usage, cell, tariff)
            origin = f"loss factor {factor.value} ({factor.origin}) times energy rate {rate.value} ({rate.origin})"
            price = Price(product(factor.value, rate.value), origin, rate.since)
        products.append(_Product("losses", cell.block, segment, cell.kwh, price))
    formula = (
        "Energy times the loss factor times the energy rate in force on the day."
        if tariff.rules.loss_basis is LossBasis.ENERGY
        else "Energy times the loss factor, a price per kWh."
    )
    return _energy_line(LineCode.LOSSES, products, f"{tariff.currency}/kWh", formula)


def ftpms(usage: Usage, tariff: Tariff) -> BillLine:
    """Charge FTPMS in the blocks the rules name: ``sum kWh[i in those blocks] * ftpms``.

    :raises NotInForce: when FTPMS is known, but not for one of the blocks and days
    :raises UnknownBlock: when FTPMS is known and the rules name a block that the calendar does not have
    """
    blocks = tariff.rules.ftpms_blocks
    if not rates.carried(usage, tariff, RateKind.FTPMS):
        formula = "Neither the readings nor the tariff carries an FTPMS surcharge."
        return line(LineCode.FTPMS, ZERO, formula, quantity=ZERO, unit="kWh")
    unknown = [block for block in blocks if block not in usage.blocks]
    if unknown:
        raise UnknownBlock(
            f"tariff {tariff.name}: the rule ftpms_blocks names {', '.join(unknown)}, the calendar has the blocks "
            f"{', '.join(usage.blocks)}. Name blocks of the calendar, or none."
        )
    products = [
        _Product(
            "ftpms",
            cell.block,
            usage.segments[cell.segment],
            cell.kwh,
            rates.of_slot_or_block(usage, cell, tariff, RateKind.FTPMS),
        )
        for cell in usage.cells
        if cell.block in blocks
    ]
    formula = (
        f"Energy of block {', '.join(blocks)} times the FTPMS surcharge." if blocks else "FTPMS applies to no block."
    )
    return _energy_line(LineCode.FTPMS, products, f"{tariff.currency}/kWh", formula)


def deviation(usage: Usage, tariff: Tariff) -> BillLine:
    """Charge the deviation from the forecast in the mode the rules name.

    Mode ``shortfall``: ``sum max(0, forecast[i] - kWh[i]) * cost_neg[i]``. Mode ``both`` adds
    ``sum max(0, kWh[i] - forecast[i]) * cost_pos[i]``. Without any forecast there is no deviation.

    :raises NotInForce: when the cost is known, but not for one of the blocks and days that deviate
    """
    if not usage.has_forecast:
        formula = "No forecast was given for this period, so there is no deviation."
        return line(LineCode.DEVIATION, ZERO, formula, quantity=ZERO, unit="kWh")
    both = tariff.rules.deviation_mode is DeviationMode.BOTH
    products = _deviating(usage, tariff, RateKind.COST_NEG) + (
        _deviating(usage, tariff, RateKind.COST_POS) if both else []
    )
    formula = "Energy taken below the forecast, interval by interval, times the cost of a negative deviation" + (
        "; energy taken above it times the cost of a positive one." if both else "."
    )
    return _energy_line(LineCode.DEVIATION, products, f"{tariff.currency}/kWh", formula)


def _deviating(usage: Usage, tariff: Tariff, kind: RateKind) -> list[_Product]:
    quantity, label = (shortfall, "below forecast") if kind is RateKind.COST_NEG else (excess, "above forecast")
    if not rates.carried(usage, tariff, kind):
        return []
    return [
        _Product(
            label, cell.block, usage.segments[cell.segment], kwh, rates.of_slot_or_block(usage, cell, tariff, kind)
        )
        for cell, kwh in ((cell, quantity(cell)) for cell in usage.cells)
        if kwh
    ]


def share(
    code: LineCode, base: Decimal, price: Price, currency: str, label: str, formula: str, sign: int = 1
) -> BillLine:
    """Charge (``sign`` 1) or grant (-1) a share of a sum of rounded lines: discount, VAT, retention."""
    signed = Price(product(Decimal(sign), price.value), price.origin, price.since)
    part = _part(label, base, currency, signed, "1")
    return line(code, part.exact, formula, quantity=base, unit=currency, parts=(part,))


def fixed(code: LineCode, price: Price, currency: str, label: str, formula: str) -> BillLine:
    """Charge a fixed amount per billing period."""
    part = _part(label, Decimal(1), "period", price, f"{currency}/period")
    return line(code, part.exact, formula, quantity=Decimal(1), unit="period", parts=(part,))


def added(code: LineCode, lines: Iterable[BillLine], formula: str) -> BillLine:
    """Add rounded lines."""
    return line(code, total(item.amount for item in lines), formula)
