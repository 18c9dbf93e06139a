"""Requests of programs from their arrival to their answer: who asks, may they, what was sent, what is kept for its key."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from eisenergy.accounts import OutOfScope
from eisenergy.portal import guard
from eisenergy.portal.api import checking, problems
from eisenergy.portal.api.call import JSON, Answer, Call
from eisenergy.portal.api.checking import Checker
from eisenergy.portal.api.limits import Buckets
from eisenergy.portal.api.operations import Operation
from eisenergy.portal.api.problems import Problem
from eisenergy.portal.context import Context
from eisenergy.portal.guard import NotNamed, NotSignedIn
from eisenergy.portal.routes import ANY_FORM, limited
from eisenergy.store import api_tokens, idempotency, listing, masters
from eisenergy.store.books import NoInvoice
from eisenergy.store.idempotency import InUse, Kept
from eisenergy.store.jobs import NoJob
from eisenergy.store.masters import NotStored

CLIENT: Final = "X-Client"
KEY: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
MULTIPART: Final = "multipart/form-data"
_TOKEN: Final = re.compile(rf"{api_tokens.PREFIX}[A-Za-z0-9_-]{{43}}")
_CODE: Final = re.compile(r"[A-Z][A-Z0-9-]{0,15}")
_KEY: Final = re.compile(r"[!-~]{1,255}")


def install(app: FastAPI, context: Context, operations: list[Operation], checker: Checker) -> None:
    """Put operations into the app, each behind its rule."""
    buckets = Buckets(context.settings.portal.api_rate)
    # A path with an ending comes before the one whose parameter would take the ending in.
    for operation in sorted(operations, key=lambda one: one.path.endswith("}")):
        app.router.add_api_route(
            operation.path,
            _endpoint(context, operation, checker, buckets),
            methods=[operation.method],
            response_model=None,
            include_in_schema=False,
            max_body_size=None,  # counted as it comes in, and by the operation's own measure
            name=f"v1.{operation.name}",
        )


def _endpoint(
    context: Context, operation: Operation, checker: Checker, buckets: Buckets
) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        call = Call(context=context, request=request, at=context.now(), path=operation.path)
        try:
            if operation.change is None:
                return await run_in_threadpool(_read, operation, call, buckets)
            await run_in_threadpool(_enter, operation, call, buckets)
            form = await _take(operation, call, checker)
            try:
                return await run_in_threadpool(_change, operation, call)
            finally:
                if form is not None:
                    await form.close()
        except Exception as problem:
            said = await run_in_threadpool(_said, call, problem)
            if said is None:
                raise
            return problems.answer(request, said)

    endpoint.rule = operation.rule  # type: ignore[attr-defined]
    return endpoint


def _said(call: Call, problem: Exception) -> Problem | None:
    """Return what is in the way as a problem, and note what was refused; ``None`` for a mistake in the program."""
    match problem:
        case Problem():
            return problem
        case NotSignedIn():
            detail = "The token is unknown, expired or revoked, or its owner lost the right." if call.given else (
                "Send a token: Authorization: Bearer eis_... It is made in the portal under Mi cuenta, Fichas."
            )  # fmt: skip
            error = ', error="invalid_token"' if call.given else ""
            return Problem("unauthorized", detail, headers={"WWW-Authenticate": f'Bearer realm="eisenergy"{error}'})
        case OutOfScope() | NoJob():
            call.note("REFUSED", f"{call.request.method} {call.request.url.path}")
            return Problem("forbidden", "This is not within the token's rights; the attempt was written down.")
        case NotNamed():
            return Problem("client-not-named", f"The token is for every client: name one in the header {CLIENT}.")
        case NotStored() | NoInvoice():
            return Problem("not-found", "Nothing of this name is stored at the client.")
        case InUse():
            return Problem(
                "key-in-use",
                f"A request with this {KEY} is being worked on. Try again in a moment.",
                headers={"Retry-After": "1"},
            )
        case HTTPException():
            return problems.of_http(problem)
        case ClientDisconnect():
            return Problem("bad-request", "The request broke off.")  # nobody hears it, and nothing is wrong here
    return None


def _read(operation: Operation, call: Call, buckets: Buckets) -> Response:
    assert operation.read is not None
    _enter(operation, call, buckets)
    found = operation.read(call)
    return found.response() if isinstance(found, Answer) else found


def _enter(operation: Operation, call: Call, buckets: Buckets) -> None:
    """Find out who asks, refuse whom the operation is not for, and look at the address."""
    if operation.rule.roles is None:
        return
    database = call.context.database
    scheme, _, token = call.request.headers.get("authorization", "").partition(" ")
    call.given = bool(scheme)
    if scheme.lower() == "bearer" and _TOKEN.fullmatch(token.strip()):
        call.bearer = api_tokens.find(database, token.strip(), call.at)
    # Counted before it is refused: each refusal writes a line of the log.
    if call.bearer is not None and (wait := buckets.take(call.bearer.id)):
        detail = f"This token has made more requests than it may; there is one again in {wait} s."
        raise Problem("too-many-requests", detail, headers={"Retry-After": str(wait)})
    guard.check_role(operation.rule, call.bearer)
    if operation.named_by is None:
        named = call.request.headers.get(CLIENT)
        if named is not None and not _CODE.fullmatch(named):
            said = "expected a client's code, such as EIS"
            raise Problem("invalid", f"{CLIENT}: {said}.", errors=[{"header": CLIENT, "detail": said}])
        _find_scope(operation, call, named)
    parameters = call.request.query_params.multi_items()
    call.query = checking.query(operation.query, operation.required, parameters)


def _find_scope(operation: Operation, call: Call, named: str | None) -> None:
    database = call.context.database
    customer = call.request.path_params.get("customer")
    if not all(checking.fit(str(value)) for value in call.request.path_params.values()):
        raise Problem("not-found", "The address holds what no name may hold.")
    call.scope = guard.token_scope(operation.rule, call.bearer, named, customer)
    if operation.named_by is not None:
        return
    call.client = masters.client(database, call.scope)
    if customer is not None:
        name = listing.customer_name(database, call.scope, customer)
        if name is None:
            raise NotStored(customer)
        call.customer = (customer, name)


async def _take(operation: Operation, call: Call, checker: Checker) -> FormData | None:
    """Take a body in, no more of it than is allowed, and hold it against its schema.

    :returns: a form to be closed, where it was one
    """
    sent = operation.sent
    assert sent is not None
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in sent.kinds:
        found = f"found {kind!r}" if kind else "found none"
        raise Problem("unsupported-media-type", f"Content-Type: {found[:100]}, expected {' or '.join(sent.kinds)}.")
    most = call.context.settings.work.upload_bytes + ANY_FORM if sent.most is None else sent.most
    declared = call.request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and (len(declared) > 15 or int(declared) > most):
        raise _too_large(most)
    request = limited(call.request, most)
    about = [call.request.method, call.request.url.path, call.request.headers.get(CLIENT, ""), kind]
    try:
        if kind == MULTIPART:
            form = await _form(request, call)
            try:
                about += await run_in_threadpool(_hashes, call)
            except BaseException:
                await form.close()
                raise
        else:
            form, body = None, await request.body()
            about.append(hashlib.sha256(body).hexdigest())
            call.body = await run_in_threadpool(_checked, sent.kinds[kind], checker, body)
    except HTTPException as problem:
        raise _too_large(most) if problem.status_code == 413 else problems.of_http(problem) from None
    call.fingerprint = hashlib.sha256("\n".join(about).encode("utf-8", "backslashreplace")).hexdigest()
    if operation.named_by is not None:
        await run_in_threadpool(_find_scope, operation, call, call.body[operation.named_by])
    return form


def _too_large(most: int) -> Problem:
    return Problem("too-large", f"The body is larger than {most >> 10:,} KB. Send it in several parts.")


async def _form(request: Request, call: Call) -> FormData:
    limits = call.context.settings.work
    form = await request.form(max_files=limits.upload_files, max_fields=10, max_part_size=1 << 16)
    found = [value for name, value in form.multi_items() if name == "files" and isinstance(value, UploadFile)]
    strange = [name for name, value in form.multi_items() if name != "files" or not isinstance(value, UploadFile)]
    if strange or not found:
        await form.close()
        detail = f"found the field {strange[0][:40]!r}" if strange else "found no file"
        errors = [{"pointer": "/files", "detail": f"{detail}, expected files, each with its name, in the field files"}]
        raise Problem("invalid", f"The form: {errors[0]['detail']}.", errors=errors)
    call.files = found
    return form


def _hashes(call: Call) -> list[str]:
    found = []
    for one in call.files:
        found += [one.filename or "", hashlib.file_digest(one.file, "sha256").hexdigest()]  # type: ignore[arg-type]
        one.file.seek(0)
    return found


def _checked(schema: str | None, checker: Checker, body: bytes) -> Any:
    if schema is None:
        return body
    found = checking.parsed(body)
    checker.body(schema, found)
    return found


def _change(operation: Operation, call: Call) -> Response:
    """Do what was asked for once, and keep the answer for its key in the same transaction."""
    assert operation.change is not None
    scope, bearer, database = call.within(), call.holder(), call.context.database
    key = call.request.headers.get(KEY)
    if key is not None and not _KEY.fullmatch(key):
        said = "expected 1 to 255 visible ASCII characters, such as a UUID"
        raise Problem("invalid", f"{KEY}: {said}.", errors=[{"header": KEY, "detail": said}])
    named = (bearer.client, bearer.user, key)
    if key is not None:
        with database.session(scope) as connection:
            if (kept := idempotency.find(connection, bearer.client, bearer.user, key, call.at)) is not None:
                return _again(call, kept)
    effect = operation.change(call)
    with database.session(scope) as connection:
        if key is not None:
            idempotency.claim(connection, bearer.client, bearer.user, key)
            if (kept := idempotency.find(connection, bearer.client, bearer.user, key, call.at)) is not None:
                return _again(call, kept)
        answer = effect(connection)
        if key is not None:
            made = Kept(fingerprint=call.fingerprint, status=answer.status, headers=answer.headers, body=answer.text)
            idempotency.keep(connection, *named[:2], key, made, call.at)
    return answer.response()


def _again(call: Call, kept: Kept) -> Response:
    if kept.fingerprint != call.fingerprint:
        raise Problem("key-used", f"This {KEY} was used for another request within a day. Take a fresh one.")
    return Response(kept.body, kept.status, media_type=JSON, headers={**kept.headers, REPLAYED: "true"})
