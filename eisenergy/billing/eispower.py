"""EIS Power's bill: which charges, in which order, and what adds to what.

Source: requirements of EIS Power, "The bill (must equal the workbook)"; workbook cells B16 to B26.
"""

from __future__ import annotations

from collections.abc import Sequence

from eisenergy.accounts import Contract
from eisenergy.billing import charges, corrections, rates
from eisenergy.billing.corrections import Correction
from eisenergy.billing.model import BillLine, LineCode
from eisenergy.money import total
from eisenergy.period import Period
from eisenergy.tariffs.model import ScalarKind, Tariff
from eisenergy.usage import Usage


def lines(
    contract: Contract, period: Period, usage: Usage, tariff: Tariff, earlier: Sequence[Correction] = ()
) -> tuple[BillLine, ...]:
    """Return the lines of a bill in print order; every line is rounded once, and sums add the rounded lines.

    :param earlier: corrections of earlier periods; they are taxed with this bill and not discounted again
    :raises NotInForce: when a price is missing on a day
    """
    currency = tariff.currency
    charged = [
        charges.energy(usage, tariff),
        charges.demand(usage, tariff),
        charges.losses(usage, contract, tariff),
        charges.ftpms(usage, tariff),
        charges.deviation(usage, tariff),
    ]
    discount = charges.share(
        LineCode.DISCOUNT,
        total(item.amount for item in charged),
        rates.of_contract_or_tariff(contract.discount_rate, tariff, ScalarKind.DISCOUNT_RATE, period),
        currency,
        "discount",
        "Energy, demand, losses, FTPMS and deviation, as printed, times the discount.",
        sign=-1,
    )
    correction = corrections.line(earlier, currency)
    taxed = [*charged, discount, *([] if correction is None else [correction])]
    added = "energy, demand, losses, FTPMS, deviation and discount" + (" and corrections" if correction else "")
    subtotal = charges.added(LineCode.SUBTOTAL, taxed, f"Sum of {added}, as printed.")
    vat = charges.share(
        LineCode.VAT,
        subtotal.amount,
        rates.vat(tariff, period),
        currency,
        "VAT",
        "Subtotal times the VAT rate in force on the last day of the period.",
    )
    retention = charges.share(
        LineCode.RETENTION,
        subtotal.amount,
        rates.of_contract_or_tariff(contract.retention_rate, tariff, ScalarKind.RETENTION_RATE, period),
        currency,
        "retention",
        "Subtotal times the share of it that the customer retains for the tax office.",
        sign=-1,
    )
    fee = charges.fixed(
        LineCode.MUNICIPAL_FEE,
        rates.of_contract_or_tariff(contract.municipal_fee, tariff, ScalarKind.MUNICIPAL_FEE, period),
        currency,
        "municipal fee",
        "The municipality's fee, collected for it: outside the seller's subtotal and outside VAT.",
    )
    payable = charges.added(
        LineCode.TOTAL,
        [subtotal, vat, retention, fee],
        "Subtotal plus VAT less retention plus municipal fee, as printed.",
    )
    return (*taxed, subtotal, vat, retention, fee, payable)
