"""Our cookies: out of reach of scripts, of this host alone, and not sent along from other sites' forms."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response

from eisenergy.portal.context import Context

SESSION: Final = "eisenergy"
FORM: Final = "eisenergy-form"
"""Before sign-in: what forms are made for."""
CODE: Final = "eisenergy-code"
"""Between a right password and the code of the second factor."""
DEVICE: Final = "eisenergy-device"
"""A device on which somebody signed in before."""
OPENID: Final = "eisenergy-openid"
"""What an answer of the OpenID provider must fit to."""
LANGUAGE: Final = "eisenergy-language"


def _name(context: Context, name: str) -> str:
    # The prefix makes browsers refuse the cookie from another host, without https, or for a part of the site.
    return f"__Host-{name}" if context.secure else name


def read(context: Context, request: HTTPConnection, name: str) -> str | None:
    """Return a cookie's value, ``None`` where there is none."""
    return request.cookies.get(_name(context, name)) or None


def put(context: Context, response: Response, name: str, value: str, life: timedelta | None = None) -> None:
    """Set a cookie. :param life: ``None``: until the browser is closed"""
    # Lax, not Strict: a link in a mail must find whoever is signed in.
    response.set_cookie(
        _name(context, name),
        value,
        max_age=None if life is None else int(life.total_seconds()),
        path="/",
        secure=context.secure,
        httponly=True,
        samesite="lax",
    )


def drop(context: Context, response: Response, name: str) -> None:
    """Have the browser forget a cookie."""
    response.delete_cookie(_name(context, name), path="/", secure=context.secure, httponly=True, samesite="lax")
