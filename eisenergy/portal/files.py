"""Files that are made for one request, and the workspace they are made from."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from eisenergy.desk.workspace import Workspace
from eisenergy.portal.context import Context
from eisenergy.portal.visit import Visit
from eisenergy.store.lake import Lake


def workspace_of(visit: Visit) -> Workspace:
    """Return the workspace behind the portal."""
    return workspace(visit.context)


def workspace(context: Context) -> Workspace:
    """Return the workspace behind a portal."""
    lake = Lake.open(context.settings, context.database)
    return Workspace(settings=context.settings, database=context.database, lake=lake)


def temporary(suffix: str) -> Path:
    """Return an empty file that only we may read."""
    handle, name = tempfile.mkstemp(prefix="eisenergy-", suffix=suffix)
    os.close(handle)
    return Path(name)


def sent_once(path: Path, kind: str, name: str) -> Response:
    """Return a file that is gone once it is sent."""
    return FileResponse(path, media_type=kind, filename=name, background=BackgroundTask(path.unlink, missing_ok=True))
