"""The operators' page of notices: add, try, pause, send again, give up, remove; and what must not be added."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from portal_cases import START, Running, mark
from sqlalchemy import text

from eisenergy.accounts import Scope
from eisenergy.store import deliveries, outbox, sealing, subscriptions
from eisenergy.store.outbox import New
from eisenergy.work import telling
from eisenergy.work.reaching import NotReached

EIS = Scope.operator("EIS")
HOME = "/c/EIS/avisos"


def added(portal: Running, url: str, **types: str) -> tuple[str, str]:
    """Subscribe as the page does. Returns id and secret."""
    operator = portal.signed_in("operator")
    answer = operator.post(HOME, {"url": url, **types}, page=HOME)
    assert answer.status_code == 200, answer.text
    secret = re.search(r"whsec_[A-Za-z0-9+/=]{44}", answer.text)
    assert secret is not None
    one = next(one for one in subscriptions.listed(portal.database, EIS) if one.target == url)
    assert secret[0] not in operator.get(HOME).text  # this once
    assert sealing.opened(portal.context.key, one.id, one.secret or "") == secret[0]
    return str(one.id), secret[0]


def test_an_address_is_added_tried_paused_and_removed(portal: Running) -> None:
    before = len(portal.audit())
    one, secret = added(portal, "https://hooks.example/eis", **{"type-invoice.issued": "1", "type-none.such": "1"})
    operator = portal.signed_in("operator")
    here = f"{HOME}/{one}"
    assert "Factura emitida" in operator.get(here).text
    assert "Lecturas importadas" not in operator.get(here).text
    for deed, said in (("probar", "prueba sale"), ("pausar", "En pausa"), ("seguir", "Sigue")):
        answer = operator.post(f"{here}/{deed}", page=here)
        assert (answer.status_code, said in answer.text) == (200, True), deed
    assert [event.type for event in outbox.newest(portal.database, EIS, limit=1)] == ["subscription.test"]
    assert operator.post(f"{here}/quitar", page=here).headers["location"] == HOME
    assert operator.get(here).status_code == 404
    assert "hooks.example" not in operator.get(HOME).text
    lines = [row for row in portal.audit()[before:] if row.action.startswith("SUBSCRIPTION")]
    assert [row.action for row in lines] == [
        "SUBSCRIPTION", "SUBSCRIPTION_TEST", "SUBSCRIPTION_PAUSED", "SUBSCRIPTION_GOES_ON", "SUBSCRIPTION_REMOVED",
    ]  # fmt: skip
    assert {row.actor for row in lines} == {"operator@eis.example"}
    assert secret not in str(portal.audit())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://hooks.example/",
        "https://169.254.169.254/latest/meta-data/",
        "https://x.example/<script>alert(1)</script> x",
    ],
)
def test_what_must_not_be_reached_is_refused_with_a_sentence(portal: Running, url: str) -> None:
    operator = portal.signed_in("operator")
    answer = operator.post(HOME, {"url": url}, page=HOME)
    assert answer.status_code == 422
    assert "No se hizo" in answer.text
    assert "<script>alert" not in answer.text
    assert len(subscriptions.listed(portal.database, EIS)) == 1


def test_the_dead_are_sent_again_or_given_up(portal: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = added(portal, "https://dead.example/")
    with portal.database.session(EIS) as connection:
        connection.execute(text("UPDATE eisenergy.outbox SET spread = true"))
        for number in (1, 2):
            outbox.write(
                connection, "EIS", [New(type="invoice.issued", customer="EIS-0001", data={"n": number})], START
            )
    telling.spread(portal.database, portal.context.settings, START)
    (first,) = deliveries.next_ones(portal.database, EIS, uuid.UUID(one), START, limit=9)
    for n in range(deliveries.TRIES):
        deliveries.failed(
            portal.database, EIS, first.__class__(**{**_fields(first), "attempts": n}), START, "refused <b>"
        )
    operator = portal.signed_in("operator")
    here = f"{HOME}/{one}"
    page = operator.get(here).text
    assert "1 avisos no llegaron" in page
    assert "refused &lt;b&gt;" in page
    assert operator.get(f"{here}?estado=dead").text.count("EIS-0001") == 1
    bad = operator.post(f"{here}/otra-vez", {"position": "x"}, page=here)
    assert bad.status_code == 422
    assert "No había nada" in operator.post(f"{here}/otra-vez", {"position": "999999"}, page=here).text
    position = {"position": str(first.event.position)}
    assert "Descartados: 1" in operator.post(f"{here}/descartar", position, page=here).text
    later = START + timedelta(days=1)
    (second,) = deliveries.next_ones(portal.database, EIS, uuid.UUID(one), later, limit=9)
    assert second.event.data == {"n": 2}
    with portal.database.session(EIS) as connection:
        connection.execute(text("UPDATE eisenergy.deliveries SET state = 'dead' WHERE state = 'waiting'"))
    assert "Se envían otra vez: 1" in operator.post(f"{here}/otra-vez", page=here).text
    monkeypatch.setattr(telling, "_post", _unreached)
    told = telling.tell(portal.database, portal.context.settings, "EIS", uuid.UUID(one), now=lambda: later)
    assert told.failed == 1
    assert operator.post(f"{here}/quitar", page=here).status_code == 303


def _fields(delivery: deliveries.Delivery) -> dict[str, object]:
    return {name: getattr(delivery, name) for name in delivery.__slots__}


def _unreached(*_: object) -> str:
    raise NotReached("nobody")


def test_another_sellers_subscription_is_not_found_and_noted(portal: Running) -> None:
    operator, foreign = portal.signed_in("operator"), portal.told["LUZ"]
    before = portal.refusals()
    for path in (f"{HOME}/{foreign}", f"{HOME}/{uuid.uuid4()}", f"{HOME}/none"):
        answer = operator.get(path)
        assert answer.status_code == 404
        assert mark("LUZ", "operator") not in answer.text
    for deed in ("pausar", "seguir", "probar", "quitar", "otra-vez", "descartar"):
        assert operator.post(f"{HOME}/{foreign}/{deed}", page=HOME).status_code == 404, deed
    assert portal.refusals() - before == 9
    (kept,) = subscriptions.listed(portal.database, Scope.operator("LUZ"))
    assert not kept.paused
