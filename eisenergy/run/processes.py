"""Processes of this program that are talked to over a connection, and end when it does: nobody has to look for them afterwards."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

import eisenergy


class Process:
    """A process that runs a function of a module of ours with one end of a connection. :param environment: variables besides this process's"""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        # The same eisenergy as here, wherever this was started: a folder may hold another.
        roots = [str(Path(eisenergy.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        chosen = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(filter(None, roots))}
        ours, theirs = socket.socketpair()
        with theirs:
            code = f"import sys; from {module} import main; sys.exit(main(sys.argv[1:]))"
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", code, str(theirs.fileno())],
                env=chosen,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,
            )
        self.connection = Connection(ours.detach())

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def end(self) -> None:
        """Close the connection, and wait until it has seen that."""
        self.connection.close()
        self._process.wait()


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
