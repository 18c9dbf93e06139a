"""One request of a program being served: with which token, in which scope, with which parameters; and the answers it gets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from eisenergy.accounts import Client, Scope
from eisenergy.portal.api import cursors
from eisenergy.portal.api.problems import Problem
from eisenergy.portal.context import Context
from eisenergy.store import audit
from eisenergy.store.api_tokens import Bearer
from eisenergy.store.audit import Actor

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a request gets, and gets again for the same key.

    :param body: JSON types
    """

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The body as it is sent."""
        return json.dumps(self.body, ensure_ascii=False, allow_nan=False)

    def response(self) -> Response:
        """Return what the server sends."""
        return Response(self.text, self.status, media_type=JSON, headers=dict(self.headers))


@dataclass(slots=True, kw_only=True)
class Call:
    """One request.

    :param at: when it came, UTC; the same for everything it does
    :param given: whether a token was sent at all
    :param path: the route's pattern
    :param client: the token's, or the one it names
    :param customer: code and name of the customer in the path
    :param query: parameters of the address, checked
    :param body: JSON types, checked; ``bytes`` of a workbook
    :param files: the files that were sent
    :param fingerprint: sha256 of the request, for its key
    """

    context: Context
    request: Request
    at: datetime
    path: str
    given: bool = False
    bearer: Bearer | None = None
    scope: Scope | None = None
    client: Client | None = None
    customer: tuple[str, str] | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    files: Sequence[UploadFile] = ()
    fingerprint: str = ""

    @property
    def actor(self) -> Actor:
        """Who asks, for the audit log: the token's owner, and which token."""
        address = self.request.client.host if self.request.client else "unknown"
        if self.bearer is None:
            return Actor(name="nobody", address=address)
        return Actor(name=f"{self.bearer.email} (token {self.bearer.name})", address=address)

    def within(self) -> Scope:
        """Return the scope of a route that is about a tenant."""
        assert self.scope is not None
        return self.scope

    def seller(self) -> Client:
        """Return the client of a route that is about one."""
        assert self.client is not None
        return self.client

    def holder(self) -> Bearer:
        """Return the token of a route that asks for one."""
        assert self.bearer is not None
        return self.bearer

    def about(self) -> str:
        """Return the id of the customer in the path."""
        assert self.customer is not None
        return self.customer[0]

    def note(self, action: str, subject: str) -> None:
        """Write down that something was seen or refused, at the client it is about as far as the token works there."""
        client = audit.NOBODYS
        if self.scope is not None:
            client = self.scope.client
        elif self.bearer is not None:
            client = self.bearer.client
        audit.record(self.context.database, client, self.actor, self.at, action, subject)

    def place(self) -> list[Any] | None:
        """Return where the page before this one ended, ``None`` on the first. :raises Problem: for a cursor of another list"""
        given = self.query.get("cursor")
        return None if given is None else cursors.opened(self._key(), self._binding(), given)

    def page(self, items: list[Any], place: Sequence[Any] | None) -> Answer:
        """Return a page of a list.

        :param place: what its last item is ordered by, where something follows it
        """
        following = None if place is None else cursors.sealed(self._key(), self._binding(), place)
        return Answer(body={"items": items, "next": following})

    def local(self, at: datetime) -> str:
        """Return an instant as the seller reads it, with its offset."""
        return at.astimezone(ZoneInfo(self.seller().timezone)).isoformat()

    def _key(self) -> bytes:
        return self.context.key.raw_value

    def _binding(self) -> list[Any]:
        named = {name: str(value) for name, value in self.request.path_params.items()}
        return cursors.binding_of(self.path, self.within(), {**self.query, **named})


def refuse_file(problem: str) -> Problem:
    """Return a problem about what a workbook or a file holds."""
    return Problem("invalid", problem)


def document(path: Path) -> Any:
    """Return a JSON document of the project's."""
    return json.loads(path.read_text(encoding="utf-8"))
