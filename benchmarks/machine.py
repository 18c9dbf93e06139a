"""The machine a benchmark ran on: what it is, and what its memory and its disk give at the most."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numba
import numpy as np

PACKAGES: Final = (
    *("numpy", "numba", "polars", "duckdb", "pandas", "deltalake", "openpyxl", "fastexcel"),
    *("papermill", "nbconvert", "typst", "vl-convert-python"),
)


@numba.njit("void(f8[::1], f8[::1], f8[::1], f8)", parallel=True, cache=True)
def _triad(a: np.ndarray, b: np.ndarray, c: np.ndarray, s: float) -> None:
    for i in numba.prange(a.shape[0]):
        a[i] = b[i] + s * c[i]


@numba.njit("f8(f8[::1])", parallel=True, cache=True, fastmath=True)
def _read(a: np.ndarray) -> float:
    total = 0.0
    for i in numba.prange(a.shape[0]):
        total += a[i]
    return total


def facts() -> dict[str, Any]:
    """What the machine is, with the load it bears at this moment."""
    return {
        "processor": processor(),
        "cores": cores(),
        "cores_of_machine": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "load_at_start": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def triad(elements: int = 16_000_000) -> float:
    """Bytes per second of ``a[i] = b[i] + s * c[i]`` on all threads: two arrays read and one written, counted once each.

    As STREAM counts: that the processor also reads each line before it writes to it is not counted. With it the memory moves a
    third more than said here, so a pass that only reads may come near to this rate, or above it.
    """
    a, b, c = np.zeros(elements), np.ones(elements), np.ones(elements)
    return 3 * 8 * elements / best(lambda: _triad(a, b, c, 2.0), 5)


def read_pass(elements: int = 48_000_000) -> float:
    """Bytes per second of adding up an array on all threads: nothing is written, and no pass can read faster."""
    a = np.ones(elements)
    return 8 * elements / best(lambda: _read(a), 5)


def disk(folder: Path, size: int = 256_000_000) -> dict[str, float]:
    """Bytes per second of writing a file through to the disk, and of reading it again from the system's cache."""
    path, block = folder / "disk.probe", os.urandom(4_000_000)
    try:
        began = time.perf_counter()
        with path.open("wb") as file:
            for _ in range(max(1, size // len(block))):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        written = path.stat().st_size / (time.perf_counter() - began)
        return {"write_bytes_per_second": written, "cached_read_bytes_per_second": cached_read([path])}
    finally:
        path.unlink(missing_ok=True)


def cached_read(paths: list[Path]) -> float:
    """Bytes per second of reading files that were just read, one after the other into one buffer."""
    buffer = memoryview(bytearray(4_000_000))

    def once() -> None:
        for path in paths:
            with path.open("rb", buffering=0) as file:
                while file.readinto(buffer):
                    pass

    return sum(path.stat().st_size for path in paths) / best(once, 2)


def best(action: Callable[[], object], times: int) -> float:
    """Seconds of the fastest of several runs."""
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def processor() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
