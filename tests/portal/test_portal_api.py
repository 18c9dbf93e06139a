"""The interface over the shipped September 2021: figures are those of the books and the files, read here by hand."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import uuid
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
import schemathesis
from api_cases import BOOK, EIS, LIST, LUZ, NOW, Api, api, key, token
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis.errors import Unsatisfiable
from portal_cases import BY, mark, person, serving
from schemathesis.checks import CHECKS
from schemathesis.generation import GenerationMode
from sqlalchemy import text

from eisenergy.accounts import Role, Scope
from eisenergy.cli.working import ALL_KINDS
from eisenergy.config import Settings
from eisenergy.desk.workspace import Workspace
from eisenergy.masters import customers, records
from eisenergy.portal.api import checking, cursors, interface
from eisenergy.portal.api.components import COMPONENTS
from eisenergy.portal.api.limits import Buckets
from eisenergy.portal.api.problems import KINDS, MEDIA_TYPE, Problem
from eisenergy.store import api_tokens, attempts, idempotency, jobs, listing, masters, people, uploads
from eisenergy.store.database import Database
from eisenergy.store.grants import BadAccount, Grant
from eisenergy.store.lake import Lake
from eisenergy.work.running import Runner

STEEL = "/v1/customers/EIS-0001"
MONTH = {"from": "2021-09-01", "to": "2021-10-01"}
ROW = {"contract": "EIS-0077", "name": "Panadería", "meter": "770077", "tariff": "EIS-TOU", "first_day": "2021-01-01"}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(scope="module")
def eis(settings: Settings, database: Database, lake: Lake) -> Iterator[Api]:
    generous = replace(settings, portal=replace(settings.portal, api_rate=10**6))
    with api(generous, database, lake) as found:
        yield found


@pytest.fixture(autouse=True)
def _today(eis: Api) -> None:
    eis.running.clock.at = NOW


@pytest.fixture(scope="module")
def by_hand(settings: Settings) -> list[tuple[datetime, Decimal, Decimal, str]]:
    """The workbook's intervals: local start, kWh, kW, block."""
    sheet = openpyxl.load_workbook(settings.samples / BOOK, data_only=True).worksheets[0]
    return [
        (datetime.combine(row[0], row[1]), Decimal(str(row[2])), Decimal(str(row[3])), row[7])
        for row in sheet.iter_rows(min_row=31, max_row=2910, values_only=True)
    ]


def problem(answer: Any, status: int, kind: str) -> dict[str, Any]:
    """What a refusal says, which must be a problem of a kind."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    said = answer.json()
    assert {name: said[name] for name in ("type", "status", "title")} == {
        "type": f"/v1#{kind}",
        "status": status,
        "title": KINDS[kind][1],
    }
    assert said["instance"] == answer.headers["x-request-id"]
    assert said["detail"]
    return said


def count(eis: Api, table: str, scope: Scope = EIS) -> int:
    with eis.running.database.session(scope) as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM eisenergy.{table}")).scalar_one())


# --- what is told is what is stored


def test_an_invoice_is_the_ledgers(eis: Api) -> None:
    told = eis.get("customer", "/v1/invoices/FAC-000001").json()
    with eis.running.database.session(EIS) as connection:
        rows = connection.execute(
            text("SELECT * FROM eisenergy.invoice_lines WHERE number = 'FAC-000001' ORDER BY position")
        ).all()
        head = connection.execute(text("SELECT * FROM eisenergy.invoices WHERE number = 'FAC-000001'")).one()
    assert [line["code"] for line in told["lines"]] == [row.code for row in rows]
    for line, row in zip(told["lines"], rows, strict=True):
        assert (Decimal(line["amount"]), Decimal(line["exact"])) == (row.amount, row.exact)
        assert (None if line["rate"] is None else Decimal(line["rate"])) == row.rate
        assert line["quantity"] == (None if row.quantity is None else float(row.quantity))
        assert line["unit"] == row.unit
    assert told["total"] == told["lines"][-1]["amount"] == "12989.48"
    assert Decimal(told["total"]) == head.total
    assert told["kwh"] == float(head.kwh) == 57883.07
    assert (
        (told["issued_on"], told["due_on"]) == (str(head.issued_on), str(head.due_on)) == ("2021-10-05", "2021-10-20")
    )
    assert (told["month"], told["contract"], told["currency"]) == (head.month, head.contract, head.currency)
    assert (told["start"], told["end"]) == ("2021-09-01T00:00:00-06:00", "2021-10-01T00:00:00-06:00")
    assert sum(block["kwh"] for block in told["blocks"]) == pytest.approx(told["kwh"])
    assert eis.get("customer", f"{STEEL}/invoices").json()["items"] == [
        {
            name: told[name]
            for name in ("number", "month", "contract", "issued_on", "due_on", "kwh", "total", "currency")
        }
    ]


def test_an_invoices_pdf_is_the_published_one(eis: Api) -> None:
    """Nothing is handed out but what was published of this very invoice; and whoever fetched it stands in the log."""
    path = "/v1/invoices/FAC-000001.pdf"
    problem(eis.get("customer", path), 404, "not-published")
    folder = eis.running.context.settings.sites / "EIS" / "EIS-0001" / "2021-09"
    folder.mkdir(parents=True)
    (folder / "invoice.pdf").write_bytes(b"%PDF-1.7 the steel works")
    (folder / "invoice.json").write_text('{"number": "FAC-000009"}')
    problem(eis.get("customer", path), 404, "not-published")
    (folder / "invoice.json").write_text('{"number": "FAC-000001"}')
    answer = eis.get("customer", path)
    assert (answer.status_code, answer.content) == (200, b"%PDF-1.7 the steel works")
    assert answer.headers["content-type"] == "application/pdf"
    assert 'filename="FAC-000001.pdf"' in answer.headers["content-disposition"]
    seen = eis.running.audit("SEEN")[-1]
    assert (seen.client, seen.actor, seen.subject) == (
        "EIS",
        "customer@eis.example (token of customer@eis.example)",
        "invoice FAC-000001",
    )


def test_readings_are_the_files(eis: Api, by_hand: list[tuple[datetime, Decimal, Decimal, str]]) -> None:
    told = list(eis.pages("customer", f"{STEEL}/readings", **MONTH, limit=1300))
    assert [(one["start"], one["kwh"], one["kw"], one["block"]) for one in told] == [
        (f"{at.isoformat()}-06:00", float(kwh), float(kw), block) for at, kwh, kw, block in by_hand
    ]
    assert {one["quality"] for one in told} == {"measured"}


def test_a_range_is_half_open_and_in_any_offset(eis: Api) -> None:
    asked = {"from": "2021-09-17T12:00:00-06:00", "to": "2021-09-17T13:00:00-06:00"}
    starts = [one["start"] for one in eis.pages("customer", f"{STEEL}/readings", **asked)]
    assert starts == [f"2021-09-17T12:{minute:02d}:00-06:00" for minute in (0, 15, 30, 45)]
    same = {"from": "2021-09-17T18:00:00Z", "to": "2021-09-18T04:00:00+09:00"}
    assert [one["start"] for one in eis.pages("customer", f"{STEEL}/readings", **same)] == starts


@pytest.mark.parametrize("resolution", ["hour", "day", "month"])
def test_usage_is_the_sum_of_the_files(
    eis: Api, by_hand: list[tuple[datetime, Decimal, Decimal, str]], resolution: str
) -> None:
    digits = {"hour": 13, "day": 10, "month": 7}[resolution]
    wanted: dict[str, list[tuple[Decimal, Decimal, str]]] = {}
    for at, kwh, kw, block in by_hand:
        wanted.setdefault(at.isoformat()[:digits], []).append((kwh, kw, block))
    told = list(eis.pages("customer", f"{STEEL}/usage", **MONTH, resolution=resolution, limit=500))
    assert [one["start"][:digits] for one in told] == list(wanted)
    for one, rows in zip(told, wanted.values(), strict=True):
        assert one["start"].endswith("-06:00")
        assert one["kwh"] == float(sum(kwh for kwh, _, _ in rows))
        assert one["max_kw"] == float(max(kw for _, kw, _ in rows))
        assert one["intervals"] == len(rows)
        assert one["blocks"] == {
            name: {
                "kwh": float(sum(kwh for kwh, _, block in rows if block == name)),
                "max_kw": float(max(kw for _, kw, block in rows if block == name)),
            }
            for name in dict.fromkeys(block for _, _, block in rows)
        }
    if resolution == "month":
        assert told[0]["end"] == "2021-10-01T00:00:00-06:00"
        assert told[0]["kwh"] == eis.get("customer", "/v1/invoices/FAC-000001").json()["kwh"]


def test_what_a_range_may_not_be(eis: Api) -> None:
    for wrong, name in [
        ({"from": "2021-09-02", "to": "2021-09-01"}, "to"),
        ({"from": "2021-09-01", "to": "2021-09-01"}, "to"),
        ({"from": "2021-09-31", "to": "2021-10-01"}, "from"),
        ({"from": "2020-01-01", "to": "2021-10-01"}, "to"),
        ({"from": "2023-01-01", "to": "2023-02-01"}, "to"),
        ({"from": "2021-09-01"}, "to"),
        ({**MONTH, "to": "2021-10-01T00:00:00"}, "to"),
        ({**MONTH, "limit": "0"}, "limit"),
        ({**MONTH, "limit": "5001"}, "limit"),
        ({**MONTH, "limit": "1e3"}, "limit"),
        ({**MONTH, "contract": "EIS-0002"}, "contract"),
        ({**MONTH, "contract": "x\x00"}, "contract"),
        ({**MONTH, "order": "1;DROP TABLE eisenergy.invoices"}, "order"),
    ]:
        said = problem(eis.get("customer", f"{STEEL}/readings", params=wrong), 422, "invalid")
        assert said["errors"][0]["parameter"] == name, wrong


# --- lists


def test_a_list_hides_and_repeats_nothing_when_others_come_in(eis: Api) -> None:
    """A page, then a customer before and one behind its end: the first is not told, the second is, and nobody twice."""

    def put(n: int) -> None:
        row = {**ROW, "contract": f"EIS-0002-{n}", "meter": f"22{n}"}
        assert eis.post("operator", "/v1/customers", {"customers": [row]}).status_code == 200

    put(5)
    first = eis.get("operator", "/v1/customers", params={"limit": 3}).json()
    assert [one["id"] for one in first["items"]] == ["EIS-0001", "EIS-0002", "EIS-0002-5"]
    put(1), put(7)
    rest = eis.get("operator", "/v1/customers", params={"limit": 3, "cursor": first["next"]}).json()
    assert [one["id"] for one in rest["items"]] == ["EIS-0002-7", "EIS-0003"]
    assert rest["next"] is None


def test_a_cursor_is_of_use_for_its_own_list_alone(eis: Api) -> None:
    given = eis.get("operator", "/v1/customers", params={"limit": 1}).json()["next"]
    flipped = ("A" if given[0] != "A" else "B") + given[1:]
    admin = {"X-Client": "EIS"}
    for who, path, query, headers in [
        ("neighbour", "/v1/customers", {}, {}),
        ("manager", "/v1/customers", {}, {}),
        ("admin", "/v1/customers", {}, admin),
        ("operator", "/v1/customers", {"q": "a"}, {}),
        ("operator", f"{STEEL}/invoices", {}, {}),
    ]:
        answer = eis.get(who, path, params={**query, "cursor": given}, headers=headers)
        assert problem(answer, 422, "invalid")["errors"][0]["parameter"] == "cursor"
    for forged in (flipped, given[:-1], given + "A", "x", "eyJhIjoxfQ", "%00", "ñ"):
        problem(eis.get("operator", "/v1/customers", params={"cursor": forged}), 422, "invalid")
    with pytest.raises(Problem):
        cursors.opened(b"another key", ["a"], cursors.sealed(b"a key", ["a"], [1]))
    assert cursors.opened(b"a key", ["a"], cursors.sealed(b"a key", ["a"], [1])) == [1]


def test_invoices_page_by_page(eis: Api) -> None:
    """Two of one customer, the later month first."""
    told = list(eis.pages("neighbour", "/v1/customers/EIS-0004/invoices", limit=1))
    assert [one["number"] for one in told] == ["FAC-000002"]
    rows = listing.invoices(eis.running.database, LUZ, "EIS-0004", before=("2021-09", 2))
    assert rows == ()
    assert [row.sequence for row in listing.invoices(eis.running.database, LUZ, "EIS-0004", before=("2021-10", 1))] == [
        2
    ]


@pytest.mark.parametrize("search", ["'; DROP TABLE eisenergy.customers; --", "%", "_", "\\", "' OR '1'='1", "x" * 100])
def test_a_filter_is_a_text_and_nothing_else(eis: Api, search: str) -> None:
    answer = eis.get("operator", "/v1/customers", params={"q": search})
    assert (answer.status_code, answer.json()) == (200, {"items": [], "next": None})
    assert eis.get("operator", "/v1/customers", params={"q": "aceros"}).json()["items"][0]["id"] == "EIS-0001"


def test_a_customers_token_lists_its_own(eis: Api) -> None:
    assert [one["id"] for one in eis.pages("customer", "/v1/customers")] == ["EIS-0001"]
    assert [one["id"] for one in eis.pages("manager", "/v1/customers")] == ["EIS-0001", "EIS-0002"]
    assert {one["name"] for one in eis.pages("neighbour", "/v1/customers")} == {
        mark("LUZ", "EIS-0001"),
        mark("LUZ", "EIS-0004"),
    }


# --- who asks


def test_who_has_no_token_is_nobody(eis: Api) -> None:
    session = eis.running.session_of("operator")
    for headers in (
        {},
        {"Cookie": f"eisenergy={session}"},
        {"Authorization": f"Bearer {session}"},
        {"Authorization": "Bearer eis_" + "x" * 43},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {eis.tokens['operator']}"},
        {"Authorization": f"Bearer {eis.tokens['operator']}x"},
        {"Authorization": f"Bearer {eis.tokens['operator'].upper()}"},
    ):
        answer = eis.ask(None, "GET", "/v1/customers", headers=headers)
        problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith('Bearer realm="eisenergy"')


def test_a_token_ends_in_its_time_with_the_right_and_when_it_is_revoked(eis: Api) -> None:
    database = eis.running.database
    grant = Grant(client="EIS", role=Role.CLIENT_ADMIN)
    owner = person(database, "program@eis.example", grant)
    made = token(database, owner, grant)
    assert eis.get(made, "/v1/customers").status_code == 200
    (listed,) = api_tokens.listed(database, client="EIS", user=owner.user)  # type: ignore[arg-type]
    assert listed.used_at == NOW
    eis.running.clock.turn(timedelta(days=30))
    problem(eis.get(made, "/v1/customers"), 401, "unauthorized")
    eis.running.clock.at = NOW + timedelta(minutes=5)
    asked = eis.post(made, "/v1/billing/run", {"month": "2021-09"}).json()
    job = jobs.find(database, EIS, uuid.UUID(asked["job"]))
    assert (job.token, job.user) == (listed.id, owner.user)
    assert attempts.still_allowed(database, job)
    assert api_tokens.revoke(database, "EIS", listed.id, by=BY, at=NOW) == "of program@eis.example"
    problem(eis.get(made, "/v1/customers"), 401, "unauthorized")
    assert not attempts.still_allowed(database, job)
    other = token(database, owner, grant)
    assert eis.get(other, "/v1/customers").status_code == 200
    people.set_disabled(database, Scope(client="EIS", role=Role.SYSTEM_ADMIN), owner.user, True, by=BY, at=NOW)  # type: ignore[arg-type]
    problem(eis.get(other, "/v1/customers"), 401, "unauthorized")
    with pytest.raises(ValueError, match="of a client or of an account"):
        api_tokens.listed(database)
    for name in ("", " ", "x" * 101, "a\x00b"):
        with pytest.raises(BadAccount, match="1 to 100 characters"):
            api_tokens.create(database, owner.user, grant, name, timedelta(1), client="EIS", by=BY, at=NOW)  # type: ignore[arg-type]


def test_a_token_for_every_client_names_one(eis: Api) -> None:
    problem(eis.get("admin", "/v1/customers"), 400, "client-not-named")
    for client, wanted in (("EIS", "Aceros de Ateos, S.A. de C.V."), ("LUZ", mark("LUZ", "EIS-0001"))):
        told = eis.get("admin", "/v1/customers", headers={"X-Client": client}).json()["items"]
        assert told[0] == {"id": "EIS-0001", "name": wanted}
    problem(eis.get("admin", "/v1/customers", headers={"X-Client": "NONE"}), 404, "not-found")
    for wrong in ("eis", "*", "E" * 17, "EIS; DROP"):
        problem(eis.get("admin", "/v1/customers", headers={"X-Client": wrong}), 422, "invalid")


def test_more_than_a_token_may_is_refused_and_written_down(eis: Api) -> None:
    for who, method, path, headers in [
        ("customer", "GET", "/v1/customers/EIS-0002", {}),
        ("customer", "GET", "/v1/invoices/FAC-000002", {}),
        ("customer", "GET", "/v1/invoices/FAC-999999", {}),
        ("customer", "GET", f"/v1/jobs/{eis.jobs['EIS']}", {}),
        ("operator", "GET", f"/v1/jobs/{eis.jobs['LUZ']}", {}),
        ("operator", "GET", "/v1/customers", {"X-Client": "LUZ"}),
        ("manager", "POST", "/v1/billing/run", {}),
        ("operator", "POST", "/v1/clients", {}),
    ]:
        before = eis.running.refusals()
        answer = eis.ask(who, method, path, headers=headers)
        problem(answer, 403, "forbidden")
        assert eis.running.refusals() == before + 1, path
        entry = eis.running.audit("REFUSED")[-1]
        assert (entry.subject, entry.client) == (f"{method} {path}", "EIS")
    problem(eis.get("operator", "/v1/invoices/FAC-999999"), 404, "not-found")
    problem(eis.get("operator", "/v1/customers/EIS-9999"), 404, "not-found")


# --- done once


def test_the_same_key_is_done_once(eis: Api) -> None:
    keys, before = key(), count(eis, "jobs")
    first = eis.post("operator", "/v1/billing/run", {"month": "2021-08"}, headers=keys)
    again = eis.post("operator", "/v1/billing/run", {"month": "2021-08"}, headers=keys)
    assert (first.status_code, first.content, first.headers["location"]) == (
        again.status_code,
        again.content,
        again.headers["location"],
    )
    assert first.status_code == 202
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert count(eis, "jobs") == before + 1
    problem(eis.post("operator", "/v1/billing/run", {"month": "2021-07"}, headers=keys), 422, "key-used")
    problem(eis.post("operator", "/v1/customers", {"customers": [ROW]}, headers=keys), 422, "key-used")
    # another account's key of the same name, and another seller's, are others
    theirs = eis.post("neighbour", "/v1/billing/run", {"month": "2021-08"}, headers=keys)
    admins = eis.post("admin", "/v1/billing/run", {"month": "2021-08"}, headers={**keys, "X-Client": "EIS"})
    assert len({answer.json()["job"] for answer in (first, theirs, admins)}) == 3
    problem(
        eis.post("admin", "/v1/billing/run", {"month": "2021-08"}, headers={**keys, "X-Client": "LUZ"}), 422, "key-used"
    )
    eis.running.clock.turn(timedelta(hours=24))
    late = eis.post("operator", "/v1/billing/run", {"month": "2021-07"}, headers=keys)
    assert late.status_code == 202
    with eis.running.database.session(EIS) as connection:
        kept = (
            connection.execute(text("SELECT created_at FROM eisenergy.idempotency WHERE client = 'EIS'"))
            .scalars()
            .all()
        )
    assert set(kept) == {NOW + timedelta(hours=24)}, "those that were too old are gone"


def test_a_file_that_is_sent_again_is_the_same_request(eis: Api) -> None:
    """Its parts are divided by another boundary each time."""
    keys = key()
    sent = [
        eis.post("operator", "/v1/meter-readings/upload", files={"files": ("a.csv", b"a,b\n")}, headers=keys)
        for _ in "ab"
    ]
    assert sent[0].content == sent[1].content
    other = eis.post("operator", "/v1/meter-readings/upload", files={"files": ("a.csv", b"a,c\n")}, headers=keys)
    problem(other, 422, "key-used")


@contextmanager
def held(eis: Api, keys: dict[str, str]) -> Iterator[None]:
    """Another request with the same key that has not ended."""
    database = eis.running.database
    user = eis.running.people["operator"].user
    with database.session(EIS) as connection:
        idempotency.claim(connection, "EIS", user, keys["Idempotency-Key"])  # type: ignore[arg-type]
        yield


def test_a_key_that_is_being_worked_on(eis: Api) -> None:
    keys = key()
    with held(eis, keys):
        answer = eis.post("operator", "/v1/billing/run", {"month": "2021-06"}, headers=keys)
        problem(answer, 409, "key-in-use")
        assert answer.headers["retry-after"] == "1"
    assert eis.post("operator", "/v1/billing/run", {"month": "2021-06"}, headers=keys).status_code == 202


def test_eight_at_once_do_it_once(eis: Api) -> None:
    keys, before, found = key(), count(eis, "jobs"), []

    def ask() -> None:
        found.append(eis.post("operator", "/v1/billing/run", {"month": "2021-05"}, headers=keys))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert {answer.status_code for answer in found} <= {202, 409}
    assert len({answer.content for answer in found if answer.status_code == 202}) == 1
    assert count(eis, "jobs") == before + 1


def test_an_answer_is_kept_with_its_effect_or_neither(eis: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, before, kept = key(), count(eis, "jobs"), count(eis, "idempotency")

    def fails(*_: object) -> None:
        raise RuntimeError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "keep", fails)
        # after an error the server closes the connection: the next request is not to meet it half closed
        alone = {**keys, "Connection": "close"}
        problem(eis.post("operator", "/v1/billing/run", {"month": "2021-04"}, headers=alone), 500, "internal")
    assert (count(eis, "jobs"), count(eis, "idempotency")) == (before, kept)
    assert eis.post("operator", "/v1/billing/run", {"month": "2021-04"}, headers=keys).status_code == 202
    # what was refused had no effect, and its key is free
    problem(eis.post("operator", "/v1/customers", {"customers": []}, headers=(again := key())), 422, "invalid")
    assert eis.post("operator", "/v1/customers", {"customers": [ROW]}, headers=again).status_code == 200


@pytest.mark.parametrize("wrong", ["x" * 256, "a b", ""])
def test_what_is_no_key(eis: Api, wrong: str) -> None:
    said = problem(
        eis.post("operator", "/v1/billing/run", {"month": "2021-06"}, headers={"Idempotency-Key": wrong}),
        422,
        "invalid",
    )
    assert said["errors"][0]["header"] == "Idempotency-Key"


# --- clients and customers


def test_records_and_rows_are_read_by_the_same_rules(eis: Api, settings: Settings) -> None:
    """The shipped list as JSON, written here by hand from its cells, is the shipped list as a workbook, but for where its numbers came from."""
    path = settings.samples / LIST
    wanted = customers.read(path).contracts
    sheet = next(one for one in openpyxl.load_workbook(path, data_only=True).worksheets if one.max_row > len(wanted))
    told = []
    for one in wanted:
        row = {"contract": one.number, "name": one.customer.name, "meter": one.meter.serial, "tariff": one.tariff}
        row |= {"first_day": one.start.isoformat(), "node": one.meter.site.node}
        row |= {
            name: getattr(one.customer, name)
            for name in ("nit", "ncr", "address", "municipality", "phone", "email", "activity")
        }
        for name, entry in (
            ("contracted_kw", one.contracted_kw),
            ("loss_factor", one.loss_factor),
            ("municipal_fee", one.municipal_fee),
        ):
            row[name] = None if entry is None else str(entry.value)
        for name, entry in (("retention_percent", one.retention_rate), ("discount_percent", one.discount_rate)):
            row[name] = None if entry is None else f"{entry.value * 100:f}"
        row["notes"] = one.notes
        told.append(row)
    assert sheet is not None
    found = records.read(told, "interface").contracts

    def bare(one: Any) -> Any:
        amounts = ("contracted_kw", "loss_factor", "municipal_fee", "retention_rate", "discount_rate")
        return replace(
            one,
            **{name: None if (entry := getattr(one, name)) is None else replace(entry, origin="") for name in amounts},
        )

    assert [bare(one) for one in found] == [bare(one) for one in wanted]
    assert found[0].municipal_fee is not None
    assert found[0].municipal_fee.origin == "interface, EIS-0001, municipal_fee"


def test_a_workbook_is_put_as_the_import_does(eis: Api, settings: Settings) -> None:
    wanted = customers.read(settings.samples / LIST).contracts
    before = {one.number for one in masters.contracts(eis.running.database, EIS)}
    answer = eis.ask(
        "operator",
        "POST",
        "/v1/customers",
        content=(settings.samples / LIST).read_bytes(),
        headers={"Content-Type": XLSX},
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert [one["contract"] for one in told["outcomes"]] == [one.number for one in wanted]
    stored = {one.number: one for one in masters.contracts(eis.running.database, EIS)}
    fresh = [one for one in wanted if one.number not in before]
    assert fresh
    assert {one["contract"] for one in told["outcomes"] if one["outcome"] == "added"} == {one.number for one in fresh}
    for one in fresh:
        assert [sourced(stored[one.number]), stored[one.number].customer] == [sourced(one), one.customer]


def sourced(contract: Any) -> Any:
    """A contract without the name of the file its numbers came from, which is the request's own."""
    amounts = ("contracted_kw", "loss_factor", "municipal_fee", "retention_rate", "discount_rate")
    return [getattr(contract, name) and getattr(contract, name).value for name in amounts]


def test_all_rows_or_none(eis: Api) -> None:
    rows = [{**ROW, "contract": f"EIS-08{n}", "meter": f"8800{n}"} for n in range(3)]
    before, log = count(eis, "contracts"), len(eis.running.audit("CONTRACT"))
    broken = [*rows, {**ROW, "contract": "EIS-089", "meter": "88000", "first_day": "2021-02-30", "municipal_fee": "-1"}]
    said = problem(eis.post("operator", "/v1/customers", {"customers": broken}), 422, "invalid")
    pointers = {one["pointer"] for one in said["errors"]}
    assert "/customers/3/municipal_fee" in pointers
    broken[3]["municipal_fee"] = "1"
    said = problem(eis.post("operator", "/v1/customers", {"customers": broken}), 422, "invalid")
    assert {one["pointer"] for one in said["errors"]} == {
        "/customers/0/meter",
        "/customers/3/meter",
        "/customers/3/first_day",
    }
    assert (count(eis, "contracts"), len(eis.running.audit("CONTRACT"))) == (before, log)
    told = eis.post("operator", "/v1/customers", {"customers": rows}).json()
    assert (told["added"], told["changed"], told["unchanged"]) == (3, 0, 0)
    rows[1]["name"] = "Panadería Central"
    told = eis.post("operator", "/v1/customers", {"customers": rows}).json()
    assert [one["outcome"] for one in told["outcomes"]] == ["unchanged", "changed", "unchanged"]
    entry = eis.running.audit("CONTRACT")[-1]
    assert (entry.subject, entry.old["customer"]["name"], entry.new["customer"]["name"]) == (
        "EIS-081",
        "Panadería",
        "Panadería Central",
    )
    assert len(eis.running.audit("CONTRACT")) == log + 4
    twice = {**ROW, "contract": "EIS-0899", "meter": "88001"}
    problem(eis.post("operator", "/v1/customers", {"customers": [twice]}), 409, "conflict")
    assert count(eis, "contracts") == before + 3


def test_a_client_is_provisioned_by_a_system_administrator(eis: Api, settings: Settings) -> None:
    body = {
        "code": "SOL", "name": "Sol, S.A.", "nit": "0614-010115-108-3", "ncr": "241337-8", "activity": "Venta", "address": "San Salvador",
        "phone": "2250-1500", "email": "a@sol.example", "website": "www.sol.example", "timezone": "America/El_Salvador", "currency": "USD",
        "locale": "es-SV", "series": "SOL", "due_days": 15, "max_missing_share": 0.1,
    }  # fmt: skip
    keys = key()
    made = eis.post("admin", "/v1/clients", body, headers=keys)
    assert (made.status_code, made.json()) == (201, {"code": "SOL", "outcome": "added"})
    assert eis.post("admin", "/v1/clients", body, headers=keys).status_code == 201
    assert eis.post("admin", "/v1/clients", body).json() == {"code": "SOL", "outcome": "unchanged"}
    assert masters.client(eis.running.database, Scope.operator("SOL")).name == "Sol, S.A."
    problem(eis.post("admin", "/v1/clients", {**body, "code": "SOM"}, headers=keys), 422, "key-used")
    entry = eis.running.audit("CLIENT")[-1]
    assert (entry.client, entry.old, entry.new["name"]) == ("SOL", None, "Sol, S.A.")
    for name, value in (
        ("timezone", "../../etc/passwd"),
        ("timezone", "Mars/Base"),
        ("currency", "EUR"),
        ("due_days", 366),
        ("code", "sol"),
    ):
        said = problem(eis.post("admin", "/v1/clients", {**body, name: value}), 422, "invalid")
        assert said["errors"][0]["pointer"] == f"/{name}"
    owner = eis.running.people["admin"]
    limited = token(eis.running.database, owner, Grant(client="*", role=Role.SYSTEM_ADMIN), client="EIS")
    problem(eis.post(limited, "/v1/clients", body), 403, "forbidden")


# --- work in the background


def done(eis: Api, job: str) -> jobs.Job:
    """Do a job as a worker does it, in this process."""
    context = eis.running.context
    lake = Lake.open(context.settings, context.database)
    workspace = Workspace(settings=context.settings, database=context.database, lake=lake)
    runner = Runner(
        workspace=workspace, kinds=ALL_KINDS, explains=lambda _: False, stopping=threading.Event(), now=lambda: NOW
    )
    runner.run("EIS", uuid.UUID(job), 0)
    return jobs.find(context.database, EIS, uuid.UUID(job))


def test_files_are_stored_and_imported_by_one_job(eis: Api, settings: Settings) -> None:
    data = (settings.samples / "5741444.csv").read_bytes()
    sent = [("files", ("../../5741444.csv", data)), ("files", ("=evil.csv", b"nothing,of\nuse,at all\n"))]
    answer = eis.post("operator", "/v1/meter-readings/upload", files=sent)
    assert answer.status_code == 202
    told = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{told['job']}"
    assert [(one["name"], one["sha256"], one["bytes"]) for one in told["uploads"][:1]] == [
        (
            "5741444.csv",
            hashlib.sha256(data).hexdigest(),
            len(data),
        )
    ]
    assert told["uploads"][1]["name"] == "_evil.csv"
    assert eis.get("operator", answer.headers["location"]).json()["state"] == "waiting"
    done(eis, told["job"])
    job = eis.get("operator", answer.headers["location"]).json()
    assert job["state"] == "done", job
    assert {one["file"]: one["status"] for one in job["result"]["files"]}["5741444.csv"] == "known"
    upload = uploads.find(eis.running.database, EIS, uuid.UUID(told["uploads"][0]["id"]))
    assert (upload.state, upload.way, str(upload.job)) == ("imported", "api", told["job"])


def test_files_that_are_none(eis: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/v1/meter-readings/upload"
    for name, data in (("a.exe", b"MZ"), ("a.csv", b"MZ\x90"), ("a.csv", b""), ("a.csv", b" \n"), ("", b"a,b")):
        answer = eis.post("operator", path, files={"files": (name, data)})
        assert answer.status_code == 422, (name, data)
    problem(eis.post("operator", path, {}), 415, "unsupported-media-type")
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    problem(eis.ask("operator", "POST", path, content=b"--x\r\nnonsense", headers=form), 422, "invalid")
    problem(
        eis.ask("operator", "POST", path, content=b"", headers={"Content-Type": "multipart/form-data"}),
        400,
        "bad-request",
    )
    problem(eis.post("operator", path, files={"other": ("a.csv", b"a")}), 422, "invalid")
    problem(eis.post("operator", path, data={"files": "a"}, files={"x": b""}), 422, "invalid")
    many = [("files", (f"{n}.csv", b"a")) for n in range(51)]
    assert eis.post("operator", path, files=many).status_code in (400, 413)
    parts = count(eis, "uploads")
    small = replace(eis.running.context.settings.work, upload_bytes=1000)
    object.__setattr__(eis.running.context, "settings", replace(eis.running.context.settings, work=small))
    try:
        big = b"a,b\n" * 300_000
        problem(eis.post("operator", path, files={"files": ("a.csv", big)}), 413, "too-large")
        # without a length, as it comes
        pieces = (
            b"--x\r\nContent-Disposition: form-data; name=files; filename=a.csv\r\n\r\n" if n == 0 else big
            for n in range(3)
        )
        problem(eis.ask("operator", "POST", path, content=pieces, headers=form), 413, "too-large")
    finally:
        generous = replace(small, upload_bytes=200 << 20)
        object.__setattr__(eis.running.context, "settings", replace(eis.running.context.settings, work=generous))
    assert count(eis, "uploads") == parts


def test_a_month_is_billed_by_a_job(eis: Api) -> None:
    asked = eis.post("operator", "/v1/billing/run", {"month": "2021-09", "customers": ["EIS-0001"]}).json()
    job = done(eis, asked["job"])
    assert (job.kind, job.state) == ("bill", "done"), job.problem
    assert job.result["issued_before"] == 1
    body = {"month": "2021-09", "issue": True, "customers": ["EIS-0001"], "issued_on": "2021-10-06"}
    job = done(eis, eis.post("operator", "/v1/billing/run", body).json()["job"])
    assert (job.kind, job.state) == ("month", "done"), job.problem
    assert set(job.result) == {"bill", "issue"}, "it was not asked to publish"
    assert job.arguments == {**body, "publish": False}
    assert job.asked_by == "operator@eis.example (token of operator@eis.example)"
    for wrong, pointer in [
        ({"month": "2021-13"}, "/month"),
        ({"month": "2021-9"}, "/month"),
        ({"month": "2021-09\n"}, "/month"),
        ({"month": 202109}, "/month"),
        ({"month": "2021-09", "issue": "yes"}, "/issue"),
        ({"month": "2021-09", "customers": ["EIS-0001", "EIS-9999"]}, "/customers/1"),
        ({"month": "2021-09", "issued_on": "2021-02-30"}, "/issued_on"),
        ({"month": "2021-09", "force": True}, ""),
        ([], ""),
        ("x", ""),
    ]:
        said = problem(eis.post("operator", "/v1/billing/run", wrong), 422, "invalid")
        assert said["errors"][0]["pointer"] == pointer, wrong


# --- what is in the way


def test_every_refusal_is_a_problem(eis: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    problem(eis.get("operator", "/v1/nothing"), 404, "not-found")
    problem(eis.get("operator", "/v1/customers/EIS-0001/nothing"), 404, "not-found")
    problem(eis.get("operator", "/v1/jobs/nothing"), 404, "not-found")
    problem(eis.get("operator", "/v1/customers/%00"), 404, "not-found")
    answer = eis.ask("operator", "DELETE", "/v1/customers")
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, POST"
    problem(
        eis.ask("operator", "POST", "/v1/customers", content=b"<a/>", headers={"Content-Type": "text/xml"}),
        415,
        "unsupported-media-type",
    )
    problem(eis.ask("operator", "POST", "/v1/customers", content=b"{}"), 415, "unsupported-media-type")
    large = b'{"month": "' + b"x" * (65 << 10) + b'"}'
    problem(
        eis.ask("operator", "POST", "/v1/billing/run", content=large, headers={"Content-Type": "application/json"}),
        413,
        "too-large",
    )

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the program")

    with monkeypatch.context() as patch:
        patch.setattr(listing, "customer_page", fails)
        answer = eis.get("operator", "/v1/customers")
    problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert eis.running.browser().get("/nothing").headers["content-type"].startswith("text/html")


ODD = {
    "nothing": b"",
    "no JSON": b"{",
    "NaN": b'{"month": NaN}',
    "infinity": b'{"month": -Infinity}',
    "more than a float holds": b'{"month": 1e400}',
    "five thousand digits": b'{"month": ' + b"9" * 5000 + b"}",
    "NUL": b'{"month": "2021-09\\u0000"}',
    "half a surrogate pair": b'{"month": "\\ud800"}',
    "half of one as a name": b'{"\\udc00": 1}',
    "a name twice": b'{"month": "2021-09", "month": "2021-08"}',
    "no UTF-8": b'{"month": "\xff\xfe"}',
    "Latin-1": '{"month": "á"}'.encode("latin-1"),
    "UTF-16": '{"month": "2021-09"}'.encode("utf-16"),
    "deep": b"[" * 30_000,
    "deep and closed": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "two documents": b'{"month": "2021-09"} {}',
}


@pytest.mark.parametrize("name", ODD)
def test_odd_bodies_are_refused(eis: Api, name: str) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    before = count(eis, "jobs")
    problem(eis.ask("operator", "POST", "/v1/billing/run", content=ODD[name], headers=headers), 400, "bad-request")
    assert count(eis, "jobs") == before


def test_looking_for_a_name_that_is_given_twice_looks_at_each_once() -> None:
    """A body of eight megabytes has a million names: comparing each with all others would hold the whole portal up."""
    compared = 0

    class Name(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)  # type: ignore[arg-type]

    names = [Name(f"n{number}") for number in range(500)]
    with pytest.raises(ValueError, match="'n499' is given twice"):
        checking._object([(name, 0) for name in [*names, Name("n499")]])
    assert compared < 5000


def test_what_is_too_much_is_not_looked_at_piece_by_piece() -> None:
    """Ninety thousand records in eight megabytes, each of them right, would hold the whole portal up for twelve seconds."""
    checker, looked = checking.Checker(COMPONENTS), 0

    class Record(dict):  # type: ignore[type-arg]
        def __contains__(self, name: object) -> bool:
            nonlocal looked
            looked += 1
            return super().__contains__(name)

    for number, wanted in ((2, range(10, 200)), (2001, range(1))):
        looked = 0
        with pytest.raises(Problem) as caught:
            checker.body("CustomersUpsert", {"customers": [Record(ROW) for _ in range(number)], "x" * 99: 1, "y": 2})
        assert looked in wanted
        said = {one["detail"] for one in caught.value.errors}
        assert f"'{'x' * 60}' and 1 more is not known here" in said
        assert ("2,001 items, expected 2,000 at most" in said) is (number > 2000)


def test_odd_records_are_refused(eis: Api) -> None:
    for name, value in {
        "contract": "",
        "name": None,
        "meter": ["5614086"],
        "tariff": {"$ne": 1},
        "first_day": "2021-1-1",
        "last_day": "2020-12-31",
        "contracted_kw": 10**400,
        "municipal_fee": "1e5",
        "loss_factor": "NaN",
        "retention_percent": "101",
        "discount_percent": "１",
        "notes": {"a": 1},
        "customer": "EIS-0001",
        "address": "a\x01b",
        "phone": "x" * 101,
    }.items():
        said = problem(eis.post("operator", "/v1/customers", {"customers": [{**ROW, name: value}]}), 422, "invalid")
        assert said["errors"][0]["pointer"].startswith("/customers/0"), name
    assert eis.post("operator", "/v1/customers", {"customers": [ROW] * 2001}).status_code == 422


def narrow() -> bytes:
    """A workbook of one cell."""
    found, book = io.BytesIO(), openpyxl.Workbook()
    book.active["A1"] = 1  # type: ignore[index]
    book.save(found)
    return found.getvalue()


def test_workbooks_that_are_none(eis: Api) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * (49 << 20))
    wide, book = io.BytesIO(), openpyxl.Workbook()  # five kilobytes, and seventeen billion cells once they are laid out
    book.active["A1"] = book.active["XFD1048576"] = 1  # type: ignore[index]
    book.save(wide)
    torn = bytearray(narrow())
    sheet = zipfile.ZipFile(io.BytesIO(torn)).getinfo("xl/worksheets/sheet1.xml")
    torn[sheet.header_offset + 30 + len(sheet.filename)] = 0xFF  # no block of deflate begins like this
    for body, kind in (
        (bytes(torn), "invalid"),
        (b"", "invalid"),
        (b"PK\x03\x04", "invalid"),
        (b"a,b", "invalid"),
        (bomb.getvalue(), "too-large"),
        (wide.getvalue(), "too-large"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 9, "invalid"),
    ):
        answer = eis.ask("operator", "POST", "/v1/customers", content=body, headers={"Content-Type": XLSX})
        problem(answer, KINDS[kind][0], kind)
        assert "/tmp" not in answer.text


def test_a_token_that_asks_too_often_waits(eis: Api) -> None:
    clock = [0.0]
    buckets, mine, other = Buckets(3, lambda: clock[0]), uuid.uuid4(), uuid.uuid4()
    assert [buckets.take(mine) for _ in range(4)] == [0, 0, 0, 20]
    assert buckets.take(other) == 0
    clock[0] = 19.0
    assert buckets.take(mine) == 1
    clock[0] = 20.0
    assert [buckets.take(mine), buckets.take(mine)] == [0, 20]
    context = eis.running.context
    slow = replace(context.settings, portal=replace(context.settings.portal, api_rate=2))
    with serving(slow, context.database, eis.running.clock) as running:
        few = Api(running, eis.tokens)
        answers = [few.get("customer", "/v1/customers") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        problem(answers[2], 429, "too-many-requests")
        assert 1 <= int(answers[2].headers["retry-after"]) <= 30
        assert few.get("manager", "/v1/customers").status_code == 200
        before = eis.running.refusals()
        answers = [few.post("neighbour", "/v1/clients", {}) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [403, 403, 429, 429, 429]
        assert eis.running.refusals() == before + 2, "each refusal is a line of the log; a flood of them is none"


# --- tokens, made and ended on pages


def test_a_token_is_made_shown_once_and_ended(eis: Api) -> None:
    from portal_cases import PASSWORD

    browser = eis.running.signed_in("operator")
    fields = {"name": "ERP <b>", "place": "EIS", "customers": "", "days": "90", "current": PASSWORD}
    page = browser.post("/cuenta/fichas", fields, page="/cuenta/fichas")
    assert page.status_code == 200
    made = page.text.split("<code>")[1].split("</code>")[0]
    assert "ERP &lt;b&gt;" in page.text
    assert made not in browser.get("/cuenta/fichas").text
    assert len(list(eis.pages(made, "/v1/customers"))) > 1
    narrow = browser.post("/cuenta/fichas", {**fields, "customers": "EIS-0001"}, page="/cuenta/fichas")
    limited = narrow.text.split("<code>")[1].split("</code>")[0]
    assert [one["id"] for one in eis.pages(limited, "/v1/customers")] == ["EIS-0001"]
    with eis.running.database.signing_in() as connection:
        kept = connection.execute(text("SELECT string_agg(t::text, ' ') FROM eisenergy.api_tokens t")).scalar_one()
    assert made not in kept
    assert hashlib.sha256(made.encode()).hexdigest() in kept
    for change in (
        {"current": "wrong"},
        {"place": "LUZ"},
        {"place": "*"},
        {"days": "9999"},
        {"customers": "EIS-9999"},
    ):
        refused = browser.post("/cuenta/fichas", {**fields, **change}, page="/cuenta/fichas")
        assert refused.status_code == 422, change
        assert "<code>" not in refused.text
    (mine, *_) = [
        one
        for one in api_tokens.listed(eis.running.database, client="EIS")
        if one.name == "ERP <b>" and one.customers is None
    ]
    neighbour = eis.running.signed_in("neighbour")
    assert neighbour.post(f"/cuenta/fichas/{mine.id}/quitar", page="/cuenta/fichas").status_code == 404
    assert neighbour.post(f"/c/LUZ/fichas/{mine.id}/quitar", page="/cuenta/fichas").status_code == 404
    assert eis.get(made, "/v1/customers").status_code == 200
    assert "2021-10-25 06:00" in browser.get("/c/EIS/fichas").text, "last used, where the seller is"
    ended = browser.post(f"/cuenta/fichas/{mine.id}/quitar", page="/cuenta/fichas")
    assert "terminó" in ended.text
    problem(eis.get(made, "/v1/customers"), 401, "unauthorized")
    theirs = next(
        one for one in api_tokens.listed(eis.running.database, client="EIS") if one.email == "manager@eis.example"
    )
    assert browser.post(f"/c/EIS/fichas/{theirs.id}/quitar", page="/c/EIS/fichas").status_code == 200
    problem(eis.get("manager", "/v1/customers"), 401, "unauthorized")
    assert [entry.subject for entry in eis.running.audit("TOKEN_REVOKED")][-2:] == ["ERP <b>", "of manager@eis.example"]


def test_an_account_has_so_many_tokens(eis: Api) -> None:
    """Each token may ask as often as all others: without an end to them there would be none to asking."""
    database = eis.running.database
    grant = Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0001"}))
    owner = person(database, "many@eis.example", grant)
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(token, database, owner, grant) for _ in range(api_tokens.MOST + 4)]
    faults = [one.exception() for one in made if one.exception() is not None]
    assert [type(one) for one in faults] == [BadAccount] * 4
    assert "end one first" in str(faults[0])
    for one in api_tokens.listed(database, user=owner.user)[:2]:  # type: ignore[arg-type]
        api_tokens.revoke(database, "EIS", one.id, by=BY, at=NOW)
    token(database, owner, grant)
    listed = api_tokens.listed(database, user=owner.user)  # type: ignore[arg-type]
    assert [one.revoked_at is None for one in listed] == [True] * 19 + [False] * 2, "those that can be ended come first"


def test_what_a_token_opened_stays_shut_when_a_right_comes_back(eis: Api) -> None:
    """Narrowed and widened again, or shut and opened again: nobody thinks of the tokens of before."""
    database = eis.running.database
    admin = Scope(client="EIS", role=Role.SYSTEM_ADMIN)
    wide = Grant(client="EIS", role=Role.CLIENT_ADMIN)
    both = Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0001", "EIS-0002"}))
    one = replace(both, customers=frozenset({"EIS-0001"}))
    owner = person(database, "moves@eis.example", wide)
    everything, some, few = (token(database, owner, grant) for grant in (wide, both, one))

    def opened() -> list[bool]:
        return [eis.get(made, "/v1/customers").status_code == 200 for made in (everything, some, few)]

    assert opened() == [True, True, True]
    for right, wanted in (
        (both, [False, True, True]),
        (wide, [False, True, True]),
        (one, [False, False, True]),
        (wide, [False, False, True]),
    ):
        people.invite(database, admin, "moves@eis.example", right, by=BY, at=NOW)
        assert opened() == wanted, right
    for shut in (True, False):
        people.set_disabled(database, admin, owner.user, shut, by=BY, at=NOW)  # type: ignore[arg-type]
        assert opened() == [False, False, False]


def test_a_form_of_tokens_tells_nobody_which_customers_there_are(eis: Api) -> None:
    from portal_cases import PASSWORD

    browser = eis.running.signed_in("customer")
    fields = {"name": "x", "place": "EIS", "days": "90", "current": PASSWORD}
    answers = [
        browser.post("/cuenta/fichas", {**fields, "customers": code}, page="/cuenta/fichas")
        for code in ("EIS-0002", "EIS-7777")
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert len({re.sub(r'value="[0-9a-f]{64}"', "", answer.text) for answer in answers}) == 1


# --- the description


def test_the_description_is_of_what_is_served(eis: Api) -> None:
    told = eis.get(None, "/v1/openapi.json").json()
    assert told["openapi"] == "3.1.0"
    described = {f"{method.upper()} {path}" for path, one in told["paths"].items() for method in one}
    from eisenergy.portal.app import create_app

    app = create_app(eis.running.context)
    served = {
        f"{method} {route.path}"
        for route in app.routes
        for method in getattr(route, "methods", ())
        if route.path.startswith("/v1/")
    }
    assert described == served
    page = eis.running.browser().get("/v1").text
    for path in told["paths"]:
        assert f"{path}</code>" in page
    for kind in KINDS:
        assert f'id="{kind}"' in page


def test_every_example_fits_its_schema(eis: Api) -> None:
    import jsonschema

    components = interface.components(eis.running.context)
    seen = 0
    for name, schema in components.items():
        for where, part in _parts(schema, name):
            for example in part.get("examples", ()):
                root = {**part, "components": {"schemas": components}}
                jsonschema.validate(example, root, cls=jsonschema.Draft202012Validator)
                seen += 1
            assert (
                part.get("description") or where.count("/") > 2 or "$ref" in part or "enum" in part or "type" in part
            ), where
    assert seen > 60


def _parts(schema: dict[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield where, schema
    for name, part in schema.get("properties", {}).items():
        yield from _parts(part, f"{where}/{name}")
    if "items" in schema:
        yield from _parts(schema["items"], f"{where}/items")


UNSAID = ("positive_data_acceptance",)
"""A cursor is another call's, a key is of one request, a day is of the calendar, a file has rows: no schema says it, and 422 does."""


def fuzzed(eis: Api, who: str, headers: dict[str, str], most: int) -> tuple[int, set[int]]:
    """Ask everything that the description says, and what it does not, and hold every answer against it."""
    schema = schemathesis.openapi.from_dict(eis.get(None, "/v1/openapi.json").json())
    checks = [check for check in CHECKS.get_all() if check.__name__ not in UNSAID]
    statuses: list[int] = []
    token = {"Authorization": f"Bearer {eis.tokens[who]}"}
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode:

            @examples(
                max_examples=most, database=None, deadline=None, derandomize=True, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(case=operation.as_strategy(generation_mode=mode))
            def asked(case: Any) -> None:
                # what the case itself says, wrong on purpose or not, stays
                sent = token | {name: value for name, value in headers.items() if name not in (case.headers or {})}
                answer = case.call(base_url=eis.running.url, headers=sent)
                statuses.append(answer.status_code)
                case.validate_response(answer, checks=checks, headers=sent)

            with suppress(Unsatisfiable):  # what takes nothing cannot be asked wrongly
                asked()
    return len(statuses), set(statuses)


def test_schemathesis(eis: Api) -> None:
    """A short run; the long one is :func:`test_schemathesis_for_long`."""
    asked, statuses = fuzzed(eis, "operator", {}, 3)
    assert asked > 50
    assert max(statuses) < 500
    assert {200, 202, 403, 404, 422} <= statuses


@pytest.mark.long
@pytest.mark.parametrize(("who", "client"), [("operator", ""), ("customer", ""), ("admin", "EIS"), ("admin", "LUZ")])
def test_schemathesis_for_long(eis: Api, who: str, client: str) -> None:
    asked, statuses = fuzzed(eis, who, {"X-Client": client} if client else {}, 60)
    assert asked > 1000
    assert max(statuses) < 500
