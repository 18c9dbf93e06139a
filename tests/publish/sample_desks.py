"""Desks built by hand from the reference workbook's cached values: no part of the library computed them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import openpyxl
import polars as pl

from eisenergy.accounts import Client, Contract, Customer, Meter, Site, Sourced
from eisenergy.analytics.savings import Saving
from eisenergy.billing.model import Bill, BillLine, BlockSummary, Indicators, LineCode
from eisenergy.desk import ClientMonth, CustomerMonth, InvoiceHeadline, MonthTotals, OperatorRow
from eisenergy.findings import blocking, warning
from eisenergy.ledger.invoices import Invoice
from eisenergy.period import BillingMonth
from eisenergy.usage import EstimatedRange

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
WORKBOOK = SAMPLES / "Ejemplo de procesamiento de descargas de medidores.xlsx"
ZONE = ZoneInfo("America/El_Salvador")
MONTH = BillingMonth(2021, 9)
AMOUNTS = {
    LineCode.ENERGY: "6441.33",
    LineCode.DEMAND: "3798.58",
    LineCode.LOSSES: "885.61",
    LineCode.FTPMS: "38.28",
    LineCode.DEVIATION: "659.25",
    LineCode.DISCOUNT: "-236.46",
    LineCode.SUBTOTAL: "11586.59",
    LineCode.VAT: "1506.26",
    LineCode.RETENTION: "-115.87",
    LineCode.MUNICIPAL_FEE: "12.50",
    LineCode.TOTAL: "12989.48",
}
"""The workbook's B16:B26."""

BLOCKS = (
    ("VALLE", "2084.14", "0.098321", "204.91472894", "19.16", datetime(2021, 9, 7, 23, 45, tzinfo=ZONE)),
    ("RESTO", "46684.23", "0.109874", "5129.38308702", "510.48", datetime(2021, 9, 27, 14, 15, tzinfo=ZONE)),
    ("PUNTA", "9114.70", "0.121456", "1107.0350032", "459.92", datetime(2021, 9, 7, 20, 30, tzinfo=ZONE)),
)


@lru_cache(maxsize=1)
def workbook_slots() -> pl.DataFrame:
    """The 2,880 intervals of the workbook, as ``CustomerMonth.slots``; the 18th has 18 estimated ones."""
    book = openpyxl.load_workbook(WORKBOOK, data_only=True, read_only=True)
    sheet = book["Nodo Ateos 5614086"]
    rows = []
    for day, clock, kwh, kw, _, _, _, block, forecast in sheet.iter_rows(
        min_row=31, max_row=2910, max_col=9, values_only=True
    ):
        local = datetime.combine(day.date(), clock)
        rows.append((local, float(kwh), float(kw), block, float(forecast)))
    book.close()
    frame = pl.DataFrame(rows, schema=["local", "kwh", "kw", "block", "forecast_kwh"], orient="row")
    return frame.with_columns(
        start=(pl.col("local") + timedelta(hours=6)).dt.replace_time_zone("UTC"),
        day=pl.col("local").dt.date(),
        hour=pl.col("local").dt.hour(),
        weekday=pl.col("local").dt.weekday(),
        kwh_export=pl.lit(0.0),
        quality=pl.when(pl.col("local").is_between(pl.datetime(2021, 9, 18, 4), pl.datetime(2021, 9, 18, 8, 15)))
        .then(pl.lit("estimated"))
        .otherwise(pl.lit("measured")),
        method=pl.lit(None, dtype=pl.String),
    )


def client(locale: str = "es-SV") -> Client:
    return Client(
        code="EIS",
        name="EIS POWER, S.A. DE C.V.",
        nit="0614-010110-110-1",
        ncr="200100-1",
        activity="Comercialización de energía eléctrica",
        address="San Salvador",
        phone="2200-0000",
        email="facturacion@eispower.example",
        website="www.eispower.example",
        timezone="America/El_Salvador",
        currency="USD",
        locale=locale,
        series="FAC",
        due_days=15,
        max_missing_share=0.05,
    )


def contract(number: str = "EIS-0001", name: str = "Aceros de Ateos, S.A. de C.V.", kw: str | None = "650") -> Contract:
    def sourced(value: str) -> Sourced:
        return Sourced(Decimal(value), "Datos de clientes para facturación.xlsx")

    return Contract(
        number=number,
        customer=Customer(
            code=number,
            name=name,
            nit="0614-150390-101-2",
            ncr="45871-3",
            address="Km 24 carretera a Sonsonate, Ateos",
            municipality="Sacacoyo",
            phone="2338-1010",
            email="facturas@acerosateos.example",
            activity="Fabricación de productos de acero",
        ),
        meter=Meter(serial="5614086", site=Site(node="Ateos", municipality="Sacacoyo", address="Ateos")),
        tariff="EIS-TOU",
        contracted_kw=None if kw is None else sourced(kw),
        loss_factor=sourced("0.0153"),
        municipal_fee=sourced("12.50"),
        retention_rate=sourced("0.01"),
        discount_rate=sourced("0.02"),
        start=date(2020, 9, 1),
    )


def bill(of: Contract | None = None) -> Bill:
    return Bill(
        contract=of or contract(),
        period=MONTH.period,
        timezone="America/El_Salvador",
        currency="USD",
        tariff="EIS-TOU",
        calendar="Bloques horarios",
        lines=tuple(
            BillLine(
                code=code,
                quantity=Decimal("57883.07") if code is LineCode.ENERGY else None,
                unit="kWh" if code is LineCode.ENERGY else "USD",
                rate=None,
                exact=Decimal(amount),
                amount=Decimal(amount),
                formula="as the workbook has it",
            )
            for code, amount in AMOUNTS.items()
        ),
        blocks=tuple(
            BlockSummary(
                block=block,
                kwh=Decimal(kwh),
                kwh_export=Decimal(0),
                energy_rate=Decimal(rate),
                energy_amount=Decimal(amount),
                max_kw=Decimal(kw),
                max_kw_at=at.astimezone(UTC),
                max_kw_ties=1,
                slots=960,
                estimated=0,
            )
            for block, kwh, rate, amount, kw, at in BLOCKS
        ),
        indicators=Indicators(
            load_factor=Decimal("0.157484"), power_factor=Decimal("0.8871"), price_per_kwh=Decimal("0.224409")
        ),
        slots_expected=2880,
        slots_missing=0,
        estimated=(
            EstimatedRange(
                start=datetime(2021, 9, 18, 10, tzinfo=UTC),
                end=datetime(2021, 9, 18, 14, 30, tzinfo=UTC),
                slots=18,
                kwh=Decimal("44.1"),
                method="similar-days",
            ),
        ),
    )


def history() -> tuple[MonthTotals, ...]:
    rows = []
    for n in range(-12, 1):
        scale = Decimal(str(round(0.86 + 0.16 * math.sin(n * 0.9), 4))) if n else Decimal(1)
        kwh = {block: Decimal(value) * scale for block, value, *_ in BLOCKS}
        rows.append(
            MonthTotals(
                month=MONTH.plus(n),
                kwh=kwh,
                max_kw=Decimal("510.48") * scale,
                total=Decimal("12989.48") * scale,
                issued=n != -12,
                slots=2880,
                estimated=18 if n in (0, -5) else 0,
                missing=0,
            )
        )
    return tuple(rows)


def customer_month(
    *, locale: str = "es-SV", issued: bool = True, kw: str | None = "650", month: BillingMonth = MONTH
) -> CustomerMonth:
    of = contract(kw=kw)
    made = bill(of)
    issuer = client(locale)
    invoice = Invoice(
        number="FAC-000001",
        series="FAC",
        sequence=1,
        month=month,
        issuer=issuer,
        bill=made,
        issued_at=datetime(2021, 10, 1, 15, tzinfo=UTC),
        issued_on=date(2021, 10, 1),
        due_on=date(2021, 10, 16),
        input_hash="0" * 64,
    )
    return CustomerMonth(
        client=issuer,
        contract=of,
        month=month,
        bill=made,
        invoice=invoice if issued else None,
        slots=workbook_slots(),
        history=history(),
        savings=tuple(
            Saving(
                month=MONTH.plus(n),
                kwh=Decimal(50000),
                total=Decimal(11000),
                price_per_kwh=Decimal("0.22"),
                against_previous=None if n == -12 else Decimal(str(round(300 * math.sin(n), 2))),
                against_last_year=Decimal("412.50") if n == 0 else None,
                cumulative=Decimal(str(round(150 * (n + 12) + 200 * math.sin(n), 2))),
            )
            for n in range(-12, 1)
        ),
        invoices=tuple(
            InvoiceHeadline(
                number=f"FAC-00000{n + 1}",
                month=MONTH.plus(-n),
                issued_on=date(2021, 10 - n, 1),
                due_on=date(2021, 10 - n, 16),
                kwh=Decimal("57883.07") - n * 1000,
                total=Decimal("12989.48") - n * 400,
            )
            for n in range(3 if issued else 0)
        ),
    )


NAMES = (
    "Aceros de Ateos, S.A. de C.V.",
    "Restaurante La Ceiba, S.A. de C.V.",
    "Supermercado El Volcán",
    "Hotel Costa del Sol",
    "Panadería San José",
    "Clínica Santa Ana",
    "Textiles del Norte",
    "Café Izalco",
)


def client_month(*, locale: str = "es-SV") -> ClientMonth:
    rows = []
    for n, name in enumerate(NAMES):
        parked = "Faltan 312 de 2,880 intervalos (10.8 %). Cargue la descarga completa del medidor." if n == 6 else None
        kwh = None if parked else Decimal("57883.07") / (1 + n)
        rows.append(
            OperatorRow(
                contract=contract(f"EIS-000{n + 1}", name),
                number=None if parked else f"FAC-00000{n + 1}",
                kwh=kwh,
                max_kw=None if parked else Decimal("510.48") / (1 + n),
                total=None if parked else Decimal("12989.48") / (1 + n),
                estimated=18 if n == 1 else 0,
                missing=312 if parked else 0,
                parked=parked,
                distributor_kwh=(kwh + Decimal("41.5") if kwh and n < 3 else None),
                findings=(
                    blocking("missing-slots", "7714", parked),
                    warning("clock-jump", "7714", "El reloj del medidor saltó 15 minutos el 12/09/2021 a las 03:00."),
                )
                if parked
                else (),
            )
        )
    return ClientMonth(client=client(locale), month=MONTH, rows=tuple(rows), history=history())
