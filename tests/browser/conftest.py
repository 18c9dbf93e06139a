"""A real browser (Debian's Chromium, driven by Playwright) before a real portal on loopback."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

for _name in ("browser", "deploy", "portal", "store"):
    sys.path.insert(0, str(Path(__file__).parents[1] / _name))

from by_hand import HOST, Services  # noqa: E402
from screens import Screens  # noqa: E402


@pytest.fixture(scope="module")  # Playwright keeps an event loop running, beside which other tests could have none
def screens(tmp_path_factory: pytest.TempPathFactory, require: Callable[[str], None]) -> Iterator[Screens]:
    """Browser windows; pictures go to ``PICTURES_OF_PAGES`` where that names a folder."""
    with opened(require, tmp_path_factory) as found:
        yield found


@pytest.fixture(scope="module")
def served_screens(
    tmp_path_factory: pytest.TempPathFactory, require: Callable[[str], None], services: Services
) -> Iterator[Screens]:
    """Browser windows that find the name of the services of Compose at this machine."""
    with opened(require, tmp_path_factory, (HOST, services.port)) as found:
        yield found


@contextmanager
def opened(
    require: Callable[[str], None], factory: pytest.TempPathFactory, host: tuple[str, int] | None = None
) -> Iterator[Screens]:
    require("chromium")
    require("playwright")
    program = shutil.which("chromium")
    assert program is not None
    given = os.environ.get("PICTURES_OF_PAGES")
    with Screens.open(program, Path(given) if given else factory.mktemp("pictures"), host) as found:
        yield found
