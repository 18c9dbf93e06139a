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
import decimal
import locale
import operator
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Final

GUARDED: Final = ("eisenergy", "decimal", "datetime", "zoneinfo", "json", "math", "fractions")
"""Packages whose functions and classes decide what a document says."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM) if hasattr(signal, "SIGALRM") else (signal.SIGINT,)

_COME_AND_GO: Final = {"__warningregistry__", "__annotations__"}
"""Python makes these when a module warns and when somebody asks."""

Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Guarded:
    """What a module or a class held, to be compared fast: tens of thousands of attributes, after every notebook.

    :param space: the live namespace
    :param values: the objects themselves, so that no other can take the place of one of them in memory
    """

    name: str
    module: ModuleType
    space: Attributes
    names: list[str]
    values: list[Any]

    @classmethod
    def of(cls, name: str, module: ModuleType, space: Attributes) -> Guarded:
        """Note what a namespace holds."""
        return cls(name, module, space, list(space), list(space.values()))

    def same(self) -> bool:
        """Whether it holds the same objects under the same names; by identity, since equality of arrays is no answer."""
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

    :param guarded: what modules and their classes held
    """

    environment: Mapping[str, str]
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

    @classmethod
    def take(cls) -> Baseline:
        """Note the state of this process, as it is now."""
        return cls(
            environment=dict(os.environ),
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
            guarded=tuple(_guarded()),
        )

    def grown(self) -> Baseline:
        """Return the same with the modules that were loaded since, before any notebook."""
        if not (new := self._new()):
            return self
        more = (one for one in _guarded() if one.module.__name__ in new)
        return replace(self, guarded=(*self.guarded, *more))

    def _new(self) -> frozenset[str]:
        known = {before.name for before in self.guarded}
        return frozenset(
            name for name, module in list(sys.modules.items()) if name not in known and _is_guarded(name, module)
        )

    def restore(self) -> tuple[str, ...]:
        """Put back what can be put back, and give random generators a state nobody knows.

        :returns: what is still not as it was, as a person would say it; empty when nothing is
        """
        self.put_back()
        return tuple(self._left())

    def put_back(self) -> None:
        """Put back what can be put back, as between two notebooks of one customer."""
        if (found := dict(os.environ)) != self.environment:
            for name in set(found) - set(self.environment):
                del os.environ[name]
            for name, value in self.environment.items():
                if found.get(name) != value:
                    os.environ[name] = value
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
