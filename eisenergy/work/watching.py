"""A watched folder per client: a file that lies still there is stored and imported, once."""

from __future__ import annotations

import logging
import stat
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from eisenergy.accounts import Role, Scope
from eisenergy.desk.workspace import Workspace
from eisenergy.run.intake import SUFFIXES
from eisenergy.store import files, masters, uploads
from eisenergy.store.audit import Actor
from eisenergy.work.names import cleaned

STILL: Final = 5.0
"""Seconds for which neither size nor time of a file may have changed."""
_SPACE: Final = uuid.UUID("0d4cf6f1-58a4-4d55-8c8f-1b4cfd0e2f17")
_log: Final = logging.getLogger(__name__)
_Look = tuple[int, int]


@dataclass(slots=True)
class Watched:
    """The folders below one, each named after a client's code.

    Files stay where they are. One that is written anew is another file, also with the same bytes: so a refused one is tried again by
    touching it.

    :param still: see :data:`STILL`
    """

    workspace: Workspace
    folder: Path
    still: float = STILL
    _seen: dict[Path, tuple[_Look, datetime]] = field(default_factory=dict)
    _done: dict[Path, _Look] = field(default_factory=dict)

    def look(self, at: datetime) -> int:
        """Take in what has come to lie still. :returns: how many files"""
        home = Scope(client=self.workspace.settings.client, role=Role.SYSTEM_ADMIN)
        count = 0
        here: set[Path] = set()
        for client in masters.clients(self.workspace.database, home):
            for path, look in _files(self.folder / client.code):
                here.add(path)
                if self._is_still(path, look, at):
                    count += self._take(Scope.operator(client.code), path, look, at)
        for gone in self._seen.keys() - here:
            del self._seen[gone]
            self._done.pop(gone, None)
        return count

    def _is_still(self, path: Path, look: _Look, at: datetime) -> bool:
        if self._done.get(path) == look:
            return False
        before = self._seen.get(path)
        if before is None or before[0] != look:
            self._seen[path] = (look, at)
            return False
        return (at - before[1]).total_seconds() >= self.still

    def _take(self, scope: Scope, path: Path, look: _Look, at: datetime) -> int:
        settings = self.workspace.settings
        with files.Originals(settings, scope) as originals:
            try:
                with path.open("rb") as stream:
                    sha256, size = originals.keep_stream(stream)
                if _look_of(path) != look:  # it was written to meanwhile
                    return 0
                originals.settle()
            except OSError as problem:
                _log.warning("%s cannot be taken in: %s", path, problem.strerror)
                return 0
        with self.workspace.database.session(scope) as connection:
            uploads.receive(
                connection,
                scope,
                cleaned(path.name),
                sha256,
                size,
                way=uploads.FOLDER,
                by=Actor(name="EISENERGY_WATCH", address="watched folder"),
                user=None,
                at=at,
                # of several workers that see it, and after a start anew, one takes it
                id=uuid.uuid5(_SPACE, f"{scope.client} {path.name} {sha256} {look[1]}"),
                at_once=True,
            )
        self._done[path] = look
        return 1


def _files(folder: Path) -> list[tuple[Path, _Look]]:
    """Plain files of a folder that may hold something, in order of their names; links are left alone, wherever they lead."""
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return []
    found = []
    for path in inside:
        if path.suffix.lower() in SUFFIXES and not path.name.startswith((".", "~$")):
            look = _look_of(path)
            if look is not None:
                found.append((path, look))
    return found


def _look_of(path: Path) -> _Look | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
