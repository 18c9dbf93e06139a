"""What a tariff lacks for a calendar and a period, as findings, before any bill is made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Protocol

from eisenergy.findings import Finding, blocking, warning
from eisenergy.period import NotInForce, Period
from eisenergy.tariffs.model import DemandBasis, RateKind, ScalarKind, Tariff


class Blocks(Protocol):
    """What is needed of a block calendar."""

    @property
    def name(self) -> str:
        """The calendar's name."""

    @property
    def blocks(self) -> tuple[str, ...]:
        """The blocks its hours belong to."""


def check(tariff: Tariff, calendar: Blocks, period: Period) -> tuple[Finding, ...]:
    """Say what a bill of the period would miss.

    :param calendar: the block calendar the tariff is used with, for example a ``DayCalendar``
    :returns: blocking findings for a rate or value that a bill needs and no day of validity covers; warnings for what looks
        forgotten: a block that the calendar does not know, a rate that others renewed on a day and one block did not
    """
    return (
        *_calendar(tariff, calendar),
        *_rates(tariff, calendar, period),
        *_rules(tariff, calendar),
        *_values(tariff, period),
        *_uneven(tariff, period),
    )


def _calendar(tariff: Tariff, calendar: Blocks) -> Iterator[Finding]:
    if tariff.calendar and tariff.calendar != calendar.name:
        yield blocking(
            "other-calendar",
            tariff.name,
            f"tariff {tariff.name} is made for the calendar {tariff.calendar}, found {calendar.name}. Use that calendar.",
        )
    for kind, by_block in tariff.rates.items():
        for block in by_block:
            if block not in calendar.blocks:
                yield warning(
                    "unknown-block",
                    tariff.name,
                    f"tariff {tariff.name} has an {kind} rate for block {block}, which calendar {calendar.name} does not know. "
                    f"Its blocks are: {', '.join(calendar.blocks)}. Correct the spelling or remove the rate.",
                    kind=kind.value,
                    block=block,
                )


def _rates(tariff: Tariff, calendar: Blocks, period: Period) -> Iterator[Finding]:
    needed = {kind for kind in RateKind if kind in tariff.rates} | {RateKind.ENERGY}
    for kind in RateKind:
        if kind not in needed:
            continue
        blocks = calendar.blocks
        if kind is RateKind.FTPMS:
            blocks = tuple(block for block in blocks if block in tariff.rules.ftpms_blocks)
        for block in blocks:
            days = _lacking(tariff, kind, block, period)
            if days:
                yield blocking(
                    "no-rate",
                    tariff.name,
                    f"tariff {tariff.name} has no {kind} rate of block {block} on {len(days)} days of {period}, "
                    f"{days[0]} first. Add a rate that is valid from {days[0]} or before.",
                    kind=kind.value,
                    block=block,
                    first=days[0].isoformat(),
                    days=len(days),
                )


def _lacking(tariff: Tariff, kind: RateKind, block: str, period: Period) -> list[date]:
    days: list[date] = []
    for segment in tariff.segments(period):
        try:
            tariff.rate(kind, block, segment.start)
        except NotInForce:
            days.extend(segment)
    return days


def _rules(tariff: Tariff, calendar: Blocks) -> Iterator[Finding]:
    block = tariff.rules.demand_rate_block
    if tariff.rules.demand_basis is DemandBasis.PERIOD_MAX and block is not None and block not in calendar.blocks:
        yield blocking(
            "unknown-block",
            tariff.name,
            f"tariff {tariff.name} prices the period's maximum by block {block}, which calendar {calendar.name} does not know. "
            f"Set demand_rate_block to one of: {', '.join(calendar.blocks)}.",
            block=block,
        )
    for name in tariff.rules.ftpms_blocks:
        if name not in calendar.blocks:
            yield blocking(
                "unknown-block",
                tariff.name,
                f"tariff {tariff.name} applies FTPMS in block {name}, which calendar {calendar.name} does not know. "
                f"Set ftpms_blocks to some of: {', '.join(calendar.blocks)}.",
                block=name,
            )


def _values(tariff: Tariff, period: Period) -> Iterator[Finding]:
    if ScalarKind.VAT_RATE not in tariff.scalars:
        yield blocking(
            "no-value",
            tariff.name,
            f"tariff {tariff.name} has no vat_rate. Add it to the tariff's parameters, with its law.",
        )
    for kind in tariff.scalars:
        for segment in tariff.segments(period):
            try:
                tariff.scalar(kind, segment.start)
            except NotInForce as error:
                yield blocking("no-value", tariff.name, str(error), kind=kind.value, first=segment.start.isoformat())
                break


def _uneven(tariff: Tariff, period: Period) -> Iterator[Finding]:
    for kind, by_block in tariff.rates.items():
        for start in sorted({day for dated in by_block.values() for day in dated.starts if day in period}):
            without = [block for block, dated in by_block.items() if start not in dated.starts]
            if without:
                yield warning(
                    "rate-not-renewed",
                    tariff.name,
                    f"tariff {tariff.name}: the {kind} rate changes on {start}, but not in block {', '.join(without)}, which "
                    "keeps the one before. Add the rate if it was forgotten.",
                    kind=kind.value,
                    first=start.isoformat(),
                )
