"""Forms that another site makes a browser send are refused: by a token in the form, and by the Origin header.

The token is a keyed hash of the cookie that says who sends, so it ends with the session. Before sign-in a cookie of its own stands in.
"""

from __future__ import annotations

import hashlib
import hmac

from starlette.requests import HTTPConnection, Request


def token_for(secret: str) -> str:
    """Return the token that a form carries for a cookie's secret."""
    return hmac.new(secret.encode(), b"eisenergy form", hashlib.sha256).hexdigest()


def is_ours(request: Request, secret: str | None, sent: str, url: str) -> bool:
    """Whether a form was sent from our own page by whoever it was made for.

    :param secret: of the session's cookie, or of the one before sign-in
    :param sent: the form's token
    :param url: our address
    """
    if request.headers.get("origin") is None:
        same = request.headers.get("sec-fetch-site") == "same-origin"
    else:
        same = from_here(request, url)
    return same and secret is not None and hmac.compare_digest(token_for(secret).encode(), sent.encode())


def from_here(connection: HTTPConnection, url: str) -> bool:
    """Whether a request names one of our own pages as where it comes from.

    :param url: our address
    """
    origin = connection.headers.get("origin")
    # On this machine's own port every name of it is ours; the Host header has been checked.
    here = f"http://{connection.headers.get('host', '')}"
    return origin == url or (not url.startswith("https://") and origin == here)
