"""What can be seen of the workspace's PostgreSQL from outside: whether it runs, and what it says to whoever knocks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

SUPERUSER: Final = "postgres"
PORT: Final = 5432
_SECONDS: Final = 5


def answers(socket: Path) -> bool:
    """Say whether a server can be logged in to.

    :param socket: folder of its socket
    """
    return _refusal(socket) is None


def stops(socket: Path) -> bool:
    """Say whether a server lets nobody in because it was asked to stop."""
    # All that it says while it lets nobody in has one code; its messages are English, as initdb was told.
    return "the database system is shutting down" in (_refusal(socket) or "")


def ping(socket: Path) -> Ping:
    """Say how a server answers; it is not logged in to. One that recovers or stops says ``REJECT``."""
    knock = make_conninfo(host=str(socket), port=PORT, user=SUPERUSER, dbname="postgres", connect_timeout=_SECONDS)
    return Ping(PGconn.ping(os.fsencode(knock)))


def _refusal(socket: Path) -> str | None:
    """Why a server cannot be logged in to."""
    try:
        with psycopg.connect(host=str(socket), port=PORT, user=SUPERUSER, dbname="postgres", connect_timeout=_SECONDS):
            return None
    except psycopg.OperationalError as error:
        return str(error)


def running(data: Path) -> int | None:
    """The process that serves a data folder, ``None`` where none does."""
    pid = _pid(data / "postmaster.pid")
    return pid if pid is not None and _serves(pid, data) else None


def _pid(lock_file: Path) -> int | None:
    try:
        return int(lock_file.read_text(encoding="utf-8").split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _serves(pid: int, data: Path) -> bool:
    """Whether a process is the server of a data folder: it works in that folder."""
    if Path("/proc/self/cwd").exists():
        try:
            return os.readlink(f"/proc/{pid}/cwd") == str(data)
        except OSError:
            return False  # gone, dead and not reaped, or somebody else's
    shown = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return "postgres" in shown.stdout
