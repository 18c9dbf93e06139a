"""The engine against exact fractions: to the cent, on every line, on random bills; and that a broken charge is noticed."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from functools import partial
from itertools import islice
from typing import Any

import pytest
from billing_cases import arguments_of, bill_of, check, disagreement, make_case, measured_usage, plain_usage
from oracle import excel_cents, settle

from eisenergy.billing import charges, eispower, rates
from eisenergy.billing.engine import bill
from eisenergy.period import Period
from eisenergy.tariffs.model import BillingRules

pytestmark = pytest.mark.untraced
"""Ten thousand bills under a tracer take minutes, and prove nothing more; the rules' own tests take every branch."""


def _more(*case: Any) -> Any:
    """The same with other draws, left to ``make test-long``."""
    return pytest.param(*case, marks=pytest.mark.long)


@pytest.mark.parametrize("first", [0, 2_400, _more(4_800), _more(7_200)])
def test_small_bills(first: int) -> None:
    assert check(first, 2_400) == []


@pytest.mark.parametrize(
    ("size", "first", "count", "aggregate"),
    [
        ("small", 100_000, 250, measured_usage),
        _more("small", 101_000, 7_800, measured_usage),
        ("days", 200_000, 100, measured_usage),
        _more("days", 201_000, 1_500, measured_usage),
        ("days", 300_000, 40, plain_usage),
        _more("days", 301_000, 500, plain_usage),
        ("month", 400_000, 10, measured_usage),
        _more("month", 401_000, 200, measured_usage),
    ],
)
def test_larger_bills_and_bills_through_the_kernel(size: str, first: int, count: int, aggregate: Any) -> None:
    found = {}
    for seed in range(first, first + count):
        case = make_case(seed, size)
        text = disagreement(case, bill_of(case, aggregate))
        if text:
            found[seed] = text
    assert found == {}


@pytest.mark.long
def test_a_million_bills() -> None:
    chunk = 2_000
    with multiprocessing.get_context("spawn").Pool() as pool:
        for found in pool.imap_unordered(partial(check, count=chunk), range(1_000_000, 2_000_000, chunk)):
            assert found == []


def test_cases_cover_every_option() -> None:
    seen: Counter[str] = Counter()
    for seed in range(400):
        case = make_case(seed)
        seen.update(
            [
                case.demand_basis,
                case.loss_basis,
                case.deviation_mode,
                f"ftpms in {len(case.ftpms_blocks)} blocks",
                f"{len(case.corrections)} corrections",
            ]
        )
        seen["no forecast"] += all(value is None for value in case.forecast)
        seen["zero kWh"] += not any(case.kwh)
        seen["no loss factor"] += case.contract_loss is None and not case.tariff_loss
        seen["price per slot"] += any(value is not None for value in case.slot_neg)
        seen["rate changes inside"] += any(case.start < day < case.end for _, day, _ in case.energy)
        seen["demand rate changes inside"] += any(case.start < day < case.end for _, day, _ in case.demand)
        seen["vat changes inside"] += any(case.start < day < case.end for day, _ in case.vat)
        seen["tie of the maximum"] += case.kw.count(max(case.kw)) > 1
        seen["negative line"] += any(value < 0 for name, value in settle(case).items() if name == "correction")
    assert min(seen.values()) >= 8, seen
    assert {"block_max", "period_max", "charge_per_kwh", "energy", "shortfall", "both", "2 corrections"} < set(seen)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        ("1.005", "1.01"),
        ("2.675", "2.68"),
        ("-2.675", "-2.68"),
        ("0.0049999999999999999", "0.01"),
        ("0.00499999999999999", "0"),
        ("123456789012345678.5", "123456789012346000"),
        ("999999999999999.6", "1000000000000000"),
        ("0", "0"),
    ],
)
def test_the_oracles_own_rounding(value: str, rounded: str) -> None:
    assert excel_cents(Fraction(value)) == Fraction(rounded)


def test_the_threads_decimal_context_changes_nothing() -> None:
    for seed in range(60):
        made, arguments = arguments_of(make_case(seed))
        with localcontext() as context:
            context.prec = 4
            again = bill(*made, **arguments)
        assert again == bill(*made, **arguments)


# ------------------------------------------------------------------------------------------- what the oracle must notice


def _half_even(value: Decimal, places: int = 2) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)


def _first_cell_only(charge: Callable[..., Any]) -> Callable[..., Any]:
    return lambda usage, *rest: charge(replace(usage, cells=usage.cells[:1]), *rest)


def _last_demand_rate(kw: Decimal, dated: Any, period: Period, unit: str, block: str | None) -> Any:
    return charges_weighted(kw, dated[-1:], period, unit, block)


charges_weighted = charges._weighted
_share = charges.share


def _share_of_exact(code: Any, base: Decimal, *rest: Any, **more: Any) -> Any:
    return _share(code, base + Decimal("0.01"), *rest, **more)


BROKEN: dict[str, tuple[Any, str, Any]] = {
    "rounding half to even": (charges, "excel_round", _half_even),
    "energy of one cell only": (charges, "energy", _first_cell_only(charges.energy)),
    "losses of one cell only": (charges, "losses", _first_cell_only(charges.losses)),
    "ftpms of one cell only": (charges, "ftpms", _first_cell_only(charges.ftpms)),
    "deviation of one cell only": (charges, "deviation", _first_cell_only(charges.deviation)),
    "demand at the last rate": (charges, "_weighted", _last_demand_rate),
    "shares of a cent more": (charges, "share", _share_of_exact),
    "vat of the first day": (rates, "last_day", lambda period: period.start),
    "corrections forgotten": (eispower.corrections, "line", lambda *_: None),
    "prices of the readings ignored": (rates, "per_slot", lambda *_: None),
    "shortfall for excess": (charges, "excess", charges.shortfall),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_charge_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, attribute, broken = BROKEN[name]
    monkeypatch.setattr(module, attribute, broken)
    noticed = 0
    for seed in range(200):
        case = make_case(seed)
        try:
            noticed += bool(disagreement(case, bill_of(case)))
        except LookupError:
            noticed += 1
        if noticed == 3:
            return
    pytest.fail(f"noticed in {noticed} of 200 bills")


@pytest.mark.parametrize(
    "rules",
    [
        {"demand_basis": "block_max"},
        {"loss_basis": "energy"},
        {"ftpms_blocks": ("RESTO",)},
        {"deviation_mode": "both"},
    ],
)
def test_an_option_changes_the_bill(rules: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    import billing_cases

    monkeypatch.setattr(billing_cases, "BillingRules", lambda **given: BillingRules(**(given | rules)))
    differ = (case for case in map(make_case, range(60)) if disagreement(case, bill_of(case)))
    assert len(list(islice(differ, 5))) == 5
