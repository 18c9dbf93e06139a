"""Which contracts a command is about. Apart from :mod:`eisenergy.run.month`, which loads all that bills."""

from __future__ import annotations

from collections.abc import Collection

from eisenergy.accounts import Scope
from eisenergy.desk.workspace import Workspace
from eisenergy.store import masters
from eisenergy.store.roster import Listed, roster


class UnknownCustomer(LookupError):
    """A customer that the client does not have."""


def chosen_contracts(workspace: Workspace, scope: Scope, customers: Collection[str] | None) -> tuple[Listed, ...]:
    """Return the contracts of some customers, or of all.

    :raises UnknownCustomer: naming those there are not
    :raises NotStored: when the client was never imported
    """
    masters.client(workspace.database, scope)  # an unknown client is another mistake than one without contracts
    contracts = roster(workspace.database, scope)
    if not contracts:
        raise UnknownCustomer(
            f"client {scope.client} has no contracts: import its customer list with `eisenergy customers import FILE`"
        )
    if customers is None:
        return contracts
    known = {name for contract in contracts for name in (contract.number, contract.customer)}
    if unknown := sorted(set(customers) - known):
        raise UnknownCustomer(
            f"client {scope.client} has no customer {', '.join(unknown)}; `eisenergy customers list` shows those it has"
        )
    return tuple(contract for contract in contracts if contract.number in customers or contract.customer in customers)
