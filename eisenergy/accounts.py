"""Who is billed: clients, their customers, sites, meters and contracts; and the scope of whoever asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Sourced:
    """A number and where it came from.

    :param value: the exact decimal
    :param origin: file and cell, or parameter file and line, in words a person can follow
    """

    value: Decimal
    origin: str


class Role(StrEnum):
    """What somebody may see and do."""

    SYSTEM_ADMIN = "SYSTEM_ADMIN"
    CLIENT_ADMIN = "CLIENT_ADMIN"
    CUSTOMER_MANAGER = "CUSTOMER_MANAGER"
    CUSTOMER_USER = "CUSTOMER_USER"


class OutOfScope(PermissionError):
    """Somebody asked for what belongs to another tenant or customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose data a call may touch. Every call of ``eisenergy.store`` takes one.

    :param client: the tenant's code
    :param role: what the caller may do
    :param customers: customer codes the caller is limited to; ``None`` means all of the client's
    """

    client: str
    role: Role
    customers: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.role in (Role.CUSTOMER_MANAGER, Role.CUSTOMER_USER) and self.customers is None:
            raise ValueError(f"a scope of role {self.role} names its customers")

    @classmethod
    def operator(cls, client: str) -> Scope:
        """The scope of the client's own operators, and of its batch runs."""
        return cls(client=client, role=Role.CLIENT_ADMIN)

    @classmethod
    def customer(cls, client: str, code: str) -> Scope:
        """The scope of one customer's own users."""
        return cls(client=client, role=Role.CUSTOMER_USER, customers=frozenset({code}))

    @property
    def writes(self) -> bool:
        """Whether the role may change anything."""
        return self.role in (Role.SYSTEM_ADMIN, Role.CLIENT_ADMIN)

    def check(self, customer: str) -> None:
        """Refuse a customer outside the scope. :raises OutOfScope: always naming only what was asked for."""
        if self.customers is not None and customer not in self.customers:
            raise OutOfScope(f"customer {customer} is outside the scope of this call")

    def check_writes(self) -> None:
        """Refuse a role that only reads. :raises OutOfScope: naming the role."""
        if not self.writes:
            raise OutOfScope(f"role {self.role} reads only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An electricity seller: the tenant, and the issuer of invoices.

    :param code: short name used in paths and numbers, for example ``EIS``
    :param timezone: IANA name; billing months and blocks are local to it
    :param locale: language of what customers read, for example ``es-SV``
    :param series: prefix of invoice numbers, for example ``FAC``
    :param due_days: days from issue to the due date
    :param max_missing_share: share of a month's slots that may be estimated; above it the customer is parked
    """

    code: str
    name: str
    nit: str
    ncr: str
    activity: str
    address: str
    phone: str
    email: str
    website: str
    timezone: str
    currency: str
    locale: str
    series: str
    due_days: int
    max_missing_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a meter stands: the network node and the municipality."""

    node: str
    municipality: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A meter by its serial, and the site it stands at."""

    serial: str
    site: Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Somebody who is billed. ``code`` is unique within the client (EIS Power: the contract number)."""

    code: str
    name: str
    nit: str
    ncr: str
    address: str
    municipality: str
    phone: str
    email: str
    activity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What one customer agreed for one meter.

    :param number: unique within the client, for example ``EIS-0001``
    :param tariff: name of the tariff, for example ``EIS-TOU``
    :param contracted_kw: contracted power [kW]
    :param loss_factor: price or factor for losses, see ``BillingRules.loss_basis``; ``None``: the tariff's
    :param municipal_fee: a third party's money, per month [currency]; ``None``: the tariff's, else none
    :param retention_rate: share of the subtotal the customer retains, 0.01 for 1 %; ``None``: the tariff's, else none
    :param discount_rate: share of the charges, 0.02 for 2 %; ``None``: the tariff's, else none
    :param start: first local day of supply
    :param end: first local day without supply; ``None`` while it runs
    :param notes: the master's remarks and its unknown columns
    """

    number: str
    customer: Customer
    meter: Meter
    tariff: str
    contracted_kw: Sourced | None
    loss_factor: Sourced | None
    municipal_fee: Sourced | None
    retention_rate: Sourced | None
    discount_rate: Sourced | None
    start: date
    end: date | None = None
    notes: dict[str, str] = field(default_factory=dict)
