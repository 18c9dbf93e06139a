"""Invoices of a month: drafts are made, looked at, published. Issuing them has pages of its own, see :mod:`eisenergy.portal.pages.issuing`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote, urlencode

from markupsafe import Markup
from starlette.responses import Response

from eisenergy.desk import rates_shown
from eisenergy.period import BadMonth, BillingMonth
from eisenergy.portal import sites
from eisenergy.portal.guard import OPERATORS
from eisenergy.portal.pages.work import kind_name, problem_of
from eisenergy.portal.render import local
from eisenergy.portal.routes import NoSuchPage, Routes
from eisenergy.portal.visit import Visit
from eisenergy.publish.folders import OPERATOR
from eisenergy.run import failures
from eisenergy.store import books, masters, month_jobs, review, stages
from eisenergy.store.jobs import Job
from eisenergy.store.stages import Metered, Stage

routes: Final = Routes()
HOME: Final = "/c/{client}/facturacion"
MONTH: Final = f"{HOME}/{{month}}"
PAGE: Final = 50
MOST_RATES: Final = 24
"""Rates of one line that are shown one by one."""


@routes.page(HOME, OPERATORS)
def months(visit: Visit) -> Response:
    """List the months, and let one be chosen."""
    _, client = visit.within()
    wanted = visit.request.query_params.get("mes")
    if wanted is not None:
        try:
            return visit.go(address(client.code, _parsed(wanted)))
        except NoSuchPage:
            return _months(visit, problem=visit.say("billing.no_month"), status=422)
    return _months(visit)


@routes.page(MONTH, OPERATORS)
def month_page(visit: Visit) -> Response:
    """Show how far a month is, and its list: drafts, who waits, invoices."""
    with visit.context.database.reading(visit.within()[0]):
        return _month_page(visit)


def _month_page(visit: Visit) -> Response:
    scope, client = visit.within()
    database, month = visit.context.database, month_of(visit)
    stage = stages.stage(database, scope, month)
    query = visit.request.query_params
    view = query.get("ver", "")
    if view not in review.VIEWS:
        empty = not stage.drafts
        view = review.ISSUED if empty and stage.issued else review.WAITING if empty and stage.waiting else review.DRAFTS
    order, down = _order(query.get("orden", ""))
    search = visit.search
    newest = next(iter(month_jobs.newest(database, scope, month)), None)
    published = newest
    if newest is not None and newest.kind not in (kinds := (month_jobs.PUBLISH, month_jobs.MONTH)):
        published = next(iter(month_jobs.newest(database, scope, month, kinds)), None)
    total, lines = review.page(
        database, scope, month, view, search=search, order=order, down=down, limit=PAGE, after=visit.first
    )
    return visit.page(
        "billing",
        client=client,
        month=month,
        stage=stage,
        metered=_metered(visit, stage),
        view=view,
        views=_views(visit, stage),
        lines=lines,
        sum=total,
        search=search,
        order=order,
        down=down,
        link=lambda **changed: _link({"ver": view, "orden": f"{'-' if down else ''}{order}", "q": search} | changed),
        first=visit.first,
        size=PAGE,
        job=newest,
        job_kind="" if newest is None else kind_name(visit, newest),
        job_when="" if newest is None else local(newest.asked_at, client.timezone),
        job_problem=None if newest is None or newest.open else problem_of(visit, newest),
        result=_result(newest),
        out=_published(visit, month, published),
        blocking=lambda line: [finding for finding in line.findings if finding.severity.value == "blocking"],
    )


@routes.action(f"{MONTH}/generar", OPERATORS)
def generate(visit: Visit) -> Response:
    """Have drafts made of everybody, or of one contract."""
    scope, _ = visit.within()
    contract = visit.form.get("contract", "").strip()
    if contract:
        contract = masters.contract(visit.context.database, scope, contract).number
    return _ask(visit, month_jobs.BILL, {"customers": [contract]} if contract else {})


@routes.action(f"{MONTH}/publicar", OPERATORS)
def publish(visit: Visit) -> Response:
    """Have the documents made and published."""
    return _ask(visit, month_jobs.PUBLISH, {})


@routes.page(f"{MONTH}/contrato/{{contract}}", OPERATORS)
def draft_page(visit: Visit) -> Response:
    """Show one contract's month: its draft or invoice with every rate, or why it waits."""
    scope, client = visit.within()
    database, month = visit.context.database, month_of(visit)
    contract = str(visit.request.path_params["contract"])
    line, view = None, ""
    for view in (review.DRAFTS, review.ISSUED, review.WAITING):
        line = review.line(database, scope, month, view, contract)
        if line is not None:
            break
    if line is None:
        raise NoSuchPage
    bill = None
    if view == review.DRAFTS and (draft := books.draft(database, scope, contract, month)) is not None:
        bill = draft.bill
    elif view == review.ISSUED and (invoice := books.billed(database, scope, contract, month)) is not None:
        bill = invoice.bill
    visit.note("SEEN", f"{'invoice' if view == review.ISSUED else 'draft'} of {contract}, {month}")
    return visit.page(
        "draft",
        client=client,
        month=month,
        line=line,
        bill=bill,
        findings=line.findings if bill is None else bill.findings,
        rates=rates_shown.rates,
        most=MOST_RATES,
    )


@routes.page(f"{MONTH}/fallo/{{subject}}", OPERATORS)
def failure(visit: Visit) -> Response:
    """Show in full why somebody's documents could not be made."""
    _, client = visit.within()
    month, subject = month_of(visit), str(visit.request.path_params["subject"])
    folder = visit.context.settings.runs / client.code / str(month)
    if subject == "operator":
        found = sites.inside(folder / OPERATOR, failures.NAME)
    else:
        found = sites.inside(folder, f"{subject}/{failures.NAME}")
    page = failures.told(found)
    visit.note("SEEN", f"failure of {subject}, {month}")
    return visit.page("failure", client=client, month=month, subject=subject, told=Markup(page))


def month_of(visit: Visit) -> BillingMonth:
    """Return the month in the path. :raises NoSuchPage: for what is none"""
    return _parsed(str(visit.request.path_params["month"]))


def address(client: str, month: BillingMonth) -> str:
    """Return the path of a month's page."""
    return f"/c/{quote(client)}/facturacion/{month}"


def _parsed(text: str) -> BillingMonth:
    try:
        month = BillingMonth.parse(text)
    except BadMonth:
        raise NoSuchPage from None
    if not 2000 <= month.year <= 2100:
        raise NoSuchPage
    return month


def _ask(visit: Visit, kind: str, arguments: dict[str, Any]) -> Response:
    scope, client = visit.within()
    assert visit.session is not None
    month = month_of(visit)
    with visit.context.database.session(scope) as connection:
        month_jobs.ask(connection, scope, kind, month, arguments, by=visit.actor, user=visit.session.user, at=visit.at)
    return visit.go(address(client.code, month))


def _months(visit: Visit, *, problem: str | None = None, status: int = 200) -> Response:
    scope, client = visit.within()
    database = visit.context.database
    newest = stages.newest_readings(database, scope, client.timezone)
    listed = list(stages.stages(database, scope))
    if newest is not None and newest not in [one.month for one in listed]:
        listed = sorted([*listed, Stage(month=newest)], key=lambda one: str(one.month), reverse=True)
    return visit.page(
        "billing_months",
        status=status,
        client=client,
        listed=listed,
        newest=newest,
        published=sites.months_of(sites.site_folder(visit, None)),
        problem=problem,
        done=None,
    )


def _order(given: str) -> tuple[str, bool]:
    down, name = given.startswith("-"), given.removeprefix("-")
    return (name, down) if name in review.ORDERS else ("contract", False)


def _link(given: dict[str, Any]) -> str:
    return "?" + urlencode({name: value for name, value in given.items() if value not in ("", None)})


def _views(visit: Visit, stage: Stage) -> list[tuple[str, str, int]]:
    counts = {
        review.DRAFTS: stage.drafts,
        review.CLEAN: stage.drafts - stage.warned,
        review.WARNED: stage.warned,
        review.WAITING: stage.waiting,
        review.ISSUED: stage.issued,
    }
    return [(name, visit.say(f"billing.view.{name}"), counts[name]) for name in review.VIEWS]


def _metered(visit: Visit, stage: Stage) -> Metered:
    """Whose readings are there: as billing found it where it looked at every contract, else as the files say."""
    scope, client = visit.within()
    database, known = visit.context.database, stage.metered
    if known is not None and known.contracts == stages.in_force(database, scope, stage.month):
        return known
    return stages.metered(database, scope, stage.month, client.timezone)


def _result(job: Job | None) -> dict[str, Any]:
    """What came of a job, where it is over: a month's run tells of its three parts."""
    if job is None or job.open or not isinstance(job.result, dict):
        return {}
    parts = [part for part in job.result.values() if isinstance(part, dict)] if job.kind == month_jobs.MONTH else []
    found = {name: value for part in parts or [job.result] for name, value in part.items()}
    found = {"parked_count": 0, "stale_count": 0, "failed_count": 0} | found
    return found | ({"total": Decimal(str(found["total"]))} if "total" in found else {})


def _published(visit: Visit, month: BillingMonth, job: Job | None) -> dict[str, Any]:
    """What is published of a month: whether there is anything, how many sites, and whose are not."""
    there = str(month) in sites.months_of(sites.site_folder(visit, None))
    result = _result(job)
    known = "made" in result
    return {
        "there": there,
        "count": result["made"] + result["kept"] if known else None,
        "failed": result.get("failed", []) if known else [],
        "failed_count": result.get("failed_count", 0) if known else 0,
    }
