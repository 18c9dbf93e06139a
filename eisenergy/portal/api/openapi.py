"""The description of the interface: OpenAPI 3.1, made from the operations that are served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import eisenergy
from eisenergy.portal.api.call import JSON
from eisenergy.portal.api.operations import Operation
from eisenergy.portal.api.problems import KINDS, MEDIA_TYPE
from eisenergy.portal.api.schemas import Schema, ref
from eisenergy.portal.api.serving import CLIENT, KEY, REPLAYED

ABOUT: Final = """\
Meter files in, invoices out, for programs. Authenticate with a token made in the portal: `Authorization: Bearer eis_...`; cookies count
for nothing here. A token sees and does no more than its owner's right, and one limited to customers sees these alone.

Money and rates are decimals as texts, energy is numbers of kWh, instants are RFC 3339 with an offset. Ranges are half-open. Lists come in
pages: send `next` back as `cursor`. A POST with an `Idempotency-Key` is done once: the same request with the same key within a day gets
the same answer, another request with it 422, one while the first is being worked on 409. Errors are problem details (RFC 9457)."""
UPLOAD: Final[Schema] = {
    "type": "object",
    "description": "Meter files and lists",
    "required": ["files"],
    "additionalProperties": False,
    "properties": {
        "files": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "format": "binary"},
            "description": "Each with its name; the field may be repeated",
        }
    },
}
_PATHS: Final = {
    "customer": ("The customer's id", "EIS-0001"),
    "number": ("The invoice's number", "FAC-000001"),
    "job": ("The job's id", "1b4e28ba-2fa1-41d2-883f-0016d3cca427"),
}
_PROBLEMS: Final = {
    400: "The request cannot be read",
    401: "A valid token is needed",
    403: "Outside the token's rights; written down",
    404: "There is no such thing",
    409: "In conflict with what is stored, or the key is in use",
    413: "More than is taken at once",
    415: "The body is of a type that is not taken",
    422: "The request does not hold what it should, or the key was used for another",
    429: "Too many requests; Retry-After says when there is one again",
    500: "A mistake in the program; the number in instance stands in the log",
}


def describe(operations: Iterable[Operation], components: Mapping[str, Schema], url: str) -> dict[str, Any]:
    """Return the description.

    :param url: address people use
    """
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "eisenergy", "version": eisenergy.__version__, "description": ABOUT},
        "servers": [{"url": url}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Upload": UPLOAD},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "Made in the portal, shown once"}},
            "responses": {str(status): _problem(status, about) for status, about in _PROBLEMS.items()},
            "headers": {
                "Request": {"description": "Number of the request", "schema": {"type": "string"}},
                "Replayed": {"description": "true where the answer was given before for the same key", "schema": {"type": "string"}},
                "Location": {"description": "Where the job is asked for", "schema": {"type": "string", "format": "uri-reference"}},
            },
        },
        "x-problem-types": {kind: {"status": status, "title": title} for kind, (status, title) in KINDS.items()},
    }  # fmt: skip


def _operation(operation: Operation) -> dict[str, Any]:
    public = operation.rule.roles is None
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.about,
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": _responses(operation, public),
    }
    if public:
        found["security"] = []
    if operation.sent is not None:
        content = {
            kind: {"schema": {"type": "string", "format": "binary"} if name is None else ref(name)}
            for kind, name in operation.sent.kinds.items()
        }
        found["requestBody"] = {"required": True, "content": content}
    return found


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, (about, example) in _PATHS.items():
        if f"{{{name}}}" in operation.path:
            schema: Schema = {"type": "string", "minLength": 1, "examples": [example]}
            if name == "job":
                schema["format"] = "uuid"
            found.append({"name": name, "in": "path", "required": True, "description": about, "schema": schema})
    for name, schema in operation.query.items():
        found.append(
            {
                "name": name,
                "in": "query",
                "required": name in operation.required,
                "description": schema["description"],
                "schema": schema,
            }
        )
    if operation.rule.roles is not None and operation.named_by is None:
        schema = {"type": "string", "pattern": "^[A-Z][A-Z0-9-]{0,15}$", "examples": ["EIS"]}
        about = "Code of the client; needed with a token for every client"
        found.append({"name": CLIENT, "in": "header", "required": False, "description": about, "schema": schema})
    if operation.change is not None:
        schema = {"type": "string", "pattern": "^[!-~]{1,255}$", "examples": ["8e03978e-40d5-43dd-bc93-6894a57f9324"]}
        about = "The request is done once for a key"
        found.append({"name": KEY, "in": "header", "required": False, "description": about, "schema": schema})
    return found


def _responses(operation: Operation, public: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, (name, about) in operation.given.items():
        schema = (
            ref(name)
            if name
            else {"type": "string", "format": "binary"}
            if operation.kind != JSON
            else {"type": "object"}
        )
        headers: dict[str, Any] = {"X-Request-ID": {"$ref": "#/components/headers/Request"}}
        if operation.change is not None:
            headers[REPLAYED] = {"$ref": "#/components/headers/Replayed"}
        if status == HTTPStatus.ACCEPTED:
            headers["Location"] = {"$ref": "#/components/headers/Location"}
        found[str(status)] = {"description": about, "headers": headers, "content": {operation.kind: {"schema": schema}}}
    if not public:
        wanted = {400, 401, 403, 404, 422, 429, 500}
        if operation.sent is not None:
            wanted |= {409, 413, 415}
        found |= {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(wanted)}
    return found


def _problem(status: int, about: str) -> dict[str, Any]:
    headers: dict[str, Any] = {"X-Request-ID": {"$ref": "#/components/headers/Request"}}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = {"schema": {"type": "string"}}
    return {"description": about, "headers": headers, "content": {MEDIA_TYPE: {"schema": ref("Problem")}}}
