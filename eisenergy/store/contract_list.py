"""A client's contracts for its operators: a page of a list that can be searched, one to be edited, and what was changed of it and by whom."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

from eisenergy.accounts import Contract, Scope
from eisenergy.masters import codec, record
from eisenergy.period import BillingMonth
from eisenergy.store import audit, listing, masters, tables
from eisenergy.store.appended import check_operator
from eisenergy.store.audit import Actor
from eisenergy.store.database import Database
from eisenergy.store.masters import NotStored

ACTION: Final = "CONTRACT"
"""Of the audit log's lines about edits; their subject is the contract's number."""
_WORDS: Final = 8


class Changed(RuntimeError):
    """The contract was changed since it was shown.

    :param now: as it stands
    """

    def __init__(self, now: Contract) -> None:
        super().__init__(f"contract {now.number} was changed since it was shown; look at it again")
        self.now = now


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractLine:
    """A contract in a list, with its newest invoice, where there is one.

    :param starts: first local day of supply
    :param ends: first local day without supply; ``None`` while it runs
    """

    contract: str
    customer: str
    name: str
    meter: str
    tariff: str
    starts: date
    ends: date | None
    number: str | None = None
    month: BillingMonth | None = None
    total: Decimal | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a contract.

    :param at: UTC
    :param who: who edited it in the portal; empty for an import
    :param fields: field -> what it said before and since, see ``masters.record``; empty for the first state
    """

    at: datetime
    who: str
    fields: Mapping[str, tuple[str, str]]


def folded(words: str) -> str:
    """Return small letters without accents, as the column ``search`` has them."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", words).lower())
    return "".join(letter for letter in plain if not "\u0300" <= letter <= "\u036f")


def lines(
    database: Database, scope: Scope, *, search: str = "", number: str = "", limit: int = 50, after: int = 0
) -> tuple[int, tuple[ContractLine, ...]]:
    """Return how many contracts there are that hold all words of a search, and some of them in order of their numbers.

    :param search: parts of number, customer's code and name, and meter; capitals and accents do not matter
    :param number: only the contract of this number
    :param after: how many to pass over
    """
    table, billed = tables.contracts, tables.invoices
    wanted = [table.c.client == scope.client]
    wanted += [table.c.search.contains(word, autoescape=True) for word in folded(search).split()[:_WORDS]]
    if number:
        wanted.append(table.c.contract == number)
    name = table.c.document["customer"]["name"].astext.label("name")
    columns = (table.c.contract, table.c.customer, name, table.c.meter, table.c.tariff, table.c.starts, table.c.ends)
    page = select(*columns).where(table.c.client == scope.client).order_by(table.c.contract)
    with database.session(scope) as connection:
        count, numbers = listing.chosen(
            connection, table.c.contract, wanted, search=search + number, limit=limit, after=after
        )
        rows = connection.execute(page.where(table.c.contract.in_(numbers))).all()
        newest = (
            select(billed.c.contract, billed.c.number, billed.c.month, billed.c.total, billed.c.currency)
            .ext(distinct_on(billed.c.contract))
            .where(billed.c.client == scope.client, billed.c.contract.in_([row.contract for row in rows]))
            .order_by(billed.c.contract, billed.c.month.desc())
        )
        last = {row.contract: row for row in connection.execute(newest)}
    found = tuple(ContractLine(**row._mapping) for row in rows)
    return count, tuple(
        one
        if (bill := last.get(one.contract)) is None
        else replace(
            one, number=bill.number, month=BillingMonth.parse(bill.month), total=bill.total, currency=bill.currency
        )
        for one in found
    )


def seen(contract: Contract) -> str:
    """Return what tells one state of a contract from every other."""
    return hashlib.sha256(json.dumps(codec.dump(contract), sort_keys=True).encode()).hexdigest()


def change(
    database: Database, scope: Scope, contract: Contract, *, shown: str, by: Actor, at: datetime
) -> tuple[str, ...]:
    """Save an edited contract, its customer in all the customer's contracts, and a line of the audit log, in one transaction.

    :param shown: :func:`seen` of the state that was edited
    :returns: the fields that changed; none: nothing was written
    :raises Changed: when the contract is another than the one that was edited
    :raises Conflict: when two running contracts would claim one meter
    :raises NotStored: when there is none of that number in the scope
    :raises OutOfScope: for a scope that may not write for the whole client
    """
    check_operator(scope)
    table = tables.contracts
    query = select(table.c.document).where(
        table.c.client == scope.client, table.c.customer == contract.customer.code
    ).order_by(table.c.contract)  # fmt: skip
    with database.session(scope) as connection:
        masters.lock_contracts(connection, scope)
        every = {one.number: one for one in (codec.load(Contract, row) for row in connection.execute(query).scalars())}
        now = every.get(contract.number)
        if now is None:
            raise NotStored(f"contract {contract.number} of customer {contract.customer.code} is not stored")
        if seen(now) != shown:
            raise Changed(now)
        before, after = record.texts(now), record.texts(contract)
        fields = tuple(name for name in after if after[name] != before[name])
        if not fields:
            return ()
        others = [replace(one, customer=contract.customer) for one in every.values() if one.number != contract.number]
        masters.put_contracts(connection, scope, [contract, *others], at)
        old, new = ({name: side[name] for name in fields} for side in (before, after))
        audit.write(connection, scope.client, by, at, ACTION, contract.number, old=old, new=new)
    return fields


def history(database: Database, scope: Scope, number: str, *, limit: int = 50) -> tuple[Change, ...]:
    """Return what was changed of a contract, the newest first.

    :raises OutOfScope: for a scope that is limited to customers
    """
    check_operator(scope)
    changes, log = tables.changes.c, tables.audit.c
    states = (
        select(changes.at, changes.document)
        .where(changes.client == scope.client, changes.kind == "contract", changes.key == number)
        .order_by(changes.id.desc())
        .limit(limit + 1)
    )
    edits = select(log.at, log.actor).where(
        log.client == scope.client, log.action == ACTION, log.subject == number
    )  # fmt: skip
    with database.session(scope) as connection:
        found = [(row.at, record.texts(codec.load(Contract, row.document))) for row in connection.execute(states)]
        actors = {row.at: row.actor for row in connection.execute(edits)}
    result = []
    for place, (at, fields) in enumerate(found[:limit]):
        earlier = found[place + 1][1] if place + 1 < len(found) else None
        differ = {} if earlier is None else {n: (earlier[n], t) for n, t in fields.items() if earlier[n] != t}
        result.append(Change(at=at.astimezone(UTC), who=actors.get(at, ""), fields=differ))
    return tuple(result)
