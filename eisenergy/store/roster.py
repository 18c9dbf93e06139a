"""A client's contracts as a list: what choosing them for a month needs, and the rest as the text that is stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Text, cast, select

from eisenergy.accounts import Contract, Scope
from eisenergy.masters import codec
from eisenergy.store import tables
from eisenergy.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A contract whose document is not read yet; reading ten thousand takes longer than adding up their month.

    :param meter: serial
    :param contracted_kw: [kW]; ``None`` where none is contracted
    :param start: first local day of supply
    :param end: first local day without supply; ``None`` while it runs
    :param document: the contract as JSON text
    """

    number: str
    customer: str
    meter: str
    tariff: str
    start: date
    end: date | None
    contracted_kw: float | None
    document: str

    def contract(self) -> Contract:
        """Read the document."""
        return codec.load(Contract, json.loads(self.document))


def listed(document: str) -> Listed:
    """Return a contract that is at hand as a line of the list.

    :param document: the contract as JSON text
    """
    contract = codec.load(Contract, json.loads(document))
    kw = contract.contracted_kw
    return Listed(
        number=contract.number,
        customer=contract.customer.code,
        meter=contract.meter.serial,
        tariff=contract.tariff,
        start=contract.start,
        end=contract.end,
        contracted_kw=None if kw is None else float(kw.value),
        document=document,
    )


def roster(database: Database, scope: Scope) -> tuple[Listed, ...]:
    """Return the contracts the scope may see, as they stand now, in order of their numbers."""
    columns = tables.contracts.c
    query = select(
        columns.contract,
        columns.customer,
        columns.meter,
        columns.tariff,
        columns.starts,
        columns.ends,
        columns.document["contracted_kw"]["value"].astext,
        cast(columns.document, Text),
    ).order_by(columns.contract)
    with database.session(scope) as connection:
        rows = connection.execute(query).all()
    return tuple(
        Listed(
            number=number,
            customer=customer,
            meter=meter,
            tariff=tariff,
            start=start,
            end=end,
            contracted_kw=None if kw is None else float(kw),
            document=document,
        )
        for number, customer, meter, tariff, start, end, kw, document in rows
    )
