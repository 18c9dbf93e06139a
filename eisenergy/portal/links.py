"""One-time links with which somebody sets a password: made, mailed or shown, and used."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from eisenergy.portal import mail, passwords
from eisenergy.portal.context import Context
from eisenergy.portal.words import language_of, say
from eisenergy.store import audit, signins, tickets
from eisenergy.store.audit import Actor
from eisenergy.store.grants import homes
from eisenergy.store.signins import Login

RESET: Final = timedelta(hours=1)
DEVICE: Final = timedelta(days=365)
log: Final = logging.getLogger(__name__)


def address(url: str, token: str) -> str:
    """Return the link of a token. The address people use is a setting, never what a request says."""
    return f"{url}/enlace/{token}"


def mail_link(context: Context, email: str, locale: str, token: str, kind: str) -> None:
    """Mail a link to the account it is for.

    :param kind: ``first`` or ``reset``
    :raises NotSent: when the mail server does not take it
    """
    server = context.settings.portal.mail
    assert server is not None
    language = language_of(locale)
    text = say(language, f"mail.{kind}.text", email=email, link=address(context.url, token))
    mail.send(server, email, say(language, f"mail.{kind}.subject"), text)


def ask_reset(context: Context, email: str, by: Actor, at: datetime) -> Callable[[], None]:
    """Return what mails a link to whoever forgot the password, to be done after the answer.

    The answer is the same, and as fast, whether there is such an account or not.
    """

    def work() -> None:
        login = signins.by_email(context.database, email)
        if login is None or login.disabled:
            return
        with context.database.signing_in() as connection:
            token = tickets.issue_reset(connection, login.user, at, RESET)
            if token is None:
                return  # the links in the mails before this one work
            audit.write_each(connection, homes(login.grants), by, at, "RESET_ASKED", email)
        try:
            mail_link(context, email, login.locale, token, "reset")
        except mail.NotSent as problem:
            log.error("%s", problem)

    return work


def holder(context: Context, token: str, at: datetime) -> str | None:
    """Return the address of the account a link is for, and leave the link; ``None`` for one that no longer works."""
    login = _login(context, token, at)
    return None if login is None else login.email


def use(context: Context, token: str, password: str, by: Actor, at: datetime) -> str | None:
    """Set the password that a link allows, once. Whoever could read the mail keeps a device of their own to sign in from.

    :returns: token of the device, ``None`` when the link no longer works
    """
    login = _login(context, token, at)
    if login is None:
        return None
    made = passwords.hash_of(password)
    with context.database.signing_in() as connection:
        if tickets.take(connection, tickets.LINKS, token, at) != login.user:
            return None
        signins.set_password(connection, login.user, made, at)
        device = tickets.issue(connection, tickets.DEVICE, login.user, at, DEVICE)
        audit.write_each(connection, homes(login.grants), by, at, "PASSWORD_SET", login.email)
    return device


def _login(context: Context, token: str, at: datetime) -> Login | None:
    with context.database.signing_in() as connection:
        user = tickets.holder(connection, tickets.LINKS, token, at)
    login = None if user is None else signins.by_user(context.database, user)
    return None if login is None or login.disabled else login
