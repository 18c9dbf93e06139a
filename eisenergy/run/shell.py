"""A Python kernel inside this process: ipykernel's own shell and displays behind the interface that nbclient drives.

A kernel of its own costs a notebook a second and a half; a shell in a process that has imported everything costs
milliseconds. What a cell shows goes through the very classes of a real kernel (``ZMQInteractiveShell``, its display
hook and publisher) up to the point where they would send a message; here the message is queued instead, and nbclient
reads it from the queue. So cells, outputs and metadata come out as from a kernel, by the same code.

What a separate process gives for nothing is not here: a cell that hangs cannot be interrupted, and what a notebook
changes in the process (see :mod:`eisenergy.run.isolation`) is there for whoever comes next.
"""

from __future__ import annotations

import asyncio
import atexit
import builtins
import codecs
import contextvars
import getpass
import io
import os
import queue
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace
from typing import Any, Final, Literal, NoReturn

from ipykernel.compiler import XCachingCompiler
from ipykernel.ipkernel import IPythonKernel
from ipykernel.jsonutil import json_clean
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell
from jupyter_client.session import Session
from nbclient.exceptions import DeadKernelError
from traitlets.config import Config

Message = dict[str, Any]

_clean: Any = json_clean
_CHANNELS: Final = (("stdout", 1), ("stderr", 2))


class AlreadyInASession(RuntimeError):
    """A notebook was to run in a process that is an IPython session itself: its variables would be overwritten."""


class _Outbox(Session):
    """A session whose messages stay here, in the order in which a kernel would have sent them."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.sent: deque[Message] = deque()

    def send(  # type: ignore[override]
        self, _stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, **_: Any
    ) -> Message:
        message: Message = (
            msg_or_type if isinstance(msg_or_type, dict) else self.msg(msg_or_type, content, parent=parent)
        )
        self.sent.append(message)
        return message


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


class Kernel:
    """Kernel manager and kernel client in one, as far as nbclient uses them.

    Open one with :func:`started`.
    """

    has_kernel: Final = True
    ipykernel: Final = True
    allow_stdin = False

    def __init__(self) -> None:
        self._outbox = _Outbox()
        self._replies: deque[Message] = deque()
        self._context = contextvars.Context()
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as a kernel does
        self._parent: Message = {}
        self._streams = tuple(_Stream(name, descriptor, self._publish) for name, descriptor in _CHANNELS)
        self.shell_channel = SimpleNamespace(get_msg=self._reply)
        self.iopub_channel = SimpleNamespace(get_msg=self._published)
        self.shell = _new_shell(self._outbox)
        self.shell.displayhook.session = self._outbox
        self.shell.displayhook.topic = b"execute_result"
        self.shell.display_pub.session = self._outbox
        with suppress(ModuleNotFoundError):
            self.shell.extension_manager.load_extension("storemagic")  # a kernel's one default extension

    def client(self) -> Kernel:
        """Return the client's side."""
        return self

    def start_channels(self) -> None:
        """Nothing to open."""

    def wait_for_ready(self, timeout: float | None = None) -> None:
        """It is ready.

        :param timeout: not needed
        """

    def is_alive(self) -> bool:
        """Whether cells can be executed: until one of them called ``exit``."""
        return not self.shell.exit_now

    def kernel_info(self) -> str:
        """Ask for what Papermill writes into the notebook about the language."""
        request = self._outbox.msg("kernel_info_request")
        content = {"status": "ok", "language_info": dict(IPythonKernel.language_info)}
        self._replies.append(self._outbox.msg("kernel_info_reply", content, parent=request["header"]))
        return str(request["msg_id"])

    async def execute(self, code: str, *, store_history: bool = True, stop_on_error: bool = True) -> str:
        """Execute a cell, here and now; what it shows and its reply wait in the channels.

        :param stop_on_error: not needed: nothing waits behind this cell
        :returns: the request's id, which its messages name
        :raises nbclient.exceptions.DeadKernelError: when an earlier cell ended the session
        """
        del stop_on_error
        if not self.is_alive():
            raise DeadKernelError("Kernel died")
        request = self._outbox.msg("execute_request", {"code": code})
        self._parent = request["header"]
        self._outbox.sent.clear()
        self.shell.set_parent(request)
        self._state("busy")
        shown = {"code": code, "execution_count": self.shell.execution_count}
        self._outbox.send(None, "execute_input", shown, self._parent)
        with self._as_standard_output():
            content = await self._run(code, store_history)
            for stream in self._streams:
                stream.flush()
        self._replies.append(self._outbox.msg("execute_reply", _clean(content), parent=self._parent))
        self._state("idle")
        return str(request["msg_id"])

    async def _run(self, code: str, store_history: bool) -> Message:
        """As ``IPythonKernel.do_execute`` does it."""
        shell = self.shell
        transformed, problem = code, None
        try:
            transformed = shell.transform_cell(code)
        except Exception:
            problem = sys.exc_info()
        if shell.should_run_async(code, transformed_cell=transformed, preprocessing_exc_tuple=problem):
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
            result = self._context.run(shell.run_cell, code, store_history=store_history)
        content: Message = {"execution_count": shell.execution_count - 1, "user_expressions": {}}
        content["payload"] = shell.payload_manager.read_payload()
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

    @contextmanager
    def _as_standard_output(self) -> Iterator[None]:
        kept = sys.stdout, sys.stderr, builtins.input, getpass.getpass
        sys.stdout, sys.stderr = self._streams
        builtins.input = getpass.getpass = _no_input
        try:
            yield
        finally:
            sys.stdout, sys.stderr, builtins.input, getpass.getpass = kept

    def _state(self, state: Literal["busy", "idle"]) -> None:
        self._outbox.send(None, "status", {"execution_state": state}, self._parent)

    def _publish(self, name: str, text: str) -> None:
        self._outbox.send(None, "stream", {"name": name, "text": text}, self._parent)

    async def _reply(self, timeout: float | None = None) -> Message:
        del timeout
        return _next(self._replies)

    async def _published(self, timeout: float | None = None) -> Message:
        del timeout
        return _next(self._outbox.sent)


def _new_shell(session: Session) -> Any:
    return ZMQInteractiveShell.instance(
        config=Config({"HistoryManager": {"hist_file": ":memory:"}}),  # as nbclient starts kernels
        user_ns={},
        kernel=SimpleNamespace(eventloop=None, session=session),
        compiler_class=XCachingCompiler,
    )


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
            ZMQInteractiveShell.clear_instance()
            if kernel is not None:
                kernel.shell.restore_sys_module_state()
                atexit.unregister(kernel.shell.atexit_operations)
                with suppress(Exception):  # a notebook may have broken its shell; nobody uses it any more
                    kernel.shell.atexit_operations()
                    kernel.shell.history_manager.db.close()
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


def _next(messages: deque[Message]) -> Message:
    if not messages:
        raise queue.Empty
    return messages.popleft()


def _no_input(*_: object, **__: object) -> NoReturn:
    raise StdinNotImplementedError(
        "raw_input was called, but this frontend does not support input requests."  # a kernel's own words
    )
