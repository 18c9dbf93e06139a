"""Every page of the portal, taken from the app's own route table, with addresses that lead to something and somebody who may ask."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from eisenergy.portal.app import MODULES
from eisenergy.portal.guard import OPERATOR_ROLES
from eisenergy.portal.routes import Entry

NOBODY, CUSTOMER, OPERATOR = "nobody", "customer", "operator"
_HOLE: Final = re.compile(r"\{(\w+)(?::\w+)?\}")

QUERIES: Final[Mapping[str, tuple[str, ...]]] = {
    "/c/{client}": ("?q=industria", "?desde=9950"),
    "/c/{client}/clientes": ("?q=industria", "?desde=9950"),
    "/c/{client}/facturacion/{month}": ("?ver=issued&orden=-share", "?ver=issued&desde=9000"),
    "/c/{client}/bitacora": ("?antes=1000",),
    "/c/{client}/usuarios": ("?q=000777",),
    "/c/{client}/clientes/{customer}/consumo": ("?desde=2020-11-01&hasta=2021-10-31",),
    "/c/{client}/clientes/{customer}/consumo.csv": ("?desde=2020-11-01&hasta=2021-10-31",),
    "/c/{client}/clientes/{customer}/consumo.xlsx": ("?desde=2020-11-01&hasta=2021-10-31",),
}
"""Addresses of a page that are measured besides: what costs more than the page as it opens."""

BEYOND: Final[Mapping[str, str]] = {
    "/c/{client}/clientes/{customer}/consumo.csv": "a file, sent piece by piece while it is written; twelve months are 35,000 rows",
    "/c/{client}/clientes/{customer}/consumo.xlsx": "a file, written for the one who asks; twelve months are 315,000 cells",
}
"""What is no page and may take longer, and why; shown, and not judged."""

UNMADE: Final[Mapping[str, str]] = {
    "/c/{client}/facturacion/{month}/fallo/{subject}": "a file of a document that could not be made; here all are",
    "/c/{client}/excel/{job}": "a small page about a workbook that was checked; none was",
    "/c/{client}/excel/{job}/hojas": "a file that the check made",
    "/c/{client}/excel/{job}/copia": "a file that the check made",
}
"""Pages that are not asked for, and why."""


class NoAddress(LookupError):
    """A page of the portal that this benchmark has no address for. Names it, and what to do."""


@dataclass(frozen=True, slots=True)
class Page:
    """One address to ask for.

    :param route: as the route table has it
    :param customers: whether each customer has one of its own, so that many can be seen for the first time
    """

    route: str
    path: str
    who: str
    query: str = ""
    customers: bool = False

    @property
    def name(self) -> str:
        """What results call it: whoever reads them knows the pages by their addresses."""
        return f"{self.route}{self.query}"


def entries() -> list[Entry]:
    """The pages of the app's own route table, but those of :data:`UNMADE`."""
    return [
        entry
        for module in MODULES
        for entry in module.routes.entries
        if entry.method == "GET" and entry.path not in UNMADE
    ]


def pages(values: Mapping[str, str], known: Sequence[Entry] | None = None) -> list[Page]:
    """Return what is asked for: every page, and of some several addresses.

    :param values: what stands for the names in addresses, for example ``client`` -> ``EIS``; ``path@customer`` for a name of one kind of page
    :param known: pages; by default the portal's own
    :raises NoAddress: for a page whose address holds a name that has no value
    """
    found = []
    for entry in entries() if known is None else known:
        who = _who(entry)
        path, own = filled(entry.path, values), "{customer}" in entry.path and who == CUSTOMER
        found += [Page(entry.path, path + query, who, query, own) for query in ("", *QUERIES.get(entry.path, ()))]
    return found


def filled(path: str, values: Mapping[str, str]) -> str:
    """Return a path with values for its names. :raises NoAddress: for a name without one"""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        for key in (f"{name}@customer" if "{customer}" in path else name, name):
            if key in values:
                return quote(values[key])
        raise NoAddress(
            f"the page {path} has {match[0]} in its address, and the benchmark has no value for it. Give it one in benchmarks/portal.py."
        )

    return _HOLE.sub(value, path)


def _who(entry: Entry) -> str:
    roles = entry.rule.roles
    if roles is None:
        return NOBODY
    return OPERATOR if not roles or not roles - OPERATOR_ROLES else CUSTOMER


def of_customer(page: Page, values: Mapping[str, str], own: Mapping[str, Any]) -> str:
    """The same page of another customer."""
    return filled(page.route, {**values, "customer": str(own["code"]), "number": str(own["number"])}) + page.query
