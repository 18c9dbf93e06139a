"""Jobs: what runs in the background, how far it is, what came of it, and another try for what is dead."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from eisenergy.portal.guard import OPERATORS
from eisenergy.portal.render import local, render
from eisenergy.portal.routes import Routes
from eisenergy.portal.visit import Visit
from eisenergy.store import jobs
from eisenergy.store.jobs import Job, NoJob

routes: Final = Routes()
HOME: Final = "/c/{client}/trabajos"
PAGE: Final = 50
KINDS: Final = ("parse", "ingest", "bill", "issue", "publish", "month", "check", "whatif", "workbook")
RESULTS: Final = (
    "month", "files", "added", "superseded", "unchanged", "drafts", "total", "parked_count", "parked", "not_in_force", "issued_before",
    "issued_count", "issued", "already", "stale_count", "stale", "made", "kept", "failed_count", "failed", "contracts",
    "without_readings", "missing", "estimated", "lines", "without",
)  # fmt: skip
"""What is shown of a result, in this order; nothing is shown of what is nought."""
PARTS: Final = ("file", "contract", "subject", "status", "why")
PROBLEMS: Final = ("rights", "refused", "later", "gave-up", "died", "internal", "unknown")


@routes.page(HOME, OPERATORS)
def listing(visit: Visit) -> Response:
    """List the jobs, the newest first."""
    scope, client = visit.within()
    state = visit.request.query_params.get("estado")
    chosen = state if state in (jobs.WAITING, jobs.RUNNING, jobs.DONE, jobs.REFUSED, jobs.FAILED) else None
    found = jobs.listed(visit.context.database, scope, limit=PAGE + 1, after=visit.first, state=chosen)
    return visit.page(
        "jobs",
        client=client,
        rows=[(job, local(job.asked_at, client.timezone), kind_name(visit, job)) for job in found[:PAGE]],
        counts=jobs.counts(visit.context.database, scope),
        chosen=chosen,
        first=visit.first,
        size=PAGE,
        more=len(found) > PAGE,
    )


@routes.page(f"{HOME}/{{job}}", OPERATORS)
def job_page(visit: Visit) -> Response:
    """Show one job."""
    return _page(visit, _job(visit))


@routes.page(f"{HOME}/{{job}}/avance", OPERATORS)
def progress(visit: Visit) -> Response:
    """How far a job is, to be put into a page that shows it; once it is over, the page is to be loaded anew."""
    job = _job(visit)
    response = HTMLResponse(render(visit, "job_progress", job=job, csrf=""))
    response.headers["X-Over"] = "0" if job.open else "1"
    return response


@routes.action(f"{HOME}/{{job}}/otra-vez", OPERATORS)
def again(visit: Visit) -> Response:
    """Try a job that is dead or was refused once more."""
    scope, client = visit.within()
    assert visit.session is not None
    wanted = visit.id_of("job", NoJob)
    jobs.again(visit.context.database, scope, wanted, by=visit.actor, user=visit.session.user, at=visit.at)
    return visit.go(address(client.code, wanted))


def address(client: str, job: uuid.UUID) -> str:
    """Return the path of a job's page."""
    return f"/c/{quote(client)}/trabajos/{job}"


def kind_name(visit: Visit, job: Job) -> str:
    """Return what a kind of job is called; one that has no name of its own is called as it is."""
    return visit.say(f"job.{job.kind}") if job.kind in KINDS else job.kind


def problem_of(visit: Visit, job: Job) -> tuple[str, str] | None:
    """Return why a job came to nothing: a sentence in the reader's language, and the program's own in English where it has one."""
    if job.problem is None:
        return None
    code, said = str(job.problem.get("code", "")), str(job.problem.get("text", ""))
    if code == "internal":
        return visit.say("job.problem.internal", id=said), ""
    return visit.say(f"job.problem.{code if code in PROBLEMS else 'refused'}"), said


def _job(visit: Visit) -> Job:
    scope, _ = visit.within()
    return jobs.find(visit.context.database, scope, visit.id_of("job", NoJob))


def _page(visit: Visit, job: Job) -> Response:
    _, client = visit.within()
    ended = None if job.ended_at is None else local(job.ended_at, client.timezone)
    return visit.page(
        "job",
        client=client,
        job=job,
        kind=kind_name(visit, job),
        asked=local(job.asked_at, client.timezone),
        ended=ended,
        problem=problem_of(visit, job),
        figures=_figures(visit, job),
        uploads=[str(one) for one in job.arguments.get("uploads", [])] + [str(job.arguments.get("upload") or "")],
        refresh=job.open,
    )


def _figures(visit: Visit, job: Job) -> list[tuple[str, str]]:
    """What came of a job, as names and figures; those of the three parts of a month's run one after the other."""
    if not isinstance(job.result, dict):
        return []
    flat: dict[str, Any] = {}
    for name, value in job.result.items():
        flat |= value if isinstance(value, dict) and name in ("bill", "issue", "publish") else {name: value}
    return [(visit.say(f"job.result.{name}"), shown) for name in RESULTS if (shown := _shown(visit, flat.get(name)))]


def has_text(visit: Visit, key: str) -> bool:
    """Whether there is a text of this name."""
    try:
        visit.say(key)
    except KeyError:
        return False
    return True


def _shown(visit: Visit, value: Any) -> str:
    if isinstance(value, bool) or not value:
        return ""
    if isinstance(value, list):
        return "\n".join(_line(visit, one) for one in value)
    if isinstance(value, dict):
        return "\n".join(f"{name}: {count}" for name, count in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def _line(visit: Visit, one: Any) -> str:
    if isinstance(one, dict):
        if has_text(visit, key := f"file.status.{one.get('status')}"):
            one = {**one, "status": visit.say(key)}
        return ": ".join(str(one[name]) for name in PARTS if one.get(name) is not None)
    return one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)
