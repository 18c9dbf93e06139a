"""A run that makes many objects and no cycles: looking for cycles among them takes a tenth of its time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

RARELY: Final = 200_000
"""Objects made, and not freed, until the youngest are looked at; Python's own number is 700."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Have Python look for cycles seldom, but look, until the ``with`` ends; of several at once the first decides."""
    before = gc.get_threshold()
    if not 0 < before[0] < RARELY:  # switched off, or one of us is at work
        yield
        return
    gc.set_threshold(RARELY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
