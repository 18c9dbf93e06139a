"""The usual way to documents, one customer after the other: stock Papermill with a kernel per notebook, the ``nbconvert`` command per page,
``typst.compile`` per PDF, charts by vl-convert."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks import alone

_SPEC: Final = re.compile(r'<script type="application/json" class="vega-lite">(.*?)</script>', re.DOTALL)
_BY_VEGA: Final = 'class="marks"'
"""Stands in every drawing of Vega's."""


def documents(
    clock: alone.Clock,
    *,
    home: str,
    customers: Sequence[str],
    notebooks: Sequence[str],
    pdfs: Sequence[str],
    month: str,
) -> dict[str, Any]:
    """Make some customers' notebooks, pages and PDFs.

    :param notebooks: stems of what each customer gets
    :param pdfs: stems of those that are printed, too
    :returns: what the notebooks showed, ``CUSTOMER/STEM`` -> texts
    """
    import papermill

    from benchmarks import portfolio
    from eisenergy.accounts import Scope
    from eisenergy.desk.workspace import opened

    settings = portfolio.settings_of(Path(home))
    out = Path(home) / "stock"
    out.mkdir()
    shown: dict[str, list[str]] = {}
    drawn = 0
    with opened(settings) as workspace:
        clock.server = alone.server_of(workspace, Scope.operator(portfolio.CLIENT))
        os.environ.update(workspace.environment())
        executed: dict[tuple[str, str], Path] = {}
        with clock.phase("papermill"):
            for customer in customers:
                for stem in notebooks:
                    path = out / f"{customer}-{stem}.ipynb"
                    papermill.execute_notebook(
                        str(settings.root / "notebooks" / f"{stem}.ipynb"),
                        str(path),
                        parameters={"client": portfolio.CLIENT, "month": month, "customer": customer},
                        kernel_name="python3",
                        progress_bar=False,
                    )
                    executed[customer, stem] = path
        with clock.phase("nbconvert"):
            for path in executed.values():
                command = [
                    sys.executable,
                    "-m",
                    "nbconvert",
                    "--to",
                    "html",
                    "--no-input",
                    "--log-level=ERROR",
                    str(path),
                ]
                subprocess.run(command, check=True)
        with clock.phase("vl-convert"):
            for path in executed.values():
                drawn += _draw(path)
        with clock.phase("typst"):
            for (_, stem), path in executed.items():
                if stem in pdfs:
                    _print(path, settings.root / "reports")
    for (customer, stem), path in executed.items():
        shown[f"{customer}/{stem}"] = texts(path)
    return {
        "shown": shown,
        "drawn": drawn,
        "pages": len(list(out.glob("*.html"))),
        "pdfs": len(list(out.glob("*.pdf"))),
    }


def texts(executed: Path) -> list[str]:
    """What a notebook shows, as plain text, cell by cell."""
    found = []
    for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            text = output.get("data", {}).get("text/plain", output.get("text", ""))
            found.append(text if isinstance(text, str) else "".join(text))
    return found


def _outputs(executed: Path, kind: str) -> list[str]:
    found = []
    for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            text = output.get("data", {}).get(kind)
            if text is not None:
                found.append(text if isinstance(text, str) else "".join(text))
    return found


def _draw(executed: Path) -> int:
    """Draw a notebook's charts, where the notebook has not drawn them with vl-convert itself."""
    import vl_convert

    if any(_BY_VEGA in drawing for drawing in _outputs(executed, "image/svg+xml")):
        return 0
    specs = [spec for page in _outputs(executed, "text/html") for spec in _SPEC.findall(page)]
    for spec in specs:
        vl_convert.vegalite_to_svg(json.dumps({"width": 520, **json.loads(spec)}))
    return len(specs)


def _print(executed: Path, reports: Path) -> None:
    """Print a notebook with a call of the compiler of its own."""
    import typst

    from eisenergy.publish import notebook_typst, typst_pdf

    meta, body = notebook_typst.body_of(executed)
    pdf = typst.compile(
        typst_pdf.source(meta, body).encode(),
        root=str(reports / "typst"),
        font_paths=[str(reports / "fonts")],
        ignore_system_fonts=True,
        format="pdf",
        timestamp=datetime(meta.date.year, meta.date.month, meta.date.day, tzinfo=UTC),
        pdf_standards=list(typst_pdf.STANDARDS),
    )
    executed.with_suffix(".pdf").write_bytes(pdf)
