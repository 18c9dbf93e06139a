"""Published files, served from inside the portal: only what a site holds, with the right type, and pages with the way back on top."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from starlette.responses import FileResponse, Response

from eisenergy.portal import csrf
from eisenergy.portal.context import Context
from eisenergy.portal.render import render
from eisenergy.portal.routes import NoSuchPage
from eisenergy.portal.visit import Visit
from eisenergy.publish.folders import INVOICE, OPERATOR

TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".otf": "font/otf",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".csv": "text/csv; charset=utf-8",
}
DOCUMENTS: Final = frozenset({".html", ".pdf", ".csv", ".xlsx"})
"""Files of which the audit log tells who saw them; the others are what pages load."""
_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_OURS: Final = '<link rel="icon" type="image/svg+xml" href="/assets/portal/icon.svg"><link rel="stylesheet" href="/assets/portal/bar.css">'
_HEAD: Final = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_BODY: Final = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_SWATCH: Final = re.compile(r'<span class="swatch" style="background:(#[0-9A-Fa-f]{6})"></span>')
_NEIGHBOUR: Final = re.compile(r'href="\.\./([A-Za-z0-9][A-Za-z0-9._-]*)/')


def inside(folder: Path, path: str) -> Path:
    """Return a file of a folder.

    :param path: as it stands in the address; empty: the first page
    :raises NoSuchPage: for what is not there, is no plain name, or leads out of the folder by whatever way
    """
    parts = (path or "index.html").split("/")
    if parts[-1] == "":
        parts[-1] = "index.html"
    if not all(_PART.fullmatch(part) for part in parts):
        raise NoSuchPage
    found = folder.joinpath(*parts)
    try:
        if found.resolve(strict=True) != folder.resolve(strict=True).joinpath(*parts) or not found.is_file():
            raise NoSuchPage  # a link stands on the way
    except (OSError, RuntimeError):
        raise NoSuchPage from None
    if found.suffix.lower() not in TYPES:
        raise NoSuchPage
    return found


def site_folder(visit: Visit, customer: str | None) -> Path:
    """Return where a site lies. :param customer: ``None``: the operator's"""
    scope, _ = visit.within()
    return folder_of(visit.context, scope.client, customer)


def folder_of(context: Context, client: str, customer: str | None) -> Path:
    """Return where a client's site lies. :param customer: ``None``: the operator's"""
    name = OPERATOR if customer is None else customer
    if not _PART.fullmatch(client) or (customer is not None and not _PART.fullmatch(customer)):
        raise NoSuchPage
    return context.settings.sites / client / name


def months_of(folder: Path) -> frozenset[str]:
    """Return the months a site has pages of."""
    if not folder.is_dir():
        return frozenset()
    return frozenset(
        path.stem
        for path in folder.iterdir()
        if re.fullmatch(r"\d{4}-\d{2}", path.stem) and not path.name.startswith(".")
    )


def invoice_pdf(folder: Path, month: str, number: str) -> Path | None:
    """Return the PDF of an invoice, ``None`` where the month's PDF is another's, a draft's, or not there.

    Publishing says beside the PDF which invoice it shows: a site may be older than the invoice, and show its draft.
    """
    try:
        shown = json.loads(inside(folder, f"{month}/{INVOICE}").read_text(encoding="utf-8"))
        return inside(folder, f"{month}/invoice.pdf") if shown["number"] == number else None
    except (NoSuchPage, OSError, ValueError, KeyError, TypeError):
        return None


def serve(visit: Visit, file: Path, *, download: str | None = None) -> Response:
    """Return a file; a page gets the portal's bar, because its own navigation does not lead out of the site.

    :param download: name to save it under
    """
    kind = TYPES[file.suffix.lower()]
    if file.suffix.lower() != ".html":
        return document(visit.context, file, download)
    text = file.read_text(encoding="utf-8")
    # The policy forbids style attributes; a drawing's fill is none.
    text = _SWATCH.sub(r'<svg class="swatch" viewBox="0 0 1 1"><rect width="1" height="1" fill="\1"/></svg>', text)
    if visit.customer is None:
        # The operator's pages link the customers' sites beside theirs; here each stands at its customer's address.
        base = f"/c/{quote(visit.within()[1].code)}/clientes"
        text = _NEIGHBOUR.sub(lambda match: f'href="{base}/{match[1]}/sitio/', text)
    bar = render(visit, "bar", csrf=_csrf(visit))
    text = _HEAD.sub(lambda match: match[0] + _OURS, text, count=1)
    text = _BODY.sub(lambda match: match[0] + bar, text, count=1)
    return Response(text, media_type=kind)


def document(context: Context, file: Path, download: str | None) -> Response:
    """Return a file that is no page. :param download: name to save it under"""
    kind = TYPES[file.suffix.lower()]
    return _handed_on(context, file, kind, download) or FileResponse(file, media_type=kind, filename=download)


def _handed_on(context: Context, file: Path, kind: str, download: str | None) -> Response | None:
    """Let nginx send a file of the sites, where it is set up to; the portal has said by then that it may."""
    place, sites = context.settings.portal.accel, context.settings.sites
    if place is None or not file.is_relative_to(sites):
        return None
    headers = {"X-Accel-Redirect": f"{place}/{quote(file.relative_to(sites).as_posix())}"}
    if download is not None:
        headers["Content-Disposition"] = f'attachment; filename="{quote(download)}"'
    return Response(media_type=kind, headers=headers)


def _csrf(visit: Visit) -> str:
    return csrf.token_for(visit.secret() or "")
