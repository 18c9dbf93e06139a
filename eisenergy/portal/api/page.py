"""The page that tells people what programs may ask for: every route, and what each type of problem means."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from eisenergy.portal.api import interface
from eisenergy.portal.api.problems import KINDS, PAGE
from eisenergy.portal.guard import PUBLIC
from eisenergy.portal.routes import Routes
from eisenergy.portal.visit import Visit

routes: Final = Routes()


@routes.page(PAGE, PUBLIC)
def page(visit: Visit) -> Response:
    """List the routes."""
    groups: dict[str, list[object]] = {}
    for operation in interface.operations():
        groups.setdefault(operation.tag, []).append(operation)
    return visit.page("interface", groups=groups, kinds=KINDS, description=interface.DESCRIPTION)
