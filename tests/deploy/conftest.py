"""The services of Compose, by hand, on Debian's PostgreSQL and nginx, with the two sellers of the portal's tests."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

for _folder in (Path(__file__).parent, Path(__file__).parents[1] / "portal", Path(__file__).parents[1] / "store"):
    sys.path.insert(0, str(_folder))

from by_hand import POSTGRES, Services, started  # noqa: E402
from portal_cases import furnish, populate  # noqa: E402

from eisenergy.config import Settings  # noqa: E402
from eisenergy.store.database import Database  # noqa: E402


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, require: Callable[[str], None]) -> Iterator[Services]:
    for program in ("nginx", "openssl"):
        require(program)
    if not POSTGRES.is_dir() or (os.geteuid() == 0 and shutil.which("runuser") is None):
        require("postgresql")
    with started(tmp_path_factory.mktemp("deploy")) as found:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PGPASSFILE", found.environment["PGPASSFILE"])
            settings = Settings.load(
                {name: value for name, value in found.environment.items() if name.startswith("EISENERGY_")}
            )
            with Database.open(settings) as database:
                furnish(settings, database)
                populate(database)
        yield found
