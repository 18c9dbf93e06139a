"""A workspace: the settings with the database and the lake they name, open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from eisenergy import unpacked
from eisenergy.config import Settings
from eisenergy.store.database import Database
from eisenergy.store.lake import Lake
from eisenergy.variables import BadSetting


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Everything a use case needs to read and write.

    :param settings: what the environment says
    """

    settings: Settings
    database: Database
    lake: Lake

    def environment(self) -> dict[str, str]:
        """Variables for a process started from here: the same folders, and this very database as the application's role."""
        return replace(self.settings, database_url=self.database.app_url).environment()


@contextmanager
def opened(settings: Settings) -> Iterator[Workspace]:
    """Open the database (starting the embedded server where no address is set) and the lake, and close them at the end.

    :raises BadSetting: when the workspace's folder cannot be made
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise BadSetting(
            f"EISENERGY_HOME={str(settings.home)!r}: the folder cannot be made ({problem.strerror}). Name one that may be written to."
        ) from problem
    unpacked.limit(settings.unpacked)
    with Database.open(settings) as database:
        yield Workspace(settings=settings, database=database, lake=Lake.open(settings, database))
