"""The tables of the ``eisenergy`` schema, as the migrations make them.

Row-level security is enabled and forced on every table (see ``migrations/policies.py``). A tenant's table has a ``client`` column
that its keys begin with; :data:`PEOPLE` are accounts and what they sign in with, which belong to no tenant. ``document`` holds a central type as ``masters.codec.dump`` writes it; the columns
beside it are what queries and constraints need.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE, JSONB

SCHEMA: Final = "eisenergy"
metadata: Final = MetaData(schema=SCHEMA)

_instant = DateTime(timezone=True)


SEARCHED: Final = "eisenergy.folded(contract || ' ' || customer || ' ' || meter || ' ' || coalesce(document -> 'customer' ->> 'name', ''))"
"""Where customers are looked for."""


def _client(*, key: bool = True) -> Column[str]:
    return Column("client", Text, primary_key=key, nullable=False)


def _document() -> Column[object]:
    return Column("document", JSONB, nullable=False)


clients: Final = Table("clients", metadata, _client(), _document())

customers: Final = Table(
    "customers",
    metadata,
    _client(),
    Column("customer", Text, primary_key=True),
    _document(),
    ForeignKeyConstraint(["client"], ["eisenergy.clients.client"]),
)

contracts: Final = Table(
    "contracts",
    metadata,
    _client(),
    Column("contract", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("meter", Text, nullable=False),
    Column("tariff", Text, nullable=False),
    Column("starts", Date, nullable=False),
    Column("ends", Date),
    Column("valid", DATERANGE, Computed("daterange(starts, ends)", persisted=True)),
    _document(),
    Column("search", Text, Computed(SEARCHED, persisted=True)),  # small letters without accents
    ForeignKeyConstraint(["client", "customer"], ["eisenergy.customers.client", "eisenergy.customers.customer"]),
    Index("ix_eisenergy_contracts_supplied", "client", "customer", postgresql_include=["meter", "valid"]),
)

changes: Final = Table(  # append-only: every state that a client, customer or contract ever had
    "changes",
    metadata,
    _client(),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("at", _instant, nullable=False),
    _document(),
    Index("ix_eisenergy_changes_key", "client", "kind", "key"),
)

tariffs: Final = Table(  # append-only: the highest ordinal is in use
    "tariffs",
    metadata,
    _client(),
    Column("tariff", Text, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("version", Text, nullable=False),
    Column("at", _instant, nullable=False),
    _document(),
)

calendars: Final = Table(  # append-only: the highest ordinal is in use
    "calendars",
    metadata,
    _client(),
    Column("calendar", Text, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("version", Text, nullable=False),
    Column("at", _instant, nullable=False),
    _document(),
)

source_files: Final = Table(
    "source_files",
    metadata,
    _client(),
    Column("sha256", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("received_at", _instant, nullable=False),
    Column("lake_version", BigInteger),
    Column("meters", ARRAY(Text), nullable=False),
    Column("starts", _instant),
    Column("ends", _instant),
    Column("rows", BigInteger, nullable=False),
    Column("findings", JSONB, nullable=False),
    Index("ix_eisenergy_source_files_ends", "client", "ends", postgresql_where=text("status = 'loaded'")),
)

distributor_reports: Final = Table(
    "distributor_reports",
    metadata,
    _client(),
    Column("sha256", Text, primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("meter", Text, nullable=False),
    Column("starts", Date, nullable=False),
    Column("ends", Date, nullable=False),
    Column("kwh", Numeric),
    Column("at", _instant, nullable=False),
    _document(),
    ForeignKeyConstraint(["client", "sha256"], ["eisenergy.source_files.client", "eisenergy.source_files.sha256"]),
)

series: Final = Table(
    "series",
    metadata,
    _client(),
    Column("series", Text, primary_key=True),
    Column("last", Integer, nullable=False),
)

drafts: Final = Table(
    "drafts",
    metadata,
    _client(),
    Column("contract", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("kwh", Numeric, nullable=False),
    Column("total", Numeric, nullable=False),
    Column("input_hash", Text, nullable=False),
    _document(),
    Column("basis", Text),  # hash of everything but the readings that it depends on
    Column("lake_version", BigInteger),
    Column("made", JSONB),  # as an invoice has it
)

invoices: Final = Table(  # the database refuses UPDATE, DELETE and TRUNCATE
    "invoices",
    metadata,
    _client(),
    Column("number", Text, primary_key=True),
    Column("series", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("contract", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("month", Text, nullable=False),
    Column("issued_on", Date, nullable=False),
    Column("issued_at", _instant, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("currency", Text, nullable=False),
    Column("kwh", Numeric, nullable=False),
    Column("total", Numeric, nullable=False),
    Column("input_hash", Text, nullable=False),
    _document(),
    Column("bill", JSONB),  # the document's field of this name; null in rows from before it was a column
    Column("made", JSONB),  # what is asked of every earlier invoice, see billing.batch; null likewise
    UniqueConstraint("client", "series", "sequence"),
    UniqueConstraint("client", "contract", "month"),
    Index(
        "ix_eisenergy_invoices_listed",
        "client",
        "month",
        "contract",
        postgresql_include=["customer", "kwh", "total"],
    ),
    Index("ix_eisenergy_invoices_customer", "client", "customer"),
)

invoice_lines: Final = Table(  # the database refuses UPDATE, DELETE and TRUNCATE, and a line without its invoice
    "invoice_lines",
    metadata,
    _client(),
    Column("number", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("quantity", Numeric),
    Column("unit", Text, nullable=False),
    Column("rate", Numeric),
    Column("exact", Numeric, nullable=False),
    Column("amount", Numeric, nullable=False),
)

month_sums: Final = Table(  # of the invoices; kept by a trigger on them, and by nothing else
    "month_sums",
    metadata,
    _client(),
    Column("month", Text, primary_key=True),
    Column("invoices", BigInteger, nullable=False),
    Column("kwh", Numeric, nullable=False),
    Column("total", Numeric, nullable=False),
    Column("slots", BigInteger, nullable=False, server_default=text("0")),
    Column("estimated", BigInteger, nullable=False, server_default=text("0")),
    Column("missing", BigInteger, nullable=False, server_default=text("0")),
    Column("unsound", BigInteger, nullable=False, server_default=text("0")),  # with an interval of either
)

parked: Final = Table(
    "parked",
    metadata,
    _client(),
    Column("contract", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("findings", JSONB, nullable=False),
)

runs: Final = Table(
    "runs",
    metadata,
    _client(),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("command", Text, nullable=False),
    Column("month", Text),
    Column("started_at", _instant, nullable=False),
    Column("ended_at", _instant, nullable=False),
    Column("status", Text, nullable=False),
    Column("report", JSONB, nullable=False),
)

history: Final = Table(  # derived; a key that differs says that it is stale
    "history",
    metadata,
    _client(),
    Column("contract", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("key", Text, nullable=False),
    _document(),
)

users: Final = Table(  # e-mail in small letters
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("locale", Text, nullable=False),
    Column("created_at", _instant, nullable=False),
    Column("disabled_at", _instant),
)


def _user(*, key: bool = False, nullable: bool = False) -> Column[object]:
    return Column(
        "user_id", Uuid, ForeignKey("eisenergy.users.id"), primary_key=key, nullable=nullable and not key, index=not key
    )


credentials: Final = Table(  # what a user proves to be one with; seen at sign-in only
    "credentials",
    metadata,
    _user(key=True),
    Column("password", Text),
    Column("password_at", _instant),
    Column("totp_secret", Text),
    Column("totp_step", BigInteger),
    Column("recovery", ARRAY(Text), nullable=False),
    Column("issuer", Text),
    Column("subject", Text),
    UniqueConstraint("issuer", "subject"),
)

grants: Final = Table(  # client "*": all clients, for system administrators
    "grants",
    metadata,
    _client(),
    _user(key=True),
    Column("role", Text, nullable=False),
    Column("customers", ARRAY(Text)),
    Column("granted_by", Text, nullable=False),
    Column("granted_at", _instant, nullable=False),
)

sessions: Final = Table(  # seen at sign-in only
    "sessions",
    metadata,
    Column("token_hash", Text, primary_key=True),
    _user(),
    Column("rights", Text, nullable=False),
    Column("created_at", _instant, nullable=False),
    Column("seen_at", _instant, nullable=False),
    Column("expires_at", _instant, nullable=False),
    Column("view_client", Text),
    Column("view_customer", Text),
)

tickets: Final = Table(  # one-time links, half-made sign-ins, trusted devices; seen at sign-in only
    "tickets",
    metadata,
    Column("token_hash", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    _user(),
    Column("created_at", _instant, nullable=False),
    Column("expires_at", _instant, nullable=False),
    Column("used_at", _instant),
)

guesses: Final = Table(  # failed sign-ins by account and address, account, address; seen at sign-in only
    "guesses",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", _instant, nullable=False),
    Column("open_at", _instant, nullable=False),
)

api_tokens: Final = Table(  # the hash is seen at sign-in only
    "api_tokens",
    metadata,
    _client(),
    Column("id", Uuid, primary_key=True),
    Column("token_hash", Text, nullable=False, unique=True),
    _user(),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("customers", ARRAY(Text)),
    Column("created_at", _instant, nullable=False),
    Column("expires_at", _instant, nullable=False),
    Column("revoked_at", _instant),
    Column("used_at", _instant),
)

idempotency: Final = Table(  # answers of the interface that are given again; client "*": of a token for every client
    "idempotency",
    metadata,
    _client(),
    Column("user_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", _instant, nullable=False),
    Column("expires_at", _instant, nullable=False),
    Index("ix_eisenergy_idempotency_expires_at", "client", "expires_at"),
)

audit: Final = Table(  # the database refuses UPDATE, DELETE and TRUNCATE; client "*": no tenant's
    "audit",
    metadata,
    _client(),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", _instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("acting_as", Text),
    Column("address", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("old", JSONB),
    Column("new", JSONB),
    Index("ix_eisenergy_audit_subject", "client", "action", "subject"),
    implicit_returning=False,  # whoever writes a line may not read it back
)

jobs: Final = Table(  # as people see them; the queue itself is procrastinate's, in the schema eisenergy_jobs
    "jobs",
    metadata,
    _client(),
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("arguments", JSONB, nullable=False),
    Column("alone", Boolean, nullable=False),
    Column("user_id", Uuid),
    Column("role", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("asked_at", _instant, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("deaths", Integer, nullable=False),
    Column("started_at", _instant),
    Column("counted_at", _instant),
    Column("seen_at", _instant),
    Column("ended_at", _instant),
    Column("done", Integer, nullable=False),
    Column("total", Integer),
    Column("doing", Text, nullable=False),
    Column("result", JSONB(none_as_null=True)),
    Column("problem", JSONB(none_as_null=True)),
    Column("token", Uuid),
    Index("ix_eisenergy_jobs_asked_at", "client", "asked_at"),
    Index(
        "ix_eisenergy_jobs_month",
        "client",
        text("(arguments ->> 'month')"),
        "asked_at",
        postgresql_where=text("arguments ? 'month'"),
    ),
)

uploads: Final = Table(
    "uploads",
    metadata,
    _client(),
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("way", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("received_at", _instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("kind", Text),
    Column("preview", JSONB(none_as_null=True)),
    Column("outcome", JSONB(none_as_null=True)),
    Column("job", Uuid, nullable=False),
    Index("ix_eisenergy_uploads_received_at", "client", "received_at"),
)

reading_mappings: Final = Table(  # those that operators saved; those of the project lie in params/mappings
    "reading_mappings",
    metadata,
    _client(),
    Column("name", Text, primary_key=True),
    Column("document", JSONB, nullable=False),
    Column("saved_by", Text, nullable=False),
    Column("saved_at", _instant, nullable=False),
)

proposals: Final = Table(  # versions of tariffs and calendars that are looked at before they are saved
    "proposals",
    metadata,
    _client(),
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("base", Integer, nullable=False),  # ordinal of the state it was made from
    Column("beside", Text, nullable=False),  # versions of what it was priced with
    Column("starts", Date),
    Column("origin", JSONB(none_as_null=True)),
    Column("document", JSONB(none_as_null=True)),
    Column("summary", JSONB(none_as_null=True)),
    Column("job", Uuid, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", _instant, nullable=False),
    Column("saved_by", Text),
    Column("saved_at", _instant),
    Index("ix_eisenergy_proposals_name", "client", "kind", "name", "asked_at"),
)

proposal_effects: Final = Table(  # what a proposal would change of a contract's month
    "proposal_effects",
    metadata,
    _client(),
    Column("proposal", Uuid, primary_key=True),
    Column("contract", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("number", Text),
    Column("billed", Numeric),
    Column("before", Numeric),
    Column("after", Numeric),
    Column("dated", Numeric),
    Column("problem", Text, nullable=False),
    ForeignKeyConstraint(["client", "proposal"], ["eisenergy.proposals.client", "eisenergy.proposals.id"]),
)

outbox: Final = Table(  # what happened, as people and programs elsewhere are told of it
    "outbox",
    metadata,
    _client(),
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("id", Uuid, nullable=False, server_default=text("gen_random_uuid()")),
    Column("type", Text, nullable=False),
    Column("customer", Text),
    Column("at", _instant, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("only_for", Uuid),
    Column("spread", Boolean, nullable=False, server_default=text("false")),
    Index("ix_eisenergy_outbox_spread", "client", postgresql_where=text("NOT spread")),
    implicit_returning=False,  # whoever writes a line may not read it back
)

subscriptions: Final = Table(
    "subscriptions",
    metadata,
    _client(),
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("types", ARRAY(Text), nullable=False),
    Column("secret", Text),
    Column("paused", Boolean, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", _instant, nullable=False),
    Column("removed_at", _instant),
)

deliveries: Final = Table(  # customer "": of no customer in particular
    "deliveries",
    metadata,
    _client(),
    Column("subscription", Uuid, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", _instant, nullable=False),
    Column("tried_at", _instant),
    Column("answer", Text, nullable=False),
    ForeignKeyConstraint(["client", "subscription"], ["eisenergy.subscriptions.client", "eisenergy.subscriptions.id"]),
    ForeignKeyConstraint(["client", "position"], ["eisenergy.outbox.client", "eisenergy.outbox.position"]),
    Index("ix_eisenergy_deliveries_position", "client", "position"),
    Index(
        "ix_eisenergy_deliveries_open", "client", "subscription", "customer", "position",
        postgresql_where=text("state IN ('waiting', 'dead')"),
    ),
    Index(
        "ix_eisenergy_deliveries_due", "client", "subscription", "position", postgresql_where=text("state = 'waiting'")
    ),
)  # fmt: skip

PEOPLE: Final = frozenset({"users", "credentials", "sessions", "tickets", "guesses"})
"""Tables that are no tenant's: whoever signs in is known before a tenant is."""
