"""Desks whose bill the engine made from the reference workbook's own cells; summed here in plain Python."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import openpyxl
import sample_desks

from eisenergy.accounts import Sourced
from eisenergy.billing.corrections import Correction
from eisenergy.billing.engine import bill
from eisenergy.billing.model import Provenance
from eisenergy.desk import CustomerMonth
from eisenergy.period import Dated, Period
from eisenergy.tariffs.model import BillingRules, RateKind, ScalarKind, Tariff
from eisenergy.usage import EstimatedRange, Peak, SlotPrices, Usage, UsageCell

RATES = {"VALLE": "0.098321", "RESTO": "0.109874", "PUNTA": "0.121456"}
AMOUNTS = [
    "6,441.33",
    "3,798.58",
    "885.61",
    "38.28",
    "659.25",
    "−236.46",
    "11,586.59",
    "1,506.26",
    "−115.87",
    "12.50",
    "12,989.48",
]
"""The workbook's B16:B26 as an invoice prints them."""
MONTH = sample_desks.MONTH
PERIOD = MONTH.period
ZONE = "America/El_Salvador"


@lru_cache(maxsize=1)
def rows() -> tuple[tuple[Any, ...], ...]:
    book = openpyxl.load_workbook(sample_desks.WORKBOOK, data_only=True, read_only=True)
    found = list(book["Nodo Ateos 5614086"].iter_rows(min_row=31, max_row=2910, max_col=17, values_only=True))
    book.close()
    return tuple(
        (
            datetime.combine(row[0].date(), row[1]),
            *(Decimal(str(row[n])) for n in (2, 3, 5)),
            row[7],
            *(Decimal(str(row[n])) for n in (8, 15, 16)),
        )
        for row in found
    )


def usage(cuts: tuple[date, ...] = ()) -> Usage:
    segments = PERIOD.split(cuts)
    groups: dict[tuple[int, str, Decimal, Decimal], list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows():
        segment = next(n for n, part in enumerate(segments) if row[0].date() in part)
        groups[segment, row[4], row[6], row[7]].append(row)
    cells = []
    expected: dict[tuple[int, str], int] = defaultdict(int)
    for (segment, block, pos, neg), items in groups.items():
        top = max(item[2] for item in items)
        tied = [item[0] for item in items if item[2] == top]
        short = [item for item in items if item[5] > item[1]]
        over = [item for item in items if item[5] <= item[1]]
        expected[segment, block] += len(items)
        cells.append(
            UsageCell(
                segment=segment,
                block=block,
                prices=SlotPrices(cost_pos=pos, cost_neg=neg),
                kwh=sum((item[1] for item in items), Decimal(0)),
                kwh_export=Decimal(0),
                kvarh=sum((item[3] / 4 for item in items), Decimal(0)),
                peak=Peak(kw=top, at=(tied[0] + timedelta(hours=6)).replace(tzinfo=UTC), ties=len(tied)),
                forecast_short=sum((item[5] for item in short), Decimal(0)),
                kwh_short=sum((item[1] for item in short), Decimal(0)),
                forecast_over=sum((item[5] for item in over), Decimal(0)),
                kwh_over=sum((item[1] for item in over), Decimal(0)),
                slots=len(items),
                estimated=0,
            )
        )
    return Usage(
        meter="5614086",
        period=PERIOD,
        timezone=ZONE,
        segments=segments,
        blocks=("VALLE", "RESTO", "PUNTA"),
        cells=tuple(cells),
        expected=dict(expected),
        has_forecast=True,
    )


def tariff(change: date | None = None, rules: BillingRules | None = None) -> Tariff:
    """The prices of September 2021; with ``change``, all energy and demand rates rise by 5 % on that day."""

    def dated(name: str, value: str, cell: str) -> Dated[Sourced]:
        book = "Tarifas EIS-TOU.xlsx, EIS-TOU!"
        values = {date(2021, 7, 15): Sourced(Decimal(value), f"{book}{cell}")}
        if change:
            values[change] = Sourced(Decimal(value) * Decimal("1.05"), f"{book}{cell[0]}{int(cell[1:]) + 3}")
        return Dated.of(name, values)

    fixed = {date(2020, 1, 1): Sourced(Decimal("0.13"), "params/tariffs/EIS-TOU.yml, line 12")}
    return Tariff(
        name="EIS-TOU",
        currency="USD",
        calendar="EIS",
        rates={
            RateKind.ENERGY: {block: dated(block, rate, f"C{n}") for n, (block, rate) in enumerate(RATES.items(), 16)},
            RateKind.DEMAND: {block: dated(block, "7.4412", f"D{n}") for n, block in enumerate(RATES, 16)},
            RateKind.FTPMS: {
                block: Dated.of(
                    block,
                    {
                        date(2020, 1, 1): Sourced(
                            Decimal("0.0042") if block == "PUNTA" else Decimal(0), "Tarifas EIS-TOU.xlsx, EIS-TOU!E18"
                        )
                    },
                )
                for block in RATES
            },
        },
        scalars={ScalarKind.VAT_RATE: Dated.of("vat", fixed)},
        rules=rules or BillingRules(),
        version="7f3a9c0d1e2b4f56" * 4,
    )


def ranges(count: int) -> tuple[EstimatedRange, ...]:
    """That many estimated runs, of two methods; the first one ends at midnight."""
    first = datetime(2021, 9, 2, 4, 15, tzinfo=UTC)
    return tuple(
        EstimatedRange(
            start=first + timedelta(days=n, hours=n % 5),
            end=first + timedelta(days=n, hours=n % 5 + 1, minutes=45),
            slots=7,
            kwh=Decimal("41.125") + n,
            method="similar-days" if n % 3 else "similar-days-register",
        )
        for n in range(count)
    )


def steel(
    *,
    locale: str = "es-SV",
    issued: bool = True,
    name: str | None = None,
    change: date | None = None,
    estimated: int = 1,
    corrected: bool = False,
    rules: BillingRules | None = None,
    contracted: str | None = "650",
) -> CustomerMonth:
    """The steel works' September 2021."""
    base: CustomerMonth = sample_desks.customer_month(locale=locale, kw=contracted)
    contract = base.contract
    if name is not None:
        contract = dataclasses.replace(contract, customer=dataclasses.replace(contract.customer, name=name))
    prices = tariff(change, rules)
    earlier = [
        Correction(
            period=Period(date(2021, 8, 1), date(2021, 9, 1)),
            month="2021-08",
            invoice="FAC-000321",
            difference=Decimal("-41.37"),
            origin="subtotal 10,958.63 on the readings known now, less 11,000.00 billed by FAC-000321",
        )
    ]
    made = bill(
        contract,
        PERIOD,
        usage((change,) if change else ()),
        prices,
        timezone=ZONE,
        calendar_name="Bloques horarios",
        estimated=ranges(estimated),
        corrections=earlier if corrected else (),
        provenance=Provenance(
            lake_version=14,
            sources={"ab" * 32: "Ejemplo de procesamiento de descargas de medidores.xlsx"},
            tariff_version=prices.version,
            calendar_version="c0ffee00" * 8,
            code_version="0.1.0",
            readings_hash="12" * 32,
        ),
    )
    invoice = base.invoice
    assert invoice is not None
    return dataclasses.replace(
        base,
        contract=contract,
        bill=made,
        invoice=dataclasses.replace(invoice, bill=made, input_hash="5d41402abc4b2a76b9719d911017c592" * 2)
        if issued
        else None,
    )
