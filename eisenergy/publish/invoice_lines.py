"""The rows of the invoice's table: charges with their products, the subtotal, taxes and retention, as printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from eisenergy.billing.model import Bill, BillLine, BillPart, LineCode
from eisenergy.money import quotient, total
from eisenergy.publish import theme
from eisenergy.publish.texts import (
    DOT,
    NBSP,
    format_contracted,
    format_instant,
    format_kwh,
    format_money,
    format_number,
    format_percent,
    format_period,
    format_rate,
    present,
    word,
)

CHARGES: Final = (
    LineCode.ENERGY,
    LineCode.DEMAND,
    LineCode.LOSSES,
    LineCode.FTPMS,
    LineCode.DEVIATION,
    LineCode.DISCOUNT,
    LineCode.CORRECTION,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table of charges.

    :param kind: ``line`` (has an amount), ``part`` (a product inside a line) or ``note`` (a sentence below it)
    :param part: amount of a product, not rounded to cents; printed in a column of its own
    :param colour: the block's colour, empty for none
    """

    kind: str
    concept: str
    quantity: str = ""
    rate: str = ""
    part: str = ""
    amount: str = ""
    colour: str = ""
    code: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return the row as JSON types."""
        return {name: getattr(self, name) for name in Row.__slots__}  # asdict() would copy every text deeply


def charge_rows(bill: Bill, locale: str) -> list[Row]:
    """Return the rows above the subtotal: each charge, its products, and what must be said about it."""
    rows: list[Row] = []
    for line in bill.lines:
        if line.code in CHARGES:
            rows += _charge(bill, line, locale)
    return rows


def _charge(bill: Bill, line: BillLine, locale: str) -> list[Row]:
    name = word(f"line.{line.code}", locale)
    amount = format_money(line.amount, locale)
    if line.code is LineCode.DISCOUNT:
        return [_share_row(line, name, locale)]
    if line.code is LineCode.CORRECTION:
        return [Row(kind="line", concept=name, amount=amount, code=line.code), *_corrections(line, locale)]
    parts = _merged(bill, line, locale)
    one = len(parts) == 1 and line.code is not LineCode.ENERGY
    head = Row(
        kind="line",
        concept=name,
        quantity=_quantity(line.quantity, line.unit, locale) if line.quantity is not None else "",
        rate=format_rate(line.parts[0].rate, locale) if one else "",
        amount=amount,
        code=line.code,
    )
    return [head, *([] if one else parts), *(Row(kind="note", concept=text) for text in _notes(bill, line, locale))]


def _quantity(value: Decimal, unit: str, locale: str) -> str:
    return f"{format_number(value, 2, locale)}{NBSP}{unit}"


def _share_row(line: BillLine, name: str, locale: str) -> Row:
    rate = abs(line.parts[0].rate) if line.parts else abs(line.rate or Decimal(0))
    base = format_money(line.quantity or Decimal(0), locale)
    return Row(
        kind="line",
        concept=f"{name} {format_percent(rate, locale)}",
        quantity=word("share.of", locale, base=base),
        amount=format_money(line.amount, locale),
        code=line.code,
    )


def _merged(bill: Bill, line: BillLine, locale: str) -> list[Row]:
    """One row per block and price; where the block does not matter to the price, one row per price."""
    prices = {(part.label, part.rate) for part in line.parts}
    differ = len(prices) > len({label for label, _ in prices})
    by_block = line.code in (LineCode.ENERGY, LineCode.DEMAND) or differ
    groups: dict[tuple[str, str | None, Decimal, date | None], list[BillPart]] = {}
    for part in line.parts:
        groups.setdefault((part.label, part.block if by_block else None, part.rate, part.rate_from), []).append(part)
    order = {summary.block: n for n, summary in enumerate(bill.blocks)}
    keys = sorted(groups, key=lambda key: (order.get(key[1] or "", -1), key[3] or date.min))
    colours = theme.block_colours(summary.block for summary in bill.blocks)
    several = {block for block in order if sum(key[1] == block for key in keys) > 1}
    rows = []
    for key in keys:
        label, block, rate, _ = key
        parts = groups[key]
        rows.append(
            Row(
                kind="part",
                concept=_part_name(bill, line, label, block, parts, locale, dated=block is None or block in several),
                quantity=_quantity(total(part.quantity for part in parts), parts[0].unit, locale),
                rate=format_rate(rate, locale),
                part=format_number(total(part.exact for part in parts), 4, locale),
                colour=colours.get(block or "", ""),
            )
        )
    return rows


def _part_name(
    bill: Bill, line: BillLine, label: str, block: str | None, parts: list[BillPart], locale: str, *, dated: bool
) -> str:
    names = [block or ""]
    if line.code is LineCode.DEVIATION:
        names.append(word("deviation.over" if label.startswith("above") else "deviation.short", locale))
    period = parts[0].period
    if line.code is LineCode.DEMAND:
        summary = next((item for item in bill.blocks if item.block == block), None)
        if summary and summary.max_kw_at:
            names.append(format_instant(summary.max_kw_at, bill.timezone, locale))
        if period and period != bill.period:
            days = word("days.of", locale, n=str(period.days), of=str(bill.period.days))
            names.append(days if summary else f"{format_period(period, locale)} ({days})")
    elif dated and period and period != bill.period:
        names.append(format_period(period, locale))
    return DOT.join(present(*names))


def _corrections(line: BillLine, locale: str) -> list[Row]:
    rows = []
    for part in line.parts:
        invoice = re.search(r"invoice (\S+)$", part.label)
        period = format_period(part.period, locale) if part.period else part.label
        name = word("correction.of", locale, period=period, number=invoice[1]) if invoice else period
        rows.append(Row(kind="part", concept=name, part=format_number(part.exact, 4, locale)))
    return rows


def _notes(bill: Bill, line: BillLine, locale: str) -> list[str]:
    if line.code is LineCode.ENERGY:
        export = total(summary.kwh_export for summary in bill.blocks)
        return [word("export", locale, kwh=format_kwh(export, locale))] if export else []
    if line.code is LineCode.DEMAND:
        return [_peak(bill, locale)] if bill.blocks else []
    if line.code is LineCode.FTPMS:
        blocks = sorted({part.block for part in line.parts if part.block})
        return [word("ftpms.blocks", locale, blocks=", ".join(blocks))] if blocks and len(line.parts) == 1 else []
    return []


def peak(bill: Bill) -> tuple[Decimal, datetime | None, int]:
    """Return the bill's highest power [kW], when it first occurred (UTC) and how many intervals reached it."""
    highest = max((summary.max_kw for summary in bill.blocks), default=Decimal(0))
    tied = [summary for summary in bill.blocks if summary.max_kw == highest and summary.max_kw_at]
    first = min((summary.max_kw_at for summary in tied if summary.max_kw_at), default=None)
    return highest, first, sum(summary.max_kw_ties for summary in tied)


def _peak(bill: Bill, locale: str) -> str:
    kw, at, ties = peak(bill)
    texts = []
    if at:
        texts.append(word("demand.at", locale, when=format_instant(at, bill.timezone, locale)))
    if ties > 1:
        texts.append(word("demand.ties", locale, n=str(ties)))
    power = bill.contract.contracted_kw
    if power and power.value > 0:
        share = quotient(kw, power.value)
        key = "demand.over" if share > 1 else "demand.of"
        texts.append(
            word(key, locale, kw=format_contracted(power.value, locale), share=format_percent(share, locale, most=1))
        )
    return DOT.join(texts)


def sum_rows(bill: Bill, locale: str) -> list[Row]:
    """Return the rows from the taxable subtotal to the retention."""
    rows = []
    for code in (LineCode.SUBTOTAL, LineCode.VAT, LineCode.RETENTION):
        line = bill.line(code)
        name = word(f"line.{code}", locale)
        if code is LineCode.SUBTOTAL:
            rows.append(Row(kind="line", concept=name, amount=format_money(line.amount, locale), code=code))
        else:
            rows.append(_share_row(line, name, locale))
    return rows
