"""Tokens for programs: made and shown once, listed with their last use, ended at once."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Final

from starlette.responses import Response

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.portal import signing
from eisenergy.portal.guard import ONESELF, OPERATORS, own_scope
from eisenergy.portal.render import local
from eisenergy.portal.routes import NoSuchPage, Routes
from eisenergy.portal.visit import Visit
from eisenergy.store import api_tokens, listing, masters, signins
from eisenergy.store.api_tokens import Token
from eisenergy.store.grants import EVERY_CLIENT, BadAccount, Grant

routes: Final = Routes()
OWN: Final = "/cuenta/fichas"
CLIENTS: Final = "/c/{client}/fichas"
DAYS: Final = (30, 90, 365)
"""Lives that the form offers."""


@routes.page(OWN, ONESELF)
def own_tokens(visit: Visit) -> Response:
    """Show one's own tokens, and the form for another."""
    return _own(visit)


@routes.action(OWN, ONESELF)
def make_token(visit: Visit) -> Response:
    """Make a token, after the password where the account has one; it is shown this once."""
    assert visit.session is not None
    login = signins.by_user(visit.context.database, visit.session.user)
    assert login is not None
    days = visit.form.get("days", "")
    place = visit.form.get("place", "")
    if days not in {str(known) for known in DAYS} or place not in _places(visit):
        return _own(visit, problem=visit.say("token.bad", most=api_tokens.MOST), status=422)
    if login.password is not None:
        outcome = signing.again(visit, visit.form.get("current", ""))
        if outcome.wait:
            wait = math.ceil(outcome.wait.total_seconds())
            return _own(visit, problem=visit.say("wait", seconds=wait), status=429)
        if outcome.login is None:
            return _own(visit, problem=visit.say("password.bad"), status=422)
    try:
        token = api_tokens.create(
            visit.context.database,
            visit.session.user,
            _grant(visit, place),
            visit.form.get("name", ""),
            timedelta(days=int(days)),
            client=place,
            by=visit.actor,
            at=visit.at,
        )
    except OutOfScope:
        visit.note("REFUSED", f"token at {place}")
        return _own(visit, problem=visit.say("token.more"), status=403)
    except BadAccount:
        return _own(visit, problem=visit.say("token.bad", most=api_tokens.MOST), status=422)
    return _own(visit, fresh=token)


@routes.action(f"{OWN}/{{token}}/quitar", ONESELF)
def end_own_token(visit: Visit) -> Response:
    """End a token of one's own."""
    assert visit.session is not None
    database, wanted = visit.context.database, visit.id_of("token", NoSuchPage)
    found = [one for one in api_tokens.listed(database, user=visit.session.user) if one.id == wanted]
    if not found:
        visit.note("REFUSED", f"token {wanted}")
        raise NoSuchPage
    api_tokens.revoke(database, found[0].client, wanted, by=visit.actor, at=visit.at, user=visit.session.user)
    return _own(visit, done=visit.say("token.ended", name=found[0].name))


@routes.page(CLIENTS, OPERATORS)
def clients_tokens(visit: Visit) -> Response:
    """Show everybody's tokens at the client."""
    return _clients(visit)


@routes.action(f"{CLIENTS}/{{token}}/quitar", OPERATORS)
def end_token(visit: Visit) -> Response:
    """End anybody's token at the client."""
    _, client = visit.within()
    wanted = visit.id_of("token", NoSuchPage)
    name = api_tokens.revoke(visit.context.database, client.code, wanted, by=visit.actor, at=visit.at)
    if name is None:
        known = {one.id for one in api_tokens.listed(visit.context.database, client=client.code)}
        if wanted not in known:
            visit.note("REFUSED", f"token {wanted}")
            raise NoSuchPage
    return _clients(visit, done=visit.say("token.ended", name=name or ""))


def _grant(visit: Visit, place: str) -> Grant:
    """The right that is asked for: one's own at a place, or that of some customers. :raises OutOfScope: without any there"""
    assert visit.session is not None
    own = own_scope(visit.session, place)
    if own is None:
        raise OutOfScope(f"no right at client {place}")
    codes = frozenset(code.strip() for code in visit.form.get("customers", "").split(",") if code.strip())
    if codes:
        if place == EVERY_CLIENT:
            raise BadAccount("customers belong to one client")
        for code in codes:  # first: whether a code is anybody's at all is told to whoever may see it
            own.check(code)
        narrow = Scope(client=place, role=Role.CUSTOMER_USER, customers=codes)
        if not all(listing.customer_name(visit.context.database, narrow, code) for code in codes):
            raise BadAccount(f"no customers {', '.join(sorted(codes))}")
        return Grant(client=place, role=Role.CUSTOMER_USER, customers=codes)
    if own.role is Role.SYSTEM_ADMIN:
        return Grant(client=EVERY_CLIENT, role=own.role)
    return Grant(client=place, role=own.role, customers=own.customers)


def _places(visit: Visit) -> list[str]:
    """Codes of the clients at which a token may work."""
    assert visit.session is not None
    codes = {grant.client for grant in visit.session.grants}
    if EVERY_CLIENT in codes:
        anywhere = own_scope(visit.session, visit.context.settings.client)
        assert anywhere is not None
        codes |= {client.code for client in masters.clients(visit.context.database, anywhere)}
    return sorted(codes)


def _rows(visit: Visit, found: tuple[Token, ...], timezone: str) -> list[tuple[Token, str, str, str]]:
    """Tokens with their state, last use and end as people read them."""
    rows = []
    for one in found:
        state = "ended" if one.revoked_at is not None else "expired" if one.over(visit.at) else "active"
        used = "" if one.used_at is None else local(one.used_at, timezone)[:16]
        rows.append((one, state, used, local(one.expires_at, timezone)[:10]))
    return rows


def _own(
    visit: Visit,
    *,
    problem: str | None = None,
    done: str | None = None,
    fresh: str | None = None,
    status: int = 200,
) -> Response:
    assert visit.session is not None
    login = signins.by_user(visit.context.database, visit.session.user)
    assert login is not None
    found = api_tokens.listed(visit.context.database, user=visit.session.user)
    return visit.page(
        "tokens",
        status=status,
        rows=_rows(visit, found, "UTC"),
        places=_places(visit),
        days=DAYS,
        every=EVERY_CLIENT,
        fresh=fresh,
        problem=problem,
        done=done,
        asks=login.password is not None,
    )


def _clients(visit: Visit, *, done: str | None = None) -> Response:
    _, client = visit.within()
    found = api_tokens.listed(visit.context.database, client=client.code)
    rows = _rows(visit, found, client.timezone)
    return visit.page("client_tokens", client=client, rows=rows, problem=None, done=done)
