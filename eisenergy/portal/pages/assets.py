"""Style sheets and typefaces of the portal's own pages; the only answers that a cache may keep."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from eisenergy.portal import sites
from eisenergy.portal.guard import ASSETS as OPEN
from eisenergy.portal.routes import NoSuchPage, Routes
from eisenergy.portal.visit import Visit
from eisenergy.publish.folders import ASSETS, FONTS, REPORTS

routes: Final = Routes()
FOLDERS: Final = {"page": ASSETS, "fonts": FONTS, "portal": REPORTS / "portal" / "assets"}


@routes.page("/assets/{folder}/{name}", OPEN)
def asset(visit: Visit) -> Response:
    """Serve one of them."""
    folder = FOLDERS.get(str(visit.request.path_params["folder"]))
    if folder is None:
        raise NoSuchPage
    return sites.serve(visit, sites.inside(folder, str(visit.request.path_params["name"])))
