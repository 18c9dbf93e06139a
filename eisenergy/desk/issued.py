"""A contract's issued invoices by month, of which those are read that are looked at: a customer has a hundred, and a page shows thirteen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from eisenergy.accounts import Scope
from eisenergy.ledger.invoices import Invoice
from eisenergy.period import BillingMonth
from eisenergy.store import books
from eisenergy.store.database import Database
from eisenergy.store.listing import InvoiceLine


class Issued(Mapping[BillingMonth, Invoice]):
    """Month -> invoice, for one request.

    :param lines: the contract's, one a month
    """

    def __init__(self, database: Database, scope: Scope, lines: Iterable[InvoiceLine]) -> None:
        self._database, self._scope = database, scope
        self._lines = {line.month: line for line in lines}
        self._read: dict[BillingMonth, Invoice] = {}

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """Number and input hash of every one: invoices never change, so these name everything in them."""
        return tuple(sorted((line.number, line.input_hash) for line in self._lines.values()))

    def fetch(self, months: Collection[BillingMonth]) -> None:
        """Read those of some months together."""
        wanted = [self._lines[month].number for month in months if month in self._lines and month not in self._read]
        if wanted:
            found = books.numbered(self._database, self._scope, wanted)
            self._read.update((invoice.month, invoice) for invoice in found)

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
