from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from eisenergy import samples

MASTERS = Path(__file__).parents[2] / "data" / "samples"


class Written(NamedTuple):
    folder: Path
    paths: tuple[Path, ...]
    manifest: dict[str, Any]


@pytest.fixture(scope="session")
def masters() -> Path:
    return MASTERS


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """All files of the demonstration, once for all processes of a run."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return _write(tmp_path_factory.mktemp("samples"))
    common = tmp_path_factory.getbasetemp().parent
    with (common / "samples.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _write(common / "samples")


def _write(folder: Path) -> Written:
    paths = samples.write(folder, masters=MASTERS)
    return Written(folder, paths, json.loads((folder / samples.MANIFEST).read_text(encoding="utf-8")))
