"""What a machine asks the portal: whether it lives, and whether it can work. Answered under any host name, and about nobody."""

from __future__ import annotations

from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse, Response

from eisenergy.portal.guard import PUBLIC
from eisenergy.portal.routes import Routes
from eisenergy.portal.visit import Visit
from eisenergy.store.migrate import HEAD, current

routes: Final = Routes()
LIVE: Final = "/healthz"
READY: Final = "/readyz"


@routes.page(LIVE, PUBLIC)
def live(_: Visit) -> Response:
    """Say that the process answers; it asks nothing of the database, so that a database's fault does not restart the portal."""
    return JSONResponse({"status": "ok"})


@routes.page(READY, PUBLIC)
def ready(visit: Visit) -> Response:
    """Say whether the database answers and fits this version; 503 until it does."""
    try:
        with visit.context.database.engine.connect() as connection:
            at = current(connection)
    except SQLAlchemyError:
        return JSONResponse({"status": "unavailable", "database": "does not answer"}, 503)
    if at != HEAD:
        return JSONResponse({"status": "unavailable", "database": f"at migration {at}, expected {HEAD}"}, 503)
    return JSONResponse({"status": "ok", "database": "ok"})
