"""Clients and customers: provisioned, put in bulk, listed, shown."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from eisenergy import extent, unpacked
from eisenergy.accounts import Contract, Sourced
from eisenergy.contents import UnreadableFile
from eisenergy.findings import Finding, Severity
from eisenergy.masters import clients as client_documents
from eisenergy.masters import customers as customer_lists
from eisenergy.masters import records
from eisenergy.masters.customers import CustomersResult
from eisenergy.portal.api.call import JSON, Answer, Call
from eisenergy.portal.api.operations import CURSOR, Effect, Operations, Sent, limit
from eisenergy.portal.api.problems import MOST, Problem
from eisenergy.portal.api.schemas import MOST_RECORDS, TEXT
from eisenergy.portal.guard import OWN, SYSTEM, WORK
from eisenergy.store import audit, listing, masters
from eisenergy.store.masters import Conflict, Put
from eisenergy.tariffs.document import BadDocument

operations: Final = Operations("Clients and customers")
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLS: Final = "application/vnd.ms-excel"
LARGEST: Final = 8 << 20
"""Bytes of a body."""
UNPACKED: Final = 48 << 20
"""Bytes that a workbook may take unpacked: it is read while somebody waits, in the process that serves everybody."""

LAID_OUT: Final = 1 << 18
"""Cells of a sheet, as far as it reaches; :data:`MOST_RECORDS` rows of a hundred columns are fewer."""
WIDEST: Final = 256
"""Columns of a sheet."""


@operations.change(
    "/v1/clients",
    SYSTEM,
    "Provision a client",
    given={201: ("ClientOutcome", "The client is there"), 200: ("ClientOutcome", "It was there, and is as was asked for")},
    sent=Sent(kinds={JSON: "Client"}, most=64 << 10),
    named_by="code",
)  # fmt: skip
def provision_client(call: Call) -> Effect:
    """Add an electricity seller, or change one, as `eisenergy client import` does. For tokens of system administrators."""
    try:
        client = client_documents.of_record(call.body, "/timezone")
    except BadDocument as problem:
        raise Problem("invalid", str(problem), errors=[{"pointer": "/timezone", "detail": str(problem)}]) from None

    def effect(connection: Connection) -> Answer:
        put = masters.put_client(connection, call.within(), client)
        if put.outcome != "unchanged":
            audit.write(connection, client.code, call.actor, call.at, "CLIENT", client.code, old=put.old, new=put.new)
        status = 201 if put.outcome == "added" else 200
        return Answer(status=status, body={"code": client.code, "outcome": put.outcome})

    return effect


@operations.change(
    "/v1/customers",
    WORK,
    "Add and change customers in bulk",
    given={200: ("UpsertOutcome", "All of it is stored")},
    sent=Sent(kinds={JSON: "CustomersUpsert", XLSX: None, XLS: None}, most=LARGEST),
)
def put_customers(call: Call) -> Effect:
    """Put contracts with their customers: as JSON, or as a workbook such as `Datos de clientes para facturación.xlsx`.

    The rules are those of the import of a customer list. All rows are stored, or none: a fault in one refuses all, and `errors` names
    each. What is there already changes nothing.
    """
    found = (
        records.read(call.body["customers"], "interface") if isinstance(call.body, Mapping) else _workbook(call.body)
    )
    faults = [_fault(one) for one in found.findings if one.severity is Severity.BLOCKING]
    if faults:
        more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise Problem("invalid", f"{faults[0]['detail'][:500]}{more}. Nothing was stored.", errors=faults[:MOST])
    if len(found.contracts) > MOST_RECORDS:
        raise Problem(
            "invalid", f"Found {len(found.contracts):,} contracts, expected {MOST_RECORDS:,} at most at once."
        )

    def effect(connection: Connection) -> Answer:
        try:
            done = masters.put_contracts(connection, call.within(), found.contracts)
        except Conflict as problem:
            raise Problem("conflict", f"{problem} Nothing was stored.") from None
        changes = [(number, put.old, put.new) for number, put in done.items() if put.outcome != "unchanged"]
        audit.write_all(connection, call.within().client, call.actor, call.at, "CONTRACT", changes)
        return Answer(body=_outcome(found, done))

    return effect


def _workbook(body: bytes) -> CustomersResult:
    """Read a customer list. :raises Problem: for what is none, or too large to be read while somebody waits"""
    try:
        with zipfile.ZipFile(BytesIO(body)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size <= UNPACKED:
                extent.check(archive, most=LAID_OUT, widest=WIDEST)
    except extent.TooWide as problem:
        raise Problem("too-large", f"The workbook is not read: {problem}.") from None
    except unpacked.REFUSED:
        size = 0  # no archive: an older workbook, or nothing that can be read, which is said below
    if size > UNPACKED:
        raise Problem(
            "too-large",
            f"The workbook unpacks to {size >> 20} MB, expected {UNPACKED >> 20} at most. Send fewer rows, or upload it as a file.",
        )
    with tempfile.TemporaryDirectory(prefix="eisenergy-") as folder:
        path = Path(folder) / "customers.xlsx"
        path.write_bytes(body)
        try:
            return customer_lists.read(path)
        except UnreadableFile as problem:
            raise Problem("invalid", str(problem)) from None


def _fault(finding: Finding) -> dict[str, str]:
    place = str(finding.data.get("cell", ""))
    where = (
        {"pointer": place} if place.startswith("/") else {"sheet": str(finding.data.get("sheet", "")), "cell": place}
    )
    return {"detail": finding.message, "code": finding.code, **where}


def _outcome(found: CustomersResult, done: Mapping[str, Put]) -> dict[str, Any]:
    outcomes = [put.outcome for put in done.values()]
    return {
        **{name: outcomes.count(name) for name in ("added", "changed", "unchanged")},
        "outcomes": [
            {"row": row, "contract": one.number, "outcome": done[one.number].outcome}
            for row, one in enumerate(found.contracts)
        ],
        "warnings": [one.message for one in found.findings if one.severity is Severity.WARNING][:MOST],
    }


@operations.read(
    "/v1/customers",
    OWN,
    "List customers",
    given={200: ("CustomerPage", "A page of the list")},
    query={
        "q": {"type": "string", "maxLength": 100, "pattern": TEXT, "description": "Part of the id or the name", "examples": ["acero"]},
        "limit": limit(100, 1000),
        "cursor": CURSOR,
    },
)  # fmt: skip
def list_customers(call: Call) -> Answer:
    """List the customers of the token's rights, in order of their ids."""
    place, most = call.place(), call.query["limit"]
    rows = listing.customer_page(
        call.context.database,
        call.within(),
        search=call.query.get("q", "").strip(),
        limit=most + 1,
        after=None if place is None else str(place[0]),
    )
    items = [{"id": code, "name": name} for code, name in rows[:most]]
    return call.page(items, [rows[most - 1][0]] if len(rows) > most else None)


@operations.read("/v1/customers/{customer}", OWN, "Show a customer", given={200: ("Customer", "The customer")})
def show_customer(call: Call) -> Answer:
    """Show a customer with its contracts, as they stand now."""
    found = masters.customers(call.context.database, call.within())[0]
    contracts = masters.contracts(call.context.database, call.within(), customer=call.about())
    fields = ("name", "nit", "ncr", "address", "municipality", "phone", "email", "activity")
    body = {"id": found.code, **{name: getattr(found, name) for name in fields}, "contracts": _contracts(contracts)}
    return Answer(body=body)


def _contracts(contracts: Iterable[Contract]) -> list[dict[str, Any]]:
    return [
        {
            "contract": one.number,
            "meter": one.meter.serial,
            "node": one.meter.site.node,
            "tariff": one.tariff,
            "first_day": one.start.isoformat(),
            "last_day": None if one.end is None else one.end.fromordinal(one.end.toordinal() - 1).isoformat(),
            "contracted_kw": _plain(one.contracted_kw),
            "loss_factor": _plain(one.loss_factor),
            "municipal_fee": _plain(one.municipal_fee),
            "retention_percent": _percent(one.retention_rate),
            "discount_percent": _percent(one.discount_rate),
            "notes": one.notes,
        }
        for one in contracts
    ]


def _plain(entry: Sourced | None) -> str | None:
    return None if entry is None else f"{entry.value:f}"


def _percent(entry: Sourced | None) -> str | None:
    return None if entry is None else f"{entry.value.scaleb(2):f}" if entry.value else f"{Decimal(0)}"
