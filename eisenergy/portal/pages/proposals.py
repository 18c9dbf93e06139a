"""A proposed version of a tariff or calendar: what it would have changed in the last months, and *Guardar*."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from markupsafe import Markup
from starlette.responses import Response

from eisenergy.desk import proposing
from eisenergy.masters import calendars, codec
from eisenergy.masters.calendars import Stretch
from eisenergy.period import BillingMonth
from eisenergy.portal.guard import OPERATORS
from eisenergy.portal.pages.work import problem_of
from eisenergy.portal.render import local
from eisenergy.portal.routes import Routes
from eisenergy.portal.visit import Visit
from eisenergy.portal.words import LOCALES
from eisenergy.publish import theme
from eisenergy.publish.calendar_drawings import Bar, hours
from eisenergy.publish.captions import Words
from eisenergy.publish.drawings import WHOLE
from eisenergy.publish.figure import Data
from eisenergy.publish.usage_drawings import NARROW, Chart
from eisenergy.store import jobs, masters, proposals
from eisenergy.store.appended import Overtaken
from eisenergy.store.jobs import Job, NoJob
from eisenergy.store.proposals import Effect, NoProposal, NotReady, Proposal
from eisenergy.tariffs import revise
from eisenergy.tariffs.model import UNITS, Tariff
from eisenergy.timeofuse import DayCalendar

routes: Final = Routes()
HOME: Final = "/c/{client}/propuestas/{proposal}"
PAGE: Final = 50


@routes.page(HOME, OPERATORS)
def proposal_page(visit: Visit) -> Response:
    """Show what a proposal would change."""
    return _page(visit, _proposal(visit))


@routes.action(f"{HOME}/guardar", OPERATORS)
def save(visit: Visit) -> Response:
    """Save a proposal; whoever presses a second time is shown that it is saved."""
    scope, client = visit.within()
    proposal = _proposal(visit)
    try:
        proposing.adopt(visit.context.database, scope, proposal, by=visit.actor, at=visit.at)
    except Overtaken:
        return _page(visit, proposal, problem=visit.say("proposal.stale"), status=409)
    except NotReady:
        return _page(visit, proposal, problem=visit.say("proposal.not_ready"), status=409)
    return visit.go(address(client.code, proposal.id))


def address(client: str, proposal: uuid.UUID) -> str:
    """Return the path of a proposal's page."""
    return f"/c/{quote(client)}/propuestas/{proposal}"


def drawing(
    visit: Visit,
    name: str,
    calendar: DayCalendar,
    before: DayCalendar | None = None,
    *,
    title: str = "calendar.hours_of_day",
) -> Markup:
    """Return the picture of a calendar's hours.

    :param before: the calendar it is compared with: hours that differ are underlined
    :param title: a text's key
    """
    words = Words(LOCALES[visit.language])
    found = calendars.stretches(calendar, before)
    bars = [
        Bar(
            name=_day(visit, one, several=bool(calendar.seasons)),
            cover=one.cover,
            marked=[(start, end) for start, end, _, _ in one.changes],
        )
        for one in found
    ]
    colours = theme.block_colours(calendar.blocks)
    names = {block: words.block(block) for block in colours}
    wide, narrow = (hours(bars, colours, names, words("axis.hour"), width) for width in (WHOLE, NARROW))
    rows = tuple(
        (bar.name, f"{calendars.clock(start)}–{calendars.clock(end)}", names[block])
        for bar in bars
        for start, end, block in bar.cover
    )
    columns = (visit.say("calendar.days"), visit.say("calendar.hours"), words("block"))
    chart = Chart(
        name=f"hours-{name}",
        title=visit.say(title),
        summary=visit.say("calendar.marked") if before is not None else visit.say("calendar.drawn"),
        wide=wide,
        narrow=narrow,
        data=Data(columns=columns, rows=rows),
        data_label=words("data"),
    )
    return Markup(chart.html())


def _day(visit: Visit, one: Stretch, *, several: bool) -> str:
    kind = visit.say(f"day.{one.day_type.value}")
    return f"{one.season}: {kind}" if several and one.season else kind


def _proposal(visit: Visit) -> Proposal:
    scope, _ = visit.within()
    return proposals.find(visit.context.database, scope, visit.id_of("proposal", NoProposal))


def _page(visit: Visit, proposal: Proposal, *, problem: str | None = None, status: int = 200) -> Response:
    scope, client = visit.within()
    database = visit.context.database
    try:
        job: Job | None = jobs.find(database, scope, proposal.job)
    except NoJob:
        job = None
    ready = proposal.summary is not None and not (job is not None and job.open)
    lines = proposals.effects(database, scope, proposal.id, limit=PAGE, after=visit.first) if ready else ()
    count = proposal.summary["lines"] if ready else 0
    fresh = proposals.current(database, scope, proposal)
    saved = None if proposal.saved_at is None else local(proposal.saved_at, client.timezone)
    if saved is None and not fresh and problem is None:
        problem = visit.say("proposal.stale")
    return visit.page(
        "proposal",
        status=status,
        client=client,
        proposal=proposal,
        asked=local(proposal.asked_at, client.timezone),
        saved=saved,
        job=job,
        trouble=None if job is None or job.open else problem_of(visit, job),
        ready=ready,
        summary=_summary(proposal.summary) if ready else None,
        lines=lines if count > PAGE else sorted(lines, key=_size, reverse=True),
        largest=_largest(proposal.summary) if ready and count > PAGE and not visit.first else (),
        count=count,
        first=visit.first,
        size=PAGE,
        savable=ready and saved is None and fresh,
        values=_values(visit, proposal),
        until=_until(proposal),
        hours=_hours(visit, proposal),
        units=UNITS,
        currency=client.currency,
        problem=problem,
        done=None,
        refresh=job is not None and job.open,
    )


def _size(line: Effect) -> Decimal:
    """How large a line's difference is; those without a total are last."""
    return Decimal(-1) if line.before is None or line.after is None else abs(line.after - line.before)


def _largest(found: Any) -> list[Effect]:
    """The lines with the largest differences, of more than a page holds."""
    amounts = ("billed", "before", "after", "dated")
    return [
        Effect(
            **{
                **one,
                "month": BillingMonth.parse(one["month"]),
                **{name: None if one[name] is None else Decimal(one[name]) for name in amounts},
            }
        )
        for one in found.get("largest", ())
    ]


def _summary(found: Any) -> dict[str, Any]:
    """The summary with months and amounts as what they are, and the sums of all months."""
    names = ("before", "after", "difference", "dated")
    months = [
        {**one, "month": BillingMonth.parse(one["month"]), **{name: Decimal(one[name]) for name in names}}
        for one in found["months"]
    ]
    return {
        **found,
        "months": months,
        "sum": {name: sum((one[name] for one in months), Decimal(0)) for name in names},
        "issued": [(BillingMonth.parse(month), count) for month, count in found["issued"]],
        "by_date": any(one["dated"] != one["difference"] for one in months),
    }


def _values(visit: Visit, proposal: Proposal) -> list[tuple[str, str, str, str]]:
    """What differs between a tariff's version and what is in force before it: kind, block, before, since."""
    if proposal.kind != proposals.TARIFF or proposal.document is None or proposal.starts is None:
        return []
    scope, _ = visit.within()
    found = masters.tariff_state(visit.context.database, scope, proposal.name, proposal.base)
    revised = codec.load(Tariff, proposal.document)
    old, new = (revise.values(tariff, proposal.starts) for tariff in (found, revised))
    return [
        (what, block, old.get((what, block), "—"), text)
        for (what, block), text in new.items()
        if old.get((what, block)) is None or Decimal(old[what, block]) != Decimal(text)
    ]


def _until(proposal: Proposal) -> date | None:
    """The last day of a tariff's version that another one follows."""
    if proposal.kind != proposals.TARIFF or proposal.document is None:
        return None
    found = revise.versions(codec.load(Tariff, proposal.document))
    return next((one.until for one in found if one.start == proposal.starts), None)


def _hours(visit: Visit, proposal: Proposal) -> dict[str, Any] | None:
    """Both pictures of a calendar, the hours that change, and the holidays that come and go."""
    if proposal.kind != proposals.CALENDAR or proposal.document is None:
        return None
    scope, _ = visit.within()
    before = masters.calendar_state(visit.context.database, scope, proposal.name, proposal.base)
    calendar = codec.load(DayCalendar, proposal.document)
    words = Words(LOCALES[visit.language])
    several = bool(calendar.seasons or before.seasons)
    changed: dict[tuple[int, int, str, str], list[str]] = {}
    for one in calendars.stretches(calendar, before):
        for change in one.changes:
            changed.setdefault(change, []).append(_day(visit, one, several=several))
    changes = [
        (", ".join(days), calendars.clock(start), calendars.clock(end), words.block(was), words.block(now))
        for (start, end, was, now), days in changed.items()
    ]
    return {
        "before": drawing(visit, "before", before, title="proposal.before"),
        "after": drawing(visit, "after", calendar, before, title="calendar.proposed"),
        "changes": changes,
        "added": _listed(calendar.holidays - before.holidays, words),
        "removed": _listed(before.holidays - calendar.holidays, words),
    }


def _listed(days: Iterable[Any], words: Words) -> str:
    return ", ".join(words.day(day) for day in sorted(days))
