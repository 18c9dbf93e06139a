"""Row-level security: who sees and who writes which rows.

The scope of a transaction is in three settings made with ``SET LOCAL``: ``eisenergy.client``, ``eisenergy.role`` and
``eisenergy.customers`` (``*`` or a JSON list). Without them, and after COMMIT, when they are empty texts, nothing is visible.

A login is looked for before a scope is known. That transaction makes ``eisenergy.auth`` instead, and sees the tables of sign-in and
nothing of a tenant; a transaction with a scope sees none of their hashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

APP: Final = "eisenergy_app"

FUNCTIONS: Final = """
CREATE FUNCTION eisenergy.tenant() RETURNS text LANGUAGE sql STABLE
    RETURN nullif(current_setting('eisenergy.client', true), '');
CREATE FUNCTION eisenergy.writes() RETURNS boolean LANGUAGE sql STABLE
    RETURN coalesce(current_setting('eisenergy.role', true) IN ('SYSTEM_ADMIN', 'CLIENT_ADMIN'), false);
CREATE FUNCTION eisenergy.unlimited() RETURNS boolean LANGUAGE sql STABLE
    RETURN eisenergy.writes() AND coalesce(current_setting('eisenergy.customers', true) = '*', false);
CREATE FUNCTION eisenergy.customers() RETURNS text[] LANGUAGE sql STABLE
    RETURN ARRAY(
        SELECT jsonb_array_elements_text(
            nullif(nullif(current_setting('eisenergy.customers', true), ''), '*')::jsonb
        )
    );
CREATE FUNCTION eisenergy.sees(customer text) RETURNS boolean LANGUAGE sql STABLE
    RETURN eisenergy.unlimited() OR coalesce(customer = ANY (eisenergy.customers()), false);
CREATE FUNCTION eisenergy.immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on eisenergy.% is refused: what was issued or recorded never changes; correct it with a new one',
        TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
"""

OWN_TENANT: Final = "client = eisenergy.tenant()"
OPERATORS: Final = "client = eisenergy.tenant() AND eisenergy.unlimited()"
OWN_CUSTOMERS: Final = "client = eisenergy.tenant() AND eisenergy.sees(customer)"


AUTH_FUNCTIONS: Final = """
CREATE FUNCTION eisenergy.signing_in() RETURNS boolean LANGUAGE sql STABLE
    RETURN coalesce(current_setting('eisenergy.auth', true) = 'on', false);
CREATE FUNCTION eisenergy.system_admin() RETURNS boolean LANGUAGE sql STABLE
    RETURN coalesce(current_setting('eisenergy.role', true) = 'SYSTEM_ADMIN', false) AND eisenergy.unlimited();
"""
SIGN_IN: Final = "eisenergy.signing_in()"
"""What only :meth:`eisenergy.store.database.Database.signing_in` sees: hashes of passwords and tokens."""


def protect(
    table: str, *, reads: str, writes: str, replaceable: bool, deletable: bool = False, who: str = "eisenergy.writes()"
) -> Iterator[str]:
    """Yield the statements that put a new table under row-level security and grant it to the application.

    :param reads: condition on the rows that may be read
    :param writes: condition on the rows that may be written, besides the role
    :param replaceable: whether rows may be updated; otherwise the database refuses, to its owner too
    :param deletable: whether rows may be deleted
    :param who: condition on whoever writes; not a role's right alone where sign-in writes for everybody
    """
    name = f"eisenergy.{table}"
    allowed = f"({writes}) AND {who}"
    yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY"
    yield f"CREATE POLICY reads ON {name} FOR SELECT USING ({reads})"
    yield f"CREATE POLICY adds ON {name} FOR INSERT WITH CHECK ({allowed})"
    grants = ["SELECT", "INSERT"]
    refused = ["TRUNCATE"]
    if replaceable:
        yield f"CREATE POLICY changes ON {name} FOR UPDATE USING ({allowed}) WITH CHECK ({allowed})"
        grants.append("UPDATE")
    else:
        refused.append("UPDATE")
    if deletable:
        yield f"CREATE POLICY removes ON {name} FOR DELETE USING ({allowed})"
        grants.append("DELETE")
    else:
        refused.append("DELETE")
    # For each statement, not for each row: it is refused even where no row is visible to whoever tries.
    yield (
        f"CREATE TRIGGER immutable BEFORE {' OR '.join(refused)} ON {name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION eisenergy.immutable()"
    )
    yield f"GRANT {', '.join(grants)} ON {name} TO {APP}"
