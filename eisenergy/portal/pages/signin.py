"""Signing in and out, one-time links, forgotten passwords, the provider's way, and the language."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.responses import Response

from eisenergy.portal import cookies, links, passwords, signing
from eisenergy.portal.guard import ONESELF, ONESELF_OR_VIEW, PUBLIC
from eisenergy.portal.routes import Routes
from eisenergy.portal.signing import Outcome
from eisenergy.portal.visit import Visit, own_path
from eisenergy.portal.words import language_of
from eisenergy.store import audit, guesses, sessions, signins, tickets

routes: Final = Routes()
_LANGUAGE_LIFE: Final = timedelta(days=365)


@routes.page("/entrar", PUBLIC)
def sign_in(visit: Visit) -> Response:
    """Show the form, to whoever is not signed in."""
    wanted = visit.request.query_params.get("next", "")
    if visit.session is not None:
        return visit.go(own_path(wanted))
    return _form(visit, wanted)


@routes.action("/entrar", PUBLIC)
def sign_in_sent(visit: Visit) -> Response:
    """Look at an address and a password."""
    email, wanted = visit.form.get("email", ""), visit.form.get("next", "")
    outcome = signing.by_password(visit, email, visit.form.get("password", ""))
    if outcome.login is None:
        return _refused(visit, outcome, "wrong", lambda text, status: _form(visit, wanted, text, status, email))
    if outcome.login.totp_secret is not None:
        there = visit.go(f"/entrar/codigo?next={_quoted(wanted)}")
        return _finished(visit, signing.ask_code(visit, outcome.login, there), wanted)
    return _finished(visit, signing.finish(visit, outcome.login, wanted, "password"), wanted)


@routes.page("/entrar/codigo", PUBLIC)
def code(visit: Visit) -> Response:
    """Ask for the code of the second factor."""
    if signing.half_signed_in(visit) is None:
        return _form(visit, "", visit.say("code.late"), 401)
    return visit.page("code", wanted=own_path(visit.request.query_params.get("next")), problem=None)


@routes.action("/entrar/codigo", PUBLIC)
def code_sent(visit: Visit) -> Response:
    """Look at a code."""
    wanted = visit.form.get("next", "")
    half = signing.half_signed_in(visit)
    if half is None:
        return _form(visit, wanted, visit.say("code.late"), 401)
    login, how = half
    outcome = signing.by_code(visit, login, visit.form.get("code", ""))
    if outcome.login is None:
        return _refused(
            visit,
            outcome,
            "code.wrong",
            lambda text, status: visit.page("code", status=status, wanted=own_path(wanted), problem=text),
        )
    return _finished(visit, signing.finish(visit, login, wanted, how, half=True), wanted)


@routes.action("/salir", ONESELF_OR_VIEW)
def sign_out(visit: Visit) -> Response:
    """End this session."""
    assert visit.token is not None
    with visit.context.database.signing_in() as connection:
        sessions.end(connection, visit.token)
    visit.note("SIGN_OUT", visit.actor.name)
    response = visit.go("/entrar")
    cookies.drop(visit.context, response, cookies.SESSION)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


@routes.page("/clave", PUBLIC)
def forgot(visit: Visit) -> Response:
    """Show the form for a forgotten password."""
    return visit.page("forgot", mailing=visit.context.settings.portal.mail is not None, sent=False, problem=None)


@routes.action("/clave", PUBLIC)
def forgot_sent(visit: Visit) -> Response:
    """Mail a link, to whoever has an account; the answer does not say who has one."""
    mailing = visit.context.settings.portal.mail is not None
    if not mailing:
        return visit.page("forgot", mailing=False, sent=False, problem=None)
    email = visit.form.get("email", "").strip().lower()[:254].replace("\x00", "")
    attempt = guesses.begin(visit.context.database, f"reset {email}", visit.address, visit.at)
    if attempt.wait:
        text = visit.say("wait", seconds=math.ceil(attempt.wait.total_seconds()))
        return visit.page("forgot", status=429, mailing=True, sent=False, problem=text)
    work = links.ask_reset(visit.context, email, visit.actor, visit.at)
    return visit.page("forgot", background=BackgroundTask(work), mailing=True, sent=True, problem=None)


@routes.page("/enlace/{token}", PUBLIC)
def link(visit: Visit) -> Response:
    """Show the form in which a one-time link's holder sets a password; looking does not use it up."""
    return _link(visit, None, 200)


@routes.action("/enlace/{token}", PUBLIC)
def link_sent(visit: Visit) -> Response:
    """Set the password that a link allows."""
    token = str(visit.request.path_params["token"])
    email = links.holder(visit.context, token, visit.at)
    if email is None:
        return _link(visit, None, 410)
    password = visit.form.get("password", "")
    problem = passwords.problem(password, visit.form.get("again", ""), email, visit.context.common)
    if problem is not None:
        return _link(visit, visit.say(problem), 422)
    actor = audit.Actor(name=email, address=visit.address)
    device = links.use(visit.context, token, password, actor, visit.at)
    if device is None:
        return _link(visit, None, 410)
    response = _form(visit, "", done=visit.say("link.done"), email=email)
    cookies.put(visit.context, response, cookies.DEVICE, device, links.DEVICE)
    return response


@routes.page("/openid", PUBLIC)
def openid(visit: Visit) -> Response:
    """Send the browser to the provider."""
    from eisenergy.portal import openid as provider
    from eisenergy.portal.discovery import ProviderFailed

    settings = visit.context.settings.portal.openid
    if settings is None:
        return visit.go("/entrar")
    wanted = own_path(visit.request.query_params.get("next"))
    try:
        url, asked = provider.begin(settings, _redirect(visit), wanted)
    except ProviderFailed as problem:
        if not problem.remembered:
            visit.note("OPENID_FAILED", str(problem))
        return _form(visit, wanted, visit.say("openid.failed"), 502)
    response = visit.go(url)
    cookies.put(visit.context, response, cookies.OPENID, asked.to_cookie(), timedelta(minutes=10))
    return response


@routes.page("/openid/vuelta", PUBLIC)
def openid_back(visit: Visit) -> Response:
    """Take the provider's answer."""
    from eisenergy.portal import openid as provider
    from eisenergy.portal.discovery import ProviderFailed

    settings = visit.context.settings.portal.openid
    asked = provider.Asked.from_cookie(cookies.read(visit.context, visit.request, cookies.OPENID))
    if settings is None or asked is None:
        return _form(visit, "", visit.say("openid.failed"), 400)
    answer = dict(visit.request.query_params)
    attempt = guesses.begin_at_provider(visit.context.database, visit.address, visit.at)
    if attempt.wait:
        return _refused(visit, Outcome(login=None, wait=attempt.wait), "wrong", partial(_form, visit, asked.wanted))
    try:
        claims = provider.identity(settings, _redirect(visit), asked, answer, visit.at)
    except ProviderFailed as problem:
        visit.note("OPENID_FAILED", str(problem))
        response = _form(visit, "", visit.say("openid.failed"), 400)
    else:
        guesses.succeeded(visit.context.database, attempt, visit.at)
        login = provider.account(visit.context.database, settings, claims)
        if login is None:
            visit.note("OPENID_UNKNOWN", f"{claims['sub']} {claims.get('email', '')}")
            response = _form(visit, "", visit.say("openid.unknown"), 403)
        elif login.totp_secret is not None:
            there = visit.go(f"/entrar/codigo?next={_quoted(asked.wanted)}")
            half = signing.ask_code(visit, login, there, tickets.CODE_AFTER_OPENID)
            response = _finished(visit, half, asked.wanted)
        else:
            response = _finished(visit, signing.finish(visit, login, asked.wanted, "OpenID"), asked.wanted)
    cookies.drop(visit.context, response, cookies.OPENID)
    return response


@routes.action("/idioma", PUBLIC)
def language(visit: Visit) -> Response:
    """Change the language, here and for the account."""
    chosen = language_of(visit.form.get("language"))
    if visit.session is not None and visit.session.view is None:
        signins.set_locale(visit.context.database, visit.session.user, chosen)
    response = visit.go(own_path(visit.form.get("next")))
    cookies.put(visit.context, response, cookies.LANGUAGE, chosen, _LANGUAGE_LIFE)
    return response


@routes.action("/salir/todas", ONESELF)
def sign_out_everywhere(visit: Visit) -> Response:
    """End every session of the account."""
    assert visit.session is not None
    with visit.context.database.signing_in() as connection:
        sessions.end_all(connection, visit.session.user)
    visit.note("SIGN_OUT", f"{visit.actor.name} everywhere")
    response = visit.go("/entrar")
    cookies.drop(visit.context, response, cookies.SESSION)
    return response


def _form(
    visit: Visit,
    wanted: str,
    problem: str | None = None,
    status: int = 200,
    email: str = "",
    done: str | None = None,
) -> Response:
    provider = visit.context.settings.portal.openid
    return visit.page(
        "sign_in",
        status=status,
        wanted=own_path(wanted),
        problem=problem,
        done=done,
        email=email,
        provider=None if provider is None else provider.label,
    )


def _finished(visit: Visit, response: Response | None, wanted: str) -> Response:
    """Return where sign-in led, or the form where what was proved held no longer at its end."""
    return _form(visit, wanted, visit.say("wrong"), 401) if response is None else response


def _link(visit: Visit, problem: str | None, status: int) -> Response:
    token = str(visit.request.path_params["token"])
    email = links.holder(visit.context, token, visit.at)
    if email is None:
        status = 410
    return visit.page("link", status=status, email=email, problem=problem, token=token, least=passwords.SHORTEST)


def _refused(visit: Visit, outcome: Outcome, key: str, show: Callable[[str, int], Response]) -> Response:
    if not outcome.wait:
        return show(visit.say(key), 401)
    seconds = math.ceil(outcome.wait.total_seconds())
    response = show(visit.say("wait", seconds=seconds), 429)
    response.headers["Retry-After"] = str(seconds)
    return response


def _redirect(visit: Visit) -> str:
    return f"{visit.context.url}/openid/vuelta"


def _quoted(path: str) -> str:
    return quote(own_path(path), safe="")
