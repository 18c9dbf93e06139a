"""A bill survives JSON; the hash of the inputs changes with what determines the amounts, and with nothing else."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from billing_builders import SEPTEMBER, ZONE, make_contract, make_tariff, sourced
from billing_cases import bill_of, make_case

from eisenergy.billing.codec import dump, input_hash, load
from eisenergy.billing.corrections import Correction
from eisenergy.billing.model import Provenance
from eisenergy.findings import warning
from eisenergy.masters.codec import BadRecord
from eisenergy.tariffs.model import BillingRules, DemandBasis, RateKind, ScalarKind
from eisenergy.usage import EstimatedRange


def test_round_trip_through_json_text() -> None:
    for seed in range(60):
        made = replace(
            bill_of(make_case(seed)),
            findings=(warning("missing-slots", "5614086", "One interval is missing.", slots=1, share=0.5),),
            estimated=(
                EstimatedRange(
                    start=datetime(2021, 9, 1, 6, tzinfo=UTC),
                    end=datetime(2021, 9, 1, 7, tzinfo=UTC),
                    slots=4,
                    kwh=Decimal("1.50"),
                    method="nearest similar days",
                ),
            ),
            provenance=Provenance(
                lake_version=7,
                sources={"b" * 64: "5614086.xlsx", "a" * 64: "late.csv"},
                tariff_version="t",
                calendar_version="c",
                code_version="0.1.0",
                readings_hash="r",
            ),
        )
        again = load(json.loads(json.dumps(dump(made), sort_keys=True)))
        assert again == made
        assert repr(again) == repr(made)  # 1.50 stays 1.50, and the order of the files too


def test_a_record_of_another_shape_is_refused() -> None:
    data = dump(bill_of(make_case(1)))
    del data["timezone"]
    with pytest.raises(BadRecord, match="expected the fields"):
        load(data)


CHANGED = date(2021, 9, 16)
RATES = {
    RateKind.ENERGY: {"VALLE": {date(2021, 1, 1): "0.1", date(2021, 10, 1): "0.3"}},
    RateKind.DEMAND: {"VALLE": {date(2021, 1, 1): "7"}},
    RateKind.FTPMS: {"VALLE": {date(2021, 11, 1): "0.01"}},
}
SCALARS = {ScalarKind.VAT_RATE: {date(2021, 1, 1): "0.13"}}
TARIFF = make_tariff(RATES, SCALARS)
CONTRACT = make_contract()
LATE = Correction(period=SEPTEMBER, month="2021-08", invoice="FAC-1", difference=Decimal("1.5"), origin="late")
GIVEN: dict[str, Any] = {
    "contract": CONTRACT,
    "period": SEPTEMBER,
    "readings_hash": "r",
    "tariff": TARIFF,
    "timezone": ZONE,
    "calendar_version": "c",
    "code_version": "0.1.0",
}


def digest(**changes: Any) -> str:
    return input_hash(**(GIVEN | changes))


def test_the_hash_is_stable_across_processes() -> None:
    # written down once: it may only change together with a reason in the changelog
    assert digest() == "561b9c83e393db91d1408e5892fa9e8008f99403e86bbbc11f229e4d5828e37e"


@pytest.mark.parametrize(
    "changes",
    [{}, {"corrections": [LATE]}, {"readings_hash": 'ñ"\\'}, {"contract": replace(CONTRACT, loss_factor=None)}],
)
def test_the_hash_is_over_the_canonical_json_of_all_facts(changes: dict[str, Any]) -> None:
    given = GIVEN | changes
    contract, tariff = given["contract"], given["tariff"]

    def own(name: str) -> str | None:
        value = getattr(contract, name)
        return None if value is None else f"{value.value.normalize():f}"

    facts = {
        "contract": contract.number,
        "meter": contract.meter.serial,
        **{name: own(name) for name in ("loss_factor", "municipal_fee", "retention_rate", "discount_rate")},
        "period": ["2021-09-01", "2021-10-01"],
        "timezone": ZONE,
        "calendar": "c",
        "readings": given["readings_hash"],
        "currency": tariff.currency,
        "rules": {
            "demand_basis": "period_max",
            "demand_rate_block": tariff.rules.demand_rate_block,
            "loss_basis": "charge_per_kwh",
            "ftpms_blocks": list(tariff.rules.ftpms_blocks),
            "deviation_mode": str(tariff.rules.deviation_mode),
        },
        "prices": [
            {
                "from": "2021-09-01",
                "rates": {"energy/VALLE": "0.1", "demand/VALLE": "7", "ftpms/VALLE": None},
                "values": {"vat_rate": "0.13"},
            }
        ],
        "corrections": [["2021-08", "FAC-1", "1.5"] for _ in given.get("corrections", ())],
        "code": "0.1.0",
    }
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    assert input_hash(**given) == hashlib.sha256(canonical.encode()).hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {"readings_hash": "s"},
        {"calendar_version": "d"},
        {"code_version": "0.2.0"},
        {"timezone": "UTC"},
        {"period": replace(SEPTEMBER, end=date(2021, 9, 30))},
        {"contract": replace(CONTRACT, loss_factor=None)},
        {"contract": replace(CONTRACT, municipal_fee=sourced("12.51"))},
        {"contract": replace(CONTRACT, discount_rate=sourced("0.03"))},
        {"contract": replace(CONTRACT, retention_rate=sourced("0"))},
        {"contract": replace(CONTRACT, meter=replace(CONTRACT.meter, serial="1"))},
        {"contract": replace(CONTRACT, number="EIS-0002")},
        {"tariff": replace(TARIFF, rules=BillingRules(demand_basis=DemandBasis.BLOCK_MAX))},
        {"tariff": replace(TARIFF, currency="EUR")},
        {"tariff": make_tariff({**RATES, RateKind.DEMAND: {"VALLE": {date(2021, 1, 1): "7.1"}}}, SCALARS)},
        {"tariff": make_tariff(RATES, {ScalarKind.VAT_RATE: {date(2021, 1, 1): "0.13", CHANGED: "0.15"}})},
        {"corrections": [LATE]},
    ],
)
def test_whatever_determines_the_amounts_changes_the_hash(changes: dict[str, Any]) -> None:
    assert digest(**changes) != digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"contract": replace(CONTRACT, customer=replace(CONTRACT.customer, phone="1"))},
        {"contract": replace(CONTRACT, discount_rate=sourced("0.020", "another cell"))},
        {"tariff": make_tariff({**RATES, RateKind.ENERGY: {"VALLE": {date(2021, 1, 1): "0.10"}}}, SCALARS)},
        {"tariff": replace(TARIFF, version="another")},
        {"corrections": []},
    ],
)
def test_what_does_not_determine_them_leaves_it(changes: dict[str, Any]) -> None:
    assert digest(**changes) == digest()


@pytest.mark.parametrize("module", ["eisenergy.billing.engine", "eisenergy.billing.codec", "eisenergy.ledger.explain"])
def test_billing_loads_nothing_heavy(module: str) -> None:
    heavy = "{'pandas', 'polars', 'sqlalchemy', 'fastapi', 'numba', 'openpyxl', 'deltalake', 'papermill'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "[]"
