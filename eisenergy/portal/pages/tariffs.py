"""Tariffs: their versions as a dated table, and a form for a new one, which is looked at as a proposal before it is saved."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from starlette.responses import Response

from eisenergy.desk import proposing
from eisenergy.portal.guard import OPERATORS
from eisenergy.portal.pages.proposals import address
from eisenergy.portal.pages.work import has_text
from eisenergy.portal.routes import Routes
from eisenergy.portal.visit import Visit
from eisenergy.store import masters, proposals
from eisenergy.store.appended import NotStored, Overtaken
from eisenergy.tariffs import revise
from eisenergy.tariffs.model import UNITS, RateKind, ScalarKind, Tariff
from eisenergy.tariffs.revise import Fault, Place, Unfit
from eisenergy.timeofuse import DayCalendar

routes: Final = Routes()
HOME: Final = "/c/{client}/tarifas"
LONGEST: Final = 20
"""Characters of a number."""
FIRST, LAST = date(2000, 1, 1), date(2100, 1, 1)


@routes.page(HOME, OPERATORS)
def listing(visit: Visit) -> Response:
    """Show every tariff with its versions."""
    scope, client = visit.within()
    found = [(tariff, revise.versions(tariff)) for tariff in masters.tariffs(visit.context.database, scope)]
    return visit.page(
        "tariffs", client=client, tariffs=found, kinds=list(RateKind), units=UNITS, today=today(visit), blocks=_blocks
    )


@routes.page(f"{HOME}/{{tariff}}/nueva", OPERATORS)
def form(visit: Visit) -> Response:
    """Show the newest version, to be changed."""
    scope, _ = visit.within()
    database, name = visit.context.database, str(visit.request.path_params["tariff"])
    base = proposals.base_of(database, scope, proposals.TARIFF, name)
    tariff = masters.tariff(database, scope, name)
    newest = max(revise.starts(tariff), default=today(visit))
    return _form(visit, tariff, base=base, start="", typed=revise.values(tariff, newest))


@routes.action(f"{HOME}/{{tariff}}/nueva", OPERATORS)
def proposed(visit: Visit) -> Response:
    """Check what was typed, and show what it would change."""
    scope, client = visit.within()
    assert visit.session is not None
    database, name = visit.context.database, str(visit.request.path_params["tariff"])
    tariff = masters.tariff(database, scope, name)
    calendar = _calendar(visit, tariff)
    typed = {
        place: visit.form.get(field, "").strip()[: LONGEST + 1]
        for place, field in _fields(_all_blocks(tariff, calendar)).items()
    }
    start, base = visit.form.get("start", "").strip()[:LONGEST], visit.form.get("base", "")
    given = _day(start)
    # A base that is none of ours is as good as one that is no longer in use.
    ordinal = int(base) if re.fullmatch("[0-9]{1,9}", base) else 0
    if given is None:
        fault = Fault(place=revise.START, code="no-day", message=start)
        return _form(visit, tariff, base=ordinal, start=start, typed=typed, faults=(fault,))
    try:
        proposal = proposing.propose_tariff(
            database,
            scope,
            name,
            base=ordinal,
            start=given,
            typed=typed,
            correcting=visit.form.get("correct") == "1",
            schemas=visit.context.settings.params / "schemas",
            by=visit.actor,
            user=visit.session.user,
            at=visit.at,
        )
    except Unfit as unfit:
        return _form(visit, tariff, base=ordinal, start=start, typed=typed, faults=unfit.faults)
    except Overtaken:
        problem = visit.say("proposal.overtaken")
        base_now = proposals.base_of(database, scope, proposals.TARIFF, name)
        return _form(visit, tariff, base=base_now, start=start, typed=typed, problem=problem, status=409)
    return visit.go(address(client.code, proposal))


def today(visit: Visit) -> date:
    """The day at the seller's."""
    return visit.at.astimezone(ZoneInfo(visit.within()[1].timezone)).date()


def _form(
    visit: Visit,
    tariff: Tariff,
    *,
    base: int,
    start: str,
    typed: Mapping[Place, str],
    faults: Sequence[Fault] = (),
    problem: str | None = None,
    status: int = 200,
) -> Response:
    _, client = visit.within()
    calendar = _calendar(visit, tariff)
    blocks = _all_blocks(tariff, calendar)
    fields = _fields(blocks)
    wrong = {fields.get(fault.place, "start"): _said(visit, fault) for fault in reversed(faults)}
    return visit.page(
        "tariff_form",
        status=422 if faults else status,
        client=client,
        tariff=tariff,
        calendar=calendar,
        ordinal=base,
        start=start,
        newest=max(revise.starts(tariff), default=today(visit)),
        typed=typed,
        kinds=list(RateKind),
        scalars=list(ScalarKind),
        blocks=blocks,
        fields=fields,
        units=UNITS,
        wrong=wrong,
        taken=any(fault.code == "taken" for fault in faults) or visit.form.get("correct") == "1",
        correct=visit.form.get("correct") == "1",
        longest=LONGEST,
        problem=problem or (visit.say("form.faults", count=len(wrong)) if wrong else None),
        done=None,
    )


def _said(visit: Visit, fault: Fault) -> str:
    key = f"tariff.fault.{fault.code}"
    return visit.say(key) if has_text(visit, key) else fault.message


def _calendar(visit: Visit, tariff: Tariff) -> DayCalendar | None:
    try:
        return masters.calendar(visit.context.database, visit.within()[0], tariff.calendar)
    except NotStored:
        return None


def _blocks(tariff: Tariff) -> list[str]:
    """The blocks a tariff has rates for, in its order."""
    return list(dict.fromkeys(block for blocks in tariff.rates.values() for block in blocks))


def _all_blocks(tariff: Tariff, calendar: DayCalendar | None) -> list[str]:
    return list(dict.fromkeys([*_blocks(tariff), *(() if calendar is None else calendar.blocks)]))


def _fields(blocks: Sequence[str]) -> dict[Place, str]:
    """Place of a value -> the name of its field; a block's name may be anything, so its number stands there."""
    found = {
        (kind.value, block): f"rate-{kind.value}-{number}" for kind in RateKind for number, block in enumerate(blocks)
    }
    return found | {(kind.value, ""): f"value-{kind.value}" for kind in ScalarKind}


def _day(text: str) -> date | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST <= day < LAST else None
