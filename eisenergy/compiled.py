"""Numba, for the modules that compile: loaded without what it looks for and nothing here needs.

Before Numba loads the first compiled function, it imports ``scipy.linalg`` to learn whether matrices can be multiplied: nearly half of what
loading compiled functions costs; and ``cffi`` with its parser of C, to call functions of libraries: a tenth. It imports ``coverage`` where it is
installed, to tell it which lines it compiled: a tenth of what loading Numba costs. While it looks they are not to be found; afterwards they
are, as before. What somebody has loaded already is found, so a run that measures coverage gets its lines.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def _not_to_be_found(*names: str) -> Iterator[None]:
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is what the import system takes for "not there"
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _not_to_be_found("coverage"):
    import numba as numba
    from numba import types as types

with _not_to_be_found("scipy.linalg", "cffi", "pycparser"):
    import_module("numba.np.arraymath")
    import_module("numba.core.typing.cffi_utils")
