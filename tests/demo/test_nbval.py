"""Every notebook runs from top to bottom on the shipped data, under nbval."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Demo

ROOT = Path(__file__).parents[2]


def test_notebooks_run(demo: Demo) -> None:
    notebooks = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert len(notebooks) == 5
    environment = {**os.environ, "EISENERGY_HOME": str(demo.home)}
    options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", "-o", "filterwarnings=default", "--nbval-lax"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *notebooks],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout
