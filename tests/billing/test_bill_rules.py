"""Every option of the bill on figures that can be checked by hand, and every refusal with its sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from billing_builders import ZONE, Slot, make_contract, make_tariff, sourced, usage_of

from eisenergy.billing.engine import NotBillable, bill, in_force
from eisenergy.billing.model import Bill, LineCode
from eisenergy.billing.rates import AmbiguousDemandRate, UnknownBlock
from eisenergy.findings import warning
from eisenergy.period import NotInForce, Period
from eisenergy.tariffs.model import BillingRules, DemandBasis, DeviationMode, LossBasis, RateKind, ScalarKind, Tariff
from eisenergy.usage import EstimatedRange, SlotPrices, Usage

D = Decimal
FOUR_DAYS = Period(date(2021, 9, 13), date(2021, 9, 17))
LONG_AGO, CHANGE = date(2020, 1, 1), date(2021, 9, 16)  # the change leaves three days before it and one day of it

ENERGY = {"VALLE": {LONG_AGO: "0.1", CHANGE: "0.2"}, "RESTO": {LONG_AGO: "0.3"}, "PUNTA": {LONG_AGO: "0.5"}}
FLAT_DEMAND = {block: {LONG_AGO: 8, CHANGE: 12} for block in ENERGY}
OWN_DEMAND = {"VALLE": {LONG_AGO: 2}, "RESTO": {LONG_AGO: 4, CHANGE: 8}, "PUNTA": {LONG_AGO: 10}}
SCALARS: dict[ScalarKind, Mapping[date, object]] = {ScalarKind.VAT_RATE: {LONG_AGO: "0.13"}}


def tariff(
    rules: BillingRules | None = None,
    scalars: Mapping[ScalarKind, Mapping[date, object]] = SCALARS,
    **rates: Mapping[str, Mapping[date, object]],
) -> Tariff:
    kinds = {RateKind(name): values for name, values in {"energy": ENERGY, "demand": FLAT_DEMAND, **rates}.items()}
    return make_tariff(kinds, scalars, rules)


def slot(day: int, block: str, kwh: object, kw: object, forecast: object = None, **prices: object) -> Slot:
    hour = {"VALLE": 2, "RESTO": 10, "PUNTA": 20}[block]
    return Slot(
        start=datetime(2021, 9, day, 6, tzinfo=UTC) + timedelta(hours=hour),  # local midnight is 06:00 UTC
        block=block,
        kwh=D(str(kwh)),
        kw=D(str(kw)),
        forecast=None if forecast is None else D(str(forecast)),
        prices=SlotPrices(**{name: D(str(value)) for name, value in prices.items()}),
    )


SLOTS = [
    slot(13, "VALLE", 10, 40),
    slot(14, "RESTO", 20, 80),
    slot(15, "PUNTA", 30, 100),
    slot(16, "VALLE", 40, 60),
    slot(16, "RESTO", 0, 0),
]


def usage_for(priced: Tariff, slots: list[Slot] = SLOTS, period: Period = FOUR_DAYS) -> Usage:
    return usage_of(slots, period, priced.segments(period))


def make(priced: Tariff, slots: list[Slot] = SLOTS, contract: Any = None, **more: Any) -> Bill:
    return bill(
        contract or make_contract(),
        FOUR_DAYS,
        usage_for(priced, slots),
        priced,
        timezone=ZONE,
        calendar_name="EIS",
        **more,
    )


def exact(made: Bill, code: str) -> Decimal:
    return made.line(LineCode(code)).exact


def test_energy_is_priced_by_the_newest_rate_not_after_the_day() -> None:
    made = make(tariff())
    line = made.line(LineCode.ENERGY)
    assert line.exact == D("1.0") + D("6.0") + D("15.0") + D("8.0")
    assert (line.quantity, line.unit, line.rate) == (D(100), "kWh", None)
    assert [(p.block, p.quantity, p.rate, p.rate_from, p.period) for p in line.parts] == [
        ("VALLE", D(10), D("0.1"), LONG_AGO, Period(date(2021, 9, 13), CHANGE)),
        ("RESTO", D(20), D("0.3"), LONG_AGO, FOUR_DAYS),  # the change of another block's rate does not split it
        ("PUNTA", D(30), D("0.5"), LONG_AGO, Period(date(2021, 9, 13), CHANGE)),
        ("VALLE", D(40), D("0.2"), CHANGE, Period(CHANGE, date(2021, 9, 17))),
    ]
    valle, resto, _ = made.blocks
    assert (valle.energy_rate, valle.energy_amount, valle.kwh) == (None, D(9), D(50))
    assert (resto.energy_rate, resto.max_kw, resto.slots) == (D("0.3"), D(80), 2)


def test_demand_of_the_period_weighs_a_changing_rate_by_days() -> None:
    line = make(tariff()).line(LineCode.DEMAND)
    assert line.exact == D(100) * (8 * 3 + 12) / 4
    assert (line.quantity, line.unit, line.rate) == (D(100), "kW", None)
    assert [(p.label, p.quantity, p.rate, p.exact, p.rate_from) for p in line.parts] == [
        ("demand, 3 of 4 days", D(75), D(8), D(600), LONG_AGO),
        ("demand, 1 of 4 days", D(25), D(12), D(300), CHANGE),
    ]


def test_demand_of_the_period_at_the_rate_of_a_named_block() -> None:
    rules = BillingRules(demand_rate_block="RESTO")
    line = make(tariff(rules, demand=OWN_DEMAND)).line(LineCode.DEMAND)
    assert line.exact == D(100) * (4 * 3 + 8) / 4


def test_one_demand_rate_makes_one_part_though_other_prices_change() -> None:
    rules = BillingRules(demand_rate_block="PUNTA")
    line = make(tariff(rules, demand=OWN_DEMAND)).line(LineCode.DEMAND)
    assert [(p.label, p.quantity, p.period) for p in line.parts] == [("demand", D(100), FOUR_DAYS)]
    assert (line.rate, line.exact) == (D(10), D(1000))


def test_demand_of_the_blocks_adds_their_maxima_at_their_own_rates() -> None:
    rules = BillingRules(demand_basis=DemandBasis.BLOCK_MAX)
    line = make(tariff(rules, demand=OWN_DEMAND)).line(LineCode.DEMAND)
    assert line.exact == D(60) * 2 + D(80) * (4 * 3 + 8) / 4 + D(100) * 10
    assert [part.block for part in line.parts] == ["VALLE", "RESTO", "RESTO", "PUNTA"]
    assert line.quantity is None


def test_a_block_without_intervals_has_no_demand() -> None:
    rules = BillingRules(demand_basis=DemandBasis.BLOCK_MAX)
    made = make(tariff(rules, demand=OWN_DEMAND), SLOTS[:1])
    assert exact(made, "demand") == D(80)
    assert (made.blocks[2].max_kw, made.blocks[2].max_kw_at, made.blocks[2].max_kw_ties) == (D(0), None, 0)
    assert made.blocks[2].energy_rate is None


def test_different_demand_rates_need_the_setting() -> None:
    with pytest.raises(AmbiguousDemandRate, match=r"VALLE 2 .* RESTO 4 .*set the rule demand_rate_block"):
        make(tariff(demand=OWN_DEMAND))


def test_no_demand_rate_at_all_is_an_error() -> None:
    priced = make_tariff({RateKind.ENERGY: ENERGY}, SCALARS)
    with pytest.raises(NotInForce, match="demand rate: no value in force on 2021-09-13"):
        make(priced)


def test_losses_are_a_price_per_kwh_or_a_share_of_the_energy() -> None:
    assert exact(make(tariff()), "losses") == D(100) * D("0.0153")
    rules = BillingRules(loss_basis=LossBasis.ENERGY)
    line = make(tariff(rules)).line(LineCode.LOSSES)
    assert line.exact == D(30) * D("0.0153")
    assert line.parts[0].origin == "loss factor 0.0153 (master, N5) times energy rate 0.1 (energy VALLE of 2020-01-01)"


def test_the_most_specific_loss_factor_wins() -> None:
    priced = tariff(scalars={**SCALARS, ScalarKind.LOSS_FACTOR: {LONG_AGO: "0.02", CHANGE: "0.04"}})
    of_tariff = make(priced, contract=make_contract(loss_factor=None)).line(LineCode.LOSSES)
    assert of_tariff.exact == D(60) * D("0.02") + D(40) * D("0.04")
    assert of_tariff.parts[-1].rate_from == CHANGE
    assert exact(make(priced), "losses") == D(100) * D("0.0153")
    own = [*SLOTS[:3], slot(16, "VALLE", 40, 60, loss_factor="0.5")]
    line = make(priced, own).line(LineCode.LOSSES)
    assert line.exact == D(60) * D("0.0153") + D(40) * D("0.5")
    assert {part.origin for part in line.parts} == {
        "master, N5",
        "column loss_factor of the readings of meter 5614086",
    }


def test_no_loss_factor_anywhere_means_no_losses_and_a_hole_is_an_error() -> None:
    contract = make_contract(loss_factor=None)
    line = make(tariff(), contract=contract).line(LineCode.LOSSES)
    assert (line.exact, line.formula) == (
        D(0),
        "Neither the readings nor the contract nor the tariff carries a loss factor.",
    )
    with pytest.raises(NotInForce, match=r"loss factor of meter 5614086, block VALLE.*2021-09-13"):
        make(tariff(), [SLOTS[0], slot(14, "RESTO", 20, 80, loss_factor="0.01")], contract)


def test_ftpms_in_its_blocks_and_from_the_readings_first() -> None:
    ftpms = {"PUNTA": {LONG_AGO: "0.01"}, "RESTO": {LONG_AGO: "0.1"}}
    assert exact(make(tariff(ftpms=ftpms)), "ftpms") == D("0.3")
    both = BillingRules(ftpms_blocks=("PUNTA", "RESTO"))
    assert exact(make(tariff(both, ftpms=ftpms)), "ftpms") == D("2.3")
    own = [slot(14, "RESTO", 20, 80, ftpms=7), slot(15, "PUNTA", 30, 100, ftpms="0.02")]
    assert exact(make(tariff(ftpms=ftpms), own), "ftpms") == D("0.6")
    assert exact(make(tariff(), own), "ftpms") == D("0.6")
    nowhere = make(tariff(BillingRules(ftpms_blocks=()), ftpms=ftpms)).line(LineCode.FTPMS)
    assert (nowhere.exact, nowhere.formula) == (D(0), "FTPMS applies to no block.")
    unknown = make(tariff()).line(LineCode.FTPMS)
    assert (unknown.exact, unknown.formula) == (D(0), "Neither the readings nor the tariff carries an FTPMS surcharge.")


def test_ftpms_known_but_not_for_a_block_is_an_error() -> None:
    rules = BillingRules(ftpms_blocks=("VALLE",))
    with pytest.raises(NotInForce, match="ftpms rate of block VALLE"):
        make(tariff(rules, ftpms={"PUNTA": {LONG_AGO: "0.01"}}))


def test_ftpms_in_a_block_that_the_calendar_does_not_have_is_an_error() -> None:
    rules = BillingRules(ftpms_blocks=("PUNTA", "PICO"))
    with pytest.raises(UnknownBlock, match="ftpms_blocks names PICO, the calendar has the blocks VALLE, RESTO, PUNTA"):
        make(tariff(rules, ftpms={"PUNTA": {LONG_AGO: "0.01"}}))
    assert exact(make(tariff(rules)), "ftpms") == D(0)  # nobody carries FTPMS: the rule is not used


FORECAST = [
    slot(13, "VALLE", 10, 40, 13),
    slot(14, "RESTO", 20, 80, 15, cost_neg=9, cost_pos="0.3"),
    slot(15, "PUNTA", 30, 100, 32, cost_neg="0.5", cost_pos=9),
    slot(16, "VALLE", 40, 60),
]
COSTS = {block: {LONG_AGO: "0.1"} for block in ENERGY}


def test_deviation_below_the_forecast_and_above_it() -> None:
    line = make(tariff(cost_neg=COSTS, cost_pos=COSTS), FORECAST).line(LineCode.DEVIATION)
    assert line.exact == D(3) * D("0.1") + D(2) * D("0.5")
    assert line.quantity == D(5)
    rules = BillingRules(deviation_mode=DeviationMode.BOTH)
    line = make(tariff(rules, cost_neg=COSTS, cost_pos=COSTS), FORECAST).line(LineCode.DEVIATION)
    assert line.exact == D("1.3") + D(5) * D("0.3")
    assert [(part.label, part.block, part.quantity) for part in line.parts] == [
        ("below forecast", "VALLE", D(3)),
        ("below forecast", "PUNTA", D(2)),
        ("above forecast", "RESTO", D(5)),
    ]


def test_no_forecast_no_deviation_and_no_cost_no_charge() -> None:
    line = make(tariff(cost_neg=COSTS)).line(LineCode.DEVIATION)
    assert (line.exact, line.formula) == (D(0), "No forecast was given for this period, so there is no deviation.")
    without_costs = [replace(one, prices=SlotPrices()) for one in FORECAST]
    assert exact(make(tariff(), without_costs), "deviation") == D(0)
    with pytest.raises(NotInForce, match="cost_neg rate of block VALLE"):
        make(tariff(), FORECAST)


def test_sums_add_rounded_lines_and_the_fee_is_outside_vat() -> None:
    contract = make_contract(
        municipal_fee=sourced("3.005"), discount_rate=sourced("0.05"), retention_rate=sourced("0.01")
    )
    made = make(tariff(), [slot(13, "VALLE", "0.05", "0.2")], contract)
    # energy 0.005 -> 0.01, demand 0.2 * 9 = 1.80, losses 0.000765 -> 0.00; discount 1.81 * 5 % = 0.0905 -> 0.09
    amounts = {line.code.value: str(line.amount) for line in made.lines}
    assert amounts == {
        "energy": "0.01",
        "demand": "1.80",
        "losses": "0.00",
        "ftpms": "0.00",
        "deviation": "0.00",
        "discount": "-0.09",
        "subtotal": "1.72",
        "vat": "0.22",
        "retention": "-0.02",
        "municipal_fee": "3.01",
        "total": "4.93",
    }
    assert made.total == D("4.93")
    assert made.kwh == D("0.05")


def test_what_the_contract_does_not_say_is_the_tariff_s_on_the_last_day() -> None:
    scalars = {
        **SCALARS,
        ScalarKind.DISCOUNT_RATE: {LONG_AGO: "0.05", CHANGE: "0.1"},
        ScalarKind.RETENTION_RATE: {LONG_AGO: "0.02"},
        ScalarKind.MUNICIPAL_FEE: {LONG_AGO: "3", CHANGE: "4.5"},
    }
    silent = make_contract(municipal_fee=None, discount_rate=None, retention_rate=None)
    made = make(tariff(scalars=scalars), contract=silent)
    charged = sum(item.amount for item in made.lines[:5])
    assert made.line(LineCode.DISCOUNT).amount == -(charged * D("0.1")).quantize(D("0.01"), ROUND_HALF_UP)
    assert made.line(LineCode.DISCOUNT).parts[0].rate_from == CHANGE
    assert made.line(LineCode.RETENTION).amount == -(made.line(LineCode.SUBTOTAL).amount * D("0.02")).quantize(
        D("0.01"), ROUND_HALF_UP
    )
    assert made.line(LineCode.MUNICIPAL_FEE).amount == D("4.50")
    # The contract's own word is the more specific one, also where it is zero.
    stated = make(tariff(scalars=scalars), contract=make_contract(discount_rate=sourced(0)))
    assert str(stated.line(LineCode.DISCOUNT).amount) == "0.00"
    assert stated.line(LineCode.MUNICIPAL_FEE).amount == D("12.50")
    # Neither says anything: nothing is charged, and the line says why.
    nothing = make(tariff(), contract=silent)
    assert {str(nothing.line(LineCode(code)).amount) for code in ("discount", "retention", "municipal_fee")} == {"0.00"}
    assert nothing.line(LineCode.RETENTION).parts[0].origin == "none in the customer master, none in tariff EIS-TOU"
    later = {**SCALARS, ScalarKind.RETENTION_RATE: {FOUR_DAYS.end: "0.02"}}
    with pytest.raises(NotInForce, match="retention_rate"):
        make(tariff(scalars=later), contract=silent)


def test_no_discount_prints_zero_without_a_sign() -> None:
    made = make(tariff(), contract=make_contract(discount_rate=sourced(0), retention_rate=sourced(0)))
    assert str(made.line(LineCode.DISCOUNT).amount) == "0.00"
    assert str(made.line(LineCode.RETENTION).amount) == "0.00"


def test_vat_is_that_of_the_last_day() -> None:
    changes = {**SCALARS, ScalarKind.VAT_RATE: {LONG_AGO: "0.13", CHANGE: "0.15"}}
    line = make(tariff(scalars=changes)).line(LineCode.VAT)
    assert (line.rate, line.parts[0].rate_from) == (D("0.15"), CHANGE)
    later = {**SCALARS, ScalarKind.VAT_RATE: {LONG_AGO: "0.13", FOUR_DAYS.end: "0.15"}}
    assert make(tariff(scalars=later)).line(LineCode.VAT).rate == D("0.13")
    with pytest.raises(NotInForce, match="vat_rate: no value in force on 2021-09-16"):
        make(tariff(scalars={}))


def test_what_is_printed_beside_the_lines() -> None:
    noticed = (warning("estimated", "5614086", "One interval is an estimate."),)
    ranges = (
        EstimatedRange(
            start=datetime(2021, 9, 14, 16, tzinfo=UTC),
            end=datetime(2021, 9, 14, 16, 15, tzinfo=UTC),
            slots=1,
            kwh=D(20),
            method="same interval of the nearest similar days",
        ),
    )
    slots = [replace(SLOTS[1], estimated=True, kvarh=D(15), export=D(2)), SLOTS[2]]
    made = make(tariff(), slots, findings=noticed, estimated=ranges)
    assert (made.findings, made.estimated) == (noticed, ranges)
    assert (made.blocks[1].estimated, made.blocks[1].kwh_export) == (1, D(2))
    assert made.rules["ftpms_blocks"] == ["PUNTA"]
    assert made.rules["demand_rate_block"] is None
    with pytest.raises(KeyError):
        made.line(LineCode.CORRECTION)


def test_indicators_by_hand() -> None:
    priced = tariff()
    slots = [replace(SLOTS[0], kwh=D(30), kw=D(20), kvarh=D(40))]
    usage = replace(usage_for(priced, slots), expected={(0, "VALLE"): 192, (1, "VALLE"): 192})
    made = bill(make_contract(), FOUR_DAYS, usage, priced, timezone=ZONE, calendar_name="EIS")
    assert made.slots_missing == 383
    assert made.indicators.power_factor == D("0.6")  # 30 / root(900 + 1600)
    assert made.indicators.load_factor == D(6)  # 30 kWh in the one quarter of an hour there is, over 20 kW
    assert made.indicators.price_per_kwh is not None
    nothing = make(priced, [replace(SLOTS[0], kwh=D(0), kw=D(0))]).indicators
    assert (nothing.load_factor, nothing.power_factor, nothing.price_per_kwh) == (None, None, None)


# ----------------------------------------------------------------------------------------------------------- refusals


def refused(match: str, contract: Any = None, usage: Usage | None = None, period: Period = FOUR_DAYS) -> None:
    priced = tariff()
    with pytest.raises(NotBillable, match=match):
        bill(
            contract or make_contract(),
            period,
            usage or usage_for(priced),
            priced,
            timezone=ZONE,
            calendar_name="EIS",
        )


def test_usage_of_another_meter_is_refused() -> None:
    refused("usage is of meter 999, the contract's meter is 5614086", usage=replace(usage_for(tariff()), meter="999"))


def test_usage_of_another_period_or_zone_is_refused() -> None:
    refused(r"the bill is for \[2021-09-13, 2021-09-16\)", period=Period(FOUR_DAYS.start, date(2021, 9, 16)))
    refused("in Europe/Madrid", usage=replace(usage_for(tariff()), timezone="Europe/Madrid"))


def test_a_period_outside_the_contract_is_refused() -> None:
    refused("in force from 2021-09-14 to open end", make_contract(start=date(2021, 9, 14)))
    refused("to 2021-09-15", make_contract(end=date(2021, 9, 15)))


def test_usage_cut_at_other_dates_is_refused() -> None:
    refused("cut into .*changes at other dates", usage=usage_of(SLOTS, FOUR_DAYS, (FOUR_DAYS,)))


def test_usage_cut_more_finely_gives_the_same_bill() -> None:
    priced = tariff()
    days = tuple(Period(day, day + timedelta(days=1)) for day in FOUR_DAYS)
    fine = bill(
        make_contract(), FOUR_DAYS, usage_of(SLOTS, FOUR_DAYS, days), priced, timezone=ZONE, calendar_name="EIS"
    )
    assert [line.exact for line in fine.lines] == [line.exact for line in make(priced).lines]


def test_a_period_without_intervals_is_refused() -> None:
    empty = replace(usage_for(tariff(), []), expected={(0, "VALLE"): 384})
    refused("no interval in .*, expected 384. Import its readings", usage=empty)


def test_an_energy_rate_that_is_missing_is_named() -> None:
    with pytest.raises(NotInForce, match="tariff EIS-TOU, energy rate of block PUNTA: no value in force on 2021-09-13"):
        make(tariff(energy={"VALLE": ENERGY["VALLE"], "RESTO": ENERGY["RESTO"]}))


@pytest.mark.parametrize(
    ("start", "end", "part"),
    [
        (date(2021, 1, 1), None, FOUR_DAYS),
        (date(2021, 9, 15), None, Period(date(2021, 9, 15), FOUR_DAYS.end)),
        (date(2021, 1, 1), date(2021, 9, 14), Period(FOUR_DAYS.start, date(2021, 9, 14))),
        (FOUR_DAYS.end, None, None),
        (date(2021, 1, 1), FOUR_DAYS.start, None),
    ],
)
def test_the_part_of_a_month_in_which_a_contract_is_in_force(
    start: date, end: date | None, part: Period | None
) -> None:
    assert in_force(make_contract(start=start, end=end), FOUR_DAYS) == part
