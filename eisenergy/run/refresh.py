"""Execute the notebooks in their place, with the parameters that stand in them: what is committed is what they show.

``python -m eisenergy.run.refresh`` in a workspace after ``eisenergy demo`` (``make notebooks``). Nothing of the machine and of the
moment is kept, so that running it again changes nothing.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from eisenergy.config import Settings
from eisenergy.run.engine import KERNEL
from eisenergy.run.notebook import kernel_config, manager_class


def refresh(notebook: Path, *, timeout: int) -> None:
    """Execute one notebook and write it back with its outputs.

    :param timeout: seconds for each cell
    :raises nbclient.exceptions.CellExecutionError: when a cell fails; the file stays as it was
    """
    import nbformat
    from nbclient import NotebookClient

    book: Any = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory(prefix="eisenergy-kernel-") as folder:
        client = NotebookClient(
            book,
            timeout=timeout,
            kernel_name=KERNEL,
            kernel_manager_class=manager_class(),
            config=kernel_config(Path(folder)),
            record_timing=False,
        )
        client.execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    book.metadata.pop("papermill", None)
    book.metadata["language_info"] = {"name": "python"}
    nbformat.write(book, notebook)  # type: ignore[no-untyped-call]


def main() -> int:
    """Refresh every notebook of the project."""
    settings = Settings.load()
    for notebook in sorted((settings.root / "notebooks").glob("*.ipynb")):
        refresh(notebook, timeout=settings.notebook_timeout)
        sys.stdout.write(f"{notebook.name}: {notebook.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
