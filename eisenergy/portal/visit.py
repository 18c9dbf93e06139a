"""One request being served: who asks, in which scope, in which language; and the answers pages give."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.background import BackgroundTask
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from eisenergy.accounts import Client, Scope
from eisenergy.portal import cookies, csrf
from eisenergy.portal.context import Context
from eisenergy.portal.render import render
from eisenergy.portal.words import language_of, say
from eisenergy.store import audit
from eisenergy.store.audit import Actor
from eisenergy.store.opaque import new_token
from eisenergy.store.sessions import Session


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request.

    :param token: of the session's cookie
    :param fresh: the token that takes its place, for the answer's cookie
    :param form: the fields that were sent
    :param files: the files that were sent, where the route takes any
    :param at: when it came, UTC; the same for everything it does
    :param client: the tenant in the path
    :param customer: code and name of the customer in the path
    """

    context: Context
    request: Request
    at: datetime
    session: Session | None = None
    token: str | None = None
    fresh: str | None = None
    scope: Scope | None = None
    client: Client | None = None
    customer: tuple[str, str] | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[UploadFile] = ()

    @property
    def address(self) -> str:
        """Where the request comes from."""
        return self.request.client.host if self.request.client else "unknown"

    @property
    def actor(self) -> Actor:
        """Who asks, for the audit log."""
        if self.session is None:
            return Actor(name="nobody", address=self.address)
        acting_as = None if self.session.view is None else "/".join(self.session.view)
        return Actor(name=self.session.email, address=self.address, acting_as=acting_as)

    @property
    def language(self) -> str:
        """``es`` or ``en``: chosen here, or the account's."""
        chosen = cookies.read(self.context, self.request, cookies.LANGUAGE)
        return language_of(chosen or (self.session.locale if self.session else None))

    @property
    def here(self) -> str:
        """The path of this page, to come back to; the first page where it was a form that was sent."""
        url = self.request.url
        return own_path(f"{url.path}?{url.query}" if url.query else url.path) if self.request.method == "GET" else "/"

    @property
    def search(self) -> str:
        """The text that lines of a list are searched for, as ``q`` in the address says it; PostgreSQL takes no NUL."""
        return self.request.query_params.get("q", "").replace("\x00", "")[:100].strip()

    @property
    def first(self) -> int:
        """How many lines of a list come before those that are shown, as ``desde`` in the address says: a number of seven digits at most."""
        given = self.request.query_params.get("desde", "0")
        return int(given) if given.isascii() and given.isdigit() and len(given) < 8 else 0

    def say(self, key: str, **values: object) -> str:
        """Return a text in the reader's language."""
        return say(self.language, key, **values)

    def secret(self) -> str | None:
        """Return what forms are made for: the session's token, or the cookie's before sign-in."""
        return self.token if self.session else cookies.read(self.context, self.request, cookies.FORM)

    def page(
        self, template: str, *, status: int = 200, background: BackgroundTask | None = None, **data: Any
    ) -> Response:
        """Return a page."""
        secret = self.secret()
        fresh = new_token() if secret is None else None
        response = HTMLResponse(
            render(self, template, csrf=csrf.token_for(secret or fresh or ""), **data), status, background=background
        )
        if fresh is not None:
            cookies.put(self.context, response, cookies.FORM, fresh)
        return response

    def go(self, path: str) -> Response:
        """Send the browser to another of our pages."""
        return RedirectResponse(path, status_code=303)

    def within(self) -> tuple[Scope, Client]:
        """Return scope and client of a route that is about a tenant."""
        assert self.scope is not None
        assert self.client is not None
        return self.scope, self.client

    def id_of(self, name: str, missing: type[LookupError]) -> uuid.UUID:
        """Return the id that stands at a name of the path.

        :param missing: what is raised where it is none, as where there is nothing of that id
        """
        given = self.request.path_params[name]
        try:
            return uuid.UUID(str(given))
        except ValueError:
            raise missing(f"no {name} {given!r}") from None

    def about(self) -> tuple[Scope, Client, str, str]:
        """Return scope, client, and code and name of the customer, of a route that is about one."""
        scope, client = self.within()
        assert self.customer is not None
        return scope, client, *self.customer

    def note(self, action: str, subject: str) -> None:
        """Write down that something was seen or refused; at the client it is about, where the reader belongs to it."""
        client = audit.NOBODYS
        if self.scope is not None:
            client = self.scope.client
        elif self.session is not None and self.session.grants:
            client = self.session.grants[0].client
        audit.record(self.context.database, client, self.actor, self.at, action, subject)


def own_path(wanted: str | None) -> str:
    """Return where to go after sign-in: a path of ours, or the first page for everything else.

    A browser takes ``//host``, ``/\\host`` and control characters for other things than a path. Nothing is parsed: what is no address
    fails nothing.
    """
    text = wanted or ""
    ours = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if ours else "/"
