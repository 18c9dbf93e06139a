"""Masters, bills and readings for the tests of the store, and processes that work on the same workspace."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from eisenergy.accounts import Client, Contract, Customer, Meter, Scope, Site, Sourced
from eisenergy.billing.model import Bill, BillLine, Indicators, LineCode
from eisenergy.config import Settings
from eisenergy.period import BillingMonth, Dated
from eisenergy.store.books import Draft
from eisenergy.tariffs.model import RateKind, ScalarKind, Tariff

SEPTEMBER = BillingMonth(2021, 9)
OCTOBER = BillingMonth(2021, 10)
EIS = Scope.operator("EIS")
OTHER = Scope.operator("LUZ")
AT = datetime(2021, 10, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
START = datetime(2021, 9, 1, 6, tzinfo=UTC)


def make_client(code: str = "EIS", **changes: object) -> Client:
    values: dict[str, object] = {
        "code": code,
        "name": "EIS Power, S.A. de C.V.",
        "nit": "0614-010120-101-1",
        "ncr": "300000-1",
        "activity": "Comercialización de energía eléctrica",
        "address": "San Salvador",
        "phone": "2222-0000",
        "email": "facturas@eispower.example",
        "website": "eispower.example",
        "timezone": "America/El_Salvador",
        "currency": "USD",
        "locale": "es-SV",
        "series": "FAC",
        "due_days": 15,
        "max_missing_share": 0.1,
    }
    return Client(**{**values, **changes})  # type: ignore[arg-type]


def make_contract(n: int, **changes: object) -> Contract:
    code = f"EIS-{n:04d}"
    customer = Customer(
        code=code,
        name=f"Cliente {n}",
        nit="0614",
        ncr="1",
        address="Ateos",
        municipality="Sacacoyo",
        phone="2338",
        email="a@b.example",
        activity="acero",
    )
    values: dict[str, object] = {
        "number": code,
        "customer": customer,
        "meter": Meter(serial=f"M{n}", site=Site(node="Ateos", municipality="Sacacoyo", address="Km 24")),
        "tariff": "EIS-TOU",
        "contracted_kw": Sourced(Decimal("650"), "M5"),
        "loss_factor": None,
        "municipal_fee": Sourced(Decimal("12.50"), "O5"),
        "retention_rate": Sourced(Decimal("0.01"), "P5"),
        "discount_rate": Sourced(Decimal("0.02"), "Q5"),
        "start": date(2020, 9, 1),
        "notes": {"Región": "occidente"},
    }
    return Contract(**{**values, **changes})  # type: ignore[arg-type]


def make_tariff(name: str = "EIS-TOU", rate: str = "0.1", version: str = "v1") -> Tariff:
    # The blocks are in an order that neither the alphabet nor the length of the names gives.
    rates = {
        block: Dated.of(block, {date(2020, 1, 1): Sourced(Decimal(rate), "B2")})
        for block in ("VALLE", "RESTO", "PUNTA", "A")
    }
    vat = Dated.of("vat", {date(2020, 1, 1): Sourced(Decimal("0.13"), "B9")})
    return Tariff(
        name=name,
        currency="USD",
        calendar="EIS",
        rates={RateKind.ENERGY: rates},
        scalars={ScalarKind.VAT_RATE: vat},
        version=version,
    )


def make_draft(contract: Contract, month: BillingMonth = SEPTEMBER, total: str = "10.00") -> Draft:
    def line(code: LineCode, amount: str, quantity: str | None = None) -> BillLine:
        return BillLine(
            code=code,
            quantity=None if quantity is None else Decimal(quantity),
            unit="kWh" if quantity else "",
            rate=None,
            exact=Decimal(amount) + Decimal("0.0000001"),
            amount=Decimal(amount),
            formula="test",
        )

    bill = Bill(
        contract=contract,
        period=month.period,
        timezone="America/El_Salvador",
        currency="USD",
        tariff="EIS-TOU",
        calendar="EIS",
        lines=(line(LineCode.ENERGY, total, "123.456789012345"), line(LineCode.TOTAL, total)),
        blocks=(),
        indicators=Indicators(load_factor=Decimal("0.5"), power_factor=None, price_per_kwh=None),
        slots_expected=2880,
        slots_missing=0,
        rules={"ftpms_blocks": ["PUNTA"]},
    )
    return Draft(bill=bill, input_hash=f"{contract.number} {month} {total}")


def start_child(script: str, settings: Settings, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python process that works on the same workspace; it can import this module."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("EISENERGY_")}
    environ.update(settings.environment())
    environ["PYTHONPATH"] = str(Path(__file__).parent)
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
    return subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(child: subprocess.Popen[str]) -> str:
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    return out
