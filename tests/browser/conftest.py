"""A real browser (Debian's Chromium, driven by Playwright) before a real portal on loopback."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

for _folder in (Path(__file__).parent, Path(__file__).parents[1] / "portal", Path(__file__).parents[1] / "store"):
    sys.path.insert(0, str(_folder))

from screens import Screens  # noqa: E402


@pytest.fixture(scope="module")  # Playwright keeps an event loop running, beside which other tests could have none
def screens(tmp_path_factory: pytest.TempPathFactory, require: Callable[[str], None]) -> Iterator[Screens]:
    """Browser windows; pictures go to ``PICTURES_OF_PAGES`` where that names a folder."""
    require("chromium")
    require("playwright")
    program = shutil.which("chromium")
    assert program is not None
    given = os.environ.get("PICTURES_OF_PAGES")
    folder = Path(given) if given else tmp_path_factory.mktemp("pictures")
    with Screens.open(program, folder) as found:
        yield found
