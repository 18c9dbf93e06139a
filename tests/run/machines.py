"""A dask scheduler and workers as processes of their own on this machine's loopback, as an operator would start them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Machines:
    """One scheduler and its workers.

    :param folder: for their files
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        told = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(told), cwd=folder
        )
        assert within(60, told.is_file), self.said()
        self.address = str(json.loads(told.read_text(encoding="utf-8"))["address"])

    def worker(self, cwd: Path, *options: str, threads: int = 1) -> subprocess.Popen[bytes]:
        """Start a worker in a folder."""
        words = ("--nthreads", str(threads), "--no-nanny", "--no-dashboard", "--memory-limit", "0")
        return self._start("worker", self.address, *words, "--local-directory", str(self.folder), *options, cwd=cwd)

    def end(self, which: Sequence[subprocess.Popen[bytes]] | None = None) -> None:
        """Kill processes, all by default, as a machine that fails would end them."""
        for process in reversed(self.processes) if which is None else which:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def said(self) -> str:
        """What all of them wrote."""
        return "\n".join(path.read_text(encoding="utf-8") for path in sorted(self.folder.glob("*.log")))

    def _start(self, kind: str, *words: str, cwd: Path) -> subprocess.Popen[bytes]:
        log = self.folder / f"{len(self.processes)}-{kind}.log"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EISENERGY_")}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", kind, "--host", "127.0.0.1", *words],
                cwd=cwd,
                env={**environment, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(ROOT)])},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.processes.append(process)
        return process


def within(seconds: float, reached: Callable[[], bool]) -> bool:
    """Wait for something, for so long at most; say whether it came."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
