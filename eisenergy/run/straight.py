"""A cell's way through a shell that is as it was made, without what IPython asks anew for each of them.

IPython validates and announces a dozen attributes per cell, and looks into the namespace for magics that lack their sign. Where nobody
listens, nothing is overridden and a cell is plain Python, the same comes of doing the same steps directly; everywhere else IPython's own
code runs. The steps are those of ``InteractiveShell.run_cell_async``, ``run_ast_nodes`` and ``HistoryManager.store_inputs``; a statement
is executed, and what it raises is shown, by ``InteractiveShell.run_code``.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import operator
import re
import sys
from functools import lru_cache
from typing import Any, Final

from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.history import HistoryManager, HistoryOutput
from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell
from IPython.core.prefilter import PrefilterManager
from traitlets import All

from eisenergy.run.cells import KNOWN_CELLS, Compiler

_made: Any = ExecutionInfo
_result: Any = ExecutionResult
_shown: Any = HistoryOutput

_STEPS: Final[dict[type, tuple[str, ...]]] = {
    InteractiveShell: ("run_cell_async", "run_ast_nodes", "transform_ast", "transform_cell", "push", "execution_count"),
    HistoryManager: ("store_inputs", "store_output"),
    PrefilterManager: ("prefilter_lines", "prefilter_line", "find_handler", "transform_line"),
}
_AS_MADE: Final = [(kind, name, getattr(kind, name, None)) for kind, names in _STEPS.items() for name in names]
_KINDS, _ATTRIBUTES, _AS_THEY_WERE = zip(*_AS_MADE, strict=True)
_NAMES: Final = frozenset(_ATTRIBUTES)
_NOTED: Final = frozenset({"execution_count", "last_execution_succeeded", "last_execution_result", "exec_result", All})
_INPUTS: Final = frozenset({"_i", "_ii", "_iii", "_i00", All})
_CALL: Final = re.compile(r"([^\W\d]\w*(?:\.\w+)+)\([^#\n]*\n?")
"""A line that calls something of something: whatever its name, no magic is meant."""
_ALLOW_AWAIT: Final = getattr(ast, "PyCF_ALLOW_TOP_LEVEL_AWAIT", 0)
_RUN_CODE: Final = InteractiveShell.run_code.__code__
_COROUTINE: Final = 0x80
"""``inspect.CO_COROUTINE``."""


def transformed(shell: Any, code: str) -> str:
    """Return a cell as Python, as ``shell.transform_cell`` does, for a shell that is :func:`unchanged`.

    :raises Exception: where IPython refuses it
    """
    manager = _trait(shell, "prefilter_manager")
    if type(manager) is PrefilterManager and not manager._transformers:
        cell: str = _trait(shell, "input_transformer_manager").transform_cell(code)
        name = _called(cell)
        if name and manager._checkers == shell._eisenergy_checkers and not shell.input_transformers_post:
            magics = _trait(_trait(shell, "magics_manager"), "magics")
            if name not in _trait(shell, "user_ns") and name not in magics["line"] and name not in magics["cell"]:
                cell = cell.rstrip("\n")
                shell._last_input_line = cell
                return cell + "\n"
    python: str = shell.transform_cell(code)
    return python


@lru_cache(maxsize=KNOWN_CELLS)
def _called(cell: str) -> str | None:
    """What a cell of one line calls, where it does nothing else."""
    found = _CALL.fullmatch(cell)
    return None if found is None else found[1]


def settle(shell: Any) -> None:
    """Prepare a new shell: note what reads its lines, and let its display hook note a value without asking who it belongs to each time."""
    shell._eisenergy_checkers = list(shell.prefilter_manager._checkers)
    hook, history = shell.displayhook, shell.history_manager
    update, log = hook.update_user_ns, hook.log_output

    def update_user_ns(value: Any) -> None:
        names, hidden = _trait(shell, "user_ns"), _trait(shell, "user_ns_hidden")
        size, kept = hook.cache_size, names["_oh"]
        if not size or value is kept or len(kept) >= size or "_" in vars(builtins):
            update(value)
            return
        before = {"_": hook._, "__": hook.__, "___": hook.___}
        hook.___, hook.__, hook._ = hook.__, hook._, value
        if all(names[name] is hidden.get(name, own) for name, own in before.items() if name in names):
            told = {"_": value, "__": hook.__, "___": hook.___}
            names.update(told)
            hidden.update(told)
        if hook.do_full_cache:
            count = _trait(shell, "execution_count") - 1
            names[f"_{count}"] = hidden[f"_{count}"] = kept[count] = value

    def log_output(data: dict[str, Any]) -> None:
        if shell.logger.log_output or _trait(shell, "history_manager") is not history:
            log(data)
            return
        count = _trait(shell, "execution_count") - 1
        history.outputs[count].append(_shown(output_type="execute_result", bundle=data))
        if "text/plain" in data:
            _trait(history, "output_hist_reprs")[count] = data["text/plain"]

    hook.update_user_ns, hook.log_output = update_user_ns, log_output


def run(shell: Any, raw: str, cell: str) -> Any:
    """Run a cell in a shell that is :func:`unchanged`, and store it in the history.

    :param cell: ``raw`` as Python
    :returns: an ``ExecutionResult``; ``None`` where this is IPython's business, and nothing was done
    """
    history, hook, compiler = _trait(shell, "history_manager"), shell.displayhook, shell.compile
    if (
        not raw
        or raw.isspace()
        or "paste" in cell
        or type(compiler) is not Compiler
        or shell._trait_values.get("ast_transformers")
        or shell._trait_values.get("ast_node_interactivity", "last_expr") != "last_expr"
        or shell.logger.log_active
        or history._exit_re.match(raw.strip())
        or len(_trait(history, "db_input_cache")) + 1 >= history._trait_values.get("db_cache_size", 0)
        or history._trait_values.get("db_log_output", True)
    ):
        return None
    info = _made(raw, True, False, True, None, None, transformed_cell=cell)
    result = _result(info)
    values = shell._trait_values
    count = result.execution_count = _trait(shell, "execution_count")
    values["execution_count"] = count + 1
    for event, told in (("pre_execute", ()), ("pre_run_cell", (info,))):
        if shell.events.callbacks[event]:
            shell.events.trigger(event, *told)
    _store(shell, history, count, cell, raw)
    with _trait(shell, "builtin_trap"):
        name = compiler.cache(cell, count, raw_code=raw)
        with _trait(shell, "display_trap"):
            try:
                body: list[ast.stmt] = compiler.ast_parse(cell, filename=name).body  # type: ignore[attr-defined]
            except shell.custom_exceptions as problem:
                shell.CustomTB(*sys.exc_info())
                return _refused(shell, history, result, problem)
            except IndentationError as problem:
                shell.showindentationerror()
                return _refused(shell, history, result, problem)
            except (OverflowError, SyntaxError, ValueError, TypeError, MemoryError) as problem:
                shell.showsyntaxerror()
                return _refused(shell, history, result, problem)
            hook._trait_values["exec_result"] = result
            raised = bool(body) and _execute(shell, compiler, body, name, result)
            values["last_execution_succeeded"] = not raised if body else True
            values["last_execution_result"] = result
            hook._trait_values["exec_result"] = None
    if result.error_in_exec:
        history.exceptions[count] = shell._format_exception_for_storage(result.error_in_exec)
    return result


def _execute(shell: Any, compiler: Any, body: list[ast.stmt], name: str, result: Any) -> bool:
    """Run statements, the last one so that its value is shown; whether one of them raised."""
    try:
        last = body[-1]
        for statement in body:
            shows = statement is last and isinstance(statement, ast.Expr)
            tree: ast.mod = ast.Interactive([statement]) if shows else ast.Module([statement], [])
            flags = compiler.flags
            compiler.flags = flags | (_ALLOW_AWAIT if _trait(shell, "autoawait") else 0)
            try:
                code = compiler(tree, name, "single" if shows else "exec")
            finally:
                compiler.flags &= flags | ~_ALLOW_AWAIT
            running = shell.run_code(code, result, async_=bool(code.co_flags & _COROUTINE))
            try:  # as IPython's own runner does it, but with no frame between, which a traceback would show
                running.send(None)
            except StopIteration as ended:
                if ended.value:
                    return True
    except BaseException as problem:
        trace = problem.__traceback__
        if trace is not None and trace.tb_next is not None and trace.tb_next.tb_frame.f_code is _RUN_CODE:
            trace = trace.tb_next  # IPython leaves its own frames out of what it shows, and would show this one
        result.error_before_exec = problem
        shell.showtraceback((type(problem), problem.with_traceback(trace), trace))
        return True
    return False


def _store(shell: Any, history: Any, count: int, cell: str, raw: str) -> None:
    source, raw = cell.rstrip("\n"), raw.rstrip("\n")
    values = history._trait_values
    _trait(history, "input_hist_parsed").append(source)
    _trait(history, "input_hist_raw").append(raw)
    with _trait(history, "db_input_cache_lock"):
        _trait(history, "db_input_cache").append((count, source, raw))
    before = _trait(history, "_ii"), _trait(history, "_i"), _trait(history, "_i00")
    values["_iii"], values["_ii"], values["_i"], values["_i00"] = *before, raw
    told = {"_i": values["_i"], "_ii": values["_ii"], "_iii": values["_iii"], f"_i{count}": raw}
    _trait(shell, "user_ns").update(told)
    _trait(shell, "user_ns_hidden").update(told)


def _trait(owner: Any, name: str) -> Any:
    """The value of a trait; its descriptor asks three times as long where its value stands."""
    try:
        return owner._trait_values[name]
    except KeyError:  # not asked for yet
        return getattr(owner, name)


def _refused(shell: Any, history: Any, result: Any, problem: BaseException) -> Any:
    """A cell that is not Python."""
    history.exceptions[result.execution_count] = shell._format_exception_for_storage(problem)
    result.error_before_exec = problem
    shell.last_execution_succeeded = False
    shell.last_execution_result = result
    return result


def unchanged(shell: Any) -> bool:
    """Whether nobody replaced a step of a cell's way through a shell, or listens to what is noted on it."""
    history, hook = _trait(shell, "history_manager"), shell.displayhook
    if (type(shell), type(history), type(hook)) != (ZMQInteractiveShell, HistoryManager, ZMQShellDisplayHook):
        return False
    for owner in (shell, history, hook, _trait(shell, "prefilter_manager")):
        if not vars(owner).keys().isdisjoint(_NAMES):
            return False
    for owner, names in ((shell, _NOTED), (hook, _NOTED), (history, _INPUTS)):
        listeners = owner._trait_notifiers
        for name in names.intersection(listeners):
            if any(listeners[name].values()):
                return False
    found = map(getattr, _KINDS, _ATTRIBUTES, itertools.repeat(None))
    return all(map(operator.is_, found, _AS_THEY_WERE))
