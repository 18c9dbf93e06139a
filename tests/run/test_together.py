"""A desk that was read together with others' is the desk opened alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from eisenergy.accounts import Scope
from eisenergy.cli import documents, making
from eisenergy.config import Settings
from eisenergy.desk import CustomerMonth, open_customer, together
from eisenergy.desk.workspace import Workspace
from eisenergy.period import BillingMonth
from eisenergy.run import month
from eisenergy.run.remembered import keep_history

BOTH = ("EIS-0001", "EIS-0002")


@pytest.fixture
def settings_of(billed: Workspace, scope: Scope) -> Iterator[Settings]:
    keep_history(
        billed, scope, BillingMonth(2021, 9)
    )  # as `publish` does first: a month that is not kept sends a desk to be opened alone
    yield Settings.load(billed.environment(), client="EIS")
    together.forget()


def opened(settings: Settings, customer: str) -> CustomerMonth:
    return open_customer("EIS", customer, "2021-09", settings=settings)


def same(one: CustomerMonth, other: CustomerMonth) -> None:
    for field in dataclasses.fields(CustomerMonth):
        if field.name == "slots":
            assert one.slots.schema == other.slots.schema
            assert one.slots.equals(other.slots)
        else:
            assert getattr(one, field.name) == getattr(other, field.name), field.name


@pytest.mark.parametrize("issued", [False, True])
def test_it_is_the_desk_opened_alone(billed: Workspace, settings_of: Settings, scope: Scope, issued: bool) -> None:
    if issued:
        month.issue_month(
            billed, scope, BillingMonth(2021, 9), issued_on=date(2021, 10, 5), at=datetime(2021, 10, 5, tzinfo=UTC)
        )
    alone = {customer: opened(settings_of, customer) for customer in BOTH}
    assert alone["EIS-0002"].bill.estimated  # one of them has gaps
    together.announce("EIS", BOTH, "2021-09")
    found = {customer: together.desk(settings_of, "EIS", customer, "2021-09") for customer in reversed(BOTH)}
    for customer in BOTH:
        shown = found[customer]
        if shown is None:
            assert not issued  # a draft with estimates is made again, alone
            assert customer == "EIS-0002"
        else:
            same(shown, alone[customer])
        same(opened(settings_of, customer), alone[customer])


def test_what_one_notebook_changes_the_next_does_not_see(settings_of: Settings) -> None:
    together.announce("EIS", BOTH, "2021-09")
    first = together.desk(settings_of, "EIS", "EIS-0001", "2021-09")
    assert first is not None
    kept = first.slots["kwh"][0]
    first.slots[0, "kwh"] = -1.0
    first.history[-1].kwh.clear()
    second = together.desk(settings_of, "EIS", "EIS-0001", "2021-09")
    assert second is not None
    assert second.slots["kwh"][0] == kept
    assert second.history[-1].kwh


def test_the_desk_of_a_single_customer_is_read_once_for_all_its_notebooks(settings_of: Settings) -> None:
    task = documents.Task(
        client="EIS", customer="EIS-0001", month="2021-09", facts="", sources="", renderer="embedded", locale="es-SV"
    )
    making.begin([task])
    assert together.desk(settings_of, "EIS", "EIS-0001", "2021-09") is not None
    making.begin([replace(task, customer=None)])  # the operator's page reads no customer's desk
    assert together.desk(settings_of, "EIS", "EIS-0001", "2021-09") is None


def test_only_who_was_announced_is_read(settings_of: Settings) -> None:
    together.announce("EIS", ["EIS-0001", "EIS-0003"], "2021-09")
    assert together.desk(settings_of, "EIS", "EIS-0002", "2021-09") is None
    assert together.desk(settings_of, "EIS", "EIS-0001", "2021-08") is None
    assert together.desk(settings_of, "EIS", "EIS-0001", "2021-09") is not None
    (batch,) = together._READ
    assert batch.scope.customers == {"EIS-0001", "EIS-0003"}
    assert not batch.scope.writes
    assert set(batch.cases) <= {"EIS-0001", "EIS-0003"}
    elsewhere = replace(settings_of, renderer="embedded")
    assert together.desk(elsewhere, "EIS", "EIS-0001", "2021-09") is None
    together.forget()
    assert together.desk(settings_of, "EIS", "EIS-0001", "2021-09") is None
