"""The Quarto renderer: a project of its own per site, rendered in one go from executed notebooks."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from eisenergy.publish import invoice_html
from eisenergy.publish.folders import ASSETS, FONTS, REPORTS
from eisenergy.publish.navigation import Link, Site, front_matter
from eisenergy.publish.place import link

PROGRAM: Final = "quarto"
OUTPUT: Final = "_site"
TAIL: Final = 4000
"""Characters of Quarto's own words that an error repeats."""


class QuartoFailed(RuntimeError):
    """Quarto did not render a project. Says what Quarto said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page to render.

    :param executed: the executed notebook
    :param where: the page from the site's root without its ending, for example ``2021-09/invoice``
    """

    executed: Path
    where: str


def program() -> str | None:
    """Return the path of Quarto, ``None`` when it is not on the PATH."""
    return shutil.which(PROGRAM)


def build_project(folder: Path, *, site: Site, links: Iterable[Link], pages: Sequence[Page], language: str) -> Path:
    """Write a Quarto project: the site's description adapted, the executed notebooks, templates, fonts and assets.

    :param folder: created; must not exist
    :param links: the navigation, from the site's root
    :returns: ``folder``
    """
    folder.mkdir(parents=True)
    for page in pages:
        target = folder / f"{page.where}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        text = page.executed.read_text(encoding="utf-8")
        # Partials are named relative to the notebook: a page at the site's root lies one folder higher than in notebooks/.
        target.write_text(text if "/" in page.where else text.replace("- ../reports/", "- reports/"), encoding="utf-8")
    for name in ("typst", "quarto"):
        shutil.copytree(REPORTS / name, folder / "reports" / name)
    shutil.copytree(FONTS, folder / "reports" / "fonts")
    shutil.copy2(REPORTS / "house.scss", folder / "reports" / "house.scss")
    copy_assets(folder / "assets")
    description = adapt(site.data, links=links, pages=[page.where for page in pages], language=language)
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(description, stream)
    (folder / "_quarto.yml").write_text(stream.getvalue(), encoding="utf-8")
    return folder


def adapt(data: Mapping[str, Any], *, links: Iterable[Link], pages: Sequence[str], language: str) -> dict[str, Any]:
    """Return the project's ``_quarto.yml`` for one site: its pages, its navigation, its assets.

    :param pages: from the site's root, without ending
    """
    adapted: dict[str, Any] = deepcopy(dict(data))
    adapted["project"] = {
        **adapted["project"],
        "output-dir": OUTPUT,
        "render": [f"{where}.ipynb" for where in pages],
        "resources": ["assets/**"],
    }
    adapted["lang"] = language
    adapted["website"]["navbar"].pop("logo-href", None)  # a customer's site has an index.html
    # A page that is rendered now is named by its notebook, one of an earlier month by its address.
    adapted["website"]["navbar"]["left"] = [
        {
            "text": link.text,
            "href": link.href.removesuffix(".html") + ".ipynb"
            if link.href.removesuffix(".html") in pages
            else f"/{link.href}",
        }
        for link in links
    ]
    header = adapted["format"]["html"]["include-in-header"]
    adapted["format"]["html"]["include-in-header"] = [
        {"text": item["text"].replace("/reports/assets/", "/assets/page/")} for item in header
    ]
    return adapted


def copy_assets(target: Path, shared: Path | None = None) -> None:
    """Copy what pages load: style, scripts and typefaces. Each file is replaced, never changed in place.

    :param shared: a folder on the same file system where one copy is kept, of which sites then hold further names
    """
    for folder in ("page", "fonts"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    if shared is None:
        for source, name in _assets():
            (target / name).unlink(missing_ok=True)
            shutil.copyfile(source, target / name)
        invoice = target / "page" / "invoice.css"
        invoice.unlink(missing_ok=True)
        invoice.write_text(invoice_html.style(), encoding="utf-8")
        return
    kept = _kept_assets(shared)
    for file in (*(name for _, name in _assets()), "page/invoice.css"):
        one, place = f"{kept}/{file}", f"{target}/{file}"
        try:
            os.link(one, place)  # nearly always: a new site
        except OSError:
            if not (os.path.isfile(place) and os.path.samefile(place, one)):
                Path(place).unlink(missing_ok=True)
                link(one, place)


@lru_cache(maxsize=1)
def _assets() -> tuple[tuple[Path, str], ...]:
    """What pages load, and under which name."""
    return tuple(
        (file, f"{name}/{file.name}")
        for source, name in ((ASSETS, "page"), (FONTS, "fonts"))
        for file in sorted(source.iterdir())
        if file.suffix in (".css", ".js", ".otf", ".txt", ".md")
    )


def _kept_assets(shared: Path) -> Path:
    """The one copy of these assets; other versions of them have folders of their own."""
    digest = hashlib.sha256(invoice_html.style().encode())
    for file, name in _assets():
        found = file.stat()
        digest.update(f"{name} {found.st_size} {found.st_mtime_ns}\0".encode())
    folder = shared / digest.hexdigest()[:16]
    if not folder.is_dir():
        shared.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=shared))
        copy_assets(made)
        made.chmod(0o755)
        try:
            made.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(made)
    return folder


def render(project: Path, *, timeout: float) -> Path:
    """Render a project.

    :param timeout: seconds it may take
    :returns: the folder with the site
    :raises QuartoFailed: when Quarto is missing, takes too long, refuses a page, or leaves one out
    """
    found = program()
    if found is None:
        raise QuartoFailed(
            "quarto is not on the PATH: install it, or set EISENERGY_RENDERER=embedded to publish without it"
        )
    try:
        done = subprocess.run(
            [found, "render", str(project), "--no-execute"],
            cwd=project,
            # The project's post-render step runs under the Python that runs this program.
            env={**os.environ, "QUARTO_PYTHON": sys.executable},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        said = late.stderr.decode(errors="replace") if isinstance(late.stderr, bytes) else late.stderr or ""
        raise QuartoFailed(f"quarto took longer than {timeout:g} seconds. Its last words: {said[-TAIL:]}") from late
    if done.returncode:
        raise QuartoFailed(f"quarto ended with code {done.returncode}: {(done.stderr or done.stdout)[-TAIL:].strip()}")
    site = project / OUTPUT
    left_out = [file for file in expected_files(project) if not (site / file).is_file()]
    if left_out:
        raise QuartoFailed(f"quarto left out {', '.join(left_out)}; it said: {done.stderr[-TAIL:].strip()}")
    return site


def expected_files(project: Path) -> list[str]:
    """Return the files a project's pages become: a page each, and a PDF where the front matter asks for Typst."""
    description = YAML(typ="safe", pure=True).load((project / "_quarto.yml").read_text(encoding="utf-8"))
    files = []
    for notebook in description["project"]["render"]:
        where = str(notebook).removesuffix(".ipynb")
        files.append(f"{where}.html")
        formats = front_matter(project / str(notebook)).get("format", {})
        if isinstance(formats, dict) and "typst" in formats:
            files.append(f"{where}.pdf")
    return files
