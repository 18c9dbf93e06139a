"""IPython shells, made before they are needed.

A shell takes 15 ms to make, and every notebook must have a new one: what a notebook changes in its shell (formatters, events,
magics, history) is nobody else's. The parent of :mod:`eisenergy.run.nursery` makes a shelf of them before it forks; every child
then has the whole shelf as its own copy, and takes one per notebook. Where none is left, one is made.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

from ipykernel.zmqshell import ZMQInteractiveShell
from jupyter_client._version import protocol_version
from jupyter_client.session import Session, extract_header
from traitlets.config import Config

from eisenergy.run import straight
from eisenergy.run.cells import Compiler, Transformer, ends_in_semicolon
from eisenergy.run.displays import ask, formatter_of

Message = dict[str, Any]
Classes = tuple[Any, ...]

_header_of: Any = extract_header

CACHED_LINES: Final = 1000
"""Cells after which IPython writes its history into the database in memory that every shell has."""


class Outbox(Session):
    """A session whose messages stay here, in the order in which a kernel would have sent them."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.sent: deque[Message] = deque()
        self._who = str(self.session), str(self.username)

    def msg(
        self, msg_type: str, content: Any = None, parent: Any = None, header: Any = None, metadata: Any = None
    ) -> Message:
        """Return a message, as a session does, from names that are looked up once."""
        if header is None:
            number, (session, username) = self.message_count, self._who
            self.message_count = number + 1
            header = {
                "msg_id": f"{session}_{os.getpid()}_{number}",
                "msg_type": msg_type,
                "username": username,
                "session": session,
                "date": datetime.now(UTC),
                "version": protocol_version,
            }
        return {
            "header": header,
            "msg_id": header["msg_id"],
            "msg_type": header["msg_type"],
            "parent_header": {} if parent is None else _header_of(parent),
            "content": {} if content is None else content,
            "metadata": {**self.metadata, **(metadata or {})},
        }

    def send(  # type: ignore[override]
        self, _stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, **_: Any
    ) -> Message:
        """Keep a message."""
        message: Message = (
            msg_or_type if isinstance(msg_or_type, dict) else self.msg(msg_or_type, content, parent=parent)
        )
        self.sent.append(message)
        return message


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A shell with nothing in it that no notebook has used.

    :param environment: variables that a kernel sets
    :param path: what a kernel has in front of ``sys.path``
    """

    shell: Any
    outbox: Outbox
    environment: dict[str, str]
    path: tuple[str, ...]

    def enter(self) -> None:
        """Make it this process's shell, as a kernel does when it starts."""
        os.environ.update(self.environment)
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")  # as a kernel does
        sys.path[:0] = self.path
        self.shell.save_sys_module_state()
        sys.modules["__main__"] = self.shell.user_module
        for kind in _classes():
            kind._instance = self.shell

    def leave(self) -> None:
        """Let go of it, and of everything that its notebook left in it."""
        shell, history = self.shell, self.shell.history_manager
        ZMQInteractiveShell.clear_instance()
        shell.restore_sys_module_state()
        # IPython's own reset collects garbage, 15 to 40 ms each time. What holds a notebook's data is let go of by hand.
        shell._atexit_once_called = True
        with suppress(Exception):  # a notebook may have broken its shell; nobody uses it any more
            history.close()  # without writing its last lines: the database was in memory
            shell.atexit_operations()
        shell.displayhook._ = shell.displayhook.__ = shell.displayhook.___ = ""
        shell.last_execution_result = shell._last_traceback = None
        with suppress(Exception):
            history.output_hist.clear()
            history.outputs.clear()  # of IPython's class, not of one shell: the next notebook would find them
            history.exceptions.clear()
        shell.user_ns.clear()
        self.outbox.sent.clear()


_SHELF: Final[deque[Shell]] = deque()


def stock(count: int) -> None:
    """Make shells until so many are on the shelf."""
    while len(_SHELF) < count:
        _SHELF.append(_made())


def take() -> Shell:
    """Return one that nobody has used."""
    return _SHELF.pop() if _SHELF else _made()


def _made() -> Shell:
    kept = sys.modules["__main__"], sys.excepthook, sys.displayhook, list(sys.path), dict(os.environ)
    outbox = Outbox()
    kind: Any = ZMQInteractiveShell
    try:
        shell: Any = kind(
            # As nbclient starts kernels; what nobody reads is not written after every cell.
            config=Config({"HistoryManager": {"hist_file": ":memory:", "db_cache_size": CACHED_LINES}}),
            user_ns={},
            kernel=SimpleNamespace(eventloop=None, session=outbox),
            compiler_class=Compiler,
        )
        atexit.unregister(shell.atexit_operations)
        shell.compile.shell = shell
        shell.input_transformer_manager = Transformer()  # type: ignore[no-untyped-call]
        shell.displayhook.semicolon_at_end_of_expression = ends_in_semicolon
        shell.displayhook.session = shell.display_pub.session = outbox
        shell.displayhook.topic = b"execute_result"
        with suppress(ModuleNotFoundError):
            shell.extension_manager.load_extension("storemagic")  # a kernel's one default extension
        straight.settle(shell)
        formatter = shell.display_formatter
        ask(formatter)
        formatter.format = formatter_of(formatter)
        return Shell(
            shell=shell,
            outbox=outbox,
            environment={name: value for name, value in os.environ.items() if kept[4].get(name) != value},
            path=tuple(entry for entry in sys.path if entry not in kept[3]),
        )
    finally:
        sys.modules["__main__"], sys.excepthook, sys.displayhook, sys.path[:] = kept[:4]
        for name in set(os.environ) - set(kept[4]):
            del os.environ[name]
        os.environ.update(kept[4])


def _classes() -> Classes:
    classes: Classes = tuple(ZMQInteractiveShell._walk_mro())
    return classes
