"""The matrix over the portal's own route table, and guards broken one by one to see that it finds them."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from dataclasses import replace

import matrix
import pytest
from portal_cases import Running, make_token, mark, person
from sqlalchemy import text

from eisenergy.accounts import Role, Scope
from eisenergy.portal import guard, routes, sites
from eisenergy.portal.api.call import Call
from eisenergy.portal.app import create_app
from eisenergy.portal.guard import BadRule, Rule
from eisenergy.portal.routes import Routes
from eisenergy.store import api_tokens, jobs, listing, people, sessions, uploads
from eisenergy.store.api_tokens import Bearer
from eisenergy.store.grants import Grant


@pytest.fixture(autouse=True)
def _sacrifices(portal: Running) -> None:
    """An account at each seller that the matrix may do everything to."""
    for client in ("EIS", "LUZ"):
        grant = Grant(client=client, role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0003"}))
        owner = portal.people[f"sacrifice {client}"] = person(
            portal.database, f"sacrifice@{client.lower()}.example", grant
        )
        make_token(portal.database, owner, grant)
        portal.held[client] = api_tokens.listed(portal.database, client=client, user=owner.user)[0].id  # type: ignore[arg-type]


def test_nobody_sees_what_is_not_theirs_and_what_was_refused_changed_nothing(portal: Running) -> None:
    """After the whole matrix, the neighbour's accounts are the neighbour's alone."""
    app = create_app(portal.context)
    assert len(matrix.routes(app)) == len(matrix.KINDS)
    assert list(matrix.problems(portal, app)) == []
    scope = Scope(client="LUZ", role=Role.SYSTEM_ADMIN)
    emails = {user.email for user in people.users(portal.database, scope)}
    assert {email for email in emails if email.startswith("invited-")} == {
        "invited-neighbour@luz.example",
        "invited-admin@luz.example",
    }


def test_what_programs_were_refused_changed_nothing(portal: Running) -> None:
    """After the interface's part of the matrix: what stands at the neighbour is the neighbour's own doing, or the administrator's."""
    scope = Scope.operator("LUZ")
    if len(uploads.listed(portal.database, scope)) == 1:  # the whole matrix has not been gone through
        list(matrix.problems(portal, create_app(portal.context), only="POST /v1"))
    sent = {one.name for one in uploads.listed(portal.database, scope)} - {f"{mark('LUZ', 'operator')}.csv"}
    assert sent == {"by-neighbour.csv", "by-admin.csv"}
    asked = {
        job.asked_by for job in jobs.listed(portal.database, scope) if job.kind == "bill" and "token" in job.asked_by
    }
    assert asked == {"neighbour@luz.example (token test)", "admin@all.example (token test)"}
    with portal.database.session(Scope(client="LUZ", role=Role.SYSTEM_ADMIN)) as connection:
        named = connection.execute(text("SELECT document ->> 'name' FROM eisenergy.clients")).scalars().all()
    assert set(named) == {"by admin"}


def test_a_route_without_a_rule_is_not_served(portal: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(portal.context)
    app.router.add_api_route("/new", lambda: "open", methods=["GET"])
    assert routes.unruled(app) == ["/new"]
    assert "GET /new: nothing is said about whom it is for" in list(matrix.problems(portal, app, only="/new"))
    monkeypatch.setattr(routes, "unruled", lambda app: ["/new"])
    with pytest.raises(RuntimeError, match="routes without a rule: /new"):
        create_app(portal.context)


@pytest.mark.parametrize(
    ("path", "method", "rule"),
    [
        ("/c/{client}", "GET", guard.CUSTOMERS),
        ("/c/{client}", "GET", guard.ONESELF),
        ("/c/{client}/clientes/{customer}", "GET", guard.PUBLIC),
        ("/clientes/{customer}", "GET", guard.CUSTOMERS),
        ("/cuenta", "GET", guard.OPERATORS),
        ("/c/{client}/clientes/{customer}", "POST", guard.CUSTOMERS),
    ],
)
def test_a_rule_that_does_not_fit_its_path_is_refused(path: str, method: str, rule: Rule) -> None:
    wanted = Routes()
    with pytest.raises(BadRule):
        (wanted.page if method == "GET" else wanted.action)(path, rule)


def _everybody(*args: object, **kwargs: object) -> Scope:
    return Scope(client="EIS", role=Role.CLIENT_ADMIN)


def _own_anywhere(session: sessions.Session, client: str) -> Scope | None:
    return next((replace(grant.scope(grant.client) or _everybody(), client=client) for grant in session.grants), None)


def _first_grants_scope(self: Grant, client: str) -> Scope:
    return Scope(client=client, role=self.role, customers=self.customers)


def _without_role(
    rule: Rule, session: sessions.Session | None, client: str | None, customer: str | None
) -> Scope | None:
    return guard_scope_of(
        Rule(roles=guard.ALL_ROLES if rule.roles else rule.roles, viewed=rule.viewed), session, client, customer
    )


def _without_view(
    rule: Rule, session: sessions.Session | None, client: str | None, customer: str | None
) -> Scope | None:
    return guard_scope_of(rule, replace(session, view=None) if session else None, client, customer)


def _viewing_writes(
    rule: Rule, session: sessions.Session | None, client: str | None, customer: str | None
) -> Scope | None:
    return guard_scope_of(replace(rule, viewed=True), session, client, customer)


def _all_see(self: Scope, customer: str) -> None:
    return None


def _not_narrowed(
    rule: Rule, session: sessions.Session | None, client: str | None, customer: str | None
) -> Scope | None:
    if rule.roles and session is not None and client is not None:
        return guard.own_scope(session, client) or guard_scope_of(rule, session, client, customer)
    return guard_scope_of(rule, session, client, customer)


def _nobody_asked(
    rule: Rule, session: sessions.Session | None, client: str | None, customer: str | None
) -> Scope | None:
    if session is None and rule.roles:
        return Scope(client=str(client), role=Role.SYSTEM_ADMIN)
    return guard_scope_of(rule, session, client, customer)


def _stale_view(session: sessions.Session) -> Scope | None:
    return Scope.operator("EIS")


def _operators_site(visit: object, customer: str | None) -> object:
    return site_folder(visit, None)


def _first_customers_site(visit: object, customer: str | None) -> object:
    return visit.context.settings.sites / "EIS" / "EIS-0003"  # type: ignore[attr-defined]


def _any_stream(session: sessions.Session, client: str | None, customers: object) -> Scope:
    return Scope.operator(client or "EIS")


def _wide(scope: Scope, customers: object) -> Scope:
    return scope


def _unseen(*args: object, **kwargs: object) -> None:
    return None


def _at_every_client(self: Bearer, client: str) -> Scope:
    return Scope(client=client, role=self.role, customers=self.customers)


def _operators_scope(rule: object, bearer: Bearer | None, client: str | None, customer: str | None) -> Scope:
    guard.check_role(guard.OWN, bearer)
    return Scope.operator(client or "EIS")


def _first_of_all(database: object, token: str, at: object) -> Bearer:
    return Bearer(
        id=uuid.uuid4(), user=uuid.uuid4(), email="x", name="x", client="*", role=Role.SYSTEM_ADMIN, customers=None
    )


guard_scope_of = guard.scope_of
site_folder = sites.site_folder

BROKEN: dict[str, tuple[object, str, object, str]] = {
    "the scope of whoever asks is everybody's": (guard, "own_scope", _everybody, "GET /c/{client}/clientes"),
    "a right at one client is one at every client": (guard, "own_scope", _own_anywhere, "GET /c/"),
    "a grant answers for every client": (Grant, "scope", _first_grants_scope, "GET /c/"),
    "roles are not compared": (guard, "scope_of", _without_role, "POST /c/{client}/clientes"),
    "the view is forgotten": (guard, "scope_of", _without_view, "GET /c/{client}"),
    "what changes is open in the view": (guard, "scope_of", _viewing_writes, "/cuenta"),
    "customers are not compared": (Scope, "check", _all_see, "GET /c/{client}/clientes"),
    "the scope is not narrowed": (guard, "scope_of", _not_narrowed, "GET /c/{client}"),
    "who is not signed in is an administrator": (guard, "scope_of", _nobody_asked, "GET /c/"),
    "the view is the operator's own": (guard, "view_scope", _stale_view, "GET /c/"),
    "the operator's site stands for a customer's": (sites, "site_folder", _operators_site, "sitio"),
    "one customer's site stands for all": (sites, "site_folder", _first_customers_site, "sitio"),
    "a stream is for everybody": (guard, "named_scope", _any_stream, "WS /v1/metrics"),
    "a stream is not narrowed": (guard, "narrowed", _wide, "WS /v1/metrics"),
    "refusals are not written down": (routes.Visit, "note", _unseen, "GET /c/"),
    "a token's role is not compared": (guard, "check_role", lambda rule, bearer: bearer, "POST /v1"),
    "a token works at every client": (Bearer, "at", _at_every_client, "GET /v1"),
    "a token's customers are not compared": (Scope, "check", _all_see, "GET /v1/customers/{customer}"),
    "a token's scope is the client's": (guard, "token_scope", _operators_scope, "GET /v1/invoices"),
    "whoever has no token is an administrator": (api_tokens, "find", _first_of_all, "GET /v1/customers"),
    "refusals of tokens are not written down": (Call, "note", _unseen, "GET /v1/jobs"),
    "a listing takes no heed of the client": (listing, "customer_name", lambda *_: mark("LUZ", "EIS-0001"), "GET /c/"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if n % 6 else []) for n, name in enumerate(BROKEN)]
)
def test_a_broken_guard_is_found(portal: Running, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    owner, attribute, broken, only = BROKEN[name]
    app = create_app(portal.context)
    monkeypatch.setattr(owner, attribute, broken)
    assert list(itertools.islice(matrix.problems(portal, app, only=only), 1)), name


@pytest.mark.parametrize(
    "path", ["/c/{client}/bitacora", "/c/{client}/usuarios", "/c/{client}/clientes/{customer}/ver"]
)
def test_a_route_that_is_opened_to_customers_is_found(
    portal: Running, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """As a careless edit of a rule would do, past the check of rule and path."""
    scope_of: Callable[..., Scope | None] = guard.scope_of

    def opened(rule: Rule, session: sessions.Session | None, client: str | None, customer: str | None) -> Scope | None:
        if rule == guard.OPERATORS and session is not None and session.grants:
            return Scope.operator(str(client))
        return scope_of(rule, session, client, customer)

    monkeypatch.setattr(guard, "scope_of", opened)
    assert list(itertools.islice(matrix.problems(portal, create_app(portal.context), only=path), 1))
