"""What a tariff lacks for a calendar and a month."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from eisenergy.accounts import Sourced
from eisenergy.findings import Severity
from eisenergy.period import BillingMonth, Dated
from eisenergy.tariffs.check import check
from eisenergy.tariffs.model import BillingRules, DemandBasis, RateKind, ScalarKind, Tariff

SEPTEMBER = BillingMonth(2021, 9).period
START = date(2021, 1, 1)


@dataclass(frozen=True)
class Calendar:
    name: str = "C"
    blocks: tuple[str, ...] = ("VALLE", "PUNTA")


def dated(values=None):
    pairs = {START: "0.1"} if values is None else values
    return Dated.of("x", {day: text and Sourced(Decimal(text), "by hand") for day, text in pairs.items()})


def tariff(**changes):
    whole = Tariff(
        name="T",
        currency="USD",
        calendar="C",
        rates={
            RateKind.ENERGY: {"VALLE": dated(), "PUNTA": dated()},
            RateKind.DEMAND: {"VALLE": dated(), "PUNTA": dated()},
            RateKind.FTPMS: {"PUNTA": dated()},
        },
        scalars={ScalarKind.VAT_RATE: dated()},
        rules=BillingRules(demand_rate_block="VALLE"),
    )
    return replace(whole, **changes)


def with_rate(kind, block, values):
    whole = tariff()
    return replace(whole, rates={**whole.rates, kind: {**whole.rates.get(kind, {}), block: dated(values)}})


def found(one, calendar=None):
    return [(f.code, f.severity, f.data.get("block")) for f in check(one, calendar or Calendar(), SEPTEMBER)]


def test_a_whole_tariff_has_no_findings():
    assert check(tariff(), Calendar(), SEPTEMBER) == ()


def test_days_without_a_rate_are_counted():
    late = with_rate(RateKind.ENERGY, "PUNTA", {date(2021, 9, 11): "0.1", date(2021, 9, 28): None})
    (finding,) = (f for f in check(late, Calendar(), SEPTEMBER) if f.code == "no-rate")
    assert finding.severity is Severity.BLOCKING
    assert finding.data == {"kind": "energy", "block": "PUNTA", "first": "2021-09-01", "days": 13}
    assert "no energy rate of block PUNTA on 13 days of [2021-09-01, 2021-10-01), 2021-09-01 first" in finding.message


def test_a_block_of_the_calendar_without_rates():
    three = Calendar(blocks=("VALLE", "PUNTA", "RESTO"))
    assert (
        found(tariff(), three) == [("no-rate", Severity.BLOCKING, "RESTO")] * 2
    )  # energy and demand; FTPMS is PUNTA's
    assert found(tariff(rates={})) == [("no-rate", Severity.BLOCKING, block) for block in ("VALLE", "PUNTA")]


def test_ftpms_is_needed_where_it_applies():
    wider = tariff(rules=BillingRules(ftpms_blocks=("PUNTA", "VALLE")))
    assert found(wider) == [("no-rate", Severity.BLOCKING, "VALLE")]


def test_blocks_the_calendar_does_not_know():
    assert found(with_rate(RateKind.ENERGY, "VALE", None)) == [("unknown-block", Severity.WARNING, "VALE")]
    other = tariff(rules=BillingRules(demand_rate_block="VALE", ftpms_blocks=("PUNTA", "PICO")))
    assert found(other) == [("unknown-block", Severity.BLOCKING, "VALE"), ("unknown-block", Severity.BLOCKING, "PICO")]
    per_block = BillingRules(demand_rate_block="VALE", demand_basis=DemandBasis.BLOCK_MAX)
    assert found(tariff(rules=per_block)) == []  # the rule is not used


def test_the_calendar_it_was_made_for():
    (finding,) = check(tariff(calendar="other"), Calendar(), SEPTEMBER)
    assert (finding.code, finding.severity) == ("other-calendar", Severity.BLOCKING)
    assert "made for the calendar other, found C" in finding.message


def test_values_that_do_not_depend_on_the_block():
    (finding,) = check(tariff(scalars={}), Calendar(), SEPTEMBER)
    assert (finding.code, finding.severity) == ("no-value", Severity.BLOCKING)
    late = tariff(scalars={ScalarKind.VAT_RATE: dated({date(2021, 9, 2): "0.13"})})
    (finding,) = check(late, Calendar(), SEPTEMBER)
    assert (finding.code, finding.data["first"]) == ("no-value", "2021-09-01")


def test_a_rate_that_one_block_did_not_renew():
    renewed = with_rate(RateKind.ENERGY, "PUNTA", {START: "0.1", date(2021, 9, 15): "0.2"})
    (finding,) = check(renewed, Calendar(), SEPTEMBER)
    assert (finding.code, finding.severity) == ("rate-not-renewed", Severity.WARNING)
    assert "changes on 2021-09-15, but not in block VALLE" in finding.message
