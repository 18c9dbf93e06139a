from __future__ import annotations

import sys
from pathlib import Path

import pytest

# the builders are a plain module beside the tests
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def masters() -> Path:
    """The shipped reference files."""
    return Path(__file__).parents[2] / "data" / "samples"
