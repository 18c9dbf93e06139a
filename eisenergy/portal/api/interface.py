"""The interface as a whole: its operations, their description, and where both are put into the app."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

from eisenergy.portal.api import consumption, invoices, masters, openapi, serving, work
from eisenergy.portal.api.call import Answer, Call, document
from eisenergy.portal.api.checking import Checker
from eisenergy.portal.api.components import COMPONENTS
from eisenergy.portal.api.operations import Operation, Operations
from eisenergy.portal.api.schemas import Schema
from eisenergy.portal.context import Context
from eisenergy.portal.guard import ANYBODY

MODULES: Final = (masters, invoices, consumption, work)
"""The modules of operations; a new topic is one more."""
DESCRIPTION: Final = "/v1/openapi.json"
_ABOUT: Final = Operations("This description")


@_ABOUT.read(DESCRIPTION, ANYBODY, "Describe the interface", given={200: ("", "OpenAPI 3.1")})
def describe_interface(call: Call) -> Answer:
    """Return the description of the interface, which says nothing of any client."""
    return Answer(body=description(call.context))


def operations() -> list[Operation]:
    """Return every operation."""
    return [entry for module in MODULES for entry in module.operations.entries] + _ABOUT.entries


def components(context: Context) -> dict[str, Schema]:
    """Return every schema by its name; that of clients is the one their documents are held against."""
    shipped = document(context.settings.params / "schemas" / "client.schema.json")
    client = {name: value for name, value in shipped.items() if not name.startswith("$")}
    return {"Client": {**client, "description": "An electricity seller, the issuer of invoices"}, **COMPONENTS}


def description(context: Context) -> dict[str, Any]:
    """Return the description of the interface."""
    return openapi.describe(operations(), components(context), context.url)


def install(app: FastAPI, context: Context) -> None:
    """Put the interface into the app."""
    serving.install(app, context, operations(), Checker(components(context)))
