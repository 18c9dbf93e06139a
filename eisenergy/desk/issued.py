"""A contract's issued invoices by month, in outline; those are read that are looked at: a customer has a hundred, and a page shows thirteen."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import Final

from eisenergy.accounts import Scope
from eisenergy.ledger.invoices import Invoice
from eisenergy.period import BillingMonth
from eisenergy.store import outlines
from eisenergy.store.database import Database
from eisenergy.store.outlines import Posted
from eisenergy.store.remembered import Remembered

_READ: Final = Remembered[Invoice](1024)  # some ten kilobytes each


class Issued(Mapping[BillingMonth, Invoice]):
    """Month -> invoice in outline (:mod:`eisenergy.store.outlines`), for one request.

    :param lines: the contract's, one a month, as the scope sees them now
    """

    def __init__(self, database: Database, scope: Scope, lines: Iterable[Posted]) -> None:
        self._database, self._scope = database, scope
        self._lines = {line.month: line for line in lines}
        self._read: dict[BillingMonth, Invoice] = {}

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """Number and input hash of every one: invoices never change, so these name everything in them."""
        return tuple(sorted((line.number, line.input_hash) for line in self._lines.values()))

    def fetch(self, months: Collection[BillingMonth]) -> None:
        """Read those of some months together."""
        wanted = [self._lines[month] for month in months if month in self._lines and month not in self._read]
        missing = []
        for line in wanted:
            kept = _READ.find(self._key(line))
            if kept is None:
                missing.append(line.number)
            else:
                self._read[line.month] = kept
        for invoice in outlines.outlines(self._database, self._scope, missing) if missing else ():
            self._read[invoice.month] = invoice
            _READ.keep(self._key(self._lines[invoice.month]), invoice)

    def _key(self, line: Posted) -> Hashable:
        return self._database.app_url, self._scope, line

    def __getitem__(self, month: BillingMonth) -> Invoice:
        if month not in self._lines:
            raise KeyError(month)
        self.fetch([month])
        return self._read[month]

    def __contains__(self, month: object) -> bool:
        return month in self._lines

    def __iter__(self) -> Iterator[BillingMonth]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)
