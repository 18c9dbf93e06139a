"""The audit log, to read."""

from __future__ import annotations

import json
from typing import Final

from starlette.responses import Response

from eisenergy.portal.guard import OPERATORS
from eisenergy.portal.render import local
from eisenergy.portal.routes import Routes
from eisenergy.portal.visit import Visit
from eisenergy.store import audit
from eisenergy.store.audit import Entry

routes: Final = Routes()
PAGE: Final = 100


@routes.page("/c/{client}/bitacora", OPERATORS)
def log(visit: Visit) -> Response:
    """Show the newest lines, or those before one."""
    scope, client = visit.within()
    wanted = visit.request.query_params.get("antes", "")
    before = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 18 else None
    entries = audit.entries(visit.context.database, scope, limit=PAGE, before=before)
    rows = [(entry, local(entry.at, client.timezone), _change(entry)) for entry in entries]
    older = entries[-1].id if len(entries) == PAGE else None
    return visit.page("log", client=client, rows=rows, older=older)


def _change(entry: Entry) -> str:
    sides = [json.dumps(side, ensure_ascii=False) for side in (entry.old, entry.new) if side is not None]
    return " → ".join(sides)
