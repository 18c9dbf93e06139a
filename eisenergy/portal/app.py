"""The portal as an ASGI application."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from eisenergy.portal import health, routes
from eisenergy.portal.api import interface, page, problems, stream
from eisenergy.portal.api.problems import Problem
from eisenergy.portal.context import Context
from eisenergy.portal.headers import Guarded
from eisenergy.portal.observe import Meters, Observed
from eisenergy.portal.pages import (
    account,
    assets,
    billing,
    calendars,
    contracts,
    customer,
    events,
    issuing,
    log,
    operator,
    proposals,
    signin,
    tariffs,
    tokens,
    uploads,
    usage,
    users,
    work,
    workbook,
)
from eisenergy.portal.visit import Visit

MODULES: Final = (
    health, assets, signin, account, operator, users, log, customer, usage, uploads, work, tariffs, calendars,
    proposals, contracts, billing, issuing, workbook, events, stream, page, tokens,
)  # fmt: skip
"""The modules of pages; a new topic is one more."""
_log: Final = logging.getLogger(__name__)


def create_app(context: Context) -> FastAPI:
    """Return the application.

    :raises RuntimeError: when a route has no rule: a mistake in the program
    """
    app = FastAPI(title="eisenergy", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for module in MODULES:
        routes.install(app, context, module.routes)
    interface.install(app, context)
    if missing := routes.unruled(app):
        raise RuntimeError(f"routes without a rule: {', '.join(missing)}")
    app.add_exception_handler(HTTPException, _told(context))
    app.add_exception_handler(Exception, _failed(context))
    return app


def guarded(context: Context, meters: Meters | None = None) -> Observed:
    """Return the application as it is served: inside what sets headers on every answer, those to errors, too, and what tells of it.

    :param meters: what counts requests; ``None``: nothing does
    """
    return Observed(Guarded(create_app(context), context), meters)


Handler = Callable[[Request, Exception], Awaitable[Response]]


def _told(context: Context) -> Handler:
    async def told(request: Request, problem: Exception) -> Response:
        """Say in the house's words that there is no such page, or that a form was too large."""
        status = problem.status_code if isinstance(problem, HTTPException) else 500
        if problems.concerns(request.url.path) and isinstance(problem, HTTPException):
            said = problems.of_http(problem)
            if problem.status_code == 405:
                said.headers["Allow"] = problems.methods_at(request)
            return problems.answer(request, said)
        key = {413: "error.413", 400: "error.form"}.get(status, "error.404")
        visit = Visit(context=context, request=request, at=context.now())
        return visit.page("error", status=status, title=visit.say(key), text=visit.say(f"{key}.text"))

    return told


def _failed(context: Context) -> Handler:
    async def failed(request: Request, problem: Exception) -> Response:
        """Note an error under a number, and tell the number and nothing else."""
        number = str(request.scope.get("request_id") or secrets.token_hex(4))
        _log.error("error %s at %s %s", number, request.method, request.scope.get("route"), exc_info=problem)
        if problems.concerns(request.url.path):
            said = f"Something went wrong here; its number is {number}."
            return problems.answer(request, Problem("internal", said))
        visit = Visit(context=context, request=request, at=context.now())
        try:
            return visit.page(
                "error", status=500, title=visit.say("error.500"), text=visit.say("error.500.text", id=number)
            )
        except Exception:  # a page of its own must not hide what went wrong
            return PlainTextResponse(f"error {number}\n", status_code=500)

    return failed
