"""A notebook executed by both engines, made comparable: what the clock and a process's number decide is left out."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import papermill
from papermill.exceptions import PapermillExecutionError

from eisenergy.run import engine

CLOCK = {"start_time", "end_time", "duration"}


def write(path: Path, *cells: str, parameters: str = 'client = "EIS"\ncustomer = "nobody"') -> Path:
    """Write a notebook of code cells behind a parameters cell."""
    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    first = nbformat.v4.new_code_cell(parameters)
    first.metadata["tags"] = ["parameters"]
    book.cells = [first, *(nbformat.v4.new_code_cell(cell) for cell in cells)]
    nbformat.write(book, path)
    return path


def execute(notebook: Path, name: str | None, **given: str) -> Path:
    """Execute a notebook through Papermill with the engine of that name, ``None``: stock; return what was written."""
    output = notebook.with_suffix(f".{name}.ipynb")
    with suppress(PapermillExecutionError):
        papermill.execute_notebook(
            str(notebook),
            str(output),
            parameters=given,
            engine_name=name,
            kernel_name="python3",
            progress_bar=False,
            request_save_on_cell_execute=False,
        )
    return output


def outputs(path: Path) -> list[Any]:
    """Return the outputs of the code cells after the parameters, which Papermill doubles."""
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return [cell.outputs for cell in code[2:]]


def comparable(path: Path) -> Any:
    """Return an executed notebook as JSON types, with times replaced by their type.

    A kernel sends what is printed in as many pieces as its timer makes of it, so pieces that follow each other are joined.
    """
    book = nbformat.read(path, as_version=4)
    timeless(book.metadata["papermill"])
    book.metadata["papermill"].pop("output_path")
    # What Papermill adds when a cell failed has random identifiers, as the injected cell has in stock Papermill.
    book.cells = [cell for cell in book.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", ())]
    engine.fix_injected_id(book)
    for cell in book.cells:
        timeless(cell.metadata.get("papermill", {}))
        timed = cell.metadata.get("execution", {})
        for name in timed:
            timed[name] = "time"
        if cell.cell_type == "code":
            cell["outputs"] = joined(cell.outputs)
    return book


def timeless(metadata: dict[str, Any]) -> None:
    for name in CLOCK & set(metadata):
        metadata[name] = type(metadata[name]).__name__


def joined(outputs: list[Any]) -> list[Any]:
    result: list[Any] = []
    for output in outputs:
        if output.output_type == "stream":
            output["text"] = re.sub(r"/ipykernel_\d+/", "/ipykernel_N/", output.text)
            if result and result[-1].get("name") == output.name:
                result[-1]["text"] += output.text
                continue
        result.append(output)
    return result


if __name__ == "__main__":
    engine.register()
    for notebook in sys.argv[2:]:
        execute(Path(notebook), sys.argv[1], client="EIS", customer="x")
