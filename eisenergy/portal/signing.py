"""Signing in: a password that is looked at slowly, a second factor where it is on, then a fresh session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from starlette.responses import Response

from eisenergy.portal import cookies, factor, passwords
from eisenergy.portal.links import DEVICE
from eisenergy.portal.visit import Visit, own_path
from eisenergy.store import audit, guesses, sessions, signins, tickets
from eisenergy.store.audit import Actor
from eisenergy.store.grants import BadAccount, homes
from eisenergy.store.guesses import Attempt
from eisenergy.store.opaque import hashed
from eisenergy.store.people import address_of
from eisenergy.store.signins import Login

CODE_LIFE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a try.

    :param login: whose it was, where it was right
    :param wait: how long to wait before another try is looked at
    """

    login: Login | None
    wait: timedelta = timedelta(0)


def by_password(visit: Visit, email: str, password: str) -> Outcome:
    """Look at an address and a password, counted against guessing."""
    try:
        plain = address_of(email)
    except BadAccount:
        plain = email.strip().lower()[:254].replace("\x00", "")
    database = visit.context.database
    login = signins.by_email(database, plain)
    attempt = _begin(visit, plain, login)
    if attempt.wait:
        return Outcome(login=None, wait=attempt.wait)
    right = passwords.is_right(None if login is None else login.password, password)
    if login is None or login.disabled or not right:
        _refused(visit, plain, login, "SIGN_IN_FAILED")
        return Outcome(login=None)
    guesses.succeeded(database, attempt, visit.at)
    assert login.password is not None
    if passwords.is_outdated(login.password):
        signins.rehash(database, login.user, login.password, passwords.hash_of(password))
    return Outcome(login=login)


def again(visit: Visit, password: str) -> Outcome:
    """Look at the password of whoever is signed in, before something grave."""
    assert visit.session is not None
    return by_password(visit, visit.session.email, password)


def ask_code(visit: Visit, login: Login, response: Response, purpose: str = tickets.CODE) -> Response | None:
    """Remember what was proved, until the code comes.

    :param login: as it was when the proof was looked at
    :param purpose: one of :data:`eisenergy.store.tickets.CODES`
    :returns: ``None`` as :func:`finish`
    """
    with visit.context.database.signing_in() as connection:
        if not signins.still(connection, login):
            return None
        token = tickets.issue(connection, purpose, login.user, visit.at, CODE_LIFE)
    cookies.put(visit.context, response, cookies.CODE, token, CODE_LIFE)
    return response


def half_signed_in(visit: Visit) -> tuple[Login, str] | None:
    """Return who gave a right password, or came from the provider, a moment ago, and which it was; ``None`` where nobody did."""
    token = cookies.read(visit.context, visit.request, cookies.CODE)
    if token is None:
        return None
    for purpose, how in ((tickets.CODE, "password and code"), (tickets.CODE_AFTER_OPENID, "OpenID and code")):
        with visit.context.database.signing_in() as connection:
            user = tickets.holder(connection, (purpose,), token, visit.at)
        login = None if user is None else signins.by_user(visit.context.database, user)
        if login is not None and not login.disabled:
            return login, how
    return None


def by_code(visit: Visit, login: Login, code: str) -> Outcome:
    """Look at a code of the second factor, counted against guessing; a right one is used up."""
    attempt = _begin(visit, f"code {login.email}", login)
    if attempt.wait:
        return Outcome(login=None, wait=attempt.wait)
    if not factor.use(visit.context, login, code, visit.at):
        _refused(visit, login.email, login, "CODE_FAILED")
        return Outcome(login=None)
    guesses.succeeded(visit.context.database, attempt, visit.at)
    return Outcome(login=login)


def finish(visit: Visit, login: Login, wanted: str | None, how: str, *, half: bool = False) -> Response | None:
    """Start a fresh session for somebody who proved who they are; whatever cookie they came with is worth nothing.

    :param login: as it was when the proof was looked at
    :param wanted: where they wanted to go
    :param how: for the audit log, for example ``password``
    :param half: whether what came before the code is in :func:`half_signed_in`'s ticket, which is used up
    :returns: ``None`` when the password was set anew, or the account shut, since the proof was looked at
    """
    context = visit.context
    known = _device_of(visit, login) is not None  # before the transaction: one request holds one connection
    code = cookies.read(context, visit.request, cookies.CODE)
    with context.database.signing_in() as connection:
        if not signins.still(connection, login):
            return None
        if code is not None:
            taken = tickets.take(connection, tickets.CODES, code, visit.at)
            if half and taken != login.user:
                return None
        if visit.token is not None:
            sessions.end(connection, visit.token)
        token = sessions.start(connection, login.user, visit.at)
        device = None
        if not known:
            device = tickets.issue(connection, tickets.DEVICE, login.user, visit.at, DEVICE)
        actor = Actor(name=login.email, address=visit.address)
        audit.write_each(connection, homes(login.grants), actor, visit.at, "SIGN_IN", login.email, new={"how": how})
    response = visit.go(own_path(wanted))
    cookies.put(context, response, cookies.SESSION, token)
    if device is not None:
        cookies.put(context, response, cookies.DEVICE, device, DEVICE)
    for name in (cookies.CODE, cookies.FORM):
        cookies.drop(context, response, name)
    return response


def _begin(visit: Visit, account: str, login: Login | None) -> Attempt:
    device = None if login is None else _device_of(visit, login)
    return guesses.begin(visit.context.database, account, visit.address, visit.at, device=device)


def _device_of(visit: Visit, login: Login) -> str | None:
    """Return the hash of the device's ticket, when this is a device the account's owner signed in on before."""
    token = cookies.read(visit.context, visit.request, cookies.DEVICE)
    if token is None:
        return None
    with visit.context.database.signing_in() as connection:
        owner = tickets.holder(connection, (tickets.DEVICE,), token, visit.at)
    return hashed(token) if owner == login.user else None


def _refused(visit: Visit, email: str, login: Login | None, action: str) -> None:
    clients = homes(() if login is None else login.grants)
    with visit.context.database.signing_in() as connection:
        audit.write_each(connection, clients, visit.actor, visit.at, action, email)
