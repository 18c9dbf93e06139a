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
def screens(require: Callable[[str], None]) -> Iterator[Screens]:
    """Browser windows; pictures go to the folder that ``PICTURES_OF_PAGES`` names."""
    with opened(require) as found:
        yield found


@pytest.fixture(scope="module")
def served_screens(require: Callable[[str], None], services: Services) -> Iterator[Screens]:
    """Browser windows that find the name of the services of Compose at this machine."""
    with opened(require, (HOST, services.port)) as found:
        yield found


@contextmanager
def opened(require: Callable[[str], None], host: tuple[str, int] | None = None) -> Iterator[Screens]:
    require("chromium")
    require("playwright")
    program = shutil.which("chromium")
    assert program is not None
    given = os.environ.get("PICTURES_OF_PAGES")
    with Screens.open(program, Path(given) if given else None, host) as found:
        yield found
