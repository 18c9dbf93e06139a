"""A Python kernel inside this process: ipykernel's own shell and displays for :mod:`eisenergy.run.engine` to drive.

A kernel of its own costs a notebook a second and a half; a shell in a process that has imported everything costs
milliseconds. What a cell shows goes through the very classes of a real kernel (``ZMQInteractiveShell``, its display
hook and publisher) up to the point where they would send a message; here the message is kept instead, and nbclient's
own code makes outputs of it. So cells, outputs and metadata come out as from a kernel, by the same code.

What a separate process gives for nothing is not here: a cell that hangs cannot be interrupted, and what a notebook
changes in the process (see :mod:`eisenergy.run.isolation`) is there for whoever comes next.
"""

from __future__ import annotations

import asyncio
import builtins
import codecs
import contextvars
import getpass
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from ipykernel.ipkernel import IPythonKernel
from ipykernel.jsonutil import json_clean
from IPython.core.async_helpers import _pseudo_sync_runner
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell
from nbclient.exceptions import DeadKernelError

from eisenergy.run import shells, straight
from eisenergy.run.cells import awaits
from eisenergy.run.shells import Message

_clean: Any = json_clean
_run_to_end: Any = _pseudo_sync_runner
_CHANNELS: Final = (("stdout", 1), ("stderr", 2))


class AlreadyInASession(RuntimeError):
    """A notebook was to run in a process that is an IPython session itself: its variables would be overwritten."""


class _Stream(io.TextIOBase):
    """``sys.stdout`` or ``sys.stderr`` of a cell; what programs and C libraries write to its descriptor joins it.

    As in a kernel, text is kept until something is displayed or the cell ends.

    :param descriptor: 1 or 2, which leads to a file while a notebook runs
    :param publish: takes the name and the text
    """

    encoding = "UTF-8"
    errors = None

    def __init__(self, name: str, descriptor: int, publish: Callable[[str, str], None]) -> None:
        self.name = name
        self._descriptor = descriptor
        self._publish = publish
        self._text: list[str] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._read = os.fstat(descriptor).st_size

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text)}")
        self._join_descriptor()
        self._text.append(text)
        return len(text)

    def flush(self) -> None:
        self._join_descriptor()
        text = "".join(self._text)
        self._text.clear()
        if text:
            self._publish(self.name, text)

    def _join_descriptor(self) -> None:
        if written := b"".join(iter(self._more, b"")):
            self._text.append(self._decoder.decode(written))

    def _more(self) -> bytes:
        part = os.pread(self._descriptor, 1 << 16, self._read)
        self._read += len(part)
        return part


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """What came of a cell.

    :param shown: messages with what it shows
    :param reply: as a kernel's ``execute_reply``
    :param count: its number
    :param times: what nbclient notes of a kernel's messages: name -> UTC instant
    """

    shown: list[Message]
    reply: Message
    count: int
    times: dict[str, str]


class Kernel:
    """What executes cells and says what they show.

    Open one with :func:`started`.
    """

    has_kernel: Final = True
    ipykernel: Final = True
    allow_stdin = False

    def __init__(self) -> None:
        self._made = shells.take()
        self._outbox = self._made.outbox
        self._context = contextvars.Context()
        self._parent: Message = {}
        self._streams = tuple(_Stream(name, descriptor, self._publish) for name, descriptor in _CHANNELS)
        self.shell = self._made.shell
        self._made.enter()

    def end(self) -> None:
        """Let go of its shell."""
        self._made.leave()

    def is_alive(self) -> bool:
        """Whether cells can be executed: until one of them called ``exit``."""
        return not self.shell.exit_now

    @property
    def language(self) -> dict[str, Any]:
        """What Papermill writes into the notebook about the language."""
        return dict(IPythonKernel.language_info)

    async def execute(self, code: str, *, store_history: bool = True) -> Executed:
        """Execute a cell, here and now.

        :returns: what it shows, its reply, and when it did what, as a front end would note it
        :raises nbclient.exceptions.DeadKernelError: when an earlier cell ended the session
        """
        if not self.is_alive():
            raise DeadKernelError("Kernel died")
        request = self._outbox.msg("execute_request", {"code": code})
        self._parent = request["header"]
        self._outbox.sent.clear()
        self.shell.set_parent(request)
        # A kernel says that it is busy, repeats the cell, and says that it is idle: three messages that carry only their times.
        count = self.shell.execution_count
        times = dict.fromkeys(("iopub.status.busy", "iopub.execute_input"), _now())
        with self._as_standard_output():
            content = await self._run(code, store_history)
            for stream in self._streams:
                stream.flush()
        times["shell.execute_reply"] = times["iopub.status.idle"] = _now()
        shown = list(self._outbox.sent)
        self._outbox.sent.clear()
        return Executed(shown=shown, reply={"content": _clean(content)}, count=count, times=times)

    async def _run(self, code: str, store_history: bool) -> Message:
        """As ``IPythonKernel.do_execute`` does it."""
        shell = self.shell
        transformed, problem = code, None
        plain = straight.unchanged(shell)
        try:
            transformed = straight.transformed(shell, code) if plain else shell.transform_cell(code)
        except Exception:
            problem = sys.exc_info()
        if shell.autoawait and problem is None and awaits(transformed):  # as should_run_async says
            result = None
            shell._last_traceback = None
            shell._last_traceback_during_displayhook = False
            try:
                cell = shell.run_cell_async(
                    code,
                    store_history=store_history,
                    transformed_cell=transformed,
                    preprocessing_exc_tuple=problem,
                )
                result = await asyncio.get_running_loop().create_task(cell, context=self._context.copy())
            finally:
                shell.events.trigger("post_execute")
                shell.events.trigger("post_run_cell", result)
        else:
            # One context for all cells: a decimal context that one of them sets is there in the next.
            plain = plain and problem is None and store_history
            result = self._context.run(self._run_plain, code, transformed, problem, store_history, plain)
        content: Message = {"execution_count": shell.execution_count - 1, "user_expressions": {}}
        content["payload"] = shell.payload_manager.read_payload()
        if content["payload"]:
            shell.payload_manager.clear_payload()
        if result.success and not shell._last_traceback_during_displayhook:
            return {**content, "status": "ok"}
        error = result.error_before_exec if result.error_before_exec is not None else result.error_in_exec
        return {
            **content,
            "status": "error",
            "traceback": shell._last_traceback or [],
            "ename": type(error).__name__,
            "evalue": str(error),
        }

    def _run_plain(self, code: str, transformed: str, problem: Any, store_history: bool, plain: bool) -> Any:
        """As ``InteractiveShell.run_cell`` does it, which would transform the cell once more.

        :param plain: whether :mod:`eisenergy.run.straight` may be tried
        """
        shell = self.shell
        shell._last_traceback = None
        shell._last_traceback_during_displayhook = False
        result = None
        try:
            if plain:
                result = straight.run(shell, code, transformed)
            if result is None:
                cell = shell.run_cell_async(
                    code, store_history=store_history, transformed_cell=transformed, preprocessing_exc_tuple=problem
                )
                result = _run_to_end(cell)
        finally:
            shell.events.trigger("post_execute")
            shell.events.trigger("post_run_cell", result)
        return result

    @contextmanager
    def _as_standard_output(self) -> Iterator[None]:
        kept = sys.stdout, sys.stderr, builtins.input, getpass.getpass
        sys.stdout, sys.stderr = self._streams
        builtins.input = getpass.getpass = _no_input
        try:
            yield
        finally:
            sys.stdout, sys.stderr, builtins.input, getpass.getpass = kept

    def _publish(self, name: str, text: str) -> None:
        self._outbox.send(None, "stream", {"name": name, "text": text}, self._parent)


@contextmanager
def started() -> Iterator[Kernel]:
    """Give a kernel with nothing in it; its shell is gone afterwards, and what IPython changed in ``sys`` is undone.

    Descriptors 1 and 2 lead to files meanwhile, so that a program a cell starts shows what it prints. Warning filters are
    a notebook's own.

    :raises AlreadyInASession: inside IPython or Jupyter
    """
    if InteractiveShell.initialized():
        raise AlreadyInASession(
            "a notebook cannot run inside this IPython session: leave engine_name out, so that it gets a kernel of its own"
        )
    main = sys.modules["__main__"]
    kept = sys.excepthook, sys.displayhook, list(sys.path)
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        for _, descriptor in _CHANNELS:
            stack.enter_context(_to_a_file(descriptor))
        kernel: Kernel | None = None
        try:
            kernel = Kernel()
            yield kernel
        finally:
            if kernel is not None:
                kernel.end()
            sys.modules["__main__"] = main
            sys.excepthook, sys.displayhook, sys.path[:] = kept[0], kept[1], kept[2]


_OURS: Final[set[int]] = set()
"""Descriptors that lead to a file for good, in children of :mod:`eisenergy.run.nursery`."""


def write_to(file: int, descriptor: int) -> None:
    """Let 1 or 2 lead to an open file for the rest of this process's life; who holds it can read its last words.

    :param file: a descriptor that can be read, and is written at its end
    """
    os.dup2(file, descriptor)
    _OURS.add(descriptor)


@contextmanager
def _to_a_file(descriptor: int) -> Iterator[None]:
    if descriptor in _OURS:
        yield
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    before = os.dup(descriptor)
    try:
        with tempfile.TemporaryFile("a+b", buffering=0) as file:
            os.dup2(file.fileno(), descriptor)
            try:
                yield
            finally:
                os.dup2(before, descriptor)
    finally:
        os.close(before)


def _now() -> str:
    """The instant as nbclient writes it."""
    return f"{datetime.now(UTC).isoformat(timespec='microseconds')[:-6]}Z"


def _no_input(*_: object, **__: object) -> NoReturn:
    raise StdinNotImplementedError(
        "raw_input was called, but this frontend does not support input requests."  # a kernel's own words
    )
