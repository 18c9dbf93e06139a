"""A new version of a tariff from what was typed: what a file would be refused for is refused, at its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from eisenergy.accounts import Sourced
from eisenergy.masters import calendars
from eisenergy.period import Dated, Period
from eisenergy.tariffs import load, revise
from eisenergy.tariffs.model import RateKind, ScalarKind, Tariff

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data" / "samples"
CALENDAR = calendars.read_spreadsheet(SAMPLES / "Bloques horarios.xlsx", "eis-bloques")
TARIFF = load.combine(
    load.read_yaml(ROOT / "params" / "tariffs" / "EIS-TOU.yaml"),
    load.read_spreadsheet(SAMPLES / "Tarifas EIS-TOU.xlsx"),
)
OCTOBER, AUGUST = (
    date(2021, 10, 15),
    date(2021, 8, 1),
)  # the sheet's last version begins in October, the one before in July
DAYS = [date(2020, 1, 1) + timedelta(days=n) for n in range(0, 1100, 7)]


def revised(start: date, tariff: Tariff = TARIFF, *, correcting: bool = False, **changes: str) -> Tariff:
    typed = revise.values(tariff, start) | {
        (key.split("__")[0], key.partition("__")[2]): text for key, text in changes.items()
    }
    return revise.revise(tariff, start, typed, origin="portal", calendar=CALENDAR, correcting=correcting)


def faults(start: date, tariff: Tariff = TARIFF, **changes: str) -> dict[revise.Place, str]:
    with pytest.raises(revise.Unfit) as found:
        revised(start, tariff, **changes)
    return {fault.place: fault.code for fault in found.value.faults}


def at(tariff: Tariff, kind: RateKind, block: str, day: date) -> Decimal | None:
    """The slow way: the last entry that is not after the day."""
    entries = [value for start, value in tariff.rates[kind][block].values if start <= day]
    return None if not entries or entries[-1] is None else entries[-1].value


def test_a_version_holds_from_its_day_to_the_next_and_nothing_else_changes() -> None:
    found = revised(AUGUST, energy__PUNTA="0.2")
    for day in DAYS:
        for kind, blocks in TARIFF.rates.items():
            for block in blocks:
                new = AUGUST <= day < OCTOBER and (kind, block) == (RateKind.ENERGY, "PUNTA")
                assert at(found, kind, block, day) == (Decimal("0.2") if new else at(TARIFF, kind, block, day))
    assert found.version != TARIFF.version
    assert found.scalars == TARIFF.scalars, "VAT keeps its law"
    assert found.rates[RateKind.ENERGY]["PUNTA"].entry(AUGUST)[1] == Sourced(Decimal("0.2"), "portal")


def test_versions_say_what_holds_when() -> None:
    found = revise.versions(TARIFF)
    assert [one.start for one in found][:2] == [OCTOBER, date(2021, 7, 15)]
    assert (found[0].until, found[1].until) == (None, OCTOBER - timedelta(days=1))
    assert found[1].rates[RateKind.ENERGY]["PUNTA"].value == Decimal("0.121456")
    assert [one.start for one in found if one.holds(AUGUST)] == [date(2021, 7, 15)]
    assert {one.scalars[ScalarKind.VAT_RATE].value for one in found} == {Decimal("0.13")}
    assert len(revise.versions(revised(AUGUST, vat_rate="0.15"))) == len(found) + 1


def test_throughout_is_one_days_values_at_all_times() -> None:
    found = revise.throughout(TARIFF, AUGUST)
    for day in DAYS:
        assert revise.values(found, day) == revise.values(TARIFF, AUGUST)
    assert found.segments(Period(date(2021, 1, 1), date(2022, 1, 1))) == (Period(date(2021, 1, 1), date(2022, 1, 1)),)


@pytest.mark.parametrize("text", ["-1", "0,1", "1e3", "NaN", "Infinity", "1.", ".1", "0x1", "１", "1 000", "--", "1_0"])
def test_what_a_parameter_document_refuses_is_refused_at_its_place(text: str) -> None:
    assert faults(AUGUST, energy__PUNTA=text) == {("energy", "PUNTA"): "not-an-amount"}
    assert faults(AUGUST, vat_rate=text) == {("vat_rate", ""): "not-a-share"}


def test_what_else_is_refused() -> None:
    assert faults(AUGUST, vat_rate="1.01") == {("vat_rate", ""): "not-a-share"}
    assert faults(AUGUST, energy__PUNTA="", vat_rate="") == {
        ("energy", "PUNTA"): "missing",
        ("vat_rate", ""): "missing",
    }
    assert faults(OCTOBER, energy__PUNTA="1") == {revise.START: "taken"}
    assert faults(AUGUST) == {revise.START: "unchanged"}
    assert faults(AUGUST, energy__PUNTA="0.1214560") == {revise.START: "unchanged"}
    bare = replace(TARIFF, rates={**TARIFF.rates, RateKind.COST_POS: {}})
    assert faults(AUGUST, bare, cost_pos__VALLE="1") == {
        ("cost_pos", "RESTO"): "no-rate",
        ("cost_pos", "PUNTA"): "no-rate",
    }
    other = replace(TARIFF, calendar="another")
    assert faults(AUGUST, other, energy__PUNTA="1") == {revise.START: "other-calendar"}


def test_the_version_of_a_day_is_corrected_when_that_is_said() -> None:
    found = revised(OCTOBER, correcting=True, energy__PUNTA="0.5")
    assert at(found, RateKind.ENERGY, "PUNTA", OCTOBER) == Decimal("0.5")
    valle = found.rates[RateKind.ENERGY]["VALLE"].entry(OCTOBER)[1]
    assert valle.origin.startswith("Tarifas EIS-TOU.xlsx"), "what stays keeps its cell"


def test_a_kind_that_begins_and_a_value_that_is_new() -> None:
    found = revised(AUGUST, retention_rate="0.01", loss_factor="0.02")
    assert found.scalar(ScalarKind.RETENTION_RATE, AUGUST) == (AUGUST, Sourced(Decimal("0.01"), "portal"))
    assert found.scalar(ScalarKind.LOSS_FACTOR, OCTOBER) == (AUGUST, Sourced(Decimal("0.02"), "portal"))


def test_before_the_first_version_there_is_nothing() -> None:
    early = date(1990, 1, 1)
    assert revise.values(TARIFF, early) == {}
    ended = replace(
        TARIFF, rates={RateKind.ENERGY: {"VALLE": Dated.of("x", {AUGUST: Sourced(Decimal(1), "a"), OCTOBER: None})}}
    )
    assert revise.values(ended, OCTOBER) == {("vat_rate", ""): "0.13"}
    assert dict(revise.versions(ended)[0].rates[RateKind.ENERGY]) == {}
