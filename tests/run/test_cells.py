"""What is remembered of cells and values from one notebook to the next gives what IPython makes of them anew."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import notebook_pairs as pairs
import pytest

from eisenergy.publish.figure import Data
from eisenergy.publish.panel import Panel
from eisenergy.run import cells, engine, shells

DOUBLE = (
    "import ast\n"
    "class Double(ast.NodeTransformer):\n"
    "    def visit_Constant(self, node):\n"
    "        return ast.Constant(node.value * 2) if node.value == 21 else node\n"
    "get_ipython().ast_transformers.append(Double())"
)
"""Changes the trees of the cells that follow."""


def shown(folder: Path, *sources: str) -> list[str]:
    """What the last cell of a notebook shows: its value's text, and what it prints."""
    output = pairs.execute(pairs.write(folder / "a.ipynb", *sources), engine.register(), client="a", customer="b")
    found = nbformat.read(output, as_version=4).cells[-1].outputs
    return [one["text"].rpartition("py:")[2] if "text" in one else one.data["text/plain"] for one in found]


def test_trees_that_a_notebook_changes_are_its_own(tmp_path: Path) -> None:
    cell = "21 + 0"
    found = [shown(tmp_path, *before, cell) for before in ((), (DOUBLE,), (), (DOUBLE,))]
    assert found == [["21"], ["42"], ["21"], ["42"]]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("x = 1\nx is 1", '"is" with a literal. Did you mean "=="?'),  # said by the compiler
        ("len('\\d') == 2", "invalid escape sequence '\\d'"),  # said by the parser
    ],
)
def test_what_python_warns_about_is_said_every_time(tmp_path: Path, cell: str, text: str) -> None:
    said = []
    for _ in range(3):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert shown(tmp_path, cell) == ["True"]
        said.append([str(one.message) for one in caught if "ipykernel_" in one.filename])
    assert [text in found for found in said] == [True] * 3
    assert said == [said[0]] * 3


def test_a_future_import_bears_on_the_cells_after_it_and_on_no_other_notebook(tmp_path: Path) -> None:
    cell = "def f(x: int): pass\nf.__annotations__"
    future = "from __future__ import annotations"
    kinds = [shown(tmp_path, *before, cell) for before in ((future,), (), (future,))]
    assert kinds[0] == kinds[2] == ["{'x': 'int'}"]
    assert kinds[1] != kinds[0]


def test_a_statement_is_compiled_once() -> None:
    compiler = cells.Compiler()
    compiler.shell = shells.take().shell
    first, second = (compiler.ast_parse("print('known')", "<a>") for _ in range(2))
    assert first is not second
    codes = [compiler(tree, "<a>", "exec") for tree in (first, second)]
    assert codes[0] is codes[1]
    assert compiler(first, "<b>", "exec").co_filename == "<b>"


class Plain:
    """Has nothing to show but its name."""


class Both:
    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": "<b>", "text/plain": "b"}

    def _repr_svg_(self) -> str:
        return "<svg/>"


@dataclass(frozen=True, slots=True)
class WithMetadata:
    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return {"text/plain": self.text, "text/html": self.text}, {"text/html": {"isolated": True}}


@dataclass(frozen=True, slots=True)
class WithoutText(WithMetadata):
    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return {"text/html": "<b>"}


@dataclass(frozen=True, slots=True)
class WithPicture(WithMetadata):
    def _repr_png_(self) -> bytes:
        return b"png"


@dataclass(frozen=True, slots=True)
class Itself(WithMetadata):
    def _ipython_display_(self) -> None:
        return None


PANEL = Panel(name="n", title="t", body="b", data=Data(columns=("a",), rows=(("1",),)), plain="p")
VALUES = (
    PANEL,
    Panel,
    Plain(),
    Both(),
    WithMetadata("m"),
    WithoutText("w"),
    WithPicture("p"),
    Itself("i"),
    7,
    "text",
    None,
)


@pytest.fixture
def formatter() -> Any:
    return shells.take().shell.display_formatter


def alike(formatter: Any, value: object) -> bool:
    return bool(formatter.format(value) == type(formatter).format(formatter, value))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_shows_what_ipython_shows(formatter: Any, value: object) -> None:
    assert alike(formatter, value)
    assert formatter.format(value, include={"text/html"}) == type(formatter).format(
        formatter, value, include={"text/html"}
    )


@pytest.mark.parametrize("kind", ["type", "name", "object", "picture", "off"])
def test_a_formatter_that_a_notebook_registers_is_asked(formatter: Any, kind: str) -> None:
    html = formatter.formatters["text/html"]
    before = formatter.format(PANEL)
    if kind == "type":
        html.for_type(Panel, lambda _: "<i>other</i>")
    elif kind == "name":
        html.for_type_by_name("eisenergy.publish.panel", "Panel", lambda _: "<i>other</i>")
    elif kind == "object":
        html.singleton_printers[id(PANEL)] = lambda _: "<i>other</i>"
    elif kind == "picture":
        formatter.formatters["image/svg+xml"].for_type(object, lambda _: "<svg/>")
    else:
        formatter.mimebundle_formatter.enabled = False
    assert alike(formatter, PANEL)
    assert formatter.format(PANEL) != before


def test_the_next_shell_knows_nothing_of_it(formatter: Any) -> None:
    formatter.formatters["text/html"].for_type(Panel, lambda _: "<i>other</i>")
    assert formatter.format(PANEL)[0]["text/html"] == "<i>other</i>"
    assert shells.take().shell.display_formatter.format(PANEL)[0]["text/html"] == PANEL.html()
