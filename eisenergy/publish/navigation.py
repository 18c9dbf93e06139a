"""A site's name and navigation, read from the same ``_quarto.yml`` that Quarto reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


class BadSite(ValueError):
    """A site's description, or a notebook's front matter, that cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One entry of the navigation.

    :param href: from the site's root
    """

    text: str
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What ``_quarto.yml`` says about the site.

    :param title: the seller's name in the head of every page
    :param links: the navigation, as written there
    :param data: the whole file, for Quarto
    """

    title: str
    language: str
    links: tuple[Link, ...]
    footer: str
    data: Mapping[str, Any]


_ENGLISH: Final = {"Inicio": "Home", "Consumo": "Consumption", "Factura": "Invoice", "Facturas": "Invoices"}


def read_site(path: Path) -> Site:
    """Read a site's description.

    :raises BadSite: when the file is missing, is not YAML, or lacks the website's title or navigation
    """
    try:
        data = deepcopy(read_yaml(path.read_text(encoding="utf-8")))
        website = data["website"]
        links = tuple(Link(text=str(item["text"]), href=str(item["href"])) for item in website["navbar"]["left"])
        return Site(
            title=str(website["title"]),
            language=str(data.get("lang", "es")),
            links=links,
            footer=str(website.get("page-footer", "")),
            data=data,
        )
    except (OSError, YAMLError, KeyError, TypeError) as problem:
        raise BadSite(
            f"{path}: expected a Quarto project with website.title and website.navbar.left (text and href); "
            f"{type(problem).__name__}: {problem}. Restore the file from the project."
        ) from problem


def for_month(site: Site, month: str, *, english: bool = False) -> tuple[Link, ...]:
    """Return the navigation of a customer's pages: notebooks become the pages of one month.

    :param month: for example ``2021-09``
    """
    pages = {"home": "index.html", "dashboard": f"{month}/dashboard.html", "invoice": f"{month}/invoice.html"}
    return tuple(
        Link(text=_ENGLISH.get(link.text, link.text) if english else link.text, href=pages[name])
        for link in site.links
        if (name := Path(link.href).stem) in pages
    )


def read_notebook(notebook: Path) -> Any:
    """Return a notebook's document; nobody may change it. :raises BadSite: when the file is not one."""
    try:
        state = _state(notebook)
        if (kept := _KEPT.get(notebook)) is not None and kept[0] == state:
            return kept[1]
        document = _document(notebook)
        _keep(notebook, state, document)
        return document
    except (OSError, ValueError) as problem:
        raise BadSite(f"{notebook}: not a notebook: {problem}. Run it again.") from problem


def remember(notebook: Path, document: Any) -> None:
    """Take a notebook that was just written from a document, so that it is not read back.

    :param document: as nbformat would read it; nobody changes it any more
    """
    _keep(notebook, _state(notebook), document)


_KEPT: Final[dict[Path, tuple[tuple[int, ...], Any]]] = {}
"""A notebook that is asked for its front matter, its outputs and what it prints is read once: file -> (its state, document)."""

_MOST: Final = 4


def _keep(notebook: Path, state: tuple[int, ...], document: Any) -> None:
    _KEPT.pop(notebook, None)
    while len(_KEPT) >= _MOST:
        del _KEPT[next(iter(_KEPT))]
    _KEPT[notebook] = state, document


def _state(notebook: Path) -> tuple[int, ...]:
    found = notebook.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def _document(notebook: Path) -> Any:
    import nbformat  # here: who asks for a site's name reads no notebook

    text = notebook.read_text(encoding="utf-8")
    data = json.loads(text)
    if isinstance(data, dict) and (data.get("nbformat"), data.get("nbformat_minor")) == (4, 5) and "cells" in data:
        # The format that is written today, by nbformat itself: checking it takes longer than all the rest.
        to_document: Any = nbformat.v4.to_notebook
        return to_document(data)
    read: Any = nbformat.reads
    return read(text, as_version=4)


def front_matter(notebook: Path) -> Mapping[str, Any]:
    """Return the front matter of a notebook, the raw cell at its top, for reading only.

    :raises BadSite: when the notebook cannot be read, or its first cell is not a raw one between two lines ``---``
    """
    cells = read_notebook(notebook).cells
    match = (
        re.fullmatch(r"---\n(.*)\n---\s*", cells[0].source, re.DOTALL)
        if cells and cells[0].cell_type == "raw"
        else None
    )
    found = read_yaml(match[1]) if match else None
    if not isinstance(found, dict) or "title" not in found:
        raise BadSite(f"{notebook}: expected a raw cell at the top with front matter that names a title")
    return found


@lru_cache(maxsize=16)
def read_yaml(text: str) -> Any:
    """Return what a YAML text says, for reading only; the same front matter stands in every customer's notebooks, and reading it takes milliseconds."""
    return YAML(typ="safe", pure=True).load(text)
