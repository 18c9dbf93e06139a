"""Who may sign in: invite, give and take rights, shut accounts."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from eisenergy.accounts import OutOfScope, Role
from eisenergy.portal import links, mail
from eisenergy.portal.guard import OPERATORS
from eisenergy.portal.routes import Routes
from eisenergy.portal.visit import Visit
from eisenergy.store import people
from eisenergy.store.grants import LIMITED, BadAccount, Grant
from eisenergy.store.people import Invited, NoUser

routes: Final = Routes()
HOME: Final = "/c/{client}/usuarios"
PAGE: Final = 50
GIVEN: Final = (Role.CUSTOMER_USER, Role.CUSTOMER_MANAGER, Role.CLIENT_ADMIN)
"""Rights that operators give, the least first; a system administrator is made on the command line."""


@routes.page(HOME, OPERATORS)
def users(visit: Visit) -> Response:
    """List accounts with a right at the client, a page of them."""
    return _page(visit)


@routes.action(HOME, OPERATORS)
def invite(visit: Visit) -> Response:
    """Give somebody a right, and a link where there is no account yet."""
    scope, client = visit.within()
    email = visit.form.get("email", "")
    assert visit.session is not None
    if email.strip().lower() == visit.session.email:
        return _page(visit, problem=visit.say("not_yourself"), status=422)
    codes = [code.strip() for code in visit.form.get("customers", "").split(",") if code.strip()]
    role = next((role for role in GIVEN if role.value == visit.form.get("role")), None)
    try:
        people.address_of(email)
    except BadAccount:
        return _page(visit, problem=visit.say("bad_email", email=email), status=422)
    if role is None or (role in LIMITED) != bool(codes):
        return _page(visit, problem=visit.say("bad_role"), status=422)
    grant = Grant(client=client.code, role=role, customers=frozenset(codes) or None)
    try:
        invited = people.invite(
            visit.context.database, scope, email, grant, by=visit.actor, at=visit.at, locale=visit.language
        )
    except OutOfScope:
        visit.note("REFUSED", f"right for {email}")
        return _page(visit, problem=visit.say("not_yours_to_give", email=email.strip().lower()), status=403)
    except BadAccount:
        return _page(visit, problem=visit.say("bad_customers", codes=", ".join(codes)), status=422)
    return _told(visit, invited)


@routes.action(f"{HOME}/{{user}}/enlace", OPERATORS)
def new_link(visit: Visit) -> Response:
    """Make a new one-time link for an account."""
    scope, _ = visit.within()
    try:
        invited = people.new_link(
            visit.context.database, scope, visit.id_of("user", NoUser), by=visit.actor, at=visit.at
        )
    except OutOfScope:
        return _page(visit, problem=visit.say("not_yours"), status=403)
    return _told(visit, invited)


@routes.action(f"{HOME}/{{user}}/quitar", OPERATORS)
def revoke(visit: Visit) -> Response:
    """Take an account's right at the client away, at once."""
    scope, _ = visit.within()
    database = visit.context.database
    return _changed(visit, "revoked", lambda user: people.revoke(database, scope, user, by=visit.actor, at=visit.at))


@routes.action(f"{HOME}/{{user}}/desactivar", OPERATORS)
def disable(visit: Visit) -> Response:
    """Shut an account, at once."""
    return _shut(visit, True)


@routes.action(f"{HOME}/{{user}}/activar", OPERATORS)
def enable(visit: Visit) -> Response:
    """Open a shut account again."""
    return _shut(visit, False)


def _shut(visit: Visit, disabled: bool) -> Response:
    scope, _ = visit.within()
    database = visit.context.database
    return _changed(
        visit,
        "disabled" if disabled else "enabled",
        lambda user: people.set_disabled(database, scope, user, disabled, by=visit.actor, at=visit.at),
    )


def _changed(visit: Visit, done: str, change: Callable[[uuid.UUID], str]) -> Response:
    assert visit.session is not None
    user = visit.id_of("user", NoUser)
    if user == visit.session.user:
        return _page(visit, problem=visit.say("not_yourself"), status=422)
    try:
        email = change(user)
    except OutOfScope:
        return _page(visit, problem=visit.say("not_yours"), status=403)
    return _page(visit, done=visit.say(done, email=email))


def _told(visit: Visit, invited: Invited) -> Response:
    """Mail the link, or show it where no mail is sent."""
    context = visit.context
    if invited.token is None:
        return _page(visit, done=visit.say("invited.known", email=invited.email))
    if context.settings.portal.mail is not None:
        try:
            links.mail_link(context, invited.email, visit.language, invited.token, "first")
        except mail.NotSent as problem:
            return _page(visit, problem=visit.say("link.not_mailed", problem=problem), status=502)
        return _page(visit, done=visit.say("link.mailed", email=invited.email))
    return _page(visit, link=(invited.email, links.address(context.url, invited.token)))


def _page(
    visit: Visit,
    *,
    problem: str | None = None,
    done: str | None = None,
    link: tuple[str, str] | None = None,
    status: int = 200,
) -> Response:
    scope, client = visit.within()
    search, after = (
        visit.request.query_params.get(name, "").replace("\x00", "")[:254].strip() for name in ("q", "desde")
    )
    found = people.users(visit.context.database, scope, search=search, after=after, limit=PAGE + 1)
    return visit.page(
        "users",
        status=status,
        client=client,
        users=found[:PAGE],
        search=search,
        first=bool(after),
        following=found[PAGE - 1].email if len(found) > PAGE else None,
        roles=GIVEN,
        problem=problem,
        done=done,
        link=link,
    )
