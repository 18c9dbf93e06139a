from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from store_cases import EIS, OTHER, make_client, make_contract, make_tariff

from eisenergy.accounts import Meter, OutOfScope, Role, Scope, Site
from eisenergy.store import masters
from eisenergy.store.database import Database
from eisenergy.store.masters import Conflict, NotStored, Saved, Supply
from eisenergy.timeofuse import BlockHours, DayCalendar


@pytest.fixture(autouse=True)
def _clients(database: Database) -> None:
    for scope in (EIS, OTHER):
        masters.save_client(database, scope, make_client(scope.client))


def test_a_client_comes_back_and_the_same_one_changes_nothing(database: Database) -> None:
    assert masters.client(database, EIS) == make_client()
    assert masters.save_client(database, EIS, make_client()) == Saved(unchanged=1)
    assert masters.save_client(database, EIS, make_client(phone="7")) == Saved(changed=1)
    assert masters.client(database, EIS).phone == "7"


def test_only_a_system_administrator_sees_every_client(database: Database) -> None:
    assert [client.code for client in masters.clients(database, EIS)] == ["EIS"]
    admin = Scope(client="EIS", role=Role.SYSTEM_ADMIN)
    assert [client.code for client in masters.clients(database, admin)] == ["EIS", "LUZ"]


def test_contracts_come_back_in_order_and_say_what_changed(database: Database) -> None:
    first, second = make_contract(1), make_contract(2)
    assert masters.save_contracts(database, EIS, [second, first]) == Saved(added=2)
    assert masters.contracts(database, EIS) == (first, second)
    assert masters.save_contracts(database, EIS, [first, second]) == Saved(unchanged=2)
    moved = replace(first, tariff="EIS-PLANA")
    assert masters.save_contracts(database, EIS, [moved, second]) == Saved(changed=1, unchanged=1)
    assert masters.contract(database, EIS, "EIS-0001") == moved
    history = masters.contract_history(database, EIS, "EIS-0001")
    assert [contract for _, contract in history] == [first, moved]
    assert history[0][0] < history[1][0]


def test_a_changed_customer_changes_the_contract_that_names_it(database: Database) -> None:
    contract = make_contract(3)
    masters.save_contracts(database, EIS, [contract])
    renamed = replace(contract, customer=replace(contract.customer, name="Otro nombre"))
    assert masters.save_contracts(database, EIS, [renamed]) == Saved(changed=1)
    assert "Otro nombre" in {customer.name for customer in masters.customers(database, EIS)}


def test_contradicting_customers_and_a_meter_claimed_twice_are_refused_whole(database: Database) -> None:
    before = masters.contracts(database, EIS)
    one = make_contract(20)
    two = replace(one, number="EIS-0021", customer=replace(one.customer, name="B"), meter=make_contract(21).meter)
    with pytest.raises(Conflict, match="EIS-0020 is described in two ways"):
        masters.save_contracts(database, EIS, [one, two])
    with pytest.raises(Conflict, match="meter M20 belongs to contracts EIS-0020 and EIS-0022"):
        masters.save_contracts(database, EIS, [one, make_contract(22, meter=one.meter)])
    assert masters.contracts(database, EIS) == before


def test_the_database_refuses_a_meter_claimed_twice_too(database: Database) -> None:
    masters.save_contracts(database, EIS, [make_contract(30)])
    copy = text(
        "INSERT INTO eisenergy.contracts (client, contract, customer, meter, tariff, starts, document) "
        "SELECT client, 'X', customer, meter, tariff, starts, document FROM eisenergy.contracts WHERE contract='EIS-0030'"
    )
    with pytest.raises(Exception, match="one_contract_per_meter"), database.session(EIS) as connection:
        connection.execute(copy)


def test_other_tenants_and_customers_are_not_there(database: Database) -> None:
    masters.save_contracts(database, EIS, [make_contract(1), make_contract(2)])
    own = Scope.customer("EIS", "EIS-0002")
    assert [contract.number for contract in masters.contracts(database, own)] == ["EIS-0002"]
    assert [customer.code for customer in masters.customers(database, own)] == ["EIS-0002"]
    assert masters.meters(database, own) == {"M2"}
    assert masters.contracts(database, OTHER) == ()
    with pytest.raises(NotStored, match="EIS-0001"):
        masters.contract(database, own, "EIS-0001")
    with pytest.raises(OutOfScope, match="EIS-0001"):
        masters.contracts(database, own, customer="EIS-0001")


def test_who_reads_only_or_is_limited_cannot_write(database: Database) -> None:
    own = Scope.customer("EIS", "EIS-0002")
    limited = Scope(client="EIS", role=Role.CLIENT_ADMIN, customers=frozenset({"EIS-0002"}))
    with pytest.raises(OutOfScope, match="reads only"):
        masters.save_contracts(database, own, [make_contract(2)])
    with pytest.raises(OutOfScope, match="EIS-0001"):
        masters.save_contracts(database, limited, [make_contract(1, tariff="X")])
    with pytest.raises(OutOfScope, match="whole client"):
        masters.save_tariff(database, limited, make_tariff())
    with pytest.raises(OutOfScope, match="LUZ"):
        masters.save_client(database, EIS, make_client("LUZ"))
    assert masters.save_contracts(database, limited, [make_contract(2)]).added == 0


def test_a_meter_that_moved_is_each_customers_for_its_own_time(database: Database) -> None:
    meter = Meter(serial="MOVED", site=Site(node="N", municipality="M", address="A"))
    before = make_contract(40, meter=meter, end=date(2021, 9, 10))
    after = make_contract(41, meter=meter, start=date(2021, 9, 10))
    masters.save_contracts(database, EIS, [before, after])
    border = datetime(2021, 9, 10, 6, tzinfo=UTC)  # midnight in El Salvador
    start = datetime(2020, 9, 1, 6, tzinfo=UTC)
    assert masters.supplies(database, Scope.customer("EIS", "EIS-0040")) == (
        Supply(meter="MOVED", start=start, end=border),
    )
    assert masters.supplies(database, Scope.customer("EIS", "EIS-0041")) == (
        Supply(meter="MOVED", start=border, end=None),
    )


def test_tariffs_keep_their_order_and_every_state(database: Database) -> None:
    first, second = make_tariff(), make_tariff(rate="0.2", version="v2")
    assert masters.save_tariff(database, EIS, first) == Saved(added=1)
    assert masters.save_tariff(database, EIS, first) == Saved(unchanged=1)
    assert masters.save_tariff(database, EIS, second) == Saved(changed=1)
    assert masters.tariff(database, EIS, "EIS-TOU") == second
    assert masters.tariff(database, EIS, "EIS-TOU").blocks == ("VALLE", "RESTO", "PUNTA", "A")
    assert masters.tariff(database, EIS, "EIS-TOU", version="v1") == first
    assert masters.save_tariff(database, EIS, first) == Saved(changed=1)  # back again: a third state
    assert masters.tariffs(database, EIS) == (first,)
    with pytest.raises(NotStored, match="tariff NADA"):
        masters.tariff(database, EIS, "NADA")


def test_a_customer_sees_the_tariffs_of_its_contracts_alone(database: Database) -> None:
    masters.save_contracts(database, EIS, [make_contract(50, tariff="OWN"), make_contract(51, tariff="THEIRS")])
    for name in ("OWN", "THEIRS"):
        masters.save_tariff(database, EIS, make_tariff(name))
    own = Scope.customer("EIS", "EIS-0050")
    assert [tariff.name for tariff in masters.tariffs(database, own)] == ["OWN"]


def test_calendars_come_back(database: Database) -> None:
    rows = (
        BlockHours(start_minute=5 * 60, end_minute=22 * 60, block="RESTO"),
        BlockHours(start_minute=22 * 60, end_minute=5 * 60, block="VALLE"),
    )
    calendar = DayCalendar(name="EIS", rows=rows, holidays=frozenset({date(2021, 9, 15)}), version="c1")
    assert masters.save_calendar(database, EIS, calendar) == Saved(added=1)
    assert masters.save_calendar(database, EIS, calendar) == Saved(unchanged=1)
    assert masters.calendar(database, EIS, "EIS") == calendar
    assert masters.calendars(database, OTHER) == ()


def test_the_database_keeps_the_record_of_changes(database: Database) -> None:
    for statement in ("UPDATE eisenergy.changes SET key = 'x'", "DELETE FROM eisenergy.tariffs"):
        with pytest.raises(ProgrammingError, match="permission denied"), database.session(EIS) as connection:
            connection.execute(text(statement))


def test_what_was_read_before_is_the_newest_state_and_nobody_elses(database: Database) -> None:
    """Documents are read once, so what tells which is the newest, and who may see it, has to be asked each time."""
    rules = make_tariff("EIS-LEIDA")
    for version in ("1", "2"):
        masters.save_tariff(database, EIS, replace(rules, version=version))
        assert masters.tariff(database, EIS, rules.name) == masters.tariff(database, EIS, rules.name)
        assert masters.tariff(database, EIS, rules.name).version == version
    assert masters.tariff(database, EIS, rules.name, version="1") == replace(rules, version="1")
    for scope in (OTHER, Scope.customer("EIS", "EIS-0001")):
        with pytest.raises(NotStored):
            masters.tariff(database, scope, rules.name)
    masters.save_tariff(database, OTHER, replace(rules, version="2", calendar="another"))
    assert masters.tariff(database, OTHER, rules.name).calendar == "another"
    assert masters.tariff(database, EIS, rules.name).calendar == rules.calendar
