"""A page per customer whose documents could not be made: which cell, why, and how to run it alone.

It lies beside the executed notebooks, ``runs/CLIENT/MONTH/CUSTOMER/failure.html``: for the operator, never in a site. The next
run that succeeds takes it away.
"""

from __future__ import annotations

import html
import os
import shlex
from pathlib import Path
from typing import Final

from eisenergy.config import Settings
from eisenergy.run.notebook import Failure

NAME: Final = "failure.html"
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "pre{background:#f3f5f7;padding:1rem;overflow-x:auto;white-space:pre-wrap}h1{font-size:1.4rem}"
)


def write(settings: Settings, folder: Path, subject: str, month: str, failure: Failure) -> Path:
    """Write the page of a failure and return where it lies.

    :param folder: the customer's folder of executed notebooks
    :param subject: whose documents they are
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / NAME
    partial = page.with_suffix(".part")
    partial.write_text(text(settings, subject, month, failure), encoding="utf-8")
    os.replace(partial, page)
    return page


def clear(folder: Path) -> None:
    """Take away the page of an earlier failure."""
    (folder / NAME).unlink(missing_ok=True)


def told(page: Path) -> str:
    """Return what a failure's page tells, as HTML without its head: for another page to hold.

    Everything that is not of this module is escaped in it. :raises OSError: when it cannot be read
    """
    text = page.read_text(encoding="utf-8")
    return text.partition("<body>")[2].partition("</body>")[0].partition("</h1>")[2].strip()


def text(settings: Settings, subject: str, month: str, failure: Failure) -> str:
    """Return the page: one file, no script, nothing from a network."""
    where = "no notebook: what comes after them" if failure.notebook is None else failure.notebook
    cell = "" if failure.cell is None else f", cell {failure.cell}"
    title = f"{subject}, {month}: not published"
    parts = [f"<h1>{html.escape(title)}</h1>", _heading("Where"), f"<p>{html.escape(where + cell)}</p>"]
    if failure.source:
        parts.append(_block(failure.source))
    parts += [_heading("Why"), f"<p>{html.escape(failure.why)}</p>"]
    if failure.details:
        parts.append(_block(failure.details))
    if failure.alone:
        parts += [_heading("Run it alone"), _block(f"{_settings(settings)}\n{failure.alone}")]
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _settings(settings: Settings) -> str:
    """The lines that give a shell the run's settings; the database's address is a secret and stays out."""
    names = ("EISENERGY_HOME", "EISENERGY_PARAMS", "EISENERGY_LAKE")
    given = settings.environment()
    lines = [f"cd {shlex.quote(str(settings.root))}", *(f"export {name}={shlex.quote(given[name])}" for name in names)]
    if settings.database_url:
        lines.append("# and EISENERGY_DATABASE_URL as the run had it")
    return "\n".join(lines)


def _heading(words: str) -> str:
    return f"<h2>{words}</h2>"


def _block(words: str) -> str:
    return f"<pre>{html.escape(words)}</pre>"
