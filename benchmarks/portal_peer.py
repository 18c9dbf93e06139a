"""What the portal's pages are compared with: an empty route and a page of a table by Jinja, served and measured as the portal is."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI
from jinja2 import Environment
from starlette.responses import HTMLResponse, Response

from eisenergy.portal import logs
from eisenergy.portal.observe import Observed

PAGE = Environment(autoescape=True).from_string(
    "<!DOCTYPE html><html><head><title>{{ title }}</title></head><body><table>{% for row in rows %}<tr>{% for one in row %}<td>{{ one }}</td>"
    "{% endfor %}</tr>{% endfor %}</table></body></html>"
)
ROWS = [(f"EIS-{n:06d}", f"Cliente {n} & Cía.", "2021-10", f"{n * 17.03:,.2f}") for n in range(50)]


def app() -> FastAPI:
    """The application."""
    found = FastAPI(openapi_url=None)

    @found.get("/empty")
    def empty() -> Response:
        return Response()

    @found.get("/page")
    def page() -> Response:
        return HTMLResponse(PAGE.render(title="Clientes", rows=ROWS))

    return found


def main() -> None:
    """Serve it on a free port of loopback."""
    logs.begin("json")
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:  # as `serve` listens: without it answers wait 40 ms
        listener.bind(("127.0.0.1", 0))
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(Observed(app(), None), log_level="warning", access_log=False)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
