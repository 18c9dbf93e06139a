"""The route table: every entry names its rule, and nothing is served that has none."""

from __future__ import annotations

import urllib.parse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from anyio import to_thread
from fastapi import FastAPI
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.types import Message
from starlette.websockets import WebSocket

from eisenergy.accounts import OutOfScope
from eisenergy.portal import cookies, csrf, guard, streams
from eisenergy.portal.context import Context
from eisenergy.portal.guard import BadRule, NotSignedIn, ReadOnlyView, Rule, TokenRule
from eisenergy.portal.streams import Admitted
from eisenergy.portal.visit import Visit
from eisenergy.store import listing, masters, sessions
from eisenergy.store.books import NoInvoice
from eisenergy.store.jobs import NoJob
from eisenergy.store.masters import NotStored
from eisenergy.store.people import NoUser
from eisenergy.store.proposals import NoProposal
from eisenergy.store.subscriptions import NoSubscription
from eisenergy.store.uploads import NoUpload

Handler = Callable[[Visit], Response]
LARGEST_FORM: Final = 64 * 1024
"""Bytes; uploads have a limit of their own."""
ANY_FORM: Final = 1 << 20
"""Bytes that an upload may have beside its files."""


class NoSuchPage(LookupError):
    """Nothing stands at this address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One route.

    :param files: whether the form holds files; who asks is looked at before any of it is taken
    """

    path: str
    method: str
    rule: Rule
    handler: Handler
    files: bool = False


StreamHandler = Callable[[Admitted], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One websocket route."""

    path: str
    rule: Rule
    handler: StreamHandler


class Routes:
    """The routes of one module of pages."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.streams: list[Stream] = []

    def stream(self, path: str, rule: Rule) -> Callable[[StreamHandler], StreamHandler]:
        """Serve a websocket at a path, to whoever is signed in or holds a token. :raises BadRule: when rule and path do not fit"""
        rule.check(path, "WS")
        if rule.roles is None or rule.roles:
            raise BadRule(f"WS {path}: a stream is for whoever is signed in, and says itself whose data it is about")

        def keep(handler: StreamHandler) -> StreamHandler:
            self.streams.append(Stream(path=path, rule=rule, handler=handler))
            return handler

        return keep

    def page(self, path: str, rule: Rule) -> Callable[[Handler], Handler]:
        """Serve a page at a path. :raises BadRule: when rule and path do not fit"""
        return self._add(path, "GET", rule)

    def action(self, path: str, rule: Rule) -> Callable[[Handler], Handler]:
        """Take a form at a path. :raises BadRule: when rule and path do not fit"""
        return self._add(path, "POST", rule)

    def upload(self, path: str, rule: Rule) -> Callable[[Handler], Handler]:
        """Take a form with files at a path. :raises BadRule: when rule and path do not fit"""
        return self._add(path, "POST", rule, files=True)

    def _add(self, path: str, method: str, rule: Rule, *, files: bool = False) -> Callable[[Handler], Handler]:
        rule.check(path, method)

        def keep(handler: Handler) -> Handler:
            self.entries.append(Entry(path=path, method=method, rule=rule, handler=handler, files=files))
            return handler

        return keep


def install(app: FastAPI, context: Context, routes: Routes) -> None:
    """Put the routes of a module into the app, each behind its rule."""
    for entry in routes.entries:
        app.router.add_api_route(
            entry.path,
            _endpoint(context, entry),
            methods=[entry.method],
            response_model=None,
            include_in_schema=False,
            # An upload is counted as it comes in, see limited: a page says what the limit is.
            max_body_size=None if entry.files else LARGEST_FORM,
            name=f"{entry.handler.__module__.rsplit('.', 1)[-1]}.{entry.handler.__name__}",
        )

    for stream in routes.streams:
        name = f"{stream.handler.__module__.rsplit('.', 1)[-1]}.{stream.handler.__name__}"
        app.router.routes.append(WebSocketRoute(stream.path, _socket(context, stream), name=name))


def unruled(app: FastAPI) -> list[str]:
    """Return the paths of an app whose routes name no rule; there are none."""
    return [
        str(getattr(route, "path", route))
        for route in app.routes
        if not isinstance(getattr(getattr(route, "endpoint", None), "rule", None), Rule | TokenRule)
    ]


def _socket(context: Context, stream: Stream) -> Callable[[WebSocket], object]:
    async def endpoint(socket: WebSocket) -> None:
        socket.scope["route"] = stream  # of websockets Starlette does not say it
        admitted = await streams.admit(context, socket, stream.rule)
        if admitted is not None:
            with admitted.counted():
                await stream.handler(admitted)

    endpoint.rule = stream.rule  # type: ignore[attr-defined]
    return endpoint


def _endpoint(context: Context, entry: Entry) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        visit = Visit(context=context, request=request, at=context.now())
        if entry.method != "POST":
            return await to_thread.run_sync(partial(_serve, entry, visit), limiter=context.threads)
        most = 0
        if entry.files:
            looking = partial(_serve, replace(entry, handler=_nothing), visit, before_form=True)
            refusal = await to_thread.run_sync(looking, limiter=context.threads)
            if refusal.status_code != 204:
                return refusal
            most = context.settings.work.upload_files
            request = limited(request, context.settings.work.upload_bytes + ANY_FORM)
        try:
            sent = await request.form(max_files=most, max_fields=200, max_part_size=LARGEST_FORM)
        except HTTPException as problem:
            why = {413: "upload.large", 400: "upload.many" if "Too many files" in problem.detail else ""}
            if not entry.files or not (key := why.get(problem.status_code)):
                raise
            text = visit.say(f"{key}.text", most=most, megabytes=context.settings.work.upload_bytes >> 20)
            return visit.page("error", status=413, title=visit.say(key), text=text)
        try:
            # No text of ours holds a NUL, and PostgreSQL takes none.
            visit.form = {name: value.replace("\x00", "") for name, value in sent.items() if isinstance(value, str)}
            visit.files = [value for value in sent.getlist("files") if isinstance(value, UploadFile)]
            return await to_thread.run_sync(partial(_serve, entry, visit), limiter=context.threads)
        finally:
            await sent.close()

    endpoint.rule = entry.rule  # type: ignore[attr-defined]
    return endpoint


def limited(request: Request, limit: int) -> Request:
    """Return a request that ends when more comes than is allowed, whatever it said about its length.

    :param limit: [bytes]
    """
    seen = 0

    async def receive() -> Message:
        nonlocal seen
        message = await request.receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413)
        return message

    return Request(request.scope, receive)


def _nothing(_: Visit) -> Response:
    return Response(status_code=204)


def _serve(entry: Entry, visit: Visit, *, before_form: bool = False) -> Response:
    """Answer one request: who asks, may they, was the form ours, and then the page.

    :param before_form: the form has not been read yet: who asks is looked at, and what they sent is not
    """
    context = visit.context
    token = cookies.read(context, visit.request, cookies.SESSION)
    if token is not None and visit.session is None and not entry.rule.shared:
        visit.session = sessions.find(context.database, token, visit.at)
        visit.token = token
        if visit.session is not None and visit.session.stale:
            visit.fresh = sessions.rotate(context.database, token, visit.at)
            visit.session, visit.token = replace(visit.session, view=None), visit.fresh or token
    try:
        response = _admitted(entry, visit, before_form=before_form)
    except NotSignedIn:
        response = _to_sign_in(visit)
    except ReadOnlyView:
        visit.note("REFUSED", f"{entry.method} {visit.request.url.path}")
        response = visit.page("error", status=403, title=visit.say("error.view"), text=visit.say("error.view.text"))
    except OutOfScope:
        visit.note("REFUSED", f"{entry.method} {visit.request.url.path}")
        response = visit.page("error", status=403, title=visit.say("error.403"), text=visit.say("error.403.text"))
    except (NoJob, NoUpload, NoProposal, NoSubscription):
        visit.note("REFUSED", f"{entry.method} {visit.request.url.path}")
        response = visit.page("error", status=404, title=visit.say("error.404"), text=visit.say("error.404.text"))
    except (NoSuchPage, NotStored, NoInvoice, NoUser):
        response = visit.page("error", status=404, title=visit.say("error.404"), text=visit.say("error.404.text"))
    if visit.fresh is not None:
        cookies.put(context, response, cookies.SESSION, visit.fresh)
    return response


def _admitted(entry: Entry, visit: Visit, *, before_form: bool) -> Response:
    places = visit.request.path_params
    if any("\x00" in str(place) for place in places.values()):
        raise NoSuchPage
    database = visit.context.database
    customer = places.get("customer")
    visit.scope = guard.scope_of(entry.rule, visit.session, places.get("client"), customer)
    if (
        entry.method == "POST"
        and not before_form
        and not csrf.is_ours(visit.request, visit.secret(), visit.form.get("csrf", ""), visit.context.url)
    ):
        return visit.page("error", status=403, title=visit.say("error.form"), text=visit.say("error.form.text"))
    if visit.scope is not None:
        with database.reading(visit.scope):
            visit.client = masters.client(database, visit.scope)
            name = None if customer is None else listing.customer_name(database, visit.scope, customer)
        if customer is not None:
            if name is None:
                raise NoSuchPage
            visit.customer = (customer, name)
    # A site's pages and documents are written down where they are served, and what they load is not worth a line.
    seen = entry.rule.roles is not None and "path" not in places
    if seen and visit.session is not None and visit.session.view is not None:
        visit.note("VIEWED", f"{entry.method} {visit.request.url.path}")
    return entry.handler(visit)


def _to_sign_in(visit: Visit) -> Response:
    if visit.request.method != "GET":
        return visit.page("error", status=401, title=visit.say("error.401"), text=visit.say("error.401.text"))
    wanted = visit.request.url.path
    if visit.request.url.query:
        wanted += f"?{visit.request.url.query}"
    return visit.go(f"/entrar?next={urllib.parse.quote(wanted, safe='')}")
