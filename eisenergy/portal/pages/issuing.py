"""Issuing drafts: what is meant is counted and summed first, and only what was seen is issued, once.

The form holds a fingerprint of the drafts as they were shown. It is compared when the form comes, and again under the lock that they are
issued under (:func:`eisenergy.store.books.post`). While one job of a month is under way, nobody else asks for another.
"""

from __future__ import annotations

import re
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.responses import Response

from eisenergy.period import BillingMonth
from eisenergy.portal.guard import OPERATORS
from eisenergy.portal.pages.billing import MONTH, address, month_of
from eisenergy.portal.render import local
from eisenergy.portal.routes import Routes
from eisenergy.portal.visit import Visit
from eisenergy.store import month_jobs, selection
from eisenergy.store.jobs import Job

routes: Final = Routes()
MOST_CHOSEN: Final = 200
"""Contracts that are chosen one by one at most; a page has fifty."""
NAMED: Final = 12
"""Contracts that the page names."""


@routes.page(f"{MONTH}/emitir", OPERATORS)
def confirm(visit: Visit) -> Response:
    """Say what would be issued: how many, how much, and which."""
    query = visit.request.query_params
    which, chosen = _meant(query.get("que", ""), query.getlist("c"))
    return _confirm(visit, which, chosen)


@routes.action(f"{MONTH}/emitir", OPERATORS)
def issue(visit: Visit) -> Response:
    """Have what was seen issued. A second press, a replayed form and a list that changed since change nothing, and say so."""
    scope, client = visit.within()
    assert visit.session is not None
    database, month = visit.context.database, month_of(visit)
    which, chosen = _meant(visit.form.get("which", ""), visit.form.get("contracts", "").split("\n"))
    seen = visit.form.get("fingerprint", "")
    if not re.fullmatch(r"[0-9a-f]{64}", seen):
        return _confirm(visit, which, chosen, problem=visit.say("issue.not_seen"), status=422)
    now = selection.select(database, scope, month, which, chosen)
    if now.fingerprint != seen or not now.count:
        earlier = _asked_before(visit, month, seen)
        if earlier is not None:
            return _twice(visit, month, earlier)
        return _confirm(visit, which, chosen, problem=visit.say("issue.changed"), status=409)
    arguments: dict[str, Any] = {"which": which, "fingerprint": seen, "count": now.count, "total": str(now.total)}
    if which == selection.CHOSEN:
        arguments["contracts"] = list(selection.contracts(database, scope, month, which, chosen))
    with database.session(scope) as connection:
        job, made = month_jobs.ask(
            connection,
            scope,
            month_jobs.ISSUE,
            month,
            arguments,
            by=visit.actor,
            user=visit.session.user,
            at=visit.at,
        )
    return visit.go(address(client.code, month)) if made else _twice(visit, month, job)


def _meant(which: str, contracts: list[str]) -> tuple[str, tuple[str, ...]]:
    """Return what a request is about; for what names nothing that is known: nothing is chosen."""
    if which not in selection.WHICH:
        which = selection.CHOSEN
    named = tuple(sorted({one.strip().replace("\x00", "")[:100] for one in contracts} - {""}))
    return which, named[:MOST_CHOSEN] if which == selection.CHOSEN else ()


def _asked_before(visit: Visit, month: BillingMonth, fingerprint: str) -> Job | None:
    """Return the job that was asked for with what a form says was seen; ``None`` where there is none."""
    scope, _ = visit.within()
    jobs = month_jobs.newest(visit.context.database, scope, month, (month_jobs.ISSUE,), limit=20)
    return next((job for job in jobs if job.arguments.get("fingerprint") == fingerprint), None)


def _confirm(
    visit: Visit, which: str, chosen: tuple[str, ...], *, problem: str | None = None, status: int = 200
) -> Response:
    scope, client = visit.within()
    month = month_of(visit)
    database = visit.context.database
    meant = selection.select(database, scope, month, which, chosen)
    return visit.page(
        "issue",
        status=status,
        client=client,
        month=month,
        which=which,
        meant=meant,
        named=selection.contracts(database, scope, month, which, chosen, limit=NAMED),
        chosen=chosen,
        day=visit.at.astimezone(ZoneInfo(client.timezone)).date(),
        earlier=None,
        when="",
        problem=problem,
        done=None,
    )


def _twice(visit: Visit, month: BillingMonth, job: Job) -> Response:
    """Say that somebody asked for this, or for something it waits for, already."""
    _, client = visit.within()
    mine = job.user is not None and visit.session is not None and job.user == visit.session.user
    when = local(job.asked_at, client.timezone)
    key = "issue.twice.other" if job.kind != month_jobs.ISSUE else "issue.twice.self" if mine else "issue.twice"
    return visit.page(
        "issue",
        status=409,
        client=client,
        month=month,
        which=selection.ALL,
        meant=None,
        named=(),
        chosen=(),
        day=None,
        earlier=job,
        when=when,
        problem=visit.say(key, who=job.asked_by, when=when),
        done=None,
    )
