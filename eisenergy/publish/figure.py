"""A figure: one chart that every reader can show.

In a page it is a static drawing with its data in a table; a script of the page turns it into an interactive chart from the
Vega-Lite specification that lies beside it. No inline script, no network.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from eisenergy.publish import theme
from eisenergy.publish.drawing import Drawing
from eisenergy.publish.folders import FONTS

STATIC_WIDTH: Final = {6: 520, 12: 860}
"""Span -> width of the static drawing in CSS pixels. It scales with its card, so its letters stay near their size."""

_TITLE_HEIGHT: Final = 46


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """A small table: what a chart shows, for those who read figures rather than pictures.

    :param columns: headings
    :param rows: cells, written as people read them; one tuple per row
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def html(self, *, numeric_from: int = 1) -> str:
        """Return the table; columns from ``numeric_from`` are set flush right."""
        escaped = iter(_escaped([*self.columns, *(cell for row in self.rows for cell in row)]))
        heading, *body = (
            _row("td" if number else "th", [next(escaped) for _ in row], numeric_from)
            for number, row in enumerate((self.columns, *self.rows))
        )
        return f"<table><thead>{heading}</thead><tbody>{''.join(body)}</tbody></table>"


def _escaped(texts: list[str]) -> list[str]:
    """Escape many short texts for HTML: together, since each alone takes five searches."""
    together = html.escape("\0".join(texts)).split("\0")
    return together if len(together) == len(texts) else [html.escape(text) for text in texts]


def _row(tag: str, texts: list[str], numeric_from: int) -> str:
    left = "".join([f"<{tag}>{text}</{tag}>" for text in texts[:numeric_from]])
    between = f"</{tag}><{tag} class=n>"
    right = f"<{tag} class=n>{between.join(texts[numeric_from:])}</{tag}>" if len(texts) > numeric_from else ""
    return f"<tr>{left}{right}</tr>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One chart with its title, its sentence and its data.

    :param name: stable within a page, for example ``daily-energy``
    :param spec: Vega-Lite, without a width: a page fills its container, a document takes ``STATIC_WIDTH``
    :param summary: a sentence with the key figures
    :param data_label: what opens the table of data
    :param span: columns the figure takes of a page's twelve
    :param drawing: the still picture; ``None``: Vega draws it from the specification, which takes a hundred times as long
    """

    name: str
    title: str
    spec: Mapping[str, Any]
    summary: str
    data: Data
    data_label: str
    span: int = 6
    notes: tuple[str, ...] = field(default=())
    drawing: Drawing | None = None

    def svg(self) -> str:
        """Return the drawing with its title, for documents."""
        title = html.escape(self.title)
        if self.drawing is None:
            drawing = self._drawing()
            width, height = _size(drawing)
        else:
            drawing = self.drawing.body
            width, height = self.drawing.width, self.drawing.height
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height + _TITLE_HEIGHT:g}" '
            f'viewBox="0 0 {width:g} {height + _TITLE_HEIGHT:g}"><title>{title}</title>'
            f'<text x="0" y="24" font-family="{html.escape(theme.CSS_FONT, quote=True)}" font-size="20" '
            f'font-weight="bold" fill="{theme.BRAND}">{title}</text>'
            f'<g transform="translate(0,{_TITLE_HEIGHT})">{drawing}</g></svg>'
        )

    def html(self) -> str:
        """Return the figure for a page: caption, static drawing, specification, table."""
        label = html.escape(f"{self.title}. {self.summary}", quote=True)
        spec = json.dumps(dict(self.spec), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in self.notes)
        return (
            f'<figure class="chart span-{self.span}" id="{self.name}" data-vega="{self.name}">'
            f"<figcaption><strong>{html.escape(self.title)}</strong><br><span>{html.escape(self.summary)}</span></figcaption>"
            f'<div class="drawing" role="img" aria-label="{label}">{self._page_drawing()}</div>'
            f'<script type="application/json" class="vega-lite">{spec}</script>{notes}'
            f'<details><summary>{html.escape(self.data_label)}</summary><div class="scroll">{self.data.html()}</div>'
            "</details></figure>"
        )

    def _drawing(self) -> str:
        return _convert(
            json.dumps({**self.spec, "width": STATIC_WIDTH.get(self.span, STATIC_WIDTH[6])}, sort_keys=True)
        )

    def _page_drawing(self) -> str:
        if self.drawing is not None:
            return self.drawing.svg(' aria-hidden="true" focusable="false"')
        drawing = self._drawing()
        width, height = _size(drawing)
        # Several drawings share a page: their clip paths must not answer to each other's names.
        own = re.sub(r'id="([^"]+)"', rf'id="{self.name}-\1"', drawing)
        own = re.sub(r"url\(#([^)]+)\)", rf"url(#{self.name}-\1)", own)
        return re.sub(
            r"<svg [^>]*>",
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'aria-hidden="true" focusable="false">',
            own,
            count=1,
        )

    def _repr_mimebundle_(
        self, include: Sequence[str] | None = None, exclude: Sequence[str] | None = None
    ) -> dict[str, str]:
        del include, exclude
        return {
            "text/html": self.html(),
            "image/svg+xml": self.svg(),
            "text/plain": f"{self.title}. {self.summary}",
        }


@lru_cache(maxsize=1)
def register_fonts(folder: Path) -> Path:
    """Make the house's typeface known to the drawing program, once per process.

    :param folder: where the font files lie
    :raises FileNotFoundError: when there is no such folder
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected the folder of the house's fonts; restore it from the project")
    import vl_convert

    vl_convert.register_font_directory(str(folder))
    return folder


@lru_cache(maxsize=64)
def _convert(spec: str) -> str:
    """Draw a specification; the page and the document share one drawing."""
    import vl_convert

    register_fonts(FONTS)
    return _renumbered(vl_convert.vegalite_to_svg(spec))


def _renumbered(drawing: str) -> str:
    """Number a drawing's gradients and clip paths from 0: Vega goes on counting from one drawing of a process to the next."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for stem, number in re.findall(r'\bid="([^"]*?)(\d+)"', drawing):
        if stem + number not in names:
            names[stem + number] = f"{stem}{counts.get(stem, 0)}"
            counts[stem] = counts.get(stem, 0) + 1
    drawing = re.sub(r'\bid="([^"]+)"', lambda found: f'id="{names.get(found[1], found[1])}"', drawing)
    return re.sub(r"url\(#([^)]+)\)", lambda found: f"url(#{names.get(found[1], found[1])})", drawing)


def _size(drawing: str) -> tuple[float, float]:
    match = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing)
    if match is None:
        raise ValueError(f"a drawing without a viewBox: {drawing[:120]!r}")
    return float(match[1]), float(match[2])
