"""Corrections: what an earlier period really cost, less what was billed for it.

The difference is taken on the taxable subtotal and charged on the next bill above its subtotal, so VAT and retention follow
on the new subtotal at the rates of the new bill's period, the period in which the adjustment is invoiced. It lies after the
discount: the difference already contains the discount of its own period.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from eisenergy.billing.model import Bill, BillLine, BillPart, LineCode
from eisenergy.money import ZERO, difference, excel_round, total
from eisenergy.period import Period


class NotComparable(ValueError):
    """Two bills that are not of the same contract and period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A difference of an earlier period that the next bill carries.

    :param period: the period that is corrected
    :param month: its label, for example ``2021-08``
    :param invoice: number of the invoice that billed it
    :param difference: taxable difference, positive when the customer owes more [currency]
    :param origin: where the difference came from, in words
    """

    period: Period
    month: str
    invoice: str
    difference: Decimal
    origin: str


def taxable(bill: Bill) -> Decimal:
    """Return what a bill charges for its own period before taxes: its subtotal without corrections of others."""
    corrections = total(item.amount for item in bill.lines if item.code is LineCode.CORRECTION)
    return difference(bill.line(LineCode.SUBTOTAL).amount, corrections)


def correction(original: Bill, rebilled: Bill, number: str, already: Decimal = ZERO) -> Correction | None:
    """Compare what was billed with what the real readings cost at the same period's rates.

    :param original: the bill as it was issued
    :param rebilled: the same contract and period, billed again on what is known now
    :param number: number of the invoice that carries ``original``
    :param already: corrections of the same period billed since [currency]
    :returns: ``None`` when nothing is left to correct
    :raises NotComparable: when the two are not of one contract and period
    """
    if (original.contract.number, original.period) != (rebilled.contract.number, rebilled.period):
        raise NotComparable(
            f"invoice {number} bills contract {original.contract.number} for {original.period}, the new computation is of "
            f"contract {rebilled.contract.number} for {rebilled.period}: bill the same contract and period again"
        )
    left = difference(difference(taxable(rebilled), taxable(original)), already)
    if left.is_zero():
        return None
    origin = f"subtotal {taxable(rebilled)} on the readings known now, less {taxable(original)} billed by {number}"
    if already:
        origin += f", less {already} corrected since"
    return Correction(
        period=original.period,
        month=f"{original.period.start:%Y-%m}",
        invoice=number,
        difference=left,
        origin=origin,
    )


def line(corrections: Iterable[Correction], currency: str) -> BillLine | None:
    """Return the line that carries corrections, one part each; ``None`` when there is none."""
    parts = tuple(
        BillPart(
            label=f"{item.month}, invoice {item.invoice}",
            block=None,
            period=item.period,
            quantity=Decimal(1),
            unit="period",
            rate=item.difference,
            rate_unit=f"{currency}/period",
            rate_from=None,
            origin=item.origin,
            exact=item.difference,
        )
        for item in corrections
    )
    if not parts:
        return None
    exact = total(part.exact for part in parts)
    return BillLine(
        code=LineCode.CORRECTION,
        quantity=None,
        unit="",
        rate=None,
        exact=exact,
        amount=excel_round(exact),
        formula="What the real readings of earlier periods cost at those periods' rates, less what was billed for them.",
        parts=parts,
    )
