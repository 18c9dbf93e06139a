"""What a cell's value shows, for values that bring everything along themselves.

IPython asks a dozen formatters about every value, each with several look-ups. A panel or chart of ours has ``_repr_mimebundle_``
and nothing else to show; that much is seen from its class. For every other value, and where a notebook registered a formatter
for it, IPython's own code decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from IPython.core.formatters import BaseFormatter, DisplayFormatter

Formatted = tuple[dict[str, Any], dict[str, Any]]

_BUNDLE: Final = "_repr_mimebundle_"
_FORMATTERS: Final = ("ipython_display_formatter", "mimebundle_formatter", "formatters")
_ASKED: Final = ("print_method", "enabled", "type_printers", "deferred_printers", "singleton_printers")


def ask(stock: Any) -> None:
    """Ask a shell's formatters for everything that is asked for every value: traits are made when they are asked for."""
    found = _traits(stock, *_FORMATTERS)
    for formatter in (found[0], found[1], *found[2].values()):
        _traits(formatter, *_ASKED)


def formatter_of(stock: DisplayFormatter) -> Callable[..., Formatted]:
    """Return what takes the place of a shell's ``display_formatter.format``."""
    as_ever: Any = stock.format

    def format_(obj: Any, include: Any = None, exclude: Any = None) -> Any:
        if include or exclude or not _brings_all(stock, obj):
            return as_ever(obj, include=include, exclude=exclude)
        try:
            shown = obj._repr_mimebundle_(include=None, exclude=None)
        except Exception:
            return as_ever(obj)  # it fails again, and IPython says so
        data, metadata = shown if isinstance(shown, tuple) and len(shown) == 2 else (shown, {})
        if type(data) is not dict or type(metadata) is not dict or "text/plain" not in data:
            return as_ever(obj)
        return data, metadata

    return format_


def _brings_all(stock: Any, obj: Any) -> bool:
    """Whether a value's class has a bundle and nothing else that IPython would show, and no formatter knows it in particular."""
    kind: Any = type(obj)
    if (
        type(kind) is not type
        or not callable(getattr(kind, _BUNDLE, None))
        or kind.__dictoffset__  # it could have methods of its own
        or any("__getattribute__" in vars(each) for each in kind.__mro__[:-1])
        or hasattr(kind, "__getattr__")
    ):
        return False
    mro = kind.__mro__
    found = _traits(stock, *_FORMATTERS)
    for formatter in (found[0], found[1], *found[2].values()):
        if not isinstance(formatter, BaseFormatter):
            return False
        known = formatter._trait_values
        try:
            method, enabled, types = known["print_method"], known["enabled"], known["type_printers"]
            deferred, singletons = known["deferred_printers"], known["singleton_printers"]
        except KeyError:
            method, enabled, types, deferred, singletons = _traits(formatter, *_ASKED)
        if not enabled or (method != _BUNDLE and hasattr(kind, method)) or (singletons and id(obj) in singletons):
            return False
        if types and not types.keys().isdisjoint(mro):
            return False
        if deferred and not deferred.keys().isdisjoint([(each.__module__, each.__name__) for each in mro]):
            return False
    return True


def _traits(formatter: Any, *names: str) -> list[Any]:
    """Values of traits; reading a dozen formatters' through their descriptors would take as long as what is saved."""
    try:
        return [*map(formatter._trait_values.__getitem__, names)]
    except KeyError:  # not asked for yet
        return [getattr(formatter, name) for name in names]
