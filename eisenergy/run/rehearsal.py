"""What a process does before it may fork: import, rehearse once, and make sure that it stayed alone."""

from __future__ import annotations

import ast
import ctypes
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Final

from eisenergy.run import engine
from eisenergy.run.orders import MayNotFork

_PR_SET_PDEATHSIG: Final = 1
_SHOWING: Final = (
    "from IPython.display import HTML, SVG, Markdown, display",
    "display(HTML('<p>'), Markdown('*'), SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>'))",
    "print('shown')",
    "{'text': 'plain'}",
)
_DESK: Final = "eisenergy.desk"
_ASKED: Final = ("eisenergy.desk.opening", "eisenergy.desk.overview")
"""What `from eisenergy import desk` loads only when it is asked for, in a child otherwise."""


def rehearse(notebooks: Iterable[Path]) -> None:
    """Import what notebooks import and run a small one, so that children find everything warm.

    The rehearsed notebook imports and shows. It opens no desk and draws no chart: a Polars query or a drawing here would
    hang the children.

    :raises MayNotFork: when threads came of it, which a child would not have
    """
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    book = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book.cells = [
        nbformat.v4.new_code_cell(source, metadata={"tags": tags})  # type: ignore[no-untyped-call]
        for source, tags in (
            ("customer = ''", ["parameters"]),
            *((source, []) for source in (*sorted(set(imports(notebooks))), *_SHOWING)),
        )
    ]
    named = list(_imported(book))
    for name in (*(_ASKED if _DESK in named else ()), *named):
        with suppress(Exception):  # what cannot be imported is the business of the customer whose notebook it is
            import_module(name)
    before = _threads()
    with suppress(PapermillExecutionError):
        papermill.execute_notebook(
            book,
            None,
            parameters={"customer": "-"},
            engine_name=engine.register(),
            kernel_name="python3",
            progress_bar=False,
        )
    if threading.active_count() > 1 or _threads() > before:
        names = ", ".join(sorted(thread.name for thread in threading.enumerate()))
        raise MayNotFork(
            f"{_threads()} threads after rehearsing the imports of the notebooks, {before} before: {names}"
        )


def imports(notebooks: Iterable[Path]) -> Iterator[str]:
    """Yield the import statements of notebooks, as source."""
    import nbformat

    for path in notebooks:
        book = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        for cell in book.cells:
            if cell.cell_type != "code":
                continue
            try:
                statements = ast.parse(cell.source).body
            except SyntaxError:
                continue  # magics; its customer's run says what is wrong with it
            yield from (ast.unparse(one) for one in statements if isinstance(one, ast.Import | ast.ImportFrom))


def _imported(book: object) -> Iterator[str]:
    """Names of the modules that the import statements of a notebook name."""
    for cell in book.cells:  # type: ignore[attr-defined]
        for one in ast.walk(ast.parse(cell.source)):
            if isinstance(one, ast.Import):
                yield from (alias.name for alias in one.names)
            elif isinstance(one, ast.ImportFrom) and one.module and not one.level:
                yield one.module
                yield from (f"{one.module}.{alias.name}" for alias in one.names)  # a module of it, or something in it


def end_with(parent: int) -> None:
    """Have the system kill this process when the one that forked it ends.

    :param parent: its number, noted before the fork
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def data_size() -> int:
    """Return the bytes of private memory this process may write to, as ``RLIMIT_DATA`` counts them."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) << 10
    raise OSError("/proc/self/status has no VmData")


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))
