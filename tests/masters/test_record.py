"""A contract as a form: the rules of a customer list, field by field."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from eisenergy.accounts import Contract, Sourced
from eisenergy.masters import customers, record

LIST = Path(__file__).parents[2] / "data" / "samples" / "Datos de clientes para facturación.xlsx"
CONTRACTS = customers.read(LIST).contracts


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda one: one.number)
def test_what_is_not_changed_stays_as_it_is(contract: Contract) -> None:
    """Every number with its cell, remarks and all."""
    assert record.edited(contract, record.texts(contract), origin="portal") == contract
    ended = replace(contract, end=date(2022, 1, 1), retention_rate=Sourced(Decimal("0.015"), "P5"))
    assert record.texts(ended)["end"] == "2021-12-31"
    assert record.texts(ended)["retention"] == "1.5"
    assert record.edited(ended, record.texts(ended), origin="portal") == ended


CASES = {
    "name": {"": "missing-cell"},
    "meter": {" ": "missing-cell"},
    "tariff": {"": "missing-cell"},
    "start": {
        "": "missing-cell",
        "2021-02-30": "unreadable-date",
        "01/02/2021": "unreadable-date",
        "x": "unreadable-date",
    },
    "end": {"2019-01-01": "unreadable-date"},
    "contracted_kw": {
        "-1": "negative-number",
        "6,5": "text-for-number",
        "1e3": "text-for-number",
        "٣": "text-for-number",
    },
    "loss_factor": {"NaN": "text-for-number", "1" * 30: "text-for-number"},
    "municipal_fee": {"=1+1": "text-for-number"},
    "retention": {"100.1": "share-above-one"},
    "discount": {"-0.1": "negative-number"},
}


@pytest.mark.parametrize("field", CASES)
def test_what_a_list_refuses_is_refused_at_its_field(field: str) -> None:
    contract = CONTRACTS[0]
    for text, code in CASES[field].items():
        with pytest.raises(record.Unfit) as found:
            record.edited(contract, record.texts(contract) | {field: text}, origin="portal")
        assert [(one.field, one.code) for one in found.value.faults] == [(field, code)], text


def test_what_is_changed_says_where_it_comes_from() -> None:
    contract = CONTRACTS[0]
    typed = record.texts(contract) | {
        "retention": "2",
        "contracted_kw": "",
        "email": "a@b.example",
        "end": "2022-06-30",
    }
    found = record.edited(contract, typed, origin="portal, 2026-11-01")
    assert found.retention_rate == Sourced(Decimal("0.02"), "portal, 2026-11-01")
    assert found.contracted_kw is None
    assert found.customer == replace(contract.customer, email="a@b.example")
    assert found.end == date(2022, 7, 1)
    assert found.loss_factor == contract.loss_factor
    moved = record.edited(
        contract, record.texts(contract) | {"address": "Otra calle", "node": "Nodo 7"}, origin="portal"
    )
    assert (moved.meter.site.address, moved.customer.address, moved.meter.site.node) == (
        "Otra calle",
        "Otra calle",
        "Nodo 7",
    )
