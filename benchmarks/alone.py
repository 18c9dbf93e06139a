"""Run one measurement in a process of its own, and say what it cost: CPU seconds of everything it started, and memory.

CPU seconds are user and system time of the process, of the children it waited for, and of the PostgreSQL server it used. They say what
work was done even where others use the machine's cores too; wall time does not. Memory is the peak of the proportional set size of the
process and its descendants, looked at four times a second at the most and so seldom that looking, which holds up who wants memory, takes
a hundredth of the time; and the process's own peak as the kernel keeps it.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Failed(RuntimeError):
    """A measurement that did not come to its end."""


@dataclass(slots=True)
class Clock:
    """What the phases of a measurement cost.

    :param server: process id of the PostgreSQL server whose time counts, too
    """

    phases: dict[str, dict[str, float]] = field(default_factory=dict)
    server: int | None = None

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure what happens inside."""
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        wall, cpu = time.perf_counter(), self._cpu()
        yield
        self.phases[name] = {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": self._cpu() - cpu,
            "peak_bytes": float(peak_bytes()),
        }

    def _cpu(self) -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system + server_cpu(self.server)


def peak_bytes() -> int:
    """The highest resident memory of this process; what ``getrusage`` says may be its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024


def server_of(workspace: Any, scope: Any) -> int | None:
    """Process id of the PostgreSQL server a workspace talks to, where it runs on this machine."""
    from sqlalchemy import text

    with workspace.database.session(scope) as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar()
    stat = _stat(int(backend))
    return None if stat is None else int(stat[1])


def server_cpu(pid: int | None) -> float:
    """CPU seconds of a server, of its running processes and of those that ended."""
    own = None if pid is None else _stat(pid)
    if own is None:
        return 0.0
    ticks = sum(map(int, own[11:15]))
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(int(entry))) is not None and int(stat[1]) == pid:
            ticks += int(stat[11]) + int(stat[12])
    return ticks / _TICKS


def _stat(pid: int) -> list[str] | None:
    """The fields of ``/proc/PID/stat`` from the state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def run(function: str, **arguments: Any) -> dict[str, Any]:
    """Call a function in a new process.

    :param function: ``module:name``; it takes a :class:`Clock` and the arguments, and returns JSON types
    :returns: ``result`` (what it returned), ``phases``, ``peak_bytes`` of the process and all it started
    :raises Failed: with its last words
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EISENERGY_")}
    environment["EISENERGY_RENDERER"] = "embedded"  # the same everywhere, whether Quarto is installed or not
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        out, log = Path(folder, "result.json"), Path(folder, "log")
        with log.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.alone", function, json.dumps(arguments), str(out)],
                cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT,
            )  # fmt: skip
            watch = _Watch(process.pid)
            watch.start()
            try:
                process.wait()
            finally:
                if process.poll() is None:  # interrupted: its server has to stop, too
                    process.terminate()
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(30)
                    process.kill()
                watch.stop()
        if process.returncode or not out.is_file():
            words = log.read_text(errors="replace").splitlines()[-25:]
            raise Failed(f"{function} ended with {process.returncode}:\n" + "\n".join(words))
        return {**json.loads(out.read_text()), "peak_bytes": watch.peak}


class _Watch(threading.Thread):
    """Looks at the memory of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.peak, self._end = pid, 0, threading.Event()

    def run(self) -> None:
        pause = 0.25
        while not self._end.wait(pause):
            began = time.perf_counter()
            self.peak = max(self.peak, sum(map(_proportional, _tree(self.pid))))
            pause = max(0.25, 100 * (time.perf_counter() - began))

    def stop(self) -> None:
        self._end.set()
        self.join()


def _tree(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (stat := _stat(int(entry))) is not None:
            children.setdefault(int(stat[1]), []).append(int(entry))
    found = [pid]
    for one in found:
        found += children.get(one, ())
    return found


def _proportional(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0)


def command(home: str, *arguments: str) -> dict[str, Any]:
    """Run the command and return its report; parked customers are no failure here."""
    script = "from eisenergy.cli import main; main()"
    command = [sys.executable, "-c", script, "--home", home, *arguments, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise AssertionError(f"eisenergy {' '.join(arguments[:2])} ended with {done.returncode}: {done.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def end_in_order() -> None:
    """Let a request to end run what has to be run at the end: workspaces are closed, folders removed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def main() -> None:
    """Be the process: FUNCTION, arguments as JSON, file for the result."""
    end_in_order()
    function, arguments, out = sys.argv[1:]
    module, _, name = function.partition(":")
    clock = Clock()
    result = getattr(importlib.import_module(module), name)(clock, **json.loads(arguments))
    Path(out).write_text(json.dumps({"result": result, "phases": clock.phases}))


if __name__ == "__main__":
    main()
