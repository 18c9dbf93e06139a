"""Somebody who is told of events: an HTTP server on loopback that checks signatures by its own calculation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from eisenergy.config import Settings


@dataclass
class Received:
    """One request that came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, object]:
        return json.loads(self.body)

    def signed_with(self, secret: str) -> bool:
        """As Standard Webhooks describes it, with nothing of ours."""
        key = base64.b64decode(secret.split("_", 1)[1])
        told = b".".join((self.headers["webhook-id"].encode(), self.headers["webhook-timestamp"].encode(), self.body))
        wanted = base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
        return self.headers["webhook-signature"] == f"v1,{wanted}"


@dataclass
class Receiver:
    """What came, and what is answered.

    :param answer: status for a request; 204 by itself
    """

    port: int
    got: list[Received] = field(default_factory=list)
    answer: Callable[[Received], int] = lambda _: 204

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?of=eis"

    def order(self, *, taken: bool = True) -> dict[str, list[object]]:
        """Customer -> invoice numbers, as they came."""
        found: dict[str, list[object]] = {}
        for one in self.got:
            found.setdefault(str(one.event.get("subject", "")), []).append(one.event["data"].get("number"))  # type: ignore[attr-defined]
        return found


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            one = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            status = receiver.answer(one)
            receiver.got.append(one)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(port=server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def near(settings: Settings) -> Settings:
    """Settings that let webhooks reach this machine."""
    from dataclasses import replace

    return replace(settings, work=replace(settings.work, networks=("127.0.0.0/8",)))
