"""Customers as operators see them: a list to search, a contract's record to edit, and what was changed of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from eisenergy.accounts import Contract, OutOfScope, Scope
from eisenergy.masters import record
from eisenergy.masters.record import Unfit
from eisenergy.portal import guard
from eisenergy.portal.guard import OPERATORS
from eisenergy.portal.pages.tariffs import today
from eisenergy.portal.pages.work import has_text
from eisenergy.portal.render import local
from eisenergy.portal.routes import NoSuchPage, Routes
from eisenergy.portal.visit import Visit
from eisenergy.store import contract_list, masters
from eisenergy.store.contract_list import Changed
from eisenergy.store.masters import Conflict

routes: Final = Routes()
HOME: Final = "/c/{client}/clientes"
RECORD: Final = f"{HOME}/{{customer}}/ficha"
PAGE: Final = 50
LONGEST: Final = 300
"""Characters of a field."""


@routes.page(HOME, OPERATORS)
def listing(visit: Visit) -> Response:
    """List the contracts that match a search."""
    scope, client = visit.within()
    search = visit.search
    count, lines = contract_list.lines(visit.context.database, scope, search=search, limit=PAGE, after=visit.first)
    day = today(visit)
    return visit.page(
        "contracts",
        client=client,
        search=search,
        count=count,
        rows=[(line, _state(line.starts, line.ends, day)) for line in lines],
        first=visit.first,
        size=PAGE,
    )


@routes.page(RECORD, OPERATORS)
def record_page(visit: Visit) -> Response:
    """Show a contract's record."""
    chosen, every = _chosen(visit, visit.request.query_params.get("contrato", ""))
    visit.note("SEEN", f"contract {chosen.number}")
    done = visit.say("contract.saved") if visit.request.query_params.get("guardado") == "1" else None
    return _page(visit, chosen, every, done=done)


@routes.action(RECORD, OPERATORS)
def edited(visit: Visit) -> Response:
    """Save what was typed, unless somebody else has changed the contract since it was shown."""
    chosen, every = _chosen(visit, visit.form.get("contract", ""))
    typed = {name: visit.form.get(name, "").strip()[:LONGEST] for name in record.FIELDS}
    database, scope = visit.context.database, _scope(visit)
    shown = visit.form.get("shown", "")
    wrong: dict[str, str] = {}
    changed = None
    try:
        now = record.edited(chosen, typed, origin=f"portal, {visit.at:%Y-%m-%d}")
        if now.tariff != chosen.tariff and now.tariff not in _tariffs(visit):
            wrong["tariff"] = visit.say("contract.fault.unknown-tariff")
    except Unfit as unfit:
        wrong = {fault.field: _said(visit, fault.code, fault.message) for fault in reversed(unfit.faults)}
    # Somebody who looks at an old state is told so first: what is wrong with it may be mended already.
    if shown != contract_list.seen(chosen):
        return _page(visit, chosen, every, typed=typed, changed=True, status=409)
    if wrong:
        return _page(visit, chosen, every, typed=typed, wrong=wrong, status=422)
    try:
        contract_list.change(database, scope, now, shown=shown, by=visit.actor, at=visit.at)
    except Changed as other:
        changed = other.now
    except Conflict:
        wrong = {"meter": visit.say("contract.fault.conflict")}
        return _page(visit, chosen, every, typed=typed, wrong=wrong, status=409)
    if changed is not None:
        return _page(visit, changed, every, typed=typed, changed=True, status=409)
    return visit.go(f"{_address(visit)}?contrato={quote(chosen.number, safe='')}&guardado=1")


def _scope(visit: Visit) -> Scope:
    """The operator's own scope: a contract's record is a matter of the whole client, whose meters are each billed once.

    :raises OutOfScope: for whoever has no right at the client
    """
    assert visit.session is not None
    scope = guard.own_scope(visit.session, visit.within()[1].code)
    if scope is None or scope.customers is not None:
        raise OutOfScope("a contract's record is its client's operators' alone")
    return scope


def _chosen(visit: Visit, wanted: str) -> tuple[Contract, tuple[str, ...]]:
    """Return the contract that is asked about, or the first, and the numbers of all of the customer's.

    :raises NoSuchPage: for one that is not the customer's
    """
    scope, _, code, _ = visit.about()
    found = {one.number: one for one in masters.contracts(visit.context.database, scope, customer=code)}
    if not found or (wanted and wanted not in found):
        raise NoSuchPage
    return found[wanted or min(found)], tuple(sorted(found))


def _tariffs(visit: Visit) -> list[str]:
    return [tariff.name for tariff in masters.tariffs(visit.context.database, _scope(visit))]


def _said(visit: Visit, code: str, message: str) -> str:
    key = f"contract.fault.{code}"
    return visit.say(key) if has_text(visit, key) else message


def _state(starts: date, ends: date | None, day: date) -> str:
    if day < starts:
        return "future"
    return "active" if ends is None or day < ends else "ended"


def _address(visit: Visit) -> str:
    _, client, code, _ = visit.about()
    return f"/c/{quote(client.code)}/clientes/{quote(code)}/ficha"


def _page(
    visit: Visit,
    contract: Contract,
    every: tuple[str, ...],
    *,
    typed: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
    changed: bool = False,
    done: str | None = None,
    status: int = 200,
) -> Response:
    _, client, _, _ = visit.about()
    stored = record.texts(contract)
    faults = wrong or {}
    problem = visit.say("form.faults", count=len(faults)) if faults else None
    if changed:
        problem = visit.say("contract.changed")
    given = stored if typed is None else typed
    _, found = contract_list.lines(visit.context.database, _scope(visit), number=contract.number)
    history = contract_list.history(visit.context.database, _scope(visit), contract.number)
    return visit.page(
        "contract",
        status=status,
        client=client,
        contract=contract,
        every=every,
        here=_address(visit),
        state=_state(contract.start, contract.end, today(visit)),
        line=found[0] if found else None,
        typed=given,
        shown=contract_list.seen(contract),
        differ=[(name, stored[name], given[name]) for name in stored if stored[name] != given[name]] if changed else [],
        groups=_GROUPS,
        numbers=record.NUMBERS,
        tariffs=sorted({*_tariffs(visit), contract.tariff}),
        history=[(one, local(one.at, client.timezone)) for one in history],
        wrong=faults,
        longest=LONGEST,
        problem=problem,
        done=done,
    )


_GROUPS: Final = {
    "who": ("name", "nit", "ncr", "activity", "address", "municipality", "phone", "email"),
    "supply": ("meter", "node", "tariff", "start", "end"),
    "terms": ("contracted_kw", "loss_factor", "municipal_fee", "retention", "discount"),
}
"""Fields as the page groups them."""
