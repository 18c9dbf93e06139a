"""Accounts, rights, sessions and the audit log, each under forced row-level security."""

from __future__ import annotations

from alembic import op

from eisenergy.store.migrations import policies
from eisenergy.store.migrations.policies import OPERATORS, SIGN_IN, protect

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROLES = "('SYSTEM_ADMIN', 'CLIENT_ADMIN', 'CUSTOMER_MANAGER', 'CUSTOMER_USER')"
HASH = r"text NOT NULL CHECK (token_hash ~ '^[0-9a-f]{64}$')"
LIMITED = "CHECK ((role IN ('CUSTOMER_MANAGER', 'CUSTOMER_USER')) = (customers IS NOT NULL))"

TABLES = f"""
CREATE TABLE eisenergy.users (
    id uuid NOT NULL PRIMARY KEY,
    email text NOT NULL UNIQUE CHECK (email = lower(email) AND email LIKE '_%@_%'),
    locale text NOT NULL CHECK (locale IN ('es', 'en')),
    created_at timestamptz NOT NULL,
    disabled_at timestamptz
);
CREATE TABLE eisenergy.credentials (
    user_id uuid NOT NULL PRIMARY KEY REFERENCES eisenergy.users,
    password text CHECK (password LIKE '$argon2id$%'),
    password_at timestamptz,
    totp_secret text,
    totp_step bigint,
    recovery text[] NOT NULL,
    issuer text,
    subject text,
    UNIQUE (issuer, subject)
);
CREATE TABLE eisenergy.grants (
    client text NOT NULL,
    user_id uuid NOT NULL REFERENCES eisenergy.users,
    role text NOT NULL CHECK (role IN {ROLES}),
    customers text[],
    granted_by text NOT NULL,
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (client, user_id),
    {LIMITED},
    CHECK ((client = '*') = (role = 'SYSTEM_ADMIN'))
);
CREATE TABLE eisenergy.sessions (
    token_hash {HASH} PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES eisenergy.users,
    rights text NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    view_client text,
    view_customer text,
    CHECK ((view_client IS NULL) = (view_customer IS NULL))
);
CREATE INDEX ix_eisenergy_sessions_user_id ON eisenergy.sessions (user_id);
CREATE TABLE eisenergy.tickets (
    token_hash {HASH} PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('first', 'reset', 'code', 'device')),
    user_id uuid NOT NULL REFERENCES eisenergy.users,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX ix_eisenergy_tickets_user_id ON eisenergy.tickets (user_id);
CREATE TABLE eisenergy.guesses (
    kind text NOT NULL CHECK (kind IN ('pair', 'account', 'address')),
    key text NOT NULL,
    failures integer NOT NULL CHECK (failures >= 1),
    last_at timestamptz NOT NULL,
    open_at timestamptz NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE TABLE eisenergy.api_tokens (
    client text NOT NULL,
    id uuid NOT NULL,
    token_hash {HASH} UNIQUE,
    user_id uuid NOT NULL REFERENCES eisenergy.users,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN {ROLES}),
    customers text[],
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (client, id),
    {LIMITED}
);
CREATE INDEX ix_eisenergy_api_tokens_user_id ON eisenergy.api_tokens (user_id);
CREATE TABLE eisenergy.audit (
    client text NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    acting_as text,
    address text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    old jsonb,
    new jsonb,
    PRIMARY KEY (client, id)
);
"""

MANAGED = (
    "EXISTS (SELECT FROM eisenergy.grants g "
    "WHERE g.user_id = users.id AND g.client = eisenergy.tenant() AND eisenergy.unlimited())"
)
GRANTABLE = f"({OPERATORS} AND role <> 'SYSTEM_ADMIN') OR eisenergy.system_admin()"


def upgrade() -> None:
    """Make the tables, the policies and the grants."""
    op.execute(policies.AUTH_FUNCTIONS)
    op.execute(TABLES)
    both = f"{SIGN_IN} OR eisenergy.system_admin() OR ({OPERATORS})"
    for statements in (
        protect(
            "users",
            reads=f"{SIGN_IN} OR eisenergy.system_admin() OR {MANAGED}",
            writes=SIGN_IN,
            replaceable=True,
            who="true",
        ),
        protect("credentials", reads=SIGN_IN, writes=SIGN_IN, replaceable=True, who="true"),
        protect("grants", reads=both, writes=GRANTABLE, replaceable=True, deletable=True),
        protect("sessions", reads=SIGN_IN, writes=SIGN_IN, replaceable=True, deletable=True, who="true"),
        protect("tickets", reads=SIGN_IN, writes=SIGN_IN, replaceable=True, deletable=True, who="true"),
        protect("guesses", reads=SIGN_IN, writes=SIGN_IN, replaceable=True, deletable=True, who="true"),
        protect("api_tokens", reads=SIGN_IN, writes=SIGN_IN, replaceable=True, who="true"),
        protect(
            "audit",
            reads=f"eisenergy.system_admin() OR ({OPERATORS})",
            writes=f"client = eisenergy.tenant() OR {SIGN_IN}",
            replaceable=False,
            who="true",
        ),
    ):
        for statement in statements:
            op.execute(statement)
