"""The connection to a ``dask.distributed`` scheduler: made, or said in a sentence why not; and watched while work is out.

``distributed`` is imported where it is needed: only who has a scheduler has it.
"""

from __future__ import annotations

import importlib
import logging
import queue
import socket
import threading
import time
import warnings
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

CONNECT_SECONDS: Final = 10.0
WORKERS_SECONDS: Final = 30.0
"""How long the first worker may take to appear."""

LOST_SECONDS: Final = 60.0
"""How long there may be no worker, or no scheduler, before what is left is given up."""


class ClusterUnusable(RuntimeError):
    """A scheduler or workers that cannot do the work. Says what was found and what to do; nothing was run."""


def connected(address: str) -> Any:
    """Connect, and return a ``distributed.Client``.

    :param address: ``tcp://host:port`` or ``tls://host:port``
    :raises ClusterUnusable: within about half a minute
    """
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as problem:
        raise ClusterUnusable(
            f"a scheduler needs the package distributed, which is not installed ({problem}): install eisenergy[cluster]"
        ) from problem
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it says, this module says as a sentence
    _knock(address)

    class Connection(distributed.Client):  # type: ignore[misc, name-defined]
        def __del__(self) -> None:  # one that never connected fails to close, aloud
            with suppress(Exception):
                super().__del__()

    answers: queue.Queue[Any] = queue.Queue()

    def connect() -> None:
        try:
            answers.put(Connection(address, timeout=CONNECT_SECONDS, set_as_default=False))
        except Exception as problem:
            answers.put(problem)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about versions: who connects says what is the matter
        # In a thread of its own: for a scheduler that was stopped the client waits for ever, whatever limit it is given.
        threading.Thread(target=connect, daemon=True).start()
        try:
            answer = answers.get(timeout=CONNECT_SECONDS + 5)
        except queue.Empty:
            answer = TimeoutError("nothing came back")
    if isinstance(answer, Exception):
        raise ClusterUnusable(
            f"what listens at {address} does not answer as a dask scheduler: {answer}. "
            f"Check the address, that it speaks {urlsplit(address).scheme}, and that it is not stopped"
        ) from answer
    return answer


def _knock(address: str) -> None:
    """Wait until something listens there: the client of ``distributed`` waits as long and says less."""
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or 0
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            socket.create_connection((host, port), timeout=max(0.1, deadline - time.monotonic())).close()
        except OSError as problem:
            if time.monotonic() + 0.3 > deadline:
                raise ClusterUnusable(
                    f"no scheduler listens at {address} ({problem.strerror or problem}): start one with `dask scheduler "
                    f"--port {port}` and workers with `dask worker {address}` in the project's folder, or leave out "
                    "--scheduler and EISENERGY_SCHEDULER to work on this machine"
                ) from problem
            time.sleep(0.2)
        else:
            return


def wait_for_workers(client: Any, address: str) -> None:
    """Wait for the first worker. :raises ClusterUnusable: where none appears in time"""
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError as problem:
        raise ClusterUnusable(
            f"the scheduler {address} has no worker after {WORKERS_SECONDS:g} s: start some with `dask worker {address}` in the "
            "project's folder"
        ) from problem


class Watch:
    """Says when nobody is left to do the work; a scheduler or workers that come back in time are waited for."""

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._address = address
        self._since: float | None = None

    def __call__(self) -> str | None:
        """Return what has been missing for too long, as a sentence; ``None`` while there is hope."""
        what = self._missing()
        now = time.monotonic()
        if what is None:
            self._since = None
            return None
        self._since = self._since or now
        if now - self._since < LOST_SECONDS:
            return None
        return f"{what} for {LOST_SECONDS:g} s; mend that and run the same command again to do what is left"

    def _missing(self) -> str | None:
        if self._client.status != "running":
            return f"the scheduler {self._address} has not been there"
        try:
            workers = self._client.sync(self._client.scheduler.ncores, callback_timeout=CONNECT_SECONDS)
        except Exception:
            return f"the scheduler {self._address} has not answered"
        return None if workers else f"the scheduler {self._address} has had no worker"
