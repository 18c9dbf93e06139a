"""Block calendars as pictures, and new versions of them, by form or by a workbook of hours, looked at as proposals before they are saved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from starlette.responses import Response

from eisenergy.blockruns import OffGrid
from eisenergy.desk import proposing
from eisenergy.masters import calendars
from eisenergy.masters.calendars import BadHours
from eisenergy.portal.guard import OPERATORS
from eisenergy.portal.pages.proposals import address, drawing
from eisenergy.portal.pages.work import has_text
from eisenergy.portal.render import local
from eisenergy.portal.routes import Routes
from eisenergy.portal.visit import Visit
from eisenergy.store import files, masters, proposals
from eisenergy.store.appended import Overtaken
from eisenergy.timeofuse import CalendarError, DayCalendar, DayType
from eisenergy.work.names import cleaned

routes: Final = Routes()
HOME: Final = "/c/{client}/calendarios"
MOST: Final = 20
"""Rows of the form."""
SPARE: Final = 3
STATES: Final = 12
LARGEST: Final = 2 << 20
"""Bytes of a workbook of hours."""
_ENDINGS: Final = (".xlsx", ".xlsm", ".xls")


@routes.page(HOME, OPERATORS)
def listing(visit: Visit) -> Response:
    """Show every calendar."""
    return _listing(visit)


@routes.page(f"{HOME}/{{calendar}}/nueva", OPERATORS)
def form(visit: Visit) -> Response:
    """Show a calendar's rows, to be changed."""
    calendar, base = _calendar(visit)
    return _form(visit, calendar, base=base, typed=_typed(calendar))


@routes.action(f"{HOME}/{{calendar}}/nueva", OPERATORS)
def proposed(visit: Visit) -> Response:
    """Check what was typed, and show what it would change."""
    scope, client = visit.within()
    assert visit.session is not None
    calendar, base_now = _calendar(visit)
    base = _ordinal(visit)
    typed = {name: text[:4000] for name, text in visit.form.items()}
    if "more" in visit.form:
        sent = sum(re.fullmatch("from-[0-9]{1,2}", name) is not None for name in typed)
        return _form(visit, calendar, base=base, typed=typed, least=sent + SPARE)
    data, places = _data(typed)
    try:
        proposal = proposing.propose_calendar(
            visit.context.database,
            scope,
            calendar.name,
            base=base,
            data=data,
            schemas=visit.context.settings.params / "schemas",
            by=visit.actor,
            user=visit.session.user,
            at=visit.at,
        )
    except BadHours as bad:
        wrong = {_field(path, places): _schema_said(visit, path, said) for path, said in reversed(bad.faults)}
        return _form(visit, calendar, base=base, typed=typed, wrong=wrong)
    except CalendarError as bad:
        return _form(visit, calendar, base=base, typed=typed, wrong={"hours": _cover_said(visit, bad)})
    except OffGrid:
        return _form(visit, calendar, base=base, typed=typed, wrong={"hours": visit.say("calendar.fault.off-grid")})
    except Overtaken:
        problem = visit.say("proposal.overtaken")
        return _form(visit, calendar, base=base_now, typed=typed, problem=problem, status=409)
    return visit.go(address(client.code, proposal))


@routes.upload(f"{HOME}/{{calendar}}/archivo", OPERATORS)
def workbook(visit: Visit) -> Response:
    """Keep a workbook of hours, and have it read as a proposal."""
    scope, client = visit.within()
    assert visit.session is not None
    calendar, base = _calendar(visit)
    sent = next((one for one in visit.files if one.filename), None)
    name = "" if sent is None else cleaned(sent.filename)
    if sent is None or PurePath(name).suffix.lower() not in _ENDINGS:
        return _listing(visit, problem=visit.say("calendar.no_workbook"), status=422)
    with files.Originals(visit.context.settings, scope) as originals:
        sha256, size = originals.keep_stream(sent.file)
        if not 0 < size <= LARGEST:
            return _listing(visit, problem=visit.say("calendar.no_workbook"), status=422)
        originals.settle()
    proposal = proposing.propose_calendar(
        visit.context.database,
        scope,
        calendar.name,
        base=base,
        data=None,
        file={"sha256": sha256, "name": name},
        schemas=None,
        by=visit.actor,
        user=visit.session.user,
        at=visit.at,
    )
    return visit.go(address(client.code, proposal))


def _listing(visit: Visit, *, problem: str | None = None, status: int = 200) -> Response:
    scope, client = visit.within()
    database = visit.context.database
    used: dict[str, list[str]] = {}
    for tariff in masters.tariffs(database, scope):
        used.setdefault(tariff.calendar, []).append(tariff.name)
    found = [
        {
            "calendar": calendar,
            "drawing": drawing(visit, str(number), calendar),
            "tariffs": used.get(calendar.name, []),
            "holidays": sorted(calendar.holidays),
            "states": [
                (ordinal, local(at, client.timezone), version)
                for ordinal, at, version in masters.calendar_states(database, scope, calendar.name, STATES)
            ],
        }
        for number, calendar in enumerate(masters.calendars(database, scope))
    ]
    return visit.page(
        "calendars",
        status=status,
        client=client,
        calendars=found,
        endings=",".join(_ENDINGS),
        problem=problem,
        done=None,
    )


def _calendar(visit: Visit) -> tuple[DayCalendar, int]:
    scope, _ = visit.within()
    name = str(visit.request.path_params["calendar"])
    base = proposals.base_of(visit.context.database, scope, proposals.CALENDAR, name)
    return masters.calendar(visit.context.database, scope, name), base


def _ordinal(visit: Visit) -> int:
    given = visit.form.get("base", "")
    return int(given) if re.fullmatch("[0-9]{1,9}", given) else 0


def _typed(calendar: DayCalendar) -> dict[str, str]:
    """A calendar as its form's fields."""
    data = calendars.hours_of(calendar)
    found: dict[str, str] = {}
    for number, row in enumerate(data["hours"]):
        found |= {f"{name}-{number}": str(row.get(name, "")) for name in ("from", "to", "block", "season")}
        found |= {f"day-{number}-{day}": "1" for day in row.get("days", [kind.value for kind in DayType])}
    found["seasons"] = "\n".join(f"{one['start']} {one['name']}" for one in data.get("seasons", []))
    found["holidays"] = "\n".join(data.get("holidays", {}))
    return found


def _rows(typed: Mapping[str, str]) -> int:
    """How many rows of the form hold anything, and those between."""
    numbers = [int(name[5:]) for name in typed if re.fullmatch("from-[0-9]{1,2}", name) and _filled(typed, name[5:])]
    return max(numbers, default=-1) + 1


def _filled(typed: Mapping[str, str], number: str) -> bool:
    return any(typed.get(f"{name}-{number}", "").strip() for name in ("from", "to", "block"))


def _data(typed: Mapping[str, str]) -> tuple[dict[str, Any], list[int]]:
    """The form as a document, and which of its rows each of the document's is."""
    places = [number for number in range(min(_rows(typed), MOST)) if _filled(typed, str(number))]
    hours = []
    for number in places:
        entry: dict[str, Any] = {name: typed.get(f"{name}-{number}", "").strip() for name in ("from", "to", "block")}
        days = [kind.value for kind in DayType if typed.get(f"day-{number}-{kind.value}")]
        if 0 < len(days) < len(DayType):
            entry["days"] = days
        if season := typed.get(f"season-{number}", "").strip():
            entry["season"] = season
        hours.append(entry)
    seasons = [line.split(maxsplit=1) for line in typed.get("seasons", "").splitlines() if line.strip()]
    holidays = [line.split(maxsplit=1) for line in typed.get("holidays", "").splitlines() if line.strip()]
    data: dict[str, Any] = {"name": "-", "source": "portal", "hours": hours}
    if seasons:
        data["seasons"] = [{"start": line[0], "name": line[-1].strip()} for line in seasons]
    if holidays:
        data["holidays"] = {line[0]: line[-1].strip() for line in holidays}
    return data, places


def _field(path: tuple[Any, ...], places: list[int]) -> str:
    """The form's field of a place in the document."""
    if path[:1] == ("hours",) and len(path) > 2 and path[2] in ("from", "to", "block", "season"):
        return f"{path[2]}-{places[int(path[1])]}"
    return str(path[0]) if path[:1] in (("seasons",), ("holidays",)) else "hours"


def _schema_said(visit: Visit, path: tuple[Any, ...], said: str) -> str:
    key = f"calendar.fault.{path[2] if len(path) > 2 and path[0] == 'hours' else path[0] if path else 'hours'}"
    return visit.say(key) if has_text(visit, key) else said


def _cover_said(visit: Visit, bad: CalendarError) -> str:
    """What is wrong with how the rows cover the day."""
    told = {name: "" if value is None else str(value) for name, value in bad.data.items()}
    if "day_type" in told:
        told["day_type"] = visit.say(f"day.{told['day_type']}").lower()
        told["season"] = f", {told['season']}" if told["season"] else ""
    try:
        return visit.say(f"calendar.fault.{bad.code}", **told)
    except KeyError:  # one of those that a form cannot bring about
        return str(bad)


def _form(
    visit: Visit,
    calendar: DayCalendar,
    *,
    base: int,
    typed: Mapping[str, str],
    wrong: Mapping[str, str] | None = None,
    problem: str | None = None,
    least: int = 0,
    status: int = 200,
) -> Response:
    _, client = visit.within()
    faults = wrong or {}
    return visit.page(
        "calendar_form",
        status=422 if faults else status,
        client=client,
        calendar=calendar,
        ordinal=base,
        typed=typed,
        rows=range(min(MOST, max(_rows(typed) + SPARE, least))),
        most=MOST,
        days=[kind.value for kind in DayType],
        wrong=faults,
        problem=problem or (visit.say("form.faults", count=len(faults)) if faults else None),
        done=None,
    )
