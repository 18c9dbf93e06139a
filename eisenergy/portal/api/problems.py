"""What is answered when something is in the way: problem details.

Source: RFC 9457, Problem Details for HTTP APIs; RFC 6750, 3, for the header of 401.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

MEDIA_TYPE: Final = "application/problem+json"
PREFIX: Final = "/v1"
PAGE: Final = "/v1"
"""Where people read what each type means; a type's address leads to its place there."""
KINDS: Final[Mapping[str, tuple[int, str]]] = {
    "bad-request": (400, "The request cannot be read"),
    "client-not-named": (400, "The client is not named"),
    "unauthorized": (401, "A valid token is needed"),
    "forbidden": (403, "Outside the token's rights"),
    "not-found": (404, "There is no such thing"),
    "not-published": (404, "The document is not published"),
    "method-not-allowed": (405, "Not done at this address"),
    "conflict": (409, "In conflict with what is stored"),
    "key-in-use": (409, "A request with this key is being worked on"),
    "too-large": (413, "More than is taken at once"),
    "unsupported-media-type": (415, "The body is of a type that is not taken"),
    "invalid": (422, "The request does not hold what it should"),
    "key-used": (422, "The key was used for another request"),
    "too-many-requests": (429, "Too many requests"),
    "internal": (500, "A mistake in the program"),
}
"""Type -> status and title."""
LONGEST: Final = 2000
MOST: Final = 100
"""Errors that one answer lists."""


class Problem(Exception):
    """A request that cannot be served.

    :param kind: of :data:`KINDS`
    :param detail: what was found, where, what was expected, what to do
    :param errors: one by one: ``detail``, and ``pointer`` (into the body, RFC 6901), ``parameter``, ``header`` or ``cell``
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})


def answer(request: Request, problem: Problem) -> Response:
    """Return a problem as an answer. Its instance is the request's number, which stands in the log, too."""
    status, title = KINDS[problem.kind]
    content: dict[str, Any] = {
        "type": f"{PAGE}#{problem.kind}",
        "title": title,
        "status": status,
        "detail": problem.detail[:LONGEST],
        "instance": str(request.scope.get("request_id", "")),
    }
    if problem.errors:
        content["errors"] = [dict(error) for error in problem.errors[:MOST]]
    # Whatever somebody sent may be repeated in it: half a surrogate pair is written as its escape.
    text = json.dumps(content, ensure_ascii=True)
    return Response(text, status, media_type=MEDIA_TYPE, headers=problem.headers)


def concerns(path: str) -> bool:
    """Whether an address is the interface's, where a person's page is no answer."""
    return path.startswith(f"{PREFIX}/")


def methods_at(request: Request) -> str:
    """Return the methods of an address: the framework names those of one route alone, and an address may have several."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return ", ".join(sorted(found))


def of_http(problem: HTTPException) -> Problem:
    """Return what the framework refused as a problem."""
    kind = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type"}
    detail = {
        404: "Nothing stands at this address; /v1/openapi.json lists what does.",
        405: "This method is not one of the address's; the header Allow names them.",
        413: "The body is larger than what is taken here.",
    }
    said = detail.get(problem.status_code, f"The body cannot be read: {problem.detail}")
    return Problem(kind.get(problem.status_code, "bad-request"), said, headers=problem.headers)
