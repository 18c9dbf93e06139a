"""Many rows at once: the policies hold row by row, and a document is what it was."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError
from store_cases import EIS, OTHER, make_client, make_contract

from eisenergy.accounts import Role, Scope
from eisenergy.store import bulk, masters, tables
from eisenergy.store.database import Database

KEY = ("client", "contract", "month")
ODD = 'tab\t, line\n, "quotes", back\\slash, \\N, é, 電, '


@pytest.fixture(scope="module", autouse=True)
def _masters(database: Database) -> None:
    for scope in (EIS, OTHER):
        masters.save_client(database, scope, make_client(scope.client))
        masters.save_contracts(database, scope, [make_contract(n) for n in range(1, 9)])


def row(n: int, month: str = "2021-09", **changes: object) -> dict[str, object]:
    values: dict[str, object] = {
        "client": "EIS", "contract": f"EIS-{n:04d}", "month": month, "customer": f"EIS-{n:04d}",
        "kwh": Decimal("12345.678901"), "total": Decimal("0.00"), "input_hash": f"h{n}",
        "document": {"text": ODD, "none": None, "list": [1, 2.5, True, {"a": []}]},
    }  # fmt: skip
    return {**values, **changes}


def stored(database: Database, month: str) -> dict[str, tuple[object, ...]]:
    columns = tables.drafts.c
    query = select(columns.contract, columns.kwh, columns.total, columns.input_hash, columns.document)
    with database.session(EIS) as connection:
        return {entry[0]: tuple(entry[1:]) for entry in connection.execute(query.where(columns.month == month))}


def test_rows_arrive_whole_and_the_later_takes_the_earlier_ones_place(database: Database) -> None:
    with database.session(EIS) as connection:
        bulk.put(connection, tables.drafts, [row(n) for n in range(1, 6)], key=KEY)
    assert stored(database, "2021-09") == {
        f"EIS-{n:04d}": (Decimal("12345.678901"), Decimal("0.00"), f"h{n}", row(n)["document"]) for n in range(1, 6)
    }
    with database.session(EIS) as connection:
        bulk.put(connection, tables.drafts, [row(2, input_hash=ODD), row(7)], key=KEY)
        bulk.put(connection, tables.drafts, [row(8)], key=KEY)  # twice in one transaction
    after = stored(database, "2021-09")
    assert sorted(after) == [f"EIS-{n:04d}" for n in (1, 2, 3, 4, 5, 7, 8)]
    assert after["EIS-0002"][2] == ODD


def test_nothing_is_nothing(database: Database) -> None:
    with database.session(EIS) as connection:
        before = connection.execute(select(func.count()).select_from(tables.drafts)).scalar_one()
        bulk.put(connection, tables.drafts, [], key=KEY)
        assert connection.execute(select(func.count()).select_from(tables.drafts)).scalar_one() == before


def test_without_a_key_what_is_there_is_an_error_and_nothing_is_written(database: Database) -> None:
    with database.session(EIS) as connection:
        bulk.put(connection, tables.drafts, [row(1, "2022-01")])
    with pytest.raises(DBAPIError, match="duplicate key"), database.session(EIS) as connection:
        bulk.put(connection, tables.drafts, [row(2, "2022-01"), row(1, "2022-01")])
    assert sorted(stored(database, "2022-01")) == ["EIS-0001"]


@pytest.mark.parametrize(
    ("scope", "bad"),
    [
        (EIS, row(3, "2022-02", client="LUZ")),
        (Scope(client="EIS", role=Role.CLIENT_ADMIN, customers=frozenset({"EIS-0001", "EIS-0002"})), row(3, "2022-02")),
        (Scope.customer("EIS", "EIS-0003"), row(3, "2022-02")),
    ],
    ids=["another tenant", "another customer", "a role that reads"],
)
def test_one_row_out_of_scope_refuses_them_all(database: Database, scope: Scope, bad: dict[str, object]) -> None:
    with pytest.raises(DBAPIError, match="row-level security"), database.session(scope) as connection:
        bulk.put(connection, tables.drafts, [row(1, "2022-02"), row(2, "2022-02"), bad], key=KEY)
    assert stored(database, "2022-02") == {}


def test_a_row_of_another_tenant_is_not_replaced(database: Database) -> None:
    with database.session(OTHER) as connection:
        bulk.put(connection, tables.drafts, [row(1, "2022-03", client="LUZ")], key=KEY)
    with pytest.raises(DBAPIError), database.session(EIS) as connection:
        bulk.put(connection, tables.drafts, [row(1, "2022-03", client="LUZ", input_hash="x")], key=KEY)
    columns = tables.drafts.c
    with database.session(OTHER) as connection:
        assert connection.execute(select(columns.input_hash).where(columns.month == "2022-03")).scalars().all() == [
            "h1"
        ]


def test_the_connection_that_goes_back_to_the_pool_keeps_no_table(database: Database) -> None:
    with database.session(EIS) as connection:
        bulk.put(connection, tables.drafts, [row(1, "2022-04")], key=KEY)
    with database.session(EIS) as connection:
        left = connection.execute(text("SELECT count(*) FROM pg_class WHERE relname = 'incoming_drafts'")).scalar()
    assert left == 0


def straight(connection: Connection) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy("COPY eisenergy.drafts (client) FROM STDIN") as copy:
        copy.write_row(["EIS"])


def test_the_database_refuses_to_copy_straight_into_the_table(database: Database) -> None:
    """The reason for the way round: if this fails one day, the way may be shorter."""
    refusal = pytest.raises(psycopg.Error, match="COPY FROM not supported with row-level security")
    with refusal, database.session(EIS) as connection:
        straight(connection)
