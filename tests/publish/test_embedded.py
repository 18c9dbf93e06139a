"""A page that is put together directly is the page nbconvert makes of the same notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup

from eisenergy.publish import embedded
from eisenergy.publish.folders import QUARTO
from eisenergy.publish.navigation import Link, read_site

LINKS = (Link(text="Inicio & más", href="index.html"), Link(text="Consumo", href="2021-09/dashboard.html"))


def page(executed: Path, locale: str = "es-SV") -> str:
    return embedded.page(executed, site=read_site(QUARTO), links=LINKS, here="2021-09/dashboard.html", locale=locale)


def as_nbconvert_writes(html: str) -> list[str]:
    """It reads and writes every page with BeautifulSoup, which quotes attributes and lets unneeded entities go."""
    return [line for line in str(BeautifulSoup(html, "html.parser")).splitlines() if line.strip()]


@pytest.mark.parametrize("name", ["home", "dashboard", "invoice", "operator"])
@pytest.mark.parametrize("locale", ["es-SV", "en-US"])
def test_it_is_the_page_of_nbconvert(
    executed: dict[str, Path], monkeypatch: pytest.MonkeyPatch, name: str, locale: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(embedded, "exported", None)  # not called
        direct = page(executed[name], locale)
    monkeypatch.setattr(embedded, "_html_only", lambda _: None)
    converted = page(executed[name], locale)
    assert as_nbconvert_writes(direct) == as_nbconvert_writes(converted)
    assert "<h1>" in direct
    assert "m\N{LATIN SMALL LETTER A WITH ACUTE}s" in direct


def _with_cell(path: Path, out: Path, cell: Any) -> Path:
    book = nbformat.read(path, as_version=4)
    book.cells.append(cell)
    nbformat.write(book, out)
    return out


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (nbformat.v4.new_markdown_cell("Some **words** of an analyst"), "<strong>words</strong>"),
        (
            nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("display_data", {"text/plain": "a < b"})]),
            "a &lt; b",
        ),
        (
            nbformat.v4.new_code_cell(
                "x", outputs=[nbformat.v4.new_output("display_data", {"text/html": "<img src=x>"})]
            ),
            'alt="No description has been provided for this image"',
        ),
    ],
)
def test_what_is_not_html_alone_goes_through_nbconvert(
    executed: dict[str, Path], tmp_path: Path, cell: Any, shown: str
) -> None:
    assert shown in page(_with_cell(executed["invoice"], tmp_path / "invoice.ipynb", cell))


def test_what_is_printed_stands_in_no_page(executed: dict[str, Path], tmp_path: Path) -> None:
    printed = nbformat.v4.new_code_cell("print('secret')", outputs=[nbformat.v4.new_output("stream", text="secret")])
    assert page(_with_cell(executed["invoice"], tmp_path / "a.ipynb", printed)) == page(executed["invoice"])
