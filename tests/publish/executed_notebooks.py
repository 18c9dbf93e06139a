"""Executed notebooks without a kernel: the committed cells run here, with desks built by hand in place of the store's."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat

from eisenergy import desk

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def execute(name: str, shown: Any, out: Path) -> Path:
    """Run every cell of a committed notebook with ``shown`` as the desk it opens, and write what it displays."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    space: dict[str, Any] = {}
    with (
        mock.patch.object(desk, "open_customer", return_value=shown),
        mock.patch.object(desk, "open_client", return_value=shown),
    ):
        for number, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
            tree = ast.parse(cell.source)
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, name, "exec"), space)
            cell.execution_count = number + 1
            cell.outputs = []
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), name, "eval"), space)
                if hasattr(value, "_repr_mimebundle_"):
                    cell.outputs = [
                        nbformat.v4.new_output(
                            "execute_result", data=value._repr_mimebundle_(), execution_count=number + 1
                        )
                    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, out)
    return out
