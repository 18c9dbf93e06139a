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
        try:
            return self._free[size, np.dtype(dtype).str].pop()
        except IndexError:
            return np.empty(size, dtype=dtype)

    def full(self, size: int, value: Any, dtype: type) -> npt.NDArray[Any]:
        """Return an array of one value."""
        result = self.empty(size, dtype)
        result.fill(value)
        return result

    def give(self, *arrays: npt.NDArray[Any] | None) -> None:
        """Take arrays back; whoever gives one has no other use for it, nor has anybody else."""
        for array in arrays:
            if array is not None and not self._none:
                self._free[len(array), array.dtype.str].append(array)


NO_SPARES: Final = Spares(none=True)
"""Nothing is used again."""
