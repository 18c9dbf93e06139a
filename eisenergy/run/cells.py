"""What IPython works out anew for every cell, worked out once: the same cells stand in every customer's notebook.

How a cell reads as Python, its tree, its code objects, the name of its file in tracebacks and whether it ends in a semicolon
depend on its text alone. None of it can be changed by the notebook that used it first: code objects are immutable, and trees are
handed to IPython only while nobody registered a transformer of trees.
"""

from __future__ import annotations

import ast
import linecache
import os
import tempfile
import warnings
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from ipykernel.compiler import XCachingCompiler, get_tmp_directory, get_tmp_hash_seed, murmur2_x86
from IPython.core.async_helpers import _should_be_async
from IPython.core.displayhook import DisplayHook
from IPython.core.inputtransformer2 import TransformerManager

from eisenergy.config import environment_now

KNOWN_CELLS: Final = 256
"""Cells that are remembered; the longest notebooks have some forty."""

_CODES: Final = "_eisenergy_codes"
"""Where a remembered statement keeps its code objects: (file, mode, flags) -> code. They go when it goes."""

_NAMED: Final = os.environ.encodekey("IPYKERNEL_CELL_NAME")
_STOCK: Any = TransformerManager()  # type: ignore[no-untyped-call]
_look_for_await: Any = _should_be_async
_hash_of: Any = murmur2_x86
_folder: Any = get_tmp_directory
_seed: Any = get_tmp_hash_seed
_semicolon: Any = DisplayHook.semicolon_at_end_of_expression


class Transformer(TransformerManager):
    """Turns cells with IPython's own syntax into Python; the same cell of the next customer's notebook is not read again.

    A notebook that adds or removes a transformation gets what IPython makes of it.
    """

    def transform_cell(self, cell: str) -> str:
        """Return a cell as Python."""
        mine = self.cleanup_transforms, self.line_transforms, self.token_transformers
        if mine != (_STOCK.cleanup_transforms, _STOCK.line_transforms, _STOCK.token_transformers):
            return str(super().transform_cell(cell))
        return _transformed(cell)


class Compiler(XCachingCompiler):
    """A kernel's compiler that knows the cells it has seen.

    :ivar shell: whose compiler it is; with transformers of trees, every cell is read anew
    """

    shell: Any = None

    def get_code_name(self, raw_code: str, code: str, number: int) -> str:
        """Return the name of a cell's file, as ``ipykernel.compiler.get_file_name`` does."""
        if _NAMED in environment_now():
            return str(super().get_code_name(raw_code, code, number))  # type: ignore[no-untyped-call]
        return f"{_folder_of(os.getpid(), tempfile.tempdir)}{os.sep}{_hash(raw_code)}.py"

    def cache(self, transformed_code: str, number: int = 0, raw_code: str | None = None) -> str:
        """Note a cell for tracebacks and return the name of its file; its list of lines is nobody else's."""
        raw = transformed_code if raw_code is None else raw_code
        name = self.get_code_name(raw, transformed_code, number)
        self._filename_map[name] = number
        linecache.cache[name] = (len(transformed_code), None, list(_lines(transformed_code)), name)
        return name

    def ast_parse(self, source: str, filename: str = "<unknown>", symbol: str = "exec") -> ast.AST:
        """Return a cell's tree; its list of statements is the caller's own."""
        if self.shell is not None and not self.shell.ast_transformers:
            with suppress(Exception):  # IPython's own says what is wrong with it, and warns as it should
                return ast.Module(body=list(_parsed(source, symbol, self.flags)), type_ignores=[])
        return super().ast_parse(source, filename, symbol)

    def __call__(self, source: Any, filename: str, symbol: str, **options: Any) -> Any:
        """Return the code object of a statement."""
        body = getattr(source, "body", None)
        known = getattr(body[0], _CODES, None) if isinstance(body, list) and len(body) == 1 else None
        if known is None or options:
            return super().__call__(source, filename, symbol, **options)
        flags = self.flags
        code = known.get((filename, symbol, flags))
        if code is None:
            code, warned = _without_warnings(lambda: super(Compiler, self).__call__(source, filename, symbol))
            if warned:
                return super().__call__(source, filename, symbol)
            if self.flags == flags:  # a __future__ import bears on what follows
                known[filename, symbol, flags] = code
        return code


@lru_cache(maxsize=KNOWN_CELLS)
def _transformed(cell: str) -> str:
    return str(TransformerManager().transform_cell(cell))  # type: ignore[no-untyped-call]


@lru_cache(maxsize=KNOWN_CELLS)
def awaits(transformed: str) -> bool:
    """Whether a cell awaits something outside a function.

    :param transformed: the cell as Python
    """
    return bool(_look_for_await(transformed))


@lru_cache(maxsize=KNOWN_CELLS)
def ends_in_semicolon(cell: str) -> bool | None:
    """As ``DisplayHook.semicolon_at_end_of_expression``; IPython tokenizes a cell for every output."""
    found: bool | None = _semicolon(cell)
    return found


@lru_cache(maxsize=KNOWN_CELLS)
def _lines(cell: str) -> tuple[str, ...]:
    return tuple(f"{line}\n" for line in cell.splitlines())


@lru_cache(maxsize=2)
def _folder_of(_process: int, _temporary: str | None) -> str:
    """Where a process's cells are said to lie: it has the process's number and the folder of temporary files in its name."""
    return str(_folder())


@lru_cache(maxsize=KNOWN_CELLS)
def _hash(cell: str) -> int:
    return int(_hash_of(cell, _seed()))


@lru_cache(maxsize=KNOWN_CELLS)
def _parsed(source: str, symbol: str, flags: int) -> tuple[ast.stmt, ...]:
    """A cell's statements. :raises Exception: for one that cannot be read, or that Python warns about: it is not remembered."""
    tree, warned = _without_warnings(lambda: compile(source, "<cell>", symbol, flags | ast.PyCF_ONLY_AST, True))
    if warned:
        raise SyntaxError("whoever runs this cell is to see its warning")
    for statement in tree.body:
        setattr(statement, _CODES, {})
    return tuple(tree.body)


def _without_warnings(work: Any) -> tuple[Any, bool]:
    """What a piece of work returns, and whether Python warned about something; then the warning was not shown."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        result = work()
    return result, bool(said)


def warm(cell: str) -> None:
    """Read a cell that will be executed here, or in processes that are forked from this one."""
    with suppress(Exception):  # its customer's run says what is wrong with it
        awaits(_transformed(cell))
