"""What is seen of requests from outside: a number for each, a log line without personal data, counts and times for Prometheus.

Routes appear as their patterns (``/c/{client}/clientes/{customer}``), never as the addresses that were asked for: those hold codes of
customers. Addresses of visitors stand in the audit log alone.
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from eisenergy.store.database import Database

HEADER: Final = "X-Request-ID"
NO_ROUTE: Final = "none"
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; pages are to take less than 0.1."""
_GIVEN: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
_QUIET: Final = frozenset({"/healthz", "/readyz"})


class Meters:
    """Counts and times of one portal.

    :param database: whose connections are counted
    """

    def __init__(self, database: Database) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "eisenergy_requests", "Requests answered", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "eisenergy_request_seconds",
            "Time from a request to the end of its answer",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.busy = Gauge("eisenergy_requests_in_progress", "Requests being answered", registry=self.registry)
        self.streams = Gauge("eisenergy_streams_open", "Websockets that are open", registry=self.registry)
        connections = Gauge(
            "eisenergy_database_connections", "Connections to PostgreSQL in use", registry=self.registry
        )
        pool = database.engine.pool
        connections.set_function(lambda: float(pool.checkedout()))  # type: ignore[attr-defined]


class Observed:
    """Gives every request a number, and tells of it afterwards. Pure ASGI, outside everything else.

    :param meters: ``None``: nothing is counted
    """

    def __init__(self, app: ASGIApp, meters: Meters | None) -> None:
        self.app = app
        self.meters = meters
        self.log = structlog.get_logger("eisenergy.portal")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            await self._stream(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        number = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
        scope["request_id"] = number
        begun, status, sent = time.perf_counter(), 500, 0

        async def told(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = number
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            await send(message)

        if self.meters is not None:
            self.meters.busy.inc()
        try:
            # Kept for the lines that are written on the way, those of threads, too.
            with structlog.contextvars.bound_contextvars(request=number):
                await self.app(scope, receive, told)
        finally:
            self._tell(scope, number, status, sent, time.perf_counter() - begun)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one websocket; its line is written when it ends."""
        number = secrets.token_hex(8)
        scope["request_id"] = number
        begun, status, messages = time.perf_counter(), 0, 0

        async def told(message: Message) -> None:
            nonlocal status, messages
            if message["type"] == "websocket.http.response.start":
                status = message["status"]
            elif message["type"] == "websocket.accept":
                status = 101
                if self.meters is not None:
                    self.meters.streams.inc()
            messages += message["type"] == "websocket.send"
            await send(message)

        try:
            with structlog.contextvars.bound_contextvars(request=number):
                await self.app(scope, receive, told)
        finally:
            if status == 101 and self.meters is not None:
                self.meters.streams.dec()
            self.log.info(
                "stream",
                request=number,
                route=_route(scope),
                status=status,
                messages=messages,
                seconds=round(time.perf_counter() - begun, 1),
            )

    def _tell(self, scope: Scope, number: str, status: int, sent: int, seconds: float) -> None:
        route = _route(scope)
        # A method is the visitor's own word: what no route knows is not made a label.
        method = scope["method"] if route != NO_ROUTE else NO_ROUTE
        if self.meters is not None:
            self.meters.busy.dec()
            self.meters.requests.labels(method, route, str(status)).inc()
            self.meters.seconds.labels(method, route).observe(seconds)
        if scope["path"] in _QUIET and status < 400:
            return
        self.log.info(
            "request",
            request=number,
            method=method,
            route=route,
            status=status,
            bytes=sent,
            milliseconds=round(seconds * 1000, 1),
        )


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", NO_ROUTE))
