"""Memory is kept for a while between reads, unless somebody says otherwise; it has to be said before Polars is loaded."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

NAME = "_RJEM_MALLOC_CONF"


@pytest.mark.parametrize(
    ("given", "wanted"), [(None, "dirty_decay_ms:10000,muzzy_decay_ms:10000"), ("dirty_decay_ms:0", "dirty_decay_ms:0")]
)
def test_what_is_set_stands(given: str | None, wanted: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != NAME}
    if given is not None:
        environment[NAME] = given
    code = f"import eisenergy, os, sys; print('polars' in sys.modules, os.environ[{NAME!r}])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["False", wanted]
