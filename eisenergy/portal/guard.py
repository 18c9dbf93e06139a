"""Who may ask for what: the rules that routes name, and the one place that applies them.

A rule says which roles a route is for. Whose data it is about stands in its path: ``{client}`` and ``{customer}`` are compared with the
rights that are read afresh for each request, and the scope that comes out goes into every transaction, where row-level security
compares once more.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.store.api_tokens import Bearer
from eisenergy.store.grants import EVERY_CLIENT
from eisenergy.store.sessions import Session

OPERATOR_ROLES: Final = frozenset({Role.SYSTEM_ADMIN, Role.CLIENT_ADMIN})
ALL_ROLES: Final = frozenset(Role)


class BadRule(RuntimeError):
    """A route whose rule does not fit its path: a mistake in the program."""


class NotSignedIn(PermissionError):
    """Nobody is signed in, and the route is for those who are."""


class NotNamed(LookupError):
    """Whose data it is about was not said."""


class ReadOnlyView(PermissionError):
    """An operator in a customer's view asked for what that view has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who a route is for.

    :param roles: ``None``: everybody, also without signing in; empty: whoever is signed in, about nothing but themselves
    :param viewed: whether an operator in a customer's view may ask for it, as that customer
    :param shared: the answer is the same for everybody, and caches keep it: who asks is not looked up
    """

    roles: frozenset[Role] | None
    viewed: bool = False
    shared: bool = False

    def check(self, path: str, method: str) -> None:
        """Refuse a route that does not fit. :raises BadRule: naming it"""
        tenant, customer = "{client}" in path, "{customer}" in path
        if (tenant or customer) != bool(self.roles) or (customer and not tenant):
            raise BadRule(f"{method} {path}: a rule for roles goes with {{client}} in the path, and no other rule does")
        if self.roles and self.roles - OPERATOR_ROLES and not customer:
            raise BadRule(f"{method} {path}: a rule for customers goes with {{customer}} in the path")
        if self.shared and (self.roles is not None or method != "GET"):
            raise BadRule(f"{method} {path}: only what everybody may see is the same for everybody")
        if self.roles and self.viewed and method != "GET":
            raise BadRule(f"{method} {path}: nothing changes in a customer's view")


PUBLIC: Final = Rule(roles=None, viewed=True)
ASSETS: Final = Rule(roles=None, viewed=True, shared=True)
ONESELF: Final = Rule(roles=frozenset())
ONESELF_OR_VIEW: Final = Rule(roles=frozenset(), viewed=True)
CUSTOMERS: Final = Rule(roles=ALL_ROLES, viewed=True)
OPERATORS: Final = Rule(roles=OPERATOR_ROLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRule:
    """Whose token a route of the interface is for. No cookie counts there, and no client stands in its path.

    :param roles: ``None``: everybody, also without a token
    :param narrowed: a token that is limited to customers may ask, and is told of these alone; else only whoever works for the whole client
    """

    roles: frozenset[Role] | None
    narrowed: bool = False

    def check(self, path: str, method: str) -> None:
        """Refuse a route that does not fit. :raises BadRule: naming it"""
        if "{client}" in path:
            raise BadRule(f"{method} {path}: the client is the token's, and stands in no path")
        if "{customer}" in path and not self.narrowed:
            raise BadRule(f"{method} {path}: a route about one customer is for that customer's tokens, too")
        if self.narrowed and method != "GET":
            raise BadRule(f"{method} {path}: tokens of customers change nothing")


ANYBODY: Final = TokenRule(roles=None)
OWN: Final = TokenRule(roles=ALL_ROLES, narrowed=True)
WORK: Final = TokenRule(roles=OPERATOR_ROLES)
SYSTEM: Final = TokenRule(roles=frozenset({Role.SYSTEM_ADMIN}))


def check_role(rule: TokenRule, bearer: Bearer | None) -> Bearer:
    """Refuse whom a route is not for, before anything that they sent is looked at.

    :raises NotSignedIn: without a token
    :raises OutOfScope: for a role that the route is not for
    """
    if bearer is None:
        raise NotSignedIn
    if rule.roles is None or bearer.role not in rule.roles or (bearer.customers is not None and not rule.narrowed):
        raise OutOfScope(f"role {bearer.role} is not one this is for")
    return bearer


def token_scope(rule: TokenRule, bearer: Bearer | None, client: str | None, customer: str | None) -> Scope:
    """Return the scope in which a request with a token is served.

    :param client: as the request names it; ``None``: the token's own
    :param customer: as it stands in the path; the scope is narrowed to it
    :raises NotSignedIn: without a token
    :raises NotNamed: when the token works at every client, and the request names none
    :raises OutOfScope: for another tenant, another customer, or a role that the route is not for
    """
    bearer = check_role(rule, bearer)
    wanted = bearer.client if client is None else client
    if wanted == EVERY_CLIENT:
        raise NotNamed
    scope = bearer.at(wanted)
    if scope is None:
        raise OutOfScope(f"client {wanted} is outside the rights of {bearer.email}'s token")
    if customer is None:
        return scope
    scope.check(customer)
    return Scope(client=scope.client, role=scope.role, customers=frozenset({customer}))


def scope_of(rule: Rule, session: Session | None, client: str | None, customer: str | None) -> Scope | None:
    """Return the scope in which a request is served, ``None`` for a route that is about no tenant.

    :param client: as it stands in the path
    :param customer: as it stands in the path; the scope is narrowed to it
    :raises NotSignedIn: when the rule asks for somebody
    :raises ReadOnlyView: in a customer's view, for what is not in it
    :raises OutOfScope: for another tenant, another customer, or a role that the route is not for
    """
    if rule.roles is None:
        return None
    if session is None:
        raise NotSignedIn
    if session.view is not None and not rule.viewed:
        raise ReadOnlyView
    if not rule.roles:
        return None
    assert client is not None
    scope = view_scope(session) if session.view is not None else own_scope(session, client)
    if scope is None or scope.client != client:
        raise OutOfScope(f"client {client} is outside the rights of {session.email}")
    if scope.role not in rule.roles:
        raise OutOfScope(f"role {scope.role} is not one this is for")
    if customer is None:
        if scope.customers is not None:
            raise OutOfScope(f"all of client {client} is outside the rights of {session.email}")
        return scope
    scope.check(customer)
    return Scope(client=scope.client, role=scope.role, customers=frozenset({customer}))


def named_scope(session: Session, client: str | None, customers: Collection[str]) -> Scope:
    """Return the scope of a request whose path does not say whose data it is about.

    :param client: as it was named; ``None``: the only one that the rights are for
    :param customers: the scope is narrowed to them; none: it is not
    :raises NotNamed: when no client was named and there may be several
    :raises OutOfScope: for another tenant or another customer
    """
    if client is None:
        homes = {grant.client for grant in session.grants} if session.view is None else {session.view[0]}
        if len(homes) != 1 or EVERY_CLIENT in homes:
            raise NotNamed
        (client,) = homes
    scope = view_scope(session) if session.view is not None else own_scope(session, client)
    if scope is None or scope.client != client:
        raise OutOfScope(f"client {client} is outside the rights of {session.email}")
    return narrowed(scope, customers)


def narrowed(scope: Scope, customers: Collection[str]) -> Scope:
    """Return a scope limited to customers, itself where none are named. :raises OutOfScope: for one that is not in it"""
    for customer in customers:
        scope.check(customer)
    return replace(scope, customers=frozenset(customers)) if customers else scope


def own_scope(session: Session, client: str) -> Scope | None:
    """Return what somebody may see and do at a client; of two rights that of the system administrator counts."""
    scopes = [scope for grant in session.grants if (scope := grant.scope(client)) is not None]
    return min(scopes, key=lambda scope: list(Role).index(scope.role), default=None)


def view_scope(session: Session) -> Scope | None:
    """Return the scope of the customer's view that an operator has taken, as long as the operator's right lasts."""
    assert session.view is not None
    client, customer = session.view
    own = own_scope(session, client)
    if own is None or own.role not in OPERATOR_ROLES:
        return None
    return Scope.customer(client, customer)
