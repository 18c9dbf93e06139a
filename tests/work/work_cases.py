"""Jobs of the tests, and workers that do them in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from eisenergy.accounts import Role, Scope
from eisenergy.config import Settings
from eisenergy.store import jobs
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database

BY = Actor(name="ana@eis.example", address="10.0.0.9")
EIS, LUZ = Scope.operator("EIS"), Scope.operator("LUZ")
ADMIN = Scope(client="EIS", role=Role.SYSTEM_ADMIN)
COMMAND = "from eisenergy.cli import main; main()"


def now() -> datetime:
    return datetime.now(UTC)


def ask(
    database: Database,
    kind: str,
    subject: str = "",
    *,
    scope: Scope = EIS,
    user: uuid.UUID | None = None,
    **arguments: object,
) -> uuid.UUID:
    """Put a job into the queue."""
    with database.session(scope) as connection:
        return jobs.defer(connection, scope, kind, subject, arguments, by=BY, user=user, at=now())


def wait(condition: Callable[[], object], seconds: float = 60, what: str = "") -> None:
    """Wait until something is so; a test fails when it is not in time."""
    last = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < last, f"waited {seconds} s in vain {what}"
        time.sleep(0.05)


def ended(database: Database, job: uuid.UUID, *, scope: Scope = EIS, seconds: float = 60) -> jobs.Job:
    """Wait for the end of a job."""
    wait(lambda: not jobs.find(database, scope, job).open, seconds, f"for {jobs.find(database, scope, job)}")
    return jobs.find(database, scope, job)


def environment(settings: Settings, **more: str) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if not name.startswith("EISENERGY_")}
    found |= settings.environment() | settings.work.environment()
    found["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), found.get("PYTHONPATH", "")])
    return found | {"PYTHONUNBUFFERED": "1"} | more


@contextmanager
def working(
    settings: Settings,
    log: Path,
    *,
    heartbeat: float = 1.0,
    code: str = COMMAND,
    options: tuple[str, ...] = (),
    **more: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own; what it says is in ``log``."""
    command = [sys.executable, "-c", code, "worker", "--heartbeat", str(heartbeat), *options]
    with (
        log.open("wb") as said,
        subprocess.Popen(
            command, env=environment(settings, **more), stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        try:
            wait(lambda: b"working" in log.read_bytes() or process.poll() is not None, what="for the worker")
            assert process.poll() is None, log.read_text()
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    process.kill()
