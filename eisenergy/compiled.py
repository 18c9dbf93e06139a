"""Numba, for the modules that compile: loaded without SciPy, which it looks for and nothing here computes with.

Before Numba loads the first compiled function, it imports ``scipy.linalg`` to learn whether matrices can be multiplied: nearly half of what
loading compiled functions costs. While it looks, SciPy is not to be found; afterwards it is, as before.
"""

from __future__ import annotations

import sys
from importlib import import_module

import numba as numba
from numba import types as types

_SCIPY = "scipy.linalg"


def _settle() -> None:
    """Have Numba look for SciPy now."""
    if _SCIPY in sys.modules:
        return  # somebody needs it: it costs nothing more
    sys.modules[_SCIPY] = None  # type: ignore[assignment]  # what the import system takes for "not there"
    try:
        import_module("numba.np.arraymath")
    finally:
        del sys.modules[_SCIPY]


_settle()
