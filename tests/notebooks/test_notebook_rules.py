"""Rules of the notebooks: they show what the library computed; they compute nothing themselves."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
DEFAULTS = {"client": "EIS", "customer": "EIS-0001", "month": "2021-09"}
PARAMETERS = {
    "operator": {name: DEFAULTS[name] for name in ("client", "month")},
    "excel_check": {
        "workbook": "data/samples/Ejemplo de procesamiento de descargas de medidores.xlsx",
        "tariff": "",
    },
}
FOR_ANALYSTS = {"tour", "excel_check"}
FORBIDDEN = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.BinOp,
    ast.AugAssign,
    ast.UnaryOp,
    ast.Try,
    ast.While,
)
"""A notebook defines nothing and calculates nothing, so no arithmetic on money can hide in one."""

SUMS = {
    "sum",
    "round",
    "Decimal",
    "float",
    "total",
    "product",
    "quotient",
    "difference",
    "excel_round",
    "cum_sum",
    "mean",
}


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def offences(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, FORBIDDEN):
            found.append(type(node).__name__)
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in SUMS:
                found.append(f"{name}()")
    return found


def test_all_notebooks_are_there() -> None:
    assert {path.stem for path in NOTEBOOKS} == {"home", "invoice", "dashboard", "operator", "tour", "excel_check"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_valid_and_starts_with_front_matter(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.cells[0].cell_type == "raw"
    assert notebook.cells[0].source.startswith("---\ntitle: ")
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_one_parameters_cell_of_plain_text_comes_before_all_code(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    tagged = [cell for cell in code(notebook) if "parameters" in cell.metadata.get("tags", ())]
    assert len(tagged) == 1
    assert tagged[0] is code(notebook)[0]
    values = {}
    for statement in ast.parse(tagged[0].source).body:
        assert isinstance(statement, ast.Assign)
        assert isinstance(statement.targets[0], ast.Name)
        values[statement.targets[0].id] = ast.literal_eval(statement.value)
    assert values == PARAMETERS.get(path.stem, DEFAULTS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_defines_nothing_and_calculates_nothing(path: Path) -> None:
    for number, cell in enumerate(code(nbformat.read(path, as_version=4))):
        assert offences(cell.source) == [], f"{path.name}, code cell {number}: {cell.source}"


@pytest.mark.parametrize(
    "source",
    [
        "bill.total * 2",
        "def total(): ...",
        "class Bill: ...",
        "key = lambda line: line.amount",
        "x = sum(line.amount for line in bill.lines)",
        "x += bill.total",
        "x = -bill.total",
        "slots['kwh'].mean()",
    ],
)
def test_the_rule_catches(source: str) -> None:
    assert offences(source)


@pytest.mark.parametrize(
    "path", [path for path in NOTEBOOKS if path.stem not in FOR_ANALYSTS], ids=lambda path: path.stem
)
def test_published_notebooks_have_one_statement_per_showing_cell_and_no_prose(path: Path) -> None:
    """All but those for analysts, which explain themselves: what a customer reads is made by the library, in the customer's language."""
    notebook = nbformat.read(path, as_version=4)
    assert not [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in code(notebook)[2:]:
        statements = ast.parse(cell.source).body
        assert len(statements) == 1
        assert isinstance(statements[0], ast.Expr)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_outputs_hold_no_error_and_no_path_of_a_machine(path: Path) -> None:
    for cell in code(nbformat.read(path, as_version=4)):
        for output in cell.outputs:
            assert output.output_type != "error"
            text = str(output)
            assert "/home/" not in text
            assert "/tmp/" not in text


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_it_is_committed_with_what_it_shows(path: Path) -> None:
    """Quarto renders what is stored: without outputs its pages would be empty."""
    book = nbformat.read(path, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert len(outputs) >= 2
    assert {output.output_type for output in outputs} <= {"execute_result", "display_data", "stream"}
    text = path.read_text(encoding="utf-8")
    assert "12,989.48" in text
    assert [place for place in ("/tmp/", "/home/", "/root/", "/work/") if place in text] == []
    assert len(text) < 1_500_000
