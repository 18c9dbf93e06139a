"""Headers of every response, and the only hosts that are answered. Pure ASGI, outside everything else."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eisenergy.portal.context import Context
from eisenergy.portal.health import LIVE, READY

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""No inline script, no inline style, nothing of another host. Source: W3C Content Security Policy Level 3."""
PERMISSIONS: Final = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
ASSETS: Final = "/assets/"
HEALTH: Final = frozenset({LIVE, READY})
"""Whoever watches a process asks it by its own address."""


class Guarded:
    """Answers our own hosts only, and sets the headers that keep browsers and caches in bounds."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self.app = app
        self.context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                self._set(MutableHeaders(scope=message), scope["path"], message["status"])
            await send(message)

        ours = scope["path"] in HEALTH or Headers(scope=scope).get("host", "") in self.context.hosts
        if scope["type"] == "http" and not ours:
            refusal = PlainTextResponse(
                f"this is {self.context.url}; another address is not answered. Set EISENERGY_URL to the one people use.\n",
                status_code=421,
            )
            await refusal(scope, receive, guarded)
            return
        if scope["type"] == "websocket" and not ours:
            await send({"type": "websocket.close", "code": 1008})
            return
        await self.app(scope, receive, guarded)

    def _set(self, headers: MutableHeaders, path: str, status: int) -> None:
        headers["Content-Security-Policy"] = POLICY
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        # Not no-referrer: forms would then send "Origin: null".
        headers["Referrer-Policy"] = "same-origin"
        headers["Permissions-Policy"] = PERMISSIONS
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Cross-Origin-Resource-Policy"] = "same-origin"
        shared = path.startswith(ASSETS) and status == 200 and "set-cookie" not in headers
        headers["Cache-Control"] = "public, max-age=3600" if shared else "no-store"
        if self.context.secure:
            headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
