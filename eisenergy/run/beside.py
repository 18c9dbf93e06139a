"""A closer look at months that are not clean, in a thread beside the reading of the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from eisenergy.desk.blemished import Blemished, blemished_months
from eisenergy.desk.masters import Masters
from eisenergy.period import BillingMonth
from eisenergy.store.roster import Listed

AT_A_TIME: Final = 32
"""Contracts that are looked at together: of ten thousand customers some hundred are, and what they share is read for each lot."""

_Looked = list[tuple[Listed, Blemished]]


class Beside:
    """Looks closely at contracts, a lot after the other; a context manager."""

    def __init__(self, common: Masters, month: BillingMonth) -> None:
        self._common, self._month = common, month
        self._waiting: list[Listed] = []
        self._looking: deque[Future[_Looked]] = deque()
        self._thread = ThreadPoolExecutor(1)

    def put(self, contracts: Sequence[Listed]) -> None:
        """Take contracts whose month is not clean."""
        self._waiting += contracts
        if len(self._waiting) >= AT_A_TIME:
            self._look()

    def done(self) -> Iterator[_Looked]:
        """Yield the lots that have been looked at."""
        while self._looking and self._looking[0].done():
            yield self._looking.popleft().result()

    def rest(self) -> Iterator[_Looked]:
        """Yield the lots that are still to come."""
        if self._waiting:
            self._look()
        while self._looking:
            yield self._looking.popleft().result()

    def _look(self) -> None:
        self._looking.append(self._thread.submit(self._found, self._waiting))
        self._waiting = []

    def _found(self, contracts: Sequence[Listed]) -> _Looked:
        found = blemished_months(self._common, [listed.contract() for listed in contracts], self._month)
        return list(zip(contracts, found, strict=True))

    def __enter__(self) -> Beside:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)
