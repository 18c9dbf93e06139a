"""A worker beside the portal, in a process of its own. What it does is loaded there, and not here."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from eisenergy.config import Settings
from eisenergy.desk.workspace import Workspace
from eisenergy.work import due

_log: Final = logging.getLogger(__name__)
RESTART: Final = 2
"""Seconds before a worker that ended is started again."""
END: Final = 60
"""Seconds after which a worker that was told to end ends whatever it is at: another one takes that up."""


@contextmanager
def kept_working(settings: Settings, workspace: Workspace) -> Iterator[None]:
    """Keep a worker running in a process of its own; one that dies is followed by another.

    Jobs are not done in the portal's process: a file that takes all memory must not end it, and pages must not wait.

    :raises BadSetting: for a cron line that cannot be read
    """
    due.lines(settings)
    ending = threading.Event()
    keeper = threading.Thread(target=_keep, args=(_environment(settings, workspace), ending), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ending.set()
        keeper.join(timeout=END + 5)


def _keep(environment: Mapping[str, str], ending: threading.Event) -> None:
    command = [sys.executable, "-c", "from eisenergy.cli import main; main()", "worker", "--child"]
    while not ending.is_set():
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            while not ending.wait(0.2) and process.poll() is None:
                pass
        # Popen's end closes the worker's standard input, which ends it, and waits for it.
        if not ending.wait(RESTART):
            _log.warning("the worker ended with %s and is started again", process.returncode)


def _environment(settings: Settings, workspace: Workspace) -> dict[str, str]:
    """Variables for a worker of the same workspace."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("EISENERGY_")}
    found |= workspace.environment() | settings.work.environment() | {"EISENERGY_LOG": settings.portal.log}
    if settings.portal.secret_key is not None:  # what webhooks' secrets are sealed with
        found["EISENERGY_SECRET_KEY"] = settings.portal.secret_key
    return found
