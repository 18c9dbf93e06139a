"""Arrays that are used again: memory that is asked for anew is cleared page by page, which takes longer than filling it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_Kind = tuple[int, str]


class Spares:
    """Arrays of one dimension that nobody uses any more. Several threads may take and give at once.

    :param none: keep nothing; each array is a new one
    """

    def __init__(self, *, none: bool = False) -> None:
        self._none = none
        self._free: defaultdict[_Kind, list[npt.NDArray[Any]]] = defaultdict(list)

    def empty(self, size: int, dtype: type) -> npt.NDArray[Any]:
        """Return an array that holds anything."""
        # It is the beginning of one whose size is a power of two, so that the next may be somewhat longer; what is never touched of
        # it takes no memory.
        room = 1 << max(size - 1, 0).bit_length()
        try:
            whole = self._free[room, np.dtype(dtype).str].pop()
        except IndexError:
            whole = np.empty(room, dtype=dtype)
        return whole[:size]

    def full(self, size: int, value: Any, dtype: type) -> npt.NDArray[Any]:
        """Return an array of one value."""
        result = self.empty(size, dtype)
        result.fill(value)
        return result

    def give(self, *arrays: npt.NDArray[Any] | None) -> None:
        """Take arrays back; whoever gives one has no other use for it, nor has anybody else."""
        for array in arrays:
            if array is not None and not self._none:
                whole = array if array.base is None else array.base
                self._free[len(whole), whole.dtype.str].append(whole)


NO_SPARES: Final = Spares(none=True)
"""Nothing is used again."""
