"""A cell that goes straight through a shell leaves what IPython's own way leaves, and takes that way where somebody listens."""

from __future__ import annotations

import asyncio
import linecache
from collections.abc import Callable
from typing import Any

import pytest

from eisenergy.run import shell, straight

CELLS = (
    "import math",
    "x = 2; x + 1",
    "x",
    "_ + __",
    "math.sqrt(16)",
    "math.sqrt(16) # said",
    "if x:\n    5\nfor n in range(2): print(n)\n'last'",
    "'unseen';",
    "",
    "   ",
    "_i3, _ii, In[-1], Out[3], _3",
    "_ = 'mine'",
    "7",
    "_, ___",
    "1 / 0",
    "print('before'); x +",
    "  y = 1",
    "x = 1\n x",
    "return 5",
    "who int",
    "%precision 3",
    "math.pi",
    "paste = 4",
    "async def f(): return 6",
    "await f()",
    "x.__class__(3)",
    "from __future__ import annotations\ndef g(a: int): ...",
    "g.__annotations__",
    "raise SystemExit(3)",
    "get_ipython().last_execution_succeeded, get_ipython().execution_count",
)
PLAIN = (str, int, float, list, dict, tuple, bool)


def run(cells: tuple[str, ...], prepare: Callable[[Any], object]) -> tuple[list[Any], dict[str, Any], bool]:
    """What cells show and answer, what they leave in their shell, and whether they may have gone the straight way."""
    with shell.started() as kernel:
        made = kernel.shell
        prepare(made)
        told = []
        for cell in cells:
            done = asyncio.run(kernel.execute(cell))
            told.append(([(one["msg_type"], one["content"]) for one in done.shown], done.reply, done.count))
        history = made.history_manager
        left = {
            "names": {
                name: repr(value)
                for name, value in made.user_ns.items()
                if isinstance(value, PLAIN) and not name.startswith("__")
            },
            "hidden": sorted(made.user_ns_hidden),
            "parsed": list(history.input_hist_parsed),
            "raw": list(history.input_hist_raw),
            "cache": [tuple(line) for line in history.db_input_cache],
            "outputs": {number: [vars(one) for one in found] for number, found in history.outputs.items()},
            "texts": dict(history.output_hist_reprs),
            "exceptions": {number: found["ename"] for number, found in history.exceptions.items()},
            "inputs": (history._i, history._ii, history._iii, history._i00),
            "count": made.execution_count,
            "succeeded": made.last_execution_succeeded,
            "result": repr(made.last_execution_result.result),
            "line": made._last_input_line,
            "lines": [linecache.cache[name][:3] for name in made.compile._filename_map],
            "flags": made.compile.flags,
        }
        return told, left, straight.unchanged(made)


def listen(made: Any) -> None:
    made.observe(lambda _: None, "execution_count")


def test_a_cell_leaves_what_ipython_leaves() -> None:
    ours, stock = run(CELLS, lambda _: None), run(CELLS, listen)
    assert (ours[2], stock[2]) == (True, False)
    for cell, mine, theirs in zip(CELLS, ours[0], stock[0], strict=True):
        assert mine == theirs, cell
    assert ours[1] == stock[1]


def replace(made: Any) -> None:
    made.run_cell_async = made.run_cell_async


def extend(made: Any) -> None:
    made.history_manager.store_inputs = made.history_manager.store_inputs


@pytest.mark.parametrize("prepare", [listen, replace, extend], ids=["listens", "replaces", "keeps"])
def test_a_shell_that_somebody_changed_is_ipythons_business(prepare: Callable[[Any], object]) -> None:
    assert run(("1",), prepare)[2] is False


def test_who_asks_for_cells_hears_of_each() -> None:
    heard: list[str] = []

    def prepare(made: Any) -> None:
        made.events.register("pre_run_cell", lambda info: heard.append(info.raw_cell))
        made.events.register("pre_execute", lambda: heard.append("before"))

    assert run(("1", "2"), prepare)[2] is True
    assert heard == ["before", "1", "before", "2"]


def test_a_magic_with_a_name_of_parts_is_found() -> None:
    def prepare(made: Any) -> None:
        made.register_magic_function(lambda line: f"magic {line}", "line", "a.b")

    (shown, *_), *_ = run(("a.b(1)",), prepare)[0]
    assert shown[0][1]["data"]["text/plain"] == "'magic (1)'"


def test_the_next_shell_finds_nothing_of_the_last_ones_history() -> None:
    run(("'secret'", "1 / 0"), lambda _: None)
    with shell.started() as kernel:
        history = kernel.shell.history_manager
        assert not history.outputs
        assert not history.exceptions
