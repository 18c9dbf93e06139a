"""Sites: what a customer and the operator open in a browser, put together from executed notebooks.

``sites/CLIENT/CUSTOMER/``: ``index.html``, ``MONTH/dashboard.html`` and ``.pdf``, ``MONTH/invoice.html`` and ``.pdf``, ``assets/``;
``MONTH/invoice.json`` says which invoice the PDF shows: ``number`` (``null`` for a draft) and ``contract``.
``sites/CLIENT/_operator/``: ``index.html`` (the newest month), ``MONTH.html``, ``.pdf`` and ``.csv`` (all customers), ``assets/``.
Publishing a month keeps the pages of the others.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from eisenergy.config import Settings
from eisenergy.period import BillingMonth
from eisenergy.publish import embedded, quarto
from eisenergy.publish.captions import Words
from eisenergy.publish.customer_list import CSV
from eisenergy.publish.folders import INVOICE, OPERATOR, QUARTO
from eisenergy.publish.navigation import Link, Site, for_month, front_matter, read_notebook, read_site
from eisenergy.publish.notebook_typst import invoice_of
from eisenergy.publish.place import PROJECT, staged
from eisenergy.publish.quarto import Page
from eisenergy.publish.renderer import Renderer

PAGES: Final = ("home", "dashboard", "invoice")
OVERVIEW: Final = "operator"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LINK: Final = re.compile(
    r'<a\b[^>]*?\bhref="(?P<href>(?:\.\./)?[A-Za-z0-9._-]+/[A-Za-z0-9._-]+)"[^>]*>(?P<text>.*?)</a>', re.DOTALL
)
_BEGIN: Final = "<a"
_LIST: Final = 'class="rows"'
_ROWS: Final = re.compile(r'(?P<tag><script type="application/json" class="rows">)(?P<rows>.*?)</script>', re.DOTALL)
_MONTH: Final = re.compile(r"\d{4}-\d{2}")


class PublishFailed(RuntimeError):
    """A site that could not be published. The site that was there stays as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A site in its place.

    :param folder: the site
    :param paths: the files of this month, and the first page
    """

    client: str
    customer: str
    month: BillingMonth
    renderer: Renderer
    folder: Path
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A site that could not be published, and why."""

    subject: str
    message: str


def publish_customer(
    settings: Settings,
    executed: Mapping[str, Path],
    client: str,
    customer: str,
    month: BillingMonth,
    renderer: Renderer,
    *,
    locale: str = "es-SV",
) -> Published:
    """Publish one customer's month.

    :param executed: ``home``, ``dashboard`` and ``invoice``: the notebooks as Papermill left them
    :param locale: language of the pages' frame
    :returns: the site in its place
    :raises PublishFailed: when a page or a PDF cannot be made; the site that was there stays
    """
    absent = [name for name in PAGES if name not in executed]
    if absent:
        raise PublishFailed(
            f"{customer}: no executed notebook for {', '.join(absent)}; run the month's notebooks first"
        )
    site = read_site(QUARTO)
    words = Words(locale)
    pages = [
        Page(executed=executed["home"], where="index"),
        *(Page(executed=executed[name], where=f"{month}/{name}") for name in ("dashboard", "invoice")),
    ]
    links = for_month(site, str(month), english=words.language == "en")
    return _publish(settings, site, links, pages, client, customer, month, renderer, locale)


def publish_operator(
    settings: Settings,
    executed: Mapping[str, Path],
    client: str,
    month: BillingMonth,
    renderer: Renderer,
    *,
    locale: str = "es-SV",
) -> Published:
    """Publish the operator's overview of a month; its first page is the newest month's.

    :param executed: ``operator``: the notebook as Papermill left it
    :raises PublishFailed: as :func:`publish_customer`
    """
    if OVERVIEW not in executed:
        raise PublishFailed(f"{client}: no executed notebook for the operator; run the month's notebooks first")
    site = read_site(QUARTO)
    words = Words(locale)
    folder = _folder(settings, client, OPERATOR)
    months = {BillingMonth.parse(path.stem) for path in folder.glob("*.html") if _MONTH.fullmatch(path.stem)} | {month}
    newest = sorted(months)[-6:]
    links = (
        Link(text=words("operator"), href="index.html"),
        *(Link(text=words.short_month(shown), href=f"{shown}.html") for shown in reversed(newest)),
    )
    pages = [Page(executed=executed[OVERVIEW], where=str(month))]
    if month == max(months):
        pages.append(Page(executed=executed[OVERVIEW], where="index"))
    return _publish(settings, site, links, pages, client, OPERATOR, month, renderer, locale)


def publish_each(
    jobs: Iterable[tuple[str, Callable[[], Published]]],
) -> tuple[tuple[Published, ...], tuple[Failed, ...]]:
    """Publish many sites; one that fails does not stop the others.

    :param jobs: (whom it is about, what publishes it)
    :returns: the sites in their places, and those that failed with the reason, in the order given
    """
    done: list[Published] = []
    failed: list[Failed] = []
    for subject, job in jobs:
        try:
            done.append(job())
        except Exception as problem:  # whatever a renderer does, the other customers' sites are made
            failed.append(Failed(subject=subject, message=f"{type(problem).__name__}: {problem}"))
    return tuple(done), tuple(failed)


def _folder(settings: Settings, client: str, customer: str) -> Path:
    for name in (client, customer):
        if name != OPERATOR and not _NAME.fullmatch(name):
            raise PublishFailed(
                f"{name!r} cannot name a folder: expected letters, digits, dots, dashes and underscores"
            )
    return settings.sites / client / customer


def _publish(
    settings: Settings,
    site: Site,
    links: tuple[Link, ...],
    pages: list[Page],
    client: str,
    customer: str,
    month: BillingMonth,
    renderer: Renderer,
    locale: str,
) -> Published:
    target = _folder(settings, client, customer)
    try:
        for page in pages:
            embedded.check_executed(page.executed)
        texts: dict[str, str] = {}
        with staged(target) as stage:
            if renderer == "quarto":
                files = _with_quarto(stage, site, links, pages, settings.notebook_timeout, locale)
            else:
                files = _embedded(stage, target.parent / ".assets", site, links, pages, locale, texts)
            files += _lists(stage, pages)
            files += _numbers(stage, pages)
            _unlink_unpublished(stage, target, files, texts)
    except Exception as problem:
        raise PublishFailed(f"{client}/{customer}, {month}, renderer {renderer}: {problem}") from problem
    return Published(
        client=client,
        customer=customer,
        month=month,
        renderer=renderer,
        folder=target,
        paths=tuple(target / file for file in files),
    )


def _embedded(
    stage: Path,
    shared: Path,
    site: Site,
    links: tuple[Link, ...],
    pages: list[Page],
    locale: str,
    texts: dict[str, str],
) -> list[str]:
    """Write pages and PDFs; what a page says is kept in ``texts``."""
    files = []
    quarto.copy_assets(stage / "assets", shared)
    for page in pages:
        here = f"{page.where}.html"
        texts[here] = embedded.page(page.executed, site=site, links=links, here=here, locale=locale)
        _write(stage / here, texts[here])
        files.append(here)
        if page.where != "index" and _wants_pdf(page.executed):
            embedded.document(page.executed, stage / f"{page.where}.pdf")
            files.append(f"{page.where}.pdf")
    return files


def _with_quarto(
    stage: Path, site: Site, links: tuple[Link, ...], pages: list[Page], timeout: float, locale: str
) -> list[str]:
    project = stage.with_name(f"{stage.name}{PROJECT}")
    try:
        quarto.build_project(project, site=site, links=links, pages=pages, language=Words(locale).language)
        # Each page may take what a notebook may take; a machine that renders many at once is slow.
        made = quarto.render(project, timeout=timeout * len(pages))
        for file in sorted(made.rglob("*")):
            place = stage / file.relative_to(made)
            if file.is_file():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.unlink(missing_ok=True)
                shutil.copyfile(file, place)
        return quarto.expected_files(project)
    finally:
        shutil.rmtree(project, ignore_errors=True)


def _wants_pdf(executed: Path) -> bool:
    formats = front_matter(executed).get("format", {})
    return isinstance(formats, dict) and "typst" in formats


def _lists(stage: Path, pages: list[Page]) -> list[str]:
    """Write the lists that notebooks show beside their pages. A spreadsheet program knows by the mark at the beginning that it is UTF-8."""
    files = []
    for page in pages:
        for cell in read_notebook(page.executed).cells:
            for output in cell.get("outputs", ()):
                if page.where != "index" and CSV in output.get("data", {}):
                    files.append(f"{page.where}.csv")
                    _write(stage / files[-1], "\ufeff" + output.data[CSV])
    return files


def _numbers(stage: Path, pages: list[Page]) -> list[str]:
    """Write beside each invoice which one it is, as the notebook shows it."""
    files = []
    for page in pages:
        invoice = invoice_of(page.executed)
        if page.where != "index" and invoice is not None:
            files.append((Path(page.where).parent / INVOICE).as_posix())
            _write(stage / files[-1], json.dumps(invoice, ensure_ascii=False))
    return files


def _unlink_unpublished(stage: Path, target: Path, files: list[str], texts: Mapping[str, str]) -> None:
    """Turn links to pages that are not published into plain text: no page promises what is not there.

    :param texts: what is in files, where it is at hand
    """
    for file in files:
        page = stage / file
        if page.suffix == ".html":
            text = texts[file] if file in texts else page.read_text(encoding="utf-8")
            made = _linked(text, partial(_kept, os.path.dirname(file), str(stage), str(target)))
            if _LIST in made:
                made = _ROWS.sub(partial(_told, target.parent), made)
            if made != text:
                _write(page, made)


def _linked(text: str, kept: Callable[[re.Match[str]], str]) -> str:
    """``_LINK.sub(kept, text)``, but looking only where a link begins: drawings are long, and hold none."""
    parts, end, at = [], 0, text.find(_BEGIN)
    while at >= 0:
        if (found := _LINK.match(text, at)) is None:
            at = text.find(_BEGIN, at + 1)
            continue
        parts += [text[end:at], kept(found)]
        end = found.end()
        at = text.find(_BEGIN, end)
    return "".join([*parts, text[end:]])


def _told(sites: Path, match: re.Match[str]) -> str:
    """Tell the script of a long list whose customers have no site: it makes the links."""
    content = json.loads(match["rows"])
    there = {page.parent.name for page in sites.glob("*/index.html")}
    content["without"] = [row[0] for row in content["rows"] if row[0] not in there]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f"{match['tag']}{text}</script>"


def _kept(folder: str, stage: str, target: str, match: re.Match[str]) -> str:
    # Links inside the site are looked up in the stage, those to a neighbour's site where that one lies.
    inside = os.path.normpath(os.path.join(folder, match["href"]))
    there = os.path.normpath(os.path.join(target if inside.startswith(os.pardir) else stage, inside))
    return match[0] if os.path.isfile(there) else f'<span class="unpublished">{match["text"]}</span>'


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")
