"""The command that starts the portal."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, Final

import typer

from eisenergy.cli.context import guarded, settings_of
from eisenergy.cli.keeping import kept_working
from eisenergy.cli.output import fail, say
from eisenergy.config import Settings
from eisenergy.desk.workspace import opened
from eisenergy.variables import BadSetting

if TYPE_CHECKING:
    from eisenergy.portal.observe import Meters

ENDING: Final = 20
"""Seconds that open requests have when the portal is told to end. What stops it gives more: see ``deploy/``."""


@guarded
def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this machine's need EISENERGY_URL.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at; 0 takes a free one.", min=0, max=65535)] = 8000,
    with_worker: Annotated[
        bool,
        typer.Option(
            "--worker/--no-worker",
            help="Start a process beside the portal that does the jobs; without it start `eisenergy worker` yourself.",
        ),
    ] = True,
) -> None:
    """Start the portal: customers' and operators' pages behind a login, and a worker for what runs in the background."""
    import uvicorn

    from eisenergy.accounts import Role, Scope
    from eisenergy.portal import factor, logs
    from eisenergy.portal.app import guarded as portal
    from eisenergy.portal.context import Context
    from eisenergy.portal.observe import Meters
    from eisenergy.store import people
    from eisenergy.store.grants import EVERY_CLIENT

    settings = settings_of(context)
    logs.begin(settings.portal.log)
    with _listening(host, port) as listener:
        url = _url(settings, host, listener.getsockname()[1])
        with opened(settings) as workspace:
            portal_context = Context(settings=settings, database=workspace.database, url=url)
            factor.seal_old(portal_context)
            _ = portal_context.common  # a list that cannot be read is told before anything starts
            meters = Meters(workspace.database)
            app = portal(portal_context, meters)
            anybody = any(
                people.users(workspace.database, Scope(client=client, role=Role.SYSTEM_ADMIN))
                for client in (settings.client, EVERY_CLIENT)
            )
            say(f"{url}   (end with Ctrl+C)")
            if not anybody:
                say(
                    "Nobody can sign in yet. Make the first operator with `eisenergy users invite EMAIL --role CLIENT_ADMIN`."
                )
            proxy = settings.portal.proxy
            config = uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=ENDING,
                server_header=False,
                ws_max_size=4096,  # nothing that comes in on a stream is read
                ws_per_message_deflate=False,
                # An address that anybody may claim would make the slowing of guesses worthless.
                proxy_headers=proxy is not None,
                forwarded_allow_ips=proxy or "",
            )
            working = kept_working(settings, workspace) if with_worker else nullcontext()
            with _read_by_prometheus(settings, meters), working:
                keep_what_is_loaded()
                uvicorn.Server(config).run(sockets=[listener])


def keep_what_is_loaded() -> None:
    """Take what is loaded out of the search for garbage: a quarter of a million objects, whose turn held up one page in fifty for 0.2 s."""
    gc.collect()
    gc.freeze()


@contextmanager
def _read_by_prometheus(settings: Settings, meters: Meters) -> Iterator[None]:
    """Let Prometheus read the counts at their own address, which need not be reached from where people are."""
    from prometheus_client import start_http_server

    if settings.portal.metrics is None:
        yield
        return
    host, port = settings.portal.metrics
    try:
        server, thread = start_http_server(port, host, meters.registry)
    except OSError as problem:
        fail(f"cannot listen at {host}:{port}: {problem.strerror}. Name another with EISENERGY_METRICS.")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP: of other sockets asyncio does not take off Nagle's wait, and every answer would lie for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # the address is told before the server takes the first: whoever is as quick waits, and is not refused
    except OSError as problem:
        listener.close()
        fail(f"cannot listen at {host}:{port}: {problem.strerror}. Name another with --host and --port.")
    return listener


def _url(settings: Settings, host: str, port: int) -> str:
    """Return the address people use. :raises BadSetting: when the network could reach us and we do not know it"""
    from eisenergy.portal.context import is_loopback

    if settings.portal.url is not None:
        if settings.portal.url.startswith("https://") and settings.portal.proxy is None:
            raise BadSetting(
                f"EISENERGY_URL={settings.portal.url} is reached through a proxy: set EISENERGY_PROXY to its address, such as "
                "127.0.0.1. Without it every visitor comes from the proxy's, and a few wrong passwords hold up everybody."
            )
        return settings.portal.url
    if not is_loopback(host):
        raise BadSetting(
            f"--host {host} is reached over the network: set EISENERGY_URL to the address people use, such as "
            "https://portal.example, and put a proxy with its certificate before this port."
        )
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
