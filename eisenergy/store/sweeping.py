"""What killed loads left behind: files in the table's folder that no version of its log ever named, and files that waited beside it.

A load writes its parts beside the table and then names them in one commit. Killed in between, it leaves parts that nobody reads. They are told
from those of a load that is going on by their age; a commit whose part is gone is refused all the same (:func:`eisenergy.store.loading.commit`).
Files that a compaction replaced were named, and stay: earlier versions read them.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from eisenergy.accounts import Scope
from eisenergy.config import Settings
from eisenergy.store import loading
from eisenergy.store.lake import Lake

AGE: Final = timedelta(days=1)
"""A load commits at the latest after 60 million rows, which takes minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What was removed."""

    files: int
    bytes: int


def sweep(lake: Lake, scope: Scope, *, age: timedelta = AGE) -> Swept:
    """Remove a client's files that no version of the table names, older than some age. Others may read, load and compact meanwhile.

    :returns: nothing removed where the table lies on object storage, or its log is not there from its beginning
    :raises OutOfScope: for a scope that may not write for the whole client
    """
    loading.check_client(scope)
    nothing = Swept(files=0, bytes=0)
    if not loading.can_stage(lake, scope):
        return nothing
    root = Path(lake.address)
    before = time.time() - age.total_seconds()
    # The folder first, then the log: what is committed in between is found in the log.
    old = {
        str(path.relative_to(root)): (path, found.st_size)
        for path in root.glob(f"client={scope.client}/month=*/*.parquet")
        if (found := path.stat()).st_mtime < before
    }
    named = _named(root) if old else set()
    if named is None:
        return nothing
    left = [entry for name, entry in old.items() if name not in named]
    for path, _ in left:
        path.unlink(missing_ok=True)
    return Swept(files=len(left), bytes=sum(size for _, size in left))


def waiting(scope: Scope) -> str:
    """What the name of a load's own folder in the workspace begins with: readings wait there to be compared with the table's."""
    return f".intake-{scope.client}-"


def sweep_beside(settings: Settings, scope: Scope, *, age: timedelta = AGE) -> Swept:
    """Remove what a client's killed loads left in the workspace: folders of readings that waited, and originals half copied.

    :param age: of whatever is newest in a folder
    :raises OutOfScope: for a scope that may not write for the whole client
    """
    loading.check_client(scope)
    before = time.time() - age.total_seconds()
    files = size = 0
    for path in _left_beside(settings, scope):
        try:
            inside = [found.stat() for found in path.rglob("*")] if path.is_dir() else []
            stats = [path.stat(), *inside]
        except FileNotFoundError:  # a load that goes on has just put it in its place
            continue
        if max(found.st_mtime for found in stats) >= before:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        kept = inside or stats[:1] * (not path.is_dir())
        files += len(kept)
        size += sum(found.st_size for found in kept)
    return Swept(files=files, bytes=size)


def _left_beside(settings: Settings, scope: Scope) -> Iterator[Path]:
    # mkdtemp's letters have no hyphen: a client whose code begins like this one's is another. Once folders named no client.
    folder = re.compile(rf"(\.intake-|{re.escape(waiting(scope))})[a-z0-9_]+")
    for path in settings.home.glob(".intake-*"):
        if folder.fullmatch(path.name):
            yield path
    yield from (settings.inbox / scope.client).glob(".part-*")


def _named(root: Path) -> set[str] | None:
    """Every file that any version added or removed; ``None`` where a version's log is missing."""
    logs = sorted(root.glob("_delta_log/" + "[0-9]" * 20 + ".json"))
    if not logs or [int(path.stem) for path in logs] != list(range(len(logs))):
        return None
    found: set[str] = set()
    for path in logs:
        for line in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line) if line.strip() else {}
            found |= {unquote(entry[kind]["path"]) for kind in ("add", "remove") if kind in entry}
    return found
