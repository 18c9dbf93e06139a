"""What a month's bills take from the invoices before it: corrections, and whether a draft still stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eisenergy.accounts import Scope
from eisenergy.billing.corrections import Correction
from eisenergy.desk.drafting import file_names
from eisenergy.desk.masters import Masters
from eisenergy.desk.whole import basis_of
from eisenergy.desk.workspace import Workspace
from eisenergy.period import BillingMonth
from eisenergy.run.corrections import Standing, corrections
from eisenergy.store import books
from eisenergy.store.drafts import Basis
from eisenergy.store.roster import Listed
from eisenergy.store.states import loaded_since


@dataclass(frozen=True, slots=True)
class Past:
    """The invoices of a client, as far as a month's bills depend on them; their documents are read only where something changed.

    :param common: read at the same moment
    :param heads: contract -> its invoices, in order of their numbers
    """

    month: BillingMonth
    common: Masters
    heads: Mapping[str, tuple[books.Head, ...]]
    standing: Standing

    @classmethod
    def read(cls, workspace: Workspace, scope: Scope, month: BillingMonth) -> Past:
        """Read them. :raises NotStored: for an unknown client."""
        common = Masters.read(workspace, scope, file_names(workspace, scope))
        found: dict[str, list[books.Head]] = {}
        for head in books.heads(workspace.database, scope):
            found.setdefault(head.contract, []).append(head)
        heads = {contract: tuple(mine) for contract, mine in found.items()}
        return cls(month, common, heads, Standing(common))

    @property
    def issued(self) -> frozenset[str]:
        """Contracts that have an invoice of the month."""
        return frozenset(c for c, mine in self.heads.items() if any(head.month == self.month for head in mine))

    def corrections(self, contract: str) -> tuple[Correction, ...]:
        """What a contract's earlier invoices billed too much or too little."""
        heads = self.heads.get(contract)
        return corrections(self.common, self.month, heads, self.standing) if heads else ()

    def basis(self, entry: Listed) -> str:
        """See :func:`eisenergy.desk.whole.basis_of`."""
        earlier = [f"{head.number} {self.standing.same_rules(head)}" for head in self.heads.get(entry.number, ())]
        return basis_of(self.common, entry, earlier)

    def doubtful(self, drafts: Iterable[tuple[Listed, Basis]]) -> list[Listed]:
        """Return those of some contracts of whose drafts it is not known that nothing they depend on has changed."""
        result = []
        since: dict[int, frozenset[str]] = {}
        now = self.common.lake_version
        for entry, made in drafts:
            known = made.basis is not None and made.lake_version is not None and made.basis == self.basis(entry)
            if known and made.lake_version is not None:
                version = made.lake_version
                if version not in since:
                    since[version] = loaded_since(self.common.workspace.lake, self.common.scope, version, now)
                if since[version].isdisjoint(self._meters(entry)) and not self._recalculated(entry):
                    continue
            result.append(entry)
        return result

    def _meters(self, entry: Listed) -> set[str]:
        """The contract's meter, and those of its invoices."""
        return {entry.meter, *(head.made["meter"] for head in self.heads.get(entry.number, ()))}

    def _recalculated(self, entry: Listed) -> bool:
        """Whether an earlier invoice was made from other rules than are in force now, so that a correction may hang on them."""
        return any(
            head.month < self.month and not self.standing.same_rules(head) for head in self.heads.get(entry.number, ())
        )
