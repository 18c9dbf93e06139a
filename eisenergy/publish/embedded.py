"""The embedded renderer: an executed notebook becomes a page of the house through nbconvert. No Pandoc, no network."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from eisenergy.publish import typst_pdf
from eisenergy.publish.captions import Words
from eisenergy.publish.folders import TEMPLATES
from eisenergy.publish.navigation import Link, Site, front_matter, read_notebook

_BEFORE_HTML: Final = frozenset({"application/vnd.jupyter.widget-view+json", "application/javascript"})
"""What nbconvert prefers to HTML."""

_BLANK: Final = re.compile(r"\n\s*\n+")
_STYLE: Final = re.compile(r"<style>.*?</style>", re.DOTALL)


class NotRendered(RuntimeError):
    """A notebook that cannot be published. Says which one, why, and what to do."""


def page(executed: Path, *, site: Site, links: Iterable[Link], here: str, locale: str = "es-SV") -> str:
    """Return an executed notebook as a whole HTML page.

    A notebook that shows nothing but HTML, as ours do, is put between the template's head and foot; any other goes through
    nbconvert, with the same template.

    :param links: the navigation, from the site's root
    :param here: where the page will lie, from the site's root, for example ``2021-09/dashboard.html``
    :raises NotRendered: when the notebook was not executed, or a cell of it failed
    """
    notebook = check_executed(executed)
    words = Words(locale)
    frame = {
        "title": front_matter(executed)["title"],
        "site": site.title,
        "language": words.language,
        "root": "../" * here.count("/"),
        "navigation": [{"text": link.text, "href": link.href, "current": link.href == here} for link in links],
        "skip": words("skip"),
        "menu": words("menu"),
        "footer": site.footer,
    }
    shown = _html_only(notebook)
    made = exported(notebook, frame) if shown is None else _framed(shown, frame)
    # The invoice brings its style for readers who see it alone; a page loads it as a file, so that a page's policy may
    # forbid inline styles.
    return _BLANK.sub("\n", _STYLE.sub("", made) if "<style>" in made else made)


def exported(notebook: Any, frame: Mapping[str, Any]) -> str:
    """Return the page that nbconvert makes of a notebook.

    :param frame: what the template's head and foot say
    """
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    exporter_class: Any = HTMLExporter
    with warnings.catch_warnings():
        # nbconvert warns about drawings without a caption; ours carry theirs inside.
        warnings.simplefilter("ignore")
        exporter: Any = exporter_class(
            config=Config(),
            template_name="page",
            extra_template_basedirs=[str(TEMPLATES)],
            exclude_input=True,
        )
        html, _ = exporter.from_notebook_node(notebook, resources={"page": dict(frame)})
    return str(html)


def _html_only(notebook: Any) -> list[str] | None:
    """What a notebook shows, where all of it is HTML that nbconvert would leave as it is; else ``None``."""
    shown: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type not in ("code", "raw"):
            return None
        for output in cell.get("outputs", ()):
            if output.output_type not in ("execute_result", "display_data"):
                continue  # the template shows neither streams nor errors
            html = output.data.get("text/html", "")
            if not html or "<img" in html or _BEFORE_HTML & set(output.data):
                return None
            shown.append(html)
    return shown


def _framed(shown: Iterable[str], frame: Mapping[str, Any]) -> str:
    head, foot = _frames()
    return "\n".join([head.render(resources={"page": frame}), *shown, foot.render(resources={"page": frame})]) + "\n"


def warm() -> None:
    """Read the template's head and foot."""
    _frames()


@lru_cache(maxsize=1)
def _frames() -> tuple[Any, Any]:
    """The template's head and foot, compiled once per process."""
    from jinja2 import Environment, FileSystemLoader

    # As nbconvert sets it: every place in the template says itself what it escapes.
    environment = Environment(loader=FileSystemLoader(TEMPLATES / "page"), autoescape=False)
    return environment.get_template("head.html.j2"), environment.get_template("foot.html.j2")


def document(executed: Path, out: Path) -> Path:
    """Print an executed notebook as a PDF. :raises typst_pdf.PdfFailed: when Typst refuses it."""
    return typst_pdf.render_notebook(executed, out)


def check_executed(executed: Path) -> Any:
    """Return an executed notebook.

    :raises NotRendered: when a cell of it failed, or when none of its cells was run
    :raises BadSite: when it cannot be read
    """
    notebook = read_notebook(executed)
    shown = 0
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                raise NotRendered(
                    f"{executed}: cell {number} ended with {output.ename}: {output.evalue}. "
                    "Mend what it says and run the notebook again."
                )
            shown += output.output_type in ("display_data", "execute_result")
    if not shown:
        raise NotRendered(f"{executed}: no cell shows anything: run the notebook before it is published")
    return notebook
