"""A form gives each contract the draft that the general way gives it, to the byte, and only where it may."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from billing_builders import SEPTEMBER, ZONE, make_contract, make_tariff, sourced

from eisenergy.accounts import Contract
from eisenergy.billing import batch as batches
from eisenergy.billing import forms
from eisenergy.billing.batch import Batch, Entry, Member, Packed, Refused, Terms, billed, entry, price
from eisenergy.billing.corrections import Correction
from eisenergy.masters import codec
from eisenergy.period import Period, Spans
from eisenergy.tariffs.model import BillingRules, DemandBasis, DeviationMode, LossBasis, RateKind, ScalarKind
from eisenergy.usage import CellSums, SlotPrices, usage_of

BLOCKS = ("VALLE", "RESTO", "PUNTA")
LONG_AGO = date(2021, 1, 1)
EXPECTED = {(0, "VALLE"): 1080, (0, "RESTO"): 1170, (0, "PUNTA"): 630}
FEW = random.Random(4)


def every(value: str) -> dict[str, dict[date, str]]:
    return {block: {LONG_AGO: str(Decimal(value) + n)} for n, block in enumerate(BLOCKS)}


RATES: dict[RateKind, Any] = {
    RateKind.ENERGY: every("0.09832"),
    RateKind.DEMAND: every("7.4412"),
    RateKind.FTPMS: {"PUNTA": {LONG_AGO: "0.0042"}, "VALLE": {LONG_AGO: "0.0042"}},
    RateKind.COST_NEG: {block: {LONG_AGO: "0.034"} for block in BLOCKS},
    RateKind.COST_POS: every("0.021"),
}
VAT = {ScalarKind.VAT_RATE: {LONG_AGO: "0.13"}}
PLAIN = BillingRules(demand_rate_block="VALLE")
CHANGE, AGAIN = date(2021, 9, 11), date(2021, 9, 21)


def changing(kind: RateKind, *days: date, block: str | None = None) -> dict[RateKind, Any]:
    """The rates, of which one kind changes inside of the month, in every block or in one."""
    later = {name: {day: str(Decimal("0.5") + n) for n, day in enumerate(days)} for name in RATES[kind]}
    return {
        **RATES,
        kind: {
            name: {**dated, **(later[name] if block in (None, name) else {})} for name, dated in RATES[kind].items()
        },
    }


def terms_of(
    rules: BillingRules = PLAIN, rates: Any = RATES, scalars: Any = VAT, blocks: tuple[str, ...] = BLOCKS
) -> Terms:
    tariff = make_tariff(rates, scalars, rules)
    segments = tariff.segments(SEPTEMBER)
    expected = EXPECTED if len(segments) == 1 else {(n, b): 100 for n in range(len(segments)) for b in BLOCKS}
    return Terms(
        period=SEPTEMBER,
        timezone=ZONE,
        tariff=tariff,
        calendar="EIS 100 %",
        calendar_version="c" * 64,
        code_version="0",
        lake_version=7,
        spans=Spans(segments=segments, blocks=blocks, expected=expected, timezone=ZONE),
    )


def figures(dice: random.Random, cells: int = 3) -> CellSums:
    """Sums of a meter: some fed in, some reactive, some as forecast, sometimes nothing at all."""
    kind = dice.random()
    scale = 0.0 if kind < 0.1 else 10.0 ** dice.randint(0, 8)
    sums = np.zeros((cells, 7))
    deviates = dice.choice((True, True, True, False))
    for n, cell in enumerate(sums):
        as_forecast = not deviates or (dice.random() < 0.1 and n == 1)
        cell[0] = round(dice.uniform(0, scale), 3)
        cell[1], cell[2] = (round(dice.uniform(0, scale), 3) if dice.random() < 0.4 else 0.0 for _ in range(2))
        cell[3] = round(dice.uniform(0, scale), dice.randint(0, 3))
        cell[4] = cell[3] if as_forecast else cell[3] * 0.9
        cell[6] = round(dice.uniform(0, scale), 3)
        cell[5] = cell[6] if as_forecast else cell[6] * 0.7
    peak = np.array([round(dice.uniform(0, 500), 2) if scale else 0.0 for _ in range(cells)])
    if dice.random() < 0.3:
        peak[:] = peak[0]
    at = np.array([1_630_476_000_000_000 + 900_000_000 * dice.randrange(2880) for _ in range(cells)])
    slots = list(EXPECTED.values()) if cells == 3 else [100 + n for n in range(cells)]
    counts = np.array([(dice.randint(1, 3), slots[n], 0) for n in range(cells)])
    return CellSums(sums, peak, at, counts)


def contract_of(dice: random.Random, number: int) -> Contract:
    fields = ("loss_factor", "municipal_fee", "retention_rate", "discount_rate")
    own = dice.choice((fields, fields, fields[1:3], ()))
    values = {
        name: sourced(dice.choice(("0", "0.0153", "0.010", "12.5", "1E+1")), f'ó "{number}" 5 %')
        if name in own
        else None
        for name in fields
    }
    made = make_contract(number=f"EIS-{number:04d}", notes={"ñ": "%s"} if dice.random() < 0.3 else {}, **values)
    customer = replace(made.customer, name=f'José "{number}" \\ 100 % S.A.', code=f"C{number}")
    return replace(made, customer=customer, meter=replace(made.meter, serial=f"8{number:06d}%d"))


def member_of(contract: Contract, **changes: Any) -> Member:
    values: dict[str, Any] = {
        "number": contract.number,
        "document": json.dumps(codec.dump(contract)),
        "readings_hash": "2:" + "a" * 64,
        "sources": {"b" * 64: 'Junio "1" 50 %.csv', "d" * 64: ""},
        "has_forecast": True,
        "prices": (SlotPrices(),),
        "corrections": (),
        "basis": "because",
    }
    return Member(**{**values, **changes})


def batch_of(terms: Terms, members: list[tuple[Member, CellSums]], groups: int = 1) -> Batch:
    cells = CellSums(*(np.stack(column).tolist() for column in zip(*(sums for _, sums in members), strict=True)))
    return Batch(terms=terms, members=tuple(member for member, _ in members), cells=cells, groups=groups)


def generally(batch: Batch) -> list[Entry]:
    """What the general way makes of each member."""
    terms = batch.terms
    result = []
    for number, member in enumerate(batch.members):
        contract = codec.load(Contract, json.loads(member.document))
        mine = CellSums(*(column[number] for column in batch.cells))
        usage = usage_of(
            contract.meter.serial, terms.spans, mine, member.prices,
            period=terms.period, groups=batch.groups, has_forecast=member.has_forecast,
        )  # fmt: skip
        made, digest = billed(
            terms, contract, usage, sources=member.sources, readings_hash=member.readings_hash,
            corrections=member.corrections,
        )  # fmt: skip
        result.append(entry(made, digest, member.basis))
    return result


@pytest.fixture
def by_form(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Batch], list[Entry | Refused]]]:
    """Price a batch where nobody may go the general way."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("this one has a form")

    def priced(batch: Batch) -> list[Entry | Refused]:
        with monkeypatch.context() as patch:
            patch.setattr(batches, "billed", never)
            return list(price(batch))

    return priced


@pytest.mark.parametrize(
    "terms",
    [
        terms_of(),
        terms_of(replace(PLAIN, deviation_mode=DeviationMode.BOTH, ftpms_blocks=("PUNTA", "VALLE"))),
        terms_of(replace(PLAIN, ftpms_blocks=())),
        terms_of(rates={kind: RATES[kind] for kind in (RateKind.ENERGY, RateKind.DEMAND)}),
        terms_of(
            scalars={
                **VAT,
                ScalarKind.LOSS_FACTOR: {LONG_AGO: "0.02"},
                ScalarKind.DISCOUNT_RATE: {LONG_AGO: "0.05"},
                ScalarKind.RETENTION_RATE: {LONG_AGO: "0.01"},
                ScalarKind.MUNICIPAL_FEE: {LONG_AGO: "3.333"},
            }
        ),
    ],
    ids=["shortfall", "both ways", "no block", "few rates", "all of the tariff"],
)
def test_a_form_is_to_the_byte_the_general_way(terms: Terms, by_form: Callable[[Batch], list[Entry | Refused]]) -> None:
    dice = random.Random(1)
    members = [(member_of(contract_of(dice, n), has_forecast=dice.random() < 0.7), figures(dice)) for n in range(90)]
    batch = batch_of(terms, members)
    assert by_form(batch) == generally(batch)
    assert len(batches._LATEST["forms"]._known) < 20, "a form serves several, with values of their own"


@pytest.mark.parametrize(
    "terms",
    [
        terms_of(rates=changing(RateKind.ENERGY, CHANGE)),
        terms_of(rates=changing(RateKind.ENERGY, CHANGE, block="RESTO")),
        terms_of(rates=changing(RateKind.DEMAND, CHANGE, AGAIN)),
        terms_of(rates=changing(RateKind.DEMAND, CHANGE, block="PUNTA")),
        terms_of(
            replace(PLAIN, deviation_mode=DeviationMode.BOTH, ftpms_blocks=("PUNTA", "VALLE")),
            rates=changing(RateKind.COST_POS, CHANGE, AGAIN),
        ),
        terms_of(replace(PLAIN, ftpms_blocks=("PUNTA",)), rates=changing(RateKind.FTPMS, AGAIN)),
        terms_of(scalars={**VAT, ScalarKind.LOSS_FACTOR: {LONG_AGO: "0.02", CHANGE: "0.03"}}),
        terms_of(
            scalars={
                ScalarKind.VAT_RATE: {LONG_AGO: "0.12", CHANGE: "0.13"},
                ScalarKind.DISCOUNT_RATE: {LONG_AGO: "0.05", AGAIN: "0.06"},
            }
        ),
    ],
    ids=[
        "energy", "energy of a block", "demand, twice", "demand that prices nothing", "cost, twice", "FTPMS", "loss factor",
        "VAT and discount",
    ],
)  # fmt: skip
def test_a_form_of_a_month_whose_prices_change_is_to_the_byte_the_general_way(
    terms: Terms, by_form: Callable[[Batch], list[Entry | Refused]]
) -> None:
    cells = len(terms.spans.segments) * len(BLOCKS)
    assert cells > 3
    dice = random.Random(6)
    members = [
        (member_of(contract_of(dice, n), has_forecast=dice.random() < 0.7), figures(dice, cells)) for n in range(60)
    ]
    batch = batch_of(terms, members)
    assert by_form(batch) == generally(batch)


def test_what_lies_in_memory_as_bytes_is_priced_like_lists() -> None:
    dice = random.Random(7)
    batch = batch_of(terms_of(), [(member_of(contract_of(dice, n)), figures(dice)) for n in range(4)])
    packed = CellSums(*(Packed.of(np.array(column)) for column in batch.cells))
    assert packed.counts.tolist() == batch.cells.counts
    assert list(price(replace(batch, cells=packed))) == list(price(batch))


def test_of_many_cells_there_is_no_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "MOST_CELLS", 5)
    terms = terms_of(rates=changing(RateKind.ENERGY, CHANGE))
    batch = batch_of(terms, [(member_of(make_contract()), figures(random.Random(8), 6))])
    assert list(price(batch)) == generally(batch)
    assert not batches._LATEST["forms"]._known


def test_losses_by_the_energy_rate_have_a_form_where_the_factor_is_the_tariffs(
    by_form: Callable[[Batch], list[Entry | Refused]],
) -> None:
    terms = terms_of(
        replace(PLAIN, loss_basis=LossBasis.ENERGY), scalars={**VAT, ScalarKind.LOSS_FACTOR: {LONG_AGO: "0.02"}}
    )
    dice = random.Random(2)
    theirs = [replace(contract_of(dice, n), loss_factor=None) for n in range(5)]
    batch = batch_of(terms, [(member_of(one), figures(dice)) for one in theirs])
    assert by_form(batch) == generally(batch)
    own = [replace(one, loss_factor=sourced("0.03")) for one in theirs]
    batch = batch_of(terms, [(member_of(one), figures(dice)) for one in own])
    assert list(price(batch)) == generally(batch)


def correction() -> Correction:
    august = Period(date(2021, 8, 1), date(2021, 9, 1))
    return Correction(
        period=august, month="2021-08", invoice="FAC-000001", difference=Decimal("3.21"), origin="invoice FAC-000001"
    )


def with_counts(sums: CellSums, column: int, value: int) -> CellSums:
    counts = sums.counts.copy()
    counts[1, column] = value
    return sums._replace(counts=counts)


@pytest.mark.parametrize(
    ("terms", "member", "sums"),
    [
        (terms_of(replace(PLAIN, demand_basis=DemandBasis.BLOCK_MAX)), member_of(make_contract()), figures(FEW)),
        (terms_of(), member_of(make_contract(), corrections=(correction(),)), figures(FEW)),
        (terms_of(), member_of(make_contract(), prices=(SlotPrices(ftpms=Decimal("0.1")),)), figures(FEW)),
        (terms_of(), member_of(make_contract()), with_counts(figures(FEW), 1, 0)),
        (terms_of(), member_of(make_contract()), with_counts(figures(FEW), 2, 5)),
        (
            terms_of(rates=changing(RateKind.ENERGY, CHANGE)),
            member_of(make_contract()),
            with_counts(figures(FEW, 6), 1, 0),
        ),
    ],
    ids=["block maxima", "correction", "prices of its own", "an empty block", "estimates", "an empty block of two"],
)
def test_what_is_not_plain_goes_the_general_way(terms: Terms, member: Member, sums: CellSums) -> None:
    batch = batch_of(terms, [(member, sums)])
    assert list(price(batch)) == generally(batch)


def test_own_prices_in_groups_go_the_general_way() -> None:
    prices = (SlotPrices(ftpms=Decimal("0.1")), SlotPrices())
    batch = batch_of(terms_of(), [(member_of(make_contract(), prices=prices), figures(FEW, 6))], groups=2)
    assert list(price(batch)) == generally(batch)


@pytest.mark.parametrize(
    ("terms", "contract", "said"),
    [
        (terms_of(scalars={}), make_contract(), "vat_rate"),
        (terms_of(replace(PLAIN, ftpms_blocks=("NOCHE",))), make_contract(), "NOCHE"),
        (terms_of(), make_contract(start=date(2021, 9, 2)), "in force from 2021-09-02"),
    ],
    ids=["no VAT", "a block that is not", "in force later"],
)
def test_what_stands_against_a_bill_is_said_as_always(terms: Terms, contract: Contract, said: str) -> None:
    others = [(member_of(replace(contract, number=f"EIS-{n}")), figures(FEW)) for n in range(2)]
    found = list(price(batch_of(terms, others)))
    assert [type(one) for one in found] == [Refused, Refused]
    assert all(isinstance(one, Refused) and said in one.finding.message for one in found)


def test_a_cost_that_is_missing_matters_to_those_who_deviate_there() -> None:
    rates = {**RATES, RateKind.COST_NEG: {"VALLE": {LONG_AGO: "0.034"}}}
    still = figures(random.Random(3))
    still.sums[:, 3:] = 0.0
    deviating = still._replace(sums=still.sums.copy())
    deviating.sums[1, 3] = 7.0
    members = [(member_of(make_contract(number=f"EIS-{n}")), sums) for n, sums in enumerate((still, deviating, still))]
    assert [type(one) for one in price(batch_of(terms_of(rates=rates), members))] == [Entry, Refused, Entry]


def test_the_forms_of_a_batch_serve_the_next_of_the_same_terms_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    real = forms.specimen_of

    def counted(*arguments: Any, **named: Any) -> Any:
        made.append(arguments)
        return real(*arguments, **named)

    monkeypatch.setattr(forms, "specimen_of", counted)
    sums = figures(random.Random(5))
    dearer = terms_of(rates={**RATES, RateKind.ENERGY: every("0.2")})
    later = replace(terms_of(), lake_version=8)
    for terms, count in ((terms_of(), 1), (terms_of(), 1), (dearer, 2), (later, 3)):
        batch = batch_of(terms, [(member_of(make_contract()), sums)])
        assert list(price(batch)) == generally(batch)
        assert len(made) == count
