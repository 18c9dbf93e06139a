"""What a notebook may change in its process, put back before the next one runs; and what cannot be put back, found.

Notebooks of one batch share a process. A kernel process forgets by dying; here environment, built-in names, working directory,
decimal defaults, random generators, import path, warning filters and the like are restored, and then everything that a bill
could depend on is compared with what it was. Whatever differs still (a patched function, a thread that goes on, another
signal handler) is named, and :mod:`eisenergy.run.nursery` lets a fresh process do the rest of the batch.

Not seen are containers that are changed in place (``module.TABLE["x"] = ...``) and packages that :data:`GUARDED` does not name: a
notebook of the house does none of this, and for others there is a batch of one. Modules of the named packages that are first loaded
while a notebook runs may have been changed at once: they count as something that differs.
"""

from __future__ import annotations

import builtins
import ctypes
import decimal
import gc
import itertools
import locale
import operator
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

from eisenergy.config import environment_now

GUARDED: Final = ("eisenergy", "decimal", "datetime", "zoneinfo", "json", "math", "fractions")
"""Packages whose functions and classes decide what a document says."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM) if hasattr(signal, "SIGALRM") else (signal.SIGINT,)

_COME_AND_GO: Final = {"__warningregistry__", "__annotations__"}
"""Python makes these when a module warns and when somebody asks."""

Attributes = Mapping[str, Any]


@dataclass(slots=True)
class Guarded:
    """What a module or a class held, to be compared fast: tens of thousands of attributes, after every customer.

    :param space: the live namespace
    :param values: the objects themselves, so that no other can take the place of one of them in memory
    :param version: where Python counts the namespace's changes; ``None``: it does not say
    :param seen: the version when all was as it was
    """

    name: str
    module: ModuleType
    space: Attributes
    names: list[str]
    values: list[Any]
    version: ctypes.c_uint64 | None = None
    seen: int = 0

    @classmethod
    def of(cls, name: str, module: ModuleType, space: Attributes) -> Guarded:
        """Note what a namespace holds."""
        version = _version_of(space) if _counts_changes() else None
        seen = 0 if version is None else version.value
        return cls(name, module, space, list(space), list(space.values()), version, seen)

    def same(self) -> bool:
        """Whether it holds the same objects under the same names; by identity, since equality of arrays is no answer.

        A namespace whose version is the one that was seen was not touched, so none of its objects is: looking at tens of thousands
        of them takes milliseconds, most of it waiting for memory, and makes a forked child's own copy of each.
        """
        version = self.version
        if version is not None and version.value == self.seen:
            return True
        if not self._compared():
            return False
        if version is not None:
            self.seen = version.value
        return True

    def _compared(self) -> bool:
        return (
            len(self.space) == len(self.values)
            and all(map(operator.is_, self.space.values(), self.values))
            and list(self.space) == self.names
        )

    def attributes(self) -> Attributes:
        """Return what was noted."""
        return _own(dict(zip(self.names, self.values, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A process's state before the first notebook.

    :param environment: encoded as Python holds it
    :param guarded: what modules and their classes held
    :param known: names of the modules that ``guarded`` has, and of those that nobody guards
    """

    environment: Mapping[Any, Any]
    builtins: Attributes
    folder: str
    umask: int
    arguments: tuple[str, ...]
    path: tuple[str, ...]
    filters: tuple[Any, ...]
    decimals: tuple[decimal.Context, ...]
    locale: str
    recursion: int
    handlers: tuple[Any, ...]
    threads: frozenset[int | None]
    guarded: tuple[Guarded, ...]
    known: frozenset[str]

    @classmethod
    def take(cls) -> Baseline:
        """Note the state of this process, as it is now."""
        guarded = tuple(_guarded())
        return cls(
            environment=dict(environment_now()),
            builtins=dict(vars(builtins)),
            folder=os.getcwd(),
            umask=_umask(),
            arguments=tuple(sys.argv),
            path=tuple(sys.path),
            filters=tuple(warnings.filters),
            decimals=tuple(context.copy() for context in _decimals()),
            locale=locale.setlocale(locale.LC_ALL),
            recursion=sys.getrecursionlimit(),
            handlers=tuple(signal.getsignal(number) for number in _SIGNALS),
            threads=frozenset(thread.ident for thread in threading.enumerate()),
            guarded=guarded,
            known=_known(guarded),
        )

    def grown(self) -> Baseline:
        """Return the same with the modules that were loaded since, before any notebook."""
        if not (new := self._new()):
            return self
        guarded = (*self.guarded, *(one for one in _guarded() if one.module.__name__ in new))
        return replace(self, guarded=guarded, known=_known(guarded))

    def _new(self) -> frozenset[str]:
        others = itertools.filterfalse(self.known.__contains__, list(sys.modules))
        return frozenset(name for name in others if _is_guarded(name, sys.modules.get(name)))

    def restore(self) -> tuple[str, ...]:
        """Put back what can be put back, and give random generators a state nobody knows.

        :returns: what is still not as it was, as a person would say it; empty when nothing is
        """
        self.put_back()
        return tuple(self._left())

    def put_back(self) -> None:
        """Put back what can be put back, as between two notebooks of one customer."""
        if (held := environment_now()) != self.environment:
            found, decoded = dict(held), os.environ.decodekey
            for name in set(found) - set(self.environment):
                del os.environ[decoded(name)]
            for name, value in self.environment.items():
                if found.get(name) != value:
                    os.environ[decoded(name)] = os.environ.decodevalue(value)
        names = vars(builtins)
        for name in set(names) - set(self.builtins):
            del names[name]
        names.update(self.builtins)
        os.chdir(self.folder)
        os.umask(self.umask)
        sys.argv[:] = self.arguments
        sys.path[:] = self.path
        if tuple(warnings.filters) != self.filters:
            warnings.filters[:] = self.filters  # type: ignore[index]
            warnings._filters_mutated()  # type: ignore[attr-defined]  # as catch_warnings does
        for context, before in zip(_decimals(), self.decimals, strict=True):
            _set_decimal(context, before)
        decimal.setcontext(decimal.DefaultContext.copy())
        if locale.setlocale(locale.LC_ALL) != self.locale:
            locale.setlocale(locale.LC_ALL, self.locale)
        sys.setrecursionlimit(self.recursion)
        reseed()

    def _left(self) -> Iterator[str]:
        for number, before in zip(_SIGNALS, self.handlers, strict=True):
            if signal.getsignal(number) != before:
                yield f"another handler of {number.name}"
        for thread in threading.enumerate():
            if thread.ident not in self.threads:
                yield f"the thread {thread.name}, which goes on"
        for name in self._new():
            yield f"{name}, which was loaded meanwhile"  # what it held before the notebook had it nobody knows
        for before in self.guarded:
            if sys.modules.get(before.module.__name__) is not before.module:
                yield f"{before.module.__name__}, which is gone"
            elif not before.same():
                yield from (f"{before.name}.{changed}" for changed in _changed(before.attributes(), _own(before.space)))


def reseed() -> None:
    """Give random generators a state nobody knows; a forked child has its parent's, and so have all its siblings."""
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


@contextmanager
def restored() -> Iterator[None]:
    """Run a block and put the process back as it was, as far as it can be; the caller's decimal context and generator, too."""
    before = Baseline.take()
    context, generator = decimal.getcontext().copy(), random.getstate()
    try:
        yield
    finally:
        before.restore()
        decimal.setcontext(context)
        random.setstate(generator)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _decimals() -> tuple[decimal.Context, ...]:
    return decimal.DefaultContext, decimal.BasicContext, decimal.ExtendedContext


def _set_decimal(context: decimal.Context, before: decimal.Context) -> None:
    for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp"):
        if getattr(context, name) != getattr(before, name):
            setattr(context, name, getattr(before, name))
    for flags, old in ((context.flags, before.flags), (context.traps, before.traps)):
        for signal_, value in old.items():
            flags[signal_] = value


def _guarded() -> Iterator[Guarded]:
    """What modules and their classes hold."""
    for name, module in list(sys.modules.items()):
        if not _is_guarded(name, module):
            continue
        yield Guarded.of(name, module, vars(module))
        for key, value in list(vars(module).items()):
            if isinstance(value, type) and value.__module__ == name:
                yield Guarded.of(f"{name}.{key}", module, vars(value))


def _known(guarded: Sequence[Guarded]) -> frozenset[str]:
    """Names of modules that need not be looked for among the loaded: the noted ones, and those of other packages."""
    others = (name for name in list(sys.modules) if name.partition(".")[0] not in GUARDED)
    return frozenset((*others, *(one.name for one in guarded)))


@lru_cache(maxsize=1)
def _counts_changes() -> bool:
    """Whether this Python gives a dictionary another version with every change of it, and where :func:`_version_of` looks.

    CPython does since PEP 509 (3.6) and until 3.13. It is tried: a dictionary and a class, each changed in every way.
    """
    if sys.implementation.name != "cpython":
        return False

    class Tried:
        first = 1

    tried: dict[str, int] = {"first": 1}
    changes: tuple[Callable[[], object], ...] = (
        lambda: tried.update(first=2),
        lambda: tried.update(second=2),
        lambda: tried.pop("second"),
        lambda: setattr(Tried, "first", 2),
        lambda: setattr(Tried, "second", 2),
        lambda: delattr(Tried, "second"),
    )
    for number, change in enumerate(changes):
        version = _version_of(tried if number < 3 else vars(Tried))
        if version is None:
            return False
        before = version.value
        _ = tried["first"], Tried.first, list(tried), dir(Tried)
        if version.value != before:
            return False
        change()
        if version.value == before:
            return False
    return True


def _version_of(space: Attributes) -> ctypes.c_uint64 | None:
    """Where a dictionary's version stands: behind its head and the number of its entries (``ma_version_tag``)."""
    if not isinstance(space, dict):
        behind = [each for each in gc.get_referents(space) if type(each) is dict]  # of a class: a view of one
        if len(behind) != 1:
            return None
        space = behind[0]
    return ctypes.c_uint64.from_address(id(space) + object.__basicsize__ + ctypes.sizeof(ctypes.c_ssize_t))


def _is_guarded(name: str, module: object) -> bool:
    return name.partition(".")[0] in GUARDED and isinstance(module, ModuleType) and module.__name__ == name


def _own(namespace: Attributes) -> Attributes:
    """Without modules, which come when they are needed, and what Python notes in abstract classes."""
    return {
        key: value
        for key, value in namespace.items()
        if not isinstance(value, ModuleType) and not key.startswith("_abc_")
    }


def _changed(before: Attributes, found: Attributes) -> Iterator[str]:
    """Names that stand for another object, or are new or gone. By identity: equality of arrays is no answer."""
    if len(before) != len(found) or any(found.get(name) is not value for name, value in before.items()):
        for name in sorted({*before, *found} - _COME_AND_GO):
            if name not in before or name not in found or before[name] is not found[name]:
                yield name
