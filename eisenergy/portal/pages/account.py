"""The first page, which finds out where somebody belongs; and one's own account: password, second factor, sessions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import pyotp
from starlette.responses import Response

from eisenergy.accounts import Scope
from eisenergy.portal import cookies, factor, passwords, signing
from eisenergy.portal.guard import ONESELF, ONESELF_OR_VIEW, OPERATOR_ROLES, own_scope, view_scope
from eisenergy.portal.routes import Routes
from eisenergy.portal.signing import Outcome
from eisenergy.portal.visit import Visit
from eisenergy.store import audit, listing, masters, sealing, sessions, signins
from eisenergy.store.grants import EVERY_CLIENT, homes
from eisenergy.store.signins import Login

routes: Final = Routes()


@routes.page("/", ONESELF_OR_VIEW)
def first(visit: Visit) -> Response:
    """Go to the only place somebody has, or let them choose."""
    places = _places(visit)
    return visit.go(places[0][0]) if len(places) == 1 else visit.page("choose", places=places)


def _places(visit: Visit) -> list[tuple[str, str, str]]:
    """Return path, name and remark of every place that somebody may begin at."""
    assert visit.session is not None
    database = visit.context.database
    if visit.session.view is not None:
        scope = view_scope(visit.session)
        return [] if scope is None else [(f"/c/{quote(scope.client)}/clientes/{quote(visit.session.view[1])}", "", "")]
    codes = {grant.client for grant in visit.session.grants}
    if EVERY_CLIENT in codes:
        anywhere = own_scope(visit.session, visit.context.settings.client)
        assert anywhere is not None
        codes = (codes - {EVERY_CLIENT}) | {client.code for client in masters.clients(database, anywhere)}
    places = []
    for code in sorted(codes):
        scope = own_scope(visit.session, code)
        assert scope is not None
        client = masters.client(database, scope)
        if scope.role in OPERATOR_ROLES:
            places.append((f"/c/{quote(code)}", client.name, visit.say(f"role.{scope.role}")))
        else:
            places += [
                (f"/c/{quote(code)}/clientes/{quote(customer)}", name, f"{customer} · {client.name}")
                for customer in sorted(scope.customers or ())
                if (name := listing.customer_name(database, _narrow(scope, customer), customer)) is not None
            ]
    return places


def _narrow(scope: Scope, customer: str) -> Scope:
    return Scope(client=scope.client, role=scope.role, customers=frozenset({customer}))


@routes.page("/cuenta", ONESELF)
def account(visit: Visit) -> Response:
    """Show one's own account."""
    return _account(visit)


@routes.action("/cuenta/clave", ONESELF)
def change_password(visit: Visit) -> Response:
    """Set another password, after the current one; every other session ends."""
    login = _login(visit)
    problem = passwords.problem(
        visit.form.get("password", ""), visit.form.get("again", ""), login.email, visit.context.common
    )
    if problem is not None:
        return _account(visit, problem=visit.say(problem), status=422)
    if (refusal := _checked(visit)) is not None:
        return refusal
    made = passwords.hash_of(visit.form["password"])
    with visit.context.database.signing_in() as connection:
        signins.set_password(connection, login.user, made, visit.at)
        fresh = sessions.start(connection, login.user, visit.at)
        audit.write_each(connection, homes(login.grants), visit.actor, visit.at, "PASSWORD_SET", login.email)
    visit.token = fresh
    response = _account(visit, done=visit.say("password.changed"))
    cookies.put(visit.context, response, cookies.SESSION, fresh)
    return response


@routes.page("/cuenta/factor", ONESELF)
def factor_page(visit: Visit) -> Response:
    """Show a fresh key for the authenticator app."""
    return _factor(visit, factor.new_secret())


@routes.action("/cuenta/factor", ONESELF)
def factor_on(visit: Visit) -> Response:
    """Switch the second factor on, once the app shows the right code; the recovery codes are shown this once."""
    login, secret = _login(visit), visit.form.get("secret", "")
    if len(secret) != len(pyotp.random_base32()) or not set(secret) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"):
        return _factor(visit, factor.new_secret(), visit.say("code.wrong"), 422)

    def shown(text: str, status: int) -> Response:
        return _factor(visit, secret, text, status)

    if (refusal := _checked(visit, shown)) is not None:
        return refusal
    step = factor.step_of(secret, "".join(visit.form.get("code", "").split()), visit.at)
    if step is None:
        return shown(visit.say("code.wrong"), 422)
    if (refusal := _code_checked(visit, login, shown)) is not None:
        return refusal
    codes, hashes = factor.new_recovery_codes()
    kept = sealing.sealed(visit.context.key, login.user, secret)
    with visit.context.database.signing_in() as connection:
        signins.set_factor(connection, login.user, kept, hashes, step)
        audit.write_each(connection, homes(login.grants), visit.actor, visit.at, "FACTOR_ON", login.email)
    return visit.page("codes", codes=codes)


@routes.action("/cuenta/factor/quitar", ONESELF)
def factor_off(visit: Visit) -> Response:
    """Switch the second factor off, after the password and a code of it."""
    login = _login(visit)
    if (refusal := _checked(visit) or _code_checked(visit, login)) is not None:
        return refusal
    with visit.context.database.signing_in() as connection:
        signins.set_factor(connection, login.user, None, [])
        audit.write_each(connection, homes(login.grants), visit.actor, visit.at, "FACTOR_OFF", login.email)
    return _account(visit, done=visit.say("factor.stopped"))


def _login(visit: Visit) -> Login:
    assert visit.session is not None
    login = signins.by_user(visit.context.database, visit.session.user)
    assert login is not None
    return login


def _checked(visit: Visit, show: Callable[[str, int], Response] | None = None) -> Response | None:
    """Return a refusal where the current password is not right, ``None`` where it is."""

    return _refusal(visit, signing.again(visit, visit.form.get("current", "")), "password.bad", show)


def _code_checked(visit: Visit, login: Login, show: Callable[[str, int], Response] | None = None) -> Response | None:
    """Return a refusal where a second factor is on and the code of it is not right, ``None`` where it is, or none is on."""
    if login.totp_secret is None:
        return None
    return _refusal(visit, signing.by_code(visit, login, visit.form.get("now", "")), "code.wrong", show)


def _refusal(visit: Visit, outcome: Outcome, key: str, show: Callable[[str, int], Response] | None) -> Response | None:
    if outcome.login is not None:
        return None
    status, text = 422, visit.say(key)
    if outcome.wait:
        status, text = 429, visit.say("wait", seconds=math.ceil(outcome.wait.total_seconds()))
    return _account(visit, problem=text, status=status) if show is None else show(text, status)


def _account(visit: Visit, *, problem: str | None = None, done: str | None = None, status: int = 200) -> Response:
    return visit.page(
        "account", status=status, login=_login(visit), problem=problem, done=done, least=passwords.SHORTEST
    )


def _factor(visit: Visit, secret: str, problem: str | None = None, status: int = 200) -> Response:
    assert visit.session is not None
    groups = " ".join(secret[n : n + 4] for n in range(0, len(secret), 4))
    uri = factor.uri(secret, visit.session.email)
    on = _login(visit).totp_secret is not None
    return visit.page("factor", status=status, secret=secret, groups=groups, uri=uri, problem=problem, on=on)
