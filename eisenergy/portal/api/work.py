"""What is done in the background: files taken in, months billed; and how far it is."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection

from eisenergy.portal.api.call import JSON, Answer, Call
from eisenergy.portal.api.operations import Effect, Operations, Sent
from eisenergy.portal.api.problems import Problem
from eisenergy.portal.api.serving import MULTIPART
from eisenergy.portal.guard import WORK
from eisenergy.store import api_tokens, files, jobs, listing, uploads
from eisenergy.work.names import ENDINGS, START, cleaned, unfit

operations: Final = Operations("Work in the background")
_UNFIT: Final = {
    "ending": f"expected one of {', '.join(ENDINGS)}",
    "empty": "it is empty",
    "content": "it is a program, a picture, a document or an archive, whatever its name says",
}


@operations.change(
    "/v1/meter-readings/upload",
    WORK,
    "Upload meter files",
    given={202: ("UploadAccepted", "The files are stored; the job is at the address in Location")},
    sent=Sent(kinds={MULTIPART: "Upload"}, most=None),
)
def upload_readings(call: Call) -> Effect:
    """Store files and have them read and imported in the background, all by one job.

    Taken are meter downloads, distributor's reports, customer lists, price sheets and hours of blocks, as .xlsx, .xls and .csv. The same
    file twice changes nothing. What is refused is told by the job, file by file, and does not stop the others.
    """
    scope = call.within()
    kept: list[tuple[str, str, int]] = []
    with files.Originals(call.context.settings, scope) as originals:
        for number, one in enumerate(call.files):
            name = cleaned(one.filename)
            why = unfit(name, one.file.read(START))
            one.file.seek(0)
            if why is not None:
                detail = f"{name}: {_UNFIT[why]}"
                raise Problem("invalid", f"{detail}.", errors=[{"pointer": f"/files/{number}", "detail": detail}])
            kept.append((name, *originals.keep_stream(one.file)))
        originals.settle()

    def effect(connection: Connection) -> Answer:
        bearer = call.holder()
        made, job = uploads.receive_together(
            connection, scope, kept, way=uploads.API, by=call.actor, user=bearer.user, at=call.at
        )
        api_tokens.asked(connection, scope, job, bearer.id)
        told = [
            {"id": str(upload), "name": name, "bytes": size, "sha256": sha256}
            for upload, (name, sha256, size) in zip(made, kept, strict=True)
        ]
        return _accepted(job, uploads=told)

    return effect


@operations.change(
    "/v1/billing/run",
    WORK,
    "Bill a month",
    given={202: ("Accepted", "The job is at the address in Location")},
    sent=Sent(kinds={JSON: "BillingRun"}, most=64 << 10),
)
def run_billing(call: Call) -> Effect:
    """Draft the bills of a month in the background; number and post them, and publish sites and PDFs, where that is asked for.

    Asked for twice, nothing doubles: who has an invoice for the month gets no second one. Whoever cannot be billed is parked, and the
    others go on.
    """
    asked = call.body
    customers = asked.get("customers")
    if customers:
        known = listing.customers_among(call.context.database, call.within(), customers)
        errors = [
            {"pointer": f"/customers/{number}", "detail": f"{code}: there is no such customer"}
            for number, code in enumerate(customers)
            if code not in known
        ]
        if errors:
            raise Problem("invalid", f"{errors[0]['detail']}.", errors=errors)
    told: dict[str, Any] = {"month": asked["month"]}
    if customers:
        told["customers"] = customers
    if "issued_on" in asked:
        told["issued_on"] = _day(asked["issued_on"])
    issue, publish = asked.get("issue", False), asked.get("publish", False)
    kind = "month" if issue or publish else "bill"
    if kind == "month":
        told |= {"issue": issue, "publish": publish}

    def effect(connection: Connection) -> Answer:
        bearer, scope = call.holder(), call.within()
        job = jobs.defer(connection, scope, kind, asked["month"], told, by=call.actor, user=bearer.user, at=call.at)
        api_tokens.asked(connection, scope, job, bearer.id)
        return _accepted(job)

    return effect


@operations.read("/v1/jobs/{job}", WORK, "Show a job", given={200: ("Job", "The job")})
def show_job(call: Call) -> Answer:
    """Show how far a job is, and what came of it."""
    try:
        wanted = uuid.UUID(str(call.request.path_params["job"]))
    except ValueError:
        raise Problem("not-found", "Jobs have ids such as 1b4e28ba-2fa1-41d2-883f-0016d3cca427.") from None
    job = jobs.find(call.context.database, call.within(), wanted)
    return Answer(
        body={
            "id": str(job.id),
            "kind": job.kind,
            "subject": job.subject,
            "state": job.state,
            "asked_by": job.asked_by,
            "asked_at": job.asked_at.isoformat(),
            "started_at": None if job.started_at is None else job.started_at.isoformat(),
            "ended_at": None if job.ended_at is None else job.ended_at.isoformat(),
            "done": job.done,
            "total": job.total,
            "result": job.result,
            "problem": None if job.problem is None else dict(job.problem),
        }
    )


def _accepted(job: uuid.UUID, **more: Any) -> Answer:
    body = {"job": str(job), "state": jobs.WAITING, **more}
    return Answer(status=202, body=body, headers={"Location": f"/v1/jobs/{job}"})


def _day(given: str) -> str:
    try:
        return date.fromisoformat(given).isoformat()
    except ValueError:
        detail = f"{given} is no day of the calendar"
        raise Problem(
            "invalid", f"/issued_on: {detail}.", errors=[{"pointer": "/issued_on", "detail": detail}]
        ) from None
