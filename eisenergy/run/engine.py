"""A Papermill engine that executes a notebook in this process.

``papermill --engine eisenergy``, or ``engine_name="eisenergy"``; registered under ``papermill.engine`` in
``pyproject.toml``, and by :func:`register` where the installed package is older. Papermill prepares the notebook and
writes it as ever, and its own client executes it; only the kernel is :mod:`eisenergy.run.shell`'s.
"""

from __future__ import annotations

import contextvars
import copy
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from datetime import datetime
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from nbclient.exceptions import CellExecutionComplete, CellExecutionError
from nbformat.notebooknode import NotebookNode, from_dict
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines
from papermill.execute import prepare_notebook_metadata, raise_for_execution_errors, remove_error_markers
from papermill.iorw import load_notebook_node
from papermill.log import logger
from papermill.parameterize import parameterize_notebook
from papermill.translators import PythonTranslator, papermill_translators

from eisenergy.run import cells, isolation, shell

NAME: Final = "eisenergy"
KERNEL: Final = "python3"
INJECTED: Final = "injected-parameters"
COMMENT: Final = "Parameters"
"""What Papermill writes above the parameters."""

_node: Any = from_dict
_struct: Any = NotebookNode
_IMMUTABLE: Final = frozenset({str, int, float, bool, type(None)})
Watch = Callable[[int, str], None]
"""Called before a cell runs, with its number in the prepared notebook, from 0, and its source."""


class InProcessEngine(Engine):  # type: ignore[misc]
    """Executes a notebook without a kernel process.

    A time limit for cells has no effect here: a cell cannot be interrupted from within. Who needs one kills the
    process, as :mod:`eisenergy.run.nursery` does.
    """

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, output_path: str | None = None, **options: Any) -> Any:
        """Execute a notebook, as ``Engine.execute_notebook`` does; Papermill calls this."""
        shown = {name: options.pop(name) for name in ("progress_bar", "autosave_cell_every") if name in options}
        manager = _Manager(nb, output_path=output_path, log_output=options.get("log_output", False), **shown)
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(manager, kernel_name, **options)
        finally:
            manager.cleanup_pbar()
            manager.notebook_complete()
        return manager.nb

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, log_output: bool = False, **options: Any) -> None:
        """Execute all cells; Papermill calls this.

        Every notebook gets a fresh ``contextvars.Context``: a decimal context it changes is its own.

        :param nb_man: Papermill's manager of the notebook, whose ``nb`` is filled in
        :param options: of those Papermill knows, ``stdout_file`` and ``stderr_file`` have an effect. Of ours: ``watch`` is
            called before each cell runs; ``restore=False`` leaves the process as the notebook left it
        :raises eisenergy.run.shell.AlreadyInASession: inside IPython or Jupyter
        """
        fix_injected_id(nb_man.nb)
        chosen = {
            "log_output": log_output,
            "stdout_file": options.get("stdout_file"),
            "stderr_file": options.get("stderr_file"),
        }
        with isolation.restored() if options.get("restore", True) else nullcontext():
            contextvars.Context().run(cls._execute, nb_man, kernel_name, options.get("watch"), chosen)

    @classmethod
    def _execute(cls, nb_man: Any, kernel_name: str, watch: Watch | None, options: dict[str, Any]) -> None:
        from jupyter_core.utils import ensure_event_loop

        with shell.started() as kernel:
            loop = ensure_event_loop()
            try:
                client = _Client(nb_man, kernel_name=kernel_name, log=logger, **options)
                loop.run_until_complete(client.execute_in(kernel, watch))
            finally:
                loop.close()


class _Manager(NotebookExecutionManager):  # type: ignore[misc]
    """Papermill's manager, which reads no time back that it has just written, and does nothing for a file where there is none."""

    @property
    def _quiet(self) -> bool:
        return not (self.output_path or self.log_output or self.pbar)

    def notebook_start(self, **options: Any) -> None:
        """Note that no cell has run yet."""
        if options or not self._quiet:
            super().notebook_start(**options)
            return
        self.set_timer()
        noted = self.nb.metadata["papermill"]
        dict.update(noted, start_time=self.start_time.isoformat(), end_time=None, duration=None, exception=None)
        for cell in self.nb.cells:
            nothing = {"exception": None, "start_time": None, "end_time": None, "duration": None}
            dict.__setitem__(cell["metadata"], "papermill", _struct(nothing, status=self.PENDING))
            if cell["cell_type"] == "code":
                dict.update(cell, execution_count=None, outputs=[])

    def save(self, **options: Any) -> None:
        """Write the notebook, where there is a file."""
        if self.output_path or options:
            super().save(**options)

    def autosave_cell(self, **options: Any) -> None:
        """Write the notebook now and then, where there is a file."""
        if self.output_path or options:
            super().autosave_cell(**options)

    def cell_start(self, cell: Any, cell_index: int | None = None, **options: Any) -> None:
        """Note when a cell began."""
        if options or not self._quiet:
            super().cell_start(cell, cell_index, **options)
        else:
            noted = cell["metadata"]["papermill"]
            dict.update(noted, start_time=self.now().isoformat(), status=self.RUNNING, exception=False)

    def cell_complete(self, cell: Any, cell_index: int | None = None, **options: Any) -> None:
        """Note when a cell ended, and how long it took."""
        noted = cell["metadata"]["papermill"]
        started = noted.get("start_time")
        if started and not options and self._quiet:
            ended = self.now()
            dict.update(
                noted,
                end_time=ended.isoformat(),
                duration=(ended - datetime.fromisoformat(started)).total_seconds(),
                status=noted["status"] if noted["status"] == self.FAILED else self.COMPLETED,
            )
            return
        noted.pop("start_time", None)
        super().cell_complete(cell, cell_index, **options)
        noted["start_time"] = started
        if started:
            span = datetime.fromisoformat(noted["end_time"]) - datetime.fromisoformat(started)
            noted["duration"] = span.total_seconds()


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """Papermill's client without the waiting: a cell's messages are all there when it has run.

    What becomes of a message is nbclient's own code.
    """

    async def execute_in(self, kernel: shell.Kernel, watch: Watch | None) -> None:
        """Execute all cells, as ``papermill_execute_cells`` does."""
        self.reset_execution_trackers()
        self.kc = kernel
        for index, cell in enumerate(self.nb.cells):
            try:
                self.nb_man.cell_start(cell, index)
                if watch is not None:
                    watch(index, cell.source)
                await self._execute(kernel, cell, index)
            except CellExecutionError as problem:
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=problem)
                break
            finally:
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)
        self.nb.metadata["language_info"] = kernel.language
        self.set_widgets_metadata()

    async def _execute(self, kernel: shell.Kernel, cell: Any, index: int) -> None:
        """Execute a cell, as ``async_execute_cell`` does."""
        if cell["cell_type"] != "code" or not cell["source"].strip():
            return
        if self.skip_cells_with_tag in cell["metadata"].get("tags", []):
            return
        dict.__setitem__(cell["metadata"], "execution", _struct())
        done = await kernel.execute(cell["source"])
        self.code_cells_executed += 1
        dict.update(cell, outputs=[], execution_count=done.count)
        self.clear_before_next_output = False
        if self.record_timing:
            dict.__setitem__(cell["metadata"], "execution", _struct(done.times))
        with suppress(CellExecutionComplete):
            for message in done.shown:
                if not self._took(message, cell):
                    self.process_message(message, cell, index)
        if done.reply["content"]["status"] != "ok":
            await self._check_raise_for_error(cell, index, done.reply)

    def _took(self, message: dict[str, Any], cell: Any) -> bool:
        """Take an output that shows texts, as nbclient does, without checking it against the schema: that takes a millisecond."""
        kind, content = message["msg_type"], message["content"]
        if kind not in ("execute_result", "display_data") or self._listened_to:
            return False
        if content.get("transient") or self.output_hook_stack or self.clear_before_next_output:
            return False
        data, metadata = content["data"], content["metadata"]
        if not all(type(value) is str for value in data.values()):
            return False
        made = _struct(output_type=kind, metadata=_node(metadata), data=_struct(data))
        if kind == "execute_result":
            dict.__setitem__(made, "execution_count", content["execution_count"])
            cell["execution_count"] = content["execution_count"]
        cell["outputs"].append(made)
        self.nb_man.autosave_cell()
        return True

    @property
    def _listened_to(self) -> bool:
        """Whether what is shown goes elsewhere, too."""
        return bool(self.log_output or self.stdout_file or self.stderr_file)


def execute(notebook: Path, parameters: Mapping[str, str], watch: Watch) -> Any:
    """Execute a notebook in this process and return it executed; the process is left as the notebook left it.

    ``papermill.execute_notebook``, by Papermill's own functions: but the notebook is read once per process and copied, and
    nothing is written on the way.

    :raises papermill.exceptions.PapermillExecutionError: when a cell fails
    """
    engine = register()
    book = _copied(_prepared(notebook, notebook.stat().st_mtime_ns, tuple(parameters)))
    given = dict(parameters)
    language = papermill_engines.nb_language(engine, book)
    cell = next(cell for cell in book.cells if INJECTED in cell.metadata.get("tags", ()))
    cell["source"] = _translated(language, given)
    book.metadata.papermill["parameters"] = given
    book = papermill_engines.execute_notebook_with_engine(
        NAME, book, kernel_name=KERNEL, progress_bar=False, watch=watch, restore=False
    )
    raise_for_execution_errors(book, None)
    return book


def _translated(language: str, given: dict[str, str]) -> str:
    """The cell of the parameters, as ``papermill.translators.translate_parameters`` writes it.

    Papermill tries to import Black for each, and looking in vain for a module takes a quarter of a millisecond.
    """
    translator: Any = papermill_translators.find_translator(KERNEL, language)
    if translator is PythonTranslator and not _formats():
        return str(super(PythonTranslator, PythonTranslator).codify(given, COMMENT))
    return str(translator.codify(given, COMMENT))


@lru_cache(maxsize=1)
def _formats() -> bool:
    """Whether there is Black, with which Papermill formats parameters."""
    return find_spec("black") is not None


def _copied(value: Any) -> Any:
    """A notebook's own copy; ``copy.deepcopy`` takes two milliseconds for the same, since nbformat checks every name."""
    if isinstance(value, dict):
        made = _struct() if type(value) is _struct else {}
        dict.update(made, {name: item if type(item) in _IMMUTABLE else _copied(item) for name, item in value.items()})
        return made
    return [_copied(item) for item in value] if isinstance(value, list) else value


def warm(notebook: Path) -> None:
    """Read a notebook that will be executed here, or in processes that are forked from this one."""
    for cell in _loaded(notebook, notebook.stat().st_mtime_ns).cells:
        if cell.cell_type == "code":
            cells.warm(cell.source)


@lru_cache(maxsize=16)
def _prepared(notebook: Path, stamp: int, names: tuple[str, ...]) -> Any:
    """A notebook as Papermill prepares it, but for the values of its parameters."""
    book = copy.deepcopy(_loaded(notebook, stamp))
    book = parameterize_notebook(book, dict.fromkeys(names, ""), kernel_name=KERNEL, engine_name=register())
    return remove_error_markers(prepare_notebook_metadata(book, str(notebook), None, report_mode=False))


@lru_cache(maxsize=16)
def _loaded(notebook: Path, _stamp: int) -> Any:
    """A notebook as Papermill reads it, without outputs."""
    book = load_notebook_node(str(notebook))
    for cell in book.cells:
        if cell.cell_type == "code":
            cell["outputs"] = []
    return book


def fix_injected_id(book: Any) -> None:
    """Give the cell Papermill injected an id that is not random, so that the same run gives the same bytes."""
    taken = {cell.get("id") for cell in book.cells}
    for cell in book.cells:
        if INJECTED in cell.metadata.get("tags", ()) and "id" in cell and INJECTED not in taken:
            cell["id"] = INJECTED


def register() -> str:
    """Make the engine known to Papermill and return its name."""
    papermill_engines.register(NAME, InProcessEngine)
    return NAME
