"""A workspace as the portal of a seller with thousands of customers finds it, made by the library's own functions.

Everybody of the portfolio has an invoice of its month. One customer more has a hundred, one a month, each billed from its own readings. A
crowd of customers has published sites and sessions. What a portal gathers in its life lies there too: an account for every customer, lines
of the audit log, files that came in, jobs.

Two things are written in bulk, as the library writes them one by one: accounts beyond the crowd (rows of ``people.invite`` for a customer's
user, :func:`accounts`) and old lines of the audit log (:func:`lines`).
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
from sqlalchemy import text

from benchmarks import alone, portfolio
from benchmarks.synthetic import Grid, Loads, Member
from eisenergy.accounts import Role, Scope
from eisenergy.desk.workspace import Workspace, opened
from eisenergy.masters import codec, customers
from eisenergy.period import BillingMonth, Dated
from eisenergy.run import month as months
from eisenergy.samples import plan
from eisenergy.store import listing, masters, people, proposals, sealing, sessions, subscriptions, uploads
from eisenergy.store.audit import Actor
from eisenergy.store.grants import Grant
from eisenergy.tariffs import load as tariffs
from eisenergy.tariffs.model import Tariff

INVOICES: Final = 100
BY: Final = Actor(name="benchmark", address="benchmark")
OPERATOR: Final = "operator@bench.example"
LONG_TARIFF: Final = "EIS-TOU-LARGO"
"""The shipped tariff, its first rates in force since long before: the hundred months need a price."""


def furnish(
    clock: alone.Clock, *, home: str, customers: int, crowd: int, invoices: int, lines_of_log: int, files: int
) -> dict[str, Any]:
    """Fill what :func:`benchmarks.portfolio.fill` left open.

    :param customers: how many the portfolio has; the one with many invoices comes behind them
    :param crowd: customers with a site and a session
    :param invoices: of the one customer
    :param lines_of_log: of the audit log, beside those the library writes here
    :param files: uploads, each with its job
    :returns: sessions of the crowd and of an operator, and what pages of single things are about
    """
    settings, scope = portfolio.settings_of(Path(home)), Scope.operator(portfolio.CLIENT)
    long = Member(customers + 1)
    with opened(settings) as found:
        clock.server = alone.server_of(found, scope)
        with clock.phase("invoices"):
            _many_invoices(found, scope, long, invoices)
            _everybodys_invoice(found, scope)
        members = [one for one in portfolio.members(portfolio.Portfolio(customers)) if _billed(one)]
        chosen = [long, *members[: crowd - 1]]
        with clock.phase("people"):
            who = {one.contract: _account(found, one) for one in chosen}
            accounts(found, [one.contract for one in members[crowd - 1 :]])
            operator = people.invite(
                found.database, _admin(), OPERATOR, Grant(client=portfolio.CLIENT, role=Role.CLIENT_ADMIN), by=BY, at=_now()
            ).user  # fmt: skip
        with clock.phase("log"):
            lines(found, lines_of_log)
            upload, job = _files(found, scope, files)
        with clock.phase("publish"):
            wanted = [part for one in chosen for part in ("--customer", one.contract)]
            made = alone.command(home, "publish", str(portfolio.MONTH), *wanted)
            if failed := [site["error"] for site in made["sites"] if site["error"]]:
                raise AssertionError(f"{len(failed)} sites were not made: {failed[0]}")
        with found.database.signing_in() as connection:
            tokens = {code: sessions.start(connection, user, _now()) for code, user in who.items()}
            operators = sessions.start(connection, operator, _now())
        others = {**_proposed(found, scope), "subscription": _subscribed(found, scope)}
        numbers = {one.contract: listing.invoices(found.database, scope, one.contract)[0].number for one in chosen}
    return {
        "long": long.contract,
        "crowd": [{"code": code, "token": token, "number": numbers[code]} for code, token in tokens.items()],
        "operator": operators,
        "upload": upload,
        "job": job,
        **others,
    }


def _now() -> datetime:
    return datetime.now(UTC)


def _admin() -> Scope:
    return Scope(client=portfolio.CLIENT, role=Role.SYSTEM_ADMIN)


def _many_invoices(found: Workspace, scope: Scope, long: Member, count: int) -> None:
    """Bill and issue a customer's months one after the other."""
    settings = found.settings
    wanted = [portfolio.MONTH.plus(-n) for n in reversed(range(count))]
    masters.save_tariff(found.database, scope, _since(_tariff(found), wanted[0].period.start))
    like = customers.read(settings.samples / plan.CUSTOMERS).contracts[0]
    contract = replace(
        like,
        number=long.contract,
        customer=replace(like.customer, code=long.contract, name="Cliente de cien facturas"),
        meter=replace(like.meter, serial=long.meter),
        tariff=LONG_TARIFF,
        start=wanted[0].period.start,
        end=None,
    )
    masters.save_contracts(found.database, scope, [contract])
    supplies, prices = plan.supplies(settings.samples), plan.prices(settings.samples)
    first = wanted[0].period.start
    before = {
        block: ((first, *rates[0][1:]), *rates[1:]) for block, rates in prices.rates.items() if rates[0][0] > first
    }
    prices = replace(prices, rates={**prices.rates, **before})
    grids = [Grid.of(month, prices) for month in wanted]
    found.lake.append(scope, pl.concat([Loads(grid, supplies, portfolio.SEED).readings([long]) for grid in grids]))
    for month in wanted:
        _issue(found, scope, month, [long.contract])


def _tariff(found: Workspace) -> Tariff:
    rules = tariffs.read_yaml(found.settings.params / "tariffs" / "EIS-TOU.yaml")
    rates = tariffs.read_spreadsheet(found.settings.samples / plan.TARIFF)
    return tariffs.combine(replace(rules, name=LONG_TARIFF), replace(rates, name=LONG_TARIFF))


def _since(tariff: Tariff, start: date) -> Tariff:
    """The tariff, its first values in force from an earlier day on."""

    def earlier(dated: Dated[Any]) -> Dated[Any]:
        (first, value), *rest = dated.values
        return Dated.of(dated.name, ((min(first, start), value), *rest))

    rates = {kind: {block: earlier(one) for block, one in blocks.items()} for kind, blocks in tariff.rates.items()}
    scalars = {kind: earlier(one) for kind, one in tariff.scalars.items()}
    return tariffs.combine(replace(tariff, rates={}, scalars=scalars), replace(tariff, rates=rates, scalars={}))


def _everybodys_invoice(found: Workspace, scope: Scope) -> None:
    _issue(found, scope, portfolio.MONTH, None)


def _issue(found: Workspace, scope: Scope, month: BillingMonth, customers: list[str] | None) -> None:
    months.bill_month(found, scope, month, customers=customers)
    at = datetime.combine(month.plus(1).period.start, datetime.min.time(), UTC).replace(hour=12)
    months.issue_month(found, scope, month, issued_on=at.date(), at=at, customers=customers, verify=False)


def _billed(member: Member) -> bool:
    """Whether a member's month is whole, so that it has an invoice. Told by the portfolio's own rules."""
    return not (member.missing[1] or member.silent or member.later)


def _account(found: Workspace, member: Member) -> uuid.UUID:
    grant = Grant(client=portfolio.CLIENT, role=Role.CUSTOMER_USER, customers=frozenset({member.contract}))
    return people.invite(found.database, _admin(), address(member.contract), grant, by=BY, at=_now()).user


def address(code: str) -> str:
    """The e-mail of a customer's user."""
    return f"{code.lower()}@bench.example"


_ACCOUNTS: Final = """
    WITH given AS (SELECT code, gen_random_uuid() AS id FROM unnest(CAST(:codes AS text[])) AS code),
    made AS (
        INSERT INTO eisenergy.users (id, email, locale, created_at)
        SELECT id, lower(code) || '@bench.example', 'es', :at FROM given RETURNING id
    ),
    proved AS (
        INSERT INTO eisenergy.credentials (user_id, recovery) SELECT id, '{}' FROM given RETURNING user_id
    )
    INSERT INTO eisenergy.grants (client, user_id, role, customers, granted_by, granted_at)
    SELECT :client, id, 'CUSTOMER_USER', ARRAY[code], :by, :at FROM given
"""


def accounts(found: Workspace, codes: list[str]) -> None:
    """Make an account for each of some customers: what ``people.invite`` writes, but the open link."""
    values = {"codes": codes, "at": _now(), "client": portfolio.CLIENT, "by": BY.name}
    with found.database.signing_in(_admin()) as connection:
        connection.execute(text(_ACCOUNTS), values)


def lines(found: Workspace, count: int) -> None:
    """Write old lines of the audit log: customers who signed in and saw invoices."""
    query = text("""
        INSERT INTO eisenergy.audit (client, at, actor, address, action, subject)
        SELECT :client, CAST(:at AS timestamptz) - n * interval '1 minute', 'eis-' || lpad((n % 10000)::text, 6, '0') || '@bench.example',
            '203.0.113.' || (n % 250), CASE WHEN n % 3 = 0 THEN 'SIGN_IN' ELSE 'SEEN' END, 'invoice FAC-' || lpad(n::text, 6, '0')
        FROM generate_series(CAST(:count AS integer), 1, -1) AS n
    """)
    with found.database.signing_in() as connection:
        connection.execute(query, {"client": portfolio.CLIENT, "at": _now(), "count": count})


def _proposed(found: Workspace, scope: Scope) -> dict[str, str]:
    """A version of the tariff that waits to be priced. :returns: names of tariff and calendar, and the proposal's id"""
    tariff = _tariff(found)
    with found.database.session(scope) as connection:
        id = proposals.propose(
            connection, scope, proposals.TARIFF, tariff.name, base=1, beside="", starts=portfolio.MONTH.plus(1).period.start,
            document=codec.dump(tariff), origin=None, by=BY, user=None, at=_now(),
        )  # fmt: skip
    return {"tariff": tariff.name, "calendar": tariff.calendar, "proposal": str(id)}


def _subscribed(found: Workspace, scope: Scope) -> str:
    """Somebody who is told of everything, and never reached."""
    with found.database.session(scope) as connection:
        made, _ = subscriptions.add(
            connection, scope, sealing.key_of(found.settings), "https://events.example/", (), by=BY, at=_now()
        )
    return str(made.id)


def _files(found: Workspace, scope: Scope, count: int) -> tuple[str, str]:
    """Files that came in, none of them read yet. :returns: the newest upload and its job"""
    ids = ("", "")
    with found.database.session(scope) as connection:
        for n in range(count):
            upload, job = uploads.receive(
                connection, scope, f"lecturas-{n:05d}.csv", f"{n:064x}", 1000 + n, way="portal", by=BY, user=None, at=_now()
            )  # fmt: skip
            ids = (str(upload), str(job))
    return ids
