"""Bill one contract for one period: usage and a tariff in, a :class:`~eisenergy.billing.model.Bill` out.

Nothing here reads a file, a clock or a database. The caller passes the part of the billing month in which the contract is in
force (:func:`in_force`); energy and demand are billed as measured in it, the municipal fee is charged whole, and a demand
rate's days are weighted within it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal

from eisenergy.accounts import Contract
from eisenergy.billing import eispower
from eisenergy.billing.corrections import Correction
from eisenergy.billing.model import Bill, BillLine, BlockSummary, Indicators, LineCode, Provenance
from eisenergy.billing.rates import NotBillable as NotBillable
from eisenergy.findings import Finding
from eisenergy.money import EXACT, ZERO, fifteen_digits, product, quotient, total
from eisenergy.period import Period
from eisenergy.tariffs.model import BillingRules, Tariff
from eisenergy.usage import EstimatedRange, Usage, highest


def in_force(contract: Contract, period: Period) -> Period | None:
    """Return the part of a period in which a contract is in force, ``None`` when it is not in force on any day."""
    start = max(contract.start, period.start)
    end = period.end if contract.end is None else min(contract.end, period.end)
    return Period(start, end) if start < end else None


def bill(
    contract: Contract,
    period: Period,
    usage: Usage,
    tariff: Tariff,
    *,
    timezone: str,
    calendar_name: str,
    estimated: Sequence[EstimatedRange] = (),
    findings: Sequence[Finding] = (),
    corrections: Sequence[Correction] = (),
    provenance: Provenance | None = None,
) -> Bill:
    """Return what a contract owes for a period.

    :param period: local dates billed: the billing month, or the part of it in which the contract is in force
    :param usage: sums per tariff segment and block; its segments are cut where the tariff changes
    :param timezone: IANA name; days and blocks are local to it
    :param calendar_name: name of the block calendar that the usage was measured with
    :param estimated: runs of estimated intervals, printed on the bill
    :param findings: what was noticed about the data, printed on the bill
    :param corrections: differences of earlier periods, see :mod:`eisenergy.billing.corrections`
    :param provenance: versions and hashes of the inputs
    :raises NotBillable: when usage, contract, tariff and rules do not fit each other, or nothing was measured; as
        ``AmbiguousDemandRate`` when the rules do not say which demand rate applies, as ``UnknownBlock`` when they name a block
        that the calendar does not have
    :raises NotInForce: when a rate or value is missing on a day; names both

    Source: requirements of EIS Power, "The bill (must equal the workbook)".
    """
    _check(contract, period, usage, tariff, timezone)
    lines = eispower.lines(contract, period, usage, tariff, corrections)
    by_code = {line.code: line for line in lines}
    return Bill(
        contract=contract,
        period=period,
        timezone=timezone,
        currency=tariff.currency,
        tariff=tariff.name,
        calendar=calendar_name,
        lines=lines,
        blocks=_blocks(usage, by_code[LineCode.ENERGY]),
        indicators=indicators(usage, by_code[LineCode.TOTAL].amount),
        slots_expected=sum(usage.expected.values()),
        slots_missing=usage.missing,
        estimated=tuple(estimated),
        findings=tuple(findings),
        provenance=provenance,
        rules=rules_of(tariff),
    )


def rules_of(tariff: Tariff) -> dict[str, str | list[str] | None]:
    """Return a tariff's billing rules as JSON types."""
    return dict(as_types(tariff.rules))


@functools.cache
def as_types(rules: BillingRules) -> dict[str, str | list[str] | None]:
    """Return billing rules as JSON types; the same object each time, to be read only."""
    return {
        name: list(value) if isinstance(value, tuple) else value and str(value) for name, value in asdict(rules).items()
    }


def _check(contract: Contract, period: Period, usage: Usage, tariff: Tariff, timezone: str) -> None:
    who = f"contract {contract.number}"
    if usage.meter != contract.meter.serial:
        raise NotBillable(
            f"{who}: the usage is of meter {usage.meter}, the contract's meter is {contract.meter.serial}. "
            f"Measure the contract's meter."
        )
    if (usage.period, usage.timezone) != (period, timezone):
        raise NotBillable(
            f"{who}: the usage covers {usage.period} in {usage.timezone}, the bill is for {period} in {timezone}. "
            f"Measure the usage for the period of the bill."
        )
    if in_force(contract, period) != period:
        until = "open end" if contract.end is None else f"{contract.end:%Y-%m-%d}"
        raise NotBillable(
            f"{who}: in force from {contract.start:%Y-%m-%d} to {until}, the bill is for {period}. "
            f"Bill the part in which it is in force."
        )
    if not set(tariff.segments(period)) <= set(_spans(usage.segments)):
        raise NotBillable(
            f"{who}: the usage is cut into {', '.join(map(str, usage.segments))}, tariff {tariff.name} changes at other "
            f"dates: {', '.join(map(str, tariff.segments(period)))}. Measure the usage with the tariff's segments."
        )
    if usage.slots == 0:
        raise NotBillable(
            f"{who}: meter {usage.meter} has no interval in {period}, expected {sum(usage.expected.values())}. "
            f"Import its readings, or estimate them."
        )


def _spans(segments: Sequence[Period]) -> list[Period]:
    """Return every period that whole, consecutive segments make."""
    return [Period(a.start, b.end) for n, a in enumerate(segments) for b in segments[n:]]


def _blocks(usage: Usage, energy: BillLine) -> tuple[BlockSummary, ...]:
    result = []
    for block in usage.blocks:
        parts = [part for part in energy.parts if part.block == block]
        cells = usage.select(block=block)
        peak = highest(cell.peak for cell in cells)
        result.append(
            BlockSummary(
                block=block,
                kwh=total([cell.kwh for cell in cells]),
                kwh_export=total([cell.kwh_export for cell in cells]),
                energy_rate=parts[0].rate if len(parts) == 1 else None,
                energy_amount=total([part.exact for part in parts]),
                max_kw=Decimal(0) if peak is None else peak.kw,
                max_kw_at=None if peak is None else peak.at,
                max_kw_ties=0 if peak is None else peak.ties,
                slots=sum(cell.slots for cell in cells),
                estimated=sum(cell.estimated for cell in cells),
            )
        )
    return tuple(result)


def indicators(usage: Usage, payable: Decimal) -> Indicators:
    """Return load factor, power factor and all-in price, each to 15 digits.

    :param payable: total of the bill [currency]
    """
    peak = usage.peak()
    load_factor, power_factor, price = ratios(
        usage.kwh(),
        total([cell.kvarh for cell in usage.cells]),
        ZERO if peak is None else peak.kw,
        hours(usage.period, usage.timezone, usage.slots, sum(usage.expected.values())),
        payable,
    )
    return Indicators(load_factor=load_factor, power_factor=power_factor, price_per_kwh=price)


@functools.lru_cache(64)
def hours(period: Period, timezone: str, slots: int, expected: int) -> Decimal:
    """Return the hours of the intervals that are present, so that a missing one does not lower the mean power.

    :param slots: intervals present
    :param expected: intervals of the period
    """
    start, end = period.utc(timezone)
    seconds = Decimal(int((end - start) / timedelta(seconds=1)))
    return quotient(product(seconds, Decimal(slots)), product(Decimal(3600), Decimal(expected)))


def ratios(
    kwh: Decimal, kvarh: Decimal, peak: Decimal, length: Decimal, payable: Decimal
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Return load factor, power factor and price per kWh; see :class:`eisenergy.billing.model.Indicators`.

    :param peak: highest power [kW]
    :param length: hours that were measured
    :param payable: total of the bill [currency]
    """
    power_factor = None
    if not kvarh.is_zero():
        apparent = EXACT.sqrt(total((product(kwh, kwh), product(kvarh, kvarh))))
        power_factor = fifteen_digits(quotient(kwh, apparent))
    return (
        fifteen_digits(quotient(kwh, product(length, peak))) if peak > 0 else None,
        power_factor,
        fifteen_digits(quotient(payable, kwh)) if kwh > 0 else None,
    )
