"""Who may open a websocket, and whether they still may: the session's cookie with our own Origin, or a program's token.

A browser sends cookies along with a websocket that any site's script opens, and no policy of that site's stops the script from reading:
so a cookie counts only beside an Origin that is ours. Who is refused is told so before the handshake, with a status.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

from eisenergy.accounts import OutOfScope, Scope
from eisenergy.portal import cookies, csrf, guard
from eisenergy.portal.context import Context
from eisenergy.portal.guard import NotNamed, Rule
from eisenergy.store import api_tokens, audit, masters, sessions
from eisenergy.store.audit import Actor
from eisenergy.store.grants import EVERY_CLIENT
from eisenergy.store.masters import NotStored
from eisenergy.store.sessions import Session

K = TypeVar("K")
EACH: Final = 5
"""Streams of one account at a time, in one process."""
MOST: Final = 500
"""Streams at a time, in one process."""
OF_ONE: Final = 250
"""Of these, about one seller: an operator may make any number of accounts."""
CUSTOMERS: Final = 500
"""Customers that one may name."""
SIGNED_OUT, NO_RIGHT = 4401, 4403
"""Codes that a stream is closed with when the session or token has ended, and when the right is gone."""
_open: Final[Counter[object]] = Counter()
_about: Final[Counter[str]] = Counter()
_lock: Final = threading.Lock()


class Closed(RuntimeError):
    """A stream that must not go on. :param code: to close it with"""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A websocket that may be opened.

    :param token: of the session, or of a program
    :param bearer: whether it is a program's
    :param account: whose it is
    :param scope: what may be shown on it
    """

    context: Context
    socket: WebSocket
    rule: Rule
    token: str
    bearer: bool
    account: object
    actor: Actor
    scope: Scope

    def still(self) -> Scope:
        """Look again who this is and what they may see. :raises Closed: when it is not what it was"""
        at = self.context.now()
        try:
            found = _asked(self.context, self.socket, self.token, self.bearer, self.rule, at, used=False)
        except (OutOfScope, NotNamed):
            raise Closed(NO_RIGHT) from None
        if found is None:
            raise Closed(SIGNED_OUT)
        if found[2] != self.scope:
            raise Closed(NO_RIGHT)
        return self.scope

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Give the place among the open streams back at the end."""
        try:
            yield
        finally:
            with _lock:
                _less(_open, self.account)
                _less(_about, self.scope.client)

    def note(self, action: str, subject: str) -> None:
        """Write a line into the audit log."""
        audit.record(self.context.database, self.scope.client, self.actor, self.context.now(), action, subject)


def _less(counter: Counter[K], key: K) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


async def admit(context: Context, socket: WebSocket, rule: Rule) -> Admitted | None:
    """Look who asks and what for; who may not is told so, and ``None`` comes back."""
    found = await run_in_threadpool(_admitted, context, socket, rule)
    if isinstance(found, Admitted):
        return found
    status, title = found
    problem = {"type": "about:blank", "title": title, "status": status}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    await socket.send_denial_response(
        JSONResponse(problem, status, media_type="application/problem+json", headers=headers)
    )
    return None


def _admitted(context: Context, socket: WebSocket, rule: Rule) -> Admitted | tuple[int, str]:
    at = context.now()
    address = socket.client.host if socket.client else "unknown"
    given = socket.headers.get("authorization", "")
    bearer = given[:7].lower() == "bearer "
    token = given[7:].strip() if bearer else cookies.read(context, socket, cookies.SESSION)
    # A program sends none; what a browser sends is ours or somebody else's.
    foreign = not csrf.from_here(socket, context.url) if "origin" in socket.headers else not bearer
    if foreign:
        # A line for whoever's session was to be used; nobody at all could fill the log with such.
        name, home = _who(context, token, bearer, at) if token else ("nobody", audit.NOBODYS)
        if name != "nobody":
            _note(context, Actor(name=name, address=address), at, home, f"WS {socket.url.path}: Origin")
        return 403, "Streams are opened from our own pages, or with a token."
    if not token:
        return 401, "Sign in, or send a token: Authorization: Bearer ..."
    names = [(key, value) for key, value in socket.query_params.multi_items() if key in ("client", "customer")]
    if len(names) > CUSTOMERS or any("\x00" in value or len(value) > 100 for _, value in names):
        return 400, f"Name one client and at most {CUSTOMERS} customers."
    try:
        found = _asked(context, socket, token, bearer, rule, at)
    except NotNamed:
        return 400, "Name the client: ?client=CODE"
    except OutOfScope:
        name, home = _who(context, token, bearer, at)
        _note(context, Actor(name=name, address=address), at, home, f"WS {socket.url.path}?{socket.url.query}")
        return 403, "That is not yours to see."
    if found is None:
        return 401, "Sign in again, or send a token that is valid."
    account, actor_name, scope, acting_as = found
    try:
        masters.client(context.database, scope)
    except NotStored:
        return 404, "There is no such client."
    with _lock:
        if _open[account] >= EACH or _open.total() >= MOST:
            return 429, f"At most {EACH} streams are open at a time: close one first."
        if _about[scope.client] >= OF_ONE:
            return 429, f"At most {OF_ONE} streams about one seller are open at a time. Try again later."
        _open[account] += 1
        _about[scope.client] += 1
    return Admitted(
        context=context,
        socket=socket,
        rule=rule,
        token=token,
        bearer=bearer,
        account=account,
        actor=Actor(name=actor_name, address=address, acting_as=acting_as),
        scope=scope,
    )


def _asked(
    context: Context, socket: WebSocket, token: str, bearer: bool, rule: Rule, at: datetime, *, used: bool = True
) -> tuple[object, str, Scope, str | None] | None:
    """Account, name, scope and customer's view of whoever asks; ``None`` where that is nobody.

    :raises NotNamed: when no client was named and there may be several
    :raises OutOfScope: for what is not theirs
    """
    client = socket.query_params.get("client") or None
    customers = socket.query_params.getlist("customer")
    if bearer:
        program = api_tokens.find(context.database, token, at)
        if program is None:
            return None
        wanted = client or program.client
        if wanted == EVERY_CLIENT:
            raise NotNamed
        own = program.at(wanted)
        if own is None:
            raise OutOfScope(f"client {client} is outside the rights of the token")
        return program.user, program.email, guard.narrowed(own, customers), None
    session = sessions.find(context.database, token, at, used=used)
    # Rights that changed are told to the next page, which gets a new token.
    if session is None or session.stale:
        return None
    if session.view is not None and not rule.viewed:
        raise OutOfScope("a customer's view has no such stream")
    scope = guard.named_scope(session, client, customers)
    return session.user, session.email, scope, None if session.view is None else "/".join(session.view)


def _who(context: Context, token: str, bearer: bool, at: datetime) -> tuple[str, str]:
    """Name and client of whoever is refused, for the audit log."""
    if bearer:
        program = api_tokens.find(context.database, token, at)
        return ("nobody", audit.NOBODYS) if program is None else (program.email, program.scope.client)
    session: Session | None = sessions.find(context.database, token, at, used=False)
    if session is None:
        return "nobody", audit.NOBODYS
    return session.email, session.grants[0].client if session.grants else audit.NOBODYS


def _note(context: Context, actor: Actor, at: datetime, client: str, subject: str) -> None:
    audit.record(context.database, client, actor, at, "REFUSED", subject)
