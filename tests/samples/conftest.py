from __future__ import annotations

import json
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
    """All files of the demonstration, once."""
    folder = tmp_path_factory.mktemp("samples")
    paths = samples.write(folder, masters=MASTERS)
    return Written(folder, paths, json.loads((folder / samples.MANIFEST).read_text(encoding="utf-8")))
