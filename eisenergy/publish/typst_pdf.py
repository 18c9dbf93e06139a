"""The embedded renderer of PDFs: the Typst wheel on the templates and documents that Quarto uses too.

The templates lie in ``reports/typst`` and the typefaces in ``reports/fonts`` at the project's root (the library is installed
from there); another place is given as ``reports``. No network, no system typefaces, no clock: the same input gives the same
bytes. The documents are PDF/A-2a (archive) and PDF/UA-1 (accessible).
"""

from __future__ import annotations

import os
import re
import tempfile
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import typst

from eisenergy.publish.document import typst_json
from eisenergy.publish.folders import REPORTS
from eisenergy.publish.notebook_typst import Meta, body_of, raw_text

Template = Literal["invoice", "dashboard"]

STANDARDS: Final = ("a-2a", "ua-1")

_PRINTED: Final = re.compile(r'#(?:invoice|kpi-row)\(json\(bytes\((?=")')
"""What opens a call with data as :func:`~eisenergy.publish.document.typst_json` writes them."""


class PdfFailed(RuntimeError):
    """A document that Typst refused. Says which one, and what Typst said."""


def render(document: dict[str, Any], template: Template, out: Path, *, reports: Path | None = None) -> Path:
    """Render a document of :func:`eisenergy.publish.document.invoice_document` as a PDF.

    :param template: ``invoice``: the document as it is; ``dashboard``: ``{"meta", "theme", "tiles"}``, a row of figures
    :param out: the file; it appears whole or not at all
    :param reports: folder with ``typst/`` and ``fonts/``; by default the project's ``reports``
    :returns: ``out``
    :raises PdfFailed: when Typst refuses the document
    """
    function = {"invoice": "invoice", "dashboard": "kpi-row"}[template]
    body = f"#{function}({typst_json(document)})"
    return _write(Meta.of(document), body, out, reports)


def render_notebook(executed: Path, out: Path, *, reports: Path | None = None) -> Path:
    """Render an executed notebook as a PDF, from the outputs that Quarto would take.

    Raw Typst blocks of ``text/markdown`` outputs stand as they are, ``image/svg+xml`` outputs are drawn (two to a row where
    they are narrow), headings and paragraphs of Markdown cells become text. Code is not printed.

    :param executed: the notebook as papermill left it
    :param out: the file; it appears whole or not at all
    :param reports: folder with ``typst/`` and ``fonts/``; by default the project's ``reports``
    :raises PdfFailed: when the notebook holds nothing to print, or Typst refuses it
    """
    meta, body = body_of(executed)
    if not body.strip():
        raise PdfFailed(
            f"{executed}: no output of the notebook can be printed; expected text/markdown with a Typst block, "
            "image/svg+xml, or Markdown cells. Run the notebook first."
        )
    return _write(meta, body, out, reports)


def source(meta: Meta, body: str) -> str:
    """Return the Typst source of a whole document: the template's page around a body."""
    day = meta.date
    return "\n".join(
        [
            '#import "/typst-template.typ": article, charts, invoice, kpi-row',
            f"#let meta = {typst_json(meta.to_dict())}",
            "#show: article.with(",
            "  title: meta.title, author: meta.author, keywords: meta.keywords, lang: meta.lang, region: meta.region,",
            f"  date: datetime(year: {day.year}, month: {day.month}, day: {day.day}),",
            ")",
            _unescaped(body),
            "",
        ]
    )


def _unescaped(body: str) -> str:
    """Return a body whose calls have their data as raw text: Typst puts a string with escapes together sign by sign."""
    parts: list[str] = []
    done = 0
    for found in _PRINTED.finditer(body):
        start = found.end()
        end = body.find('")))', start + 1)
        while end > 0 and body[end - 1] == "\\":  # a quote within the data
            end = body.find('")))', end + 1)
        plain = body[start + 1 : end].replace("\\\\", "\0").replace('\\"', '"')
        if end > 0 and "\\" not in plain:
            parts += [body[done:start], raw_text(plain.replace("\0", "\\"))]
            done = end + 1
    return "".join([*parts, body[done:]])


def _write(meta: Meta, body: str, out: Path, reports: Path | None) -> Path:
    folder = reports or REPORTS
    for needed in (folder / "typst", folder / "fonts"):
        if not needed.is_dir():
            raise PdfFailed(f"{needed}: expected the folder of the project's templates; restore it or give its place")
    try:
        pdf = _compiled(source(meta, body).encode(), folder, meta.date)
    except typst.TypstError as error:
        raise PdfFailed(f"{out.name}: Typst refused {meta.title!r}: {error}") from error
    _replace(out, pdf)
    return out


def _compiled(text: bytes, folder: Path, day: date) -> bytes:
    compiler = _compiler(str(folder), os.getpid())
    made: dict[str, Any] = {"format": "pdf", "timestamp": datetime(day.year, day.month, day.day, tzinfo=UTC)}
    try:
        return _bytes(compiler.compile(text, **made, pdf_standards=list(STANDARDS)))
    except typst.TypstError as error:
        if "PDF/" not in str(error):
            raise
    # The archive standard refuses a name with a sign that no typeface of ours has; the customer still gets the document.
    return _bytes(compiler.compile(text, **made, pdf_standards=[]))


@lru_cache(maxsize=2)
def _compiler(folder: str, _process: int) -> typst.Compiler:
    """A compiler that has read the typefaces, kept for this process: it must not be forked."""
    return typst.Compiler(root=f"{folder}/typst", font_paths=[f"{folder}/fonts"], ignore_system_fonts=True)


def _bytes(made: object) -> bytes:
    assert isinstance(made, bytes)  # what the wheel returns when no file is named
    return made


def _replace(out: Path, content: bytes) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(name, 0o644)
        os.replace(name, out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
