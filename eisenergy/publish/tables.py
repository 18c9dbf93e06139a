"""A bill as frames, for analysts: its blocks and its lines beside the workbook's cells."""

from __future__ import annotations

from typing import Final

import polars as pl

from eisenergy.billing.model import Bill, LineCode

FIRST_ROW: Final = 16
"""The workbook's row of the first line; its amounts stand in column B."""

_ORDER: Final = tuple(code for code in LineCode if code is not LineCode.CORRECTION)


def blocks(bill: Bill) -> pl.DataFrame:
    """Return one row per block.

    :returns: ``block``, ``kwh`` [kWh], ``max_kw`` [kW], ``max_kw_at`` (UTC), ``ties``, ``slots``, ``estimated``; quantities are
        exact decimals
    """
    return pl.DataFrame(
        {
            "block": [block.block for block in bill.blocks],
            "kwh": pl.Series([block.kwh for block in bill.blocks], dtype=pl.Decimal(38, 9)),
            "max_kw": pl.Series([block.max_kw for block in bill.blocks], dtype=pl.Decimal(38, 6)),
            "max_kw_at": pl.Series([block.max_kw_at for block in bill.blocks], dtype=pl.Datetime("us", "UTC")),
            "ties": [block.max_kw_ties for block in bill.blocks],
            "slots": [block.slots for block in bill.blocks],
            "estimated": [block.estimated for block in bill.blocks],
        }
    )


def lines(bill: Bill) -> pl.DataFrame:
    """Return one row per line of the bill, in print order.

    :returns: ``cell`` (of the workbook; null for a correction, which it has not), ``line``, ``quantity``, ``unit``, ``exact``,
        ``amount``. Quantities and exact amounts are text: nothing is rounded to be shown.

    Source: the reference workbook, B16:B26.
    """
    return pl.DataFrame(
        {
            "cell": pl.Series(
                [f"B{FIRST_ROW + _ORDER.index(line.code)}" if line.code in _ORDER else None for line in bill.lines],
                dtype=pl.String,
            ),
            "line": [line.code.value for line in bill.lines],
            "quantity": pl.Series(
                [None if line.quantity is None else f"{line.quantity:f}" for line in bill.lines], dtype=pl.String
            ),
            "unit": [line.unit for line in bill.lines],
            "exact": [f"{line.exact:f}" for line in bill.lines],
            "amount": pl.Series([line.amount for line in bill.lines], dtype=pl.Decimal(18, 2)),
        }
    )
